/* SHA-256 as FIPS 180-4 §6.2 states it. Main functions: axc_sha256_start, _add, _finish. No side effects. */
#include "checker.h"

/* §4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, unsigned n) {
  return x >> n | x << (32 - n);
}

/* §6.2.2, step 3, with the names of the eight variables rotated instead of their values; w[t] includes the round constant.
 * Ch(e, f, g) = g ^ (e & (f ^ g)), Maj(a, b, c) = (a & b) ^ (c & (a ^ b)). */
#define ROUND(a, b, c, d, e, f, g, h, t)                                                                   \
  do {                                                                                                     \
    const uint32_t t1 = (h + w[t]) + (g ^ (e & (f ^ g))) + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)); \
    d += t1;                                                                                               \
    h = t1 + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (c & (a ^ b)));                   \
  } while (0)

static void compress(uint32_t state[8], const unsigned char* block) {
  uint32_t w[64];
  for (int t = 0; t < 16; ++t) {
    const unsigned char* p = block + 4 * t;
    w[t] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
  }
  for (int t = 16; t < 64; ++t) {
    const uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
    const uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;
    w[t] = s1 + w[t - 7] + s0 + w[t - 16];
  }
  for (int t = 0; t < 64; ++t) w[t] += round_constants[t];
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6],
           h = state[7];
  for (int t = 0; t < 64; t += 8) {
    ROUND(a, b, c, d, e, f, g, h, t);
    ROUND(h, a, b, c, d, e, f, g, t + 1);
    ROUND(g, h, a, b, c, d, e, f, t + 2);
    ROUND(f, g, h, a, b, c, d, e, t + 3);
    ROUND(e, f, g, h, a, b, c, d, t + 4);
    ROUND(d, e, f, g, h, a, b, c, t + 5);
    ROUND(c, d, e, f, g, h, a, b, t + 6);
    ROUND(b, c, d, e, f, g, h, a, t + 7);
  }
  const uint32_t after[8] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; ++i) state[i] += after[i];
}
#undef ROUND

void axc_sha256_start(axc_sha256* hash) {
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (int i = 0; i < 8; ++i) hash->state[i] = initial[i];
  hash->total = 0;
}

void axc_sha256_add(axc_sha256* hash, const unsigned char* data, size_t size) {
  size_t i = 0;
  while (i < size) {
    const size_t filled = (size_t)(hash->total % 64);
    if (filled == 0 && size - i >= 64) {
      compress(hash->state, data + i);
      hash->total += 64;
      i += 64;
    } else {
      hash->buffer[filled] = data[i++];
      ++hash->total;
      if (filled == 63) compress(hash->state, hash->buffer);
    }
  }
}

/* §5.1.1: a one bit, zeros up to 56 modulo 64, then the length in bits as 64 bits. */
void axc_sha256_finish(axc_sha256* hash, unsigned char digest[32]) {
  const uint64_t bits = hash->total * 8;
  const unsigned char one = 0x80;
  const unsigned char zero = 0;
  axc_sha256_add(hash, &one, 1);
  while (hash->total % 64 != 56) axc_sha256_add(hash, &zero, 1);
  for (int i = 0; i < 8; ++i) {
    const unsigned char byte = (unsigned char)(bits >> (56 - 8 * i));
    axc_sha256_add(hash, &byte, 1);
  }
  for (int i = 0; i < 32; ++i) digest[i] = (unsigned char)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

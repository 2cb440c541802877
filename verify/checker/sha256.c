/* SHA-256 as FIPS 180-4 §6.2 states it, in plain C and, where the processor has them, with x86's SHA instructions. Main functions:
 * axc_sha256_start, _add, _finish. No side effects. */
#include "checker.h"

#if defined(__x86_64__) && defined(__has_builtin) && !defined(__FRAMAC__) && !defined(AXC_ONE_TARGET)
#if __has_builtin(__builtin_shufflevector)
#define AXC_SHA_INSTRUCTIONS
#endif
#endif

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

#ifdef AXC_SHA_INSTRUCTIONS
typedef int words __attribute__((vector_size(16)));
typedef char bytes __attribute__((vector_size(16)));

/* CPUID (Intel SDM vol. 2A): leaf 1, ECX bits 9 and 19: SSSE3 and SSE4.1; leaf 7, EBX bit 29: SHA. */
static int has_instructions(void) {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  if (a < 7) return 0;
  a = 1, c = 0;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  if ((c >> 9 & 1) == 0 || (c >> 19 & 1) == 0) return 0;
  a = 7, c = 0;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (int)(b >> 29 & 1);
}

/* Sixteen bytes at p, as they stand there. */
static inline words load(const void* p) {
  words v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

/* compress on `count` blocks. A vector has its lowest word first. sha256rnds2 (Intel SDM vol. 2B) does two rounds: of the state as
 * cdgh = (h, g, d, c) and abef = (f, e, b, a) it gives the new abef; the new cdgh is the old abef. sha256msg1 and msg2 extend w:
 * w[t] = σ1(w[t−2]) + w[t−7] + σ0(w[t−15]) + w[t−16] for four t. */
__attribute__((target("sha,sse4.1,ssse3"))) static void compress_with_instructions(uint32_t state[8],
                                                                                   const unsigned char* block,
                                                                                   size_t count) {
  const words dcba = load(state), hgfe = load(state + 4); /* (a, b, c, d), (e, f, g, h) */
  words abef = __builtin_shufflevector(hgfe, dcba, 1, 0, 5, 4);
  words cdgh = __builtin_shufflevector(hgfe, dcba, 3, 2, 7, 6);
  for (; count > 0; --count, block += 64) {
    const words abef_before = abef, cdgh_before = cdgh;
    words w[4];
    for (int i = 0; i < 16; ++i) {
      if (i < 4) {
        const bytes as_stored = (bytes)load(block + 16 * i); /* big-endian words */
        w[i] =
            (words)__builtin_shufflevector(as_stored, as_stored, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
      } else {
        const words w7 = __builtin_shufflevector(w[(i + 2) & 3], w[(i + 3) & 3], 1, 2, 3, 4);
        w[i & 3] = __builtin_ia32_sha256msg2(__builtin_ia32_sha256msg1(w[i & 3], w[(i + 1) & 3]) + w7, w[(i + 3) & 3]);
      }
      const words sum = w[i & 3] + load(round_constants + 4 * i);
      cdgh = __builtin_ia32_sha256rnds2(cdgh, abef, sum);
      abef = __builtin_ia32_sha256rnds2(abef, cdgh, __builtin_shufflevector(sum, sum, 2, 3, 2, 3));
    }
    abef += abef_before;
    cdgh += cdgh_before;
  }
  const words low = __builtin_shufflevector(abef, cdgh, 3, 2, 7, 6),
              high = __builtin_shufflevector(abef, cdgh, 1, 0, 5, 4);
  __builtin_memcpy(state, &low, sizeof low);
  __builtin_memcpy(state + 4, &high, sizeof high);
}
#endif

/* `count` blocks, one after the other. */
static void compress_all(axc_sha256* hash, const unsigned char* block, size_t count) {
#ifdef AXC_SHA_INSTRUCTIONS
  if (hash->instructions) {
    compress_with_instructions(hash->state, block, count);
    return;
  }
#endif
  for (; count > 0; --count, block += 64) compress(hash->state, block);
}

void axc_sha256_start(axc_sha256* hash) {
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (int i = 0; i < 8; ++i) hash->state[i] = initial[i];
  hash->total = 0;
  hash->instructions = 0;
#ifdef AXC_SHA_INSTRUCTIONS
  hash->instructions = has_instructions();
#endif
}

void axc_sha256_add(axc_sha256* hash, const unsigned char* data, size_t size) {
  size_t i = 0;
  while (i < size) {
    const size_t filled = (size_t)(hash->total % 64);
    if (filled == 0 && size - i >= 64) {
      const size_t whole = (size - i) / 64;
      compress_all(hash, data + i, whole);
      hash->total += 64 * (uint64_t)whole;
      i += 64 * whole;
    } else {
      hash->buffer[filled] = data[i++];
      ++hash->total;
      if (filled == 63) compress_all(hash, hash->buffer, 1);
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

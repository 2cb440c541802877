// SHA-256 as FIPS 180-4 §6.2 states it, in portable C++ and, chosen at run time, with x86's SHA instructions. Main
// functions: sha256, Sha256Stream, sha256_of_each. No side effects.
#include "axecert/certificate/sha256.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#define AXECERT_SHA_INSTRUCTIONS 1
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace axe {
namespace {

// FIPS 180-4 §4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes.
alignas(16) constexpr std::uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

std::uint32_t big_endian(const std::uint8_t* p) {
  return static_cast<std::uint32_t>(p[0]) << 24 | static_cast<std::uint32_t>(p[1]) << 16 |
         static_cast<std::uint32_t>(p[2]) << 8 | p[3];
}

// FIPS 180-4 §6.2.2, one block.
void compress_portable(std::uint32_t* state, const std::uint8_t* block) {
  std::uint32_t w[64];
  for (int t = 0; t < 16; ++t) w[t] = big_endian(block + 4 * t);
  for (int t = 16; t < 64; ++t) {
    const std::uint32_t s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
    const std::uint32_t s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
    w[t] = s1 + w[t - 7] + s0 + w[t - 16];
  }
  std::uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  std::uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (int t = 0; t < 64; ++t) {
    const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + round_constants[t] + w[t];
    const std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

#ifdef AXECERT_SHA_INSTRUCTIONS
bool detect_instructions() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 19)) || !(c & (1u << 9))) return false;  // SSE4.1, SSSE3
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1u << 29));                          // SHA
}

// The same rounds, four at a time: sha256rnds2 keeps the state as (a b e f), (c d g h); sha256msg1/2 extend w. `streams` hashes advance
// together: between two instructions of one, which wait for each other, stand those of the others.
template <std::size_t streams>
__attribute__((target("sha,sse4.1,ssse3"))) void compress_instructions(
    const std::array<std::uint32_t*, streams>& states, std::array<const std::uint8_t*, streams> blocks,
    std::size_t count) {
  const __m128i bytes = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  __m128i abef[streams], cdgh[streams];
  for (std::size_t s = 0; s < streams; ++s) {
    const __m128i dcba = _mm_loadu_si128(reinterpret_cast<const __m128i*>(states[s]));
    const __m128i hgfe = _mm_loadu_si128(reinterpret_cast<const __m128i*>(states[s] + 4));
    const __m128i cdab = _mm_shuffle_epi32(dcba, 0xB1);
    const __m128i efgh = _mm_shuffle_epi32(hgfe, 0x1B);
    abef[s] = _mm_alignr_epi8(cdab, efgh, 8);
    cdgh[s] = _mm_blend_epi16(efgh, cdab, 0xF0);
  }
  for (; count > 0; --count) {
    __m128i abef_before[streams], cdgh_before[streams], w[streams][4];
    for (std::size_t s = 0; s < streams; ++s) {
      abef_before[s] = abef[s];
      cdgh_before[s] = cdgh[s];
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      const __m128i k = _mm_load_si128(reinterpret_cast<const __m128i*>(round_constants + 4 * i));
#pragma GCC unroll 2
      for (std::size_t s = 0; s < streams; ++s) {
        __m128i(&v)[4] = w[s];
        if (i < 4) {
          v[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(blocks[s] + 16 * i)), bytes);
        } else {  // w[t] = σ1(w[t−2]) + w[t−7] + σ0(w[t−15]) + w[t−16], for four t
          const __m128i w7 = _mm_alignr_epi8(v[(i + 3) & 3], v[(i + 2) & 3], 4);
          v[i & 3] =
              _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(v[i & 3], v[(i + 1) & 3]), w7), v[(i + 3) & 3]);
        }
        const __m128i wk = _mm_add_epi32(v[i & 3], k);
        cdgh[s] = _mm_sha256rnds2_epu32(cdgh[s], abef[s], wk);
        abef[s] = _mm_sha256rnds2_epu32(abef[s], cdgh[s], _mm_shuffle_epi32(wk, 0x0E));
      }
    }
    for (std::size_t s = 0; s < streams; ++s) {
      abef[s] = _mm_add_epi32(abef[s], abef_before[s]);
      cdgh[s] = _mm_add_epi32(cdgh[s], cdgh_before[s]);
      blocks[s] += 64;
    }
  }
  for (std::size_t s = 0; s < streams; ++s) {
    const __m128i feba = _mm_shuffle_epi32(abef[s], 0x1B);
    const __m128i dchg = _mm_shuffle_epi32(cdgh[s], 0xB1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(states[s]), _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(states[s] + 4), _mm_alignr_epi8(dchg, feba, 8));
  }
}
#endif

}  // namespace

bool has_sha_instructions() {
#ifdef AXECERT_SHA_INSTRUCTIONS
  static const bool present = detect_instructions();
  return present;
#else
  return false;
#endif
}

Sha256Stream::Sha256Stream(Sha256Code code)
    : state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
      instructions_(code == Sha256Code::fastest && has_sha_instructions()) {}

void Sha256Stream::compress(const std::uint8_t* blocks, std::size_t count) {
#ifdef AXECERT_SHA_INSTRUCTIONS
  if (instructions_) return compress_instructions<1>({state_}, {blocks}, count);
#endif
  for (; count > 0; --count, blocks += 64) compress_portable(state_, blocks);
}

void Sha256Stream::update(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  total_ += size;
  if (buffered_ > 0) {
    const std::size_t part = size < 64 - buffered_ ? size : 64 - buffered_;
    if (part > 0) std::memcpy(buffer_ + buffered_, bytes, part);
    buffered_ += part, bytes += part, size -= part;
    if (buffered_ < 64) return;
    compress(buffer_, 1);
    buffered_ = 0;
  }
  compress(bytes, size / 64);
  buffered_ = size % 64;
  if (buffered_ > 0) std::memcpy(buffer_, bytes + (size - buffered_), buffered_);
}

void Sha256Stream::update_two(Sha256Stream& a, const std::uint8_t* a_blocks, Sha256Stream& b,
                              const std::uint8_t* b_blocks, std::size_t count) {
  a.total_ += 64 * count;
  b.total_ += 64 * count;
#ifdef AXECERT_SHA_INSTRUCTIONS
  if (a.instructions_ && b.instructions_) {
    return compress_instructions<2>({a.state_, b.state_}, {a_blocks, b_blocks}, count);
  }
#endif
  a.compress(a_blocks, count);
  b.compress(b_blocks, count);
}

std::vector<Sha256> sha256_of_each(std::span<const std::span<const std::uint8_t>> arrays, Sha256Code code) {
  struct Lane {
    Sha256Stream stream;
    std::span<const std::uint8_t> left;
    std::size_t number;
  };
  std::vector<Sha256> hashes(arrays.size());
  std::vector<Lane> lanes;  // one or two
  const auto finish = [&](Lane& lane) {
    lane.stream.update(lane.left.data(), lane.left.size());
    hashes[lane.number] = lane.stream.finish();
  };
  for (std::size_t next = 0; next < arrays.size() || !lanes.empty();) {
    if (lanes.size() < 2 && next < arrays.size()) {
      lanes.push_back({Sha256Stream(code), arrays[next], next});
      ++next;
      continue;
    }
    if (lanes.size() == 1) {
      finish(lanes[0]);
      break;
    }
    const std::size_t blocks = std::min(lanes[0].left.size(), lanes[1].left.size()) / 64;
    Sha256Stream::update_two(lanes[0].stream, lanes[0].left.data(), lanes[1].stream, lanes[1].left.data(), blocks);
    for (Lane& lane : lanes) lane.left = lane.left.subspan(64 * blocks);
    const auto shorter = lanes[0].left.size() < lanes[1].left.size() ? lanes.begin() : lanes.begin() + 1;
    finish(*shorter);
    lanes.erase(shorter);
  }
  return hashes;
}

// FIPS 180-4 §5.1.1: a one bit, zeros, then the length in bits as 64 bits.
Sha256 Sha256Stream::finish() {
  const std::uint64_t bits = total_ * 8;
  const std::uint8_t padding[64] = {0x80};
  update(padding, buffered_ < 56 ? 56 - buffered_ : 120 - buffered_);
  std::uint8_t length[8];
  for (int i = 0; i < 8; ++i) length[i] = static_cast<std::uint8_t>(bits >> (56 - 8 * i));
  update(length, 8);
  Sha256 hash;
  for (std::size_t i = 0; i < 32; ++i) hash[i] = static_cast<std::uint8_t>(state_[i / 4] >> (24 - 8 * (i % 4)));
  return hash;
}

Sha256 sha256(const void* data, std::size_t size) {
  Sha256Stream stream;
  stream.update(data, size);
  return stream.finish();
}

std::string to_hex(const Sha256& hash) {
  std::string text;
  for (const std::uint8_t byte : hash) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace axe

// Tile loops for AVX2: 16 lanes of 16 bits, eight rows. No side effects.
#include "axecert/kernel/tile_loops.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#include <cstring>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#include "tile_blocks.hpp"

namespace axe::kernel {
namespace {

struct Tiles256 {
  static constexpr std::size_t rows = 8;
  using Vector = __m256i;
  static inline Vector zero() { return _mm256_setzero_si256(); }
  static inline Vector load(const std::int8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static inline Vector load_words(const std::int16_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static inline Vector broadcast(const void* p) {
    int four = 0;
    std::memcpy(&four, p, sizeof four);
    return _mm256_set1_epi32(four);
  }
  static inline Vector low_nibbles(Vector v) { return _mm256_and_si256(v, _mm256_set1_epi8(15)); }
  static inline Vector high_nibbles(Vector v) {
    return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15));
  }
  static inline Vector multiply_pairs(Vector x, Vector w) { return _mm256_maddubs_epi16(x, w); }
  static inline Vector add_words(Vector a, Vector b) { return _mm256_add_epi16(a, b); }
  static inline Vector keep(Vector sum) {
    asm("" : "+x"(sum));
    return sum;
  }
  static inline void widen_and_add(std::int32_t* sums, Vector lanes) {
    auto* p = reinterpret_cast<__m256i*>(sums);
    _mm256_store_si256(p, _mm256_add_epi32(_mm256_load_si256(p), _mm256_madd_epi16(lanes, _mm256_set1_epi16(1))));
  }
};

}  // namespace

const TileLoops avx2_tile_loops{tile_panel<Tiles256, 4, false>, tile_panel<Tiles256, 4, true>};

}  // namespace axe::kernel

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

// Tile loops for AVX-512: 32 lanes of 16 bits, sixteen rows. No side effects.
#include "axecert/kernel/tile_loops.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own AVX-512 headers
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <cstring>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#endif

#include "tile_blocks.hpp"

namespace axe::kernel {
namespace {

struct Tiles512 {
  static constexpr std::size_t rows = 16;
  using Vector = __m512i;
  static inline Vector zero() { return _mm512_setzero_si512(); }
  static inline Vector load(const std::int8_t* p) { return _mm512_loadu_si512(p); }
  static inline Vector load_words(const std::int16_t* p) { return _mm512_loadu_si512(p); }
  static inline Vector broadcast(const void* p) {
    int four = 0;
    std::memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
  }
  static inline Vector low_nibbles(Vector v) { return _mm512_and_si512(v, _mm512_set1_epi8(15)); }
  static inline Vector high_nibbles(Vector v) {
    return _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(15));
  }
  static inline Vector multiply_pairs(Vector x, Vector w) { return _mm512_maddubs_epi16(x, w); }
  static inline Vector add_words(Vector a, Vector b) { return _mm512_add_epi16(a, b); }
  static inline Vector keep(Vector sum) {
    asm("" : "+v"(sum));
    return sum;
  }
  static inline void widen_and_add(std::int32_t* sums, Vector lanes) {
    _mm512_store_si512(sums, _mm512_add_epi32(_mm512_load_si512(sums), _mm512_madd_epi16(lanes, _mm512_set1_epi16(1))));
  }
};

}  // namespace

const TileLoops avx512_tile_loops{tile_panel<Tiles512, 12, false>, tile_panel<Tiles512, 12, true>};

}  // namespace axe::kernel

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

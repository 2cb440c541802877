// The inner loops for AVX-512 without VNNI: bytes are widened to 16 bits and multiplied in pairs by vpmaddwd, which is exact
// (two products of at most 255 · 128 each in 32 bits). No side effects.
#include "axecert/kernel/loops.hpp"

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

#include "dot_loops.hpp"
#include "step_loops.hpp"
#include "step_words.hpp"
#include "words_avx512.hpp"

namespace axe::kernel {
namespace {

struct Pairs512 {
  static constexpr std::size_t rows = 8;  // two 32-bit sums each, of products 0, 1 and of products 2, 3
  using Sum = __m512i;
  using Weights = __m512i;
  using Activations = __m512i;
  static inline Sum zero() { return _mm512_setzero_si512(); }
  static inline Weights load_weights(const std::int8_t* p) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static inline Activations broadcast(const std::uint8_t* p) {
    int four = 0;
    std::memcpy(&four, p, sizeof four);
    return _mm512_cvtepu8_epi16(_mm256_set1_epi32(four));
  }
  static inline Sum add_products(Sum sum, Activations x, Weights w) {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(x, w));
  }
  static inline Sum add(Sum a, Sum b) { return _mm512_add_epi32(a, b); }
  static inline void store(std::int32_t* sums, Sum sum) {
    const __m512i both = _mm512_add_epi32(sum, _mm512_srli_epi64(sum, 32));  // in the lower half of each 64 bits
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), _mm512_cvtepi64_epi32(both));
  }
};

}  // namespace

const Loops avx512_loops{dot_panel<Pairs512, 12>,
                         step_words<Words512>,
                         step_products<std::int32_t, std::int32_t>,
                         step_products<std::int64_t, std::int32_t>,
                         step_values,
                         cannot_overflow};

}  // namespace axe::kernel

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

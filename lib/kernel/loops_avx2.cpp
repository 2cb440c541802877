// The inner loops for AVX2: bytes are widened to 16 bits and multiplied in pairs by vpmaddwd, which is exact (two products
// of at most 255 · 128 each in 32 bits). No side effects.
#include "axecert/kernel/loops.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#include <cstring>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#include "dot_loops.hpp"
#include "step_loops.hpp"
#include "step_words.hpp"
#include "words_avx2.hpp"

namespace axe::kernel {
namespace {

struct Pairs256 {
  static constexpr std::size_t rows = 4;  // two 32-bit sums each, of products 0, 1 and of products 2, 3
  using Sum = __m256i;
  using Weights = __m256i;
  using Activations = __m256i;
  static inline Sum zero() { return _mm256_setzero_si256(); }
  static inline Weights load_weights(const std::int8_t* p) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static inline Activations broadcast(const std::uint8_t* p) {
    int four = 0;
    std::memcpy(&four, p, sizeof four);
    return _mm256_cvtepu8_epi16(_mm_set1_epi32(four));
  }
  static inline Sum add_products(Sum sum, Activations x, Weights w) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
  }
  static inline Sum add(Sum a, Sum b) { return _mm256_add_epi32(a, b); }
  static inline void store(std::int32_t* sums, Sum sum) {
    const __m256i both = _mm256_add_epi32(sum, _mm256_srli_epi64(sum, 32));  // in the lower half of each 64 bits
    const __m256i packed = _mm256_permutevar8x32_epi32(both, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums), _mm256_castsi256_si128(packed));
  }
};

}  // namespace

const Loops avx2_loops{dot_panel<Pairs256, 4>,
                       step_words<Words256>,
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

// The inner loops for AVX-VNNI: vpdpbusd on 256 bits adds four products u8 × s8 into 32 bits. No side effects.
#include "axecert/kernel/loops.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#include <cstring>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,avxvnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,avxvnni")
#endif

#include "dot_loops.hpp"
#include "step_loops.hpp"
#include "step_words.hpp"
#include "words_avx2.hpp"

namespace axe::kernel {
namespace {

struct Quads256 {
  static constexpr std::size_t rows = 8;
  using Sum = __m256i;
  using Weights = __m256i;
  using Activations = __m256i;
  static inline Sum zero() { return _mm256_setzero_si256(); }
  static inline Weights load_weights(const std::int8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static inline Activations broadcast(const std::uint8_t* p) {
    int four = 0;
    std::memcpy(&four, p, sizeof four);
    return _mm256_set1_epi32(four);
  }
  static inline Sum add_products(Sum sum, Activations x, Weights w) { return _mm256_dpbusd_avx_epi32(sum, x, w); }
  static inline Sum add(Sum a, Sum b) { return _mm256_add_epi32(a, b); }
  static inline void store(std::int32_t* sums, Sum sum) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), sum); }
};

}  // namespace

const Loops avx_vnni_loops{dot_panel<Quads256, 6>,
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

// 32 lanes of 16 bits as one AVX-512 vector, for step_words.hpp. Included inside a target region that has AVX-512BW. No side
// effects.
#pragma once

#include <cstddef>
#include <cstdint>

#include "axecert/kernel/loops.hpp"

namespace axe::kernel {
namespace {

struct Words512 {
  using Vector = __m512i;
  static inline Vector all(std::int16_t value) { return _mm512_set1_epi16(value); }
  static inline Vector load(const std::int16_t* p) { return _mm512_loadu_si512(p); }
  static inline void store(std::int16_t* p, Vector v) { _mm512_storeu_si512(p, v); }
  static inline Vector widen(const std::int8_t* p) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static inline Vector multiply(Vector a, Vector b) { return _mm512_mullo_epi16(a, b); }
  static inline Vector add(Vector a, Vector b) { return _mm512_add_epi16(a, b); }
  static inline Vector add_saturated(Vector a, Vector b) { return _mm512_adds_epi16(a, b); }
  static inline Vector clamp(Vector a, Vector lower, Vector upper) {
    return _mm512_max_epi16(_mm512_min_epi16(a, upper), lower);
  }
  static inline Vector sign_extend(Vector a, int unused_bits) {
    const __m128i bits = _mm_cvtsi32_si128(unused_bits);
    return _mm512_sra_epi16(_mm512_sll_epi16(a, bits), bits);
  }
  /// count + 1 in the lanes where a ≠ b or c ≠ d.
  static inline Vector count_different(Vector count, Vector a, Vector b, Vector c, Vector d) {
    const __mmask32 happened = _mm512_cmpneq_epi16_mask(a, b) | _mm512_cmpneq_epi16_mask(c, d);
    return _mm512_mask_add_epi16(count, happened, count, _mm512_set1_epi16(1));
  }
  /// count + 1 in the lanes where a ≠ b or b < lower.
  static inline Vector count_different_or_below(Vector count, Vector a, Vector b, Vector lower) {
    const __mmask32 happened = _mm512_cmpneq_epi16_mask(a, b) | _mm512_cmplt_epi16_mask(b, lower);
    return _mm512_mask_add_epi16(count, happened, count, _mm512_set1_epi16(1));
  }
};

}  // namespace
}  // namespace axe::kernel

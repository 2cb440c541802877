// 32 lanes of 16 bits as two AVX2 vectors, for step_words.hpp. Included inside a target region that has AVX2. No side effects.
#pragma once

#include <cstddef>
#include <cstdint>

#include "axecert/kernel/loops.hpp"

namespace axe::kernel {
namespace {

struct Words256 {
  struct Vector {
    __m256i low;
    __m256i high;
  };
  static inline Vector all(std::int16_t value) { return {_mm256_set1_epi16(value), _mm256_set1_epi16(value)}; }
  static inline Vector load(const std::int16_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 16))};
  }
  static inline void store(std::int16_t* p, Vector v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v.low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 16), v.high);
  }
  static inline Vector widen(const std::int8_t* p) {
    return {_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
            _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16)))};
  }
  static inline Vector multiply(Vector a, Vector b) {
    return {_mm256_mullo_epi16(a.low, b.low), _mm256_mullo_epi16(a.high, b.high)};
  }
  static inline Vector add(Vector a, Vector b) {
    return {_mm256_add_epi16(a.low, b.low), _mm256_add_epi16(a.high, b.high)};
  }
  static inline Vector add_saturated(Vector a, Vector b) {
    return {_mm256_adds_epi16(a.low, b.low), _mm256_adds_epi16(a.high, b.high)};
  }
  static inline Vector clamp(Vector a, Vector lower, Vector upper) {
    return {_mm256_max_epi16(_mm256_min_epi16(a.low, upper.low), lower.low),
            _mm256_max_epi16(_mm256_min_epi16(a.high, upper.high), lower.high)};
  }
  static inline Vector sign_extend(Vector a, int unused_bits) {
    const __m128i bits = _mm_cvtsi32_si128(unused_bits);
    return {_mm256_sra_epi16(_mm256_sll_epi16(a.low, bits), bits),
            _mm256_sra_epi16(_mm256_sll_epi16(a.high, bits), bits)};
  }
  /// count + 1 in the lanes where a ≠ b or c ≠ d.
  static inline Vector count_different(Vector count, Vector a, Vector b, Vector c, Vector d) {
    return {count_one(count.low, _mm256_and_si256(_mm256_cmpeq_epi16(a.low, b.low), _mm256_cmpeq_epi16(c.low, d.low))),
            count_one(count.high,
                      _mm256_and_si256(_mm256_cmpeq_epi16(a.high, b.high), _mm256_cmpeq_epi16(c.high, d.high)))};
  }
  /// count + 1 in the lanes where a ≠ b or b < lower.
  static inline Vector count_different_or_below(Vector count, Vector a, Vector b, Vector lower) {
    return {count_one(count.low,
                      _mm256_andnot_si256(_mm256_cmpgt_epi16(lower.low, b.low), _mm256_cmpeq_epi16(a.low, b.low))),
            count_one(count.high,
                      _mm256_andnot_si256(_mm256_cmpgt_epi16(lower.high, b.high), _mm256_cmpeq_epi16(a.high, b.high)))};
  }

 private:
  /// `fine` is −1 where nothing happened, else 0: count + (fine + 1).
  static inline __m256i count_one(__m256i count, __m256i fine) {
    return _mm256_add_epi16(count, _mm256_add_epi16(fine, _mm256_set1_epi16(1)));
  }
};

}  // namespace
}  // namespace axe::kernel

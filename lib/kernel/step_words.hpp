// The stepped machine in 16-bit lanes: products of bytes fit, and a saturating addition shows which sums left 16 bits. Each
// target file includes this inside its own target region. `step_words` is the main function. No side effects.
//
// `Words` is a vector of 32 lanes of 16 bits, one per row of the panel, with the instructions named below.
#pragma once

#include <cstddef>
#include <cstdint>

#include "axecert/kernel/loops.hpp"

namespace axe::kernel {
namespace {

/// With a = the saturated and b = the wrapped 16-bit sum, the exact sum left limits of `width` ≤ 16 bits exactly when
///   wrap:     the low `width` bits of b, as a signed number, differ from a, or a < lower (symmetric limits);
///   saturate: a clamped into the limits differs from a, or a ≠ b (only when width = 16).
template <class Words, bool saturates>
inline void step_words_as(const StepRegister& stage, const std::int16_t* const* operands, const std::int8_t* weights,
                          std::size_t length, std::int64_t* content, std::int64_t* overflows) {
  constexpr std::size_t between_counts = 16384;  // a 16-bit lane counts that many overflows
  const auto lower = Words::all(static_cast<std::int16_t>(stage.lower));
  const auto upper = Words::all(static_cast<std::int16_t>(stage.upper));
  const int unused_bits = 16 - stage.width;
  typename Words::Vector held[step_tokens];
  std::int16_t words[panel_rows];
  for (std::size_t t = 0; t < step_tokens; ++t) {
    for (std::size_t r = 0; r < panel_rows; ++r) {
      words[r] = static_cast<std::int16_t>(content[t * panel_rows + r]);
    }
    held[t] = Words::load(words);
  }
  for (std::size_t begin = 0; begin < length; begin += between_counts) {
    const std::size_t end = length - begin < between_counts ? length : begin + between_counts;
    typename Words::Vector left[step_tokens];
    for (std::size_t t = 0; t < step_tokens; ++t) {
      left[t] = Words::all(0);
    }
    for (std::size_t k = begin; k < end; ++k) {
      const auto w = Words::widen(weights + k * panel_rows);
#pragma GCC unroll 4
      for (std::size_t t = 0; t < step_tokens; ++t) {
        const auto product = Words::multiply(w, Words::all(operands[t][k]));
        const auto clamped_sum = Words::add_saturated(held[t], product);
        const auto sum = Words::add(held[t], product);
        if constexpr (saturates) {
          held[t] = Words::clamp(clamped_sum, lower, upper);
          left[t] = Words::count_different(left[t], held[t], clamped_sum, sum, clamped_sum);
        } else {
          held[t] = Words::sign_extend(sum, unused_bits);
          left[t] = Words::count_different_or_below(left[t], held[t], clamped_sum, lower);
        }
      }
    }
    for (std::size_t t = 0; t < step_tokens; ++t) {
      Words::store(words, left[t]);
      for (std::size_t r = 0; r < panel_rows; ++r) {
        overflows[t] += words[r];
      }
    }
  }
  for (std::size_t t = 0; t < step_tokens; ++t) {
    Words::store(words, held[t]);
    for (std::size_t r = 0; r < panel_rows; ++r) {
      content[t * panel_rows + r] = words[r];
    }
  }
}

template <class Words>
void step_words(const StepRegister& stage, const std::int16_t* const* operands, const std::int8_t* weights,
                std::size_t length, std::int64_t* content, std::int64_t* overflows) {
  stage.saturates ? step_words_as<Words, true>(stage, operands, weights, length, content, overflows)
                  : step_words_as<Words, false>(stage, operands, weights, length, content, overflows);
}

}  // namespace
}  // namespace axe::kernel

// The loops of the stepped machine in plain C++, for the compiler to vectorise: every file of one target includes this
// inside its own target region, so each gets its own copy (hence the unnamed namespace). `step_products` is the main
// function. No side effects.
#pragma once

#include <cstddef>
#include <cstdint>

#include "axecert/kernel/loops.hpp"

namespace axe::kernel {
namespace {

/// What a register holds after the exact sum `sum`: axe::step on a lane that holds every sum exactly.
template <bool saturates, class Lane>
inline Lane settled(Lane sum, Lane lower, Lane upper, int unused_bits) {
  if constexpr (saturates) {
    (void)unused_bits;
    return sum < lower ? lower : sum > upper ? upper : sum;
  } else {
    // The low bits, the topmost of them the sign. A shift to the left of a signed value is modulo 2^n in C++20.
    return static_cast<Lane>(static_cast<Lane>(sum << unused_bits) >> unused_bits);
  }
}

template <bool saturates, class Lane, class Operand>
inline void step_products_as(const StepRegister& stage, const Operand* const* operands, const std::int8_t* weights,
                             std::size_t length, std::int64_t* content, std::int64_t* overflows) {
  const auto lower = static_cast<Lane>(stage.lower);
  const auto upper = static_cast<Lane>(stage.upper);
  const int unused_bits = static_cast<int>(8 * sizeof(Lane)) - stage.width;
  for (std::size_t t = 0; t < step_tokens; ++t) {
    Lane held[panel_rows];
    Lane left[panel_rows] = {};
    for (std::size_t r = 0; r < panel_rows; ++r) {
      held[r] = static_cast<Lane>(content[t * panel_rows + r]);
    }
    for (std::size_t k = 0; k < length; ++k) {
      const auto x = static_cast<Lane>(operands[t][k]);
      const std::int8_t* w = weights + k * panel_rows;
      for (std::size_t r = 0; r < panel_rows; ++r) {
        const Lane sum = held[r] + static_cast<Lane>(w[r]) * x;
        left[r] += static_cast<Lane>(sum < lower) | static_cast<Lane>(sum > upper);
        held[r] = settled<saturates>(sum, lower, upper, unused_bits);
      }
    }
    for (std::size_t r = 0; r < panel_rows; ++r) {
      content[t * panel_rows + r] = held[r];
      overflows[t] += left[r];
    }
  }
}

template <class Lane, class Operand>
void step_products(const StepRegister& stage, const Operand* const* operands, const std::int8_t* weights,
                   std::size_t length, std::int64_t* content, std::int64_t* overflows) {
  stage.saturates ? step_products_as<true, Lane>(stage, operands, weights, length, content, overflows)
                  : step_products_as<false, Lane>(stage, operands, weights, length, content, overflows);
}

template <bool saturates>
inline void step_values_as(const StepRegister& stage, const std::int64_t* values, std::int64_t* content,
                           std::int64_t* overflows) {
  const std::int64_t lower = stage.lower;
  const std::int64_t upper = stage.upper;
  const int unused_bits = 64 - stage.width;
  for (std::size_t r = 0; r < panel_rows; ++r) {
    const std::int64_t sum = content[r] + values[r];
    overflows[r] += static_cast<std::int64_t>(sum < lower) | static_cast<std::int64_t>(sum > upper);
    content[r] = settled<saturates>(sum, lower, upper, unused_bits);
  }
}

void step_values(const StepRegister& stage, const std::int64_t* values, std::int64_t* content,
                 std::int64_t* overflows) {
  stage.saturates ? step_values_as<true>(stage, values, content, overflows)
                  : step_values_as<false>(stage, values, content, overflows);
}

bool cannot_overflow(const StepRegister& stage, const std::int64_t* initial, const std::int64_t* sums,
                     const std::int64_t* magnitudes) {
  std::int64_t outside = 0;
  for (std::size_t r = 0; r < panel_rows; ++r) {
    // The halves are exact: |n| ≡ n modulo 2.
    const std::int64_t most = initial[r] + ((magnitudes[r] + sums[r]) >> 1);
    const std::int64_t least = initial[r] + ((sums[r] - magnitudes[r]) >> 1);
    outside |= static_cast<std::int64_t>(most > stage.upper) | static_cast<std::int64_t>(least < stage.lower);
  }
  return outside == 0;
}

}  // namespace
}  // namespace axe::kernel

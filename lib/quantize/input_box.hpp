// From activation codes to operands: what the multiplier sees of an input channel in each operand form (raw, re-centred,
// boxed per channel), and the offset that makes it exact. `make_input_box` is the main function. Source: design §3.7, §3.8.
#pragma once

#include <cstdint>
#include <vector>

#include "axecert/quantize/quantize.hpp"

namespace axe {

/// operand_k = clamp(code_k − shift_k, lower_k, upper_k), and Σ w (code − zero_point) = Σ w operand + Σ w offset with
/// offset_k = shift_k − zero_point, for every code that the clamp leaves alone. lower_k ≤ 0 ≤ upper_k. Arrays are [1] when
/// all channels agree, else [K].
struct InputBox {
  std::vector<std::int32_t> lower, upper, shift;
  /// How far a token's zero point can lie above the grid's (IntegerLayer::zero_point_spread); 0: the zero point is static.
  std::int64_t zero_point_spread = 0;

  /// Entry k of one of the arrays above.
  static std::int32_t at(const std::vector<std::int32_t>& values, std::int64_t k) {
    return values[values.size() == 1 ? 0 : static_cast<std::size_t>(k)];
  }
};

/// The box of `problem` on `datapath`. Boxed: the calibrated code range of a channel, widened by `headroom` of its width and
/// one code on each side, kept inside the code range, shifted so that its middle (rounded up) is 0. Throws InputError when
/// boxes are asked for without calibrated code ranges, or when the operands do not fit the datapath's multiplier.
InputBox make_input_box(const LayerProblem& problem, const Datapath& datapath, double headroom);

}  // namespace axe

// How real inputs become integer codes: step, zero point, bit width and signedness, fixed for a tensor or computed from each
// token. No functions beyond the code range; input_quantizer.hpp applies a grid.
#pragma once

#include <cstdint>

namespace axe {

/// `tensor`: one step and zero point for all inputs, calibrated. `token`: both are computed from each row of the input
/// (dynamic quantization), so that only the zero point's range is known beforehand.
enum class ActivationScaling { tensor, token };

/// Activation quantizer: code = clamp(round(x / scale) + zero_point, code_lower(), code_upper()), halves to even.
///
/// With `token` scaling a row x of the input has, for signed codes, scale = max|x| / code_upper() and zero point 0; for
/// unsigned ones scale = (max(0, max x) − min(0, min x)) / code_upper() and zero point = round(−min(0, min x) / scale).
/// A row of zeros has scale 1. `scale` and `zero_point` below are then 1 and 0.
struct ActivationGrid {
  double scale = 1;             ///< finite, > 0
  std::int32_t zero_point = 0;  ///< within the code range
  int bits = 8;                 ///< 2 to 8
  bool is_signed = false;
  ActivationScaling scaling = ActivationScaling::tensor;
  /// With signed `token` scaling, L ≥ 1: the scale of a row is enlarged until Σ |operand| ≤ L over the products of every register
  /// of the datapath's lowest stage (IntegerLayer::input_limit); 0: no limit.
  std::int64_t limit = 0;

  std::int32_t code_lower() const { return is_signed ? -(1 << (bits - 1)) : 0; }
  std::int32_t code_upper() const { return is_signed ? (1 << (bits - 1)) - 1 : (1 << bits) - 1; }
  /// The zero point of a token lies in zero_point + [0, zero_point_spread()].
  std::int32_t zero_point_spread() const {
    return scaling == ActivationScaling::token && !is_signed ? code_upper() : 0;
  }
};

}  // namespace axe

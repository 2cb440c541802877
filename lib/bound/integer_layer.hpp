// The integers of one layer, as the datapath sees them: operand weights, the box of operand inputs, and what the row's
// constant is made of. Everything above (bounds, certificates, voters) speaks about this.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "axecert/datapath/datapath.hpp"

namespace axe {

/// y_r = constant_r + Σ_k w_rk x_k, x_k ∈ [box_lower_k, box_upper_k], constant_r = bias_r + Σ_k w_rk · (offset_k − z), z any
/// of 0 … zero_point_spread.
///
/// `x` is the multiplier's operand (code − c_k, with c_k = 0 for raw codes); offset_k = c_k − the least zero point, so that
/// y is Σ w (code − zero point) + bias whatever the operand form. A zero point that is computed from each token lies z above
/// the least one; a static one has no spread.
///
/// With input_limit L ≥ 1 the activation quantizer also keeps Σ |x_k| ≤ L over the products of each register of the lowest
/// stage (docs/arithmetic.md, "Limited inputs"); every box then holds 0.
struct IntegerLayer {
  std::string name;                     ///< [A-Za-z0-9_./-]+
  std::int64_t rows = 0;                ///< ≥ 1
  std::int64_t cols = 0;                ///< K ≥ 1, at most 2^24
  std::vector<std::int8_t> weights;     ///< [rows, cols], row-major
  std::vector<std::int32_t> box_lower;  ///< [cols], or [1] for all channels
  std::vector<std::int32_t> box_upper;  ///< likewise, ≥ box_lower; |box| ≤ 2^24
  std::vector<std::int32_t> offset;     ///< [cols], [1], or empty for none; |offset| ≤ 2^24
  std::vector<std::int64_t> bias;       ///< [rows], or empty for none; |bias| ≤ 2^62
  std::int64_t zero_point_spread = 0;   ///< greatest zero point less the least, 0 to 2^24
  std::int64_t input_limit = 0;         ///< L, 1 to 2^48; 0: the box alone limits the inputs

  std::int32_t lower(std::int64_t k) const {
    return box_lower[box_lower.size() == 1 ? 0 : static_cast<std::size_t>(k)];
  }
  std::int32_t upper(std::int64_t k) const {
    return box_upper[box_upper.size() == 1 ? 0 : static_cast<std::size_t>(k)];
  }
  std::int64_t offset_of(std::int64_t k) const {  // of channel k
    return offset.empty() ? 0 : offset[offset.size() == 1 ? 0 : static_cast<std::size_t>(k)];
  }
  const std::int8_t* row(std::int64_t r) const { return weights.data() + r * cols; }
};

/// Throws InputError (naming the layer) unless the sizes agree, every limit above holds, and every weight and box fits
/// the datapath's operand formats. After it, every sum that the bounds form is below 2^63: |w| ≤ 2^7, |x|, |offset| and z
/// ≤ 2^24, K ≤ 2^24 give |Σ w x|, |Σ w offset|, |z Σ w| ≤ 2^55 each, plus |bias| ≤ 2^62. Returns the least and the greatest weight.
IntegerRange validate(const IntegerLayer& layer, const Datapath& datapath);

/// constant_r of every row at the least zero point (z = 0), [rows].
std::vector<std::int64_t> row_constants(const IntegerLayer& layer);

/// The least and the greatest constant_r over z, of every row, [rows]: z = 0 is one end, z = zero_point_spread the other.
std::vector<IntegerRange> row_constant_ranges(const IntegerLayer& layer);
/// The same of one row of a layer whose shape is valid.
IntegerRange row_constant_range(const IntegerLayer& layer, std::int64_t row);

}  // namespace axe

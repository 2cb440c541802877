// The activation quantizer at work: from real inputs to the operands that the multiplier sees, row by row, and back to the
// real numbers that they stand for. `InputQuantizer` is the main class. It is what makes a certificate's box unconditional:
// every operand that leaves it has been clamped. No side effects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "axecert/bound/operand_magnitudes.hpp"
#include "axecert/quantize/activation_grid.hpp"
#include "axecert/quantize/input_transform.hpp"

namespace axe {

/// Operands of n rows: operand(i, k) = biased[i·cols + k] + base. The value that an operand stands for is
/// scale[i] · (operand + shift_k − zero_point[i]).
struct OperandRows {
  std::int64_t count = 0;
  std::int64_t cols = 0;
  std::int32_t base = 0;                 ///< the least operand of all channels
  std::vector<std::uint8_t> biased;      ///< [n, cols]
  std::vector<double> scale;             ///< [n]
  std::vector<std::int32_t> zero_point;  ///< [n]
};

/// operand_k = clamp(round(x'_k / scale) + zero_point − shift_k, lower_k, upper_k), x' = transform(x), halves to even, the
/// division in double precision; scale and zero point those of the grid, or of the row (activation_grid.hpp). Under a limit the
/// scale of a row is then multiplied by Σ|operand| / limit of its worst register, at least by 1.002, until all registers keep it:
/// whatever the input, no register of what leaves exceeds the limit.
class InputQuantizer {
 public:
  /// lower, upper, shift: [1] or [cols]; every operand fits 8 bits above the least of them. `datapath` says whose lowest registers a
  /// grid's limit speaks of; it may be null without one. Throws InputError that names `place` otherwise, or when the grid is not
  /// valid; a limit takes signed codes per token without a shift.
  InputQuantizer(std::int64_t cols, InputTransform transform, const ActivationGrid& grid, std::vector<std::int32_t> lower,
                 std::vector<std::int32_t> upper, std::vector<std::int32_t> shift, std::string place,
                 const Datapath* datapath = nullptr);

  /// Operands of x [n, cols]. Throws InputError when a value is not finite. `threads` ≥ 1 share the rows; the result does
  /// not depend on them. `first_row` is what errors call the first row of x.
  OperandRows quantize(const float* x, std::int64_t n, int threads = 1, std::int64_t first_row = 0) const;

  /// The real numbers that the operands of x stand for, [n, cols] in single precision: X̃, in the transform's coordinates.
  std::vector<float> fake_quantize(const float* x, std::int64_t n, int threads = 1) const;

  std::int64_t cols() const { return cols_; }
  const InputTransform& transform() const { return transform_; }
  const ActivationGrid& grid() const { return grid_; }

 private:
  void quantize_row(const float* x, std::uint8_t* biased, double& scale, std::int32_t& zero_point,
                    std::vector<float>& row, std::int64_t index) const;

  std::int64_t cols_;
  InputTransform transform_;
  ActivationGrid grid_;
  std::int32_t base_ = 0;
  std::vector<std::int32_t> lower_, upper_, shift_;  // [cols]
  std::optional<OperandMagnitudes> magnitudes_;      // when the grid has a limit
  std::string place_;
};

}  // namespace axe

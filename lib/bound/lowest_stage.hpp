// The registers that add products: where the bound engine reads the weights, once. `LowestStage::row` is the main
// function. No side effects.
#pragma once

#include <cstdint>
#include <vector>

#include "axecert/bound/integer_layer.hpp"
#include "axecert/bound/register_ranges.hpp"

namespace axe {

/// Ranges of the lowest stage of one row after another; keeps the boxes in the form the loops want, and scratch memory.
class LowestStage {
 public:
  /// `layer` has passed validate_shape, and has topology.length() columns.
  LowestStage(const IntegerLayer& layer, const Topology& topology);

  /// Whether every channel's box holds 0: partial sums and final values then have the same range.
  bool holds_zero() const { return holds_zero_; }

  /// For the weights of one row [cols]: per register, the range of its final value and, unless holds_zero(), of its
  /// partial sums, both without the initial value.
  void row(const std::int8_t* weights, RegisterRanges& partial, RegisterRanges& final);

 private:
  /// Boxes in both widths; the narrow one is empty when a box does not fit.
  struct Boxes {
    std::vector<std::int32_t> lower, upper;                // [cols], or [1] when uniform
    std::vector<std::int16_t> narrow_lower, narrow_upper;  // [cols], or empty
  };
  static void narrow(Boxes& boxes);
  void ranges(const std::int8_t* weights, const Boxes& boxes, RegisterRanges& result);
  void lanes(const std::int8_t* weights, const Boxes& boxes, RegisterRanges& result) const;
  void limited(const std::int8_t* weights, RegisterRanges& result) const;

  std::size_t cols_;
  std::size_t nodes_;
  std::size_t block_;  // products per block of group × stride
  std::size_t stride_;
  bool uniform_;
  std::int64_t limit_;
  bool holds_zero_ = true;
  Boxes boxes_;      // of the final value
  Boxes with_zero_;  // the same, widened to hold 0: a partial sum leaves a product out by taking x = 0
  std::vector<std::uint64_t> scratch_;
};

}  // namespace axe

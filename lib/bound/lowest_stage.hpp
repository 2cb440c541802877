// The registers that add products: where the bound engine reads the weights, once, at memory speed. `LowestStage::row` is
// the main function. No side effects.
#pragma once

#include <cstdint>
#include <vector>

#include "axecert/bound/integer_layer.hpp"
#include "axecert/bound/register_ranges.hpp"

namespace axe {

/// Ranges of the lowest stage of one row after another. Keeps a reference to the topology, and scratch memory.
class LowestStage {
 public:
  /// `layer` has passed validate_shape, and has topology.length() columns.
  LowestStage(const IntegerLayer& layer, const Topology& topology);

  /// For the weights of one row [cols]: per register, the range of its partial sums and of its final value, both without
  /// the initial value.
  void row(const std::int8_t* weights, RegisterRanges& partial, RegisterRanges& final);

 private:
  void uniform_row(const std::int8_t* weights, RegisterRanges& partial, RegisterRanges& final);
  void channel_row(const std::int8_t* weights, RegisterRanges& partial, RegisterRanges& final);

  const Topology& topology_;
  std::size_t cols_;
  std::size_t nodes_;
  std::size_t block_;   // products per block of group × stride
  std::size_t stride_;
  bool uniform_;
  bool holds_zero_;     // every channel's box holds 0: partial sums and final values then have the same range
  std::vector<std::int32_t> lower_;  // [cols] or [1]
  std::vector<std::int32_t> upper_;
  std::vector<std::uint64_t> sums_;  // per register, packed as in weight_sums.hpp
};

}  // namespace axe

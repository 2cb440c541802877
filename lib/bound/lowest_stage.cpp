// The ranges of the registers that add products; see lowest_stage.hpp. A subset's sum is the full sum with x = 0 for
// the products left out, so partial sums are the full sums over boxes widened to hold 0:
//   min(0, w l, w h) = min over x ∈ [min(l, 0), max(h, 0)] of w x, and max likewise (design §3.1).
#include "axecert/bound/lowest_stage.hpp"

#include <algorithm>
#include <limits>

#include "axecert/bound/limited_sum.hpp"
#include "axecert/bound/scan.hpp"

namespace axe {

LowestStage::LowestStage(const IntegerLayer& layer, const Topology& topology)
    : cols_(static_cast<std::size_t>(layer.cols)),
      nodes_(static_cast<std::size_t>(topology.nodes(0))),
      block_(static_cast<std::size_t>(topology.block(0))),
      stride_(static_cast<std::size_t>(std::min(topology.stage(0).stride, topology.block(0)))),
      uniform_(layer.box_lower.size() == 1),
      limit_(layer.input_limit) {
  boxes_.lower = with_zero_.lower = layer.box_lower;
  boxes_.upper = with_zero_.upper = layer.box_upper;
  for (std::size_t k = 0; k < boxes_.lower.size(); ++k) {
    holds_zero_ = holds_zero_ && boxes_.lower[k] <= 0 && boxes_.upper[k] >= 0;
    with_zero_.lower[k] = std::min(boxes_.lower[k], 0);
    with_zero_.upper[k] = std::max(boxes_.upper[k], 0);
  }
  if (!uniform_) {
    narrow(boxes_);
    narrow(with_zero_);
  }
  scratch_.resize(uniform_ && stride_ == 1 ? nodes_ : 0);
}

void LowestStage::narrow(Boxes& boxes) {
  constexpr std::int32_t least = std::numeric_limits<std::int16_t>::min();
  constexpr std::int32_t most = std::numeric_limits<std::int16_t>::max();
  for (std::size_t k = 0; k < boxes.lower.size(); ++k) {
    if (boxes.lower[k] < least || boxes.upper[k] > most) {
      boxes.narrow_lower.clear();
      boxes.narrow_upper.clear();
      return;
    }
    boxes.narrow_lower.push_back(static_cast<std::int16_t>(boxes.lower[k]));
    boxes.narrow_upper.push_back(static_cast<std::int16_t>(boxes.upper[k]));
  }
}

void LowestStage::row(const std::int8_t* weights, RegisterRanges& partial, RegisterRanges& final) {
  if (limit_ != 0) {  // then every box holds 0, and partial sums reach no further than the final value
    limited(weights, final);
    return;
  }
  ranges(weights, boxes_, final);
  if (!holds_zero_) {
    ranges(weights, with_zero_, partial);
  }
}

void LowestStage::ranges(const std::int8_t* weights, const Boxes& boxes, RegisterRanges& result) {
  const InstructionSet set = instruction_sets().back();
  result.resize(nodes_);
  if (stride_ == 1 && uniform_) {
    scan_uniform(set, weights, cols_, block_, boxes.lower[0], boxes.upper[0], scratch_.data(), result.lower.data(),
                 result.upper.data());
  } else if (stride_ == 1 && !boxes.narrow_lower.empty()) {
    scan_channels(set, weights, boxes.narrow_lower.data(), boxes.narrow_upper.data(), cols_, block_,
                  result.lower.data(), result.upper.data());
  } else {
    lanes(weights, boxes, result);
  }
}

void LowestStage::lanes(const std::int8_t* weights, const Boxes& boxes, RegisterRanges& result) const {
  result.assign_zero(nodes_);
  std::size_t first_node = 0;
  for (std::size_t begin = 0; begin < cols_; begin += block_, first_node += stride_) {
    const std::size_t end = std::min(begin + block_, cols_);
    std::int64_t* lower = result.lower.data() + first_node;
    std::int64_t* upper = result.upper.data() + first_node;
    for (std::size_t k = begin; k < end; k += stride_) {
      const std::size_t count = std::min(stride_, end - k);
      for (std::size_t lane = 0; lane < count; ++lane) {
        const std::size_t channel = uniform_ ? 0 : k + lane;
        const std::int64_t at_lower = std::int64_t{weights[k + lane]} * boxes.lower[channel];
        const std::int64_t at_upper = std::int64_t{weights[k + lane]} * boxes.upper[channel];
        lower[lane] += std::min(at_lower, at_upper);
        upper[lane] += std::max(at_lower, at_upper);
      }
    }
  }
}

void LowestStage::limited(const std::int8_t* weights, RegisterRanges& result) const {
  result.resize(nodes_);
  LimitedSum above;
  LimitedSum below;
  std::size_t node = 0;
  for (std::size_t begin = 0; begin < cols_; begin += block_) {
    const std::size_t end = std::min(begin + block_, cols_);
    for (std::size_t lane = 0; lane < std::min(stride_, end - begin); ++lane, ++node) {
      for (std::size_t k = begin + lane; k < end; k += stride_) {
        const std::size_t channel = uniform_ ? 0 : k;
        const std::int64_t up = boxes_.upper[channel];
        const std::int64_t down = -std::int64_t{boxes_.lower[channel]};
        above.add(weights[k], weights[k] > 0 ? up : down);
        below.add(weights[k], weights[k] > 0 ? down : up);
      }
      result.upper[node] = above.take(limit_);
      result.lower[node] = -below.take(limit_);
    }
  }
}

}  // namespace axe

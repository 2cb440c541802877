// The ranges of the registers that add products; see lowest_stage.hpp.
#include "axecert/bound/lowest_stage.hpp"

#include <algorithm>

#include "axecert/bound/weight_sums.hpp"

namespace axe {

LowestStage::LowestStage(const IntegerLayer& layer, const Topology& topology)
    : topology_(topology),
      cols_(static_cast<std::size_t>(layer.cols)),
      nodes_(static_cast<std::size_t>(topology.nodes(0))),
      stride_(static_cast<std::size_t>(topology.stage(0).stride)),
      uniform_(layer.box_lower.size() == 1),
      holds_zero_(true),
      lower_(layer.box_lower),
      upper_(layer.box_upper) {
  const Stage& stage = topology.stage(0);
  const int128 length = static_cast<int128>(stage.group) * stage.stride;
  block_ = stage.group == 0 || length > layer.cols ? cols_ : static_cast<std::size_t>(length);
  for (std::size_t k = 0; k < lower_.size(); ++k) {
    holds_zero_ = holds_zero_ && lower_[k] <= 0 && upper_[k] >= 0;
  }
}

void LowestStage::row(const std::int8_t* weights, RegisterRanges& partial, RegisterRanges& final) {
  partial.resize(nodes_);
  final.resize(nodes_);
  if (uniform_ && stride_ == 1) {
    uniform_row(weights, partial, final);
  } else {
    channel_row(weights, partial, final);
  }
}

// One box [α, β] for all channels, P = Σ_{w>0} w, N = Σ_{w<0} w over a register (AXE, arXiv 2409.17092, eqs. 7–8):
//   final value    [αP + βN, βP + αN],
//   partial sums   the same with min(α, 0) for α and max(β, 0) for β.
void LowestStage::uniform_row(const std::int8_t* weights, RegisterRanges& partial, RegisterRanges& final) {
  sums_.resize(nodes_);
  weight_sums(weights, cols_, block_, sums_.data());
  const std::int64_t alpha = lower_[0];
  const std::int64_t beta = upper_[0];
  const std::int64_t alpha_partial = std::min<std::int64_t>(alpha, 0);
  const std::int64_t beta_partial = std::max<std::int64_t>(beta, 0);
  for (std::size_t node = 0; node < nodes_; ++node) {
    const std::size_t terms = std::min(block_, cols_ - node * block_);
    const SignSums sums = sign_sums(sums_[node], static_cast<std::int64_t>(terms));
    final.lower[node] = alpha * sums.positive + beta * sums.negative;
    final.upper[node] = beta * sums.positive + alpha * sums.negative;
    partial.lower[node] = alpha_partial * sums.positive + beta_partial * sums.negative;
    partial.upper[node] = beta_partial * sums.positive + alpha_partial * sums.negative;
  }
}

// Boxes per channel: a product w_k x_k lies in [min(w_k l_k, w_k h_k), max(w_k l_k, w_k h_k)] (design §3.1).
void LowestStage::channel_row(const std::int8_t* weights, RegisterRanges& partial, RegisterRanges& final) {
  partial.assign_zero(nodes_);
  final.assign_zero(nodes_);
  for (std::size_t k = 0; k < cols_; ++k) {
    const auto node = static_cast<std::size_t>(topology_.node_of_value(0, static_cast<std::int64_t>(k)));
    const std::int64_t at_lower = std::int64_t{weights[k]} * lower_[uniform_ ? 0 : k];
    const std::int64_t at_upper = std::int64_t{weights[k]} * upper_[uniform_ ? 0 : k];
    const std::int64_t least = std::min(at_lower, at_upper);
    const std::int64_t most = std::max(at_lower, at_upper);
    final.lower[node] += least;
    final.upper[node] += most;
    partial.lower[node] += std::min<std::int64_t>(least, 0);
    partial.upper[node] += std::max<std::int64_t>(most, 0);
  }
}

}  // namespace axe

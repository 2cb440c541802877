// Soft thresholds of a block; see thresholds.hpp.
#include "axecert/quantize/thresholds.hpp"

#include <algorithm>

namespace axe {

ThresholdTable::ThresholdTable(const BudgetStage& stage, std::int64_t rows, const std::vector<float>& target, Ball ball)
    : stage_(stage),
      rows_(rows),
      target_(target),
      centring_(ball == Ball::axe_centred ? Centring::mean : Centring::none),
      radius_(static_cast<std::uint64_t>(ball == Ball::ep_init ? std::min(stage.upper, stage.lower) : stage.upper + stage.lower)),
      columns_(static_cast<std::size_t>(stage.nodes)),
      cost_(static_cast<std::size_t>(stage.nodes)) {
  for (std::size_t k = 0; k < stage.node_of_column.size(); ++k) {
    const double cost = ball == Ball::ep_init ? std::max(stage.with_sign[k], stage.against_sign[k])
                                              : stage.with_sign[k] + stage.against_sign[k];
    const auto node = static_cast<std::size_t>(stage.node_of_column[k]);
    cost_as_double_.push_back(cost);
    columns_[node].push_back(static_cast<std::int64_t>(k));
    cost_[node].push_back(static_cast<std::int64_t>(cost));
  }
  table_.reserve(static_cast<std::size_t>(stage.nodes * rows));
  for (std::int64_t node = 0; node < stage.nodes; ++node) {
    for (std::int64_t r = 0; r < rows; ++r) {
      table_.emplace_back(weights_of(node, r), cost_[static_cast<std::size_t>(node)], centring_);
    }
  }
}

std::vector<double> ThresholdTable::weights_of(std::int64_t node, std::int64_t row) const {
  std::vector<double> weights;
  for (std::int64_t k : columns_[static_cast<std::size_t>(node)]) {
    weights.push_back(target_[static_cast<std::size_t>(k * rows_ + row)]);
  }
  return weights;
}

void ThresholdTable::at_scales(const std::vector<float>& scales, bool scale_per_node, std::vector<double>& lambda,
                               std::vector<double>& error) const {
  lambda.resize(table_.size());
  error.resize(table_.size());
  for (std::int64_t node = 0; node < stage_.nodes; ++node) {
    for (std::int64_t r = 0; r < rows_; ++r) {
      const auto i = static_cast<std::size_t>(node * rows_ + r);
      const Threshold threshold = table_[i].at(scales[scale_per_node ? i : static_cast<std::size_t>(r)], radius_);
      lambda[i] = threshold.value;
      error[i] = threshold.error;
    }
  }
}

Rational ThresholdTable::exact(std::int64_t column, std::int64_t row, float scale) const {
  const std::int64_t node = stage_.node_of_column[static_cast<std::size_t>(column)];
  const Rational lambda = exact_soft_threshold(weights_of(node, row), scale, cost_[static_cast<std::size_t>(node)], radius_, centring_);
  return lambda * ::axe::exact(cost_as_double_[static_cast<std::size_t>(column)]);
}

}  // namespace axe

// The integer budget's accounts. Loops over rows are branch-free so that the compiler vectorises them.
#include "axecert/constraint/budget.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "axecert/numeric/target_clones.hpp"

namespace axe {

namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

// high ← min(high, ⌊upper / with⌋, ⌊lower / against⌋), low ← max(low, −⌊upper / against⌋, −⌊lower / with⌋).
AXECERT_CLONES void narrow_interval(std::int64_t rows, const double* upper, const double* lower, double with,
                                    double against, double* low, double* high) {
  const double w = with > 0 ? with : 0.5,
               a = against > 0 ? against : 0.5;  // 0 costs nothing: 0.5 admits at least as much
  const double free_w = with > 0 ? 0 : unlimited, free_a = against > 0 ? 0 : unlimited;
  for (std::int64_t r = 0; r < rows; ++r) {
    const double up_w = std::floor(upper[r] / w) + free_w, up_a = std::floor(upper[r] / a) + free_a;
    const double down_w = std::floor(lower[r] / w) + free_w, down_a = std::floor(lower[r] / a) + free_a;
    const double most = up_w < down_a ? up_w : down_a;
    const double least = up_a < down_w ? -up_a : -down_w;
    high[r] = most < high[r] ? most : high[r];
    low[r] = least > low[r] ? least : low[r];
  }
}

AXECERT_CLONES void draw(std::int64_t rows, const double* q, double with, double against, double* upper,
                         double* lower) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const double positive = q[r] > 0 ? q[r] : 0, negative = q[r] < 0 ? -q[r] : 0;
    upper[r] -= positive * with + negative * against;
    lower[r] -= positive * against + negative * with;
  }
}

}  // namespace

BudgetPlan::BudgetPlan(const Topology& topology, std::span<const std::int32_t> box_lower,
                       std::span<const std::int32_t> box_upper, std::span<const std::int32_t> offset,
                       IntegerRange weights, IntegerRange bias, std::int64_t zero_point_spread) {
  const std::int64_t K = topology.length();
  bool holds_constant = false;  // the register of a stage that starts from it, which is one per row, and all above
  for (std::size_t s = 0; s < topology.stages(); ++s) {
    BudgetStage account;
    account.stage = s;
    account.nodes = topology.nodes(s);
    holds_constant = holds_constant || topology.stage(s).initial == Initial::constant;
    account.from_constant = holds_constant;
    const IntegerRange limits = register_limits(topology.stage(s));
    const std::int64_t bias_above = account.from_constant ? bias.upper : 0,
                       bias_below = account.from_constant ? bias.lower : 0;

    // The worst that any weights can do: does it fit?
    std::vector<int128> above(static_cast<std::size_t>(account.nodes), bias_above);
    std::vector<int128> below(static_cast<std::size_t>(account.nodes), -static_cast<int128>(bias_below));
    account.node_of_column.resize(static_cast<std::size_t>(K));
    account.with_sign.resize(static_cast<std::size_t>(K));
    account.against_sign.resize(static_cast<std::size_t>(K));
    for (std::int64_t k = 0; k < K; ++k) {
      const auto i = static_cast<std::size_t>(k);
      const std::int64_t l = box_lower[i], h = box_upper[i],
                         most = account.from_constant && !offset.empty() ? offset[i] : 0,
                         least = account.from_constant ? most - zero_point_spread : 0;  // of offset − z
      const std::int64_t with = h + std::max<std::int64_t>(0, most), against = -l + std::max<std::int64_t>(0, -least);
      const std::int64_t node = topology.node_of_product(s, k);
      account.node_of_column[i] = node;
      account.with_sign[i] = static_cast<double>(with);
      account.against_sign[i] = static_cast<double>(against);
      const auto n = static_cast<std::size_t>(node);
      const int128 positive = std::max<std::int64_t>(0, weights.upper),
                   negative = std::max<std::int64_t>(0, -weights.lower);
      above[n] += std::max(positive * with, negative * against);
      below[n] += std::max(positive * against, negative * with);
    }
    const bool binds =
        std::any_of(above.begin(), above.end(), [&](int128 v) { return v > limits.upper; }) ||
        std::any_of(below.begin(), below.end(), [&](int128 v) { return v > -static_cast<int128>(limits.lower); });
    if (!binds) {
      continue;
    }
    // Limits are at most the worst case of the weights, so they are exact in double: K·2^7·2^10 < 2^53 for 8-bit operands and
    // zero points.
    account.upper = static_cast<double>(limits.upper);
    account.lower = -static_cast<double>(limits.lower);
    stages_.push_back(std::move(account));
  }
}

BudgetBlock::BudgetBlock(const BudgetPlan& plan, std::span<const std::int64_t> bias, std::int64_t rows)
    : plan_(plan), rows_(rows) {
  for (const BudgetStage& stage : plan.stages()) {
    const auto size = static_cast<std::size_t>(stage.nodes * rows);
    left_upper_.emplace_back(size, stage.upper);
    left_lower_.emplace_back(size, stage.lower);
    for (std::int64_t r = 0; stage.from_constant && !bias.empty() && r < rows; ++r) {
      const auto b = static_cast<double>(bias[static_cast<std::size_t>(r)]);
      for (std::int64_t n = 0; n < stage.nodes; ++n) {
        left_upper_.back()[static_cast<std::size_t>(n * rows + r)] -= std::max(0.0, b);
        left_lower_.back()[static_cast<std::size_t>(n * rows + r)] -= std::max(0.0, -b);
      }
    }
  }
}

void BudgetBlock::admissible(std::int64_t k, double* low, double* high) const {
  const auto i = static_cast<std::size_t>(k);
  for (std::size_t s = 0; s < plan_.stages().size(); ++s) {
    const BudgetStage& stage = plan_.stages()[s];
    const std::int64_t node = stage.node_of_column[i];
    narrow_interval(rows_, left_upper(s, node), left_lower(s, node), stage.with_sign[i], stage.against_sign[i], low,
                    high);
  }
}

void BudgetBlock::published_limits(std::int64_t k, double* low, double* high) const {
  const auto i = static_cast<std::size_t>(k);
  std::fill_n(low, rows_, -unlimited);
  std::fill_n(high, rows_, unlimited);
  for (std::size_t s = 0; s < plan_.stages().size(); ++s) {
    const BudgetStage& stage = plan_.stages()[s];
    const double *upper = left_upper(s, stage.node_of_column[i]), *lower = left_lower(s, stage.node_of_column[i]);
    const double with = stage.with_sign[i], against = stage.against_sign[i];
    for (std::int64_t r = 0; r < rows_; ++r) {
      const double most =
          std::min(with > 0 ? upper[r] / with : unlimited, against > 0 ? lower[r] / against : unlimited);
      const double least =
          std::min(against > 0 ? upper[r] / against : unlimited, with > 0 ? lower[r] / with : unlimited);
      high[r] = std::min(high[r], std::max(0.0, most - 0.5));
      low[r] = std::max(low[r], -std::max(0.0, least - 0.5));
    }
  }
}

void BudgetBlock::take(std::int64_t k, const double* q) {
  const auto i = static_cast<std::size_t>(k);
  for (std::size_t s = 0; s < plan_.stages().size(); ++s) {
    const BudgetStage& stage = plan_.stages()[s];
    const std::int64_t at = stage.node_of_column[i] * rows_;
    draw(rows_, q, stage.with_sign[i], stage.against_sign[i], left_upper_[s].data() + at, left_lower_[s].data() + at);
  }
}

RowBudget::RowBudget(const BudgetPlan& plan, std::int64_t bias) : plan_(&plan) {
  for (const BudgetStage& stage : plan.stages()) {
    left_upper_.emplace_back(static_cast<std::size_t>(stage.nodes));
    left_lower_.emplace_back(static_cast<std::size_t>(stage.nodes));
  }
  reset(bias);
}

void RowBudget::reset(std::int64_t bias) {
  for (std::size_t s = 0; s < plan_->stages().size(); ++s) {
    const BudgetStage& stage = plan_->stages()[s];
    const double b = stage.from_constant ? static_cast<double>(bias) : 0;
    std::fill(left_upper_[s].begin(), left_upper_[s].end(), stage.upper - std::max(0.0, b));
    std::fill(left_lower_[s].begin(), left_lower_[s].end(), stage.lower - std::max(0.0, -b));
  }
}

void RowBudget::change(std::int64_t k, double before, double after) {
  const auto i = static_cast<std::size_t>(k);
  const double positive = std::max(0.0, after) - std::max(0.0, before);
  const double negative = std::max(0.0, -after) - std::max(0.0, -before);
  for (std::size_t s = 0; s < plan_->stages().size(); ++s) {
    const BudgetStage& stage = plan_->stages()[s];
    const auto n = static_cast<std::size_t>(stage.node_of_column[i]);
    left_upper_[s][n] -= positive * stage.with_sign[i] + negative * stage.against_sign[i];
    left_lower_[s][n] -= positive * stage.against_sign[i] + negative * stage.with_sign[i];
  }
}

void RowBudget::admissible(std::int64_t k, double current, double& low, double& high) const {
  const auto i = static_cast<std::size_t>(k);
  const double positive = std::max(0.0, current), negative = std::max(0.0, -current);
  for (std::size_t s = 0; s < plan_->stages().size(); ++s) {
    const BudgetStage& stage = plan_->stages()[s];
    const auto n = static_cast<std::size_t>(stage.node_of_column[i]);
    const double upper = left_upper_[s][n] + positive * stage.with_sign[i] + negative * stage.against_sign[i];
    const double lower = left_lower_[s][n] + positive * stage.against_sign[i] + negative * stage.with_sign[i];
    narrow_interval(1, &upper, &lower, stage.with_sign[i], stage.against_sign[i], &low, &high);
  }
}

std::pair<double, double> RowBudget::left(std::int64_t k) const {
  if (plan_->unconstrained()) {
    return {unlimited, unlimited};
  }
  const auto n = static_cast<std::size_t>(plan_->stages()[0].node_of_column[static_cast<std::size_t>(k)]);
  return {left_upper_[0][n], left_lower_[0][n]};
}

std::pair<double, double> RowBudget::costs(std::int64_t k) const {
  if (plan_->unconstrained()) {
    return {0, 0};
  }
  const auto i = static_cast<std::size_t>(k);
  return {plan_->stages()[0].with_sign[i], plan_->stages()[0].against_sign[i]};
}

bool RowBudget::fits(std::int64_t k) const {
  const auto i = static_cast<std::size_t>(k);
  for (std::size_t s = 0; s < plan_->stages().size(); ++s) {
    const auto n = static_cast<std::size_t>(plan_->stages()[s].node_of_column[i]);
    if (left_upper_[s][n] < 0 || left_lower_[s][n] < 0) {
      return false;
    }
  }
  return true;
}

}  // namespace axe

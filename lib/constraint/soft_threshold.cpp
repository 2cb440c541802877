// λ of a tile in its three readings. Main class: SoftThreshold. No side effects.
#include "axecert/constraint/soft_threshold.hpp"

#include <cmath>
#include <string>

namespace axe {
namespace {

void validate_scale(double scale) {
  if (!(scale > 0) || !std::isfinite(scale)) {
    throw InputError("soft threshold", "the scale is " + std::to_string(scale), "a scale is finite and > 0");
  }
}

L1Threshold<double> validated(std::span<const double> weights, std::span<const std::int64_t> cost, Centring centring) {
  validate_tile(weights, cost);
  return {magnitudes<double>(weights, centring), cost};
}

template <Readable Number>
Number read(std::span<const double> weights, double scale, std::span<const std::int64_t> cost, std::uint64_t radius,
            Centring centring) {
  validate_tile(weights, cost);
  validate_scale(scale);
  const std::vector<Number> magnitude = magnitudes<Number>(weights, centring);
  return L1Threshold<Number>(magnitude, cost).at(Reading<Number>::of(scale), Reading<Number>::of(radius));
}

}  // namespace

void validate_tile(std::span<const double> values, std::span<const std::int64_t> cost) {
  if (values.empty()) {
    throw InputError("tile", "it has no weights", "a tile has at least one");
  }
  if (cost.size() != 1 && cost.size() != values.size()) {
    throw InputError("tile", std::to_string(cost.size()) + " costs for " + std::to_string(values.size()) + " weights",
                     "give one cost per weight, or one for all");
  }
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (!std::isfinite(values[k])) {
      throw InputError("tile", "weight " + std::to_string(k) + " is not finite", "remove NaN and infinities");
    }
  }
  for (std::size_t k = 0; k < cost.size(); ++k) {
    if (cost[k] < 0 || cost[k] > INT32_MAX) {
      throw InputError("tile", "cost " + std::to_string(k) + " is " + std::to_string(cost[k]),
                       "a cost is the width of an input's range, 0 to 2^31 - 1");
    }
  }
}

SoftThreshold::SoftThreshold(std::span<const double> weights, std::span<const std::int64_t> cost, Centring centring)
    : threshold_(validated(weights, cost, centring)), terms_(static_cast<double>(weights.size())) {
  for (const double weight : weights) {
    largest_ = std::max(largest_, std::fabs(weight));
  }
  std::int64_t least = INT32_MAX;
  for (const std::int64_t c : cost) {
    if (c > 0) {
      least = std::min(least, c);
    }
    total_cost_ += static_cast<double>(c);
  }
  if (cost.size() == 1) {
    total_cost_ *= terms_;
  }
  error_factor_ = (6 * terms_ + 32) * 0x1p-53 / static_cast<double>(least);
}

// The error of λ̂, with n = T terms, W = max |w|, c₀ = the least positive cost, u = 2^−53, M = max |u_k|/c_k ≤ 2W/(c₀ s).
//
// 1. Perturbed data. λ as a function of the magnitudes m_k/s is a maximum of weighted means of (m_k/c_k)/s: a change of every m_k
//    by ≤ ε moves it by ≤ ε/(c₀ s). (For any S, Σ_S c ε / Σ_S c² ≤ ε/c₀, as c ≥ c₀.)
//    The computed m_k: the mean's sum (n − 1 roundings) and quotient (1) give ≤ n·u·W, the subtraction u·2W: ε ≤ (n + 2)uW.
//    The order is that of κ̂_k = fl(m̂_k/c_k), which is the exact order of the magnitudes κ̂_k·c_k, each within u·m̂_k ≤ 2uW of m̂_k.
//    Together (n + 4)u·W/(c₀ s).
// 2. Evaluation of one prefix, P = Σ c m, D = Σ c²: n roundings in P, 2 in Z·s (Z itself may need one), 1 in the difference,
//    n in D, 2 in the quotients. Where a prefix decides the maximum its value (true or computed) is ≥ 0, so Z s ≤ P, and P/(D s) ≤ M: the
//    error is ≤ (n + 2 + 1 + n + 2)u·M = (2n + 5)u·M ≤ (4n + 10)u·W/(c₀ s). As maxima, λ̂ ≥ value(S*) − error, λ ≥ value(Ŝ) − error.
// Sum (5n + 14)u·W/(c₀ s). Second-order terms are smaller by a factor n·u < 2^−22; (6n + 32)u·W/(c₀ s) covers them and the three
// roundings of the bound. Underflow: each of fewer than 2^34 operations loses at most 2^−1075, and what is lost before the last
// division is divided by s with the rest: 2^−1000/s + 2^−1000 covers both.
Threshold SoftThreshold::at(double scale, std::uint64_t radius) const {
  validate_scale(scale);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto ball = static_cast<double>(radius);
  // Inside beyond doubt: Σ c|w − mean| ≤ P̂ + (n + 1)u·P̂ + Σ c·(n + 2)uW with P̂ ≤ 2WΣc(1 + …): the slack below is larger.
  const double spent = threshold_.spent();
  const double slack = (6 * terms_ + 32) * 0x1p-53 * largest_ * total_cost_ + 0x1p-1000;
  if (spent + slack < ball * scale * (1 - 0x1p-50)) {
    return {0, 0};
  }
  const double value = threshold_.at(scale, ball);
  const double error = largest_ * error_factor_ / scale + 0x1p-1000 / scale + 0x1p-1000;
  if (!std::isfinite(value) || !std::isfinite(error)) {
    return {0, infinity};
  }
  return {value, error};
}

Rational exact_soft_threshold(std::span<const double> weights, double scale, std::span<const std::int64_t> cost,
                              std::uint64_t radius, Centring centring) {
  return read<Rational>(weights, scale, cost, radius, centring);
}

Interval enclose_soft_threshold(std::span<const double> weights, double scale, std::span<const std::int64_t> cost,
                                std::uint64_t radius, Centring centring) {
  return read<Interval>(weights, scale, cost, radius, centring);
}

}  // namespace axe

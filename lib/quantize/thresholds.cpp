// Soft thresholds of a block; see thresholds.hpp.
//
// In the weights' unit, with m_k = |w_k − mean| and costs c_k, λ·s solves Σ c·max(m − x c, 0) = Z s. Michelot: from a set S of terms,
// x = (Σ_S c m − Z s) / Σ_S c²; drop the terms with m ≤ x c; again, until S stays. The first S is all terms; every x is a lower
// bound of the solution, so no term is dropped that the solution keeps.
//
// Error of the λ̂ that comes out, with n terms, W = max |w|, c₀ the least positive cost, u = 2^−53, for the final S:
//  1. The computed m_k differ from the exact ones by ≤ (n + 2)u·W (mean's sum and quotient, subtraction), which moves λ by
//     ≤ (n + 2)u·W/(c₀ s): λ is a maximum over sets of Σ c m/Σ c², and Σ_S c ≤ Σ_S c²/c₀.
//  2. For these m, Σ_S c(m − x̂ c) = Z s + ρ with |ρ| ≤ (2n + 8)u·spent: n products and sums each in Σ c m and Σ c² (times x̂, and
//     x̂ Σ_S c² ≤ Σ_S c m ≤ spent), Z s ≤ spent, one difference, one quotient.
//  3. S is {m > x̂ c} but for terms within u·x̂ c of it, which add ≤ u·x̂ Σ_S c² ≤ u·spent more to ρ.
//  4. x ↦ Σ c·max(m − x c, 0) falls by at least c₀² per unit of x wherever a term is active, and at the solution and at x̂ one is.
//     So |x̂ − λs| ≤ |ρ|/c₀².
// Sum, in grid units: ((n + 2)W/c₀ + (2n + 9)·spent/c₀²)·u/s. We use ((2n + 16)W/c₀ + (4n + 64)·spent/c₀²)·u/s, which also pays for
// the second-order terms (n·u < 2^−22) and the roundings of the bound; 2^−1000 terms pay for underflow.
#include "axecert/quantize/thresholds.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "axecert/numeric/target_clones.hpp"

namespace axe {
namespace {

AXECERT_CLONES void add_to_mean(std::int64_t rows, const float* w, double* sum, double* largest) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const double x = w[r], size = std::fabs(x);
    sum[r] += x;
    largest[r] = size > largest[r] ? size : largest[r];
  }
}

/// One term of every row: adds c·m and c² where m > tau·c.
AXECERT_CLONES void add_term(std::int64_t rows, const float* w, const double* mean, const double* tau, double c,
                             double* sum, double* squares) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const double m = std::fabs(static_cast<double>(w[r]) - mean[r]);
    const bool active = m > tau[r] * c;
    sum[r] += active ? c * m : 0;
    squares[r] += active ? c * c : 0;
  }
}

}  // namespace

ThresholdTable::ThresholdTable(const BudgetStage& stage, std::int64_t rows, const std::vector<float>& target, Ball ball)
    : stage_(stage),
      rows_(rows),
      target_(target),
      centring_(ball == Ball::axe_centred ? Centring::mean : Centring::none),
      radius_(ball == Ball::ep_init ? std::min(stage.upper, stage.lower) : stage.upper + stage.lower),
      columns_(static_cast<std::size_t>(stage.nodes)) {
  for (std::size_t k = 0; k < stage.node_of_column.size(); ++k) {
    cost_.push_back(ball == Ball::ep_init ? std::max(stage.with_sign[k], stage.against_sign[k])
                                          : stage.with_sign[k] + stage.against_sign[k]);
    columns_[static_cast<std::size_t>(stage.node_of_column[k])].push_back(static_cast<std::int64_t>(k));
  }
  const auto size = static_cast<std::size_t>(stage.nodes * rows);
  mean_.assign(size, 0);
  largest_.assign(size, 0);
  spent_.assign(size, 0);
  std::vector<double> squares(static_cast<std::size_t>(rows));
  const std::vector<double> all(static_cast<std::size_t>(rows), -1);
  for (std::int64_t node = 0; node < stage.nodes; ++node) {
    const std::vector<std::int64_t>& columns = columns_[static_cast<std::size_t>(node)];
    double *mean = mean_.data() + node * rows, *largest = largest_.data() + node * rows;
    for (std::int64_t k : columns) {
      add_to_mean(rows, target.data() + k * rows, mean, largest);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      mean[r] = centring_ == Centring::mean ? mean[r] / static_cast<double>(columns.size()) : 0;
    }
    for (std::int64_t k : columns) {
      add_term(rows, target.data() + k * rows, mean, all.data(), cost_[static_cast<std::size_t>(k)],
               spent_.data() + node * rows, squares.data());
    }
  }
}

void ThresholdTable::at_scales(const std::vector<float>& scales, bool scale_per_node, std::vector<double>& lambda,
                               std::vector<double>& error) const {
  lambda.assign(spent_.size(), 0);
  error.assign(spent_.size(), 0);
  const auto n = static_cast<std::size_t>(rows_);
  std::vector<double> tau(n), sum(n), squares(n), last_sum(n), last_squares(n);
  for (std::int64_t node = 0; node < stage_.nodes; ++node) {
    const std::vector<std::int64_t>& columns = columns_[static_cast<std::size_t>(node)];
    const auto first = static_cast<std::size_t>(node * rows_);
    const float* s = scales.data() + (scale_per_node ? first : 0);
    const auto terms = static_cast<double>(columns.size());
    double least = std::numeric_limits<double>::infinity(), total = 0;
    for (std::int64_t k : columns) {
      const double c = cost_[static_cast<std::size_t>(k)];
      least = c > 0 ? std::min(least, c) : least;
      total += c;
    }
    // Inside the ball beyond doubt: the computed Σ c m is within (2n + 8)u·spent + (n + 2)u·W·Σc of the exact one.
    bool inside = true;
    std::vector<std::uint8_t> outside(n);
    for (std::size_t r = 0; r < n; ++r) {
      const double slack = (4 * terms + 64) * 0x1p-53 * (spent_[first + r] + largest_[first + r] * total) + 0x1p-1000;
      outside[r] = !(spent_[first + r] + slack < radius_ * static_cast<double>(s[r]) * (1 - 0x1p-50));
      inside = inside && !outside[r];
    }
    if (inside) {
      continue;
    }
    std::fill(tau.begin(), tau.end(), -1.0);
    std::fill(last_sum.begin(), last_sum.end(), -1.0);
    bool settled = false;
    for (std::size_t iteration = 0; iteration < columns.size() + 2 && !settled; ++iteration) {
      std::fill(sum.begin(), sum.end(), 0.0);
      std::fill(squares.begin(), squares.end(), 0.0);
      for (std::int64_t k : columns) {
        add_term(rows_, target_.data() + k * rows_, mean_.data() + first, tau.data(),
                 cost_[static_cast<std::size_t>(k)], sum.data(), squares.data());
      }
      settled = true;
      for (std::size_t r = 0; r < n; ++r) {
        settled = settled && (!outside[r] || (sum[r] == last_sum[r] && squares[r] == last_squares[r]));
        const double x = squares[r] > 0 ? (sum[r] - radius_ * static_cast<double>(s[r])) / squares[r] : 0;
        tau[r] = x > 0 ? x : 0;
      }
      last_sum.swap(sum);
      last_squares.swap(squares);
    }
    for (std::size_t r = 0; r < n; ++r) {
      if (!outside[r]) {
        continue;
      }
      const double scale = s[r];
      const double bound =
          ((2 * terms + 16) * largest_[first + r] / least + (4 * terms + 64) * spent_[first + r] / (least * least)) *
              0x1p-53 / scale +
          0x1p-1000 / scale + 0x1p-1000;
      lambda[first + r] = tau[r] / scale;
      const bool finite = std::isfinite(lambda[first + r]) && std::isfinite(bound);
      lambda[first + r] = finite ? lambda[first + r] : 0;
      error[first + r] = finite && settled ? bound : std::numeric_limits<double>::infinity();
    }
  }
}

Rational ThresholdTable::exact(std::int64_t column, std::int64_t row, float scale) const {
  const std::int64_t node = stage_.node_of_column[static_cast<std::size_t>(column)];
  std::vector<double> weights;
  std::vector<std::int64_t> cost;
  for (std::int64_t k : columns_[static_cast<std::size_t>(node)]) {
    weights.push_back(target_[static_cast<std::size_t>(k * rows_ + row)]);
    cost.push_back(static_cast<std::int64_t>(cost_[static_cast<std::size_t>(k)]));
  }
  const Rational lambda = exact_soft_threshold(weights, scale, cost, static_cast<std::uint64_t>(radius_), centring_);
  return lambda * axe::exact(cost_[static_cast<std::size_t>(column)]);
}

}  // namespace axe

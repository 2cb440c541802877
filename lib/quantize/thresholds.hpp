// The soft thresholds of a block of rows: λ of every (node, row) for any scale, without sorting again. `ThresholdTable` lays out
// constraint/soft_threshold.hpp for the sweep's loops over rows. Source: AXE (arXiv 2409.17092) eqs. 14, 16; design §3.4, §3.8.
#pragma once

#include <cstdint>
#include <vector>

#include "axecert/constraint/budget.hpp"
#include "axecert/constraint/soft_threshold.hpp"

namespace axe {

/// Which ball: AXE's (what |q| costs at both ends of the range together, against both limits; weights centred or not), or
/// EP-init's (what |q| costs at the dearer end, against the nearer limit: sound with no look at signs; A2Q, arXiv 2301.13376).
enum class Ball { axe_centred, axe, ep_init };

class ThresholdTable {
 public:
  /// Everything of one budget stage over a block: `target` [K, rows] in column order, kept by reference.
  ThresholdTable(const BudgetStage& stage, std::int64_t rows, const std::vector<float>& target, Ball ball);

  /// λ in grid units of every (node, row), and a bound on its error; both [nodes, rows]. `scales` is [rows], or [nodes, rows]
  /// when `scale_per_node`.
  void at_scales(const std::vector<float>& scales, bool scale_per_node, std::vector<double>& lambda,
                 std::vector<double>& error) const;

  /// What a column pays per unit of λ, [K].
  const double* costs() const { return cost_as_double_.data(); }

  /// λ·cost of one column and row for scale s, exactly, from the same floats.
  Rational exact(std::int64_t column, std::int64_t row, float scale) const;

 private:
  std::vector<double> weights_of(std::int64_t node, std::int64_t row) const;

  const BudgetStage& stage_;
  std::int64_t rows_;
  const std::vector<float>& target_;
  Centring centring_;
  std::uint64_t radius_;
  std::vector<double> cost_as_double_;                 // [K]
  std::vector<std::vector<std::int64_t>> columns_;     // [nodes]
  std::vector<std::vector<std::int64_t>> cost_;        // [nodes][columns]
  std::vector<SoftThreshold> table_;                   // [nodes, rows]
};

}  // namespace axe

// The soft thresholds of a block of rows: λ of every (node, row) for any scale. `ThresholdTable` finds them without sorting, by
// Michelot's iteration, in loops over rows that vectorise; constraint/soft_threshold.hpp has the formula in its three readings
// and the exact value. Sources: AXE (arXiv 2409.17092) eqs. 14, 16; Michelot, JOTA 1986; design §3.4, §3.8.
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
  const double* costs() const { return cost_.data(); }

  /// λ·cost of one column and row for scale s, exactly, from the same floats.
  Rational exact(std::int64_t column, std::int64_t row, float scale) const;

 private:
  const BudgetStage& stage_;
  std::int64_t rows_;
  const std::vector<float>& target_;
  Centring centring_;
  double radius_;
  std::vector<double> cost_;                        // [K] integers
  std::vector<std::vector<std::int64_t>> columns_;  // [nodes]
  std::vector<double> mean_;                        // [nodes, rows], 0 when not centred
  std::vector<double> largest_;                     // [nodes, rows] max |w|
  std::vector<double> spent_;                       // [nodes, rows] Σ c m over the node, m = |w − mean|
};

}  // namespace axe

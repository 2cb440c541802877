// The integer budget: what is left of every register's limits while the weights of a dot product are chosen one by one.
// A BudgetPlan says, once per layer, which registers can overflow at all and what one unit of weight costs in them; a
// BudgetBlock holds the state of a block of rows, laid out so that the sweep's loops run over rows. `admissible` is AXE's
// strict constraint in its exact form (design §3.5; AXE arXiv 2409.17092, eqs. 19–21, without the ½ step of slack): the
// interval [a, b] of integers that keep both ends of every range inside the limits, by exact division of what is left.
//
// Invariant: after any sequence of `take` with values inside `admissible`, every register's claimed range fits its limits,
// whatever the corrector did and whatever is chosen later.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "axecert/bound/integer_layer.hpp"

namespace axe {

/// The registers of one stage that the weights' data type alone does not keep inside their limits.
///
/// A weight q ≠ 0 on column k costs |q|·with_sign at the end of the range that q's sign points to, and |q|·against_sign at
/// the other: for x ∈ [l, h], l ≤ 0 ≤ h, with_sign = h + max(0, D), against_sign = −l + max(0, −D'), where [D', D] =
/// [offset − spread, offset] is what reaches the row's constant (only in the stage that starts from it, else 0). For q > 0
/// the upper end rises by q·with_sign and the lower end falls by q·against_sign; for q < 0 the two change places. With D or
/// D' ≠ 0 this is an upper bound of what the constant and the products can do together, for every zero point, so the budget
/// is sound there and exact elsewhere.
struct BudgetStage {
  std::size_t stage = 0;  ///< index in the datapath
  std::int64_t nodes = 0;
  std::vector<std::int64_t> node_of_column;  ///< [K]
  std::vector<double> with_sign;             ///< [K], integers ≥ 0
  std::vector<double> against_sign;          ///< [K]
  double upper = 0;                          ///< register limits, as distances from 0: upper ≥ 0, lower ≥ 0
  double lower = 0;
  bool from_constant = false;  ///< starts from the row's bias, or adds the register that does
};

/// What the budget of a layer on a datapath looks like.
class BudgetPlan {
 public:
  BudgetPlan() = default;
  /// `box_lower` ≤ 0 ≤ `box_upper` per column [K], `offset` [K]; weights in `weights`; biases in `bias`, which contains 0;
  /// `zero_point_spread` as in IntegerLayer. Stages whose limits no such weights, biases and zero points can leave are left
  /// out.
  BudgetPlan(const Topology& topology, std::span<const std::int32_t> box_lower, std::span<const std::int32_t> box_upper,
             std::span<const std::int32_t> offset, IntegerRange weights, IntegerRange bias,
             std::int64_t zero_point_spread = 0);

  const std::vector<BudgetStage>& stages() const { return stages_; }
  /// True when no choice of weights can overflow: there is nothing to keep.
  bool unconstrained() const { return stages_.empty(); }

 private:
  std::vector<BudgetStage> stages_;
};

/// The budgets of `rows` rows, [stage][node][row]. All values are integers below 2^53, held in double, so that sums,
/// differences and ⌊a / b⌋ are exact: for integers a, b < 2^53 the rounded quotient never reaches the next integer.
class BudgetBlock {
 public:
  BudgetBlock(const BudgetPlan& plan, std::span<const std::int64_t> bias, std::int64_t rows);

  /// Narrows [low, high] (arrays over the block's rows) to what column k admits; 0 is always admitted.
  void admissible(std::int64_t k, double* low, double* high) const;
  /// The published form of the same limits: real numbers, ½ step inside what is left, still on the right side of 0. Rounding
  /// a value clipped to them to the nearest integer stays inside `admissible`.
  void published_limits(std::int64_t k, double* low, double* high) const;
  /// Takes the integers `q` (array over the block's rows) on column k.
  void take(std::int64_t k, const double* q);

  /// What is left at each end of the range, over the block's rows.
  const double* left_upper(std::size_t stage, std::int64_t node) const {
    return left_upper_[stage].data() + node * rows_;
  }
  const double* left_lower(std::size_t stage, std::int64_t node) const {
    return left_lower_[stage].data() + node * rows_;
  }

 private:
  const BudgetPlan& plan_;
  std::int64_t rows_;
  std::vector<std::vector<double>> left_upper_, left_lower_;
};

/// The budget of one row, for moves that change weights already chosen: the same accounts, by scalars.
class RowBudget {
 public:
  RowBudget(const BudgetPlan& plan, std::int64_t bias);
  /// Forgets every weight.
  void reset(std::int64_t bias);
  /// Column k changes from `before` to `after` (no check).
  void change(std::int64_t k, double before, double after);
  /// The interval around 0 that column k, now at `current`, could be changed to; intersected with [low, high]. Every account
  /// must be in balance (none overdrawn).
  void admissible(std::int64_t k, double current, double& low, double& high) const;
  /// What is left above and below at the first stage's register of column k (infinite without accounts), and what a unit of
  /// weight costs there: {with_sign, against_sign}.
  std::pair<double, double> left(std::int64_t k) const;
  std::pair<double, double> costs(std::int64_t k) const;
  /// True when no account is overdrawn at the registers of column k.
  bool fits(std::int64_t k) const;

 private:
  const BudgetPlan* plan_;
  std::vector<std::vector<double>> left_upper_, left_lower_;
};

}  // namespace axe

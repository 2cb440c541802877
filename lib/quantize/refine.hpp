// Refinement of one row after the sweep: coordinate descent on the calibration error inside the budget, moves of two weights
// at once where one alone is not admissible or does not pay, and the row's best scale in closed form. `RowRefiner` is the
// concept. No rounding decision here needs to be exact: a move is taken only if the integer budget admits it.
#pragma once

#include <cstdint>
#include <vector>

#include "axecert/constraint/budget.hpp"
#include "axecert/quantize/quantize.hpp"

namespace axe {

/// What all rows of a layer share while they are refined.
struct RefinementSetting {
  std::int64_t cols = 0;
  const float* gram = nullptr;  ///< H [K, K]
  const BudgetPlan* plan = nullptr;
  const std::int64_t* group_of_column = nullptr;  ///< [K], or null for one group
  std::int64_t groups = 1;
  std::vector<std::vector<std::int64_t>> neighbourhoods;  ///< columns that pair moves look at together: a tile's
  std::vector<std::vector<float>> gram_blocks;            ///< per neighbourhood [n, n rounded up to 8]
};

RefinementSetting make_refinement_setting(const LayerProblem& problem, const BudgetPlan& plan, const Topology& topology,
                                          const std::int64_t* group_of_column, std::int64_t groups);

/// One row's state; E below is the calibration error less its constant ‖Xw‖²: E = dᵀHd − 2 dᵀb, d = s q, b = G w.
struct RowState {
  std::vector<float> q;                 ///< [K] integers
  std::vector<float> gradient;          ///< [K] H d − b
  const float* linear = nullptr;        ///< [K] b
  std::vector<float> scale;             ///< [groups]
  std::vector<double> lowest, highest;  ///< [groups] the grid's ends
  std::int64_t bias = 0;
  double least_scale = 0;  ///< below it the integer bias would not fit
};

struct UnitMoves;

class RowRefiner {
 public:
  explicit RowRefiner(const RefinementSetting& setting) : setting_(setting), budget_(*setting.plan, 0) {}

  /// Takes over `state` (which must fit the budget). Without accounts only `error` and `refit_scale` may follow.
  void load(RowState& state, bool with_accounts);
  /// One pass of single moves over all columns; returns the number of moves.
  std::int64_t descend();
  /// One pass of two-weight moves inside each neighbourhood; returns the number of moves.
  std::int64_t descend_pairs();
  /// Replaces the scale by the one that minimises E for these integers (one group only); returns true if it changed.
  bool refit_scale();
  /// E of the state.
  double error() const;

 private:
  void move(std::int64_t k, double after);
  void weigh_unit_moves(const std::vector<std::int64_t>& columns, const float* block, UnitMoves& moves) const;
  float scale_of(std::int64_t k) const {
    return state_->scale[setting_.group_of_column ? static_cast<std::size_t>(setting_.group_of_column[k]) : 0];
  }
  const RefinementSetting& setting_;
  RowBudget budget_;
  RowState* state_ = nullptr;
};

}  // namespace axe

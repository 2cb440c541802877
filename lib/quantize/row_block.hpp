// Quantizing a block of rows: what all rows of a layer share (LayerSetting), and the search over scales, sweep and refinement
// of one block (`quantize_rows`). Blocks do not depend on one another, so they run on threads, and the result does not depend
// on how many. (Rows of a block share one thing: the search goes on while any of them gains.)
#pragma once

#include <cstdint>
#include <vector>

#include "axecert/quantize/corrector.hpp"
#include "axecert/quantize/input_box.hpp"
#include "axecert/quantize/refine.hpp"
#include "axecert/quantize/sweep.hpp"

namespace axe {

/// What the rows of a layer share; immutable after construction. Throws InputError when no grid can meet the datapath.
class LayerSetting {
 public:
  LayerSetting(const LayerProblem& problem, const Datapath& datapath, const QuantizeOptions& options,
               const InputBox& box);

  const LayerProblem& problem() const { return problem_; }
  const QuantizeOptions& options() const { return options_; }
  const ErrorCorrection& correction() const { return correction_; }
  const BudgetPlan& plan() const { return plan_; }
  const RefinementSetting& refinement() const { return refinement_; }
  std::int64_t groups() const { return groups_; }
  const std::int64_t* group_of_column() const { return groups_ == 1 ? nullptr : group_of_column_.data(); }
  std::int64_t group(std::int64_t k) const { return groups_ == 1 ? 0 : group_of_column_[static_cast<std::size_t>(k)]; }
  /// Weight bits in force: the option's, or fewer when data types alone must fit.
  int weight_bits() const { return weight_bits_; }
  /// The largest |bias| that every register holds whatever the weights, given the accounts of the plan; no limit when no stage
  /// takes the bias.
  std::int64_t bias_limit() const { return bias_limit_; }
  bool bias_in_plan() const { return bias_in_plan_; }
  bool uniform_box() const { return uniform_box_; }

 private:
  const LayerProblem& problem_;
  const QuantizeOptions& options_;
  Topology topology_;
  ErrorCorrection correction_;
  BudgetPlan plan_;
  RefinementSetting refinement_;
  std::vector<std::int64_t> group_of_column_;
  std::int64_t groups_ = 1;
  int weight_bits_ = 4;
  std::int64_t bias_limit_ = INT64_MAX;
  bool bias_in_plan_ = false;
  bool uniform_box_ = true;
};

struct RowBlockResult {
  std::vector<std::int8_t> weights;       ///< [count, K]
  std::vector<float> scales;              ///< [count, groups]
  std::vector<std::int32_t> zero_points;  ///< [count, groups] when asymmetric
  std::vector<std::int64_t> bias;         ///< [count] when the problem has one and a stage takes it
  SweepCounts counts;
  std::int64_t refinement_moves = 0;
};

RowBlockResult quantize_rows(const LayerSetting& setting, std::int64_t first, std::int64_t count);

}  // namespace axe

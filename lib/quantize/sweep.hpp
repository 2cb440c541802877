// The greedy sweep: one pass over the columns of a block of rows. Per column: the corrector's candidate, the soft constraint,
// the nearest grid point inside the budget's interval, the budget's account, and what the corrector observes. `sweep` is the
// main function; it knows no special cases of corrector, constraint or operand form. Source: design §3; AXE (arXiv 2409.17092)
// Algorithms 1 and 2.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "axecert/constraint/budget.hpp"
#include "axecert/constraint/decision.hpp"
#include "axecert/numeric/rational.hpp"
#include "axecert/quantize/corrector.hpp"

namespace axe {

/// One sweep's inputs for a block of `rows` rows; all arrays live longer than the call.
struct SweepInput {
  std::int64_t rows = 0, cols = 0;
  const ErrorCorrection* correction = nullptr;
  const float* base = nullptr;            ///< [K, rows] in sweep order, real units
  const float* first_observed = nullptr;  ///< [rows] or null: Qronos measures the first column's error from here
  const float* scales = nullptr;          ///< [groups, rows] real units per integer, > 0
  const std::int64_t* group_of_column = nullptr;  ///< [K], or null for one group
  const BudgetPlan* plan = nullptr;
  const std::int64_t* bias = nullptr;  ///< [rows] or null
  const double* lowest = nullptr;      ///< [rows] the grid's least integer; [groups, rows] when grouped
  const double* highest = nullptr;
  const std::vector<double>* lambda =
      nullptr;  ///< [nodes, rows] of plan stage 0, grid units per unit of cost; null for none
  const std::vector<double>* lambda_error = nullptr;  ///< bound on the error of lambda, same shape
  const double* threshold_cost = nullptr;             ///< [K] what a column pays per unit of lambda
  /// Exact threshold λ·cost_k of a column and row, for decisions that double cannot settle; required with lambda.
  std::function<Rational(std::int64_t column, std::int64_t row)> exact_threshold;
  Rounding rounding = Rounding::half_even;
  StrictForm strict =
      StrictForm::exact;  ///< published: clipped to real limits, ½ step inside what is left, then rounded
  Diffusion diffusion = Diffusion::whole;
};

struct SweepCounts {
  std::int64_t decisions = 0;
  std::int64_t settled_exactly = 0;
  std::int64_t clipped = 0;
  std::int64_t thresholded = 0;
  bool finite = true;  ///< no candidate overflowed single precision; otherwise the integers mean nothing
};

/// Runs the sweep; `integers` [rows, K] in column order. Every register's range fits afterwards (BudgetBlock's invariant).
SweepCounts sweep(const SweepInput& input, std::vector<float>& integers);

}  // namespace axe

// Quantizing one layer for a datapath: a grid, a corrector and a constraint, put together in one greedy sweep over the
// columns (sweep.hpp), with the scale of every row chosen under its budget and an optional refinement. `quantize` is the
// main function. Sources: AXE (arXiv 2409.17092), OPTQ (2210.17323), GPFQ, Qronos (2505.11695); design §3.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "axecert/bound/integer_layer.hpp"
#include "axecert/quantize/activation_grid.hpp"
#include "axecert/quantize/input_transform.hpp"

namespace axe {

/// One layer to quantize: Y = X Wᵀ, with X̃ the dequantized quantized inputs.
struct LayerProblem {
  std::string name;
  std::int64_t rows = 0;
  std::int64_t cols = 0;      ///< K
  std::vector<float> weight;  ///< [rows, K]
  std::vector<float> gram;    ///< H = X̃ᵀX̃ [K, K], symmetric
  std::vector<float> cross;   ///< G = X̃ᵀX [K, K], row index quantized; empty: taken as H
  double output_energy = -1;  ///< ‖XWᵀ‖²_F, or < 0 when unknown (no relative error then)
  ActivationGrid input;
  std::vector<std::int32_t> code_min;  ///< [K] smallest and largest code seen per channel, or empty
  std::vector<std::int32_t> code_max;
  std::vector<float> bias;  ///< [rows] or empty
};

enum class Corrector { none, optq, gpfq, qronos };
/// What keeps registers from overflowing: nothing; narrow data types; the weights' l1 norm, before (EP-init) or during (AXE)
/// rounding; or the inputs' (`input`: the activation grid's limit is small enough for any weights, input_limit.hpp).
enum class Constraint { none, datatype, ep_init, axe, input };
inline bool limits_weights(Constraint constraint) {
  return constraint != Constraint::none && constraint != Constraint::input;
}
/// AXE's strict limits: by exact integer division of what is left, or as published (½ step of slack, in floating point).
enum class StrictForm { exact, published };
/// What OPTQ and Qronos diffuse: the whole error (threshold, clip and rounding), or what rounding left (as Brevitas does).
enum class Diffusion { whole, rounding };
/// What the sweep aims at: W* = W Gᵀ (H + ηI)⁻¹, the best weights for quantized inputs, or W itself.
enum class WeightTarget { corrected, original };
/// One scale per row, or one per row and tile of the lowest stage (needs a datapath whose sum over tiles is float).
enum class ScaleGranularity { row, tile };

/// How the scale of a row (or of a row's tile) is found, starting from the largest weight: `largest_weight` as it is; `weight_error`,
/// the multiple of it with the least ‖W − s·round(W/s)‖²; `search`, under the row's budget by the calibration error.
enum class ScaleChoice { largest_weight, weight_error, search };

struct QuantizeOptions {
  Corrector corrector = Corrector::optq;
  Constraint constraint = Constraint::axe;
  int weight_bits = 4;  ///< 2 to 8
  bool asymmetric_weights = false;
  ScaleGranularity granularity = ScaleGranularity::row;
  StrictForm strict = StrictForm::exact;
  Diffusion diffusion = Diffusion::whole;
  WeightTarget target = WeightTarget::corrected;
  bool soft_threshold = true;       ///< AXE's Π_λ; off: strict limits alone
  double dampening = 0.01;          ///< η of OPTQ's and Qronos' diffusion, as a fraction of H's mean diagonal, > 0
  double target_dampening = 0.001;  ///< η of the corrected target, likewise
  /// η of error² + η‖W − D‖², a fraction of H's mean diagonal, ≥ 0: what every choice minimises, so that it holds on inputs
  /// that calibration did not see (docs/results/held_out.md). The error that is reported has no such term.
  double ridge = 0.03;
  bool activation_order = true;     ///< columns by descending diagonal of H
  ScaleChoice scale_choice = ScaleChoice::search;
  int refinement_passes = 8;   ///< coordinate-descent passes after the sweep, ≥ 0; stops early when nothing moves
  double box_headroom = 0.05;  ///< boxed: fraction of a channel's width added on each side, plus one code
  std::vector<float> scales;   ///< [rows] fixed scales that replace that choice, or empty
  int threads = 1;

  /// The largest magnitude that a weight may have, as the multiplier sees it: 2^(weight_bits − 1), or one less than 2^weight_bits
  /// where a zero point is taken off.
  std::int64_t largest_weight() const;

  /// AXE as the paper and its reference have it: max-based scales, original target, published limits, rounding error
  /// diffused, no search, no refinement.
  static QuantizeOptions published();
};

/// What happened on the way; every count is exact.
struct QuantizeStatistics {
  std::int64_t decisions = 0;        ///< roundings and clips taken in sweeps
  std::int64_t settled_exactly = 0;  ///< of these, how many double could not settle and rationals did
  std::int64_t thresholded = 0;      ///< final weights with λ > 0 in force
  std::int64_t clipped = 0;          ///< decisions that the budget's interval changed (final sweep)
  std::int64_t refinement_moves = 0;
  int dampening_raised = 0;  ///< times the Cholesky factorization failed and η was raised tenfold
  double dampening_used = 0;
  std::int64_t dead_inputs = 0;  ///< zero diagonal of H
  double seconds = 0;            ///< of quantizing and its exact check; measuring the error is not in it
};

struct QuantizedLayer {
  IntegerLayer layer;               ///< operand weights (zero point removed), box, offsets, integer bias
  std::vector<float> scales;        ///< [rows, groups]
  std::int64_t groups = 1;          ///< scales per row
  std::vector<std::int32_t> shift;  ///< c_k, [1] or [K]: operand = clamp(code − c_k, box_lower, box_upper)
  /// [rows, groups] when asymmetric (stored code = weight + zero point), else empty.
  std::vector<std::int32_t> weight_zero_points;
  /// [rows] when scales are per tile or computed per token, where no register has the unit of a bias: to be added to the
  /// output; else empty.
  std::vector<float> float_bias;
  ActivationGrid input;
  InputTransform transform;  ///< what the real inputs pass before the activation quantizer
  /// Input channels that stay floating point (LLM.int8, arXiv 2208.07339): ascending columns whose integer weights are 0,
  /// and their weights [rows, outlier_columns.size()]. Their products are added to the output and are not certified.
  std::vector<std::int32_t> outlier_columns;
  std::vector<float> outlier_weight;
  int weight_bits = 4;
  double relative_error = -1;  ///< ‖XWᵀ − X̃Dᵀ‖_F / ‖XWᵀ‖_F, or −1 when the energy is unknown
  QuantizeStatistics statistics;
  std::vector<std::string> warnings;  ///< "dampening raised to 0.1 …", one line each
};

/// Throws InputError unless the outlier columns are ascending input channels with weights [rows, columns] and integer weights 0.
void validate_outliers(const QuantizedLayer& layer);

/// Quantizes `problem` for `datapath`. Whatever the options (except Constraint::none), the result's registers all fit; this
/// is checked exactly before returning. Throws InputError on bad input (sizes, NaN, scales, a budget that not even zero
/// weights meet), never drops the constraint. `progress` gets (rows done, rows).
///
/// Constraint::input leaves the weights free; the grid of the problem has a limit then, at most input_limit(…) of the datapath, and
/// that of the result is the largest with which its own weights fit.
QuantizedLayer quantize(const LayerProblem& problem, const Datapath& datapath, const QuantizeOptions& options,
                        const std::function<void(std::int64_t, std::int64_t)>& progress = {});

/// ‖XWᵀ − X̃Dᵀ‖_F / ‖XWᵀ‖_F of integer weights [rows, K] with scales [rows, groups]; without G, ‖X̃(W − D)ᵀ‖_F in the
/// numerator. The same for any `threads`.
double relative_error(const LayerProblem& problem, const std::vector<std::int8_t>& weights,
                      const std::vector<float>& scales, const std::vector<std::int64_t>& group_of_column,
                      int threads = 1);

std::string to_text(Corrector);   // "none" | "optq" | "gpfq" | "qronos"
std::string to_text(Constraint);  // "none" | "datatype" | "ep-init" | "axe" | "input"
std::string to_text(ScaleChoice);  // "max" | "mse" | "search"

}  // namespace axe

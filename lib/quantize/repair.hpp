// The least change of a layer's integer weights, and where allowed of the rows' scales, that makes every register safe: without
// calibration data by the squared change of the weights, with second moments of the inputs by the error of the outputs.
// `repair_weights` is the main function; `split_weights` keeps every weight and spreads it over several products instead. No side
// effects.
#pragma once

#include <cstdint>
#include <vector>

#include "axecert/bound/range.hpp"
#include "axecert/quantize/quantize.hpp"

namespace axe {

struct RepairOptions {
  /// A row that must change may get another scale: weight = scale · integer, in place of the shipped scale. Rows of a layer whose
  /// registers hold an integer bias keep theirs, since the bias has the scale's unit.
  bool move_scales = false;
  /// H = X̃ᵀX̃ [K, K], second moments of the layer's dequantized inputs, whose codes `input` describes; null: no calibration data.
  const std::vector<float>* gram = nullptr;
  /// With H, G = X̃ᵀX [K, K], X what the inputs would be in floating point: changed rows then aim at the output on X; null: G = H.
  const std::vector<float>* cross = nullptr;
  ActivationGrid input;
  int threads = 1;
};

struct Repair {
  std::int64_t unsafe_nodes = 0;  ///< registers that could overflow before
  std::int64_t rows_changed = 0;
  std::int64_t rows_rescaled = 0;    ///< of these, how many have another scale
  std::int64_t weights_changed = 0;  ///< integers that differ
  double largest_change = 0;         ///< of a weight, in shipped steps
  double squared_change = 0;         ///< Σ (w − s w')², in shipped steps; s the new scale over the shipped one
  double energy = 0;                 ///< Σ w², in shipped steps
  /// With H, over the changed rows: √(Σ dᵀHd / Σ wᵀHw), d = w − s w', of the smallest change and of what was taken.
  double plain_error = 0, error = 0;
  std::vector<double> scale;  ///< [rows] s, 1 where the shipped scale stays
};

/// Moves weights of `layer` until no register of `datapath` can leave its limits; rows that are safe keep weights and scales.
///
/// At the shipped scales weights move toward 0 only. Where the box of inputs is one for all channels and begins at 0 the change of
/// the lowest stage is then the smallest possible: each step takes the weight whose square costs least, which is optimal for a
/// separable convex cost under one linear constraint with equal coefficients. With other boxes it is greedy by cost per gain, then
/// gives back what fits. With `move_scales` the same is done at a ladder of scales per row, w / s rounded first, and the least
/// Σ (w − s w')² is taken.
///
/// With H, rows that must change are also quantized again with the shipped weights as targets, by OPTQ under AXE's constraint with
/// refinement (quantize.hpp), so that the other weights of a row make up for what one loses; at the shipped scales, or with scales
/// searched by the calibration error. Per row what has the least error on the inputs is taken. Any weight of a changed row may move.
///
/// Throws InputError when no weights help (the row's bias alone leaves a register), and when H or G is no matrix of the inputs.
Repair repair_weights(IntegerLayer& layer, const Datapath& datapath, const RepairOptions& options = {});

/// Part of a split: weights [rows, columns.size()] over the inputs `columns`, ascending.
struct SplitPart {
  std::vector<std::int64_t> columns;
  std::vector<std::int8_t> weights;
};

struct Split {
  std::int64_t unsafe_nodes = 0;  ///< registers that could overflow before
  std::vector<SplitPart> parts;   ///< none when there are none
};

/// Integer weights as a sum: those of `layer`, made safe in place by moving weights toward 0, plus parts, each a product of its own
/// that is safe on `datapath`; the sum of all is exactly what was shipped. Weights of the columns that have most in registers which
/// must give go first, so that parts have few inputs: those with a weight, or with `all_columns` all, in their places.
/// Throws InputError when more than `most` parts would be needed, and as repair_weights does.
Split split_weights(IntegerLayer& layer, const Datapath& datapath, bool all_columns = false, std::size_t most = 8);

}  // namespace axe

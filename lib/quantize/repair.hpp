// The smallest change of integer weights that makes every register of a layer safe, without any calibration data: it minimises the
// squared change of the weights, row by row. `repair_weights` is the main function. No side effects.
#pragma once

#include <cstdint>
#include <vector>

#include "axecert/bound/range.hpp"
#include "axecert/quantize/quantize.hpp"

namespace axe {

struct Repair {
  std::int64_t unsafe_nodes = 0;  ///< registers that could overflow before
  std::int64_t rows_changed = 0;
  std::int64_t weights_changed = 0;
  std::int64_t largest_change = 0;  ///< steps
  double squared_change = 0;        ///< Σ (w − w')², in steps
  double energy = 0;                ///< Σ w², in steps
  /// With second moments, over the changed rows: √(Σ dᵀHd / Σ wᵀHw), d = w − w', of the smallest change and of what was taken.
  double plain_error = 0, error = 0;
};

/// Moves weights of `layer` toward 0 until no register of `datapath` can leave its limits; rows that are safe keep their weights.
/// Where the box of inputs is one for all channels and begins at 0 the change of the lowest stage is the smallest possible: each
/// step takes the weight whose square costs least, which is optimal for a separable convex cost under one linear constraint with
/// equal coefficients. With other boxes it is greedy by cost per gain, then gives back what fits.
/// Throws InputError when no weights help: the row's bias alone leaves a register.
Repair repair_weights(IntegerLayer& layer, const Datapath& datapath);

/// The same with H = X̃ᵀX̃ [K, K], the second moments of the layer's dequantized inputs, whose codes `input` describes: rows that must
/// change are quantized again from the shipped integers as targets, at the shipped scales, by OPTQ under AXE's constraint with
/// refinement (quantize.hpp), so that the other weights of a row make up for what one loses. Per row whichever has the smaller
/// dᵀHd is taken, this or the smallest change. Any weight of a changed row may move.
Repair repair_weights(IntegerLayer& layer, const Datapath& datapath, const std::vector<float>& gram,
                      const ActivationGrid& input, int threads);

}  // namespace axe

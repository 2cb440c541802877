// How often every code of every input channel occurs on calibration data, and the narrowest clamp per channel that cuts off no
// more than a given share of the channel's energy. `CodeHistogram` is the main class. No side effects.
#pragma once

#include <cstdint>
#include <vector>

#include "axecert/quantize/activation_grid.hpp"
#include "axecert/quantize/input_quantizer.hpp"

namespace axe {

class CodeHistogram {
 public:
  /// Of `cols` ≥ 1 channels whose codes are those of `grid`.
  CodeHistogram(const ActivationGrid& grid, std::int64_t cols);

  /// Counts rows of plain codes: operands that were neither shifted nor clamped per channel.
  void add(const OperandRows& rows);

  /// Codes [cols] that a clamp keeps, lower_k ≤ upper_k.
  struct Ranges {
    std::vector<std::int32_t> lower, upper;
  };

  /// Per channel the codes from least to greatest that occurred, narrowed from whichever end loses less as long as
  ///     Σ_i s_i² (code_i − clamped_i)²  ≤  share · Σ_i s_i² (code_i − zero point_i)²
  /// over all rows i, with their steps s_i, and also with every s_i = 1, so that rows of large steps do not decide alone; the wider
  /// of both clamps. share in [0, 1); 0: nothing is cut off. Throws InputError when no row was added.
  Ranges ranges(double share) const;

 private:
  struct Weighting {
    std::vector<double> mass;    // [cols, codes]: Σ s² of the rows with this code
    std::vector<double> energy;  // [cols]: Σ s² (code − zero point)²
  };
  void narrow(const Weighting& weighting, std::int64_t k, double share, std::int32_t& lower, std::int32_t& upper) const;

  std::int64_t cols_;
  std::int32_t code_lower_;
  std::int32_t codes_;
  std::int64_t rows_ = 0;
  Weighting by_count_, by_step_;
};

}  // namespace axe

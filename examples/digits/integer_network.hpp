// The quantized network in integers only: operands in, sums through a datapath's registers, requantization by an integer
// multiplication and a shift, the digit out. `classify` is the main function. No side effects.
#pragma once

#include <cstdint>
#include <vector>

#include "axecert/datapath/machine.hpp"
#include "axecert/quantize/quantize.hpp"
#include "float_network.hpp"

namespace digits {

/// Multiplies by multiplier · 2^−shift, rounding half up: (v · multiplier + 2^(shift−1)) >> shift, exact in 128 bits.
struct Rescale {
  std::int64_t multiplier = 0;
  int shift = 1;

  /// The 31-bit multiplier nearest to `factor`, which lies in (0, 2^30).
  static Rescale by(double factor);
  axe::int128 operator()(std::int64_t value) const;
};

struct IntegerLayerStep {
  axe::QuantizedLayer quantized;
  std::vector<Rescale> rescale;  ///< [rows]: from steps of the row's sum to steps of `output`
  axe::ActivationGrid
      output;  ///< of the next layer's input, whose lower end 0 is the ReLU; of the logits, only the scale
  bool is_last = false;
};
using IntegerNetwork = std::vector<IntegerLayerStep>;

/// Codes of the first layer: code = round(pixel / 16 / scale).
std::vector<std::int32_t> pixel_codes(const Images& images, const axe::ActivationGrid& grid);

/// The sums of one layer for codes [count, cols]: [count, rows], as integers without width limits.
std::vector<std::int64_t> exact_sums(const axe::QuantizedLayer& layer, const std::vector<std::int32_t>& codes);

/// The codes that a layer's sums become; in the last layer the logits, in steps of its output scale.
std::vector<std::int32_t> next_codes(const IntegerLayerStep& step, const std::vector<std::int64_t>& sums);

/// What came out of a run over all images.
struct Outcome {
  double accuracy = 0;
  std::int64_t dot_products = 0;
  std::int64_t overflowed = 0;  ///< dot products in which some register left its limits
};

/// The logits [count, classes] of every image through unlimited integers, in steps of the last layer's output scale.
std::vector<std::int32_t> exact_logits(const IntegerNetwork& network, const Images& images);

/// Every image through the datapath's registers: axe::run for every dot product.
Outcome classify(const IntegerNetwork& network, const axe::Datapath& datapath, const Images& images);

}  // namespace digits

// Integer inference, exact or through the registers of a datapath; see integer_network.hpp.
#include "integer_network.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace digits {
namespace {

/// operand_k = clamp(code_k − shift_k, lower_k, upper_k), the activation quantizer that quantize() wrote.
std::vector<std::int32_t> operands(const axe::QuantizedLayer& layer, const std::vector<std::int32_t>& codes) {
  const auto cols = static_cast<std::size_t>(layer.layer.cols);
  std::vector<std::int32_t> result(codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t k = i % cols;
    const std::int32_t shift = layer.shift[layer.shift.size() == 1 ? 0 : k];
    const auto channel = static_cast<std::int64_t>(k);
    result[i] = std::clamp(codes[i] - shift, layer.layer.lower(channel), layer.layer.upper(channel));
  }
  return result;
}

/// All sums of a layer: `dot` gets the row, the operands of one image and the row's constant.
template <class Dot>
std::vector<std::int64_t> sums_by(const axe::QuantizedLayer& layer, const std::vector<std::int32_t>& codes,
                                  const Dot& dot) {
  const std::vector<std::int32_t> x = operands(layer, codes);
  const std::vector<std::int64_t> constants = axe::row_constants(layer.layer);
  const auto cols = static_cast<std::size_t>(layer.layer.cols);
  std::vector<std::int64_t> sums;
  sums.reserve(codes.size() / cols * constants.size());
  for (std::size_t begin = 0; begin < x.size(); begin += cols) {
    for (std::size_t r = 0; r < constants.size(); ++r) {
      sums.push_back(dot(layer.layer.row(static_cast<std::int64_t>(r)), x.data() + begin, constants[r]));
    }
  }
  return sums;
}

using LayerSums =
    std::function<std::vector<std::int64_t>(const axe::QuantizedLayer&, const std::vector<std::int32_t>&)>;

std::vector<std::int32_t> logits_with(const IntegerNetwork& network, const Images& images, const LayerSums& sums_of) {
  std::vector<std::int32_t> codes = pixel_codes(images, network.front().quantized.input);
  for (const IntegerLayerStep& step : network) {
    codes = next_codes(step, sums_of(step.quantized, codes));
  }
  return codes;
}

}  // namespace

Rescale Rescale::by(double factor) {
  int exponent = 0;
  const double mantissa = std::frexp(factor, &exponent);  // factor = mantissa · 2^exponent, mantissa in [½, 1)
  return {std::llround(std::ldexp(mantissa, 31)), 31 - exponent};
}

axe::int128 Rescale::operator()(std::int64_t value) const {
  return (axe::int128{value} * multiplier + (axe::int128{1} << (shift - 1))) >> shift;
}

std::vector<std::int32_t> pixel_codes(const Images& images, const axe::ActivationGrid& grid) {
  std::vector<std::int32_t> codes;
  codes.reserve(images.pixels.size());
  for (const std::uint8_t pixel : images.pixels) {
    const double code = std::round(static_cast<double>(pixel) / pixel_maximum / grid.scale);
    codes.push_back(
        std::clamp(static_cast<std::int32_t>(code) + grid.zero_point, grid.code_lower(), grid.code_upper()));
  }
  return codes;
}

std::vector<std::int64_t> exact_sums(const axe::QuantizedLayer& layer, const std::vector<std::int32_t>& codes) {
  const std::int64_t cols = layer.layer.cols;
  return sums_by(layer, codes, [cols](const std::int8_t* w, const std::int32_t* x, std::int64_t constant) {
    std::int32_t sum = 0;  // 128 · 2^7 · 2^8 = 2^22
    for (std::int64_t k = 0; k < cols; ++k) {
      sum += w[k] * x[k];
    }
    return constant + sum;
  });
}

std::vector<std::int32_t> next_codes(const IntegerLayerStep& step, const std::vector<std::int64_t>& sums) {
  const axe::int128 lower = step.is_last ? std::numeric_limits<std::int32_t>::min() : step.output.code_lower();
  const axe::int128 upper = step.is_last ? std::numeric_limits<std::int32_t>::max() : step.output.code_upper();
  std::vector<std::int32_t> codes(sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    codes[i] = static_cast<std::int32_t>(std::clamp(step.rescale[i % step.rescale.size()](sums[i]), lower, upper));
  }
  return codes;
}

std::vector<std::int32_t> exact_logits(const IntegerNetwork& network, const Images& images) {
  return logits_with(network, images, exact_sums);
}

Outcome classify(const IntegerNetwork& network, const axe::Datapath& datapath, const Images& images) {
  Outcome outcome;
  const auto sums_of = [&](const axe::QuantizedLayer& layer, const std::vector<std::int32_t>& codes) {
    const axe::Topology topology(datapath, layer.layer.cols);
    const auto cols = static_cast<std::size_t>(layer.layer.cols);
    return sums_by(layer, codes, [&](const std::int8_t* w, const std::int32_t* x, std::int64_t constant) {
      const auto stages = axe::run(topology, {w, cols}, {x, cols}, constant);
      ++outcome.dot_products;
      outcome.overflowed += std::any_of(stages.begin(), stages.end(), [](const auto& registers) {
        return std::any_of(registers.begin(), registers.end(),
                           [](const axe::RegisterTrace& trace) { return trace.overflowed; });
      });
      return stages.back().front().value;
    });
  };
  outcome.accuracy = accuracy(logits_with(network, images, sums_of), images);
  return outcome;
}

}  // namespace digits

// Grids, calibration sums and requantizers for a network of three layers; see quantize_network.hpp.
#include "quantize_network.hpp"

#include <algorithm>
#include <cmath>

namespace digits {
namespace {

/// The unsigned grid with zero point 0 whose clipping and rounding lose least of `values` (all ≥ 0): the best of 40 clips.
axe::ActivationGrid grid_for(const std::vector<float>& values, int bits) {
  const float most = *std::max_element(values.begin(), values.end());
  axe::ActivationGrid best;
  best.bits = bits;
  double least = -1;
  for (int step = 1; step <= 40; ++step) {
    const float scale = most * static_cast<float>(step) / 40.0F / static_cast<float>(best.code_upper());
    double error = 0;
    for (const float value : values) {
      const float code = std::min(std::nearbyint(value / scale), static_cast<float>(best.code_upper()));
      error += static_cast<double>((value - code * scale) * (value - code * scale));
    }
    if (least < 0 || error < least) {
      least = error;
      best.scale = static_cast<double>(scale);
    }
  }
  return best;
}

/// What axe::quantize needs to know of a layer whose float inputs are X and whose quantized inputs are the codes.
axe::LayerProblem problem_for(const FloatLayer& layer, const std::vector<float>& x,
                              const std::vector<std::int32_t>& codes, const axe::ActivationGrid& grid) {
  const auto K = static_cast<std::size_t>(layer.cols);
  axe::LayerProblem problem;
  problem.name = layer.name;
  problem.rows = layer.rows;
  problem.cols = layer.cols;
  problem.weight = layer.weight;
  problem.bias = layer.bias;
  problem.input = grid;
  problem.code_min.assign(K, grid.code_upper());
  problem.code_max.assign(K, grid.code_lower());
  problem.gram.assign(K * K, 0);
  problem.cross.assign(K * K, 0);
  // H = X̃ᵀX̃ and G = X̃ᵀX; most of X̃ is zero after a ReLU.
  for (std::size_t begin = 0; begin < codes.size(); begin += K) {
    for (std::size_t i = 0; i < K; ++i) {
      const std::int32_t code = codes[begin + i];
      problem.code_min[i] = std::min(problem.code_min[i], code);
      problem.code_max[i] = std::max(problem.code_max[i], code);
      if (code == grid.zero_point) {
        continue;
      }
      const auto scale = static_cast<float>(grid.scale);
      const float quantized = static_cast<float>(code - grid.zero_point) * scale;
      for (std::size_t j = 0; j < K; ++j) {
        problem.gram[i * K + j] += quantized * static_cast<float>(codes[begin + j] - grid.zero_point) * scale;
        problem.cross[i * K + j] += quantized * x[begin + j];
      }
    }
  }
  return problem;
}

}  // namespace

axe::ActivationGrid pixel_grid(int activation_bits) {
  axe::ActivationGrid grid;
  grid.bits = std::min(activation_bits, 5);
  grid.scale = grid.bits == 5 ? 1.0 / pixel_maximum : 1.0 / grid.code_upper();
  return grid;
}

IntegerNetwork quantize_network(const Calibration& calibration, const axe::Datapath& datapath,
                                const axe::QuantizeOptions& options, int activation_bits) {
  IntegerNetwork network;
  axe::ActivationGrid grid = pixel_grid(activation_bits);
  std::vector<std::int32_t> codes = pixel_codes(calibration.train, grid);
  for (std::size_t index = 0; index < calibration.network.size(); ++index) {
    const bool is_last = index + 1 == calibration.network.size();
    IntegerLayerStep step;
    step.quantized = axe::quantize(problem_for(calibration.network[index], calibration.inputs[index], codes, grid),
                                   datapath, options);
    step.is_last = is_last;
    // One step of row r is worth s_r · s_x. The next layer counts in steps of its own scale, the logits in steps that are
    // 2^8 finer than the largest row's.
    const std::vector<float>& scales = step.quantized.scales;
    if (is_last) {
      step.output.scale = static_cast<double>(*std::max_element(scales.begin(), scales.end())) * grid.scale / 256;
    } else {
      step.output = grid_for(calibration.inputs[index + 1], activation_bits);
    }
    for (const float scale : scales) {
      step.rescale.push_back(Rescale::by(static_cast<double>(scale) * grid.scale / step.output.scale));
    }
    codes = next_codes(step, exact_sums(step.quantized, codes));
    grid = step.output;
    network.push_back(std::move(step));
  }
  return network;
}

double logit_error(const IntegerNetwork& network, const Calibration& calibration) {
  const std::vector<float>& wanted = calibration.inputs.back();
  const std::vector<std::int32_t> logits = exact_logits(network, calibration.train);
  const double unit = network.back().output.scale;
  double error = 0, energy = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double y = static_cast<double>(wanted[i]), difference = unit * logits[i] - y;
    error += difference * difference;
    energy += y * y;
  }
  return std::sqrt(error / energy);
}

}  // namespace digits

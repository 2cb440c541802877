// Closed forms and searches of channel multipliers; see equalize.hpp.
#include "axecert/quantize/equalize.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "axecert/numeric/error.hpp"
#include "axecert/quantize/linear_algebra.hpp"

namespace axe {
namespace {

constexpr double widest_ratio = 0x1p16;  // of a multiplier to the geometric mean

/// exp(log m − mean log m), bounded; channels whose log is not finite get 1 and do not count.
std::vector<float> normalized(const std::vector<double>& logs) {
  double sum = 0, count = 0;
  for (const double value : logs) {
    if (std::isfinite(value)) {
      sum += value;
      ++count;
    }
  }
  const double mean = count > 0 ? sum / count : 0;
  std::vector<float> multiplier;
  for (const double value : logs) {
    const double ratio = std::isfinite(value) ? std::clamp(std::exp(value - mean), 1 / widest_ratio, widest_ratio) : 1;
    multiplier.push_back(static_cast<float>(ratio));
  }
  return multiplier;
}

void require_exponent(double alpha, const std::string& place) {
  if (!(alpha >= 0 && alpha <= 1)) {
    throw InputError(place, "the exponent " + std::to_string(alpha) + " is outside [0, 1]", "0.4 is a usual value");
  }
}

/// AWQ's candidates: 1/m_k = (RMS of channel k)^α.
std::vector<float> by_activations(const EqualizationProblem& problem, double alpha) {
  std::vector<double> logs;
  for (std::int64_t k = 0; k < problem.cols; ++k) {
    const double energy = problem.gram[static_cast<std::size_t>(k * problem.cols + k)];
    logs.push_back(-alpha * std::log(energy / static_cast<double>(problem.rows)) / 2);
  }
  return normalized(logs);
}

std::vector<float> weight_absmax(const EqualizationProblem& problem) {
  std::vector<float> most(static_cast<std::size_t>(problem.cols), 0.0F);
  for (const std::vector<float>& weight : problem.weights) {
    for (std::size_t i = 0; i < weight.size(); ++i) {
      float& entry = most[i % most.size()];
      entry = std::max(entry, std::fabs(weight[i]));
    }
  }
  return most;
}

/// H and G of inputs multiplied by m: D H D and D G D, D the diagonal matrix of m.
std::vector<float> multiplied(std::vector<float> matrix, const std::vector<float>& m) {
  const std::size_t K = m.size();
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    matrix[i] *= m[i / K] * m[i % K];
  }
  return matrix;
}

/// tr(D H Dᵀ) − 2 tr(D G Wᵀ): the squared output error of weights D instead of W, less ‖XWᵀ‖².
double output_error(std::int64_t cols, const std::vector<float>& d, const std::vector<float>& w,
                    const std::vector<float>& gram, const std::vector<float>& cross) {
  const auto rows = static_cast<std::int64_t>(d.size()) / cols;
  std::vector<float> product(d.size(), 0.0F);
  double error = 0;
  multiply_add(rows, cols, cols, {d.data(), cols}, {gram.data(), cols}, product.data(), cols);
  for (std::size_t i = 0; i < d.size(); ++i) {
    error += static_cast<double>(product[i]) * static_cast<double>(d[i]);
  }
  std::fill(product.begin(), product.end(), 0.0F);
  multiply_add(rows, cols, cols, {d.data(), cols}, {cross.data(), cols}, product.data(), cols);
  for (std::size_t i = 0; i < d.size(); ++i) {
    error -= 2 * static_cast<double>(product[i]) * static_cast<double>(w[i]);
  }
  return error;
}

/// Weights rounded to nearest on max-based scales per row, as real numbers.
std::vector<float> rounded_to_nearest(const std::vector<float>& weight, std::int64_t cols, int bits) {
  std::vector<float> d(weight.size());
  const auto half = static_cast<float>(1 << (bits - 1));
  for (std::size_t first = 0; first < weight.size(); first += static_cast<std::size_t>(cols)) {
    float most = 0;
    for (std::size_t k = first; k < first + static_cast<std::size_t>(cols); ++k) {
      most = std::max(most, std::fabs(weight[k]));
    }
    const float scale = most > 0 ? most / half : 1.0F;
    for (std::size_t k = first; k < first + static_cast<std::size_t>(cols); ++k) {
      d[k] = scale * std::clamp(std::nearbyint(weight[k] / scale), -half, half - 1);
    }
  }
  return d;
}

/// The step that the activation quantizer is expected to have for inputs multiplied by m: the least of what the extremes ask
/// for and of four standard deviations of the widest channel, since extremes belong to few tokens.
double expected_step(const EqualizationProblem& problem, const std::vector<float>& m) {
  double extreme = 0, deviation = 0;
  for (std::int64_t k = 0; k < problem.cols; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const double energy = problem.gram[static_cast<std::size_t>(k * problem.cols + k)];
    extreme = std::max(extreme, static_cast<double>(m[i]) * static_cast<double>(problem.absmax[i]));
    deviation = std::max(deviation, static_cast<double>(m[i]) * std::sqrt(energy / static_cast<double>(problem.rows)));
  }
  const double reach = std::min(extreme, 4 * deviation);
  const double half_codes = problem.input.is_signed ? problem.input.code_upper() : problem.input.code_upper() / 2.0;
  return reach > 0 ? reach / half_codes : 1;
}

/// Codes that channels of the given extremes take at this step, for operand boxes.
std::vector<std::int32_t> extreme_codes(const EqualizationProblem& problem, const std::vector<float>& m, double step,
                                        const ActivationGrid& grid, double sign) {
  std::vector<std::int32_t> codes;
  for (std::size_t k = 0; k < m.size(); ++k) {
    const double code =
        std::nearbyint(sign * static_cast<double>(m[k]) * static_cast<double>(problem.absmax[k]) / step) +
        grid.zero_point;
    codes.push_back(static_cast<std::int32_t>(
        std::clamp(code, static_cast<double>(grid.code_lower()), static_cast<double>(grid.code_upper()))));
  }
  return codes;
}

}  // namespace

std::vector<float> smooth_quant(std::span<const float> absmax, std::span<const float> weight_absmax, double alpha) {
  require_exponent(alpha, "smooth_quant");
  if (absmax.size() != weight_absmax.size()) {
    throw InputError(
        "smooth_quant",
        std::to_string(absmax.size()) + " input channels, " + std::to_string(weight_absmax.size()) + " of weights",
        "give one number per channel in both");
  }
  std::vector<double> logs;
  for (std::size_t k = 0; k < absmax.size(); ++k) {
    const double x = absmax[k], w = weight_absmax[k];
    if (!(x >= 0 && w >= 0 && std::isfinite(x) && std::isfinite(w))) {
      throw InputError("smooth_quant",
                       "channel " + std::to_string(k) + " has a magnitude that is negative or not finite",
                       "give largest magnitudes");
    }
    logs.push_back(x > 0 && w > 0 ? (1 - alpha) * std::log(w) - alpha * std::log(x)
                                  : std::numeric_limits<double>::quiet_NaN());
  }
  return normalized(logs);
}

Equalization search_equalization(const EqualizationProblem& problem, std::span<const double> alphas,
                                 EqualizationGoal goal, const Datapath& datapath, const QuantizeOptions& options) {
  const std::string place = "layer " + problem.name;
  const auto K = static_cast<std::size_t>(problem.cols);
  if (K == 0 || problem.gram.size() != K * K || problem.absmax.size() != K || problem.rows < 1 ||
      (!problem.cross.empty() && problem.cross.size() != K * K)) {
    throw InputError(place, "moments and magnitudes do not fit " + std::to_string(K) + " channels",
                     "give [K, K], [K, K] and [K], of at least one input");
  }
  for (const std::vector<float>& weight : problem.weights) {
    if (weight.empty() || weight.size() % K != 0) {
      throw InputError(place, std::to_string(weight.size()) + " weights are no rows of " + std::to_string(K),
                       "give [rows, K]");
    }
  }
  if (problem.weights.empty()) {
    throw InputError(place, "has no weights", "give at least one layer that receives this input");
  }
  single_threaded_blas();
  const std::vector<float> magnitudes = weight_absmax(problem);
  std::vector<std::vector<float>> candidates{std::vector<float>(K, 1.0F)};
  for (const double alpha : alphas) {
    require_exponent(alpha, place);
    candidates.push_back(goal == EqualizationGoal::weights ? by_activations(problem, alpha)
                                                           : smooth_quant(problem.absmax, magnitudes, alpha));
  }
  QuantizeOptions quick = options;  // the order of candidates, not their last per mille
  quick.scale_choice = ScaleChoice::weight_error;
  quick.refinement_passes = 0;

  Equalization result;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    const std::vector<float>& m = candidates[c];
    LayerProblem layer;
    layer.name = problem.name;
    layer.cols = problem.cols;
    layer.gram = multiplied(problem.gram, m);
    layer.cross = multiplied(problem.cross.empty() ? problem.gram : problem.cross, m);
    const double step = expected_step(problem, m);
    layer.input = problem.input;
    layer.input.zero_point = problem.input.is_signed || problem.input.scaling == ActivationScaling::token
                                 ? 0
                                 : (problem.input.code_upper() + 1) / 2;
    layer.code_min = extreme_codes(problem, m, step, layer.input, -1);
    layer.code_max = extreme_codes(problem, m, step, layer.input, 1);
    double score = 0;
    for (const std::vector<float>& weight : problem.weights) {
      layer.weight = weight;
      layer.rows = static_cast<std::int64_t>(weight.size() / K);
      for (std::size_t i = 0; i < weight.size(); ++i) {
        layer.weight[i] /= m[i % K];
      }
      std::vector<float> d;
      if (goal == EqualizationGoal::weights) {
        d = rounded_to_nearest(layer.weight, problem.cols, options.weight_bits);
      } else {
        const QuantizedLayer quantized = quantize(layer, datapath, quick);
        const Topology topology(datapath, problem.cols);
        d.resize(weight.size());
        double squares = 0;
        for (std::size_t i = 0; i < d.size(); ++i) {
          const std::size_t row = i / K;
          const auto group =
              quantized.groups == 1
                  ? std::size_t{0}
                  : static_cast<std::size_t>(topology.node_of_product(0, static_cast<std::int64_t>(i % K)));
          d[i] = quantized.scales[row * static_cast<std::size_t>(quantized.groups) + group] *
                 static_cast<float>(quantized.layer.weights[i]);
          squares += static_cast<double>(d[i]) * static_cast<double>(d[i]);
        }
        // Rounding x to a grid of this step adds step²/12 to each channel's variance, which every weight multiplies.
        score += static_cast<double>(problem.rows) * step * step / 12 * squares;
      }
      score += output_error(problem.cols, d, layer.weight, layer.gram, layer.cross);
    }
    result.scores.push_back(score);
    if (score < least) {
      least = score;
      result.alpha = c == 0 ? -1 : alphas[c - 1];
      result.multiplier = m;
    }
  }
  return result;
}

}  // namespace axe

// Quantizing one layer: validates, prepares what all rows share, quantizes blocks of rows on threads, and checks the result
// exactly. See quantize.hpp.
#include "axecert/quantize/quantize.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <numeric>

#include "axecert/bound/range.hpp"
#include "axecert/constraint/input_limit.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/numeric/tasks.hpp"
#include "axecert/quantize/corrector.hpp"
#include "axecert/quantize/input_box.hpp"
#include "axecert/quantize/linear_algebra.hpp"
#include "axecert/quantize/moments.hpp"
#include "axecert/quantize/row_block.hpp"

namespace axe {
namespace {

constexpr std::int64_t rows_per_block = 128;

void require(bool condition, const LayerProblem& problem, const std::string& what, const std::string& remedy) {
  if (!condition) {
    throw InputError("layer " + problem.name, what, remedy);
  }
}

void require_finite(const std::vector<float>& values, const LayerProblem& problem, const char* key) {
  const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (bad != values.end()) {
    throw InputError(
        "layer " + problem.name,
        std::string(key) + " has a value that is not finite at element " + std::to_string(bad - values.begin()),
        "NaN and infinity cannot be quantized");
  }
}

/// Whether the bias has the unit of a register: the step of weights and inputs is one number per row, known beforehand.
bool bias_is_integer(const LayerProblem& problem, const Datapath& datapath, const QuantizeOptions& options) {
  return (options.granularity == ScaleGranularity::row || Topology(datapath, problem.cols).nodes(0) == 1) &&
         problem.input.scaling == ActivationScaling::tensor;
}

void validate(const LayerProblem& problem, const Datapath& datapath, const QuantizeOptions& options) {
  const std::int64_t K = problem.cols, R = problem.rows;
  require(R >= 1 && K >= 1, problem, "empty layer: " + std::to_string(R) + " × " + std::to_string(K),
          "give at least one row and one column");
  require(problem.weight.size() == static_cast<std::size_t>(R * K), problem, "weight has the wrong size",
          "it must be [rows, K]");
  require(problem.gram.size() == static_cast<std::size_t>(K * K), problem, "H has the wrong size", "it must be [K, K]");
  require(problem.cross.empty() || problem.cross.size() == problem.gram.size(), problem, "G has the wrong size",
          "it must be [K, K]");
  require(problem.bias.empty() || problem.bias.size() == static_cast<std::size_t>(R), problem,
          "bias has the wrong size", "it must be [rows]");
  require_finite(problem.weight, problem, "weight");
  require_finite(problem.gram, problem, "H");
  require_finite(problem.cross, problem, "G");
  require_finite(problem.bias, problem, "bias");
  for (std::int64_t k = 0; k < K; ++k) {
    if (problem.gram[static_cast<std::size_t>(k * K + k)] < 0) {
      throw InputError("layer " + problem.name, "H has a negative diagonal at " + std::to_string(k), "H must be X̃ᵀX̃");
    }
  }
  require(std::isfinite(problem.input.scale) && problem.input.scale >= 1e-30, problem,
          "input_scale must be finite and at least 1e-30", "recalibrate the inputs");
  require(problem.input.bits >= 2 && problem.input.bits <= 8, problem, "input_bits must be 2 to 8", "");
  require(
      problem.input.zero_point >= problem.input.code_lower() && problem.input.zero_point <= problem.input.code_upper(),
      problem, "input_zero_point " + std::to_string(problem.input.zero_point) + " is outside the code range",
      "recalibrate the inputs");
  require(problem.input.scaling == ActivationScaling::tensor || problem.input.zero_point == 0, problem,
          "input_zero_point " + std::to_string(problem.input.zero_point) + " beside a zero point computed per token",
          "give 0");
  require(options.weight_bits >= 2 && options.weight_bits <= 8, problem, "weight bits must be 2 to 8", "");
  require(problem.input.limit >= 0 && problem.input.limit <= largest_input_limit, problem,
          "an input limit of " + std::to_string(problem.input.limit), "1 to 2^48, or 0 for no limit");
  if (options.constraint == Constraint::input) {
    const std::int64_t most = input_limit(Topology(datapath, K), options.largest_weight());
    require(problem.input.limit >= 1 && problem.input.limit <= most, problem,
            "constraint input beside an input limit of " + std::to_string(problem.input.limit),
            "give the activation grid a limit of 1 to " + std::to_string(most));
    require(!bias_is_integer(problem, datapath, options) || problem.bias.empty(), problem,
            "constraint input beside an integer bias", "compute activation scales per token");
  }
  require(options.dampening > 0 && std::isfinite(options.dampening) && options.target_dampening > 0 &&
              std::isfinite(options.target_dampening),
          problem, "dampening must be positive", "the usual value is 0.01");
  require(options.ridge >= 0 && std::isfinite(options.ridge), problem, "the ridge must be finite and at least 0",
          "the default is 0.03");
  require(options.box_headroom >= 0 && options.box_headroom <= 1000, problem, "the headroom of boxes must be 0 to 1000",
          "the usual value is 0.05");
  require(!std::isnan(problem.output_energy) && !std::isinf(problem.output_energy), problem,
          "the output energy is not finite", "it is ‖XWᵀ‖²_F, or below 0 when unknown");
  require(options.refinement_passes >= 0 && options.threads >= 1, problem, "passes must be ≥ 0 and threads ≥ 1", "");
  require(options.scales.empty() || options.scales.size() == static_cast<std::size_t>(R), problem,
          "fixed scales must be [rows]", "");
  for (float s : options.scales) {
    require(std::isfinite(s) && s >= 1e-30F, problem, "a fixed scale is not finite or below 1e-30",
            "scales are positive and normal");
  }
  if (options.granularity == ScaleGranularity::tile) {
    const Topology topology(datapath, K);
    require(topology.stages() == 1 && topology.nodes(0) >= 1 && datapath.stages[0].stride == 1, problem,
            "scales per tile need a datapath whose tiles are summed in floating point", "use outer=float");
    require(options.scales.empty(), problem, "fixed scales are per row", "drop the group scales or the fixed scales");
  }
}

/// The problem whose error² is that of `problem` plus η‖W − D‖², η = ridge times the mean diagonal: H + ηI and G + ηI. Inputs
/// that are always zero stay so. A bias that no register takes is left out.
LayerProblem with_ridge(LayerProblem problem, double ridge, bool with_bias) {
  if (!with_bias) {
    problem.bias.clear();
  }
  const std::int64_t K = problem.cols;
  const double eta = ridge_of(problem.gram, K, ridge);
  for (std::int64_t k = 0; k < K; ++k) {
    const auto i = static_cast<std::size_t>(k * K + k);
    if (problem.gram[i] > 0) {
      problem.gram[i] = static_cast<float>(problem.gram[i] + eta);
      if (!problem.cross.empty()) {
        problem.cross[i] = static_cast<float>(problem.cross[i] + eta);
      }
    }
  }
  return problem;
}

/// The exact check before anything is returned: no register's claimed range leaves its limits.
void require_safe(const QuantizedLayer& result, const Datapath& datapath) {
  const Topology topology(datapath, result.layer.cols);
  if (const auto node = first_overflow(layer_ranges(result.layer, topology), topology)) {
    throw std::logic_error("layer " + result.layer.name + ": row " + std::to_string(node->row) + ", stage " +
                           topology.stage(node->stage).name + ", register " + std::to_string(node->node) +
                           " leaves its register after quantization under a constraint; this is a defect of axecert");
  }
}

}  // namespace

std::int64_t QuantizeOptions::largest_weight() const {
  const std::int64_t half = std::int64_t{1} << (weight_bits - 1);
  return asymmetric_weights ? 2 * half - 1 : half;
}

QuantizeOptions QuantizeOptions::published() {
  QuantizeOptions options;
  options.strict = StrictForm::published;
  options.diffusion = Diffusion::rounding;
  options.target = WeightTarget::original;
  options.scale_choice = ScaleChoice::largest_weight;
  options.refinement_passes = 0;
  options.ridge = 0;
  return options;
}

void validate_outliers(const QuantizedLayer& q) {
  const std::string place = "layer " + q.layer.name;
  const auto count = static_cast<std::int64_t>(q.outlier_columns.size());
  if (static_cast<std::int64_t>(q.outlier_weight.size()) != count * q.layer.rows) {
    throw InputError(
        place, std::to_string(q.outlier_weight.size()) + " outlier weights for " + std::to_string(count) + " columns",
        "give [rows, columns]");
  }
  for (std::int64_t j = 0; j < count; ++j) {
    const std::int32_t column = q.outlier_columns[static_cast<std::size_t>(j)];
    if (column < 0 || column >= q.layer.cols ||
        (j > 0 && column <= q.outlier_columns[static_cast<std::size_t>(j - 1)])) {
      throw InputError(place, "outlier column " + std::to_string(column), "ascending input channels");
    }
    for (std::int64_t r = 0; r < q.layer.rows; ++r) {
      if (q.layer.row(r)[column] != 0) {
        throw InputError(
            place, "outlier column " + std::to_string(column) + " has an integer weight in row " + std::to_string(r),
            "what stays floating point is 0 among the integers");
      }
    }
  }
  if (std::any_of(q.outlier_weight.begin(), q.outlier_weight.end(), [](float w) { return !std::isfinite(w); })) {
    throw InputError(place, "an outlier weight is not finite", "repair the model");
  }
}

QuantizedLayer quantize(const LayerProblem& problem, const Datapath& datapath, const QuantizeOptions& options,
                        const std::function<void(std::int64_t, std::int64_t)>& progress) {
  const auto start = std::chrono::steady_clock::now();
  validate(problem, datapath, options);
  single_threaded_blas();
  const std::int64_t R = problem.rows, K = problem.cols;
  const InputBox box = make_input_box(problem, datapath, options.box_headroom);

  QuantizedLayer result;
  result.input = problem.input;
  result.shift = box.shift;
  result.layer.name = problem.name;
  result.layer.rows = R;
  result.layer.cols = K;
  result.layer.box_lower = box.lower;
  result.layer.box_upper = box.upper;
  for (std::int32_t c : box.shift) {
    result.layer.offset.push_back(c - problem.input.zero_point);
  }
  result.layer.zero_point_spread = box.zero_point_spread;
  result.layer.input_limit = problem.input.limit;

  const bool integer_bias = bias_is_integer(problem, datapath, options);
  const bool as_it_is = options.ridge == 0 && (integer_bias || problem.bias.empty());
  const LayerProblem regularized = as_it_is ? LayerProblem{} : with_ridge(problem, options.ridge, integer_bias);
  const LayerSetting setting(as_it_is ? problem : regularized, datapath, options, box);
  result.groups = setting.groups();
  result.weight_bits = setting.weight_bits();  // fewer than asked for when data types alone must fit
  result.statistics.dampening_raised = setting.correction().dampening_raised;
  result.statistics.dampening_used = setting.correction().dampening;
  const auto warn_of_dampening = [&](const char* what, double asked, double used) {
    if (used > asked) {
      result.warnings.push_back(std::string("H + ηI was not positive definite: dampening of the ") + what +
                                " raised from " + std::to_string(asked) + " to " + std::to_string(used) +
                                " of the mean diagonal; the constraint holds as before");
    }
  };
  warn_of_dampening("diffusion", options.dampening, setting.correction().dampening);
  warn_of_dampening("corrected target", options.target_dampening, setting.correction().target_dampening);
  for (std::uint8_t dead : setting.correction().dead) {
    result.statistics.dead_inputs += dead;
  }
  result.layer.weights.resize(static_cast<std::size_t>(R * K));
  result.scales.resize(static_cast<std::size_t>(R * setting.groups()));
  if (options.asymmetric_weights) {
    result.weight_zero_points.resize(result.scales.size());
  }
  if (!integer_bias) {  // with scales per tile or token the sum, and its bias, are real
    result.float_bias = problem.bias;
  } else if (!problem.bias.empty()) {
    result.layer.bias.resize(static_cast<std::size_t>(R));
  }

  std::int64_t done = 0;
  std::mutex mutex;
  for_each_block(R, rows_per_block, options.threads, [&](std::int64_t first, std::int64_t count) {
    const RowBlockResult rows = quantize_rows(setting, first, count);
    std::copy(rows.weights.begin(), rows.weights.end(), result.layer.weights.begin() + first * K);
    std::copy(rows.scales.begin(), rows.scales.end(), result.scales.begin() + first * setting.groups());
    if (options.asymmetric_weights) {
      std::copy(rows.zero_points.begin(), rows.zero_points.end(),
                result.weight_zero_points.begin() + first * setting.groups());
    }
    if (!result.layer.bias.empty()) {
      std::copy(rows.bias.begin(), rows.bias.end(), result.layer.bias.begin() + first);
    }
    const std::lock_guard lock(mutex);
    result.statistics.decisions += rows.counts.decisions;
    result.statistics.settled_exactly += rows.counts.settled_exactly;
    result.statistics.thresholded += rows.counts.thresholded;
    result.statistics.clipped += rows.counts.clipped;
    result.statistics.refinement_moves += rows.refinement_moves;
    done += count;
    if (progress) {
      progress(done, R);
    }
  });
  if (options.constraint ==
      Constraint::input) {  // the weights are known now: most are smaller than the worst of their width
    result.layer.input_limit = widest_input_limit(result.layer, Topology(datapath, K));
    result.input.limit = result.layer.input_limit;
  }
  if (options.constraint != Constraint::none) {
    require_safe(result, datapath);
  }
  result.statistics.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::vector<std::int64_t> groups;
  for (std::int64_t k = 0; k < K; ++k) {
    groups.push_back(setting.group(k));
  }
  result.relative_error = relative_error(problem, result.layer.weights, result.scales, groups, options.threads);
  return result;
}

double relative_error(const LayerProblem& problem, const std::vector<std::int8_t>& weights,
                      const std::vector<float>& scales, const std::vector<std::int64_t>& group_of_column, int threads) {
  if (!(problem.output_energy > 0)) {
    return -1;
  }
  const std::int64_t R = problem.rows, K = problem.cols;
  const auto groups = static_cast<std::int64_t>(scales.size()) / R;
  const auto dequantized = [&](std::int64_t row, std::int64_t k) {
    const std::int64_t group = groups == 1 ? 0 : group_of_column[static_cast<std::size_t>(k)];
    return static_cast<double>(scales[static_cast<std::size_t>(row * groups + group)]) *
           weights[static_cast<std::size_t>(row * K + k)];
  };
  // Squared error of each block of rows, added in their order: the same for any number of threads.
  std::vector<double> errors(static_cast<std::size_t>((R + rows_per_block - 1) / rows_per_block));
  double error = 0;
  if (problem.cross.empty()) {  // Σ (W − D) H ∘ (W − D): nothing cancels, so that single precision, H's own, suffices
    for_each_block(R, rows_per_block, threads, [&](std::int64_t first, std::int64_t count) {
      std::vector<float> left(static_cast<std::size_t>(count * K)), product(left.size(), 0);
      for (std::int64_t i = 0; i < count * K; ++i) {
        left[static_cast<std::size_t>(i)] =
            static_cast<float>(problem.weight[static_cast<std::size_t>(first * K + i)] - dequantized(first + i / K, i % K));
      }
      multiply_add(count, K, K, {left.data(), K}, {problem.gram.data(), K}, product.data(), K);
      errors[static_cast<std::size_t>(first / rows_per_block)] =
          std::inner_product(left.begin(), left.end(), product.begin(), 0.0);
    });
  } else {  // energy + Σ (D·H) ∘ D − 2 Σ (D·G) ∘ W
    const std::vector<double> gram(problem.gram.begin(), problem.gram.end());
    const std::vector<double> cross(problem.cross.begin(), problem.cross.end());
    for_each_block(R, rows_per_block, threads, [&](std::int64_t first, std::int64_t count) {
      std::vector<double> d(static_cast<std::size_t>(count * K)), with_gram(d.size(), 0), with_cross(d.size(), 0);
      for (std::int64_t i = 0; i < count * K; ++i) {
        d[static_cast<std::size_t>(i)] = dequantized(first + i / K, i % K);
      }
      multiply_add(count, K, K, {d.data(), K}, {gram.data(), K}, with_gram.data(), K);
      multiply_add(count, K, K, {d.data(), K}, {cross.data(), K}, with_cross.data(), K);
      double& sum = errors[static_cast<std::size_t>(first / rows_per_block)];
      for (std::size_t i = 0; i < d.size(); ++i) {
        sum += d[i] * with_gram[i] -
               2 * with_cross[i] * static_cast<double>(problem.weight[static_cast<std::size_t>(first * K) + i]);
      }
    });
    error = problem.output_energy;
  }
  error = std::accumulate(errors.begin(), errors.end(), error);
  return std::sqrt(std::max(0.0, error / problem.output_energy));
}

std::string to_text(Corrector corrector) {
  switch (corrector) {
    case Corrector::none:
      return "none";
    case Corrector::optq:
      return "optq";
    case Corrector::gpfq:
      return "gpfq";
    case Corrector::qronos:
      return "qronos";
  }
  return "?";
}

std::string to_text(ScaleChoice choice) {
  switch (choice) {
    case ScaleChoice::largest_weight:
      return "max";
    case ScaleChoice::weight_error:
      return "mse";
    case ScaleChoice::search:
      return "search";
  }
  return "?";
}

std::string to_text(Constraint constraint) {
  switch (constraint) {
    case Constraint::none:
      return "none";
    case Constraint::datatype:
      return "datatype";
    case Constraint::input:
      return "input";
    case Constraint::ep_init:
      return "ep-init";
    case Constraint::axe:
      return "axe";
  }
  return "?";
}

}  // namespace axe

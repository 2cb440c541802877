// quantize() over the product of everything that can be combined: corrector × constraint × operand form × weights' symmetry ×
// scale granularity × strict form × datapath, on small adversarial layers. Safety, the reported error, and the layer that the
// integers stand for are recomputed here from X, X̃ and the codes.
#include <array>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "../synthetic_layer.hpp"
#include "axecert/bound/range.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/quantize/quantize.hpp"

using namespace axe;
using axe::test::Recipe;
using axe::test::synthetic_layer;
using axe::test::SyntheticLayer;

namespace {

constexpr Corrector correctors[] = {Corrector::none, Corrector::optq, Corrector::gpfq, Corrector::qronos};
constexpr Constraint constraints[] = {Constraint::none, Constraint::datatype, Constraint::ep_init, Constraint::axe};
const char* const forms[] = {"u8", "s8", "box"};

/// Saturating pairs under an outer register, for every operand form; so narrow that both bind.
Datapath pairs(ActivationForm form) {
  Datapath datapath = parse_datapath("x86-avx2-maddubs");
  datapath.form = form;
  if (form != ActivationForm::raw) {
    datapath.activations = {-128, 127};
  }
  datapath.stages[0].width = 12;
  datapath.stages[1].width = 14;
  datapath.stages[1].limits = Limits::symmetric;
  return datapath;
}

Datapath datapath_of(int shape, int form, bool float_outside) {
  const std::string tail = std::string(float_outside ? ",outer=float" : "") + ",act=" + forms[form];
  switch (shape) {
    case 0:
      return parse_datapath("axe:P=13" + tail);
    case 1:
      return parse_datapath("axe:P=11,T=4" + std::string(float_outside ? "" : ",outer=13") + tail);
    case 2:
      return parse_datapath("axe:P=12,T=7" + tail);
    default:
      return pairs(static_cast<ActivationForm>(form));
  }
}

bool fits(const QuantizedLayer& result, const Datapath& datapath) {
  const Topology topology(datapath, result.layer.cols);
  const std::vector<StageRanges> ranges = layer_ranges(result.layer, topology);
  bool inside = true;
  for (std::size_t s = 0; s < ranges.size(); ++s) {
    const IntegerRange limits = register_limits(topology.stage(s));
    for (std::size_t i = 0; i < ranges[s].lower.size(); ++i) {
      inside = inside && ranges[s].lower[i] >= limits.lower && ranges[s].upper[i] <= limits.upper;
    }
  }
  return inside;
}

std::int64_t group_of(const QuantizedLayer& result, const Datapath& datapath, std::int64_t k) {
  return result.groups == 1 ? 0 : Topology(datapath, result.layer.cols).node_of_product(0, k);
}

std::vector<double> dequantized(const QuantizedLayer& result, const Datapath& datapath) {
  std::vector<double> d;
  for (std::int64_t r = 0; r < result.layer.rows; ++r) {
    for (std::int64_t k = 0; k < result.layer.cols; ++k) {
      const auto at = static_cast<std::size_t>(r * result.groups + group_of(result, datapath, k));
      d.push_back(static_cast<double>(result.scales[at]) * result.layer.row(r)[k]);
    }
  }
  return d;
}

/// ‖X̃(W − D)ᵀ‖ / ‖XWᵀ‖ from H, term by term.
double error_alone(const LayerProblem& problem, const std::vector<double>& d) {
  const std::int64_t K = problem.cols;
  double sum = 0;
  for (std::int64_t r = 0; r < problem.rows; ++r) {
    const auto left = [&](std::int64_t k) {
      const auto i = static_cast<std::size_t>(r * K + k);
      return static_cast<double>(problem.weight[i]) - d[i];
    };
    for (std::int64_t i = 0; i < K; ++i) {
      for (std::int64_t k = 0; k < K; ++k) {
        sum += left(i) * static_cast<double>(problem.gram[static_cast<std::size_t>(i * K + k)]) * left(k);
      }
    }
  }
  return problem.output_energy > 0 ? std::sqrt(std::max(0.0, sum) / problem.output_energy) : -1;
}

/// ‖XWᵀ − X̃Dᵀ‖ / ‖XWᵀ‖ on the data.
double error_by_definition(const SyntheticLayer& s, const std::vector<double>& d) {
  const std::int64_t K = s.problem.cols;
  double error = 0;
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    for (std::int64_t r = 0; r < s.problem.rows; ++r) {
      double difference = 0;
      for (std::int64_t k = 0; k < K; ++k) {
        const auto i = static_cast<std::size_t>(t * K + k), j = static_cast<std::size_t>(r * K + k);
        difference += s.x[i] * static_cast<double>(s.problem.weight[j]) - s.quantized[i] * d[j];
      }
      error += difference * difference;
    }
  }
  return std::sqrt(error / s.problem.output_energy);
}

/// The largest distance, in steps of s·s_x, between what the integers give (operands as the clamp makes them from the codes,
/// times the integer weights, plus the constant) and X̃Dᵀ + bias.
double distance_in_steps(const SyntheticLayer& s, const QuantizedLayer& result, const Datapath& datapath,
                         const std::vector<double>& d) {
  const std::int64_t K = s.problem.cols;
  double furthest = 0;
  for (std::int64_t t = 0; t < s.tokens; t += 7) {
    for (std::int64_t r = 0; r < s.problem.rows; ++r) {
      std::vector<std::int64_t> sums(static_cast<std::size_t>(result.groups), 0);
      double real = 0;
      for (std::int64_t k = 0; k < K; ++k) {
        const auto channel = static_cast<std::size_t>(k);
        const std::int32_t shift = result.shift[result.shift.size() == 1 ? 0 : channel];
        const std::int32_t offset = result.layer.offset[result.layer.offset.size() == 1 ? 0 : channel];
        const std::int32_t code = s.codes[static_cast<std::size_t>(t * K + k)];
        const std::int32_t operand = std::clamp(code - shift, result.layer.lower(k), result.layer.upper(k));
        sums[static_cast<std::size_t>(group_of(result, datapath, k))] +=
            std::int64_t{result.layer.row(r)[k]} * (operand + offset);
        real += s.quantized[static_cast<std::size_t>(t * K + k)] * d[static_cast<std::size_t>(r * K + k)];
      }
      double integer = 0;
      const double step =
          static_cast<double>(result.scales[static_cast<std::size_t>(r * result.groups)]) * result.input.scale;
      for (std::int64_t g = 0; g < result.groups; ++g) {
        integer += static_cast<double>(result.scales[static_cast<std::size_t>(r * result.groups + g)]) *
                   result.input.scale * static_cast<double>(sums[static_cast<std::size_t>(g)]);
      }
      if (!s.problem.bias.empty() && result.groups == 1) {
        integer += step * static_cast<double>(result.layer.bias[static_cast<std::size_t>(r)]);
        real += s.problem.bias[static_cast<std::size_t>(r)];
      }
      furthest = std::max(furthest, std::fabs(integer - real) / step);
    }
  }
  return furthest;
}

std::string words(const QuantizeOptions& o, const Datapath& datapath) {
  return to_text(o.corrector) + " " + to_text(o.constraint) + (o.asymmetric_weights ? " asymmetric" : " symmetric") +
         (o.granularity == ScaleGranularity::tile ? " tile scales" : " row scales") +
         (o.strict == StrictForm::published ? " published " : " exact ") + datapath.name + " form " +
         to_text(datapath.form) + " scales " + to_text(o.scale_choice) + " passes " +
         std::to_string(o.refinement_passes);
}

std::vector<SyntheticLayer> adversarial_layers() {
  return {
      synthetic_layer({.rows = 3,
                       .cols = 23,
                       .tokens = 80,
                       .seed = 11,
                       .correlation = 0.98,
                       .outliers = 0.15,
                       .quiet_channels = true,
                       .bias = true}),
      synthetic_layer({.rows = 2, .cols = 23, .tokens = 80, .seed = 12, .correlation = 0.9, .mean = 1.5, .bias = true}),
      synthetic_layer({.rows = 2,
                       .cols = 23,
                       .tokens = 80,
                       .seed = 13,
                       .correlation = 0.5,
                       .input_bits = 4,
                       .input_signed = true})};
}

/// Calls check(layer, datapath, options) for the whole product; combinations that have no meaning are left out.
template <class Check>
int for_all(const std::vector<SyntheticLayer>& layers, const Check& check) {
  int count = 0;
  for (int shape = 0; shape < 4; ++shape) {
    for (int form = 0; form < 3; ++form) {
      for (const bool tile_scales : {false, true}) {
        if (tile_scales && shape == 3) {
          continue;  // pairs are summed in integers
        }
        const Datapath datapath = datapath_of(shape, form, tile_scales);
        for (const SyntheticLayer& layer : layers) {
          if (layer.problem.input.is_signed && form == 0) {
            continue;  // signed codes do not fit an unsigned operand
          }
          for (const Corrector corrector : correctors) {
            for (const Constraint constraint : constraints) {
              for (const bool asymmetric : {false, true}) {
                for (const StrictForm strict : {StrictForm::exact, StrictForm::published}) {
                  QuantizeOptions options;
                  options.corrector = corrector;
                  options.constraint = constraint;
                  options.asymmetric_weights = asymmetric;
                  options.granularity = tile_scales ? ScaleGranularity::tile : ScaleGranularity::row;
                  options.strict = strict;
                  options.scale_choice = std::array{ScaleChoice::search, ScaleChoice::largest_weight, ScaleChoice::weight_error, ScaleChoice::search}[static_cast<std::size_t>(count) % 4];
                  options.refinement_passes = count % 3;
                  options.target = count % 5 < 2 ? WeightTarget::original : WeightTarget::corrected;
                  options.diffusion = count % 7 < 3 ? Diffusion::rounding : Diffusion::whole;
                  check(layer, datapath, options);
                  ++count;
                }
              }
            }
          }
        }
      }
    }
  }
  return count;
}

/// A datapath on which no weight width of two bits fits by data types alone.
bool refused_by_data_types(const InputError& e) {
  return std::string(e.what()).find("data types alone") != std::string::npos;
}

}  // namespace

// TOR-501, TOR-406
TEST_CASE("whatever is combined: registers fit, the error is the definition's, and the integers are the layer") {
  int refused = 0, checked = 0, tight = 0;
  const std::vector<SyntheticLayer> layers = adversarial_layers();
  for_all(layers, [&](const SyntheticLayer& s, const Datapath& datapath, const QuantizeOptions& options) {
    CAPTURE(words(options, datapath));
    QuantizedLayer result;
    try {
      result = quantize(s.problem, datapath, options);
    } catch (const InputError& e) {
      REQUIRE(options.constraint == Constraint::datatype);
      REQUIRE(refused_by_data_types(e));
      ++refused;
      return;
    }
    validate(result.layer, datapath);
    if (options.constraint == Constraint::none) {
      tight += fits(result, datapath) ? 0 : 1;
    } else {
      CHECK(fits(result, datapath));
    }
    const std::vector<double> d = dequantized(result, datapath);
    const double error = error_by_definition(s, d);
    // Relative to the energy, single precision keeps 1e-6 of the squared error along the way, and the Gram matrices 1e-7.
    const auto squares_differ_by = [error](double reported) { return std::fabs(reported * reported - error * error); };
    CHECK(squares_differ_by(result.relative_error) <= 2e-6 + 2e-6 * error * error);
    std::vector<std::int64_t> groups;
    for (std::int64_t k = 0; k < s.problem.cols; ++k) {
      groups.push_back(group_of(result, datapath, k));
    }
    CHECK(squares_differ_by(relative_error(s.problem, result.layer.weights, result.scales, groups)) <=
          2e-7 + 2e-7 * error * error);
    if (checked % 16 == 0) {
      LayerProblem alone = s.problem;
      alone.cross.clear();
      const double found = relative_error(alone, result.layer.weights, result.scales, groups);
      CHECK(found == doctest::Approx(error_alone(alone, d)).epsilon(1e-5));
      CHECK(found == relative_error(alone, result.layer.weights, result.scales, groups, 3));
      CHECK(result.relative_error == relative_error(s.problem, result.layer.weights, result.scales, groups, 3));
    }
    // Half a step is what the bias may be rounded by; float adds next to nothing.
    CHECK(distance_in_steps(s, result, datapath, d) <= (s.problem.bias.empty() ? 1e-6 : 0.5 + 1e-6));
    CHECK(result.weight_zero_points.empty() == !options.asymmetric_weights);
    for (std::size_t i = 0; i < result.layer.weights.size(); ++i) {
      const std::int32_t zero_point =
          options.asymmetric_weights
              ? result
                    .weight_zero_points[i / static_cast<std::size_t>(s.problem.cols) *
                                            static_cast<std::size_t>(result.groups) +
                                        static_cast<std::size_t>(groups[i % static_cast<std::size_t>(s.problem.cols)])]
              : 8;
      REQUIRE(result.layer.weights[i] + zero_point >= 0);
      REQUIRE(result.layer.weights[i] + zero_point <= 15);
    }
    ++checked;
  });
  CHECK(checked > 1500);
  CHECK(refused < checked / 4);
  CHECK(tight > 200);  // without a constraint these layers do overflow
}

TEST_CASE("refinement never makes the error worse, and neither does the search") {
  const std::vector<SyntheticLayer> layers = adversarial_layers();
  for_all({layers[0]}, [&](const SyntheticLayer& s, const Datapath& datapath, QuantizeOptions options) {
    if (options.constraint == Constraint::datatype) {
      return;
    }
    CAPTURE(words(options, datapath));
    options.ridge = 0;  // with one, what gets no worse is the error and the ridge together
    options.scale_choice = ScaleChoice::largest_weight;
    options.refinement_passes = 0;
    const double plain = quantize(s.problem, datapath, options).relative_error;
    options.refinement_passes = 8;
    CHECK(quantize(s.problem, datapath, options).relative_error <= plain * (1 + 1e-5));
    options.scale_choice = ScaleChoice::search;
    options.refinement_passes = 0;
    const double searched = quantize(s.problem, datapath, options).relative_error;
    CHECK(searched <= plain * (1 + 1e-5));
    options.refinement_passes = 8;
    // Its descents start elsewhere, so each is not better than each; against the plain sweep it is.
    CHECK(quantize(s.problem, datapath, options).relative_error <= plain * (1 + 1e-5));
  });
}

TEST_CASE("the result does not depend on the number of threads") {
  const SyntheticLayer s =
      synthetic_layer({.rows = 300, .cols = 20, .tokens = 60, .seed = 21, .outliers = 0.1, .bias = true});
  for (const Corrector corrector : correctors) {
    for (const char* name : {"axe:P=12,T=7,outer=16", "axe:P=13,act=box"}) {
      QuantizeOptions options;
      options.corrector = corrector;
      const Datapath datapath = parse_datapath(name);
      const QuantizedLayer one = quantize(s.problem, datapath, options);
      for (const int threads : {2, 3}) {
        options.threads = threads;
        const QuantizedLayer many = quantize(s.problem, datapath, options);
        CHECK(many.layer.weights == one.layer.weights);
        CHECK(many.layer.bias == one.layer.bias);
        CHECK(many.scales == one.scales);
        CHECK(many.relative_error == one.relative_error);
        CHECK(many.statistics.decisions == one.statistics.decisions);
        CHECK(many.statistics.settled_exactly == one.statistics.settled_exactly);
        CHECK(many.statistics.clipped == one.statistics.clipped);
        CHECK(many.statistics.thresholded == one.statistics.thresholded);
        CHECK(many.statistics.refinement_moves == one.statistics.refinement_moves);
      }
    }
  }
}

TEST_CASE("a tighter register costs error, and boxes cost less than re-centring, which costs less than raw codes") {
  const SyntheticLayer s = synthetic_layer({.rows = 12, .cols = 64, .tokens = 400, .seed = 31, .quiet_channels = true});
  const auto error = [&](const std::string& datapath) {
    return quantize(s.problem, parse_datapath(datapath), {}).relative_error;
  };
  CHECK(error("axe:P=11") > 1.05 * error("axe:P=12"));
  CHECK(error("axe:P=12") > 1.05 * error("axe:P=14"));
  CHECK(error("axe:P=12") > error("axe:P=12,act=s8"));
  CHECK(error("axe:P=12,act=s8") > 1.02 * error("axe:P=12,act=box"));
}

TEST_CASE("a small error is reported as exactly as a large one") {
  const SyntheticLayer s = synthetic_layer({.rows = 4, .cols = 40, .tokens = 400, .seed = 41, .correlation = 0.2});
  QuantizeOptions options;
  options.weight_bits = 8;
  const Datapath datapath = parse_datapath("axe:P=32");
  const QuantizedLayer result = quantize(s.problem, datapath, options);
  const double error = error_by_definition(s, dequantized(result, datapath));
  CHECK(error < 0.02);
  CHECK(result.relative_error == doctest::Approx(error).epsilon(2e-3));
}

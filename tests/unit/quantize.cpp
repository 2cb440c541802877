// quantize() on bad and degenerate input: a correct result or an error that names the layer and the remedy, never a crash, a NaN
// or a register that overflows; and what the statistics and warnings say.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "../synthetic_layer.hpp"
#include "axecert/bound/range.hpp"
#include "axecert/constraint/input_limit.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/quantize/quantize.hpp"

using namespace axe;
using axe::test::synthetic_layer;
using axe::test::SyntheticLayer;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

LayerProblem small(bool bias = false) {
  return synthetic_layer({.rows = 3, .cols = 12, .tokens = 60, .seed = 2, .bias = bias}).problem;
}

/// Quantizes, and claims what must hold of every result.
QuantizedLayer run(const LayerProblem& problem, const std::string& datapath_text, const QuantizeOptions& options = {}) {
  const Datapath datapath = parse_datapath(datapath_text);
  const QuantizedLayer result = quantize(problem, datapath, options);
  validate(result.layer, datapath);
  const Topology topology(datapath, problem.cols);
  const std::vector<StageRanges> ranges = layer_ranges(result.layer, topology);
  for (std::size_t s = 0; s < ranges.size(); ++s) {
    const IntegerRange limits = register_limits(topology.stage(s));
    for (std::size_t i = 0; i < ranges[s].lower.size(); ++i) {
      REQUIRE(ranges[s].lower[i] >= limits.lower);
      REQUIRE(ranges[s].upper[i] <= limits.upper);
    }
  }
  for (float scale : result.scales) {
    REQUIRE(std::isfinite(scale));
    REQUIRE(scale > 0);
  }
  REQUIRE_FALSE(std::isnan(result.relative_error));
  return result;
}

std::string refusal(const LayerProblem& problem, const std::string& datapath, const QuantizeOptions& options = {}) {
  try {
    quantize(problem, parse_datapath(datapath), options);
  } catch (const InputError& e) {
    return e.what();
  }
  return "accepted";
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

QuantizeOptions with(Corrector corrector) {
  QuantizeOptions options;
  options.corrector = corrector;
  return options;
}

constexpr Corrector correctors[] = {Corrector::none, Corrector::optq, Corrector::gpfq, Corrector::qronos};

}  // namespace

TEST_CASE("one column, one row, one tile longer than the row, ragged tiles") {
  for (const Corrector corrector : correctors) {
    for (const char* datapath : {"axe:P=8", "axe:P=8,T=64", "axe:P=8,T=1", "axe:P=12,T=5",
                                 "axe:P=10,T=7,outer=12,act=s8", "x86-avx2-maddubs"}) {
      CAPTURE(datapath);
      run(synthetic_layer({.rows = 1, .cols = 1, .tokens = 9}).problem, datapath, with(corrector));
      run(synthetic_layer({.rows = 1, .cols = 13, .tokens = 40}).problem, datapath, with(corrector));
      run(synthetic_layer({.rows = 5, .cols = 1, .tokens = 9}).problem, datapath, with(corrector));
    }
  }
}

TEST_CASE("fewer tokens than columns: H is singular, and dampened") {
  for (const Corrector corrector : correctors) {
    run(synthetic_layer({.rows = 2, .cols = 30, .tokens = 3}).problem, "axe:P=12,T=7", with(corrector));
  }
}

TEST_CASE("rows of zeros stay zeros, and lose nothing") {
  for (const Corrector corrector : correctors) {
    LayerProblem problem = small();
    std::fill_n(problem.weight.begin() + problem.cols, problem.cols, 0.0F);
    const QuantizedLayer result = run(problem, "axe:P=12", with(corrector));
    for (std::int64_t k = 0; k < problem.cols; ++k) {
      CHECK(result.layer.row(1)[k] == 0);
    }
  }
  LayerProblem problem = small();
  std::fill(problem.weight.begin(), problem.weight.end(), 0.0F);
  problem.output_energy = 0;
  CHECK(run(problem, "axe:P=12").relative_error == -1);
}

TEST_CASE("a row of zeros keeps its bias") {
  for (const bool search : {true, false}) {
    for (const char* datapath : {"axe:P=12", "axe:P=12,outer=16"}) {
      CAPTURE(search);
      CAPTURE(datapath);
      LayerProblem problem = small(true);
      std::fill_n(problem.weight.begin() + problem.cols, problem.cols, 0.0F);
      problem.bias[1] = 0.75F;
      QuantizeOptions options;
      options.scale_choice = search ? ScaleChoice::search : ScaleChoice::largest_weight;
      const QuantizedLayer result = run(problem, datapath, options);
      CHECK(static_cast<double>(result.scales[1]) * problem.input.scale * static_cast<double>(result.layer.bias[1]) ==
            doctest::Approx(0.75).epsilon(0.01));
    }
  }
}

TEST_CASE("dead inputs get weight 0 and are counted; all dead is a layer of zeros") {
  for (const Corrector corrector : correctors) {
    LayerProblem problem = small();
    const auto K = static_cast<std::size_t>(problem.cols);
    for (const std::size_t dead : {std::size_t{0}, std::size_t{7}}) {
      for (std::size_t j = 0; j < K; ++j) {
        problem.gram[dead * K + j] = problem.gram[j * K + dead] = problem.cross[dead * K + j] = 0;
      }
    }
    const QuantizedLayer result = run(problem, "axe:P=12", with(corrector));
    CHECK(result.statistics.dead_inputs == 2);
    for (std::int64_t r = 0; r < problem.rows; ++r) {
      CHECK(result.layer.row(r)[0] == 0);
      CHECK(result.layer.row(r)[7] == 0);
    }
    std::fill(problem.gram.begin(), problem.gram.end(), 0.0F);
    std::fill(problem.cross.begin(), problem.cross.end(), 0.0F);
    const QuantizedLayer none = run(problem, "axe:P=12", with(corrector));
    CHECK(none.statistics.dead_inputs == problem.cols);
    CHECK(std::count(none.layer.weights.begin(), none.layer.weights.end(), 0) ==
          static_cast<std::ptrdiff_t>(none.layer.weights.size()));
    CHECK(none.relative_error == doctest::Approx(1));
  }
}

TEST_CASE("NaN and infinity are refused by name, wherever they stand") {
  for (const float bad : {not_a_number, infinity, -infinity}) {
    LayerProblem problem = small(true);
    problem.weight[5] = bad;
    CHECK(says(refusal(problem, "axe:P=12"), "weight has a value that is not finite at element 5"));
    problem = small(true);
    problem.gram[30] = bad;
    CHECK(says(refusal(problem, "axe:P=12"), "H has a value that is not finite"));
    problem = small(true);
    problem.cross[30] = bad;
    CHECK(says(refusal(problem, "axe:P=12"), "G has a value that is not finite"));
    problem = small(true);
    problem.bias[2] = bad;
    CHECK(says(refusal(problem, "axe:P=12"), "bias has a value that is not finite"));
    problem = small();
    problem.input.scale = static_cast<double>(bad);
    CHECK(says(refusal(problem, "axe:P=12"), "input_scale"));
    QuantizeOptions options;
    options.scales = {1, bad, 1};
    CHECK(says(refusal(small(), "axe:P=12", options), "scale"));
    options = {};
    options.dampening = static_cast<double>(bad);
    CHECK(says(refusal(small(), "axe:P=12", options), "dampening"));
    options = {};
    options.box_headroom = static_cast<double>(bad);
    CHECK(says(refusal(small(), "axe:P=12,act=box", options), "headroom"));
  }
}

TEST_CASE("an energy that is no energy gives no relative error of 0") {
  for (const double bad : {static_cast<double>(infinity), static_cast<double>(not_a_number)}) {
    LayerProblem problem = small();
    problem.output_energy = bad;
    double error = -1;
    try {
      error = quantize(problem, parse_datapath("axe:P=12"), {}).relative_error;
    } catch (const InputError&) {
    }
    CHECK(error == -1);
  }
}

TEST_CASE("scales of zero, below zero and denormal are refused; tiny and huge ones work") {
  for (const double scale : {0.0, -1.0, 1e-310, 1e-45}) {
    LayerProblem problem = small();
    problem.input.scale = scale;
    CHECK(says(refusal(problem, "axe:P=12"), "input_scale"));
    QuantizeOptions options;
    options.scales = {1, static_cast<float>(scale), 1};
    CHECK(says(refusal(small(), "axe:P=12", options), "fixed scale"));
  }
  for (const float factor : {1e-12F, 1e12F}) {
    LayerProblem problem = small();
    for (float& w : problem.weight) {
      w *= factor;
    }
    problem.output_energy *= static_cast<double>(factor) * static_cast<double>(factor);
    CHECK(run(problem, "axe:P=12").relative_error ==
          doctest::Approx(run(small(), "axe:P=12").relative_error).epsilon(0.05));
  }
}

TEST_CASE(
    "weights at the end of single precision: refused as weights where an error in it is needed, else quantized as "
    "ever") {
  LayerProblem problem = small();
  for (float& w : problem.weight) {
    w *= 1e38F;
  }
  problem.output_energy *= 1e76;
  const std::string text = refusal(problem, "axe:P=12", QuantizeOptions{});
  CAPTURE(text);
  CHECK_FALSE(says(text, "bias"));
  CHECK(says(text, "single precision"));
  // One sweep and nothing to choose between: no error is formed, and nothing overflows.
  const QuantizedLayer huge = run(problem, "axe:P=12", QuantizeOptions::published());
  const QuantizedLayer usual = run(small(), "axe:P=12", QuantizeOptions::published());
  CHECK(huge.relative_error == doctest::Approx(usual.relative_error).epsilon(0.05));
  // Candidates that overflow are noticed, though no error is formed.
  for (float& w : problem.weight) {
    w = w > 0 ? 3e38F : -3e38F;
  }
  QuantizeOptions summing = QuantizeOptions::published();
  summing.corrector = Corrector::gpfq;  // sums products of G and W
  const std::string overflow = refusal(problem, "axe:P=12", summing);
  CAPTURE(overflow);
  CHECK(says(overflow, "single precision"));
}

// TOR-501
TEST_CASE("registers of one bit hold only zeros") {
  for (const Constraint constraint : {Constraint::axe, Constraint::ep_init}) {
    QuantizeOptions options;
    options.constraint = constraint;
    const QuantizedLayer result = run(small(), "axe:P=1", options);
    CHECK(std::count(result.layer.weights.begin(), result.layer.weights.end(), 0) == 36);
    run(small(), "axe:P=16,outer=1", options);
    CHECK(says(refusal(small(true), "axe:P=16,outer=1", options), "bias"));
  }
  QuantizeOptions options;
  options.constraint = Constraint::datatype;
  CHECK(says(refusal(small(), "axe:P=1", options), "data types alone"));
  run(small(), "axe:P=64,outer=64");
}

TEST_CASE("limited inputs: any weights fit, and a limit that is too large or missing is refused") {
  QuantizeOptions options;
  options.constraint = Constraint::input;
  LayerProblem problem = small(true);
  problem.input = {1, 0, 8, true, ActivationScaling::token, 100};
  const QuantizedLayer result = run(problem, "axe:P=12,act=s8", options);
  CHECK(result.layer.input_limit >= 2047 / 8);  // widened: these weights leave room
  const Topology topology(parse_datapath("axe:P=12,act=s8"), 12);
  CHECK(result.layer.input_limit == widest_input_limit(result.layer, topology));
  CHECK(result.input.limit == result.layer.input_limit);
  QuantizeOptions free = options;
  free.constraint = Constraint::none;
  CHECK(quantize(problem, parse_datapath("axe:P=12,act=s8"), free).layer.weights == result.layer.weights);
  problem.input.limit = 2047 / 8;
  run(problem, "axe:P=12,act=s8", options);
  ++problem.input.limit;
  CHECK(says(refusal(problem, "axe:P=12,act=s8", options), "1 to 255"));
  problem.input.limit = 0;
  CHECK(says(refusal(problem, "axe:P=12,act=s8", options), "1 to 255"));
  problem.input.limit = -1;
  CHECK(says(refusal(problem, "axe:P=12,act=s8", free), "input limit"));
}

TEST_CASE("a register above the one that starts from the bias pays for it too") {
  Datapath datapath = parse_datapath("axe:P=20,outer=11");
  datapath.stages[0].initial = Initial::constant;
  datapath.stages[1].initial = Initial::zero;
  LayerProblem problem = small(true);
  for (float& b : problem.bias) {
    b *= 4;
  }
  const QuantizedLayer result = quantize(problem, datapath, {});  // which checks every register itself
  CHECK(std::any_of(result.layer.bias.begin(), result.layer.bias.end(), [](std::int64_t b) { return std::abs(b) > 30; }));
  CHECK(std::any_of(result.layer.weights.begin(), result.layer.weights.end(), [](int w) { return w != 0; }));
}

// TOR-501
TEST_CASE("a bias that no scale makes small enough is refused; one that a coarser scale carries is not") {
  LayerProblem problem = small(true);
  problem.bias[1] = 1e20F;
  CHECK(says(refusal(problem, "axe:P=12"), "row 1"));
  CHECK(says(refusal(problem, "axe:P=12"), "bias"));
  // With the register full at 1.5 times the max-based scale, only coarser scales are left.
  problem = small(true);
  std::fill(problem.bias.begin(), problem.bias.end(), 0.0F);
  float largest = 0;
  for (std::int64_t k = 0; k < problem.cols; ++k) {
    largest = std::max(largest, std::fabs(problem.weight[static_cast<std::size_t>(k)]));
  }
  const double scale = 1.5 * static_cast<double>(largest) / 8;
  problem.bias.resize(1);
  problem.weight.resize(static_cast<std::size_t>(problem.cols));
  problem.rows = 1;
  problem.bias[0] = static_cast<float>(scale * problem.input.scale * 2047);
  const QuantizedLayer result = run(problem, "axe:P=32,outer=12");
  CHECK(static_cast<double>(result.scales[0]) > scale * 0.99);
}

// TOR-501
TEST_CASE("a scale that is fitted to the integers does not push the bias out of its register") {
  // G = 0.2 H: fitted scales are far below the max-based ones, and a bias of half the register would leave it.
  SyntheticLayer s = synthetic_layer({.rows = 1, .cols = 8, .tokens = 60, .seed = 4});
  for (std::size_t i = 0; i < s.problem.gram.size(); ++i) {
    s.problem.cross[i] = 0.2F * s.problem.gram[i];
  }
  float largest = 0;
  for (float w : s.problem.weight) {
    largest = std::max(largest, std::fabs(w));
  }
  s.problem.bias = {
      static_cast<float>(0.999 * 0.8 * static_cast<double>(largest) / 8 * s.problem.input.scale * ((1 << 19) / 2 - 1))};
  for (const Constraint constraint : {Constraint::axe, Constraint::datatype}) {
    QuantizeOptions options;
    options.constraint = constraint;
    options.corrector = Corrector::none;
    options.target = WeightTarget::original;
    CHECK_NOTHROW(run(s.problem, "axe:P=32,outer=20", options));
  }
}

// TOR-501
TEST_CASE("H that is not positive semidefinite: dampening is raised, said so, and the constraint is kept") {
  for (const Corrector corrector : {Corrector::optq, Corrector::qronos}) {
    LayerProblem problem = small();
    const auto K = static_cast<std::size_t>(problem.cols);
    const float size = problem.gram[0];
    problem.gram[1] = problem.gram[K] = 3 * size;  // an eigenvalue near −2·size
    const QuantizedLayer result = run(problem, "axe:P=12", with(corrector));
    CHECK(result.statistics.dampening_raised >= 2);
    CHECK(result.statistics.dampening_used >= 1);
    REQUIRE(result.warnings.size() == 2);  // both factorizations are of this H
    CHECK(says(result.warnings[0], "dampening of the diffusion raised from 0.01"));
    CHECK(says(result.warnings[1], "dampening of the corrected target raised from 0.001"));
  }
  LayerProblem problem = small();
  problem.gram[0] = -1;
  CHECK(says(refusal(problem, "axe:P=12"), "negative diagonal at 0"));
  CHECK(run(small(), "axe:P=12").warnings.empty());
}

TEST_CASE("a warning about dampening names what was raised") {
  // An eigenvalue of −0.5 % of the mean diagonal: the diffusion's 1 % suffices, the target's 0.1 % does not.
  LayerProblem problem = small();
  const auto K = static_cast<std::size_t>(problem.cols);
  std::fill(problem.gram.begin(), problem.gram.end(), 0.0F);
  for (std::size_t k = 0; k < K; ++k) {
    problem.gram[k * K + k] = 1000;
  }
  problem.gram[1] = problem.gram[K] = 1005;
  QuantizeOptions options;
  options.ridge = 0;
  const QuantizedLayer result = run(problem, "axe:P=12", options);
  CHECK(result.statistics.dampening_raised == 1);
  REQUIRE(result.warnings.size() == 1);
  CHECK(says(result.warnings[0], "dampening of the corrected target raised from 0.001"));
  CHECK(result.statistics.dampening_used == 0.01);
}

TEST_CASE("the ridge is η‖W − D‖² beside the error: the same integers as with η on the diagonals of H and G") {
  for (const bool with_cross : {false, true}) {
    LayerProblem problem = small();
    const auto K = static_cast<std::size_t>(problem.cols);
    if (!with_cross) {
      problem.cross.clear();
    }
    for (std::size_t k = 0; k < K; ++k) {  // a dead input: its diagonal stays 0
      problem.gram[2 * K + k] = problem.gram[k * K + 2] = 0;
    }
    LayerProblem ridged = problem;
    double trace = 0;
    for (std::size_t k = 0; k < K; ++k) {
      trace += static_cast<double>(problem.gram[k * K + k]);
    }
    const double eta = 0.5 * trace / static_cast<double>(K);
    for (std::size_t k = 0; k < K; ++k) {
      if (k != 2) {
        ridged.gram[k * K + k] = static_cast<float>(ridged.gram[k * K + k] + eta);
        if (with_cross) {
          ridged.cross[k * K + k] = static_cast<float>(ridged.cross[k * K + k] + eta);
        }
      }
    }
    QuantizeOptions options;
    options.ridge = 0.5;
    const QuantizedLayer a = run(problem, "axe:P=12", options);
    options.ridge = 0;
    const QuantizedLayer b = run(ridged, "axe:P=12", options);
    CHECK(a.layer.weights == b.layer.weights);
    CHECK(a.scales == b.scales);
    CHECK(a.statistics.dead_inputs == 1);
    CHECK(a.layer.weights != run(problem, "axe:P=12", options).layer.weights);  // η does matter
  }
  LayerProblem problem = small();
  QuantizeOptions options;
  for (const double bad : {-0.1, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    options.ridge = bad;
    CHECK(says(refusal(problem, "axe:P=12", options), "ridge"));
  }
}

TEST_CASE("boxes need calibrated code ranges that are ranges") {
  LayerProblem problem = small();
  problem.code_min.clear();
  CHECK(says(refusal(problem, "axe:P=12,act=box"), "calibrated code ranges"));
  problem = small();
  problem.code_max.resize(3);
  CHECK(says(refusal(problem, "axe:P=12,act=box"), "calibrated code ranges"));
  problem = small();
  std::swap(problem.code_min[4], problem.code_max[4]);
  problem.code_min[4] = 200;
  problem.code_max[4] = 20;
  CHECK(refusal(problem, "axe:P=12,act=box") != "accepted");
  problem = small();
  problem.code_max[4] = 300;  // outside the 8-bit codes
  CHECK(says(refusal(problem, "axe:P=12,act=box"), "within [0, 255]"));
  problem = small();
  problem.code_min[4] = 3000;
  problem.code_max[4] = 4000;
  CHECK(refusal(problem, "axe:P=12,act=box") != "accepted");
  QuantizeOptions options;
  options.box_headroom = -1;
  CHECK(says(refusal(small(), "axe:P=12,act=box", options), "headroom"));
}

TEST_CASE("boxes at the ends of the code range hold 0 and the channel's codes") {
  for (const auto& [least, most] : {std::pair{0, 255}, {0, 0}, {255, 255}, {100, 100}, {0, 10}, {250, 255}}) {
    LayerProblem problem = small();
    std::fill(problem.code_min.begin(), problem.code_min.end(), least);
    std::fill(problem.code_max.begin(), problem.code_max.end(), most);
    const QuantizedLayer result = run(problem, "axe:P=12,act=box");
    CHECK(result.layer.lower(0) <= 0);
    CHECK(result.layer.upper(0) >= 0);
    CHECK(result.layer.lower(0) + result.shift[0] <= least);
    CHECK(result.layer.upper(0) + result.shift[0] >= most);
    CHECK(result.layer.lower(0) + result.shift[0] >= 0);
    CHECK(result.layer.upper(0) + result.shift[0] <= 255);
    CHECK(result.layer.offset[0] == result.shift[0] - problem.input.zero_point);
  }
}

TEST_CASE("sizes that disagree are refused") {
  LayerProblem problem = small();
  problem.rows = 0;
  CHECK(says(refusal(problem, "axe:P=12"), "empty layer"));
  problem = small();
  problem.cols = 0;
  CHECK(says(refusal(problem, "axe:P=12"), "empty layer"));
  problem = small();
  problem.weight.pop_back();
  CHECK(says(refusal(problem, "axe:P=12"), "weight has the wrong size"));
  problem = small();
  problem.gram.pop_back();
  CHECK(says(refusal(problem, "axe:P=12"), "H has the wrong size"));
  problem = small();
  problem.cross.pop_back();
  CHECK(says(refusal(problem, "axe:P=12"), "G has the wrong size"));
  problem = small(true);
  problem.bias.pop_back();
  CHECK(says(refusal(problem, "axe:P=12"), "bias has the wrong size"));
  QuantizeOptions options;
  options.scales = {1, 1};
  CHECK(says(refusal(small(), "axe:P=12", options), "fixed scales"));
}

TEST_CASE("options out of range are refused") {
  const auto refuses = [](const auto& change, const std::string& word) {
    QuantizeOptions options;
    change(options);
    return says(refusal(small(), "axe:P=12", options), word);
  };
  CHECK(refuses([](QuantizeOptions& o) { o.weight_bits = 1; }, "weight bits"));
  CHECK(refuses([](QuantizeOptions& o) { o.weight_bits = 9; }, "weight bits"));
  CHECK(refuses([](QuantizeOptions& o) { o.weight_bits = 8, o.asymmetric_weights = true; }, "multiplier"));
  CHECK(refuses([](QuantizeOptions& o) { o.dampening = 0; }, "dampening"));
  CHECK(refuses([](QuantizeOptions& o) { o.target_dampening = -1; }, "dampening"));
  CHECK(refuses([](QuantizeOptions& o) { o.refinement_passes = -1; }, "passes"));
  CHECK(refuses([](QuantizeOptions& o) { o.threads = 0; }, "threads"));
  CHECK(refuses([](QuantizeOptions& o) { o.granularity = ScaleGranularity::tile; }, "outer=float"));
  LayerProblem problem = small();
  problem.input.zero_point = 256;
  CHECK(says(refusal(problem, "axe:P=12"), "input_zero_point"));
  problem = small();
  problem.input.is_signed = true;
  problem.input.zero_point = 0;
  CHECK(says(refusal(problem, "axe:P=12"), "do not fit the datapath's activations"));
}

// TOR-501
TEST_CASE("no weight leaves the multiplier's operand format") {
  for (const int bits : {4, 8}) {
    Datapath datapath = parse_datapath("axe:P=32");
    const std::int64_t most = (1 << (bits - 1)) - 1;
    datapath.weights = {-most, most};  // sign and magnitude: no −2^(bits−1)
    QuantizeOptions options;
    options.weight_bits = bits;
    CAPTURE(bits);
    try {
      const QuantizedLayer result = quantize(small(), datapath, options);
      CHECK_NOTHROW(validate(result.layer, datapath));
    } catch (const InputError& e) {
      CHECK(says(e.what(), "multiplier"));
    }
  }
}

TEST_CASE("scales per tile: no integer bias in a unit that no register has") {
  LayerProblem problem = small(true);
  QuantizeOptions options;
  options.granularity = ScaleGranularity::tile;
  const QuantizedLayer result = run(problem, "axe:P=12,T=4,outer=float", options);
  CHECK(result.groups == 3);
  CHECK(result.scales.size() == 9);
  CHECK(result.layer.bias.empty());  // the sum over tiles is real, and so is what is added to it
  CHECK(result.float_bias == problem.bias);
}

TEST_CASE("data types alone: fewer weight bits until nothing can overflow, and the result says how many") {
  QuantizeOptions options;
  options.constraint = Constraint::datatype;
  options.weight_bits = 6;
  // 12 products of codes [0, 255]: 12·255·4 = 12,240 fits ±16,383, 12·255·8 does not: three bits.
  const QuantizedLayer result = run(small(), "axe:P=15", options);
  CHECK(result.weight_bits == 3);
  for (std::int8_t w : result.layer.weights) {
    CHECK(w >= -4);
    CHECK(w <= 3);
  }
}

TEST_CASE("counts: clipped decisions are those that a limit changed") {
  // Registers that hold everything, no grid clipping at factor 1 but the −max: nothing is clipped, whatever rounds how.
  for (const Constraint constraint : {Constraint::axe, Constraint::ep_init}) {
    QuantizeOptions options;
    options.constraint = constraint;
    options.corrector = Corrector::none;
    options.target = WeightTarget::original;
    options.scale_choice = ScaleChoice::largest_weight;
    options.refinement_passes = 0;
    LayerProblem problem = small();
    for (std::int64_t r = 0; r < problem.rows; ++r) {
      problem.weight[static_cast<std::size_t>(r * problem.cols)] = -0.5F;  // the largest is negative: −8 is on the grid
    }
    CHECK(run(problem, "axe:P=16", options).statistics.clipped == 0);
    CHECK(run(problem, "axe:P=16", options).statistics.decisions == 36);
  }
  // A budget that is far too small clips many, in both strict forms.
  for (const StrictForm strict : {StrictForm::exact, StrictForm::published}) {
    QuantizeOptions options;
    options.strict = strict;
    options.soft_threshold = false;
    options.scale_choice = ScaleChoice::largest_weight;
    CHECK(run(small(), "axe:P=10", options).statistics.clipped > 5);
  }
}

TEST_CASE("progress reaches the number of rows") {
  std::int64_t last = 0, total = 0;
  const LayerProblem problem = synthetic_layer({.rows = 130, .cols = 6, .tokens = 20}).problem;
  quantize(problem, parse_datapath("axe:P=12"), {}, [&](std::int64_t done, std::int64_t rows) {
    CHECK(done > last);
    last = done;
    total = rows;
  });
  CHECK(last == 130);
  CHECK(total == 130);
}

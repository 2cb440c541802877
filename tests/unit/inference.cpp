// Claims about a quantized layer at work. "exact" equals 64-bit sums of its operands, "datapath" the machine's own run of every row, for
// every operand form, scaling and overflow; the two agree when the registers are wide, differ when they are not, and bad input is refused.
// Requirements: TOR-103, TOR-406.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "../synthetic_layer.hpp"
#include "axecert/datapath/machine.hpp"
#include "axecert/inference/integer_linear.hpp"
#include "axecert/numeric/error.hpp"

using namespace axe;
using axe::test::synthetic_layer;
using axe::test::SyntheticLayer;

namespace {

constexpr std::int64_t rows = 5, cols = 21, tokens = 120;

SyntheticLayer layer_data(bool is_signed, bool bias = true) {
  axe::test::Recipe recipe;
  recipe.rows = rows;
  recipe.cols = cols;
  recipe.tokens = tokens;
  recipe.mean = is_signed ? 0 : 0.4;
  recipe.bias = bias;
  recipe.input_signed = is_signed;
  SyntheticLayer data = synthetic_layer(recipe);
  if (is_signed) {
    data.problem.input.zero_point = 0;
  }
  return data;
}

QuantizedLayer quantized(const SyntheticLayer& data, const Datapath& datapath, ActivationScaling scaling,
                         const QuantizeOptions& options) {
  LayerProblem problem = data.problem;
  if (scaling == ActivationScaling::token) {
    problem.input = {1, 0, problem.input.bits, problem.input.is_signed, scaling};
    problem.code_min.assign(cols, problem.input.code_lower());
    problem.code_max.assign(cols, problem.input.code_upper());
  }
  return quantize(problem, datapath, options);
}

std::vector<float> inputs_of(const SyntheticLayer& data) {
  return {data.x.begin(), data.x.end()};
}

/// Output of token i and row r. With a topology, the sums of its registers come from the machine; without, they are exact.
struct Reference {
  const QuantizedLayer& q;
  OperandRows operands;
  const Topology& topology;
  bool machine;

  double output(std::int64_t i, std::int64_t r, std::int64_t& overflows) const {
    const IntegerLayer& layer = q.layer;
    const auto token = static_cast<std::size_t>(i);
    std::vector<std::int32_t> x;
    for (std::int64_t k = 0; k < cols; ++k) {
      x.push_back(operands.biased[static_cast<std::size_t>(i * cols + k)] + operands.base);
    }
    const std::int64_t zero = operands.zero_point[token];
    const std::size_t last = topology.stages() - 1;
    const std::int64_t nodes = topology.nodes(last);
    std::vector<std::int64_t> constants(static_cast<std::size_t>(nodes), 0);  // of each register of the last stage
    for (std::int64_t k = 0; k < cols; ++k) {
      const std::int64_t shift = q.shift.empty() ? 0 : q.shift[q.shift.size() == 1 ? 0 : static_cast<std::size_t>(k)];
      constants[static_cast<std::size_t>(topology.node_of_product(last, k))] += layer.row(r)[k] * (shift - zero);
    }
    if (!layer.bias.empty()) {
      constants[0] += layer.bias[static_cast<std::size_t>(r)];
    }
    std::vector<std::int64_t> sums(constants.size(), 0);
    if (machine) {
      const bool inside = topology.stage(last).initial == Initial::constant;
      const auto traces = run(topology, {layer.row(r), static_cast<std::size_t>(cols)}, x, inside ? constants[0] : 0);
      for (const auto& stage : traces) {
        for (const RegisterTrace& trace : stage) {
          overflows += trace.overflowed ? 1 : 0;
        }
      }
      for (std::size_t n = 0; n < sums.size(); ++n) {
        sums[n] = traces[last][n].value + (inside ? 0 : constants[n]);
      }
    } else {
      sums = constants;
      for (std::int64_t k = 0; k < cols; ++k) {
        sums[static_cast<std::size_t>(topology.node_of_product(last, k))] +=
            layer.row(r)[k] * std::int64_t{x[static_cast<std::size_t>(k)]};
      }
    }
    double total = 0;
    for (std::size_t n = 0; n < sums.size(); ++n) {
      const auto at = static_cast<std::size_t>(r * q.groups) + (q.groups == 1 ? 0 : n);
      total += static_cast<double>(q.scales[at]) * static_cast<double>(sums[n]);
    }
    total *= operands.scale[token];
    return total + (q.float_bias.empty() ? 0 : static_cast<double>(q.float_bias[static_cast<std::size_t>(r)]));
  }
};

/// Compares a run of the layer with the reference; returns the largest |output| of the reference's registers that overflowed.
std::int64_t check_equal(const QuantizedLayer& q, const Datapath& datapath, const std::vector<float>& x,
                         Arithmetic arithmetic) {
  const Topology topology(datapath, cols);
  const InputQuantizer quantizer(cols, q.transform, q.input, q.layer.box_lower, q.layer.box_upper, q.shift,
                                 "reference");
  const Reference reference{q, quantizer.quantize(x.data(), tokens), topology, arithmetic == Arithmetic::datapath};
  const IntegerLinear layer(q, datapath, arithmetic);
  std::vector<float> y(tokens * rows);
  layer.forward(x.data(), tokens, y.data(), 1);
  std::int64_t overflowed = 0;
  for (std::int64_t i = 0; i < tokens; ++i) {
    for (std::int64_t r = 0; r < rows; ++r) {
      REQUIRE(y[static_cast<std::size_t>(i * rows + r)] == static_cast<float>(reference.output(i, r, overflowed)));
    }
  }
  CHECK((layer.overflows() > 0) == (overflowed > 0));
  CHECK(layer.overflows() >= overflowed);  // additions, of which a register has one or more
  return overflowed;
}

std::string told(const QuantizedLayer& q, const Datapath& datapath, const std::vector<float>& x, int threads = 1) {
  try {
    const IntegerLinear layer(q, datapath, Arithmetic::exact);
    std::vector<float> y(x.size() / cols * rows);
    layer.forward(x.data(), static_cast<std::int64_t>(x.size()) / cols, y.data(), threads);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("safe layers: exact sums and the datapath's registers give the reference's floats, bit by bit") {
  for (const char* text :
       {"axe:P=16,T=4", "axe:P=16,T=4,act=s8", "axe:P=14,T=5,act=box", "axe:P=20,act=s8", "axe:P=16,T=8,outer=float",
        "x86-avx2-maddubs", "x86-vnni", "gemmini-ws", "neon-mull-mlal"}) {
    const Datapath datapath = parse_datapath(text);
    for (const bool is_signed : {false, true}) {
      if ((is_signed && datapath.activations.lower == 0) ||
          (!is_signed && datapath.activations.upper == 127 && datapath.form == ActivationForm::raw)) {
        continue;  // codes that the multiplier does not take
      }
      const SyntheticLayer data = layer_data(is_signed);
      for (const ActivationScaling scaling : {ActivationScaling::tensor, ActivationScaling::token}) {
        CAPTURE(text);
        CAPTURE(is_signed);
        CAPTURE(static_cast<int>(scaling));
        const QuantizedLayer q = quantized(data, datapath, scaling, {});
        CHECK(check_equal(q, datapath, inputs_of(data), Arithmetic::exact) == 0);
        CHECK(check_equal(q, datapath, inputs_of(data), Arithmetic::datapath) == 0);
      }
    }
  }
}

TEST_CASE(
    "registers that are too narrow: the machine's run, wrapping and saturating, static and per-token zero points") {
  QuantizeOptions options;
  options.constraint = Constraint::none;
  options.weight_bits = 8;
  for (const Overflow overflow : {Overflow::wrap, Overflow::saturate}) {
    for (const char* text : {"axe:P=12,T=4", "axe:P=11,T=3,outer=13,act=s8", "axe:P=12,T=4,outer=float"}) {
      Datapath datapath = parse_datapath(text);
      for (Stage& stage : datapath.stages) {
        stage.overflow = overflow;
      }
      for (const ActivationScaling scaling : {ActivationScaling::tensor, ActivationScaling::token}) {
        CAPTURE(text);
        CAPTURE(to_text(overflow));
        const SyntheticLayer data = layer_data(false);
        const QuantizedLayer q = quantized(data, datapath, scaling, options);
        CHECK(check_equal(q, datapath, inputs_of(data), Arithmetic::datapath) > 0);
        CHECK(check_equal(q, datapath, inputs_of(data), Arithmetic::exact) == 0);
      }
    }
  }
}

TEST_CASE("scales per tile multiply the registers of the last stage one by one") {
  const Datapath datapath = parse_datapath("axe:P=14,T=8,outer=float,act=s8");
  QuantizeOptions options;
  options.granularity = ScaleGranularity::tile;
  const SyntheticLayer data = layer_data(false);
  for (const ActivationScaling scaling : {ActivationScaling::tensor, ActivationScaling::token}) {
    const QuantizedLayer q = quantized(data, datapath, scaling, options);
    REQUIRE(q.groups == 3);
    check_equal(q, datapath, inputs_of(data), Arithmetic::exact);
    check_equal(q, datapath, inputs_of(data), Arithmetic::datapath);
    CHECK_FALSE(told(q, parse_datapath("axe:P=14,T=4,outer=float,act=s8"), inputs_of(data)).empty());
  }
}

TEST_CASE("outlier channels are added in floating point, and only they") {
  const Datapath datapath = parse_datapath("axe:P=16,T=4");
  SyntheticLayer data = layer_data(false);
  QuantizedLayer q = quantized(data, datapath, ActivationScaling::tensor, {});
  for (std::int64_t r = 0; r < rows; ++r) {
    for (const std::int64_t k : {3, 20}) {
      q.layer.weights[static_cast<std::size_t>(r * cols + k)] = 0;
      q.outlier_weight.push_back(static_cast<float>(r + k) / 4);
    }
  }
  const QuantizedLayer without = [&] {
    QuantizedLayer copy = q;
    copy.outlier_weight.clear();
    return copy;
  }();
  q.outlier_columns = {3, 20};
  std::vector<float> x = inputs_of(data), zeroed = x;
  for (std::int64_t i = 0; i < tokens; ++i) {
    zeroed[static_cast<std::size_t>(i * cols + 3)] = zeroed[static_cast<std::size_t>(i * cols + 20)] = 0;
  }
  std::vector<float> y(tokens * rows), plain(tokens * rows);
  IntegerLinear(q, datapath, Arithmetic::exact).forward(x.data(), tokens, y.data(), 2);
  IntegerLinear(without, datapath, Arithmetic::exact).forward(zeroed.data(), tokens, plain.data(), 1);
  for (std::size_t i = 0; i < tokens; ++i) {
    for (std::size_t r = 0; r < rows; ++r) {
      double expected = static_cast<double>(plain[i * rows + r]);
      for (const std::size_t k : {std::size_t{3}, std::size_t{20}}) {
        expected += static_cast<double>(x[i * cols + k]) * static_cast<double>(static_cast<float>(r + k) / 4);
      }
      REQUIRE(static_cast<double>(y[i * rows + r]) == doctest::Approx(expected).epsilon(1e-5));
    }
  }
  x[100 * cols + 20] = std::numeric_limits<float>::quiet_NaN();
  CHECK(told(q, datapath, x, 2).find("input channel 20 of row 100 is not finite") != std::string::npos);
  QuantizedLayer wrong = q;
  wrong.layer.weights[3] = 1;  // an outlier column with an integer weight
  CHECK_FALSE(told(wrong, datapath, inputs_of(data)).empty());
}

TEST_CASE("the transform is applied before the integers") {
  const Datapath datapath = parse_datapath("axe:P=16,T=4,act=s8");
  const SyntheticLayer data = layer_data(true);
  QuantizedLayer q = quantized(data, datapath, ActivationScaling::token, {});
  q.transform.multiplier.assign(cols, 0.5F);
  q.transform.multiplier[7] = 3;
  check_equal(q, datapath, inputs_of(data), Arithmetic::exact);
  check_equal(q, datapath, inputs_of(data), Arithmetic::datapath);
}

TEST_CASE("threads and blocks of tokens change nothing, no token is no work") {
  const Datapath datapath = parse_datapath("axe:P=11,T=4,act=s8");
  QuantizeOptions options;
  options.constraint = Constraint::none;
  const SyntheticLayer data = layer_data(false);
  const QuantizedLayer q = quantized(data, datapath, ActivationScaling::token, options);
  const std::vector<float> x = inputs_of(data);
  for (const Arithmetic arithmetic : {Arithmetic::exact, Arithmetic::datapath}) {
    const IntegerLinear whole(q, datapath, arithmetic), single(q, datapath, arithmetic);
    std::vector<float> y(tokens * rows), one(tokens * rows);
    whole.forward(x.data(), tokens, y.data(), 3);
    for (std::int64_t i = 0; i < tokens; ++i) {
      single.forward(x.data() + i * cols, 1, one.data() + i * rows, 1);
    }
    CHECK(y == one);
    CHECK(whole.overflows() == single.overflows());
    whole.forward(x.data(), 0, nullptr, 2);
    CHECK(whole.rows() == rows);
    CHECK(whole.cols() == cols);
  }
}

TEST_CASE(
    "an input that is not finite is refused with the row of the call, a layer that does not fit the datapath at once") {
  const Datapath datapath = parse_datapath("axe:P=16,T=4,act=s8");
  const SyntheticLayer data = layer_data(false);
  const QuantizedLayer q = quantized(data, datapath, ActivationScaling::tensor, {});
  std::vector<float> x = inputs_of(data);
  CHECK(told(q, datapath, x).empty());
  x[110 * cols + 2] = -std::numeric_limits<float>::infinity();  // in the second block of tokens
  for (const int threads : {1, 2}) {
    CHECK(told(q, datapath, x, threads).find("layer synthetic: input channel 2 of row 110 is not finite") == 0);
  }
  CHECK_FALSE(told(q, parse_datapath("x86-vnni"), inputs_of(data)).empty());  // operands below 0
  QuantizedLayer wrong = q;
  wrong.layer.weights.pop_back();
  CHECK_FALSE(told(wrong, datapath, inputs_of(data)).empty());
  // A claim that the activation quantizer would not keep.
  const QuantizedLayer token = quantized(data, datapath, ActivationScaling::token, {});
  wrong = token;
  wrong.layer.box_lower = {-128};
  wrong.layer.box_upper = {127};
  wrong.layer.input_limit = 50;
  CHECK(told(wrong, datapath, inputs_of(data)).find("keeps a limit of 0, its claims rest on 50") != std::string::npos);
}

// Quantized layers at work: with registers that cannot overflow, in 16 bits with a licence, and bit by bit in the datapath's own, the
// outputs are the same floats; and they are what the integers and scales say, computed here in long double from scratch.
// Requirements: TOR-502.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../synthetic_layer.hpp"
#include "axecert/inference/integer_linear.hpp"
#include "axecert/licence/licence_office.hpp"
#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

struct Quantized {
  QuantizedLayer layer;
  Datapath datapath;
  std::vector<float> x;  // [tokens, cols]
  std::int64_t tokens = 0;
};

Quantized quantized_layer(const char* datapath, std::int64_t rows, std::int64_t cols, int weight_bits, bool bias,
                          bool per_token = false) {
  test::SyntheticLayer synthetic = test::synthetic_layer(
      {.rows = rows, .cols = cols, .tokens = 150, .seed = 11, .outliers = 0.02, .quiet_channels = true, .bias = bias});
  Quantized result;
  result.datapath = parse_datapath(datapath);
  if (per_token) {
    synthetic.problem.input = {};
    synthetic.problem.input.scaling = ActivationScaling::token;
  }
  QuantizeOptions options;
  options.weight_bits = weight_bits;
  result.layer = quantize(synthetic.problem, result.datapath, options);
  result.x.assign(synthetic.x.begin(), synthetic.x.end());
  result.tokens = synthetic.tokens;
  return result;
}

std::vector<float> forward(const IntegerLinear& linear, const Quantized& of, int threads) {
  std::vector<float> y(static_cast<std::size_t>(of.tokens * linear.rows()), NAN);
  linear.forward(of.x.data(), of.tokens, y.data(), threads);
  return y;
}

std::optional<Licence> licence_of(const Quantized& of) {
  return LicenceOffice::longest_tile(of.layer.layer, Topology(of.datapath, of.layer.layer.cols));
}

}  // namespace

TEST_CASE("exact, licensed and datapath arithmetic give the same floats for a layer whose registers fit") {
  for (const char* datapath :
       {"axe:P=16,T=64", "axe:P=16,T=64,act=s8", "axe:P=16,T=128,act=box", "axe:P=16,T=32,outer=float", "axe:P=16"}) {
    for (const int weight_bits : {4, 6}) {
      for (const bool bias : {false, true}) {
        CAPTURE(std::string(datapath));
        CAPTURE(weight_bits);
        CAPTURE(bias);
        const Quantized of = quantized_layer(datapath, 37, 200, weight_bits, bias);
        const std::optional<Licence> licence = licence_of(of);
        REQUIRE(licence);
        const IntegerLinear exact(of.layer, of.datapath, Arithmetic::exact);
        const IntegerLinear licensed(of.layer, of.datapath, Arithmetic::exact, licence);
        const IntegerLinear stepped(of.layer, of.datapath, Arithmetic::datapath);
        CHECK(exact.kernel().starts_with("exact "));
        CHECK(licensed.kernel().starts_with("certified "));
        CHECK(licensed.kernel().ends_with(weight_bits == 4 ? "nibbles" : "bytes"));
        const std::vector<float> y = forward(exact, of, 1);
        CHECK(forward(licensed, of, 1) == y);
        CHECK(forward(licensed, of, 3) == y);
        CHECK(forward(stepped, of, 2) == y);
        CHECK(stepped.overflows() == 0);
      }
    }
  }
}

TEST_CASE("outputs are scale · integers, computed again from the operands") {
  const std::pair<const char*, bool> cases[] = {{"axe:P=16,T=64,act=box", false},
                                                {"axe:P=20,T=32,outer=float", false},
                                                {"axe:P=16,T=64,act=s8", true},
                                                {"axe:P=20,T=32,outer=float", true}};
  for (const auto& [datapath, per_token] : cases) {
    CAPTURE(std::string(datapath));
    CAPTURE(per_token);
    const Quantized of = quantized_layer(datapath, 9, 100, 4, true, per_token);
    const QuantizedLayer& layer = of.layer;
    const InputQuantizer quantizer(100, layer.transform, layer.input, layer.layer.box_lower, layer.layer.box_upper,
                                   layer.shift.empty() ? std::vector<std::int32_t>{0} : layer.shift, "test");
    const OperandRows operands = quantizer.quantize(of.x.data(), of.tokens);
    CHECK(operands.zero_point[0] != 0);  // else nothing below could tell how often it is subtracted
    const std::vector<float> y = forward(IntegerLinear(layer, of.datapath, Arithmetic::exact), of, 1);
    const Topology topology(of.datapath, 100);
    const std::size_t last = topology.stages() - 1;
    for (std::int64_t i = 0; i < of.tokens; ++i) {
      for (std::int64_t r = 0; r < 9; ++r) {
        long double total = 0;
        const auto s = static_cast<long double>(operands.scale[static_cast<std::size_t>(i)]);
        const auto scale_of = [&](std::int64_t g) {
          return static_cast<long double>(layer.scales[static_cast<std::size_t>(r * layer.groups + g)]);
        };
        for (std::int64_t k = 0; k < 100; ++k) {
          const auto at = static_cast<std::size_t>(k);
          const std::int64_t shift = layer.shift.empty() ? 0 : layer.shift[layer.shift.size() == 1 ? 0 : at];
          const std::int64_t value = operands.biased[static_cast<std::size_t>(i * 100 + k)] + operands.base + shift -
                                     operands.zero_point[static_cast<std::size_t>(i)];
          const std::int64_t group = layer.groups == 1 ? 0 : topology.node_of_product(last, k);
          total += scale_of(group) * static_cast<long double>(layer.layer.row(r)[k] * value);
        }
        if (!layer.layer.bias.empty()) {
          total += scale_of(0) * static_cast<long double>(layer.layer.bias[static_cast<std::size_t>(r)]);
        }
        total *= s;
        if (!layer.float_bias.empty()) {
          total += static_cast<long double>(layer.float_bias[static_cast<std::size_t>(r)]);
        }
        CHECK(static_cast<double>(y[static_cast<std::size_t>(i * 9 + r)]) ==
              doctest::Approx(static_cast<double>(total)).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("a licence is refused for another layer, and for the datapath's own registers") {
  const Quantized of = quantized_layer("axe:P=16,T=64,act=s8", 8, 64, 4, false);
  const Quantized other = quantized_layer("axe:P=16,T=64,act=s8", 9, 64, 4, false);
  const std::optional<Licence> licence = licence_of(other);
  REQUIRE(licence);
  CHECK_THROWS_AS(IntegerLinear(of.layer, of.datapath, Arithmetic::exact, licence), InputError);
  CHECK_THROWS_AS(IntegerLinear(other.layer, other.datapath, Arithmetic::datapath, licence), InputError);
}

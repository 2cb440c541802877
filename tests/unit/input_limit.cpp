// Claims about limits of the inputs' magnitudes: the limit that a datapath allows is the largest (one more overflows on inputs that
// keep it), and the activation quantizer keeps any limit on any input, changing nothing where it is kept already.
#include "axecert/constraint/input_limit.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "axecert/bound/range.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/quantize/input_quantizer.hpp"

using namespace axe;

namespace {

bool fits(const IntegerLayer& layer, const Datapath& datapath) {
  const Topology topology(datapath, layer.cols);
  const std::vector<StageRanges> ranges = layer_ranges(layer, topology);  // looked through here, not by first_overflow
  for (std::size_t s = 0; s < ranges.size(); ++s) {
    for (std::size_t i = 0; i < ranges[s].lower.size(); ++i) {
      if (margin({ranges[s].lower[i], ranges[s].upper[i]}, register_limits(topology.stage(s))) < 0) {
        return false;
      }
    }
  }
  return true;
}

const ActivationGrid limited{1, 0, 8, true, ActivationScaling::token, 300};

std::vector<std::int64_t> sums_of(const OperandRows& rows, std::int64_t row, const Topology& topology) {
  std::vector<std::int64_t> sums(static_cast<std::size_t>(topology.nodes(0)));
  for (std::int64_t k = 0; k < rows.cols; ++k) {
    sums[static_cast<std::size_t>(topology.node_of_product(0, k))] +=
        std::abs(std::int64_t{rows.biased[static_cast<std::size_t>(row * rows.cols + k)]} + rows.base);
  }
  return sums;
}

}  // namespace

TEST_CASE("the limit of a datapath is the largest with which no weights overflow") {
  int limiting = 0;
  for (const char* text : {"axe:P=16,T=128,act=s8", "axe:P=14,T=32,act=s8", "axe:P=12,act=s8",
                           "axe:P=16,T=32,outer=17,act=s8", "axe:P=16,T=7,outer=float,act=s8"}) {
    for (const std::int64_t largest : {1, 7, 8, 128}) {
      CAPTURE(text);
      CAPTURE(largest);
      const Datapath datapath = parse_datapath(text);
      IntegerLayer layer;
      layer.name = "worst";
      layer.rows = 2;  // all weights extreme, of one sign
      layer.cols = 576;
      layer.weights.assign(576, static_cast<std::int8_t>(-largest));
      layer.weights.resize(1152, static_cast<std::int8_t>(std::min<std::int64_t>(largest, 127)));
      layer.box_lower = {-128};
      layer.box_upper = {127};
      layer.input_limit = input_limit(Topology(datapath, layer.cols), largest);
      CHECK(fits(layer, datapath));
      const auto products = static_cast<std::int64_t>(Topology(datapath, layer.cols).values_of(0, 0).size());
      if (++layer.input_limit <= 127 * products) {  // what the box allows
        ++limiting;
        CHECK_FALSE(fits(layer, datapath));
      }
    }
  }
  CHECK(limiting >= 15);
  CHECK(input_limit(Topology(parse_datapath("axe:P=16,T=128,act=s8"), 576), 8) == 32767 / 8);
  CHECK(input_limit(Topology(parse_datapath("axe:P=16,T=32,outer=17,act=s8"), 576), 8) == 65535 / 8 / 18);
  CHECK_THROWS_AS(input_limit(Topology(parse_datapath("axe:P=3,act=s8"), 4), 8), InputError);
  CHECK_THROWS_AS(input_limit(Topology(parse_datapath("axe:P=16,act=s8"), 4), 0), InputError);
}

TEST_CASE("the widest limit of a layer is the largest with which its own weights fit, in every stage") {
  std::mt19937_64 generator(5);
  int widened = 0;
  for (int trial = 0; trial < 200; ++trial) {
    const char* texts[] = {"axe:P=14,T=32,act=s8", "axe:P=12,act=s8", "axe:P=13,T=8,outer=14,act=s8",
                           "axe:P=11,T=9,outer=float,act=s8"};
    Datapath datapath = parse_datapath(texts[trial % 4]);
    if (trial % 8 < 4) {
      datapath.stages[0].limits = Limits::full;
    }
    IntegerLayer layer;
    layer.name = "any";
    layer.rows = 3;
    layer.cols = 70;
    for (int i = 0; i < 210; ++i) {
      layer.weights.push_back(static_cast<std::int8_t>(static_cast<int>(generator() % 16) - 8));
    }
    layer.box_lower = {-128};
    layer.box_upper = {trial % 3 == 0 ? 60 : 127};
    const Topology topology(datapath, layer.cols);
    const std::int64_t least = input_limit(topology, 8);
    layer.input_limit = least;
    const std::int64_t widest = widest_input_limit(layer, topology);
    CAPTURE(trial);
    CHECK(widest >= least);
    widened += widest > least ? 1 : 0;
    layer.input_limit = widest;
    CHECK(fits(layer, datapath));
    if (widest < largest_input_limit) {
      ++layer.input_limit;
      CHECK_FALSE(fits(layer, datapath));
    }
  }
  CHECK(widened > 80);  // not where so little of the limit is left that only the largest weights share it
  IntegerLayer layer;
  layer.name = "too-much";
  layer.rows = 1;
  layer.cols = 4;
  layer.weights.assign(4, 100);
  layer.box_lower = {-128};
  layer.box_upper = {127};
  for (const std::int64_t limit : {0, 6000}) {
    layer.input_limit = limit;
    CHECK_THROWS_AS(widest_input_limit(layer, Topology(parse_datapath("axe:P=12,act=s8"), 4)), InputError);
  }
}

TEST_CASE("a limited quantizer keeps its limit on every input, and enlarges no scale that it need not") {
  std::mt19937_64 generator(3);
  std::normal_distribution<double> gaussian(0, 1);
  constexpr std::int64_t cols = 70, tokens = 200;
  std::vector<float> x(cols * tokens);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool heavy = i / cols % 2 == 0;  // every other token is dense: all of one magnitude
    x[i] = static_cast<float>(heavy ? (gaussian(generator) > 0 ? 3 : -3) : std::pow(gaussian(generator), 5));
  }
  std::fill_n(x.begin(), cols, 0.0F);
  std::fill_n(x.begin() + 2 * cols, cols, 1e30F);
  for (const char* text : {"axe:P=16,T=16,act=s8", "axe:P=16,act=s8"}) {
    const Datapath datapath = parse_datapath(text);
    const Topology topology(datapath, cols);
    ActivationGrid free = limited;
    free.limit = 0;
    const OperandRows kept =
        InputQuantizer(cols, {}, limited, {-128}, {127}, {0}, "q", &datapath).quantize(x.data(), tokens, 2);
    const OperandRows plain = InputQuantizer(cols, {}, free, {-128}, {127}, {0}, "q").quantize(x.data(), tokens);
    std::int64_t untouched = 0, enlarged = 0;
    for (std::int64_t i = 0; i < tokens; ++i) {
      const auto t = static_cast<std::size_t>(i);
      const std::vector<std::int64_t> before = sums_of(plain, i, topology), after = sums_of(kept, i, topology);
      const std::int64_t worst = *std::max_element(after.begin(), after.end());
      CHECK(worst <= 300);
      if (*std::max_element(before.begin(), before.end()) <= 300) {
        ++untouched;
        CHECK(kept.scale[t] == plain.scale[t]);
        CHECK(std::equal(before.begin(), before.end(), after.begin()));
      } else {
        ++enlarged;
        CHECK(kept.scale[t] > plain.scale[t]);
        CHECK(worst >= 150);  // and not by more than rounding to small codes explains
      }
    }
    CHECK(untouched > 20);
    CHECK(enlarged > 20);
  }
}

TEST_CASE("a limit of 1 leaves at most one operand of one in each register") {
  const Datapath datapath = parse_datapath("axe:P=16,T=4,act=s8");
  const Topology topology(datapath, 8);
  ActivationGrid grid = limited;
  grid.limit = 1;
  const std::vector<float> x{1, 1, 1, 1, 5, -5, 5, -5};
  const InputQuantizer quantizer(8, {}, grid, {-128}, {127}, {0}, "q", &datapath);
  for (const std::int64_t sum : sums_of(quantizer.quantize(x.data(), 1), 0, topology)) {
    CHECK(sum <= 1);
  }
}

TEST_CASE("grids that cannot keep a limit are refused") {
  const Datapath two = parse_datapath("axe:P=16,T=2,act=s8");
  const Datapath* registers = &two;
  const auto told = [&](const ActivationGrid& grid, std::vector<std::int32_t> shift, const Datapath* of) {
    try {
      InputQuantizer(3, {}, grid, {-100}, {100}, std::move(shift), "layer q", of);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(told(limited, {0}, registers).empty());
  CHECK(told(limited, {1}, registers).find("without") == std::string::npos);
  CHECK_FALSE(told(limited, {1}, registers).empty());
  CHECK_FALSE(told(limited, {0}, nullptr).empty());
  ActivationGrid grid = limited;
  grid.is_signed = false;
  CHECK_FALSE(told(grid, {0}, registers).empty());
  grid = limited;
  grid.scaling = ActivationScaling::tensor;
  CHECK_FALSE(told(grid, {0}, registers).empty());
  for (const std::int64_t limit : {std::int64_t{-1}, largest_input_limit + 1}) {
    grid = limited;
    grid.limit = limit;
    CHECK_FALSE(told(grid, {0}, registers).empty());
  }
}

// Ranges in the datapath's own order: against the machine on every input of small boxes, equal to the ranges for every order where boxes hold 0, and
// within them where they do not.
// Requirements: TOR-102.
#include "axecert/bound/kernel_order.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "axecert/datapath/machine.hpp"
#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

IntegerLayer layer_of(std::vector<std::int8_t> weights, std::int32_t low, std::int32_t high, std::int64_t bias = 0) {
  IntegerLayer layer;
  layer.name = "row";
  layer.rows = 1;
  layer.cols = static_cast<std::int64_t>(weights.size());
  layer.weights = std::move(weights);
  layer.box_lower = {low};
  layer.box_upper = {high};
  layer.bias = {bias};
  return layer;
}

/// Registers wide enough for every sum, so that the machine's traces show the exact prefixes.
Datapath widened(Datapath datapath) {
  for (Stage& stage : datapath.stages) {
    stage.width = 40;
    stage.group = stage.group == 0 ? 0 : std::min<std::int64_t>(stage.group, 2);
    stage.stride = std::min<std::int64_t>(stage.stride, 2);
  }
  return datapath;
}

}  // namespace

TEST_CASE("every prefix that the machine reaches in its own order, and both ends") {
  std::mt19937 random(17);
  int narrower = 0;
  for (const char* name : {"x86-avx2-maddubs", "fbgemm-acc16", "neon-mull-mlal", "axe-16x64", "intgemm-avx2"}) {
    Datapath datapath = widened(parse_datapath(name));
    datapath.activations = {-255, 255};
    for (const auto& [low, high] : {std::pair{1, 3}, {-3, -2}, {-1, 1}, {2, 2}, {0, 2}}) {
      std::vector<std::int8_t> weights(5);
      for (std::int8_t& weight : weights) {
        weight = static_cast<std::int8_t>(std::uniform_int_distribution<int>(-9, 9)(random));
      }
      const IntegerLayer layer = layer_of(weights, low, high, 4);
      const Topology topology(datapath, layer.cols);
      const std::int64_t constant = topology.starts_from_constant() ? 4 : 0;
      const std::vector<StageRanges> ranges = kernel_order_ranges(layer, topology), any = layer_ranges(layer, topology);
      std::vector<std::vector<IntegerRange>> seen;
      const int choices = high - low + 1;
      int count = 1;
      for (std::int64_t k = 0; k < layer.cols; ++k) {
        count *= choices;
      }
      for (int i = 0; i < count; ++i) {
        std::vector<std::int32_t> inputs;
        for (int rest = i; inputs.size() < weights.size(); rest /= choices) {
          inputs.push_back(low + rest % choices);
        }
        const auto trace = run(topology, weights, inputs, constant);
        seen.resize(trace.size());
        for (std::size_t s = 0; s < trace.size(); ++s) {
          seen[s].resize(trace[s].size(), {INT64_MAX, INT64_MIN});
          for (std::size_t n = 0; n < trace[s].size(); ++n) {
            seen[s][n].lower = std::min(seen[s][n].lower, static_cast<std::int64_t>(trace[s][n].lowest));
            seen[s][n].upper = std::max(seen[s][n].upper, static_cast<std::int64_t>(trace[s][n].highest));
          }
        }
      }
      for (std::size_t s = 0; s < seen.size(); ++s) {
        REQUIRE(ranges[s].lower.size() == seen[s].size());
        for (std::size_t n = 0; n < seen[s].size(); ++n) {
          CAPTURE(name);
          CAPTURE(low);
          CHECK(ranges[s].lower[n] == seen[s][n].lower);
          CHECK(ranges[s].upper[n] == seen[s][n].upper);
          CHECK(ranges[s].lower[n] >= any[s].lower[n]);
          CHECK(ranges[s].upper[n] <= any[s].upper[n]);
          const bool same = ranges[s].lower[n] == any[s].lower[n] && ranges[s].upper[n] == any[s].upper[n];
          CHECK((same || excludes_zero(layer)));
          narrower += same ? 0 : 1;
        }
      }
    }
  }
  CHECK(narrower > 10);
}

TEST_CASE(
    "saturating additions of 30,000, 30,000, -30,000, -30,000: in this order they overflow, in another they do not") {
  Datapath datapath = parse_datapath("hls4ml-16-sat");
  datapath.activations = {0, 300};
  const auto fits = [&](const std::vector<std::int8_t>& weights) {
    const IntegerLayer layer = layer_of(weights, 300, 300);
    const Topology topology(datapath, layer.cols);
    const auto trace = run(topology, weights, std::vector<std::int32_t>(4, 300), 0);
    const bool claimed = !first_overflow(kernel_order_ranges(layer, topology), topology);
    CHECK(claimed == !trace[0][0].overflowed);
    CHECK(first_overflow(layer_ranges(layer, topology), topology));  // some order overflows
    return claimed;
  };
  CHECK_FALSE(fits({100, 100, -100, -100}));
  CHECK(fits({100, -100, 100, -100}));
}

TEST_CASE("an input limit is refused") {
  IntegerLayer layer = layer_of({1, 1}, 0, 1);
  layer.input_limit = 1;
  CHECK_THROWS_AS(kernel_order_ranges(layer, Topology(parse_datapath("x86-vnni"), 2)), InputError);
}

TEST_CASE("several rows and a box per channel: each row as if it were alone") {
  IntegerLayer layer = layer_of({3, -2, 5, -7, 1, 4, -6, 2, 9, -1, -1, 8}, 0, 0);
  layer.rows = 3;
  layer.cols = 4;
  layer.box_lower = {1, -3, -2, 0};
  layer.box_upper = {2, -1, 4, 0};
  layer.bias = {100, -50, 7};
  layer.offset = {1, 0, -2, 3};
  layer.zero_point_spread = 5;
  Datapath datapath = parse_datapath("axe:P=30,T=2,outer=32");
  datapath.activations = {-255, 255};
  const Topology topology(datapath, 4);
  REQUIRE(topology.nodes(0) == 2);
  const std::vector<StageRanges> all = kernel_order_ranges(layer, topology);
  for (std::int64_t r = 0; r < 3; ++r) {
    IntegerLayer row = layer;
    row.rows = 1;
    row.weights.assign(layer.row(r), layer.row(r) + 4);
    row.bias = {layer.bias[static_cast<std::size_t>(r)]};
    const std::vector<StageRanges> alone = kernel_order_ranges(row, topology);
    for (std::size_t s = 0; s < 2; ++s) {
      CHECK(all[s].nodes == topology.nodes(s));
      CHECK(alone[s].nodes == topology.nodes(s));
      REQUIRE(all[s].lower.size() == static_cast<std::size_t>(3 * topology.nodes(s)));
      for (std::int64_t n = 0; n < topology.nodes(s); ++n) {
        const auto in_all = static_cast<std::size_t>(r * topology.nodes(s) + n), in_row = static_cast<std::size_t>(n);
        CHECK(all[s].lower[in_all] == alone[s].lower[in_row]);
        CHECK(all[s].upper[in_all] == alone[s].upper[in_row]);
      }
    }
  }
  // Row 0: 3 [1, 2] - 2 [-3, -1] = [5, 12] by way of 3 [1, 2], and 5 [-2, 4] - 7 · 0 = [-10, 20].
  CHECK(all[0].lower[0] == 0);
  CHECK(all[0].upper[0] == 12);
  CHECK(all[0].lower[1] == -10);
  CHECK(all[0].upper[1] == 20);
}

TEST_CASE("a box excludes 0 when some channel's does, by one at either side") {
  IntegerLayer layer = layer_of({1, 1}, 0, 0);
  const auto excludes = [&](std::vector<std::int32_t> lower, std::vector<std::int32_t> upper) {
    layer.box_lower = std::move(lower);
    layer.box_upper = std::move(upper);
    return excludes_zero(layer);
  };
  CHECK_FALSE(excludes({0}, {0}));
  CHECK_FALSE(excludes({0, -4}, {4, 0}));
  CHECK(excludes({1}, {4}));
  CHECK(excludes({-4}, {-1}));
  CHECK(excludes({0, 1}, {4, 4}));
  CHECK(excludes({-4, -4}, {0, -1}));
}

TEST_CASE("a layer whose sizes disagree, and a topology of another length, are refused") {
  const Topology topology(parse_datapath("x86-vnni"), 2);
  CHECK_THROWS_AS(kernel_order_ranges(layer_of({1, 1, 1}, 0, 1), topology), InputError);
  IntegerLayer layer = layer_of({1, 1}, 0, 1);
  layer.bias = {1, 2};
  CHECK_THROWS_AS(kernel_order_ranges(layer, topology), InputError);
}

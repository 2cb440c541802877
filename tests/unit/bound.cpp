// Claims about bounds on hand-worked cases, at the ends of what is allowed, and on bad input.
// Requirements: TOR-102.
#include <doctest/doctest.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "axecert/bound/range.hpp"
#include "axecert/datapath/machine.hpp"
#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

IntegerLayer layer_of(std::int64_t rows, std::int64_t cols, std::int8_t weight = 1) {
  IntegerLayer layer;
  layer.name = "layer";
  layer.rows = rows;
  layer.cols = cols;
  layer.weights.assign(static_cast<std::size_t>(rows * cols), weight);
  layer.box_lower = {0};
  layer.box_upper = {255};
  return layer;
}

std::vector<StageRanges> ranges_on(const IntegerLayer& layer, const std::string& datapath) {
  return layer_ranges(layer, Topology(parse_datapath(datapath), layer.cols));
}

using Values = std::vector<std::int64_t>;

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the worked example: positives sum to 128, negatives to -121, inputs in [0, 255]") {
  IntegerLayer layer = layer_of(1, 4);
  layer.weights = {100, 28, -121, 0};
  const auto ranges = ranges_on(layer, "axe:P=16,T=128");
  CHECK(ranges[0].upper == Values{32640});
  CHECK(ranges[0].lower == Values{-30855});
  CHECK(margin({-30855, 32640}, register_limits(16, Limits::symmetric)) == 127);
  const Topology topology(parse_datapath("axe:P=16,T=128"), 4);
  CHECK(witness(layer, topology, {0, 0, 0}, Side::upper) == std::vector<std::int32_t>{255, 255, 0, 0});
  CHECK(witness(layer, topology, {0, 0, 0}, Side::lower) == std::vector<std::int32_t>{0, 0, 255, 0});
}

// TOR-109
TEST_CASE("the constant shifts the outer register, and is a partial sum of its own") {
  IntegerLayer layer = layer_of(2, 3);
  layer.weights = {1, 2, 3, -1, -2, -3};
  layer.offset = {10};
  layer.bias = {1000, -7};
  CHECK(row_constants(layer) == Values{1060, -67});
  const auto ranges = ranges_on(layer, "axe:P=16,T=2");
  CHECK(ranges[0].nodes == 2);
  CHECK(ranges[0].upper == Values{765, 765, 0, 0});
  CHECK(ranges[0].lower == Values{0, 0, -765, -765});
  CHECK(ranges[1].upper == Values{1060 + 1530, -67});
  CHECK(ranges[1].lower == Values{1060, -67 - 1530});
  layer.offset = {1, 0, -1};
  CHECK(row_constants(layer) == Values{998, -5});
  layer.bias.clear();
  CHECK(row_constants(layer) == Values{-2, 2});
  layer.offset.clear();
  CHECK(row_constants(layer) == Values{0, 0});
}

// TOR-109
TEST_CASE("a zero point that varies moves the constant between two ends, and only where it is added") {
  IntegerLayer layer = layer_of(3, 3);
  layer.weights = {1, 2, 3, -1, -2, -3, 5, 0, -5};
  layer.offset = {10};
  layer.bias = {1000, -7, 4};
  layer.zero_point_spread = 100;
  CHECK(row_constants(layer) == Values{1060, -67, 4});
  CHECK(row_constant_ranges(layer) == std::vector<IntegerRange>{{460, 1060}, {-67, 533}, {4, 4}});
  const auto ranges = ranges_on(layer, "axe:P=16,T=2");
  CHECK(ranges[0].upper == Values{765, 765, 0, 0, 1275, 0});
  CHECK(ranges[0].lower == Values{0, 0, -765, -765, 0, -1275});
  CHECK(ranges[1].upper == Values{1060 + 1530, 533, 4 + 1275});
  CHECK(ranges[1].lower == Values{460, -67 - 1530, 4 - 1275});
  for (const std::int64_t spread : {std::int64_t{-1}, (std::int64_t{1} << 24) + 1}) {
    layer.zero_point_spread = spread;
    CHECK_THROWS_AS(row_constants(layer), InputError);
  }
}

TEST_CASE("a box that excludes 0: the prefixes reach further than the full sum") {
  IntegerLayer layer = layer_of(1, 2);
  layer.weights = {3, -2};
  layer.box_lower = {5};
  layer.box_upper = {7};
  CHECK(ranges_on(layer, "axe:P=16")[0].upper == Values{21});   // after the first product
  CHECK(ranges_on(layer, "axe:P=16")[0].lower == Values{-14});  // when the second comes first
  Datapath datapath = parse_datapath("axe:P=16");
  datapath.stages[0].claim = Claim::final_value;
  const auto final_values = layer_ranges(layer, Topology(datapath, 2));
  CHECK(final_values[0].upper == Values{21 - 10});
  CHECK(final_values[0].lower == Values{15 - 14});
  CHECK(final_values[1].upper == Values{11});  // the outer register adds one value in [1, 11]
  CHECK(final_values[1].lower == Values{0});   // and is 0 before
}

TEST_CASE("rows of zeros stay at 0, and at the constant") {
  IntegerLayer layer = layer_of(3, 70, 0);
  layer.bias = {5, -5, 0};
  for (const char* datapath : {"axe:P=16,T=64", "axe:P=1", "x86-avx2-maddubs", "fbgemm-acc16"}) {
    const auto ranges = ranges_on(layer, datapath);
    for (std::size_t s = 0; s + 1 < ranges.size(); ++s) {
      CHECK(ranges[s].lower == Values(static_cast<std::size_t>(3 * ranges[s].nodes), 0));
      CHECK(ranges[s].upper == ranges[s].lower);
    }
    CHECK(ranges.back().lower == Values{5, -5, 0});
    CHECK(ranges.back().upper == Values{5, -5, 0});
  }
}

TEST_CASE("one term, a tile larger than the row, a ragged last tile, a ragged block of lanes") {
  IntegerLayer layer = layer_of(1, 1, -128);
  CHECK(ranges_on(layer, "axe:P=16,T=64")[0].lower == Values{-128 * 255});
  CHECK(ranges_on(layer, "x86-avx2-maddubs")[0].lower == Values{-128 * 255});
  layer = layer_of(1, 10);
  CHECK(ranges_on(layer, "axe:P=16,T=2147483647")[0].upper == Values{2550});
  CHECK(ranges_on(layer, "axe:P=16,T=4")[0].upper == Values{1020, 1020, 510});
  layer.cols = 19;  // lanes: eight pairs of the first block, three single products of the second
  layer.weights.assign(19, 1);
  layer.box_lower = {-128};
  layer.box_upper = {127};
  CHECK(ranges_on(layer, "neon-mull-mlal")[0].upper == Values{254, 254, 254, 254, 254, 254, 254, 254, 127, 127, 127});
  CHECK(ranges_on(layer, "neon-mull-mlal")[0].lower ==
        Values{-256, -256, -256, -256, -256, -256, -256, -256, -128, -128, -128});
}

// TOR-108
TEST_CASE("the largest layer allowed: sums are exact where 32 bits would wrap") {
  constexpr std::int64_t longest = std::int64_t{1} << 24;
  constexpr std::int64_t largest = std::int64_t{1} << 62;
  constexpr std::int32_t widest = 1 << 24;
  IntegerLayer layer = layer_of(1, longest, -128);
  layer.box_lower = {-widest};
  layer.box_upper = {widest};
  layer.offset = {-widest};
  layer.bias = {largest};
  const std::int64_t extreme = (std::int64_t{128} << 48);
  auto ranges = ranges_on(layer, "axe:P=64,outer=64");
  CHECK(ranges[0].upper == Values{extreme});
  CHECK(ranges[0].lower == Values{-extreme});
  CHECK(ranges[1].upper == Values{largest + 2 * extreme});
  CHECK(ranges[1].lower == Values{largest});
  layer.weights.assign(layer.weights.size(), 127);
  ranges = ranges_on(layer, "axe:P=64");
  CHECK(ranges[0].upper == Values{extreme / 128 * 127});
  CHECK(ranges[1].lower == Values{largest - 2 * (extreme / 128 * 127)});
  SUBCASE("also with a box per channel") {
    layer.box_lower.assign(layer.weights.size(), -widest);
    layer.box_upper.assign(layer.weights.size(), widest);
    CHECK(ranges_on(layer, "axe:P=64")[0].upper == Values{extreme / 128 * 127});
    layer.box_lower.assign(layer.weights.size(), INT16_MIN);
    layer.box_upper.assign(layer.weights.size(), INT16_MAX);
    layer.weights.assign(layer.weights.size(), -128);
    CHECK(ranges_on(layer, "axe:P=64")[0].upper == Values{longest * 128 * 32768});
    CHECK(ranges_on(layer, "axe:P=64")[0].lower == Values{-longest * 128 * 32767});
  }
}

// TOR-108
TEST_CASE("margins, down to what does not fit 64 bits") {
  CHECK(margin({-32767, 32767}, register_limits(16, Limits::symmetric)) == 0);
  CHECK(margin({-32768, 0}, register_limits(16, Limits::symmetric)) == -1);
  CHECK(margin({-32768, 0}, register_limits(16, Limits::full)) == 0);
  CHECK(margin({0, 40000}, register_limits(16, Limits::full)) == 32767 - 40000);
  CHECK(margin({INT64_MIN, INT64_MAX}, {0, 0}) == -INT64_MAX);
  CHECK(margin({0, 0}, register_limits(64, Limits::full)) == INT64_MAX);
}

TEST_CASE(
    "the hull's margin is the least of the registers', and those below 0 are counted, whatever the vector's rest") {
  std::mt19937_64 random(3);
  for (std::size_t count = 1; count < 70; ++count) {
    const int bits = static_cast<int>(random() % 63);
    StageRanges ranges{static_cast<std::int64_t>(count), {}, {}};
    const std::int64_t edge = count % 5 == 0 ? INT64_MAX : (std::int64_t{1} << bits) - 1;
    const IntegerRange limits{-edge, edge};
    std::int64_t least = INT64_MAX, below = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto a = static_cast<std::int64_t>(random()) >> (62 - bits),
                 b = static_cast<std::int64_t>(random()) >> (62 - bits);
      ranges.lower.push_back(i == 7 ? INT64_MIN : std::min(a, b));
      ranges.upper.push_back(std::max(a, b));
      const std::int64_t here = margin({ranges.lower[i], ranges.upper[i]}, limits);
      least = std::min(least, here);
      below += here < 0 ? 1 : 0;
    }
    CHECK(margin(hull(ranges.lower.data(), ranges.upper.data(), static_cast<std::int64_t>(ranges.lower.size())),
                 limits) == least);
    CHECK(overflowing_registers(ranges, limits) == below);
  }
}

TEST_CASE("the data-type bound, as published and exact") {
  struct Known {
    std::int64_t length;
    int weight_bits, activation_bits;
    bool is_signed;
    int paper, exact;
  };
  const Known cases[] = {
      {128, 4, 4, false, 16, 15},  // the Brevitas AXE README's example; 128·8·15 = 15,360 < 2^14
      {128, 4, 8, false, 20, 19},   {64, 4, 8, false, 19, 18},
      {32, 4, 8, false, 18, 17},    {576, 4, 8, false, 22, 22},
      {1536, 4, 8, false, 23, 23},  {576, 4, 4, false, 18, 18},
      {1536, 4, 4, false, 19, 19},  {1, 8, 8, false, 17, 16},  // 128·255 = 32,640 fits 16 bits
      {1, 8, 8, true, 16, 16},                                 // −128·−128 = 16,384 = 2^14 needs 16 symmetric bits
      {131071, 8, 8, true, 32, 32}, {131072, 8, 8, true, 33, 33},  // int32 holds 131,071 products of s8·s8
      {65793, 8, 8, false, 33, 32}, {65794, 8, 8, false, 33, 33},  // and 65,793 of u8·s8
      {1, 1, 1, true, 2, 2},        {INT64_MAX, 32, 32, false, 127, 127},
  };
  for (const Known& known : cases) {
    CAPTURE(known.length);
    CAPTURE(known.weight_bits);
    const DataTypeBound bound =
        data_type_bound(known.length, known.weight_bits, known.activation_bits, known.is_signed);
    CHECK(bound.paper == known.paper);
    CHECK(bound.exact == known.exact);
  }
}

// TOR-108
TEST_CASE("bad layers are refused, and the message names what is wrong") {
  struct Wrong {
    const char* message;
    std::function<void(IntegerLayer&)> change;
  };
  const Wrong cases[] = {
      {"its name", [](IntegerLayer& l) { l.name = ""; }},
      {"its name", [](IntegerLayer& l) { l.name = "a b"; }},
      {"its name", [](IntegerLayer& l) { l.name = "é"; }},
      {"shape 0 × 3", [](IntegerLayer& l) { l.rows = 0, l.weights.clear(); }},
      {"shape 2 × 0", [](IntegerLayer& l) { l.cols = 0, l.weights.clear(); }},
      {"shape -2 × -3", [](IntegerLayer& l) { l.rows = -2, l.cols = -3; }},
      {"shape 2 × 16777217", [](IntegerLayer& l) { l.cols = (1 << 24) + 1; }},
      {"5 weights", [](IntegerLayer& l) { l.weights.pop_back(); }},
      {"6 weights", [](IntegerLayer& l) { l.rows = INT64_MAX; }},
      {"box_lower has 0", [](IntegerLayer& l) { l.box_lower.clear(); }},
      {"box_lower has 2",
       [](IntegerLayer& l) {
         l.box_lower = {0, 0};
       }},
      {"box_upper has 2",
       [](IntegerLayer& l) {
         l.box_upper = {0, 0};
       }},
      {"differ in size",
       [](IntegerLayer& l) {
         l.box_upper = {9, 9, 9};
       }},
      {"box [3, 2] of channel 0", [](IntegerLayer& l) { l.box_lower = {3}, l.box_upper = {2}; }},
      {"box [0, -1] of channel 2",
       [](IntegerLayer& l) {
         l.box_lower = {0, 0, 0}, l.box_upper = {1, 1, -1};
       }},
      {"box [0, 16777217]", [](IntegerLayer& l) { l.box_upper = {(1 << 24) + 1}; }},
      {"box [-2147483648, 0]", [](IntegerLayer& l) { l.box_lower = {INT32_MIN}, l.box_upper = {0}; }},
      {"offset has 2",
       [](IntegerLayer& l) {
         l.offset = {0, 0};
       }},
      {"offset -2147483648", [](IntegerLayer& l) { l.offset = {INT32_MIN}; }},
      {"offset 16777217 of channel 1",
       [](IntegerLayer& l) {
         l.offset = {0, (1 << 24) + 1, 0};
       }},
      {"3 biases",
       [](IntegerLayer& l) {
         l.bias = {0, 0, 0};
       }},
      {"of row 1",
       [](IntegerLayer& l) {
         l.bias = {0, (std::int64_t{1} << 62) + 1};
       }},
      {"of row 0",
       [](IntegerLayer& l) {
         l.bias = {INT64_MIN, 0};
       }},
  };
  const Datapath datapath = parse_datapath("axe:P=16");
  const Topology topology(datapath, 3);
  for (const Wrong& wrong : cases) {
    IntegerLayer layer = layer_of(2, 3);
    CHECK_NOTHROW(validate(layer, datapath));
    wrong.change(layer);
    CAPTURE(wrong.message);
    const std::vector<std::function<void()>> actions{[&] { validate(layer, datapath); }, [&] { row_constants(layer); },
                                                     [&] { layer_ranges(layer, topology); },
                                                     [&] {
                                                       node_range(layer, topology, {0, 0, 0});
                                                     },
                                                     [&] {
                                                       witness(layer, topology, {0, 0, 0}, Side::upper);
                                                     }};
    for (const auto& action : actions) {
      const std::string message = refusal(action);
      CAPTURE(message);
      CHECK(contains(message, wrong.message));
      CHECK(contains(message, "layer '"));
    }
  }
}

// TOR-108
TEST_CASE("operands that the multiplier does not take are refused at their place") {
  IntegerLayer layer = layer_of(2, 3);
  layer.box_lower = {-1};
  CHECK(contains(refusal([&] { validate(layer, parse_datapath("x86-avx2-maddubs")); }), "box [-1, 255] of channel 0"));
  layer.box_lower = {0, 0, -128};
  layer.box_upper = {127, 127, 128};
  CHECK(contains(refusal([&] { validate(layer, parse_datapath("neon-mull-mlal")); }), "box [-128, 128] of channel 2"));
  layer = layer_of(2, 3);
  Datapath datapath = parse_datapath("axe:P=16");
  datapath.weights = {-7, 7};
  CHECK_NOTHROW(validate(layer, datapath));
  layer.weights[4] = -8;
  CHECK(contains(refusal([&] { validate(layer, datapath); }), "weight -8 at row 1, column 1"));
  datapath.weights = {1, 7};  // 0 is not allowed either
  layer.weights[4] = 1;
  CHECK_NOTHROW(validate(layer, datapath));
  layer.weights[5] = 0;
  CHECK(contains(refusal([&] { validate(layer, datapath); }), "weight 0 at row 1, column 2"));
}

TEST_CASE("nodes that do not exist and topologies of another length are refused") {
  const IntegerLayer layer = layer_of(2, 100);
  const Topology topology(parse_datapath("axe:P=16,T=64"), 100);
  for (const NodeId id :
       {NodeId{-1, 0, 0}, NodeId{2, 0, 0}, NodeId{0, 2, 0}, NodeId{0, 0, 2}, NodeId{0, 0, -1}, NodeId{0, 1, 1}}) {
    CHECK_THROWS_AS(node_range(layer, topology, id), InputError);
    CHECK_THROWS_AS(witness(layer, topology, id, Side::lower), InputError);
  }
  const Topology other(parse_datapath("axe:P=16,T=64"), 99);
  CHECK_THROWS_AS(layer_ranges(layer, other), InputError);
  CHECK_THROWS_AS(node_range(layer, other, {0, 0, 0}), InputError);
  CHECK_THROWS_AS(witness(layer, other, {0, 0, 0}, Side::lower), InputError);
}

TEST_CASE("data-type bounds of nothing, or of no bits, are refused") {
  CHECK_THROWS_AS(data_type_bound(0, 8, 8, false), InputError);
  CHECK_THROWS_AS(data_type_bound(-1, 8, 8, false), InputError);
  CHECK_THROWS_AS(data_type_bound(1, 0, 8, false), InputError);
  CHECK_THROWS_AS(data_type_bound(1, 33, 8, false), InputError);
  CHECK_THROWS_AS(data_type_bound(1, 8, 0, false), InputError);
  CHECK_THROWS_AS(data_type_bound(1, 8, 33, true), InputError);
}

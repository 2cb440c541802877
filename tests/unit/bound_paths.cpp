// Every way through lib/bound, quickly: each loop for every instruction set against plain sums, every number at its limit and one beyond, ranges and witnesses
// against their definitions. Mutation testing runs it on every mutant (tests/mutation). Main functions: the test cases. No side effects.
// Requirements: TOR-102, TOR-109.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "../refusal.hpp"
#include "axecert/bound/limited_sum.hpp"
#include "axecert/bound/operand_magnitudes.hpp"
#include "axecert/bound/range.hpp"
#include "axecert/bound/scan.hpp"
#include "axecert/bound/weight_range.hpp"
#include "axecert/bound/worst_case.hpp"
#include "axecert/datapath/machine.hpp"

using namespace axe;
using test::refusal;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::int64_t in(std::int64_t lower, std::int64_t upper) {
    return lower + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(upper - lower + 1));
  }

 private:
  std::mt19937_64 engine_;
};

std::int8_t weight_of(Random& random, int kind) {
  return static_cast<std::int8_t>(kind == 0 ? -128 : kind == 1 ? 127 : random.in(-128, 127));
}

IntegerLayer layer_of(std::int64_t rows, std::int64_t cols) {
  IntegerLayer layer;
  layer.name = "layer";
  layer.rows = rows;
  layer.cols = cols;
  layer.weights.assign(static_cast<std::size_t>(rows * cols), 1);
  layer.box_lower = {0};
  layer.box_upper = {9};
  return layer;
}

Stage stage_of(std::int64_t group, std::int64_t stride, Initial initial = Initial::zero) {
  Stage stage;
  stage.name = "s";
  stage.width = 64;
  stage.group = group;
  stage.stride = stride;
  stage.initial = initial;
  return stage;
}

Datapath datapath_of(std::vector<Stage> stages) {
  Datapath datapath;
  datapath.name = "paths";
  datapath.activations = {-largest_operand, largest_operand};
  for (std::size_t s = 0; s < stages.size(); ++s) stages[s].name += std::to_string(s);
  datapath.stages = std::move(stages);
  return datapath;
}

}  // namespace

TEST_CASE("sums of runs, for every instruction set: lengths around 8, 32 and 64, ragged ends, extreme weights") {
  Random random(1);
  for (const InstructionSet set : instruction_sets()) {
    CAPTURE(static_cast<int>(set));
    for (const std::size_t tile : {1u, 2u, 7u, 8u, 9u, 16u, 31u, 32u, 33u, 63u, 64u, 65u, 100u, 256u, 257u, 700u}) {
      for (const std::size_t count : {std::size_t{1}, tile, tile + 1, 3 * tile - 1, 9 * tile, 17 * tile + tile / 2,
                                      std::size_t{32}, std::size_t{40}}) {
        for (int kind = 0; kind < 3; ++kind) {
          std::vector<std::int8_t> weights(count);
          std::vector<std::int16_t> low(count), high(count);
          for (std::size_t i = 0; i < count; ++i) {
            weights[i] = weight_of(random, kind);
            low[i] = static_cast<std::int16_t>(kind < 2 ? INT16_MIN : random.in(-300, 300));
            high[i] = static_cast<std::int16_t>(kind < 2 ? INT16_MAX : random.in(low[i], 301));
          }
          const std::int64_t alpha = kind == 0 ? -largest_operand : random.in(-9, 9);
          const std::int64_t beta = kind == 0 ? largest_operand : random.in(alpha, 10);
          const std::size_t runs = (count + tile - 1) / tile;
          std::vector<std::int64_t> lower(runs), upper(runs), least(runs), most(runs), lower_k(runs), upper_k(runs),
              least_k(runs), most_k(runs);
          std::vector<std::uint64_t> scratch(runs);
          for (std::size_t i = 0; i < count; ++i) {
            const std::int64_t w = weights[i];
            least[i / tile] += std::min(w * alpha, w * beta);
            most[i / tile] += std::max(w * alpha, w * beta);
            least_k[i / tile] += std::min(w * low[i], w * high[i]);
            most_k[i / tile] += std::max(w * low[i], w * high[i]);
          }
          scan_uniform(set, weights.data(), count, tile, alpha, beta, scratch.data(), lower.data(), upper.data());
          scan_channels(set, weights.data(), low.data(), high.data(), count, tile, lower_k.data(), upper_k.data());
          REQUIRE(lower == least);
          REQUIRE(upper == most);
          REQUIRE(lower_k == least_k);
          REQUIRE(upper_k == most_k);
        }
      }
    }
  }
}

// TOR-109
TEST_CASE("ranges of whole layers are those of each register alone, and witnesses attain them") {
  Random random(2);
  std::vector<StageRanges> memory;
  for (int trial = 0; trial < 300; ++trial) {
    CAPTURE(trial);
    IntegerLayer layer = layer_of(random.in(1, 3), random.in(1, 24));
    for (std::int8_t& w : layer.weights)
      w = static_cast<std::int8_t>(random.in(0, 3) == 0 ? random.in(-128, 127) : random.in(-3, 3));
    const bool channels = random.in(0, 1) == 1;
    const bool limited = trial % 3 == 0;
    const std::int64_t reach = random.in(0, 3) == 0 ? 40000 : 6;
    layer.box_lower.clear();
    layer.box_upper.clear();
    for (std::int64_t k = 0; k < (channels ? layer.cols : 1); ++k) {
      const std::int64_t low = limited ? random.in(-reach, 0) : random.in(-reach, reach);
      layer.box_lower.push_back(static_cast<std::int32_t>(low));
      layer.box_upper.push_back(static_cast<std::int32_t>(random.in(limited ? 0 : low, reach + 1)));
    }
    layer.input_limit = limited ? random.in(1, random.in(0, 1) == 0 ? 5 : 100) : 0;
    if (random.in(0, 1) == 1) {
      for (std::int64_t r = 0; r < layer.rows; ++r) layer.bias.push_back(random.in(-1000, 1000));
    }
    const std::int64_t offsets = random.in(0, 2);
    for (std::int64_t k = 0; k < (offsets == 0 ? 0 : offsets == 1 ? 1 : layer.cols); ++k) {
      layer.offset.push_back(static_cast<std::int32_t>(random.in(-20, 20)));
    }
    layer.zero_point_spread = random.in(0, 2) == 0 ? random.in(1, 9) : 0;
    std::vector<Stage> stages;
    const std::int64_t depth = random.in(1, 3);
    for (std::int64_t s = 0; s < depth; ++s) {
      const bool last = s == depth - 1;
      stages.push_back(stage_of(last ? 0 : random.in(1, 9), last ? 1 : random.in(1, 3),
                                last && random.in(0, 1) == 1 ? Initial::constant : Initial::zero));
      if (random.in(0, 1) == 1) stages.back().claim = Claim::final_value;
    }
    const Datapath datapath = datapath_of(stages);
    const Topology topology(datapath, layer.cols);
    const std::vector<StageRanges> all = layer_ranges(layer, topology);
    const std::vector<StageRanges> again =
        layer_ranges(layer, topology, memory);  // in memory that held another layer's
    for (std::size_t s = 0; s < all.size(); ++s) {
      REQUIRE((again[s].nodes == all[s].nodes && again[s].lower == all[s].lower && again[s].upper == all[s].upper));
    }
    memory = all;
    const std::vector<IntegerRange> constants = row_constant_ranges(layer);
    REQUIRE(all.size() == topology.stages());
    for (std::int64_t r = 0; r < layer.rows; ++r) {
      for (std::size_t s = 0; s < topology.stages(); ++s) {
        REQUIRE(all[s].nodes == topology.nodes(s));
        REQUIRE(all[s].lower.size() == static_cast<std::size_t>(layer.rows * topology.nodes(s)));
        for (std::int64_t n = 0; n < topology.nodes(s); ++n) {
          const auto i = static_cast<std::size_t>(r * topology.nodes(s) + n);
          const IntegerRange range{all[s].lower[i], all[s].upper[i]};
          REQUIRE(node_range(layer, topology, {r, s, n}) == range);
          for (const Side side : {Side::lower, Side::upper}) {
            const std::vector<std::int32_t> x = witness(layer, topology, {r, s, n}, side);
            for (std::int64_t k = 0; k < layer.cols; ++k) {
              const std::int32_t input = x[static_cast<std::size_t>(k)];
              REQUIRE((input >= layer.lower(k) && input <= layer.upper(k)));
              const std::vector<std::int64_t> below = topology.products_of(s, n);
              if (std::find(below.begin(), below.end(), k) == below.end() || layer.row(r)[k] == 0) {
                REQUIRE(input == std::clamp(0, layer.lower(k), layer.upper(k)));
              }
            }
            REQUIRE(!first_beyond_limit(layer, topology, x));
            const IntegerRange constant = constants[static_cast<std::size_t>(r)];
            const auto trace = run(topology, {layer.row(r), static_cast<std::size_t>(layer.cols)}, x,
                                   side == Side::upper ? constant.upper : constant.lower,
                                   side == Side::upper ? Order::positive_first : Order::negative_first);
            const auto& node = trace[s][static_cast<std::size_t>(n)];
            const bool final_value = topology.stage(s).claim == Claim::final_value;
            const auto reached = final_value ? node.exact : side == Side::upper ? node.highest : node.lowest;
            REQUIRE(reached == (side == Side::upper ? range.upper : range.lower));
          }
        }
      }
    }
  }
}

TEST_CASE("boxes per channel at the ends of 16 bits, and one beyond in every channel") {
  IntegerLayer layer = layer_of(1, 2);
  layer.weights = {127, -128};
  const Topology topology(datapath_of({stage_of(0, 1)}), 2);
  for (const auto& [low, high] : {std::pair{-32768, 32767}, std::pair{-32769, 5}, std::pair{-5, 32768},
                                  std::pair{-40000, 5}, std::pair{-5, 40000}, std::pair{-32769, 32768}}) {
    layer.box_lower = {low, low};
    layer.box_upper = {high, high};
    const std::vector<StageRanges> found = layer_ranges(layer, topology);
    CHECK(found[0].lower[0] == 127 * std::int64_t{low} - 128 * std::int64_t{high});
    CHECK(found[0].upper[0] == 127 * std::int64_t{high} - 128 * std::int64_t{low});
  }
}

TEST_CASE("the constants of rows: bias, offsets, and zero points that vary") {
  IntegerLayer layer = layer_of(2, 3);
  layer.weights = {1, -2, 3, -4, -5, 6};
  CHECK(row_constants(layer) == std::vector<std::int64_t>{0, 0});
  layer.bias = {100, -7};
  CHECK(row_constants(layer) == std::vector<std::int64_t>{100, -7});
  layer.offset = {5};
  CHECK(row_constants(layer) == std::vector<std::int64_t>{110, -22});
  layer.offset = {1, 10, 100};
  CHECK(row_constants(layer) == std::vector<std::int64_t>{100 + 1 - 20 + 300, -7 - 4 - 50 + 600});
  CHECK(row_constant_ranges(layer) == std::vector<IntegerRange>{{381, 381}, {539, 539}});
  layer.zero_point_spread = 10;  // Σw = 2 and −3: at z the constant is less by z Σw
  CHECK(row_constant_ranges(layer) == std::vector<IntegerRange>{{361, 381}, {539, 569}});
}

// TOR-108
TEST_CASE("what a layer may be, at each limit and one beyond") {
  struct Case {
    const char* message;  // nullptr: allowed
    std::function<void(IntegerLayer&)> change;
  };
  const auto box = [](std::int32_t low, std::int32_t high) {
    return [=](IntegerLayer& l) { l.box_lower = {low}, l.box_upper = {high}; };
  };
  const auto limited = [](std::int64_t limit, std::int32_t low, std::int32_t high) {
    return [=](IntegerLayer& l) { l.input_limit = limit, l.box_lower = {0, low, 0}, l.box_upper = {1, high, 1}; };
  };
  const auto bias = [](std::int64_t value) { return [=](IntegerLayer& l) { l.bias = {0, value}; }; };
  const auto offset = [](std::int32_t value) { return [=](IntegerLayer& l) { l.offset = {0, 0, value}; }; };
  const auto spread = [](std::int64_t value) { return [=](IntegerLayer& l) { l.zero_point_spread = value; }; };
  const auto name = [](const char* text) { return [=](IntegerLayer& l) { l.name = text; }; };
  const std::int32_t most = 1 << 24;
  const std::int64_t heavy = std::int64_t{1} << 62;
  const Case cases[] = {
      {nullptr, name("azAZ09_./-")},
      {nullptr, name("-")},
      {"its name", name("a`")},
      {"its name", name("a{")},
      {"its name", name("@")},
      {"its name", name("[")},
      {"its name", name(":")},
      {"its name", name(",")},
      {"its name", name("^")},
      {nullptr, box(-most, most)},
      {nullptr, box(most, most)},
      {nullptr, box(-most, -most)},
      {"box [-16777217, 5] of channel 0", box(-most - 1, 5)},
      {"box [5, 16777217] of channel 0", box(5, most + 1)},
      {"box [2, 1] of channel 0", box(2, 1)},
      {nullptr, box(2, 2)},
      {nullptr, offset(most)},
      {nullptr, offset(-most)},
      {"offset 16777217 of channel 2", offset(most + 1)},
      {"offset -16777217 of channel 2", offset(-most - 1)},
      {nullptr, limited(1, -1, 1)},
      {nullptr, limited(std::int64_t{1} << 48, 0, 0)},
      {"an input limit of 281474976710657", limited((std::int64_t{1} << 48) + 1, 0, 0)},
      {"an input limit of -1", limited(-1, 0, 0)},
      {nullptr, limited(7, 0, 4)},
      {nullptr, limited(7, -4, 0)},
      {"box [1, 4] of channel 1 excludes 0", limited(7, 1, 4)},
      {"box [-4, -1] of channel 1 excludes 0", limited(1, -4, -1)},
      {nullptr, limited(0, 1, 4)},
      {"box [1, 4] of channel 0 excludes 0",
       [](IntegerLayer& l) { l.input_limit = 7, l.box_lower = {1}, l.box_upper = {4}; }},
      {nullptr, spread(0)},
      {nullptr, spread(most)},
      {"spread of zero points of -1", spread(-1)},
      {"spread of zero points of 16777217", spread(most + 1)},
      {nullptr, bias(heavy)},
      {nullptr, bias(-heavy)},
      {"of row 1", bias(heavy + 1)},
      {"of row 1", bias(-heavy - 1)},
      {"1 biases for 2 rows", [](IntegerLayer& l) { l.bias = {0}; }},
      {nullptr,
       [](IntegerLayer& l) {
         l.box_lower = {0, 0, 0}, l.box_upper = {9, 9, 9};
       }},
      {nullptr,
       [](IntegerLayer& l) {
         l.offset = {1, 1, 1};
       }},
      {nullptr, [](IntegerLayer& l) { l.offset = {1}; }},
      {"offset has 2 entries for 3",
       [](IntegerLayer& l) {
         l.offset = {1, 1};
       }},
      {"box_lower has 0 entries", [](IntegerLayer& l) { l.box_lower.clear(); }},
      {"shape 2 × 16777217", [](IntegerLayer& l) { l.cols = largest_length + 1; }},
      {"6 weights for a shape of 2 × 16777216", [](IntegerLayer& l) { l.cols = largest_length; }},
      {"shape 0 × 3", [](IntegerLayer& l) { l.rows = 0; }},
      {"shape 2 × 0", [](IntegerLayer& l) { l.cols = 0; }},
      {"7 weights", [](IntegerLayer& l) { l.weights.push_back(0); }},
      {nullptr, [](IntegerLayer& l) { l.rows = 1, l.cols = 6; }},
      {nullptr, [](IntegerLayer& l) { l.rows = 6, l.cols = 1; }},
  };
  for (const Case& c : cases) {
    IntegerLayer layer = layer_of(2, 3);
    c.change(layer);
    const std::string message = refusal([&] { (void)row_constants(layer); });
    CAPTURE(message);
    if (c.message == nullptr) {
      CHECK(message.empty());
      const Topology topology(datapath_of({stage_of(0, 1)}), layer.cols);
      CHECK(refusal([&] { (void)layer_ranges(layer, topology); }).empty());
    } else {
      CAPTURE(c.message);
      CHECK(contains(message, c.message));
      CHECK(refusal([&] { (void)row_constant_ranges(layer); }) == message);
    }
  }
  // The operands of the datapath.
  IntegerLayer layer = layer_of(2, 3);
  Datapath datapath = datapath_of({stage_of(0, 1)});
  datapath.activations = {-5, 9};
  datapath.weights = {-3, 4};
  layer.box_lower = {-5};
  layer.weights = {-3, 4, 0, 0, 4, -3};
  CHECK(refusal([&] { validate(layer, datapath); }).empty());
  datapath.stages[0].width = 65;
  CHECK(contains(refusal([&] { validate(layer, datapath); }), "65"));
  datapath.stages[0].width = 64;
  for (const std::size_t at : {std::size_t{0}, std::size_t{2}, std::size_t{5}}) {
    for (const int w : {-4, 5}) {
      IntegerLayer other = layer;
      other.weights[at] = static_cast<std::int8_t>(w);
      CHECK(contains(
          refusal([&] { validate(other, datapath); }),
          "weight " + std::to_string(w) + " at row " + std::to_string(at / 3) + ", column " + std::to_string(at % 3)));
    }
  }
  layer.box_lower = {-5, -6, -5};
  layer.box_upper = {9, 9, 9};
  CHECK(contains(refusal([&] { validate(layer, datapath); }), "box [-6, 9] of channel 1"));
  layer.box_lower = {-5, -5, -5};
  layer.box_upper = {9, 9, 10};
  CHECK(contains(refusal([&] { validate(layer, datapath); }), "box [-5, 10] of channel 2"));
  for (const IntegerRange only :
       {IntegerRange{1, 4}, IntegerRange{-4, -1}}) {  // 0 is no operand: looked for, weight by weight
    datapath.weights = only;
    layer = layer_of(2, 3);
    layer.weights.assign(6, static_cast<std::int8_t>(only.upper));
    CHECK(refusal([&] { validate(layer, datapath); }).empty());
    layer.weights[4] = 0;
    CHECK(contains(refusal([&] { validate(layer, datapath); }), "weight 0 at row 1, column 1"));
  }
}

TEST_CASE("registers that do not exist, and topologies of another length") {
  const IntegerLayer layer = layer_of(2, 6);
  const Topology topology(datapath_of({stage_of(2, 1), stage_of(0, 1)}), 6);
  for (const NodeId id : {NodeId{0, 0, 0}, NodeId{1, 0, 2}, NodeId{1, 1, 0}}) {
    CHECK(refusal([&] { (void)node_range(layer, topology, id); }).empty());
  }
  for (const NodeId id :
       {NodeId{-1, 0, 0}, NodeId{2, 0, 0}, NodeId{0, 2, 0}, NodeId{0, 0, -1}, NodeId{0, 0, 3}, NodeId{0, 1, 1}}) {
    const std::string message = refusal([&] { (void)witness(layer, topology, id, Side::lower); });
    CHECK(contains(message, "no register at row " + std::to_string(id.row) + ", stage " + std::to_string(id.stage) +
                                ", node " + std::to_string(id.node)));
  }
  const Topology other(datapath_of({stage_of(0, 1)}), 5);
  CHECK(contains(refusal([&] { (void)layer_ranges(layer, other); }), "of 5 terms, the layer has 6"));
}

TEST_CASE("a witness spends the limit on the largest weights, and on the first of equals") {
  IntegerLayer layer = layer_of(1, 5);
  layer.weights = {0, 3, -3, -4, 3};
  layer.box_lower = {-4};
  layer.box_upper = {4};
  layer.input_limit = 10;
  const Topology topology(datapath_of({stage_of(0, 1)}), 5);
  CHECK(witness(layer, topology, {0, 0, 0}, Side::upper) == std::vector<std::int32_t>{0, 4, -2, -4, 0});
  CHECK(witness(layer, topology, {0, 0, 0}, Side::lower) == std::vector<std::int32_t>{0, -4, 2, 4, 0});
}

// TOR-109
TEST_CASE("the first input beyond the limit: each register its own, in the order of its products") {
  IntegerLayer layer = layer_of(1, 7);
  layer.box_lower = {-9};
  layer.input_limit = 10;
  const Topology topology(datapath_of({stage_of(2, 2), stage_of(0, 1)}), 7);  // 0 2 | 1 3 | 4 6 | 5
  const auto first = [&](std::vector<std::int32_t> x) { return first_beyond_limit(layer, topology, x).value_or(-1); };
  CHECK(first({5, 5, -5, 5, 5, 9, -5}) == -1);
  CHECK(first({5, 5, -6, 5, 5, 9, -5}) == 2);
  CHECK(first({5, -6, 5, 5, 9, 9, 9}) == 3);
  CHECK(first({11, 0, 0, 0, 0, 0, 0}) == 0);
  CHECK(first({0, 0, 0, 0, 0, -11, 0}) == 5);
  CHECK(first({0, 0, 0, 0, 5, 11, 6}) == 6);
  layer.input_limit = 0;
  CHECK(first({99, 99, 99, 99, 99, 99, 99}) == -1);
  const Topology other(datapath_of({stage_of(2, 2), stage_of(0, 1)}), 8);
  CHECK(contains(refusal([&] { (void)first_beyond_limit(layer, other, std::vector<std::int32_t>(8)); }),
                 "of 8 terms, the layer has 7"));
}

TEST_CASE("the least and the greatest weight: of one alone, whatever stands beside it") {
  const std::vector<std::int8_t> weights = {-128, 5, 127, -128, 127};
  for (std::size_t begin = 0; begin < weights.size(); ++begin) {
    IntegerRange wanted{weights[begin], weights[begin]};
    for (std::size_t end = begin + 1; end <= weights.size(); ++end) {
      wanted.lower = std::min<std::int64_t>(wanted.lower, weights[end - 1]);
      wanted.upper = std::max<std::int64_t>(wanted.upper, weights[end - 1]);
      CHECK(weight_range(std::span(weights).subspan(begin, end - begin)) == wanted);
    }
  }
}

TEST_CASE("a layer whose rows or columns nobody set is refused, and a register that nobody named is the first") {
  IntegerLayer layer = layer_of(1, 1);
  layer.rows = IntegerLayer{}.rows;
  CHECK(contains(refusal([&] { (void)row_constants(layer); }), "shape 0 × 1"));
  layer.rows = 1;
  layer.cols = IntegerLayer{}.cols;
  CHECK(contains(refusal([&] { (void)row_constants(layer); }), "shape 1 × 0"));
  CHECK(NodeId{} == NodeId{0, 0, 0});
}

TEST_CASE("the first register that overflows: by stage, then by row and node") {
  Datapath datapath = datapath_of({stage_of(2, 1), stage_of(0, 1)});
  datapath.stages[0].width = datapath.stages[1].width = 4;
  const Topology topology(datapath, 6);
  std::vector<StageRanges> ranges(2);
  ranges[0] = {3, std::vector<std::int64_t>(6, -7), std::vector<std::int64_t>(6, 7)};
  ranges[1] = {1, {-7, -7}, {7, 7}};
  CHECK(!first_overflow(ranges, topology));
  ranges[1].lower[1] = -8;
  CHECK(first_overflow(ranges, topology) == NodeId{1, 1, 0});
  ranges[0].upper[4] = 8;
  CHECK(first_overflow(ranges, topology) == NodeId{1, 0, 1});
  ranges[0].upper[2] = 8;
  CHECK(first_overflow(ranges, topology) == NodeId{0, 0, 2});
  ranges[0].lower[0] = -8;
  CHECK(first_overflow(ranges, topology) == NodeId{0, 0, 0});
}

TEST_CASE("widths that data types ask for, at the ends of what is allowed") {
  // K = 1: 2^(N+M−1−signed) as published; |w| 2^(M−1) times the largest input exactly.
  CHECK(data_type_bound(1, 1, 1, false).paper == 3);
  CHECK(data_type_bound(1, 1, 1, false).exact == 2);
  CHECK(data_type_bound(1, 1, 1, true).paper == 2);
  CHECK(data_type_bound(1, 1, 1, true).exact == 2);
  CHECK(data_type_bound(1, 32, 32, false).paper == 65);
  CHECK(data_type_bound(1, 32, 32, false).exact == 64);
  CHECK(data_type_bound(1, 32, 32, true).exact == 64);
  CHECK(data_type_bound(576, 4, 8, false).exact == 22);  // 576 · 8 · 255 = 1,175,040 < 2^21
  CHECK(data_type_bound(576, 4, 8, false).paper == 22);  // 576 · 2^11 = 1,179,648
  CHECK(data_type_bound(576, 4, 8, true).exact == 21);   // 576 · 8 · 128 = 589,824 < 2^20
  CHECK(contains(refusal([] { (void)data_type_bound(0, 8, 8, false); }), "a dot product of 0 terms"));
  for (const auto& [m, n] : {std::pair{0, 8}, std::pair{33, 8}, std::pair{8, 0}, std::pair{8, 33}}) {
    CHECK(contains(refusal([&, m = m, n = n] { (void)data_type_bound(1, m, n, false); }),
                   std::to_string(m) + "-bit weights and " + std::to_string(n) + "-bit activations"));
  }
}

TEST_CASE("what a datapath promises whatever the weights, against trying") {
  Random random(3);
  for (int trial = 0; trial < 400; ++trial) {
    Datapath datapath = datapath_of(
        {stage_of(random.in(0, 3) == 0 ? 0 : random.in(1, 3), 1), stage_of(random.in(0, 1) == 0 ? 0 : 2, 1)});
    datapath.weights = {random.in(-5, 1), 0};
    datapath.weights.upper = random.in(datapath.weights.lower, 5);
    datapath.activations = {random.in(-9, 2), 0};
    datapath.activations.upper = random.in(datapath.activations.lower, 9);
    for (Stage& stage : datapath.stages) {
      stage.width = static_cast<int>(random.in(1, 9));
      stage.limits = random.in(0, 1) == 0 ? Limits::full : Limits::symmetric;
    }
    CAPTURE(trial);
    const std::vector<StageWorstCase> found = worst_case(datapath);
    REQUIRE(found.size() == 2);
    std::int64_t products = 1;
    for (std::size_t s = 0; s < 2; ++s) {
      const Stage& stage = datapath.stages[s];
      products = stage.group == 0 || products == 0 ? 0 : products * stage.group;
      CHECK(found[s].products == products);
      const std::int64_t n = std::max<std::int64_t>(1, products);
      const IntegerRange limits = register_limits(stage);
      std::int64_t least = 0, most = 0;
      const auto& [w, x] = std::pair{datapath.weights, datapath.activations};
      for (std::int64_t a = w.lower; a <= w.upper; ++a) {
        for (std::int64_t b = x.lower; b <= x.upper; ++b) {
          least = std::min(least, a * b);
          most = std::max(most, a * b);
        }
      }
      CHECK(found[s].reach == IntegerRange{n * least, n * most});
      const auto fits = [&](std::int64_t terms) {
        return terms * least >= limits.lower && terms * most <= limits.upper;
      };
      CHECK(found[s].fits == fits(n));
      std::int64_t terms = 0;
      while (terms < 600 && fits(terms + 1)) ++terms;
      CHECK(found[s].most_products == (terms == 600 ? largest_length : terms));
      // An input is safe when every weight's n products, and their subsets, fit.
      const auto safe = [&](std::int64_t input) {
        for (std::int64_t a = w.lower; a <= w.upper; ++a) {
          if (n * a * input < limits.lower || n * a * input > limits.upper) return false;
        }
        return true;
      };
      for (std::int64_t input = x.lower; input <= x.upper; ++input) {
        CHECK((input >= found[s].safe_inputs.lower && input <= found[s].safe_inputs.upper) == safe(input));
      }
    }
  }
  Datapath invalid = datapath_of({stage_of(1, 1)});
  invalid.stages[0].width = 65;
  CHECK(contains(refusal([&] { (void)worst_case(invalid); }), "65"));
  Datapath wide = datapath_of({stage_of(largest_length, 1)});  // a group as long as the longest row is the whole row
  CHECK(worst_case(wide)[0].products == 0);
  wide.stages[0].group = largest_length - 1;
  CHECK(worst_case(wide)[0].products == largest_length - 1);
  wide = datapath_of({stage_of(INT32_MAX, 1), stage_of(INT32_MAX, 1)});
  CHECK(worst_case(wide)[1].products == 0);
  wide.stages[0].limits = Limits::full;
  CHECK(worst_case(wide)[0].most_products == largest_length);
}

// TOR-109
TEST_CASE("the greatest sum under a limit, and the greatest limit under a sum, against trying; sums of magnitudes") {
  Random random(4);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<std::pair<std::int64_t, std::int64_t>> terms;  // weight, cap
    for (std::int64_t i = random.in(0, 4); i >= 0; --i) {
      terms.emplace_back(random.in(0, 3) == 0 ? (random.in(0, 1) == 0 ? -128 : 127) : random.in(-3, 3),
                         random.in(0, 4));
    }
    const auto sum_of = [&] {
      LimitedSum sum;
      for (const auto& [w, cap] : terms) sum.add(w, cap);
      return sum;
    };
    // One unit after the other, each on the largest weight that has any left.
    const auto greatest = [&](std::int64_t limit) {
      std::vector<std::int64_t> units;
      for (const auto& [w, cap] : terms) units.insert(units.end(), static_cast<std::size_t>(cap), std::abs(w));
      std::sort(units.rbegin(), units.rend());
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < units.size() && static_cast<std::int64_t>(i) < limit; ++i) sum += units[i];
      return sum;
    };
    LimitedSum kept = sum_of();
    for (std::int64_t limit = 0; limit < 25; ++limit) {
      LimitedSum sum = sum_of();
      CHECK(sum.take(limit) == greatest(limit));
      CHECK(sum.take(limit) == 0);  // it has forgotten everything
    }
    for (std::int64_t bound = 0; bound < 40; ++bound) {
      std::int64_t limit = 0;
      while (limit < 25 && greatest(limit + 1) <= bound) ++limit;
      CHECK(kept.limit_for(bound) == (limit == 25 ? largest_input_limit : limit));
    }
  }
  const Topology topology(datapath_of({stage_of(2, 2)}), 7);  // 0 2 | 1 3 | 4 6 | 5
  const OperandMagnitudes magnitudes(topology);
  CHECK(magnitudes.inputs() == 7);
  std::vector<std::int64_t> scratch;
  const std::vector<std::uint8_t> inputs{128, 0, 255, 127, 130, 100, 126};
  const OperandMagnitudes::Worst worst = magnitudes.worst(inputs.data(), -128, scratch);
  CHECK(scratch == std::vector<std::int64_t>{127, 129, 4, 28});
  CHECK((worst.node == 1 && worst.sum == 129));
  const std::vector<std::uint8_t> equal{129, 127, 128, 128, 129, 127, 128};
  CHECK(magnitudes.worst(equal.data(), -128, scratch).node == 0);
  CHECK(magnitudes.worst(equal.data(), 0, scratch).sum == 257);
  const std::vector<std::uint8_t> zero(7, 128);
  CHECK((magnitudes.worst(zero.data(), -128, scratch).node == 0 &&
         magnitudes.worst(zero.data(), -128, scratch).sum == 0));
}

TEST_CASE("margins that 64 bits do not hold") {
  CHECK(margin({0, 0}, {INT64_MIN, INT64_MAX}) == INT64_MAX);
  CHECK(margin({INT64_MIN + 1, 0}, {INT64_MIN, INT64_MAX}) == 1);
  CHECK(margin({INT64_MIN, INT64_MAX}, {-1, 1}) == -INT64_MAX);
  CHECK(margin({-3, 5}, {-7, 7}) == 2);
  CHECK(margin({-6, 5}, {-7, 7}) == 1);
  CHECK(margin({-8, 9}, {-7, 7}) == -2);
  CHECK(margin({-1, 1}, {-1, 1}) == 0);
  CHECK(margin({-1, -1}, {-1, INT64_MAX}) == 0);
}

// Brute force over all tiny cases: every weight vector, every box, every input in it, every zero point, every order of
// addition. The set
// of partial sums that is seen must be exactly the range that is claimed, and a datapath whose ranges fit must compute
// the integers, whatever its registers do on overflow.
// Requirements: TOR-102.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "../brute_force/exhaustive.hpp"
#include "axecert/bound/range.hpp"
#include "axecert/datapath/machine.hpp"

using namespace axe;
using exhaustive::constant_at;
using exhaustive::for_all_inputs;
using exhaustive::Seen;

namespace {

/// Calls `visit` with every vector of `length` entries out of `choices`.
template <class Choice>
void for_all(std::size_t length, const std::vector<Choice>& choices,
             const std::function<void(const std::vector<Choice>&)>& visit) {
  std::vector<std::size_t> at(length, 0);
  std::vector<Choice> current(length, choices[0]);
  for (;;) {
    visit(current);
    std::size_t i = 0;
    while (i < length && ++at[i] == choices.size()) {
      at[i] = 0;
      current[i] = choices[0];
      ++i;
    }
    if (i == length) {
      return;
    }
    current[i] = choices[at[i]];
  }
}

struct Box {
  std::int32_t lower;
  std::int32_t upper;
};

/// Σ|x| of every register of the lowest stage is within the layer's limit.
bool keeps_limit(const IntegerLayer& layer, const Topology& topology, const std::vector<std::int32_t>& x) {
  std::vector<std::vector<std::int64_t>> lowest;
  for (std::int64_t node = 0; node < topology.nodes(0); ++node) {
    lowest.push_back(topology.values_of(0, node));
  }
  return exhaustive::keeps_limit(layer, lowest, x);
}

IntegerLayer one_row(const std::vector<std::int8_t>& weights, const std::vector<Box>& boxes, std::int64_t bias) {
  IntegerLayer layer;
  layer.name = "row";
  layer.rows = 1;
  layer.cols = static_cast<std::int64_t>(weights.size());
  layer.weights = weights;
  for (const Box& box : boxes) {
    layer.box_lower.push_back(box.lower);
    layer.box_upper.push_back(box.upper);
  }
  layer.bias = {bias};
  return layer;
}

Stage make_stage(std::int64_t group, std::int64_t stride, Initial initial = Initial::zero,
                 Claim claim = Claim::every_partial_sum) {
  Stage stage;
  stage.group = group;
  stage.stride = stride;
  stage.width = 64;
  stage.initial = initial;
  stage.claim = claim;
  return stage;
}

Datapath make_datapath(std::vector<Stage> stages) {
  Datapath datapath;
  datapath.name = "tiny";
  datapath.activations = {-16, 16};
  for (std::size_t s = 0; s < stages.size(); ++s) {
    stages[s].name = "s" + std::to_string(s);
  }
  datapath.stages = std::move(stages);
  return datapath;
}

/// Exact values of every register for one input and one constant, [stage][node], and what each of them adds.
void play_all(const IntegerLayer& layer, const Topology& topology, const std::vector<std::int32_t>& x,
              std::int64_t constant, std::vector<std::vector<Seen>>& seen) {
  std::vector<std::int64_t> below;
  for (std::size_t k = 0; k < x.size(); ++k) {
    below.push_back(std::int64_t{layer.weights[k]} * x[k]);
  }
  for (std::size_t s = 0; s < topology.stages(); ++s) {
    std::vector<std::int64_t> held;
    for (std::int64_t node = 0; node < topology.nodes(s); ++node) {
      const std::int64_t initial = topology.stage(s).initial == Initial::constant ? constant : 0;
      std::vector<std::int64_t> values;
      std::int64_t sum = initial;
      for (const std::int64_t v : topology.values_of(s, node)) {
        values.push_back(below[static_cast<std::size_t>(v)]);
        sum += values.back();
      }
      seen[s][static_cast<std::size_t>(node)].play(initial, values);
      held.push_back(sum);
    }
    below = held;
  }
}

struct Counts {
  std::int64_t layers = 0;
  std::int64_t nodes = 0;
  std::int64_t mistakes = 0;
};

/// Compares layer_ranges, node_range, witness and the machine with what brute force sees.
void compare(const IntegerLayer& layer, const Datapath& datapath, Counts& counts) {
  const Topology topology(datapath, layer.cols);
  std::vector<std::vector<Seen>> seen(topology.stages());
  for (std::size_t s = 0; s < topology.stages(); ++s) {
    seen[s].resize(static_cast<std::size_t>(topology.nodes(s)));
  }
  std::int64_t least_constant = INT64_MAX, greatest_constant = INT64_MIN;
  for (std::int64_t z = 0; z <= layer.zero_point_spread; ++z) {
    const std::int64_t constant = constant_at(layer, z);
    least_constant = std::min(least_constant, constant);
    greatest_constant = std::max(greatest_constant, constant);
    for_all_inputs(layer, [&](const std::vector<std::int32_t>& x) {
      if (keeps_limit(layer, topology, x)) {
        play_all(layer, topology, x, constant, seen);
      }
    });
  }
  const std::vector<StageRanges> claimed = layer_ranges(layer, topology);
  ++counts.layers;
  for (std::size_t s = 0; s < topology.stages(); ++s) {
    const bool partial = topology.stage(s).claim == Claim::every_partial_sum;
    for (std::int64_t node = 0; node < topology.nodes(s); ++node) {
      const auto n = static_cast<std::size_t>(node);
      const IntegerRange expected = partial ? seen[s][n].partial : seen[s][n].final;
      const IntegerRange range{claimed[s].lower[n], claimed[s].upper[n]};
      bool right = range == expected && node_range(layer, topology, {0, s, node}) == expected;
      for (const Side side : {Side::lower, Side::upper}) {
        const std::vector<std::int32_t> x = witness(layer, topology, {0, s, node}, side);
        for (std::int64_t k = 0; k < layer.cols; ++k) {
          const std::int32_t value = x[static_cast<std::size_t>(k)];
          right = right && value >= layer.lower(k) && value <= layer.upper(k);
          if (topology.node_of_product(s, k) != node) {
            right = right && value == std::clamp(0, layer.lower(k), layer.upper(k));
          }
        }
        right = right && keeps_limit(layer, topology, x) && !first_beyond_limit(layer, topology, x);
        const Order order = side == Side::upper ? Order::positive_first : Order::negative_first;
        const std::int64_t constant = side == Side::upper ? greatest_constant : least_constant;
        const RegisterTrace trace = run(topology, layer.weights, x, constant, order)[s][n];
        const int128 attained = !partial ? trace.value : side == Side::upper ? trace.highest : trace.lowest;
        right = right && attained == (side == Side::upper ? expected.upper : expected.lower) && !trace.overflowed;
      }
      ++counts.nodes;
      if (!right && ++counts.mistakes == 1) {
        std::string text;
        for (std::int64_t k = 0; k < layer.cols; ++k) {
          text += std::to_string(layer.row(0)[k]) + "·[" + std::to_string(layer.lower(k)) + "," +
                  std::to_string(layer.upper(k)) + "] ";
        }
        FAIL_CHECK("first mistake: " << text << describe(datapath) << " stage " << s << " node " << node
                                     << ": claimed [" << range.lower << ", " << range.upper << "], seen ["
                                     << expected.lower << ", " << expected.upper << "]");
      }
    }
  }
}

const std::vector<Box> boxes{{0, 2}, {-1, 1}, {-2, 0}, {1, 2}, {-2, -1}, {0, 0}, {2, 2}};

std::vector<Datapath> topologies() {
  const Claim final_value = Claim::final_value;
  return {
      make_datapath({make_stage(0, 1)}),
      make_datapath({make_stage(0, 1, Initial::constant)}),
      make_datapath({make_stage(0, 1, Initial::constant, final_value)}),
      make_datapath({make_stage(2, 1), make_stage(0, 1, Initial::constant)}),
      make_datapath({make_stage(2, 1, Initial::zero, final_value), make_stage(0, 1, Initial::zero, final_value)}),
      make_datapath({make_stage(2, 2), make_stage(0, 1)}),
      make_datapath({make_stage(0, 2), make_stage(1, 1), make_stage(0, 1, Initial::constant)}),
      make_datapath({make_stage(0, 1, Initial::constant), make_stage(1, 1)}),
      make_datapath({make_stage(3, 1), make_stage(2, 3)}),
      make_datapath({make_stage(1, 3), make_stage(2, 1), make_stage(2, 1)}),
  };
}

}  // namespace

TEST_CASE("one box for all channels: what is claimed is what is seen, for all weights, inputs and orders") {
  Counts counts;
  for (std::size_t length = 1; length <= 4; ++length) {
    const std::vector<std::int8_t> choices =
        length < 4 ? std::vector<std::int8_t>{-2, -1, 0, 1, 2} : std::vector<std::int8_t>{-2, 0, 1};
    for_all<std::int8_t>(length, choices, [&](const std::vector<std::int8_t>& weights) {
      for (const Box& box : boxes) {
        for (const Datapath& datapath : topologies()) {
          compare(one_row(weights, {box}, -3), datapath, counts);
        }
      }
    });
  }
  MESSAGE(counts.layers, " layers, ", counts.nodes, " nodes");
  CHECK(counts.mistakes == 0);
  CHECK(counts.nodes > 30000);
}

TEST_CASE("a box per channel: what is claimed is what is seen, for all weights, inputs and orders") {
  Counts counts;
  for (std::size_t length = 1; length <= 3; ++length) {
    const std::vector<std::int8_t> choices =
        length < 3 ? std::vector<std::int8_t>{-2, -1, 0, 1, 2} : std::vector<std::int8_t>{-2, 0, 1};
    for_all<std::int8_t>(length, choices, [&](const std::vector<std::int8_t>& weights) {
      const std::vector<Box> some = length < 3 ? boxes : std::vector<Box>{{0, 2}, {-1, 1}, {1, 2}, {-2, -1}};
      for_all<Box>(length, some, [&](const std::vector<Box>& chosen) {
        for (const Datapath& datapath : topologies()) {
          compare(one_row(weights, chosen, 2), datapath, counts);
        }
      });
    });
  }
  MESSAGE(counts.layers, " layers, ", counts.nodes, " nodes");
  CHECK(counts.mistakes == 0);
  CHECK(counts.nodes > 30000);
}

// TOR-109
TEST_CASE(
    "a zero point that varies: what is claimed is what is seen, for all weights, inputs, zero points and orders") {
  Counts counts;
  for (std::size_t length = 1; length <= 3; ++length) {
    for_all<std::int8_t>(length, std::vector<std::int8_t>{-2, -1, 0, 2}, [&](const std::vector<std::int8_t>& weights) {
      for (const Box& box : boxes) {
        for (const Datapath& datapath : topologies()) {
          for (const std::int64_t spread : {1, 4}) {
            IntegerLayer layer = one_row(weights, {box}, 3);
            layer.zero_point_spread = spread;
            if (spread == 4) {
              layer.offset = {2};
            }
            compare(layer, datapath, counts);
          }
        }
      }
    });
  }
  MESSAGE(counts.layers, " layers, ", counts.nodes, " nodes");
  CHECK(counts.mistakes == 0);
  CHECK(counts.nodes > 20000);
}

TEST_CASE("limited inputs: what is claimed is what is seen, for all weights, limits, inputs and orders") {
  Counts counts;
  for (std::size_t length = 1; length <= 4; ++length) {
    const std::vector<std::int8_t> choices =
        length < 4 ? std::vector<std::int8_t>{-2, -1, 0, 1, 3} : std::vector<std::int8_t>{-2, 1, 3};
    for_all<std::int8_t>(length, choices, [&](const std::vector<std::int8_t>& weights) {
      for (const Box& box : {Box{0, 2}, Box{-1, 1}, Box{-2, 1}, Box{0, 0}}) {
        for (const Datapath& datapath : topologies()) {
          for (const std::int64_t limit : {1, 2, 3, 9}) {
            IntegerLayer layer = one_row(weights, {box}, -3);
            layer.input_limit = limit;
            layer.zero_point_spread = limit == 3 ? 2 : 0;
            compare(layer, datapath, counts);
          }
        }
      }
    });
  }
  for_all<std::int8_t>(3, {-2, 0, 1}, [&](const std::vector<std::int8_t>& weights) {
    for_all<Box>(3, {{0, 2}, {-1, 1}, {-3, 0}}, [&](const std::vector<Box>& chosen) {
      for (const Datapath& datapath : topologies()) {
        IntegerLayer layer = one_row(weights, chosen, 2);
        layer.input_limit = 3;
        compare(layer, datapath, counts);
      }
    });
  });
  MESSAGE(counts.layers, " layers, ", counts.nodes, " nodes");
  CHECK(counts.mistakes == 0);
  CHECK(counts.nodes > 30000);
}

TEST_CASE("a whole layer is its rows one by one") {
  IntegerLayer layer = one_row({}, {{-1, 2}, {0, 3}, {-4, 0}, {1, 1}, {2, 3}}, 0);
  layer.bias.clear();
  for_all<std::int8_t>(5, {-3, 0, 2}, [&](const std::vector<std::int8_t>& weights) {
    layer.weights.insert(layer.weights.end(), weights.begin(), weights.end());
    layer.bias.push_back(layer.rows++ - 100);
  });
  --layer.rows;
  layer.cols = 5;
  layer.offset = {3, -1, 0, 2, -2};
  for (const Datapath& datapath : topologies()) {
    const Topology topology(datapath, layer.cols);
    const std::vector<StageRanges> ranges = layer_ranges(layer, topology);
    for (std::size_t s = 0; s < topology.stages(); ++s) {
      REQUIRE(ranges[s].nodes == topology.nodes(s));
      REQUIRE(ranges[s].lower.size() == static_cast<std::size_t>(layer.rows * topology.nodes(s)));
      for (std::int64_t r = 0; r < layer.rows; ++r) {
        for (std::int64_t node = 0; node < topology.nodes(s); ++node) {
          const auto i = static_cast<std::size_t>(r * topology.nodes(s) + node);
          REQUIRE(node_range(layer, topology, {r, s, node}) == IntegerRange{ranges[s].lower[i], ranges[s].upper[i]});
        }
      }
    }
  }
}

namespace {

bool fits(IntegerRange range, const Stage& stage) {
  return margin(range, register_limits(stage)) >= 0;
}

struct Verdicts {
  std::int64_t safe = 0;
  std::int64_t unsafe = 0;
  std::int64_t overflows = 0;  // registers driven over their limits by a witness
};

/// All ranges fit: every input in every order gives the integers. One does not, but those below do: a witness shows it.
void hold_against_machine(const IntegerLayer& layer, const Datapath& datapath, Verdicts& verdicts) {
  const Topology topology(datapath, layer.cols);
  Datapath wide_datapath = datapath;
  for (Stage& stage : wide_datapath.stages) {
    stage.width = 64;
    stage.overflow = Overflow::wrap;
    stage.claim = Claim::every_partial_sum;
  }
  const Topology wide(wide_datapath, layer.cols);

  bool safe = true;
  bool right = true;
  const std::vector<StageRanges> ranges = layer_ranges(layer, topology);
  for (std::size_t s = 0; s < topology.stages() && safe; ++s) {  // up to the lowest stage that does not fit
    const Stage& stage = topology.stage(s);
    for (std::int64_t node = 0; node < topology.nodes(s); ++node) {
      const auto n = static_cast<std::size_t>(node);
      const IntegerRange range{ranges[s].lower[n], ranges[s].upper[n]};
      if (fits(range, stage)) {
        continue;
      }
      safe = false;
      const Side side = range.upper > register_limits(stage).upper ? Side::upper : Side::lower;
      const Order order = side == Side::upper ? Order::positive_first : Order::negative_first;
      const RegisterTrace trace =
          run(topology, layer.weights, witness(layer, topology, {0, s, node}, side), layer.bias[0], order)[s][n];
      right = right && trace.overflowed;
      ++verdicts.overflows;
    }
  }
  (safe ? verdicts.safe : verdicts.unsafe) += 1;
  if (safe) {
    for_all_inputs(layer, [&](const std::vector<std::int32_t>& x) {
      for (const Order order : {Order::kernel, Order::positive_first, Order::negative_first}) {
        const auto narrow = run(topology, layer.weights, x, layer.bias[0], order);
        const auto exact = run(wide, layer.weights, x, layer.bias[0], order);
        for (std::size_t s = 0; s < narrow.size(); ++s) {
          for (std::size_t n = 0; n < narrow[s].size(); ++n) {
            right = right && narrow[s][n].value == exact[s][n].value;
            // A register that claims only its final value may overflow on the way, and wraps back.
            right = right && (!narrow[s][n].overflowed || topology.stage(s).claim == Claim::final_value);
          }
        }
      }
    });
  }
  REQUIRE(right);
}

}  // namespace

// TOR-101, TOR-103
TEST_CASE("ranges that fit make every machine exact; a range that does not fit is seen to overflow") {
  struct Behaviour {
    Overflow overflow;
    Claim claim;
  };
  const std::vector<Behaviour> behaviours{{Overflow::wrap, Claim::every_partial_sum},
                                          {Overflow::saturate, Claim::every_partial_sum},
                                          {Overflow::undefined, Claim::every_partial_sum},
                                          {Overflow::wrap, Claim::final_value}};
  const std::vector<std::vector<Stage>> shapes{
      {make_stage(0, 1, Initial::constant)},
      {make_stage(2, 1), make_stage(0, 1, Initial::constant)},
      {make_stage(2, 2), make_stage(0, 1)},
  };
  Verdicts verdicts;
  for (const Behaviour& behaviour : behaviours) {
    for (const Limits limits : {Limits::symmetric, Limits::full}) {
      for (const auto& [inner, outer] :
           std::vector<std::pair<int, int>>{{1, 3}, {2, 2}, {2, 4}, {3, 3}, {3, 4}, {4, 4}, {3, 64}}) {
        for (const std::vector<Stage>& shape : shapes) {
          std::vector<Stage> stages = shape;
          for (std::size_t s = 0; s < stages.size(); ++s) {
            stages[s].width = s == 0 ? inner : outer;
            stages[s].overflow = behaviour.overflow;
            stages[s].claim = behaviour.claim;
            stages[s].limits = limits;
          }
          const Datapath datapath = make_datapath(stages);
          for_all<std::int8_t>(3, {-2, 0, 1}, [&](const std::vector<std::int8_t>& weights) {
            for (const Box& box : boxes) {
              hold_against_machine(one_row(weights, {box}, 1), datapath, verdicts);
            }
            hold_against_machine(one_row(weights, {{-1, 1}, {1, 2}, {-2, 0}}, -2), datapath, verdicts);
          });
        }
      }
    }
  }
  MESSAGE(verdicts.safe, " safe, ", verdicts.unsafe, " unsafe, ", verdicts.overflows, " registers seen to overflow");
  CHECK(verdicts.safe > 5000);
  CHECK(verdicts.unsafe > 5000);
}

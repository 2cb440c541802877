// The budget's invariant over all kinds of datapaths, boxes, offsets, biases and sequences of choices: whatever is chosen
// inside `admissible`, lib/bound finds every register's claimed range inside its limits; and one step outside overflows.
// Requirements: TOR-501.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "axecert/bound/range.hpp"
#include "axecert/constraint/budget.hpp"
#include "axecert/constraint/strict_limits.hpp"

using namespace axe;

namespace {

std::mt19937_64 generator(2409);
std::int64_t uniform(std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(generator);
}

struct Scene {
  Datapath datapath;
  std::int64_t length = 1;
  std::vector<std::int32_t> lower, upper, offset;
  IntegerRange weights{-100, 100};
  std::int64_t spread = 0;  // of the zero point
  std::vector<std::int64_t> bias;  // one per row, or empty

  Topology topology() const { return {datapath, length}; }
  IntegerRange bias_range() const {
    IntegerRange range;
    for (std::int64_t b : bias) {
      range = {std::min(range.lower, b), std::max(range.upper, b)};
    }
    return range;
  }
  BudgetPlan plan() const { return {topology(), lower, upper, offset, weights, bias_range(), spread}; }
};

Stage stage(const char* name, int width, std::int64_t group, Overflow overflow, Limits limits,
            Initial initial = Initial::zero, std::int64_t stride = 1) {
  Stage s;
  s.name = name;
  s.width = width;
  s.group = group;
  s.stride = stride;
  s.overflow = overflow;
  s.limits = limits;
  s.initial = initial;
  return s;
}

Datapath any_datapath() {
  const int width = static_cast<int>(uniform(2, 20));
  const std::string p = std::to_string(width), t = std::to_string(uniform(1, 9));
  Datapath d;
  switch (uniform(0, 7)) {
    case 0:
      return parse_datapath("axe:P=" + p);
    case 1:
      return parse_datapath("axe:P=" + p + ",T=" + t);
    case 2:
      return parse_datapath("axe:P=" + p + ",T=" + t + ",outer=" + std::to_string(uniform(2, width + 4)));
    case 3:
      return parse_datapath("axe:P=" + p + ",T=" + t + ",outer=float");
    case 4:
      return parse_datapath("axe:P=32,outer=" + p);
    case 5:  // saturating pairs under tiles under a row that starts from the constant
      d = parse_datapath("axe:P=16");
      d.stages = {stage("pair", width, 2, Overflow::saturate, Limits::full),
                  stage("tile", width + 1, 3, Overflow::wrap, Limits::symmetric),
                  stage("row", width + 2, 0, Overflow::undefined, Limits::full, Initial::constant)};
      return d;
    case 6:  // interleaved lanes
      d = parse_datapath("axe:P=16");
      d.stages = {stage("lane", width, 4, Overflow::wrap, Limits::symmetric, Initial::zero, 3),
                  stage("row", width + 1, 0, Overflow::wrap, Limits::symmetric, Initial::constant)};
      return d;
    default:
      return parse_datapath(uniform(0, 1) != 0 ? "fbgemm-acc16" : "x86-avx2-maddubs");
  }
}

Scene any_scene(std::int64_t rows, bool offsets, bool biases) {
  Scene scene;
  scene.datapath = any_datapath();
  scene.length = uniform(1, 24);
  const auto n = static_cast<std::size_t>(scene.length);
  const std::int64_t kind = uniform(0, 4);
  for (std::size_t k = 0; k < n; ++k) {
    std::int64_t l = 0, h = 255;
    if (kind == 1) {
      l = -128, h = 127;
    } else if (kind == 2) {
      h = 3;
    } else if (kind >= 3) {  // per channel: any size, one-sided, or always 0
      const std::int64_t size = uniform(0, 3) == 0 ? 128 : 6;
      l = -uniform(0, size), h = uniform(0, size - 1);
    }
    scene.lower.push_back(static_cast<std::int32_t>(l));
    scene.upper.push_back(static_cast<std::int32_t>(h));
    scene.offset.push_back(static_cast<std::int32_t>(offsets ? uniform(-200, 200) : 0));
  }
  scene.spread = offsets ? uniform(0, 1) * uniform(0, 255) : 0;
  const std::int64_t largest[] = {1, 7, 100};
  const std::int64_t most = largest[uniform(0, 2)];
  scene.weights = {-most - (most < 100 ? 1 : 0), most};
  const Topology topology = scene.topology();
  for (std::size_t s = 0; biases && s < topology.stages(); ++s) {
    if (topology.stage(s).initial == Initial::constant) {
      const std::int64_t limit = register_limits(topology.stage(s)).upper;
      for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t choices[] = {0, limit, -limit, uniform(-limit, limit), uniform(-limit / 8, limit / 8)};
        scene.bias.push_back(choices[uniform(0, 4)]);
      }
    }
  }
  return scene;
}

IntegerLayer layer_of(const Scene& scene, const std::vector<std::int8_t>& weights) {
  IntegerLayer layer;
  layer.name = "scene";
  layer.cols = scene.length;
  layer.rows = static_cast<std::int64_t>(weights.size()) / scene.length;
  layer.weights = weights;
  layer.box_lower = scene.lower;
  layer.box_upper = scene.upper;
  layer.offset = scene.offset;
  layer.bias = scene.bias;
  layer.zero_point_spread = scene.spread;
  return layer;
}

/// The first register outside its limits, or -1.
std::int64_t overflows(const Scene& scene, const std::vector<std::int8_t>& weights) {
  const Topology topology = scene.topology();
  const std::vector<StageRanges> ranges = layer_ranges(layer_of(scene, weights), topology);
  std::int64_t count = 0;
  for (std::size_t s = 0; s < ranges.size(); ++s) {
    const IntegerRange limits = register_limits(topology.stage(s));
    for (std::size_t i = 0; i < ranges[s].lower.size(); ++i, ++count) {
      if (ranges[s].lower[i] < limits.lower || ranges[s].upper[i] > limits.upper) {
        return count;
      }
    }
  }
  return -1;
}

/// How a row picks from [low, high]: at random, always one end, alternating ends, small, the end of the larger size, and
/// nothing until the last third and then all.
double pick(std::int64_t strategy, std::int64_t step, std::int64_t length, double low, double high) {
  switch (strategy % 7) {
    case 0:
      return static_cast<double>(uniform(static_cast<std::int64_t>(low), static_cast<std::int64_t>(high)));
    case 1:
      return high;
    case 2:
      return low;
    case 3:
      return step % 2 == 0 ? high : low;
    case 4:
      return std::clamp(static_cast<double>(uniform(-1, 1)), low, high);
    case 5:
      return high > -low ? high : low;
    default:
      return 3 * step < 2 * length ? 0 : uniform(0, 1) != 0 ? high : low;
  }
}

std::vector<std::int64_t> any_order(std::int64_t n) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), generator);
  return order;
}

}  // namespace

TEST_CASE(
    "whatever is chosen inside admissible, every register's claimed range fits; a row's budget agrees with the "
    "block's") {
  constexpr std::int64_t rows = 14;
  int constrained = 0, touched = 0;
  for (int trial = 0; trial < 1500; ++trial) {
    const Scene scene = any_scene(rows, trial % 3 == 1, trial % 2 == 1);
    CAPTURE(trial);
    CAPTURE(describe(scene.datapath));
    const BudgetPlan plan = scene.plan();
    constrained += plan.unconstrained() ? 0 : 1;
    BudgetBlock block(plan, scene.bias, rows);
    std::vector<RowBudget> single;
    for (std::int64_t r = 0; r < rows; ++r) {
      single.emplace_back(plan, scene.bias.empty() ? 0 : scene.bias[static_cast<std::size_t>(r)]);
    }
    std::vector<std::int8_t> weights(static_cast<std::size_t>(rows * scene.length), 0);
    std::int64_t step = 0;
    for (std::int64_t k : any_order(scene.length)) {
      std::vector<double> low(rows, static_cast<double>(scene.weights.lower)),
          high(rows, static_cast<double>(scene.weights.upper)), q(rows);
      block.admissible(k, low.data(), high.data());
      for (std::int64_t r = 0; r < rows; ++r) {
        const auto i = static_cast<std::size_t>(r);
        double a = static_cast<double>(scene.weights.lower), b = static_cast<double>(scene.weights.upper);
        single[i].admissible(k, 0, a, b);
        REQUIRE(a == low[i]);
        REQUIRE(b == high[i]);
        REQUIRE(low[i] <= 0);
        REQUIRE(high[i] >= 0);
        touched +=
            low[i] > static_cast<double>(scene.weights.lower) || high[i] < static_cast<double>(scene.weights.upper) ? 1
                                                                                                                    : 0;
        q[i] = pick(r, step, scene.length, low[i], high[i]);
        single[i].change(k, 0, q[i]);
        REQUIRE(single[i].fits(k));
        weights[static_cast<std::size_t>(r * scene.length + k)] = static_cast<std::int8_t>(q[i]);
      }
      block.take(k, q.data());
      ++step;
    }
    REQUIRE(overflows(scene, weights) == -1);
  }
  CHECK(constrained > 800);  // the claim is not empty
  CHECK(touched > 20000);
}

TEST_CASE("without a constant the budget is maximal: one step beyond admissible overflows some register") {
  int stepped = 0;
  for (int trial = 0; trial < 1500; ++trial) {
    const Scene scene = any_scene(1, false, false);
    CAPTURE(trial);
    CAPTURE(describe(scene.datapath));
    const BudgetPlan plan = scene.plan();
    if (plan.unconstrained()) {
      continue;
    }
    BudgetBlock block(plan, {}, 1);
    std::vector<std::int8_t> weights(static_cast<std::size_t>(scene.length), 0);
    std::int64_t step = 0;
    for (std::int64_t k : any_order(scene.length)) {
      double low = static_cast<double>(scene.weights.lower), high = static_cast<double>(scene.weights.upper);
      block.admissible(k, &low, &high);
      for (double beyond : {low - 1, high + 1}) {
        if (beyond >= static_cast<double>(scene.weights.lower) && beyond <= static_cast<double>(scene.weights.upper)) {
          std::vector<std::int8_t> more = weights;
          more[static_cast<std::size_t>(k)] = static_cast<std::int8_t>(beyond);
          REQUIRE(overflows(scene, more) != -1);
          ++stepped;
        }
      }
      const double q = pick(trial, step++, scene.length, low, high);
      block.take(k, &q);
      weights[static_cast<std::size_t>(k)] = static_cast<std::int8_t>(q);
    }
  }
  CHECK(stepped > 5000);
}

TEST_CASE(
    "one constrained register, no constant: admissible is the rational limits' integers, published is the joint form") {
  int compared = 0;
  for (int trial = 0; trial < 1500; ++trial) {
    Scene scene = any_scene(1, false, false);
    Datapath datapath = parse_datapath("axe:P=" + std::to_string(uniform(2, 20)) + ",outer=float");
    datapath.stages[0].limits = uniform(0, 1) != 0 ? Limits::full : Limits::symmetric;
    scene.datapath = datapath;
    CAPTURE(trial);
    const BudgetPlan plan = scene.plan();
    if (plan.unconstrained()) {
      continue;
    }
    const IntegerRange limits = register_limits(datapath.stages[0]);
    std::int64_t reach_up = 0, reach_down = 0;  // Σ max(0, w l, w h), −Σ min(0, w l, w h)
    BudgetBlock block(plan, {}, 1);
    std::int64_t step = 0;
    for (std::int64_t k : any_order(scene.length)) {
      const auto i = static_cast<std::size_t>(k);
      const IntegerRange box{scene.lower[i], scene.upper[i]};
      const Rational above(limits.upper - reach_up), below(-limits.lower - reach_down);
      double low = static_cast<double>(scene.weights.lower), high = static_cast<double>(scene.weights.upper);
      block.admissible(k, &low, &high);
      const IntegerRange expected = integers_inside(exact_limits(above, below, box), scene.weights);
      REQUIRE(low == static_cast<double>(expected.lower));
      REQUIRE(high == static_cast<double>(expected.upper));

      double real_low = 0, real_high = 0;
      block.published_limits(k, &real_low, &real_high);
      const RealLimits<Rational> joint = joint_limits(above, below, box);
      REQUIRE(joint.lower.has_value() == std::isfinite(real_low));
      REQUIRE(joint.upper.has_value() == std::isfinite(real_high));
      if (joint.lower) {
        REQUIRE(real_low == doctest::Approx(joint.lower->convert_to<double>()).epsilon(1e-12));
      }
      if (joint.upper) {
        REQUIRE(real_high == doctest::Approx(joint.upper->convert_to<double>()).epsilon(1e-12));
      }
      ++compared;
      const double q = pick(trial, step++, scene.length, low, high);
      block.take(k, &q);
      const auto w = static_cast<std::int64_t>(q);
      reach_up += std::max(w * box.lower, w * box.upper);
      reach_down -= std::min(w * box.lower, w * box.upper);
    }
  }
  CHECK(compared > 4000);
}

TEST_CASE("a value clipped to the published limits and rounded is admissible, on every datapath") {
  for (int trial = 0; trial < 800; ++trial) {
    const Scene scene = any_scene(2, trial % 3 == 0, trial % 2 == 0);
    const BudgetPlan plan = scene.plan();
    BudgetBlock block(plan, scene.bias, 2);
    std::int64_t step = 0;
    for (std::int64_t k : any_order(scene.length)) {
      std::vector<double> low(2, static_cast<double>(scene.weights.lower)),
          high(2, static_cast<double>(scene.weights.upper)), a(2), b(2), q(2);
      block.published_limits(k, a.data(), b.data());
      block.admissible(k, low.data(), high.data());
      for (std::size_t r = 0; r < 2; ++r) {
        REQUIRE(a[r] <= 0);
        REQUIRE(b[r] >= 0);
        // Both ends, and every half step between: ties round to even, which may be away from 0.
        const auto rounds_inside = [&](double v) {
          const double rounded =
              std::clamp(std::nearbyint(std::clamp(v, a[r], b[r])), static_cast<double>(scene.weights.lower),
                         static_cast<double>(scene.weights.upper));
          return rounded >= low[r] && rounded <= high[r];
        };
        for (double v = -101; v <= 101; v += 0.5) {
          REQUIRE(rounds_inside(v));
        }
        q[r] = pick(trial, step, scene.length, low[r], high[r]);
      }
      block.take(k, q.data());
      ++step;
    }
  }
}

TEST_CASE(
    "changing a row's weights back restores its budget to the unit, and a change counts like the final weights alone") {
  for (int trial = 0; trial < 600; ++trial) {
    const Scene scene = any_scene(1, trial % 3 == 0, trial % 2 == 0);
    const BudgetPlan plan = scene.plan();
    const std::int64_t bias = scene.bias.empty() ? 0 : scene.bias[0];
    RowBudget walked(plan, bias), direct(plan, bias);
    std::vector<double> q(static_cast<std::size_t>(scene.length), 0);
    for (int move = 0; move < 60; ++move) {
      const std::int64_t k = uniform(0, scene.length - 1);
      const auto i = static_cast<std::size_t>(k);
      double low = static_cast<double>(scene.weights.lower), high = static_cast<double>(scene.weights.upper);
      walked.admissible(k, q[i], low, high);
      REQUIRE(q[i] >= low);  // what holds now stays admissible
      REQUIRE(q[i] <= high);
      const double after = pick(move, move, 60, low, high);
      const auto before = walked.left(k);
      walked.change(k, q[i], after);
      walked.change(k, after, q[i]);
      REQUIRE(walked.left(k) == before);
      walked.change(k, q[i], after);
      REQUIRE(walked.fits(k));
      q[i] = after;
    }
    std::vector<std::int8_t> weights;
    for (std::int64_t k = 0; k < scene.length; ++k) {
      direct.change(k, 0, q[static_cast<std::size_t>(k)]);
      weights.push_back(static_cast<std::int8_t>(q[static_cast<std::size_t>(k)]));
    }
    REQUIRE(overflows(scene, weights) == -1);
    for (std::int64_t k = 0; k < scene.length; ++k) {
      REQUIRE(direct.left(k) == walked.left(k));
    }
  }
}

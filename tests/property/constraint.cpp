// Properties of the constraints: KKT conditions and a brute-force projection hold λ to account; the three readings agree;
// decisions in double equal the rational ones on random, tied and nearly tied inputs; limits are safe and tight.
// Requirements: TOR-501.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "axecert/constraint/decision.hpp"
#include "axecert/constraint/ep_init.hpp"
#include "axecert/constraint/soft_threshold.hpp"
#include "axecert/constraint/strict_limits.hpp"

using namespace axe;

namespace {

std::mt19937_64 generator(2409);
int uniform(int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(generator);
}
double real() {
  return std::uniform_real_distribution<double>(-1, 1)(generator);
}
double gaussian() {
  return std::normal_distribution<double>()(generator);
}

struct Tile {
  std::vector<double> weights;
  std::vector<std::int64_t> cost;
  double scale = 1;
  std::uint64_t radius = 0;
};

// Tiles of all shapes: smooth, all equal, with ties, with outliers of any exponent, huge and denormal scales; costs equal, mixed
// and zero; radii from 0 to beyond the ball.
Tile any_tile(int most = 24) {
  Tile tile;
  const auto n = static_cast<std::size_t>(uniform(1, most));
  const int kind = uniform(0, 5);
  const int exponent = kind == 5 ? uniform(-1040, 900) : uniform(-10, 10);
  for (std::size_t k = 0; k < n; ++k) {
    double w = gaussian() * 5;
    if (kind == 1) {
      w = uniform(-6, 6);
    } else if (kind == 2) {
      w = uniform(-12, 12) / 2.0;
    } else if (kind == 3) {
      w = 3;
    } else if (kind == 4 && uniform(0, 4) == 0) {
      w = std::ldexp(w, uniform(-60, 20));
    }
    tile.weights.push_back(std::ldexp(w, exponent));
  }
  tile.scale = std::ldexp(kind == 1 || kind == 2 ? 1.0 : 1.5 + real() / 3, exponent);
  if (tile.scale == 0) {
    tile.scale = std::numeric_limits<double>::denorm_min();
  }
  const int costs = uniform(0, 2);
  if (costs == 0) {
    tile.cost = {uniform(1, 255)};
  } else {
    for (std::size_t k = 0; k < n; ++k) {
      tile.cost.push_back(uniform(costs == 1 ? 1 : 0, 255));
    }
  }
  tile.radius =
      static_cast<std::uint64_t>(uniform(0, 3) == 0 ? uniform(0, 20) : uniform(0, 1200 * static_cast<int>(n)));
  return tile;
}

std::int64_t cost_of(const Tile& tile, std::size_t k) {
  return tile.cost[tile.cost.size() == 1 ? 0 : k];
}

std::vector<Rational> exact_values(const Tile& tile, Centring centring) {
  std::vector<Rational> values;
  Rational mean = 0;
  for (const double w : tile.weights) {
    values.push_back(exact(w) / exact(tile.scale));
    mean += values.back() / static_cast<std::int64_t>(tile.weights.size());
  }
  for (Rational& value : values) {
    value -= centring == Centring::mean ? mean : Rational(0);
  }
  return values;
}

Rational magnitude(const Rational& a) {
  return a < 0 ? Rational(-a) : a;
}

// Σ c_k max(|u_k| − λ c_k, 0)
Rational spent_at(const Tile& tile, const std::vector<Rational>& u, const Rational& lambda) {
  Rational sum = 0;
  for (std::size_t k = 0; k < u.size(); ++k) {
    sum += cost_of(tile, k) * magnitude(shrink<Rational>(u[k], lambda * cost_of(tile, k)));
  }
  return sum;
}

// Each double that is decided, and what the rationals say of it.
void check_decision(double value, double scale, Threshold threshold, const Rational& lambda, IntegerRange range,
                    Rounding rounding, std::int64_t& count) {
  CAPTURE(value);
  CAPTURE(scale);
  CAPTURE(threshold.value);
  const std::int64_t decided = decide(
      value, scale, threshold, range, [&] { return lambda; }, count, rounding);
  CHECK(decided == decide_exactly(value, scale, lambda, range, rounding));
  const double quotient = std::fabs(value) / scale, t = quotient - threshold.value;
  const double error = quotient_error(quotient, threshold);
  const Rational truth = exact(std::fabs(value)) / exact(scale) - lambda;
  if (std::isfinite(error)) {
    CHECK(magnitude(exact(t) - truth) <= exact(error));  // the derived bound holds
  }
  if (settles(t, error)) {
    const auto settled = static_cast<std::int64_t>(nearest_even(t > 0 ? t : 0.0));
    CHECK(settled == round_half_even(truth > 0 ? truth : Rational(0)));
  }
}

}  // namespace

TEST_CASE("λ satisfies the KKT conditions of the projection exactly") {
  int inside = 0, outside = 0;
  for (int i = 0; i < 1500; ++i) {
    const Tile tile = any_tile();
    const Centring centring = i % 2 == 0 ? Centring::mean : Centring::none;
    const std::vector<Rational> u = exact_values(tile, centring);
    const Rational lambda = exact_soft_threshold(tile.weights, tile.scale, tile.cost, tile.radius, centring);
    CHECK(lambda >= 0);
    if (lambda == 0) {
      ++inside;
      CHECK(spent_at(tile, u, 0) <= tile.radius);
    } else {
      ++outside;
      CHECK(spent_at(tile, u, lambda) == tile.radius);
    }
  }
  CHECK(inside > 100);
  CHECK(outside > 100);
}

TEST_CASE("no point of the ball is nearer than the projection: all vertices of a grid on small tiles") {
  // Brute force over all v in a lattice of eighths of the ball's box: none inside the ball beats v'.
  for (int i = 0; i < 40; ++i) {
    Tile tile = any_tile(3);
    tile.cost.resize(tile.weights.size(), tile.cost.front());
    tile.scale = 1;
    for (double& w : tile.weights) {
      w = uniform(-40, 40) / 8.0;
    }
    for (std::int64_t& c : tile.cost) {
      c = 1 + c % 4;
    }
    tile.radius = static_cast<std::uint64_t>(uniform(1, 12));
    const Rational lambda = exact_soft_threshold(tile.weights, 1, tile.cost, tile.radius, Centring::none);
    const auto n = tile.weights.size();
    Rational best = 0;  // ‖u − v'‖²
    for (std::size_t k = 0; k < n; ++k) {
      const Rational u = exact(tile.weights[k]);
      const Rational d = u - shrink<Rational>(u, lambda * tile.cost[k]);
      best += d * d;
    }
    const double projected = double_below(best);
    const int steps = 41;  // −5 … 5 in quarters
    std::array<int, 3> at{0, 0, 0};
    const int points = n == 1 ? steps : n == 2 ? steps * steps : steps * steps * steps;
    for (int p = 0; p < points; ++p) {
      at = {p % steps, p / steps % steps, p / steps / steps};
      double spent = 0, distance = 0;  // multiples of 1/64 below 2^20: exact in double
      for (std::size_t k = 0; k < n; ++k) {
        const double v = (at[k] - 20) / 4.0;
        spent += static_cast<double>(tile.cost[k]) * std::fabs(v);
        distance += (tile.weights[k] - v) * (tile.weights[k] - v);
      }
      if (spent <= static_cast<double>(tile.radius) && distance < projected) {
        FAIL_CHECK("a lattice point of the ball is nearer than the projection");
      }
    }
  }
}

TEST_CASE("the three readings of λ agree: rational inside the interval, double within its stated error") {
  int finite = 0;
  for (int i = 0; i < 2500; ++i) {
    const Tile tile = any_tile(i % 50 == 0 ? 400 : 24);
    const Centring centring = i % 2 == 0 ? Centring::mean : Centring::none;
    const Rational lambda = exact_soft_threshold(tile.weights, tile.scale, tile.cost, tile.radius, centring);
    const Interval enclosure = enclose_soft_threshold(tile.weights, tile.scale, tile.cost, tile.radius, centring);
    CHECK(enclosure.contains(lambda));
    const Threshold threshold = SoftThreshold(tile.weights, tile.cost, centring).at(tile.scale, tile.radius);
    if (std::isfinite(threshold.error)) {
      ++finite;
      CAPTURE(threshold.value);
      CAPTURE(threshold.error);
      CHECK(threshold.value >= 0);
      CHECK(magnitude(exact(threshold.value) - lambda) <= exact(threshold.error));
      const std::int64_t c = cost_of(tile, 0);
      const Threshold scaled = times(threshold, c);
      CHECK(magnitude(exact(scaled.value) - lambda * c) <= exact(scaled.error));
    }
  }
  CHECK(finite > 2000);
}

TEST_CASE("λ of uncertain magnitudes is enclosed even when their order is undecidable") {
  for (int i = 0; i < 400; ++i) {
    const Tile tile = any_tile(12);
    const std::size_t n = tile.weights.size();
    std::vector<Interval> wide;
    std::vector<Rational> low, high, inside;
    for (std::size_t k = 0; k < n; ++k) {
      const Rational centre = magnitude(exact(tile.weights[k]) / exact(tile.scale));
      const Rational radius = centre * uniform(0, 900) / 1000;  // wide: most orders overlap
      wide.emplace_back(centre - radius, centre + radius);
      low.push_back(wide.back().lower() > 0 ? wide.back().lower() : Rational(0));
      high.push_back(wide.back().upper());
      inside.push_back(centre + radius * uniform(-1000, 1000) / 1000);
    }
    const Interval enclosure = L1Threshold<Interval>(wide, tile.cost).at(Interval(1), Interval(tile.radius));
    const auto lambda = [&](const std::vector<Rational>& m) {
      return L1Threshold<Rational>(m, tile.cost).at(Rational(1), Rational(tile.radius));
    };
    CHECK(enclosure.contains(lambda(inside)));
    CHECK(enclosure.contains(lambda(low)));
    CHECK(enclosure.contains(lambda(high)));
    // Tight above: the upper end is the threshold of the upper ends, but for rounding.
    CHECK(enclosure.upper() - lambda(high) <= (lambda(high) + tile.radius) * power_of_two(-110));
  }
}

TEST_CASE("decisions equal the rational ones: every weight of every kind of tile, under its own threshold") {
  std::int64_t count = 0, decisions = 0;
  for (int i = 0; i < 800; ++i) {
    const Tile tile = any_tile();
    const Rational lambda = exact_soft_threshold(tile.weights, tile.scale, tile.cost, tile.radius);
    const Threshold threshold = SoftThreshold(tile.weights, tile.cost).at(tile.scale, tile.radius);
    const IntegerRange range{-uniform(0, 128), uniform(0, 127)};
    for (std::size_t k = 0; k < tile.weights.size(); ++k) {
      const std::int64_t c = cost_of(tile, k);
      check_decision(tile.weights[k], tile.scale, times(threshold, c), lambda * c, range,
                     k % 3 == 0 ? Rounding::toward_zero : Rounding::half_even, count);
      ++decisions;
    }
  }
  MESSAGE(count << " of " << decisions << " decisions were settled exactly");
  CHECK(count > 0);
}

TEST_CASE("manufactured ties and near-ties: |v|/s exactly k + ½, and one ulp to either side, at every scale") {
  std::int64_t count = 0;
  const IntegerRange range{-1000, 1000};
  for (int i = 0; i < 4000; ++i) {
    // s an integer multiple of 2^e, v = (2k + 1) s/2 exactly; denormal when e is small.
    const int e = i % 4 == 0 ? uniform(-1074, -1060) : uniform(-1074, 900);
    const double s = std::ldexp(2.0 * uniform(1, 1 << 20), e);
    const double tie = std::ldexp((2 * uniform(0, 300) + 1) * s, -1);
    if (!std::isfinite(tie)) {
      continue;
    }
    const std::int64_t before = count;
    check_decision(tie, s, {0, 0}, 0, range, Rounding::half_even, count);
    CHECK(count == before + 1);  // a tie is never settled in double
    for (const double near : {std::nextafter(tie, 0), std::nextafter(tie, std::numeric_limits<double>::infinity())}) {
      check_decision(near, s, {0, 0}, 0, range, Rounding::half_even, count);
      check_decision(-near, s, {0, 0}, 0, range, Rounding::half_even, count);
      check_decision(near, std::nextafter(s, 0), {0, 0}, 0, range, Rounding::half_even, count);
    }
  }
}

TEST_CASE("λ on a rounding boundary: ties and near-ties after the threshold, with inexact λ") {
  std::int64_t count = 0;
  const IntegerRange range{-50, 50};
  for (int i = 0; i < 4000; ++i) {
    // λ = p/q, and v/s = λ + k + ½ + a few units in the last place: v is rounded, so the truth is just off the tie.
    const Rational lambda = Rational(uniform(0, 5000)) / uniform(1, 999);
    const double value = double_below(lambda);
    const Threshold threshold{value, double_above(lambda - exact(value))};
    const double s = std::ldexp(1.0 + uniform(0, 1000) / 1024.0, uniform(-1070, 40));
    const Rational target = (lambda + uniform(-1, 12) + Rational(1) / 2) * exact(s);
    double v = double_below(target);
    for (int step = uniform(0, 3); step > 0; --step) {
      v = std::nextafter(v, std::numeric_limits<double>::infinity());
    }
    check_decision(v, s, threshold, lambda, range, Rounding::half_even, count);
    check_decision(-v, s, threshold, lambda, range, Rounding::half_even, count);
    check_decision(v, s, threshold, lambda, range, Rounding::toward_zero, count);
    // At the threshold itself: max(·, 0) is where truncation and rounding both give 0.
    const double edge = double_below(lambda * exact(s));
    check_decision(edge, s, threshold, lambda, range, Rounding::toward_zero, count);
    check_decision(std::nextafter(edge, 1e300), s, threshold, lambda, {0, 0}, Rounding::toward_zero, count);
  }
}

TEST_CASE("double settles all but a vanishing share of ordinary decisions") {
  std::int64_t count = 0;
  for (int i = 0; i < 200000; ++i) {
    const double lambda = 0.3, v = gaussian() * 3;
    decide(
        v, 0.7, {lambda, 1e-13}, {-8, 7}, [&] { return exact(lambda); }, count);
  }
  CHECK(count == 0);
}

TEST_CASE("EP-init never leaves the ball, never changes a sign, never grows, and equals exact truncation") {
  std::int64_t count = 0;
  for (int i = 0; i < 800; ++i) {
    const Tile tile = any_tile();
    const IntegerRange grid{-uniform(0, 200), uniform(0, 200)};
    const std::vector<std::int64_t> q = ep_init(tile.weights, tile.scale, tile.cost, tile.radius, grid, count);
    const std::vector<Rational> u = exact_values(tile, Centring::none);
    const Rational lambda = exact_soft_threshold(tile.weights, tile.scale, tile.cost, tile.radius, Centring::none);
    int128 spent = 0;
    for (std::size_t k = 0; k < q.size(); ++k) {
      spent += static_cast<int128>(cost_of(tile, k)) * (q[k] < 0 ? -q[k] : q[k]);
      CHECK_FALSE((q[k] > 0 && tile.weights[k] <= 0));
      CHECK_FALSE((q[k] < 0 && tile.weights[k] >= 0));
      CHECK(magnitude(Rational(q[k])) <= magnitude(u[k]));
      const Integer truncated = round_toward_zero(shrink<Rational>(u[k], lambda * cost_of(tile, k)));
      CHECK(q[k] == std::clamp<Integer>(truncated, grid.lower, grid.upper));
    }
    CHECK(spent <= static_cast<int128>(tile.radius));
  }
}

TEST_CASE("strict limits are safe and tight: the last admissible integer fits every input, the next one overflows") {
  for (int i = 0; i < 3000; ++i) {
    const std::int64_t above = uniform(0, 400), below = uniform(0, 400);
    const IntegerRange input{-uniform(0, 9), uniform(0, 9)};
    const RealLimits<Rational> limits = exact_limits<Rational>(above, below, input);
    const IntegerRange grid{-500, 500};
    const IntegerRange inside = integers_inside(limits, grid);
    const auto fits = [&](std::int64_t q) {
      bool all = true;
      for (std::int64_t x = input.lower; x <= input.upper; ++x) {  // brute force over the inputs
        all = all && q * x <= above && q * x >= -below;
      }
      return all;
    };
    CHECK(inside.lower <= 0);
    CHECK(inside.upper >= 0);
    CHECK(fits(inside.lower));
    CHECK(fits(inside.upper));
    CHECK((inside.upper == grid.upper || !fits(inside.upper + 1)));
    CHECK((inside.lower == grid.lower || !fits(inside.lower - 1)));
    // The joint form, clipped to and rounded, is inside; so is the interval reading around the rational one.
    const RealLimits<Rational> joint = joint_limits<Rational>(above, below, input);
    const RealLimits<Interval> enclosed = exact_limits<Interval>(Interval(above), Interval(below), input);
    const RealLimits<double> fast = exact_limits<double>(static_cast<double>(above), static_cast<double>(below), input);
    if (limits.upper) {
      CHECK(round_half_even(*joint.upper) <= floor_of(*limits.upper));
      CHECK(enclosed.upper->contains(*limits.upper));
      CHECK(*fast.upper == doctest::Approx(double_below(*limits.upper)));
    }
    if (limits.lower) {
      CHECK(round_half_even(*joint.lower) >= ceiling_of(*limits.lower));
      CHECK(enclosed.lower->contains(*limits.lower));
    }
  }
}

TEST_CASE("a tile filled greedily never overflows, under the published limits and under the exact ones") {
  for (int i = 0; i < 200; ++i) {
    const IntegerRange input{i % 2 == 0 ? 0 : -uniform(1, 128), uniform(1, 255)};
    const std::int64_t limit = (std::int64_t{1} << uniform(8, 16)) - 1;
    std::array<std::int64_t, 2> spent{0, 0};
    for (const bool published : {true, false}) {
      std::int64_t positive = 0, negative = 0;
      for (int k = 0; k < 40; ++k) {
        // upper = h·positive + l·negative, lower = l·positive + h·negative (AXE eqs. 7–8)
        const std::int64_t upper = input.upper * positive + input.lower * negative;
        const std::int64_t lower = input.lower * positive + input.upper * negative;
        REQUIRE(upper <= limit);
        REQUIRE(lower >= -limit);
        const Rational v = exact(k < 38    ? gaussian() * 10
                                 : k == 38 ? 1e6
                                           : -1e6);  // the last two take all that is left
        Integer q;
        if (published) {
          const RealLimits<Rational> limits = published_limits<Rational>(positive, negative, limit, input);
          q = round_half_even(v < *limits.lower ? *limits.lower : v > *limits.upper ? *limits.upper : v);
        } else {
          const IntegerRange grid{-1000000, 1000000};
          const IntegerRange inside =
              integers_inside(exact_limits<Rational>(limit - upper, lower + limit, input), grid);
          q = std::clamp<Integer>(round_half_even(v), inside.lower, inside.upper);
        }
        (q > 0 ? positive : negative) += narrow(q, "q");
      }
      spent[published ? 0 : 1] = positive - negative;
    }
    if (input.lower == 0) {  // the two signs do not share a limit: the exact form uses all of both
      CHECK(spent[1] == 2 * (limit / input.upper));
      CHECK(spent[0] <= spent[1]);
    }
  }
}

// Claims about the constraints on hand-made inputs: thresholds, limits, decisions, EP-init, data types, and bad input.
// Requirements: TOR-501.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "axecert/constraint/data_types.hpp"
#include "axecert/constraint/decision.hpp"
#include "axecert/constraint/ep_init.hpp"
#include "axecert/constraint/soft_threshold.hpp"
#include "axecert/constraint/strict_limits.hpp"

using namespace axe;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double denormal = std::numeric_limits<double>::denorm_min();
const std::array<std::int64_t, 1> unit{1};

std::int64_t decided(double value, double scale, double threshold, IntegerRange range, std::int64_t& count) {
  return decide(
      value, scale, Threshold{threshold, 0}, range, [&] { return exact(threshold); }, count);
}

}  // namespace

TEST_CASE("the threshold of (3, 1, 0) on the plain ball of radius 2 is 1, on radius 4 it is 0") {
  const std::vector<double> v{3, -1, 0};
  CHECK(exact_soft_threshold(v, 1, unit, 2, Centring::none) == 1);
  CHECK(exact_soft_threshold(v, 1, unit, 3, Centring::none) == Rational(1) / 2);  // 5/2 + 1/2 = 3
  CHECK(exact_soft_threshold(v, 1, unit, 4, Centring::none) == 0);
  CHECK(exact_soft_threshold(v, 1, unit, 0, Centring::none) == 3);
  CHECK(enclose_soft_threshold(v, 1, unit, 3, Centring::none).contains(Rational(1) / 2));
  CHECK(SoftThreshold(v, unit, Centring::none).at(1, 3).value == doctest::Approx(0.5));
  CHECK(SoftThreshold(v, unit, Centring::none).at(1, 5).value == 0);
  CHECK(SoftThreshold(v, unit, Centring::none).at(1, 5).error == 0);
}

TEST_CASE("centring subtracts the tile's mean for the threshold: equal weights are never thresholded") {
  const std::vector<double> v(64, 7.5);
  CHECK(exact_soft_threshold(v, 1, unit, 1, Centring::mean) == 0);
  CHECK(exact_soft_threshold(v, 1, unit, 1, Centring::none) == Rational(480 - 1) / 64);
}

TEST_CASE("AXE's own numbers: one box [0, 255] and P = 16 give the plain ball of radius 65534/255, as λ·cost") {
  std::vector<double> v(128);
  for (std::size_t k = 0; k < v.size(); ++k) {
    v[k] = k % 2 == 0 ? 7 : -7;
  }
  const std::array<std::int64_t, 1> cost{255};
  // Σ|v| = 896; 128 (7 − t) = 65534/255 gives t.
  const Rational t = 7 - Rational(65534) / 255 / 128;
  CHECK(exact_soft_threshold(v, 1, cost, 65534) * 255 == t);
  CHECK(exact_soft_threshold(v, 0.5, cost, 65534) * 255 == t + 7);  // half the scale, twice the steps
}

TEST_CASE("a channel that costs nothing is neither thresholded nor counted") {
  const std::vector<double> v{100, 3, 1};
  const std::vector<std::int64_t> cost{0, 1, 1};
  CHECK(exact_soft_threshold(v, 1, cost, 2, Centring::none) == 1);
  CHECK(exact_soft_threshold(v, 1, std::array<std::int64_t, 1>{0}, 2, Centring::none) == 0);
  CHECK(SoftThreshold(v, std::array<std::int64_t, 1>{0}, Centring::none).at(1, 0).value == 0);
  CHECK(times({5, 1}, 0).error == 0);
}

TEST_CASE("one weight is a tile; its mean is itself") {
  const std::vector<double> v{42};
  CHECK(exact_soft_threshold(v, 1, unit, 0, Centring::mean) == 0);
  CHECK(exact_soft_threshold(v, 1, unit, 40, Centring::none) == 2);
}

TEST_CASE("the soft threshold operator moves towards zero by the threshold and stops there, in all three readings") {
  for (const auto& [v, t, expected] :
       {std::array{3., 1., 2.}, {-3., 1., -2.}, {0.5, 1., 0.}, {-0.5, 1., 0.}, {2., 0., 2.}}) {
    CHECK(shrink<double>(v, t) == expected);
    CHECK(shrink<Rational>(exact(v), exact(t)) == exact(expected));
    CHECK(shrink<Interval>(Interval(v), Interval(t)).contains(exact(expected)));
  }
  const Interval around = shrink<Interval>(Interval(Rational(-3), Rational(2)), Interval(1));
  CHECK(around.lower() == -2);
  CHECK(around.upper() == 1);
}

TEST_CASE("a decision rounds ties to even, exactly, on both sides of zero") {
  std::int64_t count = 0;
  const IntegerRange wide{-100, 100};
  CHECK(decided(0.5, 1, 0, wide, count) == 0);
  CHECK(decided(1.5, 1, 0, wide, count) == 2);
  CHECK(decided(-2.5, 1, 0, wide, count) == -2);
  CHECK(decided(-3.5, 1, 0, wide, count) == -4);
  CHECK(count == 4);  // each tie was settled exactly
  CHECK(decided(3.5, 1, 0.25, wide, count) == 3);
  CHECK(decided(-0.0, 1, 0, wide, count) == 0);
  CHECK(decided(-5, 1, 7, wide, count) == 0);
  CHECK(count == 4);                            // none of these needed it
  CHECK(decided(3, 1, 2.5, wide, count) == 0);  // a tie after the threshold
  CHECK(count == 5);
}

TEST_CASE("a tie that the admissible interval cuts off needs no exact evaluation") {
  std::int64_t count = 0;
  CHECK(decided(7.5, 1, 0, {-8, 7}, count) == 7);
  CHECK(decided(-8.5, 1, 0, {-8, 7}, count) == -8);
  CHECK(decided(3.5, 1, 0, {2, 2}, count) == 2);
  CHECK(count == 0);
}

TEST_CASE("scales and candidates at the ends of the format are decided") {
  std::int64_t count = 0;
  const IntegerRange wide{-128, 127};
  constexpr double most = std::numeric_limits<double>::max();
  CHECK(decided(7 * denormal, denormal, 0, wide, count) == 7);
  CHECK(decided(7 * denormal, 2 * denormal, 0, wide, count) == 4);    // 3.5, a tie
  CHECK(decided(-5 * denormal, 2 * denormal, 0, wide, count) == -2);  // −2.5, a tie
  CHECK(decided(1, denormal, 0, wide, count) == 127);                 // the quotient overflows
  CHECK(decided(-most, denormal, 0, wide, count) == -128);
  CHECK(decided(most, most, 0, wide, count) == 1);
  CHECK(decided(denormal, most, 0, wide, count) == 0);  // the quotient underflows
  CHECK(decided(most, 1, 0, {INT64_MIN, INT64_MAX}, count) == INT64_MAX);
  CHECK(decided(0x1p62, 1, 0, {INT64_MIN, INT64_MAX}, count) == std::int64_t{1} << 62);
}

TEST_CASE("`settles` refuses ties, near-ties, large errors and NaN, and accepts the rest") {
  CHECK(settles(2.0, 0.2));
  CHECK(settles(2.3, 0.1));
  CHECK_FALSE(settles(2.3, 0.21));
  CHECK_FALSE(settles(2.5, 0));
  CHECK_FALSE(settles(2.5 - 0x1p-51, 0x1p-51));
  CHECK(settles(2.5 - 0x1p-50, 0x1p-51));
  CHECK_FALSE(settles(2.0, 0.25));
  CHECK(settles(-100.0, 0.1));
  CHECK(settles(0.0, 0.1));
  CHECK_FALSE(settles(not_a_number, 0.1));
  CHECK_FALSE(settles(1.0, not_a_number));
  CHECK_FALSE(settles(infinity, 0.1));
  CHECK_FALSE(settles(1.0, infinity));
  CHECK_FALSE(settles(0x1p52, 0.0));
  CHECK(nearest_even(2.5) == 2);
  CHECK(nearest_even(3.5) == 4);
  CHECK(nearest_even(-2.5) == -2);
  CHECK(nearest_even(0.49999999999999994) == 0);
}

TEST_CASE("bad input to a decision is an InputError, never an integer") {
  std::int64_t count = 0;
  const IntegerRange wide{-8, 7};
  for (const double scale : {0.0, -0.0, -1.0, not_a_number, infinity}) {
    CHECK_THROWS_AS(decided(1, scale, 0, wide, count), InputError);
    CHECK_THROWS_AS(decided(0, scale, 0, wide, count), InputError);
  }
  for (const double value : {not_a_number, infinity, -infinity}) {
    CHECK_THROWS_AS(decided(value, 1, 0, wide, count), InputError);
  }
  CHECK_THROWS_AS(decided(1, 1, -1, wide, count), InputError);
  CHECK_THROWS_AS(decided(1, 1, not_a_number, wide, count), InputError);
  CHECK_THROWS_AS(decided(1, 1, 0, {1, 0}, count), InputError);
}

TEST_CASE("bad tiles are InputErrors that name the place") {
  const std::vector<double> v{1, 2}, none, poisoned{1, not_a_number};
  CHECK_THROWS_WITH_AS(exact_soft_threshold(none, 1, unit, 1), "tile: it has no weights (a tile has at least one)",
                       InputError);
  CHECK_THROWS_AS(SoftThreshold(none, unit), InputError);
  CHECK_THROWS_AS(SoftThreshold(poisoned, unit), InputError);
  CHECK_THROWS_AS(enclose_soft_threshold(poisoned, 1, unit, 1), InputError);
  CHECK_THROWS_AS(SoftThreshold(v, std::vector<std::int64_t>{1, 2, 3}), InputError);
  CHECK_THROWS_AS(SoftThreshold(v, std::vector<std::int64_t>{1, -2}), InputError);
  for (const double scale : {0.0, -1.0, not_a_number, infinity}) {
    CHECK_THROWS_AS(SoftThreshold(v, unit).at(scale, 1), InputError);
    CHECK_THROWS_AS(exact_soft_threshold(v, scale, unit, 1), InputError);
  }
}

TEST_CASE("a tile that double cannot hold asks for the exact threshold") {
  const std::vector<double> v{1e308, -1e308};
  const Threshold threshold = SoftThreshold(v, unit).at(denormal, 1);
  CHECK(threshold.error == infinity);
  std::int64_t count = 0;
  CHECK(decide(
            v[0], denormal, threshold, {-8, 7}, [&] { return exact_soft_threshold(v, denormal, unit, 1); }, count) ==
        0);
  CHECK(count == 1);  // λ = 1e308/2^-1074 − ½, the candidate exceeds it by ½: a tie, to 0
}

TEST_CASE("strict limits divide what is left: P = 16, unsigned codes admit 128 up and 128 down from an empty tile") {
  const auto limits = exact_limits<Rational>(32767, 32767, {0, 255});
  CHECK(integers_inside(limits, {-1000, 1000}) == IntegerRange{-128, 128});
  CHECK(integers_inside(limits, {-8, 7}) == IntegerRange{-8, 7});
  const auto signed_limits = exact_limits<Rational>(32767, 32767, {-128, 127});
  CHECK(integers_inside(signed_limits, {-1000, 1000}) == IntegerRange{-255, 255});  // 32767 / 128, both ends
}

TEST_CASE("the joint and the published form are at most as wide as the exact one, by half a step") {
  CHECK(*joint_limits<Rational>(32767, 32767, {0, 255}).upper == Rational(32767) / 255 - Rational(1) / 2);
  CHECK(*published_limits<Rational>(0, 0, 32767, {0, 255}).upper == Rational(32767) / 255 - Rational(1) / 2);
  CHECK(*published_limits<Rational>(100, -120, 32767, {0, 255}).lower == 120 + Rational(1) / 2 - Rational(32767) / 255);
  CHECK(*published_limits<Rational>(200, 0, 32767, {0, 255}).upper == 0);
  CHECK(*joint_limits<Rational>(100, 100, {0, 255}).upper == 0);  // 100/255 − ½ < 0
}

TEST_CASE(
    "limits exist only where an input can push: l = h = 0 admits everything, a one-sided box divides by its side") {
  const auto free = exact_limits<Rational>(0, 0, {0, 0});
  CHECK_FALSE(free.lower);
  CHECK_FALSE(free.upper);
  const auto positive = exact_limits<Rational>(30, 70, {3, 10});  // a box without 0: partial sums still hold 0
  CHECK(*positive.upper == 3);
  CHECK(*positive.lower == -7);
  const auto negative = exact_limits<Rational>(30, 70, {-10, -3});
  CHECK(*negative.upper == 7);
  CHECK(*negative.lower == -3);
  CHECK_THROWS_AS(exact_limits<Rational>(-1, 0, {0, 1}), InputError);
  CHECK_THROWS_AS(exact_limits<Rational>(1, 1, {1, 0}), InputError);
  CHECK_THROWS_AS(published_limits<Rational>(0, 0, 1, {1, 2}), InputError);
  CHECK_THROWS_AS(published_limits<Rational>(0, 0, 1, {0, 0}), InputError);
}

TEST_CASE("EP-init rounds the projection toward zero") {
  std::int64_t count = 0;
  const std::vector<double> v{3.9, -2.2, 0.4, 0};
  CHECK(ep_init(v, 1, unit, 100, {-8, 7}, count) == std::vector<std::int64_t>{3, -2, 0, 0});
  CHECK(ep_init(v, 1, unit, 3, {-8, 7}, count) == std::vector<std::int64_t>{2, 0, 0, 0});  // λ = 1.55
  CHECK(ep_init(v, 0.01, unit, 100000, {-8, 7}, count) == std::vector<std::int64_t>{7, -8, 7, 0});
  const std::vector<double> whole{3, 1};
  CHECK(ep_init(whole, 1, unit, 2, {-8, 7}, count) == std::vector<std::int64_t>{2, 0});  // exactly 2: not 1
  CHECK_THROWS_AS(ep_init(v, 1, unit, 3, {1, 7}, count), InputError);
  CHECK_THROWS_AS(ep_init({}, 1, unit, 3, {-8, 7}, count), InputError);
}

TEST_CASE("data types alone: 128 products into 16 bits admit W4A4; exactly counted, W4A5 too") {
  const auto fit = data_types_that_fit(128, 16, false);
  const auto holds = [&](BitWidths widths) { return std::find(fit.begin(), fit.end(), widths) != fit.end(); };
  CHECK(holds({4, 4}));
  CHECK(holds({3, 6}));  // 128·4·63 = 32,256
  CHECK(holds({4, 5}));  // 128·8·31 = 31,744
  CHECK_FALSE(holds({4, 6}));
  CHECK_FALSE(holds({5, 5}));
  const auto paper = data_types_that_fit(128, 16, false, DataTypeRule::paper);
  CHECK(std::find(paper.begin(), paper.end(), BitWidths{4, 4}) != paper.end());
  CHECK(std::find(paper.begin(), paper.end(), BitWidths{4, 5}) == paper.end());
  CHECK(data_types_that_fit(1 << 20, 8, false).empty());
  CHECK_THROWS_AS(data_types_that_fit(0, 16, false), InputError);
  CHECK_THROWS_AS(data_types_that_fit(64, 0, false), InputError);
  CHECK_THROWS_AS(data_types_that_fit(64, 65, false), InputError);
}

TEST_CASE("ranges that are no data types are bounded at their corners") {
  const IntegerRange limits{-32767, 32767};
  CHECK(every_choice_fits(16, {-8, 7}, {0, 255}, limits));  // 16·8·255 = 32,640
  CHECK_FALSE(every_choice_fits(17, {-8, 7}, {0, 255}, limits));
  CHECK_FALSE(every_choice_fits(32, {-8, 7}, {-128, 127}, limits));  // 32·8·128 = 32,768
  CHECK(every_choice_fits(32, {-8, 7}, {-128, 127}, {-32768, 32768}));
  CHECK(every_choice_fits(INT64_MAX, {0, 0}, {INT64_MIN, INT64_MAX}, {0, 0}));
  CHECK_THROWS_AS(every_choice_fits(0, {0, 1}, {0, 1}, limits), InputError);
}

// Claims about exact numbers at their edges: 128-bit integers, rationals, intervals.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "axecert/numeric/interval.hpp"
#include "axecert/numeric/rational.hpp"
#include "axecert/numeric/wide.hpp"

using namespace axe;

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr int128 int128_max = static_cast<int128>(~uint128{0} >> 1);
Rational ratio(std::int64_t a, std::int64_t b) {
  return Rational(a) / b;
}
}  // namespace

TEST_CASE("128-bit integers are written in full, the smallest included") {
  CHECK(to_string(int128{0}) == "0");
  CHECK(to_string(int128{-7}) == "-7");
  CHECK(to_string(int128_max) == "170141183460469231731687303715884105727");
  CHECK(to_string(-int128_max - 1) == "-170141183460469231731687303715884105728");
}

TEST_CASE("narrowing keeps what fits and names what does not") {
  CHECK(narrow(int128{INT64_MAX}, "x") == INT64_MAX);
  CHECK(narrow(int128{INT64_MIN}, "x") == INT64_MIN);
  CHECK_THROWS_WITH_AS(narrow(int128{INT64_MAX} + 1, "upper end"),
                       "upper end: 9223372036854775808 does not fit in 64 bits", OutOfRange);
  CHECK_THROWS_AS(narrow(int128{INT64_MIN} - 1, "x"), OutOfRange);
  CHECK(narrow(Integer(INT64_MIN), "x") == INT64_MIN);
  CHECK_THROWS_AS(narrow(Integer(INT64_MAX) + 1, "x"), OutOfRange);
}

TEST_CASE("integer division rounds down and up on both sides of zero") {
  CHECK(floor_div(-7, 2) == -4);
  CHECK(floor_div(7, 2) == 3);
  CHECK(floor_div(-8, 2) == -4);
  CHECK(ceil_div(-7, 2) == -3);
  CHECK(ceil_div(7, 2) == 4);
  CHECK(ceil_div(8, 2) == 4);
  CHECK(floor_div(-int128_max - 1, int128_max) == -2);
  CHECK(ceil_log2(1) == 0);
  CHECK(ceil_log2(2) == 1);
  CHECK(ceil_log2(3) == 2);
  CHECK(ceil_log2(std::uint64_t{1} << 63) == 63);
  CHECK(ceil_log2((std::uint64_t{1} << 63) + 1) == 64);
}

TEST_CASE("a double becomes the rational it stands for") {
  CHECK(exact(0.1) == Rational(Integer("3602879701896397"), Integer("36028797018963968")));
  CHECK(exact(-0.0) == 0);
  CHECK(exact(static_cast<double>(0.1f)) == ratio(13421773, 134217728));
  CHECK(exact(std::numeric_limits<double>::denorm_min()) == power_of_two(-1074));
  CHECK(exact(std::numeric_limits<double>::max()) == power_of_two(1024) - power_of_two(971));
  CHECK_THROWS_AS(exact(not_a_number), InputError);
  CHECK_THROWS_AS(exact(infinity), InputError);
  CHECK_THROWS_AS(exact(-infinity), InputError);
  CHECK_THROWS_AS(power_of_two(std::int64_t{1} << 40), OutOfRange);
}

TEST_CASE("rationals round down, up, toward zero, and to nearest with ties to even") {
  struct Row {
    Rational value;
    int down, up, zero, nearest;
  };
  const Row rows[] = {{ratio(1, 2), 0, 1, 0, 0},     {ratio(3, 2), 1, 2, 1, 2},      {ratio(5, 2), 2, 3, 2, 2},
                      {ratio(-1, 2), -1, 0, 0, 0},   {ratio(-3, 2), -2, -1, -1, -2}, {ratio(-5, 2), -3, -2, -2, -2},
                      {ratio(7, 3), 2, 3, 2, 2},     {ratio(-8, 3), -3, -2, -2, -3}, {Rational(4), 4, 4, 4, 4},
                      {Rational(-4), -4, -4, -4, -4}};
  for (const Row& row : rows) {
    CAPTURE(to_text(row.value));
    CHECK(floor_of(row.value) == row.down);
    CHECK(ceiling_of(row.value) == row.up);
    CHECK(round_toward_zero(row.value) == row.zero);
    CHECK(round_half_even(row.value) == row.nearest);
  }
  CHECK(to_text(ratio(-14, 4)) == "-7/2");
  CHECK(to_text(Rational(3)) == "3");
}

TEST_CASE("rationals beyond the doubles round outward to infinity, below the smallest to it or to zero") {
  const Rational huge = power_of_two(1024), tiny = power_of_two(-1080);
  CHECK(double_below(huge) == std::numeric_limits<double>::max());
  CHECK(double_above(huge) == infinity);
  CHECK(double_below(-huge) == -infinity);
  CHECK(double_above(-huge) == -std::numeric_limits<double>::max());
  CHECK(double_below(tiny) == 0);
  CHECK(double_above(tiny) == std::numeric_limits<double>::denorm_min());
  CHECK(double_below(-tiny) == -std::numeric_limits<double>::denorm_min());
}

TEST_CASE("an interval's ends are exact when they can be, else rounded outward") {
  const Interval tenth(exact(0.1));
  CHECK(tenth.is_point());
  CHECK(tenth.lower() == exact(0.1));
  const Interval third(ratio(1, 3));
  CHECK(third.contains(ratio(1, 3)));
  CHECK_FALSE(third.is_point());
  CHECK(third.width() < power_of_two(-128));
  CHECK_FALSE(third.contains(third.upper() + power_of_two(-1000)));
  CHECK_FALSE(third.contains(third.lower() - power_of_two(-1000)));
  CHECK(Interval(INT64_MIN).lower() == Rational(INT64_MIN));
  CHECK(Interval(UINT64_MAX).upper() == Rational(UINT64_MAX));
  CHECK(Interval(ratio(-1, 2), ratio(1, 4)).text() == "[-0.5, 0.25]");
  CHECK_THROWS_AS(Interval(Rational(1), Rational(0)), InputError);
  CHECK_THROWS_AS(Interval{not_a_number}, InputError);
  CHECK_THROWS_AS(Interval{infinity}, InputError);
}

TEST_CASE("what has no answer is reported: division around zero, roots of negatives, overflow") {
  const Interval one(1), around(ratio(-1, 2), ratio(1, 2)), touching(Rational(0), Rational(1));
  CHECK_THROWS_AS(one / around, InputError);
  CHECK_THROWS_AS(one / touching, InputError);
  CHECK_THROWS_AS(one / Interval(0), InputError);
  CHECK_THROWS_AS(sqrt(around), InputError);
  CHECK_NOTHROW(sqrt(touching));
  Interval power(2.0);
  CHECK_THROWS_AS(
      [&] {
        for (int i = 0; i < 64; ++i) {
          power *= power;  // 2^(2^i): beyond MPFR's exponents after 62 steps
        }
      }(),
      OutOfRange);
  CHECK_THROWS_AS(power.lower(), OutOfRange);  // already too long to be written out
}

TEST_CASE("comparisons of intervals have three values") {
  const Interval a(Rational(0), Rational(1)), b(Rational(1), Rational(2)), c(Rational(3), Rational(4));
  CHECK(less(a, c) == std::optional(true));
  CHECK(less(c, a) == std::optional(false));
  CHECK(less(a, b) == std::nullopt);            // 1 < 1 fails, 0 < 2 holds
  CHECK(at_most(a, b) == std::optional(true));  // touching ends
  CHECK(less(b, a) == std::optional(false));
  CHECK(at_most(b, a) == std::nullopt);
  CHECK(less(a, a) == std::nullopt);
  CHECK(less(Interval(1), Interval(1)) == std::optional(false));
  CHECK(certainly_less(a, c));
  CHECK_FALSE(certainly_less(a, b));
}

TEST_CASE("an interval has a nearest integer when all of it rounds there") {
  CHECK(nearest_integer(Interval(ratio(5, 2), Rational(3))) == std::nullopt);  // 5/2 rounds to 2
  CHECK(nearest_integer(Interval(ratio(3, 2), ratio(5, 2))) == std::optional(Integer(2)));
  CHECK(nearest_integer(Interval(ratio(-5, 2), ratio(-3, 2))) == std::optional(Integer(-2)));
  CHECK(nearest_integer(Interval(ratio(-1, 2), ratio(1, 2))) == std::optional(Integer(0)));
  CHECK(nearest_integer(Interval(ratio(1, 2), ratio(3, 4))) == std::nullopt);
}

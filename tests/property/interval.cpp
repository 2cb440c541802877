// Containment in the manner of FLINT's Arb: a random interval, a random rational inside it, the exact operation; the result
// must lie inside the computed interval, for every aliasing pattern. And tightness: exact ends stay within rounding.
#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "axecert/numeric/interval.hpp"

using namespace axe;

namespace {

std::mt19937_64 generator(4711);

int uniform(int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(generator);
}

// Rationals of all kinds: zero, small integers, dyadic, with odd denominators, huge and tiny.
Rational any_rational() {
  Rational value =
      Rational(static_cast<std::int64_t>(generator())) / (1 + static_cast<std::int64_t>(generator() >> uniform(1, 62)));
  switch (uniform(0, 5)) {
    case 0:
      return Rational(uniform(-3, 3));
    case 1:
      return Rational(uniform(-1000, 1000)) / 64;
    case 2:
      return value * power_of_two(uniform(-300, 300));
    case 3:
      return uniform(0, 19) == 0 ? Rational(value * power_of_two(uniform(-3000, 3000))) : value;
    default:
      return value;
  }
}

struct Sample {
  Interval interval;
  Rational inside;
};

// An interval from its two ends, and a point that is often an end itself: the extremes are where containment fails first.
Sample any_sample() {
  Rational a = any_rational();
  Rational b = uniform(0, 3) == 0 ? a : uniform(0, 2) == 0 ? Rational(-a) : any_rational();
  if (b < a) {
    std::swap(a, b);
  }
  const int where = uniform(0, 4);
  const Rational point = where == 0 ? a : where == 1 ? b : Rational(a + (b - a) * uniform(0, 1000) / 1000);
  return {Interval(a, b), point};
}

constexpr int rounds = 1500;

}  // namespace

TEST_CASE("a rational inside its interval stays inside after + − × ÷, whatever aliases what") {
  int divisions = 0;
  for (int i = 0; i < rounds; ++i) {
    const auto [a, x] = any_sample();
    const auto [b, y] = any_sample();
    REQUIRE(a.contains(x));
    REQUIRE(b.contains(y));
    const auto check = [&](const char* pattern, const Interval& result, const Rational& truth) {
      CAPTURE(pattern);
      CAPTURE(a.text());
      CAPTURE(b.text());
      CHECK(result.contains(truth));
    };
    check("a + b", a + b, x + y);
    check("a − b", a - b, x - y);
    check("a × b", a * b, x * y);
    check("−a", -a, -x);
    Interval c = a;
    c += c;
    check("a += a", c, x + x);
    c = a;
    c -= c;
    check("a −= a", c, Rational(0));
    c = a;
    c *= c;
    check("a *= a", c, x * x);
    c = a;
    c = c + b;
    check("a = a + b", c, x + y);
    c = b;
    c = a - c;
    check("b = a − b", c, x - y);
    c = b;
    c = c * c + c;
    check("b = b·b + b", c, y * y + y);
    c = b;
    c *= a;
    check("b *= a", c, x * y);
    if (b.contains_zero()) {
      CHECK_THROWS_AS(a / b, InputError);
    } else {
      ++divisions;
      check("a ÷ b", a / b, x / y);
      c = b;
      c /= c;
      check("b /= b", c, Rational(1));
      c = b;
      c = a / c;
      check("b = a ÷ b", c, x / y);
      c = a;
      c /= b;
      check("a /= b", c, x / y);
    }
  }
  CHECK(divisions > rounds / 4);
}

TEST_CASE("a rational inside its interval stays inside after abs, min, max, hull, and below its root") {
  for (int i = 0; i < rounds; ++i) {
    const auto [a, x] = any_sample();
    const auto [b, y] = any_sample();
    const Rational magnitude = x < 0 ? Rational(-x) : x;
    CHECK(abs(a).contains(magnitude));
    CHECK(abs(a).lower() >= 0);
    CHECK(min(a, b).contains(x < y ? x : y));
    CHECK(max(a, b).contains(x < y ? y : x));
    CHECK(hull(a, b).contains(a));
    CHECK(hull(a, b).contains(b));
    Interval c = a;
    c = min(c, c);
    CHECK(c.contains(x));
    c = abs(c);
    CHECK(c.contains(magnitude));
    c = sqrt(c);  // √|x| is in c iff c.lower² ≤ |x| ≤ c.upper²
    CHECK(c.lower() >= 0);
    CHECK(c.lower() * c.lower() <= magnitude);
    CHECK(c.upper() * c.upper() >= magnitude);
  }
}

TEST_CASE(
    "the ends of + − × are attained up to one rounding: an interval is no wider than the truth by 2^-126 of its size") {
  for (int i = 0; i < rounds; ++i) {
    const auto [a, x] = any_sample();
    const auto [b, y] = any_sample();
    const auto tight = [](const Interval& result, const Rational& low, const Rational& high) {
      const Rational size = (low < 0 ? Rational(-low) : low) + (high < 0 ? Rational(-high) : high);
      const Rational slack = size * power_of_two(-126);
      CHECK(low - result.lower() <= slack);
      CHECK(result.upper() - high <= slack);
    };
    tight(a + b, a.lower() + b.lower(), a.upper() + b.upper());
    tight(a - b, a.lower() - b.upper(), a.upper() - b.lower());
    Rational low = a.lower() * b.lower(), high = low;
    for (const Rational& corner :
         {Rational(a.lower() * b.upper()), Rational(a.upper() * b.lower()), Rational(a.upper() * b.upper())}) {
      low = corner < low ? corner : low;
      high = corner > high ? corner : high;
    }
    tight(a * b, low, high);
  }
}

TEST_CASE("comparisons and nearest integers say of the interval what holds for the numbers inside") {
  for (int i = 0; i < rounds; ++i) {
    const auto [a, x] = any_sample();
    const auto [b, y] = any_sample();
    if (const auto verdict = less(a, b)) {
      CHECK(*verdict == (x < y));
    }
    if (const auto verdict = at_most(a, b)) {
      CHECK(*verdict == (x <= y));
    }
    CHECK(a.contains_zero() == a.contains(Rational(0)));
    if (const auto integer = nearest_integer(a)) {
      CHECK(*integer == round_half_even(x));
    } else {
      CHECK(round_half_even(a.lower()) != round_half_even(a.upper()));
    }
    const double low = a.lower_double(), high = a.upper_double();
    CHECK((!std::isfinite(low) || exact(low) <= a.lower()));
    CHECK((!std::isfinite(high) || exact(high) >= a.upper()));
    CHECK(low <= high);
  }
}

TEST_CASE("nearly equal huge numbers cancel without losing the truth") {
  // 2^±90000 with 128 bits: nothing of the third survives but the enclosure.
  const Interval huge(power_of_two(90000) + Rational(1) / 3);
  const Interval same(power_of_two(90000));
  CHECK((huge - same).contains(Rational(1) / 3));
  const Interval tiny(power_of_two(-90000) / 3);
  CHECK((tiny * tiny).contains(power_of_two(-180000) / 9));
  CHECK((tiny / huge).contains((power_of_two(-90000) / 3) / (power_of_two(90000) + Rational(1) / 3)));
}

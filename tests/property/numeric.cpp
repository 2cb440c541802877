// Properties of rationals against the doubles they come from, over random bit patterns: every exponent, every sign.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "axecert/numeric/rational.hpp"

using namespace axe;

namespace {
std::mt19937_64 random_bits(20261122);

double any_double() {
  for (;;) {
    const double value = std::bit_cast<double>(random_bits());
    if (std::isfinite(value)) {
      return value;
    }
  }
}
}  // namespace

TEST_CASE("every double is the only double that its rational rounds to") {
  for (int i = 0; i < 20000; ++i) {
    const double value = any_double();
    CHECK(double_below(exact(value)) == value);
    CHECK(double_above(exact(value)) == value);
  }
}

TEST_CASE("a rational between two neighbouring doubles rounds outward to them") {
  for (int i = 0; i < 5000; ++i) {
    const double low = any_double();
    const double high = std::nextafter(low, std::numeric_limits<double>::infinity());
    if (!std::isfinite(high)) {
      continue;
    }
    const Rational inside = (exact(low) * 7 + exact(high)) / 8;
    CHECK(double_below(inside) == low);
    CHECK(double_above(inside) == high);
  }
}

TEST_CASE("sums and products of doubles are exact: the rounded double is the nearest one") {
  std::uniform_int_distribution<int> exponent(-300, 300);
  for (int i = 0; i < 5000; ++i) {
    const double a = std::ldexp(static_cast<double>(static_cast<std::int64_t>(random_bits())), exponent(random_bits));
    const double b = std::ldexp(a * 0.37, exponent(random_bits) / 10);
    for (const auto& [truth, rounded] :
         {std::pair(Rational(exact(a) + exact(b)), a + b), std::pair(Rational(exact(a) * exact(b)), a * b)}) {
      CHECK(double_below(truth) <= rounded);
      CHECK(rounded <= double_above(truth));
    }
  }
}

TEST_CASE("rounding to integers agrees with the processor's on doubles, ties included") {
  std::uniform_int_distribution<int> eighths(-1 << 20, 1 << 20);
  for (int i = 0; i < 20000; ++i) {
    const double value = eighths(random_bits) / 8.0;  // one in eight is a tie
    CHECK(round_half_even(exact(value)) == static_cast<std::int64_t>(std::nearbyint(value)));
    CHECK(floor_of(exact(value)) == static_cast<std::int64_t>(std::floor(value)));
    CHECK(ceiling_of(exact(value)) == static_cast<std::int64_t>(std::ceil(value)));
    CHECK(round_toward_zero(exact(value)) == static_cast<std::int64_t>(std::trunc(value)));
  }
}

// Conversions of Rational; see the header. No side effects.
#include "axecert/numeric/rational.hpp"

#include <cmath>
#include <limits>

namespace axe {
namespace {

using boost::multiprecision::denominator;
using boost::multiprecision::numerator;

}  // namespace

Rational exact(double value) {
  if (!std::isfinite(value)) {
    throw InputError("number", std::isnan(value) ? "NaN has no exact value" : "an infinity has no exact value",
                     "give a finite number");
  }
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);  // value = fraction · 2^exponent, ½ ≤ |fraction| < 1
  const auto mantissa = static_cast<std::int64_t>(std::ldexp(fraction, 53));  // exact: at most 53 bits
  const Rational integer(mantissa);
  if (mantissa == 0) {
    return integer;
  }
  return integer * power_of_two(exponent - 53);
}

Rational power_of_two(std::int64_t exponent) {
  constexpr std::int64_t limit = std::int64_t{1} << 24;
  if (exponent > limit || exponent < -limit) {
    throw OutOfRange("2^" + std::to_string(exponent) + " is too large or too small to be written out");
  }
  const Integer power = Integer(1) << static_cast<unsigned>(exponent < 0 ? -exponent : exponent);
  return exponent < 0 ? Rational(Integer(1), power) : Rational(power);
}

Integer floor_of(const Rational& value) {
  const Integer above = numerator(value);
  const Integer below = denominator(value);  // > 0: Boost keeps lowest terms with the sign above
  Integer quotient = above / below;          // toward zero
  if (above < 0 && quotient * below != above) {
    --quotient;
  }
  return quotient;
}

Integer ceiling_of(const Rational& value) {
  return -floor_of(-value);
}

Integer round_half_even(const Rational& value) {
  const Integer down = floor_of(value);
  const Rational twice = (value - Rational(down)) * 2;  // 2 · fractional part, in [0, 2)
  if (twice < 1) {
    return down;
  }
  if (twice > 1) {
    return down + 1;
  }
  return down % 2 == 0 ? down : Integer(down + 1);
}

Integer round_toward_zero(const Rational& value) {
  return value < 0 ? ceiling_of(value) : floor_of(value);
}

std::int64_t narrow(const Integer& value, const char* what) {
  if (value < std::numeric_limits<std::int64_t>::min() || value > std::numeric_limits<std::int64_t>::max()) {
    throw OutOfRange(std::string(what) + ": " + value.str() + " does not fit in 64 bits");
  }
  return value.convert_to<std::int64_t>();
}

double double_above(const Rational& value) {
  return -double_below(-value);
}

double double_below(const Rational& value) {
  constexpr double largest = std::numeric_limits<double>::max();
  if (value < 0) {
    // The largest double ≤ value is minus the smallest double ≥ |value|: below |value|, then one step up unless equal.
    if (value < exact(-largest)) {
      return -std::numeric_limits<double>::infinity();
    }
    const Rational magnitude = -value;
    const double down = double_below(magnitude);
    return exact(down) == magnitude ? -down : -std::nextafter(down, std::numeric_limits<double>::infinity());
  }
  if (value == 0) {
    return 0;
  }
  if (value >= exact(largest)) {
    return largest;
  }
  // value in [2^e, 2^(e+1)): its double below is ⌊value · 2^(52 − e)⌋ · 2^(e − 52), with e ≥ −1022 (subnormals share e).
  auto exponent = static_cast<std::int64_t>(msb(numerator(value))) - static_cast<std::int64_t>(msb(denominator(value)));
  if (value < power_of_two(exponent)) {
    --exponent;
  }
  if (exponent < -1022) {
    exponent = -1022;
  }
  const Integer mantissa = floor_of(value * power_of_two(52 - exponent));  // < 2^53
  return std::ldexp(static_cast<double>(mantissa.convert_to<std::int64_t>()), static_cast<int>(exponent - 52));
}

std::string to_text(const Rational& value) {
  const Integer below = denominator(value);
  return below == 1 ? numerator(value).str() : numerator(value).str() + "/" + below.str();
}

}  // namespace axe

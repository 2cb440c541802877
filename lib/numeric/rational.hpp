// Exact rational numbers: Boost.Multiprecision's cpp_rational with expression templates off, so that `auto` and ternaries
// mean what they say. Here are the conversions that Boost leaves inexact or unchecked: from double, to integers (down, up, to
// nearest with ties to even), to the nearest doubles below and above, and text. Main function: `exact`. No side effects.
#pragma once

// GCC 12 takes the unused half of cpp_int's small-value storage, inlined into swaps, for an uninitialized read.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <boost/multiprecision/cpp_int.hpp>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <cstdint>
#include <string>

#include "axecert/numeric/error.hpp"
#include "axecert/numeric/wide.hpp"

namespace axe {

using Integer = boost::multiprecision::number<boost::multiprecision::cpp_int_backend<>, boost::multiprecision::et_off>;
using Rational =
    boost::multiprecision::number<boost::multiprecision::cpp_rational_backend, boost::multiprecision::et_off>;

/// The value of `value` as it stands in memory: m · 2^e, no rounding (a float is first widened, which is exact too).
/// Throws InputError on NaN and infinities.
Rational exact(double value);

/// 2^exponent, |exponent| ≤ 2^24. Throws OutOfRange beyond.
Rational power_of_two(std::int64_t exponent);

/// ⌊value⌋, ⌈value⌉, and the nearest integer with ties to the even one (IEEE 754 roundTiesToEven).
Integer floor_of(const Rational& value);
Integer ceiling_of(const Rational& value);
Integer round_half_even(const Rational& value);

/// The integer between 0 and `value` that is nearest to `value`.
Integer round_toward_zero(const Rational& value);

/// `value` as a machine integer. Throws OutOfRange with `what` in the message when it does not fit.
std::int64_t narrow(const Integer& value, const char* what);

/// Smallest double ≥ value (an infinity beyond the largest) and largest double ≤ value: outward rounding.
double double_above(const Rational& value);
double double_below(const Rational& value);

/// "3", "-7/2": lowest terms, decimal.
std::string to_text(const Rational& value);

}  // namespace axe

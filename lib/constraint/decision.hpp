// The rounding decision of the quantizer, q = clamp(round(sign(v)·max(|v|/s − λ, 0)), a, b), computed in double where
// double is sure and in rationals where it is not, so that every integer equals the rational one. `decide` is the main
// function; `settles` is its cheap test for loops that vectorise. Side effect: `decide` counts its exact evaluations.
//
// IEEE 754 double in round-to-nearest and no -ffast-math are assumed; u = 2^−53 below.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "axecert/datapath/datapath.hpp"
#include "axecert/numeric/rational.hpp"

namespace axe {

static_assert(std::numeric_limits<double>::is_iec559 && std::numeric_limits<double>::digits == 53,
              "the error bounds below are derived for IEEE 754 double");
#ifdef __FAST_MATH__
#error "axecert's decisions need IEEE arithmetic: compile without -ffast-math"
#endif

/// A threshold in double: the true λ ≥ 0 satisfies |value − λ| ≤ error. An infinite error says: ask for the exact one.
struct Threshold {
  double value = 0;
  double error = 0;
};

/// The threshold of a weight whose unit costs `cost` of the ball: λ·cost, cost ≥ 0 and below 2^53 (exact in double).
/// fl(λ̂·cost) is within u·λ̂·cost of λ̂·cost; the factor 1 + 2^−50 covers the rounding of the bound itself.
inline Threshold times(Threshold threshold, std::int64_t cost) {
  const auto factor = static_cast<double>(cost);
  const double value = threshold.value * factor;
  if (cost == 0) {
    return {0, 0};
  }
  return {value, (threshold.error * factor + value * 0x1p-52) * (1 + 0x1p-50)};
}

/// How a decision rounds: to nearest with ties to even (AXE), or toward zero (EP-init).
enum class Rounding { half_even, toward_zero };

/// The nearest integer with ties to even, |t| ≤ 2^51: 1.5·2^52 + t has unit 1, so the addition rounds and the subtraction is
/// exact. Two additions; vectorises where the instruction set has no rounding instruction.
inline double nearest_even(double t) {
  constexpr double shift = 0x1.8p52;
  return (t + shift) - shift;
}

/// Bound on |t̂ − (|v|/s − λ)| for x̂ = fl(|v|/s), t̂ = fl(x̂ − λ̂), with room for three more roundings of that size.
///   |x̂ − |v|/s| ≤ u·x̂ + 2^−1075    division rounds once (the second term where x̂ is subnormal)
///   |t̂ − (x̂ − λ̂)| ≤ u·|t̂|           subtraction rounds once; |t̂| ≤ (x̂ + λ̂)(1 + u)
///   |λ̂ − λ| ≤ error                  given
/// Sum ≤ 2u(1 + u)(x̂ + λ̂) + error + 2^−1075. We use 8u(x̂ + λ̂) + error(1 + 2^−50) + 2^−1000: what is above 2u pays for the
/// roundings of the bound and of t̂ ± bound (≤ u(|t̂| + bound)). Infinite or NaN operands give an infinite or NaN bound.
inline double quotient_error(double quotient, Threshold threshold) {
  return (quotient + threshold.value) * 0x1p-50 + (threshold.error * (1 + 0x1p-50) + 0x1p-1000);
}

/// Whether max(t*, 0) rounds (to nearest, ties to even) as max(t, 0) does for every t* with |t* − t| ≤ error; false when
/// unsure, NaN or |t| ≥ 2^51. Then round(max(t*, 0)) = nearest_even(max(t, 0)).
///
/// With τ = max(t, 0) and c = nearest_even(τ), d = |τ − c| ≤ ½ is exact: both are multiples of ulp(τ) and their difference is
/// below τ or at most ½. The rounding of everything within `error` of τ is c when d + error < ½ (strictly: ties are never
/// settled). 0.5 − d is exact for d ≥ ¼ (Sterbenz); for d < ¼ it rounds to at least ¼ > error.
inline bool settles(double t, double error) {
  const double tau = t > 0 ? t : 0.0;
  const double distance = std::fabs(tau - nearest_even(tau));
  const bool sane = t < 0x1p51;  // false for NaN
  return sane & (error < 0.25) & (error < 0.5 - distance);
}

/// clamp(round(sign(v)·max(|v|/s − λ, 0)), a, b) over the rationals. Throws InputError unless v is finite, s finite and > 0, λ ≥ 0
/// and a ≤ b.
std::int64_t decide_exactly(double value, double scale, const Rational& threshold, IntegerRange admissible,
                            Rounding rounding = Rounding::half_even);

/// The same integer, in double whenever that is provably right. `value` is a candidate in the weight's unit, `scale` the
/// size of a step (1 when the candidate is in steps already), `threshold` λ of this weight in steps, `exact_threshold()`
/// gives it as a Rational and is called only when needed. Adds 1 to `settled_exactly` whenever it was. Throws as
/// decide_exactly.
///
/// f(y) = round(clamp(y, a, b)) = clamp(round(y), a, b) is monotone (a and b are integers), so f is certain when it takes one
/// value on both ends of [ŷ − e, ŷ + e]. For rounding toward zero f is monotone as well.
template <class ExactThreshold>
inline std::int64_t decide(double value, double scale, Threshold threshold, IntegerRange admissible,
                           const ExactThreshold& exact_threshold, std::int64_t& settled_exactly,
                           Rounding rounding = Rounding::half_even) {
  constexpr std::int64_t largest = std::int64_t{1} << 50;  // nearest_even and the conversion to double need this much
  const double quotient = std::fabs(value) / scale;
  const double error = quotient_error(quotient, threshold);
  if (scale > 0 && scale <= std::numeric_limits<double>::max() && error < 0.25 && threshold.value >= 0 &&
      threshold.error >= 0 && admissible.lower <= admissible.upper && admissible.lower >= -largest &&
      admissible.upper <= largest) {
    const double t = quotient - threshold.value;
    const double tau = t > 0 ? t : 0.0;
    const double y = value < 0 ? -tau : tau;
    const auto a = static_cast<double>(admissible.lower);
    const auto b = static_cast<double>(admissible.upper);
    const auto round_clamped = [a, b, rounding](double z) {
      const double inside = z < a ? a : z > b ? b : z;
      return rounding == Rounding::half_even ? nearest_even(inside) : std::trunc(inside);
    };
    // Where max(·, 0) holds y at 0, the true value lies between 0 and max(t + e, 0): the sign is kept.
    const double outer = t + error > 0 ? t + error : 0.0;
    const double inner = t - error > 0 ? t - error : 0.0;
    const double q = round_clamped(y);
    if (q == round_clamped(value < 0 ? -outer : outer) && q == round_clamped(value < 0 ? -inner : inner)) {
      // Never a tie between two admissible integers: its two sides differ.
      return static_cast<std::int64_t>(q);
    }
  }
  ++settled_exactly;
  return decide_exactly(value, scale, exact_threshold(), admissible, rounding);
}

}  // namespace axe

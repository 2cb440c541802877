// The exact side of the rounding decision. Main function: `decide_exactly`. No side effects.
#include "axecert/constraint/decision.hpp"

#include <string>

namespace axe {

std::int64_t decide_exactly(double value, double scale, const Rational& threshold, IntegerRange admissible,
                            Rounding rounding) {
  if (!std::isfinite(value)) {
    throw InputError("decision", "the candidate is not finite", "remove NaN and infinities from the weights");
  }
  if (!(scale > 0) || !std::isfinite(scale)) {
    throw InputError("decision", "the scale is " + std::to_string(scale), "a scale is finite and > 0");
  }
  if (threshold < 0) {
    throw InputError("decision", "the threshold " + to_text(threshold) + " is negative", "a threshold is >= 0");
  }
  if (admissible.lower > admissible.upper) {
    throw InputError(
        "decision",
        "no integer is admissible: " + std::to_string(admissible.lower) + " > " + std::to_string(admissible.upper),
        "the register must hold its values with this weight at 0");
  }
  const Rational magnitude = exact(std::fabs(value)) / exact(scale) - threshold;
  const Rational shrunk = magnitude > 0 ? (value < 0 ? Rational(-magnitude) : magnitude) : Rational(0);
  const Integer rounded = rounding == Rounding::half_even ? round_half_even(shrunk) : round_toward_zero(shrunk);
  if (rounded < admissible.lower) {
    return admissible.lower;
  }
  if (rounded > admissible.upper) {
    return admissible.upper;
  }
  return rounded.convert_to<std::int64_t>();
}

}  // namespace axe

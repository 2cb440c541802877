// AXE's strict constraint: between which numbers the next weight of a tile must lie. Three forms: exact (what is left of
// the register, divided), joint (exact, minus the rounding slack: Brevitas), published (the paper's limits per sign). Main
// functions: `exact_limits`, `joint_limits`, `published_limits`, and `integers_inside`. No side effects. The integer Budget
// (budget.hpp) is the incremental form of `exact_limits` for blocks of rows.
// Sources: AXE (arXiv 2409.17092) eqs. 7–8 (ranges), 17, 19–21 (limits); design §3.5.
#pragma once

#include <cstdint>
#include <optional>

#include "axecert/constraint/reading.hpp"
#include "axecert/datapath/datapath.hpp"

namespace axe {

/// lower ≤ q ≤ upper; an absent side has no limit.
template <Readable Number>
struct RealLimits {
  std::optional<Number> lower;
  std::optional<Number> upper;
};

/// A tile holds [Σ min(w l, w h), Σ max(w l, w h)]; `above` ≥ 0 is what is left up to the register's upper limit, `below` ≥ 0 what
/// is left down to the lower one. The next weight q meets inputs in [l, h], taken with 0 (a partial sum may leave it out).
///   q ≥ 0 raises the upper end by q·h and lowers the lower end by q·(−l):  q ≤ min(above/h, below/(−l))
///   q ≤ 0 raises the upper end by |q|·(−l), lowers the lower by |q|·h:    |q| ≤ min(above/(−l), below/h)
/// A quotient by 0 is no limit. 0 is always admitted. Throws InputError when l > h, above < 0 or below < 0.
template <Readable Number>
RealLimits<Number> exact_limits(const Number& above, const Number& below, IntegerRange input) {
  using R = Reading<Number>;
  if (input.lower > input.upper) {
    throw InputError("strict limits", "the input's range is empty", "lower <= upper");
  }
  if (R::negative(above) || R::negative(below)) {
    throw InputError("strict limits", "the register is exceeded already", "start from a range that fits");
  }
  const std::int64_t h = input.upper > 0 ? input.upper : 0;
  const std::int64_t minus_l = input.lower < 0 ? -input.lower : 0;
  const auto least = [](const Number& a, std::int64_t by_a, const Number& b,
                        std::int64_t by_b) -> std::optional<Number> {
    if (by_a == 0 && by_b == 0) {
      return std::nullopt;
    }
    if (by_b == 0) {
      return a / R::of(by_a);
    }
    if (by_a == 0) {
      return b / R::of(by_b);
    }
    return R::smaller(a / R::of(by_a), b / R::of(by_b));
  };
  RealLimits<Number> limits{least(above, minus_l, below, h), least(above, h, below, minus_l)};
  if (limits.lower) {
    limits.lower = R::of(0) - *limits.lower;
  }
  return limits;
}

/// Brevitas' form: exact_limits moved inward by max Δ = ½, the largest rounding error, but not across 0. A value clipped to
/// them and then rounded to nearest is inside exact_limits.
template <Readable Number>
RealLimits<Number> joint_limits(const Number& above, const Number& below, IntegerRange input) {
  using R = Reading<Number>;
  RealLimits<Number> limits = exact_limits(above, below, input);
  const Number half = R::of(0.5), zero = R::of(0);
  if (limits.lower) {
    limits.lower = R::smaller(*limits.lower + half, zero);
  }
  if (limits.upper) {
    limits.upper = R::larger(*limits.upper - half, zero);
  }
  return limits;
}

/// The paper's form (eqs. 17, 19–21): positives and negatives have a budget each, −A = B = limit/(β − α) − ½, and the next weight is
/// clipped to [A − Σ_{w<0} w, B − Σ_{w>0} w], on the right side of 0. `limit` is 2^(P−1) − 1 and β − α = 2^N − 1 for N-bit codes; it bounds
/// both ends because β·B − α·B ≤ limit. Throws InputError when the input's range is a point or excludes 0.
template <Readable Number>
RealLimits<Number> published_limits(const Number& sum_of_positives, const Number& sum_of_negatives, std::int64_t limit,
                                    IntegerRange input) {
  using R = Reading<Number>;
  if (input.lower > 0 || input.upper < 0 || input.lower == input.upper) {
    throw InputError("strict limits", "the published form needs inputs in [a, b] with a <= 0 <= b, a < b",
                     "use exact limits");
  }
  const Number zero = R::of(0);
  const Number b = R::of(limit) / R::of(input.upper - input.lower) - R::of(0.5);
  return {R::smaller(zero - b - sum_of_negatives, zero), R::larger(b - sum_of_positives, zero)};
}

/// The integers inside `limits` that `grid` holds too. 0 is among them whenever grid holds it and the limits do.
inline IntegerRange integers_inside(const RealLimits<Rational>& limits, IntegerRange grid) {
  IntegerRange inside = grid;
  if (limits.lower) {
    const Integer a = ceiling_of(*limits.lower);
    if (a > inside.lower) {
      inside.lower = narrow(a, "strict limit");
    }
  }
  if (limits.upper) {
    const Integer b = floor_of(*limits.upper);
    if (b < inside.upper) {
      inside.upper = narrow(b, "strict limit");
    }
  }
  return inside;
}

}  // namespace axe

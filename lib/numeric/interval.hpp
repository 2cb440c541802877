// Closed intervals of real numbers with binary endpoints, rounded outward: what an operation returns contains the result
// for every choice of numbers inside its operands. A thin class around Boost.Multiprecision's MPFI number, fixed precision.
// Main class: `Interval`. No side effects.
//
// Why not Boost's type itself: its comparisons throw when intervals overlap, division by an interval around 0 silently
// gives [−∞, ∞], overflow gives infinite or NaN endpoints that travel on, a NaN converts without a word, and a conversion
// to double takes the midpoint. Here comparisons are three-valued and everything else that has no answer throws.
#pragma once

#include <boost/multiprecision/mpfi.hpp>
#include <concepts>
#include <optional>
#include <string>

#include "axecert/numeric/rational.hpp"

namespace axe {

/// @invariant lower() ≤ upper(), both finite.
class Interval {
 public:
  /// 40 decimal digits: at least 128 bits for each endpoint, so every double and every 64-bit integer is a point.
  using Number =
      boost::multiprecision::number<boost::multiprecision::mpfi_float_backend<40>, boost::multiprecision::et_off>;

  Interval() = default;             ///< the point 0
  explicit Interval(double value);  ///< the point `value`, exactly; InputError on NaN and infinities
  explicit Interval(std::signed_integral auto value) : number_(static_cast<long>(value)) {}  ///< the point, exactly
  explicit Interval(std::unsigned_integral auto value) : number_(static_cast<unsigned long>(value)) {}
  explicit Interval(const Rational& value);  ///< the narrowest interval that contains it
  /// The narrowest interval that contains [lower, upper]. Throws InputError when lower > upper.
  Interval(const Rational& lower, const Rational& upper);

  /// The endpoints, exactly. Throw OutOfRange beyond 2^(2^24), where writing them out makes no sense.
  Rational lower() const;
  Rational upper() const;
  Rational width() const { return upper() - lower(); }
  /// Doubles rounded outward (infinite beyond the largest double).
  double lower_double() const;
  double upper_double() const;
  bool is_point() const;
  std::string text() const;  ///< "[-0.5, 0.25]": endpoints in decimal, rounded outward to 17 digits

  /// Decided exactly, on the binary endpoints.
  bool contains(const Rational& value) const;
  bool contains(const Interval& inner) const;
  bool contains_zero() const;

  /// Outward rounded. Division throws InputError when the divisor contains 0; all of them OutOfRange on overflow (2^(2^62)).
  Interval& operator+=(const Interval& other);
  Interval& operator-=(const Interval& other);
  Interval& operator*=(const Interval& other);
  Interval& operator/=(const Interval& other);
  friend Interval operator+(Interval a, const Interval& b) { return a += b; }
  friend Interval operator-(Interval a, const Interval& b) { return a -= b; }
  friend Interval operator*(Interval a, const Interval& b) { return a *= b; }
  friend Interval operator/(Interval a, const Interval& b) { return a /= b; }
  Interval operator-() const;

  friend Interval abs(const Interval& a);
  friend Interval sqrt(const Interval& a);  ///< InputError when a holds negative numbers
  friend Interval min(const Interval& a, const Interval& b);
  friend Interval max(const Interval& a, const Interval& b);
  friend Interval hull(const Interval& a, const Interval& b);  ///< the narrowest interval that contains both

  /// x < y (x ≤ y) for all x in a and y in b.
  friend bool certainly_less(const Interval& a, const Interval& b);
  friend bool certainly_at_most(const Interval& a, const Interval& b);
  /// true: for all of them; false: for none; nothing: it depends.
  friend std::optional<bool> less(const Interval& a, const Interval& b);
  friend std::optional<bool> at_most(const Interval& a, const Interval& b);

  /// The integer that every number of the interval rounds to (ties to even), if there is one.
  friend std::optional<Integer> nearest_integer(const Interval& a);

 private:
  explicit Interval(Number number) : number_(std::move(number)) {}
  void demand_bounded(const char* operation) const;
  mpfi_srcptr data() const { return number_.backend().data(); }
  Number number_ = 0;
};

// Found by argument-dependent lookup as friends; declared for qualified use too.
Interval abs(const Interval& a);
Interval sqrt(const Interval& a);
Interval min(const Interval& a, const Interval& b);
Interval max(const Interval& a, const Interval& b);
Interval hull(const Interval& a, const Interval& b);
bool certainly_less(const Interval& a, const Interval& b);
bool certainly_at_most(const Interval& a, const Interval& b);
std::optional<bool> less(const Interval& a, const Interval& b);
std::optional<bool> at_most(const Interval& a, const Interval& b);
std::optional<Integer> nearest_integer(const Interval& a);

}  // namespace axe

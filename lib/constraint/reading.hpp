// What a formula needs to know of the number type that reads it: Rational (exact), Interval (enclosure), double (fast).
// Each formula of this room is one template over these three; `Reading<Number>` is the only place where they differ.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>

#include "axecert/numeric/interval.hpp"
#include "axecert/numeric/rational.hpp"

namespace axe {

template <class Number>
struct Reading;

template <>
struct Reading<Rational> {
  static Rational of(double value) { return exact(value); }
  static Rational of(std::integral auto value) { return Rational(value); }
  static Rational magnitude(const Rational& a) { return a < 0 ? Rational(-a) : a; }
  static Rational larger(const Rational& a, const Rational& b) { return a < b ? b : a; }
  static Rational smaller(const Rational& a, const Rational& b) { return b < a ? b : a; }
  static bool negative(const Rational& a) { return a < 0; }
  using Key = Rational;
  static Key key(const Rational& magnitude, std::int64_t cost) { return magnitude / cost; }
};

template <>
struct Reading<Interval> {
  static Interval of(double value) { return Interval(value); }
  static Interval of(std::integral auto value) { return Interval(value); }
  static Interval magnitude(const Interval& a) { return abs(a); }
  static Interval larger(const Interval& a, const Interval& b) { return max(a, b); }
  static Interval smaller(const Interval& a, const Interval& b) { return min(a, b); }
  static bool negative(const Interval& a) { return certainly_less(a, Interval(0)); }  // certainly, all of it
  using Key = Rational;  // exact, by the upper end: see L1Threshold
  static Key key(const Interval& magnitude, std::int64_t cost) { return magnitude.upper() / cost; }
};

template <>
struct Reading<double> {
  static double of(double value) { return value; }
  static double of(std::integral auto value) { return static_cast<double>(value); }
  static double magnitude(double a) { return std::fabs(a); }
  static double larger(double a, double b) { return a < b ? b : a; }
  static double smaller(double a, double b) { return b < a ? b : a; }
  static bool negative(double a) { return !(a >= 0); }  // NaN too: it is no amount
  using Key = double;
  static Key key(double magnitude, std::int64_t cost) { return magnitude / static_cast<double>(cost); }
};

template <class Number>
concept Readable = requires(double d) {
  Reading<Number>::of(d);
};

}  // namespace axe

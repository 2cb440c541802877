// Interval's operations: MPFI through Boost for the arithmetic, MPFR directly for endpoints and exact comparisons.
#include "axecert/numeric/interval.hpp"

#include <cmath>
#include <iterator>
#include <vector>

namespace axe {
namespace {

using boost::multiprecision::denominator;
using boost::multiprecision::numerator;

// GMP's integers and rationals with their memory.
struct GmpInteger {
  mpz_t value;
  GmpInteger() { mpz_init(value); }
  explicit GmpInteger(const Integer& source) : GmpInteger() {
    std::vector<unsigned char> bytes;
    export_bits(Integer(abs(source)), std::back_inserter(bytes), 8);  // most significant byte first
    mpz_import(value, bytes.size(), 1, 1, 1, 0, bytes.data());
    if (source < 0) {
      mpz_neg(value, value);
    }
  }
  GmpInteger(const GmpInteger&) = delete;
  GmpInteger& operator=(const GmpInteger&) = delete;
  ~GmpInteger() { mpz_clear(value); }

  Integer integer() const {
    std::vector<unsigned char> bytes(mpz_sizeinbase(value, 256));
    std::size_t count = 0;
    mpz_export(bytes.data(), &count, 1, 1, 1, 0, value);
    Integer result = 0;
    if (count > 0) {
      import_bits(result, bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count), 8);
    }
    return mpz_sgn(value) < 0 ? Integer(-result) : result;
  }
};

struct GmpRational {
  mpq_t value;
  explicit GmpRational(const Rational& source) {
    mpq_init(value);
    mpz_set(mpq_numref(value), GmpInteger(numerator(source)).value);
    mpz_set(mpq_denref(value), GmpInteger(denominator(source)).value);  // lowest terms on both sides
  }
  GmpRational(const GmpRational&) = delete;
  GmpRational& operator=(const GmpRational&) = delete;
  ~GmpRational() { mpq_clear(value); }
};

// The value of a finite MPFR number: m · 2^e.
Rational exact(mpfr_srcptr endpoint) {
  if (mpfr_zero_p(endpoint)) {
    return Rational(0);
  }
  GmpInteger mantissa;
  const mpfr_exp_t exponent = mpfr_get_z_2exp(mantissa.value, endpoint);
  return Rational(mantissa.integer()) * power_of_two(exponent);
}

}  // namespace

Interval::Interval(double value) {
  if (!std::isfinite(value)) {
    throw InputError("interval", "an endpoint is not finite", "give finite numbers");
  }
  mpfi_set_d(number_.backend().data(), value);  // exact: the precision exceeds 53 bits
}

Interval::Interval(const Rational& value) : Interval(value, value) {}

Interval::Interval(const Rational& lower, const Rational& upper) {
  if (lower > upper) {
    throw InputError("interval", "lower end " + to_text(lower) + " exceeds upper end " + to_text(upper), "swap them");
  }
  mpfi_ptr data = number_.backend().data();
  mpfr_set_q(&data->left, GmpRational(lower).value, MPFR_RNDD);
  mpfr_set_q(&data->right, GmpRational(upper).value, MPFR_RNDU);
  demand_bounded("conversion");
}

Rational Interval::lower() const {
  return exact(&data()->left);
}
Rational Interval::upper() const {
  return exact(&data()->right);
}
double Interval::lower_double() const {
  return mpfr_get_d(&data()->left, MPFR_RNDD);
}
double Interval::upper_double() const {
  return mpfr_get_d(&data()->right, MPFR_RNDU);
}
bool Interval::is_point() const {
  return mpfr_equal_p(&data()->left, &data()->right) != 0;
}

std::string Interval::text() const {
  char* line = nullptr;
  mpfr_asprintf(&line, "[%.17RDg, %.17RUg]", &data()->left, &data()->right);
  std::string result(line);
  mpfr_free_str(line);
  return result;
}

bool Interval::contains(const Rational& value) const {
  const GmpRational point(value);
  return mpfr_cmp_q(&data()->left, point.value) <= 0 && mpfr_cmp_q(&data()->right, point.value) >= 0;
}

bool Interval::contains(const Interval& inner) const {
  return mpfr_lessequal_p(&data()->left, &inner.data()->left) != 0 &&
         mpfr_greaterequal_p(&data()->right, &inner.data()->right) != 0;
}

bool Interval::contains_zero() const {
  return mpfr_sgn(&data()->left) <= 0 && mpfr_sgn(&data()->right) >= 0;
}

void Interval::demand_bounded(const char* operation) const {
  if (!mpfi_bounded_p(data())) {  // also false for NaN
    throw OutOfRange(std::string("interval ") + operation + ": an end is beyond the largest exponent");
  }
}

Interval& Interval::operator+=(const Interval& other) {
  number_ += other.number_;
  demand_bounded("addition");
  return *this;
}

Interval& Interval::operator-=(const Interval& other) {
  // MPFI treats its operands as independent, also when they are one object: x − x contains 0 and is 2·width wide.
  number_ -= other.number_;
  demand_bounded("subtraction");
  return *this;
}

Interval& Interval::operator*=(const Interval& other) {
  number_ *= other.number_;
  demand_bounded("multiplication");
  return *this;
}

Interval& Interval::operator/=(const Interval& other) {
  if (other.contains_zero()) {
    throw InputError("interval", "division by " + other.text() + ", which contains 0", "bound the divisor away from 0");
  }
  number_ /= other.number_;
  demand_bounded("division");
  return *this;
}

Interval Interval::operator-() const {
  return Interval(Number(-number_));
}

Interval abs(const Interval& a) {
  Interval result;
  mpfi_abs(result.number_.backend().data(), a.data());
  return result;
}

Interval sqrt(const Interval& a) {
  if (mpfr_sgn(&a.data()->left) < 0) {
    throw InputError("interval", "square root of " + a.text() + ", which holds negative numbers",
                     "bound it from below by 0");
  }
  Interval result;
  mpfi_sqrt(result.number_.backend().data(), a.data());
  return result;
}

// Both are monotone in both arguments, so the ends follow from the ends; all have one precision, so nothing rounds.
Interval min(const Interval& a, const Interval& b) {
  Interval result;
  mpfi_ptr data = result.number_.backend().data();
  mpfr_min(&data->left, &a.data()->left, &b.data()->left, MPFR_RNDD);
  mpfr_min(&data->right, &a.data()->right, &b.data()->right, MPFR_RNDU);
  return result;
}

Interval max(const Interval& a, const Interval& b) {
  Interval result;
  mpfi_ptr data = result.number_.backend().data();
  mpfr_max(&data->left, &a.data()->left, &b.data()->left, MPFR_RNDD);
  mpfr_max(&data->right, &a.data()->right, &b.data()->right, MPFR_RNDU);
  return result;
}

Interval hull(const Interval& a, const Interval& b) {
  Interval result;
  mpfi_union(result.number_.backend().data(), a.data(), b.data());
  return result;
}

bool certainly_less(const Interval& a, const Interval& b) {
  return mpfr_less_p(&a.data()->right, &b.data()->left) != 0;
}

bool certainly_at_most(const Interval& a, const Interval& b) {
  return mpfr_lessequal_p(&a.data()->right, &b.data()->left) != 0;
}

std::optional<bool> less(const Interval& a, const Interval& b) {
  if (certainly_less(a, b)) {
    return true;
  }
  return certainly_at_most(b, a) ? std::optional(false) : std::nullopt;
}

std::optional<bool> at_most(const Interval& a, const Interval& b) {
  if (certainly_at_most(a, b)) {
    return true;
  }
  return certainly_less(b, a) ? std::optional(false) : std::nullopt;
}

std::optional<Integer> nearest_integer(const Interval& a) {
  // Rounding is monotone: if both ends round to one integer, so does everything between.
  const Integer low = round_half_even(a.lower());
  return low == round_half_even(a.upper()) ? std::optional(low) : std::nullopt;
}

}  // namespace axe

// The conditions of each requantizer on the ends of a row's range; see requantization.hpp. Every step is monotone in the sum, so its ends decide.
#include "axecert/bound/requantization.hpp"

#include <array>
#include <cmath>

#include "axecert/numeric/error.hpp"
#include "axecert/numeric/wide.hpp"

namespace axe {
namespace {

using Outcome = RequantizationCheck::Outcome;

constexpr IntegerRange int32_limits{INT32_MIN, INT32_MAX};

constexpr std::array all_requantizers{Requantizer::float32,    Requantizer::tflite,  Requantizer::cmsis,
                                      Requantizer::ruy,        Requantizer::xnnpack, Requantizer::gemmlowp,
                                      Requantizer::tosa,       Requantizer::tosa16,  Requantizer::tflite_int64,
                                      Requantizer::cmsis_int64};

/// The end of `range` that lies outside `limits`, the lower first.
std::optional<std::int64_t> outside(IntegerRange range, int128 lower, int128 upper) {
  if (range.lower < lower || range.lower > upper) {
    return range.lower;
  }
  return range.upper > upper || range.upper < lower ? std::optional(range.upper) : std::nullopt;
}

RequantizationCheck fails(const std::string& reason) {
  return {Outcome::fails, reason};
}

std::string sum_of(std::int64_t value) {
  return "the sum " + std::to_string(value);
}

RequantizationCheck float_check(IntegerRange sums) {
  for (const std::int64_t end : {sums.lower, sums.upper}) {
    if (static_cast<int128>(static_cast<float>(end)) != end) {
      return fails(sum_of(end) + " is no float32: it has more than 24 bits");
    }
  }
  if (sums.lower < -float_exact || sums.upper > float_exact) {
    return {Outcome::undecided, "sums reach [" + std::to_string(sums.lower) + ", " + std::to_string(sums.upper) +
                                    "], beyond 2^24, where some are no float32"};
  }
  return {Outcome::fits, ""};
}

/// sum · 2^left within int32, then a doubling high multiplication (its corner, −2^31 twice, needs a negative multiplier) and a rounding right shift of
/// at most 31.
RequantizationCheck shifted_check(IntegerRange sums, FixedPoint by, const char* what_happens) {
  const int left = by.exponent > 0 ? by.exponent : 0;
  if (left > 30) {
    return fails("its multiplier needs a shift to the left by " + std::to_string(left) + ", at most 30 are possible");
  }
  // sum · 2^left ≤ 2^31 − 1 iff sum ≤ ⌊(2^31 − 1) / 2^left⌋, and below −2^31 / 2^left exactly.
  const std::int64_t step = std::int64_t{1} << left;
  if (const auto end = outside(sums, INT32_MIN / step, INT32_MAX / step)) {
    return fails(sum_of(*end) + (left == 0 ? std::string(" has more than 32 bits")
                                           : " shifted to the left by " + std::to_string(left) +
                                                 " has more than 32 bits, and " + what_happens));
  }
  return {Outcome::fits, ""};
}

RequantizationCheck gemmlowp_check(IntegerRange sums, FixedPoint by) {
  if (by.exponent > 0) {
    return fails("its multiplier is 1 or more, and there is no shift to the left");
  }
  if (const auto end = outside(sums, INT32_MIN, INT32_MAX)) {
    return fails(sum_of(*end) + " has more than 32 bits");
  }
  return {Outcome::fits, ""};
}

/// TOSA's multiplier · 2^−shift, shift = bits − exponent.
RequantizationCheck tosa_check(IntegerRange sums, FixedPoint by, int bits) {
  int shift = bits - by.exponent;
  std::int64_t multiplier = by.multiplier;
  if (bits == 15) {
    multiplier = (by.multiplier + (1 << 15)) >> 16;
    if (multiplier == 1 << 15) {  // rounded up out of its 15 bits
      multiplier /= 2;
      --shift;
    }
  }
  if (multiplier == 0) {
    return fails("its multiplier rounds to 0");
  }
  if (shift < 2 || shift > 62) {
    return fails("its multiplier needs a shift of " + std::to_string(shift) + ", 2 to 62 are possible");
  }
  if (bits == 31) {
    const int128 half = static_cast<int128>(1) << (shift - 1);
    if (const auto end = outside(sums, -half, half - 1)) {
      return fails(sum_of(*end) + " is outside [-2^" + std::to_string(shift - 1) + ", 2^" + std::to_string(shift - 1) +
                   ")");
    }
    if (const auto end = outside(sums, INT32_MIN, INT32_MAX)) {
      return fails(sum_of(*end) + " has more than 32 bits");
    }
    return {Outcome::fits, ""};
  }
  // (sum · multiplier + 2^(shift − 1)) >> shift within int32, the multiplier rounded to 15 bits.
  for (const std::int64_t end : {sums.lower, sums.upper}) {
    const int128 result = (static_cast<int128>(end) * multiplier + (static_cast<int128>(1) << (shift - 1))) >> shift;
    if (result < int32_limits.lower || result > int32_limits.upper) {
      return fails(sum_of(end) + " gives a result of more than 32 bits");
    }
  }
  return {Outcome::fits, ""};
}

/// The multiplier in 16 bits: one of 0x7FFF0000 and more is rounded down, since 2^15 would have 17.
std::int64_t reduced_multiplier(FixedPoint by) {
  return by.multiplier < 0x7FFF0000 ? (by.multiplier + (1 << 15)) >> 16 : 0x7FFF;
}

/// common.cc: reduced = multiplier < 0x7FFF0000 ? (multiplier + 2^15) >> 16 : 0x7FFF; (sum · reduced + 2^(14 − shift)) >> (15 − shift).
RequantizationCheck reduced_check(IntegerRange sums, FixedPoint by) {
  if (by.exponent < -31 || by.exponent > 7) {
    return fails("its multiplier needs a shift of " + std::to_string(by.exponent) + ", -31 to 7 are possible");
  }
  const std::int64_t most = std::int64_t{1} << 47;
  if (const auto end = outside(sums, -most, most - 1)) {
    return fails(sum_of(*end) + " is outside [-2^47, 2^47)");
  }
  const std::int64_t reduced = reduced_multiplier(by);
  for (const std::int64_t end : {sums.lower, sums.upper}) {
    const int128 result =
        (static_cast<int128>(end) * reduced + (static_cast<int128>(1) << (14 - by.exponent))) >> (15 - by.exponent);
    if (result < int32_limits.lower || result > int32_limits.upper) {
      return fails(sum_of(end) + " gives a result of more than 32 bits, which is cut to 32");
    }
  }
  return {Outcome::fits, ""};
}

/// arm_nn_requantize_s64: (int32)((sum · reduced) >> (14 − shift)), then (· + 1) >> 1.
RequantizationCheck reduced_s64_check(IntegerRange sums, FixedPoint by) {
  if (by.exponent < -31 || by.exponent > 14) {
    return fails("its multiplier needs a shift of " + std::to_string(by.exponent) + ", -31 to 14 are possible");
  }
  const std::int64_t reduced = reduced_multiplier(by);
  for (const std::int64_t end : {sums.lower, sums.upper}) {
    const int128 product = static_cast<int128>(end) * reduced;
    if (product < INT64_MIN || product > INT64_MAX) {
      return fails(sum_of(end) + " times its multiplier has more than 64 bits");
    }
    const int128 shifted = product >> (14 - by.exponent);
    if (shifted < int32_limits.lower || shifted >= int32_limits.upper) {
      return fails(sum_of(end) + " has more than 32 bits before its last bit is rounded away, and is cut to 32");
    }
  }
  return {Outcome::fits, ""};
}

}  // namespace

std::string to_text(Requantizer requantizer) {
  switch (requantizer) {
    case Requantizer::float32:
      return "float32";
    case Requantizer::tflite:
      return "tflite";
    case Requantizer::cmsis:
      return "cmsis";
    case Requantizer::ruy:
      return "ruy";
    case Requantizer::xnnpack:
      return "xnnpack";
    case Requantizer::gemmlowp:
      return "gemmlowp";
    case Requantizer::tosa:
      return "tosa";
    case Requantizer::tosa16:
      return "tosa16";
    case Requantizer::tflite_int64:
      return "tflite-int64";
    case Requantizer::cmsis_int64:
      return "cmsis-int64";
  }
  return "";
}

std::span<const Requantizer> requantizers() {
  return all_requantizers;
}

std::string describe(Requantizer requantizer) {
  switch (requantizer) {
    case Requantizer::float32:
      return "every sum is a float32: 24 bits hold it";
    case Requantizer::tflite:
    case Requantizer::cmsis:
    case Requantizer::ruy:
    case Requantizer::xnnpack:
      return "every sum, shifted to the left as its multiplier needs, has 32 bits";
    case Requantizer::gemmlowp:
      return "every sum has 32 bits, and the multiplier is less than 1";
    case Requantizer::tosa:
      return "apply_scale_32: shift 2 to 62, and every sum within [-2^(shift-1), 2^(shift-1))";
    case Requantizer::tosa16:
      return "apply_scale_16: shift 2 to 62, and every result has 32 bits";
    case Requantizer::tflite_int64:
      return "the reduced multiplier of 16 × 8: every sum within ±2^47, every result in 32 bits";
    case Requantizer::cmsis_int64:
      return "the reduced multiplier of 16 × 8: every result and one bit below it in 32 bits";
  }
  return "";
}

FixedPoint fixed_point(double real) {
  if (!(real > 0) || !std::isfinite(real)) {
    throw InputError("multiplier " + std::to_string(real), "is no positive number",
                     "it is input scale · weight scale / output scale");
  }
  FixedPoint result;
  const double significand = std::frexp(real, &result.exponent);  // in [1/2, 1)
  result.multiplier = std::llround(significand * static_cast<double>(std::int64_t{1} << 31));
  if (result.multiplier == std::int64_t{1} << 31) {
    result.multiplier /= 2;
    ++result.exponent;
  }
  if (result.exponent < -31) {
    return {0, 0};
  }
  return result;
}

RequantizationCheck check_requantization(Requantizer requantizer, IntegerRange sums, std::optional<double> multiplier) {
  if (requantizer == Requantizer::float32) {
    return float_check(sums);
  }
  if (!multiplier) {
    return {Outcome::undecided, "its multiplier is not known"};
  }
  const FixedPoint by = fixed_point(*multiplier);
  switch (requantizer) {
    case Requantizer::float32:
      break;
    case Requantizer::tflite:
    case Requantizer::cmsis:
      return shifted_check(sums, by, "overflow is undefined");
    case Requantizer::ruy:
      return shifted_check(sums, by, "wraps");
    case Requantizer::xnnpack:
      return shifted_check(sums, by, "saturates");
    case Requantizer::gemmlowp:
      return gemmlowp_check(sums, by);
    case Requantizer::tosa:
      return tosa_check(sums, by, 31);
    case Requantizer::tosa16:
      return tosa_check(sums, by, 15);
    case Requantizer::tflite_int64:
      return reduced_check(sums, by);
    case Requantizer::cmsis_int64:
      return reduced_s64_check(sums, by);
  }
  return {};
}

std::vector<IntegerRange> row_sums(const IntegerLayer& layer, const Datapath& datapath) {
  // The same registers, each with its final value, which only one that wraps may claim; ranges do not depend on widths.
  Datapath final = datapath;
  for (Stage& stage : final.stages) {
    stage.overflow = Overflow::wrap;
    stage.claim = Claim::final_value;
  }
  const StageRanges last = std::move(layer_ranges(layer, Topology(final, layer.cols)).back());
  std::vector<IntegerRange> sums;
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    sums.push_back(hull(last.lower.data() + r * last.nodes, last.upper.data() + r * last.nodes, last.nodes));
  }
  return sums;
}

}  // namespace axe

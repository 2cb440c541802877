// What becomes of a row's sum behind its registers: a multiplication by a real number, in the fixed-point arithmetic of a runtime or in float32. Each has
// steps of its own that can overflow, or round, although every register was safe; here is for which ranges of sums they do not.
// `check_requantization` is the main function. No side effects. Sources: docs/datapaths.md, "Behind the last register".
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "axecert/bound/range.hpp"

namespace axe {

/// Every integer up to here is a float32, which has a significand of 24 bits.
constexpr std::int64_t float_exact = std::int64_t{1} << 24;

enum class Requantizer {
  float32,       ///< the sum becomes a float: exact up to 2^24
  tflite,        ///< MultiplyByQuantizedMultiplier: sum · 2^left in int32, overflow undefined in C
  cmsis,         ///< arm_nn_requantize: the same step, the same condition
  ruy,           ///< sshl: the same step, which wraps
  xnnpack,       ///< vqshl: the same step, which saturates
  gemmlowp,      ///< a high multiplication and a rounding right shift; no shift to the left
  tosa,          ///< RESCALE, apply_scale_32: 2 ≤ shift ≤ 62, −2^(shift−1) ≤ sum < 2^(shift−1)
  tosa16,        ///< RESCALE, apply_scale_16: a multiplier of 15 bits, and the result fits int32
  tflite_int64,  ///< the reduced multiplier of int16 × int8: |sum| ≤ 2^47, shift −31 to 7, and the result fits int32
  cmsis_int64,  ///< arm_nn_requantize_s64: the same multiplier; what is rounded to the result, one bit more, fits int32
};
std::string to_text(Requantizer);  // "float32", …, "tflite-int64"
/// All of them, in this order.
std::span<const Requantizer> requantizers();
/// What is demanded, one line.
std::string describe(Requantizer);

/// A positive real as integers: multiplier · 2^(exponent − 31), multiplier in [2^30, 2^31), as TFLite's QuantizeMultiplier rounds it (to the nearest,
/// halves away from 0). Below 2^−32 the multiplier is 0.
struct FixedPoint {
  std::int64_t multiplier = 0;
  int exponent = 0;
};
/// Throws InputError unless `real` is positive and finite.
FixedPoint fixed_point(double real);

struct RequantizationCheck {
  enum class Outcome { fits, fails, undecided } outcome = Outcome::undecided;
  std::string reason;  ///< one line with the numbers; empty when it fits
};

/// `sums`: what the row reaches, both ends attained. `multiplier`: the real number that a sum is multiplied by; float32 needs none. `fails`: at one end of
/// `sums`, so some input shows it. `undecided`: a sum beyond 2^24 may round.
RequantizationCheck check_requantization(Requantizer, IntegerRange sums, std::optional<double> multiplier);

/// The exact range of every row's sum on `datapath`, [rows]: the final value of its last register, or of all of them where their contents are added as
/// floats; with the row's constant where a register starts from it. Both ends are attained. Throws InputError as layer_ranges does.
std::vector<IntegerRange> row_sums(const IntegerLayer& layer, const Datapath& datapath);

}  // namespace axe

// Rows of floats to rows of operands; see input_quantizer.hpp. The loops are plain and compiled for several instruction sets.
#include "axecert/quantize/input_quantizer.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "axecert/numeric/error.hpp"
#include "axecert/numeric/target_clones.hpp"
#include "axecert/numeric/tasks.hpp"

namespace axe {
namespace {

constexpr std::int64_t rows_per_block = 64;

/// operand − base, with t = x / scale (double), halves to even. Codes are within ±2^8 of 0 after the first clamp, so that 32 bits hold
/// every difference; clamping before rounding only moves numbers that the second clamp ends anyway.
AXECERT_CLONES void operands_of(const float* x, double scale, std::int32_t zero_point, const std::int32_t* lower,
                                const std::int32_t* upper, const std::int32_t* shift, std::int32_t base,
                                std::uint8_t* biased, std::int64_t count) {
  for (std::int64_t k = 0; k < count; ++k) {
    double t = static_cast<double>(x[k]) / scale;
    t = t < -1024.0 ? -1024.0 : t;
    t = t > 1024.0 ? 1024.0 : t;
    // |t| ≤ 1024: adding 1.5 · 2^52 leaves the nearest integer, halves to even, in the low bits.
    const double rounded = (t + 0x1.8p52) - 0x1.8p52;
    std::int32_t operand = static_cast<std::int32_t>(rounded) + zero_point - shift[k];
    operand = operand < lower[k] ? lower[k] : operand;
    operand = operand > upper[k] ? upper[k] : operand;
    biased[k] = static_cast<std::uint8_t>(operand - base);
  }
}

AXECERT_CLONES void extremes_of(const float* x, std::int64_t count, float& least, float& most) {
  float low = 0, high = 0;
  for (std::int64_t k = 0; k < count; ++k) {
    low = x[k] < low ? x[k] : low;
    high = x[k] > high ? x[k] : high;
  }
  least = low;
  most = high;
}

AXECERT_CLONES void values_of(const std::uint8_t* biased, const std::int32_t* shift, std::int32_t above, double scale,
                              float* x, std::int64_t count) {
  for (std::int64_t k = 0; k < count; ++k) {
    x[k] = static_cast<float>(scale * static_cast<double>(static_cast<std::int32_t>(biased[k]) + above + shift[k]));
  }
}

/// Whether a sum of the numbers is finite; then so are they all (a float's largest value times 2^24 is far inside double).
AXECERT_CLONES bool all_finite(const float* x, std::int64_t count) {
  double sum = 0;
  for (std::int64_t k = 0; k < count; ++k) {
    sum += static_cast<double>(x[k] - x[k]);  // 0, or NaN
  }
  return sum == 0;
}

std::vector<std::int32_t> per_channel(std::vector<std::int32_t> values, std::int64_t cols, const char* what,
                                      const std::string& place) {
  if (values.size() == 1) {
    values.assign(static_cast<std::size_t>(cols), values[0]);
  }
  if (values.size() != static_cast<std::size_t>(cols)) {
    throw InputError(place,
                     std::string(what) + " has " + std::to_string(values.size()) + " entries for " +
                         std::to_string(cols) + " channels",
                     "give one for all channels, or one per channel");
  }
  return values;
}

}  // namespace

InputQuantizer::InputQuantizer(std::int64_t cols, InputTransform transform, const ActivationGrid& grid,
                               std::vector<std::int32_t> lower, std::vector<std::int32_t> upper,
                               std::vector<std::int32_t> shift, std::string place, const Datapath* datapath)
    : cols_(cols), transform_(std::move(transform)), grid_(grid), place_(std::move(place)) {
  if (cols < 1) {
    throw InputError(place_, "no input channels", "give at least one");
  }
  validate(transform_, cols, place_);
  if (grid.bits < 2 || grid.bits > 8 || !std::isfinite(grid.scale) || !(grid.scale >= 1e-30) ||
      grid.zero_point < grid.code_lower() || grid.zero_point > grid.code_upper()) {
    throw InputError(place_,
                     "the activation grid is not valid: " + std::to_string(grid.bits) + " bits, scale " +
                         std::to_string(grid.scale) + ", zero point " + std::to_string(grid.zero_point),
                     "2 to 8 bits, a finite scale of at least 1e-30, a zero point among the codes");
  }
  lower_ = per_channel(std::move(lower), cols, "the lower end of the box", place_);
  upper_ = per_channel(std::move(upper), cols, "the upper end of the box", place_);
  shift_ = per_channel(std::move(shift), cols, "the shift", place_);
  base_ = *std::min_element(lower_.begin(), lower_.end());
  constexpr std::int32_t most = 1 << 20;  // of a shift: far above any code, far below overflow
  for (std::size_t k = 0; k < lower_.size(); ++k) {
    if (lower_[k] > upper_[k] || base_ < -most || upper_[k] > most || upper_[k] - base_ > 255 || shift_[k] < -most ||
        shift_[k] > most) {
      throw InputError(place_,
                       "channel " + std::to_string(k) + " has operands [" + std::to_string(lower_[k]) + ", " +
                           std::to_string(upper_[k]) + "], shifted by " + std::to_string(shift_[k]),
                       "the operands of all channels fit 8 bits above the least of them");
    }
  }
  if (grid.limit == 0) {
    return;
  }
  const bool shifted = std::any_of(shift_.begin(), shift_.end(), [](std::int32_t c) { return c != 0; });
  if (grid.limit < 1 || grid.limit > largest_input_limit || !grid.is_signed ||
      grid.scaling != ActivationScaling::token || shifted) {
    throw InputError(place_, "an input limit of " + std::to_string(grid.limit) + " on this activation grid",
                     "limits of 1 to 2^48 are for signed codes per token that reach the multiplier as they are");
  }
  if (datapath == nullptr) {
    throw InputError(place_, "an input limit without the registers that it speaks of", "give the datapath");
  }
  magnitudes_.emplace(Topology(*datapath, cols));
}

void InputQuantizer::quantize_row(const float* x, std::uint8_t* biased, double& scale, std::int32_t& zero_point,
                                  std::vector<float>& row, std::int64_t index) const {
  if (!all_finite(x, cols_)) {
    const auto bad = std::find_if(x, x + cols_, [](float value) { return !std::isfinite(value); });
    throw InputError(place_,
                     "input channel " + std::to_string(bad - x) + " of row " + std::to_string(index) + " is not finite",
                     "the model's activations are not finite: run it in float32, or check its weights and inputs");
  }
  if (!transform_.identity()) {
    row.assign(x, x + cols_);
    apply(transform_, row.data(), 1, cols_);
    x = row.data();
  }
  scale = grid_.scale;
  zero_point = grid_.zero_point;
  if (grid_.scaling == ActivationScaling::token) {
    float least = 0, most = 0;
    extremes_of(x, cols_, least, most);
    const double low = static_cast<double>(least), high = static_cast<double>(most);
    scale = (grid_.is_signed ? std::max(-low, high) : high - low) / grid_.code_upper();
    if (!(scale >= 1e-30)) {  // zeros, or next to nothing
      scale = 1;
    }
    zero_point = grid_.is_signed ? 0 : static_cast<std::int32_t>(std::nearbyint(-low / scale));
  }
  operands_of(x, scale, zero_point, lower_.data(), upper_.data(), shift_.data(), base_, biased, cols_);
  if (!magnitudes_) {
    return;
  }
  std::vector<std::int64_t> scratch;
  const auto worst = [&] { return magnitudes_->worst(biased, base_, scratch).sum; };
  for (std::int64_t sum = worst(); sum > grid_.limit; sum = worst()) {
    scale *=
        std::max(1.002, static_cast<double>(sum) / static_cast<double>(grid_.limit));  // in the end all operands are 0
    operands_of(x, scale, zero_point, lower_.data(), upper_.data(), shift_.data(), base_, biased, cols_);
  }
}

OperandRows InputQuantizer::quantize(const float* x, std::int64_t n, int threads, std::int64_t first_row) const {
  OperandRows result{n, cols_, base_, {}, {}, {}};
  result.biased.resize(static_cast<std::size_t>(n * cols_));
  result.scale.resize(static_cast<std::size_t>(n));
  result.zero_point.resize(static_cast<std::size_t>(n));
  for_each_block(n, rows_per_block, threads, [&](std::int64_t first, std::int64_t count) {
    std::vector<float> row;
    for (std::int64_t i = first; i < first + count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      quantize_row(x + i * cols_, result.biased.data() + i * cols_, result.scale[at], result.zero_point[at], row,
                   first_row + i);
    }
  });
  return result;
}

std::vector<float> InputQuantizer::fake_quantize(const float* x, std::int64_t n, int threads) const {
  std::vector<float> values(static_cast<std::size_t>(n * cols_));
  for_each_block(n, rows_per_block, threads, [&](std::int64_t first, std::int64_t count) {
    std::vector<float> row;
    std::vector<std::uint8_t> biased(static_cast<std::size_t>(cols_));
    for (std::int64_t i = first; i < first + count; ++i) {
      double scale = 1;
      std::int32_t zero_point = 0;
      quantize_row(x + i * cols_, biased.data(), scale, zero_point, row, i);
      values_of(biased.data(), shift_.data(), base_ - zero_point, scale, values.data() + i * cols_, cols_);
    }
  });
  return values;
}

}  // namespace axe

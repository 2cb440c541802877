// Counts per channel and code, and clamps by the energy that they cut off; see code_histogram.hpp.
#include "axecert/quantize/code_histogram.hpp"

#include <algorithm>
#include <string>

#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

/// What lies beyond one end of a clamp: its mass, and its mass times distance and distance² from the end.
struct End {
  double mass = 0, moment = 0, energy = 0;

  /// After the end moved inward by one code, past the mass at it: every distance d becomes d + 1.
  End moved(double passed) const {
    const double now = mass + passed;
    return {now, moment + now, energy + 2 * moment + now};
  }
};

}  // namespace

CodeHistogram::CodeHistogram(const ActivationGrid& grid, std::int64_t cols)
    : cols_(cols), code_lower_(grid.code_lower()), codes_(grid.code_upper() - grid.code_lower() + 1) {
  for (Weighting* weighting : {&by_count_, &by_step_}) {
    weighting->mass.resize(static_cast<std::size_t>(cols_ * codes_), 0.0);
    weighting->energy.resize(static_cast<std::size_t>(cols_), 0.0);
  }
}

void CodeHistogram::add(const OperandRows& rows) {
  if (rows.cols != cols_) {
    throw InputError("code histogram", std::to_string(rows.cols) + " channels for " + std::to_string(cols_),
                     "give the same layer's codes");
  }
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const auto row = static_cast<std::size_t>(i);
    const double step = rows.scale[row] * rows.scale[row];
    const std::uint8_t* biased = rows.biased.data() + i * cols_;
    for (std::int64_t k = 0; k < cols_; ++k) {
      const std::int32_t code = rows.base + biased[k], bin = code - code_lower_;
      if (bin < 0 || bin >= codes_) {
        throw InputError("code histogram", "code " + std::to_string(code) + " is not one of the grid's",
                         "give codes without a shift");
      }
      const double distance = code - rows.zero_point[row];
      const auto at = static_cast<std::size_t>(k * codes_ + bin), channel = static_cast<std::size_t>(k);
      by_count_.mass[at] += 1;
      by_count_.energy[channel] += distance * distance;
      by_step_.mass[at] += step;
      by_step_.energy[channel] += step * distance * distance;
    }
  }
  rows_ += rows.count;
}

void CodeHistogram::narrow(const Weighting& weighting, std::int64_t k, double share, std::int32_t& lower,
                           std::int32_t& upper) const {
  const double* mass = weighting.mass.data() + k * codes_;
  const double allowed = share * weighting.energy[static_cast<std::size_t>(k)];
  End below, above;
  while (lower < upper) {
    const End next_below = below.moved(mass[lower]), next_above = above.moved(mass[upper]);
    const bool from_below = next_below.energy - below.energy <= next_above.energy - above.energy;
    if ((from_below ? next_below.energy + above.energy : below.energy + next_above.energy) > allowed) {
      return;
    }
    if (from_below) {
      below = next_below;
      ++lower;
    } else {
      above = next_above;
      --upper;
    }
  }
}

CodeHistogram::Ranges CodeHistogram::ranges(double share) const {
  if (rows_ == 0) {
    throw InputError("code histogram", "has no rows", "add calibration data");
  }
  if (!(share >= 0 && share < 1)) {
    throw InputError("code histogram", "share " + std::to_string(share), "a share in [0, 1)");
  }
  Ranges ranges;
  for (std::int64_t k = 0; k < cols_; ++k) {
    const double* mass = by_count_.mass.data() + k * codes_;
    std::int32_t least = 0, most = codes_ - 1;
    while (least < most && mass[least] == 0) {
      ++least;
    }
    while (most > least && mass[most] == 0) {
      --most;
    }
    std::int32_t lower = most, upper = least;
    for (const Weighting* weighting : {&by_count_, &by_step_}) {
      std::int32_t a = least, b = most;
      narrow(*weighting, k, share, a, b);
      lower = std::min(lower, a);
      upper = std::max(upper, b);
    }
    ranges.lower.push_back(code_lower_ + lower);
    ranges.upper.push_back(code_lower_ + upper);
  }
  return ranges;
}

}  // namespace axe

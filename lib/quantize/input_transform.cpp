// Multipliers and fast Walsh–Hadamard transforms over rows of floats; see input_transform.hpp.
#include "axecert/quantize/input_transform.hpp"

#include <algorithm>
#include <cmath>

#include "axecert/numeric/error.hpp"
#include "axecert/numeric/target_clones.hpp"

namespace axe {
namespace {

AXECERT_CLONES void multiply(float* x, const float* factor, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    x[i] *= factor[i];
  }
}

AXECERT_CLONES void divide(float* x, const float* factor, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    x[i] /= factor[i];
  }
}

AXECERT_CLONES void flip(float* x, const std::int8_t* sign, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    x[i] *= static_cast<float>(sign[i]);
  }
}

/// (a, b) ← (a + b, a − b), element by element.
AXECERT_CLONES void butterfly(float* a, float* b, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float sum = a[i] + b[i], difference = a[i] - b[i];
    a[i] = sum;
    b[i] = difference;
  }
}

AXECERT_CLONES void scale(float* x, float factor, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    x[i] *= factor;
  }
}

/// x ← H x / √order for one run of `order` numbers, H Sylvester's Hadamard matrix (symmetric, H H = order · I).
void hadamard(float* x, std::int64_t order) {
  for (std::int64_t half = 1; half < order; half *= 2) {
    for (std::int64_t begin = 0; begin < order; begin += 2 * half) {
      butterfly(x + begin, x + begin + half, half);
    }
  }
  scale(x, static_cast<float>(1 / std::sqrt(static_cast<double>(order))), order);
}

void rotate(const InputTransform& transform, float* x, std::int64_t cols) {
  if (transform.hadamard == 0) {
    return;
  }
  flip(x, transform.sign.data(), cols);
  for (std::int64_t begin = 0; begin < cols; begin += transform.hadamard) {
    hadamard(x + begin, transform.hadamard);
  }
}

}  // namespace

void validate(const InputTransform& transform, std::int64_t cols, const std::string& place) {
  const auto size = static_cast<std::size_t>(cols);
  if (!transform.multiplier.empty()) {
    if (transform.multiplier.size() != size) {
      throw InputError(place,
                       "the multiplier has " + std::to_string(transform.multiplier.size()) + " entries for " +
                           std::to_string(cols) + " channels",
                       "give one per channel");
    }
    const auto bad = std::find_if(transform.multiplier.begin(), transform.multiplier.end(),
                                  [](float m) { return !(m >= 1e-30F) || !(m <= 1e30F); });
    if (bad != transform.multiplier.end()) {
      throw InputError(place,
                       "the multiplier of channel " + std::to_string(bad - transform.multiplier.begin()) + " is " +
                           std::to_string(*bad),
                       "multipliers are from 1e-30 to 1e30");
    }
  }
  const std::int64_t order = transform.hadamard;
  if (order < 0 || (order & (order - 1)) != 0 || (order != 0 && cols % order != 0)) {
    throw InputError(place, "there is no rotation of order " + std::to_string(order) + " for " + std::to_string(cols) +
                                " channels",
                     "a power of two that divides them, or 0");
  }
  if (transform.sign.size() != (order == 0 ? 0 : size)) {
    throw InputError(place, std::to_string(transform.sign.size()) + " signs for a rotation of " + std::to_string(cols) +
                                " channels",
                     "one per channel beside a rotation, none without");
  }
  for (std::size_t k = 0; k < transform.sign.size(); ++k) {
    if (transform.sign[k] != 1 && transform.sign[k] != -1) {
      throw InputError(place, "sign " + std::to_string(transform.sign[k]) + " of channel " + std::to_string(k),
                       "signs are 1 and -1");
    }
  }
}

void apply(const InputTransform& transform, float* x, std::int64_t n, std::int64_t cols) {
  for (std::int64_t i = 0; i < n && !transform.identity(); ++i) {
    if (!transform.multiplier.empty()) {
      multiply(x + i * cols, transform.multiplier.data(), cols);
    }
    rotate(transform, x + i * cols, cols);
  }
}

void apply_to_weights(const InputTransform& transform, float* w, std::int64_t n, std::int64_t cols) {
  for (std::int64_t i = 0; i < n && !transform.identity(); ++i) {
    if (!transform.multiplier.empty()) {
      divide(w + i * cols, transform.multiplier.data(), cols);
    }
    rotate(transform, w + i * cols, cols);
  }
}

std::int64_t largest_hadamard(std::int64_t cols) {
  if (cols < 1) {
    throw InputError("rotation", "of " + std::to_string(cols) + " channels", "there is one for at least 1");
  }
  return cols & -cols;
}

}  // namespace axe

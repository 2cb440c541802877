// What real inputs pass before the activation quantizer, and weights with them, so that their product stays what it was: a
// multiplier per channel (SmoothQuant, AWQ), then a rotation by a randomized Hadamard matrix (QuaRot). `apply` and
// `apply_to_weights` are the main functions. No side effects.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace axe {

/// x' = Q (m ∘ x) and w' = Q (w / m), so that x'·w' = x·w: m a positive multiplier per channel, Q orthogonal: the Hadamard
/// matrix of order `hadamard`, divided by √hadamard, times the diagonal of `sign`, on each run of `hadamard` channels.
struct InputTransform {
  std::vector<float> multiplier;   ///< [K], each finite and > 0, or empty for 1
  std::int64_t hadamard = 0;       ///< a power of two that divides K, or 0 for no rotation
  std::vector<std::int8_t> sign;   ///< [K] of ±1 beside a rotation, else empty

  bool identity() const { return multiplier.empty() && hadamard == 0; }
  friend bool operator==(const InputTransform&, const InputTransform&) = default;
};

/// Throws InputError (naming `place`) unless the transform is one for K = `cols` channels.
void validate(const InputTransform& transform, std::int64_t cols, const std::string& place);

/// Inputs [n, cols] in place, in single precision. `transform` must be valid for cols.
void apply(const InputTransform& transform, float* x, std::int64_t n, std::int64_t cols);

/// Weights [n, cols] in place: the transform that undoes `apply` in the product.
void apply_to_weights(const InputTransform& transform, float* w, std::int64_t n, std::int64_t cols);

/// The largest power of two that divides cols: the order of the largest rotation there is for it. Throws InputError below 1.
std::int64_t largest_hadamard(std::int64_t cols);

}  // namespace axe

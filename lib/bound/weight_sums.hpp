// Sums of int8 weights over the registers of one row: the inner loop of the bound engine. `weight_sums` is the main
// function; it picks the widest instruction set that the processor has. No side effects.
#pragma once

#include <cstddef>
#include <cstdint>

namespace axe {

/// Both sums of one register's weights in one word, bits 0–31: Σ (w + 128), bits 32–63: Σ |w|. With at most 2^24 weights
/// the former is at most 255 · 2^24 < 2^32, the latter at most 128 · 2^24 = 2^31: neither overflows.
struct SignSums {
  std::int64_t positive;  ///< Σ_{w>0} w = (Σ|w| + Σw) / 2
  std::int64_t negative;  ///< Σ_{w<0} w = (Σw − Σ|w|) / 2
};
inline SignSums sign_sums(std::uint64_t packed, std::int64_t terms) {
  const auto sum = static_cast<std::int64_t>(packed & 0xffffffffU) - 128 * terms;
  const auto magnitude = static_cast<std::int64_t>(packed >> 32);
  return {(magnitude + sum) / 2, (sum - magnitude) / 2};
}

/// Packed sums of each run of `tile` consecutive weights of `weights` [count]; the last run may be ragged.
/// 1 ≤ tile, count ≤ 2^24; `packed` has ⌈count / tile⌉ entries.
void weight_sums(const std::int8_t* weights, std::size_t count, std::size_t tile, std::uint64_t* packed);

}  // namespace axe

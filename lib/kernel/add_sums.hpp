// From the 32-bit sums of one panel and a few tokens to the 64-bit ones of the product: `add_sums`. No side effects.
#pragma once

#include <cstddef>
#include <cstdint>

namespace axe::kernel {

/// 64-bit sums of `tokens` tokens and `rows` ≤ panel_rows rows: out[t · token_stride + r · stride].
struct SumsOut {
  std::int64_t* out = nullptr;
  std::size_t tokens = 0, rows = 0;
  std::size_t token_stride = 0, stride = 0;
};

/// Adds added[t, r], [tokens][panel_rows], to each.
void add_sums(const std::int32_t* added, const SumsOut& to);

/// Sets each to initial[r] − zero_points[t] · weight_sums[r] + added[t, r]; zero_points nullptr: all 0.
void start_sums(const std::int32_t* added, const std::int64_t* initial, const std::int32_t* zero_points,
                const std::int64_t* weight_sums, const SumsOut& to);

}  // namespace axe::kernel

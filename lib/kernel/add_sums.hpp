// From the 32-bit sums of one panel and one token to the caller's 64-bit ones: `add_sums`. No side effects.
#pragma once

#include <cstddef>
#include <cstdint>

namespace axe::kernel {

/// out[r · stride] += added[r] for r < count.
void add_sums(const std::int32_t* added, std::size_t count, std::int64_t* out, std::size_t stride);

/// out[r · stride] = initial[r] − zero_point · weight_sums[r] + added[r] for r < count.
void start_sums(const std::int32_t* added, const std::int64_t* initial, std::int64_t zero_point,
                const std::int64_t* weight_sums, std::size_t count, std::int64_t* out, std::size_t stride);

}  // namespace axe::kernel

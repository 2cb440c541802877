// Plain loops that the compiler vectorises when sums lie side by side, once for a whole block: `add_sums`, `start_sums`. No side effects.
#include "axecert/kernel/add_sums.hpp"

#include "axecert/kernel/loops.hpp"
#include "axecert/numeric/target_clones.hpp"

namespace axe::kernel {
namespace {

/// out[t, r] = of(out[t, r], t, r). A loop over a whole panel has a length that the compiler knows: no rest to look for.
template <class Of>
__attribute__((always_inline)) inline void for_all(SumsOut to, const Of& of) {
  for (std::size_t t = 0; t < to.tokens; ++t) {
    std::int64_t* __restrict sums = to.out + t * to.token_stride;
    if (to.rows == panel_rows) {
      for (std::size_t r = 0; r < panel_rows; ++r) {
        sums[r] = of(sums[r], t, r);
      }
      continue;
    }
    for (std::size_t r = 0; r < to.rows; ++r) {
      sums[r] = of(sums[r], t, r);
    }
  }
}

AXECERT_CLONES void add_neighbours(const std::int32_t* added, const SumsOut& to) {
  for_all(to, [=](std::int64_t sum, std::size_t t, std::size_t r) { return sum + added[t * panel_rows + r]; });
}

AXECERT_CLONES void start_neighbours(const std::int32_t* added, const std::int64_t* initial, const SumsOut& to) {
  for_all(to, [=](std::int64_t, std::size_t t, std::size_t r) { return initial[r] + added[t * panel_rows + r]; });
}

AXECERT_CLONES void subtract_zero_points(const std::int32_t* zero_points, const std::int64_t* weight_sums,
                                         const SumsOut& to) {
  for_all(to, [=](std::int64_t sum, std::size_t t, std::size_t r) { return sum - zero_points[t] * weight_sums[r]; });
}

}  // namespace

void add_sums(const std::int32_t* added, const SumsOut& to) {
  if (to.stride == 1) {
    add_neighbours(added, to);
    return;
  }
  for (std::size_t t = 0; t < to.tokens; ++t) {
    for (std::size_t r = 0; r < to.rows; ++r) {
      to.out[t * to.token_stride + r * to.stride] += added[t * panel_rows + r];
    }
  }
}

void start_sums(const std::int32_t* added, const std::int64_t* initial, const std::int32_t* zero_points,
                const std::int64_t* weight_sums, const SumsOut& to) {
  if (to.stride == 1) {
    start_neighbours(added, initial, to);
    if (zero_points != nullptr) {
      subtract_zero_points(zero_points, weight_sums, to);
    }
    return;
  }
  for (std::size_t t = 0; t < to.tokens; ++t) {
    const std::int64_t z = zero_points == nullptr ? 0 : zero_points[t];
    for (std::size_t r = 0; r < to.rows; ++r) {
      to.out[t * to.token_stride + r * to.stride] = initial[r] - z * weight_sums[r] + added[t * panel_rows + r];
    }
  }
}

}  // namespace axe::kernel

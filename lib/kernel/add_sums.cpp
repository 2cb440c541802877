// Plain loops that the compiler vectorises when sums lie side by side: `add_sums`, `start_sums`. No side effects.
#include "axecert/kernel/add_sums.hpp"

#include "axecert/numeric/target_clones.hpp"

namespace axe::kernel {
namespace {

AXECERT_CLONES void add_neighbours(const std::int32_t* added, std::size_t count, std::int64_t* __restrict out) {
  for (std::size_t r = 0; r < count; ++r) {
    out[r] += added[r];
  }
}

AXECERT_CLONES void start_neighbours(const std::int32_t* added, const std::int64_t* initial, std::size_t count,
                                     std::int64_t* __restrict out) {
  for (std::size_t r = 0; r < count; ++r) {
    out[r] = initial[r] + added[r];
  }
}

}  // namespace

void add_sums(const std::int32_t* added, std::size_t count, std::int64_t* out, std::size_t stride) {
  if (stride == 1) {
    add_neighbours(added, count, out);
    return;
  }
  for (std::size_t r = 0; r < count; ++r) {
    out[r * stride] += added[r];
  }
}

void start_sums(const std::int32_t* added, const std::int64_t* initial, std::int64_t zero_point,
                const std::int64_t* weight_sums, std::size_t count, std::int64_t* out, std::size_t stride) {
  if (stride == 1 && zero_point == 0) {
    start_neighbours(added, initial, count, out);
    return;
  }
  for (std::size_t r = 0; r < count; ++r) {
    out[r * stride] = initial[r] - zero_point * weight_sums[r] + added[r];
  }
}

}  // namespace axe::kernel

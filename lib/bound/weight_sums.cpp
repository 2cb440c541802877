// Sums of int8 weights over tiles; see weight_sums.hpp.
#include "axecert/bound/weight_sums.hpp"

#include <algorithm>

namespace axe {
namespace {

std::uint64_t sum_of(const std::int8_t* weights, std::size_t count) {
  std::uint32_t sum = 0;
  std::uint32_t magnitude = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const int w = weights[i];
    sum += static_cast<std::uint32_t>(w + 128);
    magnitude += static_cast<std::uint32_t>(w < 0 ? -w : w);
  }
  return std::uint64_t{magnitude} << 32 | sum;
}

}  // namespace

void weight_sums(const std::int8_t* weights, std::size_t count, std::size_t tile, std::uint64_t* packed) {
  for (std::size_t begin = 0; begin < count; begin += tile) {
    *packed++ = sum_of(weights + begin, std::min(tile, count - begin));
  }
}

}  // namespace axe

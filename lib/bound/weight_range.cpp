// The least and the greatest weight; see weight_range.hpp. Main function: weight_range. No side effects.
#include "axecert/bound/weight_range.hpp"

#include "axecert/numeric/target_clones.hpp"

namespace axe {
namespace {

AXECERT_CLONES IntegerRange range_of(const std::int8_t* weights, std::size_t count) {
  std::int8_t least = weights[0];
  std::int8_t most = weights[0];
  for (std::size_t i = 0; i < count; ++i) {
    least = weights[i] < least ? weights[i]
                               : least;  // std::min takes references, which GCC 12 turns into one weight at a time
    most = weights[i] > most ? weights[i] : most;
  }
  return {least, most};
}

}  // namespace

IntegerRange weight_range(std::span<const std::int8_t> weights) {
  return range_of(weights.data(), weights.size());
}

}  // namespace axe

// The least and the greatest weight; see weight_range.hpp. Main function: weight_range. No side effects.
#include "axecert/bound/weight_range.hpp"

namespace axe {

IntegerRange weight_range(std::span<const std::int8_t> weights) {
  std::int8_t least = weights[0];
  std::int8_t most = weights[0];
  for (const std::int8_t w : weights) {
    least = w < least ? w : least;  // std::min takes references, which GCC 12 turns into one weight at a time
    most = w > most ? w : most;
  }
  return {least, most};
}

}  // namespace axe

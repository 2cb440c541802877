// The limit of the inputs' magnitudes that every register's width allows; see input_limit.hpp.
#include "axecert/constraint/input_limit.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "axecert/numeric/error.hpp"

namespace axe {

std::int64_t input_limit(const Topology& topology, std::int64_t largest_weight) {
  if (largest_weight < 1) {
    throw InputError("input limit", "largest weight " + std::to_string(largest_weight), "at least 1");
  }
  std::int64_t limit = largest_input_limit;
  std::vector<std::int64_t> below;  // registers of the lowest stage below each register of a stage
  for (std::size_t s = 0; s < topology.stages(); ++s) {
    std::vector<std::int64_t> here;
    for (std::int64_t j = 0; j < topology.nodes(s); ++j) {
      std::int64_t count = s == 0 ? 1 : 0;
      for (const std::int64_t v : s == 0 ? std::vector<std::int64_t>{} : topology.values_of(s, j)) {
        count += below[static_cast<std::size_t>(v)];
      }
      here.push_back(count);
    }
    const std::int64_t most = *std::max_element(here.begin(), here.end());
    const IntegerRange range = register_limits(topology.stage(s));
    const std::int64_t least_end = range.lower < -range.upper ? range.upper : -range.lower;
    const std::int64_t most_here = least_end / largest_weight / most;
    if (most_here < 1) {
      throw InputError("input limit",
                       "stage '" + topology.stage(s).name + "' of " + std::to_string(topology.stage(s).width) +
                           " bits cannot hold one input of 1 at weights of " + std::to_string(largest_weight),
                       "use a wider accumulator, fewer products per register, or weights of fewer bits");
    }
    limit = std::min(limit, most_here);
    below = std::move(here);
  }
  return limit;
}

}  // namespace axe

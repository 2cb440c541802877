// The fractional knapsack of an input limit, from the largest weight down. `LimitedSum::take` is the main function. No side effects.
#include "axecert/bound/limited_sum.hpp"

namespace axe {

std::int64_t LimitedSum::limit_for(std::int64_t sum) const {
  std::int64_t limit = 0;
  for (std::size_t magnitude = caps_.size() - 1; magnitude > 0; --magnitude) {
    const auto weight = static_cast<std::int64_t>(magnitude);
    if (caps_[magnitude] > sum / weight) {
      return limit + sum / weight;
    }
    limit += caps_[magnitude];
    sum -= weight * caps_[magnitude];
  }
  return largest_input_limit;
}

std::int64_t LimitedSum::take(std::int64_t limit) {
  std::int64_t sum = 0;
  for (std::size_t magnitude = caps_.size() - 1; magnitude > 0; --magnitude) {
    const std::int64_t taken = caps_[magnitude] < limit ? caps_[magnitude] : limit;
    sum += static_cast<std::int64_t>(magnitude) * taken;
    limit -= taken;
  }
  caps_.fill(0);
  return sum;
}

}  // namespace axe

// EP-init: projects a tile on its l1 ball and rounds toward zero, each integer by `decide`. Main function: `ep_init`. Side
// effect: counts exact decisions.
#include "axecert/constraint/ep_init.hpp"

#include <optional>

#include "axecert/constraint/soft_threshold.hpp"

namespace axe {

std::vector<std::int64_t> ep_init(std::span<const double> weights, double scale, std::span<const std::int64_t> cost,
                                  std::uint64_t radius, IntegerRange grid, std::int64_t& settled_exactly) {
  if (grid.lower > 0 || grid.upper < 0) {
    throw InputError("EP-init", "the weight grid does not hold 0", "0 must be a weight");
  }
  const Threshold threshold = SoftThreshold(weights, cost, Centring::none).at(scale, radius);
  std::optional<Rational> exact_threshold;
  std::vector<std::int64_t> result;
  result.reserve(weights.size());
  for (std::size_t k = 0; k < weights.size(); ++k) {
    const std::int64_t unit_cost = cost[cost.size() == 1 ? 0 : k];
    const auto exactly = [&] {
      if (!exact_threshold) {
        exact_threshold = exact_soft_threshold(weights, scale, cost, radius, Centring::none);
      }
      return Rational(*exact_threshold * unit_cost);
    };
    result.push_back(
        decide(weights[k], scale, times(threshold, unit_cost), grid, exactly, settled_exactly, Rounding::toward_zero));
  }
  return result;
}

}  // namespace axe

// See worst_case.hpp. Everything fits in 64 bits: at most 2^24 products of 2^7 · 2^24.
#include "axecert/bound/worst_case.hpp"

#include <algorithm>

namespace axe {
namespace {

/// min(most, limit / step) for limit ≥ 0 and step ≥ 0.
std::int64_t times(std::int64_t limit, std::int64_t step, std::int64_t most) {
  return step == 0 ? most : std::min(most, limit / step);
}

}  // namespace

std::vector<StageWorstCase> worst_case(const Datapath& datapath) {
  validate(datapath);
  const IntegerRange w = datapath.weights, x = datapath.activations;
  const std::int64_t corners[] = {w.lower * x.lower, w.lower * x.upper, w.upper * x.lower, w.upper * x.upper};
  const std::int64_t most = std::max<std::int64_t>(0, *std::max_element(std::begin(corners), std::end(corners)));
  const std::int64_t least = std::min<std::int64_t>(0, *std::min_element(std::begin(corners), std::end(corners)));
  std::vector<StageWorstCase> result;
  std::int64_t products = 1;  // below one register; 0 once a stage takes all
  for (const Stage& stage : datapath.stages) {
    // A group longer than the longest row is as good as the whole row: both hold what there is.
    products = stage.group == 0 || products == 0 ? 0 : products * std::min(stage.group, largest_length);
    products = products >= largest_length ? 0 : products;
    const std::int64_t n = std::max<std::int64_t>(1, products);
    const IntegerRange limits = register_limits(stage);
    // Of a 64-bit register −2^63 has no opposite; one step less is beyond 2^24 operands of 2^31 all the same.
    const std::int64_t above = std::max<std::int64_t>(0, limits.upper);
    const std::int64_t below = -std::max(std::min<std::int64_t>(0, limits.lower), -INT64_MAX);
    StageWorstCase s;
    s.products = products;
    s.reach = {n * least, n * most};
    s.fits = s.reach.lower >= limits.lower && s.reach.upper <= limits.upper;
    s.most_products = std::min(times(above, most, largest_length), times(below, -least, largest_length));
    // x > 0: n·w2·x ≤ above and n·(−w1)·x ≤ below; x < 0: n·w2·(−x) ≤ below and n·(−w1)·(−x) ≤ above. Terms of the other sign
    // do no harm.
    const std::int64_t positive = n * std::max<std::int64_t>(0, w.upper),
                       negative = n * std::max<std::int64_t>(0, -w.lower);
    s.safe_inputs = {
        std::max(x.lower, -std::min(times(below, positive, largest_operand), times(above, negative, largest_operand))),
        std::min(x.upper, std::min(times(above, positive, largest_operand), times(below, negative, largest_operand)))};
    result.push_back(s);
  }
  return result;
}

}  // namespace axe

// The limit of the inputs' magnitudes that every register's width allows; see input_limit.hpp.
#include "axecert/constraint/input_limit.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "axecert/bound/limited_sum.hpp"
#include "axecert/bound/range.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

/// Whether every register of every stage fits under `limit`.
bool fits(IntegerLayer& layer, const Topology& topology, std::int64_t limit) {
  layer.input_limit = limit;
  return !first_overflow(layer_ranges(layer, topology), topology);
}

/// The largest limit that no register of the lowest stage forbids, its initial value taken to be 0.
std::int64_t limit_of_lowest(const IntegerLayer& layer, const Topology& topology) {
  const IntegerRange range = register_limits(topology.stage(0));
  const std::int64_t below = -std::max(range.lower, -INT64_MAX);  // −2^63 has no opposite
  std::int64_t limit = largest_input_limit;
  LimitedSum up, down;
  for (std::int64_t j = 0; j < topology.nodes(0); ++j) {
    const std::vector<std::int64_t> products = topology.values_of(0, j);
    for (std::int64_t r = 0; r < layer.rows; ++r) {
      const std::int8_t* weights = layer.row(r);
      for (const std::int64_t k : products) {
        const std::int64_t high = layer.upper(k), low = -std::int64_t{layer.lower(k)};
        up.add(weights[k], weights[k] > 0 ? high : low);
        down.add(weights[k], weights[k] > 0 ? low : high);
      }
      limit = std::min({limit, up.limit_for(range.upper), down.limit_for(below)});
      up.take(0);
      down.take(0);
    }
  }
  return limit;
}

}  // namespace

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
    // The upper limit is the nearer one, or as near as the lower.
    const std::int64_t most_here = register_limits(topology.stage(s)).upper / largest_weight / most;
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

std::int64_t widest_input_limit(const IntegerLayer& given, const Topology& topology) {
  IntegerLayer layer = given;
  std::int64_t good = given.input_limit;
  if (good < 1 || !fits(layer, topology, good)) {
    throw InputError("layer '" + given.name + "'", "registers overflow under an input limit of " + std::to_string(good),
                     "start from input_limit() of the datapath and the largest weight");
  }
  std::int64_t bad = limit_of_lowest(given, topology);
  if (bad <= good || fits(layer, topology, bad)) {
    return std::max(good, bad);
  }
  while (good + 1 < bad) {  // a stage above, or an initial value, forbids more
    const std::int64_t middle = good + (bad - good) / 2;
    (fits(layer, topology, middle) ? good : bad) = middle;
  }
  return good;
}

}  // namespace axe

// Prefixes of every register, row by row; see kernel_order.hpp. Σ of 2^24 products of 2^31 and a constant of 2^62 + 2^55 stay below 2^63.
#include "axecert/bound/kernel_order.hpp"

#include <algorithm>

#include "axecert/bound/layer_shape.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

/// Where register `node` of a stage starts, and the final range of what it has added so far.
struct Sum {
  IntegerRange final;
  IntegerRange prefixes;

  void add(IntegerRange value) {
    final = {final.lower + value.lower, final.upper + value.upper};
    prefixes = {std::min(prefixes.lower, final.lower), std::max(prefixes.upper, final.upper)};
  }
};

}  // namespace

bool excludes_zero(const IntegerLayer& layer) {
  for (std::size_t k = 0; k < layer.box_lower.size(); ++k) {
    if (layer.box_lower[k] > 0 || layer.box_upper[k] < 0) {
      return true;
    }
  }
  return false;
}

std::vector<StageRanges> kernel_order_ranges(const IntegerLayer& layer, const Topology& topology) {
  validate_shape(layer);
  validate_topology(layer, topology);
  if (layer.input_limit != 0) {
    throw InputError("layer '" + layer.name + "'", "has an input limit", "its boxes hold 0: layer_ranges says as much");
  }
  std::vector<StageRanges> result(topology.stages());
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    std::vector<IntegerRange> values(static_cast<std::size_t>(layer.cols));
    for (std::int64_t k = 0; k < layer.cols; ++k) {
      const std::int64_t w = layer.row(r)[k], low = w * layer.lower(k), high = w * layer.upper(k);
      values[static_cast<std::size_t>(k)] = {std::min(low, high), std::max(low, high)};
    }
    for (std::size_t s = 0; s < topology.stages(); ++s) {
      const IntegerRange initial =
          topology.stage(s).initial == Initial::constant ? row_constant_range(layer, r) : IntegerRange{0, 0};
      std::vector<Sum> sums(static_cast<std::size_t>(topology.nodes(s)), Sum{initial, initial});
      for (std::int64_t v = 0; v < topology.values(s); ++v) {  // ascending: the machine's order
        sums[static_cast<std::size_t>(topology.node_of_value(s, v))].add(values[static_cast<std::size_t>(v)]);
      }
      values.clear();
      result[s].nodes = topology.nodes(s);
      for (const Sum& sum : sums) {
        values.push_back(sum.final);
        result[s].lower.push_back(sum.prefixes.lower);
        result[s].upper.push_back(sum.prefixes.upper);
      }
    }
  }
  return result;
}

}  // namespace axe

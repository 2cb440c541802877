// One register at a time, from its definition: its range, and inputs that attain either end. Slower than layer_ranges,
// and independent of it. `witness` and `node_range` are the main functions. No side effects.
#include <algorithm>
#include <cstdlib>
#include <map>

#include "axecert/bound/layer_shape.hpp"
#include "axecert/bound/range.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

void validate_node(const IntegerLayer& layer, const Topology& topology, NodeId id) {
  validate_shape(layer);
  validate_topology(layer, topology);
  if (id.row < 0 || id.row >= layer.rows || id.stage >= topology.stages() || id.node < 0 ||
      id.node >= topology.nodes(id.stage)) {
    throw InputError("layer '" + layer.name + "'",
                     "no register at row " + std::to_string(id.row) + ", stage " + std::to_string(id.stage) +
                         ", node " + std::to_string(id.node),
                     "rows, stages and nodes count from 0");
  }
}

/// Inputs [cols] within box and limit that drive every product below a register to `side`: in each register of the lowest
/// stage the largest weights take what they can of the limit, the first of equals first. Channels outside hold the box's value
/// nearest to 0.
std::vector<std::int32_t> driving_inputs(const IntegerLayer& layer, const Topology& topology, NodeId id, Side side) {
  std::vector<std::int32_t> inputs(static_cast<std::size_t>(layer.cols));
  for (std::int64_t k = 0; k < layer.cols; ++k) {
    inputs[static_cast<std::size_t>(k)] = std::clamp(0, layer.lower(k), layer.upper(k));
  }
  const std::int8_t* weights = layer.row(id.row);
  std::vector<std::int64_t> products = topology.products_of(id.stage, id.node);
  if (layer.input_limit != 0) {
    std::stable_sort(products.begin(), products.end(),
                     [&](std::int64_t a, std::int64_t b) { return std::abs(weights[a]) > std::abs(weights[b]); });
  }
  std::map<std::int64_t, std::int64_t> left;  // of the limit, by register of the lowest stage
  for (const std::int64_t k : products) {
    if (weights[k] == 0) {
      continue;
    }
    // The product is extreme at the end of the box that w's sign points to.
    std::int64_t x = (weights[k] > 0) == (side == Side::upper) ? layer.upper(k) : layer.lower(k);
    if (layer.input_limit != 0) {
      std::int64_t& rest = left.try_emplace(topology.node_of_product(0, k), layer.input_limit).first->second;
      x = std::clamp(x, -rest, rest);
      rest -= std::abs(x);
    }
    inputs[static_cast<std::size_t>(k)] = static_cast<std::int32_t>(x);
  }
  return inputs;
}

struct BothRanges {
  IntegerRange partial;
  IntegerRange final;
};

BothRanges ranges_of(const IntegerLayer& layer, const Topology& topology, NodeId id, IntegerRange constant) {
  const IntegerRange initial = topology.stage(id.stage).initial == Initial::constant ? constant : IntegerRange{0, 0};
  BothRanges result{initial, initial};
  if (id.stage == 0 && layer.input_limit != 0) {  // what the driving inputs reach; a product may always be left out
    const std::vector<std::int32_t> least = driving_inputs(layer, topology, id, Side::lower);
    const std::vector<std::int32_t> most = driving_inputs(layer, topology, id, Side::upper);
    for (const std::int64_t k : topology.values_of(0, id.node)) {
      const std::int64_t w = layer.row(id.row)[k];
      result.final.lower += w * least[static_cast<std::size_t>(k)];
      result.final.upper += w * most[static_cast<std::size_t>(k)];
    }
    result.partial = result.final;
    return result;
  }
  for (const std::int64_t v : topology.values_of(id.stage, id.node)) {
    IntegerRange value;
    if (id.stage == 0) {
      const std::int64_t w = layer.row(id.row)[v];
      value = {std::min(w * layer.lower(v), w * layer.upper(v)), std::max(w * layer.lower(v), w * layer.upper(v))};
    } else {
      value = ranges_of(layer, topology, {id.row, id.stage - 1, v}, constant).final;
    }
    result.final.lower += value.lower;
    result.final.upper += value.upper;
    result.partial.lower += std::min<std::int64_t>(0, value.lower);
    result.partial.upper += std::max<std::int64_t>(0, value.upper);
  }
  return result;
}

/// constant_r of one row over all zero points; the other rows are not looked at.
IntegerRange constant_of(const IntegerLayer& layer, std::int64_t row) {
  const std::int64_t bias = layer.bias.empty() ? 0 : layer.bias[static_cast<std::size_t>(row)];
  IntegerRange constant{bias, bias};  // its values at z = 0 and z = spread, in this order until the end
  for (std::int64_t k = 0; k < layer.cols; ++k) {
    const std::int64_t w = layer.row(row)[k];
    const std::int64_t offset = layer.offset_of(k);
    constant.lower += w * offset;
    constant.upper += w * (offset - layer.zero_point_spread);
  }
  return {std::min(constant.lower, constant.upper), std::max(constant.lower, constant.upper)};
}

}  // namespace

IntegerRange node_range(const IntegerLayer& layer, const Topology& topology, NodeId id) {
  validate_node(layer, topology, id);
  const BothRanges ranges = ranges_of(layer, topology, id, constant_of(layer, id.row));
  return topology.stage(id.stage).claim == Claim::every_partial_sum ? ranges.partial : ranges.final;
}

std::vector<std::int32_t> witness(const IntegerLayer& layer, const Topology& topology, NodeId id, Side side) {
  validate_node(layer, topology, id);
  return driving_inputs(layer, topology, id, side);
}

std::optional<std::int64_t> first_beyond_limit(const IntegerLayer& layer, const Topology& topology,
                                               std::span<const std::int32_t> inputs) {
  validate_topology(layer, topology);
  for (std::int64_t j = 0; layer.input_limit != 0 && j < topology.nodes(0); ++j) {
    std::int64_t sum = 0;
    for (const std::int64_t k : topology.values_of(0, j)) {
      sum += std::abs(std::int64_t{inputs[static_cast<std::size_t>(k)]});
      if (sum > layer.input_limit) {
        return k;
      }
    }
  }
  return std::nullopt;
}

}  // namespace axe

// One register at a time, from its definition: its range, and inputs that attain either end. Slower than layer_ranges,
// and independent of it. `witness` and `node_range` are the main functions. No side effects.
#include <algorithm>
#include <cstdlib>

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

struct BothRanges {
  IntegerRange partial;
  IntegerRange final;
};

BothRanges ranges_of(const IntegerLayer& layer, const Topology& topology, NodeId id, IntegerRange constant) {
  const IntegerRange initial = topology.stage(id.stage).initial == Initial::constant ? constant : IntegerRange{0, 0};
  BothRanges result{initial, initial};
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
    const std::int64_t offset =
        layer.offset.empty() ? 0 : layer.offset[layer.offset.size() == 1 ? 0 : static_cast<std::size_t>(k)];
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
  std::vector<std::int32_t> inputs(static_cast<std::size_t>(layer.cols));
  for (std::int64_t k = 0; k < layer.cols; ++k) {
    inputs[static_cast<std::size_t>(k)] = std::clamp(0, layer.lower(k), layer.upper(k));
  }
  for (const std::int64_t k : topology.products_of(id.stage, id.node)) {
    const std::int8_t w = layer.row(id.row)[k];
    if (w != 0) {  // the product is extreme at the end of the box that w's sign points to
      inputs[static_cast<std::size_t>(k)] = (w > 0) == (side == Side::upper) ? layer.upper(k) : layer.lower(k);
    }
  }
  return inputs;
}

}  // namespace axe

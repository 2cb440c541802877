// The range of every register of a layer, row by row, stage by stage: `layer_ranges`. The lowest stage reads the weights
// (lowest_stage.hpp, vectorised); each stage above adds up the ranges below it. No side effects.
//
// A register that adds values v ∈ [lo_v, hi_v] to its initial value c:
//   its final value lies in        [c + Σ lo_v,         c + Σ hi_v],
//   every partial sum, any order,  [c + Σ min(0, lo_v), c + Σ max(0, hi_v)]        (design §3.1).
// Values of different registers below share no product, so all lo_v, and all hi_v, are reached at once: both ranges are
// attained.
#include "axecert/bound/range.hpp"

#include <algorithm>

#include "axecert/bound/layer_shape.hpp"
#include "axecert/bound/lowest_stage.hpp"
#include "axecert/bound/register_ranges.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

/// Adds the values' final ranges up into the registers of stage s: `partial` and `final` of every register, without the
/// initial value.
void add_up(const Topology& topology, std::size_t s, const RegisterRanges& values, RegisterRanges& partial,
            RegisterRanges& final) {
  const auto nodes = static_cast<std::size_t>(topology.nodes(s));
  partial.assign_zero(nodes);
  final.assign_zero(nodes);
  const auto count = values.lower.size();
  const auto stride = static_cast<std::size_t>(topology.stage(s).stride);
  const auto add = [&](std::size_t node, std::size_t v) {
    final.lower[node] += values.lower[v];
    final.upper[node] += values.upper[v];
    partial.lower[node] += std::min<std::int64_t>(values.lower[v], 0);
    partial.upper[node] += std::max<std::int64_t>(values.upper[v], 0);
  };
  if (nodes == 1) {
    for (std::size_t v = 0; v < count; ++v) {
      add(0, v);
    }
    return;
  }
  // Blocks of group · stride values; more than one register means that either there are several blocks, or several lanes.
  const std::int64_t group = topology.stage(s).group;
  const int128 length = static_cast<int128>(group) * topology.stage(s).stride;
  const std::size_t block = group == 0 || length > static_cast<int128>(count) ? count : static_cast<std::size_t>(length);
  for (std::size_t begin = 0, first_node = 0; begin < count; begin += block, first_node += std::min(stride, block)) {
    const std::size_t end = std::min(begin + block, count);
    for (std::size_t v = begin; v < end; v += stride) {
      const std::size_t lanes = std::min(stride, end - v);
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        add(first_node + lane, v + lane);
      }
    }
  }
}

void append(std::vector<std::int64_t>& all, const std::vector<std::int64_t>& row) {
  all.insert(all.end(), row.begin(), row.end());
}

void shift(RegisterRanges& ranges, std::int64_t constant) {
  for (std::size_t i = 0; i < ranges.lower.size(); ++i) {
    ranges.lower[i] += constant;
    ranges.upper[i] += constant;
  }
}

}  // namespace

void validate_topology(const IntegerLayer& layer, const Topology& topology) {
  if (topology.length() != layer.cols) {
    throw InputError("layer '" + layer.name + "'", "the topology is of " + std::to_string(topology.length()) +
                                                       " terms, the layer has " + std::to_string(layer.cols),
                     "build Topology with the layer's cols");
  }
}

std::vector<StageRanges> layer_ranges(const IntegerLayer& layer, const Topology& topology) {
  validate_shape(layer);
  validate_topology(layer, topology);
  std::vector<StageRanges> result(topology.stages());
  bool needs_constants = false;
  for (std::size_t s = 0; s < topology.stages(); ++s) {
    result[s].nodes = topology.nodes(s);
    const auto entries = static_cast<std::size_t>(layer.rows) * static_cast<std::size_t>(topology.nodes(s));
    result[s].lower.reserve(entries);
    result[s].upper.reserve(entries);
    needs_constants = needs_constants || topology.stage(s).initial == Initial::constant;
  }
  const std::vector<std::int64_t> constants = needs_constants ? row_constants(layer) : std::vector<std::int64_t>{};

  LowestStage lowest(layer, topology);
  RegisterRanges partial;
  RegisterRanges final;
  RegisterRanges below;
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    for (std::size_t s = 0; s < topology.stages(); ++s) {
      if (s == 0) {
        lowest.row(layer.row(r), partial, final);
      } else {
        std::swap(below, final);
        add_up(topology, s, below, partial, final);
      }
      const Stage& stage = topology.stage(s);
      if (stage.initial == Initial::constant) {
        shift(partial, constants[static_cast<std::size_t>(r)]);
        shift(final, constants[static_cast<std::size_t>(r)]);
      }
      const RegisterRanges& claimed = stage.claim == Claim::every_partial_sum ? partial : final;
      append(result[s].lower, claimed.lower);
      append(result[s].upper, claimed.upper);
    }
  }
  return result;
}

}  // namespace axe

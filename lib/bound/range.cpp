// The range of every register of a layer, row by row, stage by stage: `layer_ranges`. The lowest stage reads the
// weights (lowest_stage.hpp, vectorised); each stage above adds up the ranges below it. No side effects.
//
// A register that adds values v ∈ [lo_v, hi_v] to its initial value c ∈ [c_lo, c_hi] (0, or the row's constant):
//   its final value lies in        [c_lo + Σ lo_v,         c_hi + Σ hi_v],
//   every partial sum, any order,  [c_lo + Σ min(0, lo_v), c_hi + Σ max(0, hi_v)]        (design §3.1).
// Values of different registers below share no product, and one register of a dot product at most starts from the constant,
// so all lo_v and c_lo, and all hi_v and c_hi, are reached at once: both ranges are attained.
#include "axecert/bound/range.hpp"

#include <algorithm>
#include <utility>

#include "axecert/bound/layer_shape.hpp"
#include "axecert/bound/lowest_stage.hpp"
#include "axecert/bound/register_ranges.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/numeric/target_clones.hpp"

namespace axe {
namespace {

/// What the values of one row hold before, and the registers of one stage after adding them up, initial value apart.
/// `partial` is filled only when some value's range excludes 0; otherwise it would equal `final`.
void add_up(const Topology& topology, std::size_t s, const RegisterRanges& values, bool hold_zero,
            RegisterRanges& partial, RegisterRanges& final) {
  const auto nodes = static_cast<std::size_t>(topology.nodes(s));
  const auto block = static_cast<std::size_t>(topology.block(s));
  const auto stride = static_cast<std::size_t>(std::min(topology.stage(s).stride, topology.block(s)));
  const std::size_t count = values.lower.size();
  final.assign_zero(nodes);
  partial.assign_zero(hold_zero ? 0 : nodes);
  std::size_t first_node = 0;
  for (std::size_t begin = 0; begin < count; begin += block, first_node += stride) {
    const std::size_t end = std::min(begin + block, count);
    for (std::size_t lane = 0; lane < std::min(stride, end - begin); ++lane) {
      std::int64_t lower = 0;
      std::int64_t upper = 0;
      for (std::size_t v = begin + lane; v < end; v += stride) {
        lower += values.lower[v];
        upper += values.upper[v];
      }
      final.lower[first_node + lane] = lower;
      final.upper[first_node + lane] = upper;
      if (hold_zero) {
        continue;
      }
      for (std::size_t v = begin + lane; v < end; v += stride) {
        partial.lower[first_node + lane] += std::min<std::int64_t>(values.lower[v], 0);
        partial.upper[first_node + lane] += std::max<std::int64_t>(values.upper[v], 0);
      }
    }
  }
}

void append(std::vector<std::int64_t>& all, const std::vector<std::int64_t>& row) {
  all.insert(all.end(), row.begin(), row.end());
}

/// Of a stage that starts from the constant, which has one register (Topology).
void shift(RegisterRanges& ranges, IntegerRange constant) {
  for (std::int64_t& lower : ranges.lower) lower += constant.lower;
  for (std::int64_t& upper : ranges.upper) upper += constant.upper;
}

}  // namespace

void validate_topology(const IntegerLayer& layer, const Topology& topology) {
  if (topology.length() != layer.cols) {
    throw InputError("layer '" + layer.name + "'",
                     "the topology is of " + std::to_string(topology.length()) + " terms, the layer has " +
                         std::to_string(layer.cols),
                     "build Topology with the layer's cols");
  }
}

std::vector<StageRanges> layer_ranges(const IntegerLayer& layer, const Topology& topology,
                                      std::vector<StageRanges> memory) {
  validate_shape(layer);
  validate_topology(layer, topology);
  std::vector<StageRanges> result = std::move(memory);
  result.resize(topology.stages());
  bool needs_constants = false;
  for (std::size_t s = 0; s < topology.stages(); ++s) {
    result[s].nodes = topology.nodes(s);
    const auto entries = static_cast<std::size_t>(layer.rows) * static_cast<std::size_t>(topology.nodes(s));
    result[s].lower.clear();
    result[s].upper.clear();
    result[s].lower.reserve(entries);
    result[s].upper.reserve(entries);
    needs_constants = needs_constants || topology.stage(s).initial == Initial::constant;
  }

  LowestStage lowest(layer, topology);
  RegisterRanges partial;
  RegisterRanges final;
  RegisterRanges below;
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    bool hold_zero = lowest.holds_zero();  // of the values that this stage adds
    const IntegerRange constant = needs_constants ? row_constant_range(layer, r) : IntegerRange{};
    for (std::size_t s = 0; s < topology.stages(); ++s) {
      if (s == 0) {
        lowest.row(layer.row(r), partial, final);
      } else {
        std::swap(below, final);
        add_up(topology, s, below, hold_zero, partial, final);
      }
      const Stage& stage = topology.stage(s);
      if (stage.initial == Initial::constant) {
        shift(partial, constant);
        shift(final, constant);
      }
      const RegisterRanges& claimed = stage.claim == Claim::every_partial_sum && !hold_zero ? partial : final;
      append(result[s].lower, claimed.lower);
      append(result[s].upper, claimed.upper);
      hold_zero = hold_zero && stage.initial == Initial::zero;
    }
  }
  return result;
}

AXECERT_CLONES std::int64_t margin(IntegerRange range, IntegerRange limits) {
  const int128 above = static_cast<int128>(limits.upper) - range.upper;
  const int128 below = static_cast<int128>(range.lower) - limits.lower;
  const int128 least =
      above < below ? above : below;  // above + below < 2^64, so that the smaller fits at its upper end
  constexpr int128 most_negative = -INT64_MAX;
  return static_cast<std::int64_t>(least < most_negative ? most_negative : least);
}

IntegerRange hull(const std::int64_t* lower, const std::int64_t* upper, std::int64_t count) {
  std::int64_t least = lower[0], most = upper[0];
  for (std::int64_t i = 0; i < count; ++i) {
    least = lower[i] < least ? lower[i] : least;
    most = upper[i] > most ? upper[i] : most;
  }
  return {least, most};
}

AXECERT_CLONES std::int64_t overflowing_registers(const StageRanges& ranges, IntegerRange limits) {
  std::int64_t over = 0;
  const std::size_t count = ranges.lower.size();
  const std::int64_t* lower = ranges.lower.data();
  const std::int64_t* upper = ranges.upper.data();
  for (std::size_t i = 0; i < count; ++i) {
    over += static_cast<int>(lower[i] < limits.lower) | static_cast<int>(upper[i] > limits.upper);
  }
  return over;
}

std::optional<NodeId> first_overflow(const std::vector<StageRanges>& ranges, const Topology& topology) {
  for (std::size_t s = 0; s < ranges.size(); ++s) {
    const IntegerRange limits = register_limits(topology.stage(s));
    for (std::size_t i = 0; i < ranges[s].lower.size(); ++i) {
      if (margin({ranges[s].lower[i], ranges[s].upper[i]}, limits) < 0) {
        const auto index = static_cast<std::int64_t>(i);
        return NodeId{index / ranges[s].nodes, s, index % ranges[s].nodes};
      }
    }
  }
  return std::nullopt;
}

}  // namespace axe

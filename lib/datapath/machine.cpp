// Executes a datapath on concrete integers, register by register. `run` is the main function; `step` is the meaning of
// one addition. No side effects.
#include "axecert/datapath/machine.hpp"

#include <algorithm>
#include <string>

#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

/// `exact` modulo 2^width, as two's complement: the low `width` bits, the topmost of them the sign.
std::int64_t wrapped(int128 exact, int width) {
  const int unused = 64 - width;
  const auto bits = static_cast<std::uint64_t>(static_cast<uint128>(exact)) << unused;
  return static_cast<std::int64_t>(bits) >> unused;  // arithmetic shift (C++20)
}

/// What a register holds after the exact sum `exact` was put into it.
std::int64_t settle(const Stage& stage, int128 exact, bool& overflowed) {
  const IntegerRange limits = register_limits(stage);
  if (limits.lower <= exact && exact <= limits.upper) {
    return static_cast<std::int64_t>(exact);
  }
  overflowed = true;
  if (stage.overflow == Overflow::saturate) {
    return exact < limits.lower ? limits.lower : limits.upper;
  }
  return wrapped(exact, stage.width);
}

/// Puts the positions 0..n−1 of `values` in the order in which a register adds them.
template <class Value>
void order_values(const std::vector<Value>& values, Order order, std::vector<std::size_t>& positions) {
  positions.resize(values.size());
  for (std::size_t i = 0; i < positions.size(); ++i) {
    positions[i] = i;
  }
  const auto comes_first = [&](std::size_t i) {
    return order == Order::positive_first ? values[i] > 0 : values[i] < 0;
  };
  if (order != Order::kernel) {
    std::stable_partition(positions.begin(), positions.end(), comes_first);
  }
}

}  // namespace

std::int64_t step(const Stage& stage, std::int64_t content, std::int64_t value, bool& overflowed) {
  return settle(stage, static_cast<int128>(content) + value, overflowed);
}

std::vector<std::vector<RegisterTrace>> run(const Topology& topology, std::span<const std::int8_t> weights,
                                            std::span<const std::int32_t> inputs, std::int64_t constant, Order order) {
  const auto length = static_cast<std::size_t>(topology.length());
  if (weights.size() != length || inputs.size() != length) {
    throw InputError("machine",
                     std::to_string(weights.size()) + " weights and " + std::to_string(inputs.size()) +
                         " inputs for a dot product of " + std::to_string(length) + " terms",
                     "give one of each per term");
  }
  std::vector<std::int64_t> below(length);  // what the level below holds; products are exact: |w x| ≤ 2^7 · 2^31
  for (std::size_t k = 0; k < length; ++k) {
    below[k] = std::int64_t{weights[k]} * inputs[k];
  }

  std::vector<std::vector<RegisterTrace>> result(topology.stages());
  std::vector<std::size_t> positions;
  for (std::size_t s = 0; s < topology.stages(); ++s) {
    const Stage& stage = topology.stage(s);
    std::vector<std::vector<std::int64_t>> values(static_cast<std::size_t>(topology.nodes(s)));
    for (std::size_t v = 0; v < below.size(); ++v) {
      values[static_cast<std::size_t>(topology.node_of_value(s, static_cast<std::int64_t>(v)))].push_back(below[v]);
    }
    below.clear();
    for (const std::vector<std::int64_t>& added : values) {
      const std::int64_t initial = stage.initial == Initial::constant ? constant : 0;
      RegisterTrace trace;
      trace.exact = trace.lowest = trace.highest = initial;
      trace.value = settle(stage, initial, trace.overflowed);
      order_values(added, order, positions);
      for (const std::size_t i : positions) {
        const int128 sum = static_cast<int128>(trace.value) + added[i];
        trace.lowest = std::min(trace.lowest, sum);
        trace.highest = std::max(trace.highest, sum);
        trace.exact += added[i];
        trace.value = step(stage, trace.value, added[i], trace.overflowed);
      }
      below.push_back(trace.value);
      result[s].push_back(trace);
    }
  }
  return result;
}

}  // namespace axe

// The machine: executes a datapath on concrete integers, step by step, register by register. This is the meaning of a
// Stage; the bounds, the checker and Z3 are held against it. `run` is the main function. No side effects.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "axecert/datapath/datapath.hpp"

namespace axe {

/// The order in which every register adds its values: as the kernel does (ascending), or the values that are > 0 first,
/// or those < 0 first. The latter two drive a register to the extremes of its partial sums when a box excludes 0.
enum class Order { kernel, positive_first, negative_first };

/// What one register did during a run.
struct RegisterTrace {
  std::int64_t value = 0;   ///< what it holds at the end, after wrapping or saturating
  int128 exact = 0;         ///< what it would hold with no width limit, given the values it was fed
  int128 lowest = 0;        ///< smallest and largest exact partial sum on the way (initial value included),
  int128 highest = 0;       ///< of the values it was fed, each step from the register's actual content
  bool overflowed = false;  ///< some step left the register's limits
};

/// One addition: `content + value` in a register of this stage; sets `overflowed` when the exact sum leaves the limits.
/// wrap: two's complement of `width` bits. saturate: the nearest limit. undefined: as wrap, and the result means
/// nothing.
std::int64_t step(const Stage& stage, std::int64_t content, std::int64_t value, bool& overflowed);

/// Runs one dot product: weights and inputs of topology.length() terms, `constant` for the stage that starts from it.
/// Result: [stage][node]. Weights and inputs are the multiplier's operands; products are exact.
std::vector<std::vector<RegisterTrace>> run(const Topology& topology, std::span<const std::int8_t> weights,
                                            std::span<const std::int32_t> inputs, std::int64_t constant,
                                            Order order = Order::kernel);

}  // namespace axe

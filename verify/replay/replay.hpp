// Voter 3: the bit-accurate machine on concrete inputs. `replay_vote` is the main function; `replay_node` tells the story of one
// register, step by step, for people. No side effects.
//
// Trusted: axe::step and axe::run (lib/datapath/machine.hpp), which are the meaning of a datapath. Not trusted: anything that the
// certificate claims; the inputs that drive a node to its ends are chosen here, not by lib/bound.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "axecert/certificate/vote.hpp"

namespace axe {

struct ReplayOptions {
  int random_inputs_per_row = 8;  ///< inside the box, and as many corners of it; ≥ 0
  std::uint64_t seed = 1;
  Progress progress;
};

/// One line: what replay_vote did when it checked so many nodes.
std::string replay_detail(std::int64_t nodes_checked, const ReplayOptions& options);

/// Drives every node of `certificate` to both ends and demands that the claimed end is what is reached, and that the register
/// overflows exactly when the claim exceeds it; runs extreme and random inputs of every row, with extreme and random zero points
/// where these vary, through the whole machine in the kernel's order and demands the exact integers wherever the claims fit;
/// replays each layer's worst witness. Weights and biases are attached. `safe` and `unsafe` mean that nothing contradicted the
/// claims: this voter samples inputs, and proves only that the claimed ends are attained.
Vote replay_vote(const Certificate& certificate, const ReplayOptions& options);

/// One addition in a register.
struct ReplayStep {
  std::int64_t value_index = 0;  ///< product k (stage 0) or register of the stage below
  std::int64_t weight = 0;       ///< stage 0 only
  std::int32_t input = 0;        ///< stage 0 only
  int128 value = 0;              ///< what is added: the product, or the exact sum of the register below
  int128 exact = 0;              ///< the exact partial sum after it
  std::int64_t content = 0;      ///< what the register holds after it
  bool overflowed = false;       ///< this step left the register's limits
};

/// What happens in one register on the way to one end of its range.
struct NodeReplay {
  NodeId node;
  Side side = Side::upper;
  std::vector<std::int32_t> inputs;  ///< [cols], inside the box
  std::int64_t initial = 0;          ///< the row's constant (at the zero point that drives to `side`), or 0
  std::vector<ReplayStep> steps;     ///< in the order that attains the end
  IntegerRange limits;
  std::int64_t claimed = 0;  ///< the claimed end
  int128 reached = 0;        ///< the extreme of the exact partial sums (or the exact final sum, if that is claimed)
  bool overflowed = false;   ///< some step left the limits, or the initial value was outside
  std::int64_t content = 0;  ///< what the register holds at the end
};

/// The story of `node` on its way to `side`. Throws InputError when `claims` do not hang together or the node does not exist.
NodeReplay replay_node(const LayerClaims& claims, NodeId node, Side side);

}  // namespace axe

// The exact range of every register of a layer over all inputs in its box and all orders of summation, the inputs that
// attain each end, and the widths that follow. `layer_ranges` is the main function. Sources: design §3.1–3.2; AXE
// (arXiv 2409.17092) eqs. 7–8 are the special case of one box [α, β] for all channels.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "axecert/bound/integer_layer.hpp"

namespace axe {

/// Which register: row r of the layer, stage s of the datapath, register `node` of that stage.
struct NodeId {
  std::int64_t row = 0;
  std::size_t stage = 0;
  std::int64_t node = 0;
  friend bool operator==(const NodeId&, const NodeId&) = default;
};

/// Ranges of one stage, [rows, nodes] row-major.
struct StageRanges {
  std::int64_t nodes = 0;
  std::vector<std::int64_t> lower;
  std::vector<std::int64_t> upper;
};

/// The claimed range of every node, one entry per stage. For a stage that claims every partial sum: initial + [Σ min(0,
/// ·), Σ max(0, ·)] over the values it adds, each with its own final range; for one that claims the final value:
/// initial + [Σ min, Σ max]; initial is 0 or the row's constant, which is an interval when the zero point varies.
/// Below an unsafe register the range still means exact integers. Cost: one pass over the weights for a uniform box.
/// `memory`: ranges that nobody needs any more, whose memory the new ones take.
std::vector<StageRanges> layer_ranges(const IntegerLayer& layer, const Topology& topology,
                                      std::vector<StageRanges> memory = {});

/// The range of one node alone (recomputed; for explanations and tests).
IntegerRange node_range(const IntegerLayer& layer, const Topology& topology, NodeId id);

/// The first node, by stage and then by row and node, whose range leaves its register's limits; `ranges` as layer_ranges gives them.
std::optional<NodeId> first_overflow(const std::vector<StageRanges>& ranges, const Topology& topology);

enum class Side { lower, upper };

/// Inputs [cols] inside the box and the input limit that drive `id` to that end of its claimed range, when every register adds in the order
/// that Machine's `Order` for this side says (positive_first for upper) and the row's constant is at that end of its
/// row_constant_ranges; channels outside the node hold the box's value nearest to 0.
std::vector<std::int32_t> witness(const IntegerLayer& layer, const Topology& topology, NodeId id, Side side);

/// The first channel, by registers of the lowest stage and then by their products, at which the magnitudes of `inputs` [cols]
/// add up to more than the layer's input limit; nothing when they keep it or there is none.
std::optional<std::int64_t> first_beyond_limit(const IntegerLayer& layer, const Topology& topology,
                                               std::span<const std::int32_t> inputs);

/// One node's distance to its register's limits: ≥ 0 is safe.
std::int64_t margin(IntegerRange range, IntegerRange limits);

/// The smallest range that holds [lower_i, upper_i] of `count` ≥ 1 registers. Its margin is the least of theirs, a margin being the
/// smaller of two distances.
IntegerRange hull(const std::int64_t* lower, const std::int64_t* upper, std::int64_t count);

/// How many registers have a margin below 0.
std::int64_t overflowing_registers(const StageRanges& ranges, IntegerRange limits);

/// The bound that data types alone give (no look at the weights), for K products of M-bit signed weights in
/// [−2^(M−1), 2^(M−1) − 1] and N-bit activations.
struct DataTypeBound {
  int paper;  ///< A2Q eq. 9–10 (arXiv 2301.13376), AXE Eq. 3: ⌈a + log2(1 + 2^−a) + 1⌉, a = log2 K + N + M − 1 −
              ///< 1_signed
  int exact;  ///< the smallest symmetric width that holds the extreme integer sum
};
DataTypeBound data_type_bound(std::int64_t length, int weight_bits, int activation_bits, bool activations_signed);

}  // namespace axe

// Matrix products as a datapath really computes them: every register of every stage wraps or saturates step by step.
// `DatapathProduct` packs a layer's weights once and multiplies batches of operands. Side effects: threads while it
// multiplies.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "axecert/bound/integer_layer.hpp"
#include "axecert/kernel/operands.hpp"
#include "axecert/kernel/packed_order.hpp"
#include "axecert/kernel/target.hpp"

namespace axe {

/// The registers of the last stage after axe::run(…, Order::kernel) (datapath/machine.hpp) on every row and token, bit for
/// bit, with x_ik = biased_ik + base and the row's constant bias_r + Σ_k w_rk offset_k − z_i Σ_k w_rk.
///
/// A register of the lowest stage whose positive and negative products both stay inside the limits cannot overflow on any
/// step: it takes the exact sum. The others are stepped, 32 rows at a time. Upper stages are stepped always.
class DatapathProduct {
 public:
  /// Throws InputError unless the layer is valid and `topology` is of its length. `target` is one of targets().
  DatapathProduct(const IntegerLayer& layer, const Topology& topology, Target target = best_target());

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return topology_.length(); }
  std::int64_t outputs() const { return topology_.nodes(topology_.stages() - 1); }
  Target target() const { return target_; }

  /// Writes contents [tokens, rows, outputs] and returns how many additions left their register (an initial constant that
  /// does not fit counts as one), over all stages. `threads` ≥ 1; the result does not depend on it. Throws InputError, and
  /// nothing is written then.
  std::int64_t multiply(const Operands& operands, std::span<std::int64_t> contents, int threads = 1) const;

 private:
  struct Scratch;
  std::int64_t multiply_task(const Operands& operands, std::int64_t* contents, const kernel::Tasks::Task& task,
                             Scratch& scratch) const;
  std::int64_t lowest_stage(const Operands& operands, std::size_t count, std::size_t panel, Scratch& scratch) const;
  std::int64_t upper_stage(std::size_t s, const std::int64_t* values, const std::int64_t* constants,
                           std::int64_t* contents) const;

  std::string name_;
  std::int64_t rows_;
  Topology topology_;
  Target target_;
  kernel::PackedOrder order_;                // of the lowest stage
  kernel::Aligned<std::int8_t> weights_;     // [panel][quad][32][4]
  kernel::Aligned<std::int8_t> magnitudes_;  // |w| − 128, likewise
  kernel::Aligned<std::int8_t> lines_;       // [panel][product][32]
  std::vector<std::int64_t> constants_;      // [rows]
  std::vector<std::int64_t> row_sums_;       // Σ_k w, [rows]
  std::vector<std::int64_t> node_sums_;      // Σ w below each register of the lowest stage, [panel][node][32]
  std::vector<std::int64_t> largest_l1_;     // of the panel's rows, Σ |w| below each such register, [panel][node]
  std::vector<std::vector<std::int64_t>> values_;       // per upper stage: what its registers add, one after the other
  std::vector<std::vector<std::size_t>> value_begins_;  // [nodes + 1]
};

}  // namespace axe

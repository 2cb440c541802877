// Exact integer matrix products: what the registers of a datapath would hold if they were wide enough. `ExactProduct` packs
// a layer's weights once and multiplies batches of operands. Side effects: threads while it multiplies.
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

/// For token i, row r and register o of the datapath's last stage (one per row, or one per tile where tiles are added in
/// floating point), with x_ik = biased_ik + base:
///   sum[i, r, o] = Σ_k w_rk x_ik over the products below o, + bias_r + Σ_k w_rk offset_k − z_i Σ_k w_rk
/// where the terms after the first are there exactly when some stage starts from the row's constant.
///
/// Evaluated as Σ w · biased + base Σ w: u8 × s8 into 32 bits for 2,048 products at a time, then 64 bits. Always exact:
/// |Σ w x| ≤ 2^24 · 2^7 · 2^24, |z Σ w| ≤ 2^55, |bias| ≤ 2^62, sums below 2^63.
class ExactProduct {
 public:
  /// Throws InputError unless the layer is valid and `topology` is of its length. `target` is one of targets().
  ExactProduct(const IntegerLayer& layer, const Topology& topology, Target target = best_target());

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  std::int64_t outputs() const { return outputs_; }
  Target target() const { return target_; }

  /// Writes sums [tokens, rows, outputs]. `threads` ≥ 1; the result does not depend on it. Throws InputError, and nothing
  /// is written then.
  void multiply(const Operands& operands, std::span<std::int64_t> sums, int threads = 1) const;

 private:
  void multiply_task(const Operands& operands, const std::vector<std::int64_t>& initial, std::int64_t* sums,
                     const kernel::Tasks::Task& task, std::uint8_t* lines) const;

  std::string name_;
  std::int64_t rows_;
  std::int64_t cols_;
  std::int64_t outputs_;
  Target target_;
  const kernel::DotLoop* loop_;
  bool starts_from_constant_;
  kernel::PackedOrder order_;
  kernel::Aligned<std::int8_t> weights_;   // [panel][quad][32][4]
  std::vector<std::int64_t> constants_;    // [rows]
  std::vector<std::int64_t> weight_sums_;  // Σ w, [outputs, rows]
};

}  // namespace axe

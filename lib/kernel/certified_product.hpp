// Integer matrix products in 16-bit registers, for layers whose certificate says that these suffice: `CertifiedProduct`. About
// twice as fast as exact products on processors without VNNI. Side effects: threads while it multiplies.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "axecert/bound/operand_magnitudes.hpp"
#include "axecert/kernel/licence.hpp"
#include "axecert/kernel/operands.hpp"
#include "axecert/kernel/target.hpp"

namespace axe {

namespace kernel {
struct TileWork;
}

/// How weights lie in memory.
enum class WeightPacking {
  bytes,    ///< one per byte
  nibbles,  ///< two per byte; every weight in [−8, 7]
};
std::string to_text(WeightPacking);  // "bytes" | "nibbles"

/// The same sums as ExactProduct, by vpmaddubsw and 16-bit additions over tiles, widened once per tile. It cannot be made
/// without a licence, and refuses one for anything else than this layer in this order; every operand is held against the box
/// before it is multiplied, so that nothing is left to trust.
class CertifiedProduct {
 public:
  /// Throws InputError unless `licence` is of this layer, packed for `topology`; `target` is one of targets() (with VNNI its
  /// loops are those of the same vectors without it); and the weights suit `packing`.
  CertifiedProduct(const Licence& licence, const IntegerLayer& layer, const Topology& topology,
                   WeightPacking packing = WeightPacking::bytes, Target target = best_target());

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  std::int64_t outputs() const { return outputs_; }
  std::int64_t tile() const { return tile_; }
  WeightPacking packing() const { return packing_; }
  Target target() const { return target_; }

  /// Writes sums [tokens, rows, outputs], see ExactProduct. Throws InputError when operands.base is not the licence's or an
  /// operand is outside its channel's box, or the operands of a register of the lowest stage exceed the layer's input limit;
  /// nothing is written then.
  void multiply(const Operands& operands, std::span<std::int64_t> sums, int threads = 1) const;

 private:
  struct Scratch;
  void pack_weights(const TileForm& form);
  void check_box(const Operands& operands) const;
  void check_limit(const Operands& operands) const;
  void multiply_task(const Operands& operands, std::int64_t* sums, const kernel::Tasks::Task& task,
                     Scratch& scratch) const;
  void multiply_piece(const Operands& operands, std::int64_t* sums, std::size_t panel, std::size_t j,
                      std::size_t first_token, std::size_t count, kernel::TileWork& work) const;
  void pack_tokens(const Operands& operands, std::size_t first_chunk, std::size_t end_chunk, std::size_t first_token,
                   std::size_t end_token, Scratch& scratch) const;
  std::size_t segment_end(std::size_t position, std::size_t end) const;

  std::string name_;
  std::int64_t rows_;
  std::int64_t cols_;
  std::int64_t outputs_;
  std::int64_t tile_;
  std::int32_t base_;
  WeightPacking packing_;
  Target target_;
  bool starts_from_constant_;
  kernel::PackedOrder order_;
  std::vector<std::size_t> piece_segments_;      // the first segment of every piece, and how many there are in all
  kernel::Aligned<std::int8_t> weights_;         // as TileWork says, panel after panel
  kernel::Aligned<std::int16_t> row_starts_;     // base Σ w modulo 2^16, [panel][segment][32][2]; empty when base is 0
  std::vector<std::uint8_t> lower_, upper_;      // box of the bytes, [cols]
  std::int64_t input_limit_;                     // Σ|x| of each register of the lowest stage; 0: none
  std::optional<OperandMagnitudes> magnitudes_;  // when there is a limit
  std::vector<std::int64_t> initial_;            // the constant, where some stage starts from it; [rows]
  std::vector<std::int64_t> weight_sums_;        // Σ w, [outputs, rows]
};

}  // namespace axe

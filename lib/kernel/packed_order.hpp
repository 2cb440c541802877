// In which order a kernel reads the products of a dot product, so that those of one register lie side by side: `PackedOrder`;
// and weights and operands in that order. No side effects.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "axecert/bound/integer_layer.hpp"
#include "axecert/kernel/aligned.hpp"
#include "axecert/kernel/loops.hpp"

namespace axe::kernel {

/// The products of one register: packed positions [begin, begin + length), in the order in which it adds them.
struct Run {
  std::size_t begin = 0;  ///< a multiple of the padding
  std::size_t length = 0;
};

/// Part of a run that lies in one chunk.
struct Piece {
  std::size_t node = 0;
  std::size_t begin = 0;  ///< packed position, a multiple of the padding
  std::size_t quads = 0;
  bool first = false;  ///< of its run
};

/// Packed positions [begin, end), at most chunk_length of them: what an activation buffer holds per line.
struct Chunk {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t first_piece = 0;
  std::size_t end_piece = 0;
};

class PackedOrder {
 public:
  /// Runs of the registers of stage `s` of `topology`: the products below each, ascending. For s = 0 this is the
  /// machine's order. Every run is padded to a multiple of `padding`, which is 4 or 8.
  PackedOrder(const Topology& topology, std::size_t s, std::size_t padding = 4);

  std::size_t length() const { return source_.size(); }  ///< packed, padding included; a multiple of the padding
  std::size_t products() const { return products_; }
  const std::vector<Run>& runs() const { return runs_; }
  const std::vector<Chunk>& chunks() const { return chunks_; }
  const std::vector<Piece>& pieces() const { return pieces_; }

  /// The product at packed position p, or −1 where there is padding.
  std::int32_t source(std::size_t p) const { return source_[p]; }

  /// Copies the operands of one token at packed positions [begin, end) to `line`; 0 where there is padding.
  void pack(const std::uint8_t* operands, std::size_t begin, std::size_t end, std::uint8_t* line) const;
  /// The same to a line whose operands take 1 or 2 bytes. Not more than chunk_length of them.
  void pack(const std::uint8_t* operands, std::size_t begin, std::size_t end, std::size_t operand_bytes,
            void* line) const;

  /// Panels of 32 rows as `dot` reads them: of(w) for each weight, of(0) in rows that there are not, 0 for padding.
  template <class Of>
  Aligned<std::int8_t> quad_panels(const IntegerLayer& layer, Of of) const {
    const std::size_t panels = panels_of(layer);
    Aligned<std::int8_t> result(panels * panel_rows * length(), 0);
    for (std::size_t r = 0; r < panels * panel_rows; ++r) {
      const std::int8_t* row =
          r < static_cast<std::size_t>(layer.rows) ? layer.row(static_cast<std::int64_t>(r)) : nullptr;
      for (std::size_t p = 0; p < length(); ++p) {
        if (source_[p] >= 0) {
          result[r / panel_rows * panel_rows * length() + p / 4 * 4 * panel_rows + r % panel_rows * 4 + p % 4] =
              of(row == nullptr ? std::int8_t{0} : row[source_[p]]);
        }
      }
    }
    return result;
  }
  /// Panels of 32 rows as `step` reads them.
  Aligned<std::int8_t> line_panels(const IntegerLayer& layer) const {
    const std::size_t panels = panels_of(layer);
    Aligned<std::int8_t> result(panels * panel_rows * length(), 0);
    for_each_weight(layer, [&](std::size_t r, std::size_t p, std::int8_t w) {
      result[(r / panel_rows * length() + p) * panel_rows + r % panel_rows] = w;
    });
    return result;
  }
  static std::size_t panels_of(const IntegerLayer& layer) {
    return (static_cast<std::size_t>(layer.rows) + panel_rows - 1) / panel_rows;
  }

  /// Calls visit(row, packed position, weight) for every weight.
  template <class Visit>
  void for_each_weight(const IntegerLayer& layer, Visit visit) const {
    for (std::int64_t r = 0; r < layer.rows; ++r) {
      const std::int8_t* row = layer.row(r);
      for (std::size_t p = 0; p < source_.size(); ++p) {
        if (source_[p] >= 0) {
          visit(static_cast<std::size_t>(r), p, row[source_[p]]);
        }
      }
    }
  }

 private:
  std::vector<std::int32_t> source_;  // of each packed position: the product, or −1
  std::size_t products_ = 0;
  bool in_place_ = false;  // packed position p is product p, and padding only follows
  std::vector<Run> runs_;
  std::vector<Piece> pieces_;
  std::vector<Chunk> chunks_;
};

/// Whether all weights are within ±pair_weight.
bool within_pair_weight(std::span<const std::int8_t> weights);

/// Copies `count` operands to a line whose operands take 1 or 2 bytes.
void to_line(const std::uint8_t* operands, std::size_t count, std::size_t operand_bytes, void* line);

/// A product cut into tasks for threads: blocks of tokens times blocks of panels, so many that every thread gets several; a task reads its
/// operands once per chunk.
class Tasks {
 public:
  struct Task {
    std::size_t first_token, end_token, first_panel, end_panel;
  };
  /// `block`: tokens that one task takes at most. `least_panels`: so many that packing a task's operands is worth it.
  Tasks(std::size_t tokens, std::size_t rows, std::size_t block, int threads, std::size_t least_panels = 4);
  std::size_t count() const { return token_blocks_ * row_blocks_; }
  Task operator[](std::size_t i) const;

 private:
  std::size_t tokens_, panels_, block_, token_blocks_, task_panels_, row_blocks_;
};

/// Lines of activations that a task packs at once: 396 KiB of the second-level cache. Operands of two bytes have half as many.
constexpr std::size_t block_lines = 16 * most_tokens;

/// Tokens that a task takes: so few that up to four chunks of them are packed together, and sums go to memory once for them all.
inline std::size_t block_tokens(const PackedOrder& order, std::size_t operand_bytes = 1) {
  const std::size_t chunks = std::min<std::size_t>(order.chunks().size(), 4);
  return std::max(block_lines / operand_bytes / chunks / most_tokens * most_tokens, most_tokens);
}

/// How many chunks of so many tokens are packed at once.
inline std::size_t chunks_together(std::size_t tokens, std::size_t operand_bytes = 1) {
  return std::max<std::size_t>(block_lines / operand_bytes / tokens, 1);
}

/// Lines of a buffer for tasks of at most `tokens` tokens, which is at most block_tokens.
inline std::size_t lines_of(std::size_t tokens, const PackedOrder& order, std::size_t operand_bytes = 1) {
  return std::min(std::max(block_lines / operand_bytes, tokens), tokens * order.chunks().size());
}

}  // namespace axe::kernel

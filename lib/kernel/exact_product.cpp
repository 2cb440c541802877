// Packs weights and multiplies: blocks of tokens that stay in the second-level cache, panels of 32 rows against twelve
// tokens at a time, 2,048 products long. `ExactProduct::multiply` is the main function. Side effects: threads.
#include "axecert/kernel/exact_product.hpp"

#include <algorithm>

#include "axecert/bound/layer_shape.hpp"
#include "axecert/kernel/add_sums.hpp"
#include "axecert/kernel/parallel.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
using namespace kernel;

ExactProduct::ExactProduct(const IntegerLayer& layer, const Topology& topology, Target target)
    : name_(layer.name),
      rows_(layer.rows),
      cols_(layer.cols),
      outputs_(topology.nodes(topology.stages() - 1)),
      target_(target),
      starts_from_constant_(topology.starts_from_constant()),
      order_((validate_shape(layer), validate_topology(layer, topology), topology), topology.stages() - 1),
      weights_(order_.quad_panels(layer, [](std::int8_t w) { return w; })),
      constants_(row_constants(layer)),
      weight_sums_(static_cast<std::size_t>(rows_ * outputs_), 0) {
  const auto rows = static_cast<std::size_t>(rows_);
  std::vector<std::size_t> node_of(order_.length());
  for (std::size_t node = 0; node < order_.runs().size(); ++node) {
    const Run& run = order_.runs()[node];
    std::fill_n(node_of.begin() + static_cast<std::ptrdiff_t>(run.begin), run.length, node);
  }
  order_.for_each_weight(
      layer, [&](std::size_t r, std::size_t p, std::int8_t w) { weight_sums_[node_of[p] * rows + r] += w; });
}

void ExactProduct::multiply(const Operands& operands, std::span<std::int64_t> sums, int threads) const {
  validate(operands, name_, cols_);
  validate_result(sums.size(), operands.tokens, rows_, outputs_, name_);
  validate_threads(threads, name_);
  const auto rows = static_cast<std::size_t>(rows_);
  std::vector<std::int64_t> initial(weight_sums_.size());  // base Σ w, and the constant: what no token changes
  for (std::size_t i = 0; i < initial.size(); ++i) {
    initial[i] = operands.base * weight_sums_[i] + (starts_from_constant_ ? constants_[i % rows] : 0);
  }

  const auto tokens = static_cast<std::size_t>(operands.tokens);
  const std::size_t panels = (rows + panel_rows - 1) / panel_rows;
  const std::size_t token_blocks = (tokens + block_tokens - 1) / block_tokens;
  // Rows are cut so that every thread gets several tasks; a task reads its operands once per 2,048 products.
  const std::size_t wanted =
      threads <= 1 ? 1 : (4 * static_cast<std::size_t>(threads) + token_blocks - 1) / token_blocks;
  const std::size_t task_panels =
      std::max<std::size_t>((panels + wanted - 1) / wanted, std::min<std::size_t>(panels, 4));
  const std::size_t row_blocks = (panels + task_panels - 1) / task_panels;
  for_each_task(token_blocks * row_blocks, threads, [&](auto& take) {
    Aligned<std::uint8_t> lines(lines_of(std::min(block_tokens, tokens), order_) * line_stride);
    for (std::size_t task = 0; take(task);) {
      const std::size_t first_token = task / row_blocks * block_tokens;
      const std::size_t first_panel = task % row_blocks * task_panels;
      multiply_block(operands, initial, sums.data(), first_token, std::min(first_token + block_tokens, tokens),
                     first_panel, std::min(first_panel + task_panels, panels), lines.data());
    }
  });
}

void ExactProduct::multiply_block(const Operands& operands, const std::vector<std::int64_t>& initial,
                                  std::int64_t* sums, std::size_t first_token, std::size_t end_token,
                                  std::size_t first_panel, std::size_t end_panel, std::uint8_t* lines) const {
  const Loops& loops = loops_of(target_);
  const auto rows = static_cast<std::size_t>(rows_);
  const auto cols = static_cast<std::size_t>(cols_);
  const auto outputs = static_cast<std::size_t>(outputs_);
  const std::vector<Chunk>& chunks = order_.chunks();
  const std::size_t tokens = end_token - first_token;
  const std::size_t together = chunks_together(tokens);
  std::int32_t added[most_tokens * panel_rows];
  for (std::size_t first_chunk = 0; first_chunk < chunks.size(); first_chunk += together) {
    const std::size_t end_chunk = std::min(first_chunk + together, chunks.size());
    for (std::size_t c = first_chunk; c < end_chunk; ++c) {
      for (std::size_t t = 0; t < tokens; ++t) {
        order_.pack(operands.biased.data() + (first_token + t) * cols, chunks[c].begin, chunks[c].end,
                    lines + ((c - first_chunk) * tokens + t) * line_stride);
      }
    }
    for (std::size_t panel = first_panel; panel < end_panel; ++panel) {
      const std::size_t first_row = panel * panel_rows;
      const std::size_t present = std::min(panel_rows, rows - first_row);
      const std::int8_t* weights = weights_.data() + panel * panel_rows * order_.length();
      for (std::size_t begin = 0; begin < tokens; begin += most_tokens) {
        const std::size_t count = std::min(most_tokens, tokens - begin);
        for (std::size_t c = first_chunk; c < end_chunk; ++c) {
          for (std::size_t j = chunks[c].first_piece; j < chunks[c].end_piece; ++j) {
            const Piece& piece = order_.pieces()[j];
            loops.dot(lines + ((c - first_chunk) * tokens + begin) * line_stride + (piece.begin - chunks[c].begin),
                      count, weights + piece.begin * panel_rows, piece.quads, added);
            for (std::size_t t = 0; t < count; ++t) {
              const std::size_t token = first_token + begin + t;
              std::int64_t* out = sums + (token * rows + first_row) * outputs + piece.node;
              const std::int32_t* of_token = added + t * panel_rows;
              if (piece.first) {
                const std::size_t at = piece.node * rows + first_row;
                const std::int64_t zero_point =
                    starts_from_constant_ && !operands.zero_points.empty() ? operands.zero_points[token] : 0;
                start_sums(of_token, initial.data() + at, zero_point, weight_sums_.data() + at, present, out, outputs);
              } else {
                add_sums(of_token, present, out, outputs);
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace axe

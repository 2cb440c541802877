// Packs weights and multiplies: blocks of tokens that stay in the second-level cache, panels of 32 rows against twelve
// tokens at a time, chunks of 2,048 products one after the other. `ExactProduct::multiply` is the main function. Side effects: threads.
#include "axecert/kernel/exact_product.hpp"

#include <algorithm>

#include "axecert/bound/layer_shape.hpp"
#include "axecert/kernel/add_sums.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/numeric/tasks.hpp"

namespace axe {
using namespace kernel;

namespace {

/// Small weights have a faster loop where there is no vpdpbusd.
const DotLoop& loop_of(const IntegerLayer& layer, Target target) {
  return within_pair_weight(layer.weights) ? loops_of(target).dot_small : loops_of(target).dot;
}

}  // namespace

ExactProduct::ExactProduct(const IntegerLayer& layer, const Topology& topology, Target target)
    : name_(layer.name),
      rows_(layer.rows),
      cols_(layer.cols),
      outputs_(topology.nodes(topology.stages() - 1)),
      target_(target),
      loop_(&loop_of(layer, target)),
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
  const std::size_t block = std::min(block_tokens(order_, loop_->operand_bytes), tokens);
  const Tasks tasks(tokens, rows, block, threads);
  for_each_task(tasks.count(), threads, [&](const auto& take) {
    Aligned<std::uint8_t> lines(lines_of(block, order_, loop_->operand_bytes) * line_stride * loop_->operand_bytes);
    for (std::size_t task = 0; take(task);) {
      multiply_task(operands, initial, sums.data(), tasks[task], lines.data());
    }
  });
}

void ExactProduct::multiply_task(const Operands& operands, const std::vector<std::int64_t>& initial, std::int64_t* sums,
                                 const Tasks::Task& task, std::uint8_t* lines) const {
  const std::size_t stride = line_stride * loop_->operand_bytes;
  const auto rows = static_cast<std::size_t>(rows_);
  const auto cols = static_cast<std::size_t>(cols_);
  const auto outputs = static_cast<std::size_t>(outputs_);
  const std::vector<Chunk>& chunks = order_.chunks();
  const std::size_t tokens = task.end_token - task.first_token;
  const std::size_t together = chunks_together(tokens, loop_->operand_bytes);
  std::int32_t added[most_tokens * panel_rows];
  for (std::size_t first_chunk = 0; first_chunk < chunks.size(); first_chunk += together) {
    const std::size_t end_chunk = std::min(first_chunk + together, chunks.size());
    for (std::size_t c = first_chunk; c < end_chunk; ++c) {
      for (std::size_t t = 0; t < tokens; ++t) {
        order_.pack(operands.biased.data() + (task.first_token + t) * cols, chunks[c].begin, chunks[c].end,
                    loop_->operand_bytes, lines + ((c - first_chunk) * tokens + t) * stride);
      }
    }
    for (std::size_t panel = task.first_panel; panel < task.end_panel; ++panel) {
      const std::size_t first_row = panel * panel_rows;
      const std::size_t present = std::min(panel_rows, rows - first_row);
      const std::int8_t* weights = weights_.data() + panel * panel_rows * order_.length();
      for (std::size_t begin = 0; begin < tokens; begin += most_tokens) {
        const std::size_t count = std::min(most_tokens, tokens - begin);
        for (std::size_t c = first_chunk; c < end_chunk; ++c) {
          for (std::size_t j = chunks[c].first_piece; j < chunks[c].end_piece; ++j) {
            const Piece& piece = order_.pieces()[j];
            loop_->run(lines + ((c - first_chunk) * tokens + begin) * stride +
                           (piece.begin - chunks[c].begin) * loop_->operand_bytes,
                       count, weights + piece.begin * panel_rows, piece.quads, added);
            for (std::size_t t = 0; t < count; ++t) {
              const std::size_t token = task.first_token + begin + t;
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

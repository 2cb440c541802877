// Packs weights for the tile loops and multiplies; blocked as exact_product.cpp is. `CertifiedProduct::multiply` is the main
// function. Side effects: threads.
#include "axecert/kernel/certified_product.hpp"

#include <algorithm>

#include "axecert/kernel/add_sums.hpp"
#include "axecert/kernel/tile_loops.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/numeric/target_clones.hpp"
#include "axecert/numeric/tasks.hpp"

namespace axe {
namespace {

using namespace kernel;

std::int16_t modulo_2_16(std::int64_t value) {
  return static_cast<std::int16_t>(static_cast<std::uint16_t>(static_cast<std::uint64_t>(value)));
}

/// Whether lower_k ≤ u_k ≤ upper_k for all k.
AXECERT_CLONES bool inside(const std::uint8_t* u, const std::uint8_t* lower, const std::uint8_t* upper, std::size_t n) {
  std::uint8_t outside = 0;
  for (std::size_t k = 0; k < n; ++k) {
    outside = static_cast<std::uint8_t>(outside | (std::min(std::max(u[k], lower[k]), upper[k]) ^ u[k]));
  }
  return outside == 0;
}

}  // namespace

std::string to_text(WeightPacking packing) {
  return packing == WeightPacking::bytes ? "bytes" : "nibbles";
}

/// What one thread needs for one block of tokens.
struct CertifiedProduct::Scratch {
  Aligned<std::uint8_t> lines;         // [token][line]
  Aligned<std::int16_t> token_starts;  // −8 Σ u modulo 2^16, [token][segment of the chunk][2]
  std::size_t token_stride = 0;
};

CertifiedProduct::CertifiedProduct(const Licence& licence, const IntegerLayer& layer, const Topology& topology,
                                   WeightPacking packing, Target target)
    : name_(layer.name),
      rows_(layer.rows),
      cols_(layer.cols),
      outputs_(topology.nodes(topology.stages() - 1)),
      tile_(licence.tile()),
      base_(licence.base()),
      packing_(packing),
      target_(target),
      starts_from_constant_(topology.starts_from_constant()),
      order_(topology, topology.stages() - 1, tile_step),
      input_limit_(layer.input_limit),
      initial_(starts_from_constant_ ? row_constants(layer)
                                     : std::vector<std::int64_t>(static_cast<std::size_t>(layer.rows), 0)),
      weight_sums_(static_cast<std::size_t>(layer.rows * outputs_), 0) {
  const TileForm form = tile_form(layer, topology, base_, tile_);
  if (form.digest != licence.digest()) {
    throw InputError(
        "product of layer '" + layer.name + "'",
        "the licence of layer '" + licence.layer() + "' is for other weights, another box or another order",
        "have a certificate of this layer verified");
  }
  for (std::int64_t k = 0; k < cols_; ++k) {
    lower_.push_back(static_cast<std::uint8_t>(layer.lower(k) - base_));
    upper_.push_back(static_cast<std::uint8_t>(layer.upper(k) - base_));
  }
  if (input_limit_ != 0) {
    magnitudes_.emplace(topology);
  }
  pack_weights(form);

  const auto rows = static_cast<std::size_t>(rows_);
  std::vector<std::size_t> node_of(order_.length());
  for (std::size_t node = 0; node < order_.runs().size(); ++node) {
    const Run& run = order_.runs()[node];
    std::fill_n(node_of.begin() + static_cast<std::ptrdiff_t>(run.begin), run.length, node);
  }
  order_.for_each_weight(
      layer, [&](std::size_t r, std::size_t p, std::int8_t w) { weight_sums_[node_of[p] * rows + r] += w; });
}

/// Where the segment that `position` lies in ends, in a piece that ends at `end`.
std::size_t CertifiedProduct::segment_end(std::size_t position, std::size_t end) const {
  const auto tile = static_cast<std::size_t>(tile_);
  return std::min((position / tile + 1) * tile, end);
}

void CertifiedProduct::check_limit(const Operands& operands) const {
  std::vector<std::int64_t> scratch;
  for (std::size_t i = 0; magnitudes_ && i < static_cast<std::size_t>(operands.tokens); ++i) {
    const OperandMagnitudes::Worst worst =
        magnitudes_->worst(operands.biased.data() + i * magnitudes_->inputs(), base_, scratch);
    if (worst.sum > input_limit_) {
      throw InputError("product of layer '" + name_ + "'",
                       "the operands of token " + std::to_string(i) + " in register " + std::to_string(worst.node) +
                           " have magnitudes of " + std::to_string(worst.sum) + " in all, beyond " +
                           std::to_string(input_limit_),
                       "the licence is for operands within the certified input limit");
    }
  }
}

void CertifiedProduct::pack_weights(const TileForm& form) {
  piece_segments_.assign(1, 0);
  for (const Piece& piece : order_.pieces()) {
    const std::size_t end = piece.begin + 4 * piece.quads;
    std::size_t segments = piece_segments_.back();
    for (std::size_t p = piece.begin; p < end; p = segment_end(p, end)) {
      ++segments;
    }
    piece_segments_.push_back(segments);
  }

  const std::size_t length = order_.length();
  const std::size_t panels = (static_cast<std::size_t>(rows_) + panel_rows - 1) / panel_rows;
  const bool nibbles = packing_ == WeightPacking::nibbles;
  const std::size_t panel_bytes = panel_rows * length / (nibbles ? 2 : 1);
  weights_.assign(panels * panel_bytes, static_cast<std::int8_t>(0));
  row_starts_.assign(base_ == 0 ? 0 : panels * piece_segments_.back() * panel_rows * lanes_per_row, 0);
  for (std::size_t r = 0; r < panels * panel_rows; ++r) {
    const std::size_t panel = r / panel_rows;
    const std::size_t in_panel = r % panel_rows;
    const std::int8_t* row = r < static_cast<std::size_t>(rows_) ? form.weights.data() + r * length : nullptr;
    for (std::size_t p = 0; p < length; ++p) {
      const std::int8_t w = row == nullptr ? std::int8_t{0} : row[p];
      if (!nibbles) {
        weights_[panel * panel_bytes + p / 4 * 4 * panel_rows + in_panel * 4 + p % 4] = w;
        continue;
      }
      if (w < -nibble_offset || w >= nibble_offset) {
        throw InputError("product of layer '" + name_ + "'",
                         "weight " + std::to_string(w) + " in row " + std::to_string(r), "4-bit weights are −8 to 7");
      }
      std::int8_t& two = weights_[panel * panel_bytes + p / 8 * 4 * panel_rows + in_panel * 4 + p % 4];
      two = static_cast<std::int8_t>(static_cast<std::uint8_t>(two) | ((w + nibble_offset) << (p / 4 % 2 * 4)));
    }
    if (row == nullptr || row_starts_.empty()) {
      continue;
    }
    for (std::size_t j = 0; j < order_.pieces().size(); ++j) {
      const Piece& piece = order_.pieces()[j];
      const std::size_t end = piece.begin + 4 * piece.quads;
      std::size_t segment = piece_segments_[j];
      for (std::size_t p = piece.begin, next = 0; p < end; p = next, ++segment) {
        next = segment_end(p, end);
        std::int64_t sums[lanes_per_row] = {};
        for (std::size_t q = p; q < next; ++q) {
          sums[q / 2 % 2] += row[q];
        }
        for (std::size_t lane = 0; lane < lanes_per_row; ++lane) {
          row_starts_[((panel * piece_segments_.back() + segment) * panel_rows + in_panel) * lanes_per_row + lane] =
              modulo_2_16(base_ * sums[lane]);
        }
      }
    }
  }
}

void CertifiedProduct::check_box(const Operands& operands) const {
  const std::string place = "product of layer '" + name_ + "'";
  if (operands.base != base_) {
    throw InputError(place, "operands with base " + std::to_string(operands.base),
                     "the licence is for base " + std::to_string(base_));
  }
  const auto cols = static_cast<std::size_t>(cols_);
  for (std::size_t i = 0; i < static_cast<std::size_t>(operands.tokens); ++i) {
    const std::uint8_t* u = operands.biased.data() + i * cols;
    if (inside(u, lower_.data(), upper_.data(), cols)) {
      continue;
    }
    std::size_t k = 0;
    while (u[k] >= lower_[k] && u[k] <= upper_[k]) {
      ++k;
    }
    throw InputError(place,
                     "operand " + std::to_string(u[k] + base_) + " of token " + std::to_string(i) + ", channel " +
                         std::to_string(k) + " is outside [" + std::to_string(lower_[k] + base_) + ", " +
                         std::to_string(upper_[k] + base_) + "]",
                     "the licence is for operands in the certified box");
  }
}

void CertifiedProduct::multiply(const Operands& operands, std::span<std::int64_t> sums, int threads) const {
  validate(operands, name_, cols_);
  validate_result(sums.size(), operands.tokens, rows_, outputs_, name_);
  validate_threads(threads, name_);
  check_box(operands);
  check_limit(operands);
  const auto rows = static_cast<std::size_t>(rows_);
  const auto tokens = static_cast<std::size_t>(operands.tokens);
  const std::size_t block = std::min(block_tokens(order_), tokens);
  const Tasks tasks(tokens, rows, block, threads);
  for_each_task(tasks.count(), threads, [&](const auto& take) {
    Scratch scratch;
    scratch.lines.resize(lines_of(block, order_) * line_stride);
    for (std::size_t task = 0; take(task);) {
      multiply_task(operands, sums.data(), tasks[task], scratch);
    }
  });
}

void CertifiedProduct::pack_tokens(const Operands& operands, std::size_t first_chunk, std::size_t end_chunk,
                                   std::size_t first_token, std::size_t end_token, Scratch& scratch) const {
  const bool nibbles = packing_ == WeightPacking::nibbles;
  const std::size_t count = end_token - first_token;
  scratch.token_stride = lanes_per_row * (piece_segments_[order_.chunks()[end_chunk - 1].end_piece] -
                                          piece_segments_[order_.chunks()[first_chunk].first_piece]);
  scratch.token_starts.resize(nibbles ? scratch.token_stride * count : 0);
  for (std::size_t t = 0; t < count; ++t) {
    const std::uint8_t* token = operands.biased.data() + (first_token + t) * static_cast<std::size_t>(cols_);
    std::int16_t* start = scratch.token_starts.data() + t * scratch.token_stride;
    for (std::size_t c = first_chunk; c < end_chunk; ++c) {
      const Chunk& chunk = order_.chunks()[c];
      std::uint8_t* line = scratch.lines.data() + ((c - first_chunk) * count + t) * line_stride;
      order_.pack(token, chunk.begin, chunk.end, line);
      for (std::size_t j = chunk.first_piece; nibbles && j < chunk.end_piece; ++j) {
        const Piece& piece = order_.pieces()[j];
        const std::size_t end = piece.begin + 4 * piece.quads;
        for (std::size_t p = piece.begin, next = 0; p < end; p = next) {
          next = segment_end(p, end);
          std::int32_t sums[lanes_per_row] = {};
          for (std::size_t q = p; q < next; q += 4) {
            const std::uint8_t* four = line + (q - chunk.begin);
            sums[0] += four[0] + four[1];
            sums[1] += four[2] + four[3];
          }
          for (const std::int32_t sum : sums) {
            *start++ = modulo_2_16(std::int64_t{-nibble_offset} * sum);
          }
        }
      }
    }
  }
}

/// The products of one piece of one panel with a few tokens of the block, added to their sums.
void CertifiedProduct::multiply_piece(const Operands& operands, std::int64_t* sums, std::size_t panel, std::size_t j,
                                      std::size_t first_token, std::size_t count, kernel::TileWork& work) const {
  const TileLoops& loops = tile_loops_of(target_);
  const bool nibbles = packing_ == WeightPacking::nibbles;
  const auto rows = static_cast<std::size_t>(rows_);
  const auto outputs = static_cast<std::size_t>(outputs_);
  const std::size_t first_row = panel * panel_rows;
  const std::size_t present = std::min(panel_rows, rows - first_row);
  const Piece& piece = order_.pieces()[j];
  work.tokens = count;
  work.weights = weights_.data() + (panel * order_.length() + piece.begin) * panel_rows / (nibbles ? 2 : 1);
  work.products = 4 * piece.quads;
  work.tile = static_cast<std::size_t>(tile_);
  work.first = segment_end(piece.begin, piece.begin + work.products) - piece.begin;
  if (!row_starts_.empty()) {
    work.row_starts =
        row_starts_.data() + (panel * piece_segments_.back() + piece_segments_[j]) * panel_rows * lanes_per_row;
  }
  alignas(cache_line) std::int32_t added[most_tokens * panel_rows];
  (nibbles ? loops.nibbles : loops.bytes)(work, added);
  for (std::size_t t = 0; t < count; ++t) {
    const std::size_t token = first_token + t;
    std::int64_t* out = sums + (token * rows + first_row) * outputs + piece.node;
    const std::int32_t* of_token = added + t * panel_rows;
    if (piece.first) {
      const std::int64_t zero_point =
          starts_from_constant_ && !operands.zero_points.empty() ? operands.zero_points[token] : 0;
      start_sums(of_token, initial_.data() + first_row, zero_point, weight_sums_.data() + piece.node * rows + first_row,
                 present, out, outputs);
    } else {
      add_sums(of_token, present, out, outputs);
    }
  }
}

void CertifiedProduct::multiply_task(const Operands& operands, std::int64_t* sums, const Tasks::Task& task,
                                     Scratch& scratch) const {
  const std::vector<Chunk>& chunks = order_.chunks();
  const std::size_t tokens = task.end_token - task.first_token;
  const std::size_t together = chunks_together(tokens);
  for (std::size_t first_chunk = 0; first_chunk < chunks.size(); first_chunk += together) {
    const std::size_t end_chunk = std::min(first_chunk + together, chunks.size());
    pack_tokens(operands, first_chunk, end_chunk, task.first_token, task.end_token, scratch);
    const std::size_t first_segment = piece_segments_[chunks[first_chunk].first_piece];
    for (std::size_t panel = task.first_panel; panel < task.end_panel; ++panel) {
      for (std::size_t t = 0; t < tokens; t += most_tokens) {
        for (std::size_t c = first_chunk; c < end_chunk; ++c) {
          for (std::size_t j = chunks[c].first_piece; j < chunks[c].end_piece; ++j) {
            TileWork work;
            work.activations = scratch.lines.data() + ((c - first_chunk) * tokens + t) * line_stride +
                               (order_.pieces()[j].begin - chunks[c].begin);
            work.token_starts = scratch.token_starts.data() + t * scratch.token_stride +
                                lanes_per_row * (piece_segments_[j] - first_segment);
            work.token_stride = scratch.token_stride;
            multiply_piece(operands, sums, panel, j, task.first_token + t, std::min(most_tokens, tokens - t), work);
          }
        }
      }
    }
  }
}

}  // namespace axe

// Lays out the products of every register side by side, padded to four or eight, and cuts the whole into chunks: `PackedOrder`. No
// side effects.
#include "axecert/kernel/packed_order.hpp"

#include <algorithm>
#include <cstring>

#include "axecert/numeric/target_clones.hpp"

namespace axe::kernel {
namespace {

AXECERT_CLONES void widen(const std::uint8_t* operands, std::size_t count, std::uint16_t* __restrict line) {
  for (std::size_t i = 0; i < count; ++i) {
    line[i] = operands[i];
  }
}

}  // namespace

PackedOrder::PackedOrder(const Topology& topology, std::size_t s, std::size_t padding)
    : products_(static_cast<std::size_t>(topology.length())) {
  std::vector<std::vector<std::int32_t>> products(static_cast<std::size_t>(topology.nodes(s)));
  for (std::int64_t k = 0; k < topology.length(); ++k) {
    products[static_cast<std::size_t>(topology.node_of_product(s, k))].push_back(static_cast<std::int32_t>(k));
  }
  for (const std::vector<std::int32_t>& run : products) {
    runs_.push_back({source_.size(), run.size()});
    source_.insert(source_.end(), run.begin(), run.end());
    source_.resize((source_.size() + padding - 1) / padding * padding, -1);
  }
  in_place_ = true;
  for (std::size_t p = 0; p < source_.size(); ++p) {
    in_place_ = in_place_ && (p < products_ ? source_[p] == static_cast<std::int32_t>(p) : source_[p] < 0);
  }

  for (std::size_t node = 0; node < runs_.size(); ++node) {
    const std::size_t padded = (runs_[node].length + padding - 1) / padding * padding;
    for (std::size_t done = 0; done < padded;) {
      const std::size_t begin = runs_[node].begin + done;
      if (chunks_.empty() || chunks_.back().end - chunks_.back().begin == chunk_length) {
        chunks_.push_back({begin, begin, pieces_.size(), pieces_.size()});
      }
      Chunk& chunk = chunks_.back();
      const std::size_t length = std::min(padded - done, chunk_length - (chunk.end - chunk.begin));
      pieces_.push_back({node, begin, length / 4, done == 0});
      chunk.end += length;
      chunk.end_piece = pieces_.size();
      done += length;
    }
  }
}

void PackedOrder::pack(const std::uint8_t* operands, std::size_t begin, std::size_t end, std::uint8_t* line) const {
  if (in_place_) {
    const std::size_t present = std::min(end, products_) - begin;
    std::memcpy(line, operands + begin, present);
    std::memset(line + present, 0, end - begin - present);
    return;
  }
  for (std::size_t p = begin; p < end; ++p) {
    *line++ = source_[p] < 0 ? std::uint8_t{0} : operands[source_[p]];
  }
}

void PackedOrder::pack(const std::uint8_t* operands, std::size_t begin, std::size_t end, std::size_t operand_bytes,
                       void* line) const {
  if (operand_bytes == 1) {
    pack(operands, begin, end, static_cast<std::uint8_t*>(line));
    return;
  }
  std::uint8_t bytes[chunk_length];
  pack(operands, begin, end, bytes);
  to_line(bytes, end - begin, operand_bytes, line);
}

Tasks::Tasks(std::size_t tokens, std::size_t rows, std::size_t block, int threads, std::size_t least_panels)
    : tokens_(tokens),
      panels_((rows + panel_rows - 1) / panel_rows),
      block_(block),
      token_blocks_((tokens + block - 1) / block) {
  const std::size_t wanted =
      threads <= 1 ? 1 : (4 * static_cast<std::size_t>(threads) + token_blocks_ - 1) / token_blocks_;
  task_panels_ = std::max((panels_ + wanted - 1) / wanted, std::min(panels_, least_panels));
  row_blocks_ = (panels_ + task_panels_ - 1) / task_panels_;
}

Tasks::Task Tasks::operator[](std::size_t i) const {
  const std::size_t first_token = i / row_blocks_ * block_;
  const std::size_t first_panel = i % row_blocks_ * task_panels_;
  return {first_token, std::min(first_token + block_, tokens_), first_panel,
          std::min(first_panel + task_panels_, panels_)};
}

bool within_pair_weight(std::span<const std::int8_t> weights) {
  return std::all_of(weights.begin(), weights.end(),
                     [](std::int8_t w) { return w >= -pair_weight && w <= pair_weight; });
}

void to_line(const std::uint8_t* operands, std::size_t count, std::size_t operand_bytes, void* line) {
  if (operand_bytes == 1) {
    std::memcpy(line, operands, count);
  } else {
    widen(operands, count, static_cast<std::uint16_t*>(line));
  }
}

}  // namespace axe::kernel

// Lays out the products of every register side by side, padded to four or eight, and cuts the whole into chunks: `PackedOrder`. No
// side effects.
#include "axecert/kernel/packed_order.hpp"

#include <algorithm>
#include <cstring>

namespace axe::kernel {

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

}  // namespace axe::kernel

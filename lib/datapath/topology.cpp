// Which products meet in which register, for a dot product of a given length: `Topology`. Stage s cuts the values of
// the level below into blocks of group × stride; value v of block B is in lane (v mod stride), and the lane's register
// is B · stride + lane. Only the last block may be ragged, and its lanes fill from 0, so no register is empty. No side
// effects.
#include <algorithm>

#include "axecert/datapath/datapath.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

/// Values per block: one that is longer than all the values is the same as one of them all.
std::int64_t block_length(const Stage& stage, std::int64_t values) {
  const int128 length = static_cast<int128>(stage.group) * stage.stride;
  return stage.group == 0 || length > values ? values : static_cast<std::int64_t>(length);
}

std::int64_t registers(const Stage& stage, std::int64_t values) {
  const std::int64_t block = block_length(stage, values);
  const std::int64_t whole = values / block;
  const std::int64_t rest = values % block;
  // One block may hold fewer values than it has lanes.
  return whole * std::min(stage.stride, block) + std::min(stage.stride, rest);
}

}  // namespace

Topology::Topology(const Datapath& datapath, std::int64_t length) : stages_(datapath.stages), length_(length) {
  validate(datapath);
  if (length < 1) {
    throw InputError("datapath '" + datapath.name + "'", "a dot product of " + std::to_string(length) + " terms",
                     "at least one term");
  }
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    counts_.push_back(registers(stages_[s], values(s)));
    if (stages_[s].initial == Initial::constant && counts_[s] > 1) {
      throw InputError("datapath '" + datapath.name + "', stage '" + stages_[s].name + "'",
                       std::to_string(counts_[s]) +
                           " registers per row start from the row's constant, which is then "
                           "added as often",
                       "let a stage with group = \"all\" start from it");
    }
  }
}

bool Topology::starts_from_constant() const {
  return std::any_of(stages_.begin(), stages_.end(),
                     [](const Stage& stage) { return stage.initial == Initial::constant; });
}

std::int64_t Topology::block(std::size_t s) const {
  return block_length(stages_[s], values(s));
}

std::int64_t Topology::node_of_value(std::size_t s, std::int64_t v) const {
  const std::int64_t stride = stages_[s].stride;
  const std::int64_t length = block(s);
  return v / length * std::min(stride, length) + v % length % stride;
}

std::int64_t Topology::node_of_product(std::size_t s, std::int64_t k) const {
  std::int64_t node = k;
  for (std::size_t t = 0; t <= s; ++t) {
    node = node_of_value(t, node);
  }
  return node;
}

std::vector<std::int64_t> Topology::nodes_of_products(std::size_t s) const {
  std::vector<std::int64_t> nodes(static_cast<std::size_t>(length_));
  for (std::int64_t k = 0; k < length_; ++k) {
    nodes[static_cast<std::size_t>(k)] = node_of_product(s, k);
  }
  return nodes;
}

std::vector<std::int64_t> Topology::values_of(std::size_t s, std::int64_t node) const {
  const std::int64_t stride = stages_[s].stride;
  const std::int64_t length = block(s);
  const std::int64_t lanes = std::min(stride, length);
  const std::int64_t begin = node / lanes * length;
  const std::int64_t end = std::min(begin + length, values(s));
  std::vector<std::int64_t> result;
  for (std::int64_t v = begin + node % lanes; v < end; v += stride) {
    result.push_back(v);
  }
  return result;
}

std::vector<std::int64_t> Topology::products_of(std::size_t s, std::int64_t node) const {
  std::vector<std::int64_t> result = values_of(s, node);
  for (std::size_t t = s; t-- > 0;) {
    std::vector<std::int64_t> below;
    for (const std::int64_t v : result) {
      const std::vector<std::int64_t> part = values_of(t, v);
      below.insert(below.end(), part.begin(), part.end());
    }
    result = std::move(below);
  }
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace axe

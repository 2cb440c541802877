// Σ|x| per register, one token at a time. `OperandMagnitudes::worst` is the main function. No side effects.
#include "axecert/bound/operand_magnitudes.hpp"

#include <cstdlib>

namespace axe {

OperandMagnitudes::OperandMagnitudes(const Topology& topology)
    : register_of_(topology.nodes_of_products(0)), registers_(static_cast<std::size_t>(topology.nodes(0))) {}

std::size_t OperandMagnitudes::inputs() const {
  return register_of_.size();
}

OperandMagnitudes::Worst OperandMagnitudes::worst(const std::uint8_t* biased, std::int32_t base,
                                                  std::vector<std::int64_t>& scratch) const {
  scratch.assign(registers_, 0);
  for (std::size_t k = 0; k < register_of_.size(); ++k) {
    scratch[static_cast<std::size_t>(register_of_[k])] += std::abs(static_cast<std::int32_t>(biased[k]) + base);
  }
  Worst found;
  for (std::size_t n = 0; n < registers_; ++n) {
    found = scratch[n] > found.sum ? Worst{n, scratch[n]} : found;
  }
  return found;
}

}  // namespace axe

// Σ|x| of the operands of each register of the lowest stage, as kernels hold operands: what an input limit speaks of. No side
// effects.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "axecert/datapath/datapath.hpp"

namespace axe {

/// Adds up the magnitudes of one token after another; keeps the map from inputs to registers.
class OperandMagnitudes {
 public:
  explicit OperandMagnitudes(const Topology& topology)
      : register_of_(topology.nodes_of_products(0)), registers_(static_cast<std::size_t>(topology.nodes(0))) {}

  std::size_t inputs() const { return register_of_.size(); }

  /// The register whose operands biased_k + base [inputs()] have the largest sum of magnitudes, the first of equals.
  struct Worst {
    std::size_t node = 0;
    std::int64_t sum = 0;
  };
  Worst worst(const std::uint8_t* biased, std::int32_t base, std::vector<std::int64_t>& scratch) const {
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

 private:
  std::vector<std::int64_t> register_of_;  // [inputs]
  std::size_t registers_;
};

}  // namespace axe

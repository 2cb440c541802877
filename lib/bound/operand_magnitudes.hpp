// Σ|x| of the operands of each register of the lowest stage, as kernels hold operands: what an input limit speaks of. No side
// effects.
#pragma once

#include <cstdint>
#include <vector>

#include "axecert/datapath/datapath.hpp"

namespace axe {

/// Adds up the magnitudes of one token after another; keeps the map from inputs to registers.
class OperandMagnitudes {
 public:
  explicit OperandMagnitudes(const Topology& topology);

  std::size_t inputs() const;

  /// The register whose operands biased_k + base [inputs()] have the largest sum of magnitudes, the first of equals.
  struct Worst {
    std::size_t node = 0;
    std::int64_t sum = 0;
  };
  Worst worst(const std::uint8_t* biased, std::int32_t base, std::vector<std::int64_t>& scratch) const;

 private:
  std::vector<std::int64_t> register_of_;  // [inputs]
  std::size_t registers_;
};

}  // namespace axe

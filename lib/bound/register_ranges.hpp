// Ranges of the registers of one stage of one row, while they are being computed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace axe {

struct RegisterRanges {
  std::vector<std::int64_t> lower;
  std::vector<std::int64_t> upper;

  void resize(std::size_t size) {
    lower.resize(size);
    upper.resize(size);
  }
  void assign_zero(std::size_t size) {
    lower.assign(size, 0);
    upper.assign(size, 0);
  }
};

}  // namespace axe

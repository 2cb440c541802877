// The largest sum of products when the inputs' magnitudes add up to a limit at most. `LimitedSum` is the main class. No side
// effects.
#pragma once

#include <array>
#include <cstdint>

#include "axecert/datapath/datapath.hpp"

namespace axe {

/// max Σ w_k x_k over 0 ≤ s_k x_k ≤ c_k (s_k the sign of w_k) and Σ |x_k| ≤ L: what L is spent on first are the largest
/// weights. By linear duality it is also the least, over θ ≥ 0, of θ L + Σ (|w_k| − θ)⁺ c_k: the greedy choice is a fractional
/// knapsack whose solution is integral here, since every unit of |x| weighs the same. |w| ≤ 128.
class LimitedSum {
 public:
  /// A product whose input may reach magnitude `cap` ≥ 0 in the direction that helps.
  void add(std::int64_t weight, std::int64_t cap) {
    caps_[static_cast<std::size_t>(weight < 0 ? -weight : weight)] += cap;
  }
  /// The largest limit whose maximum is at most `sum` ≥ 0, largest_input_limit when all products together are; keeps them.
  std::int64_t limit_for(std::int64_t sum) const;
  /// The maximum under `limit`; forgets all products.
  std::int64_t take(std::int64_t limit);

 private:
  std::array<std::int64_t, 129> caps_{};  // by |w|
};

}  // namespace axe

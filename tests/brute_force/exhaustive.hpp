// What a dot product can do, by executing all of it: every input of the box, and every order in which one register may add its values.
// Main functions: for_all_inputs, keeps_limit, Seen::play. Used by property/brute_force_bound.cpp and by the tool of this folder. No side effects.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "axecert/bound/range.hpp"

namespace axe::exhaustive {

/// Calls `visit` with every input vector in the boxes.
template <class Visit>
void for_all_inputs(const IntegerLayer& layer, Visit visit) {
  std::vector<std::int32_t> x(static_cast<std::size_t>(layer.cols));
  for (std::int64_t k = 0; k < layer.cols; ++k) {
    x[static_cast<std::size_t>(k)] = layer.lower(k);
  }
  for (;;) {
    visit(x);
    std::size_t k = 0;
    while (k < x.size() && x[k] == layer.upper(static_cast<std::int64_t>(k))) {
      x[k] = layer.lower(static_cast<std::int64_t>(k));
      ++k;
    }
    if (k == x.size()) {
      return;
    }
    ++x[k];
  }
}

/// Σ|x| of every register of the lowest stage, given by its products, is within the layer's limit.
inline bool keeps_limit(const IntegerLayer& layer, const std::vector<std::vector<std::int64_t>>& lowest,
                        const std::vector<std::int32_t>& x) {
  return layer.input_limit == 0 || std::all_of(lowest.begin(), lowest.end(), [&](const auto& products) {
           std::int64_t sum = 0;
           for (const std::int64_t k : products) {
             sum += std::abs(std::int64_t{x[static_cast<std::size_t>(k)]});
           }
           return sum <= layer.input_limit;
         });
}

/// One register's additions, played through in every order: the smallest and largest partial and final sums ever seen.
struct Seen {
  IntegerRange partial{INT64_MAX, INT64_MIN};
  IntegerRange final{INT64_MAX, INT64_MIN};

  static void widen(IntegerRange& range, std::int64_t value) {
    range.lower = std::min(range.lower, value);
    range.upper = std::max(range.upper, value);
  }

  /// Calls `order` with every order of `values`.
  template <class Visit>
  static void for_all_orders(std::vector<std::int64_t> values, Visit order) {
    std::sort(values.begin(), values.end());
    do {
      order(values);
    } while (std::next_permutation(values.begin(), values.end()));
  }

  void play(std::int64_t initial, const std::vector<std::int64_t>& values) {
    for_all_orders(values, [&](const std::vector<std::int64_t>& ordered) {
      std::int64_t sum = initial;
      widen(partial, sum);
      for (const std::int64_t value : ordered) {
        sum += value;
        widen(partial, sum);
      }
      widen(final, sum);
    });
  }
};

/// bias + Σ w (offset − z) of row 0; bias and offset as IntegerLayer has them.
inline std::int64_t constant_at(const IntegerLayer& layer, std::int64_t z) {
  std::int64_t constant = layer.bias.empty() ? 0 : layer.bias[0];
  for (std::size_t k = 0; k < static_cast<std::size_t>(layer.cols); ++k) {
    const std::int64_t offset = layer.offset.empty() ? 0 : layer.offset[layer.offset.size() == 1 ? 0 : k];
    constant += layer.weights[k] * (offset - z);
  }
  return constant;
}

}  // namespace axe::exhaustive

// Dot products as questions: their operands, their exact value, and a compact form that is kept for every question asked.
// No side effects.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace axe {

/// Σ w_k x_k, k < length: equally many activations and weights.
struct DotProduct {
  std::vector<std::int32_t> x;
  std::vector<std::int8_t> w;
  std::int64_t length() const { return static_cast<std::int64_t>(x.size()); }
  friend bool operator==(const DotProduct&, const DotProduct&) = default;
};

/// Σ w_k x_k over the integers: |x| ≤ 2^24, |w| ≤ 2^7 and at most 2^24 terms stay below 2^55.
std::int64_t exact_value(const DotProduct& question);
/// A question of operands in the box's codes: operand = code + offset.
DotProduct in_codes(DotProduct question, std::int64_t offset);
/// Σ w_k.
std::int64_t weight_sum(const DotProduct& question);

/// Consecutive products with the same operands.
struct ProductRun {
  std::int64_t count = 0;
  std::int32_t x = 0;
  std::int8_t w = 0;
  friend bool operator==(const ProductRun&, const ProductRun&) = default;
};

/// A question with the box's answer.
struct AnsweredQuestion {
  std::vector<ProductRun> runs;
  std::int64_t answer = 0;
};
std::vector<ProductRun> runs_of(const DotProduct& question);
DotProduct dot_product_of(const std::vector<ProductRun>& runs);

/// "255·127 × 2, 0 × 8,190": at most `most` runs.
std::string runs_in_words(const std::vector<ProductRun>& runs, std::size_t most = 8);

}  // namespace axe

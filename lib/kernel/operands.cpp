// What a product asks of its operands before it reads them: `validate`. No side effects.
#include "axecert/kernel/operands.hpp"

#include <algorithm>
#include <cstdlib>

#include "axecert/datapath/datapath.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

std::string place_of(const std::string& layer) {
  return "product of layer '" + layer + "'";
}

}  // namespace

void validate(const Operands& operands, const std::string& layer, std::int64_t cols) {
  if (operands.tokens < 1 ||
      static_cast<int128>(operands.tokens) * cols != static_cast<int128>(operands.biased.size())) {
    throw InputError(place_of(layer),
                     std::to_string(operands.biased.size()) + " operands for " + std::to_string(operands.tokens) +
                         " tokens of " + std::to_string(cols) + " channels",
                     "give tokens × cols, at least one token");
  }
  const std::int64_t base = operands.base;
  if (std::abs(base) > largest_operand || std::abs(base + 255) > largest_operand) {
    throw InputError(place_of(layer), "base " + std::to_string(base),
                     "operands base to base + 255 within ±" + std::to_string(largest_operand));
  }
  if (!operands.zero_points.empty() && operands.zero_points.size() != static_cast<std::size_t>(operands.tokens)) {
    throw InputError(
        place_of(layer),
        std::to_string(operands.zero_points.size()) + " zero points for " + std::to_string(operands.tokens) + " tokens",
        "give one per token, or none");
  }
  for (std::size_t i = 0; i < operands.zero_points.size(); ++i) {
    if (operands.zero_points[i] < 0 || operands.zero_points[i] > largest_operand) {
      throw InputError(place_of(layer),
                       "zero point " + std::to_string(operands.zero_points[i]) + " of token " + std::to_string(i),
                       "0 to " + std::to_string(largest_operand));
    }
  }
}

void validate_result(std::size_t entries, std::int64_t tokens, std::int64_t rows, std::int64_t outputs,
                     const std::string& layer) {
  if (static_cast<int128>(tokens) * rows * outputs != static_cast<int128>(entries)) {
    throw InputError(place_of(layer),
                     "room for " + std::to_string(entries) + " sums, not " + std::to_string(tokens) + " tokens × " +
                         std::to_string(rows) + " rows × " + std::to_string(outputs) + " registers",
                     "give tokens × rows × outputs");
  }
}

std::int64_t reach(const Operands& operands, std::int64_t l1, std::int64_t constant) {
  const std::int64_t lower = operands.base, upper = lower + 255;
  const std::int64_t zero_point =
      operands.zero_points.empty() ? 0 : *std::max_element(operands.zero_points.begin(), operands.zero_points.end());
  return (std::max(std::abs(lower), std::abs(upper)) + zero_point) * l1 + constant;
}

void validate_threads(int threads, const std::string& layer) {
  if (threads < 1) {
    throw InputError(place_of(layer), std::to_string(threads) + " threads", "at least one");
  }
}

}  // namespace axe

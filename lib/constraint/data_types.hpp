// Data types alone, the naive baseline: choose bit widths so small that no weights whatever can overflow. `data_types_that_fit`
// is the main function. No side effects. Sources: A2Q (arXiv 2301.13376) eqs. 9–10; bound/range.hpp for the bound itself.
#pragma once

#include <cstdint>
#include <vector>

#include "axecert/bound/range.hpp"

namespace axe {

/// M-bit signed weights, N-bit activations.
struct BitWidths {
  int weights = 0;
  int activations = 0;
  friend bool operator==(const BitWidths&, const BitWidths&) = default;
};

/// Which bound decides: the published formula, or the exact extreme sum (up to one bit less).
enum class DataTypeRule { paper, exact };

/// Every (M, N), 2 ≤ M ≤ most.weights, 1 ≤ N ≤ most.activations, whose data-type bound for dot products of `length` terms (K, or
/// the tile's T) is at most `accumulator_bits`; by descending M, then descending N. Empty when none fits. Throws InputError
/// unless length ≥ 1, 1 ≤ accumulator_bits ≤ 64 and 1 to 32 bits are asked for.
std::vector<BitWidths> data_types_that_fit(std::int64_t length, int accumulator_bits, bool activations_signed,
                                           DataTypeRule rule = DataTypeRule::exact, BitWidths most = {8, 8});

/// Whether `length` products of any weights and inputs in these ranges, with every partial sum, stay inside `limits`. This is
/// the exact bound for ranges that are no data types (re-centred or clamped codes). Throws InputError on empty ranges or length < 1.
bool every_choice_fits(std::int64_t length, IntegerRange weights, IntegerRange inputs, IntegerRange limits);

}  // namespace axe

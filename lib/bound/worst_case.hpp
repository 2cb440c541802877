// What a datapath alone promises, whatever the weights: per stage, how far a register can get when every operand takes its most
// unfavourable value, how many products fit even so, and which inputs would be safe where they do not. `worst_case` is the main
// function. No side effects.
#pragma once

#include <cstdint>
#include <vector>

#include "axecert/datapath/datapath.hpp"

namespace axe {

struct StageWorstCase {
  /// Most products below one register; 0: as many as the row has, and then the members below speak of a row of one product.
  std::int64_t products = 0;
  IntegerRange
      reach;  ///< of the exact sum of so many products and of every subset of them; the row's constant is left out
  bool fits = false;  ///< `reach` lies within the register's limits
  std::int64_t most_products =
      0;  ///< as many always fit, and one more does not; at most `largest_length`, which is "any row"
  /// The inputs within the datapath's for which every choice of weights fits; one step beyond either end, and not at the
  /// datapath's own, some weights overflow. `lower > upper`: there are none.
  IntegerRange safe_inputs;
};

/// One entry per stage of `datapath`, lowest first. Of operands w in [w1, w2] and x, n products reach n·w·x at most, and subsets
/// of them nothing beyond; so x is safe iff n·w1·x and n·w2·x both lie within the limits. Throws InputError as `validate` does.
std::vector<StageWorstCase> worst_case(const Datapath& datapath);

}  // namespace axe

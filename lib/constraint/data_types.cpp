// The naive baseline: tries every pair of bit widths against the data-type bound, and bounds ranges at their corners. Main
// function: `data_types_that_fit`. No side effects.
#include "axecert/constraint/data_types.hpp"

#include <algorithm>
#include <iterator>
#include <string>

#include "axecert/numeric/error.hpp"

#include "axecert/numeric/error.hpp"

namespace axe {

std::vector<BitWidths> data_types_that_fit(std::int64_t length, int accumulator_bits, bool activations_signed,
                                           DataTypeRule rule, BitWidths most) {
  if (accumulator_bits < 1 || accumulator_bits > 64) {
    throw InputError("data types", "an accumulator of " + std::to_string(accumulator_bits) + " bits", "1 to 64 bits");
  }
  if (most.weights < 1 || most.weights > 32 || most.activations < 1 || most.activations > 32) {
    throw InputError("data types", "operands of more than 32 bits or less than one", "1 to 32 bits");
  }
  if (length < 1) {
    throw InputError("data types", "a dot product of " + std::to_string(length) + " terms", "at least one term");
  }
  std::vector<BitWidths> result;
  for (int m = most.weights; m >= 2; --m) {
    for (int n = most.activations; n >= 1; --n) {
      const DataTypeBound bound = data_type_bound(length, m, n, activations_signed);
      if ((rule == DataTypeRule::exact ? bound.exact : bound.paper) <= accumulator_bits) {
        result.push_back({m, n});
      }
    }
  }
  return result;
}

bool every_choice_fits(std::int64_t length, IntegerRange weights, IntegerRange inputs, IntegerRange limits) {
  if (length < 1 || weights.lower > weights.upper || inputs.lower > inputs.upper) {
    throw InputError("data types", "an empty range or dot product", "at least one term, lower <= upper");
  }
  // A product is bilinear, so its extremes are at the corners; a partial sum may be empty, hence 0. Each product is below
  // 2^126 in size; the division by length keeps the comparison inside 128 bits.
  const int128 corners[] = {0, int128{weights.lower} * inputs.lower, int128{weights.lower} * inputs.upper,
                            int128{weights.upper} * inputs.lower, int128{weights.upper} * inputs.upper};
  const int128 highest = *std::max_element(std::begin(corners), std::end(corners));
  const int128 lowest = *std::min_element(std::begin(corners), std::end(corners));
  // length · highest ≤ upper  ⇔  highest ≤ ⌊upper / length⌋, and likewise below.
  return highest <= floor_div(limits.upper, length) && lowest >= ceil_div(limits.lower, length);
}

}  // namespace axe

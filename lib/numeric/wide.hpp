// Exact integers wider than a machine word, and the few operations on them that the rooms above share: checked
// narrowing, division that rounds towards minus or plus infinity, decimal text. Nothing here rounds, wraps or aborts:
// what does not fit throws OutOfRange.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace axe {

__extension__ typedef __int128 int128;  // exact sums of products of machine integers
__extension__ typedef unsigned __int128 uint128;

/// An integer did not fit where it was put; the message names the value and the place.
struct OutOfRange : std::range_error {
  using std::range_error::range_error;
};

/// Decimal text of `value`, for example "-170141183460469231731687303715884105728".
std::string to_string(int128 value);

/// `value` as a 64-bit integer. Throws OutOfRange with `what` in the message when it does not fit.
std::int64_t narrow(int128 value, const char* what);

/// ⌊a / b⌋ for b > 0.
constexpr int128 floor_div(int128 a, int128 b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

/// ⌈a / b⌉ for b > 0.
constexpr int128 ceil_div(int128 a, int128 b) {
  return a / b + (a % b > 0 ? 1 : 0);
}

/// ⌈log2(n)⌉ for n ≥ 1, by integers: the number of bits that a sum of n values can add to one value's width.
constexpr int ceil_log2(std::uint64_t n) {
  int bits = 0;
  for (std::uint64_t power = 1; bits < 64 && power < n; power <<= 1) {
    ++bits;
  }
  return bits;
}

}  // namespace axe

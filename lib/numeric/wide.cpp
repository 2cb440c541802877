// Decimal text and checked narrowing of 128-bit integers. Main functions: `to_string`, `narrow`. No side effects.
#include "axecert/numeric/wide.hpp"

#include <algorithm>

namespace axe {

std::string to_string(int128 value) {
  const bool negative = value < 0;
  // −(value + 1) + 1 in unsigned arithmetic: the smallest int128 has no positive counterpart.
  uint128 rest = negative ? static_cast<uint128>(-(value + 1)) + 1 : static_cast<uint128>(value);
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
    rest /= 10;
  } while (rest != 0);
  if (negative) {
    digits.push_back('-');
  }
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::int64_t narrow(int128 value, const char* what) {
  if (value < INT64_MIN || value > INT64_MAX) {
    throw OutOfRange(std::string(what) + ": " + to_string(value) + " does not fit in 64 bits");
  }
  return static_cast<std::int64_t>(value);
}

}  // namespace axe

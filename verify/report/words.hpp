// Numbers and witnesses in words that people read: thousands separated, ranges in brackets, runs of equal values counted.
// No side effects.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "axecert/datapath/datapath.hpp"

namespace axe {

/// "-32,767".
std::string in_words(std::int64_t value);
/// "[-32,767, 32,767]".
std::string in_words(IntegerRange range);
/// "0.4 ms", "3.1 s", "2.0 min".
std::string seconds_in_words(double seconds);
/// "79 %"; `fraction` 0.79. One digit more below 10 %; "< 0.1 %" for less.
std::string percent(double fraction);

/// A run of equal values at consecutive positions.
struct Run {
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::int64_t value = 0;
};
std::vector<Run> runs(std::span<const std::int32_t> values);

/// "255 × 12, 0 × 3, … 40 more runs": at most `most` runs.
std::string runs_in_words(std::span<const std::int32_t> values, std::size_t most = 12);

}  // namespace axe

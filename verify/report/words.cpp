// How numbers, times, shares and runs of equal inputs are spelled in reports. See words.hpp. No side effects.
#include "axecert/report/words.hpp"

#include <cmath>
#include <cstdio>

namespace axe {

std::string in_words(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t sign = value < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > sign + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string in_words(IntegerRange range) {
  return "[" + in_words(range.lower) + ", " + in_words(range.upper) + "]";
}

std::string seconds_in_words(double seconds) {
  char text[32];
  if (seconds < 1) {
    std::snprintf(text, sizeof text, seconds < 0.01 ? "%.1f ms" : "%.0f ms", seconds * 1e3);
  } else if (seconds < 120) {
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  } else {
    std::snprintf(text, sizeof text, "%.1f min", seconds / 60);
  }
  return text;
}

std::string percent(double fraction) {
  if (fraction > 0 && fraction < 0.001) {
    return "< 0.1 %";
  }
  char text[32];
  std::snprintf(text, sizeof text, std::fabs(fraction) < 0.1 ? "%.1f %%" : "%.0f %%", fraction * 100);
  return text;
}

std::vector<Run> runs(std::span<const std::int32_t> values) {
  std::vector<Run> result;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (result.empty() || result.back().value != values[i]) {
      result.push_back({static_cast<std::int64_t>(i), 0, values[i]});
    }
    ++result.back().count;
  }
  return result;
}

std::string runs_in_words(std::span<const std::int32_t> values, std::size_t most) {
  const std::vector<Run> all = runs(values);
  std::string text;
  for (std::size_t i = 0; i < all.size() && i < most; ++i) {
    text +=
        (text.empty() ? "" : ", ") + in_words(all[i].value) + (all[i].count == 1 ? "" : " × " + in_words(all[i].count));
  }
  if (all.size() > most) {
    const std::size_t more = all.size() - most;
    text += ", … " + in_words(static_cast<std::int64_t>(more)) + (more == 1 ? " more run" : " more runs");
  }
  return text;
}

}  // namespace axe

// Escapes text that comes from files, character by character of its UTF-8. See markup.hpp; `escaped_markup` is the main function.
// No side effects.
#include "axecert/report/markup.hpp"

#include <cstdint>
#include <cstring>

namespace axe {
namespace {

constexpr const char* replacement = "\xEF\xBF\xBD";

/// Length of the UTF-8 character at `at`; 0 when there is none that XML 1.0 allows (2.2: tab, line feed, carriage return, U+20 to
/// U+D7FF, U+E000 to U+FFFD, U+10000 to U+10FFFF).
std::size_t character_at(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const std::uint32_t first = byte(at);
  if (first < 0x80) {
    return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
  }
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  std::uint32_t point = first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) {
      return 0;
    }
    point = point << 6 | (byte(at + i) & 0x3F);
  }
  const std::uint32_t least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  const bool allowed =
      point >= least && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF) && point != 0xFFFE && point != 0xFFFF;
  return first >= 0xC0 && first < 0xF8 && allowed ? length : 0;
}

}  // namespace

std::string escaped_markup(const std::string& text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_at(text, at);
    if (length == 0) {
      result += replacement;
      ++at;
      continue;
    }
    switch (text[at]) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result.append(text, at, length);
    }
    at += length;
  }
  return result;
}

std::string escaped_markdown(const std::string& text) {
  std::string result;
  for (const char c : escaped_markup(text)) {
    if (c == '\n' || c == '\r' || c == '\t') {
      result += ' ';
      continue;
    }
    if (std::strchr("\\|*_`[]~", c) != nullptr) {
      result += '\\';
    }
    result += c;
  }
  return result;
}

}  // namespace axe

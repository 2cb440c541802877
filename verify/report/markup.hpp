// Text that comes from files, made safe inside HTML, XML and Markdown. No side effects.
#pragma once

#include <string>

namespace axe {

/// For HTML and XML 1.0, in text and in quoted attributes: & < > " ' become entities; bytes that are not UTF-8, and characters
/// that XML does not allow, become U+FFFD.
std::string escaped_markup(const std::string& text);

/// For a cell of a Markdown table: in addition | and the characters that start emphasis, code or links are escaped, and line
/// breaks become spaces.
std::string escaped_markdown(const std::string& text);

}  // namespace axe

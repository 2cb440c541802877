// The study as a picture and as a table. `chart_svg` and `table_markdown` are the main functions. No side effects.
#pragma once

#include <string>

#include "study.hpp"

namespace digits {

/// A self-contained SVG, legible on light and dark pages.
std::string chart_svg(const Study& study);

/// Tables, one per panel, with what stands in them explained.
std::string table_markdown(const Study& study);

}  // namespace digits

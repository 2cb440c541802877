// A datapath as the command line names it. The errors are usage errors, and a misspelt preset is told its nearest name.
#pragma once

#include <string>

#include "axecert/datapath/datapath.hpp"

namespace axe::cli {

/// A shorthand, a preset or a TOML file. Failure 64; 66 for a TOML file that is not there.
Datapath datapath_argument(const std::string& text);

/// The stages of `datapath` drawn in text, lowest first, one box each.
std::string drawing(const Datapath& datapath);

}  // namespace axe::cli

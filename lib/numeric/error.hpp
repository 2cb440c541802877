// The one exception that bad input raises: what is wrong, where, and what to do about it. Functions that read files or
// text from people throw it; the command line prints it and exits with a code of sysexits.h.
#pragma once

#include <stdexcept>
#include <string>

namespace axe {

/// Bad input. `what()` reads "PLACE: PROBLEM (REMEDY)".
class InputError : public std::runtime_error {
 public:
  InputError(const std::string& place, const std::string& problem, const std::string& remedy)
      : std::runtime_error(place + ": " + problem + (remedy.empty() ? "" : " (" + remedy + ")")) {}
};

}  // namespace axe

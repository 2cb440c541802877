// The one exception that bad input raises: what is wrong, where, and what to do about it. Functions that read files or
// text from people throw it; the command line prints it and exits with a code of sysexits.h.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace axe {

/// Bad input. `what()` reads "PLACE: PROBLEM (REMEDY)"; the three parts are kept for bindings to other languages.
class InputError : public std::runtime_error {
 public:
  InputError(std::string place, std::string problem, std::string remedy)
      : std::runtime_error(place + ": " + problem + (remedy.empty() ? "" : " (" + remedy + ")")),
        place_(std::move(place)),
        problem_(std::move(problem)),
        remedy_(std::move(remedy)) {}

  const std::string& place() const { return place_; }
  const std::string& problem() const { return problem_; }
  const std::string& remedy() const { return remedy_; }

 private:
  std::string place_, problem_, remedy_;
};

}  // namespace axe

// What an action that must be refused says: `refusal`. No side effects but the action's.
#pragma once

#include <functional>
#include <string>

#include "axecert/numeric/error.hpp"

namespace axe::test {

/// The message of the InputError that `action` throws; empty when it throws none.
inline std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace axe::test

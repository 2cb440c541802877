// JSON that nothing is lost of: nlohmann's parser keeps the last of two equal keys, `strict_json` refuses them. No side effects.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "axecert/numeric/error.hpp"

namespace axe {

/// `text` parsed. Throws InputError at `where`, about `what` ("the header"), when it is no JSON, nested deeper than `deepest`, or an
/// object of it has a key twice.
inline nlohmann::json strict_json(const std::string& text, const std::string& where, const std::string& what,
                                  int deepest) {
  using nlohmann::json;
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > deepest) {
      throw InputError(where, what + " is nested too deeply", "the file is damaged");
    }
    if (event == json::parse_event_t::object_start) {
      keys.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      throw InputError(where, "'" + parsed.get<std::string>() + "' stands twice in " + what,
                       "give every array its own name");
    }
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::exception& error) {
    throw InputError(where, what + " is not JSON: " + error.what(), "the file is damaged, or of another format");
  }
}

}  // namespace axe

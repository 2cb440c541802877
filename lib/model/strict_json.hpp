// JSON that nothing is lost of: nlohmann's parser keeps the last of two equal keys, `strict_json` refuses them. No side effects.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "axecert/numeric/error.hpp"

namespace axe {

/// Looks at every key and at every depth before the document is made. (nlohmann's parser with a callback does both at once, in time with
/// the square of the number of an object's members that are objects.)
class StrictJson : public nlohmann::json_sax<nlohmann::json> {
 public:
  StrictJson(const std::string& where, const std::string& what, int deepest)
      : where_(where), what_(what), deepest_(static_cast<std::size_t>(deepest)) {}

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool string(string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }
  bool start_array(std::size_t) override { return open(); }
  bool start_object(std::size_t) override { return open(); }
  bool end_array() override { return close(); }
  bool end_object() override { return close(); }
  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second) {
      throw InputError(where_, "'" + name + "' stands twice in " + what_, "give every array its own name");
    }
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override { return false; }

 private:
  bool value() const {
    if (keys_.size() > deepest_) {
      throw InputError(where_, what_ + " is nested too deeply", "the file is damaged");
    }
    return true;
  }
  bool open() {
    value();
    keys_.emplace_back();
    return true;
  }
  bool close() {
    keys_.pop_back();
    return true;
  }

  const std::string& where_;
  const std::string& what_;
  std::size_t deepest_;
  std::vector<std::set<std::string>> keys_;  // of every object and array that is open
};

/// `text` parsed. Throws InputError at `where`, about `what` ("the header"), when it is no JSON, nested deeper than `deepest`, or an
/// object of it has a key twice.
inline nlohmann::json strict_json(const std::string& text, const std::string& where, const std::string& what,
                                  int deepest) {
  try {
    StrictJson strict(where, what, deepest);
    nlohmann::json::sax_parse(text, &strict);
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw InputError(where, what + " is not JSON: " + error.what(), "the file is damaged, or of another format");
  }
}

}  // namespace axe

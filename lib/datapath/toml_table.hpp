// Strict reading of TOML: what datapaths and policies have in common. `TomlTable` is the main class. No side effects.
#pragma once

#include <toml++/toml.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "axecert/datapath/datapath.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {

/// FILE:LINE:COLUMN.
inline std::string toml_place(const std::string& where, const toml::source_position& position) {
  return where + ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
}

/// The most dots in a key. toml++ limits how deep values nest, but not keys, and is recursive in both.
constexpr int most_dots = 8;

/// Whether a key has more dots than most_dots, strings and comments left out.
inline bool has_deep_key(std::string_view text) {
  int dots = 0;
  for (std::size_t i = 0; i < text.size() && dots <= most_dots; ++i) {
    const char c = text[i];
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
      dots = 0;
    } else if (c == '"' || c == '\'') {
      const bool several_lines = text.substr(i, 3) == std::string(3, c);
      const std::string end = several_lines ? std::string(3, c) : std::string(1, c);
      for (i += end.size(); i < text.size() && text.substr(i, end.size()) != end && (several_lines || text[i] != '\n');
           ++i) {
        if (c == '"' && text[i] == '\\') {
          ++i;
        }
      }
      i += end.size() - 1;
      for (int more = 0; several_lines && more < 2 && i + 1 < text.size() && text[i + 1] == c; ++more) {
        ++i;  // a text may end with quotes
      }
    } else {
      dots = c == '.' ? dots + 1 : std::string_view("=,[]{}\n").find(c) != std::string_view::npos ? 0 : dots;
    }
  }
  return dots > most_dots;
}

/// `text` as a document; InputError with the place of what is no TOML. `where` is its name in messages.
inline toml::table toml_document(std::string_view text, const std::string& where) {
  if (text.size() > longest_toml) {
    throw InputError(where, "is longer than 1 MiB", "is it a file of another kind?");
  }
  if (has_deep_key(text)) {
    throw InputError(where, "has a key with more than " + std::to_string(most_dots) + " dots",
                     "the file must be nested less deeply");
  }
  try {
    return toml::parse(text, std::string_view(where));
  } catch (const toml::parse_error& error) {
    throw InputError(toml_place(where, error.source().begin), std::string(error.description()),
                     "the file must be valid TOML");
  }
}

/// One table of a file, its errors and the keys it may have. `what` is its name in messages. InputError (FILE:LINE:COLUMN, problem, remedy) for an unknown
/// key, and from every reader below for a value of another kind.
class TomlTable {
 public:
  TomlTable(const toml::table& table, std::string where, std::string what, std::initializer_list<const char*> keys)
      : table_(table), where_(std::move(where)), what_(std::move(what)) {
    std::string known;
    for (const char* key : keys) {
      known += (known.empty() ? "" : ", ") + std::string(key);
    }
    for (const auto& [key, node] : table_) {
      bool found = false;
      for (const char* k : keys) {
        found = found || key.str() == k;
      }
      if (!found) {
        throw InputError(toml_place(where_, key.source().begin), "unknown key " + quoted(key.str()) + " in " + what_,
                         "keys are " + known);
      }
    }
  }

  const toml::node* find(const char* key) const { return table_.get(key); }

  const toml::node& required(const char* key, const std::string& remedy = "add it") const {
    const toml::node* node = find(key);
    if (node == nullptr) {
      throw InputError(at(where_, table_), what_ + " lacks " + quoted(key), remedy);
    }
    return *node;
  }

  [[noreturn]] void refuse(const toml::node& node, const std::string& problem, const std::string& remedy) const {
    throw InputError(at(where_, node), problem, remedy);
  }

  std::string text(const toml::node& node, const std::string& key) const {
    if (!node.is_string()) {
      refuse(node, quoted(key) + " is not a text", "write it in quotes");
    }
    return node.as_string()->get();
  }

  std::string text_or_none(const char* key) const {
    const toml::node* node = find(key);
    return node == nullptr ? "" : text(*node, key);
  }

  std::int64_t integer(const toml::node& node, const std::string& key) const {
    if (!node.is_integer()) {
      refuse(node, quoted(key) + " is not an integer", "write a whole number");
    }
    return node.as_integer()->get();
  }

  std::int64_t integer_in(const char* key, const toml::node& node, std::int64_t lower, std::int64_t upper) const {
    const std::int64_t value = integer(node, key);
    if (value < lower || value > upper) {
      refuse(node, quoted(key) + " is " + std::to_string(value),
             std::to_string(lower) + " to " + std::to_string(upper));
    }
    return value;
  }

  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> result;
    if (const toml::node* node = find(key)) {
      if (!node->is_array()) {
        refuse(*node, quoted(key) + " is not a list", "write [\"…\", \"…\"]");
      }
      for (const toml::node& element : *node->as_array()) {
        result.push_back(text(element, key));
      }
    }
    return result;
  }

  IntegerRange range(const char* key) const {
    const toml::node& node = required(key);
    if (!node.is_array() || node.as_array()->size() != 2) {
      refuse(node, quoted(key) + " is not a pair of integers", "write [lower, upper]");
    }
    const toml::array& pair = *node.as_array();
    const IntegerRange result{integer(pair[0], key), integer(pair[1], key)};
    if (result.lower > result.upper) {
      refuse(node, quoted(key) + " has lower > upper", "write [lower, upper]");
    }
    return result;
  }

  /// The choice spelled by `key`, or `otherwise` when the key is absent.
  template <class Choice>
  Choice choice(const char* key, std::initializer_list<Choice> choices, Choice otherwise) const {
    const toml::node* node = find(key);
    if (node == nullptr) {
      return otherwise;
    }
    const std::string word = text(*node, key);
    std::string known;
    for (const Choice c : choices) {
      if (to_text(c) == word) {
        return c;
      }
      known += (known.empty() ? "" : ", ") + to_text(c);
    }
    refuse(*node, quoted(key) + " is " + quoted(word), "one of " + known);
  }

 private:
  static std::string quoted(std::string_view text) { return std::string(1, '\'').append(text).append(1, '\''); }
  static std::string at(const std::string& where, const toml::node& node) {
    return toml_place(where, node.source().begin);
  }

  const toml::table& table_;
  std::string where_;
  std::string what_;
};

}  // namespace axe

// Reads a datapath from TOML text, and writes one. `datapath_from_toml` is the main function; every error names the file, the line, the
// column and what to write instead. No side effects. The keys: docs/datapaths.md.
#include <toml++/toml.h>

#include <initializer_list>
#include <sstream>
#include <string_view>
#include <utility>

#include "axecert/datapath/datapath.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

std::string at(const std::string& where, const toml::source_position& position) {
  return where + ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
}

std::string quoted(std::string_view text) {
  return std::string(1, '\'').append(text).append(1, '\'');
}

std::string at(const std::string& where, const toml::node& node) {
  return at(where, node.source().begin);
}

/// One table of the file, its errors and the keys it may have.
class Table {
 public:
  Table(const toml::table& table, std::string where, std::string what, std::initializer_list<const char*> keys)
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
        throw InputError(at(where_, key.source().begin), "unknown key " + quoted(key.str()) + " in " + what_,
                         "keys are " + known);
      }
    }
  }

  const toml::node* find(const char* key) const { return table_.get(key); }

  const toml::node& required(const char* key) const {
    const toml::node* node = find(key);
    if (node == nullptr) {
      throw InputError(at(where_, table_), what_ + " lacks " + quoted(key), "add it");
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
  const toml::table& table_;
  std::string where_;
  std::string what_;
};

Stage read_stage(const toml::table& toml, const std::string& where, std::size_t index) {
  const Table table(toml, where, "stage " + std::to_string(index),
                    {"name", "width", "group", "stride", "overflow", "limits", "initial", "claim"});
  Stage stage;
  stage.name = table.text(table.required("name"), "name");
  stage.width = static_cast<int>(table.integer_in("width", table.required("width"), 1, 64));
  const toml::node& group = table.required("group");
  if (group.is_string() && group.as_string()->get() == "all") {
    stage.group = 0;
  } else if (group.is_string()) {
    table.refuse(group, "'group' is " + quoted(group.as_string()->get()), "a number of values, or \"all\"");
  } else {
    stage.group = table.integer_in("group", group, 0, INT32_MAX);
  }
  if (const toml::node* stride = table.find("stride")) {
    stage.stride = table.integer_in("stride", *stride, 1, INT32_MAX);
  }
  stage.overflow = table.choice("overflow", {Overflow::wrap, Overflow::saturate, Overflow::undefined}, stage.overflow);
  stage.limits = table.choice("limits", {Limits::symmetric, Limits::full}, stage.limits);
  stage.initial = table.choice("initial", {Initial::zero, Initial::constant}, stage.initial);
  stage.claim = table.choice("claim", {Claim::every_partial_sum, Claim::final_value}, stage.claim);
  return stage;
}

}  // namespace

Datapath datapath_from_toml(const std::string& toml, const std::string& where) {
  toml::table root;
  try {
    root = toml::parse(std::string_view(toml), std::string_view(where));
  } catch (const toml::parse_error& error) {
    throw InputError(at(where, error.source().begin), std::string(error.description()), "the file must be valid TOML");
  }
  const Table table(root, where, "the datapath",
                    {"name", "family", "title", "sources", "pairing", "contracts", "requantization", "requantizer",
                     "bugs", "notes", "weights", "activations", "form", "stage"});
  Datapath datapath;
  datapath.name = table.text(table.required("name"), "name");
  datapath.family = table.text_or_none("family");
  datapath.title = table.text_or_none("title");
  datapath.sources = table.texts("sources");
  datapath.pairing = table.text_or_none("pairing");
  datapath.contracts = table.texts("contracts");
  datapath.requantization = table.texts("requantization");
  datapath.requantizer = table.text_or_none("requantizer");
  datapath.bugs = table.texts("bugs");
  datapath.notes = table.texts("notes");
  datapath.weights = table.range("weights");
  datapath.activations = table.range("activations");
  datapath.form =
      table.choice("form", {ActivationForm::raw, ActivationForm::recentred, ActivationForm::boxed}, datapath.form);
  const toml::node& stages = table.required("stage");
  if (!stages.is_array_of_tables()) {
    table.refuse(stages, "'stage' is not a list of tables", "write one [[stage]] per stage, lowest first");
  }
  for (const toml::node& stage : *stages.as_array()) {
    datapath.stages.push_back(read_stage(*stage.as_table(), where, datapath.stages.size()));
  }
  try {
    validate(datapath);
  } catch (const InputError& error) {  // what only the whole file shows
    throw InputError(where, error.what(), "");
  }
  return datapath;
}

namespace {

/// A basic string of TOML.
std::string in_quotes(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
    }
    result += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
  }
  return result + "\"";
}

std::string texts_line(const char* key, const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& text : texts) {
    result += (result.empty() ? "" : ", ") + in_quotes(text);
  }
  return texts.empty() ? "" : std::string(key) + " = [" + result + "]\n";
}

std::string text_line(const char* key, const std::string& text) {
  return text.empty() ? "" : std::string(key) + " = " + in_quotes(text) + "\n";
}

std::string range_line(const char* key, IntegerRange range) {
  return std::string(key) + " = [" + std::to_string(range.lower) + ", " + std::to_string(range.upper) + "]\n";
}

}  // namespace

std::string datapath_to_toml(const Datapath& datapath) {
  validate(datapath);
  std::string text = text_line("name", datapath.name) + text_line("family", datapath.family) +
                     text_line("title", datapath.title) + texts_line("sources", datapath.sources) +
                     text_line("pairing", datapath.pairing) + texts_line("contracts", datapath.contracts) +
                     texts_line("requantization", datapath.requantization) +
                     text_line("requantizer", datapath.requantizer) + texts_line("bugs", datapath.bugs) +
                     texts_line("notes", datapath.notes) + range_line("weights", datapath.weights) +
                     range_line("activations", datapath.activations) + text_line("form", to_text(datapath.form));
  for (const Stage& stage : datapath.stages) {
    text += "\n[[stage]]\n" + text_line("name", stage.name) + "width = " + std::to_string(stage.width) +
            "\ngroup = " + (stage.group == 0 ? std::string("\"all\"") : std::to_string(stage.group)) +
            "\nstride = " + std::to_string(stage.stride) + "\n" + text_line("overflow", to_text(stage.overflow)) +
            text_line("limits", to_text(stage.limits)) + text_line("initial", to_text(stage.initial)) +
            text_line("claim", to_text(stage.claim));
  }
  return text;
}

}  // namespace axe

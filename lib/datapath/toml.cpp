// Reads a datapath from TOML text, and writes one. `datapath_from_toml` is the main function; every error names the file, the line, the
// column and what to write instead. No side effects. The keys: docs/datapaths.md.
#include <sstream>
#include <string_view>
#include <utility>

#include "axecert/datapath/datapath.hpp"
#include "axecert/datapath/toml_table.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

Stage read_stage(const toml::table& toml, const std::string& where, std::size_t index) {
  const TomlTable table(toml, where, "stage " + std::to_string(index),
                        {"name", "width", "group", "stride", "overflow", "limits", "initial", "claim"});
  Stage stage;
  stage.name = table.text(table.required("name"), "name");
  stage.width = static_cast<int>(table.integer_in("width", table.required("width"), 1, 64));
  const toml::node& group = table.required("group");
  if (group.is_string() && group.as_string()->get() == "all") {
    stage.group = 0;
  } else if (group.is_string()) {
    table.refuse(group, "'group' is '" + group.as_string()->get() + "'", "a number of values, or \"all\"");
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
  const toml::table root = toml_document(toml, where);
  const TomlTable table(root, where, "the datapath",
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

// Reads a policy from TOML; see policy.hpp. Every value is checked where it stands: what a policy does not say cannot pass for something that it
// demands. Side effects: reads the file, and those of its datapaths.
#include "policy.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "datapath_argument.hpp"
#include "verb.hpp"

namespace axe::cli {
namespace {

/// A table of the file: where it stands, and its values with their types checked.
class Section {
 public:
  Section(const toml::table& table, std::string file, std::string what, std::initializer_list<const char*> keys)
      : table_(table), file_(std::move(file)), what_(std::move(what)) {
    const std::vector<std::string> known(keys.begin(), keys.end());
    for (const auto& [key, node] : table_) {
      if (std::find(known.begin(), known.end(), std::string(key.str())) == known.end()) {
        throw InputError(place(key.source().begin), "unknown key '" + std::string(key.str()) + "' in " + what_,
                         suggestion(std::string(key.str()), known));
      }
    }
  }

  const toml::node* find(const char* key) const { return table_.get(key); }

  [[noreturn]] void lacks(const char* key, const std::string& remedy) const {
    throw InputError(place(table_.source().begin), what_ + " lacks '" + key + "'", remedy);
  }

  [[noreturn]] void refuse(const toml::node& node, const std::string& problem, const std::string& remedy) const {
    throw InputError(place(node.source().begin), problem, remedy);
  }

  std::string text(const toml::node& node, const char* key) const {
    if (!node.is_string() || node.as_string()->get().empty()) {
      refuse(node, "'" + std::string(key) + "' is no text", "write it in quotes");
    }
    return node.as_string()->get();
  }

  /// A list of texts without repetitions; empty when the key is absent.
  std::vector<std::string> texts(const char* key) const {
    const toml::node* node = find(key);
    std::vector<std::string> result;
    if (node == nullptr) {
      return result;
    }
    if (!node->is_array()) {
      refuse(*node, "'" + std::string(key) + "' is no list", "write [\"…\", \"…\"]");
    }
    for (const toml::node& element : *node->as_array()) {
      result.push_back(text(element, key));
      if (std::count(result.begin(), result.end(), result.back()) > 1) {
        refuse(element, "'" + result.back() + "' stands twice in '" + key + "'", "remove one");
      }
    }
    if (result.empty()) {
      refuse(*node, "'" + std::string(key) + "' is empty", "name one at least, or leave the key out");
    }
    return result;
  }

  std::int64_t integer(const toml::node& node, const char* key, std::int64_t lower, std::int64_t upper) const {
    if (!node.is_integer() || node.as_integer()->get() < lower || node.as_integer()->get() > upper) {
      refuse(node,
             "'" + std::string(key) + "' is no whole number from " + std::to_string(lower) + " to " +
                 std::to_string(upper),
             "write one");
    }
    return node.as_integer()->get();
  }

 private:
  std::string place(const toml::source_position& position) const {
    return file_ + ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
  }

  const toml::table& table_;
  std::string file_;
  std::string what_;
};

std::vector<Datapath> read_datapaths(const std::vector<std::string>& names, const std::filesystem::path& folder) {
  std::vector<Datapath> datapaths;
  for (const std::string& name : names) {
    const bool file = std::filesystem::path(name).extension() == ".toml";
    datapaths.push_back(datapath_argument(file ? (folder / name).string() : name));
  }
  return datapaths;
}

ModelPolicy read_model(const Section& model, const std::vector<std::string>& datapaths,
                       const std::filesystem::path& folder) {
  ModelPolicy result;
  if (const toml::node* file = model.find("file")) {
    result.file = folder / model.text(*file, "file");
  } else {
    model.lacks("file", "name the model's file");
  }
  result.datapaths = model.texts("datapaths");
  if (result.datapaths.empty()) {
    result.datapaths = datapaths;
  }
  if (result.datapaths.empty()) {
    model.lacks("datapaths", "name those on which it must be safe, here or at the top of the policy");
  }
  result.parsed = read_datapaths(result.datapaths, folder);
  result.accepted = model.texts("accept_not_covered");
  if (const toml::node* range = model.find("input_range")) {
    const toml::array* pair = range->as_array();
    if (pair == nullptr || pair->size() != 2) {
      model.refuse(*range, "'input_range' is no pair", "write [LO, HI]");
    }
    result.inputs = IntegerRange{model.integer((*pair)[0], "input_range", -largest_operand, largest_operand),
                                 model.integer((*pair)[1], "input_range", -largest_operand, largest_operand)};
    if (result.inputs->lower > result.inputs->upper) {
      model.refuse(*range, "'input_range' is empty", "write [LO, HI] with LO ≤ HI");
    }
  }
  if (const toml::node* order = model.find("conv_order")) {
    result.order = model.text(*order, "conv_order");
    if (result.order != "kernel" && result.order != "channels-first" && result.order != "positions-first") {
      model.refuse(*order, "'conv_order' is '" + result.order + "'", "kernel, channels-first or positions-first");
    }
  }
  return result;
}

void read_voters(const Section& top, Policy& policy) {
  const std::vector<std::string> known{"checker", "z3-ground", "z3-box", "z3-bits", "cvc5", "replay"};
  const std::vector<std::string> voters = top.texts("voters");
  const auto named = [&](const char* voter) { return std::find(voters.begin(), voters.end(), voter) != voters.end(); };
  if (voters.empty()) {
    top.lacks("voters", "name those that must agree: checker, z3-ground, z3-box, z3-bits, cvc5, replay");
  }
  for (const std::string& voter : voters) {
    if (std::find(known.begin(), known.end(), voter) == known.end()) {
      top.refuse(*top.find("voters"), "no voter '" + voter + "'", suggestion(voter, known));
    }
  }
  for (const auto& [name, depth] :
       {std::pair{"z3-ground", SmtDepth::ground}, {"z3-box", SmtDepth::box}, {"z3-bits", SmtDepth::bit_precise}}) {
    if (named(name)) {
      policy.z3.push_back(depth);
    }
  }
  policy.cvc5 = named("cvc5");
  if (policy.cvc5 && !named("z3-box") && !named("z3-bits")) {
    top.refuse(*top.find("voters"), "cvc5 has no queries of its own",
               "it answers those of z3-box and z3-bits: name one of them");
  }
  constexpr int usual_replays = 8;
  const toml::node* replays = top.find("replay_inputs");
  if (named("replay")) {
    policy.replay =
        replays == nullptr ? usual_replays : static_cast<int>(top.integer(*replays, "replay_inputs", 0, 1'000'000));
  } else if (replays != nullptr) {
    top.refuse(*replays, "'replay_inputs' without the voter", "add \"replay\" to 'voters'");
  }
}

}  // namespace

Policy read_policy(const std::filesystem::path& path) {
  require_input(path);
  const std::string where = path.string();
  toml::table root;
  try {
    root = toml::parse_file(where);
  } catch (const toml::parse_error& error) {
    const toml::source_position at = error.source().begin;
    throw InputError(where + ":" + std::to_string(at.line) + ":" + std::to_string(at.column),
                     std::string(error.description()), "the file must be valid TOML");
  }
  const Section top(root, where, "the policy",
                    {"datapaths", "voters", "replay_inputs", "minimum_margin_percent", "model"});
  Policy policy;
  policy.file = path;
  read_voters(top, policy);
  if (const toml::node* margin = top.find("minimum_margin_percent")) {
    policy.minimum_margin_percent = static_cast<int>(top.integer(*margin, "minimum_margin_percent", 0, 99));
  }
  const std::vector<std::string> datapaths = top.texts("datapaths");
  const toml::node* models = top.find("model");
  if (models == nullptr) {
    top.lacks("model", "write one [[model]] for each model");
  }
  if (!models->is_array_of_tables()) {
    top.refuse(*models, "'model' is no list of tables", "write one [[model]] for each model");
  }
  for (const toml::node& model : *models->as_array()) {
    policy.models.push_back(
        read_model(Section(*model.as_table(), where, "a model",
                           {"file", "datapaths", "accept_not_covered", "input_range", "conv_order"}),
                   datapaths, path.parent_path()));
  }
  return policy;
}

}  // namespace axe::cli

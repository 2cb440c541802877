// Reads a policy from TOML; see policy.hpp. Every value is checked where it stands: what a policy does not say cannot pass for something that it
// demands. Side effects: reads the file, and those of its datapaths.
#include "policy.hpp"

#include <algorithm>
#include <utility>

#include "axecert/certificate/mapped_file.hpp"
#include "axecert/datapath/toml_table.hpp"
#include "datapath_argument.hpp"
#include "onnx_input.hpp"
#include "verb.hpp"

namespace axe::cli {
namespace {

std::string nonempty(const TomlTable& table, const toml::node& node, const char* key) {
  const std::string text = table.text(node, key);
  if (text.empty()) {
    table.refuse(node, "'" + std::string(key) + "' is empty", "write a text, or leave the key out");
  }
  return text;
}

/// A list of texts without repetitions; empty when the key is absent.
std::vector<std::string> distinct_texts(const TomlTable& table, const char* key) {
  const toml::node* node = table.find(key);
  if (node != nullptr && !node->is_array()) {
    table.refuse(*node, "'" + std::string(key) + "' is no list", "write [\"…\", \"…\"]");
  }
  std::vector<std::string> result = table.texts(key);
  if (node != nullptr && result.empty()) {
    table.refuse(*node, "'" + std::string(key) + "' is empty", "name one at least, or leave the key out");
  }
  for (std::size_t i = 0; i < result.size(); ++i) {
    const toml::node& element = (*node->as_array())[i];
    (void)nonempty(table, element, key);
    const auto here = result.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(result.begin(), here, *here) != here) {
      table.refuse(element, "'" + *here + "' stands twice in '" + key + "'", "remove one");
    }
  }
  return result;
}

std::int64_t whole_number(const TomlTable& table, const toml::node& node, const char* key, std::int64_t lower,
                          std::int64_t upper) {
  if (!node.is_integer() || node.as_integer()->get() < lower || node.as_integer()->get() > upper) {
    table.refuse(
        node,
        "'" + std::string(key) + "' is no whole number from " + std::to_string(lower) + " to " + std::to_string(upper),
        "write one");
  }
  return node.as_integer()->get();
}

std::vector<Datapath> read_datapaths(const std::vector<std::string>& names, const std::filesystem::path& folder) {
  std::vector<Datapath> datapaths;
  for (const std::string& name : names) {
    const bool file = std::filesystem::path(name).extension() == ".toml";
    datapaths.push_back(datapath_argument(file ? (folder / name).string() : name));
  }
  return datapaths;
}

ModelPolicy read_model(const TomlTable& model, const std::vector<std::string>& datapaths,
                       const std::filesystem::path& folder) {
  ModelPolicy result;
  result.file = folder / nonempty(model, model.required("file", "name the model's file"), "file");
  result.datapaths = distinct_texts(model, "datapaths");
  if (result.datapaths.empty()) {
    result.datapaths = datapaths;
  }
  if (result.datapaths.empty()) {
    (void)model.required("datapaths", "name those on which it must be safe, here or at the top of the policy");
  }
  result.parsed = read_datapaths(result.datapaths, folder);
  result.accepted = distinct_texts(model, "accept_not_covered");
  if (const toml::node* range = model.find("input_range")) {
    const toml::array* pair = range->as_array();
    if (pair == nullptr || pair->size() != 2) {
      model.refuse(*range, "'input_range' is no pair", "write [LO, HI]");
    }
    result.inputs = IntegerRange{whole_number(model, (*pair)[0], "input_range", -largest_operand, largest_operand),
                                 whole_number(model, (*pair)[1], "input_range", -largest_operand, largest_operand)};
    if (result.inputs->lower > result.inputs->upper) {
      model.refuse(*range, "'input_range' is empty", "write [LO, HI] with LO ≤ HI");
    }
  }
  if (const toml::node* order = model.find("conv_order")) {
    result.order = nonempty(model, *order, "conv_order");
    const std::vector<std::string>& orders = convolution_orders();
    if (std::find(orders.begin(), orders.end(), result.order) == orders.end()) {
      model.refuse(*order, "'conv_order' is '" + result.order + "'", suggestion(result.order, orders));
    }
  }
  return result;
}

void read_voters(const TomlTable& top, Policy& policy) {
  const std::vector<std::string> known{"checker", "z3-ground", "z3-box", "z3-bits", "cvc5", "replay"};
  (void)top.required("voters", "name those that must agree: checker, z3-ground, z3-box, z3-bits, cvc5, replay");
  const std::vector<std::string> voters = distinct_texts(top, "voters");
  const auto named = [&](const char* voter) { return std::find(voters.begin(), voters.end(), voter) != voters.end(); };
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
    policy.replay = replays == nullptr ? usual_replays
                                       : static_cast<int>(whole_number(top, *replays, "replay_inputs", 0, 1'000'000));
  } else if (replays != nullptr) {
    top.refuse(*replays, "'replay_inputs' without the voter", "add \"replay\" to 'voters'");
  }
}

}  // namespace

Policy read_policy(const std::filesystem::path& path) {
  require_input(path);
  const std::string where = path.string();
  const MappedFile file(path);
  const std::span<const std::uint8_t> bytes = file.bytes();
  const toml::table root = toml_document({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, where);
  const TomlTable top(root, where, "the policy",
                      {"datapaths", "voters", "replay_inputs", "minimum_margin_percent", "model"});
  Policy policy;
  policy.file = path;
  read_voters(top, policy);
  if (const toml::node* margin = top.find("minimum_margin_percent")) {
    policy.minimum_margin_percent = static_cast<int>(whole_number(top, *margin, "minimum_margin_percent", 0, 99));
  }
  const std::vector<std::string> datapaths = distinct_texts(top, "datapaths");
  const toml::node& models = top.required("model", "write one [[model]] for each model");
  if (!models.is_array_of_tables()) {
    top.refuse(models, "'model' is no list of tables", "write one [[model]] for each model");
  }
  for (const toml::node& model : *models.as_array()) {
    policy.models.push_back(
        read_model(TomlTable(*model.as_table(), where, "a model",
                             {"file", "datapaths", "accept_not_covered", "input_range", "conv_order"}),
                   datapaths, path.parent_path()));
  }
  return policy;
}

}  // namespace axe::cli

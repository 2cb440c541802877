// The report as SARIF 2.1.0 (OASIS standard of 27 March 2020), for code scanning. See report.hpp; `sarif_report` is the main
// function. A result per row that can overflow (`fail`), per layer that is safe (`pass`), and per thing that a voter did not settle.
// Layer and row are logical locations; the physical one is the weights file. Sections in comments are those of the standard.
#include <nlohmann/json.hpp>

#include "axecert/report/report.hpp"
#include "axecert/report/words.hpp"

namespace axe {
namespace {

using Json = nlohmann::ordered_json;

struct Rule {
  const char* id;
  const char* name;
  const char* text;
  const char* level;
};
// Order: that of Problem::Kind, then the one for layers that are safe.
constexpr Rule rules[] = {
    {"AXE001", "RegisterOverflow", "A register of an integer dot product overflows on inputs that are allowed.",
     "error"},
    {"AXE002", "NotChecked", "A voter did not check everything, or the voters disagree: there is no verdict.",
     "warning"},
    {"AXE003", "CertificateRefused", "The certificate does not hold for these files.", "error"},
    {"AXE005", "MarginTooSmall", "A register does not overflow, but has less room than the policy demands.", "error"},
    {"AXE006", "RequantizationOverflow", "A row's sum leaves what its requantization can take.", "error"},
    {"AXE004", "LayerSafe", "No register of the layer overflows, under the assumptions of the run.", "none"},
};
constexpr std::size_t safe_rule = 5;

/// A path as a relative or absolute URI reference (RFC 3986, 3.3): everything but unreserved characters and / is percent-encoded,
/// so that a colon in a file's name is not taken for a scheme.
std::string uri_of(const std::string& path) {
  constexpr const char* digits = "0123456789ABCDEF";
  std::string uri = path.starts_with("/") ? "file://" : "";
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || c == '/';
    const auto byte = static_cast<unsigned char>(c);
    uri += plain ? std::string(1, c) : std::string{'%', digits[byte >> 4], digits[byte & 15]};
  }
  return uri;
}

Json range_json(IntegerRange range) {
  return Json::array({range.lower, range.upper});
}

/// 3.28, 3.29, 3.33: the file, and the layer and row within it.
Json location(const ReportContents& contents, const LayerClaims* claims, std::int64_t row_number) {
  Json result{{"physicalLocation", {{"artifactLocation", {{"uri", uri_of(contents.subject.weights_path)}}}}}};
  if (claims == nullptr) {
    return result;
  }
  const std::string& layer = claims->layer.name;
  Json logical = Json::array({{{"name", layer}, {"fullyQualifiedName", layer}, {"kind", "module"}}});
  if (row_number >= 0) {
    const std::string row = "row " + std::to_string(row_number);
    logical.insert(logical.begin(), Json{{"name", row}, {"fullyQualifiedName", layer + "/" + row}, {"kind", "member"}});
  }
  result["logicalLocations"] = logical;
  return result;
}

Json node_properties(const LayerClaims& claims, const ReportedNode& node) {
  Json witness = Json::array();
  for (const Run& run : runs(node.witness)) {
    witness.push_back(Json::array({run.value, run.count}));
  }
  return {{"datapath", claims.datapath.name},
          {"row", node.node.row},
          {"stage", node.stage.name},
          {"register", node.node.node},
          {"width", node.stage.width},
          {"overflow", to_text(node.stage.overflow)},
          {"limits", range_json(node.limits)},
          {"range", range_json(node.range)},
          {"margin", node.margin},
          {"side", node.side == Side::upper ? "upper" : "lower"},
          {"witnessRuns", witness},
          {"registerHolds", node.holds ? Json(*node.holds) : Json(nullptr)}};
}

Json result_json(std::size_t rule, const std::string& message) {
  Json result{{"ruleId", rules[rule].id}, {"ruleIndex", rule}};
  if (rule == safe_rule) {
    result["kind"] = "pass";  // 3.27.9; 3.27.10: then the level is none
  }
  result["level"] = rules[rule].level;
  result["message"] = {{"text", message}};
  return result;
}

}  // namespace

std::string sarif_report(const ReportContents& contents) {
  Json results = Json::array(), rule_list = Json::array();
  for (const Rule& rule : rules) {
    rule_list.push_back({{"id", rule.id},
                         {"name", rule.name},
                         {"shortDescription", {{"text", rule.text}}},
                         {"defaultConfiguration", {{"level", rule.level}}}});
  }
  for (const Problem& problem : contents.problems) {
    const LayerClaims* claims =
        problem.layer < 0 ? nullptr : &contents.layers[static_cast<std::size_t>(problem.layer)].claims;
    Json result = result_json(static_cast<std::size_t>(problem.kind), problem.message);
    result["locations"] = Json::array({location(contents, claims, problem.row)});
    if (claims != nullptr && problem.node != nullptr) {
      const ReportedNode& node = *problem.node;
      result["partialFingerprints"] = {
          {"axecertRegister/v1", to_hex(claims->weight_hash) + ":" + claims->datapath.name + ":" +
                                     std::to_string(node.node.row) + ":" + node.stage.name + ":" +
                                     std::to_string(node.node.node)}};
      result["properties"] = node_properties(*claims, node);
    }
    results.push_back(result);
  }
  Json layers = Json::array();
  for (const ReportedLayer& layer : contents.layers) {
    const LayerClaims& claims = layer.claims;
    if (contents.verdict == Verdict::safe && claims.verdict == Verdict::safe && !layer.tightest.empty()) {
      const ReportedNode& node = layer.tightest.front();
      Json result = result_json(safe_rule, claims.layer.name + ": every register is safe; the tightest is " +
                                               place_of(node) + ", " + in_words(node));
      result["locations"] = Json::array({location(contents, &claims, -1)});
      result["properties"] = node_properties(claims, node);
      results.push_back(result);
    }
    layers.push_back({{"name", claims.layer.name},
                      {"verdict", to_text(claims.verdict)},
                      {"rows", claims.layer.rows},
                      {"unsafeRows", layer.summary.unsafe_rows},
                      {"unsafeRowsListed", layer.unsafe.size()}});
  }
  Json votes = Json::array();
  for (const Vote& vote : contents.subject.votes) {
    votes.push_back({{"voter", name_of(vote)},
                     {"verdict", to_text(vote.verdict)},
                     {"registersChecked", vote.nodes_checked},
                     {"registersTotal", vote.nodes_total},
                     {"detail", vote.detail}});
  }
  Json trusted = Json::array();
  for (const Assumption assumption : contents.assumptions) {
    trusted.push_back(sentence_of(assumption));
  }
  Json run{{"tool", {{"driver", {{"name", "axecert"}, {"rules", rule_list}}}}},
           // 3.20.14: the run, not the model: it succeeded unless the files could not be judged.
           {"invocations", Json::array({{{"executionSuccessful", contents.judged()}}})},
           {"artifacts", Json::array({{{"location", {{"uri", uri_of(contents.subject.weights_path)}}}}})},
           {"results", results},
           {"properties",
            {{"verdict", to_text(contents.verdict)}, {"layers", layers}, {"votes", votes}, {"assumptions", trusted}}}};
  if (!contents.layers.empty()) {
    // 3.17.3: the category under which a code scanning service keeps this run apart from those of other models and datapaths.
    run["automationDetails"] = {{"id", "axecert/" + uri_of(contents.subject.weights_path) + "/" +
                                           contents.layers.front().claims.datapath.name + "/"}};
  }
  const Json document{
      {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"}, {"version", "2.1.0"}, {"runs", Json::array({run})}};
  // On one line: with line breaks inside the runs the file is several times as large.
  return document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace axe

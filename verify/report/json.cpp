// The report for programs. See report.hpp; the keys are listed in docs/cli.md and stand in the order in which they are put here.
#include <cmath>
#include <nlohmann/json.hpp>

#include "axecert/report/report.hpp"
#include "axecert/report/summary.hpp"
#include "axecert/report/words.hpp"

namespace axe {
namespace {

using Json = nlohmann::ordered_json;

Json range_json(IntegerRange range) {
  return Json::array({range.lower, range.upper});
}

// JSON has no infinity: a share of a budget that is 0 is null.
Json number_json(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json vote_object(const Vote& vote) {
  Json findings = Json::array();
  for (const Finding& f : vote.findings) {
    findings.push_back({{"layer", f.layer},
                        {"row", f.node.row},
                        {"stage", f.node.stage},
                        {"node", f.node.node},
                        {"message", f.message}});
  }
  return {{"voter", vote.voter},
          {"version", vote.version},
          {"verdict", to_text(vote.verdict)},
          {"nodes_total", vote.nodes_total},
          {"nodes_checked", vote.nodes_checked},
          {"seconds", vote.seconds},
          {"detail", vote.detail},
          {"findings_total", vote.findings_total},
          {"findings", findings}};
}

Json layer_object(const LayerClaims& claims, const LayerSummary& summary) {
  Json stages = Json::array();
  for (const StageSummary& s : summary.stages) {
    stages.push_back({{"name", s.stage.name},
                      {"width", s.stage.width},
                      {"group", s.stage.group},
                      {"stride", s.stage.stride},
                      {"overflow", to_text(s.stage.overflow)},
                      {"initial", to_text(s.stage.initial)},
                      {"claim", to_text(s.stage.claim)},
                      {"limits", range_json(s.limits)},
                      {"registers", s.registers},
                      {"nodes", s.nodes},
                      {"unsafe_nodes", s.unsafe_nodes},
                      {"budget_used_median", number_json(s.budget_used)},
                      {"smallest_margin", s.smallest_margin},
                      {"smallest_margin_bits", number_json(s.smallest_margin_bits)},
                      {"smallest_safe_width", s.smallest_safe_width},
                      {"products", s.products},
                      {"data_type_width", {{"exact", s.data_type.exact}, {"published", s.data_type.paper}}}});
  }
  Json witness = Json::array();
  for (const Run& run : runs(claims.worst_witness)) {
    witness.push_back(Json::array({run.value, run.count}));
  }
  return {{"name", claims.layer.name},
          {"rows", claims.layer.rows},
          {"cols", claims.layer.cols},
          {"verdict", to_text(claims.verdict)},
          {"nodes", summary.nodes},
          {"unsafe_rows", summary.unsafe_rows},
          {"weight_sha256", to_hex(claims.weight_hash)},
          {"weight_range", range_json(claims.weight_range)},
          {"input_source", to_text(claims.input_source)},
          {"input_range", range_json(summary.box)},
          {"input_range_per_channel", claims.layer.box_lower.size() > 1},
          {"zero_point_spread", claims.layer.zero_point_spread},
          {"input_limit", claims.layer.input_limit},
          {"datapath",
           {{"name", claims.datapath.name},
            {"description", describe(claims.datapath)},
            {"weights", range_json(claims.datapath.weights)},
            {"activations", range_json(claims.datapath.activations)},
            {"form", to_text(claims.datapath.form)}}},
          {"stages", stages},
          {"worst",
           {{"row", claims.worst.row},
            {"stage", claims.worst.stage},
            {"node", claims.worst.node},
            {"side", claims.worst_side == Side::upper ? "upper" : "lower"},
            {"range", range_json(summary.worst_range)},
            {"margin", summary.worst_margin},
            {"witness_runs", witness}}}};
}

Json assumption_array(const std::vector<Assumption>& all) {
  Json list = Json::array();
  for (const Assumption assumption : all) {
    list.push_back({{"name", name_of(assumption)}, {"sentence", sentence_of(assumption)}});
  }
  return list;
}

// Paths and names of damaged files need not be UTF-8: what is not is replaced.
std::string text_of(const Json& value, int indent = -1) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string vote_json(const Vote& vote) {
  return text_of(vote_object(vote));
}
std::string layer_json(const LayerClaims& claims) {
  return text_of(layer_object(claims, summarize(claims)));
}
std::string assumptions_json(const Certificate& certificate) {
  return text_of(assumption_array(assumptions(certificate)));
}

std::string json_report(const ReportContents& contents) {
  Json votes = Json::array(), layers = Json::array();
  for (const Vote& vote : contents.subject.votes) {
    votes.push_back(vote_object(vote));
  }
  for (const ReportedLayer& layer : contents.layers) {
    layers.push_back(layer_object(layer.claims, layer.summary));
  }
  const Json document{{"verdict", to_text(contents.verdict)},
                      {"certificate", contents.subject.certificate_path},
                      {"weights", contents.subject.weights_path},
                      {"tool", contents.subject.certificate.tool},
                      {"votes", votes},
                      {"assumptions", assumption_array(contents.assumptions)},
                      {"layers", layers}};
  return text_of(document, 2) + "\n";
}

}  // namespace axe

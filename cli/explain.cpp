// axecert explain: one register's inequality with its numbers, inputs that attain it, and what the register then holds.
#include <algorithm>

#include "axecert/report/explanation.hpp"
#include "axecert/report/summary.hpp"
#include "axecert/report/words.hpp"
#include "onnx_input.hpp"
#include "voters.hpp"

namespace axe::cli {
namespace {

struct Arguments {
  std::string certificate, weights, layer, convolution_order = "kernel";
  std::int64_t row = -1, stage = -1, node = -1;
  std::shared_ptr<Common> common = std::make_shared<Common>();
};

const LayerClaims& chosen_layer(const Certificate& certificate, const Arguments& a) {
  if (a.layer.empty()) {  // the layer whose worst register is the tightest of all
    const auto budget = [](const LayerClaims& claims) {
      return budget_used(summarize(claims).worst_range, register_limits(claims.datapath.stages[claims.worst.stage]));
    };
    return *std::max_element(certificate.layers.begin(), certificate.layers.end(),
                             [&](const LayerClaims& x, const LayerClaims& y) { return budget(x) < budget(y); });
  }
  std::vector<std::string> names;
  for (const LayerClaims& claims : certificate.layers) {
    if (claims.layer.name == a.layer) {
      return claims;
    }
    names.push_back(claims.layer.name);
  }
  throw Failure(exit_usage, a.certificate, "no layer '" + a.layer + "'", suggestion(a.layer, names));
}

int run(const Arguments& a) {
  const Certificate certificate = checked_election(a.certificate, a.weights, a.convolution_order).certificate;
  const LayerClaims& claims = chosen_layer(certificate, a);
  Explanation e;
  try {
    e = explain(claims, tightest_node(claims, a.row, a.stage, a.node));
  } catch (const InputError& error) {
    throw Failure(exit_usage, a.certificate, error.what(), "");
  }
  const std::vector<std::string> lines = in_words(e);
  const int code = e.margin >= 0 ? exit_safe : exit_unsafe;
  if (a.common->json) {
    Json witness = Json::array();
    for (const axe::Run& r : runs(e.replay.inputs)) {
      witness.push_back(Json::array({r.value, r.count}));
    }
    print(Json{{"verdict", e.margin >= 0 ? "safe" : "unsafe"},
               {"layer", e.layer},
               {"row", e.node.row},
               {"stage", e.node.stage},
               {"stage_name", e.stage.name},
               {"node", e.node.node},
               {"width", e.stage.width},
               {"limits", {e.limits.lower, e.limits.upper}},
               {"range", {e.range.lower, e.range.upper}},
               {"margin", e.margin},
               {"initial", e.replay.initial},
               {"initial_range", {e.initial.lower, e.initial.upper}},
               {"positive_sum", e.positive_sum},
               {"negative_sum", e.negative_sum},
               {"side", e.side == Side::upper ? "upper" : "lower"},
               {"witness_runs", witness},
               {"replay",
                {{"reached", narrow(e.replay.reached, "reached")},
                 {"overflowed", e.replay.overflowed},
                 {"register_holds", e.replay.content}}},
               {"lines", lines}});
    return code;
  }
  std::string text;
  for (const std::string& line : lines) {
    text += line + "\n";
  }
  print(text);
  return code;
}

}  // namespace

Verb explain_verb(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "explain", "the inequality of a register (the tightest one), its witness and its replay, in words");
  command->add_option("CERTIFICATE", a->certificate, "the .axec file")->required();
  command->add_option("WEIGHTS", a->weights, "the weights it speaks about")->required();
  command->add_option("--layer", a->layer, "layer; absent: the tightest");
  command->add_option("--row", a->row, "row; absent: the tightest")->check(CLI::NonNegativeNumber);
  command->add_option("--stage", a->stage, "stage, 0 is the lowest; absent: the tightest")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--node", a->node, "register of the stage; absent: the tightest")->check(CLI::NonNegativeNumber);
  add_convolution_order(command, a->convolution_order);
  add_common(command, a->common, false);
  return {command, [a] { return run(*a); }};
}

}  // namespace axe::cli

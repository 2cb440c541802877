// axecert certify: integer weights that exist, on a datapath: which rows are safe, which are not, and inputs that overflow them.
#include "axecert/model/layers.hpp"
#include "axecert/report/explanation.hpp"
#include "axecert/report/report.hpp"
#include "axecert/report/summary.hpp"
#include "axecert/report/votes.hpp"
#include "axecert/report/words.hpp"
#include "datapath_argument.hpp"
#include "verb.hpp"

namespace axe::cli {
namespace {

struct Arguments {
  std::string model, datapath, output, layer;
  std::vector<std::int64_t> input_range;
  std::shared_ptr<Common> common = std::make_shared<Common>();
};

int run(const Arguments& a) {
  const Datapath datapath = datapath_argument(a.datapath);
  TensorFile file = read_input(a.model);
  keep_layer(file, a.layer);
  const bool zip = std::filesystem::path(a.model).extension() == ".npz";
  for (const auto& [name, tensor] : file.tensors) {
    if (!a.output.empty() && !zip && name.ends_with(".weight") && tensor.dtype != DType::i8) {
      throw InputError(a.model + ": " + name,
                       "is " + to_text(tensor.dtype) + ", and a certificate speaks of I8 arrays only",
                       "store it as I8, or leave out -o");
    }
  }
  Certificate certificate;
  certificate.tool = "axecert " AXECERT_VERSION;
  std::vector<std::vector<std::string>> stories;
  for (StoredLayer& stored : read_integer_layers(file, datapath)) {
    if (!a.input_range.empty()) {
      if (a.input_range[0] > a.input_range[1] || a.input_range[0] < -largest_operand ||
          a.input_range[1] > largest_operand) {
        throw Failure(exit_usage, "--input-range", "not a range of integers within ±2^24", "LO,HI with LO ≤ HI");
      }
      stored.layer.box_lower = {static_cast<std::int32_t>(a.input_range[0])};
      stored.layer.box_upper = {static_cast<std::int32_t>(a.input_range[1])};
      stored.source = InputSource::given;
    }
    certificate.layers.push_back(make_claims(std::move(stored.layer), datapath, stored.source));
    const LayerClaims& claims = certificate.layers.back();
    stories.push_back(in_words(explain(claims, claims.worst)));
  }
  const std::vector<std::uint8_t> bytes = certificate_bytes(certificate);
  const std::vector<Vote> votes{
      checker_vote(bytes, weights_for_checker(std::move(file)), "every range computed again from the weights")};
  const Verdict verdict = combine(votes);
  if (!a.output.empty()) {
    write_all_or_none({{a.output, bytes}});
  }
  if (a.common->json) {
    Json document{{"verdict", to_text(verdict)},
                  {"model", a.model},
                  {"certificate", a.output.empty() ? Json(nullptr) : Json(a.output)},
                  {"votes", Json::array({parsed(vote_json(votes[0]))})},
                  {"assumptions", parsed(assumptions_json(certificate))},
                  {"layers", Json::array()}};
    for (std::size_t i = 0; i < stories.size(); ++i) {
      Json layer = parsed(layer_json(certificate.layers[i]));
      layer["explanation"] = stories[i];
      document["layers"].push_back(layer);
    }
    print(document);
    return exit_code(verdict);
  }
  std::string text;
  for (std::size_t i = 0; i < stories.size(); ++i) {
    const LayerClaims& claims = certificate.layers[i];
    const LayerSummary summary = summarize(claims);
    text += claims.layer.name + "  " + in_words(claims.layer.rows) + " × " + in_words(claims.layer.cols) + "  " +
            describe(datapath) + "\n  " + upper_case(to_text(claims.verdict)) + ": " +
            in_words(claims.layer.rows - summary.unsafe_rows) + " of " + in_words(claims.layer.rows) +
            " rows are safe; inputs in " + in_words(summary.box) + ", " + source_in_words(claims) + "\n";
    for (const StageSummary& stage : summary.stages) {
      text += "  " + stage.stage.name + ": " + std::to_string(stage.stage.width) + " bits, " +
              std::to_string(stage.smallest_safe_width) + " suffice for these weights, " +
              std::to_string(stage.data_type.exact) + " for any of their type\n";
    }
    text += "  worst: ";
    for (const std::string& line : stories[i]) {
      text += (line == stories[i].front() ? "" : "  ") + line + "\n";
    }
  }
  text += votes_text(votes);
  if (!a.output.empty()) {
    text += "wrote " + a.output + " (" + size_in_words(bytes.size()) + ")\n";
  }
  print(text + upper_case(to_text(verdict)) + "\n");
  return exit_code(verdict);
}

}  // namespace

Verb certify_verb(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("certify", "certify integer weights that exist; say which rows can overflow, with witnesses");
  command->add_option("MODEL", a->model, ".npz or .safetensors with integer weights (docs/layers.md)")->required();
  command
      ->add_option("-d,--datapath", a->datapath, "axe:P=16,T=64[,outer=32][,act=u8|s8|box], a preset, or a .toml file")
      ->required();
  command->add_option("-o,--output", a->output, "write the certificate to this file");
  command
      ->add_option("--input-range", a->input_range,
                   "LO,HI: range of every operand input, instead of the file's or the datapath's")
      ->expected(2)
      ->delimiter(',');
  command->add_option("--layer", a->layer, "this layer only");
  add_common(command, a->common, false);
  return {command, [a] { return run(*a); }};
}

}  // namespace axe::cli

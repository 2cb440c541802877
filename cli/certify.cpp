// axecert certify: integer weights that exist, on a datapath: which rows are safe, which are not, and inputs that overflow them.
#include "axecert/model/layers.hpp"
#include "axecert/report/explanation.hpp"
#include "axecert/report/report.hpp"
#include "axecert/report/summary.hpp"
#include "axecert/report/votes.hpp"
#include "axecert/report/words.hpp"
#include "datapath_argument.hpp"
#include "onnx_input.hpp"
#include "report_files.hpp"
#include "verb.hpp"

namespace axe::cli {
namespace {

struct Arguments {
  std::string model, datapath, output, weights_output, layer, convolution_order = "kernel";
  std::vector<std::int64_t> input_range;
  ReportFiles files;
  std::shared_ptr<Common> common = std::make_shared<Common>();
};

// A model in which no layer was found: incomplete when there is something that could not be read, else an error.
int without_layers(const Arguments& a, const OnnxInput& onnx) {
  if (!onnx.missing) {
    const std::string floats = std::to_string(onnx.json["floating"].get<std::int64_t>());
    throw InputError(a.model, "has no integer dot product; nodes with products of floats: " + floats,
                     "quantize it first, for example with onnxruntime.quantization");
  }
  const Certificate none;
  const std::vector<Vote> votes{*onnx.missing};
  const std::vector<Output> outputs = rendered(a.files, report_contents({none, votes, "", a.model}));
  write_all_or_none(outputs);
  if (a.common->json) {
    print(Json{{"verdict", "incomplete"},
               {"model", a.model},
               {"certificate", nullptr},
               {"votes", Json::array({parsed(vote_json(*onnx.missing))})},
               {"assumptions", Json::array()},
               {"layers", Json::array()},
               {"onnx", onnx.json}});
  } else {
    print(onnx.text + "no layer is covered: no certificate\n" + written(outputs) + "INCOMPLETE\n");
  }
  return exit_incomplete;
}

int run(const Arguments& a) {
  const Datapath datapath = datapath_argument(a.datapath);
  std::optional<OnnxInput> onnx;
  TensorFile file;
  if (is_onnx(a.model)) {
    onnx = read_onnx_input(a.model, datapath, a.convolution_order);
    file = std::move(onnx->layers);
    if (!a.layer.empty()) {
      onnx->missing.reset();  // the verdict is about this layer alone
    }
  } else {
    file = read_input(a.model);
  }
  if (onnx && file.tensors.empty()) {
    return without_layers(a, *onnx);
  }
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
  const std::vector<std::uint8_t> weights = weights_for_checker(std::move(file));
  std::vector<Vote> votes{checker_vote(bytes, weights, "every range computed again from the weights")};
  if (onnx && onnx->missing) {
    votes.push_back(*onnx->missing);
  }
  const Verdict verdict = combine(votes);
  std::vector<Output> outputs;
  if (!a.output.empty()) {
    outputs.push_back({a.output, bytes});
  }
  if (!a.weights_output.empty()) {
    outputs.push_back({a.weights_output, weights});
  }
  if (a.files.any()) {
    for (Output& report : rendered(a.files, report_contents({certificate, votes, a.output, a.model}))) {
      outputs.push_back(std::move(report));
    }
  }
  write_all_or_none(outputs);
  if (a.common->json) {
    Json document{{"verdict", to_text(verdict)},
                  {"model", a.model},
                  {"certificate", a.output.empty() ? Json(nullptr) : Json(a.output)},
                  {"votes", Json::array()},
                  {"assumptions", parsed(assumptions_json(certificate))},
                  {"layers", Json::array()}};
    for (const Vote& vote : votes) {
      document["votes"].push_back(parsed(vote_json(vote)));
    }
    for (std::size_t i = 0; i < stories.size(); ++i) {
      Json layer = parsed(layer_json(certificate.layers[i]));
      layer["explanation"] = stories[i];
      document["layers"].push_back(layer);
    }
    if (onnx) {
      document["onnx"] = onnx->json;
    }
    print(document);
    return exit_code(verdict);
  }
  std::string text = onnx ? onnx->text : "";
  std::int64_t nodes = 0, unsafe_nodes = 0;
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
              std::to_string(stage.data_type.exact) + " for any of their type; " +
              (stage.unsafe_nodes == 0
                   ? "all " + in_words(stage.nodes) + " registers are safe"
                   : in_words(stage.unsafe_nodes) + " of " + in_words(stage.nodes) + " registers can overflow") +
              "\n";
      nodes += stage.nodes;
      unsafe_nodes += stage.unsafe_nodes;
    }
    text += "  worst: ";
    for (const std::string& line : stories[i]) {
      text += (line == stories[i].front() ? "" : "  ") + line + "\n";
    }
  }
  text += "in all " + in_words(nodes) + " registers: " + in_words(nodes - unsafe_nodes) + " safe, " +
          in_words(unsafe_nodes) + " can overflow\n" + votes_text(votes);
  print(text + written(outputs) + upper_case(to_text(verdict)) + "\n");
  return exit_code(verdict);
}

}  // namespace

Verb certify_verb(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("certify", "certify integer weights that exist; say which rows can overflow, with witnesses");
  command
      ->add_option("MODEL", a->model,
                   ".npz or .safetensors with integer weights (docs/layers.md), or .onnx (docs/onnx.md)")
      ->required();
  command
      ->add_option("-d,--datapath", a->datapath, "axe:P=16,T=64[,outer=32][,act=u8|s8|box], a preset, or a .toml file")
      ->required();
  command->add_option("-o,--output", a->output, "write the certificate to this file");
  command->add_option("--weights", a->weights_output,
                      "write the arrays that the checker read to this .safetensors file");
  command
      ->add_option("--input-range", a->input_range,
                   "LO,HI: range of every operand input, instead of the file's or the datapath's")
      ->expected(2)
      ->delimiter(',');
  command->add_option("--layer", a->layer, "this layer only");
  add_report_files(command, a->files);
  add_convolution_order(command, a->convolution_order);
  add_common(command, a->common, false);
  return {command, [a] { return run(*a); }};
}

}  // namespace axe::cli

// axecert repair: an ONNX model with the least change of integer weights and scales that makes it safe on a datapath, or with products
// split into safe ones, and its certificate.
#include <unistd.h>

#include <cmath>
#include <optional>

#include "axecert/certificate/atomic_file.hpp"
#include "axecert/model/layers.hpp"
#include "axecert/numeric/tasks.hpp"
#include "axecert/report/report.hpp"
#include "axecert/report/votes.hpp"
#include "axecert/report/words.hpp"
#include "datapath_argument.hpp"
#include "onnx_input.hpp"
#include "verb.hpp"
#if AXECERT_HAS_ONNX
#include "axecert/onnx/repair.hpp"
#endif

namespace axe::cli {
namespace {

struct Arguments {
  std::string model, datapath, output, certificate, convolution_order = "kernel", moments;
  int threads = 0;
  bool keep_scales = false, split = false;
  std::shared_ptr<Common> common = std::make_shared<Common>();
};

#if AXECERT_HAS_ONNX

// The repaired model beside its place while it is read back.
class Draft {
 public:
  Draft(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) : path_(path) {
    path_.replace_filename(path.stem().string() + ".draft." + std::to_string(::getpid()) + ".onnx");
    try {
      write_file_atomically(path_, bytes);
    } catch (const InputError& error) {
      throw Failure(exit_cannot_create, "output", error.what(), "nothing was written");
    }
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string percent(double part) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g %%", 100 * part);
  return text;
}

/// ‖ΔW‖ / ‖W‖.
double relative_change(const Repair& r) {
  return r.energy > 0 ? std::sqrt(r.squared_change / r.energy) : 0;
}

Json layer_json(const OnnxLayerRepair& layer) {
  const Repair& r = layer.repair;
  return Json{{"layer", layer.product.layer},
              {"operator", layer.product.op},
              {"rows", layer.product.rows},
              {"cols", layer.product.cols},
              {"unsafe_nodes", r.unsafe_nodes},
              {"rows_changed", r.rows_changed},
              {"rows_rescaled", r.rows_rescaled},
              {"fixed_scales", layer.fixed_scales},
              {"weights_changed", r.weights_changed},
              {"largest_change", r.largest_change},
              {"relative_change", relative_change(r)},
              {"smallest_change_error", layer.used_moments ? Json(r.plain_error) : Json(nullptr)},
              {"error", layer.used_moments ? Json(r.error) : Json(nullptr)},
              {"parts", layer.parts},
              {"parts_inputs", layer.parts_inputs},
              {"not_split", layer.not_split}};
}

std::string what_changed(const OnnxLayerRepair& layer) {
  const Repair& r = layer.repair;
  if (r.unsafe_nodes == 0) {
    return "safe as it was";
  }
  std::string text = in_words(r.unsafe_nodes) + " registers could overflow; ";
  if (layer.parts > 0) {
    return text + "now a sum with " + in_words(layer.parts) + (layer.parts == 1 ? " product" : " products") + " over " +
           in_words(layer.parts_inputs) + " inputs, which has the shipped weights";
  }
  text += in_words(r.weights_changed) + " weights in " + in_words(r.rows_changed) + " rows changed";
  if (r.rows_rescaled > 0) {
    text += ", " + in_words(r.rows_rescaled) + " of these rescaled";
  }
  char steps[32];
  std::snprintf(steps, sizeof steps, "%.3g", r.largest_change);
  text += ", at most " + std::string(steps) + " shipped steps, ‖ΔW‖ / ‖W‖ = " + percent(relative_change(r));
  if (layer.used_moments) {
    text += ", on the moments' inputs ‖XΔW‖ / ‖XW‖ = " + percent(r.error) +
            " (smallest change: " + percent(r.plain_error) + ")";
  }
  if (!layer.fixed_scales.empty()) {
    text += "; scales stay: " + layer.fixed_scales;
  }
  if (!layer.not_split.empty()) {
    text += "; not split: " + layer.not_split;
  }
  return text;
}

std::string how_chosen(const Arguments& a, bool with_moments) {
  if (with_moments) {
    return "by the error on the inputs that the moments are of, where there are any";
  }
  if (a.split) {
    return "in the main products of splits, and the least that does it where there is no split";
  }
  return a.keep_scales ? "the least that does it at the shipped scales without calibration data"
                       : "the least that does it without calibration data";
}

int run(const Arguments& a) {
  const Datapath datapath = datapath_argument(a.datapath);
  require_input(a.model);
  if (!is_onnx(a.model) || !is_onnx(a.output)) {
    throw Failure(exit_usage, is_onnx(a.model) ? a.output : a.model, "is no .onnx file",
                  "repair reads and writes ONNX models; `axecert quantize` makes other layers safe");
  }
  std::string certificate_path = a.certificate;
  if (certificate_path.empty()) {
    certificate_path = std::filesystem::path(a.output).replace_extension(".axec").string();
  }
  std::optional<TensorFile> moments;
  if (!a.moments.empty()) {
    moments = read_input(a.moments);
  }
  OnnxRepairOptions options;
  options.reading = onnx_options(a.convolution_order);
  options.move_scales = !a.keep_scales;
  options.split = a.split;
  options.threads = workers_or_cores(a.threads);
  const OnnxRepair repair = repair_onnx(a.model, datapath, options, moments ? &*moments : nullptr);
  if (repair.layers.empty()) {
    throw InputError(a.model, "has no integer dot product that is read", "`axecert certify` lists what there is");
  }
  const auto folder = [](const std::string& file) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(file)).parent_path();
  };
  if (repair.keeps_external_data && folder(a.model) != folder(a.output)) {
    throw Failure(exit_usage, a.output, "the model keeps tensors in files beside it",
                  "write the repaired one into the same folder");
  }

  // Nothing that the repair says counts: the bytes are read again, and the checker looks at what is in them.
  OnnxInput input;
  {
    const Draft draft(a.output, repair.model);
    input = read_onnx_input(draft.path(), datapath, a.convolution_order);
  }
  Certificate certificate;
  certificate.tool = "axecert " AXECERT_VERSION;
  for (StoredLayer& stored : read_integer_layers(input.layers, datapath)) {
    certificate.layers.push_back(make_claims(std::move(stored.layer), datapath, stored.source));
  }
  const std::vector<std::uint8_t> bytes = certificate_bytes(certificate);
  std::vector<Vote> votes{checker_vote(bytes, weights_for_checker(std::move(input.layers)),
                                       "every range computed again from the repaired model's weights")};
  if (input.missing) {
    votes.push_back(*input.missing);
  }
  const Verdict verdict = combine(votes);
  write_all_or_none({{a.output, repair.model}, {certificate_path, bytes}});

  Json layers = Json::array();
  std::string text = input.text;
  std::int64_t weights = 0, changed = 0, unsafe = 0, parts = 0, products_added = 0;
  for (const OnnxLayerRepair& layer : repair.layers) {
    const Repair& r = layer.repair;
    weights += layer.product.rows * layer.product.cols;
    changed += r.weights_changed;
    unsafe += r.unsafe_nodes;
    parts += layer.parts;
    products_added += layer.product.rows * layer.parts_inputs;
    layers.push_back(layer_json(layer));
    text += layer.product.layer + "  " + in_words(layer.product.rows) + " × " + in_words(layer.product.cols) + "  " +
            what_changed(layer) + "\n";
  }
  if (a.common->json) {
    Json document{{"verdict", to_text(verdict)},
                  {"model", a.model},
                  {"repaired", a.output},
                  {"certificate", certificate_path},
                  {"unsafe_nodes", unsafe},
                  {"weights", weights},
                  {"weights_changed", changed},
                  {"parts", parts},
                  {"products_added", products_added},
                  {"layers", layers},
                  {"votes", Json::array()}};
    for (const Vote& vote : votes) {
      document["votes"].push_back(parsed(vote_json(vote)));
    }
    document["assumptions"] = parsed(assumptions_json(certificate));
    document["onnx"] = input.json;
    print(document);
    return exit_code(verdict);
  }
  text += "in all " + in_words(unsafe) + " registers could overflow; " + in_words(changed) + " of " +
          in_words(weights) + " weights changed, " + how_chosen(a, moments.has_value()) + "\n";
  if (parts > 0) {
    text += in_words(parts) + " products added, with " +
            percent(static_cast<double>(products_added) / static_cast<double>(weights)) +
            " more multiplications; their sums are the shipped integers exactly\n";
  }
  text += votes_text(votes) + "wrote " + a.output + " (" + size_in_words(repair.model.size()) + ")  " +
          certificate_path + " (" + size_in_words(bytes.size()) + ")\n";
  print(text + upper_case(to_text(verdict)) + "\n");
  return exit_code(verdict);
}

#else

int run(const Arguments& a) {
  require_input(a.model);
  throw Failure(exit_usage, a.model, "this axecert was built without ONNX", "build with -DAXECERT_ONNX=ON");
}

#endif

}  // namespace

Verb repair_verb(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "repair",
      "change integer weights and scales of an ONNX model as little as possible until it is safe; with a certificate");
  command->add_option("MODEL", a->model, "the .onnx model (docs/onnx.md)")->required();
  command
      ->add_option("-d,--datapath", a->datapath, "axe:P=16,T=64[,outer=32][,act=u8|s8|box], a preset, or a .toml file")
      ->required();
  command->add_option("-o,--output", a->output, "the repaired model")->required();
  command->add_option("--certificate", a->certificate, "its certificate; absent: beside it, ending in .axec");
  command->add_option("--moments", a->moments,
                      "LAYER.H of calibration inputs (docs/onnx.md): rows then make up for what they lose");
  command->add_flag("--keep-scales", a->keep_scales, "weights may change, the scales of their rows may not");
  command->add_flag("--split", a->split,
                    "make a product that is not safe a sum of products that are, with the shipped weights exactly");
  command->add_option("--threads", a->threads, "threads with --moments; 0: one per core")->check(CLI::Range(0, 256));
  add_convolution_order(command, a->convolution_order);
  add_common(command, a->common, false);
  return {command, [a] { return run(*a); }};
}

}  // namespace axe::cli

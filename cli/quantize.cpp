// axecert quantize: float layers in, integer weights and their certificate out, and the checker's word on both.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>

#include "axecert/model/layers.hpp"
#include "axecert/model/weight_files.hpp"
#include "axecert/numeric/tasks.hpp"
#include "axecert/report/report.hpp"
#include "axecert/report/summary.hpp"
#include "axecert/report/votes.hpp"
#include "axecert/report/words.hpp"
#include "datapath_argument.hpp"
#include "verb.hpp"

namespace axe::cli {
namespace {

struct Arguments {
  std::vector<std::string> files;
  std::string datapath, folder, layer, scales;  // scales: empty for the default of the other options
  std::string corrector = "optq", constraint = "axe", activations;  // activations: empty for what the constraint needs
  int weight_bits = 4, threads = 0, refine = -1;
  double dampening = 0, ridge = -1;
  bool asymmetric = false, group_scales = false, no_order = false, published = false, compare = false;
  std::shared_ptr<Common> common = std::make_shared<Common>();
};

Corrector corrector_of(const std::string& name) {
  for (const Corrector c : {Corrector::none, Corrector::optq, Corrector::gpfq, Corrector::qronos}) {
    if (name == to_text(c)) {
      return c;
    }
  }
  throw Failure(exit_usage, "--corrector", "unknown: " + name, "optq, gpfq, qronos or none");
}

Constraint constraint_of(const std::string& name) {
  for (const Constraint c :
       {Constraint::none, Constraint::datatype, Constraint::ep_init, Constraint::axe, Constraint::input}) {
    if (name == to_text(c)) {
      return c;
    }
  }
  throw Failure(exit_usage, "--constraint", "unknown: " + name, "axe, input, datatype, ep-init or none");
}

QuantizeOptions options_of(const Arguments& a) {
  QuantizeOptions options = a.published ? QuantizeOptions::published() : QuantizeOptions{};
  options.corrector = corrector_of(a.corrector);
  options.constraint = constraint_of(a.constraint);
  options.weight_bits = a.weight_bits;
  options.asymmetric_weights = a.asymmetric;
  options.granularity = a.group_scales ? ScaleGranularity::tile : ScaleGranularity::row;
  options.threads = workers_or_cores(a.threads);
  for (const ScaleChoice choice : {ScaleChoice::largest_weight, ScaleChoice::weight_error, ScaleChoice::search}) {
    if (a.scales == to_text(choice)) {
      options.scale_choice = choice;
    }
  }
  if (a.dampening > 0) {
    options.dampening = a.dampening;
  }
  if (a.ridge >= 0) {
    options.ridge = a.ridge;
  }
  options.activation_order = !a.no_order;
  if (a.refine >= 0) {
    options.refinement_passes = a.refine;
  }
  return options;
}

/// What `--activations` and the constraint say of the inputs: a constraint on the inputs needs signed codes with a scale per token,
/// which is then what they are unless something else was asked for.
InputCalibration calibration_of(const Arguments& a, const Datapath& datapath, const QuantizeOptions& options) {
  const bool limited = options.constraint == Constraint::input;
  const std::string activations = !a.activations.empty() ? a.activations : limited ? "token-symmetric" : "tensor";
  InputCalibration calibration;
  if (activations != "tensor") {
    calibration.scaling = ActivationScaling::token;
    calibration.is_signed = activations == "token-symmetric";
  }
  if (limited) {
    if (activations != "token-symmetric") {
      throw Failure(exit_usage, "--activations", activations + " cannot keep the limit of --constraint input",
                    "token-symmetric, which is also the default there");
    }
    calibration.limited_on = &datapath;
    calibration.largest_weight = options.largest_weight();
  }
  return calibration;
}

/// A layer to quantize, its own fixed scales if they were asked for, and where its inputs are limited and a comparison was asked
/// for, the same layer without a limit.
struct Task {
  LayerProblem problem;
  std::optional<LayerProblem> unlimited;
  std::vector<float> scales;
};

/// The layers of all files, by name. Each is read when its turn comes, so that of .safetensors files, sharded or not, one layer at a time is
/// held; .npz files are read whole.
class Problems {
 public:
  explicit Problems(const Arguments& a) : scales_given_(a.scales == "given") {
    std::vector<std::string> all_names;
    for (const std::string& path : a.files) {
      require_input(path);
      File& file = files_.emplace_back();
      if (is_safetensors(path)) {
        file.mapped = std::make_unique<WeightFiles>(path);
      } else {
        file.arrays = read_tensors(path);
      }
      const TensorFile& outline = file.mapped ? file.mapped->outline() : file.arrays;
      if (a.layer.empty()) {
        demand_problem_keys(outline);
      }
      for (const std::string& name : layer_names(outline)) {
        all_names.push_back(name);
        if ((a.layer.empty() || name == a.layer) && !file_of_.emplace(name, files_.size() - 1).second) {
          throw InputError(outline.path, "layer '" + name + "' stands in another file too",
                           "give every layer its own name");
        }
      }
    }
    if (!a.layer.empty() && file_of_.empty()) {
      throw Failure(exit_usage, a.files.size() == 1 ? a.files[0] : "the files", "no layer '" + a.layer + "'",
                    suggestion(a.layer, all_names));
    }
  }

  /// Of every layer, and the index of its file; sorted.
  const std::map<std::string, std::size_t>& names() const { return file_of_; }

  Task read(const std::string& name, const InputCalibration& calibration, bool compare) const {
    const File& of = files_[file_of_.at(name)];
    const TensorFile file = of.mapped ? of.mapped->layer(name) : arrays_of(of.arrays, name);
    Task task;
    if (compare && calibration.limited_on != nullptr) {
      InputCalibration free = calibration;
      free.limited_on = nullptr;
      task.unlimited = std::move(read_problems(file, free).at(0));
    }
    task.problem = std::move(read_problems(file, calibration).at(0));
    if (scales_given_) {
      const std::string key = name + ".weight_scale";
      const Tensor& scale = file.at(key);
      if (scale.elements() != task.problem.rows) {
        throw InputError(file.path + ": " + key,
                         "must have one scale for each of " + std::to_string(task.problem.rows) + " rows", "");
      }
      task.scales = scale.as_f32(file.path + ": " + key);
    }
    return task;
  }

 private:
  struct File {
    std::unique_ptr<WeightFiles> mapped;
    TensorFile arrays;  // when it is not mapped
  };
  bool scales_given_;
  std::vector<File> files_;
  std::map<std::string, std::size_t> file_of_;
};

Json quantization_json(const QuantizedLayer& q) {
  const QuantizeStatistics& s = q.statistics;
  return {{"weight_bits", q.weight_bits},
          {"input_bits", q.input.bits},
          {"groups", q.groups},
          {"relative_error", q.relative_error < 0 ? Json(nullptr) : Json(q.relative_error)},
          {"seconds", s.seconds},
          {"decisions", s.decisions},
          {"settled_exactly", s.settled_exactly},
          {"thresholded", s.thresholded},
          {"clipped", s.clipped},
          {"refinement_moves", s.refinement_moves},
          {"dampening_raised", s.dampening_raised},
          {"dampening_used", s.dampening_used},
          {"dead_inputs", s.dead_inputs},
          {"warnings", q.warnings}};
}

/// The relative errors of the two things that people do instead: no constraint at all (which can overflow), and data types so
/// narrow that nothing can. Absent where it cannot be computed or no weight width fits.
struct Comparison {
  std::optional<double> unconstrained;
  std::optional<double> data_types;
  int data_type_bits = 0;
};

Comparison compare(const LayerProblem& problem, const Datapath& datapath, QuantizeOptions options) {
  Comparison result;
  if (problem.output_energy <= 0) {
    return result;
  }
  options.constraint = Constraint::none;
  result.unconstrained = quantize(problem, datapath, options).relative_error;
  options.constraint = Constraint::datatype;
  try {
    const QuantizedLayer naive = quantize(problem, datapath, options);
    result.data_types = naive.relative_error;
    result.data_type_bits = naive.weight_bits;
  } catch (const InputError&) {
    // No weight width fits these inputs: said by the absence of the figure.
  }
  return result;
}

std::string compared_in_words(const Comparison& comparison, int input_bits) {
  if (!comparison.unconstrained) {
    return "";
  }
  char text[128];
  std::snprintf(text, sizeof text, "   (no constraint %.4f, ", *comparison.unconstrained);
  std::string words = text;
  if (comparison.data_types) {
    std::snprintf(text, sizeof text, "data types alone W%dA%d %.4f)", comparison.data_type_bits, input_bits,
                  *comparison.data_types);
    return words + text;
  }
  return words + "data types alone: no weight width fits A" + std::to_string(input_bits) + ")";
}

std::string layer_lines(const QuantizedLayer& q, const LayerClaims& claims, const Comparison& comparison,
                        const Arguments& a) {
  const LayerSummary summary = summarize(claims);
  const QuantizeStatistics& s = q.statistics;
  char error[64] = "error unknown (no output_energy)";
  if (q.relative_error >= 0) {
    std::snprintf(error, sizeof error, "error %.4f", q.relative_error);
  }
  std::string text = claims.layer.name + "  " + in_words(claims.layer.rows) + " × " + in_words(claims.layer.cols) +
                     "  W" + std::to_string(q.weight_bits) + "A" + std::to_string(q.input.bits) + "  " +
                     upper_case(a.corrector) + " + " + upper_case(a.constraint) + (a.published ? " as published" : "") +
                     "   " + describe(claims.datapath) + "\n";
  text += "  " + std::string(error) + compared_in_words(comparison, q.input.bits) + "   " +
          seconds_in_words(s.seconds) + "\n";
  for (const StageSummary& stage : summary.stages) {
    text += "  " + in_words(stage.nodes) + " " + stage.stage.name + " nodes of " + std::to_string(stage.stage.width) +
            " bits: budget used " + percent(stage.budget_used) + " (median), smallest margin " +
            in_words(stage.smallest_margin) + " of " + in_words(stage.limits.upper) +
            (stage.unsafe_nodes != 0 ? ", " + in_words(stage.unsafe_nodes) + " can overflow" : "") + "\n";
  }
  text += "  " + in_words(s.decisions) + " decisions, " + in_words(s.settled_exactly) + " settled exactly, " +
          in_words(s.clipped) + " clipped by the budget, " + in_words(s.refinement_moves) + " refinement moves" +
          (s.dead_inputs != 0 ? ", " + in_words(s.dead_inputs) + " dead inputs" : "") + "\n";
  for (const std::string& warning : q.warnings) {
    text += "  note: " + warning + "\n";
  }
  return text;
}

Json json_of(const QuantizedLayer& q, const LayerClaims& claims, const Comparison& c, bool compared) {
  Json layer = parsed(layer_json(claims));
  layer["quantization"] = quantization_json(q);
  if (compared) {
    layer["comparison"] = {{"unconstrained", c.unconstrained ? Json(*c.unconstrained) : Json(nullptr)},
                           {"data_types", c.data_types ? Json(*c.data_types) : Json(nullptr)},
                           {"data_type_weight_bits", c.data_type_bits}};
  }
  return layer;
}

int run(const Arguments& a) {
  const Datapath datapath = datapath_argument(a.datapath);
  QuantizeOptions options = options_of(a);
  if (a.scales == "given") {
    options.scale_choice = ScaleChoice::largest_weight;  // also keeps the scales as they are after the sweep
  }
  const InputCalibration calibration = calibration_of(a, datapath, options);
  const Problems problems(a);
  const std::filesystem::path folder = a.folder;
  const OutputFolder output(folder);

  std::vector<QuantizedLayer> layers;
  Certificate certificate;
  certificate.tool = "axecert " AXECERT_VERSION;
  std::string text;
  Json told = Json::array();
  for (const auto& [name, file] : problems.names()) {
    const Task task = problems.read(name, calibration, a.compare);
    options.scales = task.scales;
    layers.push_back(quantize(task.problem, datapath, options, progress_line(*a.common, name)));
    const QuantizedLayer& quantized = layers.back();
    LayerClaims claims = make_claims(quantized.layer, datapath, InputSource::clamped);
    const Comparison comparison =
        a.compare ? compare(task.unlimited ? *task.unlimited : task.problem, datapath, options) : Comparison{};
    if (a.common->json) {
      told.push_back(json_of(quantized, claims, comparison, a.compare));
    } else {
      text += layer_lines(quantized, claims, comparison, a);
    }
    claims.layer.weights = {};  // the quantized layer has them
    certificate.layers.push_back(std::move(claims));
  }
  const Output weights{folder / "weights.safetensors", quantized_bytes(layers)};
  const Output claims{folder / "certificate.axec", certificate_bytes(certificate)};
  write_all_or_none({weights, claims});

  // What is printed is what the checker says of the files as they now are.
  const std::vector<Vote> votes{checker_vote(claims.path, weights.path)};
  const Verdict verdict = combine(votes);
  if (a.common->json) {
    Json document{{"verdict", to_text(verdict)},
                  {"weights", weights.path.string()},
                  {"certificate", claims.path.string()},
                  {"options",
                   {{"datapath", a.datapath},
                    {"corrector", a.corrector},
                    {"constraint", a.constraint},
                    {"activations", a.activations.empty() ? Json(nullptr) : Json(a.activations)},
                    {"published", a.published},
                    {"weight_bits", options.weight_bits},
                    {"asymmetric", options.asymmetric_weights},
                    {"group_scales", a.group_scales},
                    {"scales", a.scales == "given" ? a.scales : to_text(options.scale_choice)},
                    {"refine", options.refinement_passes},
                    {"threads", options.threads}}},
                  {"votes", Json::array({parsed(vote_json(votes[0]))})},
                  {"assumptions", parsed(assumptions_json(certificate))},
                  {"layers", std::move(told)}};
    print(document);
    return exit_code(verdict);
  }
  text += "wrote " + weights.path.string() + " (" + size_in_words(weights.bytes.size()) + ")  " + claims.path.string() +
          " (" + size_in_words(claims.bytes.size()) + ")\n" + votes_text(votes) + upper_case(to_text(verdict)) + "\n";
  print(text);
  return exit_code(verdict);
}

}  // namespace

Verb quantize_verb(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("quantize", "quantize float layers for a datapath; write weights and certificate");
  command
      ->add_option("FILE", a->files,
                   ".npz or .safetensors, or the index of shards, with weights and calibration data (docs/layers.md)")
      ->required();
  command
      ->add_option("-d,--datapath", a->datapath, "axe:P=16,T=64[,outer=32][,act=u8|s8|box], a preset, or a .toml file")
      ->required();
  command->add_option("-o,--output", a->folder, "folder for weights.safetensors and certificate.axec")->required();
  command->add_option("--corrector", a->corrector, "optq, gpfq, qronos or none")->capture_default_str();
  command->add_option("--constraint", a->constraint, "axe, input, datatype, ep-init or none")->capture_default_str();
  command
      ->add_option(
          "--activations", a->activations,
          "tensor: one grid for all inputs; token-asymmetric, token-symmetric: a grid per token; default: tensor, and "
          "token-symmetric for --constraint input")
      ->check(CLI::IsMember({"tensor", "token-asymmetric", "token-symmetric"}));
  command->add_option("--weight-bits", a->weight_bits, "bits of a weight")
      ->capture_default_str()
      ->check(CLI::Range(2, 8));
  command->add_flag("--asymmetric", a->asymmetric, "weights with a zero point");
  command->add_flag("--group-scales", a->group_scales, "a scale per row and tile (datapaths with outer=float)");
  command->add_option("--threads", a->threads, "threads; 0: one per core")->check(CLI::Range(0, 4096));
  command->add_option("--refine", a->refine, "refinement passes at most")->check(CLI::Range(0, 1000));
  command
      ->add_option("--dampening", a->dampening,
                   "dampening of OPTQ and Qronos, a fraction of H's mean diagonal; default 0.01")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--ridge", a->ridge,
                   "weight of ‖W − D‖² beside the error, a fraction of H's mean diagonal; default 0.03")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--no-order", a->no_order, "columns as they stand, not by activation");
  command->add_flag("--published", a->published, "AXE exactly as in the paper");
  command->add_flag("--compare", a->compare,
                    "also quantize without a constraint and by data types alone, and print their errors");
  command
      ->add_option("--scales", a->scales,
                   "search: by the calibration error (default); mse: by the weights' own error; max: from the largest "
                   "weight; given: "
                   "NAME.weight_scale of the input, fixed")
      ->check(CLI::IsMember({"search", "mse", "max", "given"}));
  command->add_option("--layer", a->layer, "this layer only");
  add_common(command, a->common, true);
  return {command, [a] { return run(*a); }};
}

}  // namespace axe::cli

// axecert certify: integer weights that exist, on a datapath: which rows are safe, which are not, and inputs that overflow them.
#include <exception>
#include <span>

#include "axecert/bound/kernel_order.hpp"
#include "axecert/bound/worst_case.hpp"
#include "axecert/certificate/certificate_file.hpp"
#include "axecert/certificate/sha256.hpp"
#include "axecert/model/layers.hpp"
#include "axecert/model/weight_files.hpp"
#include "axecert/numeric/tasks.hpp"
#include "axecert/report/explanation.hpp"
#include "axecert/report/report.hpp"
#include "axecert/report/summary.hpp"
#include "axecert/report/votes.hpp"
#include "axecert/report/words.hpp"
#include "claims_of.hpp"
#include "datapath_argument.hpp"
#include "onnx_input.hpp"
#include "report_files.hpp"
#include "requantization.hpp"
#include "verb.hpp"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace axe::cli {
namespace {

struct Arguments {
  std::string model, datapath, output, weights_output, layer, convolution_order = "kernel";
  std::vector<std::int64_t> input_range;
  ReportFiles files;
  RequantizationArguments requantization;
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

/// How many registers of an unsafe layer overflow even when each adds its values in the datapath's own order, where that is another question than the
/// certificate's.
std::optional<std::int64_t> overflowing_in_kernel_order(const LayerClaims& claims) {
  if (claims.verdict != Verdict::unsafe || claims.layer.input_limit != 0 || !excludes_zero(claims.layer)) {
    return std::nullopt;
  }
  std::int64_t overflowing = 0;
  const std::vector<StageRanges> ranges =
      kernel_order_ranges(claims.layer, Topology(claims.datapath, claims.layer.cols));
  for (std::size_t s = 0; s < ranges.size(); ++s) {
    const Stage& stage = claims.datapath.stages[s];
    const bool final = stage.claim == Claim::final_value;  // then prefixes do not count
    overflowing += overflowing_registers(final ? claims.ranges[s] : ranges[s], register_limits(stage));
  }
  return overflowing;
}

// What is said of the layers, collected one by one.
struct Account {
  std::string text;
  Json layers = Json::array();
  std::int64_t nodes = 0, unsafe_nodes = 0;

  void add(Account&& other) {
    text += other.text;
    nodes += other.nodes;
    unsafe_nodes += other.unsafe_nodes;
    for (Json& layer : other.layers) {
      layers.push_back(std::move(layer));
    }
  }

  void add(const LayerClaims& claims, bool as_json) {
    const std::vector<std::string> story = in_words(explain(claims, claims.worst));
    const std::optional<std::int64_t> in_kernel_order = overflowing_in_kernel_order(claims);
    if (as_json) {
      Json layer = parsed(layer_json(claims));
      layer["explanation"] = story;
      layer["unsafe_in_kernel_order"] = in_kernel_order ? Json(*in_kernel_order) : Json(nullptr);
      layers.push_back(std::move(layer));
      return;
    }
    const LayerSummary summary = summarize(claims, Median::left_out);
    const StageRanges& last = claims.ranges.back();
    const IntegerRange sums = hull(last.lower.data(), last.upper.data(), static_cast<std::int64_t>(last.lower.size()));
    text += claims.layer.name + "  " + in_words(claims.layer.rows) + " × " + in_words(claims.layer.cols) + "  " +
            describe(claims.datapath) + "\n  " + upper_case(to_text(claims.verdict)) + ": " +
            in_words(claims.layer.rows - summary.unsafe_rows) + " of " + in_words(claims.layer.rows) +
            " rows are safe; inputs in " + in_words(summary.box) + ", " + source_in_words(claims) + "\n";
    const std::vector<StageWorstCase> worst = worst_case(claims.datapath);
    for (std::size_t s = 0; s < summary.stages.size(); ++s) {
      const StageSummary& stage = summary.stages[s];
      const IntegerRange safe = worst[s].safe_inputs;
      text += "  " + stage.stage.name + ": " + std::to_string(stage.stage.width) + " bits, " +
              std::to_string(stage.smallest_safe_width) + " suffice for these weights, " +
              std::to_string(stage.data_type.exact) + " for any of their type; " +
              (stage.unsafe_nodes == 0
                   ? "all " + in_words(stage.nodes) + " registers are safe"
                   : in_words(stage.unsafe_nodes) + " of " + in_words(stage.nodes) + " registers can overflow") +
              (stage.unsafe_nodes > 0 && worst[s].products > 0 && stage.stage.initial == Initial::zero &&
                       safe.lower <= safe.upper
                   ? ", none where inputs are in " + in_words(safe) + ", whatever the weights"
                   : "") +
              "\n";
      nodes += stage.nodes;
      unsafe_nodes += stage.unsafe_nodes;
    }
    if (sums.lower < -float_exact || sums.upper > float_exact) {
      text += "  sums reach " + in_words(sums) + ", beyond 2^24: a conversion to float32 may round them\n";
    }
    if (in_kernel_order) {
      text += "  some inputs are never 0, so the order of additions counts: in the datapath's own order, " +
              (*in_kernel_order == 0 ? "every prefix fits, and only a kernel that adds otherwise overflows"
                                     : in_words(*in_kernel_order) + " registers can overflow") +
              "\n";
    }
    text += "  worst: ";
    for (const std::string& line : story) {
      text += (line == story.front() ? "" : "  ") + line + "\n";
    }
  }
};

// Prints all of it; returns the exit code.
int tell(const Arguments& a, Account account, const Certificate& certificate, const std::vector<Vote>& votes,
         const std::string& written_files, const std::optional<OnnxInput>& onnx) {
  const Verdict verdict = combine(votes);
  if (a.common->json) {
    Json document{{"verdict", to_text(verdict)},
                  {"model", a.model},
                  {"certificate", a.output.empty() ? Json(nullptr) : Json(a.output)},
                  {"votes", Json::array()},
                  {"assumptions", parsed(assumptions_json(certificate))},
                  {"layers", std::move(account.layers)}};
    for (const Vote& vote : votes) {
      document["votes"].push_back(parsed(vote_json(vote)));
    }
    if (onnx) {
      document["onnx"] = onnx->json;
    }
    print(document);
    return exit_code(verdict);
  }
  print((onnx ? onnx->text : "") + account.text + "in all " + in_words(account.nodes) +
        " registers: " + in_words(account.nodes - account.unsafe_nodes) + " safe, " + in_words(account.unsafe_nodes) +
        " can overflow\n" + votes_text(votes) + written_files + upper_case(to_text(verdict)) + "\n");
  return exit_code(verdict);
}

/// --input-range, checked by `run`.
std::optional<IntegerRange> input_range(const Arguments& a) {
  return a.input_range.empty() ? std::nullopt : std::optional(IntegerRange{a.input_range[0], a.input_range[1]});
}

// The hashes of the weights of layers[0], layers[1], …: as many layers as come to `most_ahead` bytes, and two at least, because two
// are hashed in little more time than one.
std::vector<Sha256> hashes_ahead(const WeightFiles& files, std::span<const std::string> layers) {
  constexpr std::size_t most_ahead = std::size_t{1} << 25;
  std::vector<std::span<const std::uint8_t>> arrays;
  std::size_t size = 0;
  for (const std::string& name : layers) {
    if (arrays.size() >= 2 && size >= most_ahead) {
      break;
    }
    arrays.push_back(files.bytes_of(name + ".weight"));
    size += arrays.back().size();
  }
  std::vector<Sha256> hashes = sha256_of_each(arrays);
  files.let_go();
  return hashes;
}

// Every layer needs the same arrays as the one before it. glibc would give their memory back after each layer and have the kernel clear
// it for the next, which takes half as long again as certifying.
void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int most_kept = 1 << 28;
  mallopt(M_MMAP_THRESHOLD, most_kept);
  mallopt(M_TRIM_THRESHOLD, most_kept);
#endif
}

// A layer at a time, so that memory does not grow with the model: the certificate goes to disk as it grows, and the checker maps it.
int run_by_layers(const Arguments& a, const WeightFiles& files, const Datapath& datapath,
                  const RequantizationJudge& requantization) {
  demand_weight_keys(files.outline());
  keep_freed_memory();
  const std::filesystem::path target = a.output.empty()
                                           ? std::filesystem::temp_directory_path() / "axecert-certify.axec"
                                           : std::filesystem::path(a.output);
  Account account;
  const auto cannot_create = [](const InputError& error) {
    return Failure(exit_cannot_create, "output", error.what(), "nothing was written");
  };
  std::optional<CertificateWriter> writer;
  try {
    writer.emplace(target, "axecert " AXECERT_VERSION);
  } catch (const InputError& error) {
    throw cannot_create(error);
  }
  const std::vector<std::string> names = files.layers();
  requantization.demand_layers(names);
  std::vector<Vote> requantized;
  std::vector<Sha256> hashes;  // of the layers from `first` on
  for (std::size_t i = 0, first = 0; i < names.size(); ++i) {
    if (i == first + hashes.size()) {
      first = i;
      hashes = hashes_ahead(files, std::span(names).subspan(i));
    }
    const LayerClaims claims =
        claims_of(read_integer_layer(files, names[i], datapath), datapath, input_range(a), hashes[i - first]);
    account.add(claims, a.common->json);
    if (requantization.judges(names[i])) {
      requantized.push_back(requantization.vote(claims));
    }
    writer->add(claims);
  }
  PendingFile& pending = writer->finish();
  const std::size_t shards = files.shards().size();
  std::vector<Vote> votes{checker_vote(
      MappedFile(pending.place()), files.shards(),
      what_the_checker_did + (shards > 1 ? "; " + std::to_string(shards) + " weights files" : std::string()))};
  if (std::optional<Vote> vote = joined_requantization(std::move(requantized))) {
    votes.push_back(std::move(*vote));
  }
  std::string written_files;
  if (!a.output.empty()) {
    written_files = "wrote " + a.output + " (" + size_in_words(std::filesystem::file_size(pending.place())) + ")\n";
    try {
      pending.keep();
    } catch (const InputError& error) {
      throw cannot_create(error);
    }
  }
  return tell(a, std::move(account), writer->certificate(), votes, written_files, std::nullopt);
}

int run(const Arguments& a) {
  const Datapath datapath = datapath_argument(a.datapath);
  if (!a.input_range.empty() && (a.input_range[0] > a.input_range[1] || a.input_range[0] < -largest_operand ||
                                 a.input_range[1] > largest_operand)) {
    throw Failure(exit_usage, "--input-range", "not a range of integers within ±2^24", "LO,HI with LO ≤ HI");
  }
  RequantizationJudge requantization(a.requantization, datapath);
  std::optional<OnnxInput> onnx;
  TensorFile file;
  if (is_onnx(a.model)) {
    onnx = read_onnx_input(a.model, datapath, a.convolution_order);
    file = std::move(onnx->layers);
    requantization.hear(*onnx);
    if (!a.layer.empty()) {
      onnx->missing.reset();  // the verdict is about this layer alone
    }
  } else {
    require_input(a.model);
    if (a.layer.empty() && a.weights_output.empty() && !a.files.any() && is_safetensors(a.model)) {
      const WeightFiles files(a.model);
      if (files.as_the_checker_reads()) {
        return run_by_layers(a, files, datapath, requantization);
      }
    }
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
  Account account;
  demand_weight_keys(file);
  const std::vector<std::string> names = layer_names(file);
  requantization.demand_layers(names);
  std::vector<Vote> requantized(names.size());
  std::vector<CertificateImage::LayerSize> sizes;
  for (const std::string& name : names) {
    const std::vector<std::int64_t>& shape = file.at(name + ".weight").shape;
    const bool matrix = shape.size() == 2 && shape[0] >= 1 && shape[1] >= 1 && shape[1] <= largest_length;
    sizes.push_back({name, matrix ? shape[0] : 1, matrix ? shape[1] : 1});  // any other is refused when it is read
  }
  // Layers on as many threads as there are cores; what is said of them is put together in their order. Claims are kept for reports only.
  CertificateImage image(sizes, datapath, "axecert " AXECERT_VERSION);
  std::vector<LayerClaims> kept(a.files.any() ? names.size() : 0);
  std::vector<Account> accounts(names.size());
  std::vector<std::exception_ptr> errors(names.size());
  const int threads = workers_or_cores(0);
  for_each_task(names.size(), threads, [&](const auto& take) {
    std::vector<StageRanges> memory;  // of the layer before
    for (std::size_t i = 0; take(i);) {
      try {
        LayerClaims claims = claims_of(read_integer_layer(file, names[i], datapath), datapath, input_range(a),
                                       std::nullopt, std::move(memory));
        accounts[i].add(claims, a.common->json);
        if (requantization.judges(names[i])) {
          requantized[i] = requantization.vote(claims);
        }
        image.add(i, claims);
        if (kept.empty()) {
          memory = std::move(claims.ranges);
        } else {
          kept[i] = std::move(claims);
        }
      } catch (...) {
        errors[i] = std::current_exception();
        image.give_up();
      }
    }
  });
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (errors[i]) {
      std::rethrow_exception(errors[i]);
    }
    account.add(std::move(accounts[i]));
  }
  std::span<const std::uint8_t> bytes;
  std::vector<std::uint8_t> weights;
  for_each_task(2, threads, [&](const auto& take) {
    for (std::size_t task = 0; take(task);) {
      if (task == 0) {
        bytes = image.finish();
      } else {
        weights = weights_for_checker(std::move(file));
      }
    }
  });
  const Certificate certificate{image.certificate().tool, kept.empty() ? image.certificate().layers : std::move(kept)};
  std::vector<Vote> votes{checker_vote(bytes, weights, what_the_checker_did)};
  if (onnx && onnx->missing) {
    votes.push_back(*onnx->missing);
  }
  if (std::optional<Vote> vote = joined_requantization(std::move(requantized))) {
    votes.push_back(std::move(*vote));
  }
  std::vector<Output> outputs;
  if (!a.output.empty()) {
    outputs.push_back({a.output, {}, bytes});
  }
  if (!a.weights_output.empty()) {
    outputs.push_back({a.weights_output, {}, weights});
  }
  if (a.files.any()) {
    for (Output& report : rendered(a.files, report_contents({certificate, votes, a.output, a.model}))) {
      outputs.push_back(std::move(report));
    }
  }
  write_all_or_none(outputs);
  return tell(a, std::move(account), certificate, votes, written(outputs), onnx);
}

}  // namespace

Verb certify_verb(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("certify", "certify integer weights that exist; say which rows can overflow, with witnesses");
  command
      ->add_option("MODEL", a->model,
                   ".npz or .safetensors with integer weights, or *.safetensors.index.json (docs/layers.md), or .onnx "
                   "(docs/onnx.md)")
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
  add_requantization(command, a->requantization);
  add_report_files(command, a->files);
  add_convolution_order(command, a->convolution_order);
  add_common(command, a->common, false);
  return {command, [a] { return run(*a); }};
}

}  // namespace axe::cli

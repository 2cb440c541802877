// Certificates, checks and quantizing by ranges of rows, for Python: what axecert.distributed hands out as tasks. Each function is a
// piece that is whole in itself: it reads files, and writes one or returns its result. Side effects: those files.
#include "axecert/certificate/parts.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include "axecert/certificate/certificate_file.hpp"
#include "axecert/certificate/sha256.hpp"
#include "axecert/election/election.hpp"
#include "axecert/model/layers.hpp"
#include "axecert/model/weight_files.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/report/votes.hpp"
#include "bind.hpp"

namespace axe::python {
namespace {

using Rows = std::tuple<std::string, std::int64_t, std::int64_t>;  // layer, rows, columns

std::vector<Rows> weight_layers(const std::string& path) {
  const WeightFiles files(path);
  if (!files.as_the_checker_reads()) {
    throw InputError(path, "holds arrays that the checker does not read as they are",
                     "weights are I8, biases and input limits I64, the quantizer's other integers I32 (docs/layers.md)");
  }
  demand_weight_keys(files.outline());
  std::vector<Rows> layers;
  for (const std::string& name : files.layers()) {
    const Tensor& weight = files.outline().at(name + ".weight");
    if (weight.shape.size() != 2) {
      throw InputError(files.name() + ": " + name + ".weight", "is not a matrix", "weights are [rows, K]");
    }
    layers.emplace_back(name, weight.shape[0], weight.shape[1]);
  }
  return layers;
}

void certify_rows(const std::string& weights, const std::string& layer, std::int64_t begin, std::int64_t end,
                  const Datapath& datapath, const std::string& path) {
  const WeightFiles files(weights);
  StoredLayer stored = std::move(read_integer_layers(files.rows(layer, begin, end), datapath).at(0));
  write_certificate(path, {"axecert " AXECERT_VERSION, {make_claims(std::move(stored.layer), datapath, stored.source)}});
}

std::string hash_text(const std::vector<std::uint8_t>& bytes) {
  return to_hex(sha256(bytes.data(), bytes.size()));
}

std::pair<std::string, Vote> check_rows(const std::string& part, const std::string& weights, const std::string& layer,
                                        std::int64_t begin, std::int64_t end) {
  const WeightFiles files(weights);
  const std::vector<std::uint8_t> claims = whole_file(part);
  const TensorFile rows = files.rows(layer, begin, end);
  return {hash_text(claims), checker_vote(claims, safetensors_bytes(rows.tensors, rows.metadata), "rows of one layer")};
}

// SHA-256 of a mapped array; all zero when there is none.
Sha256 hash_of_array(const WeightFiles& files, const std::string& array) {
  if (files.outline().find(array) == nullptr) {
    return {};
  }
  constexpr std::size_t piece = std::size_t{1} << 24;
  Sha256Stream stream;
  for (std::span<const std::uint8_t> rest = files.bytes_of(array); !rest.empty();) {
    const auto next = rest.first(std::min(piece, rest.size()));
    stream.update(next.data(), next.size());
    rest = rest.subspan(next.size());
    files.let_go();
  }
  return stream.finish();
}

// layer, first row, row behind the last, file, its SHA-256
using Part = std::tuple<std::string, std::int64_t, std::int64_t, std::string, std::string>;

Certificate join_parts(const std::string& weights, const std::vector<Part>& parts, const std::string& path) {
  const WeightFiles files(weights);
  CertificateWriter writer(path, "axecert " AXECERT_VERSION);
  std::size_t next = 0;
  for (const auto& [name, rows, cols] : weight_layers(weights)) {
    std::vector<LayerClaims> claims;
    for (std::int64_t row = 0; row < rows; ++next) {
      if (next == parts.size() || std::get<0>(parts[next]) != name || std::get<1>(parts[next]) != row) {
        throw InputError(path, "the next part is not that of layer " + name + " from row " + std::to_string(row),
                         "give the parts of all rows of all layers, sorted");
      }
      const auto& [layer, begin, end, file, hash] = parts[next];
      const std::vector<std::uint8_t> bytes = whole_file(file);
      if (hash_text(bytes) != hash) {
        throw InputError(file, "is not the part that was checked: its SHA-256 is another", "certify these rows again");
      }
      Certificate part = parse_certificate(bytes, file);
      if (part.layers.size() != 1 || part.layers[0].layer.name != name || part.layers[0].layer.rows != end - begin ||
          part.layers[0].layer.cols != cols) {
        throw InputError(file, "speaks of other rows than those of layer " + name, "certify these rows again");
      }
      claims.push_back(std::move(part.layers[0]));
      row = end;
    }
    writer.add(join(claims, hash_of_array(files, name + ".weight"), hash_of_array(files, name + ".bias")));
  }
  if (next != parts.size()) {
    throw InputError(path, "there are parts of layers that the weights do not have", "use one folder for one model");
  }
  writer.finish().keep();
  return writer.certificate();
}

std::vector<Vote> verify_rows(const std::string& certificate, const std::string& digest, const std::string& weights,
                              const std::string& layer, std::int64_t begin, std::int64_t end,
                              const std::vector<std::string>& depths, std::optional<int> replay) {
  const CertificateFile file(certificate, digest);
  const std::vector<LayerClaims>& layers = file.certificate().layers;
  const auto found = std::find_if(layers.begin(), layers.end(), [&](const LayerClaims& c) { return c.layer.name == layer; });
  if (found == layers.end()) {
    throw InputError(certificate, "has no layer " + layer, "");
  }
  const WeightFiles files(weights);
  LayerClaims claims = file.claims(static_cast<std::size_t>(found - layers.begin()));
  if (hash_of_array(files, layer + ".weight") != claims.weight_hash ||
      hash_of_array(files, layer + ".bias") != claims.bias_hash) {
    throw InputError(weights + ": " + layer, "its arrays' SHA-256 are not the certificate's",
                     "use the weights that the certificate speaks of");
  }
  const std::int64_t rows = claims.layer.rows;
  if (begin < 0 || begin >= end || end > rows) {
    throw InputError(certificate + ": " + layer, "has no rows " + std::to_string(begin) + " to " + std::to_string(end), "");
  }
  // Only these rows' weights are read; their places among the layer's are made good in the findings.
  Datapath any;
  StoredLayer stored = std::move(read_integer_layers(files.rows(layer, begin, end), any).at(0));
  for (StageRanges& stage : claims.ranges) {
    stage.lower = {stage.lower.begin() + begin * stage.nodes, stage.lower.begin() + end * stage.nodes};
    stage.upper = {stage.upper.begin() + begin * stage.nodes, stage.upper.begin() + end * stage.nodes};
  }
  claims.layer.rows = end - begin;
  claims.layer.weights = std::move(stored.layer.weights);
  claims.layer.bias = std::move(stored.layer.bias);
  finish_claims(claims);
  const Certificate part{file.certificate().tool, {std::move(claims)}};
  std::vector<Vote> votes;
  for (const std::string& depth : depths) {
    SmtOptions options;
    options.depth = depth == "ground" ? SmtDepth::ground : depth == "box" ? SmtDepth::box : SmtDepth::bit_precise;
    votes.push_back(smt_vote(part, options));
  }
  if (replay) {
    ReplayOptions options;
    options.random_inputs_per_row = *replay;
    votes.push_back(replay_vote(part, options));
  }
  for (Vote& vote : votes) {
    for (Finding& finding : vote.findings) {
      finding.node.row += finding.node.row >= 0 ? begin : 0;
    }
  }
  return votes;
}

std::vector<Rows> problem_layers(const std::string& path) {
  const TensorFile file = is_safetensors(path) ? WeightFiles(path).outline() : read_tensors(path);
  std::vector<Rows> layers;
  for (const std::string& name : layer_names(file)) {
    const Tensor& weight = file.at(name + ".weight");
    layers.emplace_back(name, weight.shape.empty() ? 0 : weight.shape[0], weight.shape.size() < 2 ? 0 : weight.shape[1]);
  }
  return layers;
}

QuantizedLayer quantize_rows_of(const std::string& path, const std::string& layer, std::int64_t begin, std::int64_t end,
                                const Datapath& datapath, const QuantizeOptions& options) {
  LayerProblem problem = std::move(read_problems(is_safetensors(path) ? WeightFiles(path).layer(layer)
                                                                     : arrays_of(read_tensors(path), layer))
                                       .at(0));
  if (begin < 0 || begin >= end || end > problem.rows) {
    throw InputError(path + ": " + layer, "has no rows " + std::to_string(begin) + " to " + std::to_string(end), "");
  }
  problem.weight = {problem.weight.begin() + begin * problem.cols, problem.weight.begin() + end * problem.cols};
  if (!problem.bias.empty()) {
    problem.bias = {problem.bias.begin() + begin, problem.bias.begin() + end};
  }
  if (end - begin != problem.rows) {
    problem.output_energy = -1;  // it is the whole layer's
  }
  problem.rows = end - begin;
  return quantize(problem, datapath, options);
}

template <class Value>
void append(std::vector<Value>& to, const std::vector<Value>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

QuantizedLayer join_layers(const std::vector<QuantizedLayer>& parts) {
  if (parts.empty()) {
    throw InputError("layer", "has no parts", "quantize all of its rows");
  }
  QuantizedLayer whole = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const QuantizedLayer& part = parts[i];
    if (part.layer.name != whole.layer.name || part.layer.cols != whole.layer.cols || part.groups != whole.groups ||
        part.weight_bits != whole.weight_bits || part.shift != whole.shift ||
        part.layer.box_lower != whole.layer.box_lower || part.layer.box_upper != whole.layer.box_upper ||
        part.layer.offset != whole.layer.offset) {
      throw InputError("layer " + whole.layer.name, "its parts were quantized for different inputs or widths",
                       "quantize all of its rows with the same options");
    }
    whole.layer.rows += part.layer.rows;
    append(whole.layer.weights, part.layer.weights);
    append(whole.layer.bias, part.layer.bias);
    append(whole.scales, part.scales);
    append(whole.weight_zero_points, part.weight_zero_points);
    append(whole.float_bias, part.float_bias);
    append(whole.outlier_weight, part.outlier_weight);
    // Every row's weights leave another room (Constraint::input); the layer has the least.
    whole.layer.input_limit = std::min(whole.layer.input_limit, part.layer.input_limit);
    whole.input.limit = whole.layer.input_limit;
  }
  whole.relative_error = -1;
  return whole;
}

}  // namespace

void bind_parts(nb::module_& module) {
  module.def("weight_layers", &weight_layers, nb::call_guard<nb::gil_scoped_release>(), "weights"_a,
             "(name, rows, columns) of every layer of a weights file, or of an index of shards, sorted by name.");
  module.def("certify_rows", &certify_rows, nb::call_guard<nb::gil_scoped_release>(), "weights"_a, "layer"_a, "begin"_a, "end"_a, "datapath"_a, "path"_a,
             "Writes claims about rows [begin, end) of a layer, as a certificate of these rows alone.");
  module.def("check_rows", &check_rows, nb::call_guard<nb::gil_scoped_release>(), "part"_a, "weights"_a, "layer"_a, "begin"_a, "end"_a,
             "SHA-256 of a file that certify_rows wrote, and the checker's vote on it and these rows.");
  module.def("join_parts", &join_parts, nb::call_guard<nb::gil_scoped_release>(), "weights"_a, "parts"_a, "path"_a, R"(Writes the certificate of a model from those of its rows.

parts  (layer, first row, row behind the last, file, its SHA-256) of all rows of all layers, sorted; a file of another hash is an InputError.
The certificate comes back as an outline: without ranges.)");
  module.def("verify_rows", &verify_rows, nb::call_guard<nb::gil_scoped_release>(), "certificate"_a, "digest"_a, "weights"_a, "layer"_a, "begin"_a, "end"_a, nb::kw_only(),
             "depths"_a, "replay"_a = nb::none(), R"(Votes of Z3 ("ground", "box", "bits") and of the replay on rows [begin, end) of a layer.

digest  the certificate's, as certificate_digest gives it: whoever asked the checker for the whole knows it.)");
  module.def("certificate_digest", [](const std::string& path) {
    nb::gil_scoped_release unlocked;
    return CertificateFile(path).digest();
  }, "path"_a, "The digest of a certificate, which is that of its bytes.");
  module.def("certificate_layers", [](const std::string& path) {
    nb::gil_scoped_release unlocked;
    std::vector<Rows> layers;
    const CertificateFile file(path);
    for (const LayerClaims& claims : file.certificate().layers) {
      layers.emplace_back(claims.layer.name, claims.layer.rows, claims.layer.cols);
    }
    return layers;
  }, "path"_a, "(name, rows, columns) of every layer that a certificate speaks of.");
  module.def("certificate_assumptions", [](const std::string& path) {
    nb::gil_scoped_release unlocked;
    std::vector<std::string> names;
    for (const Assumption assumption : assumptions(CertificateFile(path).certificate())) {
      names.push_back(name_of(assumption));
    }
    return names;
  }, "path"_a, "Names of everything that a certificate takes on trust.");
  module.def("checker_vote", [](const std::string& certificate, const std::string& weights) {
    nb::gil_scoped_release unlocked;
    return checker_vote(std::filesystem::path(certificate), std::filesystem::path(weights));
  }, "certificate"_a, "weights"_a, "The checker's vote on a certificate and its weights.");
  module.def("join_votes", [](const std::vector<Vote>& votes, std::optional<int> replay) {
    Vote whole = join(votes);
    if (replay && whole.voter == "replay" && !whole.detail.empty()) {
      ReplayOptions options;
      options.random_inputs_per_row = *replay;
      whole.detail = replay_detail(whole.nodes_checked, options);
    }
    return whole;
  }, "votes"_a, "replay"_a = nb::none(), "One voter's vote, from its votes on parts; `replay` as verify_rows was given.");
  module.def("combine_votes", [](const std::vector<Vote>& votes) { return to_text(combine(votes)); }, "votes"_a,
             "The verdict that follows from all voters' votes.");
  module.def("same_arithmetic", &same_arithmetic, "a"_a, "b"_a, "Whether two datapaths have the same operands and stages, whatever their names.");
  module.def("array_bytes", [](const std::string& path) {
    nb::gil_scoped_release unlocked;
    const WeightFiles files(path);
    std::vector<std::pair<std::string, std::int64_t>> sizes;
    for (const auto& [name, tensor] : files.outline().tensors) {
      sizes.emplace_back(name, static_cast<std::int64_t>(files.bytes_of(name).size()));
    }
    return sizes;
  }, "path"_a, "(name, bytes) of every array of a weights file.");
  module.def("problem_layers", &problem_layers, nb::call_guard<nb::gil_scoped_release>(), "path"_a,
             "(name, rows, columns) of every layer of a file that `quantize` reads (docs/layers.md).");
  module.def("quantize_rows", &quantize_rows_of, nb::call_guard<nb::gil_scoped_release>(), "path"_a, "layer"_a, "begin"_a, "end"_a, "datapath"_a, "options"_a,
             "Quantizes rows [begin, end) of a layer of such a file.");
  module.def("join_layers", &join_layers, nb::call_guard<nb::gil_scoped_release>(), "parts"_a, "A quantized layer from those of its rows, in order.");
}

}  // namespace axe::python

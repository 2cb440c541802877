// Layers in files: which keys a layer has, what shapes and ranges they must have, and the way between them and the types of
// lib/quantize and lib/certificate. `read_problems`, `write_quantized` and `read_integer_layers` are the main functions; the
// key table is docs/layers.md. Side effects: write_quantized replaces one file atomically.
#include "axecert/model/layers.hpp"
#include "axecert/constraint/input_limit.hpp"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <set>
#include <span>

#include "axecert/certificate/atomic_file.hpp"
#include "axecert/model/calibration.hpp"
#include "axecert/model/containers.hpp"
#include "axecert/model/layer_keys.hpp"
#include "axecert/model/weight_files.hpp"

namespace axe {
namespace {

using Keys = std::span<const char* const>;

constexpr const char* problem_keys[] = {"weight",         "inputs",           "H",          "G",
                                        "input_scale",    "input_zero_point", "input_bits", "input_signed",
                                        "input_code_min", "input_code_max",   "bias",       "output_energy",
                                        "weight_scale",   "inputs_sample"};
constexpr const char* stored_keys[] = {"weight",
                                       "scale",
                                       "bias",
                                       "float_bias",
                                       "input_lower",
                                       "input_upper",
                                       "input_shift",
                                       "input_zero_point",
                                       "input_scale",
                                       "weight_zero_point",
                                       "input_multiplier",
                                       "input_sign",
                                       "outlier_columns",
                                       "outlier_weight",
                                       "input_limit"};

std::string list(Keys keys) {
  std::string text;
  for (const char* key : keys) {
    text += (text.empty() ? "" : ", ") + std::string(key);
  }
  return text;
}

// Every array must be a known key of a layer: a misspelt key must not pass as an absent one.
void refuse_unknown_keys(const TensorFile& file, const std::vector<std::string>& names, Keys known) {
  for (const auto& item : file.tensors) {
    const std::string& key = item.first;
    const std::size_t dot = key.rfind('.');
    const std::string layer = dot == std::string::npos ? "" : key.substr(0, dot);
    if (dot == std::string::npos || !std::binary_search(names.begin(), names.end(), layer)) {
      throw InputError(file.path + ": " + key,
                       "belongs to no layer: there is no '" + (layer.empty() ? key : layer) + ".weight'",
                       "arrays are named NAME.KEY, and every layer has NAME.weight");
    }
    const std::string word = key.substr(dot + 1);
    if (std::none_of(known.begin(), known.end(), [&](const char* k) { return word == k; })) {
      throw InputError(file.path + ": " + key, "'" + word + "' is no key of a layer", "known keys: " + list(known));
    }
  }
}

void check_name(const TensorFile& file, const std::string& name) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '/' || c == '-';
  });
  if (!plain) {
    throw InputError(file.path, "layer name '" + name + "' has characters other than A-Z a-z 0-9 _ . / -", "rename it");
  }
}

void check_matrix(const LayerKeys& keys, const Tensor& weight) {
  if (weight.shape.size() != 2) {
    keys.fail("weight", "has shape " + shape_text(weight.shape) + ", must be [rows, K]",
              "reshape a convolution to [out channels, the rest]");
  }
  if (weight.shape[0] < 1 || weight.shape[1] < 1) {
    keys.fail("weight", "has shape " + shape_text(weight.shape) + ": an empty layer", "leave it out");
  }
  if (weight.shape[1] > largest_length) {
    keys.fail("weight", "has K = " + std::to_string(weight.shape[1]) + ", at most 2^24 is supported", "");
  }
}

ActivationGrid read_grid(const LayerKeys& keys, const InputCalibration& calibration) {
  ActivationGrid grid;
  grid.is_signed = calibration.is_signed.value_or(false);
  if (keys.has("input_bits")) {
    const std::int64_t bits = keys.integer("input_bits");
    if (bits < 2 || bits > 8) {
      keys.fail("input_bits", std::to_string(bits) + " bits", "activations have 2 to 8 bits");
    }
    grid.bits = static_cast<int>(bits);
  }
  if (keys.has("input_signed")) {
    const std::int64_t flag = keys.integer("input_signed");
    if (flag != 0 && flag != 1) {
      keys.fail("input_signed", "is " + std::to_string(flag), "0 for unsigned codes, 1 for signed ones");
    }
    if (calibration.is_signed.value_or(flag == 1) != (flag == 1)) {
      keys.fail("input_signed", "is " + std::to_string(flag) + ", but other codes were asked for", "leave it out");
    }
    grid.is_signed = flag == 1;
  }
  if (calibration.scaling == ActivationScaling::token) {
    for (const char* key : {"input_scale", "input_zero_point", "H", "G"}) {
      if (keys.has(key)) {
        keys.fail(key, "is of one grid for all inputs, but a scale per token was asked for", "give NAME.inputs alone");
      }
    }
    grid.scaling = ActivationScaling::token;
    return grid;
  }
  if (keys.has("input_scale")) {
    grid.scale = keys.real("input_scale");
    if (!(grid.scale >= static_cast<double>(FLT_MIN))) {
      keys.fail("input_scale",
                grid.scale > 0    ? "is denormal"
                : grid.scale == 0 ? "is zero"
                                  : "is negative",
                "a scale is a normal positive number; calibrate again");
    }
    keys.need("input_zero_point", "give it beside input_scale (0 for symmetric inputs)");
    const std::int64_t zero_point = keys.integer("input_zero_point");
    if (zero_point < grid.code_lower() || zero_point > grid.code_upper()) {
      keys.fail("input_zero_point",
                std::to_string(zero_point) + " is outside the codes [" + std::to_string(grid.code_lower()) + ", " +
                    std::to_string(grid.code_upper()) + "]",
                "");
    }
    grid.zero_point = static_cast<std::int32_t>(zero_point);
  } else if (keys.has("input_zero_point")) {
    keys.fail("input_scale", "is missing, but there is an input_zero_point", "give both, or neither with NAME.inputs");
  }
  return grid;
}

// H must be what it claims: symmetric, with a diagonal ≥ 0. Rounding of single precision is smoothed away, more is refused.
void check_gram(const LayerKeys& keys, std::vector<float>& gram, std::int64_t n) {
  const auto at = [&](std::int64_t i, std::int64_t j) -> float& { return gram[static_cast<std::size_t>(i * n + j)]; };
  const auto index = [](std::int64_t i, std::int64_t j) {
    return "[" + std::to_string(i) + ", " + std::to_string(j) + "]";
  };
  for (std::int64_t i = 0; i < n; ++i) {
    if (at(i, i) < 0) {
      keys.fail("H", "its diagonal is negative at " + index(i, i), "H is the sum of x̃ x̃ᵀ over the tokens");
    }
  }
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = i + 1; j < n; ++j) {
      const double a = at(i, j), b = at(j, i);
      if (std::fabs(a - b) > 1e-3 * std::sqrt(static_cast<double>(at(i, i)) * at(j, j)) + 1e-30) {
        keys.fail("H", "is not symmetric at " + index(i, j), "H is the sum of x̃ x̃ᵀ over the tokens");
      }
      if (at(i, j) != at(j, i)) {
        at(i, j) = at(j, i) = static_cast<float>((a + b) / 2);
      }
    }
  }
}

void read_code_ranges(const LayerKeys& keys, LayerProblem& problem) {
  if (keys.has("input_code_min") != keys.has("input_code_max")) {
    keys.fail(keys.has("input_code_min") ? "input_code_max" : "input_code_min", "is missing",
              "give both ends of the channel ranges, or neither");
  }
  if (!keys.has("input_code_min")) {
    return;
  }
  keys.expect_shape("input_code_min", {problem.cols});
  keys.expect_shape("input_code_max", {problem.cols});
  problem.code_min = keys.integers32("input_code_min");
  problem.code_max = keys.integers32("input_code_max");
  for (std::size_t k = 0; k < problem.code_min.size(); ++k) {
    if (problem.code_min[k] > problem.code_max[k] || problem.code_min[k] < problem.input.code_lower() ||
        problem.code_max[k] > problem.input.code_upper()) {
      keys.fail("input_code_min",
                "channel " + std::to_string(k) + " has codes [" + std::to_string(problem.code_min[k]) + ", " +
                    std::to_string(problem.code_max[k]) + "], the grid has [" +
                    std::to_string(problem.input.code_lower()) + ", " + std::to_string(problem.input.code_upper()) +
                    "]",
                "");
    }
  }
}

LayerProblem read_problem(const TensorFile& file, const std::string& name, const InputCalibration& calibration) {
  const LayerKeys keys(file, name);
  LayerProblem problem;
  problem.name = name;
  const Tensor& weight = file.at(name + ".weight");
  check_matrix(keys, weight);
  if (is_integer(weight.dtype)) {
    keys.fail("weight", "has type " + to_text(weight.dtype) + ": already quantized",
              "quantize reads float weights; use `axecert certify`");
  }
  problem.rows = weight.shape[0];
  problem.cols = weight.shape[1];
  problem.weight = weight.as_f32(keys.place("weight"));
  problem.input = read_grid(keys, calibration);
  if (calibration.limited_on != nullptr) {
    problem.input.limit = input_limit(Topology(*calibration.limited_on, problem.cols), calibration.largest_weight);
  }
  if (keys.has("bias")) {
    keys.expect_shape("bias", {problem.rows});
    problem.bias = keys.find("bias")->as_f32(keys.place("bias"));
  }
  if (keys.has("output_energy")) {
    problem.output_energy = keys.real("output_energy");
    if (!(problem.output_energy > 0)) {
      keys.fail("output_energy", "must be positive", "it is the squared norm of the layer's float output");
    }
  }
  read_code_ranges(keys, problem);

  if (keys.has("inputs")) {
    if (keys.has("H") || keys.has("G")) {
      keys.fail("inputs", "stands beside H or G", "give the calibration inputs, or H and G, not both");
    }
    const Tensor& inputs = *keys.find("inputs");
    if (inputs.shape.size() != 2 || inputs.shape[1] != problem.cols || inputs.shape[0] < 1) {
      keys.fail("inputs",
                "has shape " + shape_text(inputs.shape) + ", must be [tokens, " + std::to_string(problem.cols) + "]",
                "at least one token");
    }
    const std::vector<float> x = inputs.as_f32(keys.place("inputs"));
    if (!keys.has("input_scale") && calibration.scaling == ActivationScaling::tensor) {
      problem.input = calibrate_grid(x, problem.input.bits, problem.input.is_signed, keys.place("inputs"));
    }
    accumulate(x, inputs.shape[0], problem, keys.place("inputs"), calibration.limited_on);
    return problem;
  }
  if (calibration.scaling == ActivationScaling::token) {
    keys.need("inputs", "a scale per token is found on the inputs themselves");
  }
  keys.need("H", "a layer has NAME.inputs [tokens, K], or NAME.H [K, K] with NAME.G");
  keys.need("input_scale", "with H and G the grid of the inputs must be given");
  keys.expect_shape("H", {problem.cols, problem.cols});
  problem.gram = keys.find("H")->as_f32(keys.place("H"));
  check_gram(keys, problem.gram, problem.cols);
  if (keys.has("G")) {
    keys.expect_shape("G", {problem.cols, problem.cols});
    problem.cross = keys.find("G")->as_f32(keys.place("G"));
  }
  return problem;
}

std::vector<std::int8_t> read_weights(const LayerKeys& keys, const Tensor& weight) {
  check_matrix(keys, weight);
  if (!is_integer(weight.dtype)) {
    keys.fail("weight", "has type " + to_text(weight.dtype) + ", must be integers",
              "quantize the layer first, or choose layers with --layer");
  }
  return weight.as_i8(keys.place("weight"));
}

std::vector<std::int64_t> read_bias(const LayerKeys& keys, std::int64_t rows) {
  if (!keys.has("bias")) {
    return {};
  }
  keys.expect_shape("bias", {rows});
  return keys.find("bias")->as_integers(keys.place("bias"));
}

// One zero point for all inputs ever, or [lower, upper] of what a token may have.
IntegerRange read_zero_point(const LayerKeys& keys) {
  const Tensor& tensor = *keys.find("input_zero_point");
  if (tensor.elements() == 1) {
    const std::int64_t zero_point = keys.integer("input_zero_point");
    return {zero_point, zero_point};
  }
  keys.expect_shape("input_zero_point", {2});
  const std::vector<std::int32_t> ends = keys.integers32("input_zero_point");
  const IntegerRange range{ends[0], ends[1]};
  if (range.lower > range.upper || range.upper - range.lower > largest_operand) {
    keys.fail("input_zero_point", "is [" + std::to_string(ends[0]) + ", " + std::to_string(ends[1]) + "]",
              "the least zero point, then the greatest, at most 2^24 above it");
  }
  return range;
}

// Metadata NAME.input_scaling: `tensor`, one input_scale for all inputs, or `token`, computed from each token and so not stored.
void require_scaling(const TensorFile& file, const LayerKeys& keys, const std::string& name) {
  const auto found = file.metadata.find(name + ".input_scaling");
  const std::string scaling = found == file.metadata.end() ? "tensor" : found->second;
  if (scaling != "tensor" && scaling != "token") {
    keys.fail("input_scaling", "is '" + scaling + "' in the metadata", "tensor or token");
  }
  if (scaling == "token" && keys.has("input_scale")) {
    keys.fail("input_scale", "stands beside input_scaling = token, where every token has its own scale",
              "leave one of them out");
  }
}

// `mapped`: the weights' bytes, where the file's tensor has none; empty: it has them.
StoredLayer read_stored(const TensorFile& file, const std::string& name, const Datapath& datapath,
                        std::span<const std::uint8_t> mapped = {}) {
  const LayerKeys keys(file, name);
  StoredLayer stored;
  const Tensor& weight = file.at(name + ".weight");
  IntegerLayer& layer = stored.layer;
  layer.name = name;
  if (mapped.empty()) {
    layer.weights = read_weights(keys, weight);
  } else {
    check_matrix(keys, weight);
    const auto* first = reinterpret_cast<const std::int8_t*>(mapped.data());
    layer.weights.assign(first, first + mapped.size());
  }
  layer.rows = weight.shape[0];
  layer.cols = weight.shape[1];
  layer.bias = read_bias(keys, layer.rows);

  if (keys.has("input_lower") != keys.has("input_upper")) {
    keys.fail(keys.has("input_lower") ? "input_upper" : "input_lower", "is missing",
              "give both ends of the box, or neither");
  }
  if (keys.has("input_lower")) {
    layer.box_lower = per_channel(keys, "input_lower", layer.cols);
    layer.box_upper = per_channel(keys, "input_upper", layer.cols);
    if (layer.box_lower.size() != layer.box_upper.size()) {
      keys.fail("input_upper", "does not have the shape of input_lower", "");
    }
    stored.source = InputSource::clamped;
  } else {
    layer.box_lower = {
        static_cast<std::int32_t>(std::clamp(datapath.activations.lower, -largest_operand, largest_operand))};
    layer.box_upper = {
        static_cast<std::int32_t>(std::clamp(datapath.activations.upper, -largest_operand, largest_operand))};
    stored.source = InputSource::given;
  }

  if (keys.has("input_limit")) {
    keys.expect_shape("input_limit", {1});
    layer.input_limit = keys.find("input_limit")->as_integers(keys.place("input_limit"))[0];
    if (layer.input_limit < 1 || layer.input_limit > largest_input_limit) {
      keys.fail("input_limit", "is " + std::to_string(layer.input_limit), "1 to 2^48; leave it out for no limit");
    }
    if (stored.source != InputSource::clamped) {
      keys.fail("input_limit", "stands without input_lower and input_upper", "give the box of the same quantizer");
    }
  }

  require_scaling(file, keys, name);
  // offset_k = c_k − least zero point: the operand is code − c_k, the value is code − zero point.
  if (keys.has("input_shift") || keys.has("input_zero_point") || stored.source == InputSource::clamped) {
    const std::string box = stored.source == InputSource::clamped ? "input_lower, " : "";
    keys.need("input_shift",
              "it stands beside " + box + "input_zero_point; 0 when codes reach the multiplier as they are");
    keys.need("input_zero_point", "it stands beside " + box + "input_shift");
    const std::vector<std::int32_t> shift = per_channel(keys, "input_shift", layer.cols);
    const IntegerRange zero_point = read_zero_point(keys);
    layer.zero_point_spread = zero_point.upper - zero_point.lower;
    for (const std::int32_t c : shift) {
      const std::int64_t offset = c - zero_point.lower;
      if (offset < INT32_MIN || offset > INT32_MAX) {
        keys.fail("input_shift", "minus the zero point has more than 32 bits", "");
      }
      layer.offset.push_back(static_cast<std::int32_t>(offset));
    }
  }
  return stored;
}

}  // namespace

std::vector<std::string> layer_names(const TensorFile& file) {
  constexpr std::string_view suffix = ".weight";
  std::vector<std::string> names;
  for (const auto& item : file.tensors) {
    const std::string& key = item.first;
    if (key.size() > suffix.size() && key.compare(key.size() - suffix.size(), suffix.size(), suffix) == 0) {
      names.push_back(key.substr(0, key.size() - suffix.size()));
      check_name(file, names.back());
    }
  }
  if (names.empty()) {
    throw InputError(file.path, "holds no layer",
                     "every layer has an array NAME.weight; docs/layers.md lists the keys");
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::map<std::string, std::string> metadata_of(const TensorFile& file, const std::string& layer) {
  std::map<std::string, std::string> found;
  for_each_of(file.metadata, layer, [&](const auto& word) { found.insert(word); });
  return found;
}

TensorFile arrays_of(const TensorFile& file, const std::string& layer) {
  TensorFile found{file.path, {}, metadata_of(file, layer)};
  for_each_of(file.tensors, layer, [&](const auto& array) { found.tensors.insert(array); });
  return found;
}

std::vector<LayerProblem> read_problems(const TensorFile& file, const InputCalibration& calibration) {
  const std::vector<std::string> names = layer_names(file);
  refuse_unknown_keys(file, names, problem_keys);
  std::vector<LayerProblem> problems;
  for (const std::string& name : names) {
    problems.push_back(read_problem(file, name, calibration));
  }
  return problems;
}

std::vector<std::uint8_t> quantized_bytes(const std::vector<QuantizedLayer>& layers) {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata{{"format", "axecert weights 1"}};
  const auto put = [&](const std::string& key, Tensor tensor) {
    if (!tensors.emplace(key, std::move(tensor)).second) {
      throw InputError(key, "two layers have this name", "give every layer its own name");
    }
  };
  for (const QuantizedLayer& quantized : layers) {
    const IntegerLayer& layer = quantized.layer;
    const std::string name = layer.name + ".";
    const std::vector<std::int64_t> per_scale = quantized.groups == 1
                                                    ? std::vector<std::int64_t>{layer.rows}
                                                    : std::vector<std::int64_t>{layer.rows, quantized.groups};
    const auto length = [](const auto& values) {
      return std::vector<std::int64_t>{static_cast<std::int64_t>(values.size())};
    };
    put(name + "weight", Tensor::of({layer.rows, layer.cols}, layer.weights));
    put(name + "scale", Tensor::of(per_scale, quantized.scales));
    if (!layer.bias.empty()) {
      put(name + "bias", Tensor::of({layer.rows}, layer.bias));
    }
    if (!quantized.float_bias.empty()) {
      put(name + "float_bias", Tensor::of({layer.rows}, quantized.float_bias));
    }
    if (layer.input_limit != 0) {
      put(name + "input_limit", Tensor::of({1}, std::vector<std::int64_t>{layer.input_limit}));
    }
    put(name + "input_lower", Tensor::of(length(layer.box_lower), layer.box_lower));
    put(name + "input_upper", Tensor::of(length(layer.box_upper), layer.box_upper));
    const std::vector<std::int32_t> shift = quantized.shift.empty() ? std::vector<std::int32_t>{0} : quantized.shift;
    put(name + "input_shift", Tensor::of(length(shift), shift));
    std::vector<std::int32_t> zero_point{quantized.input.zero_point};  // one, or the ends of its range
    if (layer.zero_point_spread != 0) {
      zero_point.push_back(quantized.input.zero_point + static_cast<std::int32_t>(layer.zero_point_spread));
    }
    put(name + "input_zero_point", Tensor::of(length(zero_point), zero_point));
    if (quantized.input.scaling == ActivationScaling::tensor) {
      put(name + "input_scale", Tensor::of({1}, std::vector<double>{quantized.input.scale}));
    } else {
      metadata[name + "input_scaling"] = "token";
    }
    if (!quantized.transform.multiplier.empty()) {
      put(name + "input_multiplier", Tensor::of({layer.cols}, quantized.transform.multiplier));
    }
    if (quantized.transform.hadamard != 0) {
      put(name + "input_sign", Tensor::of({layer.cols}, quantized.transform.sign));
      metadata[name + "input_hadamard"] = std::to_string(quantized.transform.hadamard);
    }
    if (!quantized.outlier_columns.empty()) {
      put(name + "outlier_columns", Tensor::of(length(quantized.outlier_columns), quantized.outlier_columns));
      put(name + "outlier_weight", Tensor::of({layer.rows, static_cast<std::int64_t>(quantized.outlier_columns.size())},
                                              quantized.outlier_weight));
    }
    if (!quantized.weight_zero_points.empty()) {
      put(name + "weight_zero_point", Tensor::of(per_scale, quantized.weight_zero_points));
    }
    metadata[name + "weight_bits"] = std::to_string(quantized.weight_bits);
    metadata[name + "input_bits"] = std::to_string(quantized.input.bits);
    metadata[name + "input_signed"] = quantized.input.is_signed ? "1" : "0";
  }
  return safetensors_bytes(tensors, metadata);
}

void write_quantized(const std::filesystem::path& path, const std::vector<QuantizedLayer>& layers) {
  if (layers.empty()) {
    throw InputError(path.string(), "would have no layers",
                     "give at least one; a file without layers cannot be read back");
  }
  write_file_atomically(path, quantized_bytes(layers));
}

void demand_problem_keys(const TensorFile& file) {
  refuse_unknown_keys(file, layer_names(file), problem_keys);
}

void demand_weight_keys(const TensorFile& file) {
  refuse_unknown_keys(file, layer_names(file), stored_keys);
}

StoredLayer read_integer_layer(const TensorFile& file, const std::string& name, const Datapath& datapath) {
  return read_stored(file, name, datapath);
}

std::vector<StoredLayer> read_integer_layers(const TensorFile& file, const Datapath& datapath) {
  const std::vector<std::string> names = layer_names(file);
  refuse_unknown_keys(file, names, stored_keys);
  std::vector<StoredLayer> layers;
  for (const std::string& name : names) {
    layers.push_back(read_stored(file, name, datapath));
  }
  return layers;
}

StoredLayer read_integer_layer(const WeightFiles& files, const std::string& name, const Datapath& datapath) {
  const std::string weight = name + ".weight";
  const Tensor* outline = files.outline().find(weight);
  if (outline == nullptr || outline->dtype != DType::i8) {
    return std::move(read_integer_layers(files.layer(name), datapath).at(0));
  }
  const TensorFile file = files.layer_without_weights(name);
  refuse_unknown_keys(file, {name}, stored_keys);
  return read_stored(file, name, datapath, files.bytes_of(weight));
}

void attach_weights(LayerClaims& claims, const TensorFile& file) {
  const LayerKeys keys(file, claims.layer.name);
  const Tensor& weight = keys.need("weight", "the certificate speaks about this layer: is this its weights file?");
  keys.expect_shape("weight", {claims.layer.rows, claims.layer.cols});
  attach_weights(claims, read_weights(keys, weight), read_bias(keys, claims.layer.rows));
}

void attach_weights(Certificate& certificate, const TensorFile& file) {
  for (LayerClaims& claims : certificate.layers) {
    attach_weights(claims, file);
  }
}

}  // namespace axe

// A weights file back into quantized layers: integers, scales, the activation quantizer and what real inputs pass before it.
// `read_quantized` is the main function; what it reads is what `write_quantized` (layers.cpp) writes. No side effects.
#include <cmath>

#include "axecert/model/layer_keys.hpp"
#include "axecert/model/layers.hpp"

namespace axe {
namespace {

/// A metadata entry NAME.KEY that is a small integer.
std::int64_t metadata_integer(const TensorFile& file, const std::string& name, const std::string& key,
                              std::int64_t least, std::int64_t most, std::int64_t absent) {
  const auto found = file.metadata.find(name + "." + key);
  if (found == file.metadata.end()) {
    return absent;
  }
  std::int64_t value = 0;
  bool digits = !found->second.empty() && found->second.size() <= 9;
  for (const char c : found->second) {
    digits = digits && c >= '0' && c <= '9';
    value = digits ? value * 10 + (c - '0') : value;
  }
  if (!digits || value < least || value > most) {
    throw InputError(file.path + ": " + name + "." + key, "is '" + found->second + "' in the metadata",
                     "an integer from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

std::vector<float> floats(const LayerKeys& keys, const std::string& key, const std::vector<std::int64_t>& shape) {
  keys.expect_shape(key, shape);
  return keys.find(key)->as_f32(keys.place(key));
}

void read_scales(const LayerKeys& keys, QuantizedLayer& q) {
  const Tensor& scale = keys.need("scale", "a quantized layer has the step of its weights");
  const std::int64_t rows = q.layer.rows;
  const bool grouped = scale.shape.size() == 2 && scale.shape[0] == rows && scale.shape[1] >= 1;
  if (!grouped && scale.shape != std::vector<std::int64_t>{rows}) {
    keys.fail("scale", "has shape " + shape_text(scale.shape), "must be [rows] or [rows, groups]");
  }
  q.groups = grouped ? scale.shape[1] : 1;
  q.scales = scale.as_f32(keys.place("scale"));
  for (std::size_t i = 0; i < q.scales.size(); ++i) {
    if (!std::isfinite(q.scales[i]) || !(q.scales[i] > 0)) {
      keys.fail("scale", "element " + std::to_string(i) + " is " + std::to_string(q.scales[i]), "scales are positive");
    }
  }
  if (keys.has("weight_zero_point")) {
    keys.expect_shape("weight_zero_point", scale.shape);
    q.weight_zero_points = keys.integers32("weight_zero_point");
  }
}

void read_input(const TensorFile& file, const LayerKeys& keys, const std::string& name, QuantizedLayer& q) {
  q.input.bits = static_cast<int>(metadata_integer(file, name, "input_bits", 2, 8, 8));
  q.input.is_signed = metadata_integer(file, name, "input_signed", 0, 1, 0) == 1;
  const auto scaling = file.metadata.find(name + ".input_scaling");
  q.input.scaling = scaling != file.metadata.end() && scaling->second == "token" ? ActivationScaling::token
                                                                                 : ActivationScaling::tensor;
  keys.need("input_lower", "a quantized layer has its activation quantizer beside it");
  keys.need("input_shift", "a quantized layer has its activation quantizer beside it");
  q.shift = per_channel(keys, "input_shift", q.layer.cols);
  q.input.zero_point = keys.integers32("input_zero_point")[0];
  q.input.limit = q.layer.input_limit;
  if (q.input.scaling == ActivationScaling::tensor) {
    keys.need("input_scale", "the step of the activation grid, or input_scaling = token in the metadata");
    q.input.scale = keys.real("input_scale");
  }
  if (q.layer.zero_point_spread != q.input.zero_point_spread()) {
    keys.fail("input_zero_point",
              "spans " + std::to_string(q.layer.zero_point_spread) + " codes; these activations need " +
                  std::to_string(q.input.zero_point_spread()),
              "two entries for unsigned codes computed per token, else one");
  }
}

void read_transform(const TensorFile& file, const LayerKeys& keys, const std::string& name, QuantizedLayer& q) {
  if (keys.has("input_multiplier")) {
    q.transform.multiplier = floats(keys, "input_multiplier", {q.layer.cols});
  }
  q.transform.hadamard = metadata_integer(file, name, "input_hadamard", 0, 1 << 24, 0);
  if (keys.has("input_sign")) {
    keys.expect_shape("input_sign", {q.layer.cols});
    q.transform.sign = keys.find("input_sign")->as_i8(keys.place("input_sign"));
  }
  validate(q.transform, q.layer.cols, file.path + ": " + name);
  if (keys.has("outlier_columns") != keys.has("outlier_weight")) {
    keys.fail(keys.has("outlier_columns") ? "outlier_weight" : "outlier_columns", "is missing", "give both, or neither");
  }
  if (keys.has("outlier_columns")) {
    q.outlier_columns = keys.integers32("outlier_columns");
    q.outlier_weight = floats(keys, "outlier_weight", {q.layer.rows, static_cast<std::int64_t>(q.outlier_columns.size())});
    try {
      validate_outliers(q);
    } catch (const InputError& error) {  // which knows the layer, not the file
      keys.fail("outlier_columns", error.problem(), error.remedy());
    }
  }
}

}  // namespace

std::vector<QuantizedLayer> read_quantized(const TensorFile& file) {
  Datapath any;  // boxes and offsets are the file's own; no datapath stands in for them
  std::vector<QuantizedLayer> layers;
  for (StoredLayer& stored : read_integer_layers(file, any)) {
    QuantizedLayer q;
    q.layer = std::move(stored.layer);
    const std::string name = q.layer.name;
    const LayerKeys keys(file, name);
    q.weight_bits = static_cast<int>(metadata_integer(file, name, "weight_bits", 2, 8, 8));
    read_scales(keys, q);
    read_input(file, keys, name, q);
    read_transform(file, keys, name, q);
    if (keys.has("float_bias")) {
      q.float_bias = floats(keys, "float_bias", {q.layer.rows});
    }
    layers.push_back(std::move(q));
  }
  return layers;
}

}  // namespace axe

// Layers in files: what `quantize` reads (float weights and calibration data), what it writes (integer weights and the
// activation quantizer), and what `certify` and `verify` read back. The keys are listed in docs/layers.md.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "axecert/certificate/certificate.hpp"
#include "axecert/model/tensors.hpp"
#include "axecert/quantize/quantize.hpp"

namespace axe {

class WeightFiles;

/// How NAME.inputs become codes: on one grid for all, or on a grid per token (NAME.input_scale is then refused, and so are H and G,
/// which say nothing of a token); signed or not, against what NAME.input_signed says if it is given; and under a limit,
/// input_limit(…) of the datapath for weights up to `largest_weight`, for Constraint::input.
struct InputCalibration {
  ActivationScaling scaling = ActivationScaling::tensor;
  std::optional<bool> is_signed;         ///< absent: as the file says
  const Datapath* limited_on = nullptr;  ///< null: no limit; else scaling is `token` and codes are signed
  std::int64_t largest_weight = 0;       ///< ≥ 1 beside limited_on
};

/// Every layer of a calibration file, sorted by name. Per layer NAME: `NAME.weight` [rows, K]; `NAME.inputs` [tokens, K], or
/// `NAME.H` and optional `NAME.G` [K, K]; `NAME.input_scale`, `NAME.input_zero_point`, `NAME.input_bits` (scalars; calibrated
/// from the inputs, min to max, asymmetric unsigned, when absent); optional `NAME.input_code_min`/`NAME.input_code_max` [K],
/// `NAME.bias` [rows], `NAME.output_energy`, `NAME.input_signed` (0 or 1; absent: unsigned). `NAME.weight_scale` and
/// `NAME.inputs_sample` are let pass; any other key is an error. Throws InputError naming file and key.
std::vector<LayerProblem> read_problems(const TensorFile& file, const InputCalibration& calibration = {});

/// Throws InputError unless every array is a known key of a layer, as read_problems does; looks at names alone.
void demand_problem_keys(const TensorFile& file);

/// Writes weights.safetensors: per layer `NAME.weight` I8 [rows, K] (operand weights), `NAME.scale` F32 [rows] or [rows, groups],
/// `NAME.bias` I64 [rows] when there is one, `NAME.input_lower`, `NAME.input_upper`, `NAME.input_shift` I32 [1] or [K],
/// `NAME.input_zero_point` I32 [1] ([2], least and greatest, when the layer's spread is not 0), `NAME.input_scale` F64 [1],
/// `NAME.weight_zero_point` I32 when asymmetric,
/// `NAME.float_bias` F32 [rows] instead of `bias` when scales are per tile; the rest as
/// metadata. Throws InputError when there is no layer, or two have one name. The written activation quantizer is
///     operand_k = clamp(round(x_k / input_scale) + input_zero_point − input_shift_k, input_lower_k, input_upper_k).
void write_quantized(const std::filesystem::path& path, const std::vector<QuantizedLayer>& layers);

/// The bytes that `write_quantized` writes.
std::vector<std::uint8_t> quantized_bytes(const std::vector<QuantizedLayer>& layers);

/// The layers that `write_quantized` wrote, sorted by name; statistics and errors are not in the file. Throws InputError naming
/// file and key.
std::vector<QuantizedLayer> read_quantized(const TensorFile& file);

/// NAME of every `NAME.weight`, sorted. Throws InputError when there is none.
std::vector<std::string> layer_names(const TensorFile& file);

/// Calls visit(entry) for every entry NAME.KEY of layer NAME, KEY without a dot, of a map by name. All names for every layer would take time with
/// their product.
template <class Map, class Visit>
void for_each_of(const Map& by_name, const std::string& layer, const Visit& visit) {
  const std::string prefix = layer + ".";
  for (auto entry = by_name.lower_bound(prefix); entry != by_name.end() && entry->first.starts_with(prefix); ++entry) {
    if (entry->first.find('.', prefix.size()) == std::string::npos) {
      visit(*entry);
    }
  }
}

/// The metadata NAME.KEY of layer NAME; and its arrays, with this metadata.
std::map<std::string, std::string> metadata_of(const TensorFile& file, const std::string& layer);
TensorFile arrays_of(const TensorFile& file, const std::string& layer);

/// The integer layers of a weights file, sorted by name. Box and offsets come from `NAME.input_*` when present (`source` is
/// then clamped). When absent, the datapath's operand range is the box, offset = none, and `source` is given. A zero point
/// of two entries is [least, greatest]: offsets speak of the least, zero_point_spread of the rest.
struct StoredLayer {
  IntegerLayer layer;
  InputSource source = InputSource::clamped;
};
std::vector<StoredLayer> read_integer_layers(const TensorFile& file, const Datapath& datapath);

/// One of them; other arrays are not looked at (demand_weight_keys does).
StoredLayer read_integer_layer(const TensorFile& file, const std::string& name, const Datapath& datapath);
/// The same of one layer of mapped files; weights that are I8 are copied once, from where they are mapped.
StoredLayer read_integer_layer(const WeightFiles& files, const std::string& name, const Datapath& datapath);

/// Throws InputError unless every array of a weights file is a known key of a layer, as read_integer_layers does; looks at names alone.
void demand_weight_keys(const TensorFile& file);

/// Attaches the weights and biases of a weights file to a layer's claims, or to a whole certificate, that was read; throws InputError
/// when a layer is missing, or hashes differ.
void attach_weights(LayerClaims& claims, const TensorFile& file);
void attach_weights(Certificate& certificate, const TensorFile& file);

}  // namespace axe

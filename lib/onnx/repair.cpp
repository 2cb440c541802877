// Repairs layer after layer and writes the changed codes where they came from; see repair.hpp. A tensor that two layers share is
// read again for the second one, so both are safe in the end: its scales stay, and without moments changes only shrink weights.
// Scales and added nodes are written when the walk is over.
#include "axecert/onnx/repair.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include "axecert/onnx/graph_editor.hpp"
#include "axecert/onnx/products.hpp"

namespace axe {
namespace {

IntegerLayer layer_of(const NodeProducts& found) {
  IntegerLayer layer;
  layer.name = found.product.layer;
  layer.rows = found.weights.rows;
  layer.cols = found.weights.cols;
  layer.weights = found.weights.operand;
  layer.box_lower = {static_cast<std::int32_t>(found.box.lower)};
  layer.box_upper = {static_cast<std::int32_t>(found.box.upper)};
  layer.offset = {static_cast<std::int32_t>(found.shift - found.zero_point.lower)};
  layer.zero_point_spread = found.zero_point.upper - found.zero_point.lower;
  layer.bias = found.bias;
  return layer;
}

// Writes codes and reals into one tensor of the message. External data are moved into it first.
class TensorWriter {
 public:
  TensorWriter(const ModelFile& file, const onnx::TensorProto& tensor, const std::string& node, int stored_bits)
      : tensor_(const_cast<onnx::TensorProto&>(tensor)),
        place_(file.path() + ": tensor '" + tensor.name() + "' of node '" + node + "'"),
        bits_(stored_bits),
        integer_(integer_type(tensor.data_type()).has_value()) {
    if (!integer_ && tensor.data_type() != onnx::TensorProto::FLOAT) {
      throw InputError(place_, "holds " + type_name(tensor.data_type()) + ", which repair cannot write",
                       "store the weights as integers or as floats of 32 bits");
    }
    if (is_external(tensor)) {
      const auto bytes = file.raw(tensor, place_);
      std::string copy(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      tensor_.clear_external_data();
      tensor_.clear_data_location();
      tensor_.set_raw_data(std::move(copy));
    }
  }

  void put(std::uint32_t index, std::int64_t code, double real) {
    if (!integer_) {
      const float value = static_cast<float>(real);
      if (tensor_.raw_data().empty()) {
        tensor_.set_float_data(static_cast<int>(index), value);
      } else {
        std::memcpy(tensor_.mutable_raw_data()->data() + std::size_t{index} * sizeof value, &value, sizeof value);
      }
      return;
    }
    const std::size_t at = std::size_t{index} * static_cast<std::size_t>(bits_) / 8;
    const unsigned shift = static_cast<unsigned>(std::size_t{index} * static_cast<std::size_t>(bits_) % 8);
    const unsigned mask = ((1u << bits_) - 1) << shift;
    const bool raw = !tensor_.raw_data().empty();
    const unsigned before = raw ? static_cast<unsigned char>(tensor_.raw_data()[at])
                                : static_cast<unsigned>(tensor_.int32_data(static_cast<int>(at)));
    const unsigned byte = (before & ~mask & 255u) | ((static_cast<unsigned>(code) << shift) & mask);
    if (raw) {
      (*tensor_.mutable_raw_data())[at] = static_cast<char>(byte);
    } else {  // typed fields hold int8 as signed numbers
      const bool is_int8 = tensor_.data_type() == onnx::TensorProto::INT8;
      tensor_.set_int32_data(static_cast<int>(at),
                             is_int8 ? static_cast<std::int8_t>(byte) : static_cast<std::int32_t>(byte));
    }
  }

 private:
  onnx::TensorProto& tensor_;
  std::string place_;
  int bits_;
  bool integer_;
};

void write_back(const ModelFile& file, const NodeProducts& found, const IntegerLayer& repaired) {
  const OperandWeights& w = found.weights;
  if (w.root == nullptr || w.origin.empty()) {
    throw InputError(file.path() + ": node '" + found.product.node + "'",
                     "its weights cannot be traced to a tensor of the model",
                     "export the model with its weights as initializers");
  }
  TensorWriter writer(file, *w.root, found.product.node, w.stored_bits);
  for (std::int64_t r = 0; r < w.rows; ++r) {
    const auto row = static_cast<std::size_t>(r);
    for (std::int64_t k = 0; k < w.cols; ++k) {
      const auto i = static_cast<std::size_t>(r * w.cols + k);
      if (repaired.weights[i] != w.operand[i]) {
        const std::int64_t code = repaired.weights[i] + w.code_shift + w.code_zero[row];
        const double step = w.scale.empty() ? 1 : w.scale[row];
        writer.put(w.origin[i], code, step * static_cast<double>(repaired.weights[i] - w.zero_point[row]));
      }
    }
  }
}

bool any_external(const onnx::GraphProto& graph) {
  for (const auto& tensor : graph.initializer()) {
    if (is_external(tensor)) {
      return true;
    }
  }
  for (const auto& node : graph.node()) {
    for (const auto& a : node.attribute()) {
      bool found = (a.has_t() && is_external(a.t())) || (a.has_g() && any_external(a.g()));
      for (const auto& inner : a.graphs()) {
        found = found || any_external(inner);
      }
      if (found) {
        return true;
      }
    }
  }
  return false;
}

// LAYER.what of `moments`, or nothing.
std::optional<std::vector<float>> matrix_of(const TensorFile* moments, const IntegerLayer& layer, const char* what) {
  const std::string key = layer.name + what;
  const Tensor* found = moments == nullptr ? nullptr : moments->find(key);
  if (found == nullptr) {
    return std::nullopt;
  }
  const std::string place = moments->path + ": " + key;
  if (found->shape != std::vector<std::int64_t>{layer.cols, layer.cols}) {
    throw InputError(place, "is no matrix of the layer's " + std::to_string(layer.cols) + " inputs",
                     std::string(what + 1) + " is [K, K]");
  }
  return found->as_f32(place);
}

ActivationGrid grid_of(const NodeProducts& found) {
  const IntegerRange z = found.zero_point;
  ActivationGrid input;  // steps of 1: the scale changes nothing in what is minimised
  input.bits = std::min(8, found.type.bits);
  input.is_signed = found.type.is_signed;
  input.scaling = z.lower == z.upper ? ActivationScaling::tensor : ActivationScaling::token;
  input.zero_point = z.lower == z.upper ? static_cast<std::int32_t>(z.lower) : 0;
  return input;
}

// The main part of a split takes the layer's place; what is to be added goes to `editor`.
void split_product(const NodeProducts& found, const Datapath& datapath, IntegerLayer& layer, GraphEditor& editor,
                   OnnxLayerRepair& result) {
  const Split split = split_weights(layer, datapath, found.source->op_type() == "ConvInteger");
  result.repair.unsafe_nodes = split.unsafe_nodes;
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    std::int64_t changed = 0;
    for (std::int64_t k = 0; k < layer.cols; ++k) {
      changed += layer.row(r)[k] != found.weights.operand[static_cast<std::size_t>(r * layer.cols + k)];
    }
    result.repair.rows_changed += changed > 0;
    result.repair.weights_changed += changed;
  }
  result.parts = static_cast<std::int64_t>(split.parts.size());
  for (const SplitPart& part : split.parts) {
    result.parts_inputs += static_cast<std::int64_t>(part.columns.size());
  }
  if (result.parts > 0) {
    editor.add_parts(found, split.parts);
  }
}

}  // namespace

OnnxRepair repair_onnx(const std::filesystem::path& path, const Datapath& datapath, const OnnxRepairOptions& options,
                       const TensorFile* moments) {
  ModelFile file(path);
  GraphEditor editor(file.model());
  OnnxRepair result;
  std::size_t used = 0;
  find_products(file, datapath, options.reading, true, result.found, [&](NodeProducts&& found) {
    IntegerLayer layer = layer_of(found);
    OnnxLayerRepair done;
    done.product = found.product;
    done.not_split = options.split ? editor.not_splittable(found) : "";
    const std::optional<std::vector<float>> gram = matrix_of(moments, layer, ".H"),
                                            cross = matrix_of(moments, layer, ".G");
    used += gram.has_value();
    if (options.split && done.not_split.empty()) {
      split_product(found, datapath, layer, editor, done);
    } else {
      RepairOptions how;
      done.fixed_scales = options.move_scales ? editor.fixed_scales(found) : "";
      how.move_scales = options.move_scales && done.fixed_scales.empty();
      how.gram = gram ? &*gram : nullptr;
      how.cross = gram && cross ? &*cross : nullptr;
      how.input = grid_of(found);
      how.threads = options.threads;
      done.used_moments = gram.has_value();
      done.repair = repair_weights(layer, datapath, how);
      if (done.repair.rows_rescaled > 0) {
        editor.multiply_scales(found, done.repair.scale);
      }
    }
    if (done.repair.weights_changed > 0) {
      write_back(file, found, layer);
    }
    result.found.products.push_back(found.product);
    result.layers.push_back(std::move(done));
  });
  editor.apply();
  if (moments != nullptr && used == 0) {
    throw InputError(moments->path, "holds no array LAYER.H of a layer of this model",
                     "`axecert certify` lists the layers");
  }
  std::string bytes;
  if (!file.model().SerializeToString(&bytes)) {
    throw InputError(file.path(), "the repaired model is larger than 2 GiB, which no protobuf message may be",
                     "keep the tensors as external data, and the changed ones small");
  }
  result.model.assign(bytes.begin(), bytes.end());
  result.keeps_external_data = any_external(file.model().graph());
  return result;
}

}  // namespace axe

// An ONNX model whose integer weights are changed as little as possible so that every layer is safe on a datapath; operators, shapes,
// scales and everything else stay. `repair_onnx` is the main function. Side effects: reads the model and its external data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "axecert/onnx/import.hpp"
#include "axecert/quantize/repair.hpp"

namespace axe {

struct OnnxLayerRepair {
  OnnxProduct product;
  Repair repair;
  bool used_moments = false;
};

struct OnnxRepair {
  OnnxImport found;                     ///< products and remarks of the model as it was; its layers are empty
  std::vector<OnnxLayerRepair> layers;  ///< one per product, in the order of the graph
  std::vector<std::uint8_t> model;      ///< the changed model's file
  bool keeps_external_data = false;     ///< tensors that did not change still lie in files beside the model
};

/// `moments`: arrays LAYER.H [K, K] F32, second moments of the layer's dequantized inputs, for as many layers as one likes; null: none.
/// Throws InputError as import_onnx does, when a layer cannot be made safe, and when weights that must change lie in a tensor that
/// cannot be written (floats other than of 32 bits).
OnnxRepair repair_onnx(const std::filesystem::path& path, const Datapath& datapath, const OnnxOptions& options = {},
                       const TensorFile* moments = nullptr, int threads = 1);

}  // namespace axe

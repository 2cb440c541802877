// An ONNX model whose integer weights, and where allowed the scales of their rows, are changed so that every layer is safe on a datapath,
// or whose products are split into sums that are; everything else stays. `repair_onnx` is the main function. Side effects: reads the
// model and its external data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "axecert/onnx/import.hpp"
#include "axecert/quantize/repair.hpp"

namespace axe {

struct OnnxRepairOptions {
  OnnxOptions reading;
  /// Changed rows may get another scale, where the model has constant scales that only they have.
  bool move_scales = true;
  /// Products whose operator gives integers (MatMulInteger, ConvInteger) become sums that equal what was shipped; the others are repaired.
  bool split = false;
  int threads = 1;
};

struct OnnxLayerRepair {
  OnnxProduct product;
  Repair repair;
  bool used_moments = false;
  std::string fixed_scales;       ///< why its scales stay although they might have moved; empty when they may
  std::string not_split;          ///< why it is not split although that was asked for; empty otherwise
  std::int64_t parts = 0;         ///< products added to it
  std::int64_t parts_inputs = 0;  ///< Σ inputs of these products, to be compared with the layer's
};

struct OnnxRepair {
  OnnxImport found;                     ///< products and remarks of the model as it was; its layers are empty
  std::vector<OnnxLayerRepair> layers;  ///< one per product, in the order of the graph
  std::vector<std::uint8_t> model;      ///< the changed model's file
  bool keeps_external_data = false;     ///< tensors that did not change still lie in files beside the model
};

/// `moments`: arrays LAYER.H [K, K] F32, second moments of the layer's dequantized inputs, for as many layers as one likes, and beside
/// them LAYER.G where there is one (RepairOptions::cross); null: none. Throws InputError as import_onnx does, when a layer cannot be made
/// safe, and when weights that must change lie in a tensor that cannot be written (floats other than of 32 bits).
OnnxRepair repair_onnx(const std::filesystem::path& path, const Datapath& datapath,
                       const OnnxRepairOptions& options = {}, const TensorFile* moments = nullptr);

}  // namespace axe

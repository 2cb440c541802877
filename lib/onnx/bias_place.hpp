// Where the bias of a product stands in a model, when it is a tensor that only this product's rows have. `bias_place` is the main
// function. Only lib/onnx includes this. No side effects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "axecert/onnx/products.hpp"
#include "axecert/onnx/readers.hpp"

namespace axe {

struct BiasPlace {
  const onnx::TensorProto* tensor = nullptr;  ///< an initializer of FLOAT or INT32
  bool integer = false;
  std::vector<std::uint32_t> index;  ///< [rows] in the tensor
  std::vector<double> value;         ///< [rows] the numbers there
  /// [rows] What 1 in the tensor is worth, in steps of the row's weights times the unit of the dequantized inputs.
  std::vector<double> step;
};

/// The bias of the product's rows:
///   - the operator's own: int32 of QLinearConv and QGemm; floats of DynamicQuantizeMatMul and MatMulIntegerToFloat; of Conv and Gemm
///     between DequantizeLinear floats, or int32 below a DequantizeLinear of its own;
///   - the constant of the Add that alone reads the result of MatMul between DequantizeLinear, of MatMulIntegerToFloat and
///     DynamicQuantizeMatMul, or of MatMulInteger and ConvInteger → Cast → Mul by constants and by DynamicQuantizeLinear's scale.
/// Nothing, and `why_not`, when it is computed at run time, when another node reads it too, or what it is worth is not known.
std::optional<BiasPlace> bias_place(const NodeProducts& product, const Readers& readers, std::string& why_not);

}  // namespace axe

// Integer weights of a node, in the order in which its kernel reads them: [rows, K], one row per dot product. `coded_weights` finds
// them behind DequantizeLinear or Quant, `arranged` puts them in order. Only lib/onnx includes this. No side effects.
#pragma once

#include "axecert/onnx/code_range.hpp"

namespace axe {

/// Weights as an ONNX graph has them: codes, and weight = scale · (code − zero point).
struct CodedWeights {
  Constant codes;        ///< integers of 4 to 8 bits, or of QONNX's bit width
  IntegerType type;      ///< of the codes
  bool centred = false;  ///< the kernel reads code − zero point (QONNX, 4 bits), else the code and corrects afterwards
  std::vector<std::int64_t> zero_point;  ///< one, or one per index of `axis`, or one per block, row-major
  std::vector<double> scale;             ///< likewise; empty when not known
  int axis = -1;                         ///< −1: one for all
  std::int64_t block = 0;                ///< > 0: blocks of so many codes along `axis` have their own
  std::int64_t blocks = 1;
  int stored_bits = 8;  ///< of a code in the tensor that it came from
};

/// The weights below a float tensor; nothing when it is none of: DequantizeLinear of constants, of QuantizeLinear of constants, Quant
/// of constants, or a Transpose, Reshape or Identity of these. Throws InputError for an axis or a zero point that does not fit.
std::optional<CodedWeights> coded_weights(const Scope& scope, const std::string& name, bool trace);

/// Codes that an operator takes as they are, with the zero point that stands in another input. `axis`: which one a zero point with
/// several entries goes along; −1: the last. Nothing when either is computed at run time.
std::optional<CodedWeights> plain_weights(const Scope& scope, const onnx::NodeProto& node, const std::string& codes,
                                          const std::string& zero_point, int axis, bool trace);

/// Weights as a datapath sees them.
struct OperandWeights {
  std::int64_t rows = 0, cols = 0;
  std::vector<std::int8_t> operand;      ///< [rows, cols]
  std::vector<std::int64_t> zero_point;  ///< [rows]: weight = scale · (operand − zero point)
  std::vector<double> scale;             ///< [rows], or empty
  std::int64_t code_shift = 0;           ///< of uint8 codes: 128
  std::vector<std::int64_t> code_zero;   ///< [rows]: code = operand + code_shift + code_zero
  const onnx::TensorProto* root = nullptr;
  int stored_bits = 8;
  std::vector<std::uint32_t> origin;  ///< [rows, cols] index in root; no_origin for padding
};
constexpr std::uint32_t no_origin = UINT32_MAX;

/// One axis of the array: which, and in what order products go along it.
struct Arrangement {
  std::vector<int> rows;  ///< axes whose indices name the dot product, outermost first
  std::vector<int> cols;  ///< axes that are summed over, outermost first
};

/// Puts `weights` in order. Throws InputError (`place`) for an empty array. `why_not` says why nothing is returned: a scale or zero
/// point that changes along a summed axis, or a value that 8 bits do not hold.
std::optional<OperandWeights> arranged(const CodedWeights& weights, const Arrangement& order, const std::string& place,
                                       std::string& why_not);

}  // namespace axe

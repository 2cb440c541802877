// From a node to the integer dot products that it computes: weights, box, zero points, bias. `find_products` walks a whole model.
// Only lib/onnx includes this. No side effects.
#pragma once

#include <functional>

#include "axecert/bound/integer_layer.hpp"
#include "axecert/onnx/import.hpp"
#include "axecert/onnx/weights.hpp"

namespace axe {

/// The dot products of one node on a datapath.
struct NodeProducts {
  OnnxProduct product;
  OperandWeights weights;
  std::vector<std::int64_t> bias;           ///< [rows], or empty
  bool integer_bias = false;                ///< it has one, which `bias` lacks when it is computed at run time
  IntegerRange box;                         ///< of operands
  std::int32_t shift = 0;                   ///< operand = code − shift
  IntegerRange zero_point;                  ///< of codes
  IntegerType type;                         ///< of codes
  const Scope* scope = nullptr;             ///< of the node, while the walk lasts
  const onnx::NodeProto* source = nullptr;  ///< the node
};

/// What a walk finds, one call per node that computes integer dot products; the rest goes into `import`. With `trace`, weights know
/// where they come from.
void find_products(const ModelFile& file, const Datapath& datapath, const OnnxOptions& options, bool trace,
                   OnnxImport& import, const std::function<void(NodeProducts&&)>& found);

}  // namespace axe

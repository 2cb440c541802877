// Which operators compute dot products, and of what: the closed list that decides what a walk through a graph may pass by.
// `operator_kind` is the main function. Only lib/onnx includes this. No side effects.
#pragma once

#include "axecert/onnx/scope.hpp"

namespace axe {

enum class OperatorKind {
  none,      ///< no sum of products with weights
  floating,  ///< sums of products of floats; of integers when its inputs are dequantized ones
  integer,   ///< sums of products of integers
  unknown,   ///< on no list: it may be anything
};
OperatorKind operator_kind(const onnx::NodeProto& node);

}  // namespace axe

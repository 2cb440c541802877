// An ONNX model as axecert sees it: every integer dot product of its graph and subgraphs as a layer with integer weights, the box of
// its inputs and its constant, and a list of everything that no layer speaks for. `import_onnx` is the main function. The layers
// come as the arrays of docs/layers.md, so certificates, voters and reports need to know nothing of ONNX. What is read and how:
// docs/onnx.md. Side effects: reads the model and its external data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "axecert/certificate/vote.hpp"
#include "axecert/model/tensors.hpp"

namespace axe {

/// In which order a convolution's kernel adds: by operator as onnxruntime does (QLinearConv and QDQ: positions, then channels;
/// ConvInteger: channels, then positions), or one order for all.
enum class ConvolutionOrder { by_operator, channels_first, positions_first };

struct OnnxOptions {
  ConvolutionOrder order = ConvolutionOrder::by_operator;
};

/// A node whose integer dot products are a layer.
struct OnnxProduct {
  std::string layer;        ///< the layer's name: the node's, other characters than A-Z a-z 0-9 _ . / - replaced by _
  std::string node;         ///< the node's name in the model
  std::string op;           ///< "MatMulInteger", "QDQ Conv", …
  std::string initializer;  ///< where its weights lie
  std::int64_t rows = 0, cols = 0;
  std::string note;  ///< what the certificate leaves outside; may be empty
  /// What a sum is multiplied by to become a code of the output: input scale · weight scale / output scale, [rows]; empty where the operator gives no
  /// codes, or a scale is no constant.
  std::vector<double> multipliers;
  bool whole_sum = true;  ///< false: a correction for weights' zero points, or an integer bias of run time, is added to the row's sum outside
};

/// Something that no layer speaks for.
struct OnnxRemark {
  std::string node;  ///< "NAME (OPERATOR)"
  std::string reason;
};

struct OnnxImport {
  TensorFile layers;                    ///< NAME.weight, NAME.bias, NAME.input_… of docs/layers.md; may be empty
  std::vector<OnnxProduct> products;    ///< in the order of the graph
  std::vector<OnnxRemark> not_covered;  ///< integer dot products that could not be read
  std::vector<OnnxRemark> unknown;      ///< operators on no list, one entry per operator, with its first node
  std::vector<OnnxRemark>
      weights_only;           ///< integer weights, float inputs: sums of floats, unless a runtime quantizes the inputs
  std::int64_t floating = 0;  ///< nodes with sums of products of floats
  std::int64_t nodes = 0;     ///< all nodes, of subgraphs too
  bool complete() const { return not_covered.empty() && unknown.empty(); }
};

/// Reads a model for `datapath`, whose operand form decides how codes reach the multiplier: as they are, or moved by half their
/// range. Throws InputError (file, node, problem, remedy) for a model that contradicts itself.
OnnxImport import_onnx(const std::filesystem::path& path, const Datapath& datapath, const OnnxOptions& options = {});

/// What is missing as a vote, `incomplete`, with a finding per entry; only meaningful when !complete().
Vote coverage_vote(const OnnxImport& model);

}  // namespace axe

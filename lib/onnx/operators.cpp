// The lists. ONNX operators up to opset 23 (what is newer is not on them), onnxruntime's com.microsoft, and QONNX; what is on none of them is unknown.
#include "axecert/onnx/operators.hpp"

#include <set>

#include "axecert/onnx/code_range.hpp"

namespace axe {
namespace {

const std::set<std::string>& standard_without() {
  static const std::set<std::string> names{"Abs",
                                           "Acos",
                                           "Acosh",
                                           "Add",
                                           "And",
                                           "ArgMax",
                                           "ArgMin",
                                           "Asin",
                                           "Asinh",
                                           "Atan",
                                           "Atanh",
                                           "AveragePool",
                                           "BatchNormalization",
                                           "Bernoulli",
                                           "BitShift",
                                           "BitwiseAnd",
                                           "BitwiseNot",
                                           "BitwiseOr",
                                           "BitwiseXor",
                                           "BlackmanWindow",
                                           "Cast",
                                           "CastLike",
                                           "Ceil",
                                           "Celu",
                                           "CenterCropPad",
                                           "Clip",
                                           "Col2Im",
                                           "Compress",
                                           "Concat",
                                           "ConcatFromSequence",
                                           "Constant",
                                           "ConstantOfShape",
                                           "Cos",
                                           "Cosh",
                                           "CumSum",
                                           "DepthToSpace",
                                           "DequantizeLinear",
                                           "Det",
                                           "Div",
                                           "Dropout",
                                           "DynamicQuantizeLinear",
                                           "Elu",
                                           "Equal",
                                           "Erf",
                                           "Exp",
                                           "Expand",
                                           "EyeLike",
                                           "Flatten",
                                           "Floor",
                                           "Gather",
                                           "GatherElements",
                                           "GatherND",
                                           "Gelu",
                                           "GlobalAveragePool",
                                           "GlobalLpPool",
                                           "GlobalMaxPool",
                                           "Greater",
                                           "GreaterOrEqual",
                                           "GridSample",
                                           "GroupNormalization",
                                           "HammingWindow",
                                           "HannWindow",
                                           "HardSigmoid",
                                           "HardSwish",
                                           "Hardmax",
                                           "Identity",
                                           "If",
                                           "ImageDecoder",
                                           "InstanceNormalization",
                                           "IsInf",
                                           "IsNaN",
                                           "LRN",
                                           "LayerNormalization",
                                           "LeakyRelu",
                                           "Less",
                                           "LessOrEqual",
                                           "Log",
                                           "LogSoftmax",
                                           "Loop",
                                           "LpNormalization",
                                           "LpPool",
                                           "Max",
                                           "MaxPool",
                                           "MaxRoiPool",
                                           "MaxUnpool",
                                           "Mean",
                                           "MeanVarianceNormalization",
                                           "MelWeightMatrix",
                                           "Min",
                                           "Mish",
                                           "Mod",
                                           "Mul",
                                           "Multinomial",
                                           "Neg",
                                           "NegativeLogLikelihoodLoss",
                                           "NonMaxSuppression",
                                           "NonZero",
                                           "Not",
                                           "OneHot",
                                           "Optional",
                                           "OptionalGetElement",
                                           "OptionalHasElement",
                                           "Or",
                                           "PRelu",
                                           "Pad",
                                           "Pow",
                                           "QuantizeLinear",
                                           "RMSNormalization",
                                           "RandomNormal",
                                           "RandomNormalLike",
                                           "RandomUniform",
                                           "RandomUniformLike",
                                           "Range",
                                           "Reciprocal",
                                           "ReduceL1",
                                           "ReduceL2",
                                           "ReduceLogSum",
                                           "ReduceLogSumExp",
                                           "ReduceMax",
                                           "ReduceMean",
                                           "ReduceMin",
                                           "ReduceProd",
                                           "ReduceSum",
                                           "ReduceSumSquare",
                                           "RegexFullMatch",
                                           "Relu",
                                           "Reshape",
                                           "Resize",
                                           "ReverseSequence",
                                           "RoiAlign",
                                           "RotaryEmbedding",
                                           "Round",
                                           "Scan",
                                           "Scatter",
                                           "ScatterElements",
                                           "ScatterND",
                                           "Selu",
                                           "SequenceAt",
                                           "SequenceConstruct",
                                           "SequenceEmpty",
                                           "SequenceErase",
                                           "SequenceInsert",
                                           "SequenceLength",
                                           "SequenceMap",
                                           "Shape",
                                           "Shrink",
                                           "Sigmoid",
                                           "Sign",
                                           "Sin",
                                           "Sinh",
                                           "Size",
                                           "Slice",
                                           "Softmax",
                                           "SoftmaxCrossEntropyLoss",
                                           "Softplus",
                                           "Softsign",
                                           "SpaceToDepth",
                                           "Split",
                                           "SplitToSequence",
                                           "Sqrt",
                                           "Squeeze",
                                           "StringConcat",
                                           "StringNormalizer",
                                           "StringSplit",
                                           "Sub",
                                           "Sum",
                                           "Swish",
                                           "Tan",
                                           "Tanh",
                                           "TensorScatter",
                                           "TfIdfVectorizer",
                                           "ThresholdedRelu",
                                           "Tile",
                                           "TopK",
                                           "Transpose",
                                           "Trilu",
                                           "Unique",
                                           "Unsqueeze",
                                           "Upsample",
                                           "Where",
                                           "Xor"};
  return names;
}

const std::set<std::string>& standard_floating() {
  static const std::set<std::string> names{"MatMul", "Gemm", "Conv",       "ConvTranspose", "Einsum", "LSTM",
                                           "GRU",    "RNN",  "DeformConv", "Attention",     "DFT",    "STFT"};
  return names;
}

const std::set<std::string>& microsoft_without() {
  static const std::set<std::string> names{"BiasAdd",
                                           "BiasDropout",
                                           "BiasGelu",
                                           "BiasSoftmax",
                                           "BiasSplitGelu",
                                           "BifurcationDetector",
                                           "CDist",
                                           "DequantizeBFP",
                                           "DequantizeLinear",
                                           "EmbedLayerNormalization",
                                           "ExpandDims",
                                           "FastGelu",
                                           "GatherBlockQuantized",
                                           "Gelu",
                                           "GemmaRotaryEmbedding",
                                           "GridSample",
                                           "GroupNorm",
                                           "Inverse",
                                           "Irfft",
                                           "LayerNormalization",
                                           "MaxpoolWithMask",
                                           "NGramRepeatBlock",
                                           "NhwcMaxPool",
                                           "Pad",
                                           "QLinearAdd",
                                           "QLinearAveragePool",
                                           "QLinearConcat",
                                           "QLinearGlobalAveragePool",
                                           "QLinearLeakyRelu",
                                           "QLinearMul",
                                           "QLinearReduceMean",
                                           "QLinearSigmoid",
                                           "QLinearSoftmax",
                                           "QLinearWhere",
                                           "QEmbedLayerNormalization",
                                           "QuantizeBFP",
                                           "QuantizeLinear",
                                           "QuickGelu",
                                           "Range",
                                           "RemovePadding",
                                           "RestorePadding",
                                           "Rfft",
                                           "RotaryEmbedding",
                                           "SampleOp",
                                           "Sampling",
                                           "SimplifiedLayerNormalization",
                                           "SkipGroupNorm",
                                           "SkipLayerNormalization",
                                           "SkipSimplifiedLayerNormalization",
                                           "Tokenizer",
                                           "TorchEmbedding",
                                           "Trilu",
                                           "UnfoldTensor",
                                           "Unique"};
  return names;
}

const std::set<std::string>& microsoft_floating() {
  static const std::set<std::string> names{"Attention",
                                           "ConvTransposeWithDynamicPads",
                                           "DecoderAttention",
                                           "DecoderMaskedMultiHeadAttention",
                                           "DecoderMaskedSelfAttention",
                                           "FusedConv",
                                           "FusedGemm",
                                           "FusedMatMul",
                                           "GemmFastGelu",
                                           "GroupQueryAttention",
                                           "LongformerAttention",
                                           "MatMulBnb4",
                                           "MatMulFpQ4",
                                           "MoE",
                                           "MultiHeadAttention",
                                           "NhwcConv",
                                           "NhwcFusedConv",
                                           "PackedAttention",
                                           "PackedMultiHeadAttention",
                                           "RelativePositionBias",
                                           "GatedRelativePositionBias",
                                           "SparseAttention",
                                           "TransposeMatMul"};
  return names;
}

const std::set<std::string>& integer_products() {
  static const std::set<std::string> names{
      // of ONNX
      "MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv",
      // of com.microsoft; those that products.cpp does not know come out as not covered
      "QGemm", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QAttention", "MatMulNBits", "MatMulInteger16",
      "DynamicQuantizeLSTM", "QLinearConvTranspose", "QMoE", "QOrderedAttention", "QOrderedLongformerAttention",
      "QOrderedMatMul", "ConvIntegerToFloat"};
  return names;
}

}  // namespace

OperatorKind operator_kind(const onnx::NodeProto& node) {
  const std::string& op = node.op_type();
  if (is_standard(node)) {
    if (op == "MatMulInteger" || op == "ConvInteger" || op == "QLinearMatMul" || op == "QLinearConv") {
      return OperatorKind::integer;
    }
    return standard_without().count(op) != 0    ? OperatorKind::none
           : standard_floating().count(op) != 0 ? OperatorKind::floating
                                                : OperatorKind::unknown;
  }
  if (node.domain() == "com.microsoft") {
    return integer_products().count(op) != 0     ? OperatorKind::integer
           : microsoft_without().count(op) != 0  ? OperatorKind::none
           : microsoft_floating().count(op) != 0 ? OperatorKind::floating
                                                 : OperatorKind::unknown;
  }
  // onnxruntime's optimizer moves QLinearConv and the pooling of integers there when it changes the layout.
  if (node.domain() == "com.ms.internal.nhwc") {
    return OperatorKind::unknown;
  }
  const bool qonnx = is_qonnx(node, "Quant") || is_qonnx(node, "BipolarQuant") || is_qonnx(node, "Trunc");
  return qonnx ? OperatorKind::none : OperatorKind::unknown;
}

}  // namespace axe

// One function per operator; see products.hpp. Semantics: ONNX's operator specifications, onnxruntime's ContribOperators.md, and
// QONNX's operator descriptions.
#include "axecert/onnx/products.hpp"
#include "axecert/bound/weight_range.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>

#include "axecert/onnx/operators.hpp"

namespace axe {
namespace {

class Finder {
 public:
  Finder(const ModelFile& file, const Datapath& datapath, const OnnxOptions& options, bool trace, OnnxImport& import,
         const std::function<void(NodeProducts&&)>& found)
      : file_(file), datapath_(datapath), options_(options), trace_(trace), import_(import), found_(found) {
    for (const auto& function : file.model().functions()) {
      functions_.insert(function.domain() + "." + function.name());
    }
  }

  void walk(const onnx::GraphProto& graph, const Scope* parent, const std::string& prefix, int depth);

 private:
  // What an operator's node says of its dot product, before the datapath is looked at.
  struct Parts {
    std::string op;
    std::optional<CodedWeights> weights;
    std::string weights_name;
    Arrangement order;
    std::optional<Codes> input;      // box, type, zero point
    std::vector<std::int64_t> bias;  // per row of an unblocked arrangement, or empty
    bool integer_bias = false;       // there is one, also when it is computed at run time and `bias` is empty
    std::string note;
    bool padded = false;              // the kernel also reads zero points
    std::vector<double> multipliers;  // of a sum, per row or one for all; empty when not known
  };

  void visit(const Scope& scope, const onnx::NodeProto& node);
  void integer_node(const Scope& scope, const onnx::NodeProto& node);
  void floating_node(const Scope& scope, const onnx::NodeProto& node);
  void add(const Scope& scope, const onnx::NodeProto& node, Parts parts);
  void not_covered(const Scope& scope, const onnx::NodeProto& node, const std::string& reason) {
    import_.not_covered.push_back({scope.name_of(node) + " (" + node.op_type() + ")", reason});
  }

  std::optional<Codes> codes_with_zero_point(const Scope& scope, const std::string& codes,
                                             const std::string& zero_point);
  Arrangement matrix(const Scope& scope, const onnx::NodeProto& node, const CodedWeights& w, bool transposed) const;
  Arrangement convolution(const Scope& scope, const onnx::NodeProto& node, const CodedWeights& w,
                          bool channels_first) const;
  static std::vector<double> multipliers(const Scope& scope, const onnx::NodeProto& node);
  static bool has_padding(const onnx::NodeProto& node);
  void take_bias(const Scope& scope, const std::string& name, Parts& parts);
  void take_scaled_bias(const Scope& scope, const std::string& name, Parts& parts);
  void match_multiply_nbits(const Scope& scope, const onnx::NodeProto& node);
  std::string layer_name(const std::string& node);

  const ModelFile& file_;
  const Datapath& datapath_;
  const OnnxOptions& options_;
  bool trace_;
  OnnxImport& import_;
  const std::function<void(NodeProducts&&)>& found_;
  CodeRanges ranges_;
  std::set<std::string> functions_;
  std::set<std::string> layer_names_;
  std::map<std::string, int> next_number_;      // of a layer whose nodes share a name
  std::map<std::string, std::size_t> unknown_;  // operator → its entry of import_.unknown
  std::vector<std::unique_ptr<Scope>> scopes_;  // kept: CodeRanges remembers them
};

std::string plural(std::int64_t n, const std::string& word) {
  return std::to_string(n) + " " + word + (n == 1 ? "" : "s");
}

/// An error about a tensor, with the node that reads it: "FILE: tensor 'w'" becomes "FILE: node 'product' (MatMulInteger): tensor 'w'".
InputError with_node(const InputError& error, const Scope& scope, const onnx::NodeProto& node) {
  const std::string start = scope.file().path() + ": tensor '";
  if (error.place().compare(0, start.size(), start) != 0) {
    return error;
  }
  return InputError(scope.place(node) + error.place().substr(scope.file().path().size()), error.problem(),
                    error.remedy());
}

void Finder::walk(const onnx::GraphProto& graph, const Scope* parent, const std::string& prefix, int depth) {
  if (depth > 64) {
    throw InputError(file_.path(), "has graphs within graphs more than 64 deep", "flatten it");
  }
  scopes_.push_back(std::make_unique<Scope>(file_, graph, parent, prefix));
  const Scope& scope = *scopes_.back();
  for (const auto& node : graph.node()) {
    ++import_.nodes;
    try {
      visit(scope, node);
    } catch (const InputError& error) {
      throw with_node(error, scope, node);
    }
    for (const auto& a : node.attribute()) {
      if (!a.has_g() && a.graphs_size() == 0) {
        continue;
      }
      const std::string inner = scope.name_of(node) + "/" + a.name() + "/";
      if (a.has_g()) {
        walk(a.g(), &scope, inner, depth + 1);
      }
      for (int i = 0; i < a.graphs_size(); ++i) {
        walk(a.graphs(i), &scope, inner + std::to_string(i) + "/", depth + 1);
      }
    }
  }
}

void Finder::visit(const Scope& scope, const onnx::NodeProto& node) {
  const std::string full = (node.domain().empty() ? "ai.onnx" : node.domain()) + "." + node.op_type();
  const bool function = functions_.count(node.domain() + "." + node.op_type()) != 0;
  switch (function ? OperatorKind::unknown : operator_kind(node)) {
    case OperatorKind::none:
      return;
    case OperatorKind::integer:
      integer_node(scope, node);
      return;
    case OperatorKind::floating:
      floating_node(scope, node);
      return;
    case OperatorKind::unknown: {
      const auto [entry, is_new] = unknown_.emplace(full, import_.unknown.size());
      if (is_new) {
        import_.unknown.push_back({scope.name_of(node) + " (" + full + ")",
                                   function ? "a function of the model, which is not looked into; inline it first"
                                            : "unknown operator: it may compute integer dot products"});
      }
      return;
    }
  }
}

// A's codes and their zero point, for operators that take both as inputs.
std::optional<Codes> Finder::codes_with_zero_point(const Scope& scope, const std::string& codes,
                                                   const std::string& zero_point) {
  std::optional<Codes> found = ranges_.of_integers(scope, codes);
  if (found) {
    const Scope::Definition z = scope.find(zero_point);
    if (z.initializer != nullptr && integer_type(z.initializer->data_type()) &&
        (integer_type(z.initializer->data_type())->bits != found->type.bits ||
         integer_type(z.initializer->data_type())->is_signed != found->type.is_signed)) {
      throw InputError(
          scope.file().path() + ": tensor '" + zero_point + "'",
          "is a zero point of type " + type_name(z.initializer->data_type()) + " for codes of another type",
          "both have one type");
    }
    found->zero_point = CodeRanges::zero_point(scope, zero_point, found->type);
  }
  return found;
}

// [.., K, N] or, transposed, [N, K].
Arrangement Finder::matrix(const Scope& scope, const onnx::NodeProto& node, const CodedWeights& w,
                           bool transposed) const {
  const int rank = static_cast<int>(w.codes.shape.size());
  if (rank < 1 || (transposed && rank != 2)) {
    throw InputError(scope.place(node), "its weights have " + std::to_string(rank) + " axes",
                     "a matrix product needs two");
  }
  Arrangement order;
  if (rank == 1) {
    order.cols = {0};
    return order;
  }
  for (int axis = 0; axis < rank - 2; ++axis) {
    order.rows.push_back(axis);
  }
  order.rows.push_back(transposed ? rank - 2 : rank - 1);
  order.cols = {transposed ? rank - 1 : rank - 2};
  return order;
}

// [M, C / groups, positions…].
Arrangement Finder::convolution(const Scope& scope, const onnx::NodeProto& node, const CodedWeights& w,
                                bool channels_first) const {
  const int rank = static_cast<int>(w.codes.shape.size());
  if (rank < 3) {
    throw InputError(scope.place(node), "its weights have " + std::to_string(rank) + " axes",
                     "a convolution's have three or more: output channels, input channels, positions");
  }
  if (options_.order != ConvolutionOrder::by_operator) {
    channels_first = options_.order == ConvolutionOrder::channels_first;
  }
  Arrangement order;
  order.rows = {0};
  for (int axis = 2; axis < rank; ++axis) {
    order.cols.push_back(axis);
  }
  order.cols.insert(channels_first ? order.cols.begin() : order.cols.end(), 1);
  return order;
}

bool Finder::has_padding(const onnx::NodeProto& node) {
  const onnx::AttributeProto* automatic = attribute(node, "auto_pad");
  if (automatic != nullptr && !automatic->s().empty() && automatic->s() != "NOTSET") {
    return automatic->s() != "VALID";
  }
  const onnx::AttributeProto* pads = attribute(node, "pads");
  return pads != nullptr && std::any_of(pads->ints().begin(), pads->ints().end(), [](auto p) { return p != 0; });
}

// A constant int32 bias with the step of the products.
void Finder::take_bias(const Scope& scope, const std::string& name, Parts& parts) {
  if (name.empty()) {
    return;
  }
  parts.integer_bias = true;
  const std::optional<Constant> bias = constant(scope, name);
  if (!bias || bias->type != onnx::TensorProto::INT32) {
    parts.note = "its bias is computed at run time, and is added outside the certified registers";
    return;
  }
  for (std::int64_t i = 0; i < bias->elements(); ++i) {
    parts.bias.push_back(bias->integer(i));
  }
}

// A bias that is DequantizeLinear of constant int32; the integers count when its step is that of the products.
void Finder::take_scaled_bias(const Scope& scope, const std::string& name, Parts& parts) {
  if (name.empty()) {
    return;
  }
  const std::string outside = "its bias is added in floating point, outside the certified registers";
  const Scope::Definition d = scope.find(name);
  if (d.node == nullptr || d.node->op_type() != "DequantizeLinear" || !parts.input->scale) {
    parts.note = outside;
    return;
  }
  const std::optional<Constant> codes = constant(*d.scope, input(*d.node, 0));
  const std::optional<Constant> scale = constant(*d.scope, input(*d.node, 1));
  const IntegerRange z = CodeRanges::zero_point(*d.scope, input(*d.node, 2), IntegerType{true, 32});
  const std::vector<double>& steps = parts.weights->scale;
  bool same = codes && scale && codes->type == onnx::TensorProto::INT32 && z == IntegerRange{0, 0} &&
              parts.weights->block == 0 && scale->elements() > 0 && !steps.empty();
  const std::int64_t rows = same ? codes->elements() : 0;
  same = same && (scale->elements() == 1 || scale->elements() == rows) &&
         (steps.size() == 1 || static_cast<std::int64_t>(steps.size()) == rows);
  for (std::int64_t r = 0; same && r < rows; ++r) {
    const double step = *parts.input->scale * steps[steps.size() == 1 ? 0 : static_cast<std::size_t>(r)];
    same = std::fabs(scale->real(scale->elements() == 1 ? 0 : r) - step) <= 1e-3 * step;
  }
  if (!same) {
    parts.note = outside;
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    parts.bias.push_back(codes->integer(r));
  }
}

void Finder::integer_node(const Scope& scope, const onnx::NodeProto& node) {
  const std::string& op = node.op_type();
  if (op == "MatMulNBits") {
    match_multiply_nbits(scope, node);
    return;
  }
  // Which inputs: codes and zero point of the activations, of the weights, and the bias; −1 for none.
  struct Inputs {
    int codes, zero_point, weights, weight_zero_point, bias;
  };
  static const std::map<std::string, Inputs> known{{"MatMulInteger", {0, 2, 1, 3, -1}},
                                                   {"ConvInteger", {0, 2, 1, 3, -1}},
                                                   {"QLinearMatMul", {0, 2, 3, 5, -1}},
                                                   {"QLinearConv", {0, 2, 3, 5, 8}},
                                                   {"QGemm", {0, 2, 3, 5, 6}},
                                                   {"MatMulIntegerToFloat", {0, 4, 1, 5, -1}},
                                                   {"DynamicQuantizeMatMul", {0, -1, 1, 3, -1}},
                                                   {"QAttention", {0, 6, 1, 7, -1}}};
  const auto found = known.find(op);
  if (found == known.end()) {
    not_covered(scope, node, "an integer operator that is not read");
    return;
  }
  const Inputs& in = found->second;
  const bool convolution_node = op == "ConvInteger" || op == "QLinearConv";
  const bool transposed_weights = op == "QGemm" && integer_attribute(node, "transB", 0) != 0;
  Parts parts;
  parts.op = op;
  parts.weights_name = input(node, in.weights);
  if (!is_constant(scope, parts.weights_name)) {
    not_covered(scope, node,
                is_constant(scope, input(node, in.codes)) ? "its constant operand is the left one"
                                                          : "its weights are computed at run time");
    return;
  }
  parts.weights =
      plain_weights(scope, node, parts.weights_name, in.weight_zero_point < 0 ? "" : input(node, in.weight_zero_point),
                    convolution_node || transposed_weights ? 0 : -1, trace_);
  if (!parts.weights) {
    not_covered(scope, node,
                is_constant(scope, input(node, in.weight_zero_point)) || input(node, in.weight_zero_point).empty()
                    ? "its weights are no constant integers of up to 8 bits"
                    : "the zero point of its weights is computed at run time");
    return;
  }
  parts.order = convolution_node ? convolution(scope, node, *parts.weights, op == "ConvInteger")
                                 : matrix(scope, node, *parts.weights, transposed_weights);
  parts.padded = convolution_node && has_padding(node);
  if (op == "DynamicQuantizeMatMul") {  // quantizes its input as DynamicQuantizeLinear does
    parts.input = Codes{{false, 8}, {0, 255}, {0, 255}, std::nullopt};
  } else {
    parts.input = codes_with_zero_point(scope, input(node, in.codes), input(node, in.zero_point));
  }
  if (!parts.input) {
    not_covered(scope, node,
                "the type of its input '" + input(node, in.codes) +
                    "' is not known, or not of 4 to 16 bits; onnx.shape_inference may add it");
    return;
  }
  // onnxruntime's ConvInteger multiplies W · im2col(x), so uint8 weights are its unsigned operand, and int8 codes the signed one: the
  // other way round than codes moved to 0…255 and weights less 128 (measured: tests/onnx/test_onnxruntime.py).
  if (op == "ConvInteger" && !parts.weights->type.is_signed && parts.input->type.is_signed &&
      datapath_.activations.lower >= 0) {
    not_covered(scope, node,
                "its weights are unsigned and its codes signed: onnxruntime takes the weights as the unsigned operand, "
                "and on this datapath the activations are");
    return;
  }
  if (op == "QLinearMatMul" || op == "QLinearConv" || op == "QGemm") {
    parts.multipliers = multipliers(scope, node);
  }
  if (in.bias >= 0) {
    take_bias(scope, input(node, in.bias), parts);
  } else if (op == "QAttention") {
    parts.note = "the products of queries, keys and values are sums of floats; its projection is what is certified";
  }
  add(scope, node, std::move(parts));
}

// Of an operator with the scales of its input, weights and output as inputs; empty unless all are positive constants.
std::vector<double> Finder::multipliers(const Scope& scope, const onnx::NodeProto& node) {
  const bool gemm = node.op_type() == "QGemm";
  const std::optional<double> in = one_real(scope, input(node, 1)), out = one_real(scope, input(node, gemm ? 7 : 6));
  const std::optional<Constant> weights = constant(scope, input(node, 4));
  std::vector<double> result;
  for (std::int64_t i = 0; in && out && weights && i < weights->elements(); ++i) {
    result.push_back(*in * weights->real(i) / *out * (gemm ? real_attribute(node, "alpha", 1) : 1));
  }
  const bool positive = std::all_of(result.begin(), result.end(), [](double m) { return m > 0 && std::isfinite(m); });
  return positive ? result : std::vector<double>{};
}

// com.microsoft.MatMulNBits: blocks of `block_size` weights with a scale each. With accuracy_level 4 the activations of a block are
// quantized to 8 bits and multiplied as integers; with the other levels the weights become floats first.
void Finder::match_multiply_nbits(const Scope& scope, const onnx::NodeProto& node) {
  const std::int64_t bits = integer_attribute(node, "bits", 4), n = integer_attribute(node, "N", 0),
                     k = integer_attribute(node, "K", 0), block = integer_attribute(node, "block_size", 0),
                     level = integer_attribute(node, "accuracy_level", 0);
  if (level != 4) {
    import_.weights_only.push_back(
        {scope.name_of(node) + " (MatMulNBits)", "accuracy_level " + std::to_string(level) + ": products of floats"});
    return;
  }
  const std::optional<Constant> packed = constant(scope, input(node, 1));
  if (!packed) {
    not_covered(scope, node, "its weights are computed at run time");
    return;
  }
  if (n < 1 || k < 1 || block < 16 || (bits != 2 && bits != 4 && bits != 8) || k > largest_length ||
      block > largest_length) {
    throw InputError(scope.place(node), "N, K, block_size or bits is out of range",
                     "N and K at least 1, blocks of 16 or more, 2, 4 or 8 bits");
  }
  if (!input(node, 4).empty()) {
    not_covered(scope, node, "its inputs are reordered by g_idx");
    return;
  }
  const std::int64_t blocks = (k + block - 1) / block;
  const std::int64_t blob = (block * bits + 7) / 8, zero_bytes = (blocks * bits + 7) / 8;
  if (packed->type != onnx::TensorProto::UINT8 || packed->elements() / (blocks * blob) != n ||
      packed->elements() % (blocks * blob) != 0) {
    throw InputError(scope.place(node), "its weights do not have N × blocks × " + std::to_string(blob) + " bytes",
                     "export the model again");
  }
  const auto code = [&](const Constant& bytes, std::int64_t first_byte, std::int64_t i) {
    return (bytes.integer(first_byte + i * bits / 8) >> (i * bits % 8)) & ((1 << bits) - 1);
  };
  Parts parts;
  parts.op = "MatMulNBits";
  parts.weights_name = input(node, 1);
  CodedWeights w;
  w.codes.type = onnx::TensorProto::UINT8;
  w.codes.shape = {n, k};
  w.type = {false, static_cast<int>(bits)};
  w.centred = true;
  w.axis = 1;
  w.block = block;
  w.blocks = blocks;
  w.stored_bits = static_cast<int>(bits);
  w.codes.root = packed->root;
  w.codes.data.resize(static_cast<std::size_t>(n * k));
  w.codes.origin.resize(trace_ ? static_cast<std::size_t>(n * k) : 0);
  for (std::int64_t r = 0; r < n; ++r) {
    for (std::int64_t c = 0; c < k; ++c) {
      w.codes.data[static_cast<std::size_t>(r * k + c)] =
          static_cast<std::byte>(code(*packed, (r * blocks + c / block) * blob, c % block));
      if (trace_) {
        w.codes.origin[static_cast<std::size_t>(r * k + c)] =
            static_cast<std::uint32_t>((r * blocks + c / block) * blob * 8 / bits + c % block);
      }
    }
  }
  w.zero_point.assign(static_cast<std::size_t>(n * blocks), std::int64_t{1} << (bits - 1));
  if (!input(node, 3).empty()) {
    const std::optional<Constant> z = constant(scope, input(node, 3));
    if (!z || z->type != onnx::TensorProto::UINT8) {
      not_covered(scope, node, "the zero points of its weights are no constant integers");
      return;
    }
    if (z->elements() != n * zero_bytes) {
      throw InputError(scope.place(node), "its zero points do not have N × " + std::to_string(zero_bytes) + " bytes",
                       "export the model again");
    }
    for (std::int64_t i = 0; i < n * blocks; ++i) {
      w.zero_point[static_cast<std::size_t>(i)] = code(*z, i / blocks * zero_bytes, i % blocks);
    }
  }
  parts.weights = std::move(w);
  parts.order.rows = {0};
  parts.order.cols = {1};
  parts.input = Codes{{true, 8}, {-128, 127}, {0, 0}, std::nullopt};
  parts.note = "each block of " + std::to_string(block) + " is a dot product of its own; blocks are added as floats";
  add(scope, node, std::move(parts));
}

void Finder::floating_node(const Scope& scope, const onnx::NodeProto& node) {
  const std::string& op = node.op_type();
  const bool matrix_node = is_standard(node) && (op == "MatMul" || op == "Gemm");
  const bool convolution_node = is_standard(node) && op == "Conv";
  if (!matrix_node && !convolution_node) {
    for (const std::string& name : node.input()) {
      if (!name.empty() && (coded_weights(scope, name, false) || ranges_.below_floats(scope, name))) {
        not_covered(scope, node, "an operator with quantized inputs that is not read");
        return;
      }
    }
    ++import_.floating;
    return;
  }
  const auto is_integer_tensor = [&](const std::string& name) {
    const Scope::Definition d = scope.find(name);
    const int type = d.initializer != nullptr ? d.initializer->data_type() : scope.stated_type(name);
    return type == onnx::TensorProto::UINT32 || type == onnx::TensorProto::UINT64 || type == onnx::TensorProto::INT64 ||
           integer_type(type).has_value();
  };
  if (is_integer_tensor(input(node, 0)) || is_integer_tensor(input(node, 1))) {
    not_covered(scope, node, "a product of integer tensors of 32 bits or more");
    return;
  }
  Parts parts;
  parts.weights_name = input(node, 1);
  parts.weights = coded_weights(scope, parts.weights_name, trace_);
  parts.input = ranges_.below_floats(scope, input(node, 0));
  if (!parts.weights) {
    if (coded_weights(scope, input(node, 0), false)) {
      not_covered(scope, node, "its constant operand is the left one");
    } else if (parts.input && ranges_.below_floats(scope, input(node, 1))) {
      not_covered(scope, node, "both operands are computed at run time: there are no weights to speak about");
    } else {
      ++import_.floating;
    }
    return;
  }
  if (!parts.input) {
    const Scope::Definition d = scope.find(input(node, 0));
    if (d.node != nullptr && (d.node->op_type() == "DequantizeLinear" || is_qonnx(*d.node, "Quant"))) {
      not_covered(scope, node,
                  "its input is quantized in a way that is not read: a scale per channel, a type of more than 16 "
                  "bits or an unknown one");
      return;
    }
    import_.weights_only.push_back(
        {scope.name_of(node) + " (" + op + ")", "quantized weights, inputs in floating point"});
    return;
  }
  const Scope::Definition quantizer = scope.find(parts.weights_name);
  parts.op = (quantizer.node != nullptr && is_qonnx(*quantizer.node, "Quant") ? "QONNX " : "QDQ ") + op;
  const bool transposed_weights = op == "Gemm" && integer_attribute(node, "transB", 0) != 0;
  parts.order = convolution_node ? convolution(scope, node, *parts.weights, false)
                                 : matrix(scope, node, *parts.weights, transposed_weights);
  parts.padded = convolution_node && has_padding(node);
  if (op != "MatMul") {
    if (op == "Gemm" && (real_attribute(node, "alpha", 1) != 1 || real_attribute(node, "beta", 1) != 1)) {
      parts.note = input(node, 2).empty() ? "" : "its bias is added in floating point, outside the certified registers";
    } else {
      take_scaled_bias(scope, input(node, 2), parts);
    }
  }
  add(scope, node, std::move(parts));
}

std::string Finder::layer_name(const std::string& node) {
  std::string name;
  for (const char c : node) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
                       c == '.' || c == '/' || c == '-';
    name += plain ? c : '_';
  }
  if (name.empty()) {
    name = "node";
  }
  const std::string base = name;
  for (int& i = next_number_.emplace(base, 2).first->second; !layer_names_.insert(name).second; ++i) {
    name = base + "-" + std::to_string(i);
  }
  return name;
}

// How far codes are moved on their way to the multiplier; nothing when the operand's range holds them in no way.
std::optional<std::int32_t> operand_shift(const Codes& codes, const Datapath& datapath) {
  const std::int64_t half = std::int64_t{1} << (codes.type.bits - 1);
  std::vector<std::int64_t> shifts{0, codes.type.is_signed ? -half : half};
  if (!codes.type.is_signed && datapath.form != ActivationForm::raw) {
    std::swap(shifts[0], shifts[1]);
  }
  for (const std::int64_t shift : shifts) {
    if (codes.box.lower - shift >= datapath.activations.lower &&
        codes.box.upper - shift <= datapath.activations.upper) {
      return static_cast<std::int32_t>(shift);
    }
  }
  return std::nullopt;
}

void Finder::add(const Scope& scope, const onnx::NodeProto& node, Parts parts) {
  if (output(node, 0).empty()) {
    not_covered(scope, node, "it has no output");
    return;
  }
  NodeProducts result;
  std::string why_not;
  std::optional<OperandWeights> weights = arranged(*parts.weights, parts.order, scope.place(node), why_not);
  if (!weights) {
    not_covered(scope, node, why_not);
    return;
  }
  Codes codes = *parts.input;
  if (parts.padded) {  // padding reads as the zero point
    codes.box = {std::min(codes.box.lower, codes.zero_point.lower), std::max(codes.box.upper, codes.zero_point.upper)};
  }
  const std::optional<std::int32_t> shift = operand_shift(codes, datapath_);
  if (!shift) {
    not_covered(scope, node,
                "its codes [" + std::to_string(codes.box.lower) + ", " + std::to_string(codes.box.upper) +
                    "] do not fit the datapath's activation operand [" + std::to_string(datapath_.activations.lower) +
                    ", " + std::to_string(datapath_.activations.upper) + "]");
    return;
  }
  if (weights->cols > largest_length) {
    not_covered(scope, node, "its dot products have more than 2^24 terms");
    return;
  }
  const IntegerRange found = weight_range(weights->operand);
  if (found.lower < datapath_.weights.lower || found.upper > datapath_.weights.upper) {
    not_covered(scope, node,
                "its weights [" + std::to_string(found.lower) + ", " + std::to_string(found.upper) +
                    "] do not fit the datapath's weight operand [" + std::to_string(datapath_.weights.lower) + ", " +
                    std::to_string(datapath_.weights.upper) + "]");
    return;
  }
  if (!parts.bias.empty() && static_cast<std::int64_t>(parts.bias.size()) != weights->rows) {
    if (parts.bias.size() == 1) {
      parts.bias.resize(static_cast<std::size_t>(weights->rows), parts.bias[0]);
    } else {
      throw InputError(scope.place(node),
                       "its bias has " + plural(static_cast<std::int64_t>(parts.bias.size()), "number") + " for " +
                           plural(weights->rows, "output channel"),
                       "one per output channel");
    }
  }
  result.box = {codes.box.lower - *shift, codes.box.upper - *shift};
  result.shift = *shift;
  result.zero_point = codes.zero_point;
  result.type = codes.type;

  // A weight zero point z_w adds −z_w Σ (x − z_x), which depends on the input and is no constant of the row. It is added in 32 bits
  // beside the certified registers. With |x|, |z_x − shift| ≤ X, Z no order of these additions leaves 32 bits when
  //     (Σ|w| + K |z_w|) (X + Z) + |bias| ≤ 2^31 − 1.
  const bool corrected =
      std::any_of(weights->zero_point.begin(), weights->zero_point.end(), [](auto z) { return z != 0; });
  if (corrected) {
    const auto reach = [](IntegerRange range) { return std::max(std::abs(range.lower), std::abs(range.upper)); };
    const std::int64_t x =
        reach(result.box) + reach({codes.zero_point.lower - *shift, codes.zero_point.upper - *shift});
    std::int64_t greatest = 0;
    for (std::int64_t r = 0; r < weights->rows; ++r) {
      std::int64_t sum = weights->cols * std::abs(weights->zero_point[static_cast<std::size_t>(r)]);
      for (std::int64_t c = 0; c < weights->cols; ++c) {
        sum += std::abs(int{weights->operand[static_cast<std::size_t>(r * weights->cols + c)]});
      }
      const std::int64_t bias = parts.bias.empty() ? 0 : std::abs(parts.bias[static_cast<std::size_t>(r)]);
      greatest = std::max(greatest, sum * x + bias);
    }
    const std::int64_t limit = register_limits(32, Limits::symmetric).upper;
    if (greatest > limit) {
      not_covered(scope, node,
                  "the correction for its weights' zero point can leave 32 bits: up to " + std::to_string(greatest) +
                      " against " + std::to_string(limit));
      return;
    }
    parts.note += (parts.note.empty() ? "" : "; ") +
                  std::string(
                      "the correction for its weights' zero point is added outside the certified registers, where "
                      "32 bits hold every sum: at most ") +
                  std::to_string(greatest);
  }
  result.scope = &scope;
  result.source = &node;
  result.product.layer = layer_name(scope.name_of(node));
  result.product.node = scope.name_of(node);
  result.product.op = parts.op;
  result.product.initializer = weights->root != nullptr ? weights->root->name() : parts.weights_name;
  result.product.rows = weights->rows;
  result.product.cols = weights->cols;
  result.product.note = parts.note;
  if (parts.multipliers.size() == 1) {
    parts.multipliers.resize(static_cast<std::size_t>(weights->rows), parts.multipliers[0]);
  }
  if (static_cast<std::int64_t>(parts.multipliers.size()) ==
      weights->rows) {  // else a stack of matrices with scales of their own
    result.product.multipliers = std::move(parts.multipliers);
  }
  result.integer_bias = parts.integer_bias || !parts.bias.empty();
  result.product.whole_sum = !corrected && (parts.bias.empty() ? !parts.integer_bias : true);
  result.bias = std::move(parts.bias);
  result.weights = std::move(*weights);
  found_(std::move(result));
}

// The newest version of ONNX's operator set that is read: from 23 to 27 the operators that move or quantize integers only got more types
// (compared with onnx 1.23's schemas), and new operators are on no list. onnxruntime's own set has one version.
constexpr std::int64_t newest_opset = 27, contributed_opset = 1;

void note_operator_sets(const ModelFile& file, OnnxImport& import) {
  bool standard = file.model().ir_version() < 3;  // before IR 3 nothing is imported and version 1 is meant
  for (const auto& set : file.model().opset_import()) {
    const bool own = is_standard(set.domain());
    const std::string name = (own ? "ai.onnx" : set.domain()) + " " + std::to_string(set.version());
    standard = standard || own;
    if (set.version() < 1) {
      throw InputError(file.path(), "imports the operator set " + name, "versions begin at 1; export the model again");
    }
    if ((own && set.version() > newest_opset) ||
        (set.domain() == "com.microsoft" && set.version() > contributed_opset)) {
      import.unknown.push_back(
          {"operator set " + name, "newer than " + std::to_string(own ? newest_opset : contributed_opset) +
                                       ", the newest that is read: its operators may mean something else"});
    }
  }
  if (!standard) {
    throw InputError(file.path(), "imports no version of ONNX's operators", "set opset_import; export the model again");
  }
}

}  // namespace

void find_products(const ModelFile& file, const Datapath& datapath, const OnnxOptions& options, bool trace,
                   OnnxImport& import, const std::function<void(NodeProducts&&)>& found) {
  validate(datapath);
  note_operator_sets(file, import);
  Finder(file, datapath, options, trace, import, found).walk(file.model().graph(), nullptr, "", 0);
}

}  // namespace axe

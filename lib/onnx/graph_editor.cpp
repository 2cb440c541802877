// Finds where scales stand, and writes scales, nodes and initializers; see graph_editor.hpp.
#include "axecert/onnx/graph_editor.hpp"

#include <algorithm>
#include <map>

namespace axe {
namespace {

// Before IR version 4 every initializer had to be an input of the graph as well.
constexpr int oldest_ir = 4;

bool is_convolution(const onnx::NodeProto& node) {
  return node.op_type() == "ConvInteger" || node.op_type() == "QLinearConv" || node.op_type() == "Conv";
}

onnx::TensorProto tensor_of(const std::string& name, const std::vector<std::int64_t>& shape, int type,
                            const void* bytes, std::size_t size) {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (const std::int64_t extent : shape) {
    tensor.add_dims(extent);
  }
  tensor.set_raw_data(bytes, size);
  return tensor;
}

// The graph and the node are the model's own, which the editor may change.
onnx::GraphProto& writable(const onnx::GraphProto* graph) {
  return const_cast<onnx::GraphProto&>(*graph);
}
onnx::NodeProto& writable(const onnx::NodeProto* node) {
  return const_cast<onnx::NodeProto&>(*node);
}

}  // namespace

GraphEditor::GraphEditor(onnx::ModelProto& model) : model_(model), readers_(model) {
  collect_names(model.graph());
}

void GraphEditor::collect_names(const onnx::GraphProto& graph) {
  for (const auto& value : graph.input()) {
    names_.insert(value.name());
  }
  for (const auto& tensor : graph.initializer()) {
    names_.insert(tensor.name());
  }
  for (const auto& node : graph.node()) {
    names_.insert(node.name());
    for (const std::string& output : node.output()) {
      names_.insert(output);
    }
    for (const auto& a : node.attribute()) {
      if (a.has_g()) {
        collect_names(a.g());
      }
      for (const auto& inner : a.graphs()) {
        collect_names(inner);
      }
    }
  }
}

// Constant floats at an input: one per row, in a shape that ends with the row's axis and `trailing` axes of 1; or, where that may become
// one per row, one for all.
std::optional<GraphEditor::Scales> GraphEditor::constant_scales(const NodeProducts& product, const Scope& scope,
                                                                const onnx::NodeProto& node, int at,
                                                                std::int64_t trailing, bool may_widen) const {
  const std::optional<Constant> found = constant(scope, input(node, at));
  if (!found || found->type != onnx::TensorProto::FLOAT) {
    return std::nullopt;
  }
  const std::int64_t rows = product.weights.rows, n = found->elements();
  Scales scales{&scope.graph(), &node, at, {}, found->shape, true};
  const auto rank = static_cast<std::int64_t>(found->shape.size());
  const bool per_row =
      n == rows && rank > trailing && found->shape[static_cast<std::size_t>(rank - 1 - trailing)] == rows;
  if (!per_row) {
    if (n != 1 || !may_widen) {
      return std::nullopt;
    }
    scales.shape.assign(static_cast<std::size_t>(1 + trailing), 1);
    scales.shape[0] = rows;
    scales.same_shape = false;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    scales.values.push_back(static_cast<float>(found->real(per_row ? r : 0)));
  }
  return scales;
}

std::optional<GraphEditor::Scales> GraphEditor::scales_of(const NodeProducts& product, std::string& why_not) const {
  const Scope& scope = *product.scope;
  const onnx::NodeProto& node = *product.source;
  const OperandWeights& w = product.weights;
  const auto refuse = [&](const char* reason) {
    why_not = reason;
    return std::nullopt;
  };
  if (model_.ir_version() < oldest_ir) {
    return refuse("the model has an IR version before 4");
  }
  if (product.integer_bias) {
    return refuse("its integer bias has the unit of its scales");
  }
  // What lies between an initializer and the product could give it to other products too; a DequantizeLinear is looked at below.
  const std::string& op = node.op_type();
  const bool dequantized = op == "MatMul" || op == "Gemm" || op == "Conv";
  const Readers::Use* weights = w.root == nullptr || w.root->name().empty() ? nullptr : readers_.only(w.root->name());
  if (weights == nullptr || !integer_type(w.root->data_type()) || (!dequantized && weights->node != &node)) {
    return refuse("its weights are floats, or other nodes use them too");
  }
  const auto is_zero = [](std::int64_t z) { return z == 0; };
  if (!std::all_of(w.zero_point.begin(), w.zero_point.end(), is_zero) ||
      !std::all_of(w.code_zero.begin(), w.code_zero.end(), is_zero)) {
    return refuse("its weights have a zero point");
  }
  const std::int64_t trailing = is_convolution(node) ? w.root->dims_size() - 2 : 0;
  if (op == "MatMulInteger" || op == "ConvInteger") {
    if (op == "MatMulInteger" && w.root->dims_size() != 2) {
      return refuse("its weights are no matrix");
    }
    // Cast → Mul by S, or by S · (the inputs' scale), once or twice.
    const Readers::Use* use = readers_.only(output(node, 0));
    if (use == nullptr || use->node->op_type() != "Cast" || use->graph != &scope.graph() ||
        integer_attribute(*use->node, "to", 0) != onnx::TensorProto::FLOAT) {
      return refuse("no Cast to float alone reads its output");
    }
    for (int factors = 0; factors < 2; ++factors) {
      use = readers_.only(output(*use->node, 0));
      if (use == nullptr || use->node->op_type() != "Mul" || use->graph != &scope.graph()) {
        break;
      }
      const int other = 1 - use->input;
      if (auto scales = constant_scales(product, scope, *use->node, other, trailing, true)) {
        return scales;
      }
      const Scope::Definition made = scope.find(input(*use->node, other));
      if (made.node != nullptr && made.scope == &scope && made.node->op_type() == "Mul" &&
          readers_.only(output(*made.node, 0)) != nullptr) {
        for (const int i : {0, 1}) {
          if (auto scales = constant_scales(product, scope, *made.node, i, trailing, true)) {
            return scales;
          }
        }
      }
    }
    return refuse("no constant factor of its output was found");
  }
  static const std::map<std::string, int> inputs{{"QLinearMatMul", 4},
                                                 {"QLinearConv", 4},
                                                 {"QGemm", 4},
                                                 {"MatMulIntegerToFloat", 3},
                                                 {"DynamicQuantizeMatMul", 2}};
  const auto own = inputs.find(op);
  std::optional<Scales> scales;
  if (own != inputs.end()) {
    scales = constant_scales(product, scope, node, own->second, 0, false);
  } else if (op == "MatMul" || op == "Gemm" || op == "Conv") {
    const Scope::Definition made = scope.find(input(node, 1));
    if (made.node != nullptr && made.scope == &scope && made.node->op_type() == "DequantizeLinear" &&
        readers_.only(output(*made.node, 0)) != nullptr && scope.find(input(*made.node, 0)).initializer == w.root) {
      scales = constant_scales(product, scope, *made.node, 1, 0, false);
    }
  }
  if (!scales || scales->shape.size() != 1) {
    return refuse("it has no constant scale for each row");
  }
  return scales;
}

std::string GraphEditor::fixed_scales(const NodeProducts& product) const {
  std::string why_not;
  scales_of(product, why_not);
  return why_not;
}

void GraphEditor::multiply_scales(const NodeProducts& product, const std::vector<double>& factor) {
  std::string why_not;
  std::optional<Scales> scales = scales_of(product, why_not);
  for (std::size_t r = 0; r < factor.size(); ++r) {
    scales->values[r] = static_cast<float>(scales->values[r] * factor[r]);
  }
  scales_.push_back(std::move(*scales));
}

std::string GraphEditor::not_splittable(const NodeProducts& product) const {
  const std::string& op = product.source->op_type();
  if (model_.ir_version() < oldest_ir) {
    return "the model has an IR version before 4";
  }
  if (op != "MatMulInteger" && op != "ConvInteger") {
    return "its operator does not give the integers of its sum";
  }
  const onnx::TensorProto* root = product.weights.root;
  if (root == nullptr || root->name() != input(*product.source, 1) || readers_.only(root->name()) == nullptr) {
    return "its weights are no initializer of their own";
  }
  if (op == "MatMulInteger" && root->dims_size() != 2) {
    return "its weights are no matrix";
  }
  return "";
}

void GraphEditor::add_parts(const NodeProducts& product, const std::vector<SplitPart>& parts) {
  const OperandWeights& w = product.weights;
  Sum sum{&product.scope->graph(), product.source, {}, {}};
  const bool is_matrix = product.source->op_type() == "MatMulInteger";
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const std::vector<std::int64_t>& columns = parts[p].columns;
    const auto n = static_cast<std::int64_t>(columns.size());
    std::vector<std::int64_t> shape(w.root->dims().begin(), w.root->dims().end());
    const bool compact = is_matrix && n < w.cols;
    if (compact) {
      shape[0] = n;
    }
    std::int64_t size = 1;
    for (const std::int64_t extent : shape) {
      size *= extent;
    }
    std::vector<std::int8_t> codes(static_cast<std::size_t>(size), 0);
    for (std::int64_t r = 0; r < w.rows; ++r) {
      for (std::int64_t c = 0; c < n; ++c) {
        const std::int64_t k = columns[static_cast<std::size_t>(c)];
        const std::size_t at =
            compact ? static_cast<std::size_t>(c * w.rows + r) : w.origin[static_cast<std::size_t>(r * w.cols + k)];
        codes[at] = parts[p].weights[static_cast<std::size_t>(r * n + c)];
      }
    }
    const std::string name = fresh(w.root->name() + "_part_" + std::to_string(p + 1));
    sum.weights.push_back(tensor_of(name, shape, onnx::TensorProto::INT8, codes.data(), codes.size()));
    sum.columns.push_back(compact ? columns : std::vector<std::int64_t>{});
  }
  sums_.push_back(std::move(sum));
}

std::string GraphEditor::fresh(const std::string& wanted) {
  std::string name = wanted;
  for (int i = 2; !names_.insert(name).second; ++i) {
    name = wanted + "_" + std::to_string(i);
  }
  return name;
}

void GraphEditor::write(const Scales& scales) {
  onnx::GraphProto& graph = writable(scales.graph);
  onnx::NodeProto& node = writable(scales.node);
  const std::string old = node.input(scales.input);
  const std::string name = fresh(old + "_repaired");
  *graph.add_initializer() = tensor_of(name, scales.shape, onnx::TensorProto::FLOAT, scales.values.data(),
                                       scales.values.size() * sizeof(float));
  node.set_input(scales.input, name);
  if (readers_.only(old) != nullptr) {
    auto& all = *graph.mutable_initializer();
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& tensor) { return tensor.name() == old; });
    if (found != all.end()) {
      all.erase(found);
    }
  }
  if (!scales.same_shape) {  // the product with the inputs' scale is no longer a scalar
    auto& stated = *graph.mutable_value_info();
    const auto found =
        std::find_if(stated.begin(), stated.end(), [&](const auto& value) { return value.name() == output(node, 0); });
    if (found != stated.end()) {
      stated.erase(found);
    }
  }
}

void GraphEditor::write(const Sum& sum) {
  onnx::GraphProto& graph = writable(sum.graph);
  onnx::NodeProto& node = writable(sum.node);
  const std::string base = node.name().empty() ? output(node, 0) : node.name();
  const std::string result = output(node, 0);
  std::string so_far = fresh(result + "_main");
  node.set_output(0, so_far);
  std::vector<onnx::NodeProto> added;
  for (std::size_t p = 0; p < sum.weights.size(); ++p) {
    const std::string number = std::to_string(p + 1);
    *graph.add_initializer() = sum.weights[p];
    std::string codes = node.input(0);
    if (!sum.columns[p].empty()) {
      const std::vector<std::int64_t>& columns = sum.columns[p];
      const std::string places = fresh(base + "_inputs_" + number);
      *graph.add_initializer() =
          tensor_of(places, {static_cast<std::int64_t>(columns.size())}, onnx::TensorProto::INT64, columns.data(),
                    columns.size() * sizeof columns[0]);
      onnx::NodeProto gather;
      gather.set_op_type("Gather");
      gather.set_name(fresh(base + "_gather_" + number));
      gather.add_input(codes);
      gather.add_input(places);
      codes = fresh(codes + "_part_" + number);
      gather.add_output(codes);
      onnx::AttributeProto& axis = *gather.add_attribute();
      axis.set_name("axis");
      axis.set_type(onnx::AttributeProto::INT);
      axis.set_i(-1);
      added.push_back(std::move(gather));
    }
    onnx::NodeProto product = node;  // the same operator and attributes
    product.set_name(fresh(base + "_part_" + number));
    product.clear_input();
    product.add_input(codes);
    product.add_input(sum.weights[p].name());
    if (!input(node, 2).empty()) {
      product.add_input(node.input(2));
    }
    const std::string term = fresh(result + "_part_" + number);
    product.set_output(0, term);
    added.push_back(std::move(product));
    onnx::NodeProto add;
    add.set_op_type("Add");
    add.set_name(fresh(base + "_add_" + number));
    add.add_input(so_far);
    add.add_input(term);
    so_far = p + 1 == sum.weights.size() ? result : fresh(result + "_sum_" + number);
    add.add_output(so_far);
    added.push_back(std::move(add));
  }
  // Behind the node, whose place is found by its address.
  auto& nodes = *graph.mutable_node();
  int place = 0;
  while (&nodes.Get(place) != &node) {
    ++place;
  }
  for (onnx::NodeProto& one : added) {
    *nodes.Add() = std::move(one);
    for (int i = nodes.size() - 1; i > place + 1; --i) {
      nodes.SwapElements(i, i - 1);
    }
    ++place;
  }
}

void GraphEditor::apply() {
  for (const Scales& scales : scales_) {
    write(scales);
  }
  for (const Sum& sum : sums_) {
    write(sum);
  }
  scales_.clear();
  sums_.clear();
}

}  // namespace axe

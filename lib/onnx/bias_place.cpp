// Goes from a product to its bias, operator by operator; see bias_place.hpp. With S_r the step of row r's weights and X the unit of the
// dequantized inputs, a sum of weights times inputs is worth S_r X; so a float bias of 1 is worth 1 / S_r, an int32 bias of scale B_r
// is worth B_r / S_r, and the bias of an operator that gives it the step of its products, S_r · (scale of the codes), that scale.
#include "axecert/onnx/bias_place.hpp"

#include <algorithm>
#include <functional>

namespace axe {
namespace {

// Numbers of rows: one for all, or one per row in a shape whose only other axes are of 1 and that ends with the rows' axis and `trailing`
// axes of 1.
bool is_per_row(const Constant& array, std::int64_t rows, std::int64_t trailing) {
  const auto rank = static_cast<std::int64_t>(array.shape.size());
  return array.elements() == rows && rank > trailing &&
         array.shape[static_cast<std::size_t>(rank - 1 - trailing)] == rows;
}

std::optional<std::vector<double>> steps_of(const std::optional<Constant>& array, std::int64_t rows,
                                            std::int64_t trailing) {
  if (!array || (array->elements() != 1 && !is_per_row(*array, rows, trailing))) {
    return std::nullopt;
  }
  std::vector<double> steps;
  for (std::int64_t r = 0; r < rows; ++r) {
    steps.push_back(array->real(array->elements() == 1 ? 0 : r));
  }
  return steps;
}

class Finder {
 public:
  Finder(const NodeProducts& product, const Readers& readers, std::string& why_not)
      : product_(product),
        readers_(readers),
        why_not_(why_not),
        scope_(*product.scope),
        node_(*product.source),
        rows_(product.weights.rows),
        trailing_(node_.op_type() == "ConvInteger" ? product.weights.root->dims_size() - 2 : 0) {}

  std::optional<BiasPlace> find() {
    const std::string& op = node_.op_type();
    if (op == "QLinearConv" || op == "QGemm") {
      const auto unit = one_real(scope_, input(node_, 1));
      if (!unit) {
        return refuse("the scale of its inputs is computed at run time");
      }
      return tensor(node_, op == "QGemm" ? 6 : 8, onnx::TensorProto::INT32,
                    std::vector<double>(static_cast<std::size_t>(rows_), *unit), 0);
    }
    if (op == "DynamicQuantizeMatMul" || op == "MatMulIntegerToFloat") {
      const bool dynamic = op == "DynamicQuantizeMatMul";
      const int own = dynamic ? 4 : 6;
      const auto scales = steps_of(constant(scope_, input(node_, dynamic ? 2 : 3)), rows_, 0);
      return input(node_, own).empty() ? added(node_, scales) : floats(node_, own, scales);
    }
    if (op == "MatMulInteger" || op == "ConvInteger") {
      return behind_integers();
    }
    if (op != "MatMul" && op != "Gemm" && op != "Conv") {
      return refuse("its operator has no bias that is read");
    }
    const std::vector<double>& scale = product_.weights.scale;
    const std::optional<std::vector<double>> scales =
        scale.empty() ? std::nullopt : std::optional<std::vector<double>>(scale);
    if (op == "MatMul") {
      return added(node_, scales);
    }
    if (op == "Gemm" && (real_attribute(node_, "alpha", 1) != 1 || real_attribute(node_, "beta", 1) != 1)) {
      return refuse("its operator has a factor for it");
    }
    const Scope::Definition made = scope_.find(input(node_, 2));
    if (made.node != nullptr && made.node->op_type() == "DequantizeLinear") {
      return dequantized(*made.scope, *made.node, scales);
    }
    return floats(node_, 2, scales);
  }

 private:
  std::nullopt_t refuse(const char* reason) {
    why_not_ = reason;
    return std::nullopt;
  }

  // The constant at an input, through operators that only move its elements, if nobody else reads any of it.
  std::optional<BiasPlace> tensor(const Scope& scope, const onnx::NodeProto& node, int at, int type,
                                  std::vector<double> step, std::int64_t trailing) {
    const Scope* place = &scope;
    std::string name = input(node, at);
    if (name.empty()) {
      return refuse("it has none");
    }
    const std::optional<Constant> found = constant(scope, name, true);
    if (!found || found->root == nullptr) {
      return refuse("it is computed at run time");
    }
    if (found->type != type) {
      return refuse("it has a type that is not read");
    }
    if (!is_per_row(*found, rows_, trailing)) {
      return refuse("it is not one number for each row");
    }
    for (;;) {
      if (readers_.only(name) == nullptr) {
        return refuse("other nodes use it too");
      }
      const Scope::Definition made = place->find(name);
      if (made.initializer != nullptr) {
        break;
      }
      if (made.node == nullptr || made.node->input_size() == 0) {
        return refuse("it is no initializer");
      }
      name = made.node->input(0);
      place = made.scope;
    }
    BiasPlace result;
    result.tensor = found->root;
    result.integer = type == onnx::TensorProto::INT32;
    result.index = found->origin;
    for (std::int64_t r = 0; r < rows_; ++r) {
      result.value.push_back(found->real(r));
    }
    if (!std::all_of(step.begin(), step.end(), [](double s) { return s > 0 && s < 1e300; })) {
      return refuse("a scale is not positive");
    }
    result.step = std::move(step);
    return result;
  }
  std::optional<BiasPlace> tensor(const onnx::NodeProto& node, int at, int type, std::vector<double> step,
                                  std::int64_t trailing) {
    return tensor(scope_, node, at, type, std::move(step), trailing);
  }

  std::optional<BiasPlace> floats(const onnx::NodeProto& node, int at,
                                  const std::optional<std::vector<double>>& scales) {
    if (!scales) {
      return refuse("the scale of its weights is not known");
    }
    std::vector<double> step;
    for (const double s : *scales) {
      step.push_back(1 / s);
    }
    return tensor(node, at, onnx::TensorProto::FLOAT, std::move(step), trailing_);
  }

  // B · code, of int32.
  std::optional<BiasPlace> dequantized(const Scope& scope, const onnx::NodeProto& node,
                                       const std::optional<std::vector<double>>& scales) {
    if (readers_.only(output(node, 0)) == nullptr) {
      return refuse("other nodes use it too");
    }
    std::optional<std::vector<double>> step = steps_of(constant(scope, input(node, 1)), rows_, 0);
    if (!scales || !step) {
      return refuse("its scale, or that of the weights, is not known");
    }
    for (std::size_t r = 0; r < step->size(); ++r) {
      (*step)[r] /= (*scales)[r];
    }
    return tensor(scope, node, 0, onnx::TensorProto::INT32, std::move(*step), 0);
  }

  // The constant of the Add that alone reads the node's result.
  std::optional<BiasPlace> added(const onnx::NodeProto& node, const std::optional<std::vector<double>>& scales) {
    const Readers::Use* use = readers_.only(output(node, 0));
    if (use == nullptr || use->node->op_type() != "Add" || use->graph != &scope_.graph()) {
      return refuse("no Add alone reads its result");
    }
    return floats(*use->node, 1 - use->input, scales);
  }

  // The factors of a product of numbers that several Mul make of one another.
  void factors(const std::string& name, int depth, std::vector<std::string>& all) const {
    const Scope::Definition made = scope_.find(name);
    if (depth < 4 && made.node != nullptr && made.node->op_type() == "Mul" && made.scope == &scope_) {
      factors(input(*made.node, 0), depth + 1, all);
      factors(input(*made.node, 1), depth + 1, all);
    } else {
      all.push_back(name);
    }
  }

  // MatMulInteger → Cast → Mul …→ Add, as quantize_dynamic writes it.
  std::optional<BiasPlace> behind_integers() {
    const Readers::Use* use = readers_.only(output(node_, 0));
    if (use == nullptr || use->node->op_type() != "Cast" || use->graph != &scope_.graph() ||
        integer_attribute(*use->node, "to", 0) != onnx::TensorProto::FLOAT) {
      return refuse("no Cast to float alone reads its output");
    }
    std::vector<std::string> all;
    const onnx::NodeProto* last = use->node;
    for (int multiplied = 0; multiplied < 4; ++multiplied) {
      use = readers_.only(output(*last, 0));
      if (use == nullptr || use->node->op_type() != "Mul" || use->graph != &scope_.graph()) {
        break;
      }
      factors(input(*use->node, 1 - use->input), 0, all);
      last = use->node;
    }
    Scope::Definition codes = scope_.find(input(node_, 0));
    for (int steps = 0;
         codes.node != nullptr && passes_values(*codes.node) && codes.node->op_type() != "Concat" && steps < most_steps;
         ++steps) {
      codes = codes.scope->find(input(*codes.node, 0));
    }
    if (codes.node == nullptr || codes.node->op_type() != "DynamicQuantizeLinear" || codes.output != 0) {
      return refuse("no DynamicQuantizeLinear makes its inputs");
    }
    std::vector<double> scales(static_cast<std::size_t>(rows_), 1);
    int dynamic = 0;
    for (const std::string& name : all) {
      const Scope::Definition made = scope_.find(name);
      if (made.node == codes.node && made.output == 1) {
        ++dynamic;
        continue;
      }
      const auto more = steps_of(constant(scope_, name), rows_, trailing_);
      if (!more) {
        return refuse("a factor of its output is neither a constant nor the scale of its inputs");
      }
      std::transform(scales.begin(), scales.end(), more->begin(), scales.begin(), std::multiplies<>());
    }
    if (dynamic != 1) {
      return refuse("the scale of its inputs is not a factor of its output");
    }
    return added(*last, scales);
  }

  const NodeProducts& product_;
  const Readers& readers_;
  std::string& why_not_;
  const Scope& scope_;
  const onnx::NodeProto& node_;
  std::int64_t rows_, trailing_;
};

}  // namespace

std::optional<BiasPlace> bias_place(const NodeProducts& product, const Readers& readers, std::string& why_not) {
  return Finder(product, readers, why_not).find();
}

}  // namespace axe

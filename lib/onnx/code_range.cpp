// Ranges of codes by walking from a tensor to what computed it; see code_range.hpp. A chain longer than `most_steps` is given up,
// and the type's range stands: always sound.
#include "axecert/onnx/code_range.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace axe {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

bool one_of(const std::string& word, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(), [&](const char* w) { return word == w; });
}

IntegerRange range_of(IntegerType type) {
  return {type.least(), type.most()};
}

IntegerRange hull(IntegerRange a, IntegerRange b) {
  return {std::min(a.lower, b.lower), std::max(a.upper, b.upper)};
}

std::optional<Codes> codes_of_type(int onnx_type) {
  const auto type = integer_type(onnx_type);
  if (!type || type->bits > 16) {
    return std::nullopt;
  }
  return Codes{*type, range_of(*type), {0, 0}, std::nullopt};
}

// code = saturate(round_half_even(x / scale) + zero_point). Runtimes compute x / scale in single precision, some by the reciprocal,
// and approximate what stands before it; so x / scale is widened by 2^-18 of itself, which moves a code only next to a tie.
IntegerRange codes_of_reals(RealRange x, double scale, IntegerRange zero_point, IntegerRange all) {
  const auto code = [&](double v, double widen, std::int64_t z, std::int64_t otherwise) {
    const double q = v / scale;
    const double wide = std::nearbyint(q + widen * std::fabs(q) * 0x1p-18) + static_cast<double>(z);
    if (!(std::fabs(wide) < 0x1p40)) {
      return otherwise;
    }
    return std::clamp(static_cast<std::int64_t>(wide), all.lower, all.upper);
  };
  return {x.lower == -infinity ? all.lower : code(x.lower, -1, zero_point.lower, all.lower),
          x.upper == infinity ? all.upper : code(x.upper, 1, zero_point.upper, all.upper)};
}

// The one positive scale that a constant holds; nothing for a scale per channel, or a computed one.
std::optional<double> one_scale(const Scope& scope, const std::string& name) {
  const auto scale = one_real(scope, name);
  return scale && std::isfinite(*scale) && *scale > 0 ? scale : std::nullopt;
}

// Which input of an operator with a quantized output is the output's zero point; −1: none of these operators.
int output_zero_point(const std::string& op) {
  static const std::map<std::string, int> inputs{{"QLinearMatMul", 7},
                                                 {"QLinearConv", 7},
                                                 {"QGemm", 8},
                                                 {"QLinearAdd", 7},
                                                 {"QLinearMul", 7},
                                                 {"QLinearConcat", 1},
                                                 {"QLinearSigmoid", 4},
                                                 {"QLinearLeakyRelu", 4},
                                                 {"QLinearAveragePool", 4},
                                                 {"QLinearGlobalAveragePool", 4},
                                                 {"QLinearSoftmax", 4},
                                                 {"QLinearReduceMean", 4},
                                                 {"QLinearWhere", 8}};
  const auto found = inputs.find(op);
  return found == inputs.end() ? -1 : found->second;
}

}  // namespace

bool is_qonnx(const onnx::NodeProto& node, const char* op) {
  return !is_standard(node) && node.domain() != "com.microsoft" && node.op_type() == op;
}

bool passes_values(const onnx::NodeProto& node) {
  return is_standard(node) &&
         one_of(node.op_type(),
                {"Identity",     "Reshape",      "Transpose",      "Flatten",   "Squeeze",       "Unsqueeze", "MaxPool",
                 "Slice",        "Gather",       "GatherElements", "GatherND",  "Expand",        "Tile",      "Split",
                 "DepthToSpace", "SpaceToDepth", "ReduceMax",      "ReduceMin", "GlobalMaxPool", "Concat"});
}

IntegerRange CodeRanges::zero_point(const Scope& scope, const std::string& name, IntegerType type) {
  if (name.empty()) {
    return {0, 0};
  }
  const auto values = constant(scope, name);
  if (!values || !integer_type(values->type) || values->elements() == 0) {
    return range_of(type);
  }
  IntegerRange range{values->integer(0), values->integer(0)};
  for (std::int64_t i = 1; i < values->elements(); ++i) {
    range = hull(range, {values->integer(i), values->integer(i)});
  }
  return range;
}

std::optional<Codes> CodeRanges::of_integers(const Scope& scope, const std::string& name, int depth) {
  const Scope* owner = scope.find(name).scope;
  const Key key{owner == nullptr ? &scope : owner, name};
  const auto known = integers_.find(key);
  if (known != integers_.end()) {
    return known->second;
  }
  const std::optional<Codes> found = find_integers(scope, name, depth);
  integers_.emplace(key, found);
  return found;
}

// QuantizeLinear's codes.
std::optional<Codes> CodeRanges::quantized(const Scope& scope, const onnx::NodeProto& node, int depth) {
  std::int64_t onnx_type = integer_attribute(node, "output_dtype", 0);
  const std::string& zero_point_name = input(node, 2);
  if (!zero_point_name.empty()) {
    const Scope::Definition d = scope.find(zero_point_name);
    const auto value = constant(scope, zero_point_name);
    onnx_type = value ? value->type : scope.stated_type(zero_point_name);
    if (onnx_type == 0 && d.node != nullptr && d.node->op_type() == "DynamicQuantizeLinear") {
      onnx_type = onnx::TensorProto::UINT8;
    }
    onnx_type = onnx_type != 0 ? onnx_type : scope.stated_type(node.output(0));
  } else if (onnx_type == 0) {
    onnx_type = onnx::TensorProto::UINT8;  // the default of the specification
  }
  std::optional<Codes> codes = codes_of_type(static_cast<int>(onnx_type));
  if (!codes) {
    return codes;
  }
  const IntegerRange z = zero_point(scope, zero_point_name, codes->type);
  if (const auto scale = one_scale(scope, input(node, 1)); scale && z.lower == z.upper) {
    codes->box = codes_of_reals(reals(scope, input(node, 0), depth + 1), *scale, z, codes->box);
  }
  return codes;
}

std::optional<Codes> CodeRanges::find_integers(const Scope& scope, const std::string& name, int depth) {
  const Scope::Definition d = scope.find(name);
  const std::optional<Codes> by_type = codes_of_type(scope.stated_type(name));
  if (depth > most_steps || (d.node == nullptr && d.initializer == nullptr)) {
    return by_type;
  }
  if (d.initializer != nullptr) {
    return codes_of_type(d.initializer->data_type());
  }
  const onnx::NodeProto& node = *d.node;
  const std::string& op = node.op_type();
  if (op == "QuantizeLinear") {
    const std::optional<Codes> found = quantized(*d.scope, node, depth);
    return found ? found : by_type;
  }
  if (op == "DynamicQuantizeLinear" && d.output == 0) {
    return codes_of_type(onnx::TensorProto::UINT8);
  }
  if (passes_values(node) && d.output == 0) {
    std::optional<Codes> all = of_integers(*d.scope, input(node, 0), depth + 1);
    for (int i = 1; op == "Concat" && all && i < node.input_size(); ++i) {
      const std::optional<Codes> one = of_integers(*d.scope, node.input(i), depth + 1);
      if (!one) {
        return by_type;
      }
      all->box = hull(all->box, one->box);
    }
    return all ? all : by_type;
  }
  if (const int at = output_zero_point(op); at >= 0 && !input(node, at).empty()) {
    const Scope::Definition z = d.scope->find(input(node, at));
    const int type = z.initializer != nullptr ? z.initializer->data_type() : d.scope->stated_type(input(node, at));
    const std::optional<Codes> found = codes_of_type(type);
    return found ? found : by_type;
  }
  return by_type;
}

std::optional<Codes> qonnx_codes(const Scope& scope, const onnx::NodeProto& node) {
  if (node.op_type() == "BipolarQuant") {
    return Codes{{true, 2}, {-1, 1}, {0, 0}, std::nullopt};
  }
  const auto bits = one_real(scope, input(node, 3));
  if (!bits || *bits != std::floor(*bits) || *bits < 1 || *bits > 16) {
    return std::nullopt;
  }
  const bool is_signed = integer_attribute(node, "signed", 1) != 0;
  const bool narrow = integer_attribute(node, "narrow", 0) != 0;
  const IntegerType type{is_signed, static_cast<int>(*bits)};
  // QONNX, Quant: signed [−2^(b−1) + narrow, 2^(b−1) − 1], unsigned [0, 2^b − 1 − narrow].
  IntegerRange box = range_of(type);
  (is_signed ? box.lower : box.upper) += is_signed ? (narrow ? 1 : 0) : (narrow ? -1 : 0);
  if (box.lower > box.upper) {
    throw InputError(scope.place(node), "no code is left of " + std::to_string(type.bits) + " bits",
                     "at least 2 bits for signed narrow codes");
  }
  return Codes{type, box, {0, 0}, std::nullopt};
}

std::optional<Codes> CodeRanges::below_floats(const Scope& scope, const std::string& name, int depth) {
  const Scope::Definition d = scope.find(name);
  if (depth > most_steps || d.node == nullptr || d.output != 0) {
    return std::nullopt;
  }
  const onnx::NodeProto& node = *d.node;
  const std::string& op = node.op_type();
  const Scope& here = *d.scope;
  if (op == "DequantizeLinear") {
    std::optional<Codes> codes = of_integers(here, input(node, 0), depth + 1);
    const auto scale = one_scale(here, input(node, 1));
    const bool computed_scale = !is_constant(here, input(node, 1));  // one number per run is as good as a constant
    if (!codes || (!scale && !computed_scale)) {
      return std::nullopt;
    }
    codes->scale = scale;
    codes->zero_point = zero_point(here, input(node, 2), codes->type);
    return codes;
  }
  if (is_qonnx(node, "Quant") || is_qonnx(node, "BipolarQuant")) {
    std::optional<Codes> codes = qonnx_codes(here, node);
    const auto scale = one_scale(here, input(node, 1));
    if (!codes || !scale) {
      return std::nullopt;
    }
    codes->scale = scale;
    if (op == "Quant") {
      const auto z = one_real(here, input(node, 2));
      if (!z || *z != std::floor(*z) || std::fabs(*z) > 65536) {
        return std::nullopt;
      }
      const auto zero = static_cast<std::int64_t>(*z);
      codes->zero_point = {zero, zero};
      const onnx::AttributeProto* mode = attribute(node, "rounding_mode");
      RealRange x = reals(here, input(node, 0), depth + 1);
      if (mode != nullptr && mode->s() != "ROUND") {  // other roundings stay within one step
        x = {x.lower - *scale, x.upper + *scale};
      }
      codes->box = codes_of_reals(x, *scale, codes->zero_point, codes->box);
    }
    return codes;
  }
  if (passes_values(node) && op != "Concat") {
    return below_floats(here, input(node, 0), depth + 1);
  }
  if (is_standard(node) && op == "Relu") {  // max(0, ·) is code = max(zero point, ·)
    std::optional<Codes> codes = below_floats(here, input(node, 0), depth + 1);
    if (codes) {
      codes->box = {std::max(codes->box.lower, codes->zero_point.lower),
                    std::max(codes->box.upper, codes->zero_point.upper)};
    }
    return codes;
  }
  return std::nullopt;
}

RealRange CodeRanges::reals(const Scope& scope, const std::string& name, int depth) {
  const Scope* owner = scope.find(name).scope;
  const Key key{owner == nullptr ? &scope : owner, name};
  const auto known = reals_.find(key);
  if (known != reals_.end()) {
    return known->second;
  }
  const RealRange found = find_reals(scope, name, depth);
  reals_.emplace(key, found);
  return found;
}

RealRange CodeRanges::find_reals(const Scope& scope, const std::string& name, int depth) {
  const RealRange all{-infinity, infinity};
  const Scope::Definition d = scope.find(name);
  if (depth > most_steps || d.node == nullptr || d.output != 0) {
    return all;
  }
  const onnx::NodeProto& node = *d.node;
  const std::string& op = node.op_type();
  const Scope& here = *d.scope;
  if (op == "DequantizeLinear" || is_qonnx(node, "Quant") || is_qonnx(node, "BipolarQuant")) {
    const std::optional<Codes> codes = below_floats(here, name, depth + 1);
    if (!codes || !codes->scale) {
      return all;
    }
    return {*codes->scale * static_cast<double>(codes->box.lower - codes->zero_point.upper),
            *codes->scale * static_cast<double>(codes->box.upper - codes->zero_point.lower)};
  }
  if (!is_standard(node)) {
    return all;
  }
  if (op == "Relu") {
    const RealRange x = reals(here, input(node, 0), depth + 1);
    return {std::max(0.0, x.lower), std::max(0.0, x.upper)};
  }
  if (op == "Clip") {
    RealRange x = reals(here, input(node, 0), depth + 1);
    double low = -infinity, high = infinity;
    if (attribute(node, "min") != nullptr) {
      low = real_attribute(node, "min", 0);
    }
    if (attribute(node, "max") != nullptr) {
      high = real_attribute(node, "max", 0);
    }
    if (!input(node, 1).empty()) {
      low = one_real(here, input(node, 1)).value_or(-infinity);
    }
    if (!input(node, 2).empty()) {
      high = one_real(here, input(node, 2)).value_or(infinity);
    }
    return {std::min(std::max(x.lower, low), high), std::min(std::max(x.upper, low), high)};
  }
  if (one_of(op, {"Sigmoid", "Softmax", "HardSigmoid"})) {
    return {0, 1};
  }
  if (op == "Tanh" || op == "Softsign") {
    return {-1, 1};
  }
  if (one_of(op, {"Abs", "Sqrt", "Softplus", "Exp"})) {
    return {0, infinity};
  }
  if (one_of(op, {"AveragePool", "GlobalAveragePool"})) {  // padding may bring in zeros
    const RealRange x = reals(here, input(node, 0), depth + 1);
    return {std::min(0.0, x.lower), std::max(0.0, x.upper)};
  }
  if (passes_values(node)) {
    RealRange x = reals(here, input(node, 0), depth + 1);
    for (int i = 1; op == "Concat" && i < node.input_size(); ++i) {
      const RealRange y = reals(here, node.input(i), depth + 1);
      x = {std::min(x.lower, y.lower), std::max(x.upper, y.upper)};
    }
    return x;
  }
  return all;
}

}  // namespace axe

// Finds coded weights and arranges them; see weights.hpp.
#include "axecert/onnx/weights.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace axe {
namespace {

std::string shape_of(const Constant& array) {
  std::string text;
  for (const std::int64_t extent : array.shape) {
    text += (text.empty() ? "" : ", ") + std::to_string(extent);
  }
  return "[" + text + "]";
}

int normal_axis(std::int64_t axis, std::size_t rank, const std::string& place) {
  const auto n = static_cast<std::int64_t>(rank);
  if (axis < -n || axis >= n) {
    throw InputError(place,
                     "its axis " + std::to_string(axis) + " is outside the " + std::to_string(n) + " axes of its input",
                     "export the model again");
  }
  return static_cast<int>(axis < 0 ? axis + n : axis);
}

template <class T>
std::vector<T> numbers(const Constant& array) {
  std::vector<T> values;
  for (std::int64_t i = 0; i < array.elements(); ++i) {
    if constexpr (std::is_same_v<T, double>) {
      values.push_back(array.real(i));
    } else {
      values.push_back(array.integer(i));
    }
  }
  return values;
}

// Along which axis an array of parameters goes: −1 for one entry, `axis` for a vector or a broadcast shape like [M, 1, 1, 1].
int parameter_axis(const Constant& parameter, const std::vector<std::int64_t>& shape, int axis,
                   const std::string& place) {
  if (parameter.elements() == 1) {
    return -1;
  }
  int found = -1;
  if (parameter.shape.size() == 1) {
    found = axis;
  } else if (parameter.shape.size() <= shape.size()) {
    const std::size_t skipped = shape.size() - parameter.shape.size();
    for (std::size_t i = 0; i < parameter.shape.size(); ++i) {
      if (parameter.shape[i] != 1) {
        found = found == -1 ? static_cast<int>(i + skipped) : -2;
      }
    }
  }
  if (found < 0 || static_cast<std::size_t>(found) >= shape.size() ||
      shape[static_cast<std::size_t>(found)] != parameter.elements()) {
    throw InputError(place,
                     "its scale or zero point has shape " + shape_of(parameter) + ", which fits no axis of the weights",
                     "one for all, or one per output channel");
  }
  return found;
}

// Fills zero points and scales from DequantizeLinear's or QuantizeLinear's inputs. False when one is computed at run time.
bool set_parameters(const Scope& scope, const onnx::NodeProto& node, CodedWeights& w) {
  const std::string place = scope.place(node);
  const std::int64_t block = integer_attribute(node, "block_size", 0);
  const std::optional<Constant> scale = constant(scope, input(node, 1));
  if (!scale) {
    return false;
  }
  w.scale = numbers<double>(*scale);
  const bool several = scale->elements() != 1 || block > 0;  // else the axis means nothing, and may be anything
  const int axis = several ? normal_axis(integer_attribute(node, "axis", 1), w.codes.shape.size(), place) : 0;
  std::optional<Constant> zero_point;
  if (!input(node, 2).empty()) {
    zero_point = constant(scope, input(node, 2));
    if (!zero_point) {
      return false;
    }
    if (!integer_type(zero_point->type) || zero_point->type != w.codes.type) {
      throw InputError(
          place, "its zero point is " + type_name(zero_point->type) + ", the codes are " + type_name(w.codes.type),
          "both have one type");
    }
    if (zero_point->elements() != scale->elements()) {
      throw InputError(place, "its scale has shape " + shape_of(*scale) + ", its zero point " + shape_of(*zero_point),
                       "both have one shape");
    }
    w.zero_point = numbers<std::int64_t>(*zero_point);
  } else {
    w.zero_point.assign(w.scale.size(), 0);
  }
  if (block > 0) {
    const auto extent = w.codes.shape[static_cast<std::size_t>(axis)];
    w.block = std::min(block, std::max<std::int64_t>(extent, 1));  // a longer one ends with the axis
    w.blocks = (extent + w.block - 1) / w.block;
    std::vector<std::int64_t> expected = w.codes.shape;
    expected[static_cast<std::size_t>(axis)] = w.blocks;
    if (scale->shape != expected) {
      throw InputError(
          place, "its scale has shape " + shape_of(*scale) + ", which is not one per block of " + std::to_string(block),
          "export the model again");
    }
    w.axis = axis;
    return true;
  }
  w.axis = parameter_axis(*scale, w.codes.shape, axis, place);
  return true;
}

// The parameter of element i of an array with `w`'s axis and no blocks.
std::size_t parameter_index(const CodedWeights& w, std::int64_t i) {
  if (w.axis < 0) {
    return 0;
  }
  std::int64_t inner = 1;
  for (std::size_t a = static_cast<std::size_t>(w.axis) + 1; a < w.codes.shape.size(); ++a) {
    inner *= w.codes.shape[a];
  }
  return static_cast<std::size_t>(i / inner % w.codes.shape[static_cast<std::size_t>(w.axis)]);
}

// Codes of float constants: clamp(round(x / scale) + zero point) in single precision, as QuantizeLinear has it, or
// round(clamp(x / scale + zero point)), as Quant has it.
void encode(CodedWeights& w, const Constant& reals, IntegerRange box, float (*rounded)(float), bool qonnx,
            const std::string& place) {
  const std::int64_t n = reals.elements();
  std::vector<std::byte> codes(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    const std::size_t p = parameter_index(w, i);
    const float step = static_cast<float>(reals.real(i)) / static_cast<float>(w.scale[p]);
    const float low = static_cast<float>(box.lower), high = static_cast<float>(box.upper);
    const float z = static_cast<float>(w.zero_point[p]);
    const float code = qonnx ? rounded(std::clamp(step + z, low, high)) : std::clamp(rounded(step) + z, low, high);
    if (std::isnan(code)) {
      throw InputError(place, "its weights are not numbers, or infinite or zero beside a scale of the same kind",
                       "export the model again");
    }
    codes[static_cast<std::size_t>(i)] = static_cast<std::byte>(static_cast<int>(code));
  }
  w.codes.data = std::move(codes);
}

float to_even(float x) {
  return std::nearbyintf(x);
}
float down(float x) {
  return std::floor(x);
}
float up(float x) {
  return std::ceil(x);
}
float to_zero(float x) {
  return std::trunc(x);
}

std::optional<CodedWeights> of_quant(const Scope& scope, const onnx::NodeProto& node, bool trace) {
  std::optional<Constant> reals = constant(scope, input(node, 0), trace);
  const std::optional<Codes> codes = qonnx_codes(scope, node);
  const std::optional<Constant> scale = constant(scope, input(node, 1));
  if (!reals || !codes || !scale || codes->type.bits > 8) {
    return std::nullopt;
  }
  CodedWeights w;
  w.codes = *reals;
  w.codes.type = codes->type.is_signed ? onnx::TensorProto::INT8 : onnx::TensorProto::UINT8;
  w.type = codes->type;
  w.centred = true;
  w.scale = numbers<double>(*scale);
  w.axis = parameter_axis(*scale, reals->shape, static_cast<int>(reals->shape.size()) - 1, scope.place(node));
  float (*rounded)(float) = to_even;
  double zero = 0;
  if (node.op_type() == "Quant") {
    const auto z = one_real(scope, input(node, 2));
    if (!z || *z != std::floor(*z) || std::fabs(*z) > 256) {
      return std::nullopt;
    }
    zero = *z;
    const onnx::AttributeProto* mode = attribute(node, "rounding_mode");
    const std::string word = mode == nullptr ? "ROUND" : mode->s();
    if (word == "FLOOR") {
      rounded = down;
    } else if (word == "CEIL") {
      rounded = up;
    } else if (word == "ROUND_TO_ZERO" || word == "DOWN") {
      rounded = to_zero;
    } else if (word != "ROUND" && word != "HALF_EVEN") {
      return std::nullopt;
    }
  } else {  // BipolarQuant: +1 for x ≥ 0, −1 below
    rounded = [](float x) { return x >= 0 ? 1.0f : -1.0f; };
  }
  w.zero_point.assign(w.scale.size(), static_cast<std::int64_t>(zero));
  encode(w, *reals, node.op_type() == "Quant" ? codes->box : IntegerRange{-1, 1}, rounded, true, scope.place(node));
  return w;
}

std::optional<CodedWeights> coded(const Scope& scope, const std::string& name, bool trace, int depth) {
  const Scope::Definition d = scope.find(name);
  if (d.node == nullptr || depth > most_steps) {
    return std::nullopt;
  }
  const onnx::NodeProto& node = *d.node;
  const std::string& op = node.op_type();
  const Scope& here = *d.scope;
  if (op == "DequantizeLinear") {
    CodedWeights w;
    const Scope::Definition below = here.find(input(node, 0));
    if (below.node != nullptr && below.node->op_type() == "QuantizeLinear" &&
        is_constant(*below.scope, input(*below.node, 0))) {
      const onnx::NodeProto& quantizer = *below.node;
      const std::optional<Constant> reals = constant(*below.scope, input(quantizer, 0), trace);
      const std::optional<Codes> codes = CodeRanges().of_integers(here, input(node, 0));
      if (!reals || !codes || codes->type.bits > 8 || integer_attribute(quantizer, "block_size", 0) != 0) {
        return std::nullopt;
      }
      w.codes = *reals;
      const bool four = codes->type.bits == 4;  // one to a byte here, as every Constant of 4 bits
      w.codes.type = codes->type.is_signed ? (four ? int{onnx_int4} : int{onnx::TensorProto::INT8})
                                           : (four ? int{onnx_uint4} : int{onnx::TensorProto::UINT8});
      w.type = codes->type;
      w.centred = four;
      if (!set_parameters(*below.scope, quantizer, w)) {
        return std::nullopt;
      }
      encode(w, *reals, {codes->type.least(), codes->type.most()}, to_even, false, here.place(quantizer));
      return w;
    }
    std::optional<Constant> codes = constant(here, input(node, 0), trace);
    for (const int floats : {onnx::TensorProto::FLOAT, onnx::TensorProto::FLOAT16, onnx::TensorProto::BFLOAT16,
                             onnx::TensorProto::DOUBLE}) {
      if (codes && codes->type == floats) {
        throw InputError(here.place(node), "its codes are " + type_name(floats),
                         "DequantizeLinear takes integers; export the model again");
      }
    }
    const auto type = codes ? integer_type(codes->type) : std::nullopt;
    if (!type || type->bits > 8) {
      return std::nullopt;
    }
    w.codes = std::move(*codes);
    w.type = *type;
    w.centred = type->bits < 8;
    w.stored_bits = type->bits;
    return set_parameters(here, node, w) ? std::optional(w) : std::nullopt;
  }
  if ((is_qonnx(node, "Quant") || is_qonnx(node, "BipolarQuant")) && is_constant(here, input(node, 0))) {
    return of_quant(here, node, trace);
  }
  if (!is_standard(node) || (op != "Identity" && op != "Transpose" && op != "Reshape")) {
    return std::nullopt;
  }
  std::optional<CodedWeights> w = coded(here, input(node, 0), trace, depth + 1);
  if (!w || op == "Identity") {
    return w;
  }
  if (op == "Reshape") {  // only where the parameters are one for all
    const auto shape = constant(here, input(node, 1));
    if (w->axis >= 0 || !shape) {
      return std::nullopt;
    }
    const auto extents =
        reshaped(w->codes, numbers<std::int64_t>(*shape), integer_attribute(node, "allowzero", 0) != 0);
    if (!extents) {
      return std::nullopt;
    }
    w->codes.shape = *extents;
    return w;
  }
  if (w->block > 0) {
    return std::nullopt;
  }
  const onnx::AttributeProto* perm_attribute = attribute(node, "perm");
  std::vector<std::int64_t> perm;
  for (std::size_t i = w->codes.shape.size(); perm_attribute == nullptr && i > 0; --i) {
    perm.push_back(static_cast<std::int64_t>(i - 1));
  }
  if (perm_attribute != nullptr) {
    perm.assign(perm_attribute->ints().begin(), perm_attribute->ints().end());
  }
  here.file().charge(w->codes.data.size());
  w->codes = transposed(w->codes, perm, here.place(node));
  for (std::size_t i = 0; i < perm.size(); ++i) {
    if (w->axis >= 0 && perm[i] == w->axis) {
      w->axis = static_cast<int>(i);
      break;
    }
  }
  return w;
}

}  // namespace

std::optional<CodedWeights> coded_weights(const Scope& scope, const std::string& name, bool trace) {
  return coded(scope, name, trace, 0);
}

std::optional<CodedWeights> plain_weights(const Scope& scope, const onnx::NodeProto& node, const std::string& codes,
                                          const std::string& zero_point, int axis, bool trace) {
  std::optional<Constant> array = constant(scope, codes, trace);
  const auto type = array ? integer_type(array->type) : std::nullopt;
  if (!type || type->bits > 8) {
    return std::nullopt;
  }
  CodedWeights w;
  w.codes = std::move(*array);
  w.type = *type;
  w.centred = type->bits < 8;
  w.stored_bits = type->bits;
  w.zero_point = {0};
  if (!zero_point.empty()) {
    const std::optional<Constant> z = constant(scope, zero_point);
    if (!z) {
      return std::nullopt;
    }
    if (z->type != w.codes.type) {
      throw InputError(
          scope.place(node),
          "the weights' zero point is " + type_name(z->type) + ", the weights are " + type_name(w.codes.type),
          "both have one type");
    }
    w.zero_point = numbers<std::int64_t>(*z);
    const int last = static_cast<int>(w.codes.shape.size()) - 1;
    w.axis = parameter_axis(*z, w.codes.shape, axis < 0 ? last : axis, scope.place(node));
  }
  return w;
}

std::optional<OperandWeights> arranged(const CodedWeights& w, const Arrangement& order, const std::string& place,
                                       std::string& why_not) {
  const std::vector<std::int64_t>& shape = w.codes.shape;
  if (w.codes.elements() == 0) {
    throw InputError(place, "its weights have shape " + shape_of(w.codes) + ": nothing to sum", "remove the node");
  }
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i > 1; --i) {
    strides[i - 2] = strides[i - 1] * shape[i - 1];
  }
  // Offsets of every dot product's first element, and of every product from there.
  const auto offsets = [&](const std::vector<int>& axes) {
    std::vector<std::int64_t> all{0};
    for (const int axis : axes) {
      std::vector<std::int64_t> next;
      next.reserve(all.size() * static_cast<std::size_t>(shape[static_cast<std::size_t>(axis)]));
      for (const std::int64_t offset : all) {
        for (std::int64_t i = 0; i < shape[static_cast<std::size_t>(axis)]; ++i) {
          next.push_back(offset + i * strides[static_cast<std::size_t>(axis)]);
        }
      }
      all = std::move(next);
    }
    return all;
  };
  const bool summed = std::find(order.cols.begin(), order.cols.end(), w.axis) != order.cols.end();
  if (w.axis >= 0 && summed && w.block == 0) {
    why_not = "its scales or zero points change along the summed axis, so its products are of different steps";
    return std::nullopt;
  }
  if (w.block > 0 && (order.cols.size() != 1 || !summed)) {
    why_not = "its blocks of scales do not go along the summed axis";
    return std::nullopt;
  }
  const std::vector<std::int64_t> first = offsets(order.rows);
  const std::vector<std::int64_t> step = offsets(order.cols);
  const auto k = static_cast<std::int64_t>(step.size());
  const std::int64_t length =
      w.block > 0 ? w.block : k;  // each block is a dot product of its own: it has its own scale
  const std::int64_t parts = w.block > 0 ? w.blocks : 1;
  OperandWeights result;
  result.rows = static_cast<std::int64_t>(first.size()) * parts;
  result.cols = length;
  result.root = w.codes.root;
  result.stored_bits = w.stored_bits;
  result.code_shift = !w.centred && !w.type.is_signed ? std::int64_t{1} << (w.type.bits - 1) : 0;
  const std::size_t size = static_cast<std::size_t>(result.rows * length);
  result.operand.resize(size);
  result.zero_point.resize(static_cast<std::size_t>(result.rows));
  result.code_zero.resize(static_cast<std::size_t>(result.rows));
  if (!w.scale.empty()) {
    result.scale.resize(static_cast<std::size_t>(result.rows));
  }
  if (!w.codes.origin.empty()) {
    result.origin.assign(size, no_origin);
  }
  // The parameter of row r, part b: by the row's index along the axis, or by the block.
  std::vector<std::int64_t> parameter_strides(shape.size(), 1);
  std::vector<std::int64_t> parameter_shape = shape;
  if (w.block > 0) {
    parameter_shape[static_cast<std::size_t>(w.axis)] = w.blocks;
  }
  for (std::size_t i = shape.size(); i > 1; --i) {
    parameter_strides[i - 2] = parameter_strides[i - 1] * parameter_shape[i - 1];
  }
  const auto parameter = [&](std::int64_t offset, std::int64_t b) -> std::size_t {
    if (w.axis < 0) {
      return 0;
    }
    const auto axis = static_cast<std::size_t>(w.axis);
    if (w.block == 0) {
      return static_cast<std::size_t>(offset / strides[axis] % shape[axis]);
    }
    std::int64_t at = b * parameter_strides[axis];
    for (std::size_t a = 0; a < shape.size(); ++a) {
      at += a == axis ? 0 : offset / strides[a] % shape[a] * parameter_strides[a];
    }
    return static_cast<std::size_t>(at);
  };
  for (std::size_t r = 0; r < first.size(); ++r) {
    for (std::int64_t b = 0; b < parts; ++b) {
      const std::size_t p = parameter(first[r], b);
      const auto row = static_cast<std::int64_t>(r) * parts + b;
      const std::int64_t z = w.zero_point[p];
      result.zero_point[static_cast<std::size_t>(row)] = w.centred ? 0 : z - result.code_shift;
      result.code_zero[static_cast<std::size_t>(row)] = w.centred ? z : 0;
      if (!w.scale.empty()) {
        result.scale[static_cast<std::size_t>(row)] = w.scale[p];
      }
    }
  }
  // Element by element, in tiles of 64 × 64 so that a transposed array is read line by line.
  const bool narrow = w.type.is_signed || w.type.bits < 8;  // codes fit int8; else they are taken minus 128
  std::int64_t beyond = 0;
  constexpr std::int64_t tile = 64;
  const auto rows = static_cast<std::int64_t>(first.size());
  // Whole bytes that only change places, and perhaps their sign bit (code − 128), are most of what there is.
  const bool plain = !w.centred && w.block == 0 && w.codes.origin.empty() && (w.type.bits == 8 || w.type.is_signed);
  const std::uint8_t flip = narrow ? 0 : 0x80;
  std::array<std::int8_t, static_cast<std::size_t>(tile * tile)>
      block;  // rows of `tile` operands, close to one another
  for (std::int64_t r0 = 0; plain && r0 < rows; r0 += tile) {
    for (std::int64_t k0 = 0; k0 < k; k0 += tile) {
      const auto height = static_cast<std::size_t>(std::min(rows - r0, tile));
      const auto width = static_cast<std::size_t>(std::min(k - k0, tile));
      const std::int64_t* row = first.data() + r0;
      for (std::size_t c = 0; c < width; ++c) {
        const std::byte* from = w.codes.data.data() + step[static_cast<std::size_t>(k0) + c];
        for (std::size_t r = 0; r < height; ++r) {
          const auto byte = static_cast<std::uint8_t>(std::to_integer<std::uint8_t>(from[row[r]]) ^ flip);
          block[r * static_cast<std::size_t>(tile) + c] = static_cast<std::int8_t>(byte);
        }
      }
      for (std::size_t r = 0; r < height; ++r) {
        std::copy_n(block.begin() + static_cast<std::ptrdiff_t>(r) * tile, width,
                    result.operand.begin() + (r0 + static_cast<std::int64_t>(r)) * k + k0);
      }
    }
  }
  for (std::int64_t r0 = 0; !plain && r0 < rows; r0 += tile) {
    for (std::int64_t k0 = 0; k0 < k; k0 += tile) {
      for (std::int64_t r = r0; r < std::min(rows, r0 + tile); ++r) {
        for (std::int64_t c = k0; c < std::min(k, k0 + tile); ++c) {
          const std::int64_t from = first[static_cast<std::size_t>(r)] + step[static_cast<std::size_t>(c)];
          const std::int64_t b = w.block > 0 ? c / w.block : 0;
          const auto to = static_cast<std::size_t>((r * parts + b) * length + (w.block > 0 ? c % w.block : c));
          const int byte = std::to_integer<int>(w.codes.data[static_cast<std::size_t>(from)]);
          int value = w.type.is_signed ? static_cast<std::int8_t>(byte) : byte;
          if (w.centred) {
            value -= static_cast<int>(w.zero_point[parameter(first[static_cast<std::size_t>(r)], b)]);
          } else if (!narrow) {
            value -= 128;
          }
          if (value < -128 || value > 127) {
            ++beyond;
          }
          result.operand[to] = static_cast<std::int8_t>(value);
          if (!w.codes.origin.empty()) {
            result.origin[to] = w.codes.origin[static_cast<std::size_t>(from)];
          }
        }
      }
    }
  }
  if (beyond > 0) {
    why_not = "a weight minus its zero point has more than 8 bits";
    return std::nullopt;
  }
  return result;
}

}  // namespace axe

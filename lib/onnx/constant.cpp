// Decodes tensors and folds the few operators that exporters put between an initializer and its use; see constant.hpp.
#include "axecert/onnx/constant.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "axecert/model/containers.hpp"

namespace axe {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are copied as they lie in the file");

using onnx::TensorProto;

std::size_t bytes_per_element(int type) {  // 0: a type that is not read
  switch (type) {
    case TensorProto::UINT8:
    case TensorProto::INT8:
    case TensorProto::BOOL:
    case onnx_uint4:
    case onnx_int4:
      return 1;
    case TensorProto::UINT16:
    case TensorProto::INT16:
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
      return 2;
    case TensorProto::FLOAT:
    case TensorProto::INT32:
    case TensorProto::UINT32:
      return 4;
    case TensorProto::INT64:
    case TensorProto::UINT64:
    case TensorProto::DOUBLE:
      return 8;
    default:
      return 0;
  }
}

bool packed_in_nibbles(int type) {
  return type == onnx_uint4 || type == onnx_int4;
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const int exponent = (half >> 10) & 31;
  const std::uint32_t fraction = half & 0x3ffu;
  if (exponent == 31) {
    return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  }
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                        : std::ldexp(static_cast<float>(fraction | 0x400u), exponent - 25);
  return sign != 0 ? -magnitude : magnitude;
}

template <class T>
T load(const std::vector<std::byte>& data, std::int64_t i) {
  T value;
  std::memcpy(&value, data.data() + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
  return value;
}

constexpr std::size_t most_axes = 64;
constexpr std::size_t step_work = 16;

std::int64_t product(const std::vector<std::int64_t>& shape, const std::string& place) {
  const std::optional<std::int64_t> n = checked_elements(shape);
  if (!n || shape.size() > most_axes) {
    throw InputError(
        place, "its shape is negative, has more than " + std::to_string(most_axes) + " axes, or is beyond any file",
        "export the model again");
  }
  return *n;
}

template <class T, class Field>
void fill_from(const ModelFile& file, Constant& array, const Field& field, const std::string& place) {
  if (static_cast<std::int64_t>(field.size()) != array.elements()) {
    throw InputError(place,
                     "holds " + std::to_string(field.size()) + " numbers for a shape of " +
                         std::to_string(array.elements()) + " elements",
                     "export the model again");
  }
  array.data.resize(static_cast<std::size_t>(field.size()) * sizeof(T));
  file.charge(array.data.size());
  for (int i = 0; i < field.size(); ++i) {
    const T value = static_cast<T>(field.Get(i));
    std::memcpy(array.data.data() + static_cast<std::size_t>(i) * sizeof(T), &value, sizeof(T));
  }
}

// Two codes of 4 bits a byte, the first in the low half.
std::vector<std::byte> unpacked(std::span<const std::byte> packed, std::int64_t n, bool is_signed,
                                const std::string& place) {
  if (static_cast<std::int64_t>(packed.size()) != (n + 1) / 2) {
    throw InputError(place,
                     "holds " + std::to_string(packed.size()) + " bytes for " + std::to_string(n) + " codes of 4 bits",
                     "export the model again");
  }
  std::vector<std::byte> codes(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const int nibble = (std::to_integer<int>(packed[i / 2]) >> (i % 2 * 4)) & 15;
    codes[i] = static_cast<std::byte>(is_signed && nibble > 7 ? nibble - 16 : nibble);
  }
  return codes;
}

Constant decode(const ModelFile& file, const TensorProto& tensor, bool trace) {
  const std::string place = file.path() + ": tensor '" + tensor.name() + "'";
  Constant array;
  array.type = tensor.data_type();
  array.shape.assign(tensor.dims().begin(), tensor.dims().end());
  array.root = &tensor;
  const std::int64_t n = product(array.shape, place);
  const std::size_t size = bytes_per_element(array.type);
  if (size == 0) {
    throw InputError(place, "has element type " + type_name(array.type) + ", which is not read",
                     "integers of 4 to 64 bits, and floats of 16 to 64");
  }
  const std::span<const std::byte> raw = file.raw(tensor, place);
  file.charge(step_work + place.size() + raw.size());
  if (!raw.empty() || n == 0) {
    if (packed_in_nibbles(array.type)) {
      array.data = unpacked(raw, n, array.type == onnx_int4, place);
    } else if (raw.size() != static_cast<std::size_t>(n) * size) {
      throw InputError(place,
                       "holds " + std::to_string(raw.size()) + " bytes for a shape of " + std::to_string(n) +
                           " elements of " + std::to_string(size),
                       "export the model again");
    } else {
      array.data.assign(raw.begin(), raw.end());
    }
  } else {
    switch (array.type) {
      case TensorProto::FLOAT:
        fill_from<float>(file, array, tensor.float_data(), place);
        break;
      case TensorProto::DOUBLE:
        fill_from<double>(file, array, tensor.double_data(), place);
        break;
      case TensorProto::INT64:
        fill_from<std::int64_t>(file, array, tensor.int64_data(), place);
        break;
      case TensorProto::UINT32:
        fill_from<std::uint32_t>(file, array, tensor.uint64_data(), place);
        break;
      case TensorProto::UINT64:
        fill_from<std::uint64_t>(file, array, tensor.uint64_data(), place);
        break;
      case TensorProto::INT32:
        fill_from<std::int32_t>(file, array, tensor.int32_data(), place);
        break;
      case TensorProto::INT16:
      case TensorProto::UINT16:
      case TensorProto::FLOAT16:
      case TensorProto::BFLOAT16:
        fill_from<std::uint16_t>(file, array, tensor.int32_data(), place);
        break;
      case onnx_uint4:
      case onnx_int4: {
        std::vector<std::byte> packed;
        file.charge(static_cast<std::size_t>(tensor.int32_data_size()));
        for (const std::int32_t value : tensor.int32_data()) {
          packed.push_back(static_cast<std::byte>(value));
        }
        array.data = unpacked(packed, n, array.type == onnx_int4, place);
        break;
      }
      default:
        fill_from<std::uint8_t>(file, array, tensor.int32_data(), place);
    }
  }
  if (trace) {
    if (n > static_cast<std::int64_t>(UINT32_MAX)) {
      throw InputError(place, "has more than 2^32 elements", "");
    }
    array.origin.resize(static_cast<std::size_t>(n));
    std::iota(array.origin.begin(), array.origin.end(), 0u);
  }
  return array;
}

// A Constant node's value.
std::optional<Constant> of_constant_node(const ModelFile& file, const onnx::NodeProto& node, bool trace) {
  if (const onnx::AttributeProto* value = attribute(node, "value")) {
    return decode(file, value->t(), trace);
  }
  Constant array;
  const auto put = [&](auto number) {
    file.charge(sizeof number);
    const auto* bytes = reinterpret_cast<const std::byte*>(&number);
    array.data.insert(array.data.end(), bytes, bytes + sizeof number);
  };
  for (const auto& a : node.attribute()) {
    const bool many = a.name() == "value_floats" || a.name() == "value_ints";
    if (a.name() == "value_float" || a.name() == "value_floats") {
      array.type = TensorProto::FLOAT;
      if (many) {
        array.shape = {a.floats_size()};
        std::for_each(a.floats().begin(), a.floats().end(), put);
      } else {
        put(a.f());
      }
      return array;
    }
    if (a.name() == "value_int" || a.name() == "value_ints") {
      array.type = TensorProto::INT64;
      if (many) {
        array.shape = {a.ints_size()};
        std::for_each(a.ints().begin(), a.ints().end(), [&](std::int64_t i) { put(i); });
      } else {
        put(std::int64_t{a.i()});
      }
      return array;
    }
  }
  return std::nullopt;
}

bool is_fold(const onnx::NodeProto& node) {
  static const char* const folds[] = {"Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Clip"};
  return is_standard(node) &&
         std::any_of(std::begin(folds), std::end(folds), [&](const char* f) { return node.op_type() == f; });
}

std::vector<std::int64_t> integers_of(const Constant& array) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < array.elements(); ++i) {
    values.push_back(array.integer(i));
  }
  return values;
}

std::optional<Constant> folded(const Scope& scope, const std::string& name, bool trace);

// Reshape's, Squeeze's, Unsqueeze's and Flatten's new shape; nothing when it is not known.
std::optional<std::vector<std::int64_t>> new_shape(const Scope& scope, const onnx::NodeProto& node,
                                                   const Constant& array) {
  const std::string& op = node.op_type();
  if (op == "Flatten") {
    const std::int64_t rank = static_cast<std::int64_t>(array.shape.size());
    std::int64_t axis = integer_attribute(node, "axis", 1);
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis > rank) {
      return std::nullopt;
    }
    const auto middle = array.shape.begin() + axis;
    const auto times = std::multiplies<std::int64_t>();
    return std::vector<std::int64_t>{std::accumulate(array.shape.begin(), middle, std::int64_t{1}, times),
                                     std::accumulate(middle, array.shape.end(), std::int64_t{1}, times)};
  }
  std::vector<std::int64_t> numbers;
  const char* key = op == "Reshape" ? "shape" : "axes";
  if (!input(node, 1).empty()) {
    const std::optional<Constant> given = constant(scope, input(node, 1));
    if (!given || given->type != TensorProto::INT64) {
      return std::nullopt;
    }
    numbers = integers_of(*given);
  } else if (const onnx::AttributeProto* a = attribute(node, key)) {
    numbers.assign(a->ints().begin(), a->ints().end());
  } else if (op != "Squeeze") {
    return std::nullopt;
  }
  if (numbers.size() > most_axes) {
    return std::nullopt;
  }
  if (op == "Reshape") {
    return reshaped(array, numbers, integer_attribute(node, "allowzero", 0) != 0);
  }
  std::vector<std::int64_t> shape;
  const std::int64_t rank = static_cast<std::int64_t>(array.shape.size()) +
                            (op == "Unsqueeze" ? static_cast<std::int64_t>(numbers.size()) : 0);
  for (std::int64_t& axis : numbers) {
    axis = axis < 0 ? axis + rank : axis;
  }
  if (std::any_of(numbers.begin(), numbers.end(), [&](std::int64_t axis) { return axis < 0 || axis >= rank; })) {
    return std::nullopt;
  }
  const auto named = [&](std::int64_t axis) {
    return std::find(numbers.begin(), numbers.end(), axis) != numbers.end();
  };
  std::size_t next = 0;
  for (std::int64_t axis = 0; axis < rank; ++axis) {
    if (op == "Unsqueeze") {
      if (named(axis)) {
        shape.push_back(1);
      } else if (next < array.shape.size()) {
        shape.push_back(array.shape[next++]);
      }
    } else if (!(named(axis) || (numbers.empty() && array.shape[static_cast<std::size_t>(axis)] == 1))) {
      shape.push_back(array.shape[static_cast<std::size_t>(axis)]);
    }
  }
  const bool distinct = op == "Squeeze" || static_cast<std::int64_t>(shape.size()) == rank;  // axes
  return distinct && shape.size() <= most_axes && checked_elements(shape) == array.elements() ? std::optional(shape)
                                                                                              : std::nullopt;
}

// Clip of an integer constant.
std::optional<Constant> clipped(const Scope& scope, const onnx::NodeProto& node, Constant array) {
  const std::optional<IntegerType> type = integer_type(array.type);
  if (!type || type->bits > 8) {
    return std::nullopt;
  }
  std::int64_t low = type->least(), high = type->most();
  if (!input(node, 1).empty()) {
    const auto given = one_integer(scope, input(node, 1));
    if (!given) {
      return std::nullopt;
    }
    low = *given;
  }
  if (!input(node, 2).empty()) {
    const auto given = one_integer(scope, input(node, 2));
    if (!given) {
      return std::nullopt;
    }
    high = *given;
  }
  for (std::int64_t i = 0; i < array.elements(); ++i) {
    array.data[static_cast<std::size_t>(i)] = static_cast<std::byte>(std::min(high, std::max(low, array.integer(i))));
  }
  return array;
}

// The constant that a name is which is_constant.
std::optional<Constant> folded(const Scope& scope, const std::string& name, bool trace) {
  const Scope::Definition d = scope.find(name);
  if (d.initializer != nullptr) {
    return decode(scope.file(), *d.initializer, trace);
  }
  const onnx::NodeProto& node = *d.node;
  if (node.op_type() == "Constant") {
    return of_constant_node(scope.file(), node, trace);
  }
  std::optional<Constant> array = folded(*d.scope, input(node, 0), trace);
  if (!array || node.op_type() == "Identity") {
    return array;
  }
  if (node.op_type() == "Transpose") {
    const onnx::AttributeProto* perm = attribute(node, "perm");
    scope.file().charge(array->data.size());
    return transposed(*array,
                      perm == nullptr ? std::vector<std::int64_t>{}
                                      : std::vector<std::int64_t>(perm->ints().begin(), perm->ints().end()),
                      d.scope->place(node));
  }
  if (node.op_type() == "Clip") {
    scope.file().charge(array->data.size());
    return clipped(*d.scope, node, std::move(*array));
  }
  const auto shape = new_shape(*d.scope, node, *array);
  if (!shape) {
    return std::nullopt;
  }
  array->shape = *shape;
  return array;
}

}  // namespace

std::optional<IntegerType> integer_type(int type) {
  switch (type) {
    case TensorProto::UINT8:
      return IntegerType{false, 8};
    case TensorProto::INT8:
      return IntegerType{true, 8};
    case TensorProto::UINT16:
      return IntegerType{false, 16};
    case TensorProto::INT16:
      return IntegerType{true, 16};
    case TensorProto::INT32:
      return IntegerType{true, 32};
    case onnx_uint4:
      return IntegerType{false, 4};
    case onnx_int4:
      return IntegerType{true, 4};
    default:
      return std::nullopt;
  }
}

std::string type_name(int type) {
  if (type == onnx_uint4 || type == onnx_int4) {
    return type == onnx_uint4 ? "UINT4" : "INT4";
  }
  return onnx::TensorProto_DataType_IsValid(type)
             ? onnx::TensorProto_DataType_Name(static_cast<onnx::TensorProto_DataType>(type))
             : "number " + std::to_string(type);
}

std::int64_t Constant::elements() const {
  std::int64_t n = 1;
  for (const std::int64_t extent : shape) {
    n *= extent;
  }
  return n;
}

std::int64_t Constant::integer(std::int64_t i) const {
  switch (type) {
    case TensorProto::UINT8:
    case TensorProto::BOOL:
    case onnx_uint4:
      return load<std::uint8_t>(data, i);
    case TensorProto::INT8:
    case onnx_int4:
      return load<std::int8_t>(data, i);
    case TensorProto::UINT16:
      return load<std::uint16_t>(data, i);
    case TensorProto::INT16:
      return load<std::int16_t>(data, i);
    case TensorProto::INT32:
      return load<std::int32_t>(data, i);
    case TensorProto::UINT32:
      return load<std::uint32_t>(data, i);
    case TensorProto::INT64:
      return load<std::int64_t>(data, i);
    default:
      throw InputError("constant", "is " + type_name(type) + ", integers are needed", "");
  }
}

double Constant::real(std::int64_t i) const {
  switch (type) {
    case TensorProto::FLOAT:
      return load<float>(data, i);
    case TensorProto::DOUBLE:
      return load<double>(data, i);
    case TensorProto::FLOAT16:
      return half_to_float(load<std::uint16_t>(data, i));
    case TensorProto::BFLOAT16:
      return std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(data, i)) << 16);
    default:
      return static_cast<double>(integer(i));
  }
}

std::optional<std::vector<std::int64_t>> reshaped(const Constant& array, const std::vector<std::int64_t>& numbers,
                                                  bool zeros_stay) {
  std::vector<std::int64_t> shape;
  std::optional<std::size_t> open;
  for (std::size_t i = 0; i < numbers.size() && i < most_axes; ++i) {
    shape.push_back(numbers[i] == 0 && i < array.shape.size() && !zeros_stay ? array.shape[i] : numbers[i]);
    if (shape[i] == -1 && !open) {
      open = i;
      shape[i] = 1;
    }
  }
  const std::optional<std::int64_t> known = checked_elements(shape);
  if (open && known && *known > 0) {
    shape[*open] = array.elements() / *known;
  }
  return numbers.size() <= most_axes && checked_elements(shape) == array.elements() ? std::optional(shape)
                                                                                    : std::nullopt;
}

bool is_constant(const Scope& scope, const std::string& name) {
  const Scope* place = &scope;
  const std::string* wanted = &name;
  for (int steps = 0; steps <= most_steps; ++steps) {
    scope.file().charge(step_work);
    const Scope::Definition d = place->find(*wanted);
    if (d.initializer != nullptr) {
      return true;
    }
    if (d.node == nullptr || d.node->output_size() != 1) {
      return false;
    }
    if (is_standard(*d.node) && d.node->op_type() == "Constant") {
      return true;
    }
    if (!is_fold(*d.node) || d.node->input_size() == 0) {
      return false;
    }
    place = d.scope;
    wanted = &d.node->input(0);
  }
  return false;
}

std::optional<Constant> constant(const Scope& scope, const std::string& name, bool trace) {
  return is_constant(scope, name) ? folded(scope, name, trace) : std::nullopt;
}

Constant transposed(const Constant& array, std::vector<std::int64_t> perm, const std::string& place) {
  const std::size_t rank = array.shape.size();
  if (perm.empty()) {
    for (std::size_t i = rank; i > 0; --i) {
      perm.push_back(static_cast<std::int64_t>(i - 1));
    }
  }
  std::vector<std::int64_t> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  bool good = sorted.size() == rank;
  for (std::size_t i = 0; good && i < rank; ++i) {
    good = sorted[i] == static_cast<std::int64_t>(i);
  }
  if (!good) {
    throw InputError(place, "its 'perm' is no permutation of the axes of its input", "export the model again");
  }
  std::vector<std::int64_t> strides(rank, 1);
  for (std::size_t i = rank; i > 1; --i) {
    strides[i - 2] = strides[i - 1] * array.shape[i - 1];
  }
  Constant result;
  result.type = array.type;
  result.root = array.root;
  std::vector<std::int64_t> step;
  for (const std::int64_t axis : perm) {
    result.shape.push_back(array.shape[static_cast<std::size_t>(axis)]);
    step.push_back(strides[static_cast<std::size_t>(axis)]);
  }
  const std::size_t size = bytes_per_element(array.type);
  const std::int64_t n = array.elements();
  result.data.resize(array.data.size());
  result.origin.resize(array.origin.size());
  std::vector<std::int64_t> at(rank, 0);
  std::int64_t from = 0;
  for (std::int64_t to = 0; to < n; ++to) {
    std::memcpy(result.data.data() + static_cast<std::size_t>(to) * size,
                array.data.data() + static_cast<std::size_t>(from) * size, size);
    if (!array.origin.empty()) {
      result.origin[static_cast<std::size_t>(to)] = array.origin[static_cast<std::size_t>(from)];
    }
    for (std::size_t axis = rank; axis > 0; --axis) {  // the next index, row-major
      from += step[axis - 1];
      if (++at[axis - 1] < result.shape[axis - 1]) {
        break;
      }
      from -= step[axis - 1] * result.shape[axis - 1];
      at[axis - 1] = 0;
    }
  }
  return result;
}

std::optional<std::int64_t> one_integer(const Scope& scope, const std::string& name) {
  const std::optional<Constant> value = constant(scope, name);
  if (!value || value->elements() != 1 || !integer_type(value->type)) {
    return std::nullopt;
  }
  return value->integer(0);
}

std::optional<double> one_real(const Scope& scope, const std::string& name) {
  const std::optional<Constant> value = constant(scope, name);
  if (!value || value->elements() != 1) {
    return std::nullopt;
  }
  return value->real(0);
}

}  // namespace axe

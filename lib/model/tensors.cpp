// Dense arrays: their element types, their conversion to the types that the rooms above compute with, and the choice of
// reader by a file's first bytes. `read_tensors` is the main function. Side effects: reads one file.
#include "axecert/model/tensors.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <type_traits>

#include "axecert/model/containers.hpp"
#include "axecert/model/weight_files.hpp"

namespace axe {

static_assert(std::endian::native == std::endian::little, "arrays are read and written as they lie in memory");

namespace {

struct DTypeName {
  DType dtype;
  const char* name;
  std::size_t size;
};

constexpr DTypeName dtype_names[] = {
    {DType::i8, "I8", 1},     {DType::u8, "U8", 1},   {DType::i16, "I16", 2},
    {DType::i32, "I32", 4},   {DType::i64, "I64", 8}, {DType::f16, "F16", 2},
    {DType::bf16, "BF16", 2}, {DType::f32, "F32", 4}, {DType::f64, "F64", 8},
};

const DTypeName& entry(DType dtype) {
  for (const DTypeName& candidate : dtype_names) {
    if (candidate.dtype == dtype) {
      return candidate;
    }
  }
  throw InputError("array", "unknown element type", "");
}

// IEEE 754 binary16: sign 1, exponent 5 (bias 15), fraction 10. Every value is a float.
float half_to_float(std::uint16_t bits) {
  const int sign = (bits >> 15) != 0 ? -1 : 1;
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  if (exponent == 31) {
    return fraction != 0 ? std::numeric_limits<float>::quiet_NaN()
                         : static_cast<float>(sign) * std::numeric_limits<float>::infinity();
  }
  const int significand = exponent == 0 ? fraction : fraction + 1024;
  return static_cast<float>(sign) * std::ldexp(static_cast<float>(significand), (exponent == 0 ? 1 : exponent) - 25);
}

// bfloat16 is the upper half of a float.
float bfloat_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

template <typename T>
T element(const std::vector<std::byte>& data, std::size_t i) {
  T value;
  std::memcpy(&value, data.data() + i * sizeof(T), sizeof(T));
  return value;
}

// Calls visit(i, value) for every element, value in the widest type of its kind: double or int64.
template <typename Visit>
void for_each_element(const Tensor& tensor, Visit visit) {
  const auto n = static_cast<std::size_t>(tensor.elements());
  const std::vector<std::byte>& data = tensor.data;
  for (std::size_t i = 0; i < n; ++i) {
    switch (tensor.dtype) {
      case DType::i8:
        visit(i, static_cast<std::int64_t>(element<std::int8_t>(data, i)));
        break;
      case DType::u8:
        visit(i, static_cast<std::int64_t>(element<std::uint8_t>(data, i)));
        break;
      case DType::i16:
        visit(i, static_cast<std::int64_t>(element<std::int16_t>(data, i)));
        break;
      case DType::i32:
        visit(i, static_cast<std::int64_t>(element<std::int32_t>(data, i)));
        break;
      case DType::i64:
        visit(i, element<std::int64_t>(data, i));
        break;
      case DType::f16:
        visit(i, static_cast<double>(half_to_float(element<std::uint16_t>(data, i))));
        break;
      case DType::bf16:
        visit(i, static_cast<double>(bfloat_to_float(element<std::uint16_t>(data, i))));
        break;
      case DType::f32:
        visit(i, static_cast<double>(element<float>(data, i)));
        break;
      case DType::f64:
        visit(i, element<double>(data, i));
        break;
    }
  }
}

std::string index_text(const Tensor& tensor, std::size_t flat) {
  std::string text;
  for (std::size_t d = tensor.shape.size(); d-- > 0;) {
    const auto extent = static_cast<std::size_t>(tensor.shape[d]);
    text = std::to_string(flat % extent) + (text.empty() ? "" : ", " + text);
    flat /= extent;
  }
  return "[" + text + "]";
}

template <typename Real>
std::vector<Real> as_real(const Tensor& tensor, const std::string& place) {
  std::vector<Real> values(static_cast<std::size_t>(tensor.elements()));
  for_each_element(tensor, [&](std::size_t i, auto value) {
    const auto real = static_cast<Real>(value);
    if (!std::isfinite(real)) {
      throw InputError(place + index_text(tensor, i),
                       std::isnan(real) ? "not a number" : "infinite or too large for this type",
                       "the array must hold finite numbers");
    }
    values[i] = real;
  });
  return values;
}

template <typename T>
Tensor tensor_of(DType dtype, std::vector<std::int64_t> shape, const std::vector<T>& values) {
  Tensor tensor;
  tensor.dtype = dtype;
  tensor.shape = std::move(shape);
  if (static_cast<std::size_t>(tensor.elements()) != values.size()) {
    throw InputError("array",
                     "the shape asks for " + std::to_string(tensor.elements()) + " elements, there are " +
                         std::to_string(values.size()),
                     "");
  }
  tensor.data.resize(values.size() * sizeof(T));
  if (!values.empty()) {
    std::memcpy(tensor.data.data(), values.data(), tensor.data.size());
  }
  return tensor;
}

bool starts_with(const std::string& head, const char* magic, std::size_t size) {
  return head.size() >= size && std::memcmp(head.data(), magic, size) == 0;
}

}  // namespace

std::string to_text(DType dtype) {
  return entry(dtype).name;
}
std::size_t size_of(DType dtype) {
  return entry(dtype).size;
}

std::optional<DType> dtype_of(const std::string& name) {
  for (const DTypeName& candidate : dtype_names) {
    if (name == candidate.name) {
      return candidate.dtype;
    }
  }
  return std::nullopt;
}

std::optional<std::int64_t> checked_elements(const std::vector<std::int64_t>& shape) {
  constexpr std::int64_t most = std::int64_t{1} << 48;  // far beyond any file, far below overflow
  std::int64_t product = 1;
  bool empty = false;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || extent > most) {
      return std::nullopt;
    }
    if (extent == 0) {
      empty = true;
    } else if (product > most / extent) {
      return std::nullopt;
    } else {
      product *= extent;
    }
  }
  return empty ? 0 : product;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t extent : shape) {
    text += (text.empty() ? "" : ", ") + std::to_string(extent);
  }
  return "[" + text + "]";
}

std::int64_t Tensor::elements() const {
  const std::optional<std::int64_t> count = checked_elements(shape);
  if (!count) {
    throw InputError("array", "shape " + shape_text(shape) + " is not a size", "");
  }
  return *count;
}

std::vector<float> Tensor::as_f32(const std::string& place) const {
  return as_real<float>(*this, place);
}
std::vector<double> Tensor::as_f64(const std::string& place) const {
  return as_real<double>(*this, place);
}

std::vector<std::int64_t> Tensor::as_integers(const std::string& place) const {
  std::vector<std::int64_t> values(static_cast<std::size_t>(elements()));
  for_each_element(*this, [&](std::size_t i, auto value) {
    if constexpr (std::is_integral_v<decltype(value)>) {
      values[i] = value;
    } else {
      throw InputError(place, "has type " + to_text(dtype) + ", must be an integer type",
                       "store it as I8, U8, I16, I32 or I64");
    }
  });
  return values;
}

std::vector<std::int8_t> Tensor::as_i8(const std::string& place) const {
  if (dtype == DType::i8) {
    const auto* bytes = reinterpret_cast<const std::int8_t*>(data.data());
    return {bytes, bytes + elements()};
  }
  std::vector<std::int8_t> values(static_cast<std::size_t>(elements()));
  for_each_element(*this, [&](std::size_t i, auto value) {
    if constexpr (std::is_integral_v<decltype(value)>) {
      if (value < -128 || value > 127) {
        throw InputError(place + index_text(*this, i), std::to_string(value) + " is outside [-128, 127]",
                         "subtract the zero point first");
      }
      values[i] = static_cast<std::int8_t>(value);
    } else {
      throw InputError(place, "has type " + to_text(dtype) + ", must be an integer type", "store it as I8");
    }
  });
  return values;
}

Tensor Tensor::of(std::vector<std::int64_t> s, const std::vector<std::int8_t>& v) {
  return tensor_of(DType::i8, std::move(s), v);
}
Tensor Tensor::of(std::vector<std::int64_t> s, const std::vector<std::int32_t>& v) {
  return tensor_of(DType::i32, std::move(s), v);
}
Tensor Tensor::of(std::vector<std::int64_t> s, const std::vector<std::int64_t>& v) {
  return tensor_of(DType::i64, std::move(s), v);
}
Tensor Tensor::of(std::vector<std::int64_t> s, const std::vector<float>& v) {
  return tensor_of(DType::f32, std::move(s), v);
}
Tensor Tensor::of(std::vector<std::int64_t> s, const std::vector<double>& v) {
  return tensor_of(DType::f64, std::move(s), v);
}

const Tensor* TensorFile::find(const std::string& name) const {
  const auto found = tensors.find(name);
  return found == tensors.end() ? nullptr : &found->second;
}

const Tensor& TensorFile::at(const std::string& name) const {
  const Tensor* tensor = find(name);
  if (tensor == nullptr) {
    throw InputError(path, "no array '" + name + "'", "docs/layers.md lists the keys of a layer");
  }
  return *tensor;
}

TensorFile read_tensors(const std::filesystem::path& path) {
  const std::string where = path.string();
  std::error_code status_error;
  if (!std::filesystem::exists(path, status_error)) {
    throw InputError(where, "no such file", "check the path");
  }
  if (is_sharded(path)) {
    return WeightFiles(path).all_arrays();
  }
  if (!std::filesystem::is_regular_file(path, status_error)) {
    throw InputError(where, "not a regular file", "name an .npz or .safetensors file");
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    throw InputError(where, "cannot be opened", "check its permissions");
  }
  std::string head(8, '\0');
  stream.read(head.data(), 8);
  head.resize(static_cast<std::size_t>(stream.gcount()));
  stream.close();
  if (starts_with(head, "PK\3\4", 4) || starts_with(head, "PK\5\6", 4)) {
    return read_npz(path);
  }
  if (starts_with(head, "\x93NUMPY", 6)) {
    throw InputError(where, "a single .npy array has no names",
                     "write numpy.savez(FILE, **{\"NAME.weight\": array, ...})");
  }
  if (starts_with(head, "GGUF", 4)) {
    throw InputError(where, "GGUF files are not read",
                     "convert to .safetensors or .npz with the keys of docs/layers.md");
  }
  return read_safetensors(path);
}

}  // namespace axe

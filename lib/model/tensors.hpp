// Named arrays in files: NumPy .npz (stored or deflated) and .safetensors, in and out. `read_tensors` is the main function;
// `write_safetensors` writes atomically. Both refuse what they do not understand with the file, the place and the remedy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "axecert/numeric/error.hpp"

namespace axe {

enum class DType { i8, u8, i16, i32, i64, f16, bf16, f32, f64 };
std::string to_text(DType);  // safetensors spelling: "I8", "U8", "I16", "I32", "I64", "F16", "BF16", "F32", "F64"
std::size_t size_of(DType);

/// A dense little-endian, row-major array. A scalar has an empty shape.
struct Tensor {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;

  std::int64_t elements() const;
  /// The elements converted; throws InputError (with `place`) when a value is not representable exactly as an integer, or
  /// not finite. as_f32/as_f64 accept every dtype; as_integers only integer dtypes.
  std::vector<float> as_f32(const std::string& place) const;
  std::vector<double> as_f64(const std::string& place) const;
  std::vector<std::int64_t> as_integers(const std::string& place) const;
  std::vector<std::int8_t> as_i8(const std::string& place) const;

  static Tensor of(std::vector<std::int64_t> shape, const std::vector<std::int8_t>& values);
  static Tensor of(std::vector<std::int64_t> shape, const std::vector<std::int32_t>& values);
  static Tensor of(std::vector<std::int64_t> shape, const std::vector<std::int64_t>& values);
  static Tensor of(std::vector<std::int64_t> shape, const std::vector<float>& values);
  static Tensor of(std::vector<std::int64_t> shape, const std::vector<double>& values);
};

/// All arrays of a file, and safetensors' string metadata (empty for npz).
struct TensorFile {
  std::string path;  ///< for error messages
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;

  const Tensor* find(const std::string& name) const;  ///< nullptr when absent
  const Tensor& at(const std::string& name) const;    ///< InputError that names the file and the missing key
};

/// Reads .npz or .safetensors, by content, or all shards of an index (weight_files.hpp). Throws InputError: truncated, overlapping or out-of-bounds arrays, duplicate
/// names, unsupported dtypes, Fortran order, big endian, object arrays.
TensorFile read_tensors(const std::filesystem::path& path);

/// The bytes of a .safetensors file: metadata sorted by key, arrays by falling element size, then by name, so that every array
/// is aligned to its elements. Equal content gives equal bytes.
std::vector<std::uint8_t> safetensors_bytes(const std::map<std::string, Tensor>& tensors,
                                            const std::map<std::string, std::string>& metadata);

/// Writes `safetensors_bytes`. Atomic: temporary file, fsync, rename.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace axe

// Arrays of an ONNX model that are known before it runs: initializers, Constant nodes, and what Transpose, Reshape, Clip and the
// like make of them. `constant` is the main function. Each element can say which element of which initializer it came from,
// which is how repaired weights find their way back. Only lib/onnx includes this. No side effects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "axecert/onnx/scope.hpp"

namespace axe {

/// Element types of ONNX that the message definition of libonnx 1.12 does not name yet.
enum : int { onnx_uint4 = 21, onnx_int4 = 22 };

/// Integers that weights and activations may have: signedness and bits; nothing for any other type.
struct IntegerType {
  bool is_signed = false;
  int bits = 8;
  std::int64_t least() const { return is_signed ? -(std::int64_t{1} << (bits - 1)) : 0; }
  std::int64_t most() const { return is_signed ? (std::int64_t{1} << (bits - 1)) - 1 : (std::int64_t{1} << bits) - 1; }
};
std::optional<IntegerType> integer_type(int onnx_type);

/// "INT8", or "type 17" for one that has no name here.
std::string type_name(int onnx_type);

/// A dense array. Elements of 4 bits take a byte each.
struct Constant {
  int type = 0;  ///< ONNX's number of the element type
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;              ///< little-endian, row-major
  const onnx::TensorProto* root = nullptr;  ///< the tensor it came from, when every element is one of its
  std::vector<std::uint32_t> origin;        ///< with `trace`: index of each element in `root`; else empty

  std::int64_t elements() const;
  std::int64_t integer(std::int64_t i) const;  ///< of an integer type
  double real(std::int64_t i) const;           ///< of any numeric type
};

/// Whether `name` is a constant as `constant` understands it; cheap.
bool is_constant(const Scope& scope, const std::string& name);

/// The constant that `name` is; nothing when it is computed at run time, or by an operator that is not understood. With `trace`
/// its elements know their origin. Throws InputError for a tensor that contradicts itself (data and shape, broken 4-bit data).
std::optional<Constant> constant(const Scope& scope, const std::string& name, bool trace = false);

/// The shape that Reshape gives: 0 keeps an extent unless `zeros_stay`, one −1 takes what is left; nothing when the elements are not as many.
std::optional<std::vector<std::int64_t>> reshaped(const Constant& array, const std::vector<std::int64_t>& numbers,
                                                  bool zeros_stay);

/// The axes moved as Transpose does; `perm` empty: reversed. Throws InputError (with `place`) when it is no permutation.
Constant transposed(const Constant& array, std::vector<std::int64_t> perm, const std::string& place);

/// The one integer or real number of a constant with one element; nothing otherwise.
std::optional<std::int64_t> one_integer(const Scope& scope, const std::string& name);
std::optional<double> one_real(const Scope& scope, const std::string& name);

}  // namespace axe

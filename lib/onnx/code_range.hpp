// Which integer codes a tensor of an ONNX graph can hold: always its quantizer's type; less where what stands before the quantizer
// (Relu, Clip, Softmax, …) says so. `CodeRanges` is the main class. Only lib/onnx includes this. No side effects.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "axecert/datapath/datapath.hpp"
#include "axecert/onnx/constant.hpp"

namespace axe {

/// Real numbers lower … upper; infinite where nothing is known.
struct RealRange {
  double lower;
  double upper;
};

/// The integers of an activation tensor.
struct Codes {
  IntegerType type;
  IntegerRange box;             ///< every code lies in it
  IntegerRange zero_point;      ///< equal ends when it is static; (of float tensors only)
  std::optional<double> scale;  ///< when it is a constant (of float tensors only)
};

class CodeRanges {
 public:
  /// The codes of an integer tensor; nothing when its type is not known, or is none of 4 to 16 bits. zero_point is not set.
  std::optional<Codes> of_integers(const Scope& scope, const std::string& name) { return of_integers(scope, name, 0); }

  /// The codes below a float tensor that equals scale · (code − zero point) with one scale; nothing when it is no such tensor.
  std::optional<Codes> below_floats(const Scope& scope, const std::string& name) {
    return below_floats(scope, name, 0);
  }

  /// The range of a zero point: [0, 0] for an absent one, its value for a constant, its type's range for a computed one.
  static IntegerRange zero_point(const Scope& scope, const std::string& name, IntegerType type);

 private:
  using Key = std::pair<const Scope*, std::string>;
  std::optional<Codes> of_integers(const Scope& scope, const std::string& name, int depth);
  std::optional<Codes> find_integers(const Scope& scope, const std::string& name, int depth);
  std::optional<Codes> below_floats(const Scope& scope, const std::string& name, int depth);
  RealRange reals(const Scope& scope, const std::string& name, int depth);
  RealRange find_reals(const Scope& scope, const std::string& name, int depth);
  std::optional<Codes> quantized(const Scope& scope, const onnx::NodeProto& node, int depth);

  std::map<Key, std::optional<Codes>> integers_;
  std::map<Key, RealRange> reals_;
};

/// What QONNX's Quant says of its codes: type and range; scale and zero point stay with the caller. Nothing when its bit width is no
/// constant integer of 1 to 16. Throws InputError for an attribute out of range.
std::optional<Codes> qonnx_codes(const Scope& scope, const onnx::NodeProto& node);

/// Operators whose output holds only values of their first input (of all inputs, for Concat).
bool passes_values(const onnx::NodeProto& node);

/// Whether the node is QONNX's operator of that name, whatever the exporter called the domain.
bool is_qonnx(const onnx::NodeProto& node, const char* op);

}  // namespace axe

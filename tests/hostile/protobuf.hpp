// ONNX models written by hand, as no exporter would: fields of protobuf messages by their numbers (onnx.proto). No side effects.
#pragma once

#include <cstdint>
#include <string>

namespace axe::hostile {

inline std::string varint(std::uint64_t value) {
  std::string text;
  for (; value >= 128; value >>= 7) {
    text += static_cast<char>(value % 128 + 128);
  }
  return text + static_cast<char>(value);
}
inline std::string field(int number, const std::string& bytes) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(bytes.size()) + bytes;
}
inline std::string field(int number, std::int64_t value) {
  return varint(static_cast<std::uint64_t>(number) << 3) + varint(static_cast<std::uint64_t>(value));
}

enum Element : int { onnx_float = 1, onnx_u8 = 2, onnx_i8 = 3, onnx_i32 = 6, onnx_i64 = 7 };

inline std::string tensor(const std::string& name, int type, const std::vector<std::int64_t>& dims,
                          const std::string& raw) {
  std::string text;
  for (const std::int64_t extent : dims) {
    text += field(1, extent);
  }
  return text + field(2, std::int64_t{type}) + field(8, name) + field(9, raw);
}
inline std::string initializer(const std::string& name, int type, const std::vector<std::int64_t>& dims,
                               const std::string& raw) {
  return field(5, tensor(name, type, dims, raw));
}
inline std::string value(const std::string& name, int type) {
  return field(1, name) + field(2, field(1, field(1, std::int64_t{type})));
}
inline std::string node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output,
                        const std::string& name = "", const std::string& rest = "") {
  std::string text;
  for (const std::string& input : inputs) {
    text += field(1, input);
  }
  return field(1, text + field(2, output) + field(3, name) + field(4, op) + rest);
}
inline std::string integer(const std::string& name, std::int64_t number) {
  return field(5, field(1, name) + field(3, number) + field(20, std::int64_t{2}));
}
/// `graph`: the fields of the GraphProto.
inline std::string model(const std::string& graph) {
  return field(1, std::int64_t{8}) + field(8, field(2, std::int64_t{13})) +
         field(8, field(1, std::string("com.microsoft")) + field(2, std::int64_t{1})) + field(7, graph);
}
/// uint8 codes "x" that MatMulInteger multiplies by the constant "w".
inline std::string codes() {
  return field(11, value("x", onnx_u8));
}

}  // namespace axe::hostile

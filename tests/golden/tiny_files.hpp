// Small weights files and damaged certificates for tests: a safetensors writer that shares no code with lib/model, and edits
// that keep a certificate's length, padding and digest consistent, so that only the edit is wrong. Main functions:
// weights_file, edit_header, redigest. No side effects.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "axecert/certificate/certificate.hpp"

namespace axe::tiny {

using Bytes = std::vector<std::uint8_t>;

struct Array {
  std::string dtype;
  std::vector<std::int64_t> shape;
  Bytes data;
};
using Arrays = std::map<std::string, Array>;

template <class Integer>
Bytes little_endian(const std::vector<Integer>& values) {
  Bytes bytes;
  for (const Integer value : values) {
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
      bytes.push_back(
          static_cast<std::uint8_t>(static_cast<std::uint64_t>(static_cast<std::int64_t>(value)) >> (8 * i)));
    }
  }
  return bytes;
}

inline Array int32_array(const std::vector<std::int32_t>& values) {
  return {"I32", {static_cast<std::int64_t>(values.size())}, little_endian(values)};
}

/// The arrays of one layer as lib/model writes them: weights, bias, a float scale, and the quantizer whose (least) zero point is
/// given.
inline void add_layer(Arrays& arrays, const IntegerLayer& layer, std::int32_t zero_point = 0) {
  arrays[layer.name + ".weight"] = {"I8", {layer.rows, layer.cols}, little_endian(layer.weights)};
  arrays[layer.name + ".scale"] = {"F32", {1}, {0, 0, 0x80, 0x3f}};
  if (!layer.bias.empty()) arrays[layer.name + ".bias"] = {"I64", {layer.rows}, little_endian(layer.bias)};
  if (layer.input_limit != 0) {
    arrays[layer.name + ".input_limit"] = {"I64", {1}, little_endian(std::vector<std::int64_t>{layer.input_limit})};
  }
  arrays[layer.name + ".input_lower"] = int32_array(layer.box_lower);
  arrays[layer.name + ".input_upper"] = int32_array(layer.box_upper);
  std::vector<std::int32_t> shift = layer.offset.empty() ? std::vector<std::int32_t>{0} : layer.offset;
  for (std::int32_t& c : shift) c += zero_point;  // offset = shift − zero point
  arrays[layer.name + ".input_shift"] = int32_array(shift);
  std::vector<std::int32_t> ends{zero_point};
  if (layer.zero_point_spread != 0) ends.push_back(zero_point + static_cast<std::int32_t>(layer.zero_point_spread));
  arrays[layer.name + ".input_zero_point"] = int32_array(ends);
}

inline std::string joined(const std::vector<std::int64_t>& values) {
  std::string text;
  for (const std::int64_t value : values) {
    if (!text.empty()) text += ',';
    text += std::to_string(value);
  }
  return text;
}

inline Bytes with_header(const std::string& header, const Bytes& data) {
  Bytes bytes;
  for (std::size_t i = 0; i < 8; ++i) bytes.push_back(static_cast<std::uint8_t>(header.size() >> (8 * i)));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

inline std::size_t header_size(const Bytes& bytes) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < 8; ++i) size |= static_cast<std::size_t>(bytes[i]) << (8 * i);
  return size;
}
inline std::string header_of(const Bytes& bytes) {
  return std::string(bytes.begin() + 8, bytes.begin() + 8 + static_cast<std::ptrdiff_t>(header_size(bytes)));
}
inline Bytes data_of(const Bytes& bytes) {
  return Bytes(bytes.begin() + 8 + static_cast<std::ptrdiff_t>(header_size(bytes)), bytes.end());
}

/// A safetensors file. `foreign` writes the header as another program might: spaces, another order, escapes in metadata.
inline Bytes weights_file(const Arrays& arrays, bool foreign = false) {
  std::string header = foreign ? "{ " : "{";
  Bytes data;
  for (const auto& [name, array] : arrays) {
    if (!data.empty()) header += foreign ? " ,\n\t" : ",";
    const std::string offsets =
        std::to_string(data.size()) + (foreign ? " , " : ",") + std::to_string(data.size() + array.data.size());
    const std::string shape = joined(array.shape);
    header += foreign ? "\"" + name + "\" : { \"data_offsets\" : [ " + offsets + " ] , \"shape\":[ " + shape +
                            " ],\"dtype\" :\"" + array.dtype + "\" }"
                      : "\"" + name + "\":{\"dtype\":\"" + array.dtype + "\",\"shape\":[" + shape +
                            "],\"data_offsets\":[" + offsets + "]}";
    data.insert(data.end(), array.data.begin(), array.data.end());
  }
  if (foreign)
    header += ", \"__metadata__\" : { \"note\" : \"a \\\"quoted\\\" brace } \\\\ and \\u00e9\", \"\\u0061\":\"\" }\n";
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  return with_header(header, data);
}

/// The certificate with its digest computed anew.
inline Bytes redigest(Bytes bytes) {
  const std::string key = "{\"__metadata__\":{\"format\":\"axec 1\",\"digest\":\"";
  const auto at = static_cast<std::ptrdiff_t>(8 + key.size());
  std::fill(bytes.begin() + at, bytes.begin() + at + 64, static_cast<std::uint8_t>('0'));
  const std::string digest = to_hex(sha256(bytes.data(), bytes.size()));
  std::copy(digest.begin(), digest.end(), bytes.begin() + at);
  return bytes;
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::logic_error("no such text: " + from);
  return text.replace(at, from.size(), to);
}

/// The certificate with one piece of its header replaced; padding, length and digest made right again.
inline Bytes edit_header(const Bytes& bytes, const std::string& from, const std::string& to) {
  std::string header = header_of(bytes);
  header.erase(header.find_last_not_of(' ') + 1);
  header = replaced(header, from, to);
  header.append((8 - header.size() % 8) % 8, ' ');
  return redigest(with_header(header, data_of(bytes)));
}

/// Where an array of a safetensors file begins and ends.
struct Extent {
  std::size_t begin = 0;
  std::size_t end = 0;
};
inline Extent extent_of(const Bytes& bytes, const std::string& name) {
  const std::string header = header_of(bytes);
  std::size_t at = header.find("\"" + name + "\":{");
  if (at == std::string::npos) throw std::logic_error("no array " + name);
  at = header.find("\"data_offsets\":[", at) + 16;
  std::size_t used = 0;
  const std::size_t begin = std::stoul(header.substr(at), &used);
  const std::size_t end = std::stoul(header.substr(at + used + 1));
  const std::size_t data = 8 + header.size();
  return {data + begin, data + end};
}

/// Adds `step` to little-endian int32 number `index` of an array.
inline Bytes add_to_int32(Bytes bytes, const std::string& name, std::size_t index, std::int32_t step) {
  const std::size_t at = extent_of(bytes, name).begin + 4 * index;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value |= static_cast<std::uint32_t>(bytes[at + i]) << (8 * i);
  value += static_cast<std::uint32_t>(step);
  for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
  return bytes;
}

}  // namespace axe::tiny

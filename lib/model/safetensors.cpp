// Reads and writes .safetensors: 8 bytes little-endian N, N bytes of JSON header, then the arrays, without gaps. Reading is
// strict: arrays tile the data exactly, names are distinct, nothing is ignored. `safetensors_layout`, `read_safetensors` and
// `write_safetensors` are the main functions. Side effects: reads one file, or replaces one atomically.
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "axecert/certificate/atomic_file.hpp"
#include "axecert/certificate/mapped_file.hpp"
#include "axecert/model/containers.hpp"
#include "axecert/model/strict_json.hpp"

namespace axe {
namespace {

using nlohmann::json;

constexpr std::uint64_t longest_header = 100'000'000;  // as the format's reference reader has it
constexpr int deepest_header = 4;

std::int64_t size_field(const json& value, const std::string& place) {
  constexpr std::uint64_t most = std::uint64_t{1} << 48;
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most) {
    throw InputError(place, "expected a size, found " + value.dump(), "the file is damaged");
  }
  return value.get<std::int64_t>();
}

SafetensorsEntry parse_entry(const std::string& name, const json& value, const std::string& where) {
  const std::string place = where + ": " + name;
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
      !value.contains("data_offsets") || !value["dtype"].is_string() || !value["shape"].is_array() ||
      !value["data_offsets"].is_array() || value["data_offsets"].size() != 2) {
    throw InputError(place, "the header must give exactly dtype, shape and data_offsets", "the file is damaged");
  }
  SafetensorsEntry entry;
  entry.name = name;
  const auto type_name = value["dtype"].get<std::string>();
  const std::optional<DType> dtype = dtype_of(type_name);
  if (!dtype) {
    throw InputError(place, "type '" + type_name + "' is not read", "use I8, U8, I16, I32, I64, F16, BF16, F32 or F64");
  }
  entry.tensor.dtype = *dtype;
  for (const json& extent : value["shape"]) {
    entry.tensor.shape.push_back(size_field(extent, place + " shape"));
  }
  entry.begin = size_field(value["data_offsets"][0], place + " data_offsets");
  entry.end = size_field(value["data_offsets"][1], place + " data_offsets");
  const std::optional<std::int64_t> count = checked_elements(entry.tensor.shape);
  if (!count || entry.end < entry.begin ||
      static_cast<std::uint64_t>(entry.end - entry.begin) != static_cast<std::uint64_t>(*count) * size_of(*dtype)) {
    throw InputError(place,
                     "shape " + shape_text(entry.tensor.shape) + " of " + type_name + " does not take the bytes " +
                         std::to_string(entry.begin) + " to " + std::to_string(entry.end),
                     "the file is damaged");
  }
  return entry;
}

}  // namespace

SafetensorsLayout safetensors_layout(std::span<const std::uint8_t> bytes, const std::string& where) {
  SafetensorsLayout layout;
  const std::string unknown = "neither an .npz nor a .safetensors file";
  if (bytes.size() < 8) {
    throw InputError(where, unknown + ": it has " + std::to_string(bytes.size()) + " bytes", "the file is truncated");
  }
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), 8);
  if (header_size > longest_header || header_size > bytes.size() - 8 || header_size < 2) {
    throw InputError(where, unknown + ": its header would have " + std::to_string(header_size) + " bytes",
                     "the file is truncated or of another format");
  }
  const std::string text(reinterpret_cast<const char*>(bytes.data()) + 8, static_cast<std::size_t>(header_size));
  if (text[0] != '{') {
    throw InputError(where, unknown + ": its header does not begin with '{'", "the file is of another format");
  }
  const json header = strict_json(text, where, "the header", deepest_header);

  std::vector<SafetensorsEntry>& entries = layout.entries;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      if (!value.is_object()) {
        throw InputError(where, "__metadata__ is not an object", "the file is damaged");
      }
      for (const auto& [key, word] : value.items()) {
        if (!word.is_string()) {
          throw InputError(where, "__metadata__ '" + key + "' is not a string", "the file is damaged");
        }
        layout.metadata.emplace(key, word.get<std::string>());
      }
    } else {
      entries.push_back(parse_entry(name, value, where));
    }
  }
  // Arrays must tile the data: a gap could hide bytes, an overlap would let one array change another.
  std::sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  const std::uint64_t data_begin = 8 + header_size;
  std::int64_t position = 0;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin != position) {
      throw InputError(where + ": " + entry.name,
                       entry.begin < position ? "overlaps the array before it" : "leaves a gap before it",
                       "arrays must follow one another; the file is damaged");
    }
    position = entry.end;
  }
  if (static_cast<std::uint64_t>(position) != bytes.size() - data_begin) {
    throw InputError(where,
                     "the arrays take " + std::to_string(position) + " bytes, the file has " +
                         std::to_string(bytes.size() - data_begin) + " behind its header",
                     "the file is truncated or damaged");
  }
  for (SafetensorsEntry& entry : entries) {
    entry.begin += static_cast<std::int64_t>(data_begin);
    entry.end += static_cast<std::int64_t>(data_begin);
  }
  return layout;
}

Tensor tensor_at(std::span<const std::uint8_t> bytes, const SafetensorsEntry& entry) {
  Tensor tensor = entry.tensor;
  const auto data = std::as_bytes(
      bytes.subspan(static_cast<std::size_t>(entry.begin), static_cast<std::size_t>(entry.end - entry.begin)));
  tensor.data.assign(data.begin(), data.end());
  return tensor;
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  const MappedFile mapped(path);
  SafetensorsLayout layout = safetensors_layout(mapped.bytes(), path.string());
  TensorFile file{path.string(), {}, std::move(layout.metadata)};
  for (const SafetensorsEntry& entry : layout.entries) {
    file.tensors.emplace(entry.name, tensor_at(mapped.bytes(), entry));
    mapped.has_read(static_cast<std::size_t>(entry.end - entry.begin));
  }
  return file;
}

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::vector<std::uint8_t> bytes = safetensors_bytes(tensors, metadata);
  write_file_atomically(path, bytes);
}

std::vector<std::uint8_t> safetensors_bytes(const std::map<std::string, Tensor>& tensors,
                                            const std::map<std::string, std::string>& metadata) {
  // Widest elements first, then by name: without gaps every array is aligned to its element size.
  std::vector<const std::pair<const std::string, Tensor>*> order;
  for (const auto& item : tensors) {
    if (item.second.data.size() != static_cast<std::size_t>(item.second.elements()) * size_of(item.second.dtype)) {
      throw InputError(item.first, "its data does not have the size of its shape", "");
    }
    order.push_back(&item);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto* a, const auto* b) { return size_of(a->second.dtype) > size_of(b->second.dtype); });
  json header = json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  std::size_t position = 0;
  for (const auto* item : order) {
    const std::size_t end = position + item->second.data.size();
    header[item->first] = {
        {"dtype", to_text(item->second.dtype)}, {"shape", item->second.shape}, {"data_offsets", {position, end}}};
    position = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  std::vector<std::uint8_t> bytes;
  bytes.reserve(8 + text.size() + position);
  for (unsigned shift = 0; shift < 64; shift += 8) {
    bytes.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(text.size()) >> shift));
  }
  bytes.insert(bytes.end(), text.begin(), text.end());
  for (const auto* item : order) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(item->second.data.data());
    bytes.insert(bytes.end(), data, data + item->second.data.size());
  }
  return bytes;
}

}  // namespace axe

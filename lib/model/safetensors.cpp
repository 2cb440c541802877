// Reads and writes .safetensors: 8 bytes little-endian N, N bytes of JSON header, then the arrays, without gaps. Reading is
// strict: arrays tile the data exactly, names are distinct, nothing is ignored. `read_safetensors` and `write_safetensors`
// are the main functions. Side effects: reads one file, or replaces one atomically.
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "axecert/certificate/atomic_file.hpp"
#include "axecert/model/containers.hpp"

namespace axe {
namespace {

using nlohmann::json;

constexpr std::uint64_t longest_header = 100'000'000;  // as the format's reference reader has it
constexpr int deepest_header = 4;

// nlohmann's parser keeps the last of two equal keys; this one refuses them.
json parse_header(const std::string& text, const std::string& where) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > deepest_header) {
      throw InputError(where, "the header is nested too deeply", "the file is damaged");
    }
    if (event == json::parse_event_t::object_start) {
      keys.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      throw InputError(where, "'" + parsed.get<std::string>() + "' stands twice in the header",
                       "give every array its own name");
    }
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::exception& error) {
    throw InputError(where, std::string("the header is not JSON: ") + error.what(),
                     "not a .safetensors file, or a damaged one");
  }
}

std::int64_t size_field(const json& value, const std::string& place) {
  constexpr std::uint64_t most = std::uint64_t{1} << 48;
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most) {
    throw InputError(place, "expected a size, found " + value.dump(), "the file is damaged");
  }
  return value.get<std::int64_t>();
}

struct Entry {
  std::string name;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  Tensor tensor;  // without data
};

Entry parse_entry(const std::string& name, const json& value, const std::string& where) {
  const std::string place = where + ": " + name;
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
      !value.contains("data_offsets") || !value["dtype"].is_string() || !value["shape"].is_array() ||
      !value["data_offsets"].is_array() || value["data_offsets"].size() != 2) {
    throw InputError(place, "the header must give exactly dtype, shape and data_offsets", "the file is damaged");
  }
  Entry entry;
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

TensorFile read_safetensors(const std::filesystem::path& path) {
  TensorFile file;
  file.path = path.string();
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) {
    throw InputError(file.path, "cannot be opened", "check its permissions");
  }
  const auto file_size = static_cast<std::uint64_t>(stream.tellg());
  const auto read = [&](void* out, std::uint64_t position, std::uint64_t size) {
    stream.seekg(static_cast<std::streamoff>(position));
    stream.read(static_cast<char*>(out), static_cast<std::streamsize>(size));
    if (!stream || static_cast<std::uint64_t>(stream.gcount()) != size) {
      throw InputError(file.path, "cannot be read at byte " + std::to_string(position),
                       "the file changed, or the disk fails");
    }
  };
  const std::string unknown = "neither an .npz nor a .safetensors file";
  if (file_size < 8) {
    throw InputError(file.path, unknown + ": it has " + std::to_string(file_size) + " bytes", "the file is truncated");
  }
  std::uint64_t header_size = 0;
  read(&header_size, 0, 8);
  if (header_size > longest_header || header_size > file_size - 8 || header_size < 2) {
    throw InputError(file.path, unknown + ": its header would have " + std::to_string(header_size) + " bytes",
                     "the file is truncated or of another format");
  }
  std::string text(static_cast<std::size_t>(header_size), '\0');
  read(text.data(), 8, header_size);
  if (text[0] != '{') {
    throw InputError(file.path, unknown + ": its header does not begin with '{'", "the file is of another format");
  }
  const json header = parse_header(text, file.path);

  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      if (!value.is_object()) {
        throw InputError(file.path, "__metadata__ is not an object", "the file is damaged");
      }
      for (const auto& [key, word] : value.items()) {
        if (!word.is_string()) {
          throw InputError(file.path, "__metadata__ '" + key + "' is not a string", "the file is damaged");
        }
        file.metadata.emplace(key, word.get<std::string>());
      }
    } else {
      entries.push_back(parse_entry(name, value, file.path));
    }
  }
  // Arrays must tile the data: a gap could hide bytes, an overlap would let one array change another.
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  const std::uint64_t data_begin = 8 + header_size;
  std::int64_t position = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != position) {
      throw InputError(file.path + ": " + entry.name,
                       entry.begin < position ? "overlaps the array before it" : "leaves a gap before it",
                       "arrays must follow one another; the file is damaged");
    }
    position = entry.end;
  }
  if (static_cast<std::uint64_t>(position) != file_size - data_begin) {
    throw InputError(file.path,
                     "the arrays take " + std::to_string(position) + " bytes, the file has " +
                         std::to_string(file_size - data_begin) + " behind its header",
                     "the file is truncated or damaged");
  }
  for (Entry& entry : entries) {
    entry.tensor.data.resize(static_cast<std::size_t>(entry.end - entry.begin));
    read(entry.tensor.data.data(), data_begin + static_cast<std::uint64_t>(entry.begin), entry.tensor.data.size());
    file.tensors.emplace(std::move(entry.name), std::move(entry.tensor));
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

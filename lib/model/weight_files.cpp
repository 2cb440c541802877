// Weights in one file or in shards; see weight_files.hpp. Main class: WeightFiles. Side effects: reads files.
#include "axecert/model/weight_files.hpp"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

#include "axecert/model/containers.hpp"
#include "axecert/model/layers.hpp"
#include "axecert/model/strict_json.hpp"

namespace axe {
namespace {

using nlohmann::json;

constexpr std::string_view index_ending = ".index.json";
constexpr std::string_view weights_ending = ".safetensors";

/// What the checker reads of a layer: the arrays NAME.key, their type, and whether they have an entry or a line per row; the others
/// have one dimension.
struct CheckedArray {
  const char* key;
  DType dtype;
  bool by_row;
};
constexpr CheckedArray checked_arrays[] = {{".weight", DType::i8, true},
                                           {".bias", DType::i64, true},
                                           {".input_limit", DType::i64, false},
                                           {".input_lower", DType::i32, false},
                                           {".input_upper", DType::i32, false},
                                           {".input_shift", DType::i32, false},
                                           {".input_zero_point", DType::i32, false}};

/// What an index says: array → file name, and the bytes of all arrays together.
struct Index {
  std::map<std::string, std::string> shard_of;
  std::optional<std::uint64_t> total_size;
};

// A name in the index's own folder: nothing that could lead elsewhere.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.find_first_of("/\\") == std::string::npos && name.find('\0') == std::string::npos &&
         name != "." && name != "..";
}

Index read_index(const std::filesystem::path& path) {
  const std::string where = path.string();
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    throw InputError(where, "cannot be opened", "check the path and its permissions");
  }
  const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const json document = strict_json(text, where, "the index", 3);
  if (!document.is_object() || !document.contains("weight_map") || !document["weight_map"].is_object() ||
      document["weight_map"].empty()) {
    throw InputError(where, "has no weight_map from arrays to files", "an index of sharded .safetensors files has one");
  }
  Index index;
  for (const auto& [array, shard] : document["weight_map"].items()) {
    if (!shard.is_string()) {
      throw InputError(where + ": " + array, "is mapped to " + shard.dump(), "a file name");
    }
    const auto name = shard.get<std::string>();
    if (!is_plain_name(name)) {
      throw InputError(where + ": " + array, "lies in '" + name + "', which is not a file of the index's folder",
                       "shards stand beside their index");
    }
    if (!name.ends_with(weights_ending)) {
      throw InputError(where + ": " + array, "lies in '" + name + "'", "shards are .safetensors files");
    }
    index.shard_of.emplace(array, name);
  }
  if (document.contains("metadata") && document["metadata"].is_object() &&
      document["metadata"].contains("total_size")) {
    const json& size = document["metadata"]["total_size"];
    if (!size.is_number() || !(size.get<double>() >= 0 && size.get<double>() < 9e15)) {
      throw InputError(where, "total_size is " + size.dump(), "the bytes of all arrays together");
    }
    index.total_size =
        size.is_number_unsigned() ? size.get<std::uint64_t>() : static_cast<std::uint64_t>(size.get<double>());
  }
  return index;
}

/// The indices of a folder.
std::vector<std::filesystem::path> indices_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> indices;
  std::error_code problem;
  for (const auto& item : std::filesystem::directory_iterator(folder, problem)) {
    if (item.path().filename().string().ends_with(index_ending)) {
      indices.push_back(item.path());
    }
  }
  return indices;
}

std::filesystem::path index_in(const std::filesystem::path& folder) {
  const std::vector<std::filesystem::path> indices = indices_in(folder);
  if (indices.size() != 1) {
    throw InputError(folder.string(), "holds " + std::to_string(indices.size()) + " files *.index.json",
                     "name one of them");
  }
  return indices[0];
}

}  // namespace

struct WeightFiles::State {
  struct Place {
    std::size_t shard;
    SafetensorsEntry entry;
  };
  std::vector<MappedFile> shards;
  TensorFile outline;
  std::map<std::string, Place> places;
  std::atomic<std::size_t> read{0};

  std::string shard_name(std::size_t i) const { return shards[i].path().string(); }

  void let_go() const {
    for (const MappedFile& shard : shards) {
      shard.let_go();
    }
  }

  // Like MappedFile::has_read, for all shards together: per shard, what stays would grow with their number.
  void has_read(std::size_t bytes) {
    if (read.fetch_add(bytes) + bytes >= MappedFile::most_resident) {
      read = 0;
      let_go();
    }
  }

  void open(const std::filesystem::path& path) {
    shards.emplace_back(path);
    const std::size_t number = shards.size() - 1;
    SafetensorsLayout layout = safetensors_layout(shards.back().bytes(), path.string());
    for (SafetensorsEntry& entry : layout.entries) {
      const std::string name = entry.name;
      const auto [found, fresh] = places.try_emplace(name, Place{number, entry});
      if (!fresh) {
        throw InputError(path.string() + ": " + name, "lies in " + shard_name(found->second.shard) + " too",
                         "every array belongs in one shard");
      }
      outline.tensors.emplace(name, std::move(entry.tensor));
    }
    for (const auto& [key, word] : layout.metadata) {
      const auto [found, fresh] = outline.metadata.emplace(key, word);
      if (!fresh && found->second != word) {
        throw InputError(path.string() + ": metadata " + key,
                         "is '" + word + "', another shard has '" + found->second + "'", "shards of one model agree");
      }
    }
  }

  void open_shards(const std::filesystem::path& path) {
    const Index index = read_index(path);
    std::map<std::string, std::string> first_array;
    for (const auto& [array, shard] : index.shard_of) {
      first_array.emplace(shard, array);
    }
    for (const auto& [shard, array] : first_array) {
      const std::filesystem::path file = path.parent_path() / shard;
      std::error_code problem;
      if (!std::filesystem::exists(file, problem)) {
        throw InputError(file.string(), "no such file; " + path.string() + " places '" + array + "' there",
                         "the shard is missing: fetch it, or make the index again");
      }
      open(file);
    }
    std::uint64_t bytes = 0;
    for (const auto& [array, place] : places) {
      bytes += static_cast<std::uint64_t>(place.entry.end - place.entry.begin);
      const auto listed = index.shard_of.find(array);
      if (listed == index.shard_of.end()) {
        throw InputError(shard_name(place.shard) + ": " + array, "is not in " + path.string(), "make the index again");
      }
      if (shards[place.shard].path().filename() != listed->second) {
        throw InputError(shard_name(place.shard) + ": " + array, path.string() + " places it in " + listed->second,
                         "make the index again");
      }
    }
    for (const auto& [array, shard] : index.shard_of) {
      if (places.find(array) == places.end()) {
        throw InputError((path.parent_path() / shard).string() + ": " + array,
                         "no such array, though " + path.string() + " places it there", "make the index again");
      }
    }
    if (index.total_size && *index.total_size != bytes) {
      throw InputError(path.string(),
                       "total_size is " + std::to_string(*index.total_size) + ", the arrays of its shards have " +
                           std::to_string(bytes) + " bytes",
                       "a shard is of another model, or the index is");
    }
  }
};

bool is_sharded(const std::filesystem::path& path) {
  std::error_code problem;
  return path.filename().string().ends_with(index_ending) ||
         (std::filesystem::is_directory(path, problem) && !indices_in(path).empty());
}

bool is_safetensors(const std::filesystem::path& path) {
  char head[2] = {0, 0};
  return is_sharded(path) || !std::ifstream(path, std::ios::binary).read(head, 2) || head[0] != 'P' || head[1] != 'K';
}

WeightFiles::WeightFiles(const std::filesystem::path& given) : state_(std::make_unique<State>()) {
  std::error_code problem;
  const std::filesystem::path path = std::filesystem::is_directory(given, problem) ? index_in(given) : given;
  state_->outline.path = path.string();
  if (path.filename().string().ends_with(index_ending)) {
    state_->open_shards(path);
  } else {
    state_->open(path);
  }
}
WeightFiles::~WeightFiles() = default;

const std::vector<MappedFile>& WeightFiles::shards() const {
  return state_->shards;
}
const TensorFile& WeightFiles::outline() const {
  return state_->outline;
}
std::vector<std::string> WeightFiles::layers() const {
  return layer_names(state_->outline);
}

TensorFile WeightFiles::layer(const std::string& name) const {
  return layer(name, true);
}

TensorFile WeightFiles::layer_without_weights(const std::string& name) const {
  return layer(name, false);
}

TensorFile WeightFiles::layer(const std::string& name, bool with_weights) const {
  TensorFile file{this->name(), {}, metadata_of(state_->outline, name)};
  std::optional<std::size_t> shard;
  bool several = false;
  for_each_of(state_->places, name, [&](const auto& found) {
    const auto& [array, place] = found;
    several = several || (shard && *shard != place.shard);
    shard = place.shard;
    const bool left_out = !with_weights && array == name + ".weight";
    file.tensors.emplace(array,
                         left_out ? place.entry.tensor : tensor_at(state_->shards[place.shard].bytes(), place.entry));
    state_->has_read(static_cast<std::size_t>(place.entry.end - place.entry.begin));
  });
  if (shard && !several) {
    file.path = state_->shard_name(*shard);
  }
  return file;
}

TensorFile WeightFiles::rows(const std::string& name, std::int64_t begin, std::int64_t end) const {
  TensorFile file{this->name(), {}, metadata_of(state_->outline, name)};
  const Tensor& weight = state_->outline.at(name + ".weight");
  if (weight.dtype != DType::i8 || weight.shape.size() != 2 || begin < 0 || begin >= end || end > weight.shape[0]) {
    throw InputError(this->name() + ": " + name + ".weight",
                     "is " + to_text(weight.dtype) + " " + shape_text(weight.shape) + ", rows " +
                         std::to_string(begin) + " to " + std::to_string(end) + " of it were asked for",
                     "I8 [rows, K], 0 ≤ begin < end ≤ rows");
  }
  for (const CheckedArray& checked : checked_arrays) {
    const auto place = state_->places.find(name + checked.key);
    if (place == state_->places.end()) {
      continue;
    }
    SafetensorsEntry entry = place->second.entry;
    if (checked.by_row && !entry.tensor.shape.empty() && entry.tensor.shape[0] == weight.shape[0]) {
      const std::int64_t row = (entry.end - entry.begin) / weight.shape[0];
      entry.tensor.shape[0] = end - begin;
      entry.end = entry.begin + end * row;
      entry.begin += begin * row;
    }
    const MappedFile& shard = state_->shards[place->second.shard];
    file.tensors.emplace(name + checked.key, tensor_at(shard.bytes(), entry));
    state_->has_read(static_cast<std::size_t>(entry.end - entry.begin));
  }
  return file;
}

TensorFile WeightFiles::all_arrays() const {
  TensorFile file{name(), {}, state_->outline.metadata};
  for (const auto& [array, place] : state_->places) {
    file.tensors.emplace(array, tensor_at(state_->shards[place.shard].bytes(), place.entry));
    state_->has_read(static_cast<std::size_t>(place.entry.end - place.entry.begin));
  }
  return file;
}

bool WeightFiles::as_the_checker_reads() const {
  for (const auto& [array, tensor] : state_->outline.tensors) {
    for (const CheckedArray& checked : checked_arrays) {
      if (array.ends_with(checked.key) &&
          (tensor.dtype != checked.dtype || (!checked.by_row && tensor.shape.size() != 1))) {
        return false;
      }
    }
  }
  return true;
}

std::span<const std::uint8_t> WeightFiles::bytes_of(const std::string& array) const {
  const auto place = state_->places.find(array);
  if (place == state_->places.end()) {
    throw InputError(name(), "no array '" + array + "'", "docs/layers.md lists the keys of a layer");
  }
  const SafetensorsEntry& entry = place->second.entry;
  return state_->shards[place->second.shard].bytes().subspan(static_cast<std::size_t>(entry.begin),
                                                             static_cast<std::size_t>(entry.end - entry.begin));
}

void WeightFiles::let_go() const {
  state_->let_go();
}

}  // namespace axe

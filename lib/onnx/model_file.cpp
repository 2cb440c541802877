// Reads the protobuf message and maps external data; see model_file.hpp. Side effects: reads and maps files.
#include "axecert/onnx/model_file.hpp"

#include <cstdint>
#include <limits>

namespace axe {
namespace {

/// The value of `key` among the external_data entries; empty when absent.
std::string entry(const onnx::TensorProto& tensor, const std::string& key) {
  for (const auto& pair : tensor.external_data()) {
    if (pair.key() == key) {
      return pair.value();
    }
  }
  return "";
}

std::size_t number(const std::string& text, const std::string& place, const char* what) {
  std::size_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || value > (std::numeric_limits<std::size_t>::max() - 9) / 10) {
      throw InputError(place, std::string("external data: ") + what + " is '" + text + "'", "a number of bytes");
    }
    value = value * 10 + static_cast<std::size_t>(c - '0');
  }
  return value;
}

}  // namespace

ModelFile::ModelFile(const std::filesystem::path& path) : path_(path.string()), folder_(path.parent_path()) {
  const MappedFile file(path);
  constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();  // protobuf's own limit
  if (file.bytes().size() > most) {
    throw InputError(path_, "is larger than 2 GiB, which no protobuf message may be",
                     "save the tensors as external data beside the model");
  }
  if (!model_.ParseFromArray(file.bytes().data(), static_cast<int>(file.bytes().size()))) {
    throw InputError(path_, "is no ONNX model: the protobuf message is broken or cut short", "export it again");
  }
  size_ = file.bytes().size();
  if (!model_.has_graph()) {
    throw InputError(path_, "holds no graph", "is this an ONNX model?");
  }
}

bool is_external(const onnx::TensorProto& tensor) {
  return tensor.data_location() == onnx::TensorProto::EXTERNAL;
}

std::span<const std::byte> ModelFile::raw(const onnx::TensorProto& tensor, const std::string& place) const {
  if (!is_external(tensor)) {
    return std::as_bytes(std::span<const char>(tensor.raw_data().data(), tensor.raw_data().size()));
  }
  const std::string location = entry(tensor, "location");
  const std::filesystem::path relative(location);
  bool outside = location.empty() || relative.is_absolute();
  for (const auto& part : relative) {
    outside = outside || part == "..";
  }
  if (outside) {
    throw InputError(place, "external data lie in '" + location + "'", "a path below the model's folder, without '..'");
  }
  auto found = external_.find(location);
  if (found == external_.end()) {
    const std::filesystem::path file = folder_ / relative;
    std::error_code error;
    if (!std::filesystem::exists(file, error)) {
      throw InputError(place, "external data: no file '" + file.string() + "'", "keep it beside the model");
    }
    found = external_.try_emplace(location, file).first;
    size_ += found->second.bytes().size();
  }
  const std::span<const std::byte> all = std::as_bytes(found->second.bytes());
  const std::size_t offset = number(entry(tensor, "offset"), place, "offset");
  const std::string length_text = entry(tensor, "length");
  if (offset > all.size()) {
    throw InputError(place, "external data begin behind the end of '" + location + "'", "is the file cut short?");
  }
  const std::size_t length = length_text.empty() ? all.size() - offset : number(length_text, place, "length");
  if (length > all.size() - offset) {
    throw InputError(place, "external data end behind the end of '" + location + "'", "is the file cut short?");
  }
  return all.subspan(offset, length);
}

void ModelFile::charge(std::size_t bytes) const {
  constexpr std::size_t besides = std::size_t{1} << 20;  // for the smallest models
  work_ += bytes;
  if (work_ / most_work > size_ && work_ > besides) {
    throw InputError(
        path_,
        "makes its constants of one another so often that reading it is more work than a file of its size warrants",
        "fold its constants, or export it again");
  }
}

}  // namespace axe

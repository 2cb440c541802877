// An ONNX model in memory: the protobuf message, and the bytes of every tensor, which may lie in files beside the model. Those
// files are mapped, not read. `ModelFile` is the main class. Only lib/onnx includes this. Side effects: reads and maps files.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "axecert/certificate/mapped_file.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {

class ModelFile {
 public:
  /// Throws InputError: no protobuf message, no graph, more than 2 GiB in the message itself.
  explicit ModelFile(const std::filesystem::path& path);

  const std::string& path() const { return path_; }
  const onnx::ModelProto& model() const { return model_; }
  onnx::ModelProto& model() { return model_; }

  /// The bytes of a tensor that keeps them as raw data, in the message or outside; empty when it keeps numbers in typed fields.
  /// Throws InputError (`place` is the tensor's) when an external file is missing, too short or outside the model's folder.
  std::span<const std::byte> raw(const onnx::TensorProto& tensor, const std::string& place) const;

  /// Notes `bytes` of work on constants. Throws InputError when it is more than most_work times the bytes of the model: a few nodes can ask for
  /// the same constant again and again, and each for two others.
  void charge(std::size_t bytes) const;
  static constexpr std::size_t most_work = 500;

 private:
  std::string path_;
  std::filesystem::path folder_;
  onnx::ModelProto model_;
  mutable std::map<std::string, MappedFile> external_;
  mutable std::size_t size_ = 0;  ///< of the message and of the external files that were mapped
  mutable std::size_t work_ = 0;
};

/// True when the tensor's bytes lie in another file.
bool is_external(const onnx::TensorProto& tensor);

}  // namespace axe

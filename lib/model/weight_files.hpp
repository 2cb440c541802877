// The arrays of a model in one .safetensors file, or in the shards that an index lists (the layout of Llama checkpoints:
// model-00001-of-00003.safetensors, … and model.safetensors.index.json). `WeightFiles` is the main class: it maps the files and
// reads their headers; arrays are read a layer at a time, so that what is resident does not grow with the files. Side effects:
// reads files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "axecert/certificate/mapped_file.hpp"
#include "axecert/model/tensors.hpp"

namespace axe {

/// A file whose name ends in .index.json, or a folder that holds one.
bool is_sharded(const std::filesystem::path& path);

/// What WeightFiles opens: sharded, or a file that does not begin as an .npz file does.
bool is_safetensors(const std::filesystem::path& path);

class WeightFiles {
 public:
  /// A .safetensors file, an index, or a folder with one index. Throws InputError that names the shard and
  /// the array: a shard that is missing, or that the index places outside its folder; an array in two shards, in none, or in another
  /// than the index says; one that the index does not list; a total_size that is not the sum of the arrays; metadata of two shards
  /// that disagree.
  explicit WeightFiles(const std::filesystem::path& path);
  ~WeightFiles();

  /// The files in the order of their names; one when there is no index.
  const std::vector<MappedFile>& shards() const;
  /// Every array without its data, and all metadata.
  const TensorFile& outline() const;
  /// What places in errors call it: the file, or the index.
  const std::string& name() const { return outline().path; }
  /// Names of the layers, sorted, as layer_names.
  std::vector<std::string> layers() const;
  /// The arrays NAME.KEY of one layer, and its metadata NAME.KEY. `path` names the shard, or the index when the layer lies in several.
  TensorFile layer(const std::string& name) const;
  /// The same, but of NAME.weight only type and shape: its data are bytes_of(NAME.weight), where they are mapped.
  TensorFile layer_without_weights(const std::string& name) const;
  /// The same of rows [begin, end) of the layer's weight and bias, with what else the checker reads of a layer and nothing more. Only these
  /// rows are looked at. Throws InputError when there are no such rows, or the weight is no I8 matrix.
  TensorFile rows(const std::string& name, std::int64_t begin, std::int64_t end) const;
  TensorFile all_arrays() const;
  /// Whether the checker reads these files as they are: arrays NAME.weight that are integers are I8, biases and input limits I64,
  /// the quantizer's other integers I32.
  bool as_the_checker_reads() const;
  /// The bytes of one array where they are mapped. Throws InputError when there is none.
  std::span<const std::uint8_t> bytes_of(const std::string& array) const;
  /// Gives back the memory behind all files.
  void let_go() const;

 private:
  TensorFile layer(const std::string& name, bool with_weights) const;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace axe

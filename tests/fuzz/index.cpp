// An index of shards (*.index.json) with its shards: any bytes are opened or refused with an InputError; what was opened lies in the index's own
// folder, and is the same arrays whether they are read all at once or a layer at a time. Input: two bytes, the index's length; the index; the
// rest is the shard a.safetensors, beside which b.safetensors always is the same. Main function: LLVMFuzzerTestOneInput. It aborts on a finding.
// Side effects: a temporary folder.
// Requirements: TOR-202, TOR-504.
#include <filesystem>
#include <fstream>

#include "../scratch_folder.hpp"
#include "axecert/model/layers.hpp"
#include "axecert/model/weight_files.hpp"
#include "target.hpp"

using namespace axe;

namespace {

struct Folder : test::ScratchFolder {
  Folder() {
    std::map<std::string, Tensor> arrays;
    arrays["y.weight"] = Tensor::of({2, 3}, std::vector<std::int8_t>{1, 2, 3, 4, 5, 6});
    arrays["y.bias"] = Tensor::of({2}, std::vector<std::int64_t>{7, 8});
    write_safetensors(path() / "b.safetensors", arrays, {{"format", "pt"}});
  }
};

void write(const std::filesystem::path& path, const std::uint8_t* data, std::size_t size) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
}

void demand_same(const Tensor* one, const Tensor& other) {
  if (one == nullptr || one->dtype != other.dtype || one->shape != other.shape || one->data != other.data) {
    fuzz::finding("an array is another when its layer is read");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  if (size < 2) {
    return 0;
  }
  const std::size_t length =
      std::min(size - 2, static_cast<std::size_t>(data[0]) | static_cast<std::size_t>(data[1]) << 8);
  const std::filesystem::path index = folder / "model.safetensors.index.json";
  write(index, data + 2, length);
  write(folder / "a.safetensors", data + 2 + length, size - 2 - length);
  try {
    const WeightFiles files(index);
    for (const MappedFile& shard : files.shards()) {
      if (shard.path().parent_path() != folder.path()) {
        fuzz::finding("a shard outside the index's folder");
      }
    }
    const TensorFile all = files.all_arrays();
    for (const auto& [name, tensor] : all.tensors) {
      const std::span<const std::uint8_t> bytes = files.bytes_of(name);
      if (bytes.size() != tensor.data.size() ||
          !std::equal(bytes.begin(), bytes.end(), reinterpret_cast<const std::uint8_t*>(tensor.data.data()))) {
        fuzz::finding("an array is another where it is mapped");
      }
    }
    for (const std::string& layer : files.layers()) {
      for (const auto& [name, tensor] : files.layer(layer).tensors) {
        demand_same(all.find(name), tensor);
      }
    }
  } catch (const InputError&) {
  }
  return 0;
}

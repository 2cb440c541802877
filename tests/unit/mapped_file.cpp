// Mapped files give back the memory behind what was read: after 16 MiB, not after each array, and for all shards of a model together.
// Main functions: the test cases. Side effects: files of 32 MiB in the system's temporary folder, removed again.
#include "axecert/certificate/mapped_file.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <vector>

#include "../scratch_folder.hpp"
#include "axecert/model/weight_files.hpp"

using namespace axe;
using axe::test::ScratchFolder;

namespace {

constexpr std::size_t mebi = std::size_t{1} << 20;

// Bytes of files that this process has in memory (proc(5), RssFile).
std::size_t resident() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "RssFile:") {
      std::size_t kibi = 0;
      status >> kibi;
      return kibi * 1024;
    }
  }
  FAIL("no RssFile in /proc/self/status");
  return 0;
}

std::uint64_t read_all(std::span<const std::uint8_t> bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 512) {
    sum += bytes[i];
  }
  return sum;
}

}  // namespace

TEST_CASE("a mapped file gives its memory back when 16 MiB were read, not before, and its bytes stay readable") {
  const ScratchFolder folder;
  const std::filesystem::path path = folder / "bytes";
  std::ofstream(path, std::ios::binary) << std::string(32 * mebi, 'a');
  const MappedFile file(path);
  const std::size_t before = resident();
  const std::uint64_t sum = read_all(file.bytes());
  CHECK(sum == 32 * mebi / 512 * 'a');
  CHECK(resident() >= before + 32 * mebi);
  file.has_read(1);
  file.has_read(16 * mebi - 2);
  CHECK(resident() >= before + 32 * mebi);
  file.has_read(1);
  CHECK(resident() < before + 2 * mebi);
  CHECK(read_all(file.bytes()) == sum);
  file.has_read(16 * mebi - 1);  // it counts from the last time
  CHECK(resident() >= before + 32 * mebi);
  file.let_go();
  CHECK(resident() < before + 2 * mebi);
}

TEST_CASE("what stays in memory of a model's shards does not grow with their number") {
  const ScratchFolder folder;
  constexpr std::int64_t rows = 1024, cols = 2048;  // 2 MiB
  constexpr int shards = 16;
  std::string map;
  for (int i = 0; i < shards; ++i) {
    const std::string name = "layer" + std::to_string(i) + ".weight",
                      shard = "part" + std::to_string(i) + ".safetensors";
    write_safetensors(folder / shard, {{name, Tensor::of({rows, cols}, std::vector<std::int8_t>(rows * cols, 1))}}, {});
    map += (i == 0 ? "\"" : ",\"") + name + "\":\"" + shard + "\"";
  }
  std::ofstream(folder / "model.safetensors.index.json") << "{\"weight_map\":{" << map << "}}";
  const WeightFiles files(folder.path());
  files.let_go();  // the system may have mapped more than the headers
  const std::size_t before = resident();
  std::size_t most = 0;
  for (int i = 0; i < shards; ++i) {
    CHECK(files.layer("layer" + std::to_string(i)).at("layer" + std::to_string(i) + ".weight").elements() ==
          rows * cols);
    most = std::max(most, resident() - std::min(resident(), before));
  }
  CHECK(most >= 4 * mebi);   // one layer is not given back before the next is read …
  CHECK(most <= 20 * mebi);  // … and of 32 MiB in all no more than 16, and a layer, are kept
  files.let_go();
  CHECK(resident() < before + 2 * mebi);
}

// Writes every golden file into the folder that it is given: `make_golden tests/golden`. Main function: main. Side effects: the
// files FOLDER/{accept,reject,malformed}/REASON.DETAIL.{axec,safetensors}; others are left alone.
#include <cstdio>

#include "axecert/certificate/atomic_file.hpp"
#include "golden_files.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: make_golden FOLDER\n", stderr);
    return 64;
  }
  const std::filesystem::path folder(argv[1]);
  for (const auto& [name, pair] : axe::tiny::golden_files()) {
    std::filesystem::create_directories((folder / name).parent_path());
    axe::write_file_atomically(folder / (name + ".axec"), pair.certificate);
    axe::write_file_atomically(folder / (name + ".safetensors"), pair.weights);
  }
  return 0;
}

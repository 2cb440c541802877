// Runs a fuzz target without libFuzzer: driver [--seconds N] [--seed S] PATH...: every file of the paths (files or folders), then files that are made
// of them by small changes, for N seconds; with 0, none. So AFL can drive it: `afl-fuzz -i CORPUS -o OUT -- fuzz_NAME --seconds 0 @@`. It knows nothing of coverage; the clang build has libFuzzer instead (preset `fuzz`). What it finds is left in
// finding.bin of the current folder. Main function: main. Side effects: reads the folders; writes finding.bin while a target runs.
#include <algorithm>
#include <csignal>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "target.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;

const Bytes* current = nullptr;

void keep_current() {
  if (current != nullptr) {
    std::ofstream("finding.bin", std::ios::binary)
        .write(reinterpret_cast<const char*>(current->data()), static_cast<std::streamsize>(current->size()));
    std::fputs("the input is in finding.bin\n", stderr);
  }
}

void on_signal(int signal) {
  keep_current();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const Bytes& bytes) {
  current = &bytes;
  (void)LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  current = nullptr;
}

Bytes read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Bytes changed(const std::vector<Bytes>& seeds, std::mt19937_64& random) {
  Bytes bytes = seeds[random() % seeds.size()];
  for (std::uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
    const std::size_t at = bytes.empty() ? 0 : random() % bytes.size();
    const auto offset = static_cast<std::ptrdiff_t>(at);
    switch (random() % 7) {
      case 0:
        if (!bytes.empty()) bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1u << (random() % 8)));
        break;
      case 1:
        if (!bytes.empty()) bytes[at] = static_cast<std::uint8_t>(random());
        break;
      case 2:
        if (!bytes.empty()) bytes.erase(bytes.begin() + offset);
        break;
      case 3:
        bytes.insert(bytes.begin() + offset, static_cast<std::uint8_t>(random()));
        break;
      case 4:
        bytes.resize(at);
        break;
      case 5: {  // a piece of another seed in this place
        const Bytes& other = seeds[random() % seeds.size()];
        const std::size_t from = other.empty() ? 0 : random() % other.size();
        const std::size_t length = std::min<std::size_t>({other.size() - from, bytes.size() - at, 1 + random() % 64});
        std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(from), length, bytes.begin() + offset);
        break;
      }
      default:  // a digit becomes another: numbers in headers
        for (std::size_t i = at; i < bytes.size(); ++i) {
          if (bytes[i] >= '0' && bytes[i] <= '9') {
            bytes[i] = static_cast<std::uint8_t>('0' + random() % 10);
            break;
          }
        }
    }
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 1;
  std::uint64_t seed = 1;
  std::vector<Bytes> seeds;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
      seconds = std::strtod(argv[++i], nullptr);
    } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      if (std::filesystem::is_regular_file(argv[i])) {
        seeds.push_back(read(argv[i]));
        continue;
      }
      for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
        if (entry.is_regular_file()) {
          seeds.push_back(read(entry.path()));
        }
      }
    }
  }
  if (seeds.empty()) {
    std::fputs("usage: driver [--seconds N] [--seed S] PATH...   (with at least one file)\n", stderr);
    return 64;
  }
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS}) {
    std::signal(signal, on_signal);
  }
  for (const Bytes& bytes : seeds) {
    run(bytes);
  }
  std::mt19937_64 random(seed);
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t runs = 0;
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds) {
    run(changed(seeds, random));
    ++runs;
  }
  std::printf("%zu seeds, %llu changed inputs, no finding\n", seeds.size(), static_cast<unsigned long long>(runs));
  return 0;
}

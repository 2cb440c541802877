// What the fuzz targets share: the function that libFuzzer calls, how one is given a file instead of bytes, and how a finding is reported. A
// target aborts on a finding; anything else that it does (a verdict, an InputError) is fine. No side effects but an anonymous file.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace axe::fuzz {

[[noreturn]] inline void finding(const char* what) {
  std::fprintf(stderr, "finding: %s\n", what);
  std::abort();
}

/// An anonymous file in memory with these bytes; its path is good as long as this lives.
class MemoryFile {
 public:
  MemoryFile(const std::uint8_t* data, std::size_t size) : descriptor_(::memfd_create("fuzz", 0)) {
    if (descriptor_ < 0) {
      finding("no anonymous file");
    }
    for (std::size_t done = 0; done < size;) {
      const ssize_t wrote = ::write(descriptor_, data + done, size - done);
      if (wrote <= 0) {
        finding("an anonymous file cannot be written");
      }
      done += static_cast<std::size_t>(wrote);
    }
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(descriptor_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }
  /// The path for another process.
  std::string path_for_others() const {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(descriptor_);
  }

 private:
  int descriptor_;
};

}  // namespace axe::fuzz

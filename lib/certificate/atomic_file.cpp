// Files that are either whole or absent; see atomic_file.hpp. Main function: write_file_atomically. Side effects: one
// temporary file beside the target, then the target itself.
#include "axecert/certificate/atomic_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* what, int reason) {
  throw InputError(path.string(), std::string("cannot ") + what + ": " + std::strerror(reason),
                   "check that the folder exists, is writable and has room");
}

// The descriptor and the name of the temporary file; what is not kept is removed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& target) : target_(target) {
    static std::atomic<unsigned> serial{0};
    do {
      name_ = target;
      name_ += ".tmp." + std::to_string(getpid()) + "." + std::to_string(serial.fetch_add(1));
      descriptor_ = open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (descriptor_ < 0 && errno == EEXIST);
    if (descriptor_ < 0) fail(target_, "create a file beside it", errno);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (descriptor_ >= 0) close(descriptor_);
    if (!kept_) unlink(name_.c_str());
  }

  void write_all(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(target_, "write", errno);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    if (fsync(descriptor_) != 0) fail(target_, "sync", errno);
  }

  void keep() {
    const int closed = close(descriptor_);
    descriptor_ = -1;
    if (closed != 0) fail(target_, "close", errno);
    if (rename(name_.c_str(), target_.c_str()) != 0) fail(target_, "rename", errno);
    kept_ = true;
  }

 private:
  std::filesystem::path target_;
  std::filesystem::path name_;
  int descriptor_ = -1;
  bool kept_ = false;
};

void sync_folder(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // a folder that may be written but not read: the rename stands, only its sync is missing
  const bool failed =
      fsync(descriptor) != 0 && errno != EINVAL && errno != EROFS;  // some file systems have no folder sync
  const int reason = errno;
  close(descriptor);
  if (failed) fail(path, "sync the folder", reason);
}

}  // namespace

void write_file_atomically(const std::filesystem::path& path, std::span<const std::uint8_t> bytes) {
  TemporaryFile file(path);
  file.write_all(bytes);
  file.keep();
  sync_folder(path);
}

}  // namespace axe

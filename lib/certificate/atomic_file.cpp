// Files that are either whole or absent; see atomic_file.hpp. Main class: PendingFile. Side effects: one temporary file beside
// the target, then the target itself.
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

PendingFile::PendingFile(const std::filesystem::path& target) : target_(target) {
  static std::atomic<unsigned> serial{0};
  do {
    name_ = target;
    name_ += ".tmp." + std::to_string(getpid()) + "." + std::to_string(serial.fetch_add(1));
    descriptor_ = open(name_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) fail(target_, "create a file beside it", errno);
}

PendingFile::~PendingFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!kept_) unlink(name_.c_str());
}

void PendingFile::append(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(target_, "write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void PendingFile::overwrite(std::uint64_t position, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(target_, "write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    position += static_cast<std::uint64_t>(written);
  }
}

void PendingFile::read(std::uint64_t position, std::span<std::uint8_t> bytes) const {
  while (!bytes.empty()) {
    const ssize_t got = pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail(target_, "read what was written", got < 0 ? errno : EIO);
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    position += static_cast<std::uint64_t>(got);
  }
}

void PendingFile::keep() {
  if (fsync(descriptor_) != 0) fail(target_, "sync", errno);
  const int closed = close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) fail(target_, "close", errno);
  if (rename(name_.c_str(), target_.c_str()) != 0) fail(target_, "rename", errno);
  kept_ = true;
  sync_folder(target_);
}

void write_file_atomically(const std::filesystem::path& path, std::span<const std::uint8_t> bytes) {
  PendingFile file(path);
  file.append(bytes);
  file.keep();
}

}  // namespace axe

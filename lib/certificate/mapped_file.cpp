// Files as memory; see mapped_file.hpp. Main class: MappedFile. Side effects: mmap and munmap.
#include "axecert/certificate/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "axecert/numeric/error.hpp"

namespace axe {

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  const auto fail = [&](const char* what, int reason) {
    throw InputError(path.string(), std::string("cannot be ") + what + ": " + std::strerror(reason),
                     "check the path and its permissions");
  };
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail("opened", errno);
  struct stat facts {};
  int reason = fstat(descriptor, &facts) == 0 ? 0 : errno;
  const bool regular = reason == 0 && S_ISREG(facts.st_mode);
  if (regular && facts.st_size > 0) {
    size_ = static_cast<std::size_t>(facts.st_size);
    void* data = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED) {
      reason = errno;
      size_ = 0;
    } else {
      data_ = static_cast<const std::uint8_t*>(data);
    }
  }
  close(descriptor);
  if (reason != 0) fail("mapped", reason);
  if (!regular) throw InputError(path.string(), "is not a regular file", "name a file");
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::uint8_t*>(data_), size_);
}

void MappedFile::has_read(std::size_t bytes) const {
  if (read_.fetch_add(bytes) + bytes >= most_resident) {
    read_ = 0;
    let_go();
  }
}

void MappedFile::let_go() const {
  // The pages are clean and backed by the file, so the kernel may drop them. (posix_madvise does nothing in glibc.)
  if (data_ != nullptr) (void)madvise(const_cast<std::uint8_t*>(data_), size_, MADV_DONTNEED);
}

}  // namespace axe

// A file as memory that is filled from disk when it is read and can be given back at any time, so that what is resident does not
// grow with the file. `MappedFile` is the only class. Side effects: a mapping, gone with the object.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace axe {

/// The bytes of a regular file, read-only. Whoever changes the file meanwhile changes what is read; a file that is cut short under
/// a reader ends the program (SIGBUS).
class MappedFile {
 public:
  static constexpr std::size_t most_resident = std::size_t{1} << 24;  ///< bytes read, after which memory is given back
  /// Throws InputError that names `path`.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  const std::filesystem::path& path() const { return path_; }
  std::span<const std::uint8_t> bytes() const { return {data_, size_}; }
  /// Gives back the memory behind all bytes; they are there again when they are read again.
  void let_go() const;
  /// Says that so many bytes were read, and gives back the memory when they have come to most_resident since it last was.
  void has_read(std::size_t bytes) const;

 private:
  std::filesystem::path path_;
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  mutable std::atomic<std::size_t> read_{0};
};

}  // namespace axe

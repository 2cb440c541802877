// Files that are either whole or absent. `PendingFile` is one that is being made, `write_file_atomically` makes one from bytes in
// memory. Side effects: a temporary file beside the target, then the target itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace axe {

/// A new file under a temporary name in the folder of `target`. What is not kept is removed. Every method throws InputError that
/// names the target and the system's reason.
class PendingFile {
 public:
  explicit PendingFile(const std::filesystem::path& target);
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;
  ~PendingFile();

  /// Where it is until it is kept.
  const std::filesystem::path& place() const { return name_; }
  const std::filesystem::path& target() const { return target_; }
  void append(std::span<const std::uint8_t> bytes);
  void overwrite(std::uint64_t position, std::span<const std::uint8_t> bytes);
  /// `size` bytes at `position` of what was appended.
  void read(std::uint64_t position, std::span<std::uint8_t> bytes) const;
  /// Syncs it, renames it over the target and syncs the folder: a reader, or a machine that loses power, sees the old content or
  /// the new, never a part.
  void keep();

 private:
  std::filesystem::path target_;
  std::filesystem::path name_;
  int descriptor_ = -1;
  bool kept_ = false;
};

/// `bytes` as a file that is whole or absent.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::uint8_t> bytes);

}  // namespace axe

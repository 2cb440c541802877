// Files that are either whole or absent. `write_file_atomically` is the only function; its side effect is the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace axe {

/// Writes `bytes` to a new file in the same folder, syncs it, renames it over `path` and syncs the folder: a reader, or a
/// machine that loses power, sees the old content or the new, never a part. Throws InputError that names `path` and the
/// system's reason; the temporary file is then removed.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::uint8_t> bytes);

}  // namespace axe

// Where this program runs and what it is made of: its own file and that file's SHA-256, the system, the processor, the compiler, and
// the libraries with the versions that are really loaded. For reports that say what was tested. Side effects: reads its own file and
// /proc.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace axe::cli {

/// SHA-256 of a file, 64 hex digits. Throws InputError when it cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);

/// "2026-11-26T03:20:00Z"; SOURCE_DATE_EPOCH, seconds since 1970, takes the clock's place where it is set.
std::string utc_now();

/// This program's file, or an empty path where the system does not say.
std::filesystem::path own_program();

std::string platform();   ///< "Linux 6.1.0 x86_64"
std::string processor();  ///< as the system names it, or empty
std::string compiler();   ///< "GCC 12.2.0"

struct Library {
  std::string name;
  std::string
      version;  ///< as loaded, or as compiled in for libraries of headers alone; empty when the library does not say
  std::string licence;  ///< SPDX expression
};
/// What is linked, in alphabetical order.
std::vector<Library> libraries();

}  // namespace axe::cli

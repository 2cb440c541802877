// Files that nobody writes by accident: headers that lie about sizes, deep nesting, names by the hundred thousand, zip bombs, shapes without data. Each
// case makes a file of about n bytes, whatever n, and has it read. Main function: hostile_cases. Side effects: a temporary folder.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace axe::hostile {

struct HostileCase {
  std::string name;
  std::string format;  ///< a key of `memory_limits`
  std::function<std::size_t(std::size_t)>
      write;                           ///< puts the files of about n bytes into the folder; their size in bytes
  std::function<void()> read;          ///< InputError when they are refused
  std::optional<bool> refused = true;  ///< must they be? nothing: that depends on n
  std::size_t growth_from = 100'000;   ///< n at which growth is looked at
};

/// How many bytes each reader holds at most for every byte of its files (docs/assurance/hostile_files.md has the reasons), and besides.
struct MemoryLimit {
  std::string format;
  std::size_t times;
};
const std::vector<MemoryLimit>& memory_limits();
constexpr std::size_t memory_besides = std::size_t{1} << 20;

const std::vector<HostileCase>& hostile_cases();

}  // namespace axe::hostile

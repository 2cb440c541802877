// The two containers that tensors.cpp chooses between, and what they share. Only lib/model includes this. No side effects but
// reading files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "axecert/model/tensors.hpp"

namespace axe {

/// The type that safetensors calls `name`, if it is one that tensors.hpp lists.
std::optional<DType> dtype_of(const std::string& name);

/// Product of the extents; nothing when one is negative or the product is beyond any file (2^48).
std::optional<std::int64_t> checked_elements(const std::vector<std::int64_t>& shape);

/// "[1536, 576]".
std::string shape_text(const std::vector<std::int64_t>& shape);

/// One array of a .safetensors file: what it is, and its bytes [begin, end) of the file.
struct SafetensorsEntry {
  std::string name;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  Tensor tensor;  ///< without data
};

/// What the header of a .safetensors file says, its arrays in the order of their bytes.
struct SafetensorsLayout {
  std::vector<SafetensorsEntry> entries;
  std::map<std::string, std::string> metadata;
};

/// Reads the header of a whole file in memory, strictly; looks at no other byte. Throws InputError at `where`.
SafetensorsLayout safetensors_layout(std::span<const std::uint8_t> bytes, const std::string& where);

/// The array with its data.
Tensor tensor_at(std::span<const std::uint8_t> bytes, const SafetensorsEntry& entry);

/// A zip archive of .npy members (npz.cpp) and a .safetensors file (safetensors.cpp). Both throw InputError.
TensorFile read_npz(const std::filesystem::path& path);
TensorFile read_safetensors(const std::filesystem::path& path);

}  // namespace axe

// The two containers that tensors.cpp chooses between, and what they share. Only lib/model includes this.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
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

/// A zip archive of .npy members (npz.cpp) and a .safetensors file (safetensors.cpp). Both throw InputError.
TensorFile read_npz(const std::filesystem::path& path);
TensorFile read_safetensors(const std::filesystem::path& path);

}  // namespace axe

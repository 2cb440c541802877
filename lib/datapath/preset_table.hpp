// The presets as they were compiled in: one entry per file of presets/. The definition is generated at
// build time by embed_presets.cmake.
#pragma once

#include <cstddef>

namespace axe {

struct PresetText {
  const char* name;  ///< the file's name without .toml
  const char* toml;
};

extern const PresetText preset_table[];
extern const std::size_t preset_table_size;

}  // namespace axe

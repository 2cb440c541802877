// A certificate for a quantized network, and the three voters' opinion of it. `verify_network` is the main function. Its
// side effects: two files, and Z3 worker processes, which end before it returns.
#pragma once

#include <filesystem>

#include "integer_network.hpp"

namespace digits {

/// Writes PATH.safetensors (integer weights) and PATH.axec (what is claimed of them), and has checker, Z3 (box queries) and
/// replay look at every register. Returns how many there are; throws std::runtime_error unless the verdict is safe.
std::int64_t verify_network(const IntegerNetwork& network, const axe::Datapath& datapath,
                            const std::filesystem::path& path);

}  // namespace digits

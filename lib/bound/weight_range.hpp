// The least and the greatest of many weights, in one pass that vectorises (std::minmax_element does not). Main function: weight_range.
// No side effects.
#pragma once

#include <cstdint>
#include <span>

#include "axecert/datapath/datapath.hpp"

namespace axe {

/// The least and the greatest of `weights`, of which there is at least one.
IntegerRange weight_range(std::span<const std::int8_t> weights);

}  // namespace axe

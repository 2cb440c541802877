// The other side of AXE's constraint: when an activation quantizer can keep Σ|x| of every register small, how small it must be so
// that no weights of a given magnitude overflow. `input_limit` is the main function. No side effects.
#pragma once

#include <cstdint>

#include "axecert/datapath/datapath.hpp"

namespace axe {

/// The largest L such that Σ |x_k| ≤ L over the products of each register of the lowest stage keeps every register of every
/// stage within its limits, whatever the weights with |w| ≤ `largest_weight` ≥ 1: |Σ w x| ≤ largest_weight · L · n over n such
/// registers (Hölder). Initial values are taken to be 0. At most largest_input_limit. Throws InputError when not even 1 does.
std::int64_t input_limit(const Topology& topology, std::int64_t largest_weight);

}  // namespace axe

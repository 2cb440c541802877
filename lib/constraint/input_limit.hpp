// The other side of AXE's constraint: when an activation quantizer can keep Σ|x| of every register small, how small it must be so
// that no weights of a given magnitude overflow. `input_limit` is the main function. No side effects.
#pragma once

#include <cstdint>

#include "axecert/bound/integer_layer.hpp"

namespace axe {

/// The largest L such that Σ |x_k| ≤ L over the products of each register of the lowest stage keeps every register of every
/// stage within its limits, whatever the weights with |w| ≤ `largest_weight` ≥ 1: |Σ w x| ≤ largest_weight · L · n over n such
/// registers (Hölder). Initial values are taken to be 0. At most largest_input_limit. Throws InputError when not even 1 does.
std::int64_t input_limit(const Topology& topology, std::int64_t largest_weight);

/// The largest L with which every register of `layer`, with the weights that it has, stays within its limits: what is left of the
/// room that input_limit keeps for the worst weights of their width. At least layer.input_limit ≥ 1 if that is small enough, else
/// InputError. At most largest_input_limit.
std::int64_t widest_input_limit(const IntegerLayer& layer, const Topology& topology);

}  // namespace axe

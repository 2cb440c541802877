// How far every register gets when it adds its values in the datapath's own order, as a kernel does, and in no other: the range over all prefixes. A
// certificate allows for every order, which asks for more exactly where a box excludes 0. `kernel_order_ranges` is the main function. No side effects.
#pragma once

#include <vector>

#include "axecert/bound/range.hpp"

namespace axe {

/// The range of every prefix of every register, one entry per stage, as layer_ranges: over i = 0 … n values added in ascending order,
/// initial + [least Σ_{j ≤ i} lo_j, greatest Σ_{j ≤ i} hi_j], lo and hi being the values' final ranges. Both ends are attained, and it lies within the range for every
/// order; the two are equal where every value can be 0. When all registers fit, the machine computes the integers in this order. Throws InputError
/// for a layer with an input limit, whose boxes hold 0 in any case.
std::vector<StageRanges> kernel_order_ranges(const IntegerLayer& layer, const Topology& topology);

/// Whether some channel's box excludes 0.
bool excludes_zero(const IntegerLayer& layer);

}  // namespace axe

// EP-init, the data-free baseline: project the weights on the l1 ball that no register of the tile can leave, then round
// toward zero, which only shrinks. `ep_init` is the main function. Side effect: counts exact decisions.
// Source: A2Q+ (Colbert, Pappalardo, Petri-Koenig, Umuroglu, arXiv 2401.10432).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "axecert/datapath/datapath.hpp"

namespace axe {

/// Integers q_k = clamp(trunc(v'_k), grid), v' the projection of weights/scale on Σ cost_k |v_k| ≤ radius (not centred).
/// With cost_k = max(|l_k|, |h_k|) for inputs in [l_k, h_k] and radius = 2^(P−1) − 1, every partial sum of the tile fits in P
/// bits: |Σ q x| ≤ Σ cost |q| ≤ Σ cost |v'| ≤ radius. `cost`: one per weight, or one for all, ≥ 0; `grid` holds 0.
/// `settled_exactly` grows by the decisions that double could not settle. Throws InputError on empty or non-finite weights, a scale
/// that is not finite and > 0, costs below 0, a grid without 0.
std::vector<std::int64_t> ep_init(std::span<const double> weights, double scale, std::span<const std::int64_t> cost,
                                  std::uint64_t radius, IntegerRange grid, std::int64_t& settled_exactly);

}  // namespace axe

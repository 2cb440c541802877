// The inner loops of the bound engine: they read int8 weights once and leave the range of every register of one row.
// `scan_uniform` and `scan_channels` are the main functions, each compiled for every instruction set named here. No
// side effects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace axe {

/// The instruction sets that the loops exist for. All give the same integers.
enum class InstructionSet { portable, avx2, avx512 };

/// The sets that this processor runs, best last; `portable` is always there.
const std::vector<InstructionSet>& instruction_sets();

/// Registers of consecutive weights under one box [alpha, beta]: `weights` [count] in runs of `tile`, the last may be
/// ragged. lower[j] = αP + βN and upper[j] = βP + αN with P = Σ_{w>0} w, N = Σ_{w<0} w over run j (AXE, arXiv
/// 2409.17092, eqs. 7–8). `scratch` [runs] is overwritten. 1 ≤ count ≤ 2^24, |alpha|, |beta| ≤ 2^24.
void scan_uniform(InstructionSet set, const std::int8_t* weights, std::size_t count, std::size_t tile,
                  std::int64_t alpha, std::int64_t beta, std::uint64_t* scratch, std::int64_t* lower,
                  std::int64_t* upper);

/// The same under a box [box_lower_k, box_upper_k] per weight: lower[j] = Σ min(w l, w h), upper[j] = Σ max(w l, w h).
void scan_channels(InstructionSet set, const std::int8_t* weights, const std::int16_t* box_lower,
                   const std::int16_t* box_upper, std::size_t count, std::size_t tile, std::int64_t* lower,
                   std::int64_t* upper);

}  // namespace axe

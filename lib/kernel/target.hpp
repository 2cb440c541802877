// The instruction sets that the integer products are compiled for, and which of them this processor runs. `targets` is the
// main function. No side effects.
#pragma once

#include <string>
#include <vector>

namespace axe {

/// How four products u8 × s8 are added into 32 bits. All targets give the same integers.
enum class Target {
  portable,     ///< plain C++
  avx2,         ///< bytes widened to 16 bits, vpmaddwd
  avx_vnni,     ///< vpdpbusd on 256 bits
  avx512,       ///< vpmaddwd on 512 bits
  avx512_vnni,  ///< vpdpbusd on 512 bits
  neon,         ///< ARM: smull to 16 bits, sadalp to 32; every 64-bit ARM processor has it
  neon_dot,     ///< ARM: sdot on 128 bits
};

std::string to_text(Target);  // "portable" | "avx2" | "avx-vnni" | "avx512" | "avx512-vnni" | "neon" | "neon-dot"

/// The targets that this processor runs, best last; `portable` is always there.
const std::vector<Target>& targets();
inline Target best_target() {
  return targets().back();
}

/// Whether products of bytes go to 32 bits in one instruction (VNNI, and ARM's dot products): exact products are then as fast as
/// licensed ones, but for few tokens.
inline bool has_vnni(Target target) {
  return target == Target::avx_vnni || target == Target::avx512_vnni || target == Target::neon_dot;
}

}  // namespace axe

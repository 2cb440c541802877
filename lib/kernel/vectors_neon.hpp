// Vectors of 16 bytes as the inner loops use them on ARM: `NeonPairs` and `NeonDot` for dot_loops.hpp, `NeonTiles` for tile_blocks.hpp. Each
// target file includes this inside its own target region, so each gets its own copy (hence the unnamed namespace). No side effects.
//
// NEON multiplies s8 × s8 only (u8 × s8 came with i8mm), so operands are taken as u − 128, one exclusive or; who calls the loops
// knows of the offset and adds 128 Σ w to what every sum starts from, which costs nothing per product.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "axecert/kernel/loops.hpp"

namespace axe::kernel {
namespace {

/// What both kinds of dot products share.
struct Neon {
  using Vector = int32x4_t;
  using Operand = std::uint8_t;
  static inline Vector zero() { return vdupq_n_s32(0); }
  static inline Vector add_integers(Vector a, Vector b) { return vaddq_s32(a, b); }
  /// The four bytes at p in every lane, each less 128.
  static inline Vector broadcast(const std::uint8_t* p) {
    std::int32_t four = 0;
    std::memcpy(&four, p, sizeof four);
    return veorq_s32(vdupq_n_s32(four), vreinterpretq_s32_u8(vdupq_n_u8(128)));
  }
};

/// Products s8 × s8 in 16 bits (SMULL; at most 2^14), added in pairs into 32 bits (SADALP): two rows, two sums each.
struct NeonPairs : Neon {
  static constexpr std::size_t rows = 2;
  static inline Vector load_weights(const std::int8_t* p) {
    return vreinterpretq_s32_s8(vcombine_s8(vld1_s8(p), vdup_n_s8(0)));
  }
  static inline Vector add_products(Vector sum, Vector x, Vector w) {
    return vpadalq_s16(sum, vmull_s8(vget_low_s8(vreinterpretq_s8_s32(x)), vget_low_s8(vreinterpretq_s8_s32(w))));
  }
  static inline void add_to(std::int32_t* sums, Vector sum) {
    vst1_s32(sums, vadd_s32(vld1_s32(sums), vpadd_s32(vget_low_s32(sum), vget_high_s32(sum))));
  }
};

#ifdef AXECERT_NEON_DOT
/// Four products s8 × s8 into each 32 bits (SDOT).
struct NeonDot : Neon {
  static constexpr std::size_t rows = 4;
  static inline Vector load_weights(const std::int8_t* p) { return vreinterpretq_s32_s8(vld1q_s8(p)); }
  static inline Vector add_products(Vector sum, Vector x, Vector w) {
    return vdotq_s32(sum, vreinterpretq_s8_s32(w), vreinterpretq_s8_s32(x));
  }
  static inline void add_to(std::int32_t* sums, Vector sum) { vst1q_s32(sums, vaddq_s32(vld1q_s32(sums), sum)); }
};
#endif

/// Products added in 16 bits, one sum for each product of a quad (SMLAL and SMLAL2, modulo 2^16); those of products 0 and 1 and of 2 and 3
/// are added, modulo 2^16 too, when the tile is complete (ADDP): the two lanes of a row. Bytes of a line are u − 128 here.
struct NeonTiles {
  using Vector = int8x16_t;
  struct Sum {
    int16x8_t low, high;  // rows 0 and 1, rows 2 and 3
  };
  static inline Vector load(const std::int8_t* p) { return vld1q_s8(p); }
  static inline Vector broadcast(const std::uint8_t* p) {
    std::int32_t four = 0;
    std::memcpy(&four, p, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
  }
  static inline Vector low_nibbles(Vector v) { return vandq_s8(v, vdupq_n_s8(15)); }
  static inline Vector high_nibbles(Vector v) { return vreinterpretq_s8_u8(vshrq_n_u8(vreinterpretq_u8_s8(v), 4)); }
  static inline Sum zero_sum() { return {vdupq_n_s16(0), vdupq_n_s16(0)}; }
  /// Both lanes of each of four rows, in the sums of products 0 and 2.
  static inline Sum start_of_rows(const std::int16_t* lanes) {
    const int16x8_t of_rows = vld1q_s16(lanes);
    return {vzip1q_s16(of_rows, vdupq_n_s16(0)), vzip2q_s16(of_rows, vdupq_n_s16(0))};
  }
  static inline Sum start_of_token(const std::int16_t* lanes) {
    std::int32_t two = 0;
    std::memcpy(&two, lanes, sizeof two);
    const int16x8_t of_rows = vzip1q_s16(vreinterpretq_s16_s32(vdupq_n_s32(two)), vdupq_n_s16(0));
    return {of_rows, of_rows};
  }
  static inline Sum add_starts(Sum a, Sum b) { return {vaddq_s16(a.low, b.low), vaddq_s16(a.high, b.high)}; }
  static inline Sum add_products(Sum sum, Vector x, Vector w) {
    return {vmlal_s8(sum.low, vget_low_s8(w), vget_low_s8(x)), vmlal_high_s8(sum.high, w, x)};
  }
  static inline void add_lanes(std::int32_t* totals, Sum sum) {
    vst1q_s32(totals, vpadalq_s16(vld1q_s32(totals), vpaddq_s16(sum.low, sum.high)));
  }
};

}  // namespace
}  // namespace axe::kernel

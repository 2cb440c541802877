// The inner loops of products in 16 bits: vpmaddubsw and vpaddw (on ARM SMLAL) over a tile of products, widened once per tile. A table
// of functions per target; `tile_loops_of` is the main function. No side effects.
//
// Nothing here asks whether 16 bits suffice: without a licence these sums are wrong without a word. CertifiedProduct is the
// only one that calls them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "axecert/kernel/loops.hpp"
#include "axecert/kernel/target.hpp"

namespace axe::kernel {

constexpr std::size_t largest_tile = 128;  ///< products; longer tiles gain nothing
constexpr std::size_t smallest_tile = 16;
constexpr std::size_t tile_step = 8;       ///< products that the loops take at once: two words of four per row
constexpr std::size_t lanes_per_row = 2;   ///< 16-bit sums per row: of products 4q, 4q + 1 and of 4q + 2, 4q + 3
constexpr std::int16_t nibble_offset = 8;  ///< a packed 4-bit weight is stored as w + 8, 0 to 15

/// One piece of a panel against a few tokens. Tiles are cut where packed positions are multiples of `tile`; the part of a tile
/// that lies in the piece is a segment.
struct TileWork {
  const std::uint8_t* activations = nullptr;  ///< lines line_stride apart, at the piece
  std::size_t tokens = 0;                     ///< ≤ most_tokens
  const std::int8_t* weights =
      nullptr;  ///< bytes: [quad][32 rows][4]; nibbles: [two quads][32 rows][4], the first quad low
  const std::int16_t* row_starts = nullptr;    ///< [segment][32 rows][2], what every lane starts from; nullptr: nothing
  const std::int16_t* token_starts = nullptr;  ///< [token][segment][2], likewise for all rows; only for nibbles
  std::size_t token_stride = 0;                ///< from one token's starts to the next
  std::size_t first = 0;                       ///< products of the first segment, a multiple of 8
  std::size_t tile = 0;                        ///< of every other one but the last
  std::size_t products = 0;                    ///< of the piece, a multiple of 8, ≤ chunk_length
};

/// sums[t, r] = Σ over segments Σ over both lanes of the lane's content, [tokens, 32], aligned to a cache line. A lane starts
/// from its row's start plus its token's, modulo 2^16, and adds s(x₀ w₀ + x₁ w₁) for each pair, modulo 2^16; s saturates to
/// 16 bits, but on ARM, where it wraps. |Σ| ≤ 2 · 2048/8 · 2^15 < 2^31.
///
/// With `offset` 128 a byte of a line stands for a signed one, x = byte, which is the operand's byte less 128.
struct TileLoops {
  void (*bytes)(const TileWork& work, std::int32_t* sums);
  void (*nibbles)(const TileWork& work, std::int32_t* sums);
  std::int32_t offset;
};

/// The loops that a target has; with VNNI (on ARM SDOT) those of the same vectors without it.
const TileLoops& tile_loops_of(Target target);

extern const TileLoops portable_tile_loops;
#if defined(__x86_64__) && defined(__GNUC__)
extern const TileLoops avx2_tile_loops;
extern const TileLoops avx512_tile_loops;
#elif defined(__aarch64__) && defined(__GNUC__)
extern const TileLoops neon_tile_loops;
#endif

}  // namespace axe::kernel

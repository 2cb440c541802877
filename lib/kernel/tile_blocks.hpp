// Products of one panel of rows with a few tokens in 16 bits, on any vectors that a target file describes. Each target file
// includes this inside its own target region (hence the unnamed namespace). `tile_panel` is the main function. No side effects.
//
// The vectors are those of vectors.hpp. Without `keep` on each sum GCC 12 adds the products of both halves first, which keeps more values
// alive than there are registers: the loop spills and runs at half its speed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "axecert/kernel/aligned.hpp"
#include "axecert/kernel/tile_loops.hpp"

namespace axe::kernel {
namespace {

/// Rows of two 16-bit lanes, or of four bytes, in one vector.
template <class V>
constexpr std::size_t rows_of = sizeof(typename V::Vector) / 4;

/// `tokens` lines times `vectors` vectors of rows: the 16-bit sums of a tile stay in registers, the 32-bit sums in memory,
/// touched once per tile. (All of them in registers at once do not fit; GCC 12 then spills inside the loop over products.)
template <class V, std::size_t tokens, std::size_t vectors, bool nibbles, bool row_starts>
__attribute__((noinline)) void tile_block(const TileWork& work, std::size_t first_token, std::size_t first_row,
                                          std::int32_t* sums) {
  using Vector = typename V::Vector;
  constexpr std::size_t quad_bytes = panel_rows * 4;
  const std::uint8_t* x = work.activations + first_token * line_stride;
  const std::int8_t* w = work.weights + first_row * 4;
  const std::int16_t* rows_start = row_starts ? work.row_starts + first_row * lanes_per_row : nullptr;
  const std::int16_t* tokens_start = nibbles ? work.token_starts + first_token * work.token_stride : nullptr;
  std::int32_t* total = sums + first_token * panel_rows + first_row;
  std::size_t left = work.products;
  for (std::size_t length = std::min(work.first, left); left > 0; left -= length, length = std::min(work.tile, left)) {
    Vector sum[tokens][vectors];
#pragma GCC unroll 16
    for (std::size_t v = 0; v < vectors; ++v) {
      const Vector of_row = row_starts ? V::load(rows_start + v * rows_of<V> * lanes_per_row) : V::zero();
#pragma GCC unroll 16
      for (std::size_t t = 0; t < tokens; ++t) {
        if constexpr (nibbles) {
          const Vector of_token = V::broadcast(tokens_start + t * work.token_stride);
          sum[t][v] = row_starts ? V::add_words(of_row, of_token) : of_token;
        } else {
          sum[t][v] = of_row;
        }
      }
    }
    for (std::size_t step = 0; step < length; step += tile_step) {
      Vector packed[vectors];
#pragma GCC unroll 2
      for (std::size_t half = 0; half < 2; ++half) {
        // The same place of the next near_products: they are here when this block of tokens, and those that meet the same, are done.
#pragma GCC unroll 16
        for (std::size_t at = 0; (half == 0 || !nibbles) && at < vectors * rows_of<V> * 4; at += cache_line) {
          __builtin_prefetch(w + half * quad_bytes + at + near_products * panel_rows / (nibbles ? 2 : 1));
        }
        Vector weights[vectors];
#pragma GCC unroll 16
        for (std::size_t v = 0; v < vectors; ++v) {
          if constexpr (nibbles) {
            packed[v] = half == 0 ? V::load(w + v * rows_of<V> * 4) : packed[v];
            weights[v] = half == 0 ? V::low_nibbles(packed[v]) : V::high_nibbles(packed[v]);
          } else {
            weights[v] = V::load(w + half * quad_bytes + v * rows_of<V> * 4);
          }
        }
#pragma GCC unroll 16
        for (std::size_t t = 0; t < tokens; ++t) {
          const Vector four = V::broadcast(x + t * line_stride + half * 4);
#pragma GCC unroll 16
          for (std::size_t v = 0; v < vectors; ++v) {
            sum[t][v] = V::accumulate_words(sum[t][v], V::multiply_byte_pairs(four, weights[v]));
          }
        }
      }
      x += tile_step;
      w += nibbles ? quad_bytes : 2 * quad_bytes;
    }
#pragma GCC unroll 16
    for (std::size_t t = 0; t < tokens; ++t) {
#pragma GCC unroll 16
      for (std::size_t v = 0; v < vectors; ++v) {
        std::int32_t* of_rows = total + t * panel_rows + v * rows_of<V>;
        V::store(of_rows, V::add_integers(V::load(of_rows), V::widen_words(sum[t][v])));
      }
    }
    if constexpr (row_starts) {
      rows_start += panel_rows * lanes_per_row;
    }
    if constexpr (nibbles) {
      tokens_start += lanes_per_row;
    }
  }
}

template <class V, std::size_t tokens, std::size_t vectors, bool nibbles>
inline void tile_rows(const TileWork& work, std::size_t first_token, std::int32_t* sums) {
  for (std::size_t row = 0; row < panel_rows; row += vectors * rows_of<V>) {
    if (work.row_starts == nullptr) {
      tile_block<V, tokens, vectors, nibbles, false>(work, first_token, row, sums);
    } else {
      tile_block<V, tokens, vectors, nibbles, true>(work, first_token, row, sums);
    }
  }
}

/// Any number of tokens: `block` at a time (two vectors of rows each, which fills the registers), then the rest.
template <class V, std::size_t block, bool nibbles>
inline void tile_tokens(const TileWork& work, std::int32_t* sums) {
  std::size_t t = 0;
  for (; work.tokens - t >= block; t += block) {
    tile_rows<V, block, 2, nibbles>(work, t, sums);
  }
  if constexpr (block > 8) {
    for (; work.tokens - t >= 8; t += 8) {
      tile_rows<V, 8, 2, nibbles>(work, t, sums);
    }
  }
  if constexpr (block > 4) {
    for (; work.tokens - t >= 4; t += 4) {
      tile_rows<V, 4, 2, nibbles>(work, t, sums);
    }
  }
  for (; work.tokens - t >= 2; t += 2) {
    tile_rows<V, 2, 2, nibbles>(work, t, sums);
  }
  if (work.tokens - t >= 1) {
    tile_rows<V, 1, panel_rows / rows_of<V>, nibbles>(work, t, sums);  // all rows at once: one stream of weights
  }
}

/// Several blocks of tokens meet the same weights, about near_products at a time, which stay in the first-level cache.
template <class V, std::size_t block, bool nibbles>
void tile_panel(const TileWork& work, std::int32_t* sums) {
  std::fill_n(sums, work.tokens * panel_rows, 0);
  if (work.tokens <= block) {
    tile_tokens<V, block, nibbles>(work, sums);
    return;
  }
  TileWork part = work;
  for (std::size_t left = work.products; left > 0; left -= part.products) {
    part.first = std::min(part.first, left);
    const std::size_t whole = near_products > part.first ? (near_products - part.first) / work.tile : 0;
    const std::size_t after =
        std::min(left - part.first, whole * work.tile);  // products of the segments behind the first
    part.products = part.first + after;
    tile_tokens<V, block, nibbles>(part, sums);
    const std::size_t segments = 1 + (after + work.tile - 1) / work.tile;
    part.activations += part.products;
    part.weights += part.products * panel_rows / (nibbles ? 2 : 1);
    part.row_starts += part.row_starts == nullptr ? 0 : segments * panel_rows * lanes_per_row;
    part.token_starts += nibbles ? segments * lanes_per_row : 0;
    part.first = work.tile;
  }
}

}  // namespace
}  // namespace axe::kernel

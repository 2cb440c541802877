// The dot products of one panel of rows with a few tokens, on any vectors that a target file describes. Each target file
// includes this inside its own target region, so each gets its own copy (hence the unnamed namespace). `dot_panel` is the
// main function. No side effects.
//
// A `Vectors` type says what one vector holds: `rows` (rows of four bytes each), `Sum`, `Weights`, `Activations`, and
// zero, load_weights, broadcast (four bytes of one token), add_products, store (the sums of its rows, as 32 bits).
#pragma once

#include <cstddef>
#include <cstdint>

#include "axecert/kernel/loops.hpp"

namespace axe::kernel {
namespace {

/// `tokens` lines times `vectors` vectors of rows: all sums stay in registers. `chains` sums per pair are kept apart and
/// added at the end, so that few tokens do not wait for one addition after the other.
template <class Vectors, std::size_t tokens, std::size_t vectors, std::size_t chains>
inline void dot_block(const std::uint8_t* activations, const std::int8_t* weights, std::size_t quads,
                      std::int32_t* sums) {
  constexpr std::size_t quad_bytes = panel_rows * 4;
  typename Vectors::Sum total[chains][tokens][vectors];
#pragma GCC unroll 16
  for (std::size_t c = 0; c < chains; ++c) {
#pragma GCC unroll 16
    for (std::size_t t = 0; t < tokens; ++t) {
#pragma GCC unroll 16
      for (std::size_t v = 0; v < vectors; ++v) {
        total[c][t][v] = Vectors::zero();
      }
    }
  }
  std::size_t q = 0;
  for (; q + chains <= quads; q += chains) {
#pragma GCC unroll 16
    for (std::size_t c = 0; c < chains; ++c) {
      typename Vectors::Weights w[vectors];
#pragma GCC unroll 16
      for (std::size_t v = 0; v < vectors; ++v) {
        w[v] = Vectors::load_weights(weights + (q + c) * quad_bytes + v * Vectors::rows * 4);
      }
#pragma GCC unroll 16
      for (std::size_t t = 0; t < tokens; ++t) {
        const typename Vectors::Activations x = Vectors::broadcast(activations + t * line_stride + (q + c) * 4);
#pragma GCC unroll 16
        for (std::size_t v = 0; v < vectors; ++v) {
          total[c][t][v] = Vectors::add_products(total[c][t][v], x, w[v]);
        }
      }
    }
  }
  for (; chains > 1 && q < quads; ++q) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < vectors; ++v) {
      const typename Vectors::Weights w = Vectors::load_weights(weights + q * quad_bytes + v * Vectors::rows * 4);
#pragma GCC unroll 16
      for (std::size_t t = 0; t < tokens; ++t) {
        total[0][t][v] =
            Vectors::add_products(total[0][t][v], Vectors::broadcast(activations + t * line_stride + q * 4), w);
      }
    }
  }
#pragma GCC unroll 16
  for (std::size_t t = 0; t < tokens; ++t) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < vectors; ++v) {
#pragma GCC unroll 16
      for (std::size_t c = 1; c < chains; ++c) {
        total[0][t][v] = Vectors::add(total[0][t][v], total[c][t][v]);
      }
      Vectors::store(sums + t * panel_rows + v * Vectors::rows, total[0][t][v]);
    }
  }
}

/// All rows of the panel for `tokens` tokens.
template <class Vectors, std::size_t tokens, std::size_t vectors, std::size_t chains>
inline void dot_rows(const std::uint8_t* activations, const std::int8_t* weights, std::size_t quads,
                     std::int32_t* sums) {
  for (std::size_t first = 0; first < panel_rows; first += vectors * Vectors::rows) {
    dot_block<Vectors, tokens, vectors, chains>(activations, weights + first * 4, quads, sums + first);
  }
}

/// Any number of tokens: `block` at a time (2 vectors of rows each, which fills the registers), then the rest.
template <class Vectors, std::size_t block>
void dot_panel(const std::uint8_t* activations, std::size_t tokens, const std::int8_t* weights, std::size_t quads,
               std::int32_t* sums) {
  std::size_t t = 0;
  const auto next = [&](std::size_t done) {
    t += done;
    activations += done * line_stride;
    sums += done * panel_rows;
  };
  while (tokens - t >= block) {
    dot_rows<Vectors, block, 2, 1>(activations, weights, quads, sums);
    next(block);
  }
  if constexpr (block > 8) {
    if (tokens - t >= 8) {
      dot_rows<Vectors, 8, 2, 1>(activations, weights, quads, sums);
      next(8);
    }
  }
  if (tokens - t >= 4) {
    dot_rows<Vectors, 4, 2, 1>(activations, weights, quads, sums);
    next(4);
  }
  if (tokens - t >= 2) {
    dot_rows<Vectors, 2, 2, 2>(activations, weights, quads, sums);
    next(2);
  }
  if (tokens - t >= 1) {
    dot_rows<Vectors, 1, 2, 4>(activations, weights, quads, sums);
  }
}

}  // namespace
}  // namespace axe::kernel

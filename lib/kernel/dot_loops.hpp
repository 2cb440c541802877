// The dot products of one panel of rows with a few tokens, on any vectors that a target file describes (vectors.hpp). Each target file
// includes this inside its own target region, so each gets its own copy (hence the unnamed namespace). `dot_panel` is the
// main function. No side effects.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "axecert/kernel/aligned.hpp"
#include "axecert/kernel/loops.hpp"

namespace axe::kernel {
namespace {

/// Adds to the sums of `tokens` lines and `vectors` vectors of rows: all of them stay in registers. `chains` sums per pair are kept apart
/// and added at the end, so that few tokens do not wait for one addition after the other.
template <class V, std::size_t tokens, std::size_t vectors, std::size_t chains>
__attribute__((noinline)) void dot_block(const typename V::Operand* activations, const std::int8_t* weights,
                                         std::size_t quads, std::int32_t* sums) {
  using Vector = typename V::Vector;
  constexpr std::size_t quad_bytes = panel_rows * 4;
  Vector total[chains][tokens][vectors];
#pragma GCC unroll 16
  for (std::size_t c = 0; c < chains; ++c) {
#pragma GCC unroll 16
    for (std::size_t t = 0; t < tokens; ++t) {
#pragma GCC unroll 16
      for (std::size_t v = 0; v < vectors; ++v) {
        total[c][t][v] = V::zero();
      }
    }
  }
  std::size_t q = 0;
  for (; q + chains <= quads; q += chains) {
#pragma GCC unroll 16
    for (std::size_t c = 0; c < chains; ++c) {
#pragma GCC unroll 16
      for (std::size_t at = 0; at < vectors * V::rows * 4; at += cache_line) {  // of the next near_products
        __builtin_prefetch(weights + (q + c) * quad_bytes + at + near_products * panel_rows);
      }
      Vector w[vectors];
#pragma GCC unroll 16
      for (std::size_t v = 0; v < vectors; ++v) {
        w[v] = V::load_weights(weights + (q + c) * quad_bytes + v * V::rows * 4);
      }
#pragma GCC unroll 16
      for (std::size_t t = 0; t < tokens; ++t) {
        const Vector x = V::broadcast(activations + t * line_stride + (q + c) * 4);
#pragma GCC unroll 16
        for (std::size_t v = 0; v < vectors; ++v) {
          total[c][t][v] = V::add_products(total[c][t][v], x, w[v]);
        }
      }
    }
  }
  for (; chains > 1 && q < quads; ++q) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < vectors; ++v) {
      const Vector w = V::load_weights(weights + q * quad_bytes + v * V::rows * 4);
#pragma GCC unroll 16
      for (std::size_t t = 0; t < tokens; ++t) {
        total[0][t][v] = V::add_products(total[0][t][v], V::broadcast(activations + t * line_stride + q * 4), w);
      }
    }
  }
#pragma GCC unroll 16
  for (std::size_t t = 0; t < tokens; ++t) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < vectors; ++v) {
#pragma GCC unroll 16
      for (std::size_t c = 1; c < chains; ++c) {
        total[0][t][v] = V::add_integers(total[0][t][v], total[c][t][v]);
      }
      V::add_to(sums + t * panel_rows + v * V::rows, total[0][t][v]);
    }
  }
}

/// All rows of the panel for `tokens` tokens.
template <class V, std::size_t tokens, std::size_t vectors, std::size_t chains>
inline void dot_rows(const typename V::Operand* activations, const std::int8_t* weights, std::size_t quads,
                     std::int32_t* sums) {
  for (std::size_t first = 0; first < panel_rows; first += vectors * V::rows) {
    dot_block<V, tokens, vectors, chains>(activations, weights + first * 4, quads, sums + first);
  }
}

/// Any number of tokens: `block` at a time (2 vectors of rows each, which fills the registers), then the rest. Several blocks meet the
/// same weights, near_products at a time, which stay in the first-level cache. Few tokens take many rows at once instead: one stream of
/// weights.
template <class V, std::size_t block>
void dot_panel(const void* lines, std::size_t tokens, const std::int8_t* weights, std::size_t quads,
               std::int32_t* sums) {
  constexpr std::size_t all = panel_rows / V::rows;  // vectors
  const auto* activations = static_cast<const typename V::Operand*>(lines);
  std::fill_n(sums, tokens * panel_rows, 0);
  const std::size_t near = tokens > block ? near_products / 4 : quads;
  for (std::size_t q = 0; q < quads; q += near) {
    const std::size_t count = std::min(near, quads - q);
    const std::int8_t* w = weights + q * panel_rows * 4;
    std::size_t t = 0;
    const auto x = [&] { return activations + t * line_stride + q * 4; };
    const auto sum = [&] { return sums + t * panel_rows; };
    for (; tokens - t >= block; t += block) {
      dot_rows<V, block, 2, 1>(x(), w, count, sum());
    }
    if constexpr (block > 8) {
      for (; tokens - t >= 8; t += 8) {
        dot_rows<V, 8, 2, 1>(x(), w, count, sum());
      }
    }
    if constexpr (block > 4) {
      for (; tokens - t >= 4; t += 4) {
        dot_rows<V, 4, 2, 1>(x(), w, count, sum());
      }
    }
    for (; tokens - t >= 2; t += 2) {
      dot_rows<V, 2, std::min<std::size_t>(4, all), all >= 4 ? 1 : 2>(x(), w, count, sum());
    }
    if (tokens - t >= 1) {
      dot_rows<V, 1, all, all >= 8 ? 1 : 8 / all>(x(), w, count, sum());
    }
  }
}

}  // namespace
}  // namespace axe::kernel

// Tile loops for AVX-512: 32 lanes of 16 bits, sixteen rows. No side effects.
#include "axecert/kernel/tile_loops.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own AVX-512 headers
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#endif

#include "tile_blocks.hpp"
#include "vectors.hpp"

namespace axe::kernel {

const TileLoops avx512_tile_loops{tile_panel<Vectors<64>, 12, false>, tile_panel<Vectors<64>, 12, true>};

}  // namespace axe::kernel

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

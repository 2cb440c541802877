// Tile loops for AVX2: 16 lanes of 16 bits, eight rows. No side effects.
#include "axecert/kernel/tile_loops.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#include "tile_blocks.hpp"
#include "vectors.hpp"

namespace axe::kernel {

const TileLoops avx2_tile_loops{tile_panel<Vectors<32>, 4, false>, tile_panel<Vectors<32>, 4, true>};

}  // namespace axe::kernel

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

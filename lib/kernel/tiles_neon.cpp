// Tile loops for ARM: products of four rows a vector of weights, added in 16 bits by SMLAL and SMLAL2. No side effects.
#include "axecert/kernel/tile_loops.hpp"

#if defined(__aarch64__) && defined(__GNUC__)
#include <arm_neon.h>

#include "tile_blocks.hpp"
#include "vectors_neon.hpp"

namespace axe::kernel {

const TileLoops neon_tile_loops{tile_panel<NeonTiles, 6, false>, tile_panel<NeonTiles, 6, true>, 128};

}  // namespace axe::kernel
#endif

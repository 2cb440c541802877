// Which table of tile loops belongs to which target: `tile_loops_of`; and the portable one, which is what the instructions
// mean. No side effects.
#include "axecert/kernel/tile_loops.hpp"

#include <algorithm>

#include "axecert/datapath/datapath.hpp"

namespace axe::kernel {
namespace {

/// vpmaddubsw: two products u8 × s8, their sum saturated to 16 bits (Intel SDM vol. 2B, PMADDUBSW).
std::int16_t multiply_pair(const std::uint8_t* x, std::int32_t w0, std::int32_t w1) {
  const IntegerRange limits = register_limits(16, Limits::full);
  const std::int64_t sum = x[0] * w0 + x[1] * w1;
  return static_cast<std::int16_t>(std::clamp(sum, limits.lower, limits.upper));
}

/// vpaddw: modulo 2^16.
std::int16_t add_words(std::int16_t a, std::int16_t b) {
  return static_cast<std::int16_t>(static_cast<std::uint16_t>(
      static_cast<std::uint32_t>(static_cast<std::uint16_t>(a)) + static_cast<std::uint16_t>(b)));
}

template <bool nibbles>
void tile_panel_portable(const TileWork& work, std::int32_t* sums) {
  for (std::size_t t = 0; t < work.tokens; ++t) {
    for (std::size_t r = 0; r < panel_rows; ++r) {
      std::int32_t total = 0;
      const std::uint8_t* x = work.activations + t * line_stride;
      std::size_t at = 0;
      for (std::size_t segment = 0, end = std::min(work.first, work.products); at < work.products;
           ++segment, end = std::min(end + work.tile, work.products)) {
        std::int16_t lanes[lanes_per_row] = {};
        for (std::size_t lane = 0; lane < lanes_per_row; ++lane) {
          lanes[lane] = work.row_starts == nullptr ? std::int16_t{0}
                                                   : work.row_starts[(segment * panel_rows + r) * lanes_per_row + lane];
          if constexpr (nibbles) {
            lanes[lane] =
                add_words(lanes[lane], work.token_starts[t * work.token_stride + segment * lanes_per_row + lane]);
          }
        }
        for (; at < end; at += 4) {
          for (std::size_t lane = 0; lane < lanes_per_row; ++lane) {
            std::int32_t w[2];
            for (std::size_t i = 0; i < 2; ++i) {
              if constexpr (nibbles) {
                const auto byte =
                    static_cast<std::uint8_t>(work.weights[at / 8 * panel_rows * 4 + r * 4 + 2 * lane + i]);
                w[i] = at % 8 == 0 ? byte & 15 : byte >> 4;
              } else {
                w[i] = work.weights[at * panel_rows + r * 4 + 2 * lane + i];
              }
            }
            lanes[lane] = add_words(lanes[lane], multiply_pair(x + at + 2 * lane, w[0], w[1]));
          }
        }
        total += lanes[0] + lanes[1];
      }
      sums[t * panel_rows + r] = total;
    }
  }
}

}  // namespace

const TileLoops portable_tile_loops{tile_panel_portable<false>, tile_panel_portable<true>, 0};

const TileLoops& tile_loops_of(Target target) {
#if defined(__x86_64__) && defined(__GNUC__)
  switch (target) {
    case Target::portable:
      return portable_tile_loops;
    case Target::avx2:
    case Target::avx_vnni:
      return avx2_tile_loops;
    case Target::avx512:
    case Target::avx512_vnni:
      return avx512_tile_loops;
    case Target::neon:
    case Target::neon_dot:
      break;
  }
#elif defined(__aarch64__) && defined(__GNUC__)
  if (target == Target::neon || target == Target::neon_dot) {
    return neon_tile_loops;
  }
#endif
  (void)target;
  return portable_tile_loops;
}

}  // namespace axe::kernel

// Where licences for 16-bit kernels come from: `LicenceOffice::issue` writes a certificate of a layer in the kernel's own terms
// and has the C checker verify it; only what the checker calls safe gets a licence. No side effects.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "axecert/certificate/vote.hpp"
#include "axecert/kernel/licence.hpp"

namespace axe {

/// What was decided, and on what grounds. `certificate` and `weights` are the bytes of an .axec file and of a .safetensors file
/// that any other voter can be shown (layers NAME.lanes and, for weights beyond ±64, NAME.pairs; see TileForm).
struct LicenceDecision {
  std::optional<Licence> licence;  ///< none unless the checker's verdict is safe
  Vote vote;
  std::vector<std::uint8_t> certificate;
  std::vector<std::uint8_t> weights;
};

class LicenceOffice {
 public:
  /// For `layer` in the packed order of `topology`'s last stage, operands that are bytes above `base`, tiles of `tile` products.
  /// A layer certified for a datapath that adds `tile` products (or more) in 16 bits or fewer has safe lanes, because each lane
  /// adds some of those; pairs are safe too, unless operands are re-centred and the weights have more than about 7 bits. Throws
  /// InputError as `tile_form` does.
  static LicenceDecision issue(const IntegerLayer& layer, const Topology& topology, std::int32_t base,
                               std::int64_t tile);

  /// The licence for the longest tile that there is one for, at the base that the layer's box starts at (InputQuantizer's); none
  /// when even 16 products do not fit, or when the box is wider than 8 bits.
  static std::optional<Licence> longest_tile(const IntegerLayer& layer, const Topology& topology);
};

}  // namespace axe

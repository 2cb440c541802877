// The right to multiply one layer in 16-bit registers: `Licence`, which only verify/licence can make, and what it speaks of:
// `TileForm`, a layer as the tile loops see it. `tile_form` is the main function. No side effects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "axecert/bound/integer_layer.hpp"
#include "axecert/certificate/certificate.hpp"
#include "axecert/kernel/packed_order.hpp"

namespace axe {

/// A layer in a kernel's own terms: its weights and its box in packed order, and the two statements about them that make 16-bit
/// sums exact. With u = x − base the byte that the kernel multiplies:
///   pairs: u₀ w₀ + u₁ w₁ fits 16 bits, so that vpmaddubsw does not saturate. Weights within ±64 need no proof of it:
///          2 · 255 · 64 < 2^15;
///   lanes: the sum of w x over any products of one lane of one tile fits 16 bits. A lane holds it modulo 2^16 (it starts from
///          base Σ w), so its content is the sum itself.
struct TileForm {
  kernel::PackedOrder order;
  std::vector<std::int8_t> weights;  ///< [rows, order.length()]
  /// Box: the operands x; the products of the first lane of each tile, then of the second. Under an input limit: as many times the
  /// layer's as one lane has parts of registers of the layer's lowest stage.
  IntegerLayer lanes;
  Datapath lanes_datapath;
  std::optional<IntegerLayer> pairs;  ///< box: the bytes u; in packed order
  Datapath pairs_datapath;
  Sha256 digest;  ///< of rows, length, base, tile, packed weights, box and the lanes' input limit
};

/// The tiles that there are loops for, in products: 16, 32, 64, 128.
bool is_tile(std::int64_t products);

/// `layer` in the packed order of `topology`'s last stage, tiles cut at multiples of `tile` products. Throws InputError unless
/// the layer is valid and of the topology's length, `tile` is a tile, and base ≤ box ≤ base + 255 in every channel.
TileForm tile_form(const IntegerLayer& layer, const Topology& topology, std::int32_t base, std::int64_t tile);

/// What a verified certificate permits: CertifiedProduct on exactly the weights, box, order, base and tile of `digest`. There is
/// no way to make one but LicenceOffice::issue (verify/licence), which has the checker verify the certificate first.
class Licence {
 public:
  const std::string& layer() const { return layer_; }
  const Sha256& digest() const { return digest_; }            ///< of the TileForm
  const Sha256& certificate() const { return certificate_; }  ///< SHA-256 of the certificate that was verified
  std::int64_t tile() const { return tile_; }
  std::int32_t base() const { return base_; }

 private:
  friend class LicenceOffice;
  Licence(std::string layer, const Sha256& digest, const Sha256& certificate, std::int64_t tile, std::int32_t base)
      : layer_(std::move(layer)), digest_(digest), certificate_(certificate), tile_(tile), base_(base) {}

  std::string layer_;
  Sha256 digest_;
  Sha256 certificate_;
  std::int64_t tile_;
  std::int32_t base_;
};

}  // namespace axe

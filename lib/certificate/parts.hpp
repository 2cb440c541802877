// A layer in ranges of rows: claims about each range can be made and checked anywhere, and together they are the claims about the
// layer, bit for bit. `rows_of` cuts, `join` puts together. No side effects.
#pragma once

#include <vector>

#include "axecert/certificate/certificate.hpp"

namespace axe {

/// Rows [begin, end) of a layer. Throws InputError when there are no such rows.
IntegerLayer rows_of(const IntegerLayer& layer, std::int64_t begin, std::int64_t end);

/// The claims about rows [begin, end) alone, the verdict, the worst node and its witness among them; hashes are those of the rows.
/// `claims` hold the weights.
LayerClaims rows_of(const LayerClaims& claims, std::int64_t begin, std::int64_t end);

/// The claims about a layer from those about its rows, in order and without a gap: what make_claims says of the whole. The hashes are
/// not computed: they are those of the layer's arrays (bias: all zero when there is none). Throws InputError when the parts are not of
/// one layer, box and datapath, or there is none.
LayerClaims join(const std::vector<LayerClaims>& parts, const Sha256& weight_hash, const Sha256& bias_hash);

}  // namespace axe

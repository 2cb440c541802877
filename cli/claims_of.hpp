// A stored layer's claims on a datapath, for the verbs that certify what exists: with the input range that the user states in place of the file's.
// `claims_of` is the only function; no side effects.
#pragma once

#include <optional>
#include <vector>

#include "axecert/certificate/certificate.hpp"
#include "axecert/model/layers.hpp"

namespace axe::cli {

/// `inputs`: of every operand, LO ≤ HI within ±2^24; the source is then `given`. The rest as for make_claims.
inline LayerClaims claims_of(StoredLayer stored, const Datapath& datapath, const std::optional<IntegerRange>& inputs,
                             const std::optional<Sha256>& weight_hash = std::nullopt,
                             std::vector<StageRanges> memory = {}) {
  if (inputs) {
    stored.layer.box_lower = {static_cast<std::int32_t>(inputs->lower)};
    stored.layer.box_upper = {static_cast<std::int32_t>(inputs->upper)};
    stored.layer.input_limit = 0;  // the file's quantizer keeps it, and this range is not its
    stored.source = InputSource::given;
  }
  return make_claims(std::move(stored.layer), datapath, stored.source, weight_hash, std::move(memory));
}

}  // namespace axe::cli

// Certificate, checker, licence, in this order; see licence_office.hpp.
#include "axecert/licence/licence_office.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "axecert/certificate/certificate.hpp"
#include "axecert/model/tensors.hpp"
#include "axecert/report/votes.hpp"

namespace axe {

LicenceDecision LicenceOffice::issue(const IntegerLayer& layer, const Topology& topology, std::int32_t base,
                                     std::int64_t tile) {
  TileForm form = tile_form(layer, topology, base, tile);
  LicenceDecision decision;
  // The box is given, not clamped by a quantizer beside the weights: the kernel itself holds every operand against it.
  Certificate certificate;
  certificate.tool = "axecert licence";
  certificate.layers.push_back(make_claims(std::move(form.lanes), form.lanes_datapath, InputSource::given));
  if (form.pairs) {
    certificate.layers.push_back(make_claims(std::move(*form.pairs), form.pairs_datapath, InputSource::given));
  }
  std::map<std::string, Tensor> weights;
  for (const LayerClaims& claims : certificate.layers) {
    weights.emplace(claims.layer.name + ".weight",
                    Tensor::of({claims.layer.rows, claims.layer.cols}, claims.layer.weights));
  }
  decision.weights = safetensors_bytes(weights, {});
  decision.certificate = certificate_bytes(certificate);
  decision.vote = checker_vote(decision.certificate, decision.weights,
                               "lanes and pairs of tiles of " + std::to_string(tile) + " products");
  if (combine({decision.vote}) == Verdict::safe) {
    decision.licence =
        Licence(layer.name, form.digest, sha256(decision.certificate.data(), decision.certificate.size()), tile, base);
  }
  return decision;
}

std::optional<Licence> LicenceOffice::longest_tile(const IntegerLayer& layer, const Topology& topology) {
  const std::int32_t base = *std::min_element(layer.box_lower.begin(), layer.box_lower.end());
  if (*std::max_element(layer.box_upper.begin(), layer.box_upper.end()) > std::int64_t{base} + 255) {
    return std::nullopt;
  }
  for (const std::int64_t tile : {128, 64, 32, 16}) {
    LicenceDecision decision = issue(layer, topology, base, tile);
    if (decision.licence) {
      return std::move(decision.licence);
    }
  }
  return std::nullopt;
}

}  // namespace axe

// What is claimed of a model, computed from its integer layers. Main function: make_claims. The file format stands in
// container.cpp. No side effects.
#include "axecert/certificate/certificate.hpp"

#include <algorithm>
#include <utility>

#include "axecert/bound/weight_range.hpp"
#include "axecert/certificate/sha256.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

// Of the little-endian bytes of each element.
Sha256 hash_of(const std::vector<std::int64_t>& values) {
  Sha256Stream stream;
  for (const std::int64_t value : values) {
    std::uint8_t bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i));
    stream.update(bytes, 8);
  }
  return stream.finish();
}

// Fills verdict, worst and worst_side: the least margin, first in row, stage, node order; upper when both ends are equally near.
void judge(LayerClaims& claims) {
  std::int64_t least = 0;
  bool first = true;
  for (std::int64_t row = 0; row < claims.layer.rows; ++row) {
    for (std::size_t s = 0; s < claims.ranges.size(); ++s) {
      const IntegerRange limits = register_limits(claims.datapath.stages[s]);
      const StageRanges& stage = claims.ranges[s];
      for (std::int64_t node = 0; node < stage.nodes; ++node) {
        const auto i = static_cast<std::size_t>(row * stage.nodes + node);
        const IntegerRange range{stage.lower[i], stage.upper[i]};
        const std::int64_t here = margin(range, limits);
        if (!first && here >= least) continue;
        first = false;
        least = here;
        claims.worst = {row, s, node};
        const int128 above = static_cast<int128>(limits.upper) - range.upper;
        const int128 below = static_cast<int128>(range.lower) - limits.lower;
        claims.worst_side = above <= below ? Side::upper : Side::lower;
      }
    }
  }
  claims.verdict = least >= 0 ? Verdict::safe : Verdict::unsafe;
}

}  // namespace

std::string to_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::safe:
      return "safe";
    case Verdict::unsafe:
      return "unsafe";
    case Verdict::incomplete:
      return "incomplete";
    case Verdict::refused:
      return "refused";
  }
  return "incomplete";
}

std::string to_text(InputSource source) {
  switch (source) {
    case InputSource::clamped:
      return "clamped";
    case InputSource::given:
      return "given";
    case InputSource::calibrated:
      return "calibrated";
  }
  return "given";
}

std::string name_of(Assumption assumption) {
  switch (assumption) {
    case Assumption::input_clamped:
      return "input-clamped";
    case Assumption::input_given:
      return "input-given";
    case Assumption::input_calibrated:
      return "input-calibrated";
    case Assumption::input_limited:
      return "input-limited";
    case Assumption::sha256_collision_free:
      return "sha256-collision-free";
    case Assumption::product_order_as_stated:
      return "product-order-as-stated";
    case Assumption::products_exact:
      return "products-exact";
    case Assumption::constant_added_outside:
      return "constant-added-outside";
    case Assumption::float_sum_outside:
      return "float-sum-outside";
  }
  return "unknown";
}

std::string sentence_of(Assumption assumption) {
  switch (assumption) {
    case Assumption::input_clamped:
      return "The activation quantizer clamps every operand into the box, and its zero point into its range, as the "
             "file beside the weights says.";
    case Assumption::input_given:
      return "Every operand lies in the box that the user stated.";
    case Assumption::input_calibrated:
      return "Every operand lies in the box that was observed on calibration data; nothing enforces it.";
    case Assumption::input_limited:
      return "The magnitudes of the operands of each register of the lowest stage add up to the stated limit at most; "
             "the activation quantizer sees to it for every input.";
    case Assumption::sha256_collision_free:
      return "No two different arrays that occur have the same SHA-256.";
    case Assumption::product_order_as_stated:
      return "The kernel sends every product to the register that the datapath says.";
    case Assumption::products_exact:
      return "The multiplier computes every product of two operands exactly.";
    case Assumption::constant_added_outside:
      return "The row's constant (bias and offsets) is added after the last certified register, where it fits.";
    case Assumption::float_sum_outside:
      return "The last stage's registers of a dot product are combined outside, in an arithmetic that is not "
             "certified.";
  }
  return "unknown";
}

Verdict Certificate::verdict() const {
  if (layers.empty()) return Verdict::incomplete;
  bool all_safe = true;
  for (const LayerClaims& claims : layers) {
    if (claims.verdict == Verdict::unsafe) return Verdict::unsafe;
    all_safe = all_safe && claims.verdict == Verdict::safe;
  }
  return all_safe ? Verdict::safe : Verdict::incomplete;
}

LayerClaims make_claims(IntegerLayer layer, const Datapath& datapath, InputSource source) {
  validate(layer, datapath);
  const Topology topology(datapath, layer.cols);
  LayerClaims claims;
  claims.datapath = datapath;
  claims.input_source = source;
  claims.weight_range = weight_range(layer.weights);
  claims.layer = std::move(layer);
  claims.ranges = layer_ranges(claims.layer, topology);
  finish_claims(claims);
  return claims;
}

void finish_claims(LayerClaims& claims) {
  const IntegerLayer& layer = claims.layer;
  claims.weight_hash = sha256(layer.weights.data(), layer.weights.size());
  claims.bias_hash = hash_of_bias(layer.bias);
  judge(claims);
  claims.worst_witness = witness(layer, Topology(claims.datapath, layer.cols), claims.worst, claims.worst_side);
}

Sha256 hash_of_bias(const std::vector<std::int64_t>& bias) {
  return bias.empty() ? Sha256{} : hash_of(bias);
}

std::vector<Assumption> assumptions(const Certificate& certificate) {
  std::vector<Assumption> found{Assumption::sha256_collision_free, Assumption::product_order_as_stated,
                                Assumption::products_exact};
  for (const LayerClaims& claims : certificate.layers) {
    switch (claims.input_source) {
      case InputSource::clamped:
        found.push_back(Assumption::input_clamped);
        break;
      case InputSource::given:
        found.push_back(Assumption::input_given);
        break;
      case InputSource::calibrated:
        found.push_back(Assumption::input_calibrated);
        break;
    }
    if (claims.layer.input_limit != 0) found.push_back(Assumption::input_limited);
    const bool inside = std::any_of(claims.datapath.stages.begin(), claims.datapath.stages.end(),
                                    [](const Stage& stage) { return stage.initial == Initial::constant; });
    const bool varies = claims.layer.zero_point_spread != 0;
    if (!inside && (claims.bias_hash != Sha256{} || !claims.layer.offset.empty() || varies)) {
      found.push_back(Assumption::constant_added_outside);
    }
    if (!claims.ranges.empty() && claims.ranges.back().nodes > 1) found.push_back(Assumption::float_sum_outside);
  }
  std::sort(found.begin(), found.end(), [](Assumption a, Assumption b) { return name_of(a) < name_of(b); });
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

void attach_weights(LayerClaims& claims, std::vector<std::int8_t> weights, std::vector<std::int64_t> bias) {
  const std::string place = "layer " + claims.layer.name;
  const char* remedy = "use the weights file that was written with this certificate, or certify again";
  if (weights.size() != static_cast<std::size_t>(claims.layer.rows * claims.layer.cols)) {
    throw InputError(place,
                     "the certificate speaks of " + std::to_string(claims.layer.rows) + " × " +
                         std::to_string(claims.layer.cols) + " weights, the file holds " +
                         std::to_string(weights.size()),
                     remedy);
  }
  if (sha256(weights.data(), weights.size()) != claims.weight_hash) {
    throw InputError(place, "the weights' SHA-256 is not the certificate's", remedy);
  }
  if (!bias.empty() && bias.size() != static_cast<std::size_t>(claims.layer.rows)) {
    throw InputError(
        place,
        "the bias has " + std::to_string(bias.size()) + " entries for " + std::to_string(claims.layer.rows) + " rows",
        remedy);
  }
  if (hash_of_bias(bias) != claims.bias_hash) {
    throw InputError(place,
                     bias.empty() ? "the certificate speaks of a bias, the file holds none"
                                  : "the bias' SHA-256 is not the certificate's",
                     remedy);
  }
  claims.layer.weights = std::move(weights);
  claims.layer.bias = std::move(bias);
}

}  // namespace axe

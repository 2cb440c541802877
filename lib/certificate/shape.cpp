// Whether the claims of a certificate hang together; see shape.hpp. Main function: shape_findings. No side effects.
#include "axecert/certificate/shape.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

/// The problems of one layer are reported one at a time: later checks would index arrays that earlier ones found missing.
std::string first_problem(const LayerClaims& claims, NodeId& place) {
  const IntegerLayer& layer = claims.layer;
  try {
    validate(claims.datapath);
    validate(layer, claims.datapath);
    static_cast<void>(Topology(claims.datapath, layer.cols));
  } catch (const InputError& error) {
    return error.what();
  }
  const Topology topology(claims.datapath, layer.cols);
  if (claims.ranges.size() != topology.stages()) {
    return "ranges of " + std::to_string(claims.ranges.size()) + " stages are claimed, the datapath has " +
           std::to_string(topology.stages());
  }
  bool fits = true;
  NodeId out;
  const auto node_of = [&](std::size_t s, std::size_t i) {
    const auto index = static_cast<std::int64_t>(i);
    return NodeId{.row = index / topology.nodes(s), .stage = s, .node = index % topology.nodes(s)};
  };
  for (std::size_t s = 0; s < topology.stages(); ++s) {
    const StageRanges& ranges = claims.ranges[s];
    const auto count = static_cast<std::size_t>(layer.rows * topology.nodes(s));
    place = {.row = 0, .stage = s, .node = 0};
    if (ranges.nodes != topology.nodes(s) || ranges.lower.size() != count || ranges.upper.size() != count) {
      return "ranges of " + std::to_string(ranges.nodes) + " registers are claimed, the stage has " +
             std::to_string(topology.nodes(s));
    }
    const IntegerRange limits = register_limits(topology.stage(s));
    for (std::size_t i = 0; i < count; ++i) {
      if (ranges.lower[i] > ranges.upper[i]) {
        place = node_of(s, i);
        return "the claimed range [" + std::to_string(ranges.lower[i]) + ", " + std::to_string(ranges.upper[i]) +
               "] has its sides swapped";
      }
      if (fits && (ranges.lower[i] < limits.lower || ranges.upper[i] > limits.upper)) {
        fits = false;
        out = node_of(s, i);
      }
    }
  }
  place = out;
  if (claims.verdict != (fits ? Verdict::safe : Verdict::unsafe)) {
    return "the layer claims to be " + to_text(claims.verdict) + ", its own ranges say " +
           to_text(fits ? Verdict::safe : Verdict::unsafe);
  }
  place = claims.worst;
  if (claims.worst.stage >= topology.stages() || claims.worst.row < 0 || claims.worst.row >= layer.rows ||
      claims.worst.node < 0 || claims.worst.node >= topology.nodes(claims.worst.stage)) {
    return "the worst node does not exist";
  }
  if (claims.worst_witness.size() != static_cast<std::size_t>(layer.cols)) {
    return "the worst node's witness has " + std::to_string(claims.worst_witness.size()) + " inputs, the layer has " +
           std::to_string(layer.cols);
  }
  for (std::int64_t k = 0; k < layer.cols; ++k) {
    const std::int32_t x = claims.worst_witness[static_cast<std::size_t>(k)];
    if (x < layer.lower(k) || x > layer.upper(k)) {
      return "the worst node's witness has input " + std::to_string(k) + " = " + std::to_string(x) +
             ", outside its box [" + std::to_string(layer.lower(k)) + ", " + std::to_string(layer.upper(k)) + "]";
    }
  }
  if (const auto k = first_beyond_limit(layer, topology, claims.worst_witness)) {
    return "the worst node's witness has inputs up to " + std::to_string(*k) +
           " of one register whose magnitudes exceed " + std::to_string(layer.input_limit);
  }
  return {};
}

}  // namespace

std::optional<Finding> shape_finding(const LayerClaims& claims) {
  NodeId place;
  std::string problem = first_problem(claims, place);
  if (problem.empty()) {
    return std::nullopt;
  }
  return Finding{.layer = claims.layer.name, .node = place, .message = std::move(problem)};
}

std::vector<Finding> shape_findings(const Certificate& certificate) {
  std::vector<Finding> findings;
  for (const LayerClaims& claims : certificate.layers) {
    if (std::optional<Finding> finding = shape_finding(claims)) {
      findings.push_back(std::move(*finding));
    }
  }
  return findings;
}

bool refuse_by_shape(const Certificate& certificate, Vote& vote) {
  vote.findings = shape_findings(certificate);
  if (vote.findings.empty()) {
    return false;
  }
  vote.findings_total = static_cast<std::int64_t>(vote.findings.size());
  vote.findings.resize(std::min(vote.findings.size(), findings_kept));
  vote.verdict = Verdict::refused;
  return true;
}

std::int64_t nodes_per_row(const Topology& topology) {
  std::int64_t nodes = 0;
  for (std::size_t s = 0; s < topology.stages(); ++s) {
    nodes += topology.nodes(s);
  }
  return nodes;
}

std::int64_t nodes_total(const Certificate& certificate) {
  std::int64_t nodes = 0;
  for (const LayerClaims& claims : certificate.layers) {
    nodes += claims.layer.rows * nodes_per_row(Topology(claims.datapath, claims.layer.cols));
  }
  return nodes;
}

}  // namespace axe

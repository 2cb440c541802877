// Whether the claims of a certificate hang together at all, before any voter looks at numbers: sizes agree, the box fits the
// datapath, every claimed range has lower ≤ upper, and the verdict of each layer is the one that its own claimed ranges
// imply. `shape_findings` is the main function. No side effects. It recomputes no range.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "axecert/certificate/vote.hpp"

namespace axe {

/// What is wrong with one layer's claims, as shape_findings says it; nothing when they hang together.
std::optional<Finding> shape_finding(const LayerClaims& claims);

/// What makes the claims of `certificate` unusable, first layer first; empty when a voter can go to work. Every entry means
/// `refused`. Weights and biases must be attached.
std::vector<Finding> shape_findings(const Certificate& certificate);

/// Findings that a vote lists; the rest are counted (vote.hpp).
constexpr std::size_t findings_kept = 100;

/// True when the shape of `certificate` is wrong: `vote` is then refused, with its findings, and its voter has no more to do.
bool refuse_by_shape(const Certificate& certificate, Vote& vote);

/// Registers of one dot product, all stages together.
std::int64_t nodes_per_row(const Topology& topology);

/// Registers of all dot products of all layers. Only for claims without shape findings.
std::int64_t nodes_total(const Certificate& certificate);

}  // namespace axe

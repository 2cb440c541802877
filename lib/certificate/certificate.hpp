// What is claimed of a model: per layer the datapath in full, the box, hashes that bind the claim to its weights, and the
// range of every register. `make_claims` computes it, `write_certificate` puts it into an .axec file, `read_certificate`
// gets it back. The file format and its acceptance predicate: docs/certificate.md. Nothing here is trusted: the voters in
// verify/ recompute everything.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "axecert/bound/range.hpp"

namespace axe {

using Sha256 = std::array<std::uint8_t, 32>;
Sha256 sha256(const void* data, std::size_t size);
std::string to_hex(const Sha256& hash);

enum class Verdict { safe, unsafe, incomplete, refused };
std::string to_text(Verdict);  // "safe" | "unsafe" | "incomplete" | "refused"

/// Where the box of inputs comes from; each is an assumption that reports print.
enum class InputSource {
  clamped,     ///< the activation quantizer that is written beside the weights clamps every code into the box
  given,       ///< the user stated it
  calibrated,  ///< observed on calibration data and not enforced
};
std::string to_text(InputSource);

/// The closed list of what a certificate takes on trust, and one sentence each. New entries need a version of the format.
enum class Assumption {
  input_clamped,
  input_given,
  input_calibrated,
  input_limited,
  sha256_collision_free,
  product_order_as_stated,
  products_exact,
  constant_added_outside,
  float_sum_outside,
};
std::string name_of(Assumption);  // "input-clamped", …
std::string sentence_of(Assumption);

/// The claim about one layer.
struct LayerClaims {
  IntegerLayer layer;  ///< without `weights` and `bias` when read from a file: they are named by their hashes
  Datapath datapath;
  InputSource input_source = InputSource::clamped;
  Sha256 weight_hash{};
  Sha256 bias_hash{};         ///< of the little-endian int64 array; all zero when there is no bias
  IntegerRange weight_range;  ///< every weight lies in it
  std::vector<StageRanges> ranges;
  Verdict verdict = Verdict::incomplete;  ///< safe or unsafe, by comparing `ranges` with the register limits
  NodeId worst;  ///< the node with the smallest margin (first in row, stage, node order among equals)
  Side worst_side = Side::upper;
  std::vector<std::int32_t> worst_witness;  ///< [cols], attains that end
};

struct Certificate {
  std::string tool;  ///< "axecert 0.1.0"
  std::vector<LayerClaims> layers;
  Verdict verdict() const;  ///< unsafe if any layer is; incomplete if there is none
};

/// Ranges, verdict and witness of `layer` on `datapath`. Validates both; throws InputError. weight_hash: that of layer.weights, where it
/// is known already (sha256_of_each); `memory` as for layer_ranges.
LayerClaims make_claims(IntegerLayer layer, const Datapath& datapath, InputSource source,
                        const std::optional<Sha256>& weight_hash = std::nullopt, std::vector<StageRanges> memory = {});

/// Fills what follows from a layer and its claimed ranges: hashes, verdict, worst node and witness. make_claims does.
void finish_claims(LayerClaims& claims, const std::optional<Sha256>& weight_hash = std::nullopt);

/// SHA-256 of the little-endian int64 array; all zero when it is empty.
Sha256 hash_of_bias(const std::vector<std::int64_t>& bias);

/// The assumptions that `certificate` rests on, sorted, without repetition.
std::vector<Assumption> assumptions(const Certificate& certificate);

/// Deterministic bytes of an .axec file, and the file itself: temporary file, fsync, rename. Throws InputError.
std::vector<std::uint8_t> certificate_bytes(const Certificate& certificate);
void write_certificate(const std::filesystem::path& path, const Certificate& certificate);

/// Reads what `write_certificate` wrote; strict: anything else throws InputError with the byte position. Weights and bias
/// are not in the file: `attach_weights` puts them back from arrays whose hashes agree.
Certificate read_certificate(const std::filesystem::path& path);
Certificate parse_certificate(const std::vector<std::uint8_t>& bytes, const std::string& where);

/// Fills `claims.layer.weights` and `.bias`; throws InputError when a hash or a size differs.
void attach_weights(LayerClaims& claims, std::vector<std::int8_t> weights, std::vector<std::int64_t> bias);

}  // namespace axe

// Layers in ranges of rows; see parts.hpp. Main functions: rows_of, join. No side effects.
#include "axecert/certificate/parts.hpp"

#include <algorithm>
#include <optional>

#include "axecert/certificate/sha256.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

template <class Value>
std::vector<Value> slice(const std::vector<Value>& values, std::int64_t begin, std::int64_t end) {
  return {values.begin() + begin, values.begin() + end};
}

std::int64_t worst_margin(const LayerClaims& claims) {
  const StageRanges& stage = claims.ranges.at(claims.worst.stage);
  const auto i = static_cast<std::size_t>(claims.worst.row * stage.nodes + claims.worst.node);
  return margin({stage.lower.at(i), stage.upper.at(i)}, register_limits(claims.datapath.stages[claims.worst.stage]));
}

bool same_frame(const LayerClaims& a, const LayerClaims& b) {
  return a.layer.name == b.layer.name && a.layer.cols == b.layer.cols && a.layer.box_lower == b.layer.box_lower &&
         a.layer.box_upper == b.layer.box_upper && a.layer.offset == b.layer.offset &&
         a.layer.zero_point_spread == b.layer.zero_point_spread && a.layer.input_limit == b.layer.input_limit &&
         a.input_source == b.input_source && a.datapath.name == b.datapath.name &&
         same_arithmetic(a.datapath, b.datapath) && (a.bias_hash == Sha256{}) == (b.bias_hash == Sha256{});
}

}  // namespace

IntegerLayer rows_of(const IntegerLayer& layer, std::int64_t begin, std::int64_t end) {
  if (begin < 0 || begin >= end || end > layer.rows) {
    throw InputError(
        "layer " + layer.name,
        "has no rows " + std::to_string(begin) + " to " + std::to_string(end) + ", but " + std::to_string(layer.rows),
        "0 ≤ begin < end ≤ rows");
  }
  IntegerLayer rows = layer;
  rows.rows = end - begin;
  rows.weights = slice(layer.weights, begin * layer.cols, end * layer.cols);
  rows.bias = layer.bias.empty() ? std::vector<std::int64_t>{} : slice(layer.bias, begin, end);
  return rows;
}

LayerClaims rows_of(const LayerClaims& claims, std::int64_t begin, std::int64_t end) {
  LayerClaims rows;
  rows.layer = rows_of(claims.layer, begin, end);
  rows.datapath = claims.datapath;
  rows.input_source = claims.input_source;
  rows.weight_range = claims.weight_range;
  for (const StageRanges& stage : claims.ranges) {
    rows.ranges.push_back({stage.nodes, slice(stage.lower, begin * stage.nodes, end * stage.nodes),
                           slice(stage.upper, begin * stage.nodes, end * stage.nodes)});
  }
  finish_claims(rows);
  return rows;
}

LayerClaims join(const std::vector<LayerClaims>& parts, const Sha256& weight_hash, const Sha256& bias_hash) {
  if (parts.empty()) {
    throw InputError("certificate", "a layer has no parts", "give the claims about all of its rows");
  }
  LayerClaims whole = parts[0];
  whole.layer.weights.clear();
  whole.layer.bias.clear();
  whole.weight_hash = weight_hash;
  whole.bias_hash = bias_hash;
  std::int64_t least = worst_margin(whole);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const LayerClaims& part = parts[i];
    if (!same_frame(whole, part)) {
      throw InputError("layer " + whole.layer.name, "its parts are claims about different layers, boxes or datapaths",
                       "certify all of them with the same arguments");
    }
    // The first node with the smallest margin: rows are in order, so a later part wins only when it is tighter.
    const std::int64_t here = worst_margin(part);
    if (here < least) {
      least = here;
      whole.worst = {whole.layer.rows + part.worst.row, part.worst.stage, part.worst.node};
      whole.worst_side = part.worst_side;
      whole.worst_witness = part.worst_witness;
    }
    whole.layer.rows += part.layer.rows;
    whole.weight_range.lower = std::min(whole.weight_range.lower, part.weight_range.lower);
    whole.weight_range.upper = std::max(whole.weight_range.upper, part.weight_range.upper);
    for (std::size_t s = 0; s < whole.ranges.size(); ++s) {
      StageRanges& stage = whole.ranges[s];
      stage.lower.insert(stage.lower.end(), part.ranges.at(s).lower.begin(), part.ranges[s].lower.end());
      stage.upper.insert(stage.upper.end(), part.ranges[s].upper.begin(), part.ranges[s].upper.end());
    }
  }
  whole.verdict = least >= 0 ? Verdict::safe : Verdict::unsafe;
  if ((bias_hash == Sha256{}) != (parts[0].bias_hash == Sha256{})) {
    throw InputError("layer " + whole.layer.name, "only one of its parts and its arrays has a bias",
                     "certify it again");
  }
  return whole;
}

}  // namespace axe

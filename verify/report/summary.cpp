// See summary.hpp. Floating point is used for shares and bits that people read; whether a node fits is decided by integers.
#include "axecert/report/summary.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "axecert/report/words.hpp"

namespace axe {

double budget_used(IntegerRange range, IntegerRange limits) {
  // Limits are on their own side of 0, or 0 themselves; of a range only what goes to that side counts.
  const auto share = [](std::int64_t reach, std::int64_t limit) {
    return reach == 0   ? 0.0
           : limit == 0 ? std::numeric_limits<double>::infinity()
                        : static_cast<double>(reach) / static_cast<double>(limit);
  };
  return std::max(share(std::max<std::int64_t>(range.upper, 0), limits.upper),
                  share(std::min<std::int64_t>(range.lower, 0), limits.lower));
}

namespace {

/// The element that would stand in the middle, at size / 2, if `values` ≥ 0 were sorted; `greatest` is their greatest. A count of how many fall
/// into each of equal pieces of [0, greatest] says in which the middle is; only that piece is sorted.
double middle_of(const std::vector<double>& values, double greatest) {
  constexpr std::size_t pieces = 4096;
  const double scale = static_cast<double>(pieces) / greatest;
  const bool split = values.size() > 4 * pieces && std::isfinite(scale) && scale > 0;
  const auto piece_of = [&](double value) {  // does not decrease with the value
    return split ? std::min(pieces - 1, static_cast<std::size_t>(value * scale)) : std::size_t{0};
  };
  std::vector<std::size_t> counts(pieces, 0);
  for (const double value : values) {
    ++counts[piece_of(value)];
  }
  std::size_t piece = 0, before = 0;
  while (before + counts[piece] <= values.size() / 2) {
    before += counts[piece++];
  }
  std::vector<double> here;
  here.reserve(counts[piece]);
  std::copy_if(values.begin(), values.end(), std::back_inserter(here),
               [&](double value) { return piece_of(value) == piece; });
  const auto middle = here.begin() + static_cast<std::ptrdiff_t>(values.size() / 2 - before);
  std::nth_element(here.begin(), middle, here.end());
  return *middle;
}

StageSummary summarize_stage(const LayerClaims& claims, const Topology& topology, std::size_t s) {
  const StageRanges& ranges = claims.ranges[s];
  StageSummary summary;
  summary.stage = topology.stage(s);
  summary.limits = register_limits(summary.stage);
  summary.registers = topology.nodes(s);
  summary.nodes = static_cast<std::int64_t>(ranges.lower.size());
  summary.smallest_margin = std::numeric_limits<std::int64_t>::max();
  std::vector<double> used(ranges.lower.size());
  IntegerRange hull{0, 0};
  for (std::size_t i = 0; i < ranges.lower.size(); ++i) {
    const IntegerRange range{ranges.lower[i], ranges.upper[i]};
    const std::int64_t steps = margin(range, summary.limits);
    summary.smallest_margin = std::min(summary.smallest_margin, steps);
    summary.unsafe_nodes += steps < 0 ? 1 : 0;
    hull = i == 0 ? range : IntegerRange{std::min(hull.lower, range.lower), std::max(hull.upper, range.upper)};
    used[i] = budget_used(range, summary.limits);
  }
  if (!used.empty()) {
    summary.budget_fullest = *std::max_element(used.begin(), used.end());
    summary.smallest_margin_bits = 0.0 - std::log2(std::max(summary.budget_fullest, 1e-300));  // 0, not −0, when full
    summary.budget_used = middle_of(used, summary.budget_fullest);
  }
  summary.smallest_safe_width = minimum_width(hull, summary.stage.limits);
  for (std::int64_t node = 0; node < std::min<std::int64_t>(summary.registers, 1); ++node) {
    summary.products = static_cast<std::int64_t>(topology.products_of(s, node).size());
  }
  return summary;
}

}  // namespace

LayerSummary summarize(const LayerClaims& claims) {
  const Topology topology(claims.datapath, claims.layer.cols);
  LayerSummary summary;
  const IntegerRange operand = claims.datapath.activations;
  summary.activations_signed = operand.lower < 0;
  summary.activation_bits = minimum_width(operand, Limits::full) - (summary.activations_signed ? 0 : 1);
  summary.weight_bits = minimum_width(claims.weight_range, Limits::full);
  for (std::size_t s = 0; s < topology.stages(); ++s) {
    StageSummary stage = summarize_stage(claims, topology, s);
    stage.data_type = data_type_bound(stage.products, std::clamp(summary.weight_bits, 1, 32),
                                      std::clamp(summary.activation_bits, 1, 32), summary.activations_signed);
    summary.nodes += stage.nodes;
    summary.stages.push_back(stage);
  }
  for (std::int64_t row = 0; row < claims.layer.rows; ++row) {
    bool unsafe = false;
    for (std::size_t s = 0; s < topology.stages() && !unsafe; ++s) {
      for (std::int64_t node = 0; node < topology.nodes(s) && !unsafe; ++node) {
        const auto i = static_cast<std::size_t>(row * topology.nodes(s) + node);
        unsafe = margin({claims.ranges[s].lower[i], claims.ranges[s].upper[i]}, summary.stages[s].limits) < 0;
      }
    }
    summary.unsafe_rows += unsafe ? 1 : 0;
  }
  const IntegerLayer& layer = claims.layer;
  summary.box = {*std::min_element(layer.box_lower.begin(), layer.box_lower.end()),
                 *std::max_element(layer.box_upper.begin(), layer.box_upper.end())};
  const NodeId worst = claims.worst;
  const auto i = static_cast<std::size_t>(worst.row * topology.nodes(worst.stage) + worst.node);
  summary.worst_range = {claims.ranges[worst.stage].lower[i], claims.ranges[worst.stage].upper[i]};
  summary.worst_margin = margin(summary.worst_range, summary.stages[worst.stage].limits);
  return summary;
}

std::string source_in_words(const LayerClaims& claims) {
  const std::int64_t spread = claims.layer.zero_point_spread;
  const std::int64_t limit = claims.layer.input_limit;
  return to_text(claims.input_source) + (spread == 0 ? "" : ", zero points over " + in_words(spread + 1) + " codes") +
         (limit == 0 ? "" : ", Σ|x| ≤ " + in_words(limit) + " per register");
}

BudgetMap budget_map(const LayerClaims& claims, std::size_t stage, std::int64_t most_rows, std::int64_t most_columns) {
  const Topology topology(claims.datapath, claims.layer.cols);
  const IntegerRange limits = register_limits(topology.stage(stage));
  const std::int64_t rows = claims.layer.rows, registers = topology.nodes(stage);
  const std::int64_t rows_per_cell = (rows + most_rows - 1) / most_rows,
                     columns_per_cell = (registers + most_columns - 1) / most_columns;
  BudgetMap map;
  map.rows = (rows + rows_per_cell - 1) / rows_per_cell;
  map.columns = (registers + columns_per_cell - 1) / columns_per_cell;
  map.used.assign(static_cast<std::size_t>(map.rows * map.columns), 0.0);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t node = 0; node < registers; ++node) {
      const auto i = static_cast<std::size_t>(row * registers + node);
      double& cell = map.used[static_cast<std::size_t>(row / rows_per_cell * map.columns + node / columns_per_cell)];
      cell = std::max(cell, budget_used({claims.ranges[stage].lower[i], claims.ranges[stage].upper[i]}, limits));
    }
  }
  return map;
}

}  // namespace axe

// What a report says about one layer, computed from its claims: per stage how many registers, how much of their budget is used,
// the smallest margin and the width that would do. `summarize` is the main function. No side effects.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "axecert/certificate/certificate.hpp"

namespace axe {

struct StageSummary {
  Stage stage;
  IntegerRange limits;
  std::int64_t registers = 0;  ///< per dot product
  std::int64_t nodes = 0;      ///< in the layer: rows × registers
  std::int64_t unsafe_nodes = 0;
  double budget_used = 0;            ///< median over the nodes of max(upper / limit, lower / limit); above 1: overflow
  double budget_fullest = 0;         ///< the largest of them
  std::int64_t smallest_margin = 0;  ///< steps; negative: overflow
  double smallest_margin_bits = 0;   ///< log2(limit / reach) of the node with the least of it; negative: overflow
  int smallest_safe_width = 0;       ///< bits that hold every node of this stage; 65: more than 64
  std::int64_t products = 0;         ///< most products below one register
  DataTypeBound data_type{};         ///< width that data types alone ask for, for as many products
};

struct LayerSummary {
  std::vector<StageSummary> stages;
  std::int64_t nodes = 0;
  std::int64_t unsafe_rows = 0;
  int weight_bits = 0;      ///< smallest two's complement type that holds the weights
  int activation_bits = 0;  ///< smallest type that holds the operand range of the datapath
  bool activations_signed = false;
  IntegerRange box;          ///< hull of the channels' boxes
  IntegerRange worst_range;  ///< claimed range of the worst node
  std::int64_t worst_margin = 0;
};

/// Whether StageSummary::budget_used is computed, which costs as much as all the rest, or 0.
enum class Median { computed, left_out };

LayerSummary summarize(const LayerClaims& claims, Median median = Median::computed);

/// Where the box comes from, and how far zero points of tokens spread when they do: "clamped", "clamped, zero points over 256
/// codes".
std::string source_in_words(const LayerClaims& claims);

/// Largest share of the budget over a cell of the picture of one stage's margins: the nodes [rows, registers] are cut into at
/// most `most_rows` × `most_columns` cells. Row-major.
struct BudgetMap {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::vector<double> used;
};
BudgetMap budget_map(const LayerClaims& claims, std::size_t stage, std::int64_t most_rows, std::int64_t most_columns);

/// max(upper / limits.upper, lower / limits.lower), 0 for a range that is only {0}; infinite where a limit is 0 and passed.
double budget_used(IntegerRange range, IntegerRange limits);

}  // namespace axe

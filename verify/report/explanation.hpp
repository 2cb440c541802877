// Why one register fits, or does not: its inequality with the numbers, inputs that attain each end, and what the machine's
// register holds on them. `explain` is the main function. No side effects.
#pragma once

#include <string>
#include <vector>

#include "axecert/certificate/certificate.hpp"
#include "axecert/replay/replay.hpp"

namespace axe {

struct Explanation {
  std::string layer;
  NodeId node;
  Stage stage;
  IntegerRange limits;
  IntegerRange range;  ///< recomputed from the weights
  std::int64_t margin = 0;
  IntegerRange initial;  ///< what the register starts from: one value, or the ends that a varying zero point gives
  std::vector<std::int64_t>
      values;               ///< positions of the values that it adds: inputs for stage 0, registers below otherwise
  std::int64_t stride = 1;  ///< distance between them
  std::int64_t input_limit = 0;        ///< stage 0: the magnitudes of its inputs add up to this at most; 0: no limit
  bool uniform_box = false;            ///< stage 0, and every input has the same box:
  IntegerRange box;                    ///<   that box (else the hull)
  std::int64_t positive_weights = 0;   ///<   Σ of the weights > 0
  std::int64_t negative_weights = 0;   ///<   Σ of the weights < 0
  std::int64_t positive_sum = 0;       ///< what the values add to `initial`'s upper end to make `upper`
  std::int64_t negative_sum = 0;       ///< … `lower`
  Side side = Side::upper;             ///< the end nearer to its limit
  bool witness_follows_signs = false;  ///< the upper end of the box where the weight helps, the lower end elsewhere
  NodeReplay replay;                   ///< inputs that attain that end, and what the register did on them
};

/// The register with the smallest claimed margin among those of `row`, `stage` and `node`, where −1 means any; the first in row,
/// stage, node order among equals. Throws InputError when there is none, naming what there is.
NodeId tightest_node(const LayerClaims& claims, std::int64_t row, std::int64_t stage, std::int64_t node);

/// `claims` with its weights attached. Throws InputError when the node does not exist, naming the largest that does.
Explanation explain(const LayerClaims& claims, NodeId node);

/// The paragraph that people read, one line per entry.
std::vector<std::string> in_words(const Explanation& explanation);

}  // namespace axe

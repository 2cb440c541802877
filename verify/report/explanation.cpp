// See explanation.hpp. The range is lib/bound's; the sums beside it are formed here from the weights, so that a reader can add up.
#include "axecert/report/explanation.hpp"

#include <algorithm>

#include "axecert/bound/range.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/report/words.hpp"

namespace axe {
namespace {

void require_node(const LayerClaims& claims, const Topology& topology, NodeId id) {
  const auto require = [&](bool holds, const char* what, std::int64_t value, std::int64_t count) {
    if (!holds) {
      throw InputError("layer " + claims.layer.name, std::string("there is no ") + what + " " + std::to_string(value),
                       std::string(what) + "s are 0 to " + std::to_string(count - 1));
    }
  };
  require(id.row >= 0 && id.row < claims.layer.rows, "row", id.row, claims.layer.rows);
  require(id.stage < topology.stages(), "stage", static_cast<std::int64_t>(id.stage),
          static_cast<std::int64_t>(topology.stages()));
  require(id.node >= 0 && id.node < topology.nodes(id.stage), "register", id.node, topology.nodes(id.stage));
}

// Σ of the products' extremes of stage 0, and of the weights by sign.
void add_products(Explanation& e, const LayerClaims& claims) {
  const IntegerLayer& layer = claims.layer;
  const bool every = e.stage.claim == Claim::every_partial_sum;
  e.uniform_box = true;
  bool first = true;
  int128 positive = 0, negative = 0;
  for (const std::int64_t k : e.values) {
    const std::int64_t w = layer.row(e.node.row)[k], low = layer.lower(k), high = layer.upper(k);
    (w > 0 ? e.positive_weights : e.negative_weights) += w;
    const std::int64_t most = std::max(w * low, w * high), least = std::min(w * low, w * high);
    positive += every ? std::max<std::int64_t>(0, most) : most;
    negative += every ? std::min<std::int64_t>(0, least) : least;
    e.uniform_box = e.uniform_box && (first || (low == e.box.lower && high == e.box.upper));
    e.box = first ? IntegerRange{low, high} : IntegerRange{std::min(e.box.lower, low), std::max(e.box.upper, high)};
    first = false;
  }
  if (layer.input_limit != 0) {  // what the driving inputs reach, product by product
    e.input_limit = layer.input_limit;
    positive = negative = 0;
    const Topology topology(claims.datapath, layer.cols);
    const std::vector<std::int32_t> most = witness(layer, topology, e.node, Side::upper),
                                    least = witness(layer, topology, e.node, Side::lower);
    for (const std::int64_t k : e.values) {
      const auto i = static_cast<std::size_t>(k);
      positive += std::int64_t{layer.row(e.node.row)[k]} * most[i];
      negative += std::int64_t{layer.row(e.node.row)[k]} * least[i];
    }
  }
  e.positive_sum = narrow(positive, "sum of products");
  e.negative_sum = narrow(negative, "sum of products");
}

}  // namespace

NodeId tightest_node(const LayerClaims& claims, std::int64_t row, std::int64_t stage, std::int64_t node) {
  const Topology topology(claims.datapath, claims.layer.cols);
  const NodeId asked{std::max<std::int64_t>(row, 0), static_cast<std::size_t>(std::max<std::int64_t>(stage, 0)), 0};
  require_node(claims, topology, asked);
  NodeId best;
  bool found = false;
  std::int64_t least = 0, most_nodes = 0;
  for (std::int64_t r = row < 0 ? 0 : row; r < (row < 0 ? claims.layer.rows : row + 1); ++r) {
    for (std::size_t s = stage < 0 ? 0 : asked.stage; s < (stage < 0 ? topology.stages() : asked.stage + 1); ++s) {
      const IntegerRange limits = register_limits(topology.stage(s));
      most_nodes = std::max(most_nodes, topology.nodes(s));
      for (std::int64_t n = node < 0 ? 0 : node;
           n < (node < 0 ? topology.nodes(s) : std::min(node + 1, topology.nodes(s))); ++n) {
        const auto i = static_cast<std::size_t>(r * topology.nodes(s) + n);
        const std::int64_t steps = margin({claims.ranges[s].lower[i], claims.ranges[s].upper[i]}, limits);
        if (!found || steps < least) {
          best = {r, s, n};
          least = steps;
          found = true;
        }
      }
    }
  }
  if (!found) {
    throw InputError("layer " + claims.layer.name, "there is no register " + std::to_string(node),
                     "registers are 0 to " + std::to_string(most_nodes - 1));
  }
  return best;
}

Explanation explain(const LayerClaims& claims, NodeId id) {
  const IntegerLayer& layer = claims.layer;
  const Topology topology(claims.datapath, layer.cols);
  require_node(claims, topology, id);
  Explanation e;
  e.layer = layer.name;
  e.node = id;
  e.stage = topology.stage(id.stage);
  e.limits = register_limits(e.stage);
  e.range = node_range(layer, topology, id);
  e.margin = margin(e.range, e.limits);
  if (e.stage.initial == Initial::constant) {
    e.initial = row_constant_range(layer, id.row);
  }
  e.values = topology.values_of(id.stage, id.node);
  e.stride = e.values.size() > 1 ? e.values[1] - e.values[0] : 1;
  if (id.stage == 0) {
    add_products(e, claims);
  } else {
    e.positive_sum = narrow(static_cast<int128>(e.range.upper) - e.initial.upper, "sum of registers");
    e.negative_sum = narrow(static_cast<int128>(e.range.lower) - e.initial.lower, "sum of registers");
  }

  const int128 above = static_cast<int128>(e.limits.upper) - e.range.upper,
               below = static_cast<int128>(e.range.lower) - e.limits.lower;
  e.side = above <= below ? Side::upper : Side::lower;
  e.replay = replay_node(claims, id, e.side);
  if (id.stage == 0 && e.uniform_box) {
    e.witness_follows_signs = std::all_of(e.values.begin(), e.values.end(), [&](std::int64_t k) {
      const int w = layer.row(id.row)[k];
      const std::int32_t x = e.replay.inputs[static_cast<std::size_t>(k)];
      const bool helps = e.side == Side::upper ? w > 0 : w < 0;
      return w == 0 || x == (helps ? e.box.upper : e.box.lower);
    });
  }
  return e;
}

std::vector<std::string> in_words(const Explanation& e) {
  std::vector<std::string> lines;
  const std::int64_t first = e.values.front(), last = e.values.back();
  const std::string unit = e.node.stage == 0 ? "input" : "register";
  const std::string which =
      first == last   ? unit + " " + in_words(first)
      : e.stride == 1 ? unit + "s " + in_words(first) + "…" + in_words(last)
                      : unit + "s " + in_words(first) + ", " + in_words(first + e.stride) + ", … " + in_words(last);
  lines.push_back(e.layer + ", row " + in_words(e.node.row) + ", stage " + e.stage.name + ", register " +
                  in_words(e.node.node) + " (" + which + (e.node.stage == 0 ? "" : " of the stage below") +
                  "): " + std::to_string(e.stage.width) + "-bit register, " + to_text(e.stage.overflow) + ", limits " +
                  in_words(e.limits));
  const bool varies = e.initial.lower != e.initial.upper;
  if (varies) {
    lines.push_back("  starts from the row's constant, " + in_words(e.initial.lower) + " to " +
                    in_words(e.initial.upper) + " over its zero points");
  } else if (e.initial.lower != 0) {
    lines.push_back("  starts from the row's constant " + in_words(e.initial.lower));
  }
  const auto start = [&](bool upper) {
    const std::int64_t initial = upper ? e.initial.upper : e.initial.lower;
    return varies || initial != 0 ? in_words(initial) + " + " : "";
  };
  const auto relation = [&](bool upper) {
    const bool holds = upper ? e.range.upper <= e.limits.upper : e.range.lower >= e.limits.lower;
    return std::string(upper ? (holds ? " ≤ " : " > ") : (holds ? " ≥ " : " < ")) +
           in_words(upper ? e.limits.upper : e.limits.lower);
  };
  if (e.node.stage == 0 && e.input_limit == 0 && e.uniform_box && e.box.lower <= 0 && e.box.upper >= 0) {
    lines.push_back("  positive weights sum to " + in_words(e.positive_weights) + ", negative to " +
                    in_words(e.negative_weights) + ", inputs in " + in_words(e.box));
    const auto product = [&](std::int64_t x, std::int64_t w) {
      return in_words(x) + "·" + (w < 0 ? "(" + in_words(w) + ")" : in_words(w));
    };
    lines.push_back("  upper = " + start(true) + product(e.box.upper, e.positive_weights) + " + " +
                    product(e.box.lower, e.negative_weights) + " = " + in_words(e.range.upper) + relation(true));
    lines.push_back("  lower = " + start(false) + product(e.box.lower, e.positive_weights) + " + " +
                    product(e.box.upper, e.negative_weights) + " = " + in_words(e.range.lower) + relation(false));
  } else {
    const bool limited = e.input_limit != 0;
    const std::string of =
        e.node.stage == 0 ? "products, each over its channel's range" : "registers below, each over its own range";
    lines.push_back("  adds " + in_words(static_cast<std::int64_t>(e.values.size())) + " " + of +
                    (limited ? ", Σ|x| ≤ " + in_words(e.input_limit) : ""));
    const std::string zero = e.stage.claim == Claim::every_partial_sum ? "0, " : "";
    const std::string most = limited             ? "max Σ w·x, the largest |w| first"
                             : e.node.stage == 0 ? "Σ max(" + zero + "w·low, w·high)"
                             : zero.empty()      ? "Σ upper"
                                                 : "Σ max(0, upper)";
    const std::string least = limited             ? "min Σ w·x, the largest |w| first"
                              : e.node.stage == 0 ? "Σ min(" + zero + "w·low, w·high)"
                              : zero.empty()      ? "Σ lower"
                                                  : "Σ min(0, lower)";
    const auto sum = [&](bool upper, const std::string& formula, std::int64_t value) {
      return start(upper).empty() ? formula : start(upper) + formula + " = " + start(upper) + in_words(value);
    };
    lines.push_back("  upper = " + sum(true, most, e.positive_sum) + " = " + in_words(e.range.upper) + relation(true));
    lines.push_back("  lower = " + sum(false, least, e.negative_sum) + " = " + in_words(e.range.lower) +
                    relation(false));
  }
  lines.push_back(e.margin >= 0 ? "  margin " + in_words(e.margin) + " of " + in_words(e.limits.upper)
                                : "  exceeds the register by " + in_words(-e.margin));
  std::string story;
  if (e.witness_follows_signs) {
    const bool upper = e.side == Side::upper;
    story = in_words(e.box.upper) + (upper ? " where the weight is positive, " : " where the weight is negative, ") +
            in_words(e.box.lower) + " elsewhere";
  } else {
    std::vector<std::int32_t> inside;
    if (e.node.stage == 0) {
      for (const std::int64_t k : e.values) {
        inside.push_back(e.replay.inputs[static_cast<std::size_t>(k)]);
      }
    }
    story = runs_in_words(e.node.stage == 0 ? inside : e.replay.inputs);
  }
  lines.push_back(std::string("  witness for the ") + (e.side == Side::upper ? "upper" : "lower") + " end: " + story);
  const int128 reached = e.replay.reached;
  const bool word = reached >= INT64_MIN && reached <= INT64_MAX;
  lines.push_back("  replayed: reaches " +
                  (word ? in_words(static_cast<std::int64_t>(reached)) : axe::to_string(reached)) +
                  (e.replay.overflowed ? ", overflows, and the register holds " : ", and the register holds ") +
                  in_words(e.replay.content));
  return lines;
}

}  // namespace axe

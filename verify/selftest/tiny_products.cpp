// Dot products so small that every input of the box is executed, in three orders of addition: what is claimed of their registers is
// what is seen; the checker, Z3 at two depths and the replay say the same; and none of them accepts an end that is off by one. See
// checks.hpp.
#include <algorithm>
#include <array>

#include "axecert/bound/range.hpp"
#include "axecert/datapath/machine.hpp"
#include "axecert/replay/replay.hpp"
#include "axecert/report/votes.hpp"
#include "axecert/selftest/checks.hpp"
#include "axecert/smt/smt.hpp"

namespace axe {
namespace {

// Every row of three weights in [−2, 2].
IntegerLayer all_rows(std::int32_t low, std::int32_t high) {
  IntegerLayer layer;
  layer.name = "all";
  layer.rows = 125;
  layer.cols = 3;
  for (int a = -2; a <= 2; ++a) {
    for (int b = -2; b <= 2; ++b) {
      for (int c = -2; c <= 2; ++c) {
        layer.weights.insert(layer.weights.end(),
                             {static_cast<std::int8_t>(a), static_cast<std::int8_t>(b), static_cast<std::int8_t>(c)});
      }
    }
  }
  layer.box_lower = {low};
  layer.box_upper = {high};
  return layer;
}

// Widths around the edge: 3 products of at most 2 · 3 reach 18; ±15 at 5 bits, ±31 at 6.
std::vector<LayerClaims> tiny_claims() {
  std::vector<LayerClaims> claims;
  const auto add = [&](const Datapath& datapath, std::int32_t low, std::int32_t high) {
    claims.push_back(make_claims(all_rows(low, high), datapath, InputSource::given));
  };
  for (const char* name : {"axe:P=5", "axe:P=6", "axe:P=4,T=2", "axe:P=5,T=2"}) {
    add(parse_datapath(name), 0, 3);
  }
  add(parse_datapath("axe:P=5,T=1,act=s8"), -2, 1);
  add(parse_datapath("axe:P=5,act=s8"), 1, 2);  // a box that excludes 0: prefixes reach further than sums
  add(parse_datapath("axe:P=5,act=s8"), -2, -1);
  Datapath saturating = parse_datapath("axe:P=4,T=2");
  saturating.stages[0].overflow = Overflow::saturate;
  saturating.stages[0].limits = Limits::full;
  add(saturating, 0, 3);
  return claims;
}

struct Seen {
  std::vector<int128> least, most;
  std::vector<bool> overflowed;
};

// Every input of the box through the machine, and what the lowest registers did.
Seen run_everything(const IntegerLayer& layer, std::int64_t row, const Topology& topology) {
  const auto nodes = static_cast<std::size_t>(topology.nodes(0));
  Seen seen{std::vector<int128>(nodes, 0), std::vector<int128>(nodes, 0), std::vector<bool>(nodes, false)};
  const std::int32_t low = layer.box_lower[0], high = layer.box_upper[0];
  for (std::int32_t x = low; x <= high; ++x) {
    for (std::int32_t y = low; y <= high; ++y) {
      for (std::int32_t z = low; z <= high; ++z) {
        const std::array<std::int32_t, 3> inputs{x, y, z};
        for (const Order order : {Order::kernel, Order::positive_first, Order::negative_first}) {
          const auto trace = axe::run(topology, {layer.row(row), 3}, inputs, 0, order);
          for (std::size_t n = 0; n < nodes; ++n) {
            seen.overflowed[n] = seen.overflowed[n] || trace[0][n].overflowed;
            if (!trace[0][n].overflowed) {
              seen.least[n] = std::min(seen.least[n], trace[0][n].lowest);
              seen.most[n] = std::max(seen.most[n], trace[0][n].highest);
            }
          }
        }
      }
    }
  }
  return seen;
}

Certificate certificate_of(const LayerClaims& claims) {
  Certificate certificate;
  certificate.tool = "selftest";
  certificate.layers.push_back(claims);
  return certificate;
}

std::vector<std::uint8_t> weights_of(const LayerClaims& claims) {
  TensorFile file;
  file.tensors[claims.layer.name + ".weight"] =
      Tensor::of({claims.layer.rows, claims.layer.cols}, claims.layer.weights);
  return weights_for_checker(file);
}

std::vector<Vote> all_votes(const Certificate& certificate, const std::vector<std::uint8_t>& weights) {
  std::vector<Vote> votes{checker_vote(certificate_bytes(certificate), weights, ""), replay_vote(certificate, {})};
  for (const SmtDepth depth : {SmtDepth::ground, SmtDepth::box}) {
    SmtOptions options;
    options.depth = depth;
    votes.push_back(smt_vote(certificate, options));
  }
  return votes;
}

}  // namespace

void check_every_input(SelftestCheck& check) {
  for (const LayerClaims& claims : tiny_claims()) {
    const Topology topology(claims.datapath, claims.layer.cols);
    const IntegerRange limits = register_limits(topology.stage(0));
    for (std::int64_t row = 0; row < claims.layer.rows; ++row) {
      const Seen seen = run_everything(claims.layer, row, topology);
      for (std::size_t n = 0; n < seen.least.size(); ++n) {
        const auto i = static_cast<std::size_t>(row) * seen.least.size() + n;
        const IntegerRange range{claims.ranges[0].lower[i], claims.ranges[0].upper[i]};
        const bool fits = margin(range, limits) >= 0;
        const std::string what =
            claims.datapath.name + ", row " + std::to_string(row) + ", register " + std::to_string(n);
        claim(check, fits != seen.overflowed[n], what + ": overflow is seen iff claimed");
        if (fits) {
          claim(check, seen.least[n] == range.lower && seen.most[n] == range.upper, what + ": both ends are reached");
        }
      }
    }
  }
}

void check_agreement(SelftestCheck& check) {
  for (const LayerClaims& claims : tiny_claims()) {
    const Certificate certificate = certificate_of(claims);
    for (const Vote& vote : all_votes(certificate, weights_of(claims))) {
      claim(check, vote.verdict == claims.verdict && vote.nodes_checked == vote.nodes_total,
            claims.datapath.name + ": " + vote.voter + " says " + to_text(vote.verdict));
    }
  }
}

void check_false_claims(SelftestCheck& check) {
  for (const LayerClaims& honest : tiny_claims()) {
    const std::vector<std::uint8_t> weights = weights_of(honest);
    for (std::size_t stage = 0; stage < honest.ranges.size(); ++stage) {
      for (const bool upper : {false, true}) {
        for (const std::int64_t by : {-1, 1}) {
          LayerClaims claims = honest;
          auto& ends = upper ? claims.ranges[stage].upper : claims.ranges[stage].lower;
          ends[ends.size() / 3] += by;
          for (const Vote& vote : all_votes(certificate_of(claims), weights)) {
            claim(check, vote.verdict == Verdict::refused,
                  claims.datapath.name + ", stage " + std::to_string(stage) + ", " + (upper ? "upper" : "lower") +
                      " end " + (by > 0 ? "+1" : "-1") + ": " + vote.voter + " says " + to_text(vote.verdict));
          }
        }
      }
    }
  }
}

}  // namespace axe

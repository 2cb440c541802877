// Tiny layers, every input: what execution finds, all three depths of Z3 say.
// Requirements: TOR-302.
#include "axecert/smt/smt.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "axecert/datapath/machine.hpp"

using namespace axe;

namespace {

/// The exact range of every node of a one-row layer, by executing every input at every zero point in every order that matters: a
/// wide machine (60 bits, nothing overflows) adds positive values first, and negative values first.
std::vector<std::vector<IntegerRange>> executed(const IntegerLayer& layer, Datapath datapath) {
  for (Stage& stage : datapath.stages) {
    stage.width = 60;
  }
  const Topology topology(datapath, layer.cols);
  std::vector<std::vector<IntegerRange>> ranges(topology.stages());
  for (std::size_t s = 0; s < topology.stages(); ++s) {
    ranges[s].assign(static_cast<std::size_t>(topology.nodes(s)), {INT64_MAX, INT64_MIN});
  }
  std::vector<std::int64_t> constants;
  for (std::int64_t z = 0; z <= layer.zero_point_spread; ++z) {
    constants.push_back(layer.bias.empty() ? 0 : layer.bias[0]);
    for (const std::int8_t w : layer.weights) {
      constants.back() -= w * z;
    }
  }
  std::vector<std::int32_t> inputs(layer.box_lower);
  inputs.assign(static_cast<std::size_t>(layer.cols), layer.box_lower[0]);
  for (bool more = true; more;) {
    const bool allowed = layer.input_limit == 0 || !first_beyond_limit(layer, topology, inputs);
    for (const Order order : {Order::positive_first, Order::negative_first}) {
      for (const std::int64_t constant : allowed ? constants : std::vector<std::int64_t>{}) {
        const auto trace = run(topology, {layer.row(0), static_cast<std::size_t>(layer.cols)}, inputs, constant, order);
        for (std::size_t s = 0; s < ranges.size(); ++s) {
          for (std::size_t j = 0; j < ranges[s].size(); ++j) {
            const bool partial = topology.stage(s).claim == Claim::every_partial_sum;
            const auto low = static_cast<std::int64_t>(partial ? trace[s][j].lowest : trace[s][j].exact);
            const auto high = static_cast<std::int64_t>(partial ? trace[s][j].highest : trace[s][j].exact);
            ranges[s][j].lower = std::min(ranges[s][j].lower, low);
            ranges[s][j].upper = std::max(ranges[s][j].upper, high);
          }
        }
      }
    }
    more = false;
    for (std::size_t k = 0; k < inputs.size() && !more; ++k) {
      more = inputs[k] < layer.box_upper[0];
      inputs[k] = more ? inputs[k] + 1 : layer.box_lower[0];
    }
  }
  return ranges;
}

}  // namespace

TEST_CASE("every depth accepts the executed ranges, and nothing else") {
  std::mt19937_64 random(7);
  const auto below = [&](std::uint64_t n) { return static_cast<int>(random() % n); };
  for (int trial = 0; trial < 72; ++trial) {
    IntegerLayer layer;
    layer.name = "tiny";
    layer.rows = 1;
    layer.cols = 1 + below(4);
    for (std::int64_t k = 0; k < layer.cols; ++k) {
      layer.weights.push_back(static_cast<std::int8_t>(below(9) - 4));
    }
    layer.box_lower = {below(6) - 3};
    layer.box_upper = {layer.box_lower[0] + below(4)};
    if (trial % 2 == 0) {
      layer.bias = {below(21) - 10};
    }
    Datapath datapath = parse_datapath("axe:P=5,T=2,outer=7,act=s8");
    datapath.stages[0].width = 3 + below(4);
    datapath.stages[0].overflow = trial % 3 == 0 ? Overflow::saturate : Overflow::wrap;
    datapath.stages[1].limits = trial % 5 == 0 ? Limits::full : Limits::symmetric;
    if (trial % 4 == 1 && datapath.stages[0].overflow == Overflow::wrap) {
      datapath.stages[0].claim = Claim::final_value;
    }
    if (trial >= 48) {  // limited inputs
      layer.box_lower[0] = std::min(layer.box_lower[0], 0);
      layer.box_upper[0] = std::max(layer.box_upper[0], 0);
      layer.input_limit = 1 + below(5);
    }
    if (trial >= 24) {  // the zero point varies; in some, a register above the one that starts from the constant is in or out whole
      layer.zero_point_spread = 1 + below(3);
      if (trial % 3 == 0) {
        Stage last = datapath.stages[1];
        last.name = "last";
        last.initial = Initial::zero;
        last.width = 8;
        datapath.stages.push_back(last);
      }
    }
    Certificate certificate;
    certificate.layers.push_back(make_claims(layer, datapath, InputSource::given));
    LayerClaims& claims = certificate.layers[0];
    const auto truth = executed(layer, datapath);
    for (std::size_t s = 0; s < truth.size(); ++s) {
      for (std::size_t j = 0; j < truth[s].size(); ++j) {
        REQUIRE(claims.ranges[s].lower[j] == truth[s][j].lower);
        REQUIRE(claims.ranges[s].upper[j] == truth[s][j].upper);
      }
    }
    // One planted error each: a random node and side, off by one.
    Certificate planted = certificate;
    StageRanges& ranges = planted.layers[0].ranges[static_cast<std::size_t>(below(datapath.stages.size()))];
    const auto at = static_cast<std::size_t>(below(static_cast<std::uint64_t>(ranges.nodes)));
    (trial % 2 == 0 ? ranges.lower : ranges.upper)[at] += trial % 4 < 2 ? 1 : -1;
    for (const SmtDepth depth : {SmtDepth::ground, SmtDepth::box, SmtDepth::bit_precise}) {
      SmtOptions options;
      options.depth = depth;
      const Vote vote = smt_vote(certificate, options);
      CAPTURE(trial);
      CAPTURE(vote.voter);
      CAPTURE(vote.detail);
      CHECK(vote.verdict == certificate.verdict());
      CHECK(vote.nodes_checked == vote.nodes_total);
      CHECK(smt_vote(planted, options).verdict == Verdict::refused);
    }
  }
}

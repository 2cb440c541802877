// Tiny layers under every kind of stage: the replay agrees with make_claims' verdict, and with no certificate that is off by one.
// Requirements: TOR-305, TOR-206.
#include "axecert/replay/replay.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace axe;

TEST_CASE("the replay says what is claimed when it is true, and refuses every claim that is off by one") {
  std::mt19937_64 random(11);
  const auto below = [&](std::uint64_t n) { return static_cast<int>(random() % n); };
  int unsafe = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    IntegerLayer layer;
    layer.name = "tiny";
    layer.rows = 1 + below(2);
    layer.cols = 1 + below(9);
    for (std::int64_t i = 0; i < layer.rows * layer.cols; ++i) {
      layer.weights.push_back(static_cast<std::int8_t>(below(4) == 0 ? (below(2) == 0 ? -128 : 127) : below(9) - 4));
    }
    for (std::int64_t k = 0; k < (trial % 2 == 0 ? 1 : layer.cols); ++k) {
      layer.box_lower.push_back(below(200) - 128);
      layer.box_upper.push_back(std::min(127, layer.box_lower.back() + below(100)));
    }
    Datapath datapath = parse_datapath("axe:P=16,T=3,outer=18,act=s8");
    datapath.stages[0].width = 8 + below(12);
    datapath.stages[0].stride = 1 + below(2);
    datapath.stages[0].overflow = static_cast<Overflow>(below(3));
    datapath.stages[0].limits = static_cast<Limits>(below(2));
    if (datapath.stages[0].overflow == Overflow::wrap && below(2) == 0) {
      datapath.stages[0].claim = Claim::final_value;
    }
    layer.offset = {below(7) - 3};
    layer.zero_point_spread = trial % 3 == 0 ? below(40) : 0;
    if (trial % 4 == 3) {
      for (std::size_t k = 0; k < layer.box_lower.size(); ++k) {
        layer.box_lower[k] = std::min(layer.box_lower[k], 0);
        layer.box_upper[k] = std::max(layer.box_upper[k], 0);
      }
      layer.input_limit = 1 + below(300);
    }
    Certificate certificate;
    certificate.layers.push_back(make_claims(layer, datapath, InputSource::given));
    const Vote vote = replay_vote(certificate, {});
    CAPTURE(trial);
    CHECK(vote.verdict == certificate.verdict());
    CHECK(vote.nodes_checked == vote.nodes_total);
    unsafe += vote.verdict == Verdict::unsafe ? 1 : 0;

    StageRanges& ranges = certificate.layers[0].ranges[static_cast<std::size_t>(below(2))];
    const auto at = static_cast<std::size_t>(below(ranges.lower.size()));
    (below(2) == 0 ? ranges.lower : ranges.upper)[at] += below(2) == 0 ? 1 : -1;
    CHECK(replay_vote(certificate, {}).verdict == Verdict::refused);
  }
  CHECK(unsafe > 100);  // both verdicts were met
  CHECK(unsafe < 2900);
}

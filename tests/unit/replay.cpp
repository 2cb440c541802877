// The replay sees what the machine does, and contradicts a certificate that says otherwise.
// Requirements: TOR-305.
#include "axecert/replay/replay.hpp"

#include <doctest/doctest.h>

#include <random>

#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

IntegerLayer layer(std::vector<std::int8_t> weights, std::int64_t rows, std::int32_t lower, std::int32_t upper) {
  IntegerLayer result;
  result.name = "layer";
  result.rows = rows;
  result.cols = static_cast<std::int64_t>(weights.size()) / rows;
  result.weights = std::move(weights);
  result.box_lower = {lower};
  result.box_upper = {upper};
  return result;
}

Certificate certificate(IntegerLayer of, const std::string& datapath) {
  Certificate result;
  result.layers.push_back(make_claims(std::move(of), parse_datapath(datapath), InputSource::given));
  return result;
}

Certificate small() {
  return certificate(layer({3, -2, 7, 0, -8, 1, 5, -1}, 2, 0, 255), "axe:P=14,T=2,outer=32");
}

Verdict verdict(const Certificate& of) {
  return replay_vote(of, {}).verdict;
}

}  // namespace

TEST_CASE("a certificate that is right is replayed at both ends of every node") {
  const Vote vote = replay_vote(small(), {});
  CHECK(vote.verdict == Verdict::safe);
  CHECK(vote.nodes_total == 6);
  CHECK(vote.nodes_checked == 6);
  CHECK(vote.findings.empty());
}

// TOR-206
TEST_CASE("an end that is off by one is contradicted, too small or too large, either side") {
  for (const bool upper : {true, false}) {
    for (const std::int64_t change : {-1, 1}) {
      for (const std::size_t stage : {std::size_t{0}, std::size_t{1}}) {
        Certificate planted = small();
        StageRanges& ranges = planted.layers[0].ranges[stage];
        (upper ? ranges.upper : ranges.lower)[1] += change;
        const Vote vote = replay_vote(planted, {});
        CHECK(vote.verdict == Verdict::refused);
        REQUIRE(!vote.findings.empty());
        CHECK(vote.findings[0].node.stage == stage);
      }
    }
  }
}

TEST_CASE("an overflow that is claimed is seen, and named") {
  const Certificate unsafe = certificate(layer({64, 65, 1, 1}, 2, 0, 255), "axe:P=16,outer=32");
  REQUIRE(unsafe.verdict() == Verdict::unsafe);
  const Vote vote = replay_vote(unsafe, {});
  CHECK(vote.verdict == Verdict::unsafe);
  REQUIRE(vote.findings_total == 1);
  CHECK(vote.findings[0].message.find("32895") != std::string::npos);  // 255 · 129
}

// TOR-206
TEST_CASE("unsafe claimed safe is refused") {
  Certificate planted = certificate(layer({64, 65}, 1, 0, 255), "axe:P=16,outer=32");
  planted.layers[0].verdict = Verdict::safe;
  CHECK(verdict(planted) == Verdict::refused);
  planted.layers[0].ranges[0].upper[0] = 32767;  // and made to fit
  planted.layers[0].ranges[1].upper[0] = 32767;
  CHECK(verdict(planted) == Verdict::refused);
}

// TOR-206
TEST_CASE("safe claimed unsafe, swapped sides, missing ranges are refused") {
  Certificate planted = small();
  planted.layers[0].verdict = Verdict::unsafe;
  CHECK(verdict(planted) == Verdict::refused);
  planted = small();
  std::swap(planted.layers[0].ranges[0].lower, planted.layers[0].ranges[0].upper);
  CHECK(verdict(planted) == Verdict::refused);
  planted = small();
  planted.layers[0].ranges.pop_back();
  CHECK(verdict(planted) == Verdict::refused);
  planted = small();
  planted.layers[0].ranges[0].upper.pop_back();
  CHECK(verdict(planted) == Verdict::refused);
}

TEST_CASE("a register narrower than the claims were made for is noticed") {
  Certificate planted = small();
  planted.layers[0].datapath.stages[0].width = 11;
  CHECK(verdict(planted) == Verdict::refused);
}

// TOR-206
TEST_CASE("other weights, another box, another bias are noticed") {
  Certificate planted = small();
  planted.layers[0].layer.weights[0] = 4;
  CHECK(verdict(planted) == Verdict::refused);
  planted = small();
  planted.layers[0].layer.box_upper[0] = 254;
  planted.layers[0].worst_witness.assign(4, 0);
  CHECK(verdict(planted) == Verdict::refused);
  planted = small();
  planted.layers[0].layer.bias = {0, 1};
  CHECK(verdict(planted) == Verdict::refused);
}

// TOR-206
TEST_CASE("a witness that does not reach, and a worst node that is not worst, are refused") {
  Certificate planted = small();
  planted.layers[0].worst_witness.assign(4, 0);
  CHECK(verdict(planted) == Verdict::refused);
  planted = small();
  planted.layers[0].worst_witness[0] = 256;
  CHECK(verdict(planted) == Verdict::refused);
  planted = small();
  planted.layers[0].worst = {.row = 0, .stage = 1, .node = 0};
  CHECK(verdict(planted) == Verdict::refused);
}

// TOR-106
TEST_CASE("no layers is no verdict") {
  CHECK(verdict({}) == Verdict::incomplete);
}

TEST_CASE("saturating, centred, zero-excluding and final-value datapaths replay") {
  for (const std::int32_t lower : {-128, 0, 3}) {
    for (const Overflow overflow : {Overflow::wrap, Overflow::saturate, Overflow::undefined}) {
      for (const Claim claim : {Claim::every_partial_sum, Claim::final_value}) {
        if (claim == Claim::final_value && overflow != Overflow::wrap) {
          continue;
        }
        Datapath datapath = parse_datapath("axe:P=9,T=2,outer=12,act=s8");
        datapath.activations = {-128, 127};
        datapath.stages[0].overflow = overflow;
        datapath.stages[0].claim = claim;
        datapath.stages[1].claim = claim == Claim::final_value ? claim : Claim::every_partial_sum;
        IntegerLayer of = layer({1, -1, 2, -3, 1, 0, 0, 0, 127, 127, -128, 5}, 2, lower, 7);
        of.bias = {100, -100};
        of.offset = {3};
        Certificate claims;
        claims.layers.push_back(make_claims(of, datapath, InputSource::given));
        const Vote vote = replay_vote(claims, {});
        CHECK(vote.verdict == claims.verdict());
      }
    }
  }
}

// TOR-602
TEST_CASE("the story of a node ends where the claim says") {
  const Certificate claims = small();
  const NodeReplay up = replay_node(claims.layers[0], {.row = 0, .stage = 0, .node = 0}, Side::upper);
  CHECK(up.reached == 765);  // 3 · 255
  CHECK(up.claimed == 765);
  CHECK(up.inputs == std::vector<std::int32_t>{255, 0, 0, 0});
  REQUIRE(up.steps.size() == 2);
  CHECK(up.steps[0].value_index == 0);
  CHECK(up.steps[0].weight == 3);
  CHECK(up.steps[0].input == 255);
  CHECK(up.steps[0].content == 765);
  CHECK(!up.overflowed);
  const NodeReplay outer = replay_node(claims.layers[0], {.row = 1, .stage = 1, .node = 0}, Side::lower);
  CHECK(outer.reached == outer.claimed);
  CHECK(outer.steps.size() == 2);
  CHECK_THROWS_AS(replay_node(claims.layers[0], {.row = 2, .stage = 0, .node = 0}, Side::upper), InputError);
  CHECK_THROWS_AS(replay_node(claims.layers[0], {.row = 0, .stage = 9, .node = 0}, Side::upper), InputError);
}

// TOR-602
TEST_CASE("the story shows what an overflowing register holds") {
  const Certificate claims = certificate(layer({64, 65}, 1, 0, 255), "axe:P=16,outer=32");
  const NodeReplay story = replay_node(claims.layers[0], {.row = 0, .stage = 0, .node = 0}, Side::upper);
  CHECK(story.overflowed);
  CHECK(story.reached == 32895);
  CHECK(story.content == 32895 - 65536);  // wrapped
  CHECK(story.steps.back().overflowed);
}

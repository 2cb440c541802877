// The Z3 voter at its three depths: planted errors are found, unknown is never a pass, workers may die.
// Requirements: TOR-302.
#include "axecert/smt/smt.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

constexpr SmtDepth depths[] = {SmtDepth::ground, SmtDepth::box, SmtDepth::bit_precise};

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

SmtOptions at(SmtDepth depth) {
  SmtOptions options;
  options.depth = depth;
  return options;
}

}  // namespace

TEST_CASE("every depth covers every node of a right certificate") {
  for (const SmtDepth depth : depths) {
    for (const int workers : {1, 3}) {
      SmtOptions options = at(depth);
      options.workers = workers;
      std::int64_t told = -1;
      options.progress = [&](std::int64_t done, std::int64_t) { told = done; };
      const Vote vote = smt_vote(small(), options);
      CAPTURE(vote.voter);
      CAPTURE(vote.detail);
      CHECK(vote.verdict == Verdict::safe);
      CHECK(vote.nodes_total == 6);
      CHECK(vote.nodes_checked == 6);
      CHECK(told == 6);
      CHECK(!vote.version.empty());
    }
  }
}

TEST_CASE("how often Z3's context is replaced changes nothing") {
  for (const SmtDepth depth : depths) {
    for (const std::int64_t nodes : {1, 2, 5, 4096}) {
      SmtOptions options = at(depth);
      options.nodes_per_context = nodes;
      const Vote vote = smt_vote(small(), options);
      CHECK(vote.verdict == Verdict::safe);
      CHECK(vote.nodes_checked == 6);
      // The last node's claim is false: it is the one that a used context would have had to refuse, and a new one does.
      Certificate wrong = small();
      --wrong.layers[0].ranges.back().upper.back();
      CHECK(smt_vote(wrong, options).verdict == Verdict::refused);
    }
  }
}

// TOR-206
TEST_CASE("an end that is off by one is refused at every depth: too small, or too large and so not reached") {
  for (const SmtDepth depth : depths) {
    for (const bool upper : {true, false}) {
      for (const std::int64_t change : {-1, 1}) {
        for (const std::size_t stage : {std::size_t{0}, std::size_t{1}}) {
          Certificate planted = small();
          StageRanges& ranges = planted.layers[0].ranges[stage];
          (upper ? ranges.upper : ranges.lower)[1] += change;
          const Vote vote = smt_vote(planted, at(depth));
          CAPTURE(vote.voter);
          CHECK(vote.verdict == Verdict::refused);
          REQUIRE(vote.findings_total >= 1);
          CHECK(vote.findings[0].node.stage == stage);
          CHECK(vote.findings[0].layer == "layer");
        }
      }
    }
  }
}

TEST_CASE("an unsafe node is found with numbers") {
  const Certificate unsafe = certificate(layer({64, 65, 1, 1}, 2, 0, 255), "axe:P=16,outer=32");
  for (const SmtDepth depth : depths) {
    const Vote vote = smt_vote(unsafe, at(depth));
    CAPTURE(vote.voter);
    CHECK(vote.verdict == Verdict::unsafe);
    CHECK(vote.nodes_checked == vote.nodes_total);
    REQUIRE(vote.findings_total == 1);
    CHECK(vote.findings[0].node == NodeId{.row = 0, .stage = 0, .node = 0});
    CHECK(vote.findings[0].message.find("32767") != std::string::npos);
  }
}

TEST_CASE("unsafe claimed safe, swapped sides, another width, other weights are refused") {
  for (const SmtDepth depth : depths) {
    Certificate planted = certificate(layer({64, 65}, 1, 0, 255), "axe:P=16,outer=32");
    planted.layers[0].verdict = Verdict::safe;
    CHECK(smt_vote(planted, at(depth)).verdict == Verdict::refused);
    planted.layers[0].ranges[0].upper[0] = 32767;
    CHECK(smt_vote(planted, at(depth)).verdict == Verdict::refused);
    planted = small();
    std::swap(planted.layers[0].ranges[0].lower, planted.layers[0].ranges[0].upper);
    CHECK(smt_vote(planted, at(depth)).verdict == Verdict::refused);
    planted = small();
    planted.layers[0].datapath.stages[0].width = 11;
    CHECK(smt_vote(planted, at(depth)).verdict == Verdict::refused);
    planted = small();
    planted.layers[0].layer.weights[0] = 4;
    CHECK(smt_vote(planted, at(depth)).verdict == Verdict::refused);
    planted = small();
    planted.layers[0].layer.bias = {0, 1};
    CHECK(smt_vote(planted, at(depth)).verdict == Verdict::refused);
  }
}

TEST_CASE("numbers beyond 32 bits reach Z3 whole") {
  // A bias above 2^32 is where `int` overloads truncate silently.
  IntegerLayer of = layer({3, -2}, 1, 0, 255);
  of.bias = {5'000'000'000};
  Certificate wide = certificate(of, "axe:P=14,T=2,outer=40");
  for (const SmtDepth depth : depths) {
    const Vote vote = smt_vote(wide, at(depth));
    CAPTURE(vote.voter);
    CAPTURE(vote.detail);
    CHECK(vote.verdict == Verdict::safe);
    Certificate planted = wide;
    planted.layers[0].ranges[1].upper[0] -= 1LL << 32;  // what a truncated comparison would not see
    planted.layers[0].ranges[1].lower[0] -= 1LL << 32;
    CHECK(smt_vote(planted, at(depth)).verdict == Verdict::refused);
  }
}

TEST_CASE("boxes without 0, partial sums: which products are in matters") {
  // Inputs 5 or 6. Final sums lie in [−8, 8] around 3·x − 2·x', partial sums between −12 and 18.
  for (const SmtDepth depth : depths) {
    const Certificate claims = certificate(layer({3, -2, 3, 1, 1, -1, 2, -3}, 2, 5, 6), "axe:P=9,T=2,outer=12");
    REQUIRE(claims.layers[0].ranges[0].upper[0] == 18);
    REQUIRE(claims.layers[0].ranges[0].lower[0] == -12);
    const Vote vote = smt_vote(claims, at(depth));
    CAPTURE(vote.voter);
    CHECK(vote.verdict == Verdict::safe);
    Certificate planted = claims;
    planted.layers[0].ranges[1].upper[0] += 1;
    CHECK(smt_vote(planted, at(depth)).verdict == Verdict::refused);
    planted = claims;
    planted.layers[0].ranges[1].lower[0] += planted.layers[0].ranges[1].lower[0] < 0 ? 1 : -1;
    CHECK(smt_vote(planted, at(depth)).verdict == Verdict::refused);
  }
}

TEST_CASE("a final-value claim is about the final value") {
  Datapath datapath = parse_datapath("axe:P=5,T=2,outer=12");
  datapath.stages[0].claim = Claim::final_value;
  Certificate claims;
  claims.layers.push_back(make_claims(layer({3, -2, 3, -3}, 1, 5, 6), datapath, InputSource::given));
  REQUIRE(claims.layers[0].ranges[0].upper[0] == 8);  // 18 − 10, although 18 is passed on the way
  for (const SmtDepth depth : depths) {
    CHECK(smt_vote(claims, at(depth)).verdict == Verdict::safe);
  }
}

// TOR-303, TOR-106
TEST_CASE("unknown is not a pass") {
  for (const SmtDepth depth : {SmtDepth::box, SmtDepth::bit_precise}) {
    SmtOptions options = at(depth);
    options.rlimit = 1;
    const Vote vote = smt_vote(small(), options);
    CHECK(vote.verdict == Verdict::incomplete);
    CHECK(vote.nodes_checked < vote.nodes_total);
  }
}

// TOR-303
TEST_CASE("a worker that hangs is killed, one that dies is replaced; their nodes stay unchecked") {
  SmtOptions options = at(SmtDepth::box);
  options.stall_seconds = 0.5;
  options.hang_at = 2;
  Vote vote = smt_vote(small(), options);
  CHECK(vote.verdict == Verdict::incomplete);
  CHECK(vote.nodes_checked == 5);
  CHECK(vote.detail.find("stalled") != std::string::npos);
  options.hang_at = -1;
  options.die_at = 0;
  options.workers = 2;
  vote = smt_vote(small(), options);
  CHECK(vote.verdict == Verdict::incomplete);
  CHECK(vote.nodes_checked == 5);
  CHECK(vote.detail.find("died") != std::string::npos);
}

// TOR-303
TEST_CASE("nodes too large for the bit-precise depth are counted as unchecked") {
  SmtOptions options = at(SmtDepth::bit_precise);
  options.bit_products = 2;
  const Vote vote = smt_vote(small(), options);
  CHECK(vote.verdict == Verdict::incomplete);
  CHECK(vote.nodes_checked == 4);
}

// TOR-106
TEST_CASE("no layers is no verdict; options out of range are an error") {
  CHECK(smt_vote({}, {}).verdict == Verdict::incomplete);
  SmtOptions options;
  options.workers = 0;
  CHECK_THROWS_AS(smt_vote(small(), options), InputError);
  options = {};
  options.rlimit = 0;
  CHECK_THROWS_AS(smt_vote(small(), options), InputError);
  options = {};
  options.nodes_per_context = 0;
  CHECK_THROWS_AS(smt_vote(small(), options), InputError);
}

// TOR-402, TOR-404
TEST_CASE("every stage of every preset does what is proved of it, and steps as axe::step does") {
  std::vector<std::string> names = preset_names();
  names.push_back("axe:P=16,T=64");
  names.push_back("axe:P=1,T=4");
  SmtOptions options;
  options.rlimit = 200'000'000;  // a few unrolled runs take Z3 more than the units of a query of a certificate
  std::vector<Stage> proved;  // presets share stages; what the stage is called or where it starts does not matter here
  for (const std::string& name : names) {
    bool fresh = false;
    for (Stage stage : parse_datapath(name).stages) {
      stage.name.clear();
      stage.initial = Initial::zero;
      stage.stride = 1;
      stage.group = stage.group == 0 || stage.group > 4 ? 4 : stage.group;
      if (std::find(proved.begin(), proved.end(), stage) == proved.end()) {
        proved.push_back(stage);
        fresh = true;
      }
    }
    if (!fresh) {
      continue;
    }
    for (const StageProof& proof : prove_datapath(parse_datapath(name), options)) {
      CAPTURE(name);
      CAPTURE(proof.stage);
      CAPTURE(proof.detail);
      CHECK(proof.proved);
      CHECK(proof.steps_compared >= 50);
    }
  }
}

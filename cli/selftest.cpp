// input is run through the machine and compared with the bound, the checker, the replay and Z3.
#include <algorithm>
#include <array>
#include <cstdio>

#include "axecert/bound/range.hpp"
#include "axecert/checker/checker.h"
#include "axecert/datapath/machine.hpp"
#include "axecert/replay/replay.hpp"
#include "axecert/report/votes.hpp"
#include "axecert/report/words.hpp"
#include "axecert/smt/smt.hpp"
#include "verb.hpp"

namespace axe::cli {
namespace {

struct Check {
  std::string name;
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::string first_failure;
  void claim(bool holds, const std::string& what) {
    ++done;
    if (!holds) {
      first_failure = failed == 0 ? what : first_failure;
      ++failed;
    }
  }
};

std::string checker_hash(const std::string& text) {
  axc_sha256 state;
  axc_sha256_start(&state);
  axc_sha256_add(&state, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  Sha256 digest;
  axc_sha256_finish(&state, digest.data());
  return to_hex(digest);
}

// FIPS 180-4's examples, by both implementations.
Check hashes() {
  Check check{"sha256 vectors", 0, 0, ""};
  const std::array<std::pair<std::string, const char*>, 3> vectors{
      {{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
       {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
       {std::string(1000000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}}};
  for (const auto& [text, expected] : vectors) {
    const std::string what = std::to_string(text.size()) + " bytes";
    check.claim(to_hex(sha256(text.data(), text.size())) == expected, what + ", certificate");
    check.claim(checker_hash(text) == expected, what + ", checker");
  }
  return check;
}

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

// Runs every input of the box through the lowest registers: nothing leaves the claimed range, and both ends are reached.
void run_all_inputs(const LayerClaims& claims, const Topology& topology, Check& check) {
  const IntegerLayer& layer = claims.layer;
  const std::int32_t low = layer.box_lower[0], high = layer.box_upper[0];
  const IntegerRange limits = register_limits(topology.stage(0));
  for (std::int64_t row = 0; row < layer.rows; ++row) {
    const auto nodes = static_cast<std::size_t>(topology.nodes(0));
    std::vector<int128> least(nodes, 0), most(nodes, 0);
    std::vector<bool> overflowed(nodes, false);
    for (std::int32_t x = low; x <= high; ++x) {
      for (std::int32_t y = low; y <= high; ++y) {
        for (std::int32_t z = low; z <= high; ++z) {
          for (const Order order : {Order::kernel, Order::positive_first, Order::negative_first}) {
            const std::array<std::int32_t, 3> inputs{x, y, z};
            const auto trace = axe::run(topology, {layer.row(row), 3}, inputs, 0, order);
            for (std::size_t n = 0; n < nodes; ++n) {
              overflowed[n] = overflowed[n] || trace[0][n].overflowed;
              if (!trace[0][n].overflowed) {
                least[n] = std::min(least[n], trace[0][n].lowest);
                most[n] = std::max(most[n], trace[0][n].highest);
              }
            }
          }
        }
      }
    }
    for (std::size_t n = 0; n < nodes; ++n) {
      const auto i = static_cast<std::size_t>(row) * nodes + n;
      const IntegerRange range{claims.ranges[0].lower[i], claims.ranges[0].upper[i]};
      const bool fits = margin(range, limits) >= 0;
      const std::string what =
          claims.datapath.name + ", row " + std::to_string(row) + ", register " + std::to_string(n);
      check.claim(fits != overflowed[n], what + ": overflow is seen iff claimed");
      if (fits) {
        check.claim(least[n] == range.lower && most[n] == range.upper, what + ": both ends are reached");
      }
    }
  }
}

void vote_on(const LayerClaims& claims, Check& checker, Check& replay, Check& ground, Check& box) {
  Certificate certificate;
  certificate.tool = "axecert " AXECERT_VERSION;
  certificate.layers.push_back(claims);
  TensorFile file;
  file.tensors[claims.layer.name + ".weight"] =
      Tensor::of({claims.layer.rows, claims.layer.cols}, claims.layer.weights);
  const std::vector<std::uint8_t> weights = weights_for_checker(file);
  std::vector<std::uint8_t> bytes = certificate_bytes(certificate);
  const std::string what = claims.datapath.name;
  const Vote honest = checker_vote(bytes, weights, "");
  checker.claim(honest.verdict == claims.verdict && honest.nodes_checked == honest.nodes_total,
                what + ": " + to_text(honest.verdict));
  bytes[bytes.size() / 2] ^= 1;
  checker.claim(checker_vote(bytes, weights, "").verdict == Verdict::refused, what + ": a changed byte is refused");
  const auto agrees = [&](const Vote& vote) {
    return vote.verdict == claims.verdict && vote.nodes_checked == vote.nodes_total;
  };
  replay.claim(agrees(replay_vote(certificate, {})), what);
  SmtOptions options;
  options.depth = SmtDepth::ground;
  ground.claim(agrees(smt_vote(certificate, options)), what);
  options.depth = SmtDepth::box;
  box.claim(agrees(smt_vote(certificate, options)), what);
}

int run(const Common& common) {
  std::vector<Check> checks{hashes()};
  Check bound{"every input of tiny dot products", 0, 0, ""}, checker{"checker", 0, 0, ""}, replay{"replay", 0, 0, ""},
      ground{"z3 ground", 0, 0, ""}, box{"z3 box", 0, 0, ""};
  // Widths around the edge: 3 products of at most 2 · 3 reach 18; ±15 at 5 bits, ±31 at 6.
  for (const char* name : {"axe:P=5", "axe:P=6", "axe:P=4,T=2", "axe:P=5,T=2", "axe:P=5,T=1,act=s8"}) {
    const Datapath datapath = parse_datapath(name);
    const bool is_signed = datapath.activations.lower < 0;
    const LayerClaims claims =
        make_claims(all_rows(is_signed ? -2 : 0, is_signed ? 1 : 3), datapath, InputSource::given);
    run_all_inputs(claims, Topology(datapath, 3), bound);
    vote_on(claims, checker, replay, ground, box);
  }
  for (const Check& check : {bound, checker, replay, ground, box}) {
    checks.push_back(check);
  }
  std::int64_t done = 0, failed = 0;
  Json list = Json::array();
  std::string text;
  for (const Check& check : checks) {
    done += check.done;
    failed += check.failed;
    list.push_back(
        {{"name", check.name}, {"done", check.done}, {"failed", check.failed}, {"first_failure", check.first_failure}});
    text += check.name + std::string(check.name.size() < 34 ? 34 - check.name.size() : 1, ' ') + in_words(check.done) +
            " checks, " + (check.failed == 0 ? "all hold" : in_words(check.failed) + " FAIL: " + check.first_failure) +
            "\n";
  }
  if (common.json) {
    print(Json{{"verdict", failed == 0 ? "pass" : "fail"}, {"done", done}, {"failed", failed}, {"checks", list}});
  } else {
    print(text + (failed == 0 ? "PASS  " : "FAIL  ") + in_words(done) + " checks\n");
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace

Verb selftest_verb(CLI::App& app) {
  auto common = std::make_shared<Common>();
  CLI::App* command = app.add_subcommand("selftest", "a few seconds of checks of every voter in this environment");
  add_common(command, common, false);
  return {command, [common] { return run(*common); }};
}

}  // namespace axe::cli

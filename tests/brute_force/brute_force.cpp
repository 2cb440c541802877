// brute_force [--instances N] [--seed S]: random dot products, small enough to be executed whole. Each is run with every input of its box, every
// zero point and every order in which each register may add, on a machine that is written down here again and shares no code with
// lib/datapath; then what lib/bound claims, what the checker says of the certificate, and what the replay says are compared with what was
// seen. A mistake is: a range that is not the one seen, at either end; `safe` though some register left its limits or held something else than the
// exact integer; `unsafe` though none did; a witness that does not do what it is for. Prints how many instances of which kind there were, and the
// first mistakes. Exit code 0: no mistake, and every kind was met. Main function: main. Side effects: standard output.
// Requirements: TOR-101, TOR-102, TOR-103, TOR-104, TOR-105, TOR-109, TOR-305, TOR-401, TOR-402.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>

#include "../golden/tiny_files.hpp"
#include "axecert/checker/checker.h"
#include "axecert/replay/replay.hpp"
#include "instance.hpp"
#include "machine.hpp"

namespace {

using namespace axe;
using namespace axe::brute_force;

class Random : public Choices {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::int64_t in(std::int64_t lower, std::int64_t upper) override {
    const std::uint64_t span = static_cast<std::uint64_t>(upper - lower) + 1;
    return lower + static_cast<std::int64_t>(engine_() % span);  // the bias of % does not matter here
  }

 private:
  std::mt19937_64 engine_;
};

std::map<std::string, std::int64_t> kinds;  // how many instances of which kind, safe and unsafe

void count_kinds(const Instance& instance, const Wiring& topology, bool safe) {
  const std::string verdict = safe ? ", safe" : ", unsafe";
  const auto count = [&](const std::string& kind) { ++kinds[kind + verdict]; };
  bool excludes_zero = false, holds_zero = false, ragged = false, strided = false, constant = false,
       final_value = false;
  for (std::size_t k = 0; k < instance.layer.box_lower.size(); ++k) {
    const bool zero = instance.layer.box_lower[k] <= 0 && instance.layer.box_upper[k] >= 0;
    (zero ? holds_zero : excludes_zero) = true;
  }
  for (std::size_t s = 0; s < topology.size(); ++s) {
    const Stage& stage = instance.datapath.stages[s];
    for (const Values& values : topology[s]) {
      ragged = ragged || values.size() != topology[s][0].size();
    }
    strided = strided || (stage.stride > 1 && topology[s].size() > 1);
    constant = constant || stage.initial == Initial::constant;
    final_value = final_value || stage.claim == Claim::final_value;
    count("overflow " + to_text(stage.overflow));
    count("limits " + to_text(stage.limits));
  }
  count("stages " + std::to_string(topology.size()));
  count(excludes_zero && holds_zero ? "boxes with and without 0" : excludes_zero ? "boxes without 0" : "boxes with 0");
  count(instance.layer.box_lower.size() == 1 ? "one box for all" : "a box per channel");
  if (ragged) count("ragged registers");
  if (strided) count("lanes");
  if (constant) count("starts from the constant");
  if (final_value) count("claims a final value");
  if (instance.layer.input_limit != 0) count("limited inputs");
  if (instance.layer.zero_point_spread != 0) count("zero point that varies");
  if (instance.layer.zero_point_spread != 0 && constant) count("zero point that varies, in a register");
}

/// The first thing that is wrong, or an empty text.
std::string mistake_in(const Instance& instance) {
  const IntegerLayer& layer = instance.layer;
  const Datapath& datapath = instance.datapath;
  const Wiring topology = wiring_of(datapath, layer.cols);
  const Machine seen = executed(layer, datapath, topology);
  const LayerClaims claims = make_claims(layer, datapath, instance.source);

  bool safe = true;
  for (std::size_t s = 0; s < seen.size(); ++s) {
    const Stage& stage = datapath.stages[s];
    if (claims.ranges[s].lower.size() != seen[s].size()) return "another number of registers";
    for (std::size_t n = 0; n < seen[s].size(); ++n) {
      const Register& r = seen[s][n];
      const std::string where = "stage " + std::to_string(s) + ", register " + std::to_string(n) + ": ";
      const IntegerRange claimed{claims.ranges[s].lower[n], claims.ranges[s].upper[n]};
      if (claimed != range_seen(stage, r)) return where + "the range is not the one that was seen";
      const bool left = violated(stage, r);
      const bool fits = margin(claimed, register_limits(stage)) >= 0;
      if (fits && left) return where + "fits by its range, but left its limits";
      if (!fits && !left) return where + "does not fit by its range, but never left its limits";
      if (fits && r.wrong_content) return where + "fits, but held something else than the exact sum";
      safe = safe && !left;
    }
  }
  count_kinds(instance, topology, safe);
  if ((claims.verdict == Verdict::safe) != safe) return "make_claims says " + to_text(claims.verdict);

  // The witness, in every order and at every zero point: the worst register reaches its end, and leaves its limits if any does.
  for (std::size_t k = 0; k < claims.worst_witness.size(); ++k) {
    const auto i = static_cast<std::int64_t>(k);
    if (claims.worst_witness[k] < layer.lower(i) || claims.worst_witness[k] > layer.upper(i)) return "witness outside";
  }
  if (!exhaustive::keeps_limit(layer, topology[0], claims.worst_witness)) return "witness beyond the limit";
  const Machine on_witness = executed_on_one(layer, datapath, topology, claims.worst_witness);
  const std::size_t s = claims.worst.stage;
  const auto n = static_cast<std::size_t>(claims.worst.node);
  const Register& worst = on_witness[s][n];
  const IntegerRange reached = range_seen(datapath.stages[s], worst);
  const bool attained = claims.worst_side == Side::upper ? reached.upper == claims.ranges[s].upper[n]
                                                         : reached.lower == claims.ranges[s].lower[n];
  if (!attained) return "the witness does not attain its end";
  if (!safe && !violated(datapath.stages[s], worst)) return "the witness overflows nothing";

  // The voters.
  Certificate certificate{"brute force", {claims}};
  tiny::Arrays arrays;
  tiny::add_layer(arrays, layer, 8);
  const tiny::Bytes bytes = certificate_bytes(certificate), weights = tiny::weights_file(arrays);
  axc_report report;
  const axc_verdict verdict = axc_check(bytes.data(), bytes.size(), weights.data(), weights.size(), &report);
  if (verdict != (safe ? AXC_SAFE : AXC_UNSAFE)) {
    return std::string("the checker says ") + axc_verdict_name(verdict) + ", " + axc_reason_name(report.reason);
  }
  ReplayOptions options;
  options.random_inputs_per_row = 1;
  const Vote vote = replay_vote(certificate, options);
  if (vote.verdict != (safe ? Verdict::safe : Verdict::unsafe)) return "the replay says " + to_text(vote.verdict);
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  std::int64_t instances = 20'000;
  std::uint64_t seed = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--instances") == 0) {
      instances = std::strtoll(argv[i + 1], nullptr, 10);
    } else if (std::strcmp(argv[i], "--seed") == 0) {
      seed = std::strtoull(argv[i + 1], nullptr, 10);
    } else {
      instances = 0;
    }
  }
  if (argc % 2 == 0 || instances < 1) {
    std::fputs("usage: brute_force [--instances N] [--seed S]\n", stderr);
    return 64;
  }
  Random random(seed);
  std::int64_t mistakes = 0;
  for (std::int64_t i = 0; i < instances; ++i) {
    const Instance instance = random_instance(random);
    const std::string mistake = mistake_in(instance);
    if (!mistake.empty() && ++mistakes <= 5) {
      std::printf("instance %lld: %s\n    %s\n", static_cast<long long>(i), mistake.c_str(),
                  story_of(instance).c_str());
    }
  }
  const char* const expected[] = {"overflow wrap",
                                  "overflow saturate",
                                  "overflow undefined",
                                  "limits symmetric",
                                  "limits full",
                                  "stages 1",
                                  "stages 2",
                                  "stages 3",
                                  "boxes with and without 0",
                                  "boxes without 0",
                                  "boxes with 0",
                                  "one box for all",
                                  "a box per channel",
                                  "ragged registers",
                                  "lanes",
                                  "starts from the constant",
                                  "claims a final value",
                                  "zero point that varies",
                                  "zero point that varies, in a register",
                                  "limited inputs"};
  bool all_met = true;
  std::printf("%-40s %10s %10s\n", "", "safe", "unsafe");
  for (const char* kind : expected) {
    const std::int64_t safe = kinds[std::string(kind) + ", safe"], unsafe = kinds[std::string(kind) + ", unsafe"];
    all_met = all_met && safe > 0 && unsafe > 0;
    std::printf("%-40s %10lld %10lld\n", kind, static_cast<long long>(safe), static_cast<long long>(unsafe));
  }
  std::printf("%lld instances, seed %llu, %lld mistakes%s\n", static_cast<long long>(instances),
              static_cast<unsigned long long>(seed), static_cast<long long>(mistakes),
              all_met ? "" : "; a kind was not met");
  return mistakes == 0 && all_met ? 0 : 1;
}

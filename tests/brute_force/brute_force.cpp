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
#include "exhaustive.hpp"

namespace {

using namespace axe;
using exhaustive::Seen;
using Values = std::vector<std::int64_t>;

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::int64_t in(std::int64_t lower, std::int64_t upper) {
    const std::uint64_t span = static_cast<std::uint64_t>(upper - lower) + 1;
    return lower + static_cast<std::int64_t>(engine_() % span);  // the bias of % does not matter here
  }
  bool one_in(int n) { return in(1, n) == 1; }

 private:
  std::mt19937_64 engine_;
};

// ---- the machine, from docs/certificate.md ("Acceptance") and docs/datapaths.md ----

/// The values that each register of `stage` adds, out of `values` of them: blocks of B = group · stride (all when group is 0 or B is larger);
/// register b · min(stride, B) + j adds bB + j, bB + j + stride, …
std::vector<Values> dealt(const Stage& stage, std::int64_t values) {
  const std::int64_t product = stage.group * stage.stride;
  const std::int64_t block = stage.group == 0 || product > values ? values : product;
  std::vector<Values> registers;
  for (std::int64_t begin = 0; begin < values; begin += block) {
    for (std::int64_t j = 0; j < std::min(stage.stride, block) && begin + j < values; ++j) {
      registers.emplace_back();
      for (std::int64_t v = begin + j; v < std::min(begin + block, values); v += stage.stride) {
        registers.back().push_back(v);
      }
    }
  }
  return registers;
}

struct Ends {
  std::int64_t lower, upper;
};
Ends limits_of(const Stage& stage) {
  const auto upper = static_cast<std::int64_t>((std::uint64_t{1} << (stage.width - 1)) - 1);
  return {stage.limits == Limits::full ? -upper - 1 : -upper, upper};
}

/// What a register holds when `sum` was put into it; |sum| < 2^62. Undefined: the worst that can happen here is anything, so a value that
/// no sum of these instances has.
std::int64_t held(const Stage& stage, std::int64_t sum) {
  const Ends limits = limits_of(stage);
  if (sum >= limits.lower && sum <= limits.upper) {
    return sum;
  }
  if (stage.overflow == Overflow::saturate) {
    return sum < limits.lower ? limits.lower : limits.upper;
  }
  if (stage.overflow == Overflow::undefined) {
    return INT64_C(0x5ca1ab1e5ca1ab1);
  }
  const std::int64_t modulus = std::int64_t{1} << stage.width;  // width ≤ 62 when a sum does not fit
  std::int64_t rest = sum % modulus;
  rest += rest < 0 ? modulus : 0;
  return rest >= modulus / 2 ? rest - modulus : rest;
}

/// What was seen of one register over everything.
struct Register : Seen {
  bool left_limits = false;    ///< some exact sum on the way, or a start, did not fit
  bool final_misfit = false;   ///< some complete sum did not fit
  bool wrong_content = false;  ///< it held something else than the exact sum at some end

  void execute(const Stage& stage, std::int64_t initial, const Values& values) {
    const Ends limits = limits_of(stage);
    const auto fits = [&](std::int64_t sum) { return sum >= limits.lower && sum <= limits.upper; };
    for_all_orders(values, [&](const Values& ordered) {
      std::int64_t exact = initial, content = held(stage, initial);
      widen(partial, exact);
      left_limits = left_limits || !fits(exact);
      for (const std::int64_t value : ordered) {
        exact += value;
        widen(partial, exact);
        left_limits = left_limits || !fits(content + value);
        content = held(stage, content + value);
      }
      widen(final, exact);
      final_misfit = final_misfit || !fits(exact);
      wrong_content = wrong_content || content != exact;
    });
  }
};

using Machine = std::vector<std::vector<Register>>;  // [stage][register]

/// One input and one constant through all stages; registers are fed the exact values of those below.
void execute(const IntegerLayer& layer, const Datapath& datapath, const std::vector<std::vector<Values>>& topology,
             const std::vector<std::int32_t>& x, std::int64_t constant, Machine& seen) {
  Values below;
  for (std::size_t k = 0; k < x.size(); ++k) {
    below.push_back(std::int64_t{layer.weights[k]} * x[k]);
  }
  for (std::size_t s = 0; s < datapath.stages.size(); ++s) {
    Values sums;
    const std::int64_t initial = datapath.stages[s].initial == Initial::constant ? constant : 0;
    for (std::size_t n = 0; n < topology[s].size(); ++n) {
      Values values;
      std::int64_t sum = initial;
      for (const std::int64_t v : topology[s][n]) {
        values.push_back(below[static_cast<std::size_t>(v)]);
        sum += values.back();
      }
      seen[s][n].execute(datapath.stages[s], initial, values);
      sums.push_back(sum);
    }
    below = sums;
  }
}

// ---- instances ----

struct Instance {
  IntegerLayer layer;
  Datapath datapath;
  InputSource source;
};

IntegerLayer random_layer(Random& random) {
  IntegerLayer layer;
  layer.name = "row";
  layer.rows = 1;
  layer.cols = random.in(1, 6);
  const bool small = random.one_in(2);
  for (std::int64_t k = 0; k < layer.cols; ++k) {
    const std::int64_t weight = random.one_in(8) ? (random.one_in(2) ? -128 : 127)
                                : small          ? random.in(-3, 3)
                                                 : random.in(-128, 127);
    layer.weights.push_back(static_cast<std::int8_t>(weight));
  }
  const bool channels = random.one_in(2);
  const std::int64_t reach = random.one_in(2) ? 3 : random.one_in(2) ? 130 : std::int64_t{1} << 24;
  for (std::int64_t k = 0; k < (channels ? layer.cols : 1); ++k) {
    // Few inputs per channel, so that all of them can be tried: 2 values where there are many channels or one box for all of them.
    const std::int64_t more = layer.cols <= 3 ? 3 : layer.cols == 4 ? 2 : 1;
    const std::int64_t width = random.in(0, more);
    const std::int64_t lower = random.one_in(3) ? random.in(-width, 0) : random.in(-reach, reach - width);
    layer.box_lower.push_back(static_cast<std::int32_t>(lower));
    layer.box_upper.push_back(static_cast<std::int32_t>(lower + width));
  }
  if (random.one_in(2)) {
    const std::int64_t size = random.one_in(4) ? std::int64_t{1} << 40 : 300;
    layer.bias = {random.in(-size, size)};
  }
  if (random.one_in(2)) {
    const std::int64_t offsets = random.one_in(2) ? 1 : layer.cols;
    for (std::int64_t k = 0; k < offsets; ++k) {
      layer.offset.push_back(static_cast<std::int32_t>(random.in(-200, 200)));
    }
  }
  layer.zero_point_spread = random.one_in(3) ? random.in(1, 4) : 0;
  bool holds_zero = true;
  for (std::size_t k = 0; k < layer.box_lower.size(); ++k) {
    holds_zero = holds_zero && layer.box_lower[k] <= 0 && layer.box_upper[k] >= 0;
  }
  if (holds_zero && random.one_in(2)) {
    layer.input_limit = random.in(1, 8);
  }
  return layer;
}

Stage random_stage(Random& random, std::size_t index) {
  Stage stage;
  stage.name = "s" + std::to_string(index);
  stage.group = random.one_in(3) ? 0 : random.in(1, 4);
  stage.stride = random.one_in(2) ? 1 : random.in(1, 3);
  stage.overflow = static_cast<Overflow>(random.in(0, 2));
  stage.limits = random.one_in(2) ? Limits::symmetric : Limits::full;
  if (stage.overflow == Overflow::wrap && random.one_in(2)) {
    stage.claim = Claim::final_value;
  }
  return stage;
}

/// Widths are chosen around what the ranges need, so that about as many instances are safe as not.
Instance random_instance(Random& random) {
  Instance instance{random_layer(random), {}, static_cast<InputSource>(random.in(0, 2))};
  Datapath& datapath = instance.datapath;
  datapath.name = "random";
  datapath.activations = {-(1 << 24), 1 << 24};
  const std::int64_t stages = random.in(1, 3);
  for (std::int64_t s = 0; s < stages; ++s) {
    datapath.stages.push_back(random_stage(random, static_cast<std::size_t>(s)));
    datapath.stages.back().width = 64;
  }
  if (random.one_in(2)) {
    const auto s = static_cast<std::size_t>(random.in(0, stages - 1));
    datapath.stages[s].group = 0;
    datapath.stages[s].stride = 1;
    datapath.stages[s].initial = Initial::constant;
  }
  const Topology topology(datapath, instance.layer.cols);
  const std::vector<StageRanges> ranges = layer_ranges(instance.layer, topology);
  const bool meant_safe = random.one_in(2);
  for (std::size_t s = 0; s < datapath.stages.size(); ++s) {
    int needed = 1;
    for (std::size_t n = 0; n < ranges[s].lower.size(); ++n) {
      needed = std::max(needed, minimum_width({ranges[s].lower[n], ranges[s].upper[n]}, datapath.stages[s].limits));
    }
    const std::int64_t change = random.one_in(8) ? random.in(-64, 64) : meant_safe ? random.in(0, 1) : random.in(-2, 1);
    datapath.stages[s].width = static_cast<int>(std::clamp<std::int64_t>(needed + change, 1, 64));
  }
  return instance;
}

// ---- comparison ----

std::map<std::string, std::int64_t> kinds;  // how many instances of which kind, safe and unsafe

void count_kinds(const Instance& instance, const std::vector<std::vector<Values>>& topology, bool safe) {
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
  std::vector<std::vector<Values>> topology;
  Machine seen;
  for (std::int64_t values = layer.cols; const Stage& stage : datapath.stages) {
    topology.push_back(dealt(stage, values));
    seen.emplace_back(topology.back().size());
    values = static_cast<std::int64_t>(topology.back().size());
  }
  for (std::int64_t z = 0; z <= layer.zero_point_spread; ++z) {
    const std::int64_t constant = exhaustive::constant_at(layer, z);
    exhaustive::for_all_inputs(layer, [&](const std::vector<std::int32_t>& x) {
      if (exhaustive::keeps_limit(layer, topology[0], x)) {
        execute(layer, datapath, topology, x, constant, seen);
      }
    });
  }
  const LayerClaims claims = make_claims(layer, datapath, instance.source);

  bool safe = true;
  for (std::size_t s = 0; s < seen.size(); ++s) {
    const bool final_value = datapath.stages[s].claim == Claim::final_value;
    if (claims.ranges[s].lower.size() != seen[s].size()) return "another number of registers";
    for (std::size_t n = 0; n < seen[s].size(); ++n) {
      const Register& r = seen[s][n];
      const std::string where = "stage " + std::to_string(s) + ", register " + std::to_string(n) + ": ";
      const IntegerRange claimed{claims.ranges[s].lower[n], claims.ranges[s].upper[n]};
      if (claimed != (final_value ? r.final : r.partial)) return where + "the range is not the one that was seen";
      const bool violated = final_value ? r.final_misfit : r.left_limits;
      const bool fits = margin(claimed, register_limits(datapath.stages[s])) >= 0;
      if (fits && violated) return where + "fits by its range, but left its limits";
      if (!fits && !violated) return where + "does not fit by its range, but never left its limits";
      if (fits && r.wrong_content) return where + "fits, but held something else than the exact sum";
      safe = safe && !violated;
    }
  }
  count_kinds(instance, topology, safe);
  if ((claims.verdict == Verdict::safe) != safe) return "make_claims says " + to_text(claims.verdict);

  // The witness, in every order and at every zero point: the worst register reaches its end, and leaves its limits if any does.
  Machine on_witness;
  for (const auto& stage : topology) on_witness.emplace_back(stage.size());
  for (std::size_t k = 0; k < claims.worst_witness.size(); ++k) {
    const auto i = static_cast<std::int64_t>(k);
    if (claims.worst_witness[k] < layer.lower(i) || claims.worst_witness[k] > layer.upper(i)) return "witness outside";
  }
  for (std::int64_t z = 0; z <= layer.zero_point_spread; ++z) {
    execute(layer, datapath, topology, claims.worst_witness, exhaustive::constant_at(layer, z), on_witness);
  }
  const std::size_t s = claims.worst.stage;
  const auto n = static_cast<std::size_t>(claims.worst.node);
  const bool final_value = datapath.stages[s].claim == Claim::final_value;
  const Register& worst = on_witness[s][n];
  const IntegerRange reached = final_value ? worst.final : worst.partial;
  const bool attained = claims.worst_side == Side::upper ? reached.upper == claims.ranges[s].upper[n]
                                                         : reached.lower == claims.ranges[s].lower[n];
  if (!attained) return "the witness does not attain its end";
  if (!safe && !(final_value ? worst.final_misfit : worst.left_limits)) return "the witness overflows nothing";

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

std::string story_of(const Instance& instance) {
  const IntegerLayer& layer = instance.layer;
  std::string text;
  for (std::int64_t k = 0; k < layer.cols; ++k) {
    text += std::to_string(layer.row(0)[k]) + "·[" + std::to_string(layer.lower(k)) + ", " +
            std::to_string(layer.upper(k)) + "] ";
  }
  text += "bias " + (layer.bias.empty() ? "none" : std::to_string(layer.bias[0])) + ", offsets";
  for (const std::int32_t offset : layer.offset) text += " " + std::to_string(offset);
  text += ", spread " + std::to_string(layer.zero_point_spread);
  for (const Stage& stage : instance.datapath.stages) {
    text += "\n    group " + std::to_string(stage.group) + ", stride " + std::to_string(stage.stride) + ", " +
            std::to_string(stage.width) + " bits, " + to_text(stage.overflow) + ", " + to_text(stage.limits) + ", " +
            to_text(stage.initial) + ", " + to_text(stage.claim);
  }
  return text;
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
                                  "zero point that varies, in a register", "limited inputs"};
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

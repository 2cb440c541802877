// Everyone who judges a certificate, on the same small instance: execution of all inputs, zero points and orders (tests/brute_force), lib/bound
// through make_claims, the checker in C, the checker extracted from the Coq proof, Z3, and the replay. The input is read as choices: a dot
// product and a datapath, then what is changed in its certificate, if anything: a claimed end, the verdict, the worst register, the witness,
// the limit, the spread, a box, a stage, a weight. Main function: LLVMFuzzerTestOneInput. It aborts on a finding:
//   - lib/bound's ranges are not those that were executed, or a verdict is not what was executed;
//   - the checker says safe or unsafe of a certificate whose claims are not what was executed, or refuses one that is right;
//   - the two checkers, or Z3 and execution, do not agree.
// The extracted checker is asked when AXECERT_PROVED_CHECK names it (side effect: that process), Z3 for one input in eight (its worker process).
// Requirements: TOR-101, TOR-105, TOR-109, TOR-301, TOR-302.
#include <fcntl.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <memory>

#include "../brute_force/instance.hpp"
#include "../brute_force/machine.hpp"
#include "../golden/tiny_files.hpp"
#include "axecert/checker/checker.h"
#include "axecert/replay/replay.hpp"
#include "axecert/smt/smt.hpp"
#include "target.hpp"

using namespace axe;
using namespace axe::brute_force;

namespace {

/// Choices out of bytes; when they are used up, the least of what may be chosen.
class ByteChoices : public Choices {
 public:
  ByteChoices(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  std::int64_t in(std::int64_t lower, std::int64_t upper) override {
    const std::uint64_t most = static_cast<std::uint64_t>(upper) - static_cast<std::uint64_t>(lower);
    std::uint64_t value = 0;
    for (std::uint64_t covered = 0; covered < most && left_ > 0; covered = covered << 8 | 0xff) {
      value = value << 8 | *data_++;
      --left_;
    }
    return lower + static_cast<std::int64_t>(most == UINT64_MAX ? value : value % (most + 1));
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

/// `proved_check --list`, kept running: one line with the paths of both files, one line with the verdict.
class ProvedCheck {
 public:
  explicit ProvedCheck(const char* program) {
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) fuzz::finding("no pipes");
    std::signal(SIGPIPE, SIG_IGN);
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      ::execl(program, program, "--list", static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    to_ = ::fdopen(in[1], "w");
    from_ = ::fdopen(out[0], "r");
    if (child < 0 || to_ == nullptr || from_ == nullptr) fuzz::finding("the extracted checker does not start");
  }
  std::string verdict(const fuzz::MemoryFile& certificate, const fuzz::MemoryFile& weights) {
    std::fprintf(to_, "%s\t%s\n", certificate.path_for_others().c_str(), weights.path_for_others().c_str());
    std::fflush(to_);
    char line[64] = "";
    if (std::fgets(line, sizeof line, from_) == nullptr) fuzz::finding("the extracted checker gave no verdict");
    return std::string(line, std::strcspn(line, "\n"));
  }

 private:
  std::FILE* to_;
  std::FILE* from_;
};

ProvedCheck* proved_check() {
  static const char* const program = std::getenv("AXECERT_PROVED_CHECK");
  static const std::unique_ptr<ProvedCheck> kept(program == nullptr ? nullptr : new ProvedCheck(program));
  return kept.get();
}

/// What execution says of a layer on a datapath.
struct Truth {
  Wiring wiring;
  std::vector<StageRanges> ranges;
  bool safe = true;
};

Truth truth_of(const IntegerLayer& layer, const Datapath& datapath) {
  Truth truth{wiring_of(datapath, layer.cols), {}, true};
  const Machine seen = executed(layer, datapath, truth.wiring);
  for (std::size_t s = 0; s < seen.size(); ++s) {
    StageRanges ranges{static_cast<std::int64_t>(seen[s].size()), {}, {}};
    for (const Register& r : seen[s]) {
      const IntegerRange range = range_seen(datapath.stages[s], r);
      ranges.lower.push_back(range.lower);
      ranges.upper.push_back(range.upper);
      truth.safe = truth.safe && !violated(datapath.stages[s], r);
    }
    truth.ranges.push_back(std::move(ranges));
  }
  return truth;
}

bool same(const std::vector<StageRanges>& a, const std::vector<StageRanges>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const StageRanges& x, const StageRanges& y) {
    return x.lower == y.lower && x.upper == y.upper;
  });
}

/// The first register with the smallest margin, and its nearer end, in 128 bits.
bool is_worst(const LayerClaims& claims) {
  NodeId worst;
  Side side = Side::upper;
  int128 least = 0;
  bool found = false;
  for (std::size_t s = 0; s < claims.ranges.size(); ++s) {
    const Ends limits = limits_of(claims.datapath.stages[s]);
    for (std::size_t n = 0; n < claims.ranges[s].lower.size(); ++n) {
      const int128 above = int128{limits.upper} - claims.ranges[s].upper[n];
      const int128 below = int128{claims.ranges[s].lower[n]} - limits.lower;
      if (!found || std::min(above, below) < least) {
        found = true;
        least = std::min(above, below);
        worst = {0, s, static_cast<std::int64_t>(n)};
        side = above <= below ? Side::upper : Side::lower;
      }
    }
  }
  return claims.worst == worst && claims.worst_side == side;
}

/// Whether the claimed witness lies in box and limit.
bool witness_allowed(const LayerClaims& claims, const Wiring& wiring) {
  const std::vector<std::int32_t>& x = claims.worst_witness;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const auto i = static_cast<std::int64_t>(k);
    if (x[k] < claims.layer.lower(i) || x[k] > claims.layer.upper(i)) return false;
  }
  return exhaustive::keeps_limit(claims.layer, wiring[0], x);
}

/// Whether it reaches the claimed end of the worst register, executed in every order.
bool witness_attains(const LayerClaims& claims, const Wiring& wiring) {
  const Machine seen = executed_on_one(claims.layer, claims.datapath, wiring, claims.worst_witness);
  const std::size_t s = claims.worst.stage;
  const auto n = static_cast<std::size_t>(claims.worst.node);
  const IntegerRange reached = range_seen(claims.datapath.stages[s], seen[s][n]);
  return claims.worst_side == Side::upper ? reached.upper == claims.ranges[s].upper[n]
                                          : reached.lower == claims.ranges[s].lower[n];
}

/// One change of what is claimed. `layer` and `datapath` within the claims stay such as make_claims would take.
void change(LayerClaims& claims, Choices& choices) {
  const auto some = [&](std::size_t size) {
    return static_cast<std::size_t>(choices.in(0, static_cast<std::int64_t>(size) - 1));
  };
  const std::int64_t step = choices.one_in(2) ? 1 : -1;
  switch (choices.in(0, 10)) {
    case 0: {
      StageRanges& ranges = claims.ranges[some(claims.ranges.size())];
      const std::size_t n = some(ranges.lower.size());
      (choices.one_in(2) ? ranges.upper : ranges.lower)[n] += step;
      break;
    }
    case 1:
      claims.verdict = claims.verdict == Verdict::safe ? Verdict::unsafe : Verdict::safe;
      break;
    case 2:
      claims.worst.stage = some(claims.ranges.size());
      claims.worst.node = choices.in(0, claims.ranges[claims.worst.stage].nodes - 1);
      break;
    case 3:
      claims.worst_side = claims.worst_side == Side::upper ? Side::lower : Side::upper;
      break;
    case 4:
    case 5: {  // within the box most often: another witness may be as good
      const std::size_t k = some(claims.worst_witness.size());
      const auto i = static_cast<std::int64_t>(k);
      claims.worst_witness[k] =
          static_cast<std::int32_t>(choices.one_in(4) ? claims.worst_witness[k] + step
                                                      : choices.in(claims.layer.lower(i), claims.layer.upper(i)));
      break;
    }
    case 6:  // inputs that stood at 0 anywhere else, as far as the limit goes: a partial sum's end may not mind
      for (std::size_t k = 0; k < claims.worst_witness.size(); ++k) {
        const auto i = static_cast<std::int64_t>(k);
        const std::int32_t before = claims.worst_witness[k];
        if (before != 0) continue;
        claims.worst_witness[k] = static_cast<std::int32_t>(choices.in(claims.layer.lower(i), claims.layer.upper(i)));
        if (!witness_allowed(claims, wiring_of(claims.datapath, claims.layer.cols))) claims.worst_witness[k] = before;
      }
      break;
    case 7:
      if (claims.layer.input_limit > 0)
        claims.layer.input_limit = std::max<std::int64_t>(0, claims.layer.input_limit + step);
      break;
    case 8:
      claims.layer.zero_point_spread = std::max<std::int64_t>(0, claims.layer.zero_point_spread + step);
      break;
    case 9: {
      const std::size_t k = some(claims.layer.box_lower.size());
      std::int32_t& end = choices.one_in(2) ? claims.layer.box_upper[k] : claims.layer.box_lower[k];
      const std::int32_t before = end;
      end += static_cast<std::int32_t>(step);
      const bool empty = claims.layer.box_lower[k] > claims.layer.box_upper[k];
      const bool excludes_zero = claims.layer.box_lower[k] > 0 || claims.layer.box_upper[k] < 0;
      const bool too_wide = end > (1 << 24) || end < -(1 << 24);
      if (empty || too_wide || (excludes_zero && claims.layer.input_limit != 0)) end = before;
      break;
    }
    default: {
      Stage& stage = claims.datapath.stages[some(claims.datapath.stages.size())];
      switch (choices.in(0, 2)) {
        case 0:
          stage.width = static_cast<int>(std::clamp<std::int64_t>(stage.width + step, 1, 64));
          break;
        case 1:
          stage.limits = stage.limits == Limits::full ? Limits::symmetric : Limits::full;
          break;
        default:
          if (stage.claim == Claim::final_value) stage.claim = Claim::every_partial_sum;
      }
    }
  }
}

void demand(bool holds, const char* what) {
  if (!holds) fuzz::finding(what);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteChoices choices(data, size);
  const Instance instance = random_instance(choices);
  const Truth truth = truth_of(instance.layer, instance.datapath);
  LayerClaims claims = make_claims(instance.layer, instance.datapath, instance.source);
  demand(same(claims.ranges, truth.ranges), "lib/bound claims other ranges than were executed");
  demand((claims.verdict == Verdict::safe) == truth.safe, "lib/bound claims another verdict than was executed");
  demand(is_worst(claims) && witness_allowed(claims, truth.wiring) && witness_attains(claims, truth.wiring),
         "lib/bound names another worst register, or a witness that is none");

  const std::int64_t changes = choices.in(0, 2);
  for (std::int64_t i = 0; i < changes; ++i) change(claims, choices);
  const Truth told = changes == 0 ? truth : truth_of(claims.layer, claims.datapath);
  // The weights file is that of the instance, or (one in four) that of the changed layer.
  const IntegerLayer& filed = choices.in(0, 3) == 3 ? claims.layer : instance.layer;
  const Certificate certificate{"differential", {claims}};
  const tiny::Bytes bytes = certificate_bytes(certificate);
  tiny::Arrays arrays;
  tiny::add_layer(arrays, filed, 8);
  const tiny::Bytes weights = tiny::weights_file(arrays);

  // docs/certificate.md, "Acceptance", of one layer whose weights, biases and offsets are the file's.
  const bool clamped = claims.input_source == InputSource::clamped;
  const auto ends = [](const IntegerLayer& layer) {
    std::vector<std::int32_t> all;
    for (std::int64_t k = 0; k < layer.cols; ++k) all.insert(all.end(), {layer.lower(k), layer.upper(k)});
    return all;
  };
  const bool belongs =
      filed.zero_point_spread == claims.layer.zero_point_spread &&
      (!clamped || (ends(filed) == ends(claims.layer) && filed.input_limit == claims.layer.input_limit));
  const bool ranges_hold = same(claims.ranges, told.ranges);
  const bool but_for_witness =
      belongs && ranges_hold && (claims.verdict == Verdict::safe) == told.safe && is_worst(claims);
  const bool allowed = witness_allowed(claims, told.wiring);
  const bool attains = allowed && witness_attains(claims, told.wiring);
  const bool right = but_for_witness && attains;
  const axc_verdict expected = !right ? AXC_REFUSED : told.safe ? AXC_SAFE : AXC_UNSAFE;

  axc_report report;
  const axc_verdict verdict = axc_check(bytes.data(), bytes.size(), weights.data(), weights.size(), &report);
  const axc_reason of_witness = allowed ? AXC_WITNESS_VALUE : AXC_WITNESS_BOX;
  if (verdict != expected || (but_for_witness && !attains && report.reason != of_witness)) {
    std::fprintf(stderr, "the checker says %s (%s), execution %s\n", axc_verdict_name(verdict),
                 axc_reason_name(report.reason), axc_verdict_name(expected));
    fuzz::finding("the checker and execution disagree");
  }
  if (ProvedCheck* proved = proved_check()) {
    const fuzz::MemoryFile certificate_file(bytes.data(), bytes.size()), weights_file(weights.data(), weights.size());
    const std::string other = proved->verdict(certificate_file, weights_file);
    if (other != axc_verdict_name(verdict)) {
      std::fprintf(stderr, "C: %s (%s), Coq: %s\n", axc_verdict_name(verdict), axc_reason_name(report.reason),
                   other.c_str());
      fuzz::finding("the two checkers disagree");
    }
  }
  const Verdict of_claims = told.safe ? Verdict::safe : Verdict::unsafe;
  const bool consistent = (claims.verdict == Verdict::safe) == told.safe;
  if (right) {
    ReplayOptions options;
    options.random_inputs_per_row = 1;
    demand(replay_vote(certificate, options).verdict == of_claims, "the replay and execution disagree");
  }
  if (choices.in(0, 7) == 7 && consistent) {
    const Vote vote = smt_vote(certificate, {});
    if (vote.verdict !=
        (ranges_hold && allowed ? of_claims : Verdict::refused)) {  // it looks at the witness's inputs, too
      std::fprintf(stderr, "Z3 says %s: %s\n", to_text(vote.verdict).c_str(),
                   vote.findings.empty() ? vote.detail.c_str() : vote.findings[0].message.c_str());
      fuzz::finding("Z3 and execution disagree");
    }
  }
  return 0;
}

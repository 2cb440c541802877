// Asks the voters in order, the checker first, and combines what they say. See voters.hpp; `hold_election` is the main function.
#include "voters.hpp"

#include <algorithm>
#include <thread>

#include "axecert/model/layers.hpp"
#include "axecert/replay/replay.hpp"
#include "axecert/report/votes.hpp"
#include "axecert/smt/smt.hpp"
#include "datapath_argument.hpp"

namespace axe::cli {
namespace {

bool same_arithmetic(const Datapath& a, const Datapath& b) {
  return a.weights == b.weights && a.activations == b.activations && a.form == b.form && a.stages == b.stages;
}

// The user's datapath against the certificate's: the stages count, not the name.
Vote datapath_vote(const Certificate& certificate, const Datapath& expected) {
  Vote vote;
  vote.voter = "datapath";
  vote.detail = "expected " + describe(expected);
  vote.verdict = Verdict::safe;
  for (const LayerClaims& claims : certificate.layers) {
    if (!same_arithmetic(claims.datapath, expected)) {
      vote.verdict = Verdict::refused;
      vote.findings.push_back({claims.layer.name,
                               {-1, 0, -1},
                               "certified for another datapath: " + describe(claims.datapath) + ", operands " +
                                   to_text(claims.datapath.form)});
    }
  }
  vote.findings_total = static_cast<std::int64_t>(vote.findings.size());
  return vote;
}

TensorFile weights_of(const std::string& path) {
  try {
    return read_input(path);
  } catch (const Failure&) {
    throw;
  } catch (const InputError& error) {
    throw Failure(exit_refused, "refused", error.what(), "");
  }
}

}  // namespace

void add_voters(CLI::App* command, VoterArguments& a) {
  command->add_option("CERTIFICATE", a.certificate, "the .axec file")->required();
  command->add_option("WEIGHTS", a.weights, "the weights it speaks about")->required();
  command->add_option("-d,--datapath", a.datapath, "refuse certificates for any other datapath");
  command->add_option("--z3", a.z3, "ground, box, both, bits or none")
      ->capture_default_str()
      ->check(CLI::IsMember({"ground", "box", "both", "bits", "none"}));
  command->add_option("--replay", a.replay, "random inputs replayed per row")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
  command->add_flag("--no-replay", a.no_replay, "do not replay");
  command->add_option("--workers", a.workers, "solver processes; 0: one per core")->check(CLI::Range(0, 256));
}

Election hold_election(const VoterArguments& a, const Common& common) {
  require_input(a.certificate);
  require_input(a.weights);
  Election election;
  std::string remark;
  const Datapath expected = a.datapath.empty() ? Datapath{} : datapath_argument(a.datapath);
  election.votes.push_back(checker_vote(std::filesystem::path(a.certificate), std::filesystem::path(a.weights)));
  if (election.votes[0].verdict != Verdict::refused) {
    election.certificate = read_certificate_input(a.certificate);
    const TensorFile weights = weights_of(a.weights);
    try {
      attach_weights(election.certificate, weights);
    } catch (const InputError& error) {
      throw Failure(exit_refused, "refused", error.what(), "");
    }
    if (!a.datapath.empty()) {
      const Vote vote = datapath_vote(election.certificate, expected);
      if (vote.verdict == Verdict::refused) {
        election.votes.push_back(vote);
      }
    }
  }
  if (combine(election.votes) != Verdict::refused) {
    SmtOptions options;
    options.workers =
        a.workers > 0 ? a.workers : static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 256u));
    const auto ask = [&](SmtDepth depth) {
      options.depth = depth;
      options.progress = progress_line(common, "z3 " + to_text(depth));
      election.votes.push_back(smt_vote(election.certificate, options));
    };
    if (a.z3 == "ground" || a.z3 == "both") {
      ask(SmtDepth::ground);
    }
    if (a.z3 == "box" || a.z3 == "both") {
      ask(SmtDepth::box);
    }
    if (a.z3 == "bits") {
      ask(SmtDepth::bit_precise);
    }
    if (!a.no_replay) {
      ReplayOptions replay;
      replay.random_inputs_per_row = a.replay;
      replay.progress = progress_line(common, "replay");
      election.votes.push_back(replay_vote(election.certificate, replay));
    }
  }
  end_progress();
  election.verdict = combine(election.votes);
  return election;
}

Certificate checked_certificate(const std::string& certificate, const std::string& weights) {
  VoterArguments arguments;
  arguments.certificate = certificate;
  arguments.weights = weights;
  arguments.z3 = "none";
  arguments.no_replay = true;
  Election election = hold_election(arguments, {});
  if (election.verdict == Verdict::refused) {
    throw Failure(exit_refused, "refused",
                  election.votes[0].findings.empty() ? "by the checker" : election.votes[0].findings[0].message, "");
  }
  return std::move(election.certificate);
}

}  // namespace axe::cli

// The order in which voters are asked; see election.hpp.
#include "axecert/election/election.hpp"

#include <algorithm>
#include <thread>

#include "axecert/model/layers.hpp"
#include "axecert/report/votes.hpp"

namespace axe {
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

// What follows the checker's vote; `weights` gives the arrays when it did not refuse.
Election after_checker(Vote checker, const std::filesystem::path& certificate,
                       const std::function<TensorFile()>& weights, const ElectionOptions& options) {
  Election election;
  const auto progress_of = [&](const std::string& voter) {
    return options.progress ? options.progress(voter) : Progress{};
  };
  election.votes.push_back(std::move(checker));
  if (election.votes[0].verdict != Verdict::refused) {
    election.certificate = read_certificate(certificate);
    attach_weights(election.certificate, weights());
    if (options.expected) {
      const Vote vote = datapath_vote(election.certificate, *options.expected);
      if (vote.verdict == Verdict::refused) {
        election.votes.push_back(vote);
      }
    }
  }
  if (combine(election.votes) != Verdict::refused) {
    SmtOptions smt;
    smt.workers = options.workers > 0 ? options.workers
                                      : static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 256u));
    for (const SmtDepth depth : options.z3) {
      smt.depth = depth;
      smt.progress = progress_of("z3 " + to_text(depth));
      election.votes.push_back(smt_vote(election.certificate, smt));
    }
    if (options.replay) {
      ReplayOptions replay;
      replay.random_inputs_per_row = *options.replay;
      replay.progress = progress_of("replay");
      election.votes.push_back(replay_vote(election.certificate, replay));
    }
  }
  election.verdict = combine(election.votes);
  return election;
}

}  // namespace

Election hold_election(const std::filesystem::path& certificate, const std::filesystem::path& weights,
                       const ElectionOptions& options) {
  return after_checker(
      checker_vote(certificate, weights), certificate, [&] { return read_tensors(weights); }, options);
}

Election hold_election(const std::filesystem::path& certificate, const TensorFile& weights, const std::string& detail,
                       const ElectionOptions& options) {
  return after_checker(
      checker_vote(whole_file(certificate), weights_for_checker(weights), detail), certificate, [&] { return weights; },
      options);
}

}  // namespace axe

// The order in which voters are asked; see election.hpp.
#include "axecert/election/election.hpp"

#include <algorithm>

#include "axecert/certificate/certificate_file.hpp"
#include "axecert/certificate/shape.hpp"
#include "axecert/model/layers.hpp"
#include "axecert/model/weight_files.hpp"
#include "axecert/numeric/tasks.hpp"
#include "axecert/report/votes.hpp"
#include "axecert/smt/journal.hpp"

namespace axe {
namespace {

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

constexpr std::int64_t weights_at_a_time = std::int64_t{1} << 26;

// The voters behind the checker, in the order in which they are asked.
class Voters {
 public:
  Voters(const ElectionOptions& options, std::int64_t nodes, const std::string& digest)
      : options_(options), nodes_(nodes) {
    if (!options.resume.empty() && !options.z3.empty()) {
      journal_.emplace(options.resume, digest, smt_.rlimit, options.cvc5.empty() ? "" : cvc5_version(options.cvc5));
      smt_.journal = &*journal_;
    }
    smt_.workers = workers_or_cores(options.workers);
    smt_.cvc5 = options.cvc5;
    smt_.bug_reports = options.bug_reports;
  }

  /// Shows them some layers, with weights.
  void ask(const Certificate& part) {
    std::vector<Vote> votes;
    for (const SmtDepth depth : options_.z3) {
      smt_.depth = depth;
      smt_.progress = progress_of("z3 " + to_text(depth));
      for (Vote& vote : smt_votes(part, smt_)) {
        votes.push_back(std::move(vote));
      }
    }
    ReplayOptions replay;
    if (options_.replay) {
      replay.random_inputs_per_row = *options_.replay;
      replay.progress = progress_of("replay");
      votes.push_back(replay_vote(part, replay));
    }
    votes_.resize(votes.size());  // as many for every part
    for (std::size_t i = 0; i < votes.size(); ++i) {
      hear(votes_[i], std::move(votes[i]));
    }
    if (options_.replay && !votes_.back().detail.empty()) {
      votes_.back().detail = replay_detail(votes_.back().nodes_checked, replay);
    }
    seen_ += nodes_total(part);
  }
  bool none() const { return options_.z3.empty() && !options_.replay; }

  /// Everything was shown. With nothing left to prove the journal goes; else the next run needs it.
  void end() {
    const bool complete = std::all_of(votes_.begin(), votes_.end(),
                                      [](const Vote& vote) { return vote.nodes_checked == vote.nodes_total; });
    if (journal_ && complete) {
      journal_->remove();
    }
  }
  const std::vector<Vote>& votes() const { return votes_; }

 private:
  void hear(Vote& whole, Vote part) {
    std::vector<Vote> parts;
    if (seen_ > 0) {
      parts.push_back(std::move(whole));
    }
    parts.push_back(std::move(part));
    whole = join(std::move(parts));
  }
  Progress progress_of(const std::string& voter) const {
    const Progress told = options_.progress ? options_.progress(voter) : Progress{};
    if (!told) {
      return {};
    }
    return [told, before = seen_, total = nodes_](std::int64_t done, std::int64_t) { told(before + done, total); };
  }

  const ElectionOptions& options_;
  std::int64_t nodes_;
  std::int64_t seen_ = 0;
  SmtOptions smt_;
  std::optional<SmtJournal> journal_;
  std::vector<Vote> votes_;
};

// What follows the checker's vote. `weights` gives the arrays of one layer.
Election after_checker(Vote checker, const std::filesystem::path& path,
                       const std::function<TensorFile(const std::string& layer)>& weights,
                       const ElectionOptions& options) {
  Election election;
  election.votes.push_back(std::move(checker));
  if (election.votes[0].verdict != Verdict::refused) {
    const CertificateFile file(path);
    election.certificate = file.certificate();
    if (options.expected) {
      const Vote vote = datapath_vote(election.certificate, *options.expected);
      if (vote.verdict == Verdict::refused) {
        election.votes.push_back(vote);
      }
    }
    Voters voters(options, election.votes[0].nodes_total, file.digest());
    const bool asked = !voters.none() && combine(election.votes) != Verdict::refused;
    const std::size_t layers = election.certificate.layers.size();
    for (std::size_t i = 0; i < layers && (asked || options.keep_certificate);) {
      Certificate part{election.certificate.tool, {}};
      const std::size_t first = i;
      for (std::int64_t size = 0; i < layers; ++i) {
        const IntegerLayer& layer = election.certificate.layers[i].layer;
        size += layer.rows * layer.cols;
        if (i > first && size > weights_at_a_time) {
          break;
        }
        part.layers.push_back(file.claims(i));
        attach_weights(part.layers.back(), weights(layer.name));
      }
      if (asked) {
        voters.ask(part);
      }
      for (std::size_t k = first; options.keep_certificate && k < i; ++k) {
        election.certificate.layers[k] = std::move(part.layers[k - first]);
      }
    }
    if (asked) {
      voters.end();
      election.votes.insert(election.votes.end(), voters.votes().begin(), voters.votes().end());
    }
  }
  election.verdict = combine(election.votes);
  return election;
}

}  // namespace

Election hold_election(const std::filesystem::path& certificate, const std::filesystem::path& weights,
                       const ElectionOptions& options) {
  Vote checker = checker_vote(certificate, weights);
  if (checker.verdict != Verdict::refused && is_safetensors(weights)) {
    const WeightFiles files(weights);
    return after_checker(
        std::move(checker), certificate, [&](const std::string& layer) { return files.layer(layer); }, options);
  }
  const TensorFile file = checker.verdict == Verdict::refused ? TensorFile{} : read_tensors(weights);
  return after_checker(
      std::move(checker), certificate, [&](const std::string& layer) { return arrays_of(file, layer); }, options);
}

Election hold_election(const std::filesystem::path& certificate, const TensorFile& weights, const std::string& detail,
                       const ElectionOptions& options) {
  return after_checker(
      checker_vote(whole_file(certificate), weights_for_checker(weights), detail), certificate,
      [&](const std::string& layer) { return arrays_of(weights, layer); }, options);
}

}  // namespace axe

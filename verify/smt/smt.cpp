// Voter 2: shares the nodes out to worker processes and turns what they report into a vote; see smt.hpp. Main functions:
// smt_vote, prove_datapath. Side effects: worker processes, which end before they return.
#include "axecert/smt/smt.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>

#include "axecert/certificate/shape.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/smt/depths.hpp"
#include "axecert/smt/journal.hpp"

namespace axe {
namespace {

void validate(const SmtOptions& options) {
  if (options.workers < 1 || options.workers > 256) {
    throw InputError("smt options", "workers = " + std::to_string(options.workers), "1 to 256");
  }
  if (options.rlimit < 1 || options.rlimit > UINT32_MAX) {
    throw InputError("smt options", "rlimit = " + std::to_string(options.rlimit), "1 to 4294967295");
  }
  if (options.nodes_per_context < 1) {
    throw InputError("smt options", "nodes_per_context = " + std::to_string(options.nodes_per_context), "1 or more");
  }
  if (options.cvc5_rlimit < 1) {
    throw InputError("smt options", "cvc5_rlimit = 0", "1 or more");
  }
  if (!(options.stall_seconds > 0)) {
    throw InputError("smt options", "stall_seconds = " + std::to_string(options.stall_seconds), "more than 0");
  }
}

std::string what_is_done(const SmtOptions& options) {
  switch (options.depth) {
    case SmtDepth::ground:
      return "range lemma proved once, every node's numbers";
    case SmtDepth::box:
      return "box queries, both sides, both ends attained";
    case SmtDepth::bit_precise:
      return "bit vectors, nodes of at most " + std::to_string(options.bit_products) + " products";
  }
  return {};
}

smt::SliceWork work_of(const smt::Nodes& nodes, const SmtOptions& options) {
  switch (options.depth) {
    case SmtDepth::ground:
      return smt::ground_work(nodes, options);
    case SmtDepth::box:
      return smt::box_work(nodes, options);
    case SmtDepth::bit_precise:
      return smt::bit_precise_work(nodes, options);
  }
  throw InputError("smt options", "unknown depth", "ground, box or bit-precise");
}

/// Few nodes: one per slice, so that a worker that dies takes no more with it than it must.
std::int64_t slice_of(std::int64_t jobs, const SmtOptions& options) {
  const std::int64_t share = jobs / (std::int64_t{8} * options.workers);
  return std::clamp<std::int64_t>(share, 1, options.depth == SmtDepth::ground ? 2048 : 64);
}

smt::Pool pool_of(std::vector<smt::Slice> slices, const SmtOptions& options) {
  return {.slices = std::move(slices),
          .workers = options.workers,
          .stall_seconds = options.stall_seconds,
          .progress = options.progress,
          .done = {}};
}

/// Jobs [begin, end) in slices.
void cut(std::int64_t begin, std::int64_t end, std::int64_t slice, std::vector<smt::Slice>& slices) {
  for (; begin < end; begin += slice) {
    slices.push_back({begin, std::min(begin + slice, end)});
  }
}

/// The slices of nodes that the journal does not have.
std::vector<smt::Slice> left_to_do(const smt::Nodes& nodes, const SmtOptions& options) {
  std::vector<smt::Slice> slices;
  const std::int64_t slice = slice_of(nodes.count(), options);
  if (options.journal == nullptr) {
    cut(0, nodes.count(), slice, slices);
    return slices;
  }
  for (std::size_t i = 0; i < nodes.layers(); ++i) {
    const std::int64_t first = nodes.first(i), count = nodes.layer(i).count();
    std::int64_t next = 0;
    for (const NodeSpan& span : options.journal->proved(options.depth, nodes.layer(i).layer().name)) {
      cut(first + next, first + std::min(span.begin, count), slice, slices);
      next = std::min(span.end, count);
    }
    cut(first + next, first + count, slice, slices);
  }
  return slices;
}

/// Notes a slice, which may have nodes of several layers.
void note_proved(const smt::Nodes& nodes, smt::Slice slice, const SmtOptions& options) {
  while (slice.begin < slice.end) {
    const std::size_t i = nodes.layer_of(slice.begin);
    const std::int64_t first = nodes.first(i), end = std::min(slice.end, first + nodes.layer(i).count());
    options.journal->add(options.depth, nodes.layer(i).layer().name, {slice.begin - first, end - first});
    slice.begin = end;
  }
}

}  // namespace

namespace smt {

void obey_test_hooks(const SmtOptions& options, std::int64_t job) {
  if (job == options.die_at) {
    std::raise(SIGKILL);
  }
  while (job == options.hang_at) {
    pause();
  }
}

std::unique_ptr<SecondOpinion> second_opinion(const SmtOptions& options) {
  return options.cvc5.empty() ? nullptr
                              : std::make_unique<SecondOpinion>(options.cvc5, options.cvc5_rlimit, options.bug_reports);
}

bool tell_second(const SecondOpinion* second, std::int64_t job, Reporter& reporter) {
  if (second == nullptr || second->state() == SecondOpinion::State::agreed) {
    return second != nullptr;
  }
  reporter.finding(
      job, second->state() == SecondOpinion::State::disagreed ? FindingKind::disagreement : FindingKind::undecided,
      second->message());
  return false;
}

}  // namespace smt

std::string smt_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned build = 0;
  unsigned revision = 0;
  Z3_get_version(&major, &minor, &build, &revision);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(build);
}

std::string to_text(SmtDepth depth) {
  switch (depth) {
    case SmtDepth::ground:
      return "ground";
    case SmtDepth::box:
      return "box";
    case SmtDepth::bit_precise:
      return "bit-precise";
  }
  return "unknown";
}

Vote smt_vote(const Certificate& certificate, const SmtOptions& options) {
  if (!options.cvc5.empty()) {
    throw InputError("smt options", "cvc5 has a vote of its own", "call smt_votes");
  }
  return smt_votes(certificate, options)[0];
}

std::vector<Vote> smt_votes(const Certificate& certificate, const SmtOptions& options) {
  validate(options);
  const auto start = std::chrono::steady_clock::now();
  const bool second = !options.cvc5.empty() && options.depth != SmtDepth::ground;
  std::vector<Vote> votes(second ? 2 : 1);
  votes[0].voter = "z3 " + to_text(options.depth);
  votes[0].version = smt_version();
  votes[0].detail = what_is_done(options) + ", rlimit " + std::to_string(options.rlimit);
  if (second) {
    votes[1].voter = "cvc5 " + to_text(options.depth);
    votes[1].version = cvc5_version(options.cvc5);
    votes[1].detail = "Z3's queries as text, rlimit-per " + std::to_string(options.cvc5_rlimit);
  }
  bool shaped = true;
  for (Vote& vote : votes) {
    shaped = !refuse_by_shape(certificate, vote) && shaped;
  }
  if (!shaped) {
    return votes;
  }
  if (certificate.layers.empty()) {
    for (Vote& vote : votes) {
      vote.detail += "; the certificate has no layer";
    }
    return votes;
  }
  const smt::Nodes nodes(certificate);
  smt::Pool pool = pool_of(left_to_do(nodes, options), options);
  pool.second = second;
  std::int64_t known = nodes.count();  // from the journal
  for (const smt::Slice& slice : pool.slices) {
    known -= slice.end - slice.begin;
  }
  if (options.journal != nullptr) {
    pool.done = [&](smt::Slice slice) { note_proved(nodes, slice, options); };
    if (options.progress) {
      pool.progress = [&](std::int64_t done, std::int64_t) { options.progress(known + done, nodes.count()); };
    }
  }
  const smt::Outcome outcome = smt::run_workers(pool, [&] { return work_of(nodes, options); });
  if (options.journal != nullptr) {
    options.journal->flush();
  }

  bool false_claim = false;
  bool overflow = false;
  const auto keep = [&](Vote& vote, const smt::JobFinding& found) {
    ++vote.findings_total;
    if (vote.findings.size() < findings_kept) {
      vote.findings.push_back({.layer = nodes.layer(nodes.layer_of(found.job)).layer().name,
                               .node = nodes.place(found.job),
                               .message = found.message});
    }
  };
  for (const smt::JobFinding& found : outcome.findings) {
    false_claim = false_claim || found.kind == smt::FindingKind::false_claim;
    overflow = overflow || found.kind == smt::FindingKind::overflow;
    if (found.kind != smt::FindingKind::undecided) {
      keep(votes[0], found);
    }
    if (second && (found.kind == smt::FindingKind::undecided || found.kind == smt::FindingKind::disagreement)) {
      keep(votes[1], found);
    }
  }
  for (Vote& vote : votes) {
    vote.nodes_total = nodes.count();
    vote.nodes_checked = known + (&vote == &votes[0] ? outcome.checked : outcome.seconded);
    if (known > 0) {
      vote.detail += "; " + std::to_string(known) + " nodes proved by an earlier run, from the journal";
    }
    if (outcome.died > 0) {
      vote.detail += "; " + std::to_string(outcome.died) + " workers died";
    }
    if (outcome.stalled > 0) {
      vote.detail += "; " + std::to_string(outcome.stalled) + " workers stalled and were killed";
    }
    if (!outcome.error.empty()) {
      vote.detail += "; " + outcome.error;
    }
    vote.verdict = false_claim && &vote == &votes[0]        ? Verdict::refused
                   : vote.nodes_checked != vote.nodes_total ? Verdict::incomplete
                   : false_claim                            ? Verdict::refused
                   : overflow                               ? Verdict::unsafe
                                                            : Verdict::safe;
  }
  votes[0].seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (second) {  // of the same time, a worker's share
    votes[1].seconds = outcome.second_seconds / options.workers;
    votes[0].seconds -= std::min(votes[0].seconds, votes[1].seconds);
  }
  return votes;
}

std::vector<StageProof> prove_datapath(const Datapath& datapath, const SmtOptions& options) {
  validate(options);
  validate(datapath);
  std::vector<StageProof> proofs;
  for (const Stage& stage : datapath.stages) {
    proofs.push_back({.stage = stage.name, .proved = false, .steps_compared = 0, .detail = "not reached"});
  }
  const auto stages = static_cast<std::int64_t>(proofs.size());
  std::vector<smt::Slice> slices;
  cut(0, stages, slice_of(stages, options), slices);
  const smt::Outcome outcome =
      smt::run_workers(pool_of(std::move(slices), options), [&] { return smt::stage_work(datapath, options); });
  for (const smt::JobFinding& found : outcome.findings) {
    StageProof& proof = proofs[static_cast<std::size_t>(found.job)];
    proof.proved = found.kind == smt::FindingKind::note;
    proof.detail =
        proof.proved ? "a range that fits is never left, and the register holds the integer sum" : found.message;
    proof.steps_compared = proof.proved ? std::strtoll(found.message.c_str(), nullptr, 10) : 0;
  }
  return proofs;
}

}  // namespace axe

// Voter 2: Z3 on every register of a certificate, at three depths. `smt_vote` is the main function. Side effects: worker
// processes, which end before it returns; the calling process itself never creates a Z3 context.
//
// Trusted: this room's translation of weights, box and stages into formulas, and Z3's answers `unsat` (a model, the answer
// `sat`, is replayed). Not trusted: anything that the certificate claims, and lib/bound, which computed it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "axecert/certificate/vote.hpp"

namespace axe {

/// How deep Z3 looks (design §4).
enum class SmtDepth {
  ground,       ///< the range lemma once, symbolically; then each node's equations and inequality over numbers
  box,          ///< each node as integer variables in their box: nothing outside the claim, both ends reached
  bit_precise,  ///< each node with few products as the bit vectors that its registers hold
};
std::string to_text(SmtDepth);  // "ground" | "box" | "bit-precise"

class SmtJournal;

/// Z3's, "4.8.12"; this call creates no context.
std::string smt_version();

struct SmtOptions {
  SmtDepth depth = SmtDepth::box;
  int workers = 1;                    ///< processes, 1 to 256
  std::uint64_t rlimit = 10'000'000;  ///< Z3 resource units per query, 1 to 2^32 − 1; beyond it the answer is `unknown`
  double stall_seconds = 30;          ///< a worker that reports nothing for so long is killed
  std::int64_t nodes_per_context = 4096;  ///< a worker's Z3 context is replaced after so many nodes, ≥ 1
  std::int64_t bit_products = 6;          ///< bit_precise: nodes with more products are left unchecked
  Progress progress;
  SmtJournal* journal =
      nullptr;  ///< nodes in it are not asked again, and what is proved is added (journal.hpp); null: none

  /// A second solver: this program (cvc5, found on the PATH) is asked every query of the depths box and bit_precise too, and votes for
  /// itself (smt_votes). Empty: none.
  std::string cvc5;
  std::uint64_t cvc5_rlimit = 100'000;  ///< cvc5's resource units per query (--rlimit-per), ≥ 1
  std::filesystem::path bug_reports =
      ".";  ///< folder for queries that the two answer differently, or that cvc5 does not decide

  /// For tests: the worker that reaches this node (counted by layer, row, stage, node) hangs or kills itself.
  std::int64_t hang_at = -1;
  std::int64_t die_at = -1;
};

/// cvc5's version, "1.0.3". Throws InputError when `program` cannot be run or is something else.
std::string cvc5_version(const std::string& program);

/// Checks every node of `certificate`, whose weights and biases are attached. `safe` or `unsafe`: every claimed range was
/// proved exact, and every node inside (some outside, each with inputs that were replayed) its register. `refused`: a claim is
/// false. `incomplete`: an answer `unknown`, a worker that died or stalled, a node left out.
Vote smt_vote(const Certificate& certificate, const SmtOptions& options);

/// Z3's vote and, where `options` name cvc5 and the depth is not ground, cvc5's: a node counts as checked by cvc5 when it gave Z3's
/// answer to every query about it. Where the two contradict each other, neither has checked the node: both votes are incomplete, and
/// so is what they combine to.
std::vector<Vote> smt_votes(const Certificate& certificate, const SmtOptions& options);

/// One stage of a datapath, as bit vectors, against what is proved of it.
struct StageProof {
  std::string stage;
  bool proved = false;
  std::int64_t steps_compared = 0;  ///< additions on which the bit vectors and axe::step agreed
  std::string detail;               ///< what was proved, or the first thing that was not
};

/// For every stage of `datapath`: a register whose range fits never leaves its limits and holds the integer sum, by
/// induction at the full width, and unrolled at 6 bits or fewer over four values of symbolic ranges and over two products of
/// symbolic weights in a symbolic box; and the bit-vector step equals axe::step on extreme and random operands.
std::vector<StageProof> prove_datapath(const Datapath& datapath, const SmtOptions& options);

}  // namespace axe

// The three depths as work for a worker process. Each `*_work` is called inside the worker: it opens a Z3 context, proves the
// lemmas that the depth rests on, and returns what checks a slice of nodes. Side effects: a Z3 context that the result owns.
#pragma once

#include <memory>

#include "axecert/smt/nodes.hpp"
#include "axecert/smt/smt.hpp"
#include "axecert/smt/solver.hpp"
#include "axecert/smt/workers.hpp"

namespace axe::smt {

SliceWork ground_work(const Nodes& nodes, const SmtOptions& options);
SliceWork box_work(const Nodes& nodes, const SmtOptions& options);
SliceWork bit_precise_work(const Nodes& nodes, const SmtOptions& options);

/// Proves the range lemma and the limits' formula for all stages of `nodes`, or throws std::runtime_error naming the step
/// that Z3 did not prove.
void prove_range_lemma(Solver& solver, const Nodes& nodes);
/// Proves that equal weights may share one variable. Throws likewise.
void prove_grouping_lemma(Solver& solver);

/// The jobs of prove_datapath: one per stage; tells its result as a note "N detail" (N additions compared) when proved, as a
/// false claim otherwise.
SliceWork stage_work(const Datapath& datapath, const SmtOptions& options);

/// cvc5 as `options` name it, or null.
std::unique_ptr<SecondOpinion> second_opinion(const SmtOptions& options);
/// Tells what the second solver said of a job, if it did not agree; null: there is none. Whether it agreed.
bool tell_second(const SecondOpinion* second, std::int64_t job, Reporter& reporter);

/// Who decided a node's claim.
struct ByWhom {
  bool first = false;   ///< Z3
  bool second = false;  ///< the second solver, in the same way
};

/// Obeys the test hooks of `options`: hangs or dies at its node.
void obey_test_hooks(const SmtOptions& options, std::int64_t job);

}  // namespace axe::smt

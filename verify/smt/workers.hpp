// Work spread over processes that can be killed: slices of jobs are handed out through a shared counter, each worker
// reports through its own pipe. `run_workers` is the main function. Side effects: forks; every child has ended when it
// returns. The parent runs none of the work, so a library that crashes, leaks or hangs does it in a child.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "axecert/certificate/vote.hpp"

namespace axe::smt {

struct Slice {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

enum class FindingKind : std::uint8_t {
  false_claim,   ///< the certificate says something that is not so
  overflow,      ///< a register overflows, as the certificate says
  note,          ///< text for the caller
  undecided,     ///< the second solver did not decide a query
  disagreement,  ///< the second solver's answer is another than Z3's
};

/// How many of a slice's jobs have an answer.
struct Checked {
  std::int64_t first = 0;      ///< Z3's
  std::int64_t second = 0;     ///< and the second solver's, to every query
  std::int64_t second_ns = 0;  ///< spent waiting for it
};

struct JobFinding {
  std::int64_t job = 0;
  FindingKind kind = FindingKind::note;
  std::string message;
};

/// What a worker says; writes to the pipe of its process.
class Reporter {
 public:
  explicit Reporter(int pipe) : pipe_(pipe) {}
  void finding(std::int64_t job, FindingKind kind, const std::string& message);
  /// `checked` of the slice's jobs have an answer; the others do not.
  void done(Slice slice, Checked checked);
  /// Says "still here" when the last word was more than 50 ms ago; call it between queries.
  void alive();
  void error(const std::string& message);

 private:
  void send(char type, const std::string& payload);
  int pipe_;
  std::int64_t last_ns_ = 0;
};

/// Does one slice; throws on failure, which ends the worker.
using SliceWork = std::function<void(Slice, Reporter&)>;

struct Pool {
  std::vector<Slice> slices;  ///< in the order in which they are handed out
  int workers = 1;
  double stall_seconds = 30;
  Progress progress;                ///< (jobs with an answer, jobs)
  std::function<void(Slice)> done;  ///< called with a slice when all of its jobs have an answer and none a finding
  bool second = false;              ///< `done` waits for the second solver's answers too
};

struct Outcome {
  std::int64_t checked = 0;
  std::int64_t seconded = 0;
  double second_seconds = 0;         ///< of all workers together
  std::vector<JobFinding> findings;  ///< sorted by job
  int died = 0;
  int stalled = 0;
  std::string error;  ///< the first failure that a worker told; empty when there was none
};

/// `prepare` is called once in every child and returns what does the slices. A worker that dies or stalls is replaced while
/// slices are left (8 times in all); its slice stays unchecked.
Outcome run_workers(const Pool& pool, const std::function<SliceWork()>& prepare);

}  // namespace axe::smt

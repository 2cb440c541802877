// cvc5 asked beside Z3: the program itself, one process per worker, fed with SMT-LIB text through a pipe. `SecondOpinion` is the main
// class: it renders the query that Z3 just answered, asks cvc5, compares, and writes a file for a bug report when the answers differ.
// Side effects: a child process, which ends with the object or with the worker; files in the folder of bug reports.
//
// cvc5's answer decides nothing by itself: it can only keep a node from counting as checked.
#pragma once

#include <sys/types.h>
#include <z3++.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "axecert/smt/nodes.hpp"

namespace axe::smt {

/// A child process with its standard input and output on pipes. It dies with the thread that made it.
class Pipes {
 public:
  /// Throws std::system_error when no process can be made. A program that cannot be run is one that ends at once.
  Pipes(const std::string& program, const std::vector<std::string>& arguments);
  Pipes(const Pipes&) = delete;
  Pipes& operator=(const Pipes&) = delete;
  ~Pipes();

  /// Throws std::runtime_error when the program no longer listens.
  void write(const std::string& text);
  /// The next line without its end; throws std::runtime_error when there is none any more, or none within so many milliseconds
  /// (−1: however long it takes).
  std::string line(int milliseconds = -1);

 private:
  pid_t pid_ = -1;
  int in_ = -1, out_ = -1;
  std::string buffer_;
};

class SecondOpinion {
 public:
  enum class State { agreed, unknown, disagreed };

  SecondOpinion(const std::string& program, std::uint64_t rlimit, std::filesystem::path bug_reports);

  /// The queries that follow are about this register (file_name: of a bug report, without its end), or about a lemma. Forgets.
  void turn_to(const std::string& words, const std::string& file_name);
  /// Z3 answered sat or unsat to `query` under what `solver` asserts; `logic` is the one that cvc5 is told. Throws
  /// std::runtime_error when cvc5 answers with an error or not at all, InputError when a bug report cannot be written.
  void hear(z3::solver& solver, const z3::expr& query, z3::check_result z3_answer, const char* logic);

  /// Called after each answer: a worker that waits for cvc5 is not one that hangs. Empty: nothing.
  void after_each(std::function<void()> call) { after_each_ = std::move(call); }

  /// The worst since the last turn_to, and one line about it: what differed, and where the report is.
  State state() const { return state_; }
  const std::string& message() const { return message_; }
  /// Waiting for cvc5, all queries together.
  std::int64_t nanoseconds() const { return nanoseconds_; }

 private:
  std::string ask(const std::string& text);
  std::string report(const std::string& text, z3::solver& solver, const z3::expr& query, const char* z3_answer,
                     const std::string& answer);

  Pipes pipes_;
  std::string program_;
  std::uint64_t rlimit_;
  std::filesystem::path bug_reports_;
  std::string words_, file_name_;
  State state_ = State::agreed;
  std::string message_;
  std::int64_t nanoseconds_ = 0;
  std::function<void()> after_each_;
  int written_ = 0;  ///< bug reports
};

/// What cvc5 is told: declarations of every constant in it, the assertions, the query, one check.
std::string smtlib_text(const z3::expr_vector& assertions, const z3::expr& query, const char* logic);

/// What `turn_to` is told of a register, beside file_stem.
std::string words_of(const LayerNodes& of, NodeId id);

}  // namespace axe::smt

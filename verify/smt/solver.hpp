// The one way into Z3: a context with one plain solver, integer numerals that are read back, queries under a resource limit.
// `Solver` is the main class. Only worker processes create one. Z3's traps that it avoids: `x > 5000000000LL` truncates
// silently, the default solver costs 10 ms a query (bit vectors
// need Z3's SAT-based one all the same: the plain one is lost on products), soft timeouts are not honoured.
#pragma once

#include <z3++.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "axecert/numeric/wide.hpp"
#include "axecert/smt/second_solver.hpp"

namespace axe::smt {

class Solver {
 public:
  enum class Theory { integers, bit_vectors };
  explicit Solver(std::uint64_t rlimit, Theory theory = Theory::integers);
  Solver(const Solver&) = delete;
  Solver& operator=(const Solver&) = delete;

  z3::context& context() { return state_->context; }
  z3::solver& solver() { return state_->solver; }

  /// A context grows with everything that it was ever asked, and one of Z3 4.8.12 was seen to answer sat to impossible queries after
  /// some hundred thousand nodes. So its owner says how many nodes it asks about (`count_nodes`), and takes a new one in time
  /// (`renew`), when no expression of the old one is left anywhere.
  void renew();
  void count_nodes(std::int64_t nodes) { state_->nodes += nodes; }
  std::int64_t nodes() const { return state_->nodes; }

  /// Every query that Z3 decides from now on is put to `second` too, which outlives this; null: none. `logic`: SMT-LIB's name.
  void put_also_to(SecondOpinion* second, const char* logic) {
    second_ = second;
    logic_ = logic;
  }

  /// The integer numeral `value`: decimal text, parsed by Z3, read back and compared. Throws std::logic_error if they differ.
  z3::expr number(int128 value);
  /// The bit vector of `bits` bits that stands for `value` in two's complement; read back likewise.
  z3::expr bits(int128 value, unsigned width);
  /// The value of an integer or (signed) bit-vector numeral.
  static int128 value_of(const z3::expr& numeral);

  /// Integer variable `prefix`+i. Names are reused: fresh ones leak symbols.
  z3::expr variable(const char* prefix, std::size_t i);
  /// n-ary sum; 0 for none (z3::sum aborts on an empty vector).
  z3::expr sum(const std::vector<z3::expr>& terms);

  /// Satisfiability of what is asserted together with `query`, which is retracted again.
  z3::check_result check(const z3::expr& query);
  /// As `check`, and hands the model to `use` when the answer is sat.
  template <class Use>
  z3::check_result check_model(const z3::expr& query, const Use& use) {
    solver().push();
    solver().add(query);
    const z3::check_result answer = solver().check();
    if (answer == z3::sat) {
      use(solver().get_model());
    }
    solver().pop();
    if (second_ != nullptr && answer != z3::unknown) {
      second_->hear(solver(), query, answer, logic_);
    }
    return answer;
  }

 private:
  struct State {
    State(std::uint64_t rlimit, Theory theory);
    z3::context context;
    z3::solver solver;
    std::unordered_map<std::int64_t, z3::expr> small;  ///< numerals that occur again and again
    std::int64_t nodes = 0;
  };

  std::uint64_t rlimit_;
  Theory theory_;
  std::unique_ptr<State> state_;
  SecondOpinion* second_ = nullptr;
  const char* logic_ = "ALL";
};

}  // namespace axe::smt

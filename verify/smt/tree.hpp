// Whole dot products on whole datapaths as bit vectors, asked of Z3: every register of every stage, in kernel order, each fed what the
// registers below it hold after they wrapped or saturated. `ask_trees` is the main function. Side effects: worker processes, which end
// before it returns.
//
// Trusted: this file's reading of Topology and of step, and Z3. Not used: anything that lib/bound says about ranges.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "axecert/datapath/datapath.hpp"
#include "axecert/smt/smt.hpp"

namespace axe {

/// One dot product on one datapath: small, since every input is a bit vector.
struct TreeQuestion {
  Datapath datapath;
  std::vector<std::int8_t> weights;  ///< [K], K ≥ 1
  IntegerRange inputs;               ///< of every one of the K operands, within ±largest_operand
  std::int64_t constant = 0;         ///< what the stage that starts from the row's constant starts from, within ±2^62
  std::vector<std::vector<std::int32_t>> runs;  ///< inputs [K] on which every register is computed
  bool search = true;                           ///< false: only the runs are wanted, and the verdict stays unknown
};

/// What one register does with given inputs, as bit vectors.
struct TreeRegister {
  std::int64_t value = 0;
  bool overflowed = false;
  friend bool operator==(const TreeRegister&, const TreeRegister&) = default;
};

enum class TreeVerdict {
  exact,    ///< for all inputs of the range, no register goes wrong, and the last stage's hold the integer sums
  wrong,    ///< `inputs` make a register go wrong
  unknown,  ///< Z3 gave no answer; never a pass
};

/// A register goes wrong when some step of it leaves its limits, or, where only the final value is claimed, when it ends on another
/// value than the sum of what it was fed.
struct TreeAnswer {
  TreeVerdict verdict = TreeVerdict::unknown;
  std::vector<std::int32_t> inputs;                          ///< [K] when wrong
  std::vector<std::vector<std::vector<TreeRegister>>> runs;  ///< [run][stage][node]
  std::string detail;                                        ///< why unknown
};

/// Answers in the order of `questions`. Throws InputError when a question's datapath, weights, range or runs are not valid.
std::vector<TreeAnswer> ask_trees(const std::vector<TreeQuestion>& questions, const SmtOptions& options);

}  // namespace axe

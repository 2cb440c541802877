// One register's sum as a linear program with both of its optima: variables and constraints that hold exactly what the register can
// add up, and for each end multipliers that prove it and values that attain it. `sum_program` is the main function. No side effects.
//
// Nothing here is trusted: the formats made of it are for checkers that add the multiplied constraints up themselves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "axecert/smt/nodes.hpp"

namespace axe::foreign {

struct Term {
  std::size_t variable = 0;
  int128 coefficient = 0;
};

/// Σ coefficient · variable ≤ bound, or ≥ bound.
struct Constraint {
  std::string name;
  std::vector<Term> terms;
  bool at_most = true;
  int128 bound = 0;
};

/// A constraint that is used `times` > 0 in a proof.
struct Multiplied {
  std::size_t constraint = 0;
  int128 times = 0;
};

/// One end of a register's range.
struct End {
  int128 value = 0;
  /// Added up, each turned towards this end, they bound the objective by `value` less the constant; every variable cancels otherwise.
  std::vector<Multiplied> proof;
  std::vector<int128> attained_by;  ///< [variables], keeps every constraint
};

struct SumProgram {
  std::vector<std::string> variables;  ///< all integers: x17 (input of product 17), in17, in_v3 (0 or 1), abs17, z
  std::vector<Constraint> constraints;
  std::size_t bounds = 0;  ///< so many constraints, the first ones, have one variable with the coefficient 1
  std::vector<Term> objective;
  int128 constant = 0;  ///< the register's sum is the objective and this
  End lower, upper;
};

/// The sum of register `id`, over every subset that it may have added where the stage claims every partial sum:
///  - product k adds w_k x_k, l_k ≤ x_k ≤ h_k; it is left out by x_k = 0 where the box holds 0, else by in_k = 0 in
///    in_k l_k ≤ x_k ≤ in_k h_k;
///  - a value v of the stage below is a register's final sum; it is left out by x = 0 in all of its products where every box holds 0
///    and nothing below starts from the constant, else by in_v = 0 in in_v l_k ≤ x_k ≤ in_v h_k, and starts from in_v times its constant;
///  - a constant whose zero point varies is c + s z, 0 ≤ z ≤ spread;
///  - under an input limit L, abs_k ≥ ±x_k and Σ abs_k ≤ L in each register of the lowest stage.
/// The proof of an end adds |w_k| times a bound of x_k; under a limit weak duality's (docs/arithmetic.md, "Limited inputs"). Throws
/// std::logic_error if an end is not the claimed one, which a checker that accepted the certificate rules out.
SumProgram sum_program(const smt::LayerNodes& of, NodeId id);

}  // namespace axe::foreign

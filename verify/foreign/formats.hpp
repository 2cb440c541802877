// The writers behind foreign.hpp, one per format: each makes the text of one file. No side effects.
#pragma once

#include <string>
#include <vector>

#include "axecert/foreign/sum_program.hpp"

namespace axe::foreign {

/// What a file's opening comment says of the register.
struct Subject {
  const smt::LayerNodes& of;
  NodeId id;
};

/// The lines of the opening comment, without the comment sign: layer, hash of the weights, register, limits, claim.
std::vector<std::string> opening_lines(const smt::LayerNodes& of);
std::vector<std::string> opening_lines(const Subject& subject);
/// The same with `sign` before and a line end behind each.
std::string comment(const std::vector<std::string>& lines, const std::string& sign);

/// Integer literal of SMT-LIB: "5", "(- 5)".
std::string numeral(int128 value);
/// "(+ (* 3 x0) (* (- 2) x1) 7)"; "7" when there are no terms.
std::string linear_sum(const SumProgram& program, const std::vector<Term>& terms, int128 constant);
/// "(<= (+ …) 5)".
std::string inequality(const SumProgram& program, const Constraint& constraint);
std::string declarations(const SumProgram& program);

std::string vipr_text(const Subject& subject, const SumProgram& program, Side side);
/// One row's registers `ids`, all of the same layer.
std::string smt2_text(const smt::LayerNodes& of, const std::vector<NodeId>& ids);
std::string alethe_problem(const Subject& subject, const SumProgram& program, Side side);
std::string alethe_proof(const Subject& subject, const SumProgram& program, Side side);
std::string acceptance_text(const smt::LayerNodes& of);

}  // namespace axe::foreign

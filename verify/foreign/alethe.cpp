// Alethe (Barbosa, Fleury, Fontaine, Schurr: The Alethe proof format, version 0.3 of its reference): a script whose assertions cannot all
// hold, and their refutation in two steps. la_generic says that the negations of its literals, each times its argument, add up to a
// contradiction; resolution takes the assertions in. Main functions: alethe_problem, alethe_proof. No side effects.
#include "axecert/foreign/formats.hpp"

namespace axe::foreign {
namespace {

/// The sum beyond the end.
std::string goal(const SumProgram& program, Side side) {
  const bool upper = side == Side::upper;
  return std::string(upper ? "(> " : "(< ") + linear_sum(program, program.objective, program.constant) + " " +
         numeral(upper ? program.upper.value : program.lower.value) + ")";
}

}  // namespace

std::string alethe_problem(const Subject& subject, const SumProgram& program, Side side) {
  std::vector<std::string> opening = opening_lines(subject);
  opening.push_back(std::string("Asserted: inputs that the register admits, and a sum ") +
                    (side == Side::upper ? "above the upper" : "below the lower") + " end.");
  std::string text = comment(opening, "; ") + "(set-logic QF_LIA)\n(set-info :status unsat)\n" + declarations(program);
  for (const Constraint& constraint : program.constraints) {
    text += "(assert " + inequality(program, constraint) + ")\n";
  }
  return text + "(assert " + goal(program, side) + ")\n(check-sat)\n";
}

std::string alethe_proof(const Subject& subject, const SumProgram& program, Side side) {
  const End& end = side == Side::upper ? program.upper : program.lower;
  std::string text = comment(opening_lines(subject), "; ");
  std::string literals, factors, premises;
  const auto use = [&](const std::string& name, const std::string& assertion, int128 times) {
    text += "(assume " + name + " " + assertion + ")\n";
    literals += " (not " + assertion + ")";
    factors += (factors.empty() ? "" : " ") + to_string(times);
    premises += " " + name;
  };
  for (const Multiplied& used : end.proof) {
    const Constraint& constraint = program.constraints[used.constraint];
    use(constraint.name, inequality(program, constraint), used.times);
  }
  use("goal", goal(program, side), 1);
  text += "(step sum (cl" + literals + ") :rule la_generic :args (" + factors + "))\n";
  return text + "(step contradiction (cl) :rule resolution :premises (sum" + premises + "))\n";
}

}  // namespace axe::foreign

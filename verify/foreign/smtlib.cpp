// SMT-LIB 2.6: what a row's registers owe, one solver script per row. Every register has four checks between (push) and (pop): it never
// leaves its limits, its claimed range holds everything, and inputs reach both ends. (set-info :status) before each check is the answer
// that proves the claim. Main function: smt2_text. No side effects.
#include "axecert/foreign/formats.hpp"

namespace axe::foreign {

std::string numeral(int128 value) {
  return value < 0 ? "(- " + to_string(-value) + ")" : to_string(value);
}

std::string linear_sum(const SumProgram& program, const std::vector<Term>& terms, int128 constant) {
  std::vector<std::string> parts;
  for (const Term& term : terms) {
    const std::string& name = program.variables[term.variable];
    parts.push_back(term.coefficient == 1 ? name : "(* " + numeral(term.coefficient) + " " + name + ")");
  }
  if (constant != 0 || parts.empty()) {
    parts.push_back(numeral(constant));
  }
  if (parts.size() == 1) {
    return parts[0];
  }
  std::string text = "(+";
  for (const std::string& part : parts) {
    text += " " + part;
  }
  return text + ")";
}

std::string inequality(const SumProgram& program, const Constraint& constraint) {
  return std::string(constraint.at_most ? "(<= " : "(>= ") + linear_sum(program, constraint.terms, 0) + " " +
         numeral(constraint.bound) + ")";
}

std::string declarations(const SumProgram& program) {
  std::string text;
  for (const std::string& name : program.variables) {
    text += "(declare-const " + name + " Int)\n";
  }
  return text;
}

std::string smt2_text(const smt::LayerNodes& of, const std::vector<NodeId>& ids) {
  std::vector<std::string> opening = opening_lines(of);
  opening.push_back("Row " + std::to_string(ids.front().row) + ". Expected answers: those of each (set-info :status).");
  std::string text = comment(opening, "; ");
  text += "(set-info :smt-lib-version 2.6)\n(set-logic QF_LIA)\n";
  const auto check = [&](const std::string& what, const char* status, const std::string& assertion) {
    text += "; " + what + "\n(push 1)\n(assert " + assertion + ")\n(set-info :status " + status +
            ")\n(check-sat)\n(pop 1)\n";
  };
  for (const NodeId id : ids) {
    const Subject subject{of, id};
    const SumProgram program = sum_program(of, id);
    const IntegerRange limits = of.limits(id.stage), claimed = of.claimed(id);
    text += "\n" + comment(opening_lines(subject), "; ") + "(push 1)\n" + declarations(program);
    for (const Constraint& constraint : program.constraints) {
      text += "(assert " + inequality(program, constraint) + ")\n";
    }
    text += "(define-fun sum () Int " + linear_sum(program, program.objective, program.constant) + ")\n";
    const auto outside = [](IntegerRange range) {
      return "(or (< sum " + numeral(range.lower) + ") (> sum " + numeral(range.upper) + "))";
    };
    check(subject.of.fits(subject.id) ? "It never leaves its limits." : "It can leave its limits.",
          subject.of.fits(subject.id) ? "unsat" : "sat", outside(limits));
    check("The claimed range holds everything.", "unsat", outside(claimed));
    check("The upper end is reached.", "sat", "(= sum " + numeral(claimed.upper) + ")");
    check("The lower end is reached.", "sat", "(= sum " + numeral(claimed.lower) + ")");
    text += "(pop 1)\n";
  }
  return text;
}

}  // namespace axe::foreign

// VIPR 1.0 (Cheung, Gleixner, Steffy: Verifying integer programming results, IPCO 2017; a file is a valid 1.1 file but for its first
// line). The register's sum is maximised or minimised over its inputs; `DER` bounds it by one suitable linear combination, `SOL` attains
// it. A constraint Σ a x ≤ b counts with λ ≥ 0 in a combination that ends in ≤, one with ≥ with λ ≤ 0; both turned for ≥. Main
// function: vipr_text. No side effects.
#include "axecert/foreign/formats.hpp"

namespace axe::foreign {

std::string vipr_text(const Subject& subject, const SumProgram& program, Side side) {
  const bool upper = side == Side::upper;
  const End& end = upper ? program.upper : program.lower;
  const std::string value = to_string(end.value);
  const std::size_t constant = program.variables.size();  // VIPR has no constants: a variable that is fixed
  const auto pairs = [](const std::vector<Term>& terms) {
    std::string text = std::to_string(terms.size());
    for (const Term& term : terms) {
      text += "  " + std::to_string(term.variable) + " " + to_string(term.coefficient);
    }
    return text;
  };

  std::vector<std::string> opening = opening_lines(subject);
  opening.push_back(std::string("This file: the ") + (upper ? "upper" : "lower") + " end, " + value + ".");
  std::string text = comment(opening, "% ") + "VER 1.0\nVAR " + std::to_string(constant + 1) + "\n";
  for (const std::string& name : program.variables) {
    text += name + "\n";
  }
  text += "constant\nINT " + std::to_string(constant + 1) + "\n";
  for (std::size_t i = 0; i <= constant; ++i) {
    text += std::to_string(i) + (i == constant ? "\n" : " ");
  }
  std::vector<Term> objective = program.objective;
  objective.push_back({constant, 1});
  text += std::string("OBJ ") + (upper ? "max" : "min") + "\n" + pairs(objective) + "\n";

  // The constant's equation is constraint 0, so the others move up by one.
  text += "CON " + std::to_string(program.constraints.size() + 1) + " " + std::to_string(program.bounds + 1) + "\n";
  text += "constant_value E " + to_string(program.constant) + " " + pairs({{constant, 1}}) + "\n";
  for (const Constraint& constraint : program.constraints) {
    text += constraint.name + (constraint.at_most ? " L " : " G ") + to_string(constraint.bound) + " " +
            pairs(constraint.terms) + "\n";
  }
  text += "RTP range " + value + " " + value + "\n";

  std::vector<Term> solution;
  for (std::size_t i = 0; i < end.attained_by.size(); ++i) {
    if (end.attained_by[i] != 0) {
      solution.push_back({i, end.attained_by[i]});
    }
  }
  if (program.constant != 0) {
    solution.push_back({constant, program.constant});
  }
  text += "SOL 1\nattained " + pairs(solution) + "\n";

  const std::string sense = upper ? " L " : " G ";
  const std::string proved = std::to_string(program.constraints.size() + 1);
  const IntegerRange limits = subject.of.limits(subject.id.stage);
  const bool inside = upper ? end.value <= limits.upper : end.value >= limits.lower;
  text += "DER " + std::string(inside ? "3" : "1") + "\n";
  text += "range" + sense + value + " OBJ { lin " + std::to_string(end.proof.size() + 1) + "  0 1";
  for (const Multiplied& used : end.proof) {
    const bool against = program.constraints[used.constraint].at_most != upper;
    text += "  " + std::to_string(used.constraint + 1) + " " + to_string(against ? -used.times : used.times);
  }
  text += " } -1\n";
  if (inside) {
    text += "register" + sense + std::to_string(upper ? limits.upper : limits.lower) + " OBJ { lin 1  " + proved +
            " 1 } -1\n";
    text += "end" + sense + value + " OBJ { lin 1  " + proved + " 1 } -1\n";
  }
  return text;
}

}  // namespace axe::foreign

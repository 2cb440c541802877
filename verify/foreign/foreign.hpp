// What a certificate claims, in formats of other people's checkers: VIPR (exact checkers of linear programs), SMT-LIB (any solver),
// Alethe (checkers of SMT proofs), and the acceptance predicate itself as one ground formula of SMT-LIB. `export_claims` is the main
// function; docs/foreign_formats.md says what each file states. No side effects: files are handed to the caller as text.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "axecert/certificate/certificate.hpp"

namespace axe {

enum class ForeignFormat {
  vipr,  ///< per register and end: its sum as an integer program, multipliers that prove the end, a solution that attains it
  smt2,        ///< per row: every register's obligations, with the answers that prove them
  alethe,      ///< per register and end: the obligation and its proof, one step of linear arithmetic
  acceptance,  ///< per layer: the acceptance predicate over the weights' numbers, negated
};
std::string to_text(ForeignFormat);  // "vipr" | "smt2" | "alethe" | "acceptance"

/// Which registers; −1 and an empty layer mean any.
struct ForeignSelection {
  std::string layer;
  std::int64_t row = -1, stage = -1, node = -1;
};

struct ForeignFile {
  std::string name;  ///< "fc1.r5.s0.n3.upper.vipr": distinct in a certificate; a "/" of a layer's name stands as "+"
  std::string text;
};

/// How many files the selection makes. Throws InputError when it names no register, saying what there is.
std::int64_t count_files(const Certificate& certificate, ForeignFormat format, const ForeignSelection& selection);

/// Hands over each file, in layer, row, stage, node order. `certificate` has its weights and no shape findings; but for `acceptance`
/// it was accepted by the checker: a claimed range that is not exact throws std::logic_error. Input limits and unsafe registers are exported as they are: an unsafe register's
/// files prove its range and show inputs beyond its limits.
void export_claims(const Certificate& certificate, ForeignFormat format, const ForeignSelection& selection,
                   const std::function<void(const ForeignFile&)>& take);

}  // namespace axe

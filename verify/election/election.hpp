// Asking the voters about a certificate and its weights: the checker first, then whichever others were asked for, and one verdict
// from what they say. `hold_election` is the main function; the command line and Python both call it. Side effects: reads two
// files, and what the voters do (Z3's worker processes).
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "axecert/certificate/vote.hpp"
#include "axecert/model/tensors.hpp"
#include "axecert/replay/replay.hpp"
#include "axecert/smt/smt.hpp"

namespace axe {

struct ElectionOptions {
  std::optional<Datapath> expected;  ///< refuse certificates whose stages or operands differ from these
  std::vector<SmtDepth> z3;          ///< depths to ask, in order
  std::optional<int> replay;         ///< random inputs per row, ≥ 0; none: not asked
  std::string cvc5;  ///< program that is asked Z3's queries of the depths box and bit-precise too; empty: none
  std::filesystem::path bug_reports =
      ".";          ///< where queries are put that the two answer differently, or cvc5 not at all
  int workers = 0;  ///< Z3's processes; 0: one per core, at most 256
  /// Z3's journal (smt/journal.hpp): begun or gone on with, removed when nothing is left to prove. Empty: none.
  std::filesystem::path resume;
  bool keep_certificate =
      true;  ///< false: Election::certificate holds outlines, and memory does not grow with the model
  /// Progress of one voter, by its name; may be empty.
  std::function<Progress(const std::string& voter)> progress;
};

struct Election {
  std::vector<Vote> votes;
  Certificate
      certificate;  ///< with weights, or outlines (certificate_file.hpp); without layers when the checker refused it
  Verdict verdict = Verdict::incomplete;
};

/// Checker first; what it refuses is not shown to the others. `weights` is a file, or an index of shards. The other voters are
/// shown some layers at a time, at least one, and less than 2^26 weights where layers are smaller. Throws InputError when a file cannot
/// be read, and when something is wrong with the weights file that the checker does not look at.
Election hold_election(const std::filesystem::path& certificate, const std::filesystem::path& weights,
                       const ElectionOptions& options);

/// The same for weights that were taken out of a file of another format; `detail` says how, and stands in the checker's vote.
Election hold_election(const std::filesystem::path& certificate, const TensorFile& weights, const std::string& detail,
                       const ElectionOptions& options);

}  // namespace axe

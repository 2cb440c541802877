// The voters as `verify` and `report` call them: which are asked, and their votes in order.
#pragma once

#include <string>
#include <vector>

#include "verb.hpp"

namespace axe::cli {

struct VoterArguments {
  std::string certificate, weights, datapath;
  std::string z3 = "both";
  int replay = 8;
  bool no_replay = false;
  int workers = 0;
};
void add_voters(CLI::App* command, VoterArguments& arguments);

struct Election {
  std::vector<Vote> votes;
  Certificate certificate;  ///< with weights; without layers when the checker refused it
  Verdict verdict = Verdict::incomplete;
};
/// Checker first; what it refuses is not shown to the others.
Election hold_election(const VoterArguments& arguments, const Common& common);

/// The certificate with its weights, after the checker has not refused it. Failure 3 when it did.
Certificate checked_certificate(const std::string& certificate, const std::string& weights);

}  // namespace axe::cli

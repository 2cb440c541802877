// The voters as `verify` and `report` call them: which are asked, and their votes in order.
#pragma once

#include <string>
#include <vector>

#include "axecert/election/election.hpp"
#include "verb.hpp"

namespace axe::cli {

struct VoterArguments {
  std::string certificate, weights, datapath;
  std::string z3 = "both";
  bool cvc5 = false;
  std::string cvc5_program = "cvc5", bug_reports = ".";
  int replay = 8;
  bool no_replay = false;
  int workers = 0;
  std::string resume;                        ///< Z3's journal
  std::string convolution_order = "kernel";  ///< of an ONNX model
  bool keep_certificate = true;              ///< false: the election's certificate holds outlines
};
void add_voters(CLI::App* command, VoterArguments& arguments);

/// election.hpp's, with progress on the terminal. Failure 3 when a file is not what it should be.
Election hold_election(const VoterArguments& arguments, const Common& common);

/// The checker's election, its certificate with weights: every node was checked, though something else may make it incomplete. Failure 3
/// when the checker refuses, 2 when it did not check every node.
Election checked_election(const std::string& certificate, const std::string& weights,
                          const std::string& convolution_order);

}  // namespace axe::cli

// A policy (axecert.toml): the models of a repository, the datapaths on which each must be safe, the voters that must agree, and how much of every
// register must stay unused. `read_policy` is the main function; docs/ci.md describes the file. Side effects: reads it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "axecert/datapath/datapath.hpp"
#include "axecert/smt/smt.hpp"

namespace axe::cli {

/// A model and what is asked of it.
struct ModelPolicy {
  std::filesystem::path file;          ///< relative to the policy's folder, or absolute
  std::vector<std::string> datapaths;  ///< as `-d` takes them; a relative .toml file lies beside the policy
  std::vector<Datapath> parsed;        ///< the same, read
  std::vector<std::string>
      accepted;  ///< "NODE (OPERATOR)" of an ONNX model, as certify lists them: may be without a layer
  std::optional<IntegerRange> inputs;  ///< of every operand; as --input-range
  std::string order = "kernel";        ///< as --conv-order
};

struct Policy {
  std::filesystem::path file;
  std::vector<ModelPolicy> models;  ///< one at least
  std::vector<SmtDepth> z3;
  bool cvc5 = false;
  std::optional<int> replay;       ///< random inputs per row
  int minimum_margin_percent = 0;  ///< 0 to 99, of every register's limits
};

/// Failure 66 when it cannot be opened, 64 for a datapath that is none; InputError (FILE:LINE:COLUMN, problem, remedy) for anything else that is
/// wrong in it, unknown keys among them.
Policy read_policy(const std::filesystem::path& path);

}  // namespace axe::cli

// What one voter says about a certificate: its verdict, how much of it was looked at, and what it found. The voters live in
// verify/; `combine` is the only place where votes become a verdict.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "axecert/certificate/certificate.hpp"

namespace axe {

struct Finding {
  std::string layer;
  NodeId node;
  std::string message;  ///< one line with the numbers: expected, found, limit
};

struct Vote {
  std::string voter;    ///< "checker", "z3 ground", "z3 box", "z3 bit-precise", "replay"
  std::string version;  ///< "4.8.12", or empty
  Verdict verdict = Verdict::incomplete;
  std::int64_t nodes_total = 0;
  std::int64_t nodes_checked = 0;
  double seconds = 0;
  std::string detail;             ///< one line: what was done ("box queries, both sides, rlimit 1000000")
  std::vector<Finding> findings;  ///< at most 100, the first in layer, row, stage, node order; empty when safe
  std::int64_t findings_total = 0;
  bool of_registers =
      true;  ///< false: of something behind the registers, so that another verdict than theirs contradicts nobody
};

/// A vote that says safe without having checked every node counts as incomplete. Then: refused if any vote is; incomplete if
/// there is no vote, or voters disagree about registers (one says safe, another unsafe); unsafe if any says so, because one overflow that was
/// replayed stands whatever else is missing; incomplete if any vote is; else safe.
Verdict combine(const std::vector<Vote>& votes);

/// The worse of two: refused, incomplete, unsafe, safe, from the worst on.
Verdict worse(Verdict a, Verdict b);

/// One voter's word on everything, from its words on parts that have no node in common: counts, seconds and findings add up, the
/// verdict is the worst of refused, incomplete, unsafe, safe. Of no parts: incomplete.
Vote join(std::vector<Vote> parts);

/// Called from time to time by long work with (done, total); may be empty.
using Progress = std::function<void(std::int64_t done, std::int64_t total)>;

}  // namespace axe

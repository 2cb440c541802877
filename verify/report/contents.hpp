// What a report says, whatever it is written in: the verdict and its sentence, per layer the summary and the tightest registers with
// inputs that drive them there, and everything that keeps the verdict from being safe. Every format is a function of this.
// `report_contents` is the main function. No side effects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "axecert/certificate/vote.hpp"
#include "axecert/report/summary.hpp"

namespace axe {

/// What a report is about.
struct ReportSubject {
  const Certificate& certificate;
  const std::vector<Vote>& votes;
  std::string certificate_path;  ///< as the user named them; empty when no certificate was written
  std::string weights_path;
};

/// One register, and inputs that drive it to the end nearer to its limit.
struct ReportedNode {
  NodeId node;
  Stage stage;
  IntegerRange range;  ///< claimed
  IntegerRange limits;
  std::int64_t margin = 0;  ///< steps; negative: overflow
  Side side = Side::upper;
  std::vector<std::int32_t> witness;  ///< [cols]; empty when the weights are not at hand
  std::optional<std::int64_t> holds;  ///< what the register holds after the witness, as the machine replays it
};

struct ReportedLayer {
  const LayerClaims& claims;
  LayerSummary summary;
  std::vector<ReportedNode> tightest;  ///< of each row its tightest register; the tightest rows first, at most five
  std::vector<ReportedNode> unsafe;  ///< the tightest register of each row that can overflow, in row order, at most 100
};

/// The voter that refuses registers with less room than a policy demands (`axecert check`), though they do not overflow.
constexpr const char* policy_voter = "policy";

/// Why the verdict is not safe.
struct Problem {
  enum class Kind { overflow, not_checked, refused, margin, requantization } kind;
  std::int64_t layer = -1;             ///< index in `layers`, or −1
  const ReportedNode* node = nullptr;  ///< in that layer; null when it is not one register's
  std::int64_t row = -1;               ///< in that layer, or −1; where there is a node, its row
  std::string message;
};

struct ReportContents {
  ReportSubject subject;
  Verdict verdict;
  std::string sentence;  ///< the verdict in words
  std::vector<Assumption> assumptions;
  std::int64_t nodes = 0;
  std::vector<ReportedLayer> layers;
  std::vector<Problem> problems;  ///< none iff the verdict is safe
  /// Nobody refuses the files themselves: they could be judged.
  bool judged() const;
};

/// `subject` outlives the result, which is not copied: problems point into it.
ReportContents report_contents(const ReportSubject& subject);

/// "row 3, stage pair, register 0".
std::string place_of(const ReportedNode& node);
/// "checker 1.0".
std::string name_of(const Vote& vote);
/// "fc.1, row 3, stage 0, register 2: range …"
std::string in_words(const Finding& finding);
/// "range [0, 35] in [-31, 31], 4 beyond the limit; on the witness it holds -29".
std::string in_words(const ReportedNode& node);

}  // namespace axe

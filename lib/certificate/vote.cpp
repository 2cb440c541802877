// Turns votes into one verdict; see vote.hpp. Main functions: combine, join. No side effects.
#include "axecert/certificate/vote.hpp"

#include <algorithm>
#include <utility>

#include "axecert/certificate/shape.hpp"

namespace axe {

namespace {

/// What a vote is worth: safe only with every node looked at.
Verdict worth(const Vote& vote) {
  const bool whole = vote.nodes_total > 0 && vote.nodes_checked == vote.nodes_total;
  return vote.verdict == Verdict::safe && !whole ? Verdict::incomplete : vote.verdict;
}

}  // namespace

Verdict worse(Verdict a, Verdict b) {
  const auto rank = [](Verdict verdict) {
    return verdict == Verdict::refused ? 3 : verdict == Verdict::incomplete ? 2 : verdict == Verdict::unsafe ? 1 : 0;
  };
  return rank(b) > rank(a) ? b : a;
}

Vote join(std::vector<Vote> parts) {
  if (parts.empty()) {
    return {};
  }
  Vote whole = std::move(parts[0]);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    Vote& part = parts[i];
    whole.verdict = worse(whole.verdict, part.verdict);
    whole.nodes_total += part.nodes_total;
    whole.nodes_checked += part.nodes_checked;
    whole.seconds += part.seconds;
    whole.findings_total += part.findings_total;
    for (Finding& finding : part.findings) {
      if (whole.findings.size() < findings_kept) {
        whole.findings.push_back(std::move(finding));
      }
    }
    // What was done is the same in all parts; what went wrong follows it, behind a semicolon.
    const std::size_t end = part.detail.find("; ");
    if (end != std::string::npos && whole.detail.find(part.detail.substr(end)) == std::string::npos) {
      whole.detail += part.detail.substr(end);
    }
  }
  return whole;
}

Verdict combine(const std::vector<Vote>& votes) {
  const auto says = [&](Verdict verdict) {
    return std::any_of(votes.begin(), votes.end(), [&](const Vote& vote) { return worth(vote) == verdict; });
  };
  if (says(Verdict::refused)) {
    return Verdict::refused;
  }
  const auto says_of_registers = [&](Verdict verdict) {
    return std::any_of(votes.begin(), votes.end(),
                       [&](const Vote& vote) { return vote.of_registers && worth(vote) == verdict; });
  };
  const bool disagree = says_of_registers(Verdict::safe) && says_of_registers(Verdict::unsafe);
  if (votes.empty() || disagree) {
    return Verdict::incomplete;
  }
  if (says(Verdict::unsafe)) {
    return Verdict::unsafe;
  }
  return says(Verdict::incomplete) ? Verdict::incomplete : Verdict::safe;
}

}  // namespace axe

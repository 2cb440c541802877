// Turns votes into one verdict; see vote.hpp. Main function: combine. No side effects.
#include "axecert/certificate/vote.hpp"

#include <algorithm>

namespace axe {

namespace {

/// What a vote is worth: safe only with every node looked at.
Verdict worth(const Vote& vote) {
  const bool whole = vote.nodes_total > 0 && vote.nodes_checked == vote.nodes_total;
  return vote.verdict == Verdict::safe && !whole ? Verdict::incomplete : vote.verdict;
}

}  // namespace

Verdict combine(const std::vector<Vote>& votes) {
  const auto says = [&](Verdict verdict) {
    return std::any_of(votes.begin(), votes.end(), [&](const Vote& vote) { return worth(vote) == verdict; });
  };
  if (says(Verdict::refused)) {
    return Verdict::refused;
  }
  const bool disagree = says(Verdict::safe) && says(Verdict::unsafe);
  if (votes.empty() || disagree) {
    return Verdict::incomplete;
  }
  if (says(Verdict::unsafe)) {
    return Verdict::unsafe;
  }
  return says(Verdict::incomplete) ? Verdict::incomplete : Verdict::safe;
}

}  // namespace axe

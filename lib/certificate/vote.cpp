// Turns votes into one verdict; see vote.hpp. Main function: combine. No side effects.
#include "axecert/certificate/vote.hpp"

#include <algorithm>

namespace axe {

Verdict combine(const std::vector<Vote>& votes) {
  const auto says = [&](Verdict verdict) {
    return std::any_of(votes.begin(), votes.end(), [&](const Vote& vote) { return vote.verdict == verdict; });
  };
  if (says(Verdict::refused)) {
    return Verdict::refused;
  }
  const bool partial = std::any_of(votes.begin(), votes.end(), [](const Vote& vote) {
    return vote.verdict == Verdict::safe && (vote.nodes_checked != vote.nodes_total || vote.nodes_total <= 0);
  });
  if (votes.empty() || partial || says(Verdict::incomplete) || (says(Verdict::safe) && says(Verdict::unsafe))) {
    return Verdict::incomplete;
  }
  return says(Verdict::unsafe) ? Verdict::unsafe : Verdict::safe;
}

}  // namespace axe

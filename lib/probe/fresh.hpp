// Dot products that were not asked before, chosen to be hard: extreme operands, sums near the limits of the registers of a datapath,
// signs in runs, lengths of every size. `FreshQuestions::next` is the main function. No side effects.
#pragma once

#include <random>

#include "axecert/datapath/datapath.hpp"
#include "axecert/probe/fill.hpp"

namespace axe {

class FreshQuestions {
 public:
  /// Of at most `longest` terms, in operands of `multiplier`. The same seed gives the same questions.
  FreshQuestions(const Multiplier& multiplier, const Datapath& datapath, std::int64_t longest, std::uint64_t seed)
      : multiplier_(multiplier), datapath_(datapath), longest_(longest), random_(seed) {}
  DotProduct next();

 private:
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(bound));
  }
  std::int64_t within(IntegerRange range) { return range.lower + below(range.upper - range.lower + 1); }
  std::int64_t any_length();
  DotProduct near_a_limit();

  const Multiplier& multiplier_;
  const Datapath& datapath_;
  std::int64_t longest_;
  std::mt19937_64 random_;
  std::int64_t count_ = 0;
};

}  // namespace axe

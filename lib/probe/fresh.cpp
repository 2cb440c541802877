// Dot products that were not asked before; see fresh.hpp. Main function: FreshQuestions::next. No side effects.
#include "axecert/probe/fresh.hpp"

#include <algorithm>
#include <bit>

namespace axe {

std::int64_t FreshQuestions::any_length() {
  // Every order of magnitude alike.
  const auto bits = static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(longest_)));
  const std::int64_t largest = std::min(longest_, std::int64_t{1} << (1 + below(bits)));
  return 1 + below(largest);
}

DotProduct FreshQuestions::near_a_limit() {
  // One register of one stage is driven to its limit, give or take three; the other products are 0 or ±1.
  const std::int64_t length = std::max<std::int64_t>(2, std::min<std::int64_t>(longest_, 2048) - below(16));
  const auto s = static_cast<std::size_t>(below(static_cast<std::int64_t>(datapath_.stages.size())));
  std::vector<Stage> stages(datapath_.stages.begin(), datapath_.stages.begin() + static_cast<std::ptrdiff_t>(s));
  const Registers registers(multiplier_, stages, length);
  const Topology topology(datapath_, length);
  const std::vector<std::int64_t> members = topology.values_of(s, below(topology.nodes(s)));
  const IntegerRange limits = register_limits(datapath_.stages[s]);
  DotProduct question = registers.nothing();
  const std::int64_t total = (below(2) == 0 ? limits.upper : limits.lower) + below(7) - 3;
  if (!registers.put(question, members, total)) {
    question = registers.nothing();
  }
  for (std::size_t k = 0; k < question.x.size(); ++k) {
    if (question.w[k] == 0 && below(8) == 0) {
      if (const auto unit = multiplier_.factor(below(2) == 0 ? 1 : -1)) {
        question.x[k] = unit->x;
        question.w[k] = unit->w;
      }
    }
  }
  return question;
}

DotProduct FreshQuestions::next() {
  DotProduct question;
  const auto add = [&](Factors factors) {
    question.x.push_back(factors.x);
    question.w.push_back(factors.w);
  };
  const Factors ends[] = {multiplier_.most_factors(), multiplier_.least_factors()};
  const std::int64_t kind = count_++ % 5;
  if (kind == 4) {
    return near_a_limit();
  }
  const std::int64_t length = count_ % 40 == 1 ? longest_ : any_length();
  const std::int64_t bias = below(17);  // of 16: how often a product is the largest one
  std::int64_t run = 0;
  bool positive = true;
  for (std::int64_t k = 0; k < length; ++k) {
    if (kind == 0) {  // extremes, of random signs
      add(ends[below(16) < bias ? 0 : 1]);
    } else if (kind == 1) {  // extremes, of signs in runs
      if (run-- == 0) {
        run = below(bias + 2);
        positive = !positive;
      }
      add(ends[positive ? 0 : 1]);
    } else if (kind == 2) {  // anything
      add({static_cast<std::int32_t>(within(multiplier_.activations())),
           static_cast<std::int8_t>(within(multiplier_.weights()))});
    } else if (below(8) == 0) {  // few products, corners of the operands
      const IntegerRange x = multiplier_.activations(), w = multiplier_.weights();
      add({static_cast<std::int32_t>(below(2) == 0 ? x.lower : x.upper),
           static_cast<std::int8_t>(below(2) == 0 ? w.lower : w.upper)});
    } else {
      add({});
    }
  }
  return question;
}

}  // namespace axe

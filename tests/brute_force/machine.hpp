// A machine that executes a dot product whole, written down again from docs/certificate.md ("Acceptance") and docs/datapaths.md: it shares no
// code with lib/datapath, lib/bound or the checker. Main function: executed. Used by the tool of this folder and by fuzz/differential.cpp. No
// side effects.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "axecert/bound/range.hpp"
#include "exhaustive.hpp"

namespace axe::brute_force {

using exhaustive::Seen;
using Values = std::vector<std::int64_t>;

/// The values that each register of `stage` adds, out of `values` of them: blocks of B = group · stride (all when group is 0 or B is larger);
/// register b · min(stride, B) + j adds bB + j, bB + j + stride, …
inline std::vector<Values> dealt(const Stage& stage, std::int64_t values) {
  const std::int64_t product = stage.group * stage.stride;
  const std::int64_t block = stage.group == 0 || product > values ? values : product;
  std::vector<Values> registers;
  for (std::int64_t begin = 0; begin < values; begin += block) {
    for (std::int64_t j = 0; j < std::min(stage.stride, block) && begin + j < values; ++j) {
      registers.emplace_back();
      for (std::int64_t v = begin + j; v < std::min(begin + block, values); v += stage.stride) {
        registers.back().push_back(v);
      }
    }
  }
  return registers;
}

struct Ends {
  std::int64_t lower, upper;
};
inline Ends limits_of(const Stage& stage) {
  const auto upper = static_cast<std::int64_t>((std::uint64_t{1} << (stage.width - 1)) - 1);
  return {stage.limits == Limits::full ? -upper - 1 : -upper, upper};
}

/// What a register holds when `sum` was put into it; |sum| < 2^62. Undefined: the worst that can happen here is anything, so a value that
/// no sum of these instances has.
inline std::int64_t held(const Stage& stage, std::int64_t sum) {
  const Ends limits = limits_of(stage);
  if (sum >= limits.lower && sum <= limits.upper) {
    return sum;
  }
  if (stage.overflow == Overflow::saturate) {
    return sum < limits.lower ? limits.lower : limits.upper;
  }
  if (stage.overflow == Overflow::undefined) {
    return INT64_C(0x5ca1ab1e5ca1ab1);
  }
  const std::int64_t modulus = std::int64_t{1} << stage.width;  // width ≤ 62 when a sum does not fit
  std::int64_t rest = sum % modulus;
  rest += rest < 0 ? modulus : 0;
  return rest >= modulus / 2 ? rest - modulus : rest;
}

/// What was seen of one register over everything.
struct Register : Seen {
  bool left_limits = false;    ///< some exact sum on the way, or a start, did not fit
  bool final_misfit = false;   ///< some complete sum did not fit
  bool wrong_content = false;  ///< it held something else than the exact sum at some end

  void execute(const Stage& stage, std::int64_t initial, const Values& values) {
    const Ends limits = limits_of(stage);
    const auto fits = [&](std::int64_t sum) { return sum >= limits.lower && sum <= limits.upper; };
    for_all_orders(values, [&](const Values& ordered) {
      std::int64_t exact = initial, content = held(stage, initial);
      widen(partial, exact);
      left_limits = left_limits || !fits(exact);
      for (const std::int64_t value : ordered) {
        exact += value;
        widen(partial, exact);
        left_limits = left_limits || !fits(content + value);
        content = held(stage, content + value);
      }
      widen(final, exact);
      final_misfit = final_misfit || !fits(exact);
      wrong_content = wrong_content || content != exact;
    });
  }
};

using Machine = std::vector<std::vector<Register>>;  // [stage][register]
using Wiring = std::vector<std::vector<Values>>;     // [stage][register]: the values that it adds

/// One input and one constant through all stages; registers are fed the exact values of those below.
inline void execute(const IntegerLayer& layer, const Datapath& datapath, const Wiring& wiring,
                    const std::vector<std::int32_t>& x, std::int64_t constant, Machine& seen) {
  Values below;
  for (std::size_t k = 0; k < x.size(); ++k) {
    below.push_back(std::int64_t{layer.weights[k]} * x[k]);
  }
  for (std::size_t s = 0; s < datapath.stages.size(); ++s) {
    Values sums;
    const std::int64_t initial = datapath.stages[s].initial == Initial::constant ? constant : 0;
    for (std::size_t n = 0; n < wiring[s].size(); ++n) {
      Values values;
      std::int64_t sum = initial;
      for (const std::int64_t v : wiring[s][n]) {
        values.push_back(below[static_cast<std::size_t>(v)]);
        sum += values.back();
      }
      seen[s][n].execute(datapath.stages[s], initial, values);
      sums.push_back(sum);
    }
    below = sums;
  }
}

inline Wiring wiring_of(const Datapath& datapath, std::int64_t values) {
  Wiring wiring;
  for (const Stage& stage : datapath.stages) {
    wiring.push_back(dealt(stage, values));
    values = static_cast<std::int64_t>(wiring.back().size());
  }
  return wiring;
}

/// What every register did over all of these inputs [.][cols] and every zero point.
template <class ForAll>
Machine executed_on(const IntegerLayer& layer, const Datapath& datapath, const Wiring& wiring, ForAll for_all) {
  Machine seen;
  for (const auto& stage : wiring) seen.emplace_back(stage.size());
  for (std::int64_t z = 0; z <= layer.zero_point_spread; ++z) {
    const std::int64_t constant = exhaustive::constant_at(layer, z);
    for_all([&](const std::vector<std::int32_t>& x) { execute(layer, datapath, wiring, x, constant, seen); });
  }
  return seen;
}

/// What every register of row 0 did, over everything that the layer allows.
inline Machine executed(const IntegerLayer& layer, const Datapath& datapath, const Wiring& wiring) {
  return executed_on(layer, datapath, wiring, [&](auto visit) {
    exhaustive::for_all_inputs(layer, [&](const std::vector<std::int32_t>& x) {
      if (exhaustive::keeps_limit(layer, wiring[0], x)) visit(x);
    });
  });
}

/// The same on one input.
inline Machine executed_on_one(const IntegerLayer& layer, const Datapath& datapath, const Wiring& wiring,
                               const std::vector<std::int32_t>& x) {
  return executed_on(layer, datapath, wiring, [&](auto visit) { visit(x); });
}

/// What a stage claims of one of its registers, as it was seen.
inline IntegerRange range_seen(const Stage& stage, const Register& seen) {
  return stage.claim == Claim::final_value ? seen.final : seen.partial;
}
inline bool violated(const Stage& stage, const Register& seen) {
  return stage.claim == Claim::final_value ? seen.final_misfit : seen.left_limits;
}

}  // namespace axe::brute_force

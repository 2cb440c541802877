// What the tests of single instructions share: operands at the edges and at random for a preset, and the comparison of what a
// kernel's instructions leave in its registers with what axe::run leaves in the preset's. `compare_with_instructions` is the
// main function. No side effects.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "axecert/datapath/datapath.hpp"
#include "axecert/datapath/machine.hpp"

namespace axe::test {

/// Contents [stage][register], the lowest stage first; as many stages as the instructions show, and in the last vector of each
/// stage possibly registers beyond the preset's, which padding with zeros left at 0.
using Registers = std::vector<std::vector<std::int64_t>>;
using Kernel = Registers (*)(std::span<const std::int8_t> weights, std::span<const std::int32_t> inputs,
                             std::int32_t constant);

/// A preset and the instructions that its kernel consists of.
struct KernelOf {
  const char* preset;
  Kernel kernel;
  std::size_t stages;   ///< how many stages `kernel` shows
  bool can_overflow;    ///< some operands within the preset's ranges overflow a register of these stages
};

struct Compared {
  std::int64_t registers = 0;   ///< contents compared
  std::int64_t overflowed = 0;  ///< of them, those that had overflowed on the way
  std::int64_t different = 0;
  std::string first;  ///< the first that differed
};

/// Operands that drive registers to and beyond their limits, and random ones.
inline void fill_operands(int pattern, std::mt19937_64& random, const Datapath& datapath, std::vector<std::int8_t>& w,
                          std::vector<std::int32_t>& x) {
  const auto within = [&](IntegerRange range) {
    return range.lower + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(range.upper - range.lower + 1));
  };
  const auto end_of = [&](IntegerRange range) {
    const std::uint64_t choice = random() % 3;
    return choice == 0 ? range.lower : choice == 1 ? range.upper : std::clamp<std::int64_t>(0, range.lower, range.upper);
  };
  const IntegerRange ws = datapath.weights, xs = datapath.activations;
  for (std::size_t k = 0; k < w.size(); ++k) {
    const bool late = 2 * k >= w.size();
    std::int64_t weight = 0, input = 0;
    switch (pattern) {
      case 0:
        weight = ws.upper, input = xs.upper;
        break;
      case 1:
        weight = ws.lower, input = xs.upper;
        break;
      case 2:
        weight = ws.lower, input = xs.lower;
        break;
      case 3:  // up, then down: saturation in between is lost for good
        weight = late ? ws.lower : ws.upper, input = xs.upper;
        break;
      case 4:
        weight = k % 4 < 2 ? ws.upper : ws.lower, input = xs.upper;
        break;
      case 5:
        weight = end_of(ws), input = end_of(xs);
        break;
      case 6:
        weight = std::clamp<std::int64_t>(within({-9, 9}), ws.lower, ws.upper), input = within(xs);
        break;
      default:
        weight = within(ws), input = within(xs);
    }
    w[k] = static_cast<std::int8_t>(weight);
    x[k] = static_cast<std::int32_t>(input);
  }
}

/// Runs the kernel and the machine on the same operands, for many lengths, and compares every register of every stage shown.
inline Compared compare_with_instructions(const KernelOf& of) {
  const Datapath datapath = parse_datapath(of.preset);
  std::mt19937_64 random(20260101);
  Compared compared;
  const bool has_constant = std::any_of(datapath.stages.begin(), datapath.stages.end(),
                                        [](const Stage& stage) { return stage.initial == Initial::constant; });
  for (const std::size_t length : std::initializer_list<std::size_t>{1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 257, 300,
                                   511, 512, 513, 1100, 4096, 4097, 5000}) {
    const Topology topology(datapath, static_cast<std::int64_t>(length));
    std::vector<std::int8_t> w(length);
    std::vector<std::int32_t> x(length);
    for (int pattern = 0; pattern < 12; ++pattern) {
      fill_operands(pattern, random, datapath, w, x);
      for (const std::int32_t constant : {0, -123'456'789, INT32_MAX - 5000, INT32_MIN + 5000}) {
        if (constant != 0 && !has_constant) {
          continue;
        }
        const std::vector<std::vector<RegisterTrace>> machine = run(topology, w, x, constant);
        const Registers registers = of.kernel(w, x, constant);
        REQUIRE(registers.size() == of.stages);
        for (std::size_t s = 0; s < of.stages; ++s) {
          REQUIRE(registers[s].size() >= machine[s].size());
          for (std::size_t node = 0; node < registers[s].size(); ++node) {
            const std::int64_t expected = node < machine[s].size() ? machine[s][node].value : 0;
            ++compared.registers;
            compared.overflowed += node < machine[s].size() && machine[s][node].overflowed;
            if (registers[s][node] != expected && compared.different++ == 0) {
              compared.first = std::to_string(length) + " products, pattern " + std::to_string(pattern) + ", constant " +
                               std::to_string(constant) + ", stage " + std::to_string(s) + ", register " +
                               std::to_string(node) + ": the instructions hold " + std::to_string(registers[s][node]) +
                               ", the machine " + std::to_string(expected);
            }
          }
        }
      }
    }
  }
  return compared;
}

inline void check_with_instructions(std::span<const KernelOf> kernels) {
  for (const KernelOf& of : kernels) {
    CAPTURE(of.preset);
    const Compared compared = compare_with_instructions(of);
    CAPTURE(compared.first);
    CHECK(compared.different == 0);
    CHECK((compared.overflowed > 0) == of.can_overflow);
    MESSAGE(std::string(of.preset), ": ", compared.registers, " registers compared, ", compared.overflowed,
            " of them overflowed");
  }
}

}  // namespace axe::test

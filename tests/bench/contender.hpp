// What is measured beside others in tests/bench: a piece of work that can be repeated, its CPU time, and a protocol by which a script has
// it measured in turn with work of other programs. `serve` is the main function. Side effects: serve reads standard input and prints.
#pragma once

#include <time.h>

#include <cstddef>
#include <cstdio>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

namespace bench {

struct Contender {
  std::string name;
  std::function<void()> once;
  double macs = 0;     // per call
  double bytes = 0;    // of weights, per call; 0: not worth a word
  std::string peak{};  // the contender that is the most it can reach
  std::string
      answer{};  // "exact" or "wrong" where two products of the largest operands leave 16 bits; empty: not asked
};

inline double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// CPU seconds of one call, over as many calls as take about 10 ms.
inline double seconds_per_call(const Contender& contender) {
  const double begin = cpu_seconds();
  double now = begin;
  int calls = 0;
  do {
    contender.once();
    ++calls;
    now = cpu_seconds();
  } while (now - begin < 0.01);
  return (now - begin) / calls;
}

/// Prints the contenders as one line of JSON, then reads numbers of contenders, one a line, and answers each with the CPU seconds of one
/// call, until standard input ends. peers.py has the other end.
inline void serve(const std::vector<Contender>& contenders) {
  std::printf("[");
  for (std::size_t c = 0; c < contenders.size(); ++c) {
    const Contender& of = contenders[c];  // no name has a quotation mark
    std::printf(R"(%s{"name": "%s", "macs": %.0f, "bytes": %.0f, "peak": "%s", "answer": "%s"})", c == 0 ? "" : ", ",
                of.name.c_str(), of.macs, of.bytes, of.peak.c_str(), of.answer.c_str());
  }
  std::printf("]\n");
  std::fflush(stdout);
  for (std::size_t c = 0; std::cin >> c;) {
    std::printf("%.9g\n", seconds_per_call(contenders.at(c)));
    std::fflush(stdout);
  }
}

}  // namespace bench

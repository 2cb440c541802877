// Reads every hostile file at n bytes and at twice as many, for valgrind to count: under `valgrind --tool=callgrind --collect-atstart=no` only the
// reading is counted, and each leaves a dump named "CASE @ N @ SIZE"; growth.py compares them. Standard output has that line per reading.
//
//     hostile_growth [FORMAT]
#include <valgrind/callgrind.h>

#include <cstdio>

#include "axecert/numeric/error.hpp"
#include "hostile_files.hpp"

using namespace axe::hostile;

int main(int argc, char** argv) {
  for (const HostileCase& one : hostile_cases()) {
    if (argc > 1 && one.format != argv[1]) {
      continue;
    }
    for (const std::size_t n : {one.growth_from, 2 * one.growth_from}) {
      const std::string task = one.name + " @ " + std::to_string(n) + " @ " + std::to_string(one.write(n));
      CALLGRIND_TOGGLE_COLLECT;
      try {
        one.read();
      } catch (const axe::InputError&) {
      }
      CALLGRIND_TOGGLE_COLLECT;
      CALLGRIND_DUMP_STATS_AT(task.c_str());
      std::printf("%s\n", task.c_str());
      std::fflush(stdout);
    }
  }
  return 0;
}

// What is read from hostile files is bounded by their size: for every case, at two sizes, a reader holds at most its limit times the bytes of the files, and 1 MiB
// besides; and it refuses or reads them, without any other error. Main function: the test case. Side effects: a temporary folder.
// Requirements: TOR-202, TOR-504.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

#include "allocations.hpp"
#include "axecert/numeric/error.hpp"
#include "hostile_files.hpp"

using namespace axe;
using namespace axe::hostile;

TEST_CASE("allocations are counted") {
  watch();
  {
    const std::vector<char> some(10'000'000);
    CHECK(some.data() != nullptr);
  }
  CHECK(most_held() >= 10'000'000);
  CHECK(most_held() < 10'100'000);
}

TEST_CASE("no reader holds more memory than its files warrant") {
  for (const HostileCase& one : hostile_cases()) {
    std::size_t times = 0;
    for (const MemoryLimit& limit : memory_limits()) {
      times = limit.format == one.format ? limit.times : times;
    }
    for (const std::size_t n : {std::size_t{20'000}, std::size_t{400'000}}) {
      const std::size_t size = one.write(n);
      bool refused = false;
      watch();
      try {
        one.read();
      } catch (const InputError&) {
        refused = true;
      }
      const std::size_t held = most_held();
      if (std::getenv("AXECERT_HOSTILE_TABLE") != nullptr) {
        std::printf("%-90s %8zu bytes, held %10zu, %7.1f times%s\n", one.name.c_str(), size, held,
                    static_cast<double>(held) / static_cast<double>(size), refused ? ", refused" : "");
      }
      CAPTURE(one.name);
      CAPTURE(size);
      CHECK(held <= times * size + memory_besides);
      CHECK(refused == one.refused.value_or(refused));
    }
  }
}

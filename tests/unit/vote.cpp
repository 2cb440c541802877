// How votes become a verdict: combine's truth table.
// Requirements: TOR-306.
#include "axecert/certificate/vote.hpp"

#include <doctest/doctest.h>

using namespace axe;

namespace {

Vote vote(Verdict verdict, std::int64_t checked = 5, std::int64_t total = 5) {
  Vote result;
  result.verdict = verdict;
  result.nodes_checked = checked;
  result.nodes_total = total;
  return result;
}

constexpr Verdict safe = Verdict::safe, unsafe = Verdict::unsafe, incomplete = Verdict::incomplete,
                  refused = Verdict::refused;

}  // namespace

// TOR-106
TEST_CASE("no vote is no verdict") {
  CHECK(combine({}) == incomplete);
}

TEST_CASE("one vote stands for itself") {
  for (const Verdict verdict : {safe, unsafe, incomplete, refused}) {
    CHECK(combine({vote(verdict)}) == verdict);
  }
}

TEST_CASE("two votes: refused beats disagreement beats unsafe beats incomplete") {
  struct Row {
    Verdict a, b, both;
  };
  for (const Row& row : {Row{safe, safe, safe}, Row{safe, unsafe, incomplete}, Row{safe, incomplete, incomplete},
                         Row{safe, refused, refused}, Row{unsafe, unsafe, unsafe}, Row{unsafe, incomplete, unsafe},
                         Row{unsafe, refused, refused}, Row{incomplete, incomplete, incomplete},
                         Row{incomplete, refused, refused}, Row{refused, refused, refused}}) {
    CHECK(combine({vote(row.a), vote(row.b)}) == row.both);
    CHECK(combine({vote(row.b), vote(row.a)}) == row.both);
  }
}

TEST_CASE("three votes: one dissent is enough") {
  CHECK(combine({vote(safe), vote(safe), vote(safe)}) == safe);
  CHECK(combine({vote(safe), vote(unsafe), vote(safe)}) == incomplete);
  CHECK(combine({vote(safe), vote(unsafe), vote(refused)}) == refused);
  CHECK(combine({vote(unsafe), vote(incomplete), vote(unsafe)}) ==
        unsafe);  // an overflow stands, whatever else is missing
  CHECK(combine({vote(safe), vote(unsafe), vote(incomplete)}) == incomplete);
}

TEST_CASE("a vote on what lies behind the registers contradicts none of theirs") {
  const auto behind = [](Verdict verdict, std::int64_t checked = 5) {
    Vote result = vote(verdict, checked);
    result.of_registers = false;
    return result;
  };
  CHECK(combine({vote(safe), behind(safe)}) == safe);
  CHECK(combine({vote(safe), behind(unsafe)}) == unsafe);
  CHECK(combine({vote(unsafe), behind(safe)}) == unsafe);
  CHECK(combine({vote(safe), behind(incomplete)}) == incomplete);
  CHECK(combine({vote(safe), behind(safe, 4)}) == incomplete);
  CHECK(combine({vote(safe), vote(unsafe), behind(unsafe)}) == incomplete);  // the voters on registers still disagree
}

// TOR-106
TEST_CASE("safe without every node is not safe") {
  CHECK(combine({vote(safe, 4, 5)}) == incomplete);
  CHECK(combine({vote(safe), vote(safe, 4, 5)}) == incomplete);
  CHECK(combine({vote(safe, 6, 5)}) == incomplete);
  CHECK(combine({vote(safe, 0, 0)}) == incomplete);            // nothing was looked at
  CHECK(combine({vote(unsafe, 4, 5)}) == unsafe);              // one overflow is enough
  CHECK(combine({vote(safe, 4, 5), vote(unsafe)}) == unsafe);  // no disagreement: it did not look everywhere
  CHECK(combine({vote(safe, 4, 5), vote(refused)}) == refused);
}

// cvc5 beside Z3: the text that it is told says what Z3's expression says, and a program that misbehaves is an error.
// Requirements: TOR-308.
#include "axecert/smt/second_solver.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "../golden/golden_files.hpp"
#include "../scratch_folder.hpp"
#include "axecert/certificate/vote.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/smt/smt.hpp"

using namespace axe;
using smt::Pipes;

namespace {

/// Whether Z3 reads back from the text what was asserted, and the query behind it.
bool says_the_same(z3::context& context, const std::vector<z3::expr>& asserted, const z3::expr& query,
                   const char* logic) {
  z3::expr_vector assertions(context);
  for (const z3::expr& one : asserted) {
    assertions.push_back(one);
  }
  const std::string text = smt::smtlib_text(assertions, query, logic);
  std::vector<z3::expr> meant = asserted, read;
  meant.push_back(query);
  for (const z3::expr one : context.parse_string(text.c_str())) {
    read.push_back(one);
  }
  if (read.size() != meant.size()) {
    return false;
  }
  for (std::size_t i = 0; i < read.size(); ++i) {
    z3::solver differ(context);
    differ.add(read[i] != meant[i]);
    if (differ.check() != z3::unsat) {
      return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("the text for cvc5, read by Z3, is the expression that it was printed from") {
  z3::context c;
  const z3::expr x = c.int_const("x"), y = c.int_const("y"), b = c.bool_const("b");
  const z3::expr wide = c.int_val("-170141183460469231731687303715884105727");
  CHECK(says_the_same(c, {x >= -5, x <= 7, y == z3::ite(b, x, c.int_val(0))}, -3 * x + y > wide, "QF_LIA"));
  CHECK(says_the_same(c, {}, c.bool_val(true), "QF_LIA"));
  const z3::expr sum = x + y, twice = sum + sum;  // shared parts, which are printed with let
  CHECK(says_the_same(c, {}, (twice + twice == sum * 4) && (twice > sum || twice < -sum), "QF_NIA"));
  const z3::expr v = c.bv_const("v", 20), w = c.bv_const("w", 20);
  const z3::expr wrapped = z3::sext((v * w).extract(7, 0), 12);
  CHECK(says_the_same(c, {z3::slt(v, c.bv_val(-3, 20)), !z3::sgt(w, c.bv_val(5, 20))}, wrapped != v + w && b, "QF_BV"));
}

TEST_CASE("a text that says something else would be noticed") {
  z3::context c;
  const z3::expr x = c.int_const("x");
  z3::expr_vector none(c);
  const std::string text = smt::smtlib_text(none, x > 3, "QF_LIA");
  CHECK(text == "(set-logic QF_LIA)\n(declare-fun x () Int)\n(assert (> x 3))\n(check-sat)\n");
}

TEST_CASE("a program that ends, says nothing or is not there is an error and no signal") {
  Pipes echo("/bin/cat", {});
  echo.write("one\ntwo\n");
  CHECK(echo.line() == "one");
  CHECK(echo.line(10'000) == "two");
  CHECK_THROWS_WITH(echo.line(20), "it says nothing");
  Pipes gone("/nonexistent/program", {});
  CHECK_THROWS_WITH(gone.line(), "it ended");
  const std::string much(1 << 20, 'x');
  CHECK_THROWS_WITH(
      [&] {
        for (int i = 0; i < 100; ++i) {
          gone.write(much);
        }
      }(),
      "it ended");
  CHECK_THROWS_AS(cvc5_version("/nonexistent/program"), InputError);
  CHECK_THROWS_AS(cvc5_version("/bin/true"), InputError);
}

TEST_CASE("a solver that stays silent is not waited for, and nothing counts as checked by it") {
  const test::ScratchFolder folder;
  const std::filesystem::path program = folder / "silent";
  std::ofstream(program)
      << "#!/bin/sh\nif [ \"$1\" = --version ]; then echo This is cvc5 version 0; else exec sleep 60; fi\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  SmtOptions options;
  options.depth = SmtDepth::box;
  options.cvc5 = program.string();
  options.stall_seconds = 0.2;
  options.workers = 1;
  const Certificate certificate{"test", {make_claims(tiny::small_layer(), tiny::two_stages(), InputSource::clamped)}};
  const std::vector<Vote> votes = smt_votes(certificate, options);
  REQUIRE(votes.size() == 2);
  CHECK(votes[1].verdict == Verdict::incomplete);
  CHECK(votes[1].nodes_checked == 0);
  CHECK(combine(votes) == Verdict::incomplete);
}

TEST_CASE("wrong options are refused") {
  SmtOptions options;
  options.cvc5 = "cvc5";
  CHECK_THROWS_AS(smt_vote({}, options), InputError);  // two votes do not fit into one
  options.cvc5_rlimit = 0;
  CHECK_THROWS_AS(smt_votes({}, options), InputError);
}

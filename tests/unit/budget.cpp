// The integer budget by hand-worked numbers: what a plan leaves out, what a weight costs, where admissible ends, what a bias
// and an offset take. The claims over all choices are in property/budget.cpp.
// Requirements: TOR-501.
#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "axecert/constraint/budget.hpp"

using namespace axe;

namespace {

BudgetPlan plan_of(const std::string& datapath, std::int64_t length, IntegerRange box, std::int32_t offset = 0,
                   IntegerRange weights = {-8, 7}, IntegerRange bias = {0, 0}, std::int64_t spread = 0) {
  const auto n = static_cast<std::size_t>(length);
  const std::vector<std::int32_t> lower(n, static_cast<std::int32_t>(box.lower)),
      upper(n, static_cast<std::int32_t>(box.upper)), offsets(n, offset);
  return BudgetPlan(Topology(parse_datapath(datapath), length), lower, upper, offsets, weights, bias, spread);
}

IntegerRange admissible(const BudgetBlock& budget, std::int64_t k, double low = -100, double high = 100) {
  budget.admissible(k, &low, &high);
  return {static_cast<std::int64_t>(low), static_cast<std::int64_t>(high)};
}

void take(BudgetBlock& budget, std::int64_t k, double q) {
  budget.take(k, &q);
}

}  // namespace

TEST_CASE("a stage that the data types keep inside its limits has no account") {
  // 4 products of 4-bit weights [-8, 7] and codes [0, 15]: at most 420 and at least -480, which 10 bits (±511) hold and 9 (±255) do not.
  CHECK(plan_of("axe:P=10", 4, {0, 15}).unconstrained());
  const BudgetPlan nine = plan_of("axe:P=9", 4, {0, 15});
  REQUIRE(nine.stages().size() == 1);
  CHECK(nine.stages()[0].stage == 0);
  CHECK(nine.stages()[0].upper == 255);
  CHECK(nine.stages()[0].lower == 255);
  // The boundary to the unit: 4·8·15 = 480 against limits of 511, then with a bias of 31, then of 32, in the outer register.
  CHECK(plan_of("axe:P=32,outer=10", 4, {0, 15}, 0, {-8, 7}, {-31, 31}).unconstrained());
  CHECK_FALSE(plan_of("axe:P=32,outer=10", 4, {0, 15}, 0, {-8, 7}, {-32, 31}).unconstrained());
  // A bias counts only where a stage starts from it.
  CHECK(plan_of("axe:P=10,outer=32", 4, {0, 15}, 0, {-8, 7}, {-511, 511}).unconstrained());
}

TEST_CASE("every stage that can bind has its own account, lowest first") {
  const BudgetPlan plan = plan_of("axe:P=8,T=2,outer=9", 6, {0, 15});
  REQUIRE(plan.stages().size() == 2);
  CHECK(plan.stages()[0].nodes == 3);
  CHECK(plan.stages()[1].nodes == 1);
  CHECK_FALSE(plan.stages()[0].from_constant);
  CHECK(plan.stages()[1].from_constant);
  CHECK(plan.stages()[0].node_of_column == std::vector<std::int64_t>{0, 0, 1, 1, 2, 2});
}

TEST_CASE("unsigned codes: positives and negatives have a limit each, and do not disturb one another") {
  const BudgetPlan plan = plan_of("axe:P=8", 3, {0, 15}, 0, {-64, 64});
  BudgetBlock budget(plan, {}, 1);
  CHECK(admissible(budget, 0) == IntegerRange{-8, 8});  // 127 / 15 = 8.47
  take(budget, 0, 8);                                   // 120 of 127
  CHECK(admissible(budget, 1) == IntegerRange{-8, 0});
  take(budget, 1, -8);
  CHECK(admissible(budget, 2) == IntegerRange{0, 0});
  CHECK(*budget.left_upper(0, 0) == 7);
  CHECK(*budget.left_lower(0, 0) == 7);
}

TEST_CASE("signed operands: a weight costs both ends") {
  const BudgetPlan plan = plan_of("axe:P=8", 3, {-16, 15}, 0, {-64, 64});
  BudgetBlock budget(plan, {}, 1);
  CHECK(admissible(budget, 0) == IntegerRange{-7, 7});  // 127 / 16 = 7.9
  take(budget, 0, 3);                                   // up 45, down 48
  // q > 0: min(⌊82/15⌋, ⌊79/16⌋) = 4; q < 0: min(⌊82/16⌋, ⌊79/15⌋) = 5.
  CHECK(admissible(budget, 1) == IntegerRange{-5, 4});
}

TEST_CASE("a zero point that varies is paid where the constant is, at the end that it drives, and nowhere else") {
  // Codes [0, 15] with zero points 0 … 15: offsets from 0 down to −15. For q > 0 the upper end rises by 15 q, and the lower end
  // falls by 15 q: at zero point 15 every code 0 counts −15.
  const BudgetPlan plan = plan_of("axe:P=8", 2, {0, 15}, 0, {-64, 64}, {0, 0}, 15);
  BudgetBlock inner(plan, {}, 1);
  CHECK(admissible(inner, 0) == IntegerRange{-8, 8});
  take(inner, 0, 8);
  CHECK(admissible(inner, 1) == IntegerRange{-8, 0});  // the tile's register knows no zero point
  const BudgetPlan outer_plan = plan_of("axe:P=32,outer=8", 2, {0, 15}, 0, {-64, 64}, {0, 0}, 15);
  REQUIRE(outer_plan.stages().size() == 1);
  BudgetBlock outer(outer_plan, {}, 1);
  CHECK(admissible(outer, 0) == IntegerRange{-8, 8});
  take(outer, 0, 8);
  CHECK(*outer.left_upper(0, 0) == 7);
  CHECK(*outer.left_lower(0, 0) == 7);
  CHECK(admissible(outer, 1) == IntegerRange{0, 0});
}

TEST_CASE("a channel that is always 0 costs nothing") {
  const std::vector<std::int32_t> lower{0, 0}, upper{0, 15}, offset{0, 0};
  const BudgetPlan plan(Topology(parse_datapath("axe:P=5"), 2), lower, upper, offset, {-8, 7}, {0, 0});
  BudgetBlock budget(plan, {}, 1);
  CHECK(admissible(budget, 0, -8, 7) == IntegerRange{-8, 7});
  take(budget, 0, -8);
  CHECK(admissible(budget, 1, -8, 7) == IntegerRange{-1, 1});
}

TEST_CASE("full limits reach one step further down") {
  Datapath datapath = parse_datapath("axe:P=8");
  datapath.stages[0].limits = Limits::full;
  const std::vector<std::int32_t> lower{0}, upper{16}, offset{0};
  const BudgetPlan plan(Topology(datapath, 1), lower, upper, offset, {-64, 64}, {0, 0});
  BudgetBlock budget(plan, {}, 1);
  CHECK(admissible(budget, 0) == IntegerRange{-8, 7});  // −8·16 = −128 fits, 8·16 does not
}

TEST_CASE("a bias and an offset are paid for in the register that starts from them") {
  // outer: ±127; operand [-16, 15] with offset 3: with_sign = 15 + 3, against_sign = 16.
  const BudgetPlan plan = plan_of("axe:P=32,outer=8", 2, {-16, 15}, 3, {-64, 64}, {-127, 127});
  REQUIRE(plan.stages().size() == 1);
  CHECK(plan.stages()[0].with_sign[0] == 18);
  CHECK(plan.stages()[0].against_sign[0] == 16);
  const std::vector<std::int64_t> bias{100, -100, 127};
  BudgetBlock budget(plan, bias, 3);
  std::vector<double> low(3, -100), high(3, 100);
  budget.admissible(0, low.data(), high.data());
  CHECK(high == std::vector<double>{1, 1, 0});  // row 0: ⌊27/18⌋ up; row 1: ⌊27/16⌋ down; row 2: nothing left above
  CHECK(low == std::vector<double>{-1, -1, 0});  // row 0: ⌊27/16⌋ up; row 1: ⌊27/18⌋ down
  // An offset of the other sign changes the other end.
  const BudgetPlan other = plan_of("axe:P=32,outer=8", 2, {-16, 15}, -3, {-64, 64});
  CHECK(other.stages()[0].with_sign[0] == 15);
  CHECK(other.stages()[0].against_sign[0] == 19);
}

TEST_CASE("one bit holds nothing but zero weights; wide registers hold everything") {
  const BudgetPlan one = plan_of("axe:P=1", 3, {0, 255});
  BudgetBlock budget(one, {}, 1);
  for (std::int64_t k = 0; k < 3; ++k) {
    CHECK(admissible(budget, k) == IntegerRange{0, 0});
    take(budget, k, 0);
  }
  CHECK(
      plan_of("axe:P=64,outer=64", 4096, {0, 255}, 128, {-128, 127}, {-(std::int64_t{1} << 61), std::int64_t{1} << 61})
          .unconstrained());
}

TEST_CASE("a row's budget without accounts leaves everything free") {
  const BudgetPlan plan = plan_of("axe:P=32", 4, {0, 15});
  RowBudget budget(plan, 5);
  double low = -8, high = 7;
  budget.change(2, 0, 7);
  budget.admissible(1, 0, low, high);
  CHECK(low == -8);
  CHECK(high == 7);
  CHECK(budget.fits(2));
  CHECK(budget.left(0).first == std::numeric_limits<double>::infinity());
  CHECK(budget.costs(0) == std::pair<double, double>{0, 0});
}

TEST_CASE("a row's budget knows when it is overdrawn") {
  const BudgetPlan plan = plan_of("axe:P=8,T=2", 4, {0, 15}, 0, {-64, 64});
  RowBudget budget(plan, 0);
  budget.change(0, 0, 8);
  CHECK(budget.fits(1));
  budget.change(1, 0, 1);
  CHECK_FALSE(budget.fits(0));
  CHECK(budget.fits(2));  // another register
  budget.change(0, 8, 7);
  CHECK(budget.fits(0));
  double low = -64, high = 64;
  budget.admissible(0, 7, low, high);  // its own cost is given back first
  CHECK(high == 7);
  CHECK(low == -8);
}

TEST_CASE("the published form keeps half a step back, but 0 is always inside") {
  const BudgetPlan plan = plan_of("axe:P=8", 3, {0, 15}, 0, {-64, 64});
  BudgetBlock budget(plan, {}, 1);
  double low = 0, high = 0;
  budget.published_limits(0, &low, &high);
  CHECK(high == doctest::Approx(127.0 / 15 - 0.5));
  CHECK(low == doctest::Approx(-127.0 / 15 + 0.5));
  take(budget, 0, 8);
  budget.published_limits(1, &low, &high);
  CHECK(high == 0);  // 7/15 − ½ < 0
}

// Claims about the machine: what one register does on one step, and what a run of a whole datapath records.
// Requirements: TOR-402.
#include <doctest/doctest.h>

#include <climits>
#include <cstdint>
#include <vector>

#include "axecert/datapath/machine.hpp"
#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

Stage stage_of(int width, Overflow overflow, Limits limits) {
  Stage stage;
  stage.name = "stage";
  stage.width = width;
  stage.overflow = overflow;
  stage.limits = limits;
  return stage;
}

Datapath datapath_of(std::vector<Stage> stages) {
  Datapath datapath;
  datapath.name = "test";
  datapath.activations = {-(1 << 20), 1 << 20};
  for (std::size_t s = 0; s < stages.size(); ++s) {
    stages[s].name = "s" + std::to_string(s);
  }
  datapath.stages = std::move(stages);
  return datapath;
}

struct Outcome {
  std::int64_t value;
  bool overflowed;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome after(const Stage& stage, std::int64_t content, std::int64_t value) {
  bool overflowed = false;
  const std::int64_t result = step(stage, content, value, overflowed);
  return {result, overflowed};
}

}  // namespace

TEST_CASE("a step that fits is exact for every behaviour and does not touch the flag") {
  for (const Overflow overflow : {Overflow::wrap, Overflow::saturate, Overflow::undefined}) {
    CHECK(after(stage_of(16, overflow, Limits::symmetric), 30000, 2767) == Outcome{32767, false});
    CHECK(after(stage_of(16, overflow, Limits::symmetric), -30000, -2767) == Outcome{-32767, false});
    CHECK(after(stage_of(16, overflow, Limits::full), -30000, -2768) == Outcome{-32768, false});
    CHECK(after(stage_of(64, overflow, Limits::full), INT64_MAX, INT64_MIN) == Outcome{-1, false});
  }
  bool overflowed = true;
  step(stage_of(8, Overflow::wrap, Limits::full), 1, 1, overflowed);
  CHECK(overflowed);  // once set, it stays
}

TEST_CASE("a step one beyond the limits wraps, saturates, or wraps with no meaning") {
  CHECK(after(stage_of(16, Overflow::wrap, Limits::full), 32767, 1) == Outcome{-32768, true});
  CHECK(after(stage_of(16, Overflow::undefined, Limits::full), 32767, 1) == Outcome{-32768, true});
  CHECK(after(stage_of(16, Overflow::saturate, Limits::full), 32767, 1) == Outcome{32767, true});
  CHECK(after(stage_of(16, Overflow::saturate, Limits::full), -32768, -1) == Outcome{-32768, true});
  CHECK(after(stage_of(16, Overflow::saturate, Limits::symmetric), -32767, -1) == Outcome{-32767, true});
  // Symmetric limits count −2^15 as outside, but two's complement holds it: no change of value, still an overflow.
  CHECK(after(stage_of(16, Overflow::wrap, Limits::symmetric), -32767, -1) == Outcome{-32768, true});
}

TEST_CASE("widths 1 and 64 behave like every other") {
  CHECK(after(stage_of(1, Overflow::wrap, Limits::full), 0, 1) == Outcome{-1, true});
  CHECK(after(stage_of(1, Overflow::wrap, Limits::full), 0, -1) == Outcome{-1, false});
  CHECK(after(stage_of(1, Overflow::saturate, Limits::full), 0, 1) == Outcome{0, true});
  CHECK(after(stage_of(1, Overflow::saturate, Limits::symmetric), 0, -1) == Outcome{0, true});
  CHECK(after(stage_of(1, Overflow::wrap, Limits::full), 0, 2) == Outcome{0, true});
  CHECK(after(stage_of(64, Overflow::wrap, Limits::full), INT64_MAX, 1) == Outcome{INT64_MIN, true});
  CHECK(after(stage_of(64, Overflow::wrap, Limits::full), INT64_MIN, -1) == Outcome{INT64_MAX, true});
  CHECK(after(stage_of(64, Overflow::saturate, Limits::full), INT64_MIN, INT64_MIN) == Outcome{INT64_MIN, true});
  CHECK(after(stage_of(64, Overflow::saturate, Limits::symmetric), INT64_MIN + 1, -1) == Outcome{INT64_MIN + 1, true});
}

TEST_CASE("wrapping agrees with arithmetic modulo 2^width for all contents and values of 5 bits") {
  const Stage stage = stage_of(5, Overflow::wrap, Limits::full);
  for (int content = -16; content < 16; ++content) {
    for (int value = -100; value <= 100; ++value) {
      const Outcome outcome = after(stage, content, value);
      CHECK((outcome.value - content - value) % 32 == 0);
      CHECK(outcome.value >= -16);
      CHECK(outcome.value <= 15);
      CHECK(outcome.overflowed == (outcome.value != content + value));
    }
  }
}

TEST_CASE("saturation depends on the order: vpaddsw over 30000, 30000, -30000, -30000") {
  Stage stage = stage_of(16, Overflow::saturate, Limits::full);
  const Topology topology(datapath_of({stage}), 4);
  const std::vector<std::int8_t> weights{1, 1, 1, 1};
  const auto row = [&](std::vector<std::int32_t> inputs, Order order = Order::kernel) {
    return run(topology, weights, inputs, 0, order)[0][0];
  };
  CHECK(row({30000, 30000, -30000, -30000}).value == -27233);
  CHECK(row({30000, 30000, -30000, -30000}).overflowed);
  CHECK(row({30000, -30000, 30000, -30000}).value == 0);
  CHECK_FALSE(row({30000, -30000, 30000, -30000}).overflowed);
  CHECK(row({30000, -30000, 30000, -30000}, Order::positive_first).value == -27233);
  CHECK(row({30000, -30000, 30000, -30000}, Order::negative_first).value == 27232);
}

TEST_CASE("a run records the exact sum, and the extremes of the partial sums with the initial value among them") {
  Stage tile = stage_of(8, Overflow::wrap, Limits::full);
  tile.group = 2;
  Stage outer = stage_of(16, Overflow::wrap, Limits::full);
  outer.initial = Initial::constant;
  const Topology topology(datapath_of({tile, outer}), 3);  // the last tile is ragged
  const std::vector<std::int8_t> weights{2, -3, 5};
  const std::vector<std::int32_t> inputs{60, 10, 1};
  const auto traces = run(topology, weights, inputs, 7);
  REQUIRE(traces.size() == 2);
  REQUIRE(traces[0].size() == 2);
  CHECK(traces[0][0].value == 90);
  CHECK(traces[0][0].highest == 120);
  CHECK(traces[0][0].lowest == 0);
  CHECK(traces[0][1].value == 5);
  REQUIRE(traces[1].size() == 1);
  CHECK(traces[1][0].value == 102);
  CHECK(traces[1][0].lowest == 7);
  CHECK_FALSE(traces[1][0].overflowed);

  const auto negative_first = run(topology, weights, inputs, 7, Order::negative_first);
  CHECK(negative_first[0][0].lowest == -30);
  CHECK(negative_first[0][0].value == 90);
}

TEST_CASE("what a narrow register lost is what the wide one is fed") {
  Stage tile = stage_of(8, Overflow::wrap, Limits::full);
  tile.group = 1;
  Stage outer = stage_of(32, Overflow::wrap, Limits::full);
  const Topology topology(datapath_of({tile, outer}), 2);
  const auto traces = run(topology, std::vector<std::int8_t>{1, 1}, std::vector<std::int32_t>{128, 1}, 0);
  CHECK(traces[0][0].value == -128);
  CHECK(traces[0][0].exact == 128);
  CHECK(traces[0][0].overflowed);
  CHECK(traces[1][0].value == -127);
  CHECK(traces[1][0].exact == -127);
  CHECK_FALSE(traces[1][0].overflowed);
}

TEST_CASE("a constant that does not fit overflows its register before anything is added") {
  Stage stage = stage_of(8, Overflow::saturate, Limits::full);
  stage.initial = Initial::constant;
  const Topology topology(datapath_of({stage}), 1);
  const auto traces = run(topology, std::vector<std::int8_t>{0}, std::vector<std::int32_t>{0}, 300);
  CHECK(traces[0][0].overflowed);
  CHECK(traces[0][0].value == 127);
  CHECK(traces[0][0].exact == 300);
}

TEST_CASE("products are exact at the ends of their operands") {
  const Topology topology(datapath_of({stage_of(64, Overflow::wrap, Limits::full)}), 1);
  const auto traces = run(topology, std::vector<std::int8_t>{-128}, std::vector<std::int32_t>{INT32_MIN}, 0);
  CHECK(traces[0][0].value == (std::int64_t{1} << 38));
}

TEST_CASE("a run refuses weights or inputs of another length") {
  const Topology topology(datapath_of({stage_of(8, Overflow::wrap, Limits::full)}), 2);
  CHECK_THROWS_AS(run(topology, std::vector<std::int8_t>{1}, std::vector<std::int32_t>{1, 1}, 0), InputError);
  CHECK_THROWS_AS(run(topology, std::vector<std::int8_t>{1, 1}, std::vector<std::int32_t>{1}, 0), InputError);
}

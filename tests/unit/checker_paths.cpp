// Every way through the checker that the golden files do not take: each loop of the core at its own tile widths, and each condition of the parsers
// both ways. Quick, because mutation testing runs it on thousands of mutants (tests/mutation). Main functions: the test cases. No side effects.
// Requirements: TOR-101, TOR-206.
#include <doctest/doctest.h>

#include <random>

#include "../golden/golden_files.hpp"
#include "axecert/checker/checker.h"

using namespace axe;

namespace {

// Exact-size copies, so that a sanitizer sees a read behind the end.
axc_report check(const tiny::Pair& pair) {
  const tiny::Bytes c(pair.certificate.begin(), pair.certificate.end()), w(pair.weights.begin(), pair.weights.end());
  axc_report report;
  const axc_verdict verdict = axc_check(c.data(), c.size(), w.data(), w.size(), &report);
  CHECK(report.verdict == verdict);
  CHECK(report.position <= (report.in_weights ? w.size() : c.size()));
  return report;
}

axc_reason reason(const tiny::Pair& pair) {
  return check(pair).reason;
}

tiny::Pair good() {
  return tiny::pair_of({tiny::small_layer()}, tiny::two_stages());
}

/// The good pair with another piece of text in the certificate's header, or in that of the weights.
axc_reason after(const std::string& from, const std::string& to) {
  return reason(tiny::edited(from, to));
}
axc_reason after_weights(const std::string& from, const std::string& to) {
  tiny::Pair pair = tiny::edited_weights(from, to);
  return reason(pair);
}
axc_reason beside(const std::function<void(tiny::Arrays&)>& change) {
  return reason(tiny::with_arrays(tiny::small_layer(), change));
}

/// Weights whose sums come to the ends of what a loop keeps in few bits, or any weights.
IntegerLayer row_of(std::int64_t cols, int kind, std::mt19937_64& random) {
  IntegerLayer layer;
  layer.name = "layer";
  layer.rows = 2;
  layer.cols = cols;
  for (std::int64_t i = 0; i < 2 * cols; ++i) {
    const int any = kind == 3 ? static_cast<int>(random() % 3) - 1 : static_cast<int>(random() % 256) - 128;
    layer.weights.push_back(static_cast<std::int8_t>(kind == 0 ? -128 : kind == 1 ? 127 : any));
  }
  return layer;
}

void set_box(IntegerLayer& layer, int kind, std::mt19937_64& random) {
  static constexpr std::int32_t ends[][2] = {{0, 255}, {-3, 5}, {1, 2}, {-7, -2}};
  if (kind < 4) {
    layer.box_lower = {ends[kind][0]};
    layer.box_upper = {ends[kind][1]};
    return;
  }
  for (std::int64_t k = 0; k < layer.cols; ++k) {
    layer.box_lower.push_back(static_cast<std::int32_t>(random() % 9) - 5);
    layer.box_upper.push_back(layer.box_lower.back() + static_cast<std::int32_t>(random() % 6));
  }
}

/// The checker accepts what lib/bound claims, and no end of the first, the last or some other register that is off by one.
void hold(const IntegerLayer& layer, const Datapath& datapath, std::mt19937_64& random) {
  const tiny::Pair honest = tiny::pair_of({layer}, datapath, InputSource::given);
  const LayerClaims claims = make_claims(layer, datapath, InputSource::given);
  const axc_report report = check(honest);
  REQUIRE(report.reason == (claims.verdict == Verdict::safe ? AXC_PROVED : AXC_OVERFLOW));
  CHECK(report.nodes_checked == report.nodes_total);
  for (std::size_t s = 0; s < claims.ranges.size(); ++s) {
    const std::size_t count = claims.ranges[s].lower.size();
    for (const std::size_t i : {std::size_t{0}, count - 1, static_cast<std::size_t>(random() % count)}) {
      for (const bool upper : {false, true}) {
        Certificate certificate{"golden", {claims}};
        auto& end = (upper ? certificate.layers[0].ranges[s].upper : certificate.layers[0].ranges[s].lower)[i];
        end += random() % 2 == 0 ? 1 : -1;
        const axc_report found = check({certificate_bytes(certificate), honest.weights});
        CHECK(found.reason == (upper ? AXC_UPPER : AXC_LOWER));
        CHECK(found.row * claims.ranges[s].nodes + found.node == static_cast<std::int64_t>(i));
        CHECK(found.stage == static_cast<std::int64_t>(s));
        CHECK((upper ? found.claimed.upper : found.claimed.lower) == end);
        CHECK((upper ? found.recomputed.upper : found.recomputed.lower) != end);
      }
    }
  }
}

Datapath one_stage(std::int64_t group, std::int64_t stride) {
  Datapath datapath;
  datapath.name = "paths";
  datapath.activations = {-255, 255};
  datapath.stages = {tiny::stage("lane", 24, group)};
  datapath.stages[0].stride = stride;
  return datapath;
}

}  // namespace

TEST_CASE(
    "every loop of the lowest stage: tiles of every width, ragged ends, lanes, pairs, extreme weights, every kind of "
    "box") {
  std::mt19937_64 random(5);
  struct Shape {
    std::int64_t group, stride, cols;
  };
  const Shape shapes[] = {{2, 1, 9},     {8, 1, 20},    {16, 1, 32}, {32, 1, 545}, {64, 1, 1100}, {128, 1, 300},
                          {256, 1, 520}, {264, 1, 540}, {12, 1, 30}, {3, 1, 8},    {129, 1, 260}, {0, 1, 127},
                          {0, 1, 128},   {0, 1, 385},   {1, 1, 3},   {2, 8, 35},   {0, 3, 11},    {4, 2, 13},
                          {2, 3, 64},    {1, 64, 64},   {64, 2, 128}};
  for (const Shape& shape : shapes) {
    CAPTURE(shape.group);
    CAPTURE(shape.stride);
    CAPTURE(shape.cols);
    const Datapath datapath = one_stage(shape.group, shape.stride);
    for (int kind = 0; kind < 3; ++kind) {
      for (int box = 0; box < 5; ++box) {
        if (kind < 2 && box != 0 && box != 4) continue;
        IntegerLayer layer = row_of(shape.cols, kind, random);
        set_box(layer, box, random);
        hold(layer, datapath, random);
      }
    }
  }
}

TEST_CASE("tiles just shorter and longer than those that have a loop of their own, and lanes of those lengths") {
  std::mt19937_64 random(8);
  struct Shape {
    std::int64_t group, stride, cols;
  };
  const Shape shapes[] = {{63, 1, 130},  {65, 1, 135},  {127, 1, 257}, {129, 1, 259}, {31, 1, 64}, {33, 1, 70},
                          {1, 1, 5},     {3, 1, 7},     {255, 1, 511}, {257, 1, 515}, {7, 1, 16},  {9, 1, 20},
                          {24, 1, 49},   {32, 2, 130},  {64, 2, 260},  {16, 2, 70},   {1, 2, 9},   {4, 2, 17},
                          {128, 2, 513}, {1, 128, 200}, {1, 64, 150},  {1, 32, 70},   {2, 1, 8},   {8, 1, 8},
                          {8, 1, 1100},  {15, 1, 34},   {17, 1, 38}};
  for (const Shape& shape : shapes) {
    CAPTURE(shape.group);
    CAPTURE(shape.stride);
    for (const int kind : {2, 3}) {
      IntegerLayer layer = row_of(shape.cols, kind, random);
      set_box(layer, 1, random);
      hold(layer, one_stage(shape.group, shape.stride), random);
    }
  }
}

TEST_CASE("a higher stage with as many registers as values, the last block ragged") {
  std::mt19937_64 random(10);
  for (const std::int64_t cols : {4, 5, 7, 8}) {
    for (const std::int64_t stride : {2, 3, 5}) {
      for (const int box : {1, 2, 4}) {
        IntegerLayer layer = row_of(cols, 2, random);
        set_box(layer, box, random);
        Datapath datapath = one_stage(1, 1);
        datapath.stages.push_back(tiny::stage("apart", 26, 1));
        datapath.stages[1].stride = stride;
        hold(layer, datapath, random);
      }
    }
  }
}

TEST_CASE("a range on one side of 0 in a register of 64 bits: the end that is nearer to its limit") {
  std::mt19937_64 random(11);
  for (const Limits limits : {Limits::symmetric, Limits::full}) {
    for (const int width : {63, 64}) {
      for (const int sign : {-1, 1}) {
        IntegerLayer layer = row_of(3, 3, random);
        layer.weights.assign(6, 1);
        layer.box_lower = {sign < 0 ? -7 : 2};
        layer.box_upper = {sign < 0 ? -2 : 7};
        Datapath datapath = one_stage(0, 1);
        datapath.stages[0].width = width;
        datapath.stages[0].limits = limits;
        datapath.stages[0].claim = Claim::final_value;
        const LayerClaims claims = make_claims(layer, datapath, InputSource::given);
        CHECK(claims.worst_side == (sign < 0 ? Side::lower : Side::upper));
        hold(layer, datapath, random);
      }
    }
  }
}

// TOR-109
TEST_CASE("limited inputs: magnitudes up to 128, limits that bind, that just do not, and that never do") {
  std::mt19937_64 random(7);
  struct Shape {
    std::int64_t group, stride, cols;
  };
  const Shape shapes[] = {{0, 1, 1}, {0, 1, 9}, {3, 1, 8}, {1, 1, 3}, {4, 2, 13}, {2, 3, 20}, {1, 64, 7}};
  for (const Shape& shape : shapes) {
    CAPTURE(shape.group);
    CAPTURE(shape.stride);
    CAPTURE(shape.cols);
    const Datapath datapath = one_stage(shape.group, shape.stride);
    for (int kind = 0; kind < 3; ++kind) {
      for (int box = 0; box < 4; ++box) {
        IntegerLayer layer = row_of(shape.cols, kind, random);
        layer.weights[0] = -128;
        layer.weights.back() = static_cast<std::int8_t>(kind == 2 ? -1 : 127);
        static constexpr std::int32_t ends[][2] = {{-3, 5}, {0, 255}, {-255, 0}};
        for (std::int64_t k = 0; k < (box < 3 ? 1 : layer.cols); ++k) {
          layer.box_lower.push_back(box < 3 ? ends[box][0] : -static_cast<std::int32_t>(random() % 4));
          layer.box_upper.push_back(box < 3 ? ends[box][1] : static_cast<std::int32_t>(random() % 4));
        }
        for (const std::int64_t limit : {std::int64_t{1}, std::int64_t{4}, std::int64_t{256}, std::int64_t{1} << 48}) {
          layer.input_limit = limit;
          hold(layer, datapath, random);
        }
      }
    }
  }
}

// TOR-109
TEST_CASE(
    "a witness under a limit: inputs that do not help do no harm to a partial sum, and the limit is each register's "
    "own") {
  // One register of five products. Upper: 7 · 3 with the first input; 20 − 3 of the limit are left over.
  IntegerLayer layer = tiny::limited_layer();
  layer.rows = 1;
  layer.weights = {7, -5, 0, 1, -128};
  layer.bias.clear();
  layer.offset.clear();
  layer.box_lower = {0, 0, -20, 0, 0};
  layer.box_upper = {3, 20, 20, 0, 0};
  Datapath datapath = one_stage(0, 1);
  datapath.stages[0].width = 6;  // upper 21 of 31; lower −100: unsafe, so that the lower end is the worst
  const LayerClaims claims = make_claims(layer, datapath, InputSource::given);
  REQUIRE(claims.worst_side == Side::lower);
  REQUIRE(claims.ranges[0].lower[0] == -100);
  const tiny::Bytes weights = tiny::pair_of({layer}, datapath, InputSource::given).weights;
  const auto with = [&](std::vector<std::int32_t> witness) {
    Certificate certificate{"golden", {claims}};
    certificate.layers[0].worst_witness = std::move(witness);
    return check({certificate_bytes(certificate), weights});
  };
  CHECK(with({0, 20, 0, 0, 0}).reason == AXC_OVERFLOW);
  CHECK(with({0, 19, 1, 0, 0}).reason == AXC_WITNESS_VALUE);
  CHECK(with({0, 19, 1, 0, 0}).recomputed.lower == -95);
  CHECK(with({1, 20, 0, 0, 0}).reason == AXC_WITNESS_BOX);  // 21 of 20
  CHECK(with({0, 20, -1, 0, 0}).reason == AXC_WITNESS_BOX);
  CHECK(with({0, 20, -1, 0, 0}).position == with({0, 20, 1, 0, 0}).position);
  CHECK(with({0, 20, 0, 0, 1}).reason == AXC_WITNESS_BOX);
  CHECK(with({0, 21, 0, 0, 0}).reason == AXC_WITNESS_BOX);
  CHECK(with({4, 0, 0, 0, 0}).position + 16 == with({0, 20, 0, 0, 1}).position);

  // The same with a limit that is not used up: the first input works against the lower end and may take any value.
  layer.input_limit = 23;
  const LayerClaims wide = make_claims(layer, datapath, InputSource::given);
  Certificate certificate{"golden", {wide}};
  const tiny::Bytes wide_weights = tiny::pair_of({layer}, datapath, InputSource::given).weights;
  for (const std::int32_t against : {0, 1, 3}) {
    for (const Claim claim : {Claim::every_partial_sum, Claim::final_value}) {
      certificate.layers[0] = wide;
      certificate.layers[0].datapath.stages[0].claim = claim;
      certificate.layers[0].worst_witness = {against, 20, 0, 0, 0};
      CHECK(reason({certificate_bytes(certificate), wide_weights}) ==
            (claim == Claim::final_value && against != 0 ? AXC_WITNESS_VALUE : AXC_OVERFLOW));
    }
  }

  // Two registers, two lanes each: what one leaves over is not the other's.
  IntegerLayer lanes = tiny::limited_layer();
  lanes.rows = 1;
  lanes.cols = 7;
  lanes.weights = {1, 1, 1, 1, 1, 1, 1};
  lanes.bias.clear();
  lanes.offset.clear();
  lanes.box_lower = {-9};
  lanes.box_upper = {9};
  lanes.input_limit = 10;
  Datapath two_lanes = one_stage(2, 2);
  two_lanes.stages[0].width = 5;
  const LayerClaims dealt = make_claims(lanes, two_lanes, InputSource::given);
  REQUIRE(dealt.worst == NodeId{0, 0, 0});
  const tiny::Bytes lanes_weights = tiny::pair_of({lanes}, two_lanes, InputSource::given).weights;
  const std::size_t place = [&] {
    Certificate beyond{"golden", {dealt}};
    beyond.layers[0].worst_witness = {10, 0, 0, 0, 0, 0, 0};
    return check({certificate_bytes(beyond), lanes_weights}).position;
  }();
  const std::vector<std::vector<std::int32_t>> within{{9, 9, 1, 1, 9, 9, 1}, {9, -9, 1, 0, -9, 9, -1}};
  for (const std::vector<std::int32_t>& inputs : within) {
    Certificate beyond{"golden", {dealt}};
    beyond.layers[0].worst_witness = inputs;
    CHECK(reason({certificate_bytes(beyond), lanes_weights}) == AXC_PROVED);
    for (std::size_t k = 0; k < 7; ++k) {  // one more in any register but the ragged one is too much
      beyond.layers[0].worst_witness = inputs;
      std::int32_t& x = beyond.layers[0].worst_witness[k];
      const std::int64_t left = k == 3 && inputs[3] == 0 ? 1 : k == 5 ? 1 : 0;
      x = x < 0 ? x - 1 : x + 1;
      const axc_report report = check({certificate_bytes(beyond), lanes_weights});
      if (x > 9 || x < -9) {
        CHECK(report.reason == AXC_WITNESS_BOX);
        CHECK(report.position == place + 4 * k);
      } else if (left == 0) {
        CHECK(report.reason == AXC_WITNESS_BOX);
        CHECK(report.position >= place + 4 * k);
      }
    }
  }
}

TEST_CASE("ends of ranges at the ends of 32 bits") {
  std::mt19937_64 random(9);
  for (const std::int32_t reach : {1 << 24, (1 << 24) - 1, 1 << 23}) {  // −128 · 2^24 = −2^31
    IntegerLayer layer = row_of(1, 0, random);
    layer.box_lower = {-reach};
    layer.box_upper = {reach};
    Datapath datapath = one_stage(0, 1);
    datapath.activations = {-(1 << 24), 1 << 24};
    datapath.stages[0].width = 33;
    hold(layer, datapath, random);
    layer.box_lower = {0};
    hold(layer, datapath, random);
    layer.box_lower = {-reach};
    layer.box_upper = {0};
    layer.weights = {127, 127};
    hold(layer, datapath, random);
  }
}

// TOR-109
TEST_CASE("a witness under a limit of 1") {
  IntegerLayer layer = tiny::limited_layer();
  layer.rows = 1;
  layer.cols = 3;
  layer.weights = {5, 0, 3};
  layer.bias.clear();
  layer.offset.clear();
  layer.input_limit = 1;
  Datapath datapath = one_stage(0, 1);
  datapath.stages[0].width = 4;
  const LayerClaims claims = make_claims(layer, datapath, InputSource::given);
  REQUIRE(claims.ranges[0].upper[0] == 5);
  const tiny::Bytes weights = tiny::pair_of({layer}, datapath, InputSource::given).weights;
  Certificate certificate{"golden", {claims}};
  certificate.layers[0].worst_witness = {1, 0, 0};
  CHECK(reason({certificate_bytes(certificate), weights}) == AXC_PROVED);
  certificate.layers[0].worst_witness = {1, 1, 0};
  CHECK(reason({certificate_bytes(certificate), weights}) == AXC_WITNESS_BOX);
  certificate.layers[0].worst_witness = {0, 1, 0};
  CHECK(reason({certificate_bytes(certificate), weights}) == AXC_WITNESS_VALUE);
}

// TOR-109
TEST_CASE("a witness of a register above spends the limit in each register of the lowest stage") {
  IntegerLayer layer = tiny::limited_layer();
  layer.rows = 1;
  layer.cols = 6;
  layer.weights = {3, 1, -2, 2, 5, 1};
  layer.bias.clear();
  layer.offset.clear();
  layer.box_lower = {-9};
  layer.box_upper = {9};
  layer.input_limit = 10;
  Datapath datapath = one_stage(2, 1);
  datapath.stages.push_back(tiny::stage("outer", 8, 0));
  const LayerClaims claims = make_claims(layer, datapath, InputSource::given);
  REQUIRE(claims.worst == NodeId{0, 1, 0});
  REQUIRE(claims.ranges[1].upper[0] == 28 + 20 + 46);
  const tiny::Bytes weights = tiny::pair_of({layer}, datapath, InputSource::given).weights;
  const auto with = [&](std::vector<std::int32_t> witness) {
    Certificate certificate{"golden", {claims}};
    certificate.layers[0].worst_witness = std::move(witness);
    return reason({certificate_bytes(certificate), weights});
  };
  CHECK(with({9, 1, -1, 9, 9, 1}) == AXC_PROVED);
  CHECK(with({9, 1, -9, 1, 9, 1}) == AXC_PROVED);
  CHECK(with({9, 1, -1, 9, 9, 0}) == AXC_WITNESS_VALUE);
  CHECK(with({9, 1, -1, 9, 9, 2}) == AXC_WITNESS_BOX);
  CHECK(with({9, 1, -2, 9, 9, 1}) == AXC_WITNESS_BOX);
  CHECK(with({9, 2, 0, 9, 9, 1}) == AXC_WITNESS_BOX);
  CHECK(with({9, -2, 0, 0, 0, 0}) == AXC_WITNESS_BOX);
}

TEST_CASE("stages above, the constant, and claims of final values, on boxes with and without 0") {
  std::mt19937_64 random(6);
  for (int box = 0; box < 5; ++box) {
    for (const bool final_value : {false, true}) {
      for (const std::int64_t stride : {1, 2}) {
        IntegerLayer layer = row_of(23, 2, random);
        set_box(layer, box, random);
        layer.bias = {random() % 2 == 0 ? 100000 : -100000, 7};
        layer.offset = {-3};
        layer.zero_point_spread = box == 1 ? 9 : 0;
        if (box == 2) {
          layer.offset.assign(23, 4);
          layer.offset[5] = -100;
        }
        Datapath datapath = one_stage(4, stride);
        datapath.stages.push_back(tiny::stage("middle", 26, 2));
        datapath.stages[1].stride = stride;
        datapath.stages.push_back(tiny::stage("outer", 40, 0, Initial::constant));
        for (Stage& stage : datapath.stages) {
          if (final_value) stage.claim = Claim::final_value;
        }
        hold(layer, datapath, random);
      }
    }
  }
}

TEST_CASE("the register with the smallest margin: which one, which end, equal margins, a register of 64 bits") {
  // Margins to the upper limit 7: row 0 has 7 − 5, row 1 7 − 6; to the lower one 7 − 6 in row 2, which is as near but later.
  IntegerLayer layer;
  layer.name = "layer";
  layer.rows = 3;
  layer.cols = 2;
  layer.weights = {5, -4, 6, -5, 5, -6};
  layer.box_lower = {0};
  layer.box_upper = {1};
  Datapath datapath = one_stage(0, 1);
  datapath.stages[0].width = 4;
  const LayerClaims claims = make_claims(layer, datapath, InputSource::given);
  REQUIRE(claims.worst == NodeId{1, 0, 0});
  REQUIRE(claims.worst_side == Side::upper);
  Certificate certificate{"golden", {claims}};
  const tiny::Bytes weights = tiny::pair_of({layer}, datapath, InputSource::given).weights;
  CHECK(reason({certificate_bytes(certificate), weights}) == AXC_PROVED);
  certificate.layers[0].worst = {2, 0, 0};
  certificate.layers[0].worst_side = Side::lower;
  certificate.layers[0].worst_witness = {0, 1};
  CHECK(reason({certificate_bytes(certificate), weights}) == AXC_WORST);
  certificate.layers[0] = claims;
  certificate.layers[0].layer.weights = {6, -6, 0, 0, 0, 0};  // both ends equally near: upper is named
  LayerClaims both = make_claims(certificate.layers[0].layer, datapath, InputSource::given);
  CHECK(both.worst_side == Side::upper);
  CHECK(reason(tiny::pair_of({both.layer}, datapath, InputSource::given)) == AXC_PROVED);
  datapath.stages[0].width = 64;
  datapath.stages[0].limits = Limits::full;
  CHECK(reason(tiny::pair_of({layer}, datapath, InputSource::given)) == AXC_PROVED);
  layer.weights = {-128, -128, -1, -1, 127, 127};
  CHECK(reason(tiny::pair_of({layer}, datapath, InputSource::given)) == AXC_PROVED);
}

TEST_CASE("a witness for a lower end that does not attain it") {
  IntegerLayer layer = tiny::small_layer();
  layer.weights = {-7, -7, 1, 0, 0, -7, -7, -7, 0, 0};
  layer.bias.clear();
  layer.offset.clear();
  const LayerClaims claims = make_claims(layer, tiny::two_stages(), InputSource::given);
  REQUIRE(claims.worst_side == Side::lower);
  Certificate certificate{"golden", {claims}};
  certificate.layers[0].worst_witness[0] -= 1;
  const axc_report report =
      check({certificate_bytes(certificate), tiny::pair_of({layer}, tiny::two_stages(), InputSource::given).weights});
  CHECK(report.reason == AXC_WITNESS_VALUE);
  CHECK(report.recomputed.lower != report.claimed.lower);
  CHECK(report.recomputed.upper == report.claimed.upper);
}

TEST_CASE("a weight beyond its range, at any place behind weights that lie on its ends") {
  for (const std::size_t at : {std::size_t{0}, std::size_t{3}, std::size_t{4}, std::size_t{6}, std::size_t{9}}) {
    for (const bool above : {false, true}) {
      IntegerLayer layer = tiny::small_layer();
      layer.weights = {2, -1, 2, -1, 2, 2, -1, 2, -1, 2};
      layer.weights[at] = above ? 3 : -2;
      const tiny::Pair pair = tiny::with_claims(layer, tiny::two_stages(), [](LayerClaims& c) {
        c.weight_range = {-1, 2};
      });
      const axc_report report = check(pair);
      CHECK(report.reason == AXC_WEIGHT);
      CHECK(report.row == static_cast<std::int64_t>(at / 5));
      CHECK((report.stage == -1 && report.node == -1));
      CHECK(report.in_weights == 1);
      CHECK(report.position == tiny::extent_of(pair.weights, "layer.weight").begin + at);
    }
  }
}

// TOR-201
TEST_CASE("numbers at the ends of what is allowed, and one beyond") {
  CHECK(after("group=3", "group=000000000000000000000") == AXC_NUMBER);  // more digits than 20, and no overflow
  CHECK(after("group=3", "group=9223372036854775808") == AXC_NUMBER);    // 2^63
  CHECK(after("group=3", "group=-9223372036854775808") == AXC_NUMBER);
  CHECK(after("group=3", "group=-9223372036854775809") == AXC_NUMBER);
  CHECK(after("group=3", "group=2147483648") == AXC_NUMBER);
  CHECK(after("group=3", "group=") == AXC_NUMBER);
  CHECK(after("group=3", "group=-") == AXC_NUMBER);
  CHECK(after("group=3", "group=-3") == AXC_NUMBER);
  CHECK(after("stride=1", "stride=2147483648") == AXC_NUMBER);
  CHECK(after("spread\":\"0", "spread\":\"-0") == AXC_NUMBER);
  CHECK(after("shape\":\"2 5", "shape\":\"2147483649 5") == AXC_NUMBER);
  CHECK(after("shape\":\"2 5", "shape\":\"2 0") == AXC_NUMBER);
  CHECK(after("layers\":\"1", "layers\":\"100000001") == AXC_NUMBER);
  CHECK(after("worst\":\"", "worst\":\"2") == AXC_NUMBER);  // no such row
  CHECK(after("width=11", "width=65") == AXC_NUMBER);
  CHECK(after("weights -128 127 ", "weights -129 127 ") == AXC_OPERANDS);
  CHECK(after("activations -255 255", "activations -16777217 255") == AXC_OPERANDS);
  CHECK(after("activations -255 255", "activations -255 16777217") == AXC_OPERANDS);
  CHECK(after("activations -255 255", "activations -16777216 16777216") == AXC_PROVED);
  CHECK(after("weight.range\":\"-7 7", "weight.range\":\"7 -7") == AXC_WEIGHT_RANGE);
  CHECK(after("weight.range\":\"-7 7", "weight.range\":\"-128 127") == AXC_PROVED);
  CHECK(after("weight.range\":\"-7 7", "weight.range\":\"-129 7") == AXC_WEIGHT_RANGE);
  CHECK(after("weight.range\":\"-7 7", "weight.range\":\"-7 128") == AXC_WEIGHT_RANGE);
}

// TOR-203
TEST_CASE("words: too long, of other characters, at the end of the header") {
  CHECK(after("0\":\"tile ", "0\":\"" + std::string(64, 'x') + " ") == AXC_PROVED);
  CHECK(after("0\":\"tile ", "0\":\"" + std::string(65, 'x') + " ") == AXC_SYNTAX);
  CHECK(after("0\":\"tile ", "0\":\"Tile ") == AXC_SYNTAX);
  CHECK(after("0\":\"tile ", "0\":\"az09_- ") == AXC_PROVED);
  CHECK(after("datapath\":\"golden", "datapath\":\"" + std::string(200, 'x')) == AXC_PROVED);
  CHECK(after("datapath\":\"golden", "datapath\":\"" + std::string(201, 'x')) == AXC_SYNTAX);
  CHECK(after("datapath\":\"golden", "datapath\":\"AZaz09_.:=,/-") == AXC_PROVED);
  for (const char* outside : {"`", "{", "@", "[", ";", "~"}) {
    CHECK(after("datapath\":\"golden", std::string("datapath\":\"gol") + outside) == AXC_SYNTAX);
  }
  CHECK(after("tool\":\"golden", "tool\":\"a tool: ~ 1.0 !") == AXC_PROVED);
  for (const char outside : {'\x7f', '\x1f', '\x80'}) {
    CHECK(after("tool\":\"golden", std::string("tool\":\"") + outside) == AXC_SYNTAX);
  }
  for (const char* digit : {"/", ":", "`", "g"}) {
    CHECK(after("0.weight.sha256\":\"", std::string("0.weight.sha256\":\"") + digit) == AXC_SYNTAX);
  }
}

// TOR-201
TEST_CASE("a header that ends anywhere, with the digest made right, is refused") {
  const tiny::Pair pair = good();
  const std::string header = tiny::header_of(pair.certificate);
  for (std::size_t size = 128; size < header.size(); size += 8) {
    tiny::Pair cut{tiny::redigest(tiny::with_header(header.substr(0, size), tiny::data_of(pair.certificate))),
                   pair.weights};
    CHECK(check(cut).verdict == AXC_REFUSED);
  }
  CHECK(reason({tiny::redigest(tiny::with_header(header + std::string(8, ' '), tiny::data_of(pair.certificate))),
                pair.weights}) == AXC_SYNTAX);  // more padding than needed
  CHECK(axc_scratch_size(pair.certificate.data(), 100) == 0);
}

TEST_CASE("layers out of order are refused: the second before, within, or behind the first") {
  const tiny::Pair two = tiny::pair_of({tiny::small_layer("layer"), tiny::small_layer("layes")}, tiny::two_stages());
  CHECK(reason(two) == AXC_PROVED);
  for (const char* first : {"layesx", "layes", "z", "layf"}) {
    CHECK(reason({tiny::edit_header(two.certificate, "0.name\":\"layer", std::string("0.name\":\"") + first),
                  two.weights}) == AXC_ORDER);
  }
  CHECK(reason({tiny::edit_header(two.certificate, "0.name\":\"layer", "0.name\":\"laye"), two.weights}) ==
        AXC_MISSING);
}

TEST_CASE("a name that is longer than the report is cut in it") {
  IntegerLayer layer = tiny::small_layer(std::string(300, 'n'));
  tiny::Pair pair = tiny::pair_of({layer}, tiny::two_stages());
  ++pair.weights[tiny::extent_of(pair.weights, layer.name + ".weight").begin];
  const axc_report report = check(pair);
  CHECK(report.reason == AXC_WEIGHT_HASH);
  CHECK(std::string(report.layer) == std::string(255, 'n'));
}

TEST_CASE("arrays of the weights file: other ranks, lengths and sizes than the layer's") {
  CHECK(beside([](tiny::Arrays& a) { a["x"] = {"I8", {1}, {1}}; }) == AXC_PROVED);  // a name shorter than the layer's
  CHECK(beside([](tiny::Arrays& a) { a["layes.weight.scale"] = {"F32", {1}, tiny::Bytes(4)}; }) == AXC_PROVED);
  CHECK(beside([](tiny::Arrays& a) { a["layer.weighted"] = {"F32", {1}, tiny::Bytes(4)}; }) == AXC_PROVED);
  CHECK(beside([](tiny::Arrays& a) { a["layer.input_lower"].shape = {1, 1}; }) == AXC_SHAPE);
  CHECK(beside([](tiny::Arrays& a) { a["layer.input_lower"].dtype = "F32"; }) == AXC_SHAPE);
  CHECK(beside([](tiny::Arrays& a) { a["layer.bias"].shape = {2, 1}; }) == AXC_SHAPE);
  CHECK(beside([](tiny::Arrays& a) { a["layer.bias"].dtype = "F64"; }) == AXC_SHAPE);
  CHECK(beside([](tiny::Arrays& a) { a["layer.weight"] = {"I8", {2, 6}, tiny::Bytes(12)}; }) == AXC_SHAPE);
  CHECK(beside([](tiny::Arrays& a) { a["layer.weight"] = {"I8", {2, 5, 1}, a["layer.weight"].data}; }) == AXC_SHAPE);
  CHECK(beside([](tiny::Arrays& a) { a["layer.weight"] = {"I8", {2, 5, 2}, tiny::Bytes(20)}; }) == AXC_SHAPE);
  CHECK(beside([](tiny::Arrays& a) {
          a["scalar"] = {"F32", {}, tiny::Bytes(4)};
          a["deep"] = {"F32", std::vector<std::int64_t>(70, 1), tiny::Bytes(4)};
          a["empty"] = {"I32", {0, 5}, {}};
        }) == AXC_PROVED);
  CHECK(beside([](tiny::Arrays& a) { a["empty"] = {"I32", {0, 5}, tiny::Bytes(4)}; }) == AXC_WEIGHTS_FILE);
  CHECK(beside([](tiny::Arrays& a) { a["scalar"] = {"I32", {}, tiny::Bytes(8)}; }) == AXC_WEIGHTS_FILE);
  CHECK(beside([](tiny::Arrays& a) { a["large"] = {"I8", {1000000}, tiny::Bytes(4)}; }) == AXC_WEIGHTS_FILE);
  CHECK(beside([](tiny::Arrays& a) { a["huge"] = {"I8", {INT64_MAX, 2, 3}, tiny::Bytes(4)}; }) == AXC_WEIGHTS_FILE);
  CHECK(beside([](tiny::Arrays& a) { a["z"] = {"I8", {INT64_MAX, 2, 0}, {}}; }) == AXC_PROVED);
}

TEST_CASE("JSON that other writers of weights files produce, and JSON that is none") {
  CHECK(after_weights("\"dtype\":\"I64\"", "\r\n\t \"dtype\"\r:\t\"I64\"\n") == AXC_PROVED);
  CHECK(after_weights("{\"layer.bias\"", "{\"__metadata__\":{},\"layer.bias\"") == AXC_PROVED);
  CHECK(after_weights("{\"layer.bias\"", "{\"__metadata__\":{\"a\":\"\\\\\",\"b\":\"\"},\"layer.bias\"") == AXC_PROVED);
  CHECK(after_weights("{\"layer.bias\"", "{\"__metadata__\":{\"a\":\"\\") == AXC_WEIGHTS_FILE);
  CHECK(after_weights("{\"layer.bias\"", "{\"__metadata__\":{\"a\" \"b\"},\"layer.bias\"") == AXC_WEIGHTS_FILE);
  CHECK(after_weights("{\"layer.bias\"", "{\"__metadata__\":{\"a\":\"b\",},\"layer.bias\"") == AXC_WEIGHTS_FILE);
  CHECK(after_weights("{\"layer.bias\"", "[\"layer.bias\"") == AXC_WEIGHTS_FILE);
  CHECK(after_weights("\"layer.bias\"", "\"layer\x01.bias\"") == AXC_WEIGHTS_FILE);
  CHECK(after_weights("\"dtype\":\"I64\",", "\"dtype\":\"I64\",\"dtype\":\"I64\",") == AXC_WEIGHTS_FILE);
  CHECK(after_weights("\"dtype\":\"I64\",", "") == AXC_WEIGHTS_FILE);
  CHECK(after_weights("}}", "},}") == AXC_WEIGHTS_FILE);
  CHECK(after_weights("}}", "}") == AXC_WEIGHTS_FILE);
  CHECK(after_weights("},\"", "}\"") == AXC_WEIGHTS_FILE);
  CHECK(after_weights("\"shape\":[2]", "\"shape\":[02]") == AXC_WEIGHTS_FILE);
  CHECK(after_weights("\"shape\":[2]", "\"shape\":[-2]") == AXC_WEIGHTS_FILE);
  CHECK(after_weights("\"shape\":[2]", "\"shape\":2") == AXC_WEIGHTS_FILE);
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    const std::string quoted = std::string("\"") + key;
    for (const char* other : {"s\"", "\\\"", " \""})
      CHECK(after_weights(quoted + "\"", quoted + other) == AXC_WEIGHTS_FILE);
    CHECK(after_weights(quoted + "\"", "\"" + std::string(key).substr(1) + "\"") == AXC_WEIGHTS_FILE);
  }
  CHECK(reason({good().certificate, tiny::with_header("{\"__metadata__\":{\"a\":\"\\", {})}) == AXC_WEIGHTS_FILE);
  tiny::Pair pair = good();
  const std::string header = tiny::header_of(pair.weights);
  for (std::size_t size = 0; size < header.size(); ++size) {
    pair.weights = tiny::with_header(header.substr(0, size), tiny::data_of(good().weights));
    if (header.find_first_not_of(' ', size) != std::string::npos) CHECK(check(pair).verdict == AXC_REFUSED);
  }
}

// TOR-106
TEST_CASE("two unsafe layers: the first is told; uncovered weights beside an unsafe layer leave it unsafe") {
  const tiny::Pair two = tiny::pair_of({tiny::small_layer("a"), tiny::small_layer("b")}, tiny::two_stages(8));
  const axc_report report = check(two);
  CHECK(report.reason == AXC_OVERFLOW);
  CHECK(std::string(report.layer) == "a");
  CHECK(report.layers == 2);
  CHECK(report.nodes_checked == report.nodes_total);
  tiny::Pair more = tiny::pair_of({tiny::small_layer("a")}, tiny::two_stages(8));
  more.weights = two.weights;
  CHECK(check(more).reason == AXC_OVERFLOW);
  CHECK(check(more).uncovered == 1);
  tiny::Pair safe = tiny::pair_of({tiny::small_layer("b")}, tiny::two_stages());
  safe.weights = two.weights;
  CHECK(check(safe).reason == AXC_UNCOVERED);
  CHECK(std::string(check(safe).layer) == "a.weight");
}

// TOR-108
TEST_CASE("a bias at either limit is taken, and one beyond is refused at its place") {
  const std::int64_t most = std::int64_t{1} << 62;
  for (const std::int64_t bias : {most, -most, most + 1, -most - 1}) {
    IntegerLayer layer = tiny::small_layer();
    layer.bias = {5, bias};
    Datapath wide = tiny::two_stages();
    wide.stages[1].width = 64;
    const bool allowed = bias >= -most && bias <= most;
    if (allowed) {
      CHECK(reason(tiny::pair_of({layer}, wide)) == AXC_PROVED);
      continue;
    }
    IntegerLayer within = layer;
    within.bias[1] = 0;
    tiny::Pair pair = tiny::pair_of({within}, wide);
    tiny::Arrays arrays;
    tiny::add_layer(arrays, layer, 8);
    const tiny::Bytes other = arrays["layer.bias"].data, own = tiny::little_endian(within.bias);
    pair.weights = tiny::weights_file(arrays);
    pair.certificate = tiny::edit_header(pair.certificate, to_hex(sha256(own.data(), own.size())),
                                         to_hex(sha256(other.data(), other.size())));
    const axc_report report = check(pair);
    CHECK(report.reason == AXC_BIAS);
    CHECK(report.position == tiny::extent_of(pair.weights, "layer.bias").begin + 8);
  }
}

TEST_CASE("ranges stored as I64 because of any one of four ends") {
  for (const bool upper : {false, true}) {
    for (const std::int64_t end : {std::int64_t{INT32_MAX} + 1, std::int64_t{INT32_MIN} - 1}) {
      const tiny::Pair pair = tiny::with_claims(tiny::small_layer(), tiny::two_stages(), [&](LayerClaims& c) {
        (upper ? c.ranges[1].upper : c.ranges[1].lower)[1] = end;
      });
      CHECK(reason(pair) == (upper ? AXC_UPPER : AXC_LOWER));
    }
  }
}

TEST_CASE("every number outside the enumerations is unknown") {
  CHECK(std::string(axc_reason_name(static_cast<axc_reason>(AXC_REASON_COUNT))) == "unknown");
  CHECK(std::string(axc_reason_sentence(static_cast<axc_reason>(AXC_REASON_COUNT))) == "unknown");
  CHECK(std::string(axc_reason_sentence(static_cast<axc_reason>(AXC_REASON_COUNT - 1))) != "unknown");
  CHECK(std::string(axc_verdict_name(AXC_REFUSED)) == "refused");
}

// The checker against lib/bound on random and extreme layers and datapaths, and against all inputs and all orders of tiny dot
// products. The two share no code, so agreement is evidence for both. Main functions: the test cases. No side effects.
#include <doctest/doctest.h>

#include <random>

#include "../golden/golden_files.hpp"
#include "axecert/checker/checker.h"

namespace {

using namespace axe;

axc_verdict check(const tiny::Bytes& certificate, const tiny::Bytes& weights, axc_report& report) {
  return axc_check(certificate.data(), certificate.size(), weights.data(), weights.size(), &report);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::int64_t in(std::int64_t lower, std::int64_t upper) {
    return std::uniform_int_distribution<std::int64_t>(lower, upper)(engine_);
  }
  bool one_in(int n) { return in(1, n) == 1; }
  template <class T>
  T of(std::initializer_list<T> values) {
    return *(values.begin() + in(0, static_cast<std::int64_t>(values.size()) - 1));
  }

  /// Biased towards the ends, where mistakes live.
  std::int64_t edgy(std::int64_t lower, std::int64_t upper) {
    switch (in(0, 3)) {
      case 0:
        return lower;
      case 1:
        return upper;
      default:
        return in(lower, upper);
    }
  }

 private:
  std::mt19937_64 engine_;
};

Datapath random_datapath(Random& random) {
  Datapath datapath;
  datapath.name = "random";
  datapath.activations = {-(1 << 24), 1 << 24};
  const std::int64_t stages = random.in(1, 4);
  for (std::int64_t s = 0; s < stages; ++s) {
    Stage stage;
    stage.name = "s" + std::to_string(s);
    stage.width = static_cast<int>(random.edgy(1, 64));
    stage.group = random.of<std::int64_t>({0, 1, 2, 3, 7, 8, 32, 64, 96, 128, 129, 256, 264, INT32_MAX});
    stage.stride = random.of<std::int64_t>({1, 1, 1, 2, 3, 8, INT32_MAX});
    stage.overflow = random.of({Overflow::wrap, Overflow::saturate, Overflow::undefined});
    stage.limits = random.of({Limits::symmetric, Limits::full});
    if (stage.overflow == Overflow::wrap && random.one_in(2)) stage.claim = Claim::final_value;
    datapath.stages.push_back(stage);
  }
  if (random.one_in(2)) {
    datapath.stages.back().group = 0;
    datapath.stages.back().stride = 1;
    datapath.stages.back().initial = Initial::constant;
  }
  return datapath;
}

std::vector<std::int32_t> random_channels(Random& random, std::int64_t size, std::int64_t lower, std::int64_t upper) {
  std::vector<std::int32_t> values;
  for (std::int64_t k = 0; k < size; ++k) values.push_back(static_cast<std::int32_t>(random.edgy(lower, upper)));
  return values;
}

IntegerLayer random_layer(Random& random) {
  IntegerLayer layer;
  layer.name = "layer." + std::to_string(random.in(0, 9));
  layer.rows = random.in(1, 4);
  layer.cols = random.of<std::int64_t>({1, 2, 3, 5, 63, 64, 65, 127, 128, 129, 255, 300, 2311});
  const bool extreme = random.one_in(3);
  const int frequent = random.one_in(2) ? 127 : -128;  // so often that sums come near the ends of their fields
  const std::int64_t most = random.of<std::int64_t>({0, 1, 8, 127});
  for (std::int64_t i = 0; i < layer.rows * layer.cols; ++i) {
    layer.weights.push_back(static_cast<std::int8_t>(extreme ? (random.one_in(500) ? -1 - frequent : frequent)
                                                             : random.edgy(-most - 1, most)));
  }
  const std::int64_t reach = random.of<std::int64_t>({0, 1, 255, 1 << 24});
  const std::int64_t channels = random.one_in(2) ? 1 : layer.cols;
  layer.box_lower = random_channels(random, channels, -reach, reach);
  layer.box_upper = random_channels(random, channels, -reach, reach);
  for (std::size_t k = 0; k < layer.box_lower.size(); ++k) {
    if (layer.box_lower[k] > layer.box_upper[k]) std::swap(layer.box_lower[k], layer.box_upper[k]);
  }
  const std::int64_t offset = random.of<std::int64_t>({1, 255, (1 << 24) - 8});
  layer.offset = random_channels(random, random.of<std::int64_t>({0, 1, layer.cols}), -offset, offset);
  if (random.one_in(2)) layer.zero_point_spread = random.of<std::int64_t>({1, 15, 255, 1 << 24});
  if (random.one_in(3)) {
    for (std::int32_t& end : layer.box_lower) end = std::min(end, 0);
    for (std::int32_t& end : layer.box_upper) end = std::max(end, 0);
    layer.input_limit = random.of<std::int64_t>({1, 127, 4095, std::int64_t{1} << 30, std::int64_t{1} << 48});
  }
  if (random.one_in(2)) {
    for (std::int64_t r = 0; r < layer.rows; ++r)
      layer.bias.push_back(random.edgy(-(std::int64_t{1} << 62), std::int64_t{1} << 62));
  }
  return layer;
}

}  // namespace

// TOR-101, TOR-104
TEST_CASE("the checker proves what lib/bound claims, safe or unsafe, on random and extreme layers and datapaths") {
  Random random(20260711);
  int safe = 0, unsafe = 0;
  for (int round = 0; round < 3000; ++round) {
    CAPTURE(round);
    const IntegerLayer layer = random_layer(random);
    const Datapath datapath = random_datapath(random);
    const LayerClaims claims = make_claims(layer, datapath, InputSource::clamped);
    tiny::Arrays arrays;
    tiny::add_layer(arrays, layer, static_cast<std::int32_t>(random.in(-8, 8)));
    axc_report report;
    const axc_verdict verdict = check(certificate_bytes({"test", {claims}}), tiny::weights_file(arrays), report);
    REQUIRE_MESSAGE(verdict == (claims.verdict == Verdict::safe ? AXC_SAFE : AXC_UNSAFE),
                    axc_reason_name(report.reason));
    CHECK(report.nodes_checked == report.nodes_total);
    if (verdict == AXC_UNSAFE) {
      CHECK(report.row == claims.worst.row);
      CHECK(report.stage == static_cast<std::int64_t>(claims.worst.stage));
      CHECK(report.node == claims.worst.node);
    }
    verdict == AXC_SAFE ? ++safe : ++unsafe;
  }
  CHECK(safe > 200);
  CHECK(unsafe > 200);
}

// TOR-206
TEST_CASE("a claim that is off by one, at any node and either end, is refused and located") {
  Random random(7);
  for (int round = 0; round < 1000; ++round) {
    CAPTURE(round);
    const IntegerLayer layer = random_layer(random);
    LayerClaims claims = make_claims(layer, random_datapath(random), InputSource::clamped);
    const auto s = static_cast<std::size_t>(random.in(0, static_cast<std::int64_t>(claims.ranges.size()) - 1));
    const bool upper = random.one_in(2);
    std::vector<std::int64_t>& ends = upper ? claims.ranges[s].upper : claims.ranges[s].lower;
    const std::int64_t i = random.in(0, static_cast<std::int64_t>(ends.size()) - 1);
    ends[static_cast<std::size_t>(i)] += random.one_in(2) ? 1 : -1;
    tiny::Arrays arrays;
    tiny::add_layer(arrays, layer);
    axc_report report;
    CHECK(check(certificate_bytes({"test", {claims}}), tiny::weights_file(arrays), report) == AXC_REFUSED);
    CHECK(report.reason == (upper ? AXC_UPPER : AXC_LOWER));
    CHECK(report.row == i / claims.ranges[s].nodes);
    CHECK(report.stage == static_cast<std::int64_t>(s));
    CHECK(report.node == i % claims.ranges[s].nodes);
    CHECK((upper ? report.claimed.upper != report.recomputed.upper : report.claimed.lower != report.recomputed.lower));
  }
}

// All weights in {−2, …, 2}³, all boxes in {−1, 0, 1, 2}: the register's extremes over all inputs and all subsets of products.
// TOR-101
TEST_CASE("safe is said of a tiny dot product exactly when no inputs and no order leave the register") {
  Datapath datapath;
  datapath.name = "tiny";
  datapath.stages = {tiny::stage("sum", 3, 0)};
  datapath.activations = {-2, 2};
  for (int code = 0; code < 125; ++code) {
    IntegerLayer layer;
    layer.name = "tiny";
    layer.rows = 1;
    layer.cols = 3;
    layer.weights = {static_cast<std::int8_t>(code % 5 - 2), static_cast<std::int8_t>(code / 5 % 5 - 2),
                     static_cast<std::int8_t>(code / 25 - 2)};
    for (std::int32_t lower = -1; lower <= 2; ++lower) {
      for (std::int32_t upper = lower; upper <= 2; ++upper) {
        layer.box_lower = {lower};
        layer.box_upper = {upper};
        for (const Claim claim : {Claim::every_partial_sum, Claim::final_value}) {
          datapath.stages[0].claim = claim;
          bool fits = true;
          const std::int32_t span = upper - lower + 1;
          for (std::int32_t x = 0; x < span * span * span; ++x) {
            const std::int32_t inputs[3] = {lower + x % span, lower + x / span % span, lower + x / span / span};
            for (unsigned subset = claim == Claim::final_value ? 7 : 0; subset < 8; ++subset) {
              int sum = 0;
              for (unsigned k = 0; k < 3; ++k) sum += (subset >> k & 1u) ? layer.weights[k] * inputs[k] : 0;
              fits = fits && sum >= -3 && sum <= 3;
            }
          }
          tiny::Arrays arrays;
          tiny::add_layer(arrays, layer);
          axc_report report;
          const axc_verdict verdict =
              check(certificate_bytes({"test", {make_claims(layer, datapath, InputSource::clamped)}}),
                    tiny::weights_file(arrays), report);
          REQUIRE(verdict == (fits ? AXC_SAFE : AXC_UNSAFE));
        }
      }
    }
  }
}

// TOR-106
TEST_CASE("as many weights files as the checker takes, and one more") {
  const tiny::Pair pair = tiny::pair_of({tiny::small_layer()}, tiny::two_stages());
  const tiny::Bytes empty = tiny::weights_file({});
  std::vector<axc_file> files((std::size_t{1} << 20) + 1, {empty.data(), empty.size()});
  const auto check_with = [&](std::size_t count) {
    files.assign(files.size(), {empty.data(), empty.size()});
    files[count - 1] = {pair.weights.data(), pair.weights.size()};
    axc_report report;
    (void)axc_check_files(pair.certificate.data(), pair.certificate.size(), files.data(), count, nullptr, nullptr,
                          &report);
    return report;
  };
  CHECK(check_with(std::size_t{1} << 20).reason == AXC_PROVED);
  const axc_report report = check_with(files.size());
  CHECK(report.verdict == AXC_REFUSED);
  CHECK((report.reason == AXC_WEIGHTS_FILE && report.in_weights == 1 && report.position == 0));
}

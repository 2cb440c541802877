// Requantization: the conditions of every requantizer, one step inside and one beyond, against the runtimes' arithmetic executed in 128 bits; the fixed
// point of a real multiplier; a row's sum against every input of a small box.
// Requirements: TOR-607.
#include "axecert/bound/requantization.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>

#include "axecert/datapath/machine.hpp"
#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

using Outcome = RequantizationCheck::Outcome;

Outcome outcome(Requantizer requantizer, std::int64_t sum, double multiplier) {
  return check_requantization(requantizer, {sum, sum}, multiplier).outcome;
}

/// Fits at `inside`, fails at `beyond`, and says why; so does any range that holds it.
void edge(Requantizer requantizer, double multiplier, std::int64_t inside, std::int64_t beyond) {
  CAPTURE(to_text(requantizer));
  CAPTURE(multiplier);
  CAPTURE(inside);
  CHECK(outcome(requantizer, inside, multiplier) == Outcome::fits);
  const RequantizationCheck wrong = check_requantization(
      requantizer, {std::min<std::int64_t>(0, beyond), std::max<std::int64_t>(0, beyond)}, multiplier);
  CHECK(wrong.outcome == Outcome::fails);
  CHECK(wrong.reason.find(std::to_string(beyond)) != std::string::npos);
  CHECK(outcome(requantizer, beyond, multiplier) == Outcome::fails);
}

// MultiplyByQuantizedMultiplier as its reference writes it, every step in 128 bits: whether one leaves int32.
bool reference_overflows(std::int64_t x, FixedPoint by) {
  const int left = std::max(by.exponent, 0);
  const int128 shifted = static_cast<int128>(x) << left;
  return shifted < INT32_MIN || shifted > INT32_MAX;
}

}  // namespace

TEST_CASE("a real multiplier as TFLite's QuantizeMultiplier writes it") {
  const auto check = [](double real, std::int64_t multiplier, int exponent) {
    CAPTURE(real);
    const FixedPoint by = fixed_point(real);
    CHECK(by.multiplier == multiplier);
    CHECK(by.exponent == exponent);
  };
  check(1, 1 << 30, 1);
  check(0.5, 1 << 30, 0);
  check(0.25, 1 << 30, -1);
  check(0.75, 3 << 29, 0);
  check(3, 3 << 29, 2);
  check(std::nextafter(1.0, 0.0), 1 << 30, 1);  // rounds up to 2^31, which is written as 2^30 and one more
  check(std::ldexp(1, -32), 1 << 30, -31);
  check(std::ldexp(1, -33), 0, 0);
  for (const double wrong : {0.0, -1.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
    CHECK_THROWS_AS(fixed_point(wrong), InputError);
  }
  std::mt19937_64 random(5);
  for (int i = 0; i < 10'000; ++i) {  // within half a unit of the last place
    const double real = std::ldexp(std::uniform_real_distribution<double>(0.5, 1)(random),
                                   std::uniform_int_distribution<int>(-30, 20)(random));
    const FixedPoint by = fixed_point(real);
    CHECK(by.multiplier >= std::int64_t{1} << 30);
    CHECK(by.multiplier < std::int64_t{1} << 31);
    CHECK(std::fabs(std::ldexp(static_cast<double>(by.multiplier), by.exponent - 31) - real) <= std::ldexp(real, -31));
  }
}

TEST_CASE("a shift to the left before the multiplication: TFLite, CMSIS-NN, ruy, XNNPACK") {
  for (const Requantizer requantizer :
       {Requantizer::tflite, Requantizer::cmsis, Requantizer::ruy, Requantizer::xnnpack}) {
    edge(requantizer, 0.001, INT32_MAX, std::int64_t{INT32_MAX} + 1);  // no shift: 32 bits are all
    edge(requantizer, 0.001, INT32_MIN, std::int64_t{INT32_MIN} - 1);
    edge(requantizer, 0.75, INT32_MAX, std::int64_t{INT32_MAX} + 1);
    edge(requantizer, 1, (1 << 30) - 1, 1 << 30);  // 1 is 2^30 · 2^(1 − 31): shifted by one
    edge(requantizer, 1, -(1 << 30), -(1 << 30) - 1);
    edge(requantizer, 5, (1 << 28) - 1, 1 << 28);  // by three
    edge(requantizer, 5, -(1 << 28), -(1 << 28) - 1);
    edge(requantizer, std::ldexp(0.75, 30), 1, 2);  // by 30, the most
    edge(requantizer, std::ldexp(0.75, 30), -2, -3);
    CHECK(outcome(requantizer, 0, std::ldexp(0.75, 31)) == Outcome::fails);
    CHECK(outcome(requantizer, 0, 5e9) == Outcome::fails);  // by 33
    const auto reason = [&](IntegerRange sums, double multiplier) {
      return check_requantization(requantizer, sums, multiplier).reason;
    };
    CHECK(reason({INT64_MIN / 4, INT64_MAX / 4}, 0.75).find(std::to_string(INT64_MIN / 4)) != std::string::npos);
    CHECK(reason({INT64_MAX / 4, INT64_MAX / 2}, 0.75).find(std::to_string(INT64_MAX / 4)) != std::string::npos);
    CHECK(reason({0, INT64_MAX / 4}, 0.75).find("shifted") == std::string::npos);
    CHECK(check_requantization(requantizer, {0, 1}, std::nullopt).outcome == Outcome::undecided);
  }
  CHECK(check_requantization(Requantizer::ruy, {0, 1 << 30}, 1).reason.find("wraps") != std::string::npos);
  CHECK(check_requantization(Requantizer::xnnpack, {0, 1 << 30}, 1).reason.find("saturates") != std::string::npos);
  std::mt19937_64 random(6);
  int overflowing = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::int64_t sum = std::uniform_int_distribution<std::int64_t>(INT32_MIN, INT32_MAX)(random);
    const double multiplier = std::ldexp(std::uniform_real_distribution<double>(0.5, 1)(random),
                                         std::uniform_int_distribution<int>(-9, 9)(random));
    const bool overflows = reference_overflows(sum, fixed_point(multiplier));
    overflowing += overflows ? 1 : 0;
    CHECK((outcome(Requantizer::tflite, sum, multiplier) == Outcome::fails) == overflows);
  }
  CHECK(overflowing > 1000);
  CHECK(overflowing < 19'000);
}

TEST_CASE("gemmlowp has no shift to the left") {
  edge(Requantizer::gemmlowp, 0.75, INT32_MAX, std::int64_t{INT32_MAX} + 1);
  edge(Requantizer::gemmlowp, 0.75, INT32_MIN, std::int64_t{INT32_MIN} - 1);
  CHECK(outcome(Requantizer::gemmlowp, 0, 1) == Outcome::fails);
}

TEST_CASE("TOSA RESCALE: the shift's range, the value within [-2^(shift-1), 2^(shift-1)), the result in 32 bits") {
  edge(Requantizer::tosa, 0.001, INT32_MAX, std::int64_t{INT32_MAX} + 1);
  edge(Requantizer::tosa, 2, (1 << 28) - 1, 1 << 28);  // 2 is 2^30 · 2^-29
  edge(Requantizer::tosa, 2, -(1 << 28), -(1 << 28) - 1);
  edge(Requantizer::tosa, std::ldexp(1, 28), 1, 2);  // shift 2: [-2, 2)
  edge(Requantizer::tosa, std::ldexp(1, 28), -2, -3);
  CHECK(outcome(Requantizer::tosa, 0, std::ldexp(1, 29)) == Outcome::fails);  // shift 1
  CHECK(outcome(Requantizer::tosa, 0, std::ldexp(1, -32)) == Outcome::fits);  // shift 62
  const auto reason = [](IntegerRange sums, double multiplier) {
    return check_requantization(Requantizer::tosa, sums, multiplier).reason;
  };
  CHECK(reason({0, 0}, std::ldexp(1, -33)) == "its multiplier rounds to 0");
  CHECK(reason({0, 1 << 28}, 2) == "the sum 268435456 is outside [-2^28, 2^28)");
  CHECK(outcome(Requantizer::tosa16, 0, std::ldexp(1, -33)) == Outcome::fails);
  // A multiplier that would round up out of 15 bits does not out of 31: its shift stays 31.
  edge(Requantizer::tosa, 1 - 1e-9, (1 << 30) - 1, 1 << 30);
  // 16 bits: 1 is 2^14 · 2^-14; the result must have 32 bits, and rounds to the nearest.
  edge(Requantizer::tosa16, 1, INT32_MAX, std::int64_t{INT32_MAX} + 1);
  edge(Requantizer::tosa16, 1, INT32_MIN, std::int64_t{INT32_MIN} - 1);
  edge(Requantizer::tosa16, 0.25, (std::int64_t{1} << 33) - 3,
       (std::int64_t{1} << 33) - 2);  // (2^33 − 2) / 4 rounds to 2^31
  edge(Requantizer::tosa16, 0.25, -(std::int64_t{1} << 33) - 2, -(std::int64_t{1} << 33) - 3);
}

TEST_CASE("a multiplier that rounds up out of its 15 bits is written with another shift") {
  CHECK(outcome(Requantizer::tosa16, INT32_MAX, 1 - 1e-9) == Outcome::fits);  // 2^14 · 2^-14
  CHECK(outcome(Requantizer::tosa16, 0, std::ldexp(1 - 1e-9, 13)) ==
        Outcome::fails);  // shift 2 with 2^15, 1 as it is written
  CHECK(outcome(Requantizer::tosa16, 0, std::ldexp(0.75, 13)) == Outcome::fits);  // shift 2
}

TEST_CASE("16 × 8 with 64 bits: the sum within 2^47, the shift from -31 to 7, the result cut to 32 bits") {
  const std::int64_t most = std::int64_t{1} << 47;
  edge(Requantizer::tflite_int64, 1e-6, most - 1, most);
  edge(Requantizer::tflite_int64, 1e-6, -most, -most - 1);
  edge(Requantizer::tflite_int64, 1, INT32_MAX, std::int64_t{INT32_MAX} + 1);
  CHECK(outcome(Requantizer::tflite_int64, 0, std::ldexp(1, -32)) == Outcome::fits);  // -31
  CHECK(outcome(Requantizer::tflite_int64, 0, 127) == Outcome::fits);                 // exponent 7
  CHECK(outcome(Requantizer::tflite_int64, 0, 129) == Outcome::fails);                // 8
  // CMSIS-NN and TFLite round a multiplier of 0x7FFF0000 and more down to 0x7FFF, not up to 2^15.
  CHECK(outcome(Requantizer::tflite_int64, std::int64_t{1} << 31, 1 - 1e-9) == Outcome::fits);
}

TEST_CASE("CMSIS-NN with 64 bits needs one bit more, before the rounding") {
  edge(Requantizer::cmsis_int64, 1, (1 << 30) - 1, 1 << 30);  // (S · 2^14) >> 13 = 2 S
  edge(Requantizer::cmsis_int64, 1, -(1 << 30), -(1 << 30) - 1);
  edge(Requantizer::cmsis_int64, 0.5, INT32_MAX - 1, INT32_MAX);  // S itself: one is added to it
  edge(Requantizer::cmsis_int64, 0.5, INT32_MIN, std::int64_t{INT32_MIN} - 1);
  CHECK(outcome(Requantizer::tflite_int64, 1 << 30, 1) == Outcome::fits);
  CHECK(outcome(Requantizer::cmsis_int64, 0, std::ldexp(0.75, 14)) == Outcome::fits);
  CHECK(outcome(Requantizer::cmsis_int64, 0, std::ldexp(0.75, 15)) == Outcome::fails);
  CHECK(outcome(Requantizer::cmsis_int64, INT64_MAX / 2, std::ldexp(0.75, -31)) == Outcome::fails);  // 64 bits
  const std::int64_t most = std::int64_t{1} << 49;
  edge(Requantizer::cmsis_int64, std::ldexp(1, -32), most - 1, most);  // times 2^14
  edge(Requantizer::cmsis_int64, std::ldexp(1, -32), -most, -most - 1);
  static_assert(INT64_MAX % 16513 == 0);  // the greatest product is reached exactly
  CHECK(outcome(Requantizer::cmsis_int64, INT64_MAX / 16513, std::ldexp(16513, -15 - 31)) == Outcome::fits);
}

namespace {

/// What a runtime computes in its own types, which wrap, and in 128 bits, step by step: where a step differs, it overflowed.
struct Runtime {
  using Steps = std::array<int128, 2>;
  Requantizer requantizer;
  int least_exponent, greatest_exponent;  // of the multiplier
  std::int64_t least_sum, greatest_sum;   // that it accepts
  Steps (*in_its_types)(std::int64_t sum, FixedPoint by);
  Steps (*exact)(std::int64_t sum, FixedPoint by);
};

std::int64_t wrapping_product(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

std::int64_t reduced(FixedPoint by) {  // common.cc, and CMSIS-NN's REDUCE_MULTIPLIER
  return by.multiplier < 0x7FFF0000 ? (by.multiplier + (1 << 15)) >> 16 : 0x7FFF;
}

std::int64_t rounded(FixedPoint by) {  // TOSA; 2^15 is 2^14 with a shift less, which gives the same
  return (by.multiplier + (1 << 15)) >> 16;
}

constexpr std::int64_t most_of_48 = (std::int64_t{1} << 47) - 1;

const Runtime runtimes[] = {
    {Requantizer::tflite_int64, -31, 7, -most_of_48 - 1, most_of_48,
     [](std::int64_t sum, FixedPoint by) {
       const int shift = 15 - by.exponent;
       const std::int64_t shifted = (wrapping_product(sum, reduced(by)) + (std::int64_t{1} << (shift - 1))) >> shift;
       return Runtime::Steps{static_cast<std::int32_t>(shifted)};
     },
     [](std::int64_t sum, FixedPoint by) {
       const int shift = 15 - by.exponent;
       return Runtime::Steps{(static_cast<int128>(sum) * reduced(by) + (static_cast<int128>(1) << (shift - 1))) >>
                             shift};
     }},
    {Requantizer::cmsis_int64, -31, 14, INT64_MIN, INT64_MAX,
     [](std::int64_t sum, FixedPoint by) {
       const auto cut = static_cast<std::int32_t>(wrapping_product(sum, reduced(by)) >> (14 - by.exponent));
       return Runtime::Steps{cut, static_cast<std::int32_t>(static_cast<std::uint32_t>(cut) + 1) >> 1};
     },
     [](std::int64_t sum, FixedPoint by) {
       const int128 shifted = (static_cast<int128>(sum) * reduced(by)) >> (14 - by.exponent);
       return Runtime::Steps{shifted, (shifted + 1) >> 1};
     }},
    {Requantizer::tosa16, -31, 12, -most_of_48 - 1, most_of_48,
     [](std::int64_t sum, FixedPoint by) {
       const int shift = 15 - by.exponent;
       const std::int64_t shifted = (wrapping_product(sum, rounded(by)) + (std::int64_t{1} << (shift - 1))) >> shift;
       return Runtime::Steps{static_cast<std::int32_t>(shifted)};
     },
     [](std::int64_t sum, FixedPoint by) {
       const int shift = 15 - by.exponent;
       return Runtime::Steps{(static_cast<int128>(sum) * rounded(by) + (static_cast<int128>(1) << (shift - 1))) >>
                             shift};
     }},
};

}  // namespace

TEST_CASE("a sum fits exactly when the runtime's types hold every step: multipliers of 15 bits, sums at their edges") {
  std::mt19937_64 random(7);
  for (const Runtime& runtime : runtimes) {
    CAPTURE(to_text(runtime.requantizer));
    int fitting = 0, failing = 0;
    for (int i = 0; i < 3000; ++i) {
      const int exponent =
          std::uniform_int_distribution<int>(runtime.least_exponent, runtime.greatest_exponent)(random);
      // Multipliers near the ends of their range and beside halves of the 15 bits, where rounding decides.
      std::int64_t multiplier = std::uniform_int_distribution<std::int64_t>(1 << 30, INT32_MAX)(random);
      const std::int64_t near = std::uniform_int_distribution<std::int64_t>(-2, 2)(random);
      if (i % 3 == 1) {
        multiplier = (multiplier >> 16 << 16) + (1 << 15) + near;
      } else if (i % 3 == 2) {
        multiplier = 0x7FFF0000 + (i % 2 == 0 ? 0 : 1 << 15) + near;
      }
      const double real = std::ldexp(static_cast<double>(multiplier), exponent - 31);
      CAPTURE(multiplier);
      CAPTURE(exponent);
      const FixedPoint by = fixed_point(real);
      REQUIRE(by.multiplier == multiplier);
      REQUIRE(by.exponent == exponent);
      // The sums at which an exact result leaves int32, or int32 and a bit: wherever a condition may lie.
      for (const int bits : {30, 31}) {
        const double edge = std::ldexp(1, bits) / real;
        for (const double sign : {-1.0, 1.0}) {
          if (edge > 9e18) {
            continue;
          }
          const auto middle = static_cast<std::int64_t>(sign * edge);
          std::int64_t sum = middle + std::uniform_int_distribution<std::int64_t>(-3, 3)(random) +
                             static_cast<std::int64_t>(std::ldexp(sign * edge, -16) *
                                                       std::uniform_int_distribution<int>(-1, 1)(random));
          sum = std::clamp(sum, runtime.least_sum, runtime.greatest_sum);
          CAPTURE(sum);
          const bool same = runtime.in_its_types(sum, by) == runtime.exact(sum, by);
          CHECK((outcome(runtime.requantizer, sum, real) == Outcome::fits) == same);
          (same ? fitting : failing) += 1;
        }
      }
    }
    CHECK(fitting > 1000);
    CHECK(failing > 1000);
  }
}

TEST_CASE("conversion to float32: exact up to 2^24, one beyond rounds, and what is beyond but even is not decided") {
  edge(Requantizer::float32, 1, 1 << 24, (1 << 24) + 1);
  edge(Requantizer::float32, 1, -(1 << 24), -(1 << 24) - 1);
  CHECK(check_requantization(Requantizer::float32, {0, 1 << 25}, std::nullopt).outcome == Outcome::undecided);
  CHECK(check_requantization(Requantizer::float32, {-5, 1 << 24}, std::nullopt).outcome == Outcome::fits);
  CHECK(check_requantization(Requantizer::float32, {INT64_MAX, INT64_MAX}, std::nullopt).outcome == Outcome::fails);
}

TEST_CASE(
    "a row's sum: what every input of the box gives, whatever registers lie below, boxes without 0 and constants "
    "included") {
  IntegerLayer layer;
  layer.name = "row";
  layer.rows = 2;
  layer.cols = 4;
  layer.weights = {3, -2, 1, 5, -1, -1, -4, 2};
  layer.bias = {100, -7};
  for (const auto& [low, high] : {std::pair{0, 3}, {2, 3}, {-3, -1}, {-1, 1}}) {
    layer.box_lower = {low};
    layer.box_upper = {high};
    for (const char* name : {"axe:P=16,T=2", "axe:P=16,T=2,outer=float", "x86-avx2-maddubs"}) {
      CAPTURE(name);
      CAPTURE(low);
      Datapath datapath = parse_datapath(name);
      datapath.activations = {-128, 127};
      const std::vector<IntegerRange> sums = row_sums(layer, datapath);
      const bool floats = std::string(name).find("float") != std::string::npos;
      for (std::size_t r = 0; r < 2; ++r) {
        IntegerRange wanted{INT64_MAX, INT64_MIN};
        for (int i = 0; i < 256; ++i) {
          std::int64_t sum[2] = {0, 0};
          bool inside = true;
          for (int k = 0; k < 4; ++k) {
            const int x = low + (i >> (2 * k) & 3);
            inside = inside && x <= high;
            sum[floats ? k / 2 : 0] += layer.weights[4 * r + static_cast<std::size_t>(k)] * x;
          }
          for (const std::int64_t one : {sum[0], floats ? sum[1] : sum[0]}) {
            const std::int64_t value = one + (floats ? 0 : layer.bias[r]);
            wanted = inside ? IntegerRange{std::min(wanted.lower, value), std::max(wanted.upper, value)} : wanted;
          }
        }
        CHECK(sums[r] == wanted);
      }
    }
  }
}

TEST_CASE("requantizers have names and say what they demand") {
  CHECK(requantizers().size() == 10);
  for (const std::string& preset : preset_names()) {
    const std::string name = parse_datapath(preset).requantizer;
    CAPTURE(preset);
    CHECK((name.empty() || std::any_of(requantizers().begin(), requantizers().end(),
                                       [&](Requantizer requantizer) { return to_text(requantizer) == name; })));
  }
  for (const Requantizer requantizer : requantizers()) {
    CHECK_FALSE(to_text(requantizer).empty());
    CHECK_FALSE(describe(requantizer).empty());
  }
}

// Claims about the activation quantizer: operands are those of the formula, computed here in double with nearbyint; none leaves its
// box; what they stand for is near what came in; what is no quantizer, and inputs that are not finite, are refused.
#include "axecert/quantize/input_quantizer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>

#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

constexpr std::int64_t cols = 11, tokens = 300;

std::vector<float> inputs(double size = 3, double mean = 0.5) {
  std::mt19937_64 generator(2);
  std::normal_distribution<double> gaussian(mean, size);
  std::vector<float> x(cols * tokens);
  for (float& value : x) {
    value = static_cast<float>(gaussian(generator));
  }
  std::fill_n(x.begin() + 5 * cols, cols, 0.0F);    // a row of zeros,
  std::fill_n(x.begin() + 6 * cols, cols, 4.0F);    // of one positive number,
  std::fill_n(x.begin() + 7 * cols, cols, -4.0F);   // of one negative number,
  std::fill_n(x.begin() + 8 * cols, cols, 1e-38F);  // of next to nothing
  x[9 * cols] = 1e30F;                              // and of one that is far too large
  return x;
}

struct Case {
  ActivationGrid grid;
  std::vector<std::int32_t> lower, upper, shift;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const int bits : {2, 4, 8}) {
    for (const bool is_signed : {false, true}) {
      for (const ActivationScaling scaling : {ActivationScaling::tensor, ActivationScaling::token}) {
        ActivationGrid grid{scaling == ActivationScaling::tensor ? 12.0 / (1 << bits) : 1.0, 0, bits, is_signed,
                            scaling};
        if (!is_signed && scaling == ActivationScaling::tensor) {
          grid.zero_point = 1 << (bits - 1);
        }
        const std::int32_t low = grid.code_lower(), high = grid.code_upper(), centre = (low + high + 1) / 2;
        all.push_back({grid, {low}, {high}, {0}});                         // raw
        all.push_back({grid, {low - centre}, {high - centre}, {centre}});  // re-centred
        Case boxed{grid, {}, {}, {}};                                      // per channel, some of one code only
        for (std::int32_t k = 0; k < cols; ++k) {
          const std::int32_t least = low + k % 2, most = std::max(least, high - k % 3);
          boxed.shift.push_back(centre - (k % 2 == 1 && most < high ? 1 : 0));
          boxed.lower.push_back(least - boxed.shift.back());
          boxed.upper.push_back(most - boxed.shift.back());
        }
        all.push_back(boxed);
      }
    }
  }
  return all;
}

std::int32_t at(const std::vector<std::int32_t>& values, std::size_t k) {
  return values[values.size() == 1 ? 0 : k];
}

std::string told(const std::function<void()>& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

InputQuantizer quantizer_of(const Case& c) {
  return {cols, {}, c.grid, c.lower, c.upper, c.shift, "layer q"};
}

}  // namespace

TEST_CASE("operands are those of the formula, scales and zero points those of the grid or of the row") {
  const std::vector<float> x = inputs();
  for (const Case& c : cases()) {
    CAPTURE(c.grid.bits);
    CAPTURE(c.grid.is_signed);
    const OperandRows rows = quantizer_of(c).quantize(x.data(), tokens);
    REQUIRE(rows.count == tokens);
    for (std::size_t i = 0; i < tokens; ++i) {
      double scale = c.grid.scale, zero = c.grid.zero_point;
      if (c.grid.scaling == ActivationScaling::token) {
        double low = 0, high = 0;
        for (std::size_t k = 0; k < cols; ++k) {
          low = std::min(low, static_cast<double>(x[i * cols + k]));
          high = std::max(high, static_cast<double>(x[i * cols + k]));
        }
        scale = (c.grid.is_signed ? std::max(-low, high) : high - low) / c.grid.code_upper();
        scale = scale >= 1e-30 ? scale : 1;
        zero = c.grid.is_signed ? 0 : std::nearbyint(-low / scale);
      }
      REQUIRE(rows.scale[i] == scale);
      REQUIRE(rows.zero_point[i] == zero);
      for (std::size_t k = 0; k < cols; ++k) {
        const double code = std::nearbyint(static_cast<double>(x[i * cols + k]) / scale) + zero - at(c.shift, k);
        const double operand = std::clamp<double>(code, at(c.lower, k), at(c.upper, k));
        REQUIRE(rows.biased[i * cols + k] + rows.base == operand);
      }
    }
  }
}

TEST_CASE("halves go to the even code") {
  const InputQuantizer quantizer(6, {}, {0.5, 0, 8, true, ActivationScaling::tensor}, {-128}, {127}, {0}, "q");
  const std::vector<float> x{0.25F, 0.75F, 1.25F, -0.25F, -0.75F, -1.25F};
  const OperandRows rows = quantizer.quantize(x.data(), 1);
  const std::vector<int> expected{0, 2, 2, 0, -2, -2};
  for (std::size_t k = 0; k < 6; ++k) {
    CHECK(rows.biased[k] + rows.base == expected[k]);
  }
}

TEST_CASE("inside the grid's range numbers come back within half a step, and 0 exactly") {
  std::vector<float> x = inputs(1, 0.3);
  x[3] = 0;
  for (const Case& c : cases()) {
    if (c.lower.size() != 1 || c.grid.bits != 8) {
      continue;
    }
    const InputQuantizer quantizer = quantizer_of(c);
    const OperandRows rows = quantizer.quantize(x.data(), tokens);
    const std::vector<float> back = quantizer.fake_quantize(x.data(), tokens);
    for (std::size_t i = 0; i < back.size(); ++i) {
      const double step = rows.scale[i / cols], value = static_cast<double>(x[i]);
      const double operand = rows.biased[i] + rows.base + at(c.shift, i % cols) - rows.zero_point[i / cols];
      REQUIRE(back[i] == static_cast<float>(step * operand));
      if (std::fabs(value) < 5 && i / cols != 8) {
        REQUIRE(std::fabs(static_cast<double>(back[i]) - value) <= 0.5001 * step);
      }
      if (value == 0) {
        REQUIRE(back[i] == 0.0F);
      }
    }
  }
}

TEST_CASE("threads change nothing") {
  const std::vector<float> x = inputs();
  for (const Case& c : cases()) {
    const InputQuantizer quantizer = quantizer_of(c);
    CHECK(quantizer.quantize(x.data(), tokens, 1).biased == quantizer.quantize(x.data(), tokens, 3).biased);
    CHECK(quantizer.fake_quantize(x.data(), tokens, 1) == quantizer.fake_quantize(x.data(), tokens, 3));
  }
}

TEST_CASE("the transform comes first") {
  InputTransform doubled;
  doubled.multiplier.assign(cols, 2.0F);
  std::vector<float> x = inputs(0.5);
  const ActivationGrid grid{0.1, 0, 8, true, ActivationScaling::tensor};
  const OperandRows after = InputQuantizer(cols, doubled, grid, {-128}, {127}, {0}, "q").quantize(x.data(), tokens);
  for (float& value : x) {
    value *= 2;
  }
  CHECK(after.biased == InputQuantizer(cols, {}, grid, {-128}, {127}, {0}, "q").quantize(x.data(), tokens).biased);
}

TEST_CASE("an input that is not finite is refused with layer, channel and row") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    for (const int threads : {1, 2}) {
      std::vector<float> x = inputs();
      x[250 * cols + 4] = bad;
      const InputQuantizer quantizer = quantizer_of(cases()[0]);
      const std::string plain = told([&] { quantizer.quantize(x.data(), tokens, threads); });
      CHECK(plain.find("layer q: input channel 4 of row 250") == 0);
      CHECK(told([&] { quantizer.fake_quantize(x.data(), tokens, threads); }) == plain);
      CHECK(told([&] { quantizer.quantize(x.data(), tokens, threads, 1000); }).find("row 1250") != std::string::npos);
    }
  }
}

TEST_CASE("what is no quantizer is refused") {
  const ActivationGrid good{0.5, 0, 8, true, ActivationScaling::tensor};
  const auto make = [](std::int64_t K, const ActivationGrid& grid, std::vector<std::int32_t> lower,
                       std::vector<std::int32_t> upper, std::vector<std::int32_t> shift) {
    return told([&] { InputQuantizer(K, {}, grid, std::move(lower), std::move(upper), std::move(shift), "layer q"); });
  };
  CHECK(make(3, good, {-128}, {127}, {0}).empty());
  CHECK(make(3, good, {-128, 0, -1}, {0, 127, -1}, {5}).empty());
  CHECK(make(0, good, {-128}, {127}, {0}).find("layer q") == 0);
  CHECK(make(3, good, {-128, 0}, {127}, {0}).find("lower") != std::string::npos);
  CHECK(make(3, good, {-128}, {127, 1, 1, 1}, {0}).find("upper") != std::string::npos);
  CHECK(make(3, good, {-128}, {127}, {}).find("shift") != std::string::npos);
  CHECK(make(3, good, {1}, {0}, {0}).find("channel 0") != std::string::npos);
  CHECK(make(3, good, {-128}, {128}, {0}).find("8 bits") != std::string::npos);
  CHECK(make(3, good, {-128, 0, 100}, {0, 0, 128}, {0}).find("channel 2") != std::string::npos);
  CHECK_FALSE(make(3, good, {-128}, {127}, {1 << 21}).empty());
  CHECK_FALSE(make(3, good, {INT32_MIN}, {INT32_MIN + 1}, {0}).empty());
  CHECK_FALSE(make(3, good, {INT32_MIN}, {INT32_MAX}, {0}).empty());
  CHECK_FALSE(make(3, good, {INT32_MAX - 1}, {INT32_MAX}, {0}).empty());
  for (const double scale :
       {0.0, -1.0, 1e-31, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    ActivationGrid grid = good;
    grid.scale = scale;
    CHECK_FALSE(make(3, grid, {-128}, {127}, {0}).empty());
  }
  for (const int bits : {1, 9}) {
    ActivationGrid grid = good;
    grid.bits = bits;
    CHECK_FALSE(make(3, grid, {0}, {1}, {0}).empty());
  }
  ActivationGrid grid = good;
  grid.zero_point = 128;
  CHECK_FALSE(make(3, grid, {-128}, {127}, {0}).empty());
}

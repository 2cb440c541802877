// Claims about the input transform: it is the multiplier and the Hadamard matrix of its definition, it keeps products, and what is
// no transform is refused.
#include "axecert/quantize/input_transform.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

std::vector<float> random_floats(std::size_t count, std::uint64_t seed, double least = -2, double most = 2) {
  std::mt19937_64 generator(seed);
  std::uniform_real_distribution<double> uniform(least, most);
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(uniform(generator));
  }
  return values;
}

InputTransform transform_of(std::int64_t cols, std::int64_t order, bool multiplied, std::uint64_t seed = 1) {
  InputTransform t;
  if (multiplied) {
    t.multiplier = random_floats(static_cast<std::size_t>(cols), seed, 0.1, 5);
  }
  t.hadamard = order;
  for (const float value : random_floats(order == 0 ? 0 : static_cast<std::size_t>(cols), seed + 1)) {
    t.sign.push_back(value < 0 ? std::int8_t{-1} : std::int8_t{1});
  }
  return t;
}

/// The definition: (−1)^popcount(i ∧ j) / √order, block by block, in double.
std::vector<double> by_definition(const InputTransform& t, const std::vector<float>& x, std::int64_t cols) {
  std::vector<double> y;
  for (std::size_t first = 0; first < x.size(); first += static_cast<std::size_t>(cols)) {
    std::vector<double> row;
    for (std::size_t k = 0; k < static_cast<std::size_t>(cols); ++k) {
      row.push_back(static_cast<double>(x[first + k]) *
                    (t.multiplier.empty() ? 1.0 : static_cast<double>(t.multiplier[k])));
    }
    const auto order = static_cast<std::size_t>(t.hadamard);
    for (std::size_t k = 0; k < row.size(); ++k) {
      if (order == 0) {
        y.push_back(row[k]);
        continue;
      }
      const std::size_t block = k / order * order;
      double sum = 0;
      for (std::size_t j = 0; j < order; ++j) {
        const double entry = std::popcount((k - block) & j) % 2 == 0 ? 1 : -1;
        sum += entry * t.sign[block + j] * row[block + j];
      }
      y.push_back(sum / std::sqrt(static_cast<double>(order)));
    }
  }
  return y;
}

bool refused(const InputTransform& t, std::int64_t cols) {
  try {
    validate(t, cols, "layer a.b");
  } catch (const InputError& error) {
    CHECK(error.place() == "layer a.b");
    return true;
  }
  return false;
}

}  // namespace

TEST_CASE("inputs become what the definition says, for every order and block") {
  for (const std::int64_t cols :
       {std::int64_t{1}, std::int64_t{2}, std::int64_t{12}, std::int64_t{48}, std::int64_t{64}}) {
    for (std::int64_t order = 0; order <= largest_hadamard(cols); order = order == 0 ? 1 : 2 * order) {
      for (const bool multiplied : {false, true}) {
        CAPTURE(cols);
        CAPTURE(order);
        const InputTransform t = transform_of(cols, order, multiplied);
        validate(t, cols, "t");
        std::vector<float> x = random_floats(static_cast<std::size_t>(3 * cols), 7);
        const std::vector<double> expected = by_definition(t, x, cols);
        apply(t, x.data(), 3, cols);
        for (std::size_t i = 0; i < x.size(); ++i) {
          REQUIRE(static_cast<double>(x[i]) == doctest::Approx(expected[i]).epsilon(1e-5));
        }
      }
    }
  }
}

TEST_CASE("weights go with inputs: the product is what it was") {
  constexpr std::int64_t cols = 48;
  for (const bool multiplied : {false, true}) {
    for (const std::int64_t order : {0, 2, 16}) {
      const InputTransform t = transform_of(cols, order, multiplied);
      std::vector<float> x = random_floats(5 * cols, 3), w = random_floats(4 * cols, 4);
      std::vector<double> before, after;
      const auto products = [&](std::vector<double>& result) {
        for (std::size_t i = 0; i < 5; ++i) {
          for (std::size_t r = 0; r < 4; ++r) {
            double sum = 0;
            for (std::size_t k = 0; k < cols; ++k) {
              sum += static_cast<double>(x[i * cols + k]) * static_cast<double>(w[r * cols + k]);
            }
            result.push_back(sum);
          }
        }
      };
      products(before);
      apply(t, x.data(), 5, cols);
      apply_to_weights(t, w.data(), 4, cols);
      products(after);
      for (std::size_t i = 0; i < before.size(); ++i) {
        CHECK(std::fabs(after[i] - before[i]) < 1e-4);
      }
    }
  }
}

TEST_CASE("a rotation keeps lengths and spreads a single channel over its block, and only there") {
  const InputTransform t = transform_of(32, 16, false);
  std::vector<float> x(32, 0.0F);
  x[3] = 8;
  apply(t, x.data(), 1, 32);
  for (std::size_t k = 0; k < 32; ++k) {
    CHECK(std::fabs(x[k]) == (k < 16 ? 2.0F : 0.0F));
  }
}

TEST_CASE("no transform leaves bits alone") {
  std::vector<float> x = random_floats(24, 5);
  const std::vector<float> before = x;
  apply({}, x.data(), 2, 12);
  apply_to_weights({}, x.data(), 2, 12);
  CHECK(x == before);
  CHECK(InputTransform{}.identity());
  CHECK_FALSE(transform_of(4, 2, false).identity());
}

TEST_CASE("what is no transform of these channels is refused") {
  const InputTransform good = transform_of(12, 4, true);
  CHECK_FALSE(refused(good, 12));
  CHECK(refused(good, 8));
  for (const float wrong :
       {0.0F, -1.0F, 1e-31F, 1e31F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    InputTransform t = good;
    t.multiplier[5] = wrong;
    CHECK(refused(t, 12));
  }
  for (const std::int64_t order : {-4, 3, 8, 12, 1 << 30}) {
    InputTransform t = good;
    t.hadamard = order;
    CHECK(refused(t, 12));
  }
  InputTransform t = good;
  t.sign[0] = 0;
  CHECK(refused(t, 12));
  t = good;
  t.sign.pop_back();
  CHECK(refused(t, 12));
  t = good;
  t.hadamard = 0;  // signs without a rotation
  CHECK(refused(t, 12));
}

TEST_CASE("the largest rotation is the largest power of two that divides the channels") {
  for (std::int64_t cols = 1; cols <= 300; ++cols) {
    const std::int64_t order = largest_hadamard(cols);
    CHECK(std::has_single_bit(static_cast<std::uint64_t>(order)));
    CHECK(cols % order == 0);
    CHECK(cols % (2 * order) != 0);
  }
  CHECK_THROWS_AS(largest_hadamard(0), InputError);
  CHECK_THROWS_AS(largest_hadamard(-8), InputError);
}

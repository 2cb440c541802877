// Claims about streamed moments: they equal the sums in double, however rows are batched and however many threads add them.
#include "axecert/quantize/moments.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>

#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

std::vector<float> rows_of(std::int64_t n, std::int64_t cols, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> gaussian(0.3, 1);
  std::vector<float> x(static_cast<std::size_t>(n * cols));
  for (float& value : x) {
    value = static_cast<float>(gaussian(generator));
  }
  return x;
}

/// Σᵢ aᵢ bᵢᵀ in double, and Σᵢ |aᵢ| |bᵢ|ᵀ, which bounds the rounding.
void check_sums(const std::vector<float>& found, const std::vector<float>& a, const std::vector<float>& b,
                std::int64_t cols) {
  const auto K = static_cast<std::size_t>(cols), n = a.size() / K;
  REQUIRE(found.size() == K * K);
  for (std::size_t i = 0; i < K; ++i) {
    for (std::size_t j = 0; j < K; ++j) {
      double sum = 0, magnitude = 0;
      for (std::size_t t = 0; t < n; ++t) {
        const double term = static_cast<double>(a[t * K + i]) * static_cast<double>(b[t * K + j]);
        sum += term;
        magnitude += std::fabs(term);
      }
      // n additions in single precision, each within 2⁻²⁴ of a sum that is at most the magnitude.
      REQUIRE(std::fabs(static_cast<double>(found[i * K + j]) - sum) <=
              static_cast<double>(n + 2) * 0x1p-24 * magnitude);
    }
  }
}

}  // namespace

TEST_CASE("H and G are the sums in double, for sides around the blocks that threads share") {
  for (const std::int64_t cols : {1, 7, 191, 192, 193, 400}) {
    for (const int threads : {1, 3}) {
      CAPTURE(cols);
      const std::int64_t n = 50;
      const std::vector<float> tilde = rows_of(n, cols, 1), x = rows_of(n, cols, 2);
      Moments moments(cols);
      for (std::int64_t first = 0; first < n; first += 20) {
        moments.add(tilde.data() + first * cols, x.data() + first * cols, std::min<std::int64_t>(20, n - first),
                    threads);
      }
      CHECK(moments.rows() == n);
      CHECK(moments.cols() == cols);
      check_sums(moments.gram(), tilde, tilde, cols);
      check_sums(moments.cross(), tilde, x, cols);
    }
  }
}

TEST_CASE("threads change no bit, and H is symmetric to the bit") {
  constexpr std::int64_t cols = 500, n = 40;
  const std::vector<float> tilde = rows_of(n, cols, 3), x = rows_of(n, cols, 4);
  Moments one(cols), many(cols);
  one.add(tilde.data(), x.data(), n, 1);
  many.add(tilde.data(), x.data(), n, 4);
  CHECK(one.gram() == many.gram());
  CHECK(one.cross() == many.cross());
  for (std::size_t i = 0; i < cols; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      REQUIRE(one.gram()[i * cols + j] == one.gram()[j * cols + i]);
    }
  }
}

TEST_CASE("H may be looked at between batches") {
  constexpr std::int64_t cols = 200, n = 10;
  const std::vector<float> tilde = rows_of(2 * n, cols, 5);
  Moments looked(cols), plain(cols);
  looked.add(tilde.data(), nullptr, n);
  const std::vector<float> half = looked.gram();
  check_sums(half, {tilde.begin(), tilde.begin() + n * cols}, {tilde.begin(), tilde.begin() + n * cols}, cols);
  looked.add(tilde.data() + n * cols, nullptr, n);
  plain.add(tilde.data(), nullptr, n);
  plain.add(tilde.data() + n * cols, nullptr, n);
  CHECK(looked.gram() == plain.gram());
  CHECK(looked.cross().empty());
}

TEST_CASE("integers are summed without any rounding") {
  constexpr std::int64_t cols = 5, n = 1000;
  std::mt19937_64 generator(6);
  std::vector<float> codes(cols * n);
  for (float& code : codes) {
    code = static_cast<float>(static_cast<std::int64_t>(generator() % 201) - 100);
  }
  Moments moments(cols);
  moments.add(codes.data(), nullptr, n, 2);
  for (std::size_t i = 0; i < cols; ++i) {
    std::int64_t sum = 0;
    for (std::size_t t = 0; t < n; ++t) {
      sum += static_cast<std::int64_t>(codes[t * cols + i]) * static_cast<std::int64_t>(codes[t * cols]);
    }
    CHECK(static_cast<std::int64_t>(moments.gram()[i * cols]) == sum);  // below 2^24
  }
}

TEST_CASE("G is of all batches or of none, and no batch is none") {
  const std::vector<float> x = rows_of(4, 3, 7);
  Moments with(3), without(3);
  with.add(x.data(), nullptr, 0);  // empty: decides nothing
  with.add(x.data(), x.data(), 4);
  CHECK_THROWS_AS(with.add(x.data(), nullptr, 4), InputError);
  without.add(x.data(), x.data(), 0);
  without.add(x.data(), nullptr, 4);
  CHECK_THROWS_AS(without.add(x.data(), x.data(), 4), InputError);
  CHECK(with.rows() == 4);
  check_sums(with.cross(), x, x, 3);
  CHECK(without.cross().empty());
}

TEST_CASE("there are no moments of no channels") {
  for (const std::int64_t cols : {std::int64_t{0}, std::int64_t{-3}, std::int64_t{1} << 40}) {
    CHECK_THROWS_AS(Moments{cols}, InputError);
  }
}

// Clamps per channel from a histogram of codes: nothing lost beyond the share, one code narrower would lose more, and share 0
// keeps exactly what occurred; each recomputed from the rows themselves.
#include "axecert/quantize/code_histogram.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

constexpr std::int64_t cols = 7, count = 900;

/// Heavy-tailed rows of different sizes, one channel that is always 0, one with a few enormous values.
std::vector<float> rows() {
  std::mt19937 random(7);
  std::student_t_distribution<float> draw(3);
  std::vector<float> x(static_cast<std::size_t>(cols * count));
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t k = 0; k < cols; ++k) {
      x[static_cast<std::size_t>(i * cols + k)] =
          k == 3 ? 0.0F : draw(random) * static_cast<float>(1 + k) * (i % 10 == 0 ? 20.0F : 1.0F);
    }
    if (i % 300 == 1) {
      x[static_cast<std::size_t>(i * cols + 5)] = 4000;
    }
  }
  return x;
}

InputQuantizer quantizer(const ActivationGrid& grid) {
  return InputQuantizer(cols, InputTransform{}, grid, {grid.code_lower()}, {grid.code_upper()}, {0}, "test");
}

/// The larger of both shares, by number of rows and by their steps, of channel k that clamp(code, lower, upper) cuts off.
double share_lost(const OperandRows& codes, std::int64_t k, std::int32_t lower, std::int32_t upper) {
  double lost[2] = {}, whole[2] = {};
  for (std::int64_t i = 0; i < codes.count; ++i) {
    const auto row = static_cast<std::size_t>(i);
    const std::int32_t code = codes.base + codes.biased[static_cast<std::size_t>(i * cols + k)];
    const double cut = code - std::clamp(code, lower, upper), value = code - codes.zero_point[row];
    const double weight[2] = {1, codes.scale[row] * codes.scale[row]};
    for (int w = 0; w < 2; ++w) {
      lost[w] += weight[w] * cut * cut;
      whole[w] += weight[w] * value * value;
    }
  }
  return std::max(whole[0] > 0 ? lost[0] / whole[0] : lost[0], whole[1] > 0 ? lost[1] / whole[1] : lost[1]);
}

}  // namespace

TEST_CASE("clamps lose at most the share that is asked for, and are narrower for a larger one") {
  const std::vector<float> x = rows();
  for (const bool is_signed : {true, false}) {
    for (const ActivationScaling scaling : {ActivationScaling::token, ActivationScaling::tensor}) {
      ActivationGrid grid;
      grid.is_signed = is_signed;
      grid.scaling = scaling;
      grid.scale = scaling == ActivationScaling::tensor ? 3.0 : 1.0;
      grid.zero_point = scaling == ActivationScaling::tensor && !is_signed ? 128 : 0;
      const OperandRows codes = quantizer(grid).quantize(x.data(), count);
      CodeHistogram histogram(grid, cols);
      // In two batches, as calibration data arrive.
      histogram.add(quantizer(grid).quantize(x.data(), 400));
      histogram.add(quantizer(grid).quantize(x.data() + 400 * cols, count - 400));
      std::vector<std::int32_t> widths;
      for (const double share : {0.0, 1e-4, 1e-3, 1e-2}) {
        const CodeHistogram::Ranges found = histogram.ranges(share);
        std::int32_t width = 0;
        for (std::int64_t k = 0; k < cols; ++k) {
          const auto at = static_cast<std::size_t>(k);
          const std::int32_t lower = found.lower[at], upper = found.upper[at];
          REQUIRE(lower <= upper);
          CHECK(share_lost(codes, k, lower, upper) <= share * (1 + 1e-9));
          if (share == 0 && lower < upper) {  // every code inside has to stay
            CHECK(share_lost(codes, k, lower + 1, upper) > 0);
            CHECK(share_lost(codes, k, lower, upper - 1) > 0);
          }
          width += upper - lower;
        }
        widths.push_back(width);
      }
      CHECK(std::is_sorted(widths.rbegin(), widths.rend()));
      CHECK(widths.back() < widths.front());
    }
  }
}

TEST_CASE("a channel that was always 0 gets its zero point alone") {
  ActivationGrid grid;
  grid.is_signed = true;
  grid.scaling = ActivationScaling::token;
  CodeHistogram histogram(grid, cols);
  const std::vector<float> x = rows();
  histogram.add(quantizer(grid).quantize(x.data(), count));
  CHECK(histogram.ranges(0.01).lower[3] == 0);
  CHECK(histogram.ranges(0.01).upper[3] == 0);
}

TEST_CASE("what cannot be answered is refused") {
  ActivationGrid grid;
  CodeHistogram histogram(grid, cols);
  CHECK_THROWS_AS(histogram.ranges(0), InputError);
  const std::vector<float> x = rows();
  histogram.add(quantizer(grid).quantize(x.data(), 3));
  CHECK_THROWS_AS(histogram.ranges(1), InputError);
  CHECK_THROWS_AS(histogram.ranges(-0.1), InputError);
  CHECK_THROWS_AS(CodeHistogram(grid, cols + 1).add(quantizer(grid).quantize(x.data(), 3)), InputError);
}

// What products make of their sums before these leave the cache: against plain 64-bit sums, scaled, rounded and narrowed one by one, on
// every kernel, target and packing, over ragged shapes, ties, saturation, and rows so long that sums wait for the rest of a row.
// Requirements: TOR-502.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "axecert/kernel/certified_product.hpp"
#include "axecert/kernel/datapath_product.hpp"
#include "axecert/kernel/exact_product.hpp"
#include "axecert/licence/licence_office.hpp"
#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

using Random = std::mt19937_64;

std::int64_t between(Random& random, std::int64_t lower, std::int64_t upper) {
  return lower + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(upper - lower + 1));
}

template <class T>
std::vector<T> several(std::int64_t count, T value) {
  return std::vector<T>(static_cast<std::size_t>(count), value);
}

struct Case {
  IntegerLayer layer;
  Topology topology;
  std::vector<std::uint8_t> biased;
  std::vector<std::int32_t> zero_points;
  std::int64_t tokens;
  std::int32_t base;
  Operands operands() const { return {biased, tokens, base, zero_points}; }
  std::int64_t outputs() const { return topology.nodes(topology.stages() - 1); }
};

Case make_case(Random& random, const std::string& datapath, std::int64_t tokens, std::int64_t cols, std::int64_t rows,
               std::int32_t base, bool zero_points, int most_weight) {
  Case c{{}, Topology(parse_datapath(datapath), cols), {}, {}, tokens, base};
  c.layer.name = "epilogue.test";
  c.layer.rows = rows;
  c.layer.cols = cols;
  c.layer.box_lower = {base};
  c.layer.box_upper = {base + 255};
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    c.layer.weights.push_back(static_cast<std::int8_t>(between(random, -most_weight, most_weight)));
  }
  for (std::int64_t k = 0; k < cols; ++k) {
    c.layer.offset.push_back(static_cast<std::int32_t>(between(random, -9, 9)));
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    c.layer.bias.push_back(between(random, -1000, 1000));
  }
  for (std::int64_t i = 0; i < tokens * cols; ++i) {
    c.biased.push_back(static_cast<std::uint8_t>(between(random, 0, 255)));
  }
  for (std::int64_t i = 0; zero_points && i < tokens; ++i) {
    c.zero_points.push_back(static_cast<std::int32_t>(between(random, 0, 255)));
  }
  return c;
}

/// Plain integers: the sums of a product, and whole rows, whatever the registers start from.
struct Integers {
  std::vector<std::int64_t> sums;   // [tokens, rows, outputs]
  std::vector<std::int64_t> whole;  // [tokens, rows]
};

Integers integers_of(const Case& c) {
  Integers result;
  const std::size_t last = c.topology.stages() - 1;
  for (std::int64_t i = 0; i < c.tokens; ++i) {
    const std::int64_t z = c.zero_points.empty() ? 0 : c.zero_points[static_cast<std::size_t>(i)];
    for (std::int64_t r = 0; r < c.layer.rows; ++r) {
      std::vector<std::int64_t> sum = several<std::int64_t>(c.outputs(), 0);
      std::int64_t constant = c.layer.bias[static_cast<std::size_t>(r)], all = 0;
      for (std::int64_t k = 0; k < c.layer.cols; ++k) {
        const std::int64_t w = c.layer.row(r)[k];
        const std::int64_t product = w * (c.biased[static_cast<std::size_t>(i * c.layer.cols + k)] + c.base);
        constant += w * (c.layer.offset[static_cast<std::size_t>(k)] - z);
        sum[static_cast<std::size_t>(c.topology.node_of_product(last, k))] += product;
        all += product;
      }
      for (const std::int64_t s : sum) {
        result.sums.push_back(s + (c.topology.starts_from_constant() ? constant : 0));
      }
      result.whole.push_back(all + constant);
    }
  }
  return result;
}

/// Calls check(multiply) for every kernel that multiplies the case without overflow; multiply(epilogue, threads).
template <class Check>
void for_each_kernel(const Case& c, const Check& check) {
  const auto small =
      std::all_of(c.layer.weights.begin(), c.layer.weights.end(), [](int w) { return w >= -8 && w <= 7; });
  const std::optional<Licence> licence = LicenceOffice::longest_tile(c.layer, c.topology);
  REQUIRE(licence);
  for (const Target target : targets()) {
    CAPTURE(to_text(target));
    for (const int threads : {1, 3}) {
      CAPTURE(threads);
      const ExactProduct exact(c.layer, c.topology, target);
      check([&](const Epilogue& epilogue) { exact.multiply_into(c.operands(), epilogue, threads); });
      const DatapathProduct stepped(c.layer, c.topology, target);
      check([&](const Epilogue& epilogue) { CHECK(stepped.multiply_into(c.operands(), epilogue, threads) == 0); });
      for (const WeightPacking packing : {WeightPacking::bytes, WeightPacking::nibbles}) {
        if (packing == WeightPacking::bytes || small) {
          const CertifiedProduct certified(*licence, c.layer, c.topology, packing, target);
          check([&](const Epilogue& epilogue) { certified.multiply_into(c.operands(), epilogue, threads); });
        }
      }
    }
  }
}

/// One number after the other; rounded first, then clamped, in double precision where nothing rounds.
template <class Code>
Code requantized(std::int64_t sum, float multiplier, std::int32_t zero_point) {
  const float scaled = static_cast<float>(sum) * multiplier;
  const double code = std::nearbyint(static_cast<double>(scaled)) + zero_point;  // halves to even
  return static_cast<Code>(
      std::clamp<double>(code, std::numeric_limits<Code>::min(), std::numeric_limits<Code>::max()));
}

template <class Code>
void check_requantized(const Case& c, const Integers& integers, const std::vector<float>& multipliers,
                       std::int32_t zero_point) {
  std::vector<Code> wanted;
  for (std::size_t i = 0; i < integers.whole.size(); ++i) {
    const std::size_t row = i % static_cast<std::size_t>(c.layer.rows);
    wanted.push_back(requantized<Code>(integers.whole[i], multipliers[multipliers.size() == 1 ? 0 : row], zero_point));
  }
  for_each_kernel(c, [&](const auto& multiply) {
    std::vector<Code> out(wanted.size(), Code{77});
    multiply(Requantized<Code>{out, multipliers, zero_point});
    CHECK(out == wanted);
  });
}

/// What Scaled says, as a pass of its own over sums in memory.
struct ScaledInputs {
  std::vector<double> token_scales, scales, constants, weight_sums;
  std::vector<std::int32_t> zero_points;
  std::vector<float> bias, outlier_inputs, outlier_weights;
  std::size_t outliers = 0;
};

std::vector<float> two_passes(const Case& c, const Integers& integers, const ScaledInputs& with) {
  const auto rows = static_cast<std::size_t>(c.layer.rows), outputs = static_cast<std::size_t>(c.outputs());
  std::vector<float> y;
  for (std::size_t i = 0; i < static_cast<std::size_t>(c.tokens); ++i) {
    for (std::size_t r = 0; r < rows; ++r) {
      double total = 0;
      for (std::size_t o = 0; o < outputs; ++o) {
        auto value = static_cast<double>(integers.sums[(i * rows + r) * outputs + o]);
        value += with.constants.empty() ? 0 : with.constants[r * outputs + o];
        value -= with.weight_sums.empty() ? 0 : with.zero_points[i] * with.weight_sums[r * outputs + o];
        const double scaled = with.scales[r * outputs + o] * value;
        total = outputs == 1 ? scaled : total + scaled;
      }
      total *= with.token_scales[i];
      total += with.bias.empty() ? 0 : static_cast<double>(with.bias[r]);
      for (std::size_t j = 0; j < with.outliers; ++j) {
        total += static_cast<double>(with.outlier_inputs[i * with.outliers + j]) *
                 static_cast<double>(with.outlier_weights[r * with.outliers + j]);
      }
      y.push_back(static_cast<float>(total));
    }
  }
  return y;
}

void check_scaled(Random& random, const Case& c, const Integers& integers, bool optional, std::size_t outliers) {
  std::uniform_real_distribution<double> number(-1, 1);
  const auto fill = [&](auto& values, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      values.push_back(static_cast<typename std::decay_t<decltype(values)>::value_type>(number(random)));
    }
  };
  ScaledInputs with;
  fill(with.token_scales, c.tokens);
  fill(with.scales, c.layer.rows * c.outputs());
  if (optional) {
    for (std::int64_t i = 0; i < c.layer.rows * c.outputs(); ++i) {
      with.constants.push_back(static_cast<double>(between(random, -100000, 100000)));
      with.weight_sums.push_back(static_cast<double>(between(random, -1000, 1000)));
    }
    for (std::int64_t i = 0; i < c.tokens; ++i) {
      with.zero_points.push_back(static_cast<std::int32_t>(between(random, 0, 255)));
    }
    fill(with.bias, c.layer.rows);
  }
  with.outliers = outliers;
  const auto wide = static_cast<std::int64_t>(outliers);
  fill(with.outlier_inputs, c.tokens * wide);
  fill(with.outlier_weights, c.layer.rows * wide);
  const std::vector<float> wanted = two_passes(c, integers, with);
  for_each_kernel(c, [&](const auto& multiply) {
    std::vector<float> out(wanted.size(), NAN);
    multiply(Scaled{out, with.token_scales, with.scales, with.constants, with.weight_sums, with.zero_points, with.bias,
                    outliers, with.outlier_inputs, with.outlier_weights});
    CHECK(out == wanted);  // bit for bit but for the sign of a zero
  });
}

}  // namespace

TEST_CASE("every epilogue on ragged shapes, operand forms and registers that start from the constant or do not") {
  Random random(21);
  int started = 0;
  int trial = 0;
  for (const char* datapath : {"axe:P=24,T=64", "axe:P=32", "axe:P=24,T=16,outer=float", "onnx-matmulinteger"}) {
    for (const auto& [tokens, cols, rows] : {std::tuple{1, 1, 1}, {2, 7, 31}, {13, 100, 33}, {25, 130, 70}}) {
      CAPTURE(std::string(datapath));
      CAPTURE(tokens);
      CAPTURE(cols);
      CAPTURE(rows);
      const std::int32_t base = std::string(datapath) == "onnx-matmulinteger" ? 0 : trial % 2 == 0 ? 0 : -128;
      const Case c = make_case(random, datapath, tokens, cols, rows, base, trial % 3 != 0, trial % 4 == 3 ? 20 : 7);
      ++trial;
      started += c.topology.starts_from_constant() ? 1 : 0;
      const Integers integers = integers_of(c);
      for_each_kernel(c, [&](const auto& multiply) {
        std::vector<std::int64_t> sums(integers.sums.size(), -1);
        multiply(Sums{sums});
        CHECK(sums == integers.sums);
        std::vector<std::int32_t> narrow(integers.sums.size(), -1);
        multiply(Sums32{narrow});
        CHECK(std::equal(narrow.begin(), narrow.end(), integers.sums.begin(), integers.sums.end()));
      });
      check_scaled(random, c, integers, false, 0);
      check_scaled(random, c, integers, true, 3);
      std::vector<float> multipliers = several(c.layer.rows, 0.0F);
      for (float& m : multipliers) {
        m = static_cast<float>(std::exp2(static_cast<double>(between(random, -14, -2)))) *
            static_cast<float>(between(random, 1000, 1999)) / 1024;
      }
      check_requantized<std::int8_t>(c, integers, multipliers, static_cast<std::int32_t>(between(random, -128, 127)));
      check_requantized<std::uint8_t>(c, integers, multipliers, static_cast<std::int32_t>(between(random, 0, 255)));
    }
  }
  CHECK(started > 0);
  CHECK(started < trial);
}

TEST_CASE("rows so long that sums wait for the rest of a row") {
  Random random(22);
  for (const char* datapath : {"axe:P=32", "axe:P=24,T=2500,outer=float"}) {
    CAPTURE(std::string(datapath));
    const Case c = make_case(random, datapath, 50, 8300, 35, -128, true, 3);
    const Integers integers = integers_of(c);
    check_scaled(random, c, integers, true, 0);
    check_requantized<std::int8_t>(c, integers, {0.002F}, 5);
  }
}

TEST_CASE("requantization: every tie, both ends, and the last float32 bit") {
  Random random(23);
  // One product of 1 · x per row and a constant of the row's own: the integers are what the bias says.
  std::vector<std::int64_t> sums;
  for (std::int64_t s = -1100; s <= 1100; ++s) {
    sums.push_back(s);
  }
  for (const std::int64_t s : {std::int64_t{1} << 24, (std::int64_t{1} << 24) + 1, (std::int64_t{1} << 24) + 3,
                               std::int64_t{INT32_MAX}, std::int64_t{INT32_MIN}, std::int64_t{1} << 40}) {
    sums.push_back(s);
    sums.push_back(-s);
  }
  Case c = make_case(random, "axe:P=64,T=1,outer=64", 1, 1, static_cast<std::int64_t>(sums.size()), 0, false, 0);
  c.layer.bias = sums;
  Integers integers{sums, sums};
  int ties = 0;
  for (const float multiplier : {0.5F, 0.25F, 0.75F, 1.0F, 0.1F, 0x1p-20F, 0x1p-24F, 1e30F, 1e-30F, 3.4e38F}) {
    CAPTURE(multiplier);
    for (const std::int64_t s : sums) {
      const float scaled = static_cast<float>(s) * multiplier;
      ties += std::abs(scaled) < 1000 && std::abs(scaled - std::trunc(scaled)) == 0.5F ? 1 : 0;
    }
    for (const std::int32_t zero_point : {0, 1, 127}) {
      check_requantized<std::uint8_t>(c, integers, {multiplier}, zero_point);
      check_requantized<std::int8_t>(c, integers, {multiplier}, zero_point);
      check_requantized<std::int8_t>(c, integers, {multiplier}, -1 - zero_point);
    }
  }
  CHECK(ties > 1000);
  // By hand: halves go to the even neighbour, not away from zero.
  CHECK(requantized<std::int8_t>(1, 0.5F, 0) == 0);
  CHECK(requantized<std::int8_t>(3, 0.5F, 0) == 2);
  CHECK(requantized<std::int8_t>(-5, 0.5F, 0) == -2);
  CHECK(requantized<std::uint8_t>(-5, 1.0F, 3) == 0);
  CHECK(requantized<std::uint8_t>(300, 1.0F, 3) == 255);
}

TEST_CASE("bad epilogues are refused with the layer's name, and nothing is written") {
  Random random(24);
  const Case c = make_case(random, "axe:P=32", 2, 9, 3, 0, false, 3);
  const ExactProduct exact(c.layer, c.topology);
  const DatapathProduct stepped(c.layer, c.topology);
  const auto refused = [&](const Epilogue& epilogue, const char* word) {
    CHECK_THROWS_WITH_AS(exact.multiply_into(c.operands(), epilogue), doctest::Contains(word), InputError);
    CHECK_THROWS_WITH_AS(exact.multiply_into(c.operands(), epilogue), doctest::Contains("epilogue.test"), InputError);
    CHECK_THROWS_WITH_AS(stepped.multiply_into(c.operands(), epilogue), doctest::Contains(word), InputError);
  };
  std::vector<std::uint8_t> codes(6, 42);
  std::vector<float> one{1.0F}, two{1.0F, 1.0F}, zero{0.0F}, infinite{INFINITY}, nan{NAN};
  refused(Requantized<std::uint8_t>{codes, two, 0}, "multipliers");
  refused(Requantized<std::uint8_t>{codes, zero, 0}, "multiplier 0");
  refused(Requantized<std::uint8_t>{codes, infinite, 0}, "multiplier inf");
  refused(Requantized<std::uint8_t>{codes, nan, 0}, "multiplier nan");
  refused(Requantized<std::uint8_t>{codes, one, 256}, "zero point 256");
  refused(Requantized<std::uint8_t>{codes, one, -1}, "zero point -1");
  refused(Requantized<std::uint8_t>{std::span(codes).first(5), one, 0}, "room");
  std::vector<float> y(6, 42.0F);
  const std::vector<double> tokens(2, 1.0), rows(3, 1.0);
  Scaled scaled;
  scaled.out = y;
  scaled.token_scales = tokens;
  scaled.scales = rows;
  scaled.weight_sums = rows;
  refused(scaled, "zero points");
  scaled.weight_sums = {};
  scaled.scales = tokens;
  refused(scaled, "scales of rows");
  scaled.scales = rows;
  scaled.outliers = 1;
  refused(scaled, "outlying inputs");
  CHECK(codes == std::vector<std::uint8_t>(6, 42));
  CHECK(y == std::vector<float>(6, 42.0F));

  // 2^23 · 255 · 1 < 2^31 by one row's Σ|w| = 8; a constant of 2^31 is one too far, whatever the operands.
  std::vector<std::int32_t> sums(6, 42);
  IntegerLayer large = c.layer;
  large.offset.clear();
  large.bias = {0, 0, std::int64_t{INT32_MAX}};
  std::fill(large.weights.begin(), large.weights.end(), std::int8_t{0});
  ExactProduct(large, c.topology).multiply_into(c.operands(), Sums32{sums});
  CHECK(sums[2] == INT32_MAX);
  sums.assign(6, 42);
  large.bias[2] += 1;
  CHECK_THROWS_WITH_AS(ExactProduct(large, c.topology).multiply_into(c.operands(), Sums32{sums}),
                       doctest::Contains("do not fit 32 bits"), InputError);
  CHECK(sums == std::vector<std::int32_t>(6, 42));
}

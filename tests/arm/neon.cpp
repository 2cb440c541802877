// The integer products on a 64-bit ARM processor, or in an emulator of one: exact, stepped and certified ones and what becomes of their sums,
// against plain 64-bit sums, over operand forms, ragged shapes, tiles, packings, extremes and weights that put lanes on the limit of 16 bits.
//
// The first argument names the targets that have to be there; anything else is an error, so that nothing is left out in silence.
// Requirements: TOR-502.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "axecert/kernel/certified_product.hpp"
#include "axecert/kernel/datapath_product.hpp"
#include "axecert/kernel/exact_product.hpp"
#include "axecert/kernel/tile_loops.hpp"
#include "axecert/licence/licence_office.hpp"

using namespace axe;

namespace {

using Random = std::mt19937_64;

std::int64_t between(Random& random, std::int64_t lower, std::int64_t upper) {
  return lower + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(upper - lower + 1));
}

struct Case {
  IntegerLayer layer;
  Topology topology;
  std::vector<std::uint8_t> biased;
  std::vector<std::int32_t> zero_points;
  std::int64_t tokens;
  std::int32_t base;
  Operands operands() const { return {biased, tokens, base, zero_points}; }
};

enum class Codes { any, ends };

Case make_case(Random& random, const std::string& datapath, std::int64_t tokens, std::int64_t cols, std::int64_t rows,
               std::int32_t base, int most_weight, Codes codes) {
  Case c{{}, Topology(parse_datapath(datapath), cols), {}, {}, tokens, base};
  c.layer.name = "arm.test";
  c.layer.rows = rows;
  c.layer.cols = cols;
  c.layer.box_lower = {base};
  c.layer.box_upper = {base + 255};
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    const std::int64_t least = most_weight == 127 ? -128 : -most_weight;
    const std::int64_t kind = between(random, 0, 9);
    c.layer.weights.push_back(static_cast<std::int8_t>(kind == 0   ? least
                                                       : kind == 1 ? most_weight
                                                                   : between(random, least, most_weight)));
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    c.layer.bias.push_back(between(random, -100000, 100000));
  }
  for (std::int64_t i = 0; i < tokens * cols; ++i) {
    c.biased.push_back(
        static_cast<std::uint8_t>(codes == Codes::any ? between(random, 0, 255) : between(random, 0, 1) * 255));
  }
  for (std::int64_t i = 0; i < tokens; ++i) {
    c.zero_points.push_back(static_cast<std::int32_t>(between(random, 0, 255)));
  }
  return c;
}

/// [tokens, rows, outputs]
std::vector<std::int64_t> sums_of(const Case& c) {
  std::vector<std::int64_t> sums;
  const std::size_t last = c.topology.stages() - 1;
  for (std::int64_t i = 0; i < c.tokens; ++i) {
    for (std::int64_t r = 0; r < c.layer.rows; ++r) {
      std::vector<std::int64_t> sum(static_cast<std::size_t>(c.topology.nodes(last)), 0);
      std::int64_t constant = c.layer.bias[static_cast<std::size_t>(r)];
      for (std::int64_t k = 0; k < c.layer.cols; ++k) {
        const std::int64_t w = c.layer.row(r)[k];
        constant -= w * c.zero_points[static_cast<std::size_t>(i)];
        sum[static_cast<std::size_t>(c.topology.node_of_product(last, k))] +=
            w * (c.biased[static_cast<std::size_t>(i * c.layer.cols + k)] + c.base);
      }
      for (const std::int64_t s : sum) {
        sums.push_back(s + (c.topology.starts_from_constant() ? constant : 0));
      }
    }
  }
  return sums;
}

void check_exact(const Case& c) {
  const std::vector<std::int64_t> wanted = sums_of(c);
  for (const Target target : targets()) {
    CAPTURE(to_text(target));
    std::vector<std::int64_t> sums(wanted.size(), -1);
    ExactProduct(c.layer, c.topology, target).multiply(c.operands(), sums, 2);
    CHECK(sums == wanted);
  }
}

void check_certified(const Case& c, const Licence& licence) {
  const std::vector<std::int64_t> wanted = sums_of(c);
  const bool small =
      std::all_of(c.layer.weights.begin(), c.layer.weights.end(), [](int w) { return w >= -8 && w <= 7; });
  for (const Target target : targets()) {
    for (const WeightPacking packing : {WeightPacking::bytes, WeightPacking::nibbles}) {
      if (packing == WeightPacking::bytes || small) {
        CAPTURE(to_text(target));
        CAPTURE(to_text(packing));
        std::vector<std::int64_t> sums(wanted.size(), -1);
        CertifiedProduct(licence, c.layer, c.topology, packing, target).multiply(c.operands(), sums, 2);
        CHECK(sums == wanted);
      }
    }
  }
}

}  // namespace

TEST_CASE("exact and stepped products: every operand form, ragged shapes, the largest operands and weights") {
  Random random(1);
  int trial = 0;
  std::int64_t overflows = 0;
  for (const auto& [tokens, cols, rows] :
       {std::tuple{1, 1, 1}, {1, 300, 70}, {2, 31, 33}, {7, 130, 32}, {13, 64, 65}, {14, 2500, 3}, {29, 100, 40}}) {
    for (const char* datapath : {"axe:P=16,T=64", "axe:P=18,T=16,outer=float", "axe:P=32"}) {
      const std::int32_t base =
          std::vector<std::int32_t>{0, -128, -77, 5, 1 << 20}[static_cast<std::size_t>(trial) % 5];
      CAPTURE(std::string(datapath));
      CAPTURE(tokens);
      CAPTURE(cols);
      CAPTURE(base);
      Case c = make_case(random, datapath, tokens, cols, rows, base, trial % 4 == 0 ? 64 : 127,
                         trial % 2 == 0 ? Codes::any : Codes::ends);
      c.layer.box_lower = {-(1 << 24)};
      c.layer.box_upper = {1 << 24};
      check_exact(c);
      std::vector<std::int64_t> expected(sums_of(c).size()), contents(expected);
      const std::int64_t left = DatapathProduct(c.layer, c.topology, Target::portable).multiply(c.operands(), expected);
      overflows += left;
      for (const Target target : targets()) {
        CAPTURE(to_text(target));
        CHECK(DatapathProduct(c.layer, c.topology, target).multiply(c.operands(), contents, 2) == left);
        CHECK(contents == expected);
      }
      ++trial;
    }
  }
  CHECK(overflows > 0);
}

TEST_CASE("sums that the narrowest step of each loop could lose: the largest bytes of one sign") {
  Random random(2);
  for (const int code : {0, 255}) {
    for (const int weight : {-128, 127}) {
      Case c = make_case(random, "axe:P=32", 3, 2051, 33, 0, 127, Codes::any);
      std::fill(c.biased.begin(), c.biased.end(), static_cast<std::uint8_t>(code));
      std::fill(c.layer.weights.begin(), c.layer.weights.end(), static_cast<std::int8_t>(weight));
      check_exact(c);
    }
  }
}

TEST_CASE("certified products: every tile, base and packing, ragged shapes, and lanes that end on the limit") {
  Random random(3);
  int issued = 0;
  for (const std::int64_t tile : {16, 32, 64, 128}) {
    for (const std::int32_t base : {0, -128, -77}) {
      for (const int most : {3, 7, 20}) {
        for (const auto& [tokens, cols, rows] : {std::tuple{1, 129, 35}, {5, 77, 33}, {14, 300, 31}, {13, 2100, 2}}) {
          const Case c = make_case(random, cols == 300 ? "axe:P=24,T=48,outer=float" : "axe:P=32", tokens, cols, rows,
                                   base, most, rows % 2 == 0 ? Codes::ends : Codes::any);
          const auto licence = LicenceOffice::issue(c.layer, c.topology, base, tile).licence;
          if (licence) {
            ++issued;
            check_certified(c, *licence);
          }
        }
      }
    }
  }
  CHECK(issued > 60);

  // One row whose lanes are 32767 and −32768 for the largest codes, 64 products each: 63 · 2 · 255 + 7 · 91, −(62 · 2 · 255 + 7 · 164).
  Case limit = make_case(random, "axe:P=32", 1, 128, 1, 0, 0, Codes::any);
  for (std::size_t k = 0; k < 128; ++k) {
    limit.layer.weights[k] = k % 4 < 2 ? 2 : -2;
  }
  limit.layer.box_lower.assign(128, 0);
  limit.layer.box_upper.assign(128, 255);
  limit.layer.weights[0] = 7;
  limit.layer.box_upper[0] = 91;
  limit.layer.weights[2] = -7;
  limit.layer.box_upper[2] = 164;
  limit.layer.weights[3] = 0;
  limit.biased.assign(limit.layer.box_upper.begin(), limit.layer.box_upper.end());
  const auto on_limit = LicenceOffice::issue(limit.layer, limit.topology, 0, 128).licence;
  REQUIRE(on_limit);
  check_certified(limit, *on_limit);
  for (const std::size_t k : {std::size_t{0}, std::size_t{2}}) {  // one code more, and no licence
    ++limit.layer.box_upper[k];
    CHECK_FALSE(LicenceOffice::issue(limit.layer, limit.topology, 0, 128).licence);
    --limit.layer.box_upper[k];
  }
}

TEST_CASE("without a licence the lanes wrap") {
  using namespace axe::kernel;
  for (const Target target : targets()) {
    if (target == Target::portable) {
      continue;
    }
    CAPTURE(to_text(target));
    const TileLoops& loops = tile_loops_of(target);
    REQUIRE(loops.offset == 128);
    Aligned<std::uint8_t> line(line_stride, std::uint8_t{127});  // as a signed byte
    const Aligned<std::int8_t> weights(16 * panel_rows, std::int8_t{127});
    alignas(cache_line) std::int32_t sums[panel_rows];
    TileWork work;
    work.activations = line.data();
    work.tokens = 1;
    work.weights = weights.data();
    work.first = work.tile = work.products = 16;
    loops.bytes(work, sums);
    CHECK(sums[31] == 16 * 127 * 127 - 2 * 2 * 65536);  // each lane: 8 · 16129 = 129032 = 2 · 65536 − 2040
  }
}

TEST_CASE("scaled and requantized sums are those of a second pass") {
  Random random(4);
  for (const auto& [tokens, cols, rows] : {std::tuple{1, 9, 3}, {13, 130, 35}}) {
    const Case c = make_case(random, "axe:P=24,T=64", tokens, cols, rows, -128, 7, Codes::any);
    const std::vector<std::int64_t> sums = sums_of(c);
    const std::vector<double> token_scales(static_cast<std::size_t>(tokens), 0.0173),
        scales(static_cast<std::size_t>(rows), 0.31);
    const std::vector<float> bias(static_cast<std::size_t>(rows), 0.25F), multiplier{0.001953125F};
    std::vector<float> floats, y(sums.size());
    std::vector<std::int8_t> codes, out(sums.size());
    for (const std::int64_t s : sums) {
      floats.push_back(static_cast<float>(0.31 * static_cast<double>(s) * 0.0173 + 0.25));
      const float rounded = std::nearbyint(static_cast<float>(s) * multiplier[0]);
      codes.push_back(static_cast<std::int8_t>(std::clamp(rounded + 3, -128.0F, 127.0F)));
    }
    Scaled scaled;
    scaled.out = y;
    scaled.token_scales = token_scales;
    scaled.scales = scales;
    scaled.bias = bias;
    for (const Target target : targets()) {
      CAPTURE(to_text(target));
      const ExactProduct product(c.layer, c.topology, target);
      product.multiply_into(c.operands(), scaled);
      CHECK(y == floats);
      product.multiply_into(c.operands(), Requantized<std::int8_t>{out, multiplier, 3});
      CHECK(out == codes);
    }
  }
}

int main(int argc, char** argv) {
  std::string names;
  for (const Target target : targets()) {
    names += (names.empty() ? "" : " ") + to_text(target);
  }
  std::cout << "targets: " << names << "\n";
  if (argc != 2 || names != argv[1]) {
    std::cerr << "these targets have to be there: " << (argc == 2 ? argv[1] : "give them as the only argument") << "\n";
    return 1;
  }
  return doctest::Context().run();
}

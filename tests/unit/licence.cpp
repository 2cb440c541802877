// The 16-bit products and the licences that they need: against plain 64-bit sums on every target, tile, packing, operand form and
// ragged shape; on witnesses that land exactly on the register's limit; and one step beyond it, where no licence is issued and the
// loops, called without one, are wrong.
// Requirements: TOR-502.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "axecert/kernel/certified_product.hpp"
#include "axecert/kernel/exact_product.hpp"
#include "axecert/kernel/tile_loops.hpp"
#include "axecert/licence/licence_office.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/smt/smt.hpp"

using namespace axe;

// The type system: a licence can be copied, not invented, and a certified product cannot be made without one.
static_assert(!std::is_default_constructible_v<Licence>);
static_assert(!std::is_constructible_v<Licence, std::string, Sha256, Sha256, std::int64_t, std::int32_t>);
static_assert(std::is_copy_constructible_v<Licence>);
static_assert(!std::is_constructible_v<CertifiedProduct, const IntegerLayer&, const Topology&>);
static_assert(std::is_constructible_v<ExactProduct, const IntegerLayer&, const Topology&>);

namespace {

using Random = std::mt19937_64;
constexpr std::int64_t tiles[] = {16, 32, 64, 128};

std::int64_t between(Random& random, std::int64_t lower, std::int64_t upper) {
  return lower + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(upper - lower + 1));
}

IntegerLayer layer_of(std::int64_t rows, std::int64_t cols, std::int32_t lower, std::int32_t upper) {
  IntegerLayer layer;
  layer.name = "licence.test";
  layer.rows = rows;
  layer.cols = cols;
  layer.weights.assign(static_cast<std::size_t>(rows * cols), 0);
  layer.box_lower = {lower};
  layer.box_upper = {upper};
  return layer;
}

struct Batch {
  std::vector<std::uint8_t> biased;
  std::vector<std::int32_t> zero_points;
  Operands operands() const { return {biased, static_cast<std::int64_t>(tokens), base, zero_points}; }
  std::size_t tokens = 0;
  std::int32_t base = 0;
};

/// Σ w x, the constant and the zero point in plain 64-bit integers: [tokens, rows, outputs].
std::vector<std::int64_t> sums_of(const IntegerLayer& layer, const Topology& topology, const Batch& batch) {
  const std::size_t last = topology.stages() - 1;
  bool starts_from_constant = false;
  for (std::size_t s = 0; s <= last; ++s) {
    starts_from_constant = starts_from_constant || topology.stage(s).initial == Initial::constant;
  }
  std::vector<std::int64_t> sums;
  for (std::size_t i = 0; i < batch.tokens; ++i) {
    for (std::int64_t r = 0; r < layer.rows; ++r) {
      std::vector<std::int64_t> sum(static_cast<std::size_t>(topology.nodes(last)), 0);
      std::int64_t constant = layer.bias.empty() ? 0 : layer.bias[static_cast<std::size_t>(r)];
      for (std::int64_t k = 0; k < layer.cols; ++k) {
        const std::int64_t w = layer.row(r)[k];
        const std::int64_t offset = layer.offset.empty() ? 0 : layer.offset[static_cast<std::size_t>(k)];
        constant += w * (offset - (batch.zero_points.empty() ? 0 : batch.zero_points[i]));
        sum[static_cast<std::size_t>(topology.node_of_product(last, k))] +=
            w * (batch.biased[i * static_cast<std::size_t>(layer.cols) + static_cast<std::size_t>(k)] + batch.base);
      }
      for (const std::int64_t s : sum) {
        sums.push_back(s + (starts_from_constant ? constant : 0));
      }
    }
  }
  return sums;
}

/// Both packings that the weights allow, on every target and numbers of threads, against `sums_of`.
void check_product(const Licence& licence, const IntegerLayer& layer, const Topology& topology, const Batch& batch) {
  const std::vector<std::int64_t> wanted = sums_of(layer, topology, batch);
  const bool small = std::all_of(layer.weights.begin(), layer.weights.end(), [](int w) { return w >= -8 && w <= 7; });
  for (const Target target : targets()) {
    for (const WeightPacking packing : {WeightPacking::bytes, WeightPacking::nibbles}) {
      if (packing == WeightPacking::nibbles && !small) {
        CHECK_THROWS_AS(CertifiedProduct(licence, layer, topology, packing, target), InputError);
        continue;
      }
      CAPTURE(to_text(target));
      CAPTURE(to_text(packing));
      const CertifiedProduct product(licence, layer, topology, packing, target);
      for (const int threads : {1, 3}) {
        std::vector<std::int64_t> sums(wanted.size(), INT64_MIN);
        product.multiply(batch.operands(), sums, threads);
        CHECK(sums == wanted);
      }
    }
  }
}

/// Weights for a box around 0 or not, as large as the pairs and the lanes of a tile allow: drawn, then made smaller row by row until
/// a licence is issued.
struct Case {
  IntegerLayer layer;
  Licence licence;
};

Case licensed_layer(Random& random, std::int64_t rows, std::int64_t cols, std::int32_t base, std::int64_t tile,
                    const Topology& topology, int most) {
  IntegerLayer layer = layer_of(rows, cols, base, base + 255);
  layer.box_lower.assign(static_cast<std::size_t>(cols), 0);
  layer.box_upper = layer.box_lower;
  for (std::size_t k = 0; k < layer.box_lower.size(); ++k) {
    const std::int64_t a = between(random, base, base + 255);
    const std::int64_t b = between(random, base, base + 255);
    const bool full = random() % 4 == 0;
    layer.box_lower[k] = static_cast<std::int32_t>(full ? base : std::min(a, b));
    layer.box_upper[k] = static_cast<std::int32_t>(full ? base + 255 : std::max(a, b));
    layer.offset.push_back(static_cast<std::int32_t>(between(random, -200, 200)));
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    layer.bias.push_back(between(random, -100000, 100000));
  }
  for (;; most /= 2) {
    REQUIRE(most > 0);
    for (std::int8_t& w : layer.weights) {
      w = static_cast<std::int8_t>(between(random, -most - 1, most));
    }
    LicenceDecision decision = LicenceOffice::issue(layer, topology, base, tile);
    if (decision.licence) {
      CHECK(decision.vote.verdict == Verdict::safe);
      return {std::move(layer), *decision.licence};
    }
    CHECK(decision.vote.verdict == Verdict::unsafe);
  }
}

/// `ends`: every operand at one end of its channel's box.
Batch batch_of(Random& random, const IntegerLayer& layer, std::int32_t base, std::size_t tokens, bool ends) {
  Batch batch;
  batch.tokens = tokens;
  batch.base = base;
  for (std::size_t i = 0; i < tokens; ++i) {
    for (std::int64_t k = 0; k < layer.cols; ++k) {
      const std::int64_t x = ends ? (random() % 2 == 0 ? layer.lower(k) : layer.upper(k))
                                  : between(random, layer.lower(k), layer.upper(k));
      batch.biased.push_back(static_cast<std::uint8_t>(x - base));
    }
    batch.zero_points.push_back(static_cast<std::int32_t>(between(random, 0, 255)));
  }
  if (random() % 2 == 0) {
    batch.zero_points.clear();
  }
  return batch;
}

}  // namespace

TEST_CASE("every target, tile, packing, operand form and ragged shape against 64-bit sums") {
  Random random(1);
  const char* shorthands[] = {"axe:P=16,T=64", "axe:P=16,T=128,outer=float", "axe:P=16,T=13,outer=float", "axe:P=16"};
  for (const std::int64_t tile : tiles) {
    for (const std::int64_t cols : {1, 7, 16, 100, 200, 576}) {
      for (const std::int64_t rows : {1, 33, 70}) {
        for (const std::int32_t base : {0, -128, -77, 5}) {
          const char* shorthand = shorthands[random() % 4];
          const Topology topology(parse_datapath(shorthand), cols);
          const auto tokens = static_cast<std::size_t>(between(random, 1, 16));
          CAPTURE(tile);
          CAPTURE(cols);
          CAPTURE(rows);
          CAPTURE(base);
          CAPTURE(shorthand);
          const Case of = licensed_layer(random, rows, cols, base, tile, topology, random() % 2 == 0 ? 7 : 127);
          CHECK(of.licence.tile() == tile);
          check_product(of.licence, of.layer, topology, batch_of(random, of.layer, base, tokens, false));
          check_product(of.licence, of.layer, topology, batch_of(random, of.layer, base, tokens % 3 + 1, true));
        }
      }
    }
  }
}

TEST_CASE("a limit of the inputs licenses weights that their box alone would not, and the product holds every token against it") {
  Random random(5);
  for (const char* shorthand : {"axe:P=16,T=128,act=s8", "axe:P=16,T=32,act=s8", "axe:P=18,act=s8"}) {
    const Topology topology(parse_datapath(shorthand), 300);
    IntegerLayer layer = layer_of(33, 300, -128, 127);
    for (std::int8_t& w : layer.weights) {
      w = static_cast<std::int8_t>(random() % 3 == 0 ? 7 : -8);
    }
    CHECK_FALSE(LicenceOffice::issue(layer, topology, -128, 128).licence);
    const std::int64_t registers = std::string(shorthand) == "axe:P=16,T=32,act=s8" ? 4 : 1;  // that one lane meets
    layer.input_limit = 32767 / 8 / registers + 1;
    CHECK_FALSE(LicenceOffice::issue(layer, topology, -128, 128).licence);
    --layer.input_limit;
    const LicenceDecision decision = LicenceOffice::issue(layer, topology, -128, 128);
    REQUIRE(decision.licence);
    // Inputs that use the limit up, in each register of the lowest stage, at the ends of the box.
    Batch batch;
    batch.base = -128;
    batch.tokens = 5;
    for (std::size_t i = 0; i < batch.tokens; ++i) {
      std::vector<std::int64_t> left(static_cast<std::size_t>(topology.nodes(0)), layer.input_limit);
      for (std::int64_t k = 0; k < layer.cols; ++k) {
        std::int64_t& rest = left[static_cast<std::size_t>(topology.node_of_product(0, k))];
        const std::int64_t end = i == 0 ? (layer.row(0)[k] > 0 ? 127 : -128) : i == 1 ? (layer.row(0)[k] > 0 ? -127 : 127)
                                                                                     : between(random, -128, 127);
        const std::int64_t x = std::clamp(end, -rest, rest);
        rest -= std::abs(x);
        batch.biased.push_back(static_cast<std::uint8_t>(x + 128));
      }
    }
    check_product(*decision.licence, layer, topology, batch);
    // One step more in a register is refused, though it is inside the box.
    for (std::size_t k = 0; k < 300; ++k) {
      batch.biased[2 * 300 + k] = 255;
    }
    std::vector<std::int64_t> sums(5 * 33 * static_cast<std::size_t>(topology.nodes(topology.stages() - 1)));
    const CertifiedProduct product(*decision.licence, layer, topology);
    CHECK_THROWS_WITH_AS(product.multiply(batch.operands(), sums), doctest::Contains("token 2"), InputError);
    // The licence is for this limit alone.
    IntegerLayer other = layer;
    other.input_limit = 0;
    CHECK_THROWS_AS(CertifiedProduct(*decision.licence, other, topology), InputError);
    ++(other.input_limit = layer.input_limit);
    CHECK_THROWS_AS(CertifiedProduct(*decision.licence, other, topology), InputError);
  }
}

TEST_CASE("rows longer than an activation buffer, more tokens than one block") {
  Random random(2);
  for (const char* shorthand : {"axe:P=16,T=64", "axe:P=16,T=500,outer=float"}) {
    const Topology topology(parse_datapath(shorthand), 4500);
    const Case of = licensed_layer(random, 3, 4500, -128, 128, topology, 7);
    check_product(of.licence, of.layer, topology, batch_of(random, of.layer, -128, 201, true));
  }
}

TEST_CASE("the longest sums of one sign") {
  const std::int64_t cols = 70000;
  IntegerLayer layer = layer_of(2, cols, 0, 255);
  std::fill_n(layer.weights.begin(), cols, std::int8_t{-8});
  std::fill_n(layer.weights.begin() + cols, cols, std::int8_t{7});
  const Topology topology(parse_datapath("axe:P=33"), cols);
  const LicenceDecision decision = LicenceOffice::issue(layer, topology, 0, 32);
  REQUIRE(decision.licence);
  Batch batch;
  batch.tokens = 1;
  batch.biased.assign(static_cast<std::size_t>(cols), 255);
  check_product(*decision.licence, layer, topology, batch);
}

namespace {

/// One row of one tile whose first lane sums to `lane` when every operand is at the end of the box away from 0, in weights of at
/// most 8: products 0, 1, 4, 5, … are of that lane.
std::vector<std::int8_t> lane_weights(std::int64_t tile, std::int64_t lane, std::int64_t operand) {
  std::vector<std::int8_t> weights(static_cast<std::size_t>(tile), 0);
  std::int64_t left = lane / operand;
  for (std::size_t k = 0; k < weights.size() && left != 0; ++k) {
    if (k % 4 < 2) {
      weights[k] = static_cast<std::int8_t>(std::clamp<std::int64_t>(left, -8, 7));
      left -= weights[k];
    }
  }
  REQUIRE(left == 0);
  return weights;
}

/// What the loops say without anybody's permission, on every target; they agree.
std::int64_t unlicensed_sum(const std::vector<std::uint8_t>& x, const std::vector<std::int8_t>& weights,
                            std::int64_t tile) {
  using namespace axe::kernel;
  const std::size_t cols = weights.size();
  Aligned<std::uint8_t> line(line_stride, 0);
  std::copy(x.begin(), x.end(), line.begin());
  Aligned<std::int8_t> panel(cols * panel_rows, static_cast<std::int8_t>(0));
  for (std::size_t k = 0; k < cols; ++k) {
    panel[k / 4 * 4 * panel_rows + k % 4] = weights[k];
  }
  std::vector<std::int64_t> results;
  for (const Target target : targets()) {
    TileWork work;
    work.activations = line.data();
    work.tokens = 1;
    work.weights = panel.data();
    work.products = cols;
    work.tile = static_cast<std::size_t>(tile);
    work.first = work.tile;
    Aligned<std::int32_t> sums(panel_rows);
    tile_loops_of(target).bytes(work, sums.data());
    results.push_back(sums[0]);
    CHECK(results.back() == results.front());
  }
  return results.front();
}

}  // namespace

TEST_CASE(
    "a lane exactly on its limit is licensed and right; one more is refused, and the loops without a licence "
    "overflow") {
  // Operands 0 … 217 = 7 · 31 and weights: 32767 = 217 · 151, so that whole weights reach the limit.
  const std::int64_t limit = register_limits(16, Limits::full).upper;
  for (const std::int64_t tile : {64, 128}) {  // shorter tiles of 4-bit weights cannot reach it
    CAPTURE(tile);
    IntegerLayer layer = layer_of(1, tile, 0, 217);
    const Topology topology(parse_datapath("axe:P=20,T=128"), tile);
    Batch batch;
    batch.tokens = 1;
    batch.biased.assign(static_cast<std::size_t>(tile), 217);

    layer.weights = lane_weights(tile, limit, 217);
    CHECK(sums_of(layer, topology, batch) == std::vector<std::int64_t>{limit});
    const LicenceDecision on_limit = LicenceOffice::issue(layer, topology, 0, tile);
    REQUIRE(on_limit.licence);
    check_product(*on_limit.licence, layer, topology, batch);
    CHECK(unlicensed_sum(batch.biased, layer.weights, tile) == limit);

    layer.weights = lane_weights(tile, limit + 217, 217);
    const LicenceDecision beyond = LicenceOffice::issue(layer, topology, 0, tile);
    CHECK_FALSE(beyond.licence);
    CHECK(beyond.vote.verdict == Verdict::unsafe);
    CHECK(unlicensed_sum(batch.biased, layer.weights, tile) == limit + 217 - (std::int64_t{1} << 16));
    // The caller without a licence has the safe product.
    std::vector<std::int64_t> sums(1);
    ExactProduct(layer, topology).multiply(batch.operands(), sums);
    CHECK(sums[0] == limit + 217);
    // Those 22 weights lie in 44 products: tiles of 32 fit again.
    const auto shorter = LicenceOffice::longest_tile(layer, topology);
    REQUIRE(shorter);
    CHECK(shorter->tile() == 32);
    check_product(*shorter, layer, topology, batch);
  }
}

TEST_CASE("every tile, lane and packing on both limits, in the last row and the last tile; one weight more is refused and overflows") {
  // Operands 217 = 7 · 31 as above, and −128 · 256 = −32768. Weights of 8 bits where 4 do not reach that far in a lane of this tile.
  for (const std::int64_t tile : tiles) {
    for (const bool nibbles : {false, true}) {
      for (const std::int64_t operand : {217, -128}) {
        for (const std::int64_t lane : {0, 1}) {
          const std::int64_t limit = operand > 0 ? 32767 : -32768;
          const std::int64_t needed = std::abs(limit / operand) + 1;  // one beyond it: 152, or 257
          if (nibbles && tile / 2 * 7 < needed) {
            continue;
          }
          CAPTURE(tile);
          CAPTURE(nibbles);
          CAPTURE(operand);
          CAPTURE(lane);
          const std::int32_t base = operand > 0 ? 0 : -128;
          const std::int64_t cols = 2 * tile;
          IntegerLayer layer = layer_of(33, cols, base, operand > 0 ? 217 : 127);
          const Topology topology(parse_datapath("axe:P=24,outer=float,T=" + std::to_string(cols)), cols);
          const auto fill = [&](std::int64_t left) {  // the last row's products of this lane in the second tile
            const std::int64_t largest = nibbles ? 7 : 64;
            for (std::int64_t k = tile; k < cols; ++k) {
              const bool here = k % 4 / 2 == lane;
              const std::int64_t w = here ? std::min(left, largest) : 0;
              left -= w;
              layer.weights[static_cast<std::size_t>(32 * cols + k)] = static_cast<std::int8_t>(w);
            }
            REQUIRE(left == 0);
          };
          fill(needed - 1);
          Batch batch;
          batch.tokens = 13;
          batch.base = base;
          batch.biased.assign(static_cast<std::size_t>(13 * cols), static_cast<std::uint8_t>(operand - base));
          const std::vector<std::int64_t> sums = sums_of(layer, topology, batch);
          CHECK(sums[32] == limit);
          const LicenceDecision on_limit = LicenceOffice::issue(layer, topology, base, tile);
          REQUIRE(on_limit.licence);
          check_product(*on_limit.licence, layer, topology, batch);
          fill(needed);
          CHECK_FALSE(LicenceOffice::issue(layer, topology, base, tile).licence);
          if (operand > 0) {
            const std::vector<std::int8_t> row(layer.weights.end() - tile, layer.weights.end());
            CHECK(unlicensed_sum(std::vector<std::uint8_t>(static_cast<std::size_t>(tile), 217), row, tile) ==
                  217 * needed - (std::int64_t{1} << 16));
          }
        }
      }
    }
  }
}

TEST_CASE("weights of 4 bits need no certificate in tiles of 16 and 32: a licence is always issued, and not for 64") {
  for (const std::int64_t tile : tiles) {
    CAPTURE(tile);
    IntegerLayer layer = layer_of(2, 3 * tile, 0, 255);
    std::fill_n(layer.weights.begin(), 3 * tile, std::int8_t{-8});
    std::fill_n(layer.weights.begin() + 3 * tile, 3 * tile, std::int8_t{7});
    const Topology topology(parse_datapath("axe:P=32"), layer.cols);
    const LicenceDecision decision = LicenceOffice::issue(layer, topology, 0, tile);
    CHECK(decision.licence.has_value() == (tile <= 32));
    Batch batch;
    batch.tokens = 1;
    batch.biased.assign(static_cast<std::size_t>(layer.cols), 255);
    if (decision.licence) {
      check_product(*decision.licence, layer, topology, batch);
    }
  }
}

TEST_CASE("the lower limit, with re-centred operands") {
  // −32768 = −128 · 256: operands of −128 (bytes of 0) and weights that sum to 256 in a lane; −128 and 257 is one too far.
  const std::int64_t limit = register_limits(16, Limits::full).lower;
  IntegerLayer layer = layer_of(1, 128, -128, 127);
  const Topology topology(parse_datapath("axe:P=20,T=128"), 128);
  Batch batch;
  batch.tokens = 1;
  batch.base = -128;
  batch.biased.assign(128, 0);
  layer.weights = lane_weights(128, limit, -128);
  CHECK(sums_of(layer, topology, batch) == std::vector<std::int64_t>{limit});
  const LicenceDecision on_limit = LicenceOffice::issue(layer, topology, -128, 128);
  REQUIRE(on_limit.licence);
  check_product(*on_limit.licence, layer, topology, batch);
  layer.weights = lane_weights(128, limit - 128, -128);
  CHECK_FALSE(LicenceOffice::issue(layer, topology, -128, 128).licence);
}

TEST_CASE("a licence is issued exactly when every pair and every lane fits, lane by lane from the definition") {
  Random random(7);
  int issued = 0;
  int refused = 0;
  const IntegerRange limits = register_limits(16, Limits::full);
  for (int trial = 0; trial < 300; ++trial) {
    const std::int64_t tile = tiles[trial % 4];
    const std::int64_t cols = between(random, 1, 3 * tile);
    const std::int32_t base = trial % 3 == 0 ? -128 : 0;
    IntegerLayer layer = layer_of(2, cols, base, base + 255);
    if (trial % 2 == 0) {
      layer.box_upper.assign(static_cast<std::size_t>(cols), base + 255);
      layer.box_lower.assign(static_cast<std::size_t>(cols), base);
      layer.box_upper.back() = base + 200;
    }
    // Weights around the size with which lanes of full tiles reach their limit.
    const std::int64_t most = std::max<std::int64_t>(1, 1100 / tile);
    for (std::int8_t& w : layer.weights) {
      w = static_cast<std::int8_t>(std::clamp<std::int64_t>(between(random, -most / 2, most), -128, 127));
    }
    bool fits = true;
    for (std::int64_t r = 0; r < 2; ++r) {
      std::int64_t lane_lower[6] = {}, lane_upper[6] = {};  // of up to three tiles
      std::int64_t pair_lower[200] = {}, pair_upper[200] = {};
      for (std::int64_t k = 0; k < cols; ++k) {
        const std::int64_t w = layer.row(r)[k];
        const std::int64_t a = w * layer.lower(k), b = w * layer.upper(k);
        const auto lane = static_cast<std::size_t>(k / tile * 2 + k % 4 / 2);
        lane_lower[lane] += std::min<std::int64_t>({0, a, b});
        lane_upper[lane] += std::max<std::int64_t>({0, a, b});
        const auto pair = static_cast<std::size_t>(k / 2);
        pair_lower[pair] += std::min<std::int64_t>(0, w * (layer.upper(k) - base));
        pair_upper[pair] += std::max<std::int64_t>(0, w * (layer.upper(k) - base));
      }
      const auto outside = [&](std::int64_t lower, std::int64_t upper) {
        return lower < limits.lower || upper > limits.upper;
      };
      for (std::size_t i = 0; i < 6; ++i) {
        fits = fits && !outside(lane_lower[i], lane_upper[i]);
      }
      for (std::size_t i = 0; i < 200; ++i) {
        fits = fits && !outside(pair_lower[i], pair_upper[i]);
      }
    }
    const LicenceDecision decision =
        LicenceOffice::issue(layer, Topology(parse_datapath("axe:P=32"), cols), base, tile);
    CHECK(decision.licence.has_value() == fits);
    (fits ? issued : refused) += 1;
  }
  CHECK(issued > 50);
  CHECK(refused > 50);
}

TEST_CASE("a pair beyond vpmaddubsw's limit: refused, and without a licence it saturates") {
  // 255 · 128 = 32640 fits; 255 · 129 = 32895 does not (w = 64, 65, as in onnxruntime without VNNI).
  const Topology topology(parse_datapath("axe:P=32"), 16);
  IntegerLayer layer = layer_of(1, 16, 0, 255);
  Batch batch;
  batch.tokens = 1;
  batch.biased.assign(16, 255);
  layer.weights[0] = 64;
  layer.weights[1] = 64;
  const LicenceDecision fits = LicenceOffice::issue(layer, topology, 0, 16);
  REQUIRE(fits.licence);
  check_product(*fits.licence, layer, topology, batch);
  layer.weights[1] = 65;
  CHECK_FALSE(LicenceOffice::issue(layer, topology, 0, 16).licence);
  CHECK_FALSE(LicenceOffice::longest_tile(layer, topology));
  CHECK(unlicensed_sum(batch.biased, layer.weights, 16) == 32767);
  // Re-centred, the lane would be right (−128 … 127 times 129 fits), but the instruction sees bytes.
  layer = layer_of(1, 16, -128, 127);
  layer.weights[0] = 64;
  layer.weights[1] = 65;
  CHECK_FALSE(LicenceOffice::issue(layer, topology, -128, 16).licence);
}

TEST_CASE(
    "a datapath that adds T products in 16 bits, safe for a layer of 4-bit weights, always brings a licence for T") {
  Random random(3);
  for (const std::int64_t tile : tiles) {
    const Datapath datapath = parse_datapath("axe:P=16,act=s8,T=" + std::to_string(tile));
    const Topology topology(datapath, 300);
    IntegerLayer layer = layer_of(8, 300, -128, 127);
    int most = 7;
    do {
      for (std::int8_t& w : layer.weights) {
        w = static_cast<std::int8_t>(between(random, -most, most));
      }
      most = std::max(1, most - 1);
    } while (make_claims(layer, datapath, InputSource::given).verdict != Verdict::safe);
    CHECK(LicenceOffice::issue(layer, topology, -128, tile).licence);
  }
}

TEST_CASE("a licence is for one layer, one box, one base, one order") {
  Random random(4);
  const Topology topology(parse_datapath("axe:P=16,T=64"), 100);
  IntegerLayer layer = layer_of(5, 100, -128, 127);
  for (std::int8_t& w : layer.weights) {
    w = static_cast<std::int8_t>(between(random, -3, 3));
  }
  const Licence licence = *LicenceOffice::issue(layer, topology, -128, 64).licence;
  CHECK(licence.layer() == layer.name);
  const CertifiedProduct product(licence, layer, topology);

  IntegerLayer other = layer;
  other.weights[77] = static_cast<std::int8_t>(other.weights[77] + 1);
  CHECK_THROWS_WITH_AS(CertifiedProduct(licence, other, topology), doctest::Contains("other weights"), InputError);
  other = layer;
  other.box_upper = {126};
  CHECK_THROWS_AS(CertifiedProduct(licence, other, topology), InputError);
  const Topology strided(parse_datapath("axe:P=16,T=50,outer=float"), 100);
  CHECK_THROWS_AS(CertifiedProduct(licence, layer, strided), InputError);

  Batch batch = batch_of(random, layer, -128, 2, false);
  std::vector<std::int64_t> sums(10, 42);
  batch.base = -127;
  CHECK_THROWS_WITH_AS(product.multiply(batch.operands(), sums), doctest::Contains("base"), InputError);
  CHECK(sums == std::vector<std::int64_t>(10, 42));
}

TEST_CASE("operands outside the box are refused before anything is written") {
  Random random(5);
  const Topology topology(parse_datapath("axe:P=16,T=64"), 100);
  IntegerLayer layer = layer_of(5, 100, -128, 127);
  layer.box_lower.assign(100, -20);
  layer.box_upper.assign(100, 30);
  layer.box_lower[0] = -100;
  const Licence licence = *LicenceOffice::issue(layer, topology, -100, 64).licence;
  const CertifiedProduct product(licence, layer, topology);
  Batch batch = batch_of(random, layer, -100, 3, true);
  std::vector<std::int64_t> sums(15, 42);
  product.multiply(batch.operands(), sums);
  sums.assign(15, 42);
  batch.biased[299] = 131;
  CHECK_THROWS_WITH_AS(product.multiply(batch.operands(), sums),
                       doctest::Contains("operand 31 of token 2, channel 99 is outside [-20, 30]"), InputError);
  CHECK(sums == std::vector<std::int64_t>(15, 42));
}

TEST_CASE("the certificate behind a licence convinces Z3 too") {
  Random random(6);
  const Topology topology(parse_datapath("axe:P=16,T=64"), 100);
  for (const int most : {3, 70}) {  // beyond ±64 pairs are part of it
    IntegerLayer layer = layer_of(3, 100, -128, 127);
    for (std::int8_t& w : layer.weights) {
      w = static_cast<std::int8_t>(between(random, -3, 3));
    }
    layer.weights[40] = static_cast<std::int8_t>(most);
    const LicenceDecision decision = LicenceOffice::issue(layer, topology, -128, 64);
    REQUIRE(decision.licence);
    CHECK(decision.licence->certificate() == sha256(decision.certificate.data(), decision.certificate.size()));
    Certificate certificate = parse_certificate(decision.certificate, "licence");
    const TileForm form = tile_form(layer, topology, -128, 64);
    CHECK(form.pairs.has_value() == (most > 64));
    REQUIRE(certificate.layers.size() == (most > 64 ? 2 : 1));
    attach_weights(certificate.layers[0], form.lanes.weights, {});
    if (form.pairs) {
      attach_weights(certificate.layers[1], form.pairs->weights, {});
    }
    SmtOptions options;
    options.depth = SmtDepth::ground;
    CHECK(smt_vote(certificate, options).verdict == Verdict::safe);
    CHECK(decision.licence->digest() == form.digest);
  }
}

// Bounds on whole layers: the vectorised scan against the definition, on every instruction set that this processor has,
// and presets against the instructions that they describe.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

#include "axecert/bound/range.hpp"
#include "axecert/bound/scan.hpp"
#include "axecert/datapath/machine.hpp"

using namespace axe;

namespace {

/// A small generator: the same numbers everywhere.
class Numbers {
 public:
  std::uint32_t next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::uint32_t>(state_ >> 33);
  }
  std::int32_t within(std::int32_t lower, std::int32_t upper) {
    return lower + static_cast<std::int32_t>(next() % static_cast<std::uint32_t>(upper - lower + 1));
  }
  /// All int8 values, with the ends often.
  std::int8_t weight() {
    const std::uint32_t n = next();
    return static_cast<std::int8_t>(n % 4 == 0   ? -128
                                    : n % 4 == 1 ? 127
                                                 : static_cast<std::int32_t>(n >> 8 & 255) - 128);
  }

 private:
  std::uint64_t state_ = 7;
};

std::string name_of(InstructionSet set) {
  return set == InstructionSet::avx512 ? "avx512" : set == InstructionSet::avx2 ? "avx2" : "portable";
}

IntegerLayer make_layer(Numbers& numbers, std::int64_t rows, std::int64_t cols, Datapath datapath, bool per_channel) {
  IntegerLayer layer;
  layer.name = "layer";
  layer.rows = rows;
  layer.cols = cols;
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    layer.weights.push_back(numbers.weight());
  }
  const auto least = static_cast<std::int32_t>(datapath.activations.lower);
  const auto most = static_cast<std::int32_t>(datapath.activations.upper);
  for (std::int64_t k = 0; k < (per_channel ? cols : 1); ++k) {
    const std::int32_t a = per_channel ? numbers.within(least, most) : least;
    const std::int32_t b = per_channel ? numbers.within(least, most) : most;
    layer.box_lower.push_back(std::min(a, b));
    layer.box_upper.push_back(std::max(a, b));
    layer.offset.push_back(numbers.within(-255, 255));
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    layer.bias.push_back(numbers.within(-100000, 100000));
  }
  return layer;
}

}  // namespace

// TOR-107, TOR-102
TEST_CASE("every instruction set scans the same ranges as the definition, for all lengths, tiles and alignments") {
  Numbers numbers;
  std::vector<std::int8_t> weights(1100);
  for (std::int8_t& w : weights) {
    w = numbers.weight();
  }
  std::string sets;
  for (const InstructionSet set : instruction_sets()) {
    sets += name_of(set) + " ";
  }
  MESSAGE("instruction sets: ", sets);
  for (const std::size_t count : std::initializer_list<std::size_t>{1,  2,  3,  7,  8,   9,   15,  16,  17,  31,  32,
                                                                    33, 63, 64, 65, 127, 128, 200, 511, 576, 1000}) {
    for (const std::size_t tile : std::initializer_list<std::size_t>{
             1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 128, 130, 256, 257, 1000}) {
      const std::size_t begin = (count * 7 + tile) % 67;  // any alignment
      // A copy of its own size: a sanitizer sees every read beyond it.
      const std::vector<std::int8_t> row(weights.begin() + static_cast<std::ptrdiff_t>(begin),
                                         weights.begin() + static_cast<std::ptrdiff_t>(begin + count));
      std::vector<std::int16_t> l(count);
      std::vector<std::int16_t> h(count);
      for (std::size_t k = 0; k < count; ++k) {
        const std::int32_t a = k % 5 == 0 ? INT16_MIN : numbers.within(INT16_MIN, INT16_MAX);
        const std::int32_t b = k % 3 == 0 ? INT16_MAX : numbers.within(INT16_MIN, INT16_MAX);
        l[k] = static_cast<std::int16_t>(std::min(a, b));
        h[k] = static_cast<std::int16_t>(std::max(a, b));
      }
      const std::size_t runs = (count + tile - 1) / tile;
      std::vector<std::int64_t> lower(runs, 0), upper(runs, 0), channel_lower(runs, 0), channel_upper(runs, 0);
      const std::int64_t alpha = -numbers.within(-300, 1 << 24);
      const std::int64_t beta = numbers.within(-300, 1 << 24) + 300;
      for (std::size_t k = 0; k < count; ++k) {
        const std::int64_t w = row[k];
        const std::size_t j = k / tile;
        lower[j] += w > 0 ? w * alpha : w * beta;
        upper[j] += w > 0 ? w * beta : w * alpha;
        channel_lower[j] += std::min(w * l[k], w * h[k]);
        channel_upper[j] += std::max(w * l[k], w * h[k]);
      }
      for (const InstructionSet set : instruction_sets()) {
        CAPTURE(count);
        CAPTURE(tile);
        CAPTURE(name_of(set));
        std::vector<std::uint64_t> scratch(runs, ~std::uint64_t{0});
        std::vector<std::int64_t> scanned_lower(runs, -1), scanned_upper(runs, -1);
        scan_uniform(set, row.data(), count, tile, alpha, beta, scratch.data(), scanned_lower.data(),
                     scanned_upper.data());
        REQUIRE(scanned_lower == lower);
        REQUIRE(scanned_upper == upper);
        scan_channels(set, row.data(), l.data(), h.data(), count, tile, scanned_lower.data(), scanned_upper.data());
        REQUIRE(scanned_lower == channel_lower);
        REQUIRE(scanned_upper == channel_upper);
      }
    }
  }
}

// TOR-107, TOR-108
TEST_CASE("every instruction set is exact for the longest run of the extreme weights") {
  constexpr std::size_t longest = std::size_t{1} << 24;
  for (const std::int8_t w : {std::int8_t{-128}, std::int8_t{127}}) {
    const std::vector<std::int8_t> weights(longest, w);
    const std::int64_t sum = std::int64_t{w} * static_cast<std::int64_t>(longest);
    for (const InstructionSet set : instruction_sets()) {
      std::uint64_t scratch = 0;
      std::int64_t lower = 0;
      std::int64_t upper = 0;
      scan_uniform(set, weights.data(), longest, longest, -3, 1 << 24, &scratch, &lower, &upper);
      CHECK(lower == sum * (w > 0 ? -3 : 1 << 24));
      CHECK(upper == sum * (w > 0 ? 1 << 24 : -3));
    }
  }
}

// TOR-102
TEST_CASE("on every preset and boxes of every kind, ranges agree with the definition and witnesses attain them") {
  Numbers numbers;
  std::vector<std::string> names = preset_names();
  names.insert(names.end(),
               {"axe:P=16,T=64,act=s8", "axe:P=16,T=100,act=box", "axe:P=20,T=7,outer=float", "axe:P=16,T=1"});
  std::int64_t nodes = 0;
  for (const std::string& name : names) {
    CAPTURE(name);
    for (const bool per_channel : {false, true}) {
      for (const std::int64_t cols : {1, 15, 64, 65, 531}) {
        Datapath datapath = parse_datapath(name);
        IntegerLayer layer = make_layer(numbers, 3, cols, datapath, per_channel);
        for (std::int8_t& w : layer.weights) {
          w = static_cast<std::int8_t>(std::clamp<std::int64_t>(w, datapath.weights.lower, datapath.weights.upper));
        }
        REQUIRE_NOTHROW(validate(layer, datapath));
        for (Stage& stage : datapath.stages) {
          stage.width = 64;  // the range speaks of exact integers: let the machine hold them
        }
        const Topology topology(datapath, cols);
        const std::vector<StageRanges> ranges = layer_ranges(layer, topology);
        const std::vector<std::int64_t> constants = row_constants(layer);
        for (std::int64_t r = 0; r < layer.rows; ++r) {
          for (std::size_t s = 0; s < topology.stages(); ++s) {
            for (std::int64_t node = 0; node < topology.nodes(s); ++node) {
              const auto i = static_cast<std::size_t>(r * topology.nodes(s) + node);
              const IntegerRange range{ranges[s].lower[i], ranges[s].upper[i]};
              REQUIRE(node_range(layer, topology, {r, s, node}) == range);
              if (node % 37 != 0 && node + 1 != topology.nodes(s)) {
                continue;  // witnesses of some nodes, the last one included
              }
              for (const Side side : {Side::lower, Side::upper}) {
                const auto trace =
                    run(topology, std::span(layer.row(r), static_cast<std::size_t>(cols)),
                        witness(layer, topology, {r, s, node}, side), constants[static_cast<std::size_t>(r)],
                        side == Side::upper ? Order::positive_first
                                            : Order::negative_first)[s][static_cast<std::size_t>(node)];
                REQUIRE_FALSE(trace.overflowed);
                REQUIRE((side == Side::upper ? trace.highest : trace.lowest) ==
                        (side == Side::upper ? range.upper : range.lower));
                ++nodes;
              }
            }
          }
        }
      }
    }
  }
  MESSAGE(nodes, " witnesses attained");
}

// TOR-110
TEST_CASE("the exact data-type width is that of the extreme sum, and the published one is never below it") {
  for (const bool is_signed : {false, true}) {
    for (int m = 1; m <= 8; ++m) {
      for (int n = 1; n <= 8; ++n) {
        for (const std::int64_t length : {1, 2, 3, 31, 32, 33, 64, 100, 128, 576, 1536, 4096}) {
          const std::int64_t input_lower = is_signed ? -(1 << (n - 1)) : 0;
          const std::int64_t input_upper = is_signed ? (1 << (n - 1)) - 1 : (1 << n) - 1;
          std::int64_t least = 0;
          std::int64_t most = 0;
          for (const std::int64_t w : {-(std::int64_t{1} << (m - 1)), (std::int64_t{1} << (m - 1)) - 1}) {
            for (const std::int64_t x : {input_lower, input_upper}) {
              least = std::min(least, length * w * x);
              most = std::max(most, length * w * x);
            }
          }
          const DataTypeBound bound = data_type_bound(length, m, n, is_signed);
          REQUIRE(bound.exact == minimum_width({least, most}, Limits::symmetric));
          REQUIRE(bound.paper >= bound.exact);
          REQUIRE(bound.paper <= bound.exact + 1);
          // The formula as printed, in long double: away from its jumps the ceilings agree.
          const long double a = std::log2(static_cast<long double>(length)) + n + m - 1 - (is_signed ? 1 : 0);
          const long double value = a + std::log2(1 + std::exp2(-a)) + 1;
          if (std::abs(value - std::round(value)) > 1e-9L) {
            REQUIRE(bound.paper == static_cast<int>(std::ceil(value)));
          }
        }
      }
    }
  }
}

namespace {

/// All 65,536 pairs (w0, w1), one per row, at columns 0 and `second` of a row of `cols`.
IntegerLayer all_pairs(std::int64_t cols, std::int64_t second, std::int32_t lower, std::int32_t upper) {
  IntegerLayer layer;
  layer.name = "pairs";
  layer.rows = 65536;
  layer.cols = cols;
  layer.weights.assign(static_cast<std::size_t>(layer.rows * cols), 0);
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    layer.weights[static_cast<std::size_t>(r * cols)] = static_cast<std::int8_t>(r / 256 - 128);
    layer.weights[static_cast<std::size_t>(r * cols + second)] = static_cast<std::int8_t>(r % 256 - 128);
  }
  layer.box_lower = {lower};
  layer.box_upper = {upper};
  return layer;
}

/// Which pairs keep register 0 of stage 0 inside its limits.
std::vector<char> safe_pairs(const IntegerLayer& layer, const Datapath& datapath) {
  validate(layer, datapath);
  const Topology topology(datapath, layer.cols);
  const std::vector<StageRanges> ranges = layer_ranges(layer, topology);
  std::vector<char> safe;
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    const auto i = static_cast<std::size_t>(r * topology.nodes(0));
    safe.push_back(margin({ranges[0].lower[i], ranges[0].upper[i]}, register_limits(topology.stage(0))) >= 0);
  }
  return safe;
}

#if defined(__x86_64__) && defined(__GNUC__)

/// Whether vpmaddubsw gives w0 x0 + w1 x1 for all 65,536 inputs of u8.
__attribute__((target("avx2"))) bool instruction_is_exact(std::int8_t w0, std::int8_t w1) {
  const auto pair = static_cast<std::int16_t>(static_cast<std::uint16_t>(static_cast<std::uint8_t>(w1)) << 8 |
                                              static_cast<std::uint8_t>(w0));
  const __m256i weights = _mm256_set1_epi16(pair);
  const __m256i wide_weights = _mm256_set1_epi32(static_cast<std::int32_t>(
      static_cast<std::uint32_t>(static_cast<std::uint16_t>(w1)) << 16 | static_cast<std::uint16_t>(w0)));
  __m256i different = _mm256_setzero_si256();
  const __m256i steps = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  for (int x1 = 0; x1 < 256; ++x1) {
    for (int x0 = 0; x0 < 256; x0 += 8) {
      const __m256i first = _mm256_add_epi32(_mm256_set1_epi32(x0), steps);  // x0 in bits 0–7 of each 32-bit lane
      const __m256i bytes = _mm256_or_si256(first, _mm256_set1_epi32(x1 << 8));
      const __m256i words = _mm256_or_si256(first, _mm256_set1_epi32(x1 << 16));
      const __m256i narrow = _mm256_maddubs_epi16(bytes, weights);  // int16 in the low half, 0 above
      const __m256i widened = _mm256_srai_epi32(_mm256_slli_epi32(narrow, 16), 16);
      const __m256i exact = _mm256_madd_epi16(words, wide_weights);
      different = _mm256_or_si256(different, _mm256_xor_si256(widened, exact));
    }
  }
  return _mm256_testz_si256(different, different) != 0;
}

__attribute__((target("avx2"))) std::int16_t instruction(std::int8_t w0, std::int8_t w1, int x0, int x1) {
  const __m128i x = _mm_set1_epi16(static_cast<std::int16_t>(static_cast<std::uint16_t>(x1 << 8 | x0)));
  const __m128i w = _mm_set1_epi16(static_cast<std::int16_t>(
      static_cast<std::uint16_t>(static_cast<std::uint8_t>(w1)) << 8 | static_cast<std::uint8_t>(w0)));
  return static_cast<std::int16_t>(_mm_extract_epi16(_mm_maddubs_epi16(x, w), 0));
}

#endif

}  // namespace

// TOR-404
TEST_CASE("vpmaddubsw: 49,279 of 65,536 pairs are safe, those whose signs each sum to at most 128") {
  const Datapath datapath = parse_datapath("x86-avx2-maddubs");
  const std::vector<char> safe = safe_pairs(all_pairs(2, 1, 0, 255), datapath);
  CHECK(std::count(safe.begin(), safe.end(), 1) == 49279);
  std::int64_t by_the_libraries_rule = 0;
  for (int w0 = -128; w0 < 128; ++w0) {
    for (int w1 = -128; w1 < 128; ++w1) {
      const bool rule = std::max(w0, 0) + std::max(w1, 0) <= 128 && std::min(w0, 0) + std::min(w1, 0) >= -128;
      const bool claimed = safe[static_cast<std::size_t>((w0 + 128) * 256 + w1 + 128)] != 0;
      REQUIRE(claimed == rule);
      const bool halved = w0 >= -64 && w0 <= 63 && w1 >= -64 && w1 <= 63;
      by_the_libraries_rule += halved;
      REQUIRE((!halved || claimed));
    }
  }
  CHECK(by_the_libraries_rule == 16384);
  SUBCASE("with activations of 7 bits every pair is safe") {
    const std::vector<char> reduced = safe_pairs(all_pairs(2, 1, 0, 127), datapath);
    CHECK(std::count(reduced.begin(), reduced.end(), 1) == 65536);
  }
}

// TOR-404
TEST_CASE("vpmaddubsw: the claim and the machine agree with the instruction on all pairs") {
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports("avx2")) {
    const Datapath datapath = parse_datapath("x86-avx2-maddubs");
    const Topology topology(datapath, 2);
    const std::vector<char> safe = safe_pairs(all_pairs(2, 1, 0, 255), datapath);
    std::int64_t disagreements = 0;
    for (int w0 = -128; w0 < 128; ++w0) {
      for (int w1 = -128; w1 < 128; ++w1) {
        const auto a = static_cast<std::int8_t>(w0);
        const auto b = static_cast<std::int8_t>(w1);
        disagreements +=
            instruction_is_exact(a, b) != (safe[static_cast<std::size_t>((w0 + 128) * 256 + w1 + 128)] != 0);
        for (const auto& [x0, x1] : std::vector<std::pair<int, int>>{{0, 255}, {255, 0}, {255, 255}, {129, 200}}) {
          const auto traces = run(topology, std::vector<std::int8_t>{a, b}, std::vector<std::int32_t>{x0, x1}, 0);
          disagreements += traces[0][0].value != instruction(a, b, x0, x1);
        }
      }
    }
    CHECK(disagreements == 0);
    MESSAGE("compared with the instruction: 65,536 weight pairs × 65,536 inputs");
    return;
  }
#endif
  MESSAGE("not run: this processor has no AVX2");
}

// TOR-404
TEST_CASE("NEON smull and smlal: only two -128 in a lane, met by two -128, leave int16") {
  const Datapath datapath = parse_datapath("neon-mull-mlal");
  const IntegerLayer layer = all_pairs(16, 8, -128, 127);
  const std::vector<char> safe = safe_pairs(layer, datapath);
  CHECK(std::count(safe.begin(), safe.end(), 1) == 65535);
  CHECK(safe[0] == 0);  // row 0 is (−128, −128)
  const Topology topology(datapath, 16);
  const std::vector<std::int32_t> x = witness(layer, topology, {0, 0, 0}, Side::upper);
  CHECK(x[0] == -128);
  CHECK(x[8] == -128);
  const RegisterTrace trace = run(topology, std::span(layer.row(0), 16), x, 0)[0][0];
  CHECK(trace.exact == 32768);
  CHECK(trace.value == -32768);
  CHECK(trace.overflowed);
  SUBCASE("neighbours in memory do not share a lane") {
    const std::vector<char> neighbours = safe_pairs(all_pairs(16, 1, -128, 127), datapath);
    CHECK(std::count(neighbours.begin(), neighbours.end(), 1) == 65536);
  }
  SUBCASE("activations that never are -128 make every pair safe") {
    const std::vector<char> narrowed = safe_pairs(all_pairs(16, 8, -127, 127), datapath);
    CHECK(std::count(narrowed.begin(), narrowed.end(), 1) == 65536);
  }
}

// TOR-404
TEST_CASE("published limits of depth: int32, Gemmini's 20 bits, FBGEMM's 16-bit segments") {
  const auto safe = [](const std::string& name, std::int64_t cols, std::int8_t weight, std::int32_t lower,
                       std::int32_t upper) {
    IntegerLayer layer;
    layer.name = "row";
    layer.rows = 1;
    layer.cols = cols;
    layer.weights.assign(static_cast<std::size_t>(cols), weight);
    layer.box_lower = {lower};
    layer.box_upper = {upper};
    const Datapath datapath = parse_datapath(name);
    validate(layer, datapath);
    const Topology topology(datapath, cols);
    const std::vector<StageRanges> ranges = layer_ranges(layer, topology);
    bool fits = true;
    for (std::size_t s = 0; s < ranges.size(); ++s) {
      for (std::size_t i = 0; i < ranges[s].lower.size(); ++i) {
        fits = fits && margin({ranges[s].lower[i], ranges[s].upper[i]}, register_limits(topology.stage(s))) >= 0;
      }
    }
    return fits;
  };
  CHECK(safe("x86-vnni", 65793, -128, 0, 255));
  CHECK_FALSE(safe("x86-vnni", 65794, -128, 0, 255));
  CHECK(safe("gemmini-ws", 131071, -128, -128, 127));
  CHECK_FALSE(safe("gemmini-ws", 131072, -128, -128, 127));
  CHECK(safe("gemmini-os", 31, -128, -128, 127));
  CHECK_FALSE(safe("gemmini-os", 32, -128, -128, 127));
  CHECK(safe("fbgemm-acc16", 128, 1, 0, 255));
  CHECK_FALSE(safe("fbgemm-acc16", 129, 1, 0, 255));
  CHECK(safe("fbgemm-acc32", 129, 1, 0, 255));
  CHECK_FALSE(safe("fbgemm-acc32", 2, 65, 0, 255));
  CHECK(safe("axe-16x64", 128, 2, 0, 255));
  CHECK_FALSE(safe("axe-16x64", 128, 3, 0, 255));
}

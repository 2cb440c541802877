// The integer products on every target that this processor has: exact ones against plain 64-bit sums, stepped ones against the
// machine, both over operand forms, ragged shapes, presets, extremes and witnesses.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "axecert/datapath/machine.hpp"
#include "axecert/kernel/datapath_product.hpp"
#include "axecert/kernel/exact_product.hpp"
#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

using Random = std::mt19937_64;

std::int64_t between(Random& random, std::int64_t lower, std::int64_t upper) {
  return lower + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(upper - lower + 1));
}

IntegerLayer make_layer(Random& random, std::int64_t rows, std::int64_t cols, int least = -128, int most = 127) {
  IntegerLayer layer;
  layer.name = "kernel.test";
  layer.rows = rows;
  layer.cols = cols;
  layer.box_lower = {-(1 << 24)};
  layer.box_upper = {1 << 24};
  layer.weights.resize(static_cast<std::size_t>(rows * cols));
  for (std::int8_t& w : layer.weights) {
    const std::int64_t kind = between(random, 0, 15);
    w = static_cast<std::int8_t>(kind == 0 ? least : kind == 1 ? most : between(random, least, most));
  }
  for (std::int64_t k = 0; k < cols; ++k) {
    layer.offset.push_back(static_cast<std::int32_t>(between(random, -200, 200)));
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    layer.bias.push_back(between(random, -100000, 100000));
  }
  return layer;
}

struct Batch {
  std::vector<std::uint8_t> biased;
  std::vector<std::int32_t> zero_points;
  Operands operands;
};

enum class Codes { any, ends, small };

Batch make_batch(Random& random, std::int64_t tokens, std::int64_t cols, std::int32_t base, bool zero_points,
                 Codes codes = Codes::any) {
  Batch batch;
  for (std::int64_t i = 0; i < tokens * cols; ++i) {
    batch.biased.push_back(static_cast<std::uint8_t>(codes == Codes::any    ? between(random, 0, 255)
                                                     : codes == Codes::ends ? between(random, 0, 1) * 255
                                                                            : std::clamp<std::int64_t>(-base, 0, 250) +
                                                                                  between(random, 0, 5)));
  }
  for (std::int64_t i = 0; zero_points && i < tokens; ++i) {
    batch.zero_points.push_back(static_cast<std::int32_t>(between(random, 0, 255)));
  }
  batch.operands = {batch.biased, tokens, base, batch.zero_points};
  return batch;
}

std::vector<std::int32_t> inputs_of(const Batch& batch, std::int64_t token, std::int64_t cols) {
  std::vector<std::int32_t> inputs;
  for (std::int64_t k = 0; k < cols; ++k) {
    inputs.push_back(batch.biased[static_cast<std::size_t>(token * cols + k)] + batch.operands.base);
  }
  return inputs;
}

std::int64_t constant_of(const IntegerLayer& layer, const Batch& batch, std::int64_t token, std::int64_t row) {
  std::int64_t constant = layer.bias.empty() ? 0 : layer.bias[static_cast<std::size_t>(row)];
  for (std::int64_t k = 0; k < layer.cols; ++k) {
    const std::int64_t offset =
        layer.offset.empty() ? 0 : layer.offset[layer.offset.size() == 1 ? 0 : static_cast<std::size_t>(k)];
    const std::int64_t zero_point = batch.zero_points.empty() ? 0 : batch.zero_points[static_cast<std::size_t>(token)];
    constant += layer.row(row)[k] * (offset - zero_point);
  }
  return constant;
}

/// The machine of datapath/machine.hpp, one addition after the other, with the additions that left their register counted.
/// Its contents and whether anything overflowed are held against axe::run itself.
struct Reference {
  std::vector<std::int64_t> contents;  // [tokens, rows, outputs]
  std::int64_t overflows = 0;
};

Reference reference_of(const IntegerLayer& layer, const Topology& topology, const Batch& batch) {
  Reference result;
  for (std::int64_t i = 0; i < batch.operands.tokens; ++i) {
    const std::vector<std::int32_t> inputs = inputs_of(batch, i, layer.cols);
    for (std::int64_t r = 0; r < layer.rows; ++r) {
      const std::int64_t constant = constant_of(layer, batch, i, r);
      const auto traces =
          run(topology, std::span(layer.row(r), static_cast<std::size_t>(layer.cols)), inputs, constant);
      for (std::size_t s = 0; s < topology.stages(); ++s) {
        const Stage& stage = topology.stage(s);
        for (std::int64_t node = 0; node < topology.nodes(s); ++node) {
          std::int64_t here = 0;
          const auto add = [&](std::int64_t content, std::int64_t value) {
            bool overflowed = false;
            const std::int64_t sum = step(stage, content, value, overflowed);
            here += overflowed ? 1 : 0;
            return sum;
          };
          std::int64_t content = add(0, stage.initial == Initial::constant ? constant : 0);
          for (const std::int64_t v : topology.values_of(s, node)) {
            const auto at = static_cast<std::size_t>(v);
            content = add(content, s == 0 ? std::int64_t{layer.row(r)[v]} * inputs[at] : traces[s - 1][at].value);
          }
          const RegisterTrace& trace = traces[s][static_cast<std::size_t>(node)];
          REQUIRE(content == trace.value);
          REQUIRE((here > 0) == trace.overflowed);
          result.overflows += here;
          if (s + 1 == topology.stages()) {
            result.contents.push_back(content);
          }
        }
      }
    }
  }
  return result;
}

std::vector<std::int64_t> exact_sums(const IntegerLayer& layer, const Topology& topology, const Batch& batch) {
  std::vector<std::int64_t> sums;
  const std::size_t last = topology.stages() - 1;
  bool starts_from_constant = false;
  for (std::size_t s = 0; s <= last; ++s) {
    starts_from_constant = starts_from_constant || topology.stage(s).initial == Initial::constant;
  }
  for (std::int64_t i = 0; i < batch.operands.tokens; ++i) {
    const std::vector<std::int32_t> inputs = inputs_of(batch, i, layer.cols);
    for (std::int64_t r = 0; r < layer.rows; ++r) {
      std::vector<std::int64_t> sum(static_cast<std::size_t>(topology.nodes(last)),
                                    starts_from_constant ? constant_of(layer, batch, i, r) : 0);
      for (std::int64_t k = 0; k < layer.cols; ++k) {
        sum[static_cast<std::size_t>(topology.node_of_product(last, k))] +=
            std::int64_t{layer.row(r)[k]} * inputs[static_cast<std::size_t>(k)];
      }
      sums.insert(sums.end(), sum.begin(), sum.end());
    }
  }
  return sums;
}

/// Both products on every target and several numbers of threads against their references. Returns the overflows.
std::int64_t check_products(const IntegerLayer& layer, const Datapath& datapath, const Batch& batch) {
  const Topology topology(datapath, layer.cols);
  const std::vector<std::int64_t> exact = exact_sums(layer, topology, batch);
  const Reference reference = reference_of(layer, topology, batch);
  for (const Target target : targets()) {
    CAPTURE(to_text(target));
    for (const int threads : {1, 3}) {
      std::vector<std::int64_t> sums(exact.size(), INT64_MIN);
      ExactProduct(layer, topology, target).multiply(batch.operands, sums, threads);
      CHECK(sums == exact);
      std::vector<std::int64_t> contents(exact.size(), INT64_MIN);
      const std::int64_t overflows =
          DatapathProduct(layer, topology, target).multiply(batch.operands, contents, threads);
      CHECK(contents == reference.contents);
      CHECK(overflows == reference.overflows);
    }
  }
  return reference.overflows;
}

Datapath with(Datapath datapath, Overflow overflow, Limits limits, std::int64_t stride = 1) {
  datapath.stages[0].overflow = overflow;
  datapath.stages[0].limits = limits;
  datapath.stages[0].stride = stride;
  return datapath;
}

}  // namespace

TEST_CASE("the targets that these tests run on") {
  std::string names;
  for (const Target target : targets()) {
    names += " " + to_text(target);
  }
  MESSAGE("targets:" << names);
  CHECK(targets().front() == Target::portable);
  CHECK(best_target() == targets().back());
}

TEST_CASE("pairs of the largest codes: weights of ±64 fit 16 bits, one of ±65 takes the layer to the wider loop") {
  Random random(9);
  constexpr std::int64_t rows = 5, cols = 100;
  for (const int w : {64, -64, 65, -65, 127, -128}) {
    for (const bool alone : {false, true}) {
      CAPTURE(w);
      CAPTURE(alone);
      IntegerLayer layer = make_layer(random, rows, cols);
      std::fill(layer.weights.begin(), layer.weights.end(), static_cast<std::int8_t>(alone ? 64 : w));
      layer.weights.back() = static_cast<std::int8_t>(w);
      layer.weights[layer.weights.size() - 2] = static_cast<std::int8_t>(w);
      Batch batch = make_batch(random, 13, cols, 0, false);
      std::fill(batch.biased.begin(), batch.biased.end(), std::uint8_t{255});
      check_products(layer, parse_datapath("axe:P=24,T=64"), batch);
    }
  }
  // The loop for small weights, asked for larger ones: every pair of products saturates where pairs are added in 16 bits.
  using namespace axe::kernel;
  Aligned<std::uint8_t> line(line_stride, std::uint8_t{255});
  for (const int w : {64, 65}) {
    const Aligned<std::int8_t> panel(64 * panel_rows, static_cast<std::int8_t>(w));
    for (const Target target : targets()) {
      CAPTURE(to_text(target));
      Aligned<std::int32_t> sums(panel_rows);
      loops_of(target).dot_small.run(line.data(), 1, panel.data(), 64 / 4, sums.data());
      const bool in_16_bits = target == Target::avx2 || target == Target::avx512;
      CHECK(sums[7] == (w == 65 && in_16_bits ? 32 * 32767 : 64 * 255 * w));
    }
  }
}

TEST_CASE("ragged shapes, every operand form, narrow and wide registers") {
  Random random(1);
  std::int64_t overflows = 0;
  const std::vector<std::string> shorthands{"axe:P=16,T=64",
                                            "axe:P=16,T=8,outer=float",
                                            "axe:P=12",
                                            "axe:P=16",
                                            "axe:P=14,T=32,outer=20",
                                            "axe:P=20,T=128",
                                            "axe:P=9,T=13,outer=float",
                                            "axe:P=1,T=5,outer=1",
                                            "axe:P=64,T=7,outer=64",
                                            "axe:P=63,outer=63",
                                            "axe:P=31,outer=62",
                                            "axe:P=30,T=100"};
  for (const std::int64_t rows : {1, 5, 32, 33, 70}) {
    for (const std::int64_t cols : {1, 3, 4, 31, 130}) {
      for (const std::int64_t tokens : {1, 2, 7, 13}) {
        const std::string& shorthand = shorthands[random() % shorthands.size()];
        const std::int32_t base = std::vector<std::int32_t>{0, -128, -77, -255, 5, -300, 1 << 20}[random() % 7];
        Datapath datapath = parse_datapath(shorthand);
        datapath = with(datapath, static_cast<Overflow>(random() % 3), static_cast<Limits>(random() % 2),
                        between(random, 1, 3));
        CAPTURE(rows);
        CAPTURE(cols);
        CAPTURE(tokens);
        CAPTURE(shorthand);
        CAPTURE(base);
        overflows +=
            check_products(make_layer(random, rows, cols), datapath,
                           make_batch(random, tokens, cols, base, random() % 2 == 0, static_cast<Codes>(random() % 3)));
      }
    }
  }
  CHECK(overflows > 0);
}

TEST_CASE(
    "every width of the lowest register, wrapping and saturating, both limits: where few, some and all steps "
    "overflow") {
  Random random(2);
  for (int width = 1; width <= 20; ++width) {
    for (const Overflow overflow : {Overflow::wrap, Overflow::saturate}) {
      for (const Limits limits : {Limits::symmetric, Limits::full}) {
        Datapath datapath = with(parse_datapath("axe:P=16,T=24"), overflow, limits);
        datapath.stages[0].width = width;
        CAPTURE(width);
        check_products(make_layer(random, 9, 60, -8, 7), datapath,
                       make_batch(random, 6, 60, width % 2 == 0 ? 0 : -128, true));
      }
    }
  }
}

TEST_CASE("the presets' topologies: pairs, strided lanes, several narrow stages, constants in the narrow register") {
  Random random(3);
  for (const std::string& name : preset_names()) {
    const Datapath datapath = parse_datapath(name);
    const auto base = static_cast<std::int32_t>(datapath.activations.lower);
    for (const std::int64_t cols : {1, 17, 64, 200}) {
      CAPTURE(name);
      CAPTURE(cols);
      check_products(make_layer(random, 35, cols), datapath, make_batch(random, 5, cols, base, true, Codes::ends));
      check_products(make_layer(random, 3, cols, -4, 3), datapath, make_batch(random, 1, cols, base, false));
    }
  }
}

TEST_CASE("rows longer than one piece of the kernels, with tiles across the cut") {
  Random random(4);
  for (const char* shorthand : {"axe:P=16", "axe:P=20,T=3000", "axe:P=24,outer=float,T=1500", "axe:P=17"}) {
    const IntegerLayer layer = make_layer(random, 2, 5003, -8, 7);
    CAPTURE(shorthand);
    check_products(layer, parse_datapath(shorthand), make_batch(random, 3, 5003, -128, true));
    check_products(layer, with(parse_datapath(shorthand), Overflow::saturate, Limits::full, 2),
                   make_batch(random, 2, 5003, 0, true));
  }
}

TEST_CASE("the longest sums of one sign: nothing is lost in 32 bits") {
  const std::int64_t cols = 70000;  // 70,000 · 255 · 128 > 2^31
  IntegerLayer layer;
  layer.name = "long";
  layer.rows = 2;
  layer.cols = cols;
  layer.box_lower = {0};
  layer.box_upper = {255};
  layer.weights.assign(static_cast<std::size_t>(cols), -128);
  layer.weights.resize(static_cast<std::size_t>(2 * cols), 127);
  const std::vector<std::uint8_t> biased(static_cast<std::size_t>(cols), 255);
  const Topology topology(parse_datapath("axe:P=33"), cols);
  for (const Target target : targets()) {
    std::vector<std::int64_t> sums(2);
    ExactProduct(layer, topology, target).multiply({biased, 1, 0, {}}, sums);
    CHECK(sums == std::vector<std::int64_t>{-128 * 255 * cols, 127 * 255 * cols});
    DatapathProduct(layer, topology, target).multiply({biased, 1, 0, {}}, sums);
    // 33 bits hold them; the outer 32 bits do not.
    CHECK(sums == std::vector<std::int64_t>{(std::int64_t{1} << 32) - 128 * 255 * cols,
                                            127 * 255 * cols - (std::int64_t{1} << 32)});
  }
}

TEST_CASE("sums that land on the limit of a register do not overflow, and one more does: exact test and steps alike") {
  Random random(6);
  int reached = 0;
  for (int trial = 0; trial < 400; ++trial) {
    // One row of 40 products: those of one sign first, the last of them a weight of ±1 that brings the sum to `target`.
    const int width = 11 + trial % 6;
    const Overflow overflow = trial / 6 % 2 == 0 ? Overflow::wrap : Overflow::saturate;
    const Limits limits = trial / 12 % 2 == 0 ? Limits::symmetric : Limits::full;
    const int sign = trial / 24 % 2 == 0 ? 1 : -1;
    const IntegerRange range = register_limits(width, limits);
    const std::int64_t beyond = trial / 48 % 3 - 1;  // −1, 0: fits; 1: one too far
    const std::int64_t wanted = sign > 0 ? range.upper + beyond : range.lower - beyond;
    IntegerLayer layer;
    layer.name = "limit";
    layer.rows = 1;
    layer.cols = 40;
    layer.box_lower = {-128};
    layer.box_upper = {255};
    const std::int32_t base = trial % 2 == 0 ? 0 : -128;
    std::vector<std::uint8_t> biased;
    std::int64_t sum = 0;
    const std::int64_t most = 2 * (range.upper / 4096) + 1;  // of |w|: so that about 20 products reach the limit
    for (int k = 0; k < 20; ++k) {
      layer.weights.push_back(static_cast<std::int8_t>(sign * between(random, 1, most)));
      const std::int64_t x = between(random, 0, 255 + base);
      biased.push_back(static_cast<std::uint8_t>(x - base));
      sum += layer.weights.back() * x;
    }
    while (sign * (wanted - sum) < 0) {  // make the largest operands smaller until something is left to add
      for (std::size_t k = 0; k < 20 && sign * (wanted - sum) < 0; ++k) {
        const std::int64_t x = biased[k] + base;
        sum -= layer.weights[k] * x - layer.weights[k] * (x / 2);
        biased[k] = static_cast<std::uint8_t>(x / 2 - base);
      }
    }
    for (int k = 0; k < 19; ++k) {  // fill up with weights of ±1 to ±127, then exactly ±1
      const std::int64_t left = sign * (wanted - sum);
      const std::int64_t w = std::clamp<std::int64_t>(left / (255 + base), 1, 127);
      const std::int64_t x = std::min<std::int64_t>(left / w, 255 + base);
      layer.weights.push_back(static_cast<std::int8_t>(sign * w));
      biased.push_back(static_cast<std::uint8_t>(x - base));
      sum += layer.weights.back() * x;
    }
    layer.weights.push_back(static_cast<std::int8_t>(-sign * 5));  // the other sign last
    biased.push_back(static_cast<std::uint8_t>(3 - base));
    REQUIRE(sum == wanted);
    reached += beyond == 1 ? 1 : 0;

    Datapath datapath = with(parse_datapath("axe:P=16,act=s8"), overflow, limits);
    datapath.stages[0].width = width;
    datapath.activations = {-128, 255};
    const Topology topology(datapath, layer.cols);
    const auto traces = run(
        topology, layer.weights,
        [&] {
          std::vector<std::int32_t> inputs;
          for (const std::uint8_t code : biased) {
            inputs.push_back(code + base);
          }
          return inputs;
        }(),
        0);
    REQUIRE(traces[0][0].overflowed == (beyond == 1));
    for (const Target target : targets()) {
      CAPTURE(trial);
      CAPTURE(to_text(target));
      std::vector<std::int64_t> content(1);
      const std::int64_t overflows = DatapathProduct(layer, topology, target).multiply({biased, 1, base, {}}, content);
      CHECK(content[0] == traces[1][0].value);
      CHECK((overflows > 0) == (beyond == 1));
      if (overflow == Overflow::saturate) {
        CHECK(overflows == (beyond == 1 ? 1 : 0));
      }
    }
  }
  CHECK(reached > 100);
}

TEST_CASE("bad operands are refused with the layer's name, and nothing is written") {
  Random random(5);
  const IntegerLayer layer = make_layer(random, 3, 8);
  const Topology topology(parse_datapath("axe:P=16,T=4"), 8);
  const ExactProduct exact(layer, topology);
  const DatapathProduct stepped(layer, topology);
  const std::vector<std::uint8_t> biased(16, 1);
  const std::vector<std::int32_t> one_zero_point{1};
  const std::vector<std::int32_t> negative{1, -1};
  std::vector<std::int64_t> sums(6, 42);
  const auto refused = [&](const Operands& operands, std::size_t entries, int threads, const char* word) {
    for (int which = 0; which < 2; ++which) {
      try {
        const std::span<std::int64_t> room(sums.data(), entries);
        which == 0 ? exact.multiply(operands, room, threads) : void(stepped.multiply(operands, room, threads));
        FAIL("accepted");
      } catch (const InputError& error) {
        const std::string text = error.what();
        CHECK(text.find("kernel.test") != std::string::npos);
        CHECK(text.find(word) != std::string::npos);
      }
    }
  };
  refused({biased, 3, 0, {}}, 6, 1, "operands");
  refused({biased, 0, 0, {}}, 6, 1, "tokens");
  refused({biased, 2, 0, {}}, 5, 1, "room");
  refused({biased, 2, (1 << 24) + 1, {}}, 6, 1, "base");
  refused({biased, 2, 0, one_zero_point}, 6, 1, "zero points");
  refused({biased, 2, 0, negative}, 6, 1, "zero point -1");
  refused({biased, 2, 0, {}}, 6, 0, "threads");
  CHECK(sums == std::vector<std::int64_t>(6, 42));
  CHECK_THROWS_AS(ExactProduct(layer, Topology(parse_datapath("axe:P=16"), 7)), InputError);
  CHECK_THROWS_AS(DatapathProduct(layer, Topology(parse_datapath("axe:P=16"), 7)), InputError);
}

// oneDNN as the judge: the inputs that overflow a register of `onednn-u8s8` and `onednn-s8s8-gemm` are fed to its int8 matmul, which must
// give the wrong integers that the machine gives, and the exact ones where the certificate says safe. ONEDNN_MAX_CPU_ISA=AVX2 makes
// oneDNN take the kernels of CPUs without VNNI, so saturation is seen on every x86 CPU with AVX2; with the kernels that it takes by
// itself the test says what could be seen. The same kernels are probed as black boxes, unknown as they are.
// Requirements: TOR-404, TOR-405.
#include <doctest/doctest.h>

#if defined(__x86_64__)

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>

#include "axecert/bound/range.hpp"
#include "axecert/certificate/certificate.hpp"
#include "axecert/probe/command_product.hpp"
#include "axecert/probe/probe.hpp"
#include "axecert/probe/simulated_product.hpp"

using namespace axe;

namespace {

/// oneDNN's matmul with activations of `type`; `isa` is what it may use at most, empty: all that there is.
CommandProduct onednn(const std::string& type, const char* isa) {
  if (isa == nullptr) {
    ::unsetenv("ONEDNN_MAX_CPU_ISA");
  } else {
    ::setenv("ONEDNN_MAX_CPU_ISA", isa, 1);
  }
  return CommandProduct({AXECERT_ONEDNN_BOX, type}, 60);
}

std::int64_t ask(Product& box, const DotProduct& question) {
  return box.multiply({1, question.length(), 1, question.x, question.w})[0];
}

DotProduct equal_products(std::int64_t length, std::int32_t x, std::int8_t w) {
  const auto n = static_cast<std::size_t>(length);
  return {std::vector<std::int32_t>(n, x), std::vector<std::int8_t>(n, w)};
}

/// Whether this CPU can run the kernels that ISA=AVX2 asks for.
bool has_avx2() {
  return __builtin_cpu_supports("avx2") != 0;
}

/// Rows of `length` weights, uniform in int8: half of the pairs can overflow.
IntegerLayer layer_of(std::int64_t rows, std::int64_t length) {
  std::mt19937_64 random(11);
  IntegerLayer layer;
  layer.name = "layer";
  layer.rows = rows;
  layer.cols = length;
  for (std::int64_t i = 0; i < rows * length; ++i) {
    layer.weights.push_back(static_cast<std::int8_t>(static_cast<std::int64_t>(random() % 256) - 128));
  }
  layer.box_lower = {0};
  layer.box_upper = {255};
  return layer;
}

struct Seen {
  int wrong = 0, exact = 0;
};

/// The witness of both ends of every pair, in codes = operand − offset. The machine must give what oneDNN gives.
Seen judge(const IntegerLayer& layer, const Datapath& datapath, std::int64_t offset, const std::string& type) {
  CommandProduct box = onednn(type, "AVX2");
  const Topology topology(datapath, layer.cols);
  Simulator machine(datapath);
  Seen seen;
  for (std::int64_t row = 0; row < layer.rows; ++row) {
    for (std::int64_t node = 0; node < topology.nodes(0); ++node) {
      const IntegerRange range = node_range(layer, topology, {row, 0, node});
      for (const Side side : {Side::lower, Side::upper}) {
        const std::int64_t end = side == Side::lower ? range.lower : range.upper;
        const IntegerRange limits = register_limits(datapath.stages[0]);
        const bool overflows = end < limits.lower || end > limits.upper;
        DotProduct question;
        question.x = witness(layer, topology, {row, 0, node}, side);
        for (std::int32_t& x : question.x) {
          x = static_cast<std::int32_t>(x - offset);
        }
        question.w.assign(layer.row(row), layer.row(row) + layer.cols);
        const std::int64_t answer = ask(box, question);
        REQUIRE(answer == machine.value(question, offset).value);
        // A witness of one pair leaves the other products 0: the answer is wrong if and only if this pair overflows.
        REQUIRE(overflows == (answer != exact_value(question)));
        (answer == exact_value(question) ? seen.exact : seen.wrong) += 1;
      }
    }
  }
  return seen;
}

}  // namespace

TEST_CASE("with the kernels of AVX2, every witness overflows in oneDNN as in the machine") {
  if (!has_avx2()) {
    MESSAGE("this CPU has no AVX2: nothing was compared");
    return;
  }
  const IntegerLayer layer = layer_of(8, 30);
  REQUIRE(make_claims(layer, parse_datapath("onednn-u8s8"), InputSource::given).verdict == Verdict::unsafe);
  Seen seen = judge(layer, parse_datapath("onednn-u8s8"), 0, "u8");
  MESSAGE("u8s8: " << seen.wrong << " witnesses come out wrong, " << seen.exact << " exact");
  CHECK(seen.wrong > 20);
  CHECK(seen.exact > 20);
  seen = judge(layer, parse_datapath("onednn-s8s8-gemm"), 128, "s8");
  MESSAGE("s8s8: " << seen.wrong << " witnesses come out wrong, " << seen.exact << " exact");
  CHECK(seen.wrong > 20);
  CHECK(seen.exact > 20);
}

TEST_CASE("a layer that is certified safe is exact in oneDNN, on its witnesses and on adversarial and random inputs") {
  if (!has_avx2()) {
    MESSAGE("this CPU has no AVX2: nothing was compared");
    return;
  }
  const Datapath datapath = parse_datapath("onednn-u8s8");
  IntegerLayer layer = layer_of(8, 30);
  for (std::size_t i = 0; i < layer.weights.size();
       i += 2) {  // each pair's positives to 128 at most, its negatives to −128
    const int first = layer.weights[i];
    const int room = first > 0 ? 128 - first : 128 + first;
    const bool same_sign = (layer.weights[i + 1] > 0) == (first > 0);
    const int second = layer.weights[i + 1];
    layer.weights[i + 1] = static_cast<std::int8_t>(same_sign ? std::clamp(second, -room, room) : second);
  }
  const LayerClaims claims = make_claims(layer, datapath, InputSource::given);
  REQUIRE(claims.verdict == Verdict::safe);
  CHECK(judge(layer, datapath, 0, "u8").wrong == 0);
  CHECK(judge(layer, datapath, 128, "s8").wrong == 0);
  CommandProduct box = onednn("u8", "AVX2");
  std::mt19937_64 random(12);
  for (int i = 0; i < 300; ++i) {
    DotProduct question;
    question.w.assign(layer.row(i % layer.rows), layer.row(i % layer.rows) + layer.cols);
    for (std::int64_t k = 0; k < layer.cols; ++k) {
      question.x.push_back(static_cast<std::int32_t>(i % 2 == 0 ? random() % 256 : 255 * (random() % 2)));
    }
    REQUIRE(ask(box, question) == exact_value(question));
  }
}

TEST_CASE("two products of 127 · 127 in s8s8 are 255") {
  if (!has_avx2()) {
    MESSAGE("this CPU has no AVX2: nothing was compared");
    return;
  }
  const DotProduct question = equal_products(2, 127, 127);
  REQUIRE(exact_value(question) == 32258);
  CommandProduct box = onednn("s8", "AVX2");
  CHECK(ask(box, question) == 255);  // min((127 + 128)·127·2, 32767) − 128·(127 + 127)
  CHECK(Simulator(parse_datapath("onednn-s8s8-gemm")).value(question, 128).value == 255);
  // The certificate refuses these weights, and accepts them halved.
  IntegerLayer layer;
  layer.name = "pair";
  layer.rows = 1;
  layer.cols = 2;
  layer.weights = {127, 127};
  layer.box_lower = {0};
  layer.box_upper = {255};
  const Datapath datapath = parse_datapath("onednn-s8s8-gemm");
  CHECK(make_claims(layer, datapath, InputSource::given).verdict == Verdict::unsafe);
  layer.weights = {64, 64};
  CHECK(make_claims(layer, datapath, InputSource::given).verdict == Verdict::safe);
  const DotProduct halved = equal_products(2, 127, 64);
  CHECK(ask(box, halved) == exact_value(halved));
}

TEST_CASE("probed, oneDNN's kernels of AVX2 are what the catalogue says") {
  if (!has_avx2()) {
    MESSAGE("this CPU has no AVX2: nothing was compared");
    return;
  }
  for (const std::string type : {"u8", "s8"}) {
    CommandProduct box = onednn(type, "AVX2");
    ProbeOptions options;
    options.activations = type == "u8" ? IntegerRange{0, 255} : IntegerRange{-128, 127};
    options.longest = 256;  // beyond, see the next test
    options.fresh = 120;
    const ProbeResult result = probe(box, options);
    CAPTURE(result.reason);
    REQUIRE(result.found);
    MESSAGE(type << ": " << describe(result.datapath) << ", codes plus " << result.offset);
    CHECK(result.offset == (type == "u8" ? 0 : 128));
    REQUIRE(result.datapath.stages.size() == 2);
    CHECK(result.datapath.stages[0].width == 16);
    CHECK(result.datapath.stages[0].group == 2);
    CHECK(result.datapath.stages[0].overflow == Overflow::saturate);
    const std::string preset = type == "u8" ? "onednn-u8s8" : "onednn-s8s8-gemm";
    CHECK(std::any_of(result.presets.begin(), result.presets.end(), [&](const auto& p) { return p.name == preset; }));
    CHECK(std::none_of(result.presets.begin(), result.presets.end(),
                       [&](const auto& p) { return p.name == "x86-vnni"; }));
  }
}

TEST_CASE(
    "between 257 and 767 terms oneDNN's pairs are others, and a probe that asks for such says that no stages explain "
    "it") {
  if (!has_avx2()) {
    MESSAGE("this CPU has no AVX2: nothing was compared");
    return;
  }
  CommandProduct box = onednn("u8", "AVX2");
  const auto share_a_register = [&](std::int64_t length, std::int64_t k) {
    DotProduct question = equal_products(length, 0, 0);
    for (const auto at : {static_cast<std::size_t>(k), static_cast<std::size_t>(k + 1)}) {
      question.x[at] = 255;
      question.w[at] = 127;
    }
    const std::int64_t answer = ask(box, question);
    REQUIRE((answer == 64770 || answer == 32767));
    return answer == 32767;
  };
  // Two blocks, the first of ⌈K/2⌉ terms; each begins with a pair of its own. With an odd first block that is another pairing.
  for (const std::int64_t length : {257, 258, 373, 766}) {
    const std::int64_t second = (length + 1) / 2;
    CAPTURE(length);
    REQUIRE(second % 2 == 1);
    for (std::int64_t k = second - 9; k < second + 8; ++k) {
      CAPTURE(k);
      CHECK(share_a_register(length, k) == (k < second ? k % 2 == 0 && k != second - 1 : k % 2 == 1));
    }
  }
  for (const std::int64_t length : {254, 256, 259, 260, 767, 768, 769, 770, 1154, 4096}) {
    CAPTURE(length);
    for (std::int64_t k = length / 2 - 3; k < length / 2 + 4; ++k) {
      CAPTURE(k);
      CHECK(share_a_register(length, k) == (k % 2 == 0));
    }
  }
  ProbeOptions options;
  options.longest = 400;
  const ProbeResult result = probe(box, options);
  CHECK_FALSE(result.found);
  REQUIRE(result.contradiction);
  const std::int64_t length = dot_product_of(result.asked[result.contradiction->question].runs).length();
  CHECK((length > 256 && (length % 4 == 1 || length % 4 == 2)));
}

TEST_CASE("the kernels that oneDNN takes by itself") {
  CommandProduct u8s8 = onednn("u8", nullptr);
  CommandProduct s8s8 = onednn("s8", nullptr);
  const DotProduct unsigned_pair = equal_products(2, 255, 127), signed_pair = equal_products(2, 127, 127);
  const std::int64_t u = ask(u8s8, unsigned_pair), s = ask(s8s8, signed_pair);
  // Exact products (VNNI, AMX), or pairs in 16 bits; nothing else.
  CHECK((u == 64770 || u == 32767));
  CHECK((s == 32258 || s == 255));
  const std::string seen = u == 64770
                               ? "u8s8 is exact on this CPU: its saturation is only seen with ONEDNN_MAX_CPU_ISA=AVX2"
                               : "u8s8 saturates on this CPU by itself";
  MESSAGE(seen);
}

#endif

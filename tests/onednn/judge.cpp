// oneDNN as the judge: the inputs that overflow a register of `onednn-u8s8` and `onednn-s8s8-gemm` are fed to its int8 matmul, which must
// give the wrong integers that the machine gives, and the exact ones where the certificate says safe. ONEDNN_MAX_CPU_ISA=AVX2 makes
// oneDNN take the kernels of CPUs without VNNI, so saturation is seen on every x86 CPU with AVX2; with the kernels that it takes by
// itself the test says what could be seen. The same kernels are probed as black boxes, unknown as they are.
#include <doctest/doctest.h>

#if defined(__x86_64__)

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
Seen judge(Product& box, const Datapath& datapath, std::int64_t offset) {
  const IntegerLayer layer = layer_of(4, 30);
  const LayerClaims claims = make_claims(layer, datapath, InputSource::given);
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
        if (overflows) {
          REQUIRE(answer != exact_value(question));
        }
        (answer == exact_value(question) ? seen.exact : seen.wrong) += 1;
      }
    }
  }
  CHECK(claims.verdict == Verdict::unsafe);
  return seen;
}

}  // namespace

TEST_CASE("with the kernels of AVX2, every witness overflows in oneDNN as in the machine") {
  if (!has_avx2()) {
    MESSAGE("this CPU has no AVX2: nothing was compared");
    return;
  }
  CommandProduct u8s8 = onednn("u8", "AVX2");
  Seen seen = judge(u8s8, parse_datapath("onednn-u8s8"), 0);
  MESSAGE("u8s8: " << seen.wrong << " witnesses come out wrong, " << seen.exact << " exact");
  CHECK(seen.wrong > 20);
  CHECK(seen.exact > 20);
  CommandProduct s8s8 = onednn("s8", "AVX2");
  seen = judge(s8s8, parse_datapath("onednn-s8s8-gemm"), 128);
  MESSAGE("s8s8: " << seen.wrong << " witnesses come out wrong, " << seen.exact << " exact");
  CHECK(seen.wrong > 20);
  CHECK(seen.exact > 20);
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
    options.longest = 400;
    options.fresh = 60;
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
  }
}

TEST_CASE("the kernels that oneDNN takes by itself") {
  CommandProduct u8s8 = onednn("u8", nullptr);
  CommandProduct s8s8 = onednn("s8", nullptr);
  const DotProduct unsigned_pair = equal_products(2, 255, 127), signed_pair = equal_products(2, 127, 127);
  const std::int64_t u = ask(u8s8, unsigned_pair), s = ask(s8s8, signed_pair);
  // Exact products (VNNI, AMX), or pairs in 16 bits; nothing else.
  CHECK((u == 64770 || u == 32767));
  CHECK((s == 32258 || s == 255));
  MESSAGE((u == 64770 ? "u8s8 is exact on this CPU: its saturation is only seen with ONEDNN_MAX_CPU_ISA=AVX2"
                      : "u8s8 saturates on this CPU by itself"));
}

#endif

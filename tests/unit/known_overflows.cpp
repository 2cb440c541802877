// Overflows that people reported, as far as their reports give the arithmetic: the certificate refuses the case, the machine shows
// the wrong integer that was seen, and the form in which it was fixed is accepted. And what a datapath promises whatever the
// weights: the longest safe row and the safe inputs, each attained and each refused one step beyond.
// Reports without numbers are listed with the presets (`bugs`). ruy 373, the product of two zero points and the depth, concerns a constant that
// no stage sees: tests/onnx/test_onnxruntime.py has it.
// Requirements: TOR-405.
#include <doctest/doctest.h>

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "axecert/bound/worst_case.hpp"
#include "axecert/certificate/certificate.hpp"
#include "axecert/datapath/datapath.hpp"
#include "axecert/datapath/machine.hpp"
#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

using Weights = std::vector<std::int8_t>;
using Inputs = std::vector<std::int32_t>;

Verdict verdict(const Datapath& datapath, Weights weights, IntegerRange inputs) {
  IntegerLayer layer;
  layer.name = "row";
  layer.rows = 1;
  layer.cols = static_cast<std::int64_t>(weights.size());
  layer.weights = std::move(weights);
  layer.box_lower = {static_cast<std::int32_t>(inputs.lower)};
  layer.box_upper = {static_cast<std::int32_t>(inputs.upper)};
  return make_claims(layer, datapath, InputSource::given).verdict;
}

/// On the datapath's whole input range.
Verdict verdict(const Datapath& datapath, const Weights& weights) {
  return verdict(datapath, weights, datapath.activations);
}

Verdict verdict(const std::string& name, const Weights& weights) {
  return verdict(parse_datapath(name), weights);
}

/// What is in the last register.
std::int64_t machine(const Datapath& datapath, const Weights& w, const Inputs& x) {
  const Topology topology(datapath, static_cast<std::int64_t>(w.size()));
  return run(topology, w, x, 0).back().at(0).value;
}
std::int64_t machine(const std::string& name, const Weights& w, const Inputs& x) {
  return machine(parse_datapath(name), w, x);
}

std::int64_t exact(const Weights& w, const Inputs& x) {
  return std::inner_product(w.begin(), w.end(), x.begin(), std::int64_t{0});
}

Weights repeat(std::size_t count, int weight) {
  return Weights(count, static_cast<std::int8_t>(weight));
}

Datapath with_width(const std::string& name, std::size_t stage, int width) {
  Datapath datapath = parse_datapath(name);
  datapath.stages.at(stage).width = width;
  return datapath;
}

}  // namespace

TEST_CASE("onnxruntime 16105: [210, 198, 234] by [-81, -80, 127] differs between processors") {
  const Weights w{-81, -80, 127};
  const Inputs x{210, 198, 234};
  CHECK(exact(w, x) == -3132);
  CHECK(machine("mlas-u8s8-avx2", w, x) == -32768 + 234 * 127);
  CHECK(verdict("mlas-u8s8-avx2", w) == Verdict::unsafe);
  // As MLAS does it today, and where the processor has VNNI.
  for (const char* fixed : {"mlas-u8u8-avx2", "mlas-u8s8-vnni"}) {
    CHECK(machine(fixed, w, x) == -3132);
    CHECK(verdict(fixed, w) == Verdict::safe);
  }
}

TEST_CASE("pytorch 44939, FBGEMM 125: 211·71 + 171·107 = 33,278 saturates without VNNI") {
  const Weights w{71, 107};
  const Inputs x{211, 171};
  CHECK(exact(w, x) == 33278);
  CHECK(machine("fbgemm-acc32", w, x) == 32767);
  CHECK(verdict("fbgemm-acc32", w) == Verdict::unsafe);
  CHECK(machine("fbgemm-acc32-vnni", w, x) == 33278);
  CHECK(verdict("fbgemm-acc32-vnni", w) == Verdict::safe);
  CHECK(verdict("fbgemm-acc32", {71, 57}) == Verdict::safe);    // 128: all that a pair needs
  CHECK(verdict("fbgemm-acc32", {71, 58}) == Verdict::unsafe);  // 129·255 = 32,895
}

TEST_CASE("FBGEMM 199 and 417: int16 saturates early") {
  const Weights w = repeat(4, 64);
  const Inputs x(4, 255);
  CHECK(exact(w, x) == 65280);
  CHECK(machine("fbgemm-acc16", w, x) == 32767);
  CHECK(verdict("fbgemm-acc16", w) == Verdict::unsafe);  // although both of its pairs fit
  CHECK(machine("fbgemm-acc32", w, x) == 65280);
  CHECK(verdict("fbgemm-acc32", w) == Verdict::safe);
}

TEST_CASE("oneDNN 518 and 375: the largest result is 32,767; 'divide all data by two'") {
  for (const char* name : {"onednn-u8s8", "onednn-s8s8-gemm"}) {
    CAPTURE(name);
    CHECK(machine(name, {127, 127}, {255, 255}) == 32767);
    CHECK(verdict(name, {127, 127}) == Verdict::unsafe);
    CHECK(verdict(name, {63, 63}) == Verdict::safe);
    CHECK(verdict(parse_datapath(name), {127, 127}, {0, 127}) == Verdict::safe);
  }
  CHECK(verdict("onednn-s8s8-conv", {64, 64}) == Verdict::safe);  // weights halved by the reorder
  CHECK_THROWS_AS(verdict("onednn-s8s8-conv", {127, 127}), InputError);
}

TEST_CASE("onnxruntime 31573: -128·-128 twice wraps an int16 pair; 31606: tests within [21, 64) could not see it") {
  const Weights w = repeat(16, -128);
  for (const char* name : {"neon-mull-mlal", "mlas-s8s8-neon", "xnnpack-neon-mull", "ruy-neon-int8"}) {
    CAPTURE(name);
    CHECK(exact(w, Inputs(16, -128)) == 262144);
    CHECK(machine(name, w, Inputs(16, -128)) == 262144 - 8 * 65536);  // an error of 65,536 for each pair
    CHECK(verdict(name, w) == Verdict::unsafe);
    CHECK(machine(name, repeat(16, 63), Inputs(16, 63)) == 16 * 63 * 63);
    CHECK(verdict(name, repeat(16, -127)) == Verdict::safe);
    CHECK(verdict(parse_datapath(name), w, {-127, 127}) == Verdict::safe);
    Weights one_each = w;  // one of the two is enough, in every lane
    std::fill(one_each.begin() + 8, one_each.end(), std::int8_t{-127});
    CHECK(verdict(name, one_each) == Verdict::safe);
    one_each[8] = -128;
    CHECK(verdict(name, one_each) == Verdict::unsafe);
  }
}

TEST_CASE("gemmlowp 71, ncnn 717, MNN, ggml 1393: -128 breaks the contract and is refused; what keeps it is safe") {
  for (const char* name : {"gemmlowp-neon-int8", "ncnn-im2col", "mnn-arm64"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(verdict(name, repeat(16, -128)), InputError);
    CHECK(verdict(name, repeat(16, -127)) == Verdict::safe);
  }
  const Datapath q8 = parse_datapath("ggml-q8_0-avx2");
  CHECK_THROWS_AS(verdict(q8, repeat(32, -128), {-128, 127}), InputError);
  CHECK(verdict(q8, repeat(32, -128), {-127, 127}) == Verdict::safe);
}

TEST_CASE("BitNet 629 and 411: 256 products of 2·127 are 65,024 in an int16 lane, which reads -512") {
  for (const auto& [name, lanes] : {std::pair{"bitnet-i2_s-avx2", 16}, std::pair{"bitnet-i2_s-neon", 8}}) {
    CAPTURE(name);
    const auto cols = static_cast<std::size_t>(256 * lanes);
    const Weights w = repeat(cols, 2);
    CHECK(machine(name, w, Inputs(cols, 127)) == -512 * lanes);
    CHECK(verdict(name, w) == Verdict::unsafe);
    const Datapath datapath = parse_datapath(name);
    CHECK(verdict(datapath, w, {-64, 63}) == Verdict::safe);
    CHECK(verdict(datapath, w, {-64, 64}) == Verdict::unsafe);
    CHECK(verdict(datapath, w, {-65, 63}) == Verdict::unsafe);
    CHECK(verdict(name, repeat(cols, 1)) == Verdict::safe);  // 256·127 = 32,512: ternary zeros alone are safe
  }
}

TEST_CASE("tflite-micro 3597 and 3598, TensorFlow 53763: 16x8 without bias fell back to 32 bits") {
  const Weights w = repeat(1024, 127);
  const Inputs x(1024, 32767);
  CHECK(machine("cmsis-nn-s16x8-int32", w, x) == static_cast<std::int32_t>(exact(w, x) & 0xFFFFFFFF));
  CHECK(machine("cmsis-nn-s16x8-int32", w, x) < 0);
  for (const char* name : {"cmsis-nn-s16x8-int32", "tflite-int16x8-int32"}) {
    CHECK(verdict(name, w) == Verdict::unsafe);
  }
  for (const char* name : {"cmsis-nn-s16x8", "tflite-int16x8"}) {
    CHECK(machine(name, w, x) == exact(w, x));
    CHECK(verdict(name, w) == Verdict::safe);
  }
}

TEST_CASE("TensorFlow 33735: a bias of -2,147,483,647 leaves no room for products") {
  const auto with_bias = [](std::int64_t bias, IntegerRange inputs) {
    IntegerLayer layer;
    layer.name = "row";
    layer.rows = 1;
    layer.cols = 2;
    layer.weights = {1, -1};
    layer.bias = {bias};
    layer.box_lower = {static_cast<std::int32_t>(inputs.lower)};
    layer.box_upper = {static_cast<std::int32_t>(inputs.upper)};
    return make_claims(layer, parse_datapath("tflite-reference-int8"), InputSource::given).verdict;
  };
  CHECK(with_bias(-2147483647, {0, 255}) == Verdict::unsafe);
  CHECK(with_bias(-2147483647, {0, 1}) == Verdict::safe);  // -2^31 itself
  CHECK(with_bias(-2147483648 + 255, {0, 255}) == Verdict::safe);
  CHECK(with_bias(-2147483648 + 254, {0, 255}) == Verdict::unsafe);
}

TEST_CASE("concrete 1303, Concrete ML: integers beyond 16 bits") {
  CHECK(machine("concrete-ml-16", {127, 127, 127}, {127, 127, 127}) == 3 * 127 * 127 - 65536);
  CHECK(verdict("concrete-ml-16", {127, 127, 127}) == Verdict::unsafe);
  CHECK(verdict(parse_datapath("concrete-ml-16"), {127, 127, 127}, {-86, 85}) == Verdict::safe);  // 3·127·86 = 32,766
  CHECK(verdict(parse_datapath("concrete-ml-16"), {127, 127, 127}, {-87, 85}) == Verdict::unsafe);
}

TEST_CASE("muriscv-nn 46: KMADA saturates where SMLAD wraps") {
  const Weights w = repeat(512, -128);
  const Inputs x(512, -32768);
  CHECK(exact(w, x) == std::int64_t{1} << 31);
  CHECK(machine("riscv-p-kmada", w, x) == INT32_MAX);
  CHECK(machine("cmsis-nn-s16x8-int32", w, x) == INT32_MIN);
  CHECK(verdict("riscv-p-kmada", w) == Verdict::unsafe);
  CHECK(verdict("riscv-p-kmada", repeat(511, -128)) == Verdict::safe);
}

TEST_CASE("gemmini 315: the output-stationary array overflows, and small random inputs do not show it") {
  const Weights w = repeat(32, -128);
  CHECK(machine("gemmini-os", w, Inputs(32, -128)) == -(1 << 19));
  CHECK(machine("gemmini-os", repeat(32, -8), Inputs(32, -8)) == 32 * 64);
  CHECK(verdict("gemmini-os", w) == Verdict::unsafe);
  CHECK(verdict("gemmini-ws", w) == Verdict::safe);
}

TEST_CASE("hls4ml 324 and 68: accum_t wraps by default; the width that certify prints is accepted") {
  const Weights w = repeat(3, 127);
  const Inputs x(3, 127);
  CHECK(machine("hls4ml-16-wrap", w, x) == 48387 - 65536);
  CHECK(machine("hls4ml-16-sat", w, x) == 32767);
  for (const char* name : {"hls4ml-16-wrap", "hls4ml-16-sat", "hls4ml-16-sat-sym", "hls4ml-16-sat-zero"}) {
    CHECK(verdict(name, w) == Verdict::unsafe);  // saturating is not enough: the sum is wrong all the same
    CHECK(verdict(with_width(name, 0, 17), w) == Verdict::safe);  // 3·127·128 = 48,768 ≤ 65,535
  }
}

TEST_CASE("FINN 1692 and 1696: truncation to 18 bits where the sum needs 19") {
  const Weights w = repeat(5, 127);
  CHECK(machine(with_width("finn-mvau-16", 0, 18), w, Inputs(5, 255)) == 161925 - 262144);
  CHECK(verdict(with_width("finn-mvau-16", 0, 18), w) == Verdict::unsafe);
  CHECK(verdict(with_width("finn-mvau-16", 0, 19), w) == Verdict::safe);
}

TEST_CASE("SpinalDLA 1: one product too many for the packed field, unless -128 never comes") {
  CHECK(machine(parse_datapath("dsp48e2-int8x2"), repeat(7, -128), Inputs(7, -128)) == 7 << 14);
  CHECK(verdict("dsp48e2-int8x2", repeat(7, -128)) == Verdict::safe);
  Datapath eight = parse_datapath("dsp48e2-int8x2");
  eight.stages[0].group = 8;
  CHECK(machine(eight, repeat(8, -128), Inputs(8, -128)) == -(1 << 17));
  CHECK(verdict(eight, repeat(8, -128)) == Verdict::unsafe);
  CHECK_THROWS_AS(verdict("dsp48e2-int8x2-chain8", repeat(8, -128)), InputError);
  CHECK(verdict("dsp48e2-int8x2-chain8", repeat(8, -127)) == Verdict::safe);
}

TEST_CASE("relaxed SIMD: two engines differ beyond seven bits, and agree within") {
  const Weights w{127, 127};
  CHECK(machine("wasm-relaxed-dot-unsigned-saturate", w, {255, 255}) == 32767);
  CHECK(machine("wasm-relaxed-dot-unsigned-wrap", w, {255, 255}) == 64770 - 65536);
  CHECK_THROWS_AS(verdict(parse_datapath("wasm-relaxed-dot-i7"), w, {0, 255}), InputError);
  CHECK(verdict("wasm-relaxed-dot-i7", w) == Verdict::safe);
}

TEST_CASE("whatever the weights: the safe inputs and the longest row of every preset, and one step beyond each") {
  for (const std::string& name : preset_names()) {
    CAPTURE(name);
    const Datapath whole = parse_datapath(name);
    const std::vector<StageWorstCase> worst = worst_case(whole);
    REQUIRE(worst.size() == whole.stages.size());
    // A stage by itself, so that no other one decides: all others as wide as they get.
    for (std::size_t s = 0; s < worst.size(); ++s) {
      CAPTURE(s);
      Datapath datapath = whole;
      std::int64_t block = 1;  // products that the first register of stage s and its neighbours take
      for (std::size_t t = 0; t < datapath.stages.size(); ++t) {
        if (t != s) {
          datapath.stages[t].width = 64;
        }
        if (t <= s) {
          block *= datapath.stages[t].group * datapath.stages[t].stride;  // 0 once a stage takes all
        }
      }
      const auto any = [&](std::size_t cols, IntegerRange inputs) {
        const Verdict a = verdict(datapath, repeat(cols, static_cast<int>(datapath.weights.lower)), inputs);
        const Verdict b = verdict(datapath, repeat(cols, static_cast<int>(datapath.weights.upper)), inputs);
        return a == Verdict::unsafe || b == Verdict::unsafe ? Verdict::unsafe : Verdict::safe;
      };
      if (worst[s].products == 0) {
        const bool spread = datapath.stages[s].stride != 1;  // then a lane gets one of several values
        if (worst[s].most_products < 200'000 && !spread) {
          const auto most = static_cast<std::size_t>(worst[s].most_products);
          CHECK(any(most, datapath.activations) == Verdict::safe);
          CHECK(any(most + 1, datapath.activations) == Verdict::unsafe);
        }
        continue;
      }
      const auto cols = static_cast<std::size_t>(block);
      const IntegerRange safe = worst[s].safe_inputs, all = datapath.activations;
      CHECK(worst[s].fits == (any(cols, all) == Verdict::safe));
      CHECK(worst[s].fits == (safe == all));
      CHECK(worst[s].fits == (worst[s].most_products >= worst[s].products));
      REQUIRE(safe.lower <= safe.upper);
      CHECK(any(cols, safe) == Verdict::safe);
      if (safe.upper < all.upper) {
        CHECK(any(cols, {safe.lower, safe.upper + 1}) == Verdict::unsafe);
      }
      if (safe.lower > all.lower) {
        CHECK(any(cols, {safe.lower - 1, safe.upper}) == Verdict::unsafe);
      }
    }
  }
  const StageWorstCase lane = worst_case(parse_datapath("bitnet-i2_s-avx2"))[1];
  CHECK(lane.products == 256);
  CHECK(lane.reach == IntegerRange{-65024, 65024});
  CHECK_FALSE(lane.fits);
  CHECK(lane.safe_inputs == IntegerRange{-64, 63});
  CHECK(worst_case(parse_datapath("tflite-int16x8"))[0].most_products == largest_length);  // 64 bits, down to −2^63
  CHECK(worst_case(parse_datapath("x86-avx2-maddubs"))[0].safe_inputs == IntegerRange{0, 128});
}

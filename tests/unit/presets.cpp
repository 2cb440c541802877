// The catalogue of datapaths: every preset against a table that was written by hand from the kernels' descriptions, not from
// the TOML files; that each names its source, its pairing and its family; and what the operand formats refuse.
// Requirements: TOR-404.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "axecert/certificate/certificate.hpp"
#include "axecert/datapath/datapath.hpp"
#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

/// The stages in one line: `group[/stride]:OWIDTH`, O one of w (wrap), s (saturate), u (undefined), with a trailing y for
/// symmetric limits, and +c where the register starts from the row's constant; `*` is all.
std::string notation(const Datapath& datapath) {
  std::string text;
  for (const Stage& stage : datapath.stages) {
    text += (text.empty() ? "" : " ") + (stage.group == 0 ? std::string("*") : std::to_string(stage.group)) +
            (stage.stride == 1 ? "" : "/" + std::to_string(stage.stride)) + ":" + to_text(stage.overflow).substr(0, 1) +
            std::to_string(stage.width) + (stage.limits == Limits::symmetric ? "y" : "") +
            (stage.initial == Initial::constant ? "+c" : "");
  }
  return text;
}

constexpr IntegerRange s8{-128, 127}, u8{0, 255}, s16{-32768, 32767}, plus_minus_127{-127, 127}, centred{-255, 255},
    s4{-8, 7};

struct Expected {
  const char* name;
  const char* stages;
  IntegerRange weights;
  IntegerRange activations;
};

const Expected catalogue[] = {
    {"axe-16x64", "64:w16y *:w32y+c", s8, u8},
    {"axe-monolithic-16", "*:w16y *:w32y+c", s8, u8},
    // vpmaddubsw: two products in a saturating int16; vpmaddwd and vpaddd are modulo 2^32.
    {"x86-avx2-maddubs", "2:s16 *:w32+c", s8, u8},
    {"mlas-u8s8-avx2", "2:s16 *:w32+c", s8, u8},
    {"mlas-convsym-avx2", "2:s16 *:w32+c", s8, u8},
    {"onednn-u8s8", "2:s16 *:w32+c", s8, u8},
    {"onednn-s8s8-gemm", "2:s16 *:w32+c", s8, u8},
    {"onednn-s8s8-conv", "2:s16 *:w32+c", {-64, 64}, u8},  // round(-128 / 2) and round(127 / 2)
    {"onednn-lstm", "2:s16 *:w32+c", {-63, 63}, u8},
    {"fbgemm-acc32", "2:s16 *:w32+c", s8, u8},
    {"intgemm-shift", "2:s16 *:w32+c", s8, u8},
    {"xnnpack-qd8-qc4w-madd", "2:s16 *:w32+c", s4, u8},
    // ... then more saturating additions in int16.
    {"fbgemm-acc16", "2:s16 128:s16 *:w32+c", s8, u8},      // KCB = 256
    {"fbgemm-depthwise", "2:s16 2:s16 *:w32+c", s8, u8},    // four taps
    {"intgemm-ssse3", "2:s16 */8:s16 *:w32", plus_minus_127, s8},  // 2K/16 products per lane
    {"intgemm-avx2", "2:s16 */16:s16 *:w32", plus_minus_127, s8},
    {"intgemm-avx512", "2:s16 */32:s16 *:w32", plus_minus_127, s8},
    // vpmaddwd on widened operands: exact pairs.
    {"x86-maddwd", "2:w32 *:w32+c", s8, s16},
    {"mlas-u8u8-avx2", "2:w32 *:w32+c", s8, u8},
    {"xnnpack-qs8-x86", "2:w32 *:w32+c", s8, s8},
    {"xnnpack-qu8-x86", "2:w32 *:w32+c", s8, u8},
    {"qnnpack-sse2", "2:w32 *:w32+c", s8, u8},
    {"ruy-avx2", "2:w32 *:w32+c", s8, s8},
    // VNNI and AMX.
    {"x86-vnni", "*:w32+c", s8, u8},
    {"fbgemm-acc32-vnni", "*:w32+c", s8, u8},
    {"x86-vnni-saturating", "4:w32 *:s32+c", s8, u8},
    {"mlas-u8s8-vnni", "4:w32 *:s32+c", s8, u8},
    {"mlas-convsym-vnni", "4:w32 *:s32 *:w32+c", s8, u8},  // starts from 0; vpaddd adds the bias last
    {"intgemm-shift-vnni", "4:w32 *:s32+c", s8, u8},
    {"x86-amx-u8s8", "*:w32+c", s8, u8},
    {"x86-amx-s8s8", "*:w32+c", s8, s8},
    // ggml: blocks end in float.
    {"ggml-q4_0-avx2", "2:s16 2:w32", s4, plus_minus_127},
    {"ggml-q8_0-avx2", "2:s16 2:w32", s8, plus_minus_127},
    {"ggml-q2_K-avx2", "2:s16", {0, 3}, plus_minus_127},
    {"ggml-q3_K-avx2", "2:s16", {-4, 3}, plus_minus_127},  // low bits less 4 where the high bit is clear
    {"ggml-iq4_nl-avx2", "2:s16 2:w32", plus_minus_127, plus_minus_127},
    {"ggml-amx-vnni", "32:w32", s8, s8},
    {"ggml-q4_K-avx2", "2:s16", {0, 15}, plus_minus_127},
    {"ggml-q5_K-avx2", "2:s16", {0, 31}, plus_minus_127},
    {"ggml-q6_K-avx2", "2:s16", {0, 63}, plus_minus_127},
    {"ggml-tq2_0-avx2", "2:s16 8/16:w16", {0, 2}, plus_minus_127},
    {"ggml-cuda", "256:w32", s8, s8},
    {"bitnet-i2_s-avx2", "2:s16 128/16:w16 *:w32", {0, 2}, plus_minus_127},  // 32 iterations of 4 vpmaddubsw
    {"bitnet-i2_s-neon", "256/8:w16 *:w32", {0, 2}, plus_minus_127},         // 32 iterations of 8 vmlal_s8
    // NEON: smull, smlal(2), sadalp.
    {"neon-mull-mlal", "2/8:w16 *:w32+c", s8, s8},
    {"gemmlowp-neon-int8", "2/8:w16 *:w32+c", plus_minus_127, s8},  // LhsNonzero
    {"ruy-neon-int8", "2/8:w16 *:w32+c", s8, s8},
    {"xnnpack-neon-mull", "2/8:w16 *:w32+c", s8, s8},
    {"mlas-s8s8-neon", "2/8:w16 *:w32+c", s8, s8},
    {"mnn-arm64", "2/8:w16 *:w32+c", plus_minus_127, s8},
    {"ncnn-im2col", "2:w16 *:w32+c", plus_minus_127, s8},
    {"gemmlowp-neon-12bit", "16:u17 *:w32+c", {0, 127}, {0, 31}},  // u16 lanes: 65,535 is the upper limit of 17 bits
    {"xnnpack-neon-dot", "*:w32+c", s8, s8},
    {"hexagon-vdmpy-sat", "2:w32 *:s32+c", s8, s16},
    {"arm-sdot", "*:w32+c", s8, s8},
    {"arm-smmla", "*:w32+c", s8, s8},
    {"mlas-sdot", "*:w32+c", s8, s8},
    {"ruy-int16x8", "*:w32+c", s8, s16},
    {"qnnpack-neon", "*:w32+c", s8, u8},
    {"xnnpack-hvx", "*:w32+c", s8, s8},
    // Microcontrollers and RISC-V.
    {"cmsis-nn-s8-dsp", "*:w32+c", s8, s8},
    {"cmsis-nn-s8-mve", "*:w32+c", s8, s8},
    {"cmsis-nn-s16x8", "512:w32 *:w64+c", s8, s16},  // MAX_COL_COUNT
    {"cmsis-nn-s16x8-int32", "*:w32+c", s8, s16},
    {"pulp-nn", "*:w32+c", s8, u8},
    {"riscv-p-kmada", "2:w32 *:s32+c", s8, s16},
    {"xnnpack-rvv", "*:w32+c", s8, s8},
    {"esp32s3-accx", "*:u40", s8, s8},
    {"esp32s3-qacc", "*:u20", s8, s8},
    {"xmos-vlmaccr", "*:s32y+c", s8, s8},
    // Relaxed SIMD: its contract, and the four behaviours beyond it.
    {"wasm-relaxed-dot-i7", "2:u16 *:w32+c", s8, {0, 127}},
    {"wasm-relaxed-dot-signed-wrap", "2:w16 *:w32+c", s8, s8},
    {"wasm-relaxed-dot-signed-saturate", "2:s16 *:w32+c", s8, s8},
    {"wasm-relaxed-dot-unsigned-wrap", "2:w16 *:w32+c", s8, u8},
    {"wasm-relaxed-dot-unsigned-saturate", "2:s16 *:w32+c", s8, u8},
    {"cuda-dp4a", "*:w32+c", s8, s8},
    {"cuda-mma-s8", "*:w32+c", s8, s8},
    {"intel-gpu-dp4a", "*:w32+c", s8, s8},
    {"gemmini-ws", "16:w20 *:w32+c", s8, s8},
    {"gemmini-os", "*:w20+c", s8, s8},
    {"nvdla-int8", "64:w22 *:s34", s8, s8},
    {"nvdla-int16", "*:s48", s8, s16},
    {"vta", "16:w21 *:w32+c", s8, s8},
    {"aie", "*:u48+c", s8, s8},
    {"aie-ml", "*:u32+c", s8, s8},
    {"ethos-u55-i32", "*:u32", s8, s8},
    {"ethos-u55-i40", "*:u40", s8, s16},
    {"dsp48e2-int8x2", "7:w18 *:w48+c", s8, s8},
    {"dsp48e2-int8x2-chain8", "8:w18 *:w48+c", plus_minus_127, s8},
    {"dsp48e2-w4a8", "4096:w23 *:w48+c", s4, s8},
    {"dsp58-int8", "*:u58+c", s8, s8},
    {"finn-mvau-16", "*:w16", s8, u8},
    {"hls4ml-16-wrap", "*:w16+c", s8, s8},
    {"hls4ml-16-sat", "*:s16+c", s8, s8},
    {"hls4ml-16-sat-sym", "*:s16y+c", s8, s8},
    {"hls4ml-16-sat-zero", "*:u16+c", s8, s8},
    // Specifications: every partial sum, the bias last.
    {"tosa-i8", "*:u32 *:u32+c", s8, centred},
    {"tosa-i16", "*:u48 *:u48+c", s8, s16},
    {"onnx-matmulinteger", "*:u32", s8, centred},
    {"concrete-ml-16", "*:u16+c", s8, s8},
    {"tflite-reference-int8", "*:u32 *:u32+c", plus_minus_127, centred},
    {"tflite-int16x8", "*:u64 *:u64+c", plus_minus_127, s16},
    {"tflite-int16x8-int32", "*:u32 *:u32+c", plus_minus_127, s16},
};

/// A row of `cols` equal weights under the datapath's whole operand range.
IntegerLayer row_of(const Datapath& datapath, std::int64_t cols, std::int64_t weight) {
  IntegerLayer layer;
  layer.name = "row";
  layer.rows = 1;
  layer.cols = cols;
  layer.weights.assign(static_cast<std::size_t>(cols), static_cast<std::int8_t>(weight));
  layer.box_lower = {static_cast<std::int32_t>(datapath.activations.lower)};
  layer.box_upper = {static_cast<std::int32_t>(datapath.activations.upper)};
  return layer;
}

Verdict verdict(const Datapath& datapath, std::int64_t cols, std::int64_t weight) {
  return make_claims(row_of(datapath, cols, weight), datapath, InputSource::given).verdict;
}

}  // namespace

TEST_CASE("every preset has the stages and operands of the table, and the table has every preset") {
  std::set<std::string> expected;
  for (const Expected& row : catalogue) {
    CAPTURE(row.name);
    CHECK(expected.insert(row.name).second);
    const Datapath datapath = parse_datapath(row.name);
    CHECK(notation(datapath) == row.stages);
    CHECK(datapath.weights == row.weights);
    CHECK(datapath.activations == row.activations);
  }
  const std::vector<std::string> names = preset_names();
  CHECK(std::set<std::string>(names.begin(), names.end()) == expected);
  CHECK(names.size() >= 40);
}

TEST_CASE("every preset says where it was read, which products share a lane, and where the catalogue lists it") {
  for (const std::string& name : preset_names()) {
    CAPTURE(name);
    const Datapath datapath = parse_datapath(name);
    CHECK_NOTHROW(validate(datapath));
    CHECK(datapath.name == name);
    CHECK_FALSE(datapath.title.empty());
    CHECK_FALSE(datapath.pairing.empty());
    CHECK_FALSE(datapath.family.empty());
    CHECK_FALSE(datapath.sources.empty());
    for (const auto* texts : {&datapath.sources, &datapath.notes, &datapath.contracts, &datapath.requantization,
                              &datapath.bugs}) {
      for (const std::string& text : *texts) {
        CHECK(text.size() >= 10);
        CHECK(text.find('\n') == std::string::npos);
      }
    }
    for (const Stage& stage : datapath.stages) {
      CHECK(stage.claim == Claim::every_partial_sum);
    }
    // Operand forms: unsigned codes reach an unsigned multiplier as they are, a signed one re-centred or centred.
    CHECK(datapath.form == (datapath.activations.lower == 0 ? ActivationForm::raw : ActivationForm::recentred));
  }
}

TEST_CASE("a preset whose operand range is narrower than the type says why in a contract") {
  for (const std::string& name : preset_names()) {
    CAPTURE(name);
    const Datapath datapath = parse_datapath(name);
    const bool narrow_weights = !(datapath.weights == s8);
    const bool narrow_activations =
        datapath.activations == plus_minus_127 || datapath.activations == IntegerRange{0, 127};
    if (narrow_weights || narrow_activations) {
      CHECK_FALSE(datapath.contracts.empty());
    }
    if (!narrow_weights) {
      CHECK(verdict(datapath, 1, 0) == Verdict::safe);
      continue;
    }
    // A layer that breaks the contract is refused, not certified.
    for (const std::int64_t outside : {datapath.weights.lower - 1, datapath.weights.upper + 1}) {
      if (outside >= INT8_MIN && outside <= INT8_MAX) {
        CHECK_THROWS_AS(verdict(datapath, 1, outside), InputError);
      }
    }
  }
}

TEST_CASE("worst-case depths that the sources state or that follow from them") {
  struct Depth {
    const char* name;
    std::int64_t weight;
    std::int64_t fits;  ///< as many products of the extreme operands fit, and one more does not
  };
  const Depth depths[] = {
      {"x86-vnni", -128, 65793},          // 255·128
      {"arm-sdot", -128, 131071},         // 128·128
      {"x86-maddwd", -128, 511},          // 32768·128
      {"ruy-int16x8", -128, 511},
      {"cmsis-nn-s16x8-int32", -128, 511},
      {"tflite-reference-int8", -127, 66311},
      {"tosa-i8", -128, 65793},
      {"tflite-int16x8-int32", -127, 516},
      {"gemmini-os", -128, 31},
      {"gemmini-ws", -128, 131071},
      {"esp32s3-qacc", -128, 31},
      {"nvdla-int8", -128, 524287},        // 8,192 stripes of 64
      {"vta", -128, 131071},
      {"concrete-ml-16", -128, 1},
      {"hexagon-vdmpy-sat", -128, 511},
      {"fbgemm-acc16", 1, 128},
      {"fbgemm-acc16", -1, 128},
      {"intgemm-avx2", -127, 32},          // one pair in each of 16 lanes is 32,512
      {"finn-mvau-16", 1, 128},
      {"hls4ml-16-wrap", -128, 1},         // 2^14; two are 2^15
      {"xmos-vlmaccr", -128, 131071},
  };
  for (const Depth& depth : depths) {
    CAPTURE(depth.name);
    const Datapath datapath = parse_datapath(depth.name);
    CHECK(verdict(datapath, depth.fits, depth.weight) == Verdict::safe);
    CHECK(verdict(datapath, depth.fits + 1, depth.weight) == Verdict::unsafe);
  }
}

TEST_CASE("presets that no model can overflow, at the length their sources use") {
  struct Always {
    const char* name;
    std::int64_t cols;
  };
  for (const Always& row : {Always{"ggml-q4_0-avx2", 4096}, {"ggml-q8_0-avx2", 4096}, {"ggml-q2_K-avx2", 4096},
                            {"ggml-q4_K-avx2", 4096}, {"ggml-q5_K-avx2", 4096}, {"ggml-q6_K-avx2", 4096},
                            {"ggml-tq2_0-avx2", 4096}, {"ggml-cuda", 4096}, {"gemmlowp-neon-int8", 4096},
                            {"ggml-q3_K-avx2", 4096}, {"ggml-iq4_nl-avx2", 4096}, {"ggml-amx-vnni", 4096},
                            {"gemmlowp-neon-12bit", 4096}, {"nvdla-int16", 4096},
                            {"mnn-arm64", 4096}, {"ncnn-im2col", 4096}, {"onednn-lstm", 4096},
                            {"onednn-s8s8-conv", 4096}, {"xnnpack-qd8-qc4w-madd", 4096}, {"wasm-relaxed-dot-i7", 4096},
                            {"gemmini-ws", 4096}, {"dsp48e2-int8x2", 4096}, {"dsp48e2-int8x2-chain8", 4096},
                            {"dsp48e2-w4a8", 4095}, {"esp32s3-qacc", 9}, {"tflite-int16x8", 4096}}) {
    CAPTURE(row.name);
    const Datapath datapath = parse_datapath(row.name);
    CHECK(verdict(datapath, row.cols, datapath.weights.lower) == Verdict::safe);
    CHECK(verdict(datapath, row.cols, datapath.weights.upper) == Verdict::safe);
  }
}

TEST_CASE("an unknown family is refused with those that there are") {
  const std::string toml =
      "name = \"x\"\nfamily = \"toaster\"\nweights = [-1, 1]\nactivations = [0, 1]\n[[stage]]\nname = \"row\"\n"
      "width = 8\ngroup = \"all\"\n";
  try {
    datapath_from_toml(toml, "file.toml");
    FAIL("accepted");
  } catch (const InputError& error) {
    const std::string message = error.what();
    CHECK(message.find("toaster") != std::string::npos);
    CHECK(message.find("specification") != std::string::npos);
  }
}

TEST_CASE("what is written for people is read, and is not part of the stages") {
  const std::string stage = "[[stage]]\nname = \"row\"\nwidth = 8\ngroup = \"all\"\n";
  const std::string head = "name = \"x\"\nweights = [-1, 1]\nactivations = [0, 1]\n";
  const Datapath plain = datapath_from_toml(head + stage, "file.toml");
  const Datapath told = datapath_from_toml(
      head + "family = \"fpga\"\npairing = \"p\"\ncontracts = [\"c\"]\nrequantization = [\"r\", \"s\"]\nbugs = [\"b\"]\n" +
          stage,
      "file.toml");
  CHECK(told.family == "fpga");
  CHECK(told.pairing == "p");
  CHECK(told.contracts == std::vector<std::string>{"c"});
  CHECK(told.requantization == std::vector<std::string>{"r", "s"});
  CHECK(told.bugs == std::vector<std::string>{"b"});
  CHECK(told.stages == plain.stages);
  CHECK(plain.family.empty());
  CHECK(plain.bugs.empty());
}

TEST_CASE("vpmaddubsw's pairs: 49,279 of 65,536 on every preset that has them, 16,384 by the libraries' rule") {
  for (const std::string& name : preset_names()) {
    const Datapath datapath = parse_datapath(name);
    if (!(datapath.weights == s8) || !(datapath.activations == u8) ||
        !notation(datapath).starts_with("2:s16")) {
      continue;
    }
    CAPTURE(name);
    IntegerLayer layer = row_of(datapath, 2, 0);
    layer.rows = 65536;
    layer.weights.clear();
    std::int64_t halved = 0;
    for (int w = -128; w < 128; ++w) {
      for (int v = -128; v < 128; ++v) {
        layer.weights.push_back(static_cast<std::int8_t>(w));
        layer.weights.push_back(static_cast<std::int8_t>(v));
        halved += std::min(w, v) >= -64 && std::max(w, v) <= 63;
      }
    }
    const LayerClaims claims = make_claims(layer, datapath, InputSource::given);
    const IntegerRange limits = register_limits(datapath.stages[0]);
    std::int64_t admitted = 0;
    for (std::size_t i = 0; i < claims.ranges[0].lower.size(); ++i) {
      admitted += claims.ranges[0].lower[i] >= limits.lower && claims.ranges[0].upper[i] <= limits.upper;
    }
    CHECK(admitted == 49279);
    CHECK(halved == 16384);
  }
}

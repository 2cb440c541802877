// Presets against the instructions that they describe, SSSE3 to AVX2: each kernel's inner loop is written once more with
// intrinsics, and every register that it leaves must hold what axe::run says, overflow included. On a processor without AVX2 the
// tests say that they did not run.
// Requirements: TOR-404.
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "../instruction_presets.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

using namespace axe;
using namespace axe::test;

namespace {

#define AVX2 __attribute__((target("avx2")))

/// `count` operands from `begin` on, as bytes; zeros beyond the end.
template <std::size_t count, class Operand>
std::array<std::int8_t, count> bytes(std::span<const Operand> operands, std::size_t begin) {
  std::array<std::int8_t, count> result{};
  for (std::size_t i = 0; i < count && begin + i < operands.size(); ++i) {
    result[i] = static_cast<std::int8_t>(operands[begin + i]);
  }
  return result;
}

/// The same as 16-bit words.
template <class Operand>
std::array<std::int16_t, 16> words(std::span<const Operand> operands, std::size_t begin) {
  std::array<std::int16_t, 16> result{};
  for (std::size_t i = 0; i < result.size() && begin + i < operands.size(); ++i) {
    result[i] = static_cast<std::int16_t>(operands[begin + i]);
  }
  return result;
}

template <class Array>
AVX2 __m256i load(const Array& array) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(array.data()));
}

AVX2 void append16(std::vector<std::int64_t>& registers, __m256i lanes) {
  std::array<std::int16_t, 16> array;
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(array.data()), lanes);
  registers.insert(registers.end(), array.begin(), array.end());
}

AVX2 void append32(std::vector<std::int64_t>& registers, __m256i lanes) {
  std::array<std::int32_t, 8> array;
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(array.data()), lanes);
  registers.insert(registers.end(), array.begin(), array.end());
}

/// The eight lanes and `constant`, modulo 2^32.
AVX2 std::int64_t total32(__m256i lanes, std::int32_t constant) {
  std::array<std::uint32_t, 8> array;
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(array.data()), lanes);
  auto sum = static_cast<std::uint32_t>(constant);
  for (const std::uint32_t lane : array) {
    sum += lane;
  }
  return static_cast<std::int32_t>(sum);
}

using Weights = std::span<const std::int8_t>;
using Inputs = std::span<const std::int32_t>;

/// vpmaddubsw(x, w), vpmaddwd(·, 1), vpaddd: MLAS, oneDNN, FBGEMM acc32, intgemm's shifted form.
AVX2 Registers pairs_then_int32(Weights w, Inputs x, std::int32_t constant) {
  Registers r(2);
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t k = 0; k < w.size(); k += 32) {
    const __m256i pairs = _mm256_maddubs_epi16(load(bytes<32>(x, k)), load(bytes<32>(w, k)));
    append16(r[0], pairs);
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  r[1] = {total32(sum, constant)};
  return r;
}

/// FBGEMM acc16: vpmaddubsw, vpaddsw over 128 pairs of one output's lane, vpmovsxwd, vpaddd.
AVX2 Registers acc16(Weights w, Inputs x, std::int32_t constant) {
  Registers r(3);
  __m256i outer = _mm256_setzero_si256();
  __m128i segment = _mm_setzero_si128();
  for (std::size_t k = 0; k < w.size(); k += 2) {
    const auto xs = bytes<16>(x, k), ws = bytes<16>(w, k);
    const __m128i first = _mm_set_epi32(0, 0, 0, 0xFFFF);  // lane 0 only
    const __m128i pair =
        _mm_and_si128(first, _mm_maddubs_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(xs.data())),
                                               _mm_loadu_si128(reinterpret_cast<const __m128i*>(ws.data()))));
    r[0].push_back(static_cast<std::int16_t>(_mm_extract_epi16(pair, 0)));
    segment = _mm_adds_epi16(segment, pair);
    if (k % 256 == 254 || k + 2 >= w.size()) {
      r[1].push_back(static_cast<std::int16_t>(_mm_extract_epi16(segment, 0)));
      outer = _mm256_add_epi32(outer, _mm256_cvtepi16_epi32(segment));
      segment = _mm_setzero_si128();
    }
  }
  r[2] = {total32(outer, constant)};
  return r;
}

/// FBGEMM depthwise: two vpmaddubsw of one output, vpaddsw, then int32.
AVX2 Registers depthwise(Weights w, Inputs x, std::int32_t constant) {
  Registers r(3);
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t k = 0; k < w.size(); k += 4) {
    const auto xs = bytes<32>(x, k), ws = bytes<32>(w, k);
    const __m256i pairs =
        _mm256_and_si256(_mm256_set_epi64x(0, 0, 0, 0xFFFFFFFF), _mm256_maddubs_epi16(load(xs), load(ws)));
    const __m256i second = _mm256_srli_epi64(pairs, 16);
    const __m256i first = _mm256_and_si256(pairs, _mm256_set_epi64x(0, 0, 0, 0xFFFF));
    const __m256i quad = _mm256_adds_epi16(first, second);
    r[0].push_back(static_cast<std::int16_t>(_mm256_extract_epi16(first, 0)));
    r[0].push_back(static_cast<std::int16_t>(_mm256_extract_epi16(second, 0)));
    r[1].push_back(static_cast<std::int16_t>(_mm256_extract_epi16(quad, 0)));
    sum = _mm256_add_epi32(sum, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(quad)));
  }
  r[2] = {total32(sum, constant)};
  return r;
}

/// intgemm on AVX2: vpabsb, vpsignb, vpmaddubsw, vpaddsw for the whole row, widened once at the end.
AVX2 Registers intgemm_avx2(Weights w, Inputs x, std::int32_t constant) {
  Registers r(3);
  __m256i lanes = _mm256_setzero_si256();
  for (std::size_t k = 0; k < w.size(); k += 32) {
    const __m256i xs = load(bytes<32>(x, k)), ws = load(bytes<32>(w, k));
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(xs), _mm256_sign_epi8(ws, xs));
    append16(r[0], pairs);
    lanes = _mm256_adds_epi16(lanes, pairs);
  }
  append16(r[1], lanes);
  r[2] = {total32(_mm256_madd_epi16(lanes, _mm256_set1_epi16(1)), constant)};
  return r;
}

/// The same in 128-bit registers.
__attribute__((target("ssse3"))) Registers intgemm_ssse3(Weights w, Inputs x, std::int32_t constant) {
  Registers r(3);
  __m128i lanes = _mm_setzero_si128();
  std::array<std::int16_t, 8> array;
  for (std::size_t k = 0; k < w.size(); k += 16) {
    const auto xb = bytes<16>(x, k), wb = bytes<16>(w, k);
    const __m128i xs = _mm_loadu_si128(reinterpret_cast<const __m128i*>(xb.data()));
    const __m128i ws = _mm_loadu_si128(reinterpret_cast<const __m128i*>(wb.data()));
    const __m128i pairs = _mm_maddubs_epi16(_mm_abs_epi8(xs), _mm_sign_epi8(ws, xs));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(array.data()), pairs);
    r[0].insert(r[0].end(), array.begin(), array.end());
    lanes = _mm_adds_epi16(lanes, pairs);
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(array.data()), lanes);
  r[1].assign(array.begin(), array.end());
  std::array<std::int32_t, 4> wide;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(wide.data()), _mm_madd_epi16(lanes, _mm_set1_epi16(1)));
  std::int64_t sum = constant;  // lanes of int16: far from 2^32
  for (const std::int32_t lane : wide) {
    sum += lane;
  }
  r[2] = {sum};
  return r;
}

/// ggml's mul_sum_i8_pairs: vpsignb twice, vpmaddubsw, vpmaddwd(·, 1); float follows.
AVX2 Registers ggml_blocks(Weights w, Inputs x, std::int32_t) {
  Registers r(2);
  for (std::size_t k = 0; k < w.size(); k += 32) {
    const __m256i xs = load(bytes<32>(x, k)), ws = load(bytes<32>(w, k));
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_sign_epi8(ws, ws), _mm256_sign_epi8(xs, ws));
    append16(r[0], pairs);
    append32(r[1], _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  return r;
}

/// ggml's K-quants: vpmaddubsw(codes, activations); scales follow.
AVX2 Registers ggml_codes(Weights w, Inputs x, std::int32_t) {
  Registers r(1);
  for (std::size_t k = 0; k < w.size(); k += 32) {
    append16(r[0], _mm256_maddubs_epi16(load(bytes<32>(w, k)), load(bytes<32>(x, k))));
  }
  return r;
}

/// ggml's q3_K: the pair of the two low bits less that of 4 where the high bit is clear.
AVX2 Registers ggml_q3(Weights w, Inputs x, std::int32_t) {
  std::vector<std::int8_t> low, high;
  for (const std::int8_t weight : w) {
    low.push_back(static_cast<std::int8_t>((weight + 4) & 3));
    high.push_back((weight + 4) >> 2 == 0 ? std::int8_t{4} : std::int8_t{0});
  }
  Registers r(1);
  for (std::size_t k = 0; k < w.size(); k += 32) {
    const __m256i xs = load(bytes<32>(x, k));
    append16(r[0], _mm256_sub_epi16(_mm256_maddubs_epi16(load(bytes<32>(Weights(low), k)), xs),
                                    _mm256_maddubs_epi16(load(bytes<32>(Weights(high), k)), xs)));
  }
  return r;
}

/// vpmaddubsw(codes, activations), then `steps` of them in a wrapping int16 (vpaddw), then int32: ggml's ternary kernel, BitNet.
AVX2 Registers wrapping_lanes(Weights w, Inputs x, std::int32_t constant, std::size_t steps) {
  Registers r(3);
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t block = 0; block < w.size(); block += 32 * steps) {
    __m256i lanes = _mm256_setzero_si256();
    for (std::size_t k = block; k < block + 32 * steps && k < w.size(); k += 32) {
      const __m256i pairs = _mm256_maddubs_epi16(load(bytes<32>(w, k)), load(bytes<32>(x, k)));
      append16(r[0], pairs);
      lanes = _mm256_add_epi16(lanes, pairs);
    }
    append16(r[1], lanes);
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(lanes, _mm256_set1_epi16(1)));
  }
  r[2] = {total32(sum, constant)};
  return r;
}
Registers bitnet(Weights w, Inputs x, std::int32_t constant) {
  return wrapping_lanes(w, x, constant, 128);
}
Registers ternary(Weights w, Inputs x, std::int32_t constant) {
  Registers r = wrapping_lanes(w, x, constant, 8);
  r.pop_back();  // the kernel takes other sums off before it widens
  return r;
}

/// vpmaddwd on operands widened to 16 bits, vpaddd.
AVX2 Registers words_then_int32(Weights w, Inputs x, std::int32_t constant) {
  Registers r(2);
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t k = 0; k < w.size(); k += 16) {
    const __m256i pairs = _mm256_madd_epi16(load(words(x, k)), load(words(w, k)));
    append32(r[0], pairs);
    sum = _mm256_add_epi32(sum, pairs);
  }
  r[1] = {total32(sum, constant)};
  return r;
}

const KernelOf kernels[] = {
    {"x86-avx2-maddubs", pairs_then_int32, 2, true},
    {"mlas-u8s8-avx2", pairs_then_int32, 2, true},
    {"mlas-convsym-avx2", pairs_then_int32, 2, true},
    {"onednn-u8s8", pairs_then_int32, 2, true},
    {"onednn-s8s8-gemm", pairs_then_int32, 2, true},
    {"onednn-s8s8-conv", pairs_then_int32, 2, true},  // only where the constant takes the int32 beyond its limits
    {"onednn-lstm", pairs_then_int32, 2, true},
    {"fbgemm-acc32", pairs_then_int32, 2, true},
    {"intgemm-shift", pairs_then_int32, 2, true},
    {"xnnpack-qd8-qc4w-madd", pairs_then_int32, 2, true},
    {"fbgemm-acc16", acc16, 3, true},
    {"fbgemm-depthwise", depthwise, 3, true},
    {"intgemm-ssse3", intgemm_ssse3, 3, true},
    {"intgemm-avx2", intgemm_avx2, 3, true},
    {"ggml-q4_0-avx2", ggml_blocks, 2, false},
    {"ggml-q8_0-avx2", ggml_blocks, 2, false},
    {"ggml-q2_K-avx2", ggml_codes, 1, false},
    {"ggml-iq4_nl-avx2", ggml_blocks, 2, false},
    {"ggml-q3_K-avx2", ggml_q3, 1, false},
    {"ggml-q4_K-avx2", ggml_codes, 1, false},
    {"ggml-q5_K-avx2", ggml_codes, 1, false},
    {"ggml-q6_K-avx2", ggml_codes, 1, false},
    {"ggml-tq2_0-avx2", ternary, 2, false},
    {"bitnet-i2_s-avx2", bitnet, 3, true},
    {"x86-maddwd", words_then_int32, 2, true},
    {"mlas-u8u8-avx2", words_then_int32, 2, true},
    {"xnnpack-qs8-x86", words_then_int32, 2, true},
    {"xnnpack-qu8-x86", words_then_int32, 2, true},
    {"qnnpack-sse2", words_then_int32, 2, true},
    {"ruy-avx2", words_then_int32, 2, true},
    // The relaxed dot product on x86 is this instruction: the behaviour that reads u8 and saturates.
    {"wasm-relaxed-dot-unsigned-saturate", pairs_then_int32, 2, true},
    {"wasm-relaxed-dot-i7", pairs_then_int32, 2, true},
};

bool has_avx2() {
  if (!__builtin_cpu_supports("avx2")) {
    MESSAGE("not run: this processor has no AVX2");
    return false;
  }
  return true;
}

AVX2 std::int16_t maddubs(int u0, int u1, int s0, int s1) {
  const __m128i u = _mm_set1_epi16(static_cast<std::int16_t>(static_cast<std::uint16_t>((u1 & 255) << 8 | (u0 & 255))));
  const __m128i s = _mm_set1_epi16(static_cast<std::int16_t>(static_cast<std::uint16_t>((s1 & 255) << 8 | (s0 & 255))));
  return static_cast<std::int16_t>(_mm_extract_epi16(_mm_maddubs_epi16(u, s), 0));
}

/// |a| · (b with the sign of a), duplicated in a pair: ggml's and intgemm's product.
AVX2 std::int16_t sign_trick(int a, int b) {
  const __m128i as = _mm_set1_epi8(static_cast<char>(a)), bs = _mm_set1_epi8(static_cast<char>(b));
  return static_cast<std::int16_t>(_mm_extract_epi16(_mm_maddubs_epi16(_mm_abs_epi8(as), _mm_sign_epi8(bs, as)), 0));
}

AVX2 std::int16_t added_saturating(const std::array<std::int16_t, 4>& values) {
  __m128i sum = _mm_setzero_si128();
  for (const std::int16_t value : values) {
    sum = _mm_adds_epi16(sum, _mm_set1_epi16(value));
  }
  return static_cast<std::int16_t>(_mm_extract_epi16(sum, 0));
}

AVX2 std::int32_t maddwd(std::int16_t a, std::int16_t b, std::int16_t c, std::int16_t d) {
  const __m128i first = _mm_set_epi16(0, 0, 0, 0, 0, 0, c, a), second = _mm_set_epi16(0, 0, 0, 0, 0, 0, d, b);
  return _mm_cvtsi128_si32(_mm_madd_epi16(first, second));
}

}  // namespace

TEST_CASE("every register of every kernel of SSSE3 and AVX2 holds what the machine says") {
  if (has_avx2()) {
    check_with_instructions(kernels);
  }
}

TEST_CASE(
    "every preset of x86 and ggml is held against instructions here, in instructions_avx512.cpp, or says why not") {
  // Those of VNNI and AVX-512: instructions_avx512.cpp, whose list this one repeats.
  std::set<std::string> held{"x86-vnni",          "fbgemm-acc32-vnni",  "x86-vnni-saturating", "mlas-u8s8-vnni",
                             "mlas-convsym-vnni", "intgemm-shift-vnni", "intgemm-avx512"};
  for (const KernelOf& of : kernels) {
    held.insert(of.preset);
  }
  for (const std::string& name : preset_names()) {
    const Datapath datapath = parse_datapath(name);
    if ((datapath.family != "x86" && datapath.family != "ggml") || held.count(name) != 0) {
      continue;
    }
    CAPTURE(name);
    bool says_so = name == "ggml-cuda" || name == "bitnet-i2_s-neon";  // not of x86
    for (const std::string& note : datapath.notes) {
      says_so = says_so || note.starts_with("Not held against the instruction");
    }
    CHECK(says_so);
  }
}

TEST_CASE("vpmaddubsw: one product, all 65,536 operands; pairs, all 65,536 weights at the ends of their inputs") {
  if (!has_avx2()) {
    return;
  }
  const Topology topology(parse_datapath("x86-avx2-maddubs"), 2);
  std::int64_t different = 0, saturated = 0;
  for (int w0 = -128; w0 < 128; ++w0) {
    for (int x0 = 0; x0 < 256; ++x0) {
      different += maddubs(x0, 0, w0, 0) != w0 * x0;
      different += maddubs(0, x0, 0, w0) != w0 * x0;
    }
    for (int w1 = -128; w1 < 128; ++w1) {
      const std::vector<std::int8_t> w{static_cast<std::int8_t>(w0), static_cast<std::int8_t>(w1)};
      for (const auto& x : {std::vector<std::int32_t>{255, 255}, {255, 0}, {0, 255}, {0, 0}, {254, 255}, {1, 255}}) {
        const RegisterTrace trace = run(topology, w, x, 0)[0][0];
        different += trace.value != maddubs(x[0], x[1], w0, w1);
        saturated += trace.overflowed;
      }
    }
  }
  CHECK(different == 0);
  CHECK(saturated > 0);
}

TEST_CASE("the sign trick is the product unless the operand whose sign is changed is -128 and the other negative") {
  if (!has_avx2()) {
    return;
  }
  std::int64_t wrong = 0;
  for (int a = -128; a < 128; ++a) {
    for (int b = -128; b < 128; ++b) {
      const bool exact = sign_trick(a, b) == std::clamp(2 * a * b, INT16_MIN, INT16_MAX);
      CHECK(exact == !(b == -128 && a < 0));
      wrong += !exact;
    }
  }
  CHECK(wrong == 128);
  // So these presets do not admit that operand: the weight for intgemm, the activation for ggml.
  for (const char* name : {"intgemm-ssse3", "intgemm-avx2", "intgemm-avx512"}) {
    CHECK(parse_datapath(name).weights.lower == -127);
  }
  for (const char* name : {"ggml-q4_0-avx2", "ggml-q8_0-avx2"}) {
    CHECK(parse_datapath(name).activations.lower == -127);
  }
}

TEST_CASE("vpaddsw depends on the order, and vpmaddwd has one inexact corner") {
  if (!has_avx2()) {
    return;
  }
  Stage stage;
  stage.width = 16;
  stage.overflow = Overflow::saturate;
  stage.limits = Limits::full;
  const auto machine = [&](const std::array<std::int16_t, 4>& values) {
    std::int64_t content = 0;
    bool overflowed = false;
    for (const std::int16_t value : values) {
      content = step(stage, content, value, overflowed);
    }
    return content;
  };
  const std::array<std::int16_t, 4> together{30000, 30000, -30000, -30000}, in_turn{30000, -30000, 30000, -30000};
  CHECK(added_saturating(together) == -27233);
  CHECK(machine(together) == -27233);
  CHECK(added_saturating(in_turn) == 0);
  CHECK(machine(in_turn) == 0);
  CHECK(maddwd(-32768, -32768, -32768, -32768) == INT32_MIN);                  // the sum is 2^31
  for (const std::int16_t weight : {std::int16_t{-128}, std::int16_t{127}}) {  // no 8-bit weight reaches it
    CHECK(maddwd(-32768, weight, -32768, weight) == -65536 * weight);
  }
}

#else
TEST_CASE("presets against SSSE3 and AVX2") {
  MESSAGE("not run: this is not an x86 processor, or not a compiler that targets single functions");
}
#endif

// Presets against the instructions that they describe, AVX-512BW, AVX-512 VNNI and AVX-VNNI: each kernel's inner loop with
// intrinsics, and every register against axe::run. What the processor does not have is named and not run.
// Requirements: TOR-404.
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "../instruction_presets.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

using namespace axe;
using namespace axe::test;

namespace {

#define AVX512BW __attribute__((target("avx512f,avx512bw")))
#define AVX512VNNI __attribute__((target("avx512f,avx512bw,avx512vnni,avx512vl")))
#define AVXVNNI __attribute__((target("avx2,avxvnni")))

/// `count` operands from `begin` on, as bytes; zeros beyond the end.
template <std::size_t count, class Operand>
std::array<std::int8_t, count> bytes(std::span<const Operand> operands, std::size_t begin) {
  std::array<std::int8_t, count> result{};
  for (std::size_t i = 0; i < count && begin + i < operands.size(); ++i) {
    result[i] = static_cast<std::int8_t>(operands[begin + i]);
  }
  return result;
}

using Weights = std::span<const std::int8_t>;
using Inputs = std::span<const std::int32_t>;
using Array16 = std::array<std::int16_t, 32>;
using Array32 = std::array<std::int32_t, 16>;

std::int64_t wrapped_total(const Array32& lanes, std::int32_t constant) {
  auto sum = static_cast<std::uint32_t>(constant);
  for (const std::int32_t lane : lanes) {
    sum += static_cast<std::uint32_t>(lane);
  }
  return static_cast<std::int32_t>(sum);
}

/// vpmaddubsw, vpmaddwd(·, 1), vpaddd in 512 bits: MLAS Avx512Core, oneDNN, FBGEMM.
AVX512BW Registers pairs_then_int32(Weights w, Inputs x, std::int32_t constant) {
  Registers r(2);
  __m512i sum = _mm512_setzero_si512();
  for (std::size_t k = 0; k < w.size(); k += 64) {
    const auto xs = bytes<64>(x, k), ws = bytes<64>(w, k);
    const __m512i pairs = _mm512_maddubs_epi16(_mm512_loadu_si512(xs.data()), _mm512_loadu_si512(ws.data()));
    Array16 array;
    _mm512_storeu_si512(array.data(), pairs);
    r[0].insert(r[0].end(), array.begin(), array.end());
    sum = _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
  }
  Array32 lanes;
  _mm512_storeu_si512(lanes.data(), sum);
  r[1] = {wrapped_total(lanes, constant)};
  return r;
}

/// intgemm on AVX-512BW: |x|, the sign by a masked subtraction, vpmaddubsw, vpaddsw for the whole row.
AVX512BW Registers intgemm_avx512(Weights w, Inputs x, std::int32_t constant) {
  Registers r(3);
  __m512i lanes = _mm512_setzero_si512();
  Array16 array;
  for (std::size_t k = 0; k < w.size(); k += 64) {
    const auto xb = bytes<64>(x, k), wb = bytes<64>(w, k);
    const __m512i xs = _mm512_loadu_si512(xb.data()), ws = _mm512_loadu_si512(wb.data());
    const __m512i signed_w = _mm512_mask_sub_epi8(ws, _mm512_movepi8_mask(xs), _mm512_setzero_si512(), ws);
    const __m512i pairs = _mm512_maddubs_epi16(_mm512_abs_epi8(xs), signed_w);
    _mm512_storeu_si512(array.data(), pairs);
    r[0].insert(r[0].end(), array.begin(), array.end());
    lanes = _mm512_adds_epi16(lanes, pairs);
  }
  _mm512_storeu_si512(array.data(), lanes);
  r[1].assign(array.begin(), array.end());
  Array32 wide;
  _mm512_storeu_si512(wide.data(), _mm512_madd_epi16(lanes, _mm512_set1_epi16(1)));
  r[2] = {wrapped_total(wide, constant)};
  return r;
}

/// vpdpbusd in 512 bits, lanes added at the end.
AVX512VNNI Registers vnni_lanes(Weights w, Inputs x, std::int32_t constant) {
  __m512i sum = _mm512_setzero_si512();
  for (std::size_t k = 0; k < w.size(); k += 64) {
    const auto xs = bytes<64>(x, k), ws = bytes<64>(w, k);
    sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(xs.data()), _mm512_loadu_si512(ws.data()));
  }
  Array32 lanes;
  _mm512_storeu_si512(lanes.data(), sum);
  return {{wrapped_total(lanes, constant)}};
}

std::int32_t quad_bytes(const std::array<std::int8_t, 4>& four) {
  std::uint32_t bits = 0;
  for (std::size_t i = 4; i-- > 0;) {
    bits = bits << 8 | static_cast<std::uint8_t>(four[i]);
  }
  return static_cast<std::int32_t>(bits);
}

/// One lane that takes every quad in turn, from `initial` on; `quads` gets each quad alone.
AVX512VNNI std::int32_t chain_avx512(Weights w, Inputs x, std::int32_t initial, bool saturate,
                                     std::vector<std::int64_t>& quads) {
  __m128i content = _mm_cvtsi32_si128(initial);
  for (std::size_t k = 0; k < w.size(); k += 4) {
    const __m128i xs = _mm_cvtsi32_si128(quad_bytes(bytes<4>(x, k)));
    const __m128i ws = _mm_cvtsi32_si128(quad_bytes(bytes<4>(w, k)));
    quads.push_back(_mm_cvtsi128_si32(_mm_dpbusd_epi32(_mm_setzero_si128(), xs, ws)));
    content = saturate ? _mm_dpbusds_epi32(content, xs, ws) : _mm_dpbusd_epi32(content, xs, ws);
  }
  return _mm_cvtsi128_si32(content);
}

/// The same with the VEX-encoded instructions of AVX-VNNI.
AVXVNNI std::int32_t chain_avx(Weights w, Inputs x, std::int32_t initial, bool saturate,
                               std::vector<std::int64_t>& quads) {
  __m128i content = _mm_cvtsi32_si128(initial);
  for (std::size_t k = 0; k < w.size(); k += 4) {
    const __m128i xs = _mm_cvtsi32_si128(quad_bytes(bytes<4>(x, k)));
    const __m128i ws = _mm_cvtsi32_si128(quad_bytes(bytes<4>(w, k)));
    quads.push_back(_mm_cvtsi128_si32(_mm_dpbusd_avx_epi32(_mm_setzero_si128(), xs, ws)));
    content = saturate ? _mm_dpbusds_avx_epi32(content, xs, ws) : _mm_dpbusd_avx_epi32(content, xs, ws);
  }
  return _mm_cvtsi128_si32(content);
}

using Chain = std::int32_t (*)(Weights, Inputs, std::int32_t, bool, std::vector<std::int64_t>&);

template <Chain chain>
Registers wrapping(Weights w, Inputs x, std::int32_t constant) {
  std::vector<std::int64_t> quads;
  return {{chain(w, x, constant, false, quads)}};
}

template <Chain chain>
Registers saturating(Weights w, Inputs x, std::int32_t constant) {
  Registers r(2);
  r[1] = {chain(w, x, constant, true, r[0])};
  return r;
}

/// MLAS ConvSym: the saturating register starts from 0, vpaddd adds the bias.
template <Chain chain>
Registers saturating_then_bias(Weights w, Inputs x, std::int32_t constant) {
  Registers r(3);
  const std::int32_t products = chain(w, x, 0, true, r[0]);
  r[1] = {products};
  r[2] = {static_cast<std::int32_t>(static_cast<std::uint32_t>(products) + static_cast<std::uint32_t>(constant))};
  return r;
}

}  // namespace

TEST_CASE("AVX-512BW: every register of every kernel holds what the machine says") {
  if (!__builtin_cpu_supports("avx512bw")) {
    MESSAGE("not run: this processor has no AVX-512BW");
    return;
  }
  const KernelOf kernels[] = {
      {"x86-avx2-maddubs", pairs_then_int32, 2, true}, {"mlas-u8s8-avx2", pairs_then_int32, 2, true},
      {"onednn-u8s8", pairs_then_int32, 2, true},      {"onednn-s8s8-conv", pairs_then_int32, 2, true},
      {"fbgemm-acc32", pairs_then_int32, 2, true},     {"intgemm-avx512", intgemm_avx512, 3, true},
  };
  check_with_instructions(kernels);
}

TEST_CASE("AVX-512 VNNI: every register of every kernel holds what the machine says") {
  if (!__builtin_cpu_supports("avx512vnni") || !__builtin_cpu_supports("avx512vl")) {
    MESSAGE("not run: this processor has no AVX-512 VNNI");
    return;
  }
  const KernelOf kernels[] = {
      {"x86-vnni", vnni_lanes, 1, true},
      {"x86-vnni", wrapping<chain_avx512>, 1, true},
      {"fbgemm-acc32-vnni", vnni_lanes, 1, true},
      {"x86-vnni-saturating", saturating<chain_avx512>, 2, true},
      {"mlas-u8s8-vnni", saturating<chain_avx512>, 2, true},
      {"intgemm-shift-vnni", saturating<chain_avx512>, 2, true},
      {"mlas-convsym-vnni", saturating_then_bias<chain_avx512>, 3, true},
  };
  check_with_instructions(kernels);
  // What the catalogue quotes: four products of 255 · 127 on top of 2^31 − 1.
  const std::vector<std::int8_t> w(4, 127);
  const std::vector<std::int32_t> x(4, 255);
  std::vector<std::int64_t> quads;
  CHECK(chain_avx512(w, x, INT32_MAX, false, quads) == -2147354109);
  CHECK(chain_avx512(w, x, INT32_MAX, true, quads) == 2147483647);
}

TEST_CASE("AVX-VNNI: every register of every kernel holds what the machine says") {
  // The compiler's name for the feature is not known to every version of __builtin_cpu_supports; CPUID leaf 7.1, EAX bit 4.
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  __asm__("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(7), "c"(0));
  const bool has_subleaf = eax >= 1;
  __asm__("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(7), "c"(1));
  if (!__builtin_cpu_supports("avx2") || !has_subleaf || (eax >> 4 & 1) == 0) {
    MESSAGE("not run: this processor has no AVX-VNNI");
    return;
  }
  const KernelOf kernels[] = {
      {"x86-vnni", wrapping<chain_avx>, 1, true},
      {"fbgemm-acc32-vnni", wrapping<chain_avx>, 1, true},
      {"x86-vnni-saturating", saturating<chain_avx>, 2, true},
      {"mlas-u8s8-vnni", saturating<chain_avx>, 2, true},
      {"mlas-convsym-vnni", saturating_then_bias<chain_avx>, 3, true},
  };
  check_with_instructions(kernels);
}

#else
TEST_CASE("presets against AVX-512 and VNNI") {
  MESSAGE("not run: this is not an x86 processor, or not a compiler that targets single functions");
}
#endif

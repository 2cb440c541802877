// The most multiply-adds per second that the processor's instructions give when every operand is in a register: what a kernel
// can at best reach. `peaks` is the main function. No side effects.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "axecert/kernel/target.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

namespace bench {

struct Peak {
  std::string name;
  std::function<void()> once;
  double macs = 0;  ///< per call
};

constexpr int peak_rounds = 20000;
constexpr int peak_chains = 12;  // additions that do not wait for each other

#if defined(__x86_64__) && defined(__GNUC__)

// The empty assembly keeps each value in a register and hides that nothing changes.
#define AXECERT_PEAK(function, target_text, Vector, init, body)           \
  __attribute__((target(target_text), noinline)) inline void function() { \
    Vector a[peak_chains];                                                \
    Vector x = init;                                                      \
    Vector w = init;                                                      \
    for (Vector & one : a) {                                              \
      one = init;                                                         \
    }                                                                     \
    for (int i = 0; i < peak_rounds; ++i) {                               \
      _Pragma("GCC unroll 16") for (int c = 0; c < peak_chains; ++c) {    \
        asm volatile("" : "+v"(x), "+v"(w));                              \
        body;                                                             \
      }                                                                   \
    }                                                                     \
    for (Vector & one : a) {                                              \
      asm volatile("" : "+v"(one));                                       \
    }                                                                     \
  }

AXECERT_PEAK(peak_fma_256, "avx2,fma", __m256, _mm256_setzero_ps(), a[c] = _mm256_fmadd_ps(x, w, a[c]))
AXECERT_PEAK(peak_madd_256, "avx2", __m256i, _mm256_setzero_si256(),
             a[c] = _mm256_add_epi32(a[c], _mm256_madd_epi16(x, w)))
AXECERT_PEAK(peak_maddubs_256, "avx2", __m256i, _mm256_setzero_si256(),
             a[c] = _mm256_add_epi16(a[c], _mm256_maddubs_epi16(x, w)))
AXECERT_PEAK(peak_fma_512, "avx512f", __m512, _mm512_setzero_ps(), a[c] = _mm512_fmadd_ps(x, w, a[c]))
AXECERT_PEAK(peak_madd_512, "avx512f,avx512bw", __m512i, _mm512_setzero_si512(),
             a[c] = _mm512_add_epi32(a[c], _mm512_madd_epi16(x, w)))
AXECERT_PEAK(peak_maddubs_512, "avx512f,avx512bw", __m512i, _mm512_setzero_si512(),
             a[c] = _mm512_add_epi16(a[c], _mm512_maddubs_epi16(x, w)))
AXECERT_PEAK(peak_vnni_256, "avx2,avxvnni", __m256i, _mm256_setzero_si256(), a[c] = _mm256_dpbusd_avx_epi32(a[c], x, w))
AXECERT_PEAK(peak_vnni_512, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512(),
             a[c] = _mm512_dpbusd_epi32(a[c], x, w))
#undef AXECERT_PEAK

inline std::vector<Peak> peaks() {
  std::vector<Peak> result;
  const auto add = [&](axe::Target needs, const char* name, void (*once)(), int macs_per_instruction) {
    for (const axe::Target target : axe::targets()) {
      if (target == needs) {
        result.push_back({name, once, double{peak_rounds} * peak_chains * macs_per_instruction});
      }
    }
  };
  add(axe::Target::avx2, "vfmadd float32, 256 bits", peak_fma_256, 8);
  add(axe::Target::avx512, "vfmadd float32, 512 bits", peak_fma_512, 16);
  add(axe::Target::avx2, "vpmaddwd + vpaddd, 256 bits", peak_madd_256, 16);
  add(axe::Target::avx512, "vpmaddwd + vpaddd, 512 bits", peak_madd_512, 32);
  add(axe::Target::avx2, "vpmaddubsw + vpaddw, 256 bits", peak_maddubs_256, 32);
  add(axe::Target::avx512, "vpmaddubsw + vpaddw, 512 bits", peak_maddubs_512, 64);
  add(axe::Target::avx_vnni, "vpdpbusd, 256 bits", peak_vnni_256, 32);
  add(axe::Target::avx512_vnni, "vpdpbusd, 512 bits", peak_vnni_512, 64);
  return result;
}

#else

inline std::vector<Peak> peaks() {
  return {};
}

#endif

}  // namespace bench

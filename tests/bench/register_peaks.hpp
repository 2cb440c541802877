// The most multiply-adds per second that the processor's instructions give when every operand is in a register: what a kernel
// can at best reach. `peaks` is the main function. No side effects.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "axecert/kernel/target.hpp"

namespace bench {

struct Peak {
  std::string name;
  std::function<void()> once;
  double macs = 0;  ///< per call
};

constexpr int peak_rounds = 20000;
constexpr int peak_chains = 12;  // additions that do not wait for each other

#if defined(__x86_64__) && defined(__GNUC__)

// Written as instructions on named registers, twelve sums that do not wait for each other: GCC 12 stores some of them on the stack
// otherwise. Registers 13 and 14 hold the operands, 12 a product.
#define AXECERT_SUMS(instructions, R)                                                                          \
  instructions(R, "0") instructions(R, "1") instructions(R, "2") instructions(R, "3") instructions(R, "4")     \
      instructions(R, "5") instructions(R, "6") instructions(R, "7") instructions(R, "8") instructions(R, "9") \
          instructions(R, "10") instructions(R, "11")
#define AXECERT_ZERO(R, n) "vpxor %%xmm" n ", %%xmm" n ", %%xmm" n "\n\t"
#define AXECERT_FMA(R, n) "vfmadd231ps " R "14, " R "13, " R n "\n\t"
#define AXECERT_PAIRS(R, n) "vpmaddwd " R "14, " R "13, " R "12\n\tvpaddd " R "12, " R n ", " R n "\n\t"
#define AXECERT_BYTES(R, n) "vpmaddubsw " R "14, " R "13, " R "12\n\tvpaddw " R "12, " R n ", " R n "\n\t"
#define AXECERT_BYTE_PAIRS(R, n) \
  "vpmaddubsw " R "14, " R "13, " R "12\n\tvpmaddwd " R "13, " R "12, " R "12\n\tvpaddd " R "12, " R n ", " R n "\n\t"
#define AXECERT_VNNI(R, n) "vpdpbusd " R "14, " R "13, " R n "\n\t"
#define AXECERT_AVX_VNNI(R, n) "%{vex%} vpdpbusd " R "14, " R "13, " R n "\n\t"
#define AXECERT_CLOBBERED                                                                                             \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
      "xmm14"
#define AXECERT_PEAK(function, instructions, R)                                                                      \
  __attribute__((target("avx2"), noinline)) inline void function() {                                                 \
    int rounds = peak_rounds;                                                                                        \
    asm volatile(AXECERT_SUMS(AXECERT_ZERO, "") AXECERT_ZERO("", "13") AXECERT_ZERO("", "14") "1:\n\t" AXECERT_SUMS( \
                     instructions, R) "subl $1, %[rounds]\n\tjnz 1b\n\tvzeroupper"                                   \
                 : [rounds] "+r"(rounds)                                                                             \
                 :                                                                                                   \
                 : AXECERT_CLOBBERED, "cc");                                                                         \
  }

AXECERT_PEAK(peak_fma_256, AXECERT_FMA, "%%ymm")
AXECERT_PEAK(peak_madd_256, AXECERT_PAIRS, "%%ymm")
AXECERT_PEAK(peak_maddubs_256, AXECERT_BYTES, "%%ymm")
AXECERT_PEAK(peak_byte_pairs_256, AXECERT_BYTE_PAIRS, "%%ymm")
AXECERT_PEAK(peak_vnni_256, AXECERT_AVX_VNNI, "%%ymm")
AXECERT_PEAK(peak_fma_512, AXECERT_FMA, "%%zmm")
AXECERT_PEAK(peak_madd_512, AXECERT_PAIRS, "%%zmm")
AXECERT_PEAK(peak_maddubs_512, AXECERT_BYTES, "%%zmm")
AXECERT_PEAK(peak_byte_pairs_512, AXECERT_BYTE_PAIRS, "%%zmm")
AXECERT_PEAK(peak_vnni_512, AXECERT_VNNI, "%%zmm")
#undef AXECERT_SUMS
#undef AXECERT_ZERO
#undef AXECERT_FMA
#undef AXECERT_PAIRS
#undef AXECERT_BYTES
#undef AXECERT_BYTE_PAIRS
#undef AXECERT_VNNI
#undef AXECERT_AVX_VNNI
#undef AXECERT_CLOBBERED
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
  add(axe::Target::avx2, "vpmaddubsw + vpmaddwd + vpaddd, 256 bits", peak_byte_pairs_256, 32);
  add(axe::Target::avx512, "vpmaddubsw + vpmaddwd + vpaddd, 512 bits", peak_byte_pairs_512, 64);
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

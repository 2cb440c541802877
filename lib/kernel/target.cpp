// Asks the processor which instruction sets it has: `targets`, answered once per process. No side effects.
#include "axecert/kernel/target.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace axe {
namespace {

#if defined(__x86_64__) && defined(__GNUC__)
/// AVX-VNNI: CPUID leaf 7, subleaf 1, EAX bit 4 (Intel SDM vol. 2A). Debian's compilers know no name for it at run time.
bool has_avx_vnni() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax >> 4 & 1U) != 0;
}
#endif

std::vector<Target> find_targets() {
  std::vector<Target> found{Target::portable};
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports("avx2")) {
    found.push_back(Target::avx2);
    if (has_avx_vnni()) {
      found.push_back(Target::avx_vnni);
    }
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
      found.push_back(Target::avx512);
      if (__builtin_cpu_supports("avx512vnni")) {
        found.push_back(Target::avx512_vnni);
      }
    }
  }
#elif defined(__aarch64__) && defined(__GNUC__)
  found.push_back(Target::neon);  // part of the architecture
#ifdef __linux__
  if ((getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0) {
    found.push_back(Target::neon_dot);
  }
#endif
#endif
  return found;
}

}  // namespace

std::string to_text(Target target) {
  switch (target) {
    case Target::portable:
      return "portable";
    case Target::avx2:
      return "avx2";
    case Target::avx_vnni:
      return "avx-vnni";
    case Target::avx512:
      return "avx512";
    case Target::avx512_vnni:
      return "avx512-vnni";
    case Target::neon:
      return "neon";
    case Target::neon_dot:
      return "neon-dot";
  }
  return "portable";
}

const std::vector<Target>& targets() {
  static const std::vector<Target> found = find_targets();
  return found;
}

}  // namespace axe

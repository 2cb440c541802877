// The inner loops for AVX-VNNI: vpdpbusd on 256 bits adds four products u8 × s8 into 32 bits. No side effects.
#include "axecert/kernel/loops.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,avxvnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,avxvnni")
#endif

#include "dot_loops.hpp"
#include "step_loops.hpp"
#include "step_words.hpp"
#include "vectors.hpp"
#include "words_avx2.hpp"

namespace axe::kernel {
namespace {

/// vpdpbusd: four products u8 × s8 into each 32 bits, exact.
struct Quads : Bytes<32> {
  static inline Vector add_products(Vector sum, Vector x, Vector w) { return keep(_mm256_dpbusd_avx_epi32(sum, x, w)); }
};

}  // namespace

const Loops avx_vnni_loops{{dot_panel<Quads, 6>, 1},
                           {dot_panel<Quads, 6>, 1},
                           step_words<Words256>,
                           step_products<std::int32_t, std::int32_t>,
                           step_products<std::int64_t, std::int32_t>,
                           step_values,
                           cannot_overflow};

}  // namespace axe::kernel

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

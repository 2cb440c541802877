// The inner loops for AVX-512 with VNNI: vpdpbusd on 512 bits adds four products u8 × s8 into 32 bits. No side effects.
#include "axecert/kernel/loops.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own AVX-512 headers
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif

#include "dot_loops.hpp"
#include "step_loops.hpp"
#include "step_words.hpp"
#include "vectors.hpp"
#include "words_avx512.hpp"

namespace axe::kernel {
namespace {

/// vpdpbusd: four products u8 × s8 into each 32 bits, exact.
struct Quads : Bytes<64> {
  static inline Vector add_products(Vector sum, Vector x, Vector w) { return keep(_mm512_dpbusd_epi32(sum, x, w)); }
};

}  // namespace

const Loops avx512_vnni_loops{{dot_panel<Quads, 12>, 1},
                              {dot_panel<Quads, 12>, 1},
                              step_words<Words512>,
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

// The inner loops for AVX-512 without VNNI: operands and weights of 16 bits multiplied in pairs by vpmaddwd, small weights as bytes by
// vpmaddubsw and vpmaddwd. No side effects.
#include "axecert/kernel/loops.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own AVX-512 headers
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#endif

#include "dot_loops.hpp"
#include "step_loops.hpp"
#include "step_words.hpp"
#include "vectors.hpp"
#include "words_avx512.hpp"

namespace axe::kernel {

const Loops avx512_loops{{dot_panel<WordPairs<64>, 12>, 2},
                         {dot_panel<BytePairs<64>, 12>, 1},
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

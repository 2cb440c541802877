// The inner loops for AVX2: operands and weights of 16 bits multiplied in pairs by vpmaddwd, small weights as bytes by vpmaddubsw and
// vpmaddwd. No side effects.
#include "axecert/kernel/loops.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#include "dot_loops.hpp"
#include "step_loops.hpp"
#include "step_words.hpp"
#include "vectors.hpp"
#include "words_avx2.hpp"

namespace axe::kernel {

const Loops avx2_loops{{dot_panel<WordPairs<32>, 6>, 2},
                       {dot_panel<BytePairs<32>, 4>, 1},
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

// The inner loops for ARM with dot products (SDOT, optional from ARMv8.2): four products into each 32 bits. No side effects.
#include "axecert/kernel/loops.hpp"

#if defined(__aarch64__) && defined(__GNUC__)
#include <arm_neon.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

#define AXECERT_NEON_DOT  // for vectors_neon.hpp
#include "dot_loops.hpp"
#include "step_loops.hpp"
#include "vectors_neon.hpp"

namespace axe::kernel {

const Loops neon_dot_loops{{dot_panel<NeonDot, 8>, 1, 128},
                           {dot_panel<NeonDot, 8>, 1, 128},
                           step_products<std::int32_t, std::int16_t>,
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

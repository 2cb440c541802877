// The inner loops for ARM without dot products: bytes multiplied into 16 bits by SMULL, added in pairs into 32 bits by SADALP. No side effects.
#include "axecert/kernel/loops.hpp"

#if defined(__aarch64__) && defined(__GNUC__)
#include <arm_neon.h>

#include "dot_loops.hpp"
#include "step_loops.hpp"
#include "vectors_neon.hpp"

namespace axe::kernel {

const Loops neon_loops{{dot_panel<NeonPairs, 6>, 1, 128},
                       {dot_panel<NeonPairs, 6>, 1, 128},
                       step_products<std::int32_t, std::int16_t>,
                       step_products<std::int32_t, std::int32_t>,
                       step_products<std::int64_t, std::int32_t>,
                       step_values,
                       cannot_overflow};

}  // namespace axe::kernel
#endif

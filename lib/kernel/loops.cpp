// Which table of inner loops belongs to which target: `loops_of`; and the portable one. No side effects.
#include "axecert/kernel/loops.hpp"

#include "step_loops.hpp"

namespace axe::kernel {
namespace {

void dot_portable(const void* activations, std::size_t tokens, const std::int8_t* weights, std::size_t quads,
                  std::int32_t* sums) {
  for (std::size_t t = 0; t < tokens; ++t) {
    const std::uint8_t* x = static_cast<const std::uint8_t*>(activations) + t * line_stride;
    std::int32_t total[panel_rows] = {};
    for (std::size_t q = 0; q < quads; ++q) {
      const std::int8_t* w = weights + q * panel_rows * 4;
      for (std::size_t r = 0; r < panel_rows; ++r) {
        total[r] += x[4 * q] * w[4 * r] + x[4 * q + 1] * w[4 * r + 1] + x[4 * q + 2] * w[4 * r + 2] +
                    x[4 * q + 3] * w[4 * r + 3];
      }
    }
    for (std::size_t r = 0; r < panel_rows; ++r) {
      sums[t * panel_rows + r] = total[r];
    }
  }
}

void step_words_portable(const StepRegister& stage, const std::int16_t* const* operands, const std::int8_t* weights,
                         std::size_t length, std::int64_t* content, std::int64_t* overflows) {
  step_products<std::int32_t>(stage, operands, weights, length, content, overflows);
}

}  // namespace

const Loops portable_loops{{dot_portable, 1},
                           {dot_portable, 1},
                           step_words_portable,
                           step_products<std::int32_t, std::int32_t>,
                           step_products<std::int64_t, std::int32_t>,
                           step_values,
                           cannot_overflow};

const Loops& loops_of(Target target) {
#if defined(__x86_64__) && defined(__GNUC__)
  switch (target) {
    case Target::portable:
      return portable_loops;
    case Target::avx2:
      return avx2_loops;
    case Target::avx_vnni:
      return avx_vnni_loops;
    case Target::avx512:
      return avx512_loops;
    case Target::avx512_vnni:
      return avx512_vnni_loops;
  }
#endif
  (void)target;
  return portable_loops;
}

}  // namespace axe::kernel

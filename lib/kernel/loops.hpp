// The inner loops of integer products, compiled once per target: a table of functions. `loops_of` is the main function. No
// side effects.
//
// Weights come in panels of 32 rows. In a panel of bytes for `dot`, four consecutive products of a row are one word:
// [quad][32 rows][4]. In a panel for `step`, one product of all rows is one line: [product][32 rows].
#pragma once

#include <cstddef>
#include <cstdint>

#include "axecert/kernel/target.hpp"

namespace axe::kernel {

constexpr std::size_t panel_rows = 32;
constexpr std::size_t most_tokens = 12;         ///< that `dot` takes at once
constexpr std::size_t chunk_length = 2048;      ///< products that activation buffers hold per line
constexpr std::size_t line_stride = 2048 + 64;  ///< operands from one token's line to the next; in bytes no multiple of
                                                ///< 4096, so that twelve lines do not meet in one set of the cache
constexpr std::size_t near_products = 512;  ///< that several blocks of tokens go through together: 16 KiB of weights,
                                            ///< which stay in the first-level cache
constexpr int pair_weight = 64;  ///< weights within ± this: two products of codes, 0 to 255, fit 16 bits
static_assert(2 * 255 * pair_weight < 1 << 15, "no proof of pairs is asked of such weights");
constexpr std::size_t step_tokens = 4;  ///< that `step` takes at once: as many chains of dependent additions

/// A register of the lowest stage, as `step` needs it.
struct StepRegister {
  int width = 0;
  bool saturates = false;
  std::int64_t lower = 0;  ///< limits
  std::int64_t upper = 0;
};

/// sums[t, r] = Σ_k activations[t, k] · weights[r, k] for t < tokens ≤ most_tokens, all 32 rows, k < 4 · quads ≤ 2048. Lines of
/// `activations` are line_stride operands apart, and an operand, 0 to 255, takes operand_bytes: 1 or 2. Exact: |Σ| ≤ 2048 · 255 · 128
/// < 2^31.
struct DotLoop {
  void (*run)(const void* activations, std::size_t tokens, const std::int8_t* weights, std::size_t quads,
              std::int32_t* sums);
  std::size_t operand_bytes;
};

struct Loops {
  DotLoop dot;
  DotLoop dot_small;  ///< likewise, for weights within ±pair_weight only

  /// Adds `length` products one by one into the registers content[t, r] of 4 tokens and 32 rows, each addition as
  /// axe::step says; operands[t] [length]. Adds to overflows[t] how many additions left their register.
  /// `step_words`: width ≤ 16 and |operand| ≤ 255 (a product fits 16 bits). `step_int32`: width ≤ 30 and |operand| ≤ 2^21
  /// (|content + product| ≤ 2^29 + 2^28). `step_int64`: width ≤ 62.
  void (*step_words)(const StepRegister& stage, const std::int16_t* const* operands, const std::int8_t* weights,
                     std::size_t length, std::int64_t* content, std::int64_t* overflows);
  void (*step_int32)(const StepRegister& stage, const std::int32_t* const* operands, const std::int8_t* weights,
                     std::size_t length, std::int64_t* content, std::int64_t* overflows);
  void (*step_int64)(const StepRegister& stage, const std::int32_t* const* operands, const std::int8_t* weights,
                     std::size_t length, std::int64_t* content, std::int64_t* overflows);

  /// One addition in each of 32 registers of an upper stage: content[r] += values[r] as axe::step says. Widths of both
  /// stages ≤ 62. Adds to overflows[r].
  void (*step_values)(const StepRegister& stage, const std::int64_t* values, std::int64_t* content,
                      std::int64_t* overflows);

  /// The exact test of one register per row and token. With S = Σ w x and A = Σ |w x|, the positive products sum to
  /// (A + S) / 2 and the negative ones to (S − A) / 2; no subset, hence no step in any order, leaves the limits when
  /// initial + (A + S) / 2 ≤ upper and initial + (S − A) / 2 ≥ lower. Returns whether that holds for all 32 rows.
  bool (*cannot_overflow)(const StepRegister& stage, const std::int64_t* initial, const std::int64_t* sums,
                          const std::int64_t* magnitudes);
};

/// The loops of a target that this processor runs.
const Loops& loops_of(Target target);

extern const Loops portable_loops;
#if defined(__x86_64__) && defined(__GNUC__)
extern const Loops avx2_loops;
extern const Loops avx_vnni_loops;
extern const Loops avx512_loops;
extern const Loops avx512_vnni_loops;
#endif

}  // namespace axe::kernel

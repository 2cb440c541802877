// What a product is given: the activation operands of a batch of tokens as 8-bit codes with one base, and the zero point of
// each token. `validate` is the main function. No side effects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace axe {

/// The multiplier's operand of token i and channel k is biased[i, k] + base: base 0 for raw codes, −128 for signed or
/// re-centred ones, the lower end of all boxes for boxed ones. The memory is the caller's and is only read.
struct Operands {
  std::span<const std::uint8_t> biased;       ///< [tokens, cols], row-major
  std::int64_t tokens = 0;                    ///< ≥ 1
  std::int32_t base = 0;                      ///< |base| and |base + 255| ≤ 2^24
  std::span<const std::int32_t> zero_points;  ///< [tokens], each 0 to 2^24; or empty for none
};

/// Throws InputError (which names `layer`) unless the sizes agree and every limit above holds. The layer's box is not looked
/// at: a certificate speaks about operands inside it, and whoever quantizes activations clamps them.
void validate(const Operands& operands, const std::string& layer, std::int64_t cols);

/// The same for where the result goes: [tokens, rows, outputs].
void validate_result(std::size_t entries, std::int64_t tokens, std::int64_t rows, std::int64_t outputs,
                     const std::string& layer);

/// What no sum of products of these operands exceeds in magnitude, with Σ|w| ≤ `l1` and |constant| ≤ `constant`.
std::int64_t reach(const Operands& operands, std::int64_t l1, std::int64_t constant);

/// Throws InputError unless threads ≥ 1.
void validate_threads(int threads, const std::string& layer);

}  // namespace axe

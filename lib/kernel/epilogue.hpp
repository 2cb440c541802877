// What becomes of the sums of a product before they leave the first-level cache: `Epilogue`, given to the `multiply_into` of every
// product. `finish` is the function that the products call. No side effects but the memory that an epilogue names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "axecert/kernel/aligned.hpp"
#include "axecert/kernel/operands.hpp"
#include "axecert/kernel/packed_order.hpp"

namespace axe {

// Memory is the caller's. i counts tokens, r rows, o registers of the last stage (`outputs` of them: one, or one per tile).

/// The sums as they are.
struct Sums {
  std::span<std::int64_t> out;  ///< [tokens, rows, outputs]
};

/// The sums in 32 bits. Refused unless weights, operands and constants show beforehand that every sum fits.
struct Sums32 {
  std::span<std::int32_t> out;  ///< [tokens, rows, outputs]
};

/// y_ir = (Σ_o scale_ro (sum_iro + constant_ro − z_i weight_sum_ro)) s_i + bias_r + Σ_j outlier_ij outlier_weight_rj, as float32. Every
/// operation in double precision, one after the other as written, o and j ascending; with outputs = 1, scale · sum · s from the left. The
/// constants that registers start from are part of the sums; `constants` and `weight_sums` are for those that none starts from.
struct Scaled {
  std::span<float> out;                       ///< [tokens, rows]
  std::span<const double> token_scales;       ///< s, [tokens]
  std::span<const double> scales;             ///< [rows, outputs]
  std::span<const double> constants;          ///< [rows, outputs], or empty for none
  std::span<const double> weight_sums;        ///< [rows, outputs], or empty for none
  std::span<const std::int32_t> zero_points;  ///< z, [tokens]; looked at where there are weight sums
  std::span<const float> bias;                ///< [rows], or empty for none
  std::size_t outliers = 0;                   ///< input channels that are multiplied in floating point
  std::span<const float> outlier_inputs;      ///< [tokens, outliers]
  std::span<const float> outlier_weights;     ///< [rows, outliers]
};

/// y_ir = saturate(round(float(acc_ir) · multiplier_r) + zero point), acc_ir = Σ_o sum_iro plus whatever part of the row's constant
/// bias_r + Σ_k w_rk (offset_k − z_i) no register starts from. float(acc) is the nearest float32 (|acc| ≤ 2^53), the multiplication rounds to
/// float32, and round takes halves to the even neighbour: ONNX's QLinearMatMul (operator set 21) for multiplier = s_a s_b / s_y, which is
/// float32 too, and what onnxruntime computes.
template <class Code>
struct Requantized {
  static_assert(std::is_same_v<Code, std::int8_t> || std::is_same_v<Code, std::uint8_t>);
  std::span<Code> out;                 ///< [tokens, rows]
  std::span<const float> multipliers;  ///< [1] for all rows, or [rows]; each finite and > 0
  std::int32_t zero_point = 0;         ///< of the outputs, within Code
};

using Epilogue = std::variant<Sums, Sums32, Scaled, Requantized<std::int8_t>, Requantized<std::uint8_t>>;

/// Throws InputError (which names `layer`) unless the sizes agree, every limit above holds, and, for Sums32, `reach` ≤ 2^31 − 1.
/// `reach`: no sum's magnitude exceeds it.
void validate(const Epilogue& epilogue, std::int64_t tokens, std::int64_t rows, std::int64_t outputs,
              std::int64_t reach, const std::string& layer);

namespace kernel {

/// Whether a row's sums have to hold its constant, whatever the registers start from: in the first register of the row then.
inline bool wants_constants(const Epilogue& epilogue) {
  return std::holds_alternative<Requantized<std::int8_t>>(epilogue) ||
         std::holds_alternative<Requantized<std::uint8_t>>(epilogue);
}

/// Complete sums of a few tokens and at most panel_rows rows, [tokens][rows][outputs], tokens token_stride apart.
struct SumBlock {
  const std::int64_t* sums = nullptr;
  std::size_t token_stride = 0;
  std::size_t first_token = 0, tokens = 0;
  std::size_t first_row = 0, rows = 0;
  std::size_t all_rows = 0, outputs = 0;
};

/// Writes what `epilogue` makes of the block. For Sums, whose sums were added up where they belong, nothing.
void finish(const Epilogue& epilogue, const SumBlock& block);

/// Where the sums of one task are added up: for Sums in the caller's memory; else in a block of their own that a panel and twelve tokens
/// use and leave, when all chunks of a token are packed together; else in one for the whole task.
class TaskSums {
 public:
  TaskSums(const Epilogue& epilogue, const Tasks::Task& task, std::size_t rows, std::size_t outputs, bool all_chunks,
           Aligned<std::int64_t>& scratch);
  std::size_t token_stride() const { return token_stride_; }
  /// Whether sums are added up where they belong, so that there is nothing to finish.
  bool in_place() const { return in_place_; }
  /// The sum of the task's token `token`, the panel's first row and the first register.
  std::int64_t* at(std::size_t token, std::size_t panel) const {
    return first_ + (reused_ ? 0 : token * token_stride_ + (panel - first_panel_) * panel_rows * outputs_);
  }

 private:
  std::size_t first_panel_, outputs_;
  bool in_place_, reused_;
  std::size_t token_stride_;
  std::int64_t* first_;
};

}  // namespace kernel
}  // namespace axe

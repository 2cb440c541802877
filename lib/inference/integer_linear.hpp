// A quantized layer at work: real inputs in, real outputs out, every product and sum between them in integers, either in
// registers that cannot overflow or in the datapath's own, bit by bit. `IntegerLinear` is the main class. No side effects but
// a count of overflows.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "axecert/kernel/certified_product.hpp"
#include "axecert/kernel/datapath_product.hpp"
#include "axecert/kernel/exact_product.hpp"
#include "axecert/quantize/input_quantizer.hpp"
#include "axecert/quantize/quantize.hpp"

namespace axe {

/// `exact`: 64-bit sums, on the fastest kernel that is exact for these weights. `datapath`: every register of every stage as the
/// datapath has it, wrapping and saturating. Both give the same integers when the layer's certificate is safe.
enum class Arithmetic { exact, datapath };
std::string to_text(Arithmetic);  // "exact" | "datapath"

/// y_r = s_x Σ_g s_rg (Σ_{k ∈ g} w_rk operand_k + Σ_{k ∈ g} w_rk (shift_k − zero point)) + s_x s_r bias_r + float_bias_r + outliers,
/// g the groups that have a scale of their own (one per row, or one per tile). Integers up to the first factor s, then double.
class IntegerLinear {
 public:
  /// With a licence (only for `exact`) products are added in 16 bits, 4-bit weights two to a byte; the results are the same. Throws
  /// InputError when the layer does not fit the datapath, or the licence is not for this layer.
  IntegerLinear(const QuantizedLayer& layer, const Datapath& datapath, Arithmetic arithmetic,
                const std::optional<Licence>& licence = std::nullopt);

  /// y [n, rows] of x [n, cols], row-major. Throws InputError when an input is not finite. `threads` ≥ 1; the result does not depend
  /// on them. May be called from several threads at once.
  void forward(const float* x, std::int64_t n, float* y, int threads) const;

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  Arithmetic arithmetic() const { return arithmetic_; }
  /// What multiplies: "exact avx512-vnni", "certified avx2, tiles of 64, nibbles", "datapath avx2".
  std::string kernel() const;
  /// Additions that left their register so far; 0 with `exact`.
  std::int64_t overflows() const { return overflows_; }

 private:
  void forward_block(const float* x, std::int64_t first, std::int64_t n, float* y) const;  // first: for errors

  std::string place_;
  std::int64_t rows_, cols_, outputs_;
  Arithmetic arithmetic_;
  bool zero_point_per_token_;
  InputQuantizer quantizer_;
  std::variant<ExactProduct, CertifiedProduct, DatapathProduct> product_;
  std::vector<double> scales_;  // [rows, outputs]
  std::vector<double>
      constants_;  // [rows, outputs] what no register has added: Σ w·offset, and the integer bias in output 0
  std::vector<double>
      weight_sums_;  // [rows, outputs] likewise, to be multiplied by the zero point; empty when none is outside
  std::vector<float> float_bias_;  // [rows] or empty
  std::vector<std::int32_t> outlier_columns_;
  std::vector<float> outlier_weight_;  // [rows, outliers]
  mutable std::atomic<std::int64_t> overflows_{0};
};

}  // namespace axe

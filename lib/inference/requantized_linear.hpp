// An integer layer between integer layers: codes in, codes out, as ONNX's QLinearMatMul. `RequantizedLinear` is the main class. No side
// effects but threads while it multiplies.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "axecert/kernel/certified_product.hpp"
#include "axecert/kernel/exact_product.hpp"

namespace axe {

/// y_ir = saturate(round(float(bias_r + Σ_k w_rk (x_ik − input zero point)) · multiplier_r) + output zero point), see Requantized. Codes x
/// are bytes above −128 where they are signed. The sums are exact on every kernel.
class RequantizedLinear {
 public:
  /// `layer`: weights, bias and offset (−input zero point); its box is [0, 255], or [−128, 127] for signed codes. `multipliers` [1] or
  /// [rows]. Throws InputError when the layer is not valid, or the licence not for this layer in topology().
  RequantizedLinear(const IntegerLayer& layer, std::vector<float> multipliers, std::int32_t output_zero_point,
                    const std::optional<Licence>& licence = std::nullopt);

  /// The order of summation that a licence has to be for: all products of a row in one register.
  static Topology topology(const IntegerLayer& layer);

  /// y [n, rows] of x [n, cols], bytes above the box's lower end. Code: std::int8_t or std::uint8_t. Throws InputError as Requantized says.
  template <class Code>
  void forward(std::span<const std::uint8_t> x, std::int64_t n, std::span<Code> y, int threads) const {
    const Operands operands{x, n, base_, {}};
    const Requantized<Code> to{y, multipliers_, zero_point_};
    std::visit([&](const auto& product) { product.multiply_into(operands, to, threads); }, product_);
  }

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  std::int32_t base() const { return base_; }
  std::string kernel() const;  ///< as IntegerLinear's

 private:
  std::int64_t rows_, cols_;
  std::int32_t base_;
  std::vector<float> multipliers_;
  std::int32_t zero_point_;
  std::variant<ExactProduct, CertifiedProduct> product_;
};

}  // namespace axe

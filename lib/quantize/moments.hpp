// H = X̃ᵀX̃ and G = X̃ᵀX of calibration inputs that arrive in batches, in memory that does not grow with them. `Moments` is the
// main class. Side effect: BLAS is set to one thread; blocks of the matrices are shared among threads of its own.
#pragma once

#include <cstdint>
#include <vector>

namespace axe {

/// Sums over rows of x̃ᵢ x̃ᵢᵀ and x̃ᵢ xᵢᵀ, in single precision, as LayerProblem takes them. The result does not depend on
/// `threads`, and on how rows are batched only through rounding.
class Moments {
 public:
  /// K ≥ 1 input channels. Throws InputError otherwise.
  explicit Moments(std::int64_t cols);

  /// Adds n rows of x_tilde [n, K]; of x [n, K] too, unless it is null: then no G is kept, and it must be null
  /// always. Throws InputError when some batches have x and others have not.
  void add(const float* x_tilde, const float* x, std::int64_t n, int threads = 1);

  std::int64_t cols() const { return cols_; }
  std::int64_t rows() const { return rows_; }  ///< added so far
  /// H [K, K], symmetric; and G [K, K], row index of x̃, empty without x.
  const std::vector<float>& gram();
  const std::vector<float>& cross() const { return cross_; }

 private:
  std::int64_t cols_;
  std::int64_t rows_ = 0;
  bool mirrored_ = true;  // the lower triangle of gram_ is up to date
  std::vector<float> gram_, cross_;
};

/// η = fraction · mean diagonal of H [cols, cols], the quantizer's ridge in H's unit.
double ridge_of(const std::vector<float>& gram, std::int64_t cols, double fraction);

}  // namespace axe

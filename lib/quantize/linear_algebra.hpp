// The dense linear algebra of the quantizer, in row-major arrays over OpenBLAS: factorization of the damped Gram matrix,
// corrected targets, and the products of blocked updates. Side effect: BLAS is set to one thread; the quantizer's own
// threads work on blocks of rows.
#pragma once

#include <cstdint>
#include <vector>

namespace axe {

/// Sets BLAS to one thread; idempotent.
void single_threaded_blas();

/// In place: M upper triangular [n, n] with A = M Mᵀ, for symmetric positive definite A [n, n]; false when A is not (M is then
/// undefined). Nothing below the diagonal is read, and what is left there is undefined. In double.
bool upper_factor(std::int64_t n, std::vector<double>& a);

/// In place: inverse of the upper triangular M [n, n]; nothing below the diagonal is read or changed.
void invert_upper(std::int64_t n, std::vector<double>& m);

/// X with A X = B, for A = M Mᵀ as factored above; B, X [n, columns], in place.
void solve(std::int64_t n, const std::vector<double>& m, std::int64_t columns, double* b);

/// A row-major matrix, or its transpose, as an operand of a product.
template <class Number>
struct Operand {
  const Number* data;
  std::int64_t stride;  ///< elements from one stored row to the next
  bool transposed = false;
};

/// C += A B: A is [m, k] and B [k, n] after transposition, C [m, n].
void multiply_add(std::int64_t m, std::int64_t n, std::int64_t k, Operand<float> a, Operand<float> b, float* c,
                  std::int64_t c_stride);
void multiply_add(std::int64_t m, std::int64_t n, std::int64_t k, Operand<double> a, Operand<double> b, double* c,
                  std::int64_t c_stride);

}  // namespace axe

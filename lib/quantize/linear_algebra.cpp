// OpenBLAS and LAPACK behind the functions that the quantizer needs; see linear_algebra.hpp. LAPACK is column-major:
// a row-major upper triangle is its lower triangle, transposed.
#include "axecert/quantize/linear_algebra.hpp"

#include <cblas.h>

#include <algorithm>

extern "C" {
void dpotrf_(const char* uplo, const int* n, double* a, const int* lda, int* info);
void dtrtri_(const char* uplo, const char* diag, const int* n, double* a, const int* lda, int* info);
}

namespace axe {

void single_threaded_blas() {
  openblas_set_num_threads(1);
}

bool upper_factor(std::int64_t n, std::vector<double>& a) {
  // With J the reversal of indices, J A J = L Lᵀ gives A = (J L J)(J L J)ᵀ, and J L J is upper triangular.
  std::reverse(a.begin(), a.end());
  const int order = static_cast<int>(n);
  int info = 0;
  dpotrf_("U", &order, a.data(), &order, &info);  // row-major lower triangle: L
  std::reverse(a.begin(), a.end());
  return info == 0;
}

void invert_upper(std::int64_t n, std::vector<double>& m) {
  const int order = static_cast<int>(n);
  int info = 0;
  dtrtri_("L", "N", &order, m.data(), &order, &info);
}

void solve(std::int64_t n, const std::vector<double>& m, std::int64_t columns, double* b) {
  const int order = static_cast<int>(n), width = static_cast<int>(columns);
  cblas_dtrsm(CblasRowMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, order, width, 1, m.data(), order, b,
              width);
  cblas_dtrsm(CblasRowMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, order, width, 1, m.data(), order, b,
              width);
}

void multiply_add(std::int64_t m, std::int64_t n, std::int64_t k, Operand<float> a, Operand<float> b, float* c,
                  std::int64_t c_stride) {
  cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans, b.transposed ? CblasTrans : CblasNoTrans,
              static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1, a.data, static_cast<int>(a.stride),
              b.data, static_cast<int>(b.stride), 1, c, static_cast<int>(c_stride));
}

void multiply_add(std::int64_t m, std::int64_t n, std::int64_t k, Operand<double> a, Operand<double> b, double* c,
                  std::int64_t c_stride) {
  cblas_dgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans, b.transposed ? CblasTrans : CblasNoTrans,
              static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1, a.data, static_cast<int>(a.stride),
              b.data, static_cast<int>(b.stride), 1, c, static_cast<int>(c_stride));
}

}  // namespace axe

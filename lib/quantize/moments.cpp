// Streamed sums of outer products over BLAS; see moments.hpp.
#include "axecert/quantize/moments.hpp"

#include <algorithm>

#include "axecert/numeric/error.hpp"
#include "axecert/numeric/tasks.hpp"
#include "axecert/quantize/linear_algebra.hpp"

namespace axe {
namespace {

constexpr std::int64_t largest_side = 1 << 20;  // its square is far below 2^63, and 4 TiB
constexpr std::int64_t rows_per_block = 192;    // of the matrices: enough blocks to share, each large enough for BLAS

}  // namespace

Moments::Moments(std::int64_t cols) : cols_(cols) {
  if (cols < 1 || cols > largest_side) {
    throw InputError("moments", "of " + std::to_string(cols) + " channels",
                     "from 1 to " + std::to_string(largest_side));
  }
  gram_.resize(static_cast<std::size_t>(cols * cols), 0.0F);
}

void Moments::add(const float* x_tilde, const float* x, std::int64_t n, int threads) {
  if (rows_ > 0 && (x == nullptr) != cross_.empty()) {
    throw InputError("moments", "a batch with X beside batches without it", "give X with every batch, or with none");
  }
  if (n <= 0) {  // not even a decision about G
    return;
  }
  if (x != nullptr) {
    cross_.resize(gram_.size(), 0.0F);
  }
  single_threaded_blas();
  for_each_block(cols_, rows_per_block, threads, [&](std::int64_t first, std::int64_t count) {
    // Rows [first, first + count) of both; of H only what stands right of its diagonal blocks.
    multiply_add(count, cols_ - first, n, {x_tilde + first, cols_, true}, {x_tilde + first, cols_},
                 gram_.data() + first * cols_ + first, cols_);
    if (x != nullptr) {
      multiply_add(count, cols_, n, {x_tilde + first, cols_, true}, {x, cols_}, cross_.data() + first * cols_, cols_);
    }
  });
  rows_ += n;
  mirrored_ = false;
}

const std::vector<float>& Moments::gram() {
  for (std::int64_t i = 0; i < cols_ && !mirrored_; ++i) {
    for (std::int64_t j = 0; j < i; ++j) {
      gram_[static_cast<std::size_t>(i * cols_ + j)] = gram_[static_cast<std::size_t>(j * cols_ + i)];
    }
  }
  mirrored_ = true;
  return gram_;
}

}  // namespace axe

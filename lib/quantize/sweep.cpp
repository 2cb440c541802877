// The sweep over columns, in lazy blocks: inside a block of columns the corrections are applied one column at a time, beyond
// it by one matrix product per block. Loops run over rows and vectorise.
#include "axecert/quantize/sweep.hpp"

#include <algorithm>
#include <cmath>

#include "axecert/constraint/decision.hpp"
#include "axecert/numeric/target_clones.hpp"
#include "axecert/quantize/linear_algebra.hpp"

namespace axe {

namespace {

constexpr std::int64_t block_columns = 32;

AXECERT_CLONES void add_scaled(std::int64_t rows, float factor, const float* x, float* __restrict y) {
  for (std::int64_t r = 0; r < rows; ++r) {
    y[r] += factor * x[r];
  }
}

AXECERT_CLONES void divide(std::int64_t rows, const float* x, const float* s, double* __restrict quotient) {
  for (std::int64_t r = 0; r < rows; ++r) {
    quotient[r] = static_cast<double>(x[r]) / static_cast<double>(s[r]);
  }
}

/// One column's decisions in double: t = max(|u| − threshold, 0), rounded and clipped. Returns how many of them double cannot
/// settle (constraint/decision.hpp; `quotient_error` and `settles` inlined so that the loop vectorises).
AXECERT_CLONES std::int64_t decide_column(std::int64_t rows, const double* u, const double* lambda, const double* error,
                                          double weight, const double* low, const double* high,
                                          double* __restrict shrunk, double* __restrict q) {
  std::int64_t doubtful = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const double threshold = lambda[r] * weight;
    const double size = std::fabs(u[r]);
    const double over = size - threshold;
    const double t = over > 0 ? over : 0;
    const double nearest = nearest_even(t);
    const double bound = (size + threshold) * 0x1p-49 + error[r] * weight * (1 + 0x1p-49) + 0x1p-1000;
    const double distance = std::fabs(t - nearest);
    doubtful += (bound < 0.25) & (bound < 0.5 - distance) ? 0 : 1;
    shrunk[r] = std::copysign(t, u[r]);
    const double signed_nearest = std::copysign(nearest, u[r]);
    const double capped = signed_nearest < high[r] ? signed_nearest : high[r];
    q[r] = capped > low[r] ? capped : low[r];
  }
  return doubtful;
}

/// How many decisions are further from what was wanted than rounding explains: ½ step to nearest, 1 toward zero.
AXECERT_CLONES std::int64_t count_clipped(std::int64_t rows, double rounding, const double* wanted, const double* q) {
  std::int64_t count = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    count += std::fabs(wanted[r] - q[r]) > rounding + 1e-7 ? 1 : 0;
  }
  return count;
}

}  // namespace

SweepCounts sweep(const SweepInput& input, std::vector<float>& integers) {
  const std::int64_t rows = input.rows, K = input.cols;
  const auto n = static_cast<std::size_t>(rows);
  const ErrorCorrection& correction = *input.correction;
  const bool corrects = !correction.coupling.empty();
  std::vector<float> candidates(input.base, input.base + K * rows);
  std::vector<float> observed(static_cast<std::size_t>(K * rows));
  integers.assign(static_cast<std::size_t>(rows * K), 0);
  BudgetBlock budget(*input.plan, {input.bias, input.bias ? n : 0}, rows);
  SweepCounts counts;
  std::vector<double> u(n), low(n), high(n), shrunk(n), wanted(n), q(n);
  const std::vector<double> zero(n, 0);

  for (std::int64_t begin = 0; begin < K; begin += block_columns) {
    const std::int64_t end = std::min(K, begin + block_columns);
    for (std::int64_t t = begin; t < end; ++t) {
      float* v = candidates.data() + t * rows;
      for (std::int64_t j = begin; corrects && j < t; ++j) {
        add_scaled(rows, correction.coupling[static_cast<std::size_t>(j * K + t)], observed.data() + j * rows, v);
      }
      const std::int64_t k = correction.order[static_cast<std::size_t>(t)];
      const std::int64_t group = input.group_of_column ? input.group_of_column[k] : 0;
      const float* s = input.scales + group * rows;
      divide(rows, v, s, u.data());

      if (correction.dead[static_cast<std::size_t>(k)]) {
        std::fill(q.begin(), q.end(), 0.0);
        std::fill(shrunk.begin(), shrunk.end(), 0.0);
      } else {
        std::copy_n(input.lowest + group * rows, rows, low.begin());
        std::copy_n(input.highest + group * rows, rows, high.begin());
        const double weight = input.lambda ? input.threshold_cost[k] : 0;
        const double *lambda = zero.data(), *error = zero.data();
        if (input.lambda) {
          const std::int64_t at = input.plan->stages()[0].node_of_column[static_cast<std::size_t>(k)] * rows;
          lambda = input.lambda->data() + at;
          error = input.lambda_error->data() + at;
        }
        const bool published = input.strict == StrictForm::published;
        if (published) {
          budget.published_limits(k, low.data(), high.data());
        } else {
          budget.admissible(k, low.data(), high.data());
        }
        const std::int64_t doubtful =
            decide_column(rows, u.data(), lambda, error, weight, low.data(), high.data(), shrunk.data(), q.data());
        if (published) {
          wanted = shrunk;
          for (std::int64_t r = 0; r < rows; ++r) {
            const auto i = static_cast<std::size_t>(r);
            shrunk[i] = std::clamp(shrunk[i], low[i], high[i]);
            q[i] =
                std::clamp(std::nearbyint(shrunk[i]), input.lowest[group * rows + r], input.highest[group * rows + r]);
          }
        } else if (doubtful > 0 || input.rounding == Rounding::toward_zero) {
          for (std::int64_t r = 0; r < rows; ++r) {
            const auto i = static_cast<std::size_t>(r);
            const Threshold threshold{lambda[r] * weight, error[r] * weight + lambda[r] * weight * 0x1p-52};
            q[i] = static_cast<double>(decide(
                v[r], s[r], threshold, {static_cast<std::int64_t>(low[i]), static_cast<std::int64_t>(high[i])},
                [&] { return lambda[r] > 0 || error[r] > 0 ? input.exact_threshold(k, r) : Rational(0); },
                counts.settled_exactly, input.rounding));
          }
        }
        budget.take(k, q.data());
        counts.decisions += rows;
        counts.clipped += count_clipped(rows, input.rounding == Rounding::toward_zero ? 1 : 0.5,
                                        published ? wanted.data() : shrunk.data(), q.data());
        for (std::int64_t r = 0; input.lambda && r < rows; ++r) {
          counts.thresholded += lambda[r] > 0 ? 1 : 0;
        }
      }

      float* x = observed.data() + t * rows;
      const float* measured_from = t == 0 && input.first_observed ? input.first_observed : v;
      for (std::int64_t r = 0; r < rows; ++r) {
        const auto i = static_cast<std::size_t>(r);
        const double taken = q[i] * static_cast<double>(s[i]);
        if (correction.observes_integers) {
          x[r] = static_cast<float>(taken);
        } else if (input.diffusion == Diffusion::whole) {
          x[r] = static_cast<float>(measured_from[i] - taken);
        } else {
          x[r] = static_cast<float>((shrunk[i] - q[i]) * static_cast<double>(s[i]));
        }
        integers[static_cast<std::size_t>(r * K + k)] = static_cast<float>(q[i]);
      }
    }
    if (corrects && end < K) {
      multiply_add(K - end, rows, end - begin, {correction.coupling.data() + begin * K + end, K, true},
                   {observed.data() + begin * rows, rows}, candidates.data() + end * rows, rows);
    }
  }
  counts.finite = std::all_of(candidates.begin(), candidates.end(), [](float v) { return std::isfinite(v); });
  return counts;
}

}  // namespace axe

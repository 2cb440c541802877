// Building correctors: the order of columns, the factorizations, the coupling of later columns and what the sweep aims at; see
// corrector.hpp for the table.
#include "axecert/quantize/corrector.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "axecert/numeric/error.hpp"
#include "axecert/quantize/linear_algebra.hpp"

namespace axe {
namespace {

const std::vector<float>& cross_of(const LayerProblem& problem) {
  return problem.cross.empty() ? problem.gram : problem.cross;
}

std::size_t at(std::int64_t row, std::int64_t col, std::int64_t cols) {
  return static_cast<std::size_t>(row * cols + col);
}

/// M with P(H + ηI)Pᵀ = M Mᵀ in sweep order, in the upper triangle. While that is not positive definite to working precision, η
/// grows tenfold.
std::vector<double> factorize(const LayerProblem& problem, const std::vector<std::int64_t>& order, double mean_diagonal,
                              double& dampening, int& raised) {
  const std::int64_t K = problem.cols;
  std::vector<double> factor(static_cast<std::size_t>(K * K));
  for (int attempt = 0; attempt <= 8; ++attempt, ++raised, dampening *= 10) {
    for (std::int64_t t = 0; t < K; ++t) {
      const std::int64_t row = order[static_cast<std::size_t>(t)];
      for (std::int64_t u = t; u < K; ++u) {
        factor[at(t, u, K)] = problem.gram[at(row, order[static_cast<std::size_t>(u)], K)];
      }
      factor[at(t, t, K)] += dampening * mean_diagonal;
    }
    if (upper_factor(K, factor)) {
      return factor;
    }
  }
  throw InputError(
      "layer " + problem.name,
      "H + ηI is not positive definite even with η = " + std::to_string(dampening) + " of the mean diagonal",
      "H must be X̃ᵀX̃: symmetric and finite");
}

}  // namespace

bool aims_at_corrected_target(const QuantizeOptions& options) {
  return options.corrector == Corrector::qronos ||
         (options.target == WeightTarget::corrected && options.corrector != Corrector::gpfq);
}

ErrorCorrection make_correction(const LayerProblem& problem, const QuantizeOptions& options) {
  const std::int64_t K = problem.cols;
  ErrorCorrection result;
  double trace = 0;
  std::vector<double> diagonal(static_cast<std::size_t>(K));
  for (std::int64_t k = 0; k < K; ++k) {
    diagonal[static_cast<std::size_t>(k)] = problem.gram[at(k, k, K)];
    result.dead.push_back(problem.gram[at(k, k, K)] <= 0);
    trace += diagonal[static_cast<std::size_t>(k)];
  }
  result.order.resize(static_cast<std::size_t>(K));
  std::iota(result.order.begin(), result.order.end(), 0);
  if (options.activation_order) {
    std::stable_sort(result.order.begin(), result.order.end(), [&](std::int64_t a, std::int64_t b) {
      return diagonal[static_cast<std::size_t>(a)] > diagonal[static_cast<std::size_t>(b)];
    });
  }
  const double mean = trace > 0 ? trace / static_cast<double>(K) : 1;
  result.dampening = options.dampening;
  const bool diffuses = options.corrector == Corrector::optq || options.corrector == Corrector::qronos;
  std::vector<double> factor;
  if (diffuses) {
    factor = factorize(problem, result.order, mean, result.dampening, result.dampening_raised);
  }
  if (aims_at_corrected_target(options)) {
    result.target_dampening = options.target_dampening;
    const std::vector<double> target_factor =
        factorize(problem, result.order, mean, result.target_dampening, result.dampening_raised);
    // X = (H + ηI)⁻¹ G, rows in sweep order while it is solved for.
    std::vector<double> solution(static_cast<std::size_t>(K * K));
    const std::vector<float>& cross = cross_of(problem);
    for (std::int64_t t = 0; t < K; ++t) {
      std::copy_n(cross.begin() + result.order[static_cast<std::size_t>(t)] * K, K, solution.begin() + t * K);
    }
    solve(K, target_factor, K, solution.data());
    result.target_operator.resize(static_cast<std::size_t>(K * K));
    for (std::int64_t t = 0; t < K; ++t) {
      for (std::int64_t k = 0; k < K; ++k) {
        result.target_operator[at(result.order[static_cast<std::size_t>(t)], k, K)] =
            static_cast<float>(solution[at(t, k, K)]);
      }
    }
  }
  if (diffuses) {
    std::vector<double> pivots;
    for (std::int64_t t = 0; t < K; ++t) {
      pivots.push_back(factor[at(t, t, K)]);
    }
    invert_upper(K, factor);  // (M Mᵀ)⁻¹ = (M⁻¹)ᵀ M⁻¹, so U = M⁻¹
    result.coupling.assign(static_cast<std::size_t>(K * K), 0);
    for (std::int64_t j = 0; j < K; ++j) {
      for (std::int64_t t = j + 1; t < K; ++t) {
        result.coupling[at(j, t, K)] = static_cast<float>(-factor[at(j, t, K)] * pivots[static_cast<std::size_t>(j)]);
      }
    }
  } else if (options.corrector == Corrector::gpfq) {
    result.observes_integers = true;
    result.coupling.assign(static_cast<std::size_t>(K * K), 0);
    for (std::int64_t j = 0; j < K; ++j) {
      for (std::int64_t t = j + 1; t < K; ++t) {
        const std::int64_t row = result.order[static_cast<std::size_t>(t)],
                           col = result.order[static_cast<std::size_t>(j)];
        const double d = diagonal[static_cast<std::size_t>(row)];
        result.coupling[at(j, t, K)] = d > 0 ? static_cast<float>(-problem.gram[at(row, col, K)] / d) : 0.0F;
      }
    }
  }
  return result;
}

std::vector<float> sweep_target(const LayerProblem& problem, const ErrorCorrection& correction, bool corrected,
                                std::int64_t first, std::int64_t count) {
  const std::int64_t K = problem.cols;
  std::vector<float> target(static_cast<std::size_t>(K * count));
  if (corrected) {
    multiply_add(K, count, K, {correction.target_operator.data(), K}, {problem.weight.data() + first * K, K, true},
                 target.data(), count);
  } else {
    for (std::int64_t r = 0; r < count; ++r) {
      for (std::int64_t k = 0; k < K; ++k) {
        target[at(k, r, count)] = problem.weight[at(first + r, k, K)];
      }
    }
  }
  for (std::int64_t k = 0; k < K; ++k) {
    if (correction.dead[static_cast<std::size_t>(k)]) {
      std::fill_n(target.begin() + k * count, count, 0.0F);
    }
  }
  return target;
}

std::vector<float> sweep_base(const LayerProblem& problem, const ErrorCorrection& correction, Corrector corrector,
                              const std::vector<float>& target, std::int64_t first, std::int64_t count) {
  const std::int64_t K = problem.cols;
  std::vector<float> base(static_cast<std::size_t>(K * count), 0);
  if (corrector == Corrector::gpfq) {
    // Lower triangle of G in sweep order, rows divided by H_tt, times W in sweep order.
    const std::vector<float>& cross = cross_of(problem);
    std::vector<float> triangle(static_cast<std::size_t>(K * K), 0), weights(static_cast<std::size_t>(K * count));
    for (std::int64_t t = 0; t < K; ++t) {
      const std::int64_t row = correction.order[static_cast<std::size_t>(t)];
      const double d = problem.gram[at(row, row, K)];
      for (std::int64_t j = 0; j <= t && d > 0; ++j) {
        triangle[at(t, j, K)] =
            static_cast<float>(cross[at(row, correction.order[static_cast<std::size_t>(j)], K)] / d);
      }
      for (std::int64_t r = 0; r < count; ++r) {
        weights[at(t, r, count)] = problem.weight[at(first + r, row, K)];
      }
    }
    multiply_add(K, count, K, {triangle.data(), K}, {weights.data(), count}, base.data(), count);
    return base;
  }
  for (std::int64_t t = 0; t < K; ++t) {
    std::copy_n(target.begin() + correction.order[static_cast<std::size_t>(t)] * count, count,
                base.begin() + t * count);
  }
  if (corrector == Corrector::qronos && !correction.dead[static_cast<std::size_t>(correction.order[0])]) {
    // The candidate of the first column alone; what it leaves is still measured from w*_0 (SweepInput::first_observed).
    // v_0 = (X̃_0ᵀ X w − Σ_{j>0} H_0j w_j) / H_00, with w the original weights of the columns still to come.
    const std::vector<float>& cross = cross_of(problem);
    const std::int64_t row = correction.order[0];
    const double d = problem.gram[at(row, row, K)];
    for (std::int64_t r = 0; r < count; ++r) {
      double sum = 0;
      for (std::int64_t k = 0; k < K; ++k) {
        const double h = k == row ? 0 : problem.gram[at(row, k, K)];
        sum += (cross[at(row, k, K)] - h) * problem.weight[at(first + r, k, K)];
      }
      base[static_cast<std::size_t>(r)] = static_cast<float>(sum / d);
    }
  }
  return base;
}

std::vector<float> cross_term(const LayerProblem& problem, std::int64_t first, std::int64_t count) {
  const std::int64_t K = problem.cols;
  std::vector<float> result(static_cast<std::size_t>(count * K), 0);
  multiply_add(count, K, K, {problem.weight.data() + first * K, K}, {cross_of(problem).data(), K, true}, result.data(),
               K);
  return result;
}

}  // namespace axe

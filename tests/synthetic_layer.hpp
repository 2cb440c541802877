// A synthetic layer with real inputs X, quantized inputs X̃ and their codes beside the problem made from them, for tests and
// benchmarks that compare with definitions on data: `synthetic_layer` is the main function. Deterministic by its seed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "axecert/quantize/quantize.hpp"

namespace axe::test {

struct Recipe {
  std::int64_t rows = 4, cols = 24, tokens = 96;
  std::uint64_t seed = 1;
  double correlation = 0.9;     ///< of the input channels, 0 to 1
  double outliers = 0;          ///< share of weights that are ten times as large
  double mean = 0;              ///< of the inputs and of the weights, in standard deviations: adversarial for a budget
  bool quiet_channels = false;  ///< every third channel is fifty times smaller
  bool bias = false;
  int input_bits = 8;
  bool input_signed = false;
};

struct SyntheticLayer {
  LayerProblem problem;
  std::int64_t tokens = 0;
  std::vector<double> x;            ///< [tokens, K]
  std::vector<double> quantized;    ///< [tokens, K] X̃
  std::vector<std::int32_t> codes;  ///< [tokens, K]
};

inline SyntheticLayer synthetic_layer(const Recipe& recipe) {
  std::mt19937_64 generator(recipe.seed);
  std::normal_distribution<double> gaussian;
  const std::int64_t R = recipe.rows, K = recipe.cols, N = recipe.tokens;
  const auto n = static_cast<std::size_t>(N * K);
  SyntheticLayer s;
  s.tokens = N;
  s.problem.name = "synthetic";
  s.problem.rows = R;
  s.problem.cols = K;
  for (std::int64_t i = 0; i < R * K; ++i) {
    const double size = std::uniform_real_distribution<double>()(generator) < recipe.outliers ? 10 : 1;
    s.problem.weight.push_back(static_cast<float>((gaussian(generator) * size + recipe.mean) * 0.05));
  }
  // x_tk = √ρ · (a factor that 1 to 4 channels in a row share) + √(1 − ρ) · noise.
  s.x.resize(n);
  for (std::int64_t t = 0; t < N; ++t) {
    double shared = 0;
    for (std::int64_t k = 0; k < K; ++k) {
      shared = k % 4 == 0 ? gaussian(generator) : shared;
      const double noise = gaussian(generator);
      const double size = recipe.quiet_channels && k % 3 == 0 ? 0.02 : 1;
      s.x[static_cast<std::size_t>(t * K + k)] =
          size * (std::sqrt(recipe.correlation) * shared + std::sqrt(1 - recipe.correlation) * noise + recipe.mean);
    }
  }
  const double most = std::max(0.0, *std::max_element(s.x.begin(), s.x.end()));
  const double least = std::min(0.0, *std::min_element(s.x.begin(), s.x.end()));
  ActivationGrid& grid = s.problem.input;
  grid.bits = recipe.input_bits;
  grid.is_signed = recipe.input_signed;
  grid.scale = (most - least) / ((1 << grid.bits) - 1);
  grid.zero_point = static_cast<std::int32_t>(
      std::clamp<double>(std::nearbyint(grid.code_lower() - least / grid.scale), grid.code_lower(), grid.code_upper()));
  s.problem.code_min.assign(static_cast<std::size_t>(K), grid.code_upper());
  s.problem.code_max.assign(static_cast<std::size_t>(K), grid.code_lower());
  for (std::size_t i = 0; i < n; ++i) {
    const double code =
        std::clamp<double>(std::nearbyint(s.x[i] / grid.scale) + grid.zero_point, grid.code_lower(), grid.code_upper());
    s.codes.push_back(static_cast<std::int32_t>(code));
    s.quantized.push_back(grid.scale * (code - grid.zero_point));
    const std::size_t k = i % static_cast<std::size_t>(K);
    s.problem.code_min[k] = std::min(s.problem.code_min[k], s.codes[i]);
    s.problem.code_max[k] = std::max(s.problem.code_max[k], s.codes[i]);
  }
  std::vector<double> h(static_cast<std::size_t>(K * K)), g(h.size());
  for (std::int64_t t = 0; t < N; ++t) {
    const double *x = s.x.data() + t * K, *q = s.quantized.data() + t * K;
    for (std::int64_t i = 0; i < K; ++i) {
      for (std::int64_t j = 0; j < K; ++j) {
        h[static_cast<std::size_t>(i * K + j)] += q[i] * q[j];
        g[static_cast<std::size_t>(i * K + j)] += q[i] * x[j];
      }
    }
  }
  s.problem.gram.assign(h.begin(), h.end());
  s.problem.cross.assign(g.begin(), g.end());
  s.problem.output_energy = 0;
  for (std::int64_t t = 0; t < N; ++t) {
    for (std::int64_t r = 0; r < R; ++r) {
      double y = 0;
      for (std::int64_t k = 0; k < K; ++k) {
        y += s.x[static_cast<std::size_t>(t * K + k)] *
             static_cast<double>(s.problem.weight[static_cast<std::size_t>(r * K + k)]);
      }
      s.problem.output_energy += y * y;
    }
  }
  for (std::int64_t r = 0; recipe.bias && r < R; ++r) {
    s.problem.bias.push_back(static_cast<float>(gaussian(generator) * 0.2));
  }
  return s;
}

}  // namespace axe::test

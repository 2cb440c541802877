// Claims about channel multipliers: SmoothQuant's closed form, the searches' scores against their definitions on data in double, and
// the choice of the least.
#include "axecert/quantize/equalize.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "../synthetic_layer.hpp"
#include "axecert/numeric/error.hpp"

using namespace axe;
using axe::test::synthetic_layer;
using axe::test::SyntheticLayer;

namespace {

constexpr std::size_t K = 16, N = 200;
const Datapath datapath = parse_datapath("axe:P=16,T=8,act=s8");

/// Two layers that share inputs whose channels differ in size.
struct Data {
  EqualizationProblem problem;
  std::vector<double> x;  ///< [N, K]
};

Data data_of() {
  axe::test::Recipe recipe;
  recipe.cols = K;
  recipe.tokens = N;
  recipe.rows = 6;
  recipe.input_signed = true;
  SyntheticLayer first = synthetic_layer(recipe);
  recipe.seed = 2;
  recipe.rows = 3;
  const SyntheticLayer second = synthetic_layer(recipe);
  Data data;
  data.x = first.x;
  data.problem.name = "a";
  data.problem.cols = K;
  data.problem.rows = N;
  data.problem.weights = {first.problem.weight, second.problem.weight};
  data.problem.input = {1, 0, 8, true, ActivationScaling::token};
  data.problem.absmax.assign(K, 0);
  data.problem.gram.assign(K * K, 0);
  std::vector<double> gram(K * K, 0);
  for (std::size_t t = 0; t < N; ++t) {
    for (std::size_t k = 0; k < K; ++k) {
      data.x[t * K + k] *= k % 5 == 0 ? 20 : 1;
      data.problem.absmax[k] = std::max(data.problem.absmax[k], static_cast<float>(std::fabs(data.x[t * K + k])));
    }
    for (std::size_t i = 0; i < K; ++i) {
      for (std::size_t j = 0; j < K; ++j) {
        gram[i * K + j] += data.x[t * K + i] * data.x[t * K + j];
      }
    }
  }
  data.problem.gram.assign(gram.begin(), gram.end());
  return data;
}

std::string told(const EqualizationProblem& problem, std::vector<double> alphas, EqualizationGoal goal) {
  try {
    search_equalization(problem, alphas, goal, datapath, {});
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("SmoothQuant's multiplier is max|W|^(1-a) / max|X|^a over its geometric mean") {
  const std::vector<float> x{8, 0.5F, 3, 100}, w{0.25F, 2, 1, 0.125F};
  for (const double alpha : {0.0, 0.3, 0.5, 1.0}) {
    const std::vector<float> m = smooth_quant(x, w, alpha);
    double mean = 1;
    for (std::size_t k = 0; k < 4; ++k) {
      mean *=
          std::pow(std::pow(static_cast<double>(w[k]), 1 - alpha) / std::pow(static_cast<double>(x[k]), alpha), 0.25);
    }
    double product = 1;
    for (std::size_t k = 0; k < 4; ++k) {
      const double expected =
          std::pow(static_cast<double>(w[k]), 1 - alpha) / std::pow(static_cast<double>(x[k]), alpha) / mean;
      CHECK(static_cast<double>(m[k]) == doctest::Approx(expected).epsilon(1e-6));
      product *= static_cast<double>(m[k]);
    }
    CHECK(product == doctest::Approx(1).epsilon(1e-5));
  }
  const std::vector<float> half = smooth_quant(x, w, 0.5);  // both sides meet: max|x m| = max|w / m| up to one factor
  for (std::size_t k = 1; k < 4; ++k) {
    CHECK(x[k] * half[k] * half[k] / w[k] == doctest::Approx(x[0] * half[0] * half[0] / w[0]).epsilon(1e-5));
  }
}

TEST_CASE("dead channels and extremes: 1 where a side is 0, within 2^16 of the others, never zero or infinite") {
  const std::vector<float> m = smooth_quant(std::vector<float>{0, 1, 1e30F, 1e-30F}, std::vector<float>{1, 0, 1, 1}, 1);
  CHECK(m[0] == 1);
  CHECK(m[1] == 1);
  CHECK(m[2] == 0x1p-16F);
  CHECK(m[3] == 0x1p16F);
  CHECK(smooth_quant(std::vector<float>{0, 0}, std::vector<float>{0, 0}, 0.5) == std::vector<float>{1, 1});
}

TEST_CASE("what has no multiplier is refused") {
  const std::vector<float> two{1, 1}, three{1, 1, 1};
  CHECK_THROWS_AS(smooth_quant(two, three, 0.5), InputError);
  for (const double alpha : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_AS(smooth_quant(two, two, alpha), InputError);
    CHECK(told(data_of().problem, {alpha}, EqualizationGoal::weights).find("exponent") != std::string::npos);
  }
  for (const float bad : {-1.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    CHECK_THROWS_AS(smooth_quant(std::vector<float>{1, bad}, two, 0.5), InputError);
    CHECK_THROWS_AS(smooth_quant(two, std::vector<float>{bad, 1}, 0.5), InputError);
  }
  for (const EqualizationGoal goal : {EqualizationGoal::weights, EqualizationGoal::budget}) {
    CHECK(told(data_of().problem, {0.5}, goal).empty());
    EqualizationProblem wrong = data_of().problem;
    wrong.gram.pop_back();
    CHECK(told(wrong, {0.5}, goal).find("layer a") == 0);
    wrong = data_of().problem;
    wrong.rows = 0;
    CHECK(told(wrong, {0.5}, goal).find("layer a") == 0);
    wrong = data_of().problem;
    wrong.weights[1].pop_back();  // no whole number of rows
    CHECK(told(wrong, {0.5}, goal).find("layer a") == 0);
    wrong = data_of().problem;
    wrong.weights.clear();
    CHECK(told(wrong, {0.5}, goal).find("layer a") == 0);
  }
}

TEST_CASE("the score for weights is the output error of rounding to nearest on the data, less what no choice changes") {
  const Data data = data_of();
  const std::vector<double> alphas{0.25, 0.5, 0.75};
  QuantizeOptions options;
  options.weight_bits = 4;
  const Equalization found = search_equalization(data.problem, alphas, EqualizationGoal::weights, datapath, options);
  REQUIRE(found.scores.size() == 4);
  std::vector<double> errors;
  double whole = 0;  // ‖XWᵀ‖² of both layers
  for (std::size_t c = 0; c < 4; ++c) {
    std::vector<double> m(K, 1);
    double mean = 0;
    for (std::size_t k = 0; k < K && c > 0; ++k) {
      m[k] = std::pow(std::sqrt(static_cast<double>(data.problem.gram[k * K + k]) / N), -alphas[c - 1]);
      mean += std::log(m[k]) / K;
    }
    double error = 0;
    whole = 0;
    for (const std::vector<float>& weight : data.problem.weights) {
      for (std::size_t r = 0; r < weight.size() / K; ++r) {
        double most = 0;
        std::vector<double> w(K), d(K);
        for (std::size_t k = 0; k < K; ++k) {
          m[k] = r == 0 && &weight == &data.problem.weights[0] && c > 0 ? m[k] / std::exp(mean) : m[k];
          w[k] = static_cast<double>(weight[r * K + k]) / m[k];
          most = std::max(most, std::fabs(w[k]));
        }
        for (std::size_t k = 0; k < K; ++k) {
          d[k] = most / 8 * std::clamp(std::nearbyint(w[k] / (most / 8)), -8.0, 7.0);
        }
        for (std::size_t t = 0; t < N; ++t) {
          double difference = 0, output = 0;
          for (std::size_t k = 0; k < K; ++k) {
            difference += (w[k] - d[k]) * m[k] * data.x[t * K + k];
            output += w[k] * m[k] * data.x[t * K + k];
          }
          error += difference * difference;
          whole += output * output;
        }
      }
    }
    errors.push_back(error);
  }
  for (std::size_t c = 0; c < 4; ++c) {
    CHECK(found.scores[c] + whole == doctest::Approx(errors[c]).epsilon(2e-3));
  }
  const auto best = static_cast<std::size_t>(std::min_element(errors.begin(), errors.end()) - errors.begin());
  REQUIRE(best > 0);  // these data ask for a multiplier
  CHECK(found.alpha == alphas[best - 1]);
}

TEST_CASE("the budget's choice has the least score, is SmoothQuant's multiplier, and tightens with the register") {
  const Data data = data_of();
  const std::vector<double> alphas{0.3, 0.6};
  float most_weight[K] = {};
  for (const std::vector<float>& weight : data.problem.weights) {
    for (std::size_t i = 0; i < weight.size(); ++i) {
      most_weight[i % K] = std::max(most_weight[i % K], std::fabs(weight[i]));
    }
  }
  const Equalization found = search_equalization(data.problem, alphas, EqualizationGoal::budget, datapath, {});
  const auto best =
      static_cast<std::size_t>(std::min_element(found.scores.begin(), found.scores.end()) - found.scores.begin());
  CHECK(found.alpha == (best == 0 ? -1 : alphas[best - 1]));
  CHECK(found.multiplier ==
        (best == 0 ? std::vector<float>(K, 1.0F) : smooth_quant(data.problem.absmax, most_weight, alphas[best - 1])));
  const Equalization narrow =
      search_equalization(data.problem, alphas, EqualizationGoal::budget, parse_datapath("axe:P=10,T=8,act=s8"), {});
  for (std::size_t c = 0; c < found.scores.size(); ++c) {
    CHECK(narrow.scores[c] > found.scores[c]);  // a smaller budget leaves more error
  }
}

TEST_CASE("no exponents: no multiplier; a channel that is dead keeps 1") {
  Data data = data_of();
  const Equalization none = search_equalization(data.problem, {}, EqualizationGoal::weights, datapath, {});
  CHECK(none.alpha == -1);
  CHECK(none.multiplier == std::vector<float>(K, 1.0F));
  for (std::size_t k = 0; k < K; ++k) {
    data.problem.gram[4 * K + k] = data.problem.gram[k * K + 4] = 0;
  }
  data.problem.absmax[4] = 0;
  for (const EqualizationGoal goal : {EqualizationGoal::weights, EqualizationGoal::budget}) {
    const Equalization found = search_equalization(data.problem, std::vector<double>{0.5}, goal, datapath, {});
    CHECK(found.multiplier[4] == 1);
    for (const float m : found.multiplier) {
      CHECK(std::isfinite(m));
      CHECK(m > 0);
    }
  }
}

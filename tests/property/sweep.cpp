// The sweep against textbooks written out in double: every corrector by its definition (explicit inverses and eliminations,
// residual vectors on data, least squares), and every decision of a sweep without corrector over the rationals. The
// references follow the integers that were really taken, so that one tie does not hide all columns after it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "../synthetic_layer.hpp"
#include "axecert/bound/range.hpp"
#include "axecert/constraint/budget.hpp"
#include "axecert/constraint/decision.hpp"
#include "axecert/constraint/ep_init.hpp"
#include "axecert/constraint/soft_threshold.hpp"
#include "axecert/constraint/strict_limits.hpp"
#include "axecert/quantize/corrector.hpp"
#include "axecert/quantize/quantize.hpp"
#include "axecert/quantize/thresholds.hpp"

using namespace axe;
using axe::test::Recipe;
using axe::test::synthetic_layer;
using axe::test::SyntheticLayer;

namespace {

using Matrix = std::vector<std::vector<double>>;
using Vector = std::vector<double>;

/// Gauss-Jordan with pivots: the inverse of a small matrix.
Matrix inverse(Matrix a) {
  const std::size_t n = a.size();
  Matrix b(n, Vector(n, 0));
  for (std::size_t i = 0; i < n; ++i) {
    b[i][i] = 1;
  }
  for (std::size_t c = 0; c < n; ++c) {
    std::size_t pivot = c;
    for (std::size_t r = c; r < n; ++r) {
      pivot = std::fabs(a[r][c]) > std::fabs(a[pivot][c]) ? r : pivot;
    }
    std::swap(a[c], a[pivot]);
    std::swap(b[c], b[pivot]);
    const double d = a[c][c];
    for (std::size_t j = 0; j < n; ++j) {
      a[c][j] /= d;
      b[c][j] /= d;
    }
    for (std::size_t r = 0; r < n; ++r) {
      const double f = a[r][c];
      for (std::size_t j = 0; r != c && j < n; ++j) {
        a[r][j] -= f * a[c][j];
        b[r][j] -= f * b[c][j];
      }
    }
  }
  return b;
}

Vector times(const Matrix& a, const Vector& x) {
  Vector y(a.size(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    y[i] = std::inner_product(x.begin(), x.end(), a[i].begin(), 0.0);
  }
  return y;
}

/// The data of one problem, columns in sweep order.
struct Data {
  std::vector<std::int64_t> order;
  Matrix x, q;          // [K][tokens] columns of X and X̃
  Matrix gram, damped;  // X̃ᵀX̃, and with η on the diagonal
  Matrix cross;         // X̃ᵀX
  Data(const SyntheticLayer& s, bool activation_order, double dampening) {
    const std::int64_t K = s.problem.cols;
    const auto n = static_cast<std::size_t>(K);
    for (std::int64_t k = 0; k < K; ++k) {
      order.push_back(k);
    }
    const auto diagonal = [&](std::int64_t k) { return s.problem.gram[static_cast<std::size_t>(k * K + k)]; };
    if (activation_order) {
      std::stable_sort(order.begin(), order.end(),
                       [&](std::int64_t a, std::int64_t b) { return diagonal(a) > diagonal(b); });
    }
    for (std::int64_t k : order) {
      Vector a, b;
      for (std::int64_t t = 0; t < s.tokens; ++t) {
        a.push_back(s.x[static_cast<std::size_t>(t * K + k)]);
        b.push_back(s.quantized[static_cast<std::size_t>(t * K + k)]);
      }
      x.push_back(a);
      q.push_back(b);
    }
    gram.assign(n, Vector(n));
    cross = gram;
    double mean = 0;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        gram[i][j] = std::inner_product(q[i].begin(), q[i].end(), q[j].begin(), 0.0);
        cross[i][j] = std::inner_product(q[i].begin(), q[i].end(), x[j].begin(), 0.0);
      }
      mean += gram[i][i] / static_cast<double>(n);
    }
    damped = gram;
    for (std::size_t i = 0; i < n; ++i) {
      damped[i][i] += dampening * mean;
    }
  }
  Vector row(const std::vector<float>& values, std::int64_t r) const {
    Vector result;
    for (std::int64_t k : order) {
      result.push_back(values[static_cast<std::size_t>(r) * order.size() + static_cast<std::size_t>(k)]);
    }
    return result;
  }
};

/// v_t of each column, given what was taken of the columns before it: `propose(t)`, then `observe(t, taken, residual)`.
class Reference {
 public:
  virtual ~Reference() = default;
  virtual double propose(std::size_t t) = 0;
  /// `taken` = s·q_t; `error` is what is diffused (v_t − taken, or less where only rounding is).
  virtual void observe(std::size_t t, double taken, double error) = 0;
};

/// OPTQ: H⁻¹ explicitly; after each column its error is spread by H⁻¹'s row, and the column is eliminated from H⁻¹.
class TextbookOptq : public Reference {
 public:
  TextbookOptq(const Matrix& damped, Vector w) : w_(std::move(w)), inverse_(inverse(damped)) {}
  double propose(std::size_t t) override { return w_[t]; }
  void observe(std::size_t t, double, double error) override {
    const std::size_t n = w_.size();
    const double d = inverse_[t][t];
    for (std::size_t j = t + 1; j < n; ++j) {
      w_[j] -= error / d * inverse_[t][j];
    }
    const Matrix before = inverse_;
    for (std::size_t i = t + 1; i < n; ++i) {
      for (std::size_t j = t + 1; j < n; ++j) {
        inverse_[i][j] -= before[i][t] * before[t][j] / d;
      }
    }
  }

 private:
  Vector w_;
  Matrix inverse_;
};

/// GPFQ on data: u ← u + w_t X_t − s q_t X̃_t, v_t = ⟨X̃_t, u + w_t X_t⟩ / ‖X̃_t‖².
class TextbookGpfq : public Reference {
 public:
  TextbookGpfq(const Data& data, Vector w) : data_(data), w_(std::move(w)), u_(data.x[0].size(), 0) {}
  double propose(std::size_t t) override {
    double above = 0, below = 0;
    for (std::size_t i = 0; i < u_.size(); ++i) {
      above += data_.q[t][i] * (u_[i] + w_[t] * data_.x[t][i]);
      below += data_.q[t][i] * data_.q[t][i];
    }
    return above / below;
  }
  void observe(std::size_t t, double taken, double) override {
    for (std::size_t i = 0; i < u_.size(); ++i) {
      u_[i] += w_[t] * data_.x[t][i] - taken * data_.q[t][i];
    }
  }

 private:
  const Data& data_;
  Vector w_, u_;
};

/// Qronos: q_0 minimises ‖Xw − q_0 X̃_0 − Σ_{j>0} w_j X̃_j‖; then w_{>0} is the (damped) least-squares solution given q_0; then OPTQ.
class TextbookQronos : public Reference {
 public:
  TextbookQronos(const Data& data, Vector w) : data_(data), w_(std::move(w)) {}
  double propose(std::size_t t) override {
    if (t > 0) {
      return rest_->propose(t - 1);
    }
    const std::size_t n = w_.size(), tokens = data_.x[0].size();
    double above = 0, below = 0;
    for (std::size_t i = 0; i < tokens; ++i) {
      double residual = 0;
      for (std::size_t j = 0; j < n; ++j) {
        residual += w_[j] * data_.x[j][i] - (j > 0 ? w_[j] * data_.q[j][i] : 0);
      }
      above += data_.q[0][i] * residual;
      below += data_.q[0][i] * data_.q[0][i];
    }
    return above / below;
  }
  void observe(std::size_t t, double taken, double error) override {
    if (t > 0) {
      rest_->observe(t - 1, taken, error);
      return;
    }
    const std::size_t n = w_.size();
    Matrix sub(n - 1, Vector(n - 1));
    Vector right(n - 1);
    const Vector gw = times(data_.cross, w_);
    for (std::size_t i = 1; i < n; ++i) {
      for (std::size_t j = 1; j < n; ++j) {
        sub[i - 1][j - 1] = data_.damped[i][j];
      }
      right[i - 1] = gw[i] - data_.gram[i][0] * taken;
    }
    rest_.emplace(sub, times(inverse(sub), right));
  }

 private:
  const Data& data_;
  Vector w_;
  std::optional<TextbookOptq> rest_;
};

struct Comparison {
  std::int64_t equal = 0, near_ties = 0, wrong = 0;
  double furthest = 0;  // |v/s − q| beyond what rounding explains
};

/// `taken` must be v/s of the reference, passed through `decide(u)`, up to 1e-3.
template <class Decide>
void compare(Comparison& c, double u, double taken, const Decide& decide) {
  if (decide(u) == taken) {
    ++c.equal;
  } else if (decide(u - 1e-3) == taken || decide(u + 1e-3) == taken) {
    ++c.near_ties;
  } else {
    ++c.wrong;
    c.furthest = std::max(c.furthest, std::fabs(u - taken));
  }
}

double shrink_to(double u, double t) {
  return std::copysign(std::max(std::fabs(u) - t, 0.0), u);
}

QuantizeOptions plain(Corrector corrector, Constraint constraint, int bits) {
  QuantizeOptions options;
  options.ridge = 0;  // the definitions below are of the calibration data alone
  options.corrector = corrector;
  options.constraint = constraint;
  options.weight_bits = bits;
  options.scale_choice = ScaleChoice::largest_weight;
  options.refinement_passes = 0;
  options.target = WeightTarget::original;
  options.target_dampening = options.dampening;
  return options;
}

}  // namespace

TEST_CASE("every corrector takes the integers of its definition") {
  for (int trial = 0; trial < 12; ++trial) {
    Recipe recipe;
    recipe.seed = static_cast<std::uint64_t>(trial + 1);
    recipe.rows = 6;
    recipe.cols = trial % 2 == 0 ? 20 : 45;  // more than one lazy block
    recipe.tokens = 8 * recipe.cols;
    recipe.correlation = 0.5;
    recipe.input_bits = trial % 3 == 0 ? 4 : 8;  // X̃ far from X, too
    const SyntheticLayer s = synthetic_layer(recipe);
    for (const bool order : {true, false}) {
      for (const Corrector corrector : {Corrector::none, Corrector::optq, Corrector::gpfq, Corrector::qronos}) {
        for (const int bits : {4, 8}) {
          for (const WeightTarget target : {WeightTarget::original, WeightTarget::corrected}) {
            CAPTURE(trial);
            CAPTURE(to_text(corrector));
            CAPTURE(bits);
            CAPTURE((target == WeightTarget::corrected));
            QuantizeOptions options = plain(corrector, Constraint::none, bits);
            options.activation_order = order;
            options.target = target;
            const QuantizedLayer result = quantize(s.problem, parse_datapath("axe:P=32"), options);
            const Data data(s, order, options.dampening);
            const Matrix solve = inverse(data.damped);
            Comparison c;
            for (std::int64_t r = 0; r < recipe.rows; ++r) {
              const Vector w = data.row(s.problem.weight, r);
              const Vector aim = target == WeightTarget::corrected ? times(solve, times(data.cross, w)) : w;
              TextbookOptq optq(data.damped, aim);
              TextbookGpfq gpfq(data, w);
              TextbookQronos qronos(data, w);
              const double scale = result.scales[static_cast<std::size_t>(r)];
              const double least = -(1 << (bits - 1)), most = (1 << (bits - 1)) - 1;
              for (std::size_t t = 0; t < data.order.size(); ++t) {
                const double q = result.layer.row(r)[data.order[t]];
                double v = aim[t];
                if (corrector == Corrector::optq) {
                  v = optq.propose(t);
                  optq.observe(t, q * scale, v - q * scale);
                } else if (corrector == Corrector::gpfq) {
                  v = gpfq.propose(t);
                  gpfq.observe(t, q * scale, 0);
                } else if (corrector == Corrector::qronos) {
                  v = qronos.propose(t);
                  qronos.observe(t, q * scale, v - q * scale);
                }
                compare(c, v / scale, q, [&](double u) { return std::clamp(std::nearbyint(u), least, most); });
              }
            }
            CAPTURE(c.furthest);
            CHECK(c.wrong == 0);
            CHECK(c.near_ties <= 2);
          }
        }
      }
    }
  }
}

TEST_CASE("the corrected target solves the damped normal equations") {
  const SyntheticLayer s =
      synthetic_layer({.rows = 3, .cols = 20, .tokens = 160, .seed = 5, .correlation = 0.5, .input_bits = 4});
  QuantizeOptions options;
  options.target_dampening = 0.003;
  const ErrorCorrection correction = make_correction(s.problem, options);
  const std::vector<float> target = sweep_target(s.problem, correction, true, 0, 3);
  const Data data(s, true, 0.003);
  const Matrix solve = inverse(data.damped);
  double distance = 0;
  for (std::int64_t r = 0; r < 3; ++r) {
    const Vector w = data.row(s.problem.weight, r), expected = times(solve, times(data.cross, w));
    for (std::size_t t = 0; t < w.size(); ++t) {
      CHECK(target[static_cast<std::size_t>(data.order[t] * 3 + r)] ==
            doctest::Approx(expected[t]).epsilon(1e-4).scale(0.05));
      distance = std::max(distance, std::fabs(expected[t] - w[t]));
    }
  }
  CHECK(distance > 1e-3);  // not W itself
}

TEST_CASE("OPTQ under AXE: threshold of the target, exact limits in sweep order, and the whole error diffused") {
  for (int trial = 0; trial < 8; ++trial) {
    const SyntheticLayer s = synthetic_layer({.rows = 5,
                                              .cols = 37,
                                              .tokens = 300,
                                              .seed = 40U + static_cast<unsigned>(trial),
                                              .correlation = 0.6,
                                              .outliers = 0.05,
                                              .mean = trial % 2 == 0 ? 0.0 : 0.7});
    const char* datapaths[] = {"axe:P=12,T=16,outer=14", "axe:P=13,act=s8", "axe:P=11,T=7,act=box", "axe:P=9,T=4"};
    const Datapath datapath = parse_datapath(datapaths[trial % 4]);
    for (const bool published : {false, true}) {
      CAPTURE(datapath.name);
      CAPTURE(published);
      QuantizeOptions options = published ? QuantizeOptions::published() : plain(Corrector::optq, Constraint::axe, 6);
      options.weight_bits = 6;
      const QuantizedLayer result = quantize(s.problem, datapath, options);
      const Data data(s, true, options.dampening);
      const Topology topology(datapath, 37);
      std::vector<std::int32_t> lower, upper, offset;
      for (std::int64_t k = 0; k < 37; ++k) {
        lower.push_back(result.layer.lower(k));
        upper.push_back(result.layer.upper(k));
        offset.push_back(result.layer.offset[result.layer.offset.size() == 1 ? 0 : static_cast<std::size_t>(k)]);
      }
      const BudgetPlan plan(topology, lower, upper, offset, {-32, 31}, {0, 0});
      REQUIRE_FALSE(plan.unconstrained());
      const bool uniform = result.layer.box_lower.size() == 1;
      const IntegerRange limits = register_limits(topology.stage(plan.stages()[0].stage));
      REQUIRE(plan.stages()[0].stage == 0);
      Comparison c;
      int thresholded = 0;
      for (std::int64_t r = 0; r < 5; ++r) {
        const Vector w = data.row(s.problem.weight, r);
        TextbookOptq optq(data.damped, w);
        BudgetBlock budget(plan, {}, 1);
        const double scale = result.scales[static_cast<std::size_t>(r)];
        for (std::size_t t = 0; t < 37; ++t) {
          const std::int64_t k = data.order[t];
          std::vector<double> tile;
          std::vector<std::int64_t> cost;
          for (std::int64_t j : topology.products_of(0, topology.node_of_product(0, k))) {
            tile.push_back(s.problem.weight[static_cast<std::size_t>(r * 37 + j)]);
            cost.push_back(upper[static_cast<std::size_t>(j)] - lower[static_cast<std::size_t>(j)]);
          }
          const double threshold =
              SoftThreshold(tile, cost, uniform ? Centring::mean : Centring::none)
                  .at(scale, static_cast<std::uint64_t>(limits.upper - limits.lower))
                  .value *
              static_cast<double>(upper[static_cast<std::size_t>(k)] - lower[static_cast<std::size_t>(k)]);
          thresholded += threshold > 0 ? 1 : 0;
          double low = -32, high = 31, real_low = 0, real_high = 0;
          budget.admissible(k, &low, &high);
          budget.published_limits(k, &real_low, &real_high);
          const double q = result.layer.row(r)[k], v = optq.propose(t);
          const double limited = std::clamp(shrink_to(v / scale, threshold), real_low, real_high);
          compare(c, v / scale, q, [&](double u) {
            const double shrunk = shrink_to(u, threshold);
            return published ? std::clamp(std::nearbyint(std::clamp(shrunk, real_low, real_high)), -32.0, 31.0)
                             : std::clamp(std::nearbyint(shrunk), low, high);
          });
          optq.observe(t, q * scale, published ? (limited - q) * scale : v - q * scale);
          budget.take(k, &q);
        }
      }
      CAPTURE(c.furthest);
      CHECK(thresholded > 20);
      CHECK(c.wrong == 0);
      CHECK(c.near_ties <= 2);
    }
  }
}

namespace {

/// What a sweep without corrector must take, decided over the rationals from the weights' floats alone. One constrained stage.
std::vector<std::int64_t> rational_sweep(const SyntheticLayer& s, const QuantizedLayer& result,
                                         const Topology& topology, std::int64_t row, IntegerRange grid,
                                         const std::vector<std::int64_t>& order, bool soft_threshold = true) {
  const IntegerRange limits = register_limits(topology.stage(0));
  std::vector<std::int64_t> taken(static_cast<std::size_t>(s.problem.cols), 0);
  std::vector<std::int64_t> reach_up(static_cast<std::size_t>(topology.nodes(0)), 0), reach_down = reach_up;
  const double scale = result.scales[static_cast<std::size_t>(row)];
  const bool uniform = result.layer.box_lower.size() == 1;
  for (std::int64_t k : order) {
    const std::int64_t node = topology.node_of_product(0, k);
    const auto n = static_cast<std::size_t>(node);
    std::vector<double> tile;
    std::vector<std::int64_t> cost;
    for (std::int64_t j : topology.products_of(0, node)) {
      tile.push_back(s.problem.weight[static_cast<std::size_t>(row * s.problem.cols + j)]);
      cost.push_back(result.layer.upper(j) - result.layer.lower(j));
    }
    const Rational lambda =
        soft_threshold
            ? exact_soft_threshold(tile, scale, cost, static_cast<std::uint64_t>(limits.upper - limits.lower),
                                   uniform ? Centring::mean : Centring::none)
            : Rational(0);
    const IntegerRange box{result.layer.lower(k), result.layer.upper(k)};
    const IntegerRange inside = integers_inside(
        exact_limits(Rational(limits.upper - reach_up[n]), Rational(-limits.lower - reach_down[n]), box), grid);
    const std::int64_t q = decide_exactly(s.problem.weight[static_cast<std::size_t>(row * s.problem.cols + k)], scale,
                                          Rational(lambda * (box.upper - box.lower)), inside);
    reach_up[n] += std::max(q * box.lower, q * box.upper);
    reach_down[n] -= std::min(q * box.lower, q * box.upper);
    taken[static_cast<std::size_t>(k)] = q;
  }
  return taken;
}

}  // namespace

TEST_CASE("without a corrector every integer is the rational decision, ties included, and ties are settled exactly") {
  std::mt19937_64 generator(7);
  std::int64_t thresholded = 0, compared = 0;
  for (int trial = 0; trial < 48; ++trial) {
    Recipe recipe;
    recipe.rows = 3;
    recipe.cols = 22;
    recipe.tokens = 40;
    recipe.seed = 100U + static_cast<unsigned>(trial);
    recipe.outliers = 0.1;
    recipe.quiet_channels = trial % 2 == 0;
    SyntheticLayer s = synthetic_layer(recipe);
    const bool ties = trial % 4 != 3;
    QuantizeOptions options = plain(Corrector::none, Constraint::axe, 5);
    options.activation_order = trial % 5 != 0;
    options.soft_threshold = trial % 3 != 1;
    if (ties) {                                            // multiples of half a step, every row; half of them odd
      const float scale = trial % 2 == 0 ? 0.125F : 0.1F;  // 0.1F·n is a float's exact multiple for small n
      options.scales.assign(3, scale);
      for (float& w : s.problem.weight) {
        w = scale * 0.5F * static_cast<float>(std::uniform_int_distribution<int>(-40, 40)(generator));
      }
    }
    const char* forms[] = {"", ",act=s8", ",act=box"};
    const char* shapes[] = {"axe:P=12,outer=float", "axe:P=10,T=7,outer=float", "axe:P=9,T=2,outer=float",
                            "axe:P=20,outer=float"};
    Datapath datapath = parse_datapath(std::string(shapes[trial % 4]) + forms[(trial / 4) % 3]);
    datapath.stages[0].limits = trial % 7 < 3 ? Limits::full : Limits::symmetric;
    CAPTURE(trial);
    CAPTURE(datapath.name);
    const QuantizedLayer result = quantize(s.problem, datapath, options);
    const Topology topology(datapath, 22);
    const std::vector<std::int64_t> order = Data(s, options.activation_order, 0.01).order;
    for (std::int64_t r = 0; r < 3; ++r) {
      const std::vector<std::int64_t> expected =
          rational_sweep(s, result, topology, r, {-16, 15}, order, options.soft_threshold);
      const std::vector<std::int64_t> taken(result.layer.row(r), result.layer.row(r) + 22);
      CHECK(taken == expected);
      compared += 22;
    }
    thresholded += result.statistics.thresholded;
    if (ties && datapath.stages[0].width == 20) {
      // Nothing is thresholded there: every odd multiple of half a step is a tie.
      CHECK(result.statistics.settled_exactly > 20);
    }
    CHECK(result.statistics.decisions == 3 * 22);
  }
  CHECK(compared == 48 * 3 * 22);
  CHECK(thresholded > 100);
}

TEST_CASE("a tie that only the exact threshold makes is settled exactly") {
  // Channels clamped to [-1, 1] cost 2 each; two weights of one size share Z = 2^P − 2: each keeps Z/4 = 2^(P−2) − ½ steps, a tie.
  SyntheticLayer s = synthetic_layer({.rows = 7, .cols = 8, .tokens = 30, .seed = 3});
  s.problem.code_min.assign(8, 77);
  s.problem.code_max.assign(8, 77);
  QuantizeOptions options = plain(Corrector::none, Constraint::axe, 8);
  options.box_headroom = 0;
  options.scales.clear();
  for (std::int64_t r = 0; r < 7; ++r) {
    for (std::int64_t k = 0; k < 8; ++k) {
      s.problem.weight[static_cast<std::size_t>(r * 8 + k)] =
          (k % 2 == 0 ? 1.0F : -1.0F) * (0.1F + 0.037F * static_cast<float>(r * 4 + k / 2));
    }
    options.scales.push_back(0.0013F);
  }
  for (const int width : {4, 6, 7}) {
    const Datapath datapath = parse_datapath("axe:P=" + std::to_string(width) + ",T=2,outer=float,act=box");
    const QuantizedLayer result = quantize(s.problem, datapath, options);
    REQUIRE(result.layer.lower(0) == -1);
    REQUIRE(result.layer.upper(0) == 1);
    CHECK(result.statistics.settled_exactly ==
          7 * 4);  // the second of a pair: the first rounded up, so its limit lies below the tie
    const std::vector<std::int64_t> order = Data(s, true, 0.01).order;
    for (std::int64_t r = 0; r < 7; ++r) {
      const std::vector<std::int64_t> expected =
          rational_sweep(s, result, Topology(datapath, 8), r, {-128, 127}, order);
      CHECK(std::vector<std::int64_t>(result.layer.row(r), result.layer.row(r) + 8) == expected);
    }
  }
}

TEST_CASE(
    "EP-init without a corrector is lib/constraint/ep_init, in either strict form, and its budget never clips it") {
  for (int trial = 0; trial < 24; ++trial) {
    const SyntheticLayer s = synthetic_layer({.rows = 3,
                                              .cols = 21,
                                              .tokens = 60,
                                              .seed = 200U + static_cast<unsigned>(trial),
                                              .outliers = 0.1,
                                              .mean = trial % 2 == 0 ? 0.0 : 1.0,
                                              .quiet_channels = true});
    const char* datapaths[] = {"axe:P=12,outer=float", "axe:P=11,T=7", "axe:P=12,act=s8",
                               "axe:P=9,T=4,act=box",  "axe:P=2",      "axe:P=16,T=4"};
    const Datapath datapath = parse_datapath(datapaths[trial % 6]);
    QuantizeOptions options = plain(Corrector::none, Constraint::ep_init, 5);
    options.strict = trial % 2 == 0 ? StrictForm::exact : StrictForm::published;
    CAPTURE(datapath.name);
    CAPTURE((options.strict == StrictForm::published));
    const QuantizedLayer result = quantize(s.problem, datapath, options);
    const Topology topology(datapath, 21);
    const IntegerRange limits = register_limits(topology.stage(0));
    for (std::int64_t r = 0; r < 3; ++r) {
      for (std::int64_t node = 0; node < topology.nodes(0); ++node) {
        std::vector<double> tile;
        std::vector<std::int64_t> cost, taken;
        for (std::int64_t k : topology.products_of(0, node)) {
          tile.push_back(s.problem.weight[static_cast<std::size_t>(r * 21 + k)]);
          cost.push_back(std::max<std::int64_t>(result.layer.upper(k), -result.layer.lower(k)));
          taken.push_back(result.layer.row(r)[k]);
        }
        std::int64_t settled = 0;
        CHECK(taken == ep_init(tile, result.scales[static_cast<std::size_t>(r)], cost,
                               static_cast<std::uint64_t>(limits.upper), {-16, 15}, settled));
      }
    }
  }
}

TEST_CASE(
    "thresholds of a block: the rational λ is within the stated error, for every ball, cost, scale and kind of tile") {
  std::mt19937_64 generator(99);
  const auto uniform = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(generator);
  };
  std::normal_distribution<double> gaussian;
  int positive = 0, zero = 0, loose = 0;
  for (int trial = 0; trial < 400; ++trial) {
    const std::int64_t K = uniform(1, 30), rows = 5;
    BudgetStage stage;
    stage.nodes = uniform(1, std::min<std::int64_t>(K, 3));
    stage.upper = static_cast<double>((std::int64_t{1} << uniform(0, 19)) - 1);
    stage.lower = stage.upper + static_cast<double>(uniform(0, 1));
    const std::int64_t costs = uniform(0, 3);
    for (std::int64_t k = 0; k < K; ++k) {
      stage.node_of_column.push_back(k < stage.nodes ? k : uniform(0, stage.nodes - 1));
      stage.with_sign.push_back(costs == 0   ? 255
                                : costs == 1 ? 127
                                             : static_cast<double>(uniform(0, costs == 2 ? 2 : 200)));
      stage.against_sign.push_back(costs == 0 ? 0 : costs == 1 ? 128 : static_cast<double>(uniform(0, 3)));
    }
    std::vector<float> target, scales;
    const std::int64_t kind = uniform(0, 5);
    for (std::int64_t i = 0; i < K * rows; ++i) {
      const double w = kind == 0   ? 3
                       : kind == 1 ? static_cast<double>(uniform(-6, 6))
                       : kind == 2 ? static_cast<double>(uniform(-12, 12)) / 2
                       : kind == 3 ? std::ldexp(gaussian(generator), static_cast<int>(uniform(-40, 10)))
                                   : gaussian(generator) * 5;
      target.push_back(static_cast<float>(kind == 5 && uniform(0, 1) != 0 ? 0 : w));
    }
    for (std::int64_t i = 0; i < stage.nodes * rows; ++i) {
      scales.push_back(kind <= 2 ? static_cast<float>(std::ldexp(1.0, static_cast<int>(uniform(-6, 3))))
                                 : static_cast<float>(std::exp(gaussian(generator) * 4)));
    }
    for (const Ball ball : {Ball::axe_centred, Ball::axe, Ball::ep_init}) {
      const ThresholdTable table(stage, rows, target, ball);
      std::vector<double> lambda, error;
      table.at_scales(scales, true, lambda, error);
      for (std::int64_t k = 0; k < K; ++k) {
        const double cost = table.costs()[k];
        for (std::int64_t r = 0; cost > 0 && r < rows; ++r) {
          const auto i = static_cast<std::size_t>(stage.node_of_column[static_cast<std::size_t>(k)] * rows + r);
          REQUIRE(lambda[i] >= 0);
          REQUIRE(error[i] >= 0);
          if (!std::isfinite(error[i])) {
            ++loose;
            continue;
          }
          const Rational truth = table.exact(k, r, scales[i]) / exact(cost);
          const Rational distance =
              exact(lambda[i]) > truth ? Rational(exact(lambda[i]) - truth) : Rational(truth - exact(lambda[i]));
          REQUIRE(distance <= exact(error[i]));
          (truth > 0 ? positive : zero) += 1;
          loose += error[i] > 1e-9 * (1 + lambda[i] +
                                      std::fabs(static_cast<double>(target[static_cast<std::size_t>(k * rows + r)])) /
                                          static_cast<double>(scales[i]))
                       ? 1
                       : 0;
        }
      }
    }
  }
  CHECK(positive > 10000);
  CHECK(zero > 2000);
  CHECK(loose < (positive + zero) / 5);
}

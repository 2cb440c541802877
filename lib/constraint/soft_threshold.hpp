// AXE's soft constraint: the threshold λ of the projection of a tile on the weighted l1 ball of its register's budget, and
// the operator that applies it. `SoftThreshold` (double, with an error bound; reusable for many scales) is what a quantizer
// calls; `exact_soft_threshold` and `enclose_soft_threshold` are its two other readings. No side effects.
// Sources: Duchi, Shalev-Shwartz, Singer, Chandra, ICML 2008, fig. 1; AXE (arXiv 2409.17092) eqs. 14, 16; design §3.4, §3.8.
//
// The ball, in integers. A tile with inputs x_k ∈ [l_k, h_k] ∋ 0 reaches Σ max(w_k l_k, w_k h_k) upward; with the tile centred,
// that is about Σ r_k |w_k|, r_k = (h_k − l_k)/2, and it must stay within 2^(P−1) − 1. Twice that:
//     Σ cost_k |v_k| ≤ radius,   cost_k = h_k − l_k,   radius = upper − lower register limit (2^P − 2 when symmetric).
// So all data are integers. One box [α, β] for all gives AXE's plain ball of radius Z = (2^P − 2)/(β − α), and λ·cost is AXE's λ.
// A channel of cost 0 (h = l = 0) is outside the ball's constraint and is not thresholded.
#pragma once

#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "axecert/constraint/decision.hpp"
#include "axecert/constraint/reading.hpp"

namespace axe {

/// What is subtracted from a tile before λ is computed: its mean (AXE: a centred tile spends its budget equally on both
/// sides) or nothing (right for symmetric boxes, and for EP-init). Candidates themselves are never centred.
enum class Centring { mean, none };

/// sign(v)·max(|v| − t, 0), t ≥ 0 (AXE eq. 14).
template <Readable Number>
Number shrink(const Number& value, const Number& threshold) {
  using R = Reading<Number>;
  // max(v − t, 0) − max(−v − t, 0): one of the two is 0. Monotone in v and free of a case distinction on its sign, so that the
  // same formula serves intervals that contain 0.
  const Number zero = R::of(0);
  return R::larger(value - threshold, zero) - R::larger(-value - threshold, zero);
}

/// |v_k − mean(v)|, or |v_k|.
template <Readable Number>
std::vector<Number> magnitudes(std::span<const double> values, Centring centring) {
  using R = Reading<Number>;
  Number centre = R::of(0);
  if (centring == Centring::mean && !values.empty()) {
    for (const double value : values) {
      centre = centre + R::of(value);
    }
    centre = centre / R::of(static_cast<std::int64_t>(values.size()));
  }
  std::vector<Number> result;
  result.reserve(values.size());
  for (const double value : values) {
    result.push_back(R::magnitude(R::of(value) - centre));
  }
  return result;
}

/// The threshold λ ≥ 0 of the projection of u on {Σ c_k |v_k| ≤ Z}: v'_k = sign(u_k) max(|u_k| − λ c_k, 0), with Σ c_k |v'_k| = Z
/// if u lies outside, λ = 0 inside (KKT conditions). Given m_k = |u_k|·σ and c_k; then for any σ > 0 and Z ≥ 0.
///
/// Formula:  λ = max(0, max_S (Σ_S c m/σ − Z) / Σ_S c²)  over all non-empty sets S of terms with c > 0. Proof: if λ = 0 then
/// Σ_S c|u| ≤ Z for all S. If λ > 0, Σ_S c(|u| − λc) ≤ Σ_S c·max(|u| − λc, 0) ≤ Z, that is (Σ_S c|u| − Z)/Σ_S c² ≤ λ, with equality
/// for S = {c|u| > λc²}. That S is a prefix of the order of descending m/c, so the maximum over prefixes suffices.
///
/// Intervals: the sets S tried are the prefixes by the *upper* ends of m/c, ordered exactly. Lower end: each prefix is a set,
/// and every set bounds λ from below, whatever the true order. Upper end: λ is monotone, increasing in each m_k, decreasing
/// in Z and σ, so λ(upper m, lower Z, lower σ) bounds it from above; its order is the one used, so the maximum of the
/// prefixes' upper ends attains it. Hence the interval evaluation of this very formula is an enclosure.
template <Readable Number>
class L1Threshold {
  using R = Reading<Number>;

 public:
  /// `magnitude` m_k ≥ 0, `cost` c_k ≥ 0 below 2^31, of the same size, or one cost for all.
  L1Threshold(std::span<const Number> magnitude, std::span<const std::int64_t> cost) {
    const auto cost_of = [&](std::size_t k) { return cost[cost.size() == 1 ? 0 : k]; };
    std::vector<std::pair<typename R::Key, std::size_t>> order;
    order.reserve(magnitude.size());
    for (std::size_t k = 0; k < magnitude.size(); ++k) {
      if (cost_of(k) > 0) {
        order.emplace_back(R::key(magnitude[k], cost_of(k)), k);
      }
    }
    std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
      return b.first < a.first || (!(a.first < b.first) && a.second < b.second);
    });
    spent_.reserve(order.size());
    squares_.reserve(order.size());
    Number spent = R::of(0);
    Number squares = R::of(0);
    for (const auto& [key, k] : order) {
      const Number c = R::of(cost_of(k));
      spent = spent + c * magnitude[k];
      squares = squares + c * c;
      spent_.push_back(spent);
      squares_.push_back(squares);
    }
  }

  /// λ for scale σ > 0 and radius Z ≥ 0.
  Number at(const Number& scale, const Number& radius) const {
    Number best = R::of(0);
    const Number ball = radius * scale;
    for (std::size_t i = 0; i < spent_.size(); ++i) {
      // (Σ c m − Zσ) / Σ c², divided by σ below: one division less per prefix.
      best = R::larger(best, (spent_[i] - ball) / squares_[i]);
    }
    return best / scale;
  }

  std::size_t terms() const { return spent_.size(); }
  /// Σ c m over all terms (0 when there is none).
  Number spent() const { return spent_.empty() ? R::of(0) : spent_.back(); }

 private:
  std::vector<Number> spent_;    ///< Σ c m over the first i + 1 terms, by descending m/c
  std::vector<Number> squares_;  ///< Σ c² over the same
};

/// Throws InputError unless there are values, all finite, as many costs (or one), each 0 ≤ cost < 2^31.
void validate_tile(std::span<const double> values, std::span<const std::int64_t> cost);

/// λ of one tile in double, for many scales. Construction sorts (O(T log T)); `at` is O(T), no allocation.
class SoftThreshold {
 public:
  /// `weights` w_k of the tile, in the weights' unit; `cost` as many, or one for all. Throws InputError (validate_tile).
  SoftThreshold(std::span<const double> weights, std::span<const std::int64_t> cost,
                Centring centring = Centring::mean);

  /// λ of w/scale on Σ cost |v| ≤ radius, with a rigorous error bound (derived in the .cpp). Weight k is then thresholded by
  /// times(λ, cost_k). {0, 0} when the tile is inside the ball beyond doubt; error infinite when double overflows.
  /// Throws InputError unless scale is finite and > 0.
  Threshold at(double scale, std::uint64_t radius) const;

 private:
  L1Threshold<double> threshold_;
  double largest_ = 0;       ///< max |w_k|
  double error_factor_ = 0;  ///< (6T + 32)·u / least positive cost
  double total_cost_ = 0;    ///< Σ cost
  double terms_ = 0;         ///< T
};

/// The same λ over the rationals, and enclosed by an interval. Throw InputError as above.
Rational exact_soft_threshold(std::span<const double> weights, double scale, std::span<const std::int64_t> cost,
                              std::uint64_t radius, Centring centring = Centring::mean);
Interval enclose_soft_threshold(std::span<const double> weights, double scale, std::span<const std::int64_t> cost,
                                std::uint64_t radius, Centring centring = Centring::mean);

}  // namespace axe

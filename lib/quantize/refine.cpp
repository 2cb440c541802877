// Coordinate descent on the calibration error inside the integer budget: single moves, moves of two weights, and the scale in
// closed form; see refine.hpp.
#include "axecert/quantize/refine.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "axecert/numeric/target_clones.hpp"

namespace axe {

/// The unit moves of every column of a neighbourhood.
struct UnitMoves {
  std::vector<float> up, down;  ///< cost alone; +inf when off the grid
  std::vector<float> up_above, up_below, down_above,
      down_below;  ///< what the move gives back to the register (< 0: takes)
  std::vector<float> cost;
  void resize(std::size_t n) {
    for (std::vector<float>* v : {&up, &down, &up_above, &up_below, &down_above, &down_below, &cost}) {
      v->resize(n);
    }
  }
};

namespace {

/// Pair moves look at pairs: a tile wider than this is cut, which loses 1 to 2 % of error for a third of the time on whole rows
/// of 576.
constexpr std::size_t largest_neighbourhood = 128;

AXECERT_CLONES void add_scaled(std::int64_t n, float factor, const float* x, float* __restrict y) {
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] += factor * x[i];
  }
}

using Lanes [[gnu::vector_size(32)]] = float;
constexpr std::size_t lanes = 8;
constexpr std::size_t padded(std::size_t n) {
  return (n + lanes - 1) / lanes * lanes;
}

/// For every column j of a neighbourhood, the cheaper admissible unit move given that column i moves too: cost[j] = min over
/// ± of alone_±[j] ± coupling·h[j], +inf where neither is admissible. `above` and `below` are what i's move leaves of the
/// register; a move changes them by above_±[j], below_±[j]. n is a multiple of `lanes`. Returns the least cost. Written in
/// lanes because a minimum over floats does not vectorise by itself (order of NaN and −0). 256 bits: GCC 12 takes comparisons of 512 apart.
AXECERT_CLONES_256 float best_partner(std::size_t n, float coupling, const float* h, float above, float below,
                                      const float* up, const float* down, const float* up_above, const float* up_below,
                                      const float* down_above, const float* down_below, float* cost) {
  constexpr float infinite = std::numeric_limits<float>::infinity();
  Lanes least = Lanes{} + infinite;
  for (std::size_t j = 0; j < n; j += lanes) {
    Lanes shift, rise, fall, rise_above, rise_below, fall_above, fall_below;
    std::memcpy(&shift, h + j, sizeof shift);
    std::memcpy(&rise, up + j, sizeof rise);
    std::memcpy(&fall, down + j, sizeof fall);
    std::memcpy(&rise_above, up_above + j, sizeof rise_above);
    std::memcpy(&rise_below, up_below + j, sizeof rise_below);
    std::memcpy(&fall_above, down_above + j, sizeof fall_above);
    std::memcpy(&fall_below, down_below + j, sizeof fall_below);
    shift *= coupling;
    rise = (above + rise_above >= 0) & (below + rise_below >= 0) ? rise + shift : Lanes{} + infinite;
    fall = (above + fall_above >= 0) & (below + fall_below >= 0) ? fall - shift : Lanes{} + infinite;
    const Lanes cheaper = rise < fall ? rise : fall;
    std::memcpy(cost + j, &cheaper, sizeof cheaper);
    least = cheaper < least ? cheaper : least;
  }
  float result = infinite;
  for (std::size_t i = 0; i < lanes; ++i) {
    result = least[i] < result ? least[i] : result;
  }
  return result;
}

}  // namespace

RefinementSetting make_refinement_setting(const LayerProblem& problem, const BudgetPlan& plan, const Topology& topology,
                                          const std::int64_t* group_of_column, std::int64_t groups) {
  RefinementSetting setting;
  setting.cols = problem.cols;
  setting.gram = problem.gram.data();
  setting.plan = &plan;
  setting.group_of_column = group_of_column;
  setting.groups = groups;
  const std::size_t stage = plan.unconstrained() ? 0 : plan.stages()[0].stage;
  for (std::int64_t node = 0; node < topology.nodes(stage); ++node) {
    const std::vector<std::int64_t> all = topology.products_of(stage, node);
    for (std::size_t begin = 0; begin < all.size(); begin += largest_neighbourhood) {
      const std::size_t end = std::min(all.size(), begin + largest_neighbourhood);
      setting.neighbourhoods.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(begin),
                                          all.begin() + static_cast<std::ptrdiff_t>(end));
    }
  }
  for (const std::vector<std::int64_t>& columns : setting.neighbourhoods) {
    const std::size_t stride = padded(columns.size());
    std::vector<float> block(columns.size() * stride, 0.0F);
    for (std::size_t a = 0; a < columns.size(); ++a) {
      for (std::size_t b = 0; b < columns.size(); ++b) {
        block[a * stride + b] = problem.gram[static_cast<std::size_t>(columns[a] * problem.cols + columns[b])];
      }
    }
    setting.gram_blocks.push_back(std::move(block));
  }
  return setting;
}

void RowRefiner::load(RowState& state, bool with_accounts) {
  state_ = &state;
  if (!with_accounts) {
    return;
  }
  budget_.reset(state.bias);
  for (std::int64_t k = 0; k < setting_.cols; ++k) {
    const double q = state.q[static_cast<std::size_t>(k)];
    if (q != 0) {
      budget_.change(k, 0, q);
    }
  }
}

void RowRefiner::move(std::int64_t k, double after) {
  const auto i = static_cast<std::size_t>(k);
  const double before = state_->q[i];
  budget_.change(k, before, after);
  add_scaled(setting_.cols, static_cast<float>(after - before) * scale_of(k), setting_.gram + k * setting_.cols,
             state_->gradient.data());
  state_->q[i] = static_cast<float>(after);
}

std::int64_t RowRefiner::descend() {
  std::int64_t moves = 0;
  for (std::int64_t k = 0; k < setting_.cols; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const float h = setting_.gram[k * setting_.cols + k], s = scale_of(k);
    if (h <= 0) {
      continue;
    }
    // E(q + Δ) − E(q) = s²Δ²H_kk + 2 sΔ g_k, least at Δ = −g_k / (s H_kk).
    const float step = -state_->gradient[i] / (s * h);
    if (std::fabs(step) <= 0.5F) {
      continue;
    }
    const std::size_t group = setting_.group_of_column ? static_cast<std::size_t>(setting_.group_of_column[k]) : 0;
    const double current = state_->q[i];
    double low = state_->lowest[group], high = state_->highest[group];
    double wanted = std::clamp(current + std::nearbyint(static_cast<double>(step)), low, high);
    if (wanted == current) {
      continue;
    }
    budget_.admissible(k, current, low, high);
    wanted = std::clamp(wanted, low, high);
    const double delta = static_cast<double>(s) * (wanted - current);
    if (wanted != current && delta * delta * h + 2 * delta * state_->gradient[i] < 0) {
      move(k, wanted);
      ++moves;
    }
  }
  return moves;
}

std::int64_t RowRefiner::descend_pairs() {
  constexpr float infinite = std::numeric_limits<float>::infinity();
  std::int64_t moves = 0;
  UnitMoves unit_moves;
  for (std::size_t tile = 0; tile < setting_.neighbourhoods.size(); ++tile) {
    const std::vector<std::int64_t>& columns = setting_.neighbourhoods[tile];
    const std::size_t stride = padded(columns.size());
    const float* block = setting_.gram_blocks[tile].data();
    unit_moves.resize(stride);
    bool stale = true;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const std::int64_t k = columns[i];
      const float* h_row = block + i * stride;
      const float h = h_row[i];
      if (h <= 0) {
        continue;
      }
      for (const bool upward : {true, false}) {
        if (stale) {
          weigh_unit_moves(columns, block, unit_moves);
          stale = false;
        }
        const float alone = upward ? unit_moves.up[i] : unit_moves.down[i];
        const float s = scale_of(k), square = s * s * h;
        // Past its own curvature a move pays so badly that looking for a partner was never worth the time (measured on real
        // layers: no change of the error, a sixth less time).
        if (!(alone < square)) {
          continue;
        }
        const auto [left_above, left_below] = budget_.left(k);
        const float above =
            static_cast<float>(left_above) + (upward ? unit_moves.up_above[i] : unit_moves.down_above[i]);
        const float below =
            static_cast<float>(left_below) + (upward ? unit_moves.up_below[i] : unit_moves.down_below[i]);
        // ΔE of two moves: the sum of both alone, plus 2 δ_k δ_j H_kj.
        const float coupling = (upward ? 2 : -2) * s * s;
        const float own_up = unit_moves.up[i], own_down = unit_moves.down[i];
        unit_moves.up[i] = unit_moves.down[i] = infinite;
        const float least =
            best_partner(stride, coupling, h_row, above, below, unit_moves.up.data(), unit_moves.down.data(),
                         unit_moves.up_above.data(), unit_moves.up_below.data(), unit_moves.down_above.data(),
                         unit_moves.down_below.data(), unit_moves.cost.data());
        if (alone + least < -1e-5F * square) {
          const auto b = static_cast<std::size_t>(std::find(unit_moves.cost.begin(), unit_moves.cost.end(), least) -
                                                  unit_moves.cost.begin());
          const std::int64_t j = columns[b];
          const float shift = coupling * h_row[b];
          const bool rises = above + unit_moves.up_above[b] >= 0 && below + unit_moves.up_below[b] >= 0;
          const bool falls = above + unit_moves.down_above[b] >= 0 && below + unit_moves.down_below[b] >= 0;
          const float rise = rises ? unit_moves.up[b] + shift : infinite,
                      fall = falls ? unit_moves.down[b] - shift : infinite;
          const double step = rise < fall ? 1.0 : -1.0;
          const double before_k = state_->q[static_cast<std::size_t>(k)],
                       before_j = state_->q[static_cast<std::size_t>(j)];
          const double after_k = before_k + (upward ? 1.0 : -1.0), after_j = before_j + step;
          budget_.change(k, before_k, after_k);
          budget_.change(j, before_j, after_j);
          const bool fits = budget_.fits(k) && budget_.fits(j);  // the stages above have accounts of their own
          budget_.change(j, after_j, before_j);
          budget_.change(k, after_k, before_k);
          if (fits) {
            move(k, after_k);
            move(j, after_j);
            ++moves;
            stale = true;
            continue;
          }
        }
        unit_moves.up[i] = own_up;
        unit_moves.down[i] = own_down;
      }
    }
  }
  return moves;
}

void RowRefiner::weigh_unit_moves(const std::vector<std::int64_t>& columns, const float* block,
                                  UnitMoves& moves) const {
  constexpr float infinite = std::numeric_limits<float>::infinity();
  const std::size_t stride = padded(columns.size());
  for (std::size_t b = columns.size(); b < stride; ++b) {
    moves.up[b] = moves.down[b] = infinite;
    moves.up_above[b] = moves.up_below[b] = moves.down_above[b] = moves.down_below[b] = 0;
  }
  for (std::size_t b = 0; b < columns.size(); ++b) {
    const std::int64_t j = columns[b];
    const auto i = static_cast<std::size_t>(j);
    const std::size_t group = setting_.group_of_column ? static_cast<std::size_t>(setting_.group_of_column[j]) : 0;
    const float h = block[b * stride + b], s = scale_of(j), square = s * s * h, slope = 2 * s * state_->gradient[i];
    const double q = state_->q[i];
    moves.up[b] = h > 0 && q + 1 <= state_->highest[group] ? square + slope : infinite;
    moves.down[b] = h > 0 && q - 1 >= state_->lowest[group] ? square - slope : infinite;
    const auto [with, against] = budget_.costs(j);
    const auto w = static_cast<float>(with), c = static_cast<float>(against);
    moves.up_above[b] = q >= 0 ? -w : c;
    moves.up_below[b] = q >= 0 ? -c : w;
    moves.down_above[b] = q > 0 ? w : -c;
    moves.down_below[b] = q > 0 ? c : -w;
  }
}

bool RowRefiner::refit_scale() {
  if (state_->scale.size() != 1) {
    return false;
  }
  // E(s) = s² qᵀHq − 2 s qᵀb, least at s = qᵀb / qᵀHq; Hq = (g + b) / s.
  double linear = 0, quadratic = 0;
  for (std::size_t k = 0; k < state_->q.size(); ++k) {
    const double q = state_->q[k];
    linear += q * state_->linear[k];
    quadratic += q * (static_cast<double>(state_->gradient[k]) + state_->linear[k]);
  }
  const double s = state_->scale[0];
  if (!(linear > 0) || !(quadratic > 0)) {
    return false;
  }
  const auto fitted = static_cast<float>(s * s * linear / (s * quadratic));
  if (fitted == state_->scale[0] || !std::isfinite(fitted) || fitted < std::numeric_limits<float>::min() ||
      static_cast<double>(fitted) < state_->least_scale) {
    return false;
  }
  const float ratio = static_cast<float>(static_cast<double>(fitted) / s);
  for (std::size_t k = 0; k < state_->q.size(); ++k) {
    state_->gradient[k] = ratio * (state_->gradient[k] + state_->linear[k]) - state_->linear[k];
  }
  state_->scale[0] = fitted;
  return true;
}

double RowRefiner::error() const {
  // dᵀHd − 2 dᵀb = dᵀ(g − b).
  double sum = 0;
  for (std::int64_t k = 0; k < setting_.cols; ++k) {
    const auto i = static_cast<std::size_t>(k);
    sum += static_cast<double>(scale_of(k)) * state_->q[i] *
           (static_cast<double>(state_->gradient[i]) - state_->linear[i]);
  }
  return sum;
}

}  // namespace axe

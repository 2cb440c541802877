// The search over scales for a block of rows; see row_block.hpp. Every candidate scale is swept under the row's budget, its
// integers get their best scale in closed form, and the candidate with the least calibration error wins.
#include "axecert/quantize/row_block.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "axecert/numeric/error.hpp"
#include "axecert/quantize/linear_algebra.hpp"
#include "axecert/quantize/thresholds.hpp"

namespace axe {
namespace {

constexpr float least_scale = 1e-30F;  // far above the smallest normal float, so that ratios of scales stay finite
constexpr double infinite = std::numeric_limits<double>::infinity();

/// The integers that `bits` bits give around a zero point: [−zp, 2^bits − 1 − zp]; symmetric: zp = 2^(bits−1).
struct RowGrid {
  float scale = 1;
  std::int32_t zero_point = 0;
};

/// Max-based grid of the weights in [least, most], its step multiplied by `factor`. Symmetric: s = max|w| / 2^(bits−1).
/// Asymmetric: s = (most − least) / (2^bits − 1), the grid centred on the weights, 0 always on it.
RowGrid max_based_grid(float least, float most, int bits, bool asymmetric, double factor) {
  const auto half = static_cast<double>(1 << (bits - 1));
  const auto steps = static_cast<double>((1 << bits) - 1);
  double s = asymmetric ? (std::max(0.0F, most) - std::min(0.0F, least)) / steps
                        : std::max(std::fabs(least), std::fabs(most)) / half;
  s = std::max(s * factor, static_cast<double>(least_scale));
  RowGrid grid{static_cast<float>(s), static_cast<std::int32_t>(half)};
  if (asymmetric) {
    const double middle = (static_cast<double>(std::max(0.0F, most)) + std::min(0.0F, least)) / 2;
    grid.zero_point = static_cast<std::int32_t>(std::clamp(std::nearbyint(steps / 2 - middle / s), 0.0, steps));
  }
  return grid;
}

/// The multiple of the max-based grid whose rounding moves these weights least: the least Σ (w − s·round(w/s))², clipping
/// included, of 57 multiples from 0.3 to 1 (the larger of equals). Zeros alone: 1.
double least_weight_error(const std::vector<float>& weights, float least, float most, int bits, bool asymmetric) {
  const std::int32_t steps = (1 << bits) - 1;
  double best = 1, least_error = infinite;
  for (int i = 0; i <= 56 && least < most; ++i) {
    const double factor = 1 - i / 80.0;
    const RowGrid grid = max_based_grid(least, most, bits, asymmetric, factor);
    const auto low = static_cast<float>(-grid.zero_point), high = static_cast<float>(steps - grid.zero_point);
    double error = 0;
    for (const float w : weights) {
      float q = std::nearbyint(w / grid.scale);
      q = q < low ? low : q;
      q = q > high ? high : q;
      const double d = static_cast<double>(w) - static_cast<double>(grid.scale) * static_cast<double>(q);
      error += d * d;
    }
    if (error < least_error) {
      least_error = error;
      best = factor;
    }
  }
  return best;
}

/// A factor between those tried around the best one: where the parabola through the three, over the factor's logarithm, is
/// least; half way to the farther neighbour when that is no news.
double between(const std::vector<std::pair<double, double>>& tried, double best) {
  const std::pair<double, double>*below = nullptr, *at = nullptr, *above = nullptr;
  for (const auto& entry : tried) {
    if (entry.first == best) {
      at = &entry;
    } else if (entry.first < best && (below == nullptr || entry.first > below->first)) {
      below = &entry;
    } else if (entry.first > best && (above == nullptr || entry.first < above->first)) {
      above = &entry;
    }
  }
  if (at == nullptr || below == nullptr || above == nullptr) {
    return best * (above == nullptr ? 1.1 : 0.9);
  }
  const double x = std::log(best), left = std::log(below->first) - x, right = std::log(above->first) - x;
  const double rise_left = below->second - at->second, rise_right = above->second - at->second;
  const double curvature = rise_left * right - rise_right * left;
  double step = curvature > 0 ? (rise_left * right * right - rise_right * left * left) / (2 * curvature) : 0;
  if (!(std::fabs(step) > 0.02) || step < left || step > right) {
    step = -left > right ? left / 2 : right / 2;
  }
  return std::exp(x + step);
}

}  // namespace

LayerSetting::LayerSetting(const LayerProblem& problem, const Datapath& datapath, const QuantizeOptions& options,
                           const InputBox& box)
    : problem_(problem), options_(options), topology_(datapath, problem.cols), weight_bits_(options.weight_bits) {
  const auto K = static_cast<std::size_t>(problem.cols);
  std::vector<std::int32_t> lower(K), upper(K), offset(K);
  for (std::size_t k = 0; k < K; ++k) {
    const auto i = static_cast<std::int64_t>(k);
    lower[k] = InputBox::at(box.lower, i);
    upper[k] = InputBox::at(box.upper, i);
    offset[k] = InputBox::at(box.shift, i) - problem.input.zero_point;
  }
  uniform_box_ = box.lower.size() == 1;
  if (options.granularity == ScaleGranularity::tile) {
    groups_ = topology_.nodes(0);
    group_of_column_ = topology_.nodes_of_products(0);
  }
  if (limits_weights(options.constraint)) {
    // Half of the register that takes the bias is set aside for it when the budget has no account there.
    for (std::size_t s = topology_.stages(); s-- > 0 && topology_.starts_from_constant();) {
      const std::int64_t half = register_limits(topology_.stage(s)).upper / 2;
      bias_limit_ = s + 1 == topology_.stages() ? half : std::min(bias_limit_, half);
      if (topology_.stage(s).initial == Initial::constant) {
        break;  // those below do not hold it
      }
    }
    const IntegerRange bias = problem.bias.empty() ? IntegerRange{0, 0} : IntegerRange{-bias_limit_, bias_limit_};
    const auto plan_for = [&](int bits) {
      // Asymmetric grids put the zero point anywhere: one side may hold all 2^bits − 1 steps.
      const std::int64_t half = std::int64_t{1} << (bits - 1), steps = 2 * half - 1;
      const IntegerRange weights =
          options.asymmetric_weights ? IntegerRange{-steps, steps} : IntegerRange{-half, half - 1};
      return BudgetPlan(topology_, lower, upper, offset, weights, bias, box.zero_point_spread);
    };
    if (options.constraint == Constraint::datatype) {
      while (weight_bits_ >= 2 && !plan_for(weight_bits_).unconstrained()) {
        --weight_bits_;
      }
      if (weight_bits_ < 2) {
        throw InputError("layer " + problem.name,
                         "no weight width of 2 bits or more fits this datapath by data types alone",
                         "use --constraint axe, a wider accumulator, smaller tiles, or inputs of fewer bits");
      }
    } else {
      plan_ = plan_for(weight_bits_);
      for (const BudgetStage& stage : plan_.stages()) {
        if (stage.from_constant) {
          const auto least = static_cast<std::int64_t>(std::min(stage.upper, stage.lower));
          bias_limit_ = bias_in_plan_ ? std::min(bias_limit_, least) : least;
          bias_in_plan_ = true;
        }
      }
    }
  }
  const std::int64_t most = (std::int64_t{1} << (weight_bits_ - (options.asymmetric_weights ? 0 : 1))) - 1;
  const std::int64_t least = options.asymmetric_weights ? -most : -most - 1;
  if (most > datapath.weights.upper || least < datapath.weights.lower) {
    throw InputError("layer " + problem.name,
                     std::to_string(weight_bits_) + "-bit weights do not fit the datapath's multiplier",
                     "use fewer weight bits, or symmetric weights");
  }
  correction_ = make_correction(problem, options);
  refinement_ = make_refinement_setting(problem, plan_, topology_, group_of_column(), groups_);
}

namespace {

/// One block of rows and everything that its candidates share.
class RowBlock {
 public:
  RowBlock(const LayerSetting& setting, std::int64_t first, std::int64_t count);
  RowBlockResult run();

 private:
  struct Best {
    double error = infinite;
    RowState state;
    std::vector<std::int32_t> zero_points;
    double factor = 1;
  };

  /// The block swept at one scale per row.
  struct Candidate {
    std::vector<double> factors;  // [count] multiples of the max-based scales
    std::vector<RowGrid> grid;    // [groups, count]
    std::vector<float> scales;    // [groups, count]
    std::vector<double> lowest, highest;
    std::vector<std::int64_t> bias;    // [count]
    std::vector<std::uint8_t> usable;  // [count] the integer bias fits at this scale
    std::vector<float> integers;       // [count, K]
  };

  std::vector<RowGrid> grids(const std::vector<double>& factors) const;
  RowGrid zero_row_grid(std::int64_t row, double factor) const;
  Candidate sweep_candidate(const std::vector<double>& factors);
  RowState state_of(const Candidate& candidate, std::int64_t row) const;
  /// Refines `state` in at most `passes` passes, with pair moves or without; returns its calibration error less ‖Xw‖².
  double settle(RowState& state, int passes, bool pairs);
  /// Sweeps and settles a candidate, keeps what is best; returns how many rows got better than before.
  std::int64_t try_candidate(const std::vector<double>& factors);
  void search();
  std::int64_t integer_bias(std::int64_t row, float scale) const;
  void require_bias_fits(std::int64_t row) const;
  void require_finite(bool finite, std::int64_t row) const;
  void append(const RowState& state, std::int64_t row, RowBlockResult& result) const;

  const LayerSetting& setting_;
  const LayerProblem& problem_;
  const QuantizeOptions& options_;
  std::int64_t first_, count_, K_;
  std::vector<float> target_, base_, first_observed_, linear_;
  std::vector<float> least_, most_;  // [groups, count] smallest and largest weight
  std::vector<double> factor_;       // [groups, count] what the max-based scale is multiplied by to begin with
  std::vector<ThresholdTable> thresholds_;
  std::vector<Best> best_;
  std::vector<std::vector<std::pair<double, double>>> errors_;  // per row: factors tried, and their errors
  std::vector<std::uint8_t> bias_fits_;                         // at some scale
  bool takes_bias_;                                             // a register takes the integer bias
  bool refits_;  // a row's scale may follow its integers: it is nobody's given, and no register's account depends on it
  RowRefiner refiner_;
  SweepCounts counts_;
  std::int64_t moves_ = 0;
};

RowBlock::RowBlock(const LayerSetting& setting, std::int64_t first, std::int64_t count)
    : setting_(setting),
      problem_(setting.problem()),
      options_(setting.options()),
      first_(first),
      count_(count),
      K_(setting.problem().cols),
      best_(static_cast<std::size_t>(count)),
      bias_fits_(static_cast<std::size_t>(count)),
      takes_bias_(!setting.problem().bias.empty() && setting.groups() == 1),
      refits_(setting.options().scale_choice == ScaleChoice::search && setting.options().scales.empty() &&
              !setting.bias_in_plan()),
      refiner_(setting.refinement()) {
  const ErrorCorrection& correction = setting.correction();
  target_ = sweep_target(problem_, correction, aims_at_corrected_target(options_), first, count);
  base_ = sweep_base(problem_, correction, options_.corrector, target_, first, count);
  if (options_.corrector == Corrector::qronos) {
    const std::int64_t column = correction.order[0];
    first_observed_.assign(target_.begin() + column * count, target_.begin() + (column + 1) * count);
  }
  const auto groups = static_cast<std::size_t>(setting.groups());
  least_.assign(groups * static_cast<std::size_t>(count), 0);
  most_ = least_;
  for (std::int64_t k = 0; k < K_; ++k) {
    for (std::int64_t r = 0; r < count; ++r) {
      const float w = problem_.weight[static_cast<std::size_t>((first + r) * K_ + k)];
      const auto i = static_cast<std::size_t>(setting.group(k) * count + r);
      least_[i] = std::min(least_[i], w);
      most_[i] = std::max(most_[i], w);
    }
  }
  factor_.assign(least_.size(), 1.0);
  if (options_.scale_choice == ScaleChoice::weight_error) {
    std::vector<std::vector<float>> members(factor_.size());
    for (std::int64_t k = 0; k < K_; ++k) {
      for (std::int64_t r = 0; r < count; ++r) {
        members[static_cast<std::size_t>(setting.group(k) * count + r)].push_back(
            problem_.weight[static_cast<std::size_t>((first_ + r) * K_ + k)]);
      }
    }
    for (std::size_t i = 0; i < factor_.size(); ++i) {
      factor_[i] = least_weight_error(members[i], least_[i], most_[i], setting.weight_bits(), options_.asymmetric_weights);
    }
  }
  const bool ep_init = options_.constraint == Constraint::ep_init;
  if (!setting.plan().unconstrained() &&
      (ep_init || (options_.constraint == Constraint::axe && options_.soft_threshold))) {
    const Ball ball = ep_init ? Ball::ep_init : setting.uniform_box() ? Ball::axe_centred : Ball::axe;
    thresholds_.emplace_back(setting.plan().stages()[0], count, target_, ball);
  }
}

std::int64_t RowBlock::integer_bias(std::int64_t row, float scale) const {
  const double b = problem_.bias[static_cast<std::size_t>(first_ + row)];
  const double steps = std::nearbyint(b / (static_cast<double>(scale) * problem_.input.scale));
  constexpr double limit = 4e18;
  return static_cast<std::int64_t>(std::clamp(steps, -limit, limit));
}

/// A row without weights still has a bias: a scale that gives it half of the register that takes it, at most 2^20 steps.
RowGrid RowBlock::zero_row_grid(std::int64_t row, double factor) const {
  const double steps = std::clamp(static_cast<double>(setting_.bias_limit()) / 2, 1.0, 0x1p20);
  const double s =
      std::fabs(problem_.bias[static_cast<std::size_t>(first_ + row)]) / (steps * problem_.input.scale) * factor;
  return {static_cast<float>(std::clamp(s, static_cast<double>(least_scale), 1e30)),
          static_cast<std::int32_t>(1 << (setting_.weight_bits() - 1))};
}

std::vector<RowGrid> RowBlock::grids(const std::vector<double>& factors) const {
  std::vector<RowGrid> result;
  for (std::int64_t g = 0; g < setting_.groups(); ++g) {
    for (std::int64_t r = 0; r < count_; ++r) {
      const auto i = static_cast<std::size_t>(g * count_ + r);
      if (!options_.scales.empty()) {
        const auto half = static_cast<std::int32_t>(1 << (setting_.weight_bits() - 1));
        result.push_back({options_.scales[static_cast<std::size_t>(first_ + r)] *
                              static_cast<float>(factors[static_cast<std::size_t>(r)]),
                          half});
      } else if (least_[i] == 0 && most_[i] == 0 && !problem_.bias.empty() && setting_.groups() == 1) {
        result.push_back(zero_row_grid(r, factors[static_cast<std::size_t>(r)]));
      } else {
        result.push_back(max_based_grid(least_[i], most_[i], setting_.weight_bits(), options_.asymmetric_weights,
                                        factor_[i] * factors[static_cast<std::size_t>(r)]));
      }
    }
  }
  return result;
}

RowBlock::Candidate RowBlock::sweep_candidate(const std::vector<double>& factors) {
  const auto n = static_cast<std::size_t>(count_);
  Candidate candidate;
  candidate.factors = factors;
  candidate.grid = grids(factors);
  const std::int32_t steps = (1 << setting_.weight_bits()) - 1;
  for (const RowGrid& grid : candidate.grid) {
    candidate.scales.push_back(grid.scale);
    candidate.lowest.push_back(-grid.zero_point);
    candidate.highest.push_back(steps - grid.zero_point);
  }
  candidate.bias.assign(n, 0);
  candidate.usable.assign(n, 1);
  for (std::size_t r = 0; takes_bias_ && r < n; ++r) {
    candidate.bias[r] = integer_bias(static_cast<std::int64_t>(r), candidate.scales[r]);
    if (limits_weights(options_.constraint) && std::abs(candidate.bias[r]) > setting_.bias_limit()) {
      candidate.usable[r] = 0;
      candidate.bias[r] = 0;
    }
  }
  for (std::size_t r = 0; r < n; ++r) {
    bias_fits_[r] |= candidate.usable[r];
  }

  SweepInput input;
  input.rows = count_;
  input.cols = K_;
  input.correction = &setting_.correction();
  input.base = base_.data();
  input.first_observed = first_observed_.empty() ? nullptr : first_observed_.data();
  input.scales = candidate.scales.data();
  input.group_of_column = setting_.group_of_column();
  input.plan = &setting_.plan();
  input.bias = candidate.bias.data();
  input.lowest = candidate.lowest.data();
  input.highest = candidate.highest.data();
  // EP-init rounds toward zero inside its ball; the published limits are AXE's.
  input.strict = options_.constraint == Constraint::ep_init ? StrictForm::exact : options_.strict;
  input.diffusion = options_.diffusion;
  input.rounding = options_.constraint == Constraint::ep_init ? Rounding::toward_zero : Rounding::half_even;
  std::vector<double> lambda, lambda_error;
  if (!thresholds_.empty()) {
    thresholds_[0].at_scales(candidate.scales, setting_.groups() > 1, lambda, lambda_error);
    input.lambda = &lambda;
    input.lambda_error = &lambda_error;
    input.threshold_cost = thresholds_[0].costs();
    input.exact_threshold = [&](std::int64_t column, std::int64_t row) {
      return thresholds_[0].exact(column, row,
                                  candidate.scales[static_cast<std::size_t>(setting_.group(column) * count_ + row)]);
    };
  }
  const SweepCounts counts = sweep(input, candidate.integers);
  counts_.decisions += counts.decisions;
  counts_.settled_exactly += counts.settled_exactly;
  counts_.clipped = counts.clipped;
  counts_.thresholded = counts.thresholded;
  counts_.finite = counts.finite;
  return candidate;
}

RowState RowBlock::state_of(const Candidate& candidate, std::int64_t row) const {
  RowState state;
  const auto r = static_cast<std::size_t>(row);
  state.q.assign(candidate.integers.begin() + row * K_, candidate.integers.begin() + (row + 1) * K_);
  state.bias = candidate.bias[r];
  if (takes_bias_ &&
      setting_.bias_limit() > 0) {  // a smaller scale means a larger integer bias: keep half a step of room
    state.least_scale = std::fabs(problem_.bias[static_cast<std::size_t>(first_ + row)]) /
                        (static_cast<double>(setting_.bias_limit()) - 1) / problem_.input.scale;
  }
  for (std::int64_t g = 0; g < setting_.groups(); ++g) {
    const auto at = static_cast<std::size_t>(g * count_ + row);
    state.scale.push_back(candidate.scales[at]);
    state.lowest.push_back(candidate.lowest[at]);
    state.highest.push_back(candidate.highest[at]);
  }
  return state;
}

std::int64_t RowBlock::try_candidate(const std::vector<double>& factors) {
  const Candidate candidate = sweep_candidate(factors);
  // Gradient of every row: H d − G w, d = s q.
  std::vector<float> dequantized(candidate.integers.size()), gradient(linear_.size());
  for (std::int64_t r = 0; r < count_; ++r) {
    for (std::int64_t k = 0; k < K_; ++k) {
      const auto i = static_cast<std::size_t>(r * K_ + k);
      dequantized[i] =
          candidate.integers[i] * candidate.scales[static_cast<std::size_t>(setting_.group(k) * count_ + r)];
      gradient[i] = -linear_[i];
    }
  }
  multiply_add(count_, K_, K_, {dequantized.data(), K_}, {problem_.gram.data(), K_}, gradient.data(), K_);

  std::int64_t improved = 0;
  for (std::int64_t r = 0; r < count_; ++r) {
    const auto i = static_cast<std::size_t>(r);
    if (!candidate.usable[i]) {
      continue;
    }
    RowState state = state_of(candidate, r);
    state.gradient.assign(gradient.begin() + r * K_, gradient.begin() + (r + 1) * K_);
    state.linear = linear_.data() + r * K_;
    const double error = settle(state, options_.refinement_passes > 0 ? 2 : 0, false);
    errors_[i].emplace_back(factors[i], error);
    if (error < best_[i].error) {
      best_[i] = {error, std::move(state), {}, factors[i]};
      for (std::int64_t g = 0; g < setting_.groups(); ++g) {
        best_[i].zero_points.push_back(candidate.grid[static_cast<std::size_t>(g * count_ + r)].zero_point);
      }
      ++improved;
    }
  }
  return improved;
}

double RowBlock::settle(RowState& state, int passes, bool pairs) {
  refiner_.load(state, passes > 0);
  for (int pass = 0; pass < passes; ++pass) {
    const std::int64_t moved = refiner_.descend() + (pairs ? refiner_.descend_pairs() : 0);
    moves_ += moved;
    if (refits_) {
      refiner_.refit_scale();
    }
    if (moved == 0) {
      break;
    }
  }
  return refiner_.error();
}

void RowBlock::search() {
  // Upward from just below the max-based scale: a coarser grid spends less of the budget and rounds worse. Once two factors in
  // a row were best for no row of the block, none beyond will be.
  const auto n = static_cast<std::size_t>(count_);
  int fruitless = 0;
  for (double factor : {0.8, 1.0, 1.25, 1.55, 1.9, 2.35, 2.9, 3.6, 4.5, 5.6, 7.0, 9.0, 12.0}) {
    const std::int64_t improved = try_candidate(std::vector<double>(n, factor));
    const bool all_rows_found =
        std::all_of(best_.begin(), best_.end(), [](const Best& best) { return !best.state.q.empty(); });
    fruitless = improved == 0 && all_rows_found ? fruitless + 1 : 0;
    if (fruitless == 2) {
      break;
    }
  }
  // Between the coarse factors: where a parabola through a row's best factor and its neighbours is least.
  for (int round = 0; round < 2; ++round) {
    std::vector<double> factors;
    for (std::size_t r = 0; r < n; ++r) {
      factors.push_back(between(errors_[r], best_[r].factor));
    }
    try_candidate(factors);
  }
}

RowBlockResult RowBlock::run() {
  const auto n = static_cast<std::size_t>(count_);
  const bool searches = options_.scale_choice == ScaleChoice::search && options_.scales.empty();
  RowBlockResult result;
  if (!searches && options_.refinement_passes == 0) {
    // Nothing to choose between: the sweep's integers are the result, and no error is needed.
    const Candidate candidate = sweep_candidate(std::vector<double>(n, 1.0));
    for (std::int64_t r = 0; r < count_; ++r) {
      require_bias_fits(r);
      require_finite(counts_.finite, r);
      const RowState state = state_of(candidate, r);
      append(state, r, result);
      for (std::int64_t g = 0; g < setting_.groups(); ++g) {
        result.zero_points.push_back(candidate.grid[static_cast<std::size_t>(g * count_ + r)].zero_point);
      }
    }
  } else {
    linear_ = cross_term(problem_, first_, count_);
    errors_.resize(n);
    if (searches) {
      search();
    } else {
      try_candidate(std::vector<double>(n, 1.0));
    }
    for (std::int64_t r = 0; r < count_; ++r) {
      Best& best = best_[static_cast<std::size_t>(r)];
      require_bias_fits(r);
      require_finite(!best.state.q.empty(), r);  // no candidate had an error that is a number
      settle(best.state, options_.refinement_passes, true);
      append(best.state, r, result);
      result.zero_points.insert(result.zero_points.end(), best.zero_points.begin(), best.zero_points.end());
    }
  }
  result.counts = counts_;
  result.refinement_moves = moves_;
  return result;
}

void RowBlock::require_bias_fits(std::int64_t row) const {
  if (!bias_fits_[static_cast<std::size_t>(row)]) {
    throw InputError("layer " + problem_.name + ", row " + std::to_string(first_ + row),
                     "the bias alone leaves the register that takes it, at every scale that was tried",
                     "widen that stage, or add the bias outside the datapath");
  }
}

void RowBlock::require_finite(bool finite, std::int64_t row) const {
  if (!finite) {
    throw InputError("layer " + problem_.name + ", row " + std::to_string(first_ + row),
                     "the calibration error is not finite",
                     "the weights, H or G are too large for single precision: rescale them");
  }
}

void RowBlock::append(const RowState& state, std::int64_t row, RowBlockResult& result) const {
  for (float q : state.q) {
    result.weights.push_back(static_cast<std::int8_t>(q));
  }
  result.scales.insert(result.scales.end(), state.scale.begin(), state.scale.end());
  if (takes_bias_) {
    result.bias.push_back(integer_bias(row, state.scale[0]));
  }
}

}  // namespace

RowBlockResult quantize_rows(const LayerSetting& setting, std::int64_t first, std::int64_t count) {
  return RowBlock(setting, first, count).run();
}

}  // namespace axe

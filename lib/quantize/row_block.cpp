// The search over scales for a block of rows; see row_block.hpp. Every candidate scale is swept under the row's budget, its
// integers get their best scale in closed form, and the candidate with the least calibration error wins.
#include "axecert/quantize/row_block.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

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
  double s = asymmetric ? (std::max(0.0F, most) - std::min(0.0F, least)) / steps : std::max(std::fabs(least), std::fabs(most)) / half;
  s = std::max(s * factor, static_cast<double>(least_scale));
  RowGrid grid{static_cast<float>(s), static_cast<std::int32_t>(half)};
  if (asymmetric) {
    const double middle = (static_cast<double>(std::max(0.0F, most)) + std::min(0.0F, least)) / 2;
    grid.zero_point = static_cast<std::int32_t>(std::clamp(std::nearbyint(steps / 2 - middle / s), 0.0, steps));
  }
  return grid;
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
    for (std::int64_t k = 0; k < problem.cols; ++k) {
      group_of_column_.push_back(topology_.node_of_product(0, k));
    }
  }
  if (options.constraint != Constraint::none) {
    // Half of the register that takes the bias is set aside for it when the budget has no account there.
    for (std::size_t s = 0; s < topology_.stages(); ++s) {
      if (topology_.stage(s).initial == Initial::constant) {
        bias_limit_ = register_limits(topology_.stage(s)).upper / 2;
      }
    }
    const IntegerRange bias = problem.bias.empty() ? IntegerRange{0, 0} : IntegerRange{-bias_limit_, bias_limit_};
    const auto plan_for = [&](int bits) {
      // Asymmetric grids put the zero point anywhere: one side may hold all 2^bits − 1 steps.
      const std::int64_t half = std::int64_t{1} << (bits - 1), steps = 2 * half - 1;
      const IntegerRange weights = options.asymmetric_weights ? IntegerRange{-steps, steps} : IntegerRange{-half, half - 1};
      return BudgetPlan(topology_, lower, upper, offset, weights, bias);
    };
    if (options.constraint == Constraint::datatype) {
      while (weight_bits_ >= 2 && !plan_for(weight_bits_).unconstrained()) {
        --weight_bits_;
      }
      if (weight_bits_ < 2) {
        throw InputError("layer " + problem.name, "no weight width of 2 bits or more fits this datapath by data types alone",
                         "use --constraint axe, a wider accumulator, smaller tiles, or inputs of fewer bits");
      }
    } else {
      plan_ = plan_for(weight_bits_);
      for (const BudgetStage& stage : plan_.stages()) {
        if (stage.from_constant) {
          bias_in_plan_ = true;
          bias_limit_ = static_cast<std::int64_t>(std::min(stage.upper, stage.lower));
        }
      }
    }
  }
  const std::int64_t most = (std::int64_t{1} << (weight_bits_ - (options.asymmetric_weights ? 0 : 1))) - 1;
  const std::int64_t least = options.asymmetric_weights ? -most : -most - 1;
  if (most > datapath.weights.upper || least < datapath.weights.lower) {
    throw InputError("layer " + problem.name, std::to_string(weight_bits_) + "-bit weights do not fit the datapath's multiplier",
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

  std::vector<RowGrid> grids(const std::vector<double>& factors) const;
  RowGrid zero_row_grid(std::int64_t row, double factor) const;
  /// Sweeps the block at these multiples of the max-based scales; returns how many rows got better than before.
  std::int64_t try_candidate(const std::vector<double>& factors, int passes);
  void search();
  std::int64_t integer_bias(std::int64_t row, float scale) const;

  const LayerSetting& setting_;
  const LayerProblem& problem_;
  const QuantizeOptions& options_;
  std::int64_t first_, count_, K_;
  std::vector<float> target_, base_, first_observed_, linear_;
  std::vector<float> least_, most_;  // [groups, count] smallest and largest weight
  std::vector<ThresholdTable> thresholds_;
  std::vector<Best> best_;
  std::vector<std::uint8_t> bias_fits_;  // at some scale
  bool refits_;  // a row's scale may follow its integers: it is nobody's given, and no register's account depends on it
  SweepCounts counts_;
  std::int64_t moves_ = 0;
};

RowBlock::RowBlock(const LayerSetting& setting, std::int64_t first, std::int64_t count)
    : setting_(setting), problem_(setting.problem()), options_(setting.options()), first_(first), count_(count),
      K_(setting.problem().cols), best_(static_cast<std::size_t>(count)),
      bias_fits_(static_cast<std::size_t>(count)),
      refits_(setting.options().search_scales && setting.options().scales.empty() && !setting.bias_in_plan()) {
  const ErrorCorrection& correction = setting.correction();
  target_ = sweep_target(problem_, correction, aims_at_corrected_target(options_), first, count);
  base_ = sweep_base(problem_, correction, options_.corrector, target_, first, count);
  if (options_.corrector == Corrector::qronos) {
    const std::int64_t column = correction.order[0];
    first_observed_.assign(target_.begin() + column * count, target_.begin() + (column + 1) * count);
  }
  linear_ = cross_term(problem_, first, count);
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
  const bool ep_init = options_.constraint == Constraint::ep_init;
  if (!setting.plan().unconstrained() && (ep_init || (options_.constraint == Constraint::axe && options_.soft_threshold))) {
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
  const double s = std::fabs(problem_.bias[static_cast<std::size_t>(first_ + row)]) / (steps * problem_.input.scale) * factor;
  return {static_cast<float>(std::clamp(s, static_cast<double>(least_scale), 1e30)), static_cast<std::int32_t>(1 << (setting_.weight_bits() - 1))};
}

std::vector<RowGrid> RowBlock::grids(const std::vector<double>& factors) const {
  std::vector<RowGrid> result;
  for (std::int64_t g = 0; g < setting_.groups(); ++g) {
    for (std::int64_t r = 0; r < count_; ++r) {
      const auto i = static_cast<std::size_t>(g * count_ + r);
      if (!options_.scales.empty()) {
        const auto half = static_cast<std::int32_t>(1 << (setting_.weight_bits() - 1));
        result.push_back({options_.scales[static_cast<std::size_t>(first_ + r)] * static_cast<float>(factors[static_cast<std::size_t>(r)]), half});
      } else if (least_[i] == 0 && most_[i] == 0 && !problem_.bias.empty() && setting_.groups() == 1) {
        result.push_back(zero_row_grid(r, factors[static_cast<std::size_t>(r)]));
      } else {
        result.push_back(max_based_grid(least_[i], most_[i], setting_.weight_bits(), options_.asymmetric_weights,
                                        factors[static_cast<std::size_t>(r)]));
      }
    }
  }
  return result;
}

std::int64_t RowBlock::try_candidate(const std::vector<double>& factors, int passes) {
  const auto n = static_cast<std::size_t>(count_);
  const std::vector<RowGrid> grid = grids(factors);
  std::vector<float> scales(grid.size());
  std::vector<double> lowest(grid.size()), highest(grid.size());
  const std::int32_t steps = (1 << setting_.weight_bits()) - 1;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    scales[i] = grid[i].scale;
    lowest[i] = -grid[i].zero_point;
    highest[i] = steps - grid[i].zero_point;
  }
  std::vector<std::int64_t> bias(n, 0);
  std::vector<std::uint8_t> usable(n, 1);
  const bool has_bias = !problem_.bias.empty() && setting_.groups() == 1;
  for (std::int64_t r = 0; has_bias && r < count_; ++r) {
    const auto i = static_cast<std::size_t>(r);
    bias[i] = integer_bias(r, scales[i]);
    if (options_.constraint != Constraint::none && std::abs(bias[i]) > setting_.bias_limit()) {
      usable[i] = 0;
      bias[i] = 0;
    }
  }

  SweepInput input;
  input.rows = count_;
  input.cols = K_;
  input.correction = &setting_.correction();
  input.base = base_.data();
  input.first_observed = first_observed_.empty() ? nullptr : first_observed_.data();
  input.scales = scales.data();
  input.group_of_column = setting_.group_of_column();
  input.plan = &setting_.plan();
  input.bias = bias.data();
  input.lowest = lowest.data();
  input.highest = highest.data();
  // EP-init rounds toward zero inside its ball; the published limits are AXE's.
  input.strict = options_.constraint == Constraint::ep_init ? StrictForm::exact : options_.strict;
  input.diffusion = options_.diffusion;
  input.rounding = options_.constraint == Constraint::ep_init ? Rounding::toward_zero : Rounding::half_even;
  std::vector<double> lambda, lambda_error;
  if (!thresholds_.empty()) {
    thresholds_[0].at_scales(scales, setting_.groups() > 1, lambda, lambda_error);
    input.lambda = &lambda;
    input.lambda_error = &lambda_error;
    input.threshold_cost = thresholds_[0].costs();
    input.exact_threshold = [&](std::int64_t column, std::int64_t row) {
      return thresholds_[0].exact(column, row, scales[static_cast<std::size_t>(setting_.group(column) * count_ + row)]);
    };
  }
  std::vector<float> integers;
  const SweepCounts counts = sweep(input, integers);
  counts_.decisions += counts.decisions;
  counts_.settled_exactly += counts.settled_exactly;
  counts_.clipped = counts.clipped;
  counts_.thresholded = counts.thresholded;

  // Gradient of every row: H d − G w, d = s q.
  std::vector<float> dequantized(integers.size()), gradient(linear_.size());
  for (std::int64_t r = 0; r < count_; ++r) {
    for (std::int64_t k = 0; k < K_; ++k) {
      const auto i = static_cast<std::size_t>(r * K_ + k);
      dequantized[i] = integers[i] * scales[static_cast<std::size_t>(setting_.group(k) * count_ + r)];
      gradient[i] = -linear_[i];
    }
  }
  multiply_add(count_, K_, K_, {dequantized.data(), K_}, {problem_.gram.data(), K_}, gradient.data(), K_);

  std::int64_t improved = 0;
  RowRefiner refiner(setting_.refinement());
  for (std::int64_t r = 0; r < count_; ++r) {
    const auto i = static_cast<std::size_t>(r);
    if (!usable[i]) {
      continue;
    }
    bias_fits_[i] = 1;
    RowState state;
    state.q.assign(integers.begin() + r * K_, integers.begin() + (r + 1) * K_);
    state.gradient.assign(gradient.begin() + r * K_, gradient.begin() + (r + 1) * K_);
    state.linear = linear_.data() + r * K_;
    state.bias = bias[i];
    if (has_bias && setting_.bias_limit() > 0) {  // a smaller scale means a larger integer bias: keep half a step of room
      state.least_scale = std::fabs(problem_.bias[static_cast<std::size_t>(first_ + r)]) /
                          (static_cast<double>(setting_.bias_limit()) - 1) / problem_.input.scale;
    }
    std::vector<std::int32_t> zero_points;
    for (std::int64_t g = 0; g < setting_.groups(); ++g) {
      const auto at = static_cast<std::size_t>(g * count_ + r);
      state.scale.push_back(scales[at]);
      state.lowest.push_back(lowest[at]);
      state.highest.push_back(highest[at]);
      zero_points.push_back(grid[at].zero_point);
    }
    refiner.load(state, passes > 0);
    for (int pass = 0; pass < passes; ++pass) {
      const std::int64_t moved = refiner.descend();
      moves_ += moved;
      if (refits_) {
        refiner.refit_scale();
      }
      if (moved == 0) {
        break;
      }
    }
    const double error = refiner.error();
    if (error < best_[i].error) {
      best_[i] = {error, std::move(state), std::move(zero_points), factors[i]};
      ++improved;
    }
  }
  return improved;
}

void RowBlock::search() {
  // Upward from just below the max-based scale: a coarser grid spends less of the budget and rounds worse. Once two factors in
  // a row were best for no row of the block, none beyond will be.
  const auto n = static_cast<std::size_t>(count_);
  const int quick = options_.refinement_passes > 0 ? 2 : 0;
  int fruitless = 0;
  for (double factor : {0.8, 0.9, 1.0, 1.15, 1.35, 1.6, 1.9, 2.3, 2.8, 3.4, 4.2, 5.2, 6.5, 8.0, 10.0, 13.0}) {
    const std::int64_t improved = try_candidate(std::vector<double>(n, factor), quick);
    const bool all_rows_found = std::all_of(best_.begin(), best_.end(), [](const Best& best) { return !best.state.q.empty(); });
    fruitless = improved == 0 && all_rows_found ? fruitless + 1 : 0;
    if (fruitless == 2) {
      break;
    }
  }
  for (double nudge : {0.94, 1.06}) {
    std::vector<double> factors;
    for (const Best& best : best_) {
      factors.push_back(best.factor * nudge);
    }
    try_candidate(factors, quick);
  }
}

RowBlockResult RowBlock::run() {
  const auto n = static_cast<std::size_t>(count_);
  if (options_.search_scales && options_.scales.empty()) {
    search();
  } else {
    try_candidate(std::vector<double>(n, 1.0), 0);
  }
  RowBlockResult result;
  RowRefiner refiner(setting_.refinement());
  for (std::int64_t r = 0; r < count_; ++r) {
    Best& best = best_[static_cast<std::size_t>(r)];
    if (best.state.q.empty()) {
      const std::string place = "layer " + problem_.name + ", row " + std::to_string(first_ + r);
      if (bias_fits_[static_cast<std::size_t>(r)]) {
        throw InputError(place, "the calibration error is not finite", "the weights, H or G are too large for single precision: rescale them");
      }
      throw InputError(place, "the bias alone leaves the register that takes it, at every scale that was tried",
                       "widen that stage, or add the bias outside the datapath");
    }
    if (options_.refinement_passes > 0) {
      refiner.load(best.state, true);
      for (int pass = 0; pass < options_.refinement_passes; ++pass) {
        std::int64_t moved = refiner.descend();
        moved += refiner.descend_pairs();
        if (refits_) {
          refiner.refit_scale();
        }
        moves_ += moved;
        if (moved == 0) {
          break;
        }
      }
      best.error = refiner.error();
    }
    for (float q : best.state.q) {
      result.weights.push_back(static_cast<std::int8_t>(q));
    }
    result.scales.insert(result.scales.end(), best.state.scale.begin(), best.state.scale.end());
    result.zero_points.insert(result.zero_points.end(), best.zero_points.begin(), best.zero_points.end());
    if (!problem_.bias.empty() && setting_.groups() == 1) {
      result.bias.push_back(integer_bias(r, best.state.scale[0]));
    }
    result.error += best.error;
  }
  result.counts = counts_;
  result.refinement_moves = moves_;
  return result;
}

}  // namespace

RowBlockResult quantize_rows(const LayerSetting& setting, std::int64_t first, std::int64_t count) {
  return RowBlock(setting, first, count).run();
}

}  // namespace axe

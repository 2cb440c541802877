// Shrinks weights, register by register from the lowest stage up, at the shipped scales or at others; see repair.hpp.
//
// A weight w adds, over the box [l, h] of its input and every order of additions, at most |w| · u to a register's upper end and at
// most |w| · v to what lies below its lower one:
//     w > 0:  u = max(0, h) + a⁺,  v = −min(0, l) − a⁻        w < 0:  u = −min(0, l) − a⁻,  v = max(0, h) + a⁺
// where [a⁻, a⁺] is what the row's constant adds per weight, offset − z over the zero points z, in the stage that starts from it and
// above; else 0. These bounds fall with |w|, so a register that was made safe stays safe while others shrink.
#include "axecert/quantize/repair.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <queue>

#include "axecert/numeric/error.hpp"
#include "axecert/quantize/linear_algebra.hpp"

namespace axe {
namespace {

/// The quantizer's ridge here (QuantizeOptions::ridge): three times what it is for weights of a float model, since the shipped integers
/// are near already and calibration inputs of a repair are few (docs/results/onnx.md).
constexpr double repair_ridge = 0.1;

// What all rows of a layer share.
struct Setting {
  Setting(const IntegerLayer& layer, const Datapath& datapath) : topology(datapath, layer.cols) {
    for (std::size_t s = 0; s < topology.stages(); ++s) {
      limits.push_back(register_limits(topology.stage(s)));
      products.emplace_back();
      for (std::int64_t n = 0; n < topology.nodes(s); ++n) {
        products.back().push_back(topology.products_of(s, n));
      }
    }
    for (std::size_t k = 0; k < layer.box_lower.size(); ++k) {
      all_hold_zero = all_hold_zero && layer.box_lower[k] <= 0 && layer.box_upper[k] >= 0;
    }
  }
  Topology topology;
  std::vector<IntegerRange> limits;                              // per stage
  std::vector<std::vector<std::vector<std::int64_t>>> products;  // per stage and register
  bool all_hold_zero = true;
};

bool fits(IntegerRange range, IntegerRange limits) {
  return range.lower >= limits.lower && range.upper <= limits.upper;
}

class RowRepair {
 public:
  // Moves the row's weights from where they are; what a step costs is measured from `target`. With `rank` [K], weights of the
  // lowest rank give first, whatever it costs.
  RowRepair(IntegerLayer& layer, const Setting& setting, std::int64_t row, const std::vector<double>& target,
            const std::vector<std::int64_t>* rank = nullptr)
      : layer_(layer),
        setting_(setting),
        row_(row),
        w_(layer.weights.data() + row * layer.cols),
        target_(target),
        rank_(rank) {}

  void run() {
    // Once is enough where every box holds 0. Else a range is no monotone function of |w|: a register that was safe, though not by
    // the bounds above, may leave its limits when weights of another shrink. Then it is made safe by them; every round shrinks.
    const Topology& topology = setting_.topology;
    for (bool changed = true; changed;) {
      changed = false;
      bool with_constant = false;
      for (std::size_t s = 0; s < topology.stages(); ++s) {
        with_constant = with_constant || topology.stage(s).initial == Initial::constant;
        for (std::int64_t n = 0; n < topology.nodes(s); ++n) {
          if (!within_bounds(s, n, with_constant) &&
              !fits(node_range(layer_, topology, {row_, s, n}), setting_.limits[s])) {
            fix(s, n, with_constant);
            changed = !setting_.all_hold_zero;
          }
        }
      }
    }
  }

 private:
  std::int64_t bias(bool with_constant) const {
    return with_constant && !layer_.bias.empty() ? layer_.bias[static_cast<std::size_t>(row_)] : 0;
  }

  bool within_bounds(std::size_t s, std::int64_t node, bool with_constant) const {
    const std::int64_t constant = bias(with_constant);
    std::int64_t upper = constant, lower = -constant;
    for (const std::int64_t k : setting_.products[s][static_cast<std::size_t>(node)]) {
      upper += reach(k, true, with_constant);
      lower += reach(k, false, with_constant);
    }
    return upper <= setting_.limits[s].upper && -lower >= setting_.limits[s].lower;
  }

  // Makes register `node` of stage `s` safe by these bounds. `with_constant`: the row's constant is in it.
  void fix(std::size_t s, std::int64_t node, bool with_constant) {
    const std::vector<std::int64_t>& products = setting_.products[s][static_cast<std::size_t>(node)];
    const IntegerRange limits = setting_.limits[s];
    const std::int64_t constant = bias(with_constant);
    const std::int64_t above = limits.upper - constant, below = constant - limits.lower;
    if (above < 0 || below < 0) {
      throw InputError(
          "layer '" + layer_.name + "', row " + std::to_string(row_),
          "its bias " + std::to_string(constant) + " alone leaves stage '" + setting_.topology.stage(s).name + "'",
          "no change of weights helps; choose another datapath");
    }
    std::vector<std::int8_t> here;  // before this register is looked at: others need no more than that
    for (const std::int64_t k : products) {
      here.push_back(w_[k]);
    }
    for (const bool upper : {true, false}) {
      shrink(products, upper, with_constant, upper ? above : below);
    }
    give_back(products, here, with_constant, above, below);
  }

  // u or v of product k for a weight of that sign.
  std::int64_t gain(std::int64_t k, bool positive, bool upper, bool with_constant) const {
    std::int64_t most = std::max<std::int64_t>(0, layer_.upper(k)), least = std::min<std::int64_t>(0, layer_.lower(k));
    if (with_constant && !(layer_.offset.empty() && layer_.zero_point_spread == 0)) {
      const std::int64_t offset =
          layer_.offset.empty() ? 0 : layer_.offset[layer_.offset.size() == 1 ? 0 : static_cast<std::size_t>(k)];
      most += offset;
      least += offset - layer_.zero_point_spread;
    }
    return std::max<std::int64_t>(0, positive == upper ? most : -least);
  }
  std::int64_t reach(std::int64_t k, bool upper, bool with_constant) const {
    const int w = w_[k];
    return w == 0 ? 0 : std::abs(w) * gain(k, w > 0, upper, with_constant);
  }

  // Steps of one toward 0, the cheapest per gain first. Going from distance d to d + 1 costs (d + 1)² − d² = 2d + 1; a weight that was
  // rounded away from 0 has d < 0, at least −1/2.
  void shrink(const std::vector<std::int64_t>& products, bool upper, bool with_constant, std::int64_t room) {
    std::int64_t sum = 0;
    for (const std::int64_t k : products) {
      sum += reach(k, upper, with_constant);
    }
    struct Step {
      std::int64_t rank;
      double cost;  // exact for integer targets: below 2^53 / gain
      std::int64_t gain, magnitude, k;
      // The dearest per gain last; of equals the largest weight first, then the first in order.
      bool operator<(const Step& other) const {
        if (rank != other.rank) {
          return rank > other.rank;
        }
        const double a = cost * static_cast<double>(other.gain), b = other.cost * static_cast<double>(gain);
        return a != b ? a > b : magnitude != other.magnitude ? magnitude < other.magnitude : k > other.k;
      }
    };
    std::priority_queue<Step> steps;
    const auto offer = [&](std::int64_t k) {
      const int w = w_[k];
      const std::int64_t g = w == 0 ? 0 : gain(k, w > 0, upper, with_constant);
      if (g > 0) {
        const double distance = std::fabs(target_[static_cast<std::size_t>(k)]) - std::abs(w);
        steps.push({rank_ == nullptr ? 0 : (*rank_)[static_cast<std::size_t>(k)], 2 * distance + 1, g, std::abs(w), k});
      }
    };
    if (sum > room) {
      for (const std::int64_t k : products) {
        offer(k);
      }
    }
    while (sum > room && !steps.empty()) {
      const Step step = steps.top();
      steps.pop();
      w_[step.k] = static_cast<std::int8_t>(w_[step.k] > 0 ? w_[step.k] - 1 : w_[step.k] + 1);
      sum -= step.gain;
      offer(step.k);
    }
  }

  // With unequal gains the last step may have freed more than was needed: steps back that fit, the most changed weight first.
  void give_back(const std::vector<std::int64_t>& products, const std::vector<std::int8_t>& here, bool with_constant,
                 std::int64_t above, std::int64_t below) {
    std::int64_t upper = 0, lower = 0;
    std::vector<std::pair<int, std::size_t>> changed;  // steps taken here, place in `products`
    for (std::size_t i = 0; i < products.size(); ++i) {
      upper += reach(products[i], true, with_constant);
      lower += reach(products[i], false, with_constant);
      if (w_[products[i]] != here[i]) {
        changed.emplace_back(std::abs(here[i] - w_[products[i]]), i);
      }
    }
    std::stable_sort(changed.begin(), changed.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    for (const auto& item : changed) {
      const std::int64_t k = products[item.second];
      const bool positive = here[item.second] > 0;
      const std::int64_t up = gain(k, positive, true, with_constant), down = gain(k, positive, false, with_constant);
      if (upper + up <= above && lower + down <= below) {
        w_[k] = static_cast<std::int8_t>(w_[k] + (positive ? 1 : -1));
        upper += up;
        lower += down;
      }
    }
  }

  IntegerLayer& layer_;
  const Setting& setting_;
  std::int64_t row_;
  std::int8_t* w_;
  const std::vector<double>& target_;
  const std::vector<std::int64_t>* rank_;
};

std::vector<double> reals(const std::int8_t* row, std::int64_t n) {
  return {row, row + n};
}

// Integers of a row and what their scale is multiplied by.
struct Row {
  std::vector<std::int8_t> weights;
  double scale = 1;
};

// w − s w'.
std::vector<double> difference(const std::int8_t* shipped, const Row& row) {
  std::vector<double> d;
  for (std::size_t k = 0; k < row.weights.size(); ++k) {
    d.push_back(shipped[k] - row.scale * row.weights[k]);
  }
  return d;
}

double squared(const std::vector<double>& d) {
  double sum = 0;
  for (const double x : d) {
    sum += x * x;
  }
  return sum;
}

// Makes row `r` of `layer`, whose weights are `shipped`, safe at scale `s`: w / s rounded, then shrunk.
Row at_scale(IntegerLayer& layer, const Setting& setting, std::int64_t r, const std::int8_t* shipped, double s) {
  std::vector<double> target = reals(shipped, layer.cols);
  std::int8_t* w = layer.weights.data() + r * layer.cols;
  for (std::int64_t k = 0; k < layer.cols; ++k) {
    target[static_cast<std::size_t>(k)] /= s;
    w[k] = static_cast<std::int8_t>(std::clamp(std::nearbyint(target[static_cast<std::size_t>(k)]), -128.0, 127.0));
  }
  RowRepair(layer, setting, r, target).run();
  return {{w, w + layer.cols}, s};
}

// The scale that is best for the integers, Σ w w' / Σ w'², where it is one.
void refit(const std::int8_t* shipped, Row& row) {
  double linear = 0, quadratic = 0;
  for (std::size_t k = 0; k < row.weights.size(); ++k) {
    linear += static_cast<double>(shipped[k]) * row.weights[k];
    quadratic += static_cast<double>(row.weights[k]) * row.weights[k];
  }
  if (linear > 0 && quadratic > 0) {
    row.scale = linear / quadratic;
  }
}

// The least Σ (w − s w')² over a ladder of scales, upward from the shipped one: a coarser step spends less of every register and rounds
// worse. Once three rungs in a row were no better, none above will be.
Row best_scale(IntegerLayer& layer, const Setting& setting, std::int64_t r, const std::int8_t* shipped,
               const Row& plain) {
  constexpr double rung = 1.06;
  Row best = plain;
  refit(shipped, best);
  double least = squared(difference(shipped, best));
  int fruitless = 0;
  for (double s = rung; fruitless < 3 && s < 1024; s *= rung) {
    Row tried = at_scale(layer, setting, r, shipped, s);
    refit(shipped, tried);
    const double error = squared(difference(shipped, tried));
    fruitless = error < least ? 0 : fruitless + 1;
    if (error < least) {
      least = error;
      best = std::move(tried);
    }
  }
  return best;
}

// How the error on the inputs depends on d = w − v, v the row that stands for the shipped w:
//     ‖Xw − X̃v‖² = dᵀHd + 2 dᵀ(G − H)w + what v does not change, G = H without `cross`;
// and η‖d‖² more, the quantizer's ridge, so that what is chosen holds on other inputs too.
class Judge {
 public:
  Judge(const IntegerLayer& shipped, const std::vector<std::int64_t>& rows, const RepairOptions& options)
      : shipped_(shipped), rows_(rows), options_(options), cols_(shipped.cols) {
    if (options.cross != nullptr) {
      std::vector<float> w;
      for (const std::int64_t r : rows) {
        w.insert(w.end(), shipped.row(r), shipped.row(r) + cols_);
      }
      aim_.assign(w.size(), 0);  // (G − H) w
      const std::vector<float> with_g = product(w, *options.cross, true), with_h = product(w, *options.gram, false);
      std::transform(with_g.begin(), with_g.end(), with_h.begin(), aim_.begin(), std::minus<>());
    }
    double trace = 0;
    for (std::int64_t k = 0; k < cols_; ++k) {
      trace += static_cast<double>((*options.gram)[static_cast<std::size_t>(k * cols_ + k)]);
    }
    ridge_ = repair_ridge * trace / static_cast<double>(cols_);
  }

  struct Errors {
    std::vector<double> judged;  // the formula above, less what no row changes
    std::vector<double> change;  // dᵀHd
  };

  // Of one candidate for each of the rows.
  Errors of(const std::vector<Row>& candidates) const {
    std::vector<float> d;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      for (const double change : difference(shipped_.row(rows_[i]), candidates[i])) {
        d.push_back(static_cast<float>(change));
      }
    }
    const std::vector<float> with_h = product(d, *options_.gram, false);
    Errors errors;
    for (std::size_t i = 0, at = 0; i < rows_.size(); ++i) {
      double quadratic = 0, linear = 0, squares = 0;
      for (std::int64_t k = 0; k < cols_; ++k, ++at) {
        quadratic += static_cast<double>(d[at]) * static_cast<double>(with_h[at]);
        linear += aim_.empty() ? 0 : static_cast<double>(d[at]) * static_cast<double>(aim_[at]);
        squares += static_cast<double>(d[at]) * static_cast<double>(d[at]);
      }
      errors.judged.push_back(quadratic + 2 * linear + ridge_ * squares);
      errors.change.push_back(quadratic);
    }
    return errors;
  }

  // Σ wᵀHw.
  double energy() const {
    const std::vector<Row> nothing(rows_.size(), Row{std::vector<std::int8_t>(static_cast<std::size_t>(cols_), 0), 1});
    const std::vector<double> change = of(nothing).change;
    return std::accumulate(change.begin(), change.end(), 0.0);
  }

 private:
  // A M or A Mᵀ, A [rows, K].
  std::vector<float> product(const std::vector<float>& a, const std::vector<float>& m, bool transposed) const {
    std::vector<float> result(a.size(), 0);
    multiply_add(static_cast<std::int64_t>(rows_.size()), cols_, cols_, {a.data(), cols_},
                 {m.data(), cols_, transposed}, result.data(), cols_);
    return result;
  }

  const IntegerLayer& shipped_;
  const std::vector<std::int64_t>& rows_;
  const RepairOptions& options_;
  std::int64_t cols_;
  std::vector<float> aim_;
  double ridge_ = 0;
};

void require_matrix(const IntegerLayer& layer, const std::vector<float>* matrix, const char* name) {
  const auto cols = static_cast<std::size_t>(layer.cols);
  if (matrix != nullptr && matrix->size() != cols * cols) {
    throw InputError("layer '" + layer.name + "'",
                     "its second moments are no matrix of its " + std::to_string(cols) + " inputs",
                     std::string(name) + " is [K, K]");
  }
}

// `rows` of the shipped layer quantized again by the error on the inputs, then made safe for the layer's own box and bias.
std::vector<Row> quantized_again(const IntegerLayer& shipped, const Datapath& datapath, const Setting& setting,
                                 const std::vector<std::int64_t>& rows, const RepairOptions& options, bool move) {
  LayerProblem problem;
  problem.name = shipped.name;
  problem.rows = static_cast<std::int64_t>(rows.size());
  problem.cols = shipped.cols;
  for (const std::int64_t r : rows) {
    problem.weight.insert(problem.weight.end(), shipped.row(r), shipped.row(r) + shipped.cols);
  }
  problem.gram = *options.gram;
  if (options.cross != nullptr) {
    problem.cross = *options.cross;
  }
  problem.input = options.input;
  QuantizeOptions quantizer;
  quantizer.weight_bits = 8;
  quantizer.ridge = repair_ridge;
  quantizer.target = options.cross != nullptr ? WeightTarget::corrected : WeightTarget::original;
  if (!move) {
    quantizer.scales.assign(rows.size(), 1.0F);
  }
  quantizer.threads = options.threads;
  const QuantizedLayer corrected = quantize(problem, datapath, quantizer);
  // The quantizer knew the type of the codes, not this layer's box and bias.
  IntegerLayer candidate = shipped;
  std::vector<Row> result;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::int8_t* w = candidate.weights.data() + rows[i] * shipped.cols;
    std::copy_n(corrected.layer.row(static_cast<std::int64_t>(i)), shipped.cols, w);
    const std::vector<double> target = reals(w, shipped.cols);
    RowRepair(candidate, setting, rows[i], target).run();
    result.push_back({{w, w + shipped.cols}, move ? static_cast<double>(corrected.scales[i]) : 1.0});
  }
  return result;
}

// Per row the best by the error on the inputs: `taken`, the smallest change at the shipped scale, or the row quantized again.
void choose_by_inputs(const IntegerLayer& shipped, const Datapath& datapath, const Setting& setting,
                      const std::vector<std::int64_t>& rows, const RepairOptions& options, bool move,
                      std::vector<Row>& taken, Repair& repair) {
  single_threaded_blas();
  const Judge judge(shipped, rows, options);
  IntegerLayer scratch = shipped;
  std::vector<Row> plain;
  for (const std::int64_t r : rows) {
    plain.push_back(at_scale(scratch, setting, r, shipped.row(r), 1));
  }
  const double energy = judge.energy();
  const Judge::Errors of_plain = judge.of(plain);
  Judge::Errors least = judge.of(taken);
  const auto offer = [&](std::vector<Row>&& others, const Judge::Errors& errors) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (errors.judged[i] < least.judged[i]) {
        taken[i] = std::move(others[i]);
        least.judged[i] = errors.judged[i];
        least.change[i] = errors.change[i];
      }
    }
  };
  offer(std::move(plain), of_plain);
  std::vector<Row> again = quantized_again(shipped, datapath, setting, rows, options, move);
  const Judge::Errors of_again = judge.of(again);
  offer(std::move(again), of_again);
  const auto relative = [&](const std::vector<double>& change) {
    return energy > 0 ? std::sqrt(std::max(0.0, std::accumulate(change.begin(), change.end(), 0.0)) / energy) : 0;
  };
  repair.plain_error = relative(of_plain.change);
  repair.error = relative(least.change);
}

// The rows with a register that can leave its limits, and how many there are of these registers.
std::vector<std::int64_t> unsafe_rows(const IntegerLayer& layer, const Setting& setting, std::int64_t& nodes) {
  const std::vector<StageRanges> ranges = layer_ranges(layer, setting.topology);
  std::vector<std::int64_t> rows;
  nodes = 0;
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    std::int64_t unsafe = 0;
    for (std::size_t s = 0; s < ranges.size(); ++s) {
      for (std::int64_t n = 0; n < ranges[s].nodes; ++n) {
        const auto i = static_cast<std::size_t>(r * ranges[s].nodes + n);
        unsafe += !fits({ranges[s].lower[i], ranges[s].upper[i]}, setting.limits[s]);
      }
    }
    nodes += unsafe;
    if (unsafe > 0) {
      rows.push_back(r);
    }
  }
  return rows;
}

}  // namespace

Repair repair_weights(IntegerLayer& layer, const Datapath& datapath, const RepairOptions& options) {
  validate(layer, datapath);
  require_matrix(layer, options.gram, "H");
  require_matrix(layer, options.cross, "G");
  const Setting setting(layer, datapath);
  const bool move = options.move_scales && layer.bias.empty();
  Repair repair;
  repair.scale.assign(static_cast<std::size_t>(layer.rows), 1);
  for (const std::int8_t w : layer.weights) {
    repair.energy += static_cast<double>(w) * w;
  }
  const std::vector<std::int64_t> rows = unsafe_rows(layer, setting, repair.unsafe_nodes);
  if (rows.empty()) {
    return repair;
  }
  const IntegerLayer shipped = layer;
  std::vector<Row> taken;  // of `rows`
  for (const std::int64_t r : rows) {
    const Row plain = at_scale(layer, setting, r, shipped.row(r), 1);
    taken.push_back(move ? best_scale(layer, setting, r, shipped.row(r), plain) : plain);
  }
  if (options.gram != nullptr) {
    choose_by_inputs(shipped, datapath, setting, rows, options, move, taken, repair);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int64_t r = rows[i];
    std::copy(taken[i].weights.begin(), taken[i].weights.end(), layer.weights.begin() + r * layer.cols);
    repair.scale[static_cast<std::size_t>(r)] = taken[i].scale;
    ++repair.rows_changed;
    repair.rows_rescaled += taken[i].scale != 1;
    for (std::int64_t k = 0; k < layer.cols; ++k) {
      repair.weights_changed += layer.row(r)[k] != shipped.row(r)[k];
    }
    for (const double change : difference(shipped.row(r), taken[i])) {
      repair.largest_change = std::max(repair.largest_change, std::fabs(change));
      repair.squared_change += change * change;
    }
  }
  return repair;
}

namespace {

// For every column how late it gives: those that have most in registers which must give come first.
std::vector<std::int64_t> giving_order(const IntegerLayer& layer, const Setting& setting,
                                       const std::vector<std::int64_t>& rows) {
  std::vector<std::int64_t> held(static_cast<std::size_t>(layer.cols), 0);
  for (const std::int64_t r : rows) {
    for (std::size_t s = 0; s < setting.topology.stages(); ++s) {
      for (std::int64_t n = 0; n < setting.topology.nodes(s); ++n) {
        if (!fits(node_range(layer, setting.topology, {r, s, n}), setting.limits[s])) {
          for (const std::int64_t k : setting.products[s][static_cast<std::size_t>(n)]) {
            held[static_cast<std::size_t>(k)] += std::abs(int{layer.row(r)[k]});
          }
        }
      }
    }
  }
  std::vector<std::size_t> order(held.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return held[a] > held[b]; });
  std::vector<std::int64_t> rank(held.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    rank[order[i]] = static_cast<std::int64_t>(i);
  }
  return rank;
}

// What `whole` has more than `part`, over the columns where it has: their places go to `columns`.
IntegerLayer remainder(const IntegerLayer& whole, const IntegerLayer& part, bool all_columns,
                       std::vector<std::int64_t>& columns) {
  columns.clear();
  for (std::int64_t k = 0; k < whole.cols; ++k) {
    bool differs = all_columns && whole.weights != part.weights;
    for (std::int64_t r = 0; r < whole.rows && !differs; ++r) {
      differs = whole.row(r)[k] != part.row(r)[k];
    }
    if (differs) {
      columns.push_back(k);
    }
  }
  IntegerLayer left = whole;
  left.cols = static_cast<std::int64_t>(columns.size());
  left.bias.clear();
  left.weights.clear();
  for (std::int64_t r = 0; r < whole.rows; ++r) {
    for (const std::int64_t k : columns) {
      left.weights.push_back(static_cast<std::int8_t>(whole.row(r)[k] - part.row(r)[k]));
    }
  }
  for (std::vector<std::int32_t>* per_channel : {&left.box_lower, &left.box_upper, &left.offset}) {
    if (per_channel->size() > 1) {
      const std::vector<std::int32_t> all = *per_channel;
      per_channel->clear();
      for (const std::int64_t k : columns) {
        per_channel->push_back(all[static_cast<std::size_t>(k)]);
      }
    }
  }
  return left;
}

}  // namespace

Split split_weights(IntegerLayer& layer, const Datapath& datapath, bool all_columns, std::size_t most) {
  Split split;
  std::vector<SplitPart>& parts = split.parts;
  std::vector<std::int64_t> columns(static_cast<std::size_t>(layer.cols));
  std::iota(columns.begin(), columns.end(), std::int64_t{0});
  IntegerLayer left = layer;  // over `columns`
  for (bool first = true;; first = false) {
    validate(left, datapath);
    const Setting setting(left, datapath);
    std::int64_t nodes = 0;
    const std::vector<std::int64_t> rows = unsafe_rows(left, setting, nodes);
    IntegerLayer safe = left;
    const std::vector<std::int64_t> rank = giving_order(left, setting, rows);
    for (const std::int64_t r : rows) {
      const std::vector<double> target = reals(left.row(r), left.cols);
      RowRepair(safe, setting, r, target, &rank).run();
    }
    if (first) {
      split.unsafe_nodes = nodes;
      layer.weights = safe.weights;
    } else {
      parts.push_back({columns, safe.weights});
    }
    std::vector<std::int64_t> places;
    left = remainder(left, safe, all_columns, places);
    if (places.empty()) {
      return split;
    }
    if (parts.size() == most) {
      throw InputError("layer '" + layer.name + "'",
                       "its weights are no sum of " + std::to_string(most + 1) + " products that are safe",
                       "repair it without a split, or choose another datapath");
    }
    for (std::int64_t& place : places) {
      place = columns[static_cast<std::size_t>(place)];
    }
    columns = std::move(places);
  }
}

}  // namespace axe

// Shrinks weights, register by register from the lowest stage up; see repair.hpp.
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
#include <queue>

#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

class RowRepair {
 public:
  RowRepair(IntegerLayer& layer, const Topology& topology, std::int64_t row)
      : layer_(layer),
        topology_(topology),
        row_(row),
        w_(layer.weights.data() + row * layer.cols),
        shipped_(w_, w_ + layer.cols) {}

  // Makes register `node` of stage `s` safe by these bounds. `with_constant`: the row's constant is in it.
  void fix(std::size_t s, std::int64_t node, bool with_constant) {
    const std::vector<std::int64_t> products = topology_.products_of(s, node);
    const IntegerRange limits = register_limits(topology_.stage(s));
    const std::int64_t bias = with_constant && !layer_.bias.empty() ? layer_.bias[static_cast<std::size_t>(row_)] : 0;
    const std::int64_t above = limits.upper - bias, below = bias - limits.lower;
    if (above < 0 || below < 0) {
      throw InputError("layer '" + layer_.name + "', row " + std::to_string(row_),
                       "its bias " + std::to_string(bias) + " alone leaves stage '" + topology_.stage(s).name + "'",
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

  const std::vector<std::int8_t>& shipped() const { return shipped_; }

 private:
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
    return std::abs(w) * gain(k, w > 0, upper, with_constant);
  }

  // Steps of one toward 0, the cheapest per gain first. Going from distance d to d + 1 costs (d + 1)² − d² = 2d + 1.
  void shrink(const std::vector<std::int64_t>& products, bool upper, bool with_constant, std::int64_t room) {
    std::int64_t sum = 0;
    for (const std::int64_t k : products) {
      sum += reach(k, upper, with_constant);
    }
    struct Step {
      std::int64_t cost, gain, magnitude, k;
      // The dearest per gain last; of equals the largest weight first, then the first in order.
      bool operator<(const Step& other) const {
        const int128 a = static_cast<int128>(cost) * other.gain, b = static_cast<int128>(other.cost) * gain;
        return a != b ? a > b : magnitude != other.magnitude ? magnitude < other.magnitude : k > other.k;
      }
    };
    std::priority_queue<Step> steps;
    const auto offer = [&](std::int64_t k) {
      const int w = w_[k];
      const std::int64_t g = w == 0 ? 0 : gain(k, w > 0, upper, with_constant);
      if (g > 0) {
        steps.push({2 * std::abs(shipped_[static_cast<std::size_t>(k)] - w) + 1, g, std::abs(w), k});
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
  const Topology& topology_;
  std::int64_t row_;
  std::int8_t* w_;
  std::vector<std::int8_t> shipped_;
};

bool fits(IntegerRange range, IntegerRange limits) {
  return range.lower >= limits.lower && range.upper <= limits.upper;
}

// dᵀHd of one row.
double weighted(const std::vector<double>& d, const std::vector<float>& gram) {
  const std::size_t n = d.size();
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    double inner = 0;
    for (std::size_t j = 0; d[i] != 0 && j < n; ++j) {
      inner += static_cast<double>(gram[i * n + j]) * d[j];
    }
    sum += d[i] * inner;
  }
  return sum;
}

std::vector<double> difference(const std::int8_t* a, const std::int8_t* b, std::int64_t n) {
  std::vector<double> d;
  for (std::int64_t k = 0; k < n; ++k) {
    d.push_back(static_cast<double>(a[k]) - (b == nullptr ? 0 : b[k]));
  }
  return d;
}

void count_changes(const IntegerLayer& shipped, const IntegerLayer& repaired, Repair& repair) {
  repair.rows_changed = repair.weights_changed = repair.largest_change = 0;
  repair.squared_change = 0;
  for (std::int64_t r = 0; r < shipped.rows; ++r) {
    bool changed = false;
    for (std::int64_t k = 0; k < shipped.cols; ++k) {
      const std::int64_t change = std::abs(shipped.row(r)[k] - repaired.row(r)[k]);
      changed = changed || change != 0;
      repair.weights_changed += change != 0;
      repair.largest_change = std::max(repair.largest_change, change);
      repair.squared_change += static_cast<double>(change) * static_cast<double>(change);
    }
    repair.rows_changed += changed;
  }
}

}  // namespace

Repair repair_weights(IntegerLayer& layer, const Datapath& datapath, const std::vector<float>& gram,
                      const ActivationGrid& input, int threads) {
  const IntegerLayer shipped = layer;
  Repair repair = repair_weights(layer, datapath);  // the smallest change
  const std::size_t cols = static_cast<std::size_t>(layer.cols);
  if (gram.size() != cols * cols) {
    throw InputError("layer '" + layer.name + "'",
                     "its second moments are no matrix of its " + std::to_string(cols) + " inputs", "H is [K, K]");
  }
  std::vector<std::int64_t> rows;
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    if (!std::equal(layer.row(r), layer.row(r) + cols, shipped.row(r))) {
      rows.push_back(r);
    }
  }
  if (rows.empty()) {
    return repair;
  }
  LayerProblem problem;
  problem.name = layer.name;
  problem.rows = static_cast<std::int64_t>(rows.size());
  problem.cols = layer.cols;
  for (const std::int64_t r : rows) {
    problem.weight.insert(problem.weight.end(), shipped.row(r), shipped.row(r) + cols);
  }
  problem.gram = gram;
  problem.input = input;
  QuantizeOptions options;
  options.weight_bits = 8;
  options.target = WeightTarget::original;  // the shipped integers, on the inputs that they see
  options.scales.assign(rows.size(), 1.0F);
  options.threads = threads;
  const QuantizedLayer corrected = quantize(problem, datapath, options);

  // The quantizer knew the type of the codes, not this layer's box and bias: what it found is made safe for them as well.
  IntegerLayer candidate = shipped;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::copy_n(corrected.layer.row(static_cast<std::int64_t>(i)), cols,
                candidate.weights.data() + rows[i] * layer.cols);
  }
  repair_weights(candidate, datapath);
  double plain = 0, taken = 0, energy = 0;
  for (const std::int64_t r : rows) {
    const double by_size = weighted(difference(shipped.row(r), layer.row(r), layer.cols), gram);
    const double by_moments = weighted(difference(shipped.row(r), candidate.row(r), layer.cols), gram);
    plain += by_size;
    taken += std::min(by_size, by_moments);
    energy += weighted(difference(shipped.row(r), nullptr, layer.cols), gram);
    if (by_moments < by_size) {
      std::copy_n(candidate.row(r), cols, layer.weights.data() + r * layer.cols);
    }
  }
  count_changes(shipped, layer, repair);
  repair.plain_error = energy > 0 ? std::sqrt(plain / energy) : 0;
  repair.error = energy > 0 ? std::sqrt(taken / energy) : 0;
  return repair;
}

Repair repair_weights(IntegerLayer& layer, const Datapath& datapath) {
  validate(layer, datapath);
  const Topology topology(datapath, layer.cols);
  Repair repair;
  for (const std::int8_t w : layer.weights) {
    repair.energy += static_cast<double>(w) * w;
  }
  const std::vector<StageRanges> before = layer_ranges(layer, topology);
  std::vector<std::int64_t> rows;
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    std::int64_t unsafe = 0;
    for (std::size_t s = 0; s < topology.stages(); ++s) {
      const IntegerRange limits = register_limits(topology.stage(s));
      for (std::int64_t n = 0; n < before[s].nodes; ++n) {
        const auto i = static_cast<std::size_t>(r * before[s].nodes + n);
        unsafe += !fits({before[s].lower[i], before[s].upper[i]}, limits);
      }
    }
    repair.unsafe_nodes += unsafe;
    if (unsafe > 0) {
      rows.push_back(r);
    }
  }
  bool all_hold_zero = true;
  for (std::size_t k = 0; k < layer.box_lower.size(); ++k) {
    all_hold_zero = all_hold_zero && layer.box_lower[k] <= 0 && layer.box_upper[k] >= 0;
  }
  for (const std::int64_t r : rows) {
    RowRepair row(layer, topology, r);
    // Once is enough where every box holds 0. Else a range is no monotone function of |w|: a register that was safe, though not by
    // the bounds above, may leave its limits when weights of another shrink. Then it is made safe by them; every round shrinks.
    for (bool changed = true, first = true; changed; first = false) {
      changed = false;
      bool with_constant = false;
      for (std::size_t s = 0; s < topology.stages(); ++s) {
        with_constant = with_constant || topology.stage(s).initial == Initial::constant;
        const IntegerRange limits = register_limits(topology.stage(s));
        for (std::int64_t n = 0; n < topology.nodes(s); ++n) {
          const auto i = static_cast<std::size_t>(r * before[s].nodes + n);
          const IntegerRange range = first && s == 0 ? IntegerRange{before[s].lower[i], before[s].upper[i]}
                                                     : node_range(layer, topology, {r, s, n});
          if (!fits(range, limits)) {
            row.fix(s, n, with_constant);
            changed = !all_hold_zero;
          }
        }
      }
    }
    ++repair.rows_changed;
    for (std::int64_t k = 0; k < layer.cols; ++k) {
      const std::int64_t change = std::abs(row.shipped()[static_cast<std::size_t>(k)] - layer.row(r)[k]);
      repair.weights_changed += change != 0;
      repair.largest_change = std::max(repair.largest_change, change);
      repair.squared_change += static_cast<double>(change) * static_cast<double>(change);
    }
  }
  return repair;
}

}  // namespace axe

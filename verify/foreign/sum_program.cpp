// See sum_program.hpp. `sum_program` is the main function; a `Builder` makes the variables and constraints, then solves for one end
// at a time. No side effects.
#include "axecert/foreign/sum_program.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <stdexcept>

namespace axe::foreign {
namespace {

/// A product with a weight that is not 0. Constraints are named by their number in the builder's order.
struct Product {
  std::int64_t weight = 0;
  std::int64_t lower = 0, upper = 0;
  std::size_t x = 0;
  std::size_t at_least = 0, at_most = 0;  ///< x ≥ l [in], x ≤ h [in]
  // Under an input limit:
  std::int64_t limited = -1;                 ///< register of the lowest stage
  std::size_t abs = 0, abs_at_least_0 = 0;   ///< the variable, and abs ≥ 0
  std::size_t abs_above = 0, abs_below = 0;  ///< x − abs ≤ 0, x + abs ≥ 0
};

/// A value that is in or out as a whole; the register's own constant and everything that is always in make one without a switch.
struct Value {
  std::vector<Product> products;
  std::map<std::int64_t, std::size_t> limits;  ///< register of the lowest stage → constraint Σ abs ≤ L [in]
  std::optional<std::size_t> in;
  std::size_t in_at_least_0 = 0, in_at_most_1 = 0;
  smt::LayerNodes::Constant initial;
  std::size_t z_at_least_0 = 0, z_at_most = 0;  ///< used where initial.slope is not 0
};

class Builder {
 public:
  Builder(const smt::LayerNodes& of, NodeId id) : of_(of), id_(id), limit_(of.layer().input_limit) {
    const bool partial = of.claim(id.stage) == Claim::every_partial_sum;
    const bool each_value = id.stage > 0 && partial && !(of.box_holds_zero() && of.initial_below(id) == of.initial(id));
    Value always;
    always.initial = each_value ? of.initial(id) : of.initial_below(id);
    if (each_value) {
      add(std::move(always), std::vector<std::int64_t>{}, "");
      for (const std::int64_t v : of.values(id.stage, id.node)) {
        Value value;
        value.in = variable("in_v" + std::to_string(v));
        const NodeId below{.row = id.row, .stage = id.stage - 1, .node = v};
        value.initial = of.initial_below(below);
        add(std::move(value), of.products(below.stage, v), "v" + std::to_string(v));
      }
      return;
    }
    std::vector<std::int64_t> together, apart;
    for (const std::int64_t k : of.products(id.stage, id.node)) {
      const bool holds_zero = of.layer().lower(k) <= 0 && of.layer().upper(k) >= 0;
      (partial && id.stage == 0 && !holds_zero ? apart : together).push_back(k);
    }
    add(std::move(always), together, "");
    for (const std::int64_t k : apart) {
      if (of.layer().row(id.row)[k] != 0) {
        Value value;
        value.in = variable("in" + std::to_string(k));
        add(std::move(value), std::vector{k}, std::to_string(k));
      }
    }
  }

  SumProgram finish() {
    program_.lower = end(Side::lower);
    program_.upper = end(Side::upper);
    bounds_first();
    return std::move(program_);
  }

 private:
  std::size_t variable(std::string name) {
    program_.variables.push_back(std::move(name));
    return program_.variables.size() - 1;
  }
  std::size_t constrain(std::string name, std::vector<Term> terms, bool at_most, int128 bound) {
    program_.constraints.push_back({std::move(name), std::move(terms), at_most, bound});
    return program_.constraints.size() - 1;
  }
  /// variable ≤ bound, or ≤ bound · in where there is a switch; likewise ≥.
  std::size_t bound(const std::string& name, std::size_t x, bool at_most, int128 value, std::optional<std::size_t> in) {
    return in && value != 0 ? constrain(name, {{x, 1}, {*in, -value}}, at_most, 0)
                            : constrain(name, {{x, 1}}, at_most, value);
  }

  template <class Products>
  void add(Value value, const Products& products, const std::string& name) {
    if (value.in) {
      value.in_at_least_0 = bound("in" + name + "_lower", *value.in, false, 0, {});
      value.in_at_most_1 = bound("in" + name + "_upper", *value.in, true, 1, {});
    }
    std::map<std::int64_t, std::vector<Term>> magnitudes;
    for (const std::int64_t k : products) {
      const std::int64_t weight = of_.layer().row(id_.row)[k];
      if (weight == 0) {
        continue;  // its product is 0, in or out
      }
      const std::string number = std::to_string(k);
      Product p;
      p.weight = weight;
      p.lower = of_.layer().lower(k);
      p.upper = of_.layer().upper(k);
      p.x = variable("x" + number);
      p.at_least = bound("x" + number + "_lower", p.x, false, p.lower, value.in);
      p.at_most = bound("x" + number + "_upper", p.x, true, p.upper, value.in);
      program_.objective.push_back({p.x, weight});
      if (limit_ != 0) {
        p.limited = of_.topology().node_of_product(0, k);
        p.abs = variable("abs" + number);
        p.abs_at_least_0 = bound("abs" + number + "_lower", p.abs, false, 0, {});
        p.abs_above = constrain("abs" + number + "_above", {{p.x, 1}, {p.abs, -1}}, true, 0);
        p.abs_below = constrain("abs" + number + "_below", {{p.x, 1}, {p.abs, 1}}, false, 0);
        magnitudes[p.limited].push_back({p.abs, 1});
      }
      value.products.push_back(p);
    }
    for (auto& [lowest, terms] : magnitudes) {
      const std::string limit_name = "limit" + std::to_string(lowest);
      if (value.in) {
        terms.push_back({*value.in, -int128{limit_}});
      }
      value.limits[lowest] = constrain(limit_name, terms, true, value.in ? 0 : limit_);
    }
    if (value.initial.slope !=
        0) {  // at most one value: a stage that starts from the constant has one register per row
      z_ = variable("z");
      value.z_at_least_0 = bound("z_lower", z_, false, 0, {});
      value.z_at_most = bound("z_upper", z_, true, of_.spread(), value.in);
      program_.objective.push_back({z_, value.initial.slope});
    }
    if (!value.in) {
      program_.constant += value.initial.at_least;
    } else if (value.initial.at_least != 0) {
      program_.objective.push_back({*value.in, value.initial.at_least});
    }
    values_.push_back(std::move(value));
  }

  /// The greatest sum for Side::upper; for Side::lower the greatest of its negation, turned back.
  End end(Side side) const {
    const int sign = side == Side::upper ? 1 : -1;
    End result;
    result.attained_by.assign(program_.variables.size(), 0);
    std::map<std::size_t, int128> times;
    int128 total = sign * program_.constant;
    for (const Value& value : values_) {
      // What it adds when it is in: with a switch, the factor of `in` that its bounds leave.
      int128 sum = value.in ? sign * value.initial.at_least : 0;
      std::map<std::int64_t, std::int64_t> theta, rest;
      for (const auto& [lowest, limit] : value.limits) {
        theta[lowest] = of_.dual(id_.row, lowest, side).theta;
        rest[lowest] = limit_;
        times[limit] += theta[lowest];
        sum += int128{theta[lowest]} * limit_;
      }
      for (const Product& p : value.products) {
        const bool up = sign * p.weight > 0;  // a larger x helps
        const int128 weight = p.weight < 0 ? -p.weight : p.weight;
        const int128 cap = up ? p.upper : -p.lower;
        // |w| x = (|w| − θ)⁺ x + min(|w|, θ) x, the first by the box, the second by abs; what is left of θ abs by abs ≥ 0.
        const int128 at = p.limited >= 0 ? theta[p.limited] : 0;
        const int128 by_abs = std::min(weight, at);
        times[up ? p.at_most : p.at_least] += weight - by_abs;
        sum += (weight - by_abs) * cap;
        if (p.limited >= 0) {
          times[up ? p.abs_above : p.abs_below] += by_abs;
          times[p.abs_at_least_0] += at - by_abs;
        }
      }
      if (value.initial.slope != 0) {
        const bool up = sign * value.initial.slope > 0;
        const int128 slope = value.initial.slope < 0 ? -value.initial.slope : value.initial.slope;
        times[up ? value.z_at_most : value.z_at_least_0] += slope;
        sum += up ? slope * of_.spread() : 0;
      }
      const bool in = !value.in || sum > 0;
      if (value.in) {
        times[in ? value.in_at_most_1 : value.in_at_least_0] += in ? sum : -sum;
        result.attained_by[*value.in] = in ? 1 : 0;
      }
      if (in) {
        total += sum;
        attain(value, sign, rest, result.attained_by);
      }
    }
    for (const auto& [constraint, factor] : times) {
      if (factor != 0) {
        result.proof.push_back({constraint, factor});
      }
    }
    result.value = sign * total;
    const IntegerRange claimed = of_.claimed(id_);
    if (result.value != (side == Side::upper ? claimed.upper : claimed.lower)) {
      throw std::logic_error("row " + std::to_string(id_.row) + ", stage " + std::to_string(id_.stage) + ", register " +
                             std::to_string(id_.node) +
                             ": the claimed range is not the one that its constraints prove");
    }
    return result;
  }

  /// Inputs at the ends that help; what there is of a limit goes to the largest weights first.
  void attain(const Value& value, int sign, std::map<std::int64_t, std::int64_t>& rest,
              std::vector<int128>& values) const {
    std::vector<std::size_t> order(value.products.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (limit_ != 0) {
      std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::abs(value.products[a].weight) > std::abs(value.products[b].weight);
      });
    }
    for (const std::size_t i : order) {
      const Product& p = value.products[i];
      std::int64_t x = sign * p.weight > 0 ? p.upper : p.lower;
      if (p.limited >= 0) {
        std::int64_t& left = rest[p.limited];
        x = std::clamp(x, -left, left);
        left -= std::abs(x);
        values[p.abs] = std::abs(x);
      }
      values[p.x] = x;
    }
    if (value.initial.slope != 0) {
      values[z_] = sign * value.initial.slope > 0 ? of_.spread() : 0;
    }
  }

  /// VIPR wants the bounds before the other constraints.
  void bounds_first() {
    std::vector<std::size_t> order(program_.constraints.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto rest = std::stable_partition(order.begin(), order.end(),
                                            [&](std::size_t i) { return program_.constraints[i].terms.size() == 1; });
    program_.bounds = static_cast<std::size_t>(rest - order.begin());
    std::vector<Constraint> constraints;
    std::vector<std::size_t> place(order.size());
    for (const std::size_t i : order) {
      place[i] = constraints.size();
      constraints.push_back(std::move(program_.constraints[i]));
    }
    program_.constraints = std::move(constraints);
    for (End* one : {&program_.lower, &program_.upper}) {
      for (Multiplied& used : one->proof) {
        used.constraint = place[used.constraint];
      }
    }
  }

  const smt::LayerNodes& of_;
  NodeId id_;
  std::int64_t limit_;
  std::size_t z_ = 0;
  SumProgram program_;
  std::vector<Value> values_;
};

}  // namespace

SumProgram sum_program(const smt::LayerNodes& of, NodeId id) {
  return Builder(of, id).finish();
}

}  // namespace axe::foreign

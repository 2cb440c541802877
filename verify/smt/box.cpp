// Depth (b): every node over integer variables in their box. Four queries: above the claimed upper end, unsat; at it or above,
// sat; likewise below. When the claim exceeds the register's limits, two more: outside the limits, sat, and that model is
// replayed on the machine. Main function: box_work. Side effects: a Z3 context.
//
// How a node becomes variables, exactly (no relaxation, so that every model is a run):
//  - Equal weights w share one variable y with n members: for the final value y ∈ [Σ l, Σ h] (the grouping lemma).
//  - Every partial sum: a sum over a subset is a sum in which the products left out count 0. A product whose box holds 0 is
//    left out by x = 0, so its group stays y ∈ [Σ l, Σ h]. For boxes [l, h] without 0, equal (w, l, h) are grouped, with the
//    number m ∈ [0, n] of members that are in: m l ≤ y ≤ m h.
//  - Above stage 0, the values that a register adds are registers themselves, each in or out as a whole. If every box holds 0
//    and no register below starts from the constant, a value is left out by x = 0 in all its products: one query over all
//    products below. Otherwise each value v has its own groups and an integer i_v ∈ {0, 1}: i_v Σ l ≤ y ≤ i_v Σ h, and its
//    initial value counts i_v times.
//  - A row's constant whose zero point varies is c + s z with one more integer variable, 0 ≤ z ≤ spread; where it is the
//    initial value of a value v, i_v c + s z with 0 ≤ z ≤ i_v · spread (z counts only when v is in).
//  - Under an input limit L: groups are kept apart by registers of the lowest stage, and Σ |y| ≤ L over the groups of each, with a
//    variable a ≥ |y| for each group. Members of one group that share a sign have Σ |x| = |y|, and no others have less.
// Since limits and claims are compared as numbers by Z3 in the same query (the smaller of claim and limit, where it fits), a
// node that passes is inside both.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>

#include "axecert/datapath/machine.hpp"
#include "axecert/smt/depths.hpp"

namespace axe::smt {
namespace {

/// One variable y of a node's sum and what it stands for.
struct Group {
  std::int64_t weight = 0;
  std::int64_t value = -1;  ///< the value (of the level below) that it belongs to, or −1: not tied to an i_v
  bool counted = false;     ///< has a count m of members that are in
  std::int64_t lower = 0;   ///< Σ l, or l of one member when counted
  std::int64_t upper = 0;
  std::int64_t limited = -1;  ///< which register of the lowest stage limits it, from 0 in the node's order; −1: none
  std::vector<std::int64_t> members;  ///< products
};

/// A node's sum: initial + Σ weight·y (+ Σ i_v · value_initial).
struct Model {
  std::vector<Group> groups;
  LayerNodes::Constant initial;
  std::vector<std::int64_t> switched;     ///< values with an i_v
  LayerNodes::Constant switched_initial;  ///< of each of them (registers of one stage start alike)
  std::int64_t spread = 0;                ///< of z
  std::int64_t limit = 0;                 ///< of Σ |y| in each register of the lowest stage; 0: none
};

/// One query's answer, kept for equal queries.
enum class Answer { proved, not_exact, unknown };

/// An answer kept, and whether the second solver gave it too.
struct Known {
  Answer answer = Answer::unknown;
  bool seconded = false;
};

/// What Z3 said of one node.
struct Decision {
  Answer answer = Answer::proved;
  std::string problem;   ///< of a claim that is not exact
  bool replayed = true;  ///< unless an overflow's model did not overflow when replayed
  std::string overflow;
};

class Box {
 public:
  Box(const Nodes& nodes, const SmtOptions& options)
      : nodes_(nodes), options_(options), solver_(options.rlimit), second_(second_opinion(options)) {
    if (second_) {
      second_->turn_to("A lemma of verify/smt/lemmas.cpp", "lemma");
      solver_.put_also_to(second_.get(), "QF_NIA");
    }
    prove_range_lemma(solver_, nodes);
    prove_grouping_lemma(solver_);
    if (second_ && second_->state() != SecondOpinion::State::agreed) {
      throw std::runtime_error("a lemma was not proved by both solvers: " + second_->message());
    }
    solver_.put_also_to(second_.get(), "QF_LIA");
  }

  void work(Slice slice, Reporter& reporter) {
    Checked checked;
    if (second_) {
      second_->after_each([&reporter] { reporter.alive(); });
    }
    const std::int64_t waited = second_ ? second_->nanoseconds() : 0;
    for (std::int64_t job = slice.begin; job < slice.end; ++job) {
      obey_test_hooks(options_, job);
      const auto [first, second] = check(job, reporter);
      checked.first += first ? 1 : 0;
      checked.second += first && second ? 1 : 0;
      reporter.alive();
    }
    checked.second_ns = second_ ? second_->nanoseconds() - waited : 0;
    reporter.done(slice, checked);
  }

 private:
  static Model model(const LayerNodes& of, NodeId id) {
    const IntegerLayer& layer = of.layer();
    const std::int8_t* weights = layer.row(id.row);
    const bool partial = of.claim(id.stage) == Claim::every_partial_sum;
    Model result;
    result.initial = of.initial(id);
    result.spread = of.spread();
    result.limit = layer.input_limit;
    std::map<std::int64_t, std::int64_t> registers;  // of the lowest stage, numbered as they come
    const bool each_value = id.stage > 0 && partial && !(of.box_holds_zero() && of.initial_below(id) == of.initial(id));
    using Name = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;
    // value, register of the lowest stage, weight, l, h
    std::map<Name, std::size_t> known;
    const auto put = [&](std::int64_t value, std::int64_t k) {
      const std::int64_t w = weights[k];
      const std::int64_t l = layer.lower(k);
      const std::int64_t h = layer.upper(k);
      if (w == 0) {
        return;  // its product is 0, in or out
      }
      const bool counted = id.stage == 0 && partial && (l > 0 || h < 0);
      const std::int64_t limited =
          result.limit == 0
              ? -1
              : registers.try_emplace(of.topology().node_of_product(0, k), static_cast<std::int64_t>(registers.size()))
                    .first->second;
      const Name name = counted ? Name{value, limited, w, l, h} : Name{value, limited, w, 0, 0};
      const auto [found, fresh] = known.try_emplace(name, result.groups.size());
      if (fresh) {
        result.groups.push_back({.weight = w,
                                 .value = value,
                                 .counted = counted,
                                 .lower = 0,
                                 .upper = 0,
                                 .limited = limited,
                                 .members = {}});
      }
      Group& group = result.groups[found->second];
      group.lower = counted ? l : group.lower + l;
      group.upper = counted ? h : group.upper + h;
      group.members.push_back(k);
    };
    if (each_value) {
      for (const std::int64_t v : of.values(id.stage, id.node)) {
        const NodeId below{.row = id.row, .stage = id.stage - 1, .node = v};
        result.switched.push_back(v);
        result.switched_initial = of.initial_below(below);
        for (const std::int64_t k : of.products(below.stage, v)) {
          put(v, k);
        }
      }
    } else {
      result.initial = of.initial_below(id);
      for (const std::int64_t k : of.products(id.stage, id.node)) {
        put(-1, k);
      }
    }
    // Small weights' order does not matter to Z3's answer; a fixed one lets equal nodes meet in the cache.
    std::stable_sort(result.groups.begin(), result.groups.end(), [](const Group& a, const Group& b) {
      return std::tie(a.value, a.limited, a.weight, a.lower, a.upper) <
             std::tie(b.value, b.limited, b.weight, b.lower, b.upper);
    });
    return result;
  }

  static std::string text_key(const Model& model, IntegerRange claimed) {
    std::string key;
    const auto put = [&](std::int64_t value) { key.append(reinterpret_cast<const char*>(&value), sizeof value); };
    const auto put_wide = [&](int128 value) { key.append(reinterpret_cast<const char*>(&value), sizeof value); };
    for (const LayerNodes::Constant& constant : {model.initial, model.switched_initial}) {
      put_wide(constant.at_least);
      put_wide(constant.slope);
    }
    put(model.spread);
    put(model.limit);
    put(claimed.lower);
    put(claimed.upper);
    put(static_cast<std::int64_t>(model.switched.size()));
    for (const Group& group : model.groups) {
      put(group.value);
      put(group.weight);
      put(group.limited);
      put(group.lower);
      put(group.upper);
      put(group.counted ? static_cast<std::int64_t>(group.members.size()) : -1);
    }
    return key;
  }

  void renew() {
    y_.clear();
    m_.clear();
    in_.clear();
    a_.clear();
    solver_.renew();
  }

  z3::expr y(std::size_t i) { return known(y_, "y", i); }
  z3::expr m(std::size_t i) { return known(m_, "m", i); }
  z3::expr in(std::size_t i) { return known(in_, "i", i); }
  z3::expr a(std::size_t i) { return known(a_, "a", i); }
  z3::expr z() { return solver_.context().int_const("z"); }
  z3::expr known(std::vector<z3::expr>& names, const char* prefix, std::size_t i) {
    while (names.size() <= i) {
      names.push_back(solver_.variable(prefix, names.size()));
    }
    return names[i];
  }

  /// Asserts the box, and a variable that equals the node's sum; returns the variable.
  z3::expr enter(const Model& model) {
    z3::solver& asserted = solver_.solver();
    std::vector<z3::expr> terms;
    std::map<std::int64_t, std::size_t> switches;
    for (std::size_t i = 0; i < model.switched.size(); ++i) {
      switches[model.switched[i]] = i;
      asserted.add(in(i) >= solver_.number(0));
      asserted.add(in(i) <= solver_.number(1));
      if (model.switched_initial.at_least != 0) {
        terms.push_back(solver_.number(model.switched_initial.at_least) * in(i));
      }
    }
    if (model.initial.slope != 0 || model.switched_initial.slope != 0) {
      // A stage that starts from the constant has one register: at most one value is switched then, and only one of both
      // slopes is not 0.
      const z3::expr spread = solver_.number(model.spread);
      asserted.add(z() >= solver_.number(0));
      asserted.add(z() <= (model.initial.slope != 0 ? spread : spread * in(0)));
      terms.push_back(solver_.number(model.initial.slope + model.switched_initial.slope) * z());
    }
    std::map<std::int64_t, std::vector<z3::expr>> magnitudes;  // by register of the lowest stage
    for (std::size_t i = 0; i < model.groups.size(); ++i) {
      const Group& group = model.groups[i];
      if (group.limited >= 0) {
        asserted.add(a(i) >= y(i));
        asserted.add(a(i) >= -y(i));
        magnitudes[group.limited].push_back(a(i));
      }
      const z3::expr lower = solver_.number(group.lower);
      const z3::expr upper = solver_.number(group.upper);
      if (group.counted) {
        asserted.add(m(i) >= solver_.number(0));
        asserted.add(m(i) <= solver_.number(static_cast<std::int64_t>(group.members.size())));
        asserted.add(y(i) >= lower * m(i));
        asserted.add(y(i) <= upper * m(i));
      } else if (group.value >= 0) {
        const z3::expr& included = in(switches.at(group.value));
        asserted.add(y(i) >= lower * included);
        asserted.add(y(i) <= upper * included);
      } else {
        asserted.add(y(i) >= lower);
        asserted.add(y(i) <= upper);
      }
      terms.push_back(solver_.number(group.weight) * y(i));
    }
    for (const auto& [limited, parts] : magnitudes) {
      asserted.add(solver_.sum(parts) <= solver_.number(model.limit));
    }
    if (model.initial.at_least != 0 || terms.empty()) {
      terms.push_back(solver_.number(model.initial.at_least));
    }
    // One row for all queries of the node: each of them then only moves a bound of `sum`.
    const z3::expr total = solver_.context().int_const("sum");
    asserted.add(total == solver_.sum(terms));
    return total;
  }

  /// Who decided the node's claim.
  ByWhom check(std::int64_t job, Reporter& reporter) {
    const LayerNodes& of = nodes_.layer(nodes_.layer_of(job));
    const NodeId id = nodes_.place(job);
    const IntegerRange claimed = of.claimed(id);
    const Model node = model(of, id);
    const bool fits = of.fits(id);

    if (answers_.size() > 100'000) {
      answers_.clear();  // bounds the worker's memory
    }
    const auto [found, fresh] = answers_.try_emplace(text_key(node, claimed), Known{});
    if (!fresh && fits && found->second.answer == Answer::proved && (!second_ || found->second.seconded)) {
      return {true, found->second.seconded};
    }
    if (second_) {
      second_->turn_to(words_of(of, id), file_stem(of, id));
    }
    if (solver_.nodes() >= options_.nodes_per_context) {
      renew();
    }
    Decision decision = decide(of, id, node);
    if (decision.answer == Answer::not_exact && solver_.nodes() > 1) {
      // Before a certificate is called false, a context that has seen nothing else is asked. Z3 4.8.12 was seen to answer sat,
      // with an impossible sum, for every node after some hundred thousand in one context.
      renew();
      decision = decide(of, id, node);
      if (decision.answer != Answer::not_exact) {
        // What the old context said of other nodes is in doubt too.
        answers_.clear();
        reporter.finding(job, FindingKind::note,
                         "Z3 contradicts itself: a context in use refused the claimed range, a new one did not");
        return {};
      }
    }
    const bool seconded = tell_second(second_.get(), job, reporter);
    if (second_ && second_->state() == SecondOpinion::State::disagreed) {
      found->second = {};
      return {};
    }
    found->second = {decision.answer, seconded};
    if (decision.answer == Answer::unknown) {
      return {};
    }
    if (decision.answer == Answer::not_exact) {
      reporter.finding(
          job, FindingKind::false_claim,
          "claimed range " + to_text({claimed.lower, claimed.upper}) + " is not exact: " + decision.problem);
    } else if (!fits) {
      if (!decision.replayed) {
        reporter.finding(job, FindingKind::note, decision.overflow);
        return {};  // Z3 and the machine disagree: this voter cannot decide
      }
      reporter.finding(job, FindingKind::overflow, decision.overflow);
    }
    return {true, seconded};
  }

  /// Asks the current context about one node.
  Decision decide(const LayerNodes& of, NodeId id, const Model& node) {
    const IntegerRange claimed = of.claimed(id);
    const IntegerRange limits = of.limits(id.stage);
    const bool fits = of.fits(id);
    Decision decision;
    solver_.count_nodes(1);
    solver_.solver().push();
    const z3::expr total = enter(node);
    const auto expect = [&](const z3::expr& query, z3::check_result expected, const char* what) {
      if (decision.answer != Answer::proved) {
        return;
      }
      std::string reached;
      const z3::check_result result = solver_.check_model(query, [&](const z3::model& model_found) {
        if (expected == z3::unsat) {
          reached = ": some inputs reach " + to_string(Solver::value_of(model_found.eval(total, true)));
        }
      });
      if (result == z3::unknown) {
        decision.answer = Answer::unknown;
      } else if (result != expected) {
        decision.answer = Answer::not_exact;
        decision.problem = what + reached;
      }
    };
    const z3::expr upper = solver_.number(claimed.upper);
    const z3::expr lower = solver_.number(claimed.lower);
    // fits: upper ≤ limit, so one query covers both; Z3 is given the smaller of the two to decide with.
    const z3::expr ceiling = fits ? solver_.number(std::min(claimed.upper, limits.upper)) : upper;
    const z3::expr floor = fits ? solver_.number(std::max(claimed.lower, limits.lower)) : lower;
    expect(total > ceiling, z3::unsat, "the claimed upper end is too small");
    expect(total < floor, z3::unsat, "the claimed lower end is too large");
    expect(total >= upper, z3::sat, "no inputs reach the claimed upper end");
    expect(total <= lower, z3::sat, "no inputs reach the claimed lower end");
    if (decision.answer == Answer::proved && !fits) {
      const bool above = claimed.upper > limits.upper;
      const z3::expr outside = above ? total > solver_.number(limits.upper) : total < solver_.number(limits.lower);
      decision.replayed = false;
      const z3::check_result result = solver_.check_model(outside, [&](const z3::model& found_model) {
        decision.replayed = replay(of, id, node, found_model, above, decision.overflow);
      });
      if (result == z3::unknown) {
        decision.answer = Answer::unknown;
      }
    }
    solver_.solver().pop();
    return decision;
  }

  /// Turns a model into inputs and runs the machine on them. Returns whether it left this register's limits (or those of a
  /// register below, whose content then no longer is the integer that the claim speaks of).
  bool replay(const LayerNodes& of, NodeId id, const Model& node, const z3::model& found, bool above,
              std::string& message) {
    const IntegerLayer& layer = of.layer();
    std::vector<std::int32_t> inputs(static_cast<std::size_t>(layer.cols));
    for (std::int64_t k = 0; k < layer.cols; ++k) {
      inputs[static_cast<std::size_t>(k)] = std::clamp(0, layer.lower(k), layer.upper(k));
    }
    for (std::size_t i = 0; i < node.groups.size(); ++i) {
      const Group& group = node.groups[i];
      int128 rest = Solver::value_of(found.eval(y(i), true));
      // Members take as much as they can while the others can still take their least; under a limit, all in one direction.
      int128 least = 0;
      std::int64_t count = group.counted ? narrow(Solver::value_of(found.eval(m(i), true)), "count of members")
                                         : static_cast<std::int64_t>(group.members.size());
      for (std::int64_t j = 0; group.limited < 0 && j < count; ++j) {
        least += layer.lower(group.members[static_cast<std::size_t>(j)]);
      }
      if (group.value >= 0) {
        const auto at = std::find(node.switched.begin(), node.switched.end(), group.value) - node.switched.begin();
        if (Solver::value_of(found.eval(in(static_cast<std::size_t>(at)), true)) == 0) {
          continue;  // this value is out: whatever it is, it is added later
        }
      }
      for (std::int64_t j = 0; j < count; ++j) {
        const std::int64_t k = group.members[static_cast<std::size_t>(j)];
        least -= group.limited < 0 ? layer.lower(k) : 0;
        const auto x = static_cast<std::int32_t>(std::clamp<int128>(rest - least, layer.lower(k), layer.upper(k)));
        inputs[static_cast<std::size_t>(k)] = x;
        rest -= x;
      }
    }
    LayerNodes::Constant constant = of.constant(id.row);
    if (node.initial.slope != 0 || node.switched_initial.slope != 0) {
      // When its value is out, z is free: any will do.
      constant.at_least += constant.slope * Solver::value_of(found.eval(z(), true));
    }
    // Of all orders, positive values first reaches the largest partial sum (negative first the smallest), and no partial sum of
    // these inputs is beyond it: if the model's subset overflows, this order does.
    const std::vector<std::vector<RegisterTrace>> trace =
        run(of.topology(), {layer.row(id.row), static_cast<std::size_t>(layer.cols)}, inputs,
            narrow(constant.at_least, "row constant"), above ? Order::positive_first : Order::negative_first);
    const RegisterTrace& reached = trace[id.stage][static_cast<std::size_t>(id.node)];
    const IntegerRange limits = of.limits(id.stage);
    bool overflowed = reached.overflowed;
    if (of.claim(id.stage) == Claim::final_value) {
      overflowed = reached.exact > limits.upper || reached.exact < limits.lower;
    }
    const int128 peak = of.claim(id.stage) == Claim::final_value ? reached.exact
                        : above                                  ? reached.highest
                                                                 : reached.lowest;
    message = "sum " + to_string(peak) + " is reached, the register holds " + to_text({limits.lower, limits.upper});
    if (!overflowed && below_overflows(of, id, trace)) {
      message = "its sum exceeds " + to_text({limits.lower, limits.upper}) + "; a register below it overflows first";
      overflowed = true;
    }
    if (!overflowed) {
      message = "Z3's model was replayed and did not overflow: " + message;
    }
    return overflowed;
  }

  static bool below_overflows(const LayerNodes& of, NodeId id, const std::vector<std::vector<RegisterTrace>>& trace) {
    if (id.stage == 0) {
      return false;
    }
    for (const std::int64_t v : of.values(id.stage, id.node)) {
      const NodeId below{.row = id.row, .stage = id.stage - 1, .node = v};
      if (trace[below.stage][static_cast<std::size_t>(v)].overflowed || below_overflows(of, below, trace)) {
        return true;
      }
    }
    return false;
  }

  const Nodes& nodes_;
  const SmtOptions& options_;
  Solver solver_;
  std::vector<z3::expr> y_, m_, in_, a_;
  std::unordered_map<std::string, Known> answers_;
  std::unique_ptr<SecondOpinion> second_;
};

}  // namespace

SliceWork box_work(const Nodes& nodes, const SmtOptions& options) {
  auto box = std::make_shared<Box>(nodes, options);
  return [box](Slice slice, Reporter& reporter) { box->work(slice, reporter); };
}

}  // namespace axe::smt

// Depth (a): the range lemma once, symbolically; then for every node two facts about numbers, as formulas that Z3 evaluates:
// the claimed range equals the recomputed one, and the range lies inside the register's limits (or does not). Facts are
// deduplicated: for a uniform box by (P⁺, N⁻), which with box, limits and claim determine the fact. Main function:
// ground_work. Side effects: a Z3 context.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "axecert/smt/depths.hpp"

namespace axe::smt {
namespace {

/// Everything that a fact says, as numbers; equal keys are equal facts.
using Key = std::vector<std::int64_t>;

struct KeyHash {
  std::size_t operator()(const Key& key) const {
    std::size_t hash = key.size();
    for (const std::int64_t value : key) {
      hash = (hash ^ static_cast<std::size_t>(value)) * 0x9E3779B97F4A7C15ULL;
      hash ^= hash >> 29;
    }
    return hash;
  }
};

void put(Key& key, int128 value) {
  key.push_back(static_cast<std::int64_t>(static_cast<uint128>(value)));
  key.push_back(static_cast<std::int64_t>(static_cast<uint128>(value) >> 64));
}

enum class Answer { open, proved, refuted, unknown };

class Ground {
 public:
  Ground(const Nodes& nodes, const SmtOptions& options) : nodes_(nodes), options_(options), solver_(options.rlimit) {
    prove_range_lemma(solver_, nodes);
  }

  void work(Slice slice, Reporter& reporter) {
    struct Asked {
      std::int64_t job;
      Answer* answer;
    };
    std::vector<Asked> asked;
    std::vector<z3::expr> facts;
    std::vector<Answer*> open;
    if (solver_.nodes() >= options_.nodes_per_context) {
      solver_.renew();
    }
    solver_.count_nodes(slice.end - slice.begin);
    for (std::int64_t job = slice.begin; job < slice.end; ++job) {
      obey_test_hooks(options_, job);
      const auto [found, fresh] = answers_.try_emplace(key(job), Answer::open);
      if (fresh) {
        facts.push_back(fact(job));
        open.push_back(&found->second);
        reporter.alive();
      }
      asked.push_back({job, &found->second});
    }
    settle(facts, open, reporter);
    std::int64_t checked = 0;
    for (const Asked& node : asked) {
      checked += *node.answer == Answer::proved || *node.answer == Answer::refuted ? 1 : 0;
      tell(node.job, *node.answer, reporter);
    }
    reporter.done(slice, {.first = checked});
  }

 private:
  const LayerNodes& layer(std::int64_t job) const { return nodes_.layer(nodes_.layer_of(job)); }

  /// Σ of positive and of negative weights of a node of stage 0.
  static std::pair<std::int64_t, std::int64_t> signed_sums(const LayerNodes& of, NodeId id) {
    const std::int8_t* weights = of.layer().row(id.row);
    std::int64_t positive = 0;
    std::int64_t negative = 0;
    for (const std::int64_t k : of.products(id.stage, id.node)) {
      (weights[k] > 0 ? positive : negative) += weights[k];
    }
    return {positive, negative};
  }

  /// The final ranges of the values that a register adds.
  static std::vector<WideRange> parts(const LayerNodes& of, NodeId id) {
    std::vector<WideRange> result;
    const std::int8_t* weights = of.layer().row(id.row);
    for (const std::int64_t v : of.values(id.stage, id.node)) {
      if (id.stage > 0) {
        result.push_back(of.final_range({.row = id.row, .stage = id.stage - 1, .node = v}));
      } else {
        const std::int64_t a = std::int64_t{weights[v]} * of.layer().lower(v);
        const std::int64_t b = std::int64_t{weights[v]} * of.layer().upper(v);
        result.push_back({.lower = std::min(a, b), .upper = std::max(a, b)});
      }
    }
    return result;
  }

  /// For channel boxes of stage 0: the recomputed range, summed here.
  static WideRange summed(const LayerNodes& of, NodeId id) {
    WideRange sum = of.ends(of.initial(id));
    const bool partial = of.claim(id.stage) == Claim::every_partial_sum;
    if (id.stage == 0 && of.layer().input_limit != 0) {
      sum.lower -= of.dual(id.row, id.node, Side::lower).bound(of.layer().input_limit);
      sum.upper += of.dual(id.row, id.node, Side::upper).bound(of.layer().input_limit);
      return sum;
    }
    for (const WideRange part : parts(of, id)) {
      sum.lower += partial ? std::min<int128>(0, part.lower) : part.lower;
      sum.upper += partial ? std::max<int128>(0, part.upper) : part.upper;
    }
    return sum;
  }

  Key key(std::int64_t job) const {
    const std::size_t layer_index = nodes_.layer_of(job);
    const LayerNodes& of = nodes_.layer(layer_index);
    const NodeId id = nodes_.place(job);
    const IntegerRange claimed = of.claimed(id);
    Key key{static_cast<std::int64_t>(layer_index), static_cast<std::int64_t>(id.stage), claimed.lower, claimed.upper};
    put(key, of.initial(id).at_least);
    put(key, of.initial(id).slope);
    if (id.stage == 0 && of.layer().input_limit != 0) {
      for (const Side side : {Side::lower, Side::upper}) {
        const LayerNodes::Dual dual = of.dual(id.row, id.node, side);
        key.push_back(dual.theta);
        put(key, dual.excess);
      }
    } else if (id.stage == 0 && of.uniform_box()) {
      const auto [positive, negative] = signed_sums(of, id);
      key.push_back(positive);
      key.push_back(negative);
    } else if (id.stage == 0) {
      const WideRange range = summed(of, id);
      put(key, range.lower);
      put(key, range.upper);
    } else {
      for (const WideRange part : parts(of, id)) {
        put(key, part.lower);
        put(key, part.upper);
      }
    }
    return key;
  }

  /// upper and lower as formulas, from the claim's definition:
  ///   stage 0, uniform box [α, β]: final value βP⁺ + αN⁻; every partial sum max(0, β)P⁺ + min(0, α)N⁻ (lower: α and β swapped)
  ///   stage 0 under an input limit L: θ L + Σ (|w| − θ)⁺ c (LayerNodes::Dual), for both claims; the lower end likewise
  ///   above: Σ of the values' final ends, clipped at 0 for every partial sum
  ///   each plus the initial value c + s z, 0 ≤ z ≤ spread: c + max(0, s · spread) above, c + min(0, s · spread) below.
  z3::expr fact(std::int64_t job) {
    const LayerNodes& of = layer(job);
    const NodeId id = nodes_.place(job);
    const bool partial = of.claim(id.stage) == Claim::every_partial_sum;
    const z3::expr zero = solver_.number(0);
    const auto positive_part = [&](const z3::expr& e) { return partial ? z3::ite(e >= zero, e, zero) : e; };
    const auto negative_part = [&](const z3::expr& e) { return partial ? z3::ite(e <= zero, e, zero) : e; };
    const LayerNodes::Constant initial = of.initial(id);
    std::vector<z3::expr> upper{solver_.number(initial.at_least)};
    std::vector<z3::expr> lower{solver_.number(initial.at_least)};
    if (initial.slope != 0) {
      const z3::expr shift = solver_.number(initial.slope) * solver_.number(of.spread());
      upper.push_back(z3::ite(shift >= zero, shift, zero));
      lower.push_back(z3::ite(shift <= zero, shift, zero));
    }
    if (id.stage == 0 && of.layer().input_limit != 0) {
      const z3::expr limit = solver_.number(of.layer().input_limit);
      const LayerNodes::Dual above = of.dual(id.row, id.node, Side::upper);
      const LayerNodes::Dual below = of.dual(id.row, id.node, Side::lower);
      upper.push_back(solver_.number(above.theta) * limit + solver_.number(above.excess));
      lower.push_back(-(solver_.number(below.theta) * limit + solver_.number(below.excess)));
    } else if (id.stage == 0 && of.uniform_box()) {
      const auto [positive_sum, negative_sum] = signed_sums(of, id);
      const z3::expr positive = solver_.number(positive_sum);
      const z3::expr negative = solver_.number(negative_sum);
      const z3::expr alpha = solver_.number(of.layer().lower(0));
      const z3::expr beta = solver_.number(of.layer().upper(0));
      upper.push_back(positive_part(beta) * positive);
      upper.push_back(negative_part(alpha) * negative);
      lower.push_back(negative_part(alpha) * positive);
      lower.push_back(positive_part(beta) * negative);
    } else if (id.stage == 0) {
      const WideRange range = summed(of, id);
      upper = {solver_.number(range.upper)};
      lower = {solver_.number(range.lower)};
    } else {
      for (const WideRange part : parts(of, id)) {
        upper.push_back(positive_part(solver_.number(part.upper)));
        lower.push_back(negative_part(solver_.number(part.lower)));
      }
    }
    const IntegerRange claimed = of.claimed(id);
    const IntegerRange limits = of.limits(id.stage);
    const z3::expr claimed_lower = solver_.number(claimed.lower);
    const z3::expr claimed_upper = solver_.number(claimed.upper);
    const z3::expr inside =
        solver_.number(limits.lower) <= claimed_lower && claimed_upper <= solver_.number(limits.upper);
    return claimed_lower == solver_.sum(lower) && claimed_upper == solver_.sum(upper) && (fits(job) ? inside : !inside);
  }

  bool fits(std::int64_t job) const {
    return layer(job).fits(nodes_.place(job));
  }

  /// All facts at once; if that is not proved, one by one.
  void settle(const std::vector<z3::expr>& facts, const std::vector<Answer*>& answers, Reporter& reporter) {
    if (facts.empty()) {
      return;
    }
    z3::expr_vector all(solver_.context());
    for (const z3::expr& one : facts) {
      all.push_back(one);
    }
    if (solver_.check(!z3::mk_and(all)) == z3::unsat) {
      for (Answer* answer : answers) {
        *answer = Answer::proved;
      }
      return;
    }
    for (std::size_t i = 0; i < facts.size(); ++i) {
      const z3::check_result result = solver_.check(!facts[i]);
      *answers[i] = result == z3::unsat ? Answer::proved : result == z3::sat ? Answer::refuted : Answer::unknown;
      reporter.alive();
    }
  }

  void tell(std::int64_t job, Answer answer, Reporter& reporter) const {
    const LayerNodes& of = layer(job);
    const NodeId id = nodes_.place(job);
    const IntegerRange claimed = of.claimed(id);
    if (answer == Answer::refuted) {
      reporter.finding(
          job, FindingKind::false_claim,
          "claimed range " + to_text({claimed.lower, claimed.upper}) + ", recomputed " + to_text(summed(of, id)));
    } else if (answer == Answer::proved && !fits(job)) {
      const IntegerRange limits = of.limits(id.stage);
      reporter.finding(job, FindingKind::overflow,
                       "range " + to_text({claimed.lower, claimed.upper}) + " exceeds the register's " +
                           to_text({limits.lower, limits.upper}));
    }
  }

  const Nodes& nodes_;
  const SmtOptions& options_;
  Solver solver_;
  std::unordered_map<Key, Answer, KeyHash> answers_;
};

}  // namespace

SliceWork ground_work(const Nodes& nodes, const SmtOptions& options) {
  auto ground = std::make_shared<Ground>(nodes, options);
  return [ground](Slice slice, Reporter& reporter) { ground->work(slice, reporter); };
}

}  // namespace axe::smt

// Depth (c): the bits that registers hold (bit_stage.hpp). Main functions: bit_precise_work (nodes of a certificate with few
// products) and stage_work (a datapath's stages against what is proved of them, and against axe::step). Side effects: a Z3 context.
#include <algorithm>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "axecert/datapath/machine.hpp"
#include "axecert/smt/bit_stage.hpp"
#include "axecert/smt/depths.hpp"

namespace axe::smt {
namespace {

enum class Answer { unknown, proved, refuted };

/// An answer kept, and whether the second solver gave it too.
struct Known {
  Answer answer = Answer::unknown;
  bool seconded = false;
};

class BitPrecise {
 public:
  BitPrecise(const Nodes& nodes, const SmtOptions& options)
      : nodes_(nodes),
        options_(options),
        solver_(options.rlimit, Solver::Theory::bit_vectors),
        second_(second_opinion(options)) {
    solver_.put_also_to(second_.get(), "QF_BV");
  }

  void work(Slice slice, Reporter& reporter) {
    Checked checked;
    if (second_) {
      second_->after_each([&reporter] { reporter.alive(); });
    }
    const std::int64_t waited = second_ ? second_->nanoseconds() : 0;
    if (solver_.nodes() >= options_.nodes_per_context) {
      solver_.renew();
    }
    solver_.count_nodes(slice.end - slice.begin);
    for (std::int64_t job = slice.begin; job < slice.end; ++job) {
      obey_test_hooks(options_, job);
      const LayerNodes& of = nodes_.layer(nodes_.layer_of(job));
      const NodeId id = nodes_.place(job);
      if (static_cast<std::int64_t>(of.products(id.stage, id.node).size()) <= options_.bit_products) {
        const auto [first, second] = check(job, reporter);
        checked.first += first ? 1 : 0;
        checked.second += first && second ? 1 : 0;
        reporter.alive();
      }
    }
    checked.second_ns = second_ ? second_->nanoseconds() - waited : 0;
    reporter.done(slice, checked);
  }

 private:
  /// A value of a register's sum as the machine has it, and as the integer that it stands for.
  struct Value {
    z3::expr machine;
    z3::expr exact;
    z3::expr went_wrong;  ///< machine ≠ exact may hold only if this does
  };

  /// Enough bits for every sum of absolute values, every limit and one more addition.
  unsigned working_bits(const LayerNodes& of, NodeId id) const {
    const std::int8_t* weights = of.layer().row(id.row);
    int128 most = 1;
    const WideRange constant = of.ends(of.constant(id.row));
    most += std::max(constant.lower < 0 ? -constant.lower : constant.lower,
                     constant.upper < 0 ? -constant.upper : constant.upper);
    most += of.spread();
    for (const std::int64_t k : of.products(id.stage, id.node)) {
      const std::int64_t x =
          std::max(std::abs(std::int64_t{of.layer().lower(k)}), std::abs(std::int64_t{of.layer().upper(k)}));
      most += std::abs(std::int64_t{weights[k]}) * x;
      most += of.layer().input_limit != 0 ? x : 0;
    }
    for (std::size_t s = 0; s <= id.stage; ++s) {
      most += int128{1} << (of.topology().stage(s).width - 1);
    }
    return bits_for(most) + 2;
  }

  /// What a register starts from: a number, or a number and a multiple of the zero point z.
  z3::expr initial(const LayerNodes& of, NodeId id, unsigned bits) {
    const LayerNodes::Constant constant = of.initial(id);
    const z3::expr at_least = solver_.bits(constant.at_least, bits);
    return constant.slope == 0 ? at_least : at_least + solver_.bits(constant.slope, bits) * zero_point(bits);
  }
  z3::expr zero_point(unsigned bits) { return solver_.context().bv_const(("z_" + std::to_string(bits)).c_str(), bits); }

  std::vector<Value> values(const LayerNodes& of, NodeId id, unsigned bits,
                            const std::unordered_map<std::int64_t, z3::expr>& x) {
    std::vector<Value> result;
    const std::int8_t* weights = of.layer().row(id.row);
    const z3::expr never = solver_.context().bool_val(false);
    for (const std::int64_t v : of.values(id.stage, id.node)) {
      if (id.stage == 0) {
        const z3::expr product = solver_.bits(weights[v], bits) * x.at(v);
        result.push_back({product, product, never});
        continue;
      }
      const NodeId below{.row = id.row, .stage = id.stage - 1, .node = v};
      const BitStage stage(solver_, of.topology().stage(below.stage), bits);
      const z3::expr start = initial(of, below, bits);
      Register content = stage.start(start);
      Value value{start, start, never};
      z3::expr wrong = never;
      for (const Value& part : values(of, below, bits, x)) {
        content = stage.step(content, part.machine);
        value.exact = value.exact + part.exact;
        wrong = wrong || part.went_wrong;
      }
      // Below a register that does not fit, the claim speaks of exact integers.
      if (of.fits(below)) {
        const bool partial = of.claim(below.stage) == Claim::every_partial_sum;
        value.machine = content.content;
        value.went_wrong = wrong || value.machine != value.exact || (partial ? content.overflowed : never);
      } else {
        value.machine = value.exact;
        value.went_wrong = wrong;
      }
      result.push_back(value);
    }
    return result;
  }

  /// Two queries. (1) Some inputs in the box make the machine, in its own order, leave the limits or end on another value than
  /// the integer sum, or take the exact sum of some subset (for the final value: of all) outside the claimed range: unsat. If the
  /// claim exceeds the limits: only the latter. (2) Each claimed end is reached by some subset: sat.
  ByWhom check(std::int64_t job, Reporter& reporter) {
    const LayerNodes& of = nodes_.layer(nodes_.layer_of(job));
    const NodeId id = nodes_.place(job);
    const IntegerRange claimed = of.claimed(id);
    const bool safe = of.fits(id);
    const bool partial = of.claim(id.stage) == Claim::every_partial_sum;
    z3::context& c = solver_.context();

    std::string key = std::to_string(id.stage) + (safe ? "s" : "u") + std::to_string(claimed.lower) + "," +
                      std::to_string(claimed.upper) + "," + to_string(of.constant(id.row).at_least) + "," +
                      to_string(of.constant(id.row).slope) + "," + std::to_string(nodes_.layer_of(job)) + ":" +
                      std::to_string(of.products(id.stage, id.node).size());
    if (id.stage == 0) {  // equal weights and boxes in the same order are the same question
      for (const std::int64_t k : of.products(0, id.node)) {
        key += ";" + std::to_string(of.layer().row(id.row)[k]) + "," + std::to_string(of.layer().lower(k)) + "," +
               std::to_string(of.layer().upper(k));
      }
      if (const auto found = answers_.find(key); found != answers_.end() && safe &&
                                                 found->second.answer == Answer::proved &&
                                                 (!second_ || found->second.seconded)) {
        return {true, found->second.seconded};
      }
    }
    if (second_) {
      second_->turn_to(words_of(of, id), file_stem(of, id));
    }

    const IntegerRange limits = of.limits(id.stage);
    const unsigned bits =
        std::max(working_bits(of, id), bits_for(std::max<int128>(claimed.upper, -int128{claimed.lower})) + 2);
    if (bits > 120) {
      return {};
    }
    solver_.solver().push();
    std::unordered_map<std::int64_t, z3::expr> x;
    for (const std::int64_t k : of.products(id.stage, id.node)) {
      const z3::expr input = c.bv_const(("x" + std::to_string(x.size()) + "_" + std::to_string(bits)).c_str(), bits);
      solver_.solver().add(!signed_less(input, solver_.bits(of.layer().lower(k), bits)));
      solver_.solver().add(!signed_greater(input, solver_.bits(of.layer().upper(k), bits)));
      x.emplace(k, input);
    }
    if (of.layer().input_limit != 0) {
      const z3::expr zero = solver_.bits(0, bits);
      for (const std::int64_t j : of.lowest(id.stage, id.node)) {
        z3::expr magnitude = zero;
        std::int64_t most = 0;  // what the boxes allow: a limit beyond it says nothing, and may need more bits
        for (const std::int64_t k : of.products(0, j)) {
          most += std::max(-std::int64_t{of.layer().lower(k)}, std::int64_t{of.layer().upper(k)});
          magnitude = magnitude + z3::ite(signed_less(x.at(k), zero), -x.at(k), x.at(k));
        }
        solver_.solver().add(!signed_greater(magnitude, solver_.bits(std::min(most, of.layer().input_limit), bits)));
      }
    }
    const BitStage stage(solver_, of.topology().stage(id.stage), bits);
    if (of.constant(id.row).slope != 0) {
      solver_.solver().add(!signed_less(zero_point(bits), solver_.bits(0, bits)));
      solver_.solver().add(!signed_greater(zero_point(bits), solver_.bits(of.spread(), bits)));
    }
    const z3::expr start = initial(of, id, bits);
    Register content = stage.start(start);
    z3::expr exact = start;
    z3::expr some_sum = start;
    z3::expr wrong = c.bool_val(false);
    std::size_t i = 0;
    for (const Value& value : values(of, id, bits, x)) {
      content = stage.step(content, value.machine);
      exact = exact + value.exact;
      wrong = wrong || value.went_wrong;
      const z3::expr in = c.bool_const(("b" + std::to_string(i++)).c_str());
      some_sum = partial ? some_sum + z3::ite(in, value.exact, solver_.bits(0, bits)) : exact;
    }
    const z3::expr lower = solver_.bits(claimed.lower, bits);
    const z3::expr upper = solver_.bits(claimed.upper, bits);
    z3::expr bad = signed_greater(some_sum, upper) || signed_less(some_sum, lower);
    if (safe) {
      bad = bad || wrong || content.content != exact || (partial ? content.overflowed : c.bool_val(false));
    }
    std::string problem;
    Answer answer = Answer::proved;
    const auto expect = [&](const z3::expr& query, z3::check_result expected, const char* what) {
      if (answer == Answer::proved) {
        const z3::check_result result = solver_.check(query);
        answer = result == z3::unknown ? Answer::unknown : result == expected ? Answer::proved : Answer::refuted;
        problem = answer == Answer::refuted ? what : "";
      }
    };
    expect(bad, z3::unsat, "some inputs leave it, or the machine does not hold the integer sum");
    expect(some_sum == upper, z3::sat, "no inputs reach the upper end");
    expect(some_sum == lower, z3::sat, "no inputs reach the lower end");
    if (!safe) {
      expect(stage.outside(some_sum), z3::sat, "no inputs leave the register's limits");
    }
    solver_.solver().pop();
    const bool seconded = tell_second(second_.get(), job, reporter);
    if (second_ && second_->state() == SecondOpinion::State::disagreed) {
      return {};
    }
    if (id.stage == 0) {
      answers_[key] = {answer, seconded};
    }
    if (answer == Answer::refuted) {
      reporter.finding(job, FindingKind::false_claim,
                       "claimed range " + to_text({claimed.lower, claimed.upper}) + ", as bit vectors: " + problem);
    } else if (answer == Answer::proved && !safe) {
      reporter.finding(job, FindingKind::overflow,
                       "range " + to_text({claimed.lower, claimed.upper}) + " exceeds the register's " +
                           to_text({limits.lower, limits.upper}));
    }
    return {answer != Answer::unknown, seconded};
  }

  const Nodes& nodes_;
  const SmtOptions& options_;
  Solver solver_;
  std::unordered_map<std::string, Known> answers_;
  std::unique_ptr<SecondOpinion> second_;
};

/// One stage's proofs.
class StageCheck {
 public:
  StageCheck(const Stage& stage, const SmtOptions& options)
      : stage_(stage), solver_(options.rlimit, Solver::Theory::bit_vectors) {}

  /// Each throws std::runtime_error with what was not proved. `compare` returns the number of additions compared.
  void prove() {
    induct();
    const int values = stage_.group == 0 ? 4 : static_cast<int>(std::min<std::int64_t>(stage_.group, 4));
    unroll(values, false);
    unroll(std::min(values, 2), true);
  }
  // axe::step against the bit vectors, on limits, their neighbours and random contents and values.
  std::int64_t compare() {
    const unsigned bits = 68;  // any content plus any 64-bit value
    const BitStage stage(solver_, stage_, bits);
    const IntegerRange limits = register_limits(stage_);
    std::mt19937_64 random(20260101);
    std::vector<std::int64_t> contents{limits.lower, limits.upper, 0, limits.lower / 2, limits.upper / 2};
    for (int i = 0; i < 5; ++i) {
      contents.push_back(static_cast<std::int64_t>(random()) >> (64 - stage_.width));
    }
    std::int64_t compared = 0;
    for (std::int64_t content : contents) {
      content = std::clamp(content, limits.lower, limits.upper);
      std::vector<std::int64_t> values{0,
                                       1,
                                       -1,
                                       limits.upper,
                                       limits.lower,
                                       INT64_MAX,
                                       INT64_MIN,
                                       static_cast<std::int64_t>(random()),
                                       static_cast<std::int64_t>(random()) >> 40};
      for (const int128 edge :
           {int128{limits.upper} - content, int128{limits.lower} - content}) {  // lands on a limit, or just beyond
        for (const int128 value : {edge - 1, edge, edge + 1}) {
          if (value >= INT64_MIN && value <= INT64_MAX) {
            values.push_back(static_cast<std::int64_t>(value));
          }
        }
      }
      for (const std::int64_t value : values) {
        bool overflowed = false;
        const std::int64_t held = step(stage_, content, value, overflowed);
        const Register result =
            stage.step({solver_.bits(content, bits), solver_.context().bool_val(false)}, solver_.bits(value, bits));
        const int128 bit_held = Solver::value_of(result.content.simplify());
        const bool bit_overflowed = result.overflowed.simplify().is_true();
        if (bit_held != held || bit_overflowed != overflowed) {
          throw std::runtime_error("step(" + std::to_string(content) + ", " + std::to_string(value) + ") holds " +
                                   std::to_string(held) + ", as bit vectors " + to_string(bit_held));
        }
        ++compared;
      }
    }
    return compared;
  }

 private:
  void expect(const z3::expr& query, const std::string& what) {
    const z3::check_result answer = solver_.check(query);
    if (answer != z3::unsat) {
      throw std::runtime_error(what + ": Z3 answered " + (answer == z3::sat ? "sat" : "unknown"));
    }
  }

  // Full width, one step. Invariant: the content is the exact sum, inside [L, U] ⊆ limits. A further value v ∈ [a, b] with the new
  // range [L + min(0, a), U + max(0, b)] still inside the limits keeps it, with no overflow. (Final value, wrap: the content is
  // congruent to the sum modulo 2^P throughout, and equal to it if that fits.)
  void induct() {
    z3::context& c = solver_.context();
    const auto bits = static_cast<unsigned>(stage_.width) + 4;
    const BitStage stage(solver_, stage_, bits);
    const auto vector = [&](const char* name) { return c.bv_const((name + std::to_string(bits)).c_str(), bits); };
    const z3::expr s = vector("s"), v = vector("v"), a = vector("a"), b = vector("b"), L = vector("L"), U = vector("U");
    const z3::expr zero = solver_.bits(0, bits);
    const z3::expr small_upper = solver_.bits(int128{1} << stage_.width, bits);
    const auto ordered = [&](const z3::expr& l, const z3::expr& m, const z3::expr& h) {
      return z3::sle(l, m) && z3::sle(m, h);
    };
    const auto inside = [&](const z3::expr& e) { return !stage.outside(e); };
    const z3::expr next_lower = L + z3::ite(signed_less(a, zero), a, zero);
    const z3::expr next_upper = U + z3::ite(signed_greater(b, zero), b, zero);
    const z3::expr holds = ordered(L, s, U) && ordered(a, v, b) && ordered(-small_upper, a, small_upper) &&
                           ordered(-small_upper, b, small_upper) && inside(L) && inside(U) && inside(next_lower) &&
                           inside(next_upper);
    const Register next = stage.step({s, c.bool_val(false)}, v);
    expect(holds && !(!next.overflowed && next.content == s + v && ordered(next_lower, next.content, next_upper)),
           "a range that fits and an addition that stays inside");
    if (stage_.overflow == Overflow::wrap) {
      const auto width = static_cast<unsigned>(stage_.width);
      const auto low = [&](const z3::expr& e) { return e.extract(width - 1, 0); };
      const z3::expr exact = vector("e");
      const z3::expr in_width = ordered(-small_upper, v, small_upper) && ordered(-small_upper, exact, small_upper) &&
                                ordered(-small_upper, s, small_upper);
      expect(in_width && low(s) == low(exact) && !(low(next.content) == low(exact + v)),
             "wrapping keeps the sum modulo 2^P");
      expect(in_width && low(s) == low(exact) && inside(exact + v) && !(next.content == exact + v),
             "a final value that fits is the content");
    }
  }

  // A whole run, at a width small enough to overflow: n values v_i of 5 bits in symbolic ranges [a_i, b_i], or n products of symbolic
  // weights and one symbolic box of 3 bits. The range fits ⇒ no step leaves the limits (final value: at the end) and the
  // content is the integer sum; and some range that does not fit goes wrong, or the statement would be empty.
  void unroll(int values, bool products) {
    z3::context& c = solver_.context();
    Stage small = stage_;
    small.width = std::min(stage_.width, values == 1 ? 4 : 6);
    constexpr unsigned bits = 11;
    const BitStage stage(solver_, small, bits);
    const auto operand = [&](const std::string& name, unsigned width) {
      return z3::sext(c.bv_const((name + "_" + std::to_string(width)).c_str(), width), bits - width);
    };
    const bool partial = stage_.claim == Claim::every_partial_sum;
    const z3::expr zero = solver_.bits(0, bits);
    const z3::expr l = operand("box_l", 3), h = operand("box_h", 3);
    z3::expr holds = z3::sle(l, h);
    const z3::expr initial = operand("initial", 3);
    z3::expr lower = initial, upper = initial, exact = initial;
    Register content = stage.start(initial);
    for (int i = 0; i < values; ++i) {
      const std::string number = std::to_string(i);
      z3::expr value = operand("v" + number, 5), least = operand("a" + number, 5), most = operand("b" + number, 5);
      if (products) {
        const z3::expr w = operand("w" + number, 3), x = operand("x" + number, 3);
        const z3::expr low = w * l, high = w * h;
        holds = holds && z3::sle(l, x) && z3::sle(x, h);
        value = w * x;
        least = z3::ite(z3::slt(low, high), low, high);
        most = z3::ite(z3::slt(low, high), high, low);
      } else {
        holds = holds && z3::sle(least, value) && z3::sle(value, most);
      }
      lower = lower + (partial ? z3::ite(z3::slt(least, zero), least, zero) : least);
      upper = upper + (partial ? z3::ite(z3::sgt(most, zero), most, zero) : most);
      exact = exact + value;
      content = stage.step(content, value);
    }
    const z3::expr fits = !stage.outside(lower) && !stage.outside(upper);
    const z3::expr wrong = partial ? content.overflowed || content.content != exact : content.content != exact;
    const std::string what =
        std::to_string(values) + (products ? " products at " : " values at ") + std::to_string(small.width) + " bits";
    expect(holds && fits && wrong, what);
    if (solver_.check(holds && !fits && wrong) != z3::sat) {
      throw std::runtime_error(what + ": nothing goes wrong even outside the limits, so nothing was proved");
    }
  }

  Stage stage_;
  Solver solver_;
};

}  // namespace

SliceWork bit_precise_work(const Nodes& nodes, const SmtOptions& options) {
  // The bit vectors mean what the machine does, before they judge anything.
  std::vector<Stage> compared;
  for (std::size_t i = 0; i < nodes.layers(); ++i) {
    for (const Stage& stage : nodes.layer(i).claims().datapath.stages) {
      if (std::find(compared.begin(), compared.end(), stage) == compared.end()) {
        StageCheck(stage, options).compare();
        compared.push_back(stage);
      }
    }
  }
  auto bit_precise = std::make_shared<BitPrecise>(nodes, options);
  return [bit_precise](Slice slice, Reporter& reporter) { bit_precise->work(slice, reporter); };
}

SliceWork stage_work(const Datapath& datapath, const SmtOptions& options) {
  return [&datapath, &options](Slice slice, Reporter& reporter) {
    for (std::int64_t i = slice.begin; i < slice.end; ++i) {
      try {
        StageCheck check(datapath.stages[static_cast<std::size_t>(i)], options);
        check.prove();
        const std::int64_t compared = check.compare();
        reporter.finding(i, FindingKind::note, std::to_string(compared));
      } catch (const std::runtime_error& problem) {
        reporter.finding(i, FindingKind::false_claim, problem.what());
      }
    }
    reporter.done(slice, {.first = slice.end - slice.begin});
  };
}

}  // namespace axe::smt

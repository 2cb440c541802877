// The lemmas that ground and box queries rest on, proved by Z3 in every worker before it looks at a node; the same statements
// stand in proofs/smt, where cvc5 proves them too. Main functions: prove_range_lemma, prove_grouping_lemma. No side effects
// beyond the solver's context.
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "axecert/smt/depths.hpp"

namespace axe::smt {
namespace {

void prove(Solver& solver, const std::string& name, const z3::expr& lemma) {
  const z3::check_result answer = solver.check(!lemma);
  if (answer != z3::unsat) {
    throw std::runtime_error("lemma '" + name + "' was not proved: Z3 answered " +
                             (answer == z3::sat ? "sat" : "unknown"));
  }
}

z3::expr least(const z3::expr& a, const z3::expr& b) {
  return z3::ite(a <= b, a, b);
}
z3::expr greatest(const z3::expr& a, const z3::expr& b) {
  return z3::ite(a >= b, a, b);
}

}  // namespace

// Range (design §3.1). Let v_1 … v_n be what a register adds, v_i ∈ [a_i, b_i], and c its initial value.
//   product   l ≤ x ≤ h  ⇒  min(w l, w h) ≤ w x ≤ max(w l, w h), each end at an end of the box
//   base      the empty sum is c
//   step      s ∈ [L, U]  ⇒  s + v ∈ [L + a, U + b]                          (final value)
//             s ∈ [L, U]  ⇒  (included ? s + v : s) ∈ [L + min(0, a), U + max(0, b)]   (every partial sum)
//   attained  s = U, v = b  ⇒  the new end is reached, likewise below; left out where b < 0
//   limited   under a limit of Σ|x|: weak duality, below
//   initial   0 ≤ z ≤ Z  ⇒  c + min(0, s Z) ≤ c + s z ≤ c + max(0, s Z), each end at z = 0 or z = Z: a constant whose zero
//             point varies (the product lemma with l = 0, and the base)
//   split     for α ≤ x ≤ β the product's ends are βw and αw for w > 0, αw and βw for w < 0: so ends depend on P⁺, N⁻ only
// By induction over n every partial sum lies in the range and both ends are attained.
void prove_range_lemma(Solver& solver, const Nodes& nodes) {
  z3::context& c = solver.context();
  const z3::expr zero = solver.number(0);
  const auto integer = [&](const char* name) { return c.int_const(name); };
  // With d = x − l ≥ 0 (and likewise h − x) the three cases are w·d ≥ 0 or its opposite: one product of signs.
  const z3::expr w = integer("w"), l = integer("l"), d = integer("d");
  prove(solver, "product of signs, positive", z3::implies(w > zero && d >= zero, w * d >= zero));
  prove(solver, "product of signs, negative", z3::implies(w < zero && d >= zero, w * d <= zero));
  prove(solver, "product of signs, zero", z3::implies(w == zero, w * d == zero));
  // w x = w l + w (x − l) and w h = w x + w (h − x), as linear facts over the monomials.
  const z3::expr wl = integer("wl"), wx = integer("wx"), wh = integer("wh"), wd = integer("wd"), we = integer("we");
  prove(solver, "distribution", w * (l + d) == w * l + w * d);
  const z3::expr sums = wx == wl + wd && wh == wx + we;
  const z3::expr lowest = least(wl, wh), highest = greatest(wl, wh);
  prove(solver, "product, w > 0",
        z3::implies(sums && wd >= zero && we >= zero, lowest <= wx && wx <= highest && lowest == wl && highest == wh));
  prove(solver, "product, w < 0",
        z3::implies(sums && wd <= zero && we <= zero, lowest <= wx && wx <= highest && lowest == wh && highest == wl));
  prove(solver, "product, w = 0",
        z3::implies(sums && wd == zero && we == zero, lowest <= wx && wx <= highest && lowest == wl && highest == wl));

  const z3::expr s = integer("s"), v = integer("v"), a = integer("a"), b = integer("b"), L = integer("L"),
                 U = integer("U");
  const z3::expr included = c.bool_const("included");
  const z3::expr before = L <= s && s <= U && a <= v && v <= b;
  prove(solver, "base", z3::implies(s == L && L == U, L <= s && s <= U));
  // s z with wl = s · 0 = 0, wx = s z, wh = s Z: it lies between 0 and s Z by the product lemma above; c moves both ends.
  const z3::expr start = integer("c");
  prove(solver, "initial value over its zero points",
        z3::implies(least(zero, wh) <= wx && wx <= greatest(zero, wh),
                    start + least(zero, wh) <= start + wx && start + wx <= start + greatest(zero, wh)));
  prove(solver, "step, final value", z3::implies(before, L + a <= s + v && s + v <= U + b));
  const z3::expr next = z3::ite(included, s + v, s);
  prove(solver, "step, every partial sum",
        z3::implies(before, L + least(zero, a) <= next && next <= U + greatest(zero, b)));
  prove(solver, "attained, final value", z3::implies(s == U && v == b, s + v == U + b));
  prove(solver, "attained, every partial sum",
        z3::implies(s == U && v == b, z3::ite(b > zero, s + v, s) == U + greatest(zero, b)));
  prove(solver, "attained below, every partial sum",
        z3::implies(s == L && v == a, z3::ite(a < zero, s + v, s) == L + least(zero, a)));

  // P⁺, N⁻: with upper = βP + αN, a further weight w > 0 gives β(P + w) + αN, one w < 0 gives βP + α(N + w).
  const z3::expr P = integer("P"), N = integer("N"), lo = integer("lo"), hi = integer("hi");
  prove(solver, "reduction, w > 0", (hi * P + lo * N) + hi * w == hi * (P + w) + lo * N);
  prove(solver, "reduction, w < 0", (hi * P + lo * N) + lo * w == hi * P + lo * (N + w));

  // Under an input limit: with m = |w|, p = |x| ≤ c where w x > 0, and e = m − θ:
  //   term    w x ≤ m p = e p + θ p, and e p ≤ e c for e ≥ 0 (a product of signs with c − p), e p ≤ 0 for e < 0
  //   step    s ≤ X + θ q, t ≤ Y + θ p  ⇒  s + t ≤ (X + Y) + θ (q + p)
  //   end     q ≤ L, θ ≥ 0  ⇒  s ≤ X + θ L
  // so Σ w x ≤ Σ (|w| − θ)⁺ c + θ L for every θ ≥ 0, whatever is left out.
  const z3::expr ep = integer("ep"), ec = integer("ec"), ed = integer("ed"), t = integer("t"), X = integer("X"),
                 Y = integer("Y"), tq = integer("tq"), tp = integer("tp"), tL = integer("tL"), te = integer("te");
  prove(solver, "limited, term", z3::implies(ec == ep + ed && ed >= zero, ep <= ec));
  prove(solver, "limited, step", z3::implies(s <= X + tq && t <= Y + tp, s + t <= (X + Y) + (tq + tp)));
  prove(solver, "limited, end", z3::implies(s <= X + tq && tL == tq + te && te >= zero, s <= X + tL));

  // The limits of a register of P bits: 2^(P−1), built by doubling, less 1; below −(2^(P−1) − 1) or −2^(P−1).
  std::set<std::pair<int, bool>> seen;
  for (std::size_t i = 0; i < nodes.layers(); ++i) {
    const LayerNodes& layer = nodes.layer(i);
    for (std::size_t stage = 0; stage < layer.topology().stages(); ++stage) {
      const int width = layer.topology().stage(stage).width;
      const bool full = layer.topology().stage(stage).limits == Limits::full;
      if (!seen.insert({width, full}).second) {
        continue;
      }
      z3::expr power = solver.number(1);
      for (int bit = 1; bit < width; ++bit) {
        power = (power + power).simplify();
      }
      const IntegerRange limits = layer.limits(stage);
      prove(solver, "limits of " + std::to_string(width) + " bits",
            solver.number(limits.upper) == power - solver.number(1) &&
                solver.number(limits.lower) == (full ? -power : solver.number(1) - power));
    }
  }
}

// Grouping. The values w·x_1 + … + w·x_n with x_i ∈ [l_i, h_i] are exactly w·y with y ∈ [Σ l_i, Σ h_i], y an integer:
//   into   y ∈ [A, B], x ∈ [l, h]  ⇒  y + x ∈ [A + l, B + h]   and   w y + w x = w (y + x)
//   onto   every z ∈ [A + l, B + h] is y + x with y = the value of [A, B] nearest to z − h, x = z − y
// and, for a box that excludes 0, m of n equal boxes [l, h], the others left out: y ∈ [m l, m h], one at a time by the above.
void prove_grouping_lemma(Solver& solver) {
  z3::context& c = solver.context();
  const auto integer = [&](const char* name) { return c.int_const(name); };
  const z3::expr A = integer("A"), B = integer("B"), l = integer("l"), h = integer("h"), x = integer("x"),
                 y = integer("y"), z = integer("z"), w = integer("w");
  prove(solver, "grouping, into", z3::implies(A <= y && y <= B && l <= x && x <= h, A + l <= y + x && y + x <= B + h));
  prove(solver, "grouping, product", w * y + w * x == w * (y + x));
  const z3::expr split = greatest(A, least(B, z - h));
  prove(solver, "grouping, onto",
        z3::implies(A <= B && l <= h && A + l <= z && z <= B + h,
                    A <= split && split <= B && l <= z - split && z - split <= h));
}

}  // namespace axe::smt

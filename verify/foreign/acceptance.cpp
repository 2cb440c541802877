// The acceptance predicate of docs/certificate.md for one layer, as a ground formula: every number stands in it as a literal, every
// definition of the document as a definition, and its negation is asserted, so that `unsat` means accepted. It is written from the
// document's text and uses nothing that the checker, the bounds or the voters compute. Main function: acceptance_text. No side effects.
//
// Left out, because they are no arithmetic: hashes, digest and form of the files, the arrays of the activation quantizer, assumptions.
#include <algorithm>
#include <numeric>

#include "axecert/foreign/formats.hpp"

namespace axe::foreign {
namespace {

/// Where a product's input can go: its box, or the certificate's witness.
enum class Inputs { box, witness };

class Acceptance {
 public:
  explicit Acceptance(const smt::LayerNodes& of) : of_(of), layer_(of.layer()) {}

  std::string text() {
    std::vector<std::string> opening = opening_lines(of_);
    opening.push_back("The acceptance predicate of a certificate, negated, for verdict " +
                      to_text(of_.claims().verdict) + ": unsat means accepted.");
    opening.push_back("Without hashes, digest, form of the files and the activation quantizer's arrays.");
    text_ = comment(opening, "; ");
    text_ += "(set-info :smt-lib-version 2.6)\n(set-logic QF_LIA)\n(set-info :status unsat)\n";
    text_ += "(define-fun least ((a Int) (b Int)) Int (ite (<= a b) a b))\n";
    text_ += "(define-fun greatest ((a Int) (b Int)) Int (ite (>= a b) a b))\n";
    inputs();
    for (std::int64_t r = 0; r < layer_.rows; ++r) {
      row(r);
    }
    verdict();
    worst();
    text_ += "(assert (not (and";
    for (const std::string& claim : claims_) {
      text_ += "\n  " + claim;
    }
    return text_ + ")))\n(check-sat)\n";
  }

 private:
  void define(const std::string& name, const std::string& value) {
    text_ += "(define-fun " + name + " () Int " + value + ")\n";
  }
  static std::string sum(const std::vector<std::string>& terms) {
    if (terms.empty()) {
      return "0";
    }
    if (terms.size() == 1) {
      return terms[0];
    }
    std::string text = "(+";
    for (const std::string& term : terms) {
      text += " " + term;
    }
    return text + ")";
  }
  static std::string call(const char* function, const std::string& a, const std::string& b) {
    return std::string("(") + function + " " + a + " " + b + ")";
  }
  static std::string between(int128 low, int128 value, int128 high) {
    return "(<= " + numeral(low) + " " + numeral(value) + " " + numeral(high) + ")";
  }
  static std::string name(const char* what, std::int64_t r, std::size_t s, std::int64_t n, const char* end) {
    return std::string(what) + std::to_string(r) + "_" + std::to_string(s) + "_" + std::to_string(n) + end;
  }

  /// box ⊆ activations operand, 0 ∈ box under a limit, witness ∈ box, witness keeps the limit, weights ∈ range ⊆ operand.
  void inputs() {
    const LayerClaims& claims = of_.claims();
    const IntegerRange activations = claims.datapath.activations;
    const IntegerRange weights = claims.datapath.weights;
    for (std::int64_t k = 0; k < layer_.cols; ++k) {
      claims_.push_back("(<= " + numeral(activations.lower) + " " + numeral(layer_.lower(k)) + " " +
                        numeral(layer_.upper(k)) + " " + numeral(activations.upper) + ")");
      if (layer_.input_limit != 0) {
        claims_.push_back(between(layer_.lower(k), 0, layer_.upper(k)));
      }
      claims_.push_back(between(layer_.lower(k), witness(k), layer_.upper(k)));
    }
    if (layer_.input_limit != 0) {
      for (std::int64_t n = 0; n < of_.topology().nodes(0); ++n) {
        std::vector<std::string> magnitudes;
        for (const std::int64_t k : of_.products(0, n)) {
          magnitudes.push_back(call("greatest", numeral(witness(k)), numeral(-int128{witness(k)})));
        }
        claims_.push_back("(<= " + sum(magnitudes) + " " + numeral(layer_.input_limit) + ")");
      }
    }
    claims_.push_back("(<= " + numeral(weights.lower) + " " + numeral(claims.weight_range.lower) + " " +
                      numeral(claims.weight_range.upper) + " " + numeral(weights.upper) + ")");
    for (std::int64_t r = 0; r < layer_.rows; ++r) {
      for (std::int64_t k = 0; k < layer_.cols; ++k) {
        claims_.push_back(between(claims.weight_range.lower, layer_.row(r)[k], claims.weight_range.upper));
      }
    }
  }

  std::int64_t witness(std::int64_t k) const { return of_.claims().worst_witness[static_cast<std::size_t>(k)]; }

  /// init, prod, final, partial and range of a row's registers, and that the claims equal them.
  void row(std::int64_t r) {
    const std::string number = std::to_string(r);
    // c_r(z) = bias_r + Σ_k w_rk (offset_k − z)
    std::vector<std::string> at_0, at_1;
    for (const std::int64_t z : {std::int64_t{0}, layer_.zero_point_spread}) {
      std::vector<std::string>& terms = z == 0 && at_0.empty() ? at_0 : at_1;
      terms.push_back(layer_.bias.empty() ? "0" : numeral(layer_.bias[static_cast<std::size_t>(r)]));
      for (std::int64_t k = 0; k < layer_.cols; ++k) {
        const std::int64_t offset = layer_.offset.empty()       ? 0
                                    : layer_.offset.size() == 1 ? layer_.offset[0]
                                                                : layer_.offset[static_cast<std::size_t>(k)];
        if (offset != 0 || z != 0) {
          terms.push_back("(* " + numeral(layer_.row(r)[k]) + " (- " + numeral(offset) + " " + numeral(z) + "))");
        }
      }
    }
    define("c" + number + "_0", sum(at_0));
    define("c" + number + "_1", sum(at_1));
    ranges(r, Inputs::box);
    for (std::size_t s = 0; s < of_.topology().stages(); ++s) {
      for (std::int64_t n = 0; n < of_.topology().nodes(s); ++n) {
        const IntegerRange claimed = of_.claimed({.row = r, .stage = s, .node = n});
        claims_.push_back("(= " + numeral(claimed.lower) + " " + name("range", r, s, n, "_lower") + ")");
        claims_.push_back("(= " + numeral(claimed.upper) + " " + name("range", r, s, n, "_upper") + ")");
      }
    }
  }

  /// final and range of every register of a row over the box, or over the witness.
  void ranges(std::int64_t r, Inputs inputs) {
    const char* final = inputs == Inputs::box ? "final" : "witness_final";
    const char* range = inputs == Inputs::box ? "range" : "witness_range";
    const std::string constant = "c" + std::to_string(r);
    for (std::size_t s = 0; s < of_.topology().stages(); ++s) {
      const Stage& stage = of_.topology().stage(s);
      const bool partial = stage.claim == Claim::every_partial_sum;
      for (std::int64_t n = 0; n < of_.topology().nodes(s); ++n) {
        for (const Side side : {Side::lower, Side::upper}) {
          const bool upper = side == Side::upper;
          const char* end = upper ? "_upper" : "_lower";
          const char* outer = upper ? "greatest" : "least";
          const std::string initial =
              stage.initial == Initial::constant ? call(outer, constant + "_0", constant + "_1") : "0";
          std::vector<std::string> all{initial}, some{initial};
          if (s == 0 && layer_.input_limit != 0 && inputs == Inputs::box) {
            const std::string most = limited(r, n, side);
            all.push_back(upper ? most : "(- " + most + ")");
            some = all;
          } else {
            for (const std::int64_t v : of_.topology().values_of(s, n)) {
              const std::string value = s == 0 ? product(r, v, side, inputs) : name(final, r, s - 1, v, end);
              all.push_back(value);
              some.push_back(call(outer, "0", value));
            }
          }
          define(name(final, r, s, n, end), sum(all));
          define(name(range, r, s, n, end), partial ? sum(some) : name(final, r, s, n, end));
        }
      }
    }
  }

  /// prod(k)'s end.
  std::string product(std::int64_t r, std::int64_t k, Side side, Inputs inputs) const {
    const std::string w = numeral(layer_.row(r)[k]);
    const bool box = inputs == Inputs::box;
    return call(side == Side::upper ? "greatest" : "least",
                "(* " + w + " " + numeral(box ? layer_.lower(k) : witness(k)) + ")",
                "(* " + w + " " + numeral(box ? layer_.upper(k) : witness(k)) + ")");
  }

  /// G(up) or G(down): Σ |w_k| t_k, t_k = min(c_k, what is left of L), the largest |w_k| first.
  std::string limited(std::int64_t r, std::int64_t n, Side side) {
    std::vector<std::int64_t> order = of_.topology().values_of(0, n);
    const auto magnitude = [&](std::int64_t k) { return std::abs(std::int64_t{layer_.row(r)[k]}); };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t a, std::int64_t b) { return magnitude(a) > magnitude(b); });
    const std::string stem = name("left", r, 0, n, side == Side::upper ? "_up" : "_down");
    std::string left = numeral(layer_.input_limit);
    std::vector<std::string> terms;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::int64_t k = order[i];
      if (i > 0) {
        claims_.push_back("(>= " + numeral(magnitude(order[i - 1])) + " " + numeral(magnitude(k)) + ")");
      }
      const bool high = (layer_.row(r)[k] > 0) == (side == Side::upper);
      const std::string taken = stem + "_t" + std::to_string(i), next = stem + std::to_string(i);
      define(taken, call("least", numeral(high ? layer_.upper(k) : -int128{layer_.lower(k)}), left));
      define(next, "(- " + left + " " + taken + ")");
      terms.push_back("(* " + numeral(magnitude(k)) + " " + taken + ")");
      left = next;
    }
    return sum(terms);
  }

  static std::string inside(IntegerRange claimed, IntegerRange limits) {
    return "(and (<= " + numeral(limits.lower) + " " + numeral(claimed.lower) + ") (<= " + numeral(claimed.upper) +
           " " + numeral(limits.upper) + "))";
  }

  template <class Use>
  void each_node(const Use& use) const {
    for (std::int64_t i = 0; i < of_.count(); ++i) {
      use(of_.place(i));
    }
  }

  /// safe: every range inside its limits; unsafe: not every one.
  void verdict() {
    std::string all;
    each_node([&](NodeId id) { all += " " + inside(of_.claimed(id), of_.limits(id.stage)); });
    claims_.push_back(of_.claims().verdict == Verdict::safe ? "(and true" + all + ")" : "(not (and true" + all + "))");
  }

  /// `worst` is the first register with the least margin, `upper` when both ends are equally near, and the witness attains it.
  void worst() {
    const LayerClaims& claims = of_.claims();
    const auto above = [&](NodeId id) {
      return "(- " + numeral(of_.limits(id.stage).upper) + " " + numeral(of_.claimed(id).upper) + ")";
    };
    const auto below = [&](NodeId id) {
      return "(- " + numeral(of_.claimed(id).lower) + " " + numeral(of_.limits(id.stage).lower) + ")";
    };
    define("worst_margin", call("least", above(claims.worst), below(claims.worst)));
    bool before = true;
    each_node([&](NodeId id) {
      before = before && !(id == claims.worst);
      claims_.push_back(std::string(before ? "(> " : "(>= ") + call("least", above(id), below(id)) + " worst_margin)");
    });
    claims_.push_back(std::string(claims.worst_side == Side::upper ? "(<= " : "(> ") + above(claims.worst) + " " +
                      below(claims.worst) + ")");
    ranges(claims.worst.row, Inputs::witness);
    const bool upper = claims.worst_side == Side::upper;
    const IntegerRange claimed = of_.claimed(claims.worst);
    claims_.push_back(
        "(= " + numeral(upper ? claimed.upper : claimed.lower) + " " +
        name("witness_range", claims.worst.row, claims.worst.stage, claims.worst.node, upper ? "_upper" : "_lower") +
        ")");
  }

  const smt::LayerNodes& of_;
  const IntegerLayer& layer_;
  std::string text_;
  std::vector<std::string> claims_;
};

}  // namespace

std::string acceptance_text(const smt::LayerNodes& of) {
  return Acceptance(of).text();
}

}  // namespace axe::foreign

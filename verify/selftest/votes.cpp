// How votes become a verdict, and that what a solver did not finish is never taken for proved. See checks.hpp.
#include "axecert/certificate/vote.hpp"

#include "axecert/selftest/checks.hpp"
#include "axecert/smt/smt.hpp"

namespace axe {
namespace {

Vote vote_of(Verdict verdict, std::int64_t total = 7, std::int64_t checked = 7) {
  Vote vote;
  vote.voter = "voter";
  vote.verdict = verdict;
  vote.nodes_total = total;
  vote.nodes_checked = checked;
  return vote;
}

}  // namespace

void check_combination(SelftestCheck& check) {
  const Verdict all[] = {Verdict::safe, Verdict::unsafe, Verdict::incomplete, Verdict::refused};
  claim(check, combine({}) == Verdict::incomplete, "no vote");
  claim(check, combine({vote_of(Verdict::safe, 7, 6)}) == Verdict::incomplete, "safe without every register");
  claim(check, combine({vote_of(Verdict::safe, 0, 0)}) == Verdict::incomplete, "safe of nothing");
  for (const Verdict a : all) {
    for (const Verdict b : all) {
      for (const Verdict c : all) {
        const auto any = [&](Verdict v) { return a == v || b == v || c == v; };
        const Verdict expected = any(Verdict::refused)                        ? Verdict::refused
                                 : any(Verdict::safe) && any(Verdict::unsafe) ? Verdict::incomplete
                                 : any(Verdict::unsafe)                       ? Verdict::unsafe
                                 : any(Verdict::incomplete)                   ? Verdict::incomplete
                                                                              : Verdict::safe;
        claim(check, combine({vote_of(a), vote_of(b), vote_of(c)}) == expected,
              to_text(a) + ", " + to_text(b) + ", " + to_text(c));
      }
    }
  }
}

void check_not_finished(SelftestCheck& check) {
  IntegerLayer layer;
  layer.name = "layer";
  layer.rows = 2;
  layer.cols = 4;
  layer.weights = {3, -2, 7, 0, -8, 1, 5, -1};
  layer.box_lower = {0};
  layer.box_upper = {255};
  Certificate certificate;
  certificate.layers.push_back(make_claims(layer, parse_datapath("axe:P=14,T=2,outer=32"), InputSource::given));
  for (const SmtDepth depth : {SmtDepth::box, SmtDepth::bit_precise}) {
    SmtOptions options;
    options.depth = depth;
    options.rlimit = 1;
    const Vote vote = smt_vote(certificate, options);
    claim(check, vote.verdict == Verdict::incomplete && vote.nodes_checked < vote.nodes_total,
          "z3 " + to_text(depth) + " with no resources says " + to_text(vote.verdict));
  }
  SmtOptions options;
  options.die_at = 1;
  const Vote vote = smt_vote(certificate, options);
  claim(check, vote.verdict == Verdict::incomplete, "a worker that dies: " + to_text(vote.verdict));
}

}  // namespace axe

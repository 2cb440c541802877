// A program outside the source tree: quantizes a layer of two rows for a 12-bit accumulator, claims its ranges, and
// exits with 0 when the claim is safe and its margins are what the integers say. No side effects but its output.
#include <cstdio>

#include "axecert/certificate/certificate.hpp"
#include "axecert/quantize/quantize.hpp"

int main() {
  axe::LayerProblem problem;
  problem.name = "tiny";
  problem.rows = 2;
  problem.cols = 4;
  problem.weight = {0.5F, -0.25F, 1.0F, 0.75F, -1.0F, 0.125F, 0.5F, -0.5F};
  problem.gram = {4, 1, 0, 0, 1, 3, 0, 0, 0, 0, 2, 1, 0, 0, 1, 5};

  const axe::Datapath datapath = axe::parse_datapath("axe:P=12,T=2");
  const axe::QuantizedLayer quantized = axe::quantize(problem, datapath, {});
  const axe::LayerClaims claims = axe::make_claims(quantized.layer, datapath, axe::InputSource::clamped);

  const axe::IntegerRange limits = axe::register_limits(datapath.stages.front());
  for (std::size_t i = 0; i < claims.ranges.front().upper.size(); ++i) {
    if (axe::margin({claims.ranges.front().lower[i], claims.ranges.front().upper[i]}, limits) < 0) {
      std::printf("node %zu does not fit\n", i);
      return 1;
    }
  }
  std::printf("%s: %s\n", claims.layer.name.c_str(), axe::to_text(claims.verdict).c_str());
  return claims.verdict == axe::Verdict::safe ? 0 : 1;
}

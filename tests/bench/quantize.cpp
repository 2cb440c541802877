// How long quantize() takes on one layer of 1536 × 576 with correlated inputs, one thread: the sweep alone (published options,
// fixed scales: OPTQ and GPFQ, with and without a budget that binds), and the defaults with search and refinement. Counters: the
// relative error and the share of decisions that rationals settled. H and G are given, as in docs/results. Prints to the
// console; no files.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "../synthetic_layer.hpp"
#include "axecert/quantize/quantize.hpp"

namespace {

const axe::LayerProblem& layer() {
  static const axe::LayerProblem problem =
      axe::test::synthetic_layer(
          {.rows = 1536, .cols = 576, .tokens = 640, .seed = 5, .outliers = 0.01, .quiet_channels = true})
          .problem;
  return problem;
}

/// Max-based scales, fixed, so that the time is the sweep's.
std::vector<float> max_based_scales(const axe::LayerProblem& problem) {
  std::vector<float> scales;
  for (std::int64_t r = 0; r < problem.rows; ++r) {
    float largest = 0;
    for (std::int64_t k = 0; k < problem.cols; ++k) {
      largest = std::max(largest, std::fabs(problem.weight[static_cast<std::size_t>(r * problem.cols + k)]));
    }
    scales.push_back(largest / 8);
  }
  return scales;
}

void quantize(benchmark::State& state, const std::string& datapath_text, axe::Corrector corrector, bool defaults) {
  const axe::Datapath datapath = axe::parse_datapath(datapath_text);
  axe::QuantizeOptions options = defaults ? axe::QuantizeOptions{} : axe::QuantizeOptions::published();
  options.corrector = corrector;
  if (!defaults) {
    options.scales = max_based_scales(layer());
  }
  axe::QuantizedLayer result;
  for (auto _ : state) {
    result = axe::quantize(layer(), datapath, options);
    benchmark::DoNotOptimize(result.layer.weights.data());
  }
  state.counters["error"] = result.relative_error;
  state.counters["exact"] = static_cast<double>(result.statistics.settled_exactly) /
                            static_cast<double>(std::max<std::int64_t>(1, result.statistics.decisions));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * layer().rows * layer().cols);
}

const bool added = [] {
  using axe::Corrector;
  const auto add = [](const std::string& name, const char* datapath, Corrector corrector, bool defaults) {
    benchmark::RegisterBenchmark((name + "/" + datapath).c_str(), quantize, datapath, corrector, defaults)
        ->Unit(benchmark::kMillisecond);
  };
  for (const char* datapath : {"axe:P=32", "axe:P=16,T=128", "axe:P=14,T=64,act=s8", "axe:P=14,T=64,act=box"}) {
    add("sweep/optq", datapath, Corrector::optq, false);
    add("sweep/gpfq", datapath, Corrector::gpfq, false);
    add("defaults", datapath, Corrector::optq, true);
  }
  return true;
}();

}  // namespace

// Nodes per second of the Z3 and replay voters on a random 1536 × 576 layer of 4-bit weights: T = 64 and 128, one box for all
// channels and one per channel. Run: bench_voters --benchmark_filter=box
#include <benchmark/benchmark.h>

#include <random>
#include <stdexcept>

#include "axecert/replay/replay.hpp"
#include "axecert/smt/smt.hpp"

namespace {

using namespace axe;

Certificate layer(const char* datapath, bool channels) {
  std::mt19937_64 random(1);
  IntegerLayer of;
  of.name = "random";
  of.rows = 1536;
  of.cols = 576;
  for (std::int64_t i = 0; i < of.rows * of.cols; ++i) {
    of.weights.push_back(static_cast<std::int8_t>(static_cast<int>(random() % 15) - 7));
  }
  for (std::int64_t k = 0; k < (channels ? of.cols : 1); ++k) {
    of.box_lower.push_back(channels ? -static_cast<std::int32_t>(random() % 100) : 0);
    of.box_upper.push_back(channels ? static_cast<std::int32_t>(random() % 100) : 255);
  }
  Certificate result;
  result.layers.push_back(make_claims(std::move(of), parse_datapath(datapath), InputSource::given));
  return result;
}

void report(benchmark::State& state, const Vote& vote) {
  if (vote.nodes_checked != vote.nodes_total || vote.verdict == Verdict::refused) {
    throw std::runtime_error("the vote is not complete: " + vote.detail);
  }
  state.counters["nodes"] = static_cast<double>(vote.nodes_total);
  state.counters["nodes/s"] =
      benchmark::Counter(static_cast<double>(vote.nodes_total), benchmark::Counter::kIsIterationInvariantRate);
}

void smt(benchmark::State& state, SmtDepth depth, const char* datapath, bool channels) {
  const Certificate certificate = layer(datapath, channels);
  SmtOptions options;
  options.depth = depth;
  Vote vote;
  for (auto _ : state) {
    vote = smt_vote(certificate, options);
  }
  report(state, vote);
}

void replay(benchmark::State& state, const char* datapath, bool channels) {
  const Certificate certificate = layer(datapath, channels);
  Vote vote;
  for (auto _ : state) {
    vote = replay_vote(certificate, {});
  }
  report(state, vote);
}

BENCHMARK_CAPTURE(smt, ground_T64, SmtDepth::ground, "axe:P=18,T=64", false)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(smt, ground_T128, SmtDepth::ground, "axe:P=18,T=128", false)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(smt, ground_T64_channels, SmtDepth::ground, "axe:P=18,T=64,act=box", true)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(smt, box_T64, SmtDepth::box, "axe:P=18,T=64", false)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(smt, box_T128, SmtDepth::box, "axe:P=18,T=128", false)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(smt, box_T64_channels, SmtDepth::box, "axe:P=18,T=64,act=box", true)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replay, T64, "axe:P=18,T=64", false)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replay, T64_channels, "axe:P=18,T=64,act=box", true)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace

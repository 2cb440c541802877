// How fast the checker's core proves layers, beside how fast their weights can be read at all, in one run on one thread. Each
// line's bytes_per_second counts int8 weights. `core` is axc_prove_layer alone (all ranges, the comparison with the claims,
// verdict, worst register, witness); `whole` is axc_check, which hashes every weight too. Prints to the console; no files.
#include <benchmark/benchmark.h>

#include <cstring>

#include "../golden/tiny_files.hpp"
#include "axecert/checker/checker.h"
extern "C" {
#include "axecert/checker/core.h"
}

namespace {

using namespace axe;

struct Sample {
  tiny::Bytes certificate;
  tiny::Bytes weights;
  std::vector<std::int64_t> scratch;
  axc_layer layer;
};

// 128 MiB of weights: more than the caches hold. group 0 is one register per row.
Sample make_sample(std::int64_t group, bool per_channel) {
  IntegerLayer layer;
  layer.name = "bench";
  layer.rows = 32768;
  layer.cols = 4096;
  layer.weights.resize(static_cast<std::size_t>(layer.rows * layer.cols));
  std::uint32_t state = 1;
  for (std::int8_t& w : layer.weights) {
    state = state * 1664525U + 1013904223U;
    w = static_cast<std::int8_t>(state >> 24);
  }
  layer.box_lower.assign(per_channel ? 4096 : 1, -3);
  layer.box_upper.assign(per_channel ? 4096 : 1, 200);
  Datapath datapath;
  datapath.name = "bench";
  datapath.activations = {-255, 255};
  Stage inner;
  inner.name = "tile";
  inner.width = 32;
  inner.group = group;
  Stage outer;
  outer.name = "outer";
  outer.width = 40;
  outer.initial = Initial::constant;
  datapath.stages = {inner, outer};
  tiny::Arrays arrays;
  tiny::add_layer(arrays, layer);
  Sample sample{certificate_bytes({"bench", {make_claims(layer, datapath, InputSource::clamped)}}),
                tiny::weights_file(arrays),
                {},
                {}};
  axc_certificate open;
  std::size_t position = 0;
  const axc_pause no_pause{nullptr, nullptr};
  if (axc_open(sample.certificate.data(), sample.certificate.size(), &no_pause, &open, &position) != AXC_PROVED)
    throw std::logic_error("refused");
  if (!axc_next_layer(&open, &sample.layer)) throw std::logic_error("refused");
  sample.layer.weights = reinterpret_cast<const signed char*>(sample.weights.data() +
                                                              tiny::extent_of(sample.weights, "bench.weight").begin);
  sample.layer.bias = nullptr;
  sample.scratch.resize(4 * static_cast<std::size_t>(open.most_nodes));
  return sample;
}

const Sample& sample_of(std::int64_t group, bool per_channel) {
  static std::int64_t kept_group = -1;
  static bool kept_per_channel = false;
  static Sample kept;
  if (group != kept_group || per_channel != kept_per_channel) {
    kept = make_sample(group, per_channel);
    kept_group = group;
    kept_per_channel = per_channel;
  }
  return kept;
}

void count(benchmark::State& state, const Sample& sample) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * sample.layer.rows * sample.layer.cols);
}

void read_only(benchmark::State& state) {
  const Sample& sample = sample_of(64, false);
  const auto size = static_cast<std::size_t>(sample.layer.rows * sample.layer.cols);
  for (auto _ : state) {
    std::uint64_t sums[8] = {};
    for (std::size_t i = 0; i < size; i += 64) {
      std::uint64_t words[8];
      std::memcpy(words, sample.layer.weights + i, 64);
      for (int j = 0; j < 8; ++j) sums[j] += words[j];
    }
    benchmark::DoNotOptimize(sums);
  }
  count(state, sample);
}

void core(benchmark::State& state) {
  const Sample& sample = sample_of(state.range(0), state.range(1) != 0);
  std::vector<std::int64_t> scratch = sample.scratch;
  for (auto _ : state) {
    axc_finding finding;
    axc_prove_layer(&sample.layer, scratch.data(), &finding);
    if (finding.reason != AXC_PROVED) state.SkipWithError("not proved");
    benchmark::DoNotOptimize(finding);
  }
  count(state, sample);
}

void whole(benchmark::State& state) {
  const Sample& sample = sample_of(64, false);
  for (auto _ : state) {
    axc_report report;
    if (axc_check(sample.certificate.data(), sample.certificate.size(), sample.weights.data(), sample.weights.size(),
                  &report) != AXC_SAFE) {
      state.SkipWithError("not safe");
    }
  }
  count(state, sample);
}

BENCHMARK(read_only)->Unit(benchmark::kMillisecond);
BENCHMARK(core)
    ->ArgNames({"group", "per_channel"})
    ->Args({64, 0})
    ->Args({128, 0})
    ->Args({32, 0})
    ->Args({2, 0})
    ->Args({0, 0})
    ->Args({64, 1})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(whole)->Unit(benchmark::kMillisecond);

}  // namespace

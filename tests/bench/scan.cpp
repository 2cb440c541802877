// How fast the ranges of a layer are computed, beside how fast its weights can be read at all: `layer_ranges` on one
// thread, for datapaths and boxes that take different paths through lib/bound. Each line's bytes_per_second counts int8
// weights: one layer of 1536 × 576, which stays in the cache, and a model of 16 layers of 4096 × 4096, which does not.
// Prints to the console; no files.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "axecert/bound/range.hpp"

namespace {

using axe::IntegerLayer;

IntegerLayer make_layer(std::int64_t rows, std::int64_t cols, bool per_channel) {
  IntegerLayer layer;
  layer.name = "bench";
  layer.rows = rows;
  layer.cols = cols;
  layer.weights.resize(static_cast<std::size_t>(rows * cols));
  std::uint32_t state = 1;
  for (std::int8_t& w : layer.weights) {
    state = state * 1664525U + 1013904223U;
    w = static_cast<std::int8_t>(state >> 24);
  }
  const auto channels = static_cast<std::size_t>(per_channel ? cols : 1);
  layer.box_lower.assign(channels, 0);
  layer.box_upper.assign(channels, 255);
  for (std::size_t k = 0; per_channel && k < channels; ++k) {
    layer.box_lower[k] = -static_cast<std::int32_t>(k % 120);
    layer.box_upper[k] = static_cast<std::int32_t>(k % 119);
  }
  return layer;
}

const std::vector<IntegerLayer>& layers_of(bool large, bool per_channel) {
  static std::vector<IntegerLayer> layers[2][2];
  std::vector<IntegerLayer>& wanted = layers[large][per_channel];
  if (wanted.empty()) {
    wanted.assign(large ? 16 : 1, large ? make_layer(4096, 4096, per_channel) : make_layer(1536, 576, per_channel));
  }
  return wanted;
}

void count_weights(benchmark::State& state, const std::vector<IntegerLayer>& layers) {
  std::size_t weights = 0;
  for (const IntegerLayer& layer : layers) {
    weights += layer.weights.size();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(weights));
}

/// Reads the weights and does as little as possible with them: eight 64-bit sums.
void read_only(benchmark::State& state, bool large) {
  for (auto _ : state) {
    std::uint64_t sums[8] = {};
    for (const IntegerLayer& layer : layers_of(large, false)) {
      for (std::size_t i = 0; i + 64 <= layer.weights.size(); i += 64) {
        std::uint64_t words[8];
        std::memcpy(words, layer.weights.data() + i, 64);
        for (std::size_t j = 0; j < 8; ++j) {
          sums[j] += words[j];
        }
      }
    }
    benchmark::DoNotOptimize(sums);
  }
  count_weights(state, layers_of(large, false));
}

void ranges(benchmark::State& state, const std::string& datapath, bool large, bool per_channel) {
  const std::vector<IntegerLayer>& layers = layers_of(large, per_channel);
  const axe::Topology topology(axe::parse_datapath(datapath), layers[0].cols);
  for (auto _ : state) {
    for (const IntegerLayer& layer : layers) {
      benchmark::DoNotOptimize(axe::layer_ranges(layer, topology));
    }
  }
  count_weights(state, layers);
}

void add(bool large) {
  const std::string size = large ? "model" : "layer";
  benchmark::RegisterBenchmark(("read/" + size).c_str(), read_only, large);
  for (const char* datapath : {"axe:P=16", "axe:P=16,T=128", "axe:P=16,T=64", "axe:P=16,T=32", "axe:P=16,T=16",
                               "x86-avx2-maddubs", "neon-mull-mlal"}) {
    benchmark::RegisterBenchmark((std::string("ranges/") + datapath + "/" + size).c_str(), ranges, datapath, large,
                                 false);
  }
  for (const char* datapath : {"axe:P=16,T=64,act=box", "axe:P=16,T=32,act=box"}) {
    benchmark::RegisterBenchmark((std::string("ranges/") + datapath + "/" + size).c_str(), ranges, datapath, large,
                                 true);
  }
}

const bool added = (add(false), add(true), true);

}  // namespace

BENCHMARK_MAIN();

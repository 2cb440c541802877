// Dot products small enough to be executed whole, chosen at random or by a fuzzer: layer, datapath, and where its box comes from. Main
// function: random_instance. No side effects.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "axecert/certificate/certificate.hpp"

namespace axe::brute_force {

/// Where the choices come from.
class Choices {
 public:
  virtual ~Choices() = default;
  /// Any integer of [lower, upper].
  virtual std::int64_t in(std::int64_t lower, std::int64_t upper) = 0;
  bool one_in(int n) { return in(1, n) == 1; }
};

struct Instance {
  IntegerLayer layer;
  Datapath datapath;
  InputSource source;
};

inline IntegerLayer random_layer(Choices& random) {
  IntegerLayer layer;
  layer.name = "row";
  layer.rows = 1;
  layer.cols = random.in(1, 6);
  const bool small = random.one_in(2);
  for (std::int64_t k = 0; k < layer.cols; ++k) {
    const std::int64_t weight = random.one_in(8) ? (random.one_in(2) ? -128 : 127)
                                : small          ? random.in(-3, 3)
                                                 : random.in(-128, 127);
    layer.weights.push_back(static_cast<std::int8_t>(weight));
  }
  const bool channels = random.one_in(2);
  const std::int64_t reach = random.one_in(2) ? 3 : random.one_in(2) ? 130 : std::int64_t{1} << 24;
  for (std::int64_t k = 0; k < (channels ? layer.cols : 1); ++k) {
    // Few inputs per channel, so that all of them can be tried: 2 values where there are many channels or one box for all of them.
    const std::int64_t more = layer.cols <= 3 ? 3 : layer.cols == 4 ? 2 : 1;
    const std::int64_t width = random.in(0, more);
    const std::int64_t lower = random.one_in(3) ? random.in(-width, 0) : random.in(-reach, reach - width);
    layer.box_lower.push_back(static_cast<std::int32_t>(lower));
    layer.box_upper.push_back(static_cast<std::int32_t>(lower + width));
  }
  if (random.one_in(2)) {
    const std::int64_t size = random.one_in(4) ? std::int64_t{1} << 40 : 300;
    layer.bias = {random.in(-size, size)};
  }
  if (random.one_in(2)) {
    const std::int64_t offsets = random.one_in(2) ? 1 : layer.cols;
    for (std::int64_t k = 0; k < offsets; ++k) {
      layer.offset.push_back(static_cast<std::int32_t>(random.in(-200, 200)));
    }
  }
  layer.zero_point_spread = random.one_in(3) ? random.in(1, 4) : 0;
  bool holds_zero = true;
  for (std::size_t k = 0; k < layer.box_lower.size(); ++k) {
    holds_zero = holds_zero && layer.box_lower[k] <= 0 && layer.box_upper[k] >= 0;
  }
  if (holds_zero && random.one_in(2)) {
    layer.input_limit = random.in(1, 8);
  }
  return layer;
}

inline Stage random_stage(Choices& random, std::size_t index) {
  Stage stage;
  stage.name = "s" + std::to_string(index);
  stage.group = random.one_in(3) ? 0 : random.in(1, 4);
  stage.stride = random.one_in(2) ? 1 : random.in(1, 3);
  stage.overflow = static_cast<Overflow>(random.in(0, 2));
  stage.limits = random.one_in(2) ? Limits::symmetric : Limits::full;
  if (stage.overflow == Overflow::wrap && random.one_in(2)) {
    stage.claim = Claim::final_value;
  }
  return stage;
}

/// Widths are chosen around what the ranges need, so that about as many instances are safe as not.
inline Instance random_instance(Choices& random) {
  Instance instance{random_layer(random), {}, static_cast<InputSource>(random.in(0, 2))};
  Datapath& datapath = instance.datapath;
  datapath.name = "random";
  datapath.activations = {-(1 << 24), 1 << 24};
  const std::int64_t stages = random.in(1, 3);
  for (std::int64_t s = 0; s < stages; ++s) {
    datapath.stages.push_back(random_stage(random, static_cast<std::size_t>(s)));
    datapath.stages.back().width = 64;
  }
  if (random.one_in(2)) {
    const auto s = static_cast<std::size_t>(random.in(0, stages - 1));
    datapath.stages[s].group = 0;
    datapath.stages[s].stride = 1;
    datapath.stages[s].initial = Initial::constant;
  }
  const Topology topology(datapath, instance.layer.cols);
  const std::vector<StageRanges> ranges = layer_ranges(instance.layer, topology);
  const bool meant_safe = random.one_in(2);
  for (std::size_t s = 0; s < datapath.stages.size(); ++s) {
    int needed = 1;
    for (std::size_t n = 0; n < ranges[s].lower.size(); ++n) {
      needed = std::max(needed, minimum_width({ranges[s].lower[n], ranges[s].upper[n]}, datapath.stages[s].limits));
    }
    const std::int64_t change = random.one_in(8) ? random.in(-64, 64) : meant_safe ? random.in(0, 1) : random.in(-2, 1);
    datapath.stages[s].width = static_cast<int>(std::clamp<std::int64_t>(needed + change, 1, 64));
  }
  return instance;
}

inline std::string story_of(const Instance& instance) {
  const IntegerLayer& layer = instance.layer;
  std::string text;
  for (std::int64_t k = 0; k < layer.cols; ++k) {
    text += std::to_string(layer.row(0)[k]) + "·[" + std::to_string(layer.lower(k)) + ", " +
            std::to_string(layer.upper(k)) + "] ";
  }
  text += "bias " + (layer.bias.empty() ? "none" : std::to_string(layer.bias[0])) + ", offsets";
  for (const std::int32_t offset : layer.offset) text += " " + std::to_string(offset);
  text += ", spread " + std::to_string(layer.zero_point_spread);
  for (const Stage& stage : instance.datapath.stages) {
    text += "\n    group " + std::to_string(stage.group) + ", stride " + std::to_string(stage.stride) + ", " +
            std::to_string(stage.width) + " bits, " + to_text(stage.overflow) + ", " + to_text(stage.limits) + ", " +
            to_text(stage.initial) + ", " + to_text(stage.claim);
  }
  return text;
}

}  // namespace axe::brute_force

// Brings a layer into the form in which a kernel multiplies it, for whoever certifies it and for the kernel, which compares:
// `tile_form`. No side effects.
#include "axecert/kernel/licence.hpp"

#include "axecert/bound/layer_shape.hpp"
#include "axecert/certificate/sha256.hpp"
#include "axecert/kernel/tile_loops.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

using namespace kernel;

constexpr IntegerRange bytes{0, 255};
constexpr IntegerRange weights{-128, 127};

Stage stage_of(std::string name, int width, std::int64_t group, std::int64_t stride, Overflow overflow) {
  return {std::move(name), width, group, stride, overflow, Limits::full, Initial::zero, Claim::every_partial_sum};
}

Datapath datapath_of(std::string name, std::string title, IntegerRange activations, std::vector<Stage> stages) {
  Datapath result;
  result.name = std::move(name);
  result.title = std::move(title);
  result.weights = weights;
  result.activations = activations;
  result.stages = std::move(stages);
  return result;
}

}  // namespace

bool is_tile(std::int64_t products) {
  return products == 16 || products == 32 || products == 64 || products == 128;
}

TileForm tile_form(const IntegerLayer& layer, const Topology& topology, std::int32_t base, std::int64_t tile) {
  const std::string place = "licence of layer '" + layer.name + "'";
  validate_shape(layer);
  validate_topology(layer, topology);
  if (!is_tile(tile)) {
    throw InputError(place, "tile of " + std::to_string(tile) + " products", "16, 32, 64 or 128");
  }
  if (base < -largest_operand || base > largest_operand - bytes.upper) {
    throw InputError(place, "base " + std::to_string(base), "within ±" + std::to_string(largest_operand));
  }
  for (std::int64_t k = 0; k < layer.cols; ++k) {
    if (layer.lower(k) < base || layer.upper(k) > base + bytes.upper) {
      throw InputError(place,
                       "channel " + std::to_string(k) + " ranges over [" + std::to_string(layer.lower(k)) + ", " +
                           std::to_string(layer.upper(k)) + "]",
                       "operands of 8 bits above the base " + std::to_string(base));
    }
  }

  TileForm form{PackedOrder(topology, topology.stages() - 1, tile_step), {}, {}, {}, {}, {}};
  const std::size_t length = form.order.length();
  IntegerLayer& pairs = form.pairs;
  pairs.rows = layer.rows;
  pairs.cols = static_cast<std::int64_t>(length);
  pairs.weights.assign(static_cast<std::size_t>(layer.rows) * length, 0);
  form.order.for_each_weight(layer,
                             [&](std::size_t r, std::size_t p, std::int8_t w) { pairs.weights[r * length + p] = w; });
  pairs.box_lower.assign(length, 0);  // what is multiplied where there is padding: bytes of 0, with weights of 0
  pairs.box_upper.assign(length, 0);
  form.lanes = pairs;
  pairs.name = layer.name + ".pairs";
  form.lanes.name = layer.name + ".lanes";
  for (std::size_t p = 0; p < length; ++p) {
    const std::int32_t k = form.order.source(p);
    const std::int32_t lower = k < 0 ? base : layer.lower(k);
    const std::int32_t upper = k < 0 ? base : layer.upper(k);
    form.lanes.box_lower[p] = lower;
    form.lanes.box_upper[p] = upper;
    pairs.box_lower[p] = lower - base;
    pairs.box_upper[p] = upper - base;
  }

  // The last stage stands for the 32- and 64-bit sums, which no operands fill.
  const Stage rest = stage_of("row", 64, 0, 1, Overflow::wrap);
  form.pairs_datapath = datapath_of("maddubs-pairs", "u8 × s8 pairs as vpmaddubsw adds them", bytes,
                                    {stage_of("pair", 16, 2, 1, Overflow::saturate), rest});
  // Products 4q, 4q + 1 go to the first lane, 4q + 2 and 4q + 3 to the second: every other pair.
  form.lanes_datapath = datapath_of(
      "maddubs-lanes-" + std::to_string(tile), "both 16-bit lanes of a row over " + std::to_string(tile) + " products",
      {base, base + bytes.upper},
      {stage_of("pair", 64, 2, 1, Overflow::wrap), stage_of("lane", 16, tile / 4, 2, Overflow::wrap), rest});

  Sha256Stream hash;
  const std::int64_t numbers[] = {layer.rows, pairs.cols, base, tile};
  hash.update(numbers, sizeof numbers);
  hash.update(pairs.weights.data(), pairs.weights.size());
  hash.update(pairs.box_lower.data(), pairs.box_lower.size() * sizeof pairs.box_lower[0]);
  hash.update(pairs.box_upper.data(), pairs.box_upper.size() * sizeof pairs.box_upper[0]);
  form.digest = hash.finish();
  return form;
}

}  // namespace axe

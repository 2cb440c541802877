// Brings a layer into the form in which a kernel multiplies it, for whoever certifies it and for the kernel, which compares:
// `tile_form`. No side effects.
#include "axecert/kernel/licence.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "axecert/bound/layer_shape.hpp"
#include "axecert/certificate/sha256.hpp"
#include "axecert/kernel/tile_loops.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

using namespace kernel;

constexpr IntegerRange bytes{0, 255};
constexpr IntegerRange any_weight{-128, 127};

Stage stage_of(std::string name, int width, std::int64_t group, Overflow overflow) {
  return {std::move(name), width, group, 1, overflow, Limits::full, Initial::zero, Claim::every_partial_sum};
}

Datapath datapath_of(std::string name, std::string title, IntegerRange activations, std::vector<Stage> stages) {
  Datapath result;
  result.name = std::move(name);
  result.title = std::move(title);
  result.weights = any_weight;
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

  TileForm form{PackedOrder(topology, topology.stages() - 1, tile_step), {}, {}, {}, {}, {}, {}};
  const auto rows = static_cast<std::size_t>(layer.rows);
  const std::size_t length = form.order.length();
  form.weights.assign(rows * length, 0);
  form.order.for_each_weight(layer,
                             [&](std::size_t r, std::size_t p, std::int8_t w) { form.weights[r * length + p] = w; });
  // Operands at each packed position; where there is padding the weight is 0, and any operand will do.
  const bool uniform = layer.box_lower.size() == 1 && layer.box_upper.size() == 1;
  std::vector<std::int32_t> lower(uniform ? 1 : length, layer.lower(0));
  std::vector<std::int32_t> upper(uniform ? 1 : length, layer.upper(0));
  for (std::size_t p = 0; !uniform && p < length; ++p) {
    const std::int32_t k = std::max(form.order.source(p), 0);
    lower[p] = layer.lower(k);
    upper[p] = layer.upper(k);
  }

  // Products 4q, 4q + 1 of a tile go to the first lane, 4q + 2 and 4q + 3 to the second; every lane is filled up with zeros.
  const auto tile_length = static_cast<std::size_t>(tile);
  const auto in_lanes = [&](std::size_t p) {
    return p / tile_length * tile_length + p / 2 % 2 * (tile_length / 2) + p % tile_length / 4 * 2 + p % 2;
  };
  const std::size_t lanes_length = (length + tile_length - 1) / tile_length * tile_length;
  IntegerLayer& lanes = form.lanes;
  lanes.name = layer.name + ".lanes";
  lanes.rows = layer.rows;
  lanes.cols = static_cast<std::int64_t>(lanes_length);
  lanes.weights.assign(rows * lanes_length, 0);
  std::vector<std::size_t> lane_position(length);
  for (std::size_t p = 0; p < length; ++p) {
    lane_position[p] = in_lanes(p);
  }
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t p = 0; p < length; ++p) {
      lanes.weights[r * lanes_length + lane_position[p]] = form.weights[r * length + p];
    }
  }
  lanes.box_lower.assign(uniform ? 1 : lanes_length, lower[0]);
  lanes.box_upper.assign(uniform ? 1 : lanes_length, upper[0]);
  for (std::size_t p = 0; !uniform && p < length; ++p) {
    lanes.box_lower[lane_position[p]] = lower[p];
    lanes.box_upper[lane_position[p]] = upper[p];
  }
  if (layer.input_limit != 0) {
    std::map<std::size_t, std::set<std::int64_t>> registers;  // of the layer's lowest stage, by lane
    for (std::size_t p = 0; p < length; ++p) {
      if (form.order.source(p) >= 0) {
        registers[lane_position[p] / (tile_length / 2)].insert(topology.node_of_product(0, form.order.source(p)));
      }
    }
    std::size_t most = 1;
    for (const auto& [lane, found] : registers) {
      most = std::max(most, found.size());
    }
    lanes.input_limit = std::min(largest_input_limit, static_cast<std::int64_t>(most) * layer.input_limit);
  }
  // The last stage stands for the 32- and 64-bit sums, which no operands fill.
  const Stage rest = stage_of("row", 64, 0, Overflow::wrap);
  form.lanes_datapath = datapath_of("maddubs-lanes-" + std::to_string(tile),
                                    "one of the two 16-bit lanes of a row over " + std::to_string(tile) + " products",
                                    {base, base + bytes.upper}, {stage_of("lane", 16, tile / 2, Overflow::wrap), rest});

  if (!within_pair_weight(layer.weights)) {
    IntegerLayer& pairs = form.pairs.emplace();
    pairs.name = layer.name + ".pairs";
    pairs.rows = layer.rows;
    pairs.cols = static_cast<std::int64_t>(length);
    pairs.weights = form.weights;
    for (std::size_t p = 0; p < lower.size(); ++p) {
      pairs.box_lower.push_back(lower[p] - base);
      pairs.box_upper.push_back(upper[p] - base);
    }
    form.pairs_datapath = datapath_of("maddubs-pairs", "u8 × s8 pairs as vpmaddubsw adds them", bytes,
                                      {stage_of("pair", 16, 2, Overflow::saturate), rest});
  }

  Sha256Stream hash;
  const std::int64_t numbers[] = {layer.rows,       static_cast<std::int64_t>(length), base, tile, uniform ? 1 : 0,
                                  lanes.input_limit};
  hash.update(numbers, sizeof numbers);
  hash.update(form.weights.data(), form.weights.size());
  hash.update(lower.data(), lower.size() * sizeof lower[0]);
  hash.update(upper.data(), upper.size() * sizeof upper[0]);
  form.digest = hash.finish();
  return form;
}

}  // namespace axe

// Exact ranges of registers for bare integer weights. No side effects.
#include "axecert/bound/range.hpp"
#include "axecert/constraint/input_limit.hpp"

#include "bind.hpp"

namespace axe::python {
namespace {

struct Ranges {
  std::vector<StageRanges> stages;
  std::int64_t rows = 0;
};

/// What `register_ranges` and `node_witness` are asked about.
IntegerLayer layer_of(const In<std::int8_t, 2>& weights, const In<std::int32_t, 1>& lower,
                      const In<std::int32_t, 1>& upper, const std::optional<In<std::int64_t, 1>>& constant) {
  IntegerLayer layer;
  layer.name = "layer";
  layer.rows = static_cast<std::int64_t>(weights.shape(0));
  layer.cols = static_cast<std::int64_t>(weights.shape(1));
  layer.weights = vector_of(weights);
  layer.box_lower = vector_of(lower);
  layer.box_upper = vector_of(upper);
  if (constant) {
    layer.bias = vector_of(*constant);
  }
  return layer;
}

}  // namespace

void bind_bounds(nb::module_& module) {
  module.def(
      "register_ranges",
      [](const In<std::int8_t, 2>& weights, const Datapath& datapath, const In<std::int32_t, 1>& lower,
         const In<std::int32_t, 1>& upper, const std::optional<In<std::int64_t, 1>>& constant) {
        const IntegerLayer layer = layer_of(weights, lower, upper, constant);
        std::vector<StageRanges> ranges;
        {
          nb::gil_scoped_release unlocked;
          validate(layer, datapath);
          ranges = layer_ranges(layer, Topology(datapath, layer.cols));
        }
        nb::typed<nb::list, std::pair<Out<std::int64_t>, Out<std::int64_t>>> result;
        for (StageRanges& stage : ranges) {
          const std::vector<std::size_t> shape{static_cast<std::size_t>(layer.rows), static_cast<std::size_t>(stage.nodes)};
          result.append(nb::make_tuple(array_of(std::move(stage.lower), shape), array_of(std::move(stage.upper), shape)));
        }
        return result;
      },
      "weights"_a.noconvert(), "datapath"_a, "lower"_a.noconvert(), "upper"_a.noconvert(), "constant"_a.noconvert() = nb::none(),
      "The exact range of every register over all inputs in the box and all orders of summation (docs/certificate.md).\n\n"
      "weights   int8 [rows, K]: operands of the multiplier.\n"
      "lower, upper  int32 [1] or [K]: the box of inputs, within ±2^24.\n"
      "constant  int64 [rows]: what the stage that starts from the constant starts from; None: 0.\n"
      "Returns one (lower, upper) per stage, each int64 [rows, registers]. Both ends are attained. InputError on bad input.");
  module.def(
      "node_witness",
      [](const In<std::int8_t, 2>& weights, const Datapath& datapath, const In<std::int32_t, 1>& lower,
         const In<std::int32_t, 1>& upper, std::int64_t row, std::size_t stage, std::int64_t node, bool upper_end) {
        const IntegerLayer layer = layer_of(weights, lower, upper, std::nullopt);
        return array_of(witness(layer, Topology(datapath, layer.cols), {row, stage, node}, upper_end ? Side::upper : Side::lower));
      },
      "weights"_a.noconvert(), "datapath"_a, "lower"_a.noconvert(), "upper"_a.noconvert(), "row"_a, "stage"_a, "node"_a, "upper_end"_a,
      "Inputs int32 [K] in the box that drive one register to its upper (or lower) end; arguments as of register_ranges.");
  module.def(
      "input_limit",
      [](const Datapath& datapath, std::int64_t length, std::int64_t largest_weight) {
        return input_limit(Topology(datapath, length), largest_weight);
      },
      "datapath"_a, "length"_a, "largest_weight"_a,
      "The largest L such that Σ |x| ≤ L in each register of the lowest stage keeps every register of a dot product of `length`\n"
      "terms within its limits, whatever the weights within ±largest_weight. InputError when not even 1 does.");
  module.def(
      "data_type_bound",
      [](std::int64_t length, int weight_bits, int activation_bits, bool activations_signed) {
        const DataTypeBound bound = data_type_bound(length, weight_bits, activation_bits, activations_signed);
        return std::pair(bound.paper, bound.exact);
      },
      "length"_a, "weight_bits"_a, "activation_bits"_a, "activations_signed"_a,
      "(paper, exact): bits of an accumulator that `length` products of these types cannot overflow, by the formula of the AXE\n"
      "paper (Eq. 3) and by the extreme integers themselves, with symmetric limits.");
}

}  // namespace axe::python

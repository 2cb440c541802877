// The quantizer for Python: its options, one layer's quantization, and the quantized layer with its arrays. No side effects but
// those of the files that are read or written.
#include "axecert/quantize/quantize.hpp"

#include <nanobind/stl/function.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/variant.h>

#include <array>
#include <memory>

#include "axecert/certificate/atomic_file.hpp"
#include "axecert/model/layers.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/quantize/equalize.hpp"
#include "bind.hpp"

namespace axe::python {
namespace {

template <class Enum, std::size_t count>
Enum choice(const std::array<std::pair<const char*, Enum>, count>& names, const std::string& text, const char* place) {
  std::string all;
  for (const auto& [name, value] : names) {
    if (text == name) {
      return value;
    }
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  throw InputError(place, "'" + text + "' is not known", "use one of " + all);
}

template <class Enum, std::size_t count>
std::string name_of(const std::array<std::pair<const char*, Enum>, count>& names, Enum value) {
  for (const auto& [name, entry] : names) {
    if (entry == value) {
      return name;
    }
  }
  return "?";
}

constexpr std::array<std::pair<const char*, Corrector>, 4> correctors{
    {{"none", Corrector::none}, {"optq", Corrector::optq}, {"gpfq", Corrector::gpfq}, {"qronos", Corrector::qronos}}};
constexpr std::array<std::pair<const char*, Constraint>, 5> constraints{{{"none", Constraint::none},
                                                                         {"datatype", Constraint::datatype},
                                                                         {"ep-init", Constraint::ep_init},
                                                                         {"axe", Constraint::axe},
                                                                         {"input", Constraint::input}}};
constexpr std::array<std::pair<const char*, StrictForm>, 2> strict_forms{
    {{"exact", StrictForm::exact}, {"published", StrictForm::published}}};
constexpr std::array<std::pair<const char*, Diffusion>, 2> diffusions{
    {{"whole", Diffusion::whole}, {"rounding", Diffusion::rounding}}};
constexpr std::array<std::pair<const char*, WeightTarget>, 2> targets{
    {{"corrected", WeightTarget::corrected}, {"original", WeightTarget::original}}};
constexpr std::array<std::pair<const char*, ScaleGranularity>, 2> granularities{
    {{"row", ScaleGranularity::row}, {"tile", ScaleGranularity::tile}}};
constexpr std::array<std::pair<const char*, ScaleChoice>, 3> scale_choices{{{"search", ScaleChoice::search},
                                                                           {"mse", ScaleChoice::weight_error},
                                                                           {"max", ScaleChoice::largest_weight}}};
constexpr std::array<std::pair<const char*, ActivationScaling>, 2> scalings{
    {{"tensor", ActivationScaling::tensor}, {"token", ActivationScaling::token}}};
constexpr std::array<std::pair<const char*, EqualizationGoal>, 2> goals{
    {{"weights", EqualizationGoal::weights}, {"budget", EqualizationGoal::budget}}};

void init_options(QuantizeOptions* self, const std::string& corrector, const std::string& constraint, int weight_bits,
                  bool asymmetric_weights, const std::string& granularity, const std::string& strict,
                  const std::string& diffusion, const std::string& target, const std::string& scales,
                  bool soft_threshold, double dampening, double target_dampening, double ridge, bool activation_order,
                  int refinement_passes, double box_headroom, const std::optional<Vector>& row_scales, int threads) {
  QuantizeOptions options;
  options.corrector = choice(correctors, corrector, "corrector");
  options.constraint = choice(constraints, constraint, "constraint");
  options.weight_bits = weight_bits;
  options.asymmetric_weights = asymmetric_weights;
  options.granularity = choice(granularities, granularity, "granularity");
  options.strict = choice(strict_forms, strict, "strict");
  options.diffusion = choice(diffusions, diffusion, "diffusion");
  options.target = choice(targets, target, "target");
  options.scale_choice = choice(scale_choices, scales, "scales");
  options.soft_threshold = soft_threshold;
  options.dampening = dampening;
  options.target_dampening = target_dampening;
  options.ridge = ridge;
  options.activation_order = activation_order;
  options.refinement_passes = refinement_passes;
  options.box_headroom = box_headroom;
  if (row_scales) {
    options.scales = vector_of(*row_scales);
  }
  options.threads = threads;
  new (self) QuantizeOptions(std::move(options));
}

void bind_options(nb::module_& module) {
  const QuantizeOptions defaults;
  nb::class_<QuantizeOptions>(module, "QuantizeOptions", R"(How one layer is quantized (docs/quantizer.md, Options).

corrector       "none", "optq", "gpfq" or "qronos".
constraint      "none", "datatype", "ep-init" or "axe"; "input": the activation grid's limit keeps every register small enough.
weight_bits     2 to 8.
asymmetric_weights  a zero point per scale; at most 7 bits.
granularity     "row" or "tile": what has a scale of its own.
strict          AXE's strict limits, "exact" or as "published".
soft_threshold  AXE's projection before the strict limits; False: these alone.
diffusion       what OPTQ and Qronos spread: the "whole" error, or what "rounding" left.
target          "corrected" for quantized inputs, or "original".
scales          "search" by calibration error, "mse" by the weights' own error, "max" from the largest weight.
dampening, target_dampening, ridge  fractions of H's mean diagonal.
activation_order    columns by descending diagonal of H.
refinement_passes   of coordinate descent after the sweep, at most; 0: none.
box_headroom    of boxes: fraction of a channel's width added on each side.
row_scales      float32 [rows]: fixed scales, or None.
threads         the result does not depend on them.
InputError on a word that is not listed here.)")
      .def("__init__", &init_options, nb::kw_only(), "corrector"_a = "optq", "constraint"_a = "axe",
           "weight_bits"_a = defaults.weight_bits, "asymmetric_weights"_a = defaults.asymmetric_weights,
           "granularity"_a = "row", "strict"_a = "exact", "diffusion"_a = "whole", "target"_a = "corrected",
           "scales"_a = "search", "soft_threshold"_a = defaults.soft_threshold, "dampening"_a = defaults.dampening,
           "target_dampening"_a = defaults.target_dampening, "ridge"_a = defaults.ridge,
           "activation_order"_a = defaults.activation_order, "refinement_passes"_a = defaults.refinement_passes,
           "box_headroom"_a = defaults.box_headroom, "row_scales"_a.noconvert() = nb::none(), "threads"_a = defaults.threads)
      .def_static("published", [](int threads) {
        QuantizeOptions options = QuantizeOptions::published();
        options.threads = threads;
        return options;
      }, "threads"_a = 1, "AXE as the paper and its reference have it.")
      .def_prop_ro("corrector", [](const QuantizeOptions& o) { return to_text(o.corrector); })
      .def_prop_ro("constraint", [](const QuantizeOptions& o) { return to_text(o.constraint); })
      .def_ro("weight_bits", &QuantizeOptions::weight_bits)
      .def_ro("asymmetric_weights", &QuantizeOptions::asymmetric_weights)
      .def_prop_ro("granularity", [](const QuantizeOptions& o) { return name_of(granularities, o.granularity); })
      .def_prop_ro("strict", [](const QuantizeOptions& o) { return name_of(strict_forms, o.strict); })
      .def_prop_ro("diffusion", [](const QuantizeOptions& o) { return name_of(diffusions, o.diffusion); })
      .def_prop_ro("target", [](const QuantizeOptions& o) { return name_of(targets, o.target); })
      .def_prop_ro("scales", [](const QuantizeOptions& o) { return to_text(o.scale_choice); })
      .def_ro("soft_threshold", &QuantizeOptions::soft_threshold)
      .def_ro("dampening", &QuantizeOptions::dampening)
      .def_ro("target_dampening", &QuantizeOptions::target_dampening)
      .def_ro("ridge", &QuantizeOptions::ridge)
      .def_ro("activation_order", &QuantizeOptions::activation_order)
      .def_ro("refinement_passes", &QuantizeOptions::refinement_passes)
      .def_ro("box_headroom", &QuantizeOptions::box_headroom)
      .def_ro("threads", &QuantizeOptions::threads)
      .def_prop_ro("largest_weight", &QuantizeOptions::largest_weight, "The largest magnitude that a weight may have.");
}

void bind_grid(nb::module_& module) {
  nb::class_<ActivationGrid>(module, "ActivationGrid", R"(How real inputs become codes: clamp(round(x / scale) + zero_point, code_lower, code_upper).

scale       step, finite and > 0; passed over with scaling "token".
zero_point  code of 0; 0 with scaling "token".
bits        2 to 8.
signed      whether codes are signed.
scaling     "tensor": as given; "token": scale and zero point are computed from each row of the input.
limit       with signed codes per token: Σ |operand| in each register of the datapath's lowest stage, at most (see
            `input_limit`); a row's scale is enlarged until it is kept. 0: no limit.)")
      .def("__init__", [](ActivationGrid* self, double scale, std::int32_t zero_point, int bits, bool is_signed, const std::string& scaling, std::int64_t limit) {
        new (self) ActivationGrid{scale, zero_point, bits, is_signed, choice(scalings, scaling, "scaling"), limit};
      }, "scale"_a, "zero_point"_a, "bits"_a = 8, "signed"_a = false, "scaling"_a = "tensor", "limit"_a = 0)
      .def_ro("scale", &ActivationGrid::scale)
      .def_ro("zero_point", &ActivationGrid::zero_point)
      .def_ro("bits", &ActivationGrid::bits)
      .def_ro("signed", &ActivationGrid::is_signed)
      .def_prop_ro("scaling", [](const ActivationGrid& g) { return name_of(scalings, g.scaling); })
      .def_ro("limit", &ActivationGrid::limit)
      .def_prop_ro("code_lower", &ActivationGrid::code_lower)
      .def_prop_ro("code_upper", &ActivationGrid::code_upper)
      .def("__repr__", [](const ActivationGrid& g) {
        return "ActivationGrid(" + std::to_string(g.scale) + ", " + std::to_string(g.zero_point) + ", bits=" + std::to_string(g.bits) +
               ", signed=" + (g.is_signed ? "True" : "False") + ", scaling='" + name_of(scalings, g.scaling) + "'" +
               (g.limit == 0 ? "" : ", limit=" + std::to_string(g.limit)) + ")";
      });
}

std::size_t count_of(std::int64_t n) { return static_cast<std::size_t>(n); }

std::vector<std::size_t> scale_shape(const QuantizedLayer& q) {
  if (q.groups == 1) {
    return {count_of(q.layer.rows)};
  }
  return {count_of(q.layer.rows), count_of(q.groups)};
}

const QuantizedLayer& layer_of(nb::handle self) { return nb::cast<const QuantizedLayer&>(self); }

QuantizedLayer changed(const QuantizedLayer& layer, const std::optional<InputTransform>& transform,
                       const std::optional<In<std::int32_t, 1>>& outlier_columns,
                       const std::optional<Matrix>& outlier_weight) {
  QuantizedLayer result = layer;
  const std::string place = "layer " + layer.layer.name;
  if (transform) {
    validate(*transform, layer.layer.cols, place);
    result.transform = *transform;
  }
  if (outlier_columns.has_value() != outlier_weight.has_value()) {
    throw InputError(place, "outlier columns without their weights, or the other way round", "give both");
  }
  if (outlier_columns) {
    result.outlier_columns = vector_of(*outlier_columns);
    result.outlier_weight = vector_of(*outlier_weight);
    validate_outliers(result);
  }
  return result;
}

nb::typed<nb::dict, nb::str, double> statistics_of(const QuantizedLayer& q) {
  const QuantizeStatistics& s = q.statistics;
  nb::typed<nb::dict, nb::str, double> d;
  d["decisions"] = s.decisions;
  d["settled_exactly"] = s.settled_exactly;
  d["thresholded"] = s.thresholded;
  d["clipped"] = s.clipped;
  d["refinement_moves"] = s.refinement_moves;
  d["dampening_raised"] = s.dampening_raised;
  d["dampening_used"] = s.dampening_used;
  d["dead_inputs"] = s.dead_inputs;
  d["seconds"] = s.seconds;
  return d;
}

void bind_layer(nb::module_& module) {
  nb::class_<QuantizedLayer>(module, "QuantizedLayer", "One layer in integers with its scales and its activation quantizer (docs/layers.md). Immutable;\n"
                             "arrays are read-only views.")
      .def_prop_ro("name", [](const QuantizedLayer& q) { return q.layer.name; })
      .def_prop_ro("weights", [](nb::handle self) {
        const IntegerLayer& l = layer_of(self).layer;
        return view_of(l.weights, {count_of(l.rows), count_of(l.cols)}, self);
      }, "int8 [rows, K]: operands, zero point removed")
      .def_prop_ro("scales", [](nb::handle self) { return view_of(layer_of(self).scales, scale_shape(layer_of(self)), self); },
                   "float32 [rows] or [rows, groups]: step of the weights")
      .def_prop_ro("weight_zero_points", [](nb::handle self) -> std::optional<Out<std::int32_t>> {
        const QuantizedLayer& q = layer_of(self);
        if (q.weight_zero_points.empty()) { return std::nullopt; }
        return view_of(q.weight_zero_points, scale_shape(q), self);
      }, "int32, as scales: stored code − weight; None when symmetric")
      .def_prop_ro("bias", [](nb::handle self) { return view_of(layer_of(self).layer.bias, {layer_of(self).layer.bias.size()}, self); },
                   "int64 [rows], or empty")
      .def_prop_ro("float_bias", [](nb::handle self) { return view_of(layer_of(self).float_bias, {layer_of(self).float_bias.size()}, self); },
                   "float32 [rows], added to the output, or empty")
      .def_prop_ro("input_lower", [](nb::handle self) { return view_of(layer_of(self).layer.box_lower, {layer_of(self).layer.box_lower.size()}, self); },
                   "int32 [1] or [K]: least operand")
      .def_prop_ro("input_upper", [](nb::handle self) { return view_of(layer_of(self).layer.box_upper, {layer_of(self).layer.box_upper.size()}, self); },
                   "int32 [1] or [K]: greatest operand")
      .def_prop_ro("input_shift", [](nb::handle self) { return view_of(layer_of(self).shift, {layer_of(self).shift.size()}, self); },
                   "int32 [1] or [K]: operand = clamp(code − shift, lower, upper)")
      .def_prop_ro("input", [](const QuantizedLayer& q) { return q.input; }, "the activation grid")
      .def_prop_ro("transform", [](const QuantizedLayer& q) { return q.transform; }, "what inputs pass before it")
      .def_prop_ro("outlier_columns", [](nb::handle self) { return view_of(layer_of(self).outlier_columns, {layer_of(self).outlier_columns.size()}, self); },
                   "int32: input channels that stay floating point")
      .def_prop_ro("outlier_weight", [](nb::handle self) {
        const QuantizedLayer& q = layer_of(self);
        return view_of(q.outlier_weight, {count_of(q.layer.rows), q.outlier_columns.size()}, self);
      }, "float32 [rows, outlier columns]")
      .def_ro("weight_bits", &QuantizedLayer::weight_bits)
      .def_ro("relative_error", &QuantizedLayer::relative_error, "‖XWᵀ − X̃Dᵀ‖ / ‖XWᵀ‖ on the calibration data, −1 when unknown")
      .def_ro("warnings", &QuantizedLayer::warnings)
      .def_prop_ro("statistics", &statistics_of, "what happened while quantizing; zeros for a layer that was read")
      .def("with_", &changed, nb::kw_only(), "transform"_a = nb::none(), "outlier_columns"_a.noconvert() = nb::none(), "outlier_weight"_a.noconvert() = nb::none(),
           "A copy with another input transform or outlier part.")
      .def("__repr__", [](const QuantizedLayer& q) {
        return "QuantizedLayer('" + q.layer.name + "', " + std::to_string(q.layer.rows) + " × " + std::to_string(q.layer.cols) + ")";
      });
}

QuantizedLayer quantize_layer(const std::string& name, const Matrix& weight, const Matrix& gram,
                              const std::optional<Matrix>& cross, const Datapath& datapath, const ActivationGrid& input,
                              double output_energy, const std::optional<In<std::int32_t, 1>>& code_min,
                              const std::optional<In<std::int32_t, 1>>& code_max, const std::optional<Vector>& bias,
                              const QuantizeOptions& options, const nb::object& progress) {
  LayerProblem problem;
  problem.name = name;
  problem.rows = static_cast<std::int64_t>(weight.shape(0));
  problem.cols = static_cast<std::int64_t>(weight.shape(1));
  problem.weight = vector_of(weight);
  problem.gram = vector_of(gram);
  if (cross) {
    problem.cross = vector_of(*cross);
  }
  problem.output_energy = output_energy;
  problem.input = input;
  if (code_min) {
    problem.code_min = vector_of(*code_min);
  }
  if (code_max) {
    problem.code_max = vector_of(*code_max);
  }
  if (bias) {
    problem.bias = vector_of(*bias);
  }
  std::function<void(std::int64_t, std::int64_t)> note;
  if (!progress.is_none()) {
    note = [&progress](std::int64_t done, std::int64_t total) {
      nb::gil_scoped_acquire locked;
      progress(done, total);
    };
  }
  nb::gil_scoped_release unlocked;
  return quantize(problem, datapath, options, note);
}

Equalization equalize(const std::string& name, const std::vector<Matrix>& weights, const Matrix& gram,
                      const std::optional<Matrix>& cross, const Vector& absmax, std::int64_t rows,
                      const std::vector<double>& alphas, const std::string& goal, const Datapath& datapath,
                      const ActivationGrid& input, const QuantizeOptions& options) {
  EqualizationProblem problem;
  problem.name = name;
  problem.cols = static_cast<std::int64_t>(absmax.shape(0));
  for (const Matrix& weight : weights) {
    if (static_cast<std::int64_t>(weight.shape(1)) != problem.cols) {
      throw InputError("layer " + name, "weights of " + std::to_string(weight.shape(1)) + " columns for " + std::to_string(problem.cols) + " channels",
                       "give [rows, K]");
    }
    problem.weights.push_back(vector_of(weight));
  }
  problem.gram = vector_of(gram);
  if (cross) {
    problem.cross = vector_of(*cross);
  }
  problem.absmax = vector_of(absmax);
  problem.rows = rows;
  problem.input = input;
  nb::gil_scoped_release unlocked;
  return search_equalization(problem, alphas, choice(goals, goal, "goal"), datapath, options);
}

}  // namespace

void bind_quantizer(nb::module_& module) {
  bind_grid(module);
  nb::class_<InputTransform>(module, "InputTransform", R"(What inputs pass before the activation quantizer: x' = Q (multiplier ∘ x), Q a rotation.

multiplier  float32 [K], each > 0, or None.
hadamard    order of the rotation's blocks, a power of two that divides K, or 0.
sign        int8 [K] of ±1 beside a rotation, else None.)")
      .def("__init__", [](InputTransform* self, const std::optional<Vector>& multiplier, std::int64_t hadamard, const std::optional<In<std::int8_t, 1>>& sign) {
        new (self) InputTransform{multiplier ? vector_of(*multiplier) : std::vector<float>{}, hadamard, sign ? vector_of(*sign) : std::vector<std::int8_t>{}};
      }, nb::kw_only(), "multiplier"_a.noconvert() = nb::none(), "hadamard"_a = 0, "sign"_a.noconvert() = nb::none())
      .def_prop_ro("identity", &InputTransform::identity)
      .def_prop_ro("multiplier", [](nb::handle self) { const auto& t = nb::cast<const InputTransform&>(self); return view_of(t.multiplier, {t.multiplier.size()}, self); })
      .def_ro("hadamard", &InputTransform::hadamard)
      .def_prop_ro("sign", [](nb::handle self) { const auto& t = nb::cast<const InputTransform&>(self); return view_of(t.sign, {t.sign.size()}, self); })
      .def("__eq__", [](const InputTransform& a, nb::object b) {
        return nb::isinstance<InputTransform>(b) && a == nb::cast<const InputTransform&>(b);
      }, nb::sig("def __eq__(self, other: object, /) -> bool"))
      .def("apply", [](const InputTransform& t, const Matrix& x) {
        std::vector<float> y = vector_of(x);
        {
          nb::gil_scoped_release unlocked;
          validate(t, static_cast<std::int64_t>(x.shape(1)), "transform");
          apply(t, y.data(), static_cast<std::int64_t>(x.shape(0)), static_cast<std::int64_t>(x.shape(1)));
        }
        return array_of(std::move(y), {x.shape(0), x.shape(1)});
      }, "x"_a.noconvert(), "x' [n, K] of inputs [n, K].")
      .def("apply_to_weights", [](const InputTransform& t, const Matrix& w) {
        std::vector<float> y = vector_of(w);
        {
          nb::gil_scoped_release unlocked;
          validate(t, static_cast<std::int64_t>(w.shape(1)), "transform");
          apply_to_weights(t, y.data(), static_cast<std::int64_t>(w.shape(0)), static_cast<std::int64_t>(w.shape(1)));
        }
        return array_of(std::move(y), {w.shape(0), w.shape(1)});
      }, "w"_a.noconvert(), "w' [rows, K] of weights [rows, K], so that x'·w' = x·w.");
  bind_options(module);
  bind_layer(module);
  module.def("quantize", &quantize_layer, "name"_a, "weight"_a.noconvert(), "gram"_a.noconvert(), "cross"_a.noconvert() = nb::none(), nb::kw_only(), "datapath"_a, "input"_a,
             "output_energy"_a = -1.0, "code_min"_a.noconvert() = nb::none(), "code_max"_a.noconvert() = nb::none(), "bias"_a.noconvert() = nb::none(), "options"_a,
             "progress"_a = nb::none(), R"(Quantizes one layer Y = X Wᵀ for a datapath; its registers are checked exactly before it is returned.

weight         float32 [rows, K].
gram, cross    float32 [K, K]: H = X̃ᵀX̃ and G = X̃ᵀX (None: H stands for it), X̃ the dequantized quantized inputs.
input          the activation grid.
output_energy  ‖XWᵀ‖², or below 0: no relative error.
code_min, code_max  int32 [K]: codes seen per channel, for boxes.
bias           float32 [rows].
progress       called with (rows done, rows).
InputError on bad input, and when not even zero weights fit.)");
  nb::class_<Equalization>(module, "Equalization", "What `search_equalization` chose, and how well each candidate did.")
      .def_ro("alpha", &Equalization::alpha, "the exponent chosen; −1: no multiplier")
      .def_prop_ro("multiplier", [](nb::handle self) { const auto& e = nb::cast<const Equalization&>(self); return view_of(e.multiplier, {e.multiplier.size()}, self); },
                   "float32 [K]: what each input channel is multiplied by")
      .def_ro("scores", &Equalization::scores, "of no multiplier, then of each α; the least is best");
  module.def("search_equalization", &equalize, nb::kw_only(), "name"_a, "weights"_a.noconvert(), "gram"_a.noconvert(), "cross"_a.noconvert() = nb::none(), "absmax"_a.noconvert(), "rows"_a, "alphas"_a,
             "goal"_a, "datapath"_a, "input"_a, "options"_a, R"(The multiplier per input channel that is best for layers that share an input.

weights   float32 [rows, K] each.
gram, cross  float32 [K, K]: moments of the inputs before any transform and quantizer, over `rows` inputs.
absmax    float32 [K]: largest |input| per channel.
alphas    exponents in [0, 1] to try, beside no multiplier.
goal      "weights" (AWQ) or "budget" (the error that is left under the datapath's constraint).)");
  module.def("smooth_quant", [](const Vector& absmax, const Vector& weight_absmax, double alpha) {
    return array_of(smooth_quant({absmax.data(), absmax.size()}, {weight_absmax.data(), weight_absmax.size()}, alpha));
  }, "absmax"_a.noconvert(), "weight_absmax"_a.noconvert(), "alpha"_a, "SmoothQuant's multiplier float32 [K] (arXiv 2211.10438, eq. 4), of geometric mean 1.");
  module.def("largest_hadamard", &largest_hadamard, "cols"_a, "The largest power of two that divides K.");
  module.def("write_weights", [](const std::string& path, const std::vector<QuantizedLayer>& layers) {
    nb::gil_scoped_release unlocked;
    write_quantized(path, layers);
  }, "path"_a, "layers"_a, "Writes a weights file (docs/layers.md), whole or not at all.");
  module.def("read_weights", [](const std::string& path) {
    nb::gil_scoped_release unlocked;
    return read_quantized(read_tensors(path));
  }, "path"_a, "The layers of a weights file, sorted by name.");
}

}  // namespace axe::python

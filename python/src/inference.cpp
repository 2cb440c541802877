// Integer layers at work, for Python. No side effects but a count of overflows.
#include "axecert/inference/integer_linear.hpp"
#include "axecert/inference/requantized_linear.hpp"

#include "axecert/licence/licence_office.hpp"
#include "axecert/numeric/error.hpp"
#include "bind.hpp"

namespace axe::python {
namespace {

IntegerLayer layer_of(const In<std::int8_t, 2>& weights, const std::optional<In<std::int64_t, 1>>& bias, std::int32_t zero_point,
                      bool signed_inputs) {
  IntegerLayer layer;
  layer.name = "requantized";
  layer.rows = static_cast<std::int64_t>(weights.shape(0));
  layer.cols = static_cast<std::int64_t>(weights.shape(1));
  layer.weights = vector_of(weights);
  layer.box_lower = {signed_inputs ? -128 : 0};
  layer.box_upper = {layer.box_lower[0] + 255};
  if (zero_point < layer.box_lower[0] || zero_point > layer.box_upper[0]) {
    throw InputError("input_zero_point", std::to_string(zero_point) + " is no code of the inputs", "give one of them");
  }
  layer.offset = {-zero_point};
  if (bias) {
    layer.bias = vector_of(*bias);
  }
  return layer;
}

template <class Code>
Out<Code> forward(const RequantizedLinear& of, const std::vector<std::uint8_t>& x, std::size_t n, int threads) {
  std::vector<Code> y(n * static_cast<std::size_t>(of.rows()));
  {
    nb::gil_scoped_release unlocked;
    of.forward<Code>(x, static_cast<std::int64_t>(n), y, threads);
  }
  return array_of(std::move(y), {n, static_cast<std::size_t>(of.rows())});
}

/// RequantizedLinear with the types of its codes, which Python chooses as it goes.
struct Requantizing {
  RequantizedLinear linear;
  bool signed_inputs, signed_outputs;

  template <class Code>
  nb::object of(const In<Code, 2>& x, int threads) const {
    if (std::is_signed_v<Code> != signed_inputs) {
      throw InputError("x", signed_inputs ? "uint8" : "int8", signed_inputs ? "give int8: signed_inputs" : "give uint8");
    }
    if (static_cast<std::int64_t>(x.shape(1)) != linear.cols()) {
      throw InputError("x", std::to_string(x.shape(1)) + " columns for " + std::to_string(linear.cols()) + " channels", "give [n, K]");
    }
    std::vector<std::uint8_t> bytes(x.size());  // above the base
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::uint8_t>(x.data()[i] - linear.base());
    }
    return signed_outputs ? nb::cast(forward<std::int8_t>(linear, bytes, x.shape(0), threads))
                          : nb::cast(forward<std::uint8_t>(linear, bytes, x.shape(0), threads));
  }
};

}  // namespace

void bind_inference(nb::module_& module) {
  nb::class_<IntegerLinear>(module, "IntegerLinear", R"(A quantized layer at work: real inputs in, real outputs out, integers between.

layer       the quantized layer.
datapath    the one that it was quantized for.
arithmetic  "exact": sums that cannot overflow; "datapath": every register as the datapath has it, bit by bit. The same
            integers when the layer's certificate is safe.
licensed    with "exact": multiply in 16 bits where the checker verifies that this cannot overflow; the same outputs. None: on
            processors without VNNI, where it is faster.)")
      .def("__init__", [](IntegerLinear* self, const QuantizedLayer& layer, const Datapath& datapath, const std::string& arithmetic,
                          std::optional<bool> licensed) {
        if (arithmetic != "exact" && arithmetic != "datapath") {
          throw InputError("arithmetic", "'" + arithmetic + "' is not known", "use \"exact\" or \"datapath\"");
        }
        std::optional<Licence> licence;
        if (arithmetic == "exact" && licensed.value_or(!has_vnni(best_target()))) {
          licence = LicenceOffice::longest_tile(layer.layer, Topology(datapath, layer.layer.cols));
        }
        new (self) IntegerLinear(layer, datapath, arithmetic == "exact" ? Arithmetic::exact : Arithmetic::datapath, licence);
      }, "layer"_a, "datapath"_a, "arithmetic"_a = "exact", "licensed"_a = nb::none())
      .def_prop_ro("kernel", &IntegerLinear::kernel, "what multiplies, for example \"exact avx512-vnni\" or \"certified avx2, tiles of 64, nibbles\"")
      .def_prop_ro("arithmetic", [](const IntegerLinear& l) { return to_text(l.arithmetic()); })
      .def_prop_ro("overflows", &IntegerLinear::overflows, "additions that left their register so far")
      .def("forward", [](const IntegerLinear& l, const Matrix& x, int threads) {
        if (static_cast<std::int64_t>(x.shape(1)) != l.cols()) {
          throw InputError("x", std::to_string(x.shape(1)) + " columns for " + std::to_string(l.cols()) + " channels", "give [n, K]");
        }
        std::vector<float> y(x.shape(0) * static_cast<std::size_t>(l.rows()));
        {
          nb::gil_scoped_release unlocked;
          l.forward(x.data(), static_cast<std::int64_t>(x.shape(0)), y.data(), threads);
        }
        auto* kept = new std::vector<float>(std::move(y));  // writable: the caller owns its outputs
        nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<float>*>(p); });
        const std::size_t shape[2] = {x.shape(0), static_cast<std::size_t>(l.rows())};
        return nb::ndarray<nb::numpy, float>(kept->data(), 2, shape, owner);
      }, "x"_a.noconvert(), "threads"_a = 1, "y float32 [n, rows] of x float32 [n, K].");
  nb::class_<Requantizing>(module, "RequantizedLinear", R"(An integer layer between integer layers: codes in, codes out, as ONNX's QLinearMatMul (operator set 21):
y = saturate(round(float32(bias + sum over k of w (x - input_zero_point)) * multiplier) + output_zero_point), halves to even, the product rounded to
float32. The sums are exact; they are rounded block by block as they come.

weights      int8 [rows, K].
multipliers  float32 [1] or [rows], > 0: scale of the inputs times scale of the weights over scale of the outputs.
bias         int64 [rows]; None: 0.
signed_inputs, signed_outputs  int8 codes instead of uint8.
licensed     as for IntegerLinear.)")
      .def("__init__", [](Requantizing* self, const In<std::int8_t, 2>& weights, const In<float, 1>& multipliers,
                          const std::optional<In<std::int64_t, 1>>& bias, std::int32_t input_zero_point, std::int32_t output_zero_point,
                          bool signed_inputs, bool signed_outputs, std::optional<bool> licensed) {
        const IntegerLayer layer = layer_of(weights, bias, input_zero_point, signed_inputs);
        std::optional<Licence> licence;
        if (licensed.value_or(!has_vnni(best_target()))) {
          licence = LicenceOffice::longest_tile(layer, RequantizedLinear::topology(layer));
        }
        new (self) Requantizing{RequantizedLinear(layer, vector_of(multipliers), output_zero_point, licence), signed_inputs, signed_outputs};
      }, "weights"_a.noconvert(), "multipliers"_a.noconvert(), nb::kw_only(), "bias"_a.noconvert() = nb::none(), "input_zero_point"_a = 0,
         "output_zero_point"_a = 0, "signed_inputs"_a = false, "signed_outputs"_a = false, "licensed"_a = nb::none())
      .def_prop_ro("kernel", [](const Requantizing& l) { return l.linear.kernel(); }, "what multiplies, as IntegerLinear.kernel")
      .def("forward", &Requantizing::of<std::int8_t>, "x"_a.noconvert(), "threads"_a = 1)
      .def("forward", &Requantizing::of<std::uint8_t>, "x"_a.noconvert(), "threads"_a = 1,
           "y int8 or uint8 [n, rows] of x int8 or uint8 [n, K]. InputError when multipliers or output_zero_point do not fit.");
}

}  // namespace axe::python

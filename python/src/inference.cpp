// Integer layers at work, for Python. No side effects but a count of overflows.
#include "axecert/inference/integer_linear.hpp"

#include "axecert/licence/licence_office.hpp"
#include "axecert/numeric/error.hpp"
#include "bind.hpp"

namespace axe::python {

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
}

}  // namespace axe::python

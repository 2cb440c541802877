// Activation quantizers and calibration moments for Python. No side effects beyond the objects.
#include "axecert/quantize/code_histogram.hpp"
#include "axecert/quantize/input_quantizer.hpp"
#include "axecert/quantize/moments.hpp"
#include "axecert/numeric/error.hpp"
#include "bind.hpp"

namespace axe::python {
namespace {

std::int64_t rows_of(const Matrix& x, std::int64_t cols, const char* place) {
  if (static_cast<std::int64_t>(x.shape(1)) != cols) {
    throw InputError(place, "an array of " + std::to_string(x.shape(1)) + " columns for " + std::to_string(cols) + " channels",
                     "give [n, K]");
  }
  return static_cast<std::int64_t>(x.shape(0));
}

}  // namespace

void bind_inputs(nb::module_& module) {
  nb::class_<OperandRows>(module, "Operands", "Operands of n rows: operand = biased + base; it stands for scale · (operand + shift − zero_point).")
      .def_prop_ro("biased", [](nb::handle self) {
        const auto& o = nb::cast<const OperandRows&>(self);
        return view_of(o.biased, {static_cast<std::size_t>(o.count), static_cast<std::size_t>(o.cols)}, self);
      }, "uint8 [n, K]")
      .def_ro("base", &OperandRows::base)
      .def_prop_ro("scale", [](nb::handle self) { const auto& o = nb::cast<const OperandRows&>(self); return view_of(o.scale, {o.scale.size()}, self); }, "float64 [n]")
      .def_prop_ro("zero_point", [](nb::handle self) { const auto& o = nb::cast<const OperandRows&>(self); return view_of(o.zero_point, {o.zero_point.size()}, self); }, "int32 [n]");

  nb::class_<InputQuantizer>(module, "InputQuantizer", R"(operand = clamp(round(x' / scale) + zero_point − shift, lower, upper), x' the transformed input.

transform  what inputs pass first.        cols   K, input channels, or 0: as many as the longest of the arrays.
grid       the activation grid.           lower, upper, shift   int32 [1] or [K].
datapath   whose lowest registers a grid with a limit speaks of; None without one.)")
      .def("__init__", [](InputQuantizer* self, std::int64_t cols, const InputTransform& transform, const ActivationGrid& grid,
                          const In<std::int32_t, 1>& lower, const In<std::int32_t, 1>& upper, const In<std::int32_t, 1>& shift,
                          const std::optional<Datapath>& datapath) {
        new (self) InputQuantizer(cols, transform, grid, vector_of(lower), vector_of(upper), vector_of(shift), "input quantizer",
                                  datapath ? &*datapath : nullptr);
      }, "cols"_a, "transform"_a, "grid"_a, "lower"_a.noconvert(), "upper"_a.noconvert(), "shift"_a.noconvert(), "datapath"_a = nb::none())
      .def_prop_ro("grid", &InputQuantizer::grid)
      .def_prop_ro("transform", &InputQuantizer::transform)
      .def("quantize", [](const InputQuantizer& q, const Matrix& x, int threads) {
        const std::int64_t n = rows_of(x, q.cols(), "x");
        nb::gil_scoped_release unlocked;
        return q.quantize(x.data(), n, threads);
      }, "x"_a.noconvert(), "threads"_a = 1, "Operands of x float32 [n, K]. InputError when a value is not finite.")
      .def("fake_quantize", [](const InputQuantizer& q, const Matrix& x, int threads) {
        const std::int64_t n = rows_of(x, q.cols(), "x");
        std::vector<float> y;
        {
          nb::gil_scoped_release unlocked;
          y = q.fake_quantize(x.data(), n, threads);
        }
        return array_of(std::move(y), {x.shape(0), x.shape(1)});
      }, "x"_a.noconvert(), "threads"_a = 1, "The real numbers float32 [n, K] that the operands of x stand for, in the transform's coordinates.");

  nb::class_<CodeHistogram>(module, "CodeHistogram", R"(Codes per input channel on calibration data, for clamps per channel.

grid  of the codes.        cols  K, input channels.)")
      .def(nb::init<const ActivationGrid&, std::int64_t>(), "grid"_a, "cols"_a)
      .def("add", [](CodeHistogram& h, const OperandRows& rows) {
        nb::gil_scoped_release unlocked;
        h.add(rows);
      }, "operands"_a, "Counts plain codes: operands that were neither shifted nor clamped per channel.")
      .def("ranges", [](const CodeHistogram& h, double share) {
        CodeHistogram::Ranges found;
        {
          nb::gil_scoped_release unlocked;
          found = h.ranges(share);
        }
        const std::size_t cols = found.lower.size();
        return std::pair(array_of(std::move(found.lower), {cols}), array_of(std::move(found.upper), {cols}));
      }, "share"_a, R"((lower, upper), int32 [K] each: the narrowest codes whose clamp cuts off at most this share of a channel's energy,
in [0, 1); 0: least and greatest code that occurred.)");

  nb::class_<Moments>(module, "Moments", "H = X̃ᵀX̃ and G = X̃ᵀX over batches of rows, in memory of O(K²).")
      .def(nb::init<std::int64_t>(), "cols"_a)
      .def("add", [](Moments& m, const Matrix& x_tilde, const std::optional<Matrix>& x, int threads) {
        const std::int64_t n = rows_of(x_tilde, m.cols(), "x_tilde");
        if (x && rows_of(*x, m.cols(), "x") != n) {
          throw InputError("x", std::to_string(x->shape(0)) + " rows beside " + std::to_string(n), "give the same rows of both");
        }
        const float* original = x ? x->data() : nullptr;
        nb::gil_scoped_release unlocked;
        m.add(x_tilde.data(), original, n, threads);
      }, "x_tilde"_a.noconvert(), "x"_a.noconvert() = nb::none(), "threads"_a = 1, "Adds rows float32 [n, K] of X̃, and of X unless no G is wanted.")
      .def_prop_ro("rows", &Moments::rows)
      .def_prop_ro("gram", [](nb::handle self) {
        auto& m = nb::cast<Moments&>(self);
        const auto K = static_cast<std::size_t>(m.cols());
        return view_of(m.gram(), {K, K}, self);
      }, "float32 [K, K], symmetric")
      .def_prop_ro("cross", [](nb::handle self) -> std::optional<Out<float>> {
        const auto& m = nb::cast<const Moments&>(self);
        if (m.cross().empty()) { return std::nullopt; }
        const auto K = static_cast<std::size_t>(m.cols());
        return view_of(m.cross(), {K, K}, self);
      }, "float32 [K, K], row index of X̃; None without X");
}

}  // namespace axe::python

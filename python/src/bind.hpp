// What the files of the extension module share: nanobind, how arrays come in and go out without copies, and the functions that
// each file adds to the module. No side effects.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "axecert/numeric/error.hpp"

namespace axe::python {

namespace nb = nanobind;
using namespace nb::literals;

/// Arguments: C-contiguous arrays in memory of the caller. nanobind copies other layouts and element types, as NumPy's astype does:
/// right for numbers that are rounded, wrong for integers, which it wraps or cuts off. Those are `Integers`.
template <class Element, std::size_t dimensions>
using In = nb::ndarray<const Element, nb::ndim<dimensions>, nb::c_contig, nb::device::cpu>;
using Vector = In<float, 1>;
using Matrix = In<float, 2>;

/// Integer arguments: as `In`, but another element type is taken only when every number is one of `Element`.
template <class Element, std::size_t dimensions>
struct Integers {
  In<Element, dimensions> array;
  bool fits = true;

  /// The array; InputError that names the argument when a number is not an `Element`.
  const In<Element, dimensions>& checked(const char* name) const {
    if (!fits) {
      throw InputError(name, "has numbers that are not int" + std::to_string(8 * sizeof(Element)),
                       "give integers of this type; none is rounded or wrapped");
    }
    return array;
  }
};

/// Results: read-only NumPy arrays.
template <class Element>
using Out = nb::ndarray<nb::numpy, const Element>;

/// A NumPy array that owns `values`, of the given shape.
template <class Element>
Out<Element> array_of(std::vector<Element> values, std::vector<std::size_t> shape) {
  auto* kept = new std::vector<Element>(std::move(values));
  nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<Element>*>(p); });
  return Out<Element>(kept->data(), shape.size(), shape.data(), owner);
}

template <class Element>
Out<Element> array_of(std::vector<Element> values) {
  const std::size_t size = values.size();
  return array_of(std::move(values), {size});
}

/// A NumPy array over memory of `owner`, which stays alive as long as the array does.
template <class Element>
Out<Element> view_of(const std::vector<Element>& values, std::vector<std::size_t> shape, nb::handle owner) {
  return Out<Element>(values.data(), shape.size(), shape.data(), owner);
}

template <class Array>
std::vector<std::remove_const_t<typename Array::Scalar>> vector_of(const Array& array) {
  return {array.data(), array.data() + array.size()};
}

void bind_errors(nb::module_& module);
void bind_datapaths(nb::module_& module);
void bind_bounds(nb::module_& module);
void bind_quantizer(nb::module_& module);
void bind_inputs(nb::module_& module);
void bind_inference(nb::module_& module);
void bind_certificates(nb::module_& module);

}  // namespace axe::python

namespace nanobind::detail {

template <class Element, std::size_t dimensions>
struct type_caster<axe::python::Integers<Element, dimensions>> {
  using Array = axe::python::In<Element, dimensions>;
  using Value_ = axe::python::Integers<Element, dimensions>;
  NB_TYPE_CASTER(Value_, make_caster<Array>::Name)

  bool from_python(handle source, std::uint32_t flags, cleanup_list* cleanup) noexcept {
    constexpr auto convert = static_cast<std::uint32_t>(cast_flags::convert);
    make_caster<Array> caster;
    if (caster.from_python(source, flags & ~convert, cleanup)) {
      value = {std::move(caster.value), true};
      return true;
    }
    if ((flags & convert) == 0) {
      return false;
    }
    try {  // before the conversion, which would warn about NaN and then go on
      const module_ numpy = module_::import_("numpy");
      const object numbers = numpy.attr("asarray")(source);
      const object least = int_(std::numeric_limits<Element>::min()), most = int_(std::numeric_limits<Element>::max());
      const object inside = numpy.attr("logical_and")(numpy.attr("greater_equal")(numbers, least),
                                                      numpy.attr("less_equal")(numbers, most));
      const object whole = numpy.attr("equal")(numbers, numpy.attr("floor")(numbers));
      if (!cast<bool>(numpy.attr("all")(numpy.attr("logical_and")(inside, whole)).attr("item")())) {
        const object zeros = numpy.attr("zeros")(numbers.attr("shape"), "int" + std::to_string(8 * sizeof(Element)));
        value.fits = false;
        return caster.from_python(zeros, flags & ~convert, cleanup) && (value.array = std::move(caster.value), true);
      }
    } catch (...) {  // what cannot even be compared
      return false;
    }
    value.fits = true;
    return caster.from_python(source, flags, cleanup) && (value.array = std::move(caster.value), true);
  }
};

}  // namespace nanobind::detail

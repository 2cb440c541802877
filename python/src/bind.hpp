// What the files of the extension module share: nanobind, how arrays come in and go out without conversion, and the functions that
// each file adds to the module. No side effects.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace axe::python {

namespace nb = nanobind;
using namespace nb::literals;

/// Arguments: C-contiguous arrays in memory of the caller. Every such argument is declared noconvert(): nanobind would otherwise cast other
/// element types as NumPy does, which turns the int32 300 into the int8 44 without a word, and a bound of it into a false one.
template <class Element, std::size_t dimensions>
using In = nb::ndarray<const Element, nb::ndim<dimensions>, nb::c_contig, nb::device::cpu>;
using Vector = In<float, 1>;
using Matrix = In<float, 2>;

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

/// A copy, for the library's own structures, which outlive a call; inputs of layers are read where they are instead.
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
void bind_parts(nb::module_& module);
void bind_probe(nb::module_& module);

}  // namespace axe::python

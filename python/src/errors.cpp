// Bad input as a Python exception: axecert._errors.InputError, with place, problem and remedy. Side effect: registers a
// translator of C++ exceptions.
#include "axecert/numeric/error.hpp"

#include "bind.hpp"

namespace axe::python {
namespace {

PyObject* input_error = nullptr;  // the class, kept for the life of the process

void raise(const std::exception_ptr& pointer, void*) {
  try {
    std::rethrow_exception(pointer);
  } catch (const InputError& error) {
    const nb::object made = nb::borrow(input_error)(error.place(), error.problem(), error.remedy());
    PyErr_SetObject(input_error, made.ptr());
  }
}

}  // namespace

void bind_errors(nb::module_& module) {
  const nb::object kind = nb::module_::import_("axecert._errors").attr("InputError");
  input_error = kind.ptr();
  Py_INCREF(input_error);
  module.attr("InputError") = kind;
  nb::register_exception_translator(raise, nullptr);
}

}  // namespace axe::python

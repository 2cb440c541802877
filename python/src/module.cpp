// The extension module axecert._core: the C++ library for Python. Each file beside this one binds one subject; what the
// functions mean is said in their docstrings and in the headers that they bind. Side effects: as of the functions bound.
#include "bind.hpp"

NB_MODULE(_core, module) {
  module.doc() =
      "axecert's C++ core: datapaths, exact ranges, the quantizer, certificates and their voters, integer layers, "
      "probing.";
  module.attr("__version__") = AXECERT_VERSION;
  axe::python::bind_errors(module);
  axe::python::bind_datapaths(module);
  axe::python::bind_bounds(module);
  axe::python::bind_quantizer(module);
  axe::python::bind_inputs(module);
  axe::python::bind_inference(module);
  axe::python::bind_certificates(module);
  axe::python::bind_parts(module);
  axe::python::bind_probe(module);
}

// Datapaths and their stages for Python. No side effects; reading a .toml file reads it.
#include "axecert/datapath/datapath.hpp"

#include "bind.hpp"

namespace axe::python {

void bind_datapaths(nb::module_& module) {
  nb::class_<Stage>(module, "Stage", "One level of a datapath: a register of `width` bits that adds `group` values of the level below.")
      .def_ro("name", &Stage::name)
      .def_ro("width", &Stage::width, "bits, 1 to 64")
      .def_ro("group", &Stage::group, "values per register; 0: all")
      .def_ro("stride", &Stage::stride, "lanes that interleave")
      .def_prop_ro("overflow", [](const Stage& s) { return to_text(s.overflow); }, "\"wrap\", \"saturate\" or \"undefined\"")
      .def_prop_ro("limits", [](const Stage& s) { return std::pair(register_limits(s).lower, register_limits(s).upper); },
                   "(least, greatest) number that counts as inside the register")
      .def_prop_ro("initial", [](const Stage& s) { return to_text(s.initial); }, "\"zero\" or \"constant\": what it starts from")
      .def_prop_ro("claim", [](const Stage& s) { return to_text(s.claim); }, "\"every-partial-sum\" or \"final-value\"");

  nb::class_<Datapath>(module, "Datapath",
                       "What sums of integer products pass through (docs/datapaths.md).\n\n"
                       "text: the shorthand \"axe:P=16[,T=64][,outer=32|float][,act=u8|s8|box]\", the name of a preset, or the path of a\n"
                       ".toml file. InputError when it is none of them.")
      .def("__init__", [](Datapath* self, const std::string& text) { new (self) Datapath(parse_datapath(text)); }, "text"_a)
      .def_ro("name", &Datapath::name)
      .def_ro("title", &Datapath::title)
      .def_ro("sources", &Datapath::sources)
      .def_ro("notes", &Datapath::notes)
      .def_ro("stages", &Datapath::stages, "lowest first")
      .def_prop_ro("form", [](const Datapath& d) { return to_text(d.form); },
                   "how activation codes reach the multiplier: \"raw\", \"recentred\" or \"boxed\"")
      .def_prop_ro("weights", [](const Datapath& d) { return std::pair(d.weights.lower, d.weights.upper); },
                   "(least, greatest) weight that the multiplier takes")
      .def_prop_ro("activations", [](const Datapath& d) { return std::pair(d.activations.lower, d.activations.upper); },
                   "(least, greatest) activation operand")
      .def("__str__", [](const Datapath& d) { return describe(d); })
      .def("__repr__", [](const Datapath& d) { return "Datapath('" + d.name + "')"; });

  module.def("preset_names", &preset_names, "Names of the presets, sorted.");
}

}  // namespace axe::python

// Probing a Python callable. Side effects: calls it.
#include "axecert/probe/probe.hpp"

#include "bind.hpp"

namespace axe::python {
namespace {

/// Calls `multiply(x, w)` with int32 [rows, K] and int8 [K, columns], and takes an int64 array [rows, columns] back.
class CallableProduct : public Product {
 public:
  explicit CallableProduct(nb::object multiply) : multiply_(std::move(multiply)) {}

  std::vector<std::int64_t> multiply(const ProductQuestion& question) override {
    const auto rows = static_cast<std::size_t>(question.rows), length = static_cast<std::size_t>(question.length),
               columns = static_cast<std::size_t>(question.columns);
    const nb::object answer = multiply_(array_of(question.activations, {rows, length}), array_of(question.weights, {length, columns}));
    nb::ndarray<const std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu> values;
    if (!nb::try_cast(answer, values, false)) {
      throw InputError("black box", "an answer that is no int64 array of two dimensions",
                       "return numpy.ascontiguousarray(…, dtype=numpy.int64)");
    }
    if (values.shape(0) != rows || values.shape(1) != columns) {
      throw InputError("black box",
                       "an answer of " + std::to_string(values.shape(0)) + " × " + std::to_string(values.shape(1)),
                       std::to_string(rows) + " × " + std::to_string(columns) + " was asked");
    }
    return {values.data(), values.data() + values.size()};
  }

 private:
  nb::object multiply_;
};

/// A question with its answer and what it shows.
struct Question {
  std::string shows;
  AnsweredQuestion asked;
};

struct BoundProperty {
  std::string stage, name, value;
  bool decided = true;
  std::vector<Question> questions;
};

struct BoundResult {
  ProbeResult result;
  std::vector<BoundProperty> properties;
};

Question question_of(const ProbeResult& result, const Evidence& evidence) {
  return {evidence.shows, result.asked[evidence.question]};
}

}  // namespace

void bind_probe(nb::module_& module) {
  nb::class_<Question>(module, "ProbeQuestion", "A dot product that a black box was asked for, its answer, and what that shows.")
      .def_ro("shows", &Question::shows)
      .def_prop_ro("answer", [](const Question& q) { return q.asked.answer; })
      .def_prop_ro("exact", [](const Question& q) { return exact_value(dot_product_of(q.asked.runs)); }, "the sum over the integers")
      .def_prop_ro("x", [](const Question& q) { return array_of(dot_product_of(q.asked.runs).x); }, nb::rv_policy::automatic, "int32 [K]")
      .def_prop_ro("w", [](const Question& q) { return array_of(dot_product_of(q.asked.runs).w); }, nb::rv_policy::automatic, "int8 [K]")
      .def("__repr__", [](const Question& q) { return q.shows + ": " + runs_in_words(q.asked.runs); });

  nb::class_<BoundProperty>(module, "ProbeProperty", "One thing that is known of a black box, or is not.")
      .def_ro("stage", &BoundProperty::stage, "name of the stage; empty: of the operands")
      .def_ro("name", &BoundProperty::name, "\"width\", \"overflow\", \"limits\", \"grouping\", \"inner grouping\" or \"form\"")
      .def_ro("value", &BoundProperty::value, "in words")
      .def_ro("decided", &BoundProperty::decided, "whether the answers decide it")
      .def_ro("questions", &BoundProperty::questions, "those that decide it")
      .def("__repr__", [](const BoundProperty& p) { return (p.stage.empty() ? "" : p.stage + " ") + p.name + ": " + p.value; });

  nb::class_<BoundResult>(module, "ProbeResult", "What `probe` found.")
      .def_prop_ro("found", [](const BoundResult& r) { return r.result.found; }, "whether a datapath explains every answer")
      .def_prop_ro("reason", [](const BoundResult& r) { return r.result.reason; }, "why none does; empty if found")
      .def_prop_ro("datapath", [](const BoundResult& r) -> std::optional<Datapath> {
        return r.result.found ? std::optional(r.result.datapath) : std::nullopt;
      })
      .def_prop_ro("toml", [](const BoundResult& r) { return r.result.found ? datapath_to_toml(r.result.datapath) : std::string(); },
                   "the datapath as a TOML file that -d takes; empty if none was found")
      .def_prop_ro("offset", [](const BoundResult& r) { return r.result.offset; },
                   "the multiplier takes codes plus this, and minus this times the sum of the weights is added outside")
      .def_ro("properties", &BoundResult::properties)
      .def_prop_ro("presets", [](const BoundResult& r) {
        std::vector<std::string> names;
        for (const EquivalentPreset& preset : r.result.presets) {
          names.push_back(preset.name);
        }
        return names;
      }, "names of the presets that would have answered the same")
      .def_prop_ro("contradiction", [](const BoundResult& r) -> std::optional<Question> {
        return r.result.contradiction ? std::optional(question_of(r.result, *r.result.contradiction)) : std::nullopt;
      }, "the question that no datapath of stages answers so; None if found")
      .def_prop_ro("questions", [](const BoundResult& r) { return r.result.asked.size(); }, "how many were asked")
      .def_prop_ro("fresh_questions", [](const BoundResult& r) { return r.result.fresh_compared; },
                   "how many at the end the datapath answers as the box did");

  const ProbeOptions defaults;
  module.def(
      "probe",
      [](nb::object multiply, std::pair<std::int64_t, std::int64_t> activations, std::pair<std::int64_t, std::int64_t> weights,
         std::int64_t longest, std::int64_t rows, std::int64_t columns, std::size_t fresh, std::uint64_t seed, const std::string& name) {
        ProbeOptions options;
        options.activations = {activations.first, activations.second};
        options.weights = {weights.first, weights.second};
        options.longest = longest;
        options.shape = {rows, columns};
        options.fresh = fresh;
        options.seed = seed;
        options.name = name;
        CallableProduct box(std::move(multiply));
        BoundResult bound{probe(box, options), {}};
        for (const Property& p : bound.result.properties) {
          BoundProperty property{p.stage, p.name, p.value, p.decided, {}};
          for (const Evidence& evidence : p.evidence) {
            property.questions.push_back(question_of(bound.result, evidence));
          }
          bound.properties.push_back(std::move(property));
        }
        return bound;
      },
      "multiply"_a, nb::kw_only(), "activations"_a = std::pair(defaults.activations.lower, defaults.activations.upper),
      "weights"_a = std::pair(defaults.weights.lower, defaults.weights.upper), "longest"_a = defaults.longest,
      "rows"_a = defaults.shape.rows, "columns"_a = defaults.shape.columns, "fresh"_a = defaults.fresh, "seed"_a = defaults.seed,
      "name"_a = defaults.name,
      "Asks `multiply` for integer matrix products until its datapath is known (docs/probe.md).\n\n"
      "multiply     called with x, int32 [rows, K], and w, int8 [K, columns], read-only; returns int64 [rows, columns].\n"
      "activations, weights  (least, greatest) that it takes; 0 and 1 or -1 among them.\n"
      "longest      terms of the longest dot product asked, 2 to 2^20: what it cannot reach stays unknown.\n"
      "rows, columns  every question is asked as so many equal rows and columns, 1 to 256.\n"
      "fresh, seed  so many new questions at the end, which what was found must answer right.\n"
      "InputError when an argument is out of range, the answer has another shape or type, or two answers contradict each other; what\n"
      "`multiply` raises passes through.");
}

}  // namespace axe::python

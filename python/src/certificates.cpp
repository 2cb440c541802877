// Certificates and their voters for Python. Side effects: reads the files that it is given; `write` writes one; Z3 runs in worker
// processes.
#include "axecert/certificate/certificate.hpp"

#include <algorithm>
#include <filesystem>

#include "axecert/certificate/shape.hpp"
#include "axecert/election/election.hpp"
#include "axecert/model/layers.hpp"
#include "axecert/model/weight_files.hpp"
#include "axecert/numeric/error.hpp"
#include "bind.hpp"

namespace axe::python {
namespace {

/// The numbers of a layer that people ask for.
struct LayerFacts {
  std::string name;
  std::int64_t rows = 0, cols = 0, nodes = 0, unsafe_nodes = 0, margin = 0;
  std::string verdict, source, datapath;
  std::vector<int> widths;  // smallest safe width per stage
};

LayerFacts facts_of(const LayerClaims& claims) {
  LayerFacts facts;
  facts.name = claims.layer.name;
  facts.rows = claims.layer.rows;
  facts.cols = claims.layer.cols;
  facts.verdict = to_text(claims.verdict);
  facts.source = to_text(claims.input_source);
  facts.datapath = claims.datapath.name;
  for (std::size_t s = 0; s < claims.ranges.size(); ++s) {
    const Stage& stage = claims.datapath.stages[s];
    const IntegerRange limits = register_limits(stage);
    int width = 1;
    for (std::size_t i = 0; i < claims.ranges[s].lower.size(); ++i) {
      const IntegerRange range{claims.ranges[s].lower[i], claims.ranges[s].upper[i]};
      ++facts.nodes;
      facts.unsafe_nodes += margin(range, limits) < 0 ? 1 : 0;
      width = std::max(width, minimum_width(range, stage.limits));
    }
    facts.widths.push_back(width);
  }
  const StageRanges& stage = claims.ranges[claims.worst.stage];
  const auto i = static_cast<std::size_t>(claims.worst.row * stage.nodes + claims.worst.node);
  facts.margin = margin({stage.lower[i], stage.upper[i]}, register_limits(claims.datapath.stages[claims.worst.stage]));
  return facts;
}

/// The datapath of all layers.
Datapath datapath_of(const Certificate& certificate) {
  if (certificate.layers.empty()) {
    throw InputError("certificate", "has no layers", "there is no datapath without one");
  }
  const Datapath& first = certificate.layers[0].datapath;
  for (const LayerClaims& claims : certificate.layers) {
    if (claims.datapath.stages != first.stages || claims.datapath.name != first.name) {
      throw InputError("certificate", "has layers of different datapaths", "look at its layers one by one");
    }
  }
  return first;
}

std::vector<LayerFacts> all_facts(const Certificate& certificate) {
  std::vector<LayerFacts> facts;
  for (const LayerClaims& claims : certificate.layers) {
    facts.push_back(facts_of(claims));
  }
  return facts;
}

Certificate claims_of(std::vector<StoredLayer> layers, const Datapath& datapath) {
  Certificate certificate;
  certificate.tool = "axecert " AXECERT_VERSION;
  for (StoredLayer& stored : layers) {
    certificate.layers.push_back(make_claims(std::move(stored.layer), datapath, stored.source));
  }
  return certificate;
}

Certificate certify_layers(const std::vector<QuantizedLayer>& layers, const Datapath& datapath) {
  std::vector<StoredLayer> stored;
  for (const QuantizedLayer& layer : layers) {
    stored.push_back({layer.layer, InputSource::clamped});
  }
  std::sort(stored.begin(), stored.end(), [](const StoredLayer& a, const StoredLayer& b) { return a.layer.name < b.layer.name; });
  return claims_of(std::move(stored), datapath);
}

std::vector<SmtDepth> depths_of(const std::optional<std::string>& z3) {
  if (!z3 || *z3 == "none") {
    return {};
  }
  if (*z3 == "both") {
    return {SmtDepth::ground, SmtDepth::box};
  }
  for (const auto& [name, depth] : {std::pair{"ground", SmtDepth::ground}, {"box", SmtDepth::box}, {"bits", SmtDepth::bit_precise}}) {
    if (*z3 == name) {
      return {depth};
    }
  }
  throw InputError("z3", "'" + *z3 + "' is not known", "use \"ground\", \"box\", \"both\", \"bits\" or None");
}

Election verify_files(const std::string& certificate, const std::string& weights, const std::optional<std::string>& z3,
                      std::optional<int> replay, int workers, const std::optional<Datapath>& datapath,
                      const nb::object& progress, const std::string& resume) {
  if ((replay && *replay < 0) || workers < 0 || workers > 256) {
    throw InputError("verify", "a negative count, or more than 256 workers", "use replay ≥ 0 or None, and workers from 0 to 256");
  }
  for (const std::string& path : {certificate, weights}) {
    if (!std::filesystem::is_regular_file(path) && !is_sharded(path)) {
      throw InputError(path, "is no file", "name the certificate, then the weights that it speaks about");
    }
  }
  ElectionOptions options;
  options.expected = datapath;
  options.z3 = depths_of(z3);
  options.replay = replay;
  options.workers = workers;
  options.resume = resume;
  options.keep_certificate = false;
  if (!progress.is_none()) {
    options.progress = [&progress](const std::string& voter) {
      return [&progress, voter](std::int64_t done, std::int64_t total) {
        nb::gil_scoped_acquire locked;
        progress(voter, done, total);
      };
    };
  }
  nb::gil_scoped_release unlocked;
  return hold_election(certificate, weights, options);
}

nb::typed<nb::list, std::tuple<std::string, std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::string>> findings_of(const Vote& vote) {
  nb::typed<nb::list, std::tuple<std::string, std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::string>> list;
  for (const Finding& finding : vote.findings) {
    list.append(nb::make_tuple(finding.layer, nb::make_tuple(finding.node.row, finding.node.stage, finding.node.node), finding.message));
  }
  return list;
}

/// A vote as it travels between processes.
using VoteState = std::tuple<std::string, std::string, int, std::int64_t, std::int64_t, double, std::string,
                             std::vector<std::tuple<std::string, std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::string>>, std::int64_t>;

VoteState state_of(const Vote& vote) {
  std::vector<std::tuple<std::string, std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::string>> findings;
  for (const Finding& finding : vote.findings) {
    findings.emplace_back(finding.layer, std::tuple{finding.node.row, static_cast<std::int64_t>(finding.node.stage), finding.node.node}, finding.message);
  }
  return {vote.voter, vote.version, static_cast<int>(vote.verdict), vote.nodes_total, vote.nodes_checked, vote.seconds, vote.detail, findings, vote.findings_total};
}

Vote vote_of(const VoteState& state) {
  Vote vote;
  int verdict = 0;
  std::vector<std::tuple<std::string, std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::string>> findings;
  std::tie(vote.voter, vote.version, verdict, vote.nodes_total, vote.nodes_checked, vote.seconds, vote.detail, findings, vote.findings_total) = state;
  if (verdict < 0 || verdict > static_cast<int>(Verdict::refused)) {
    throw InputError("vote", "has no verdict", "");
  }
  vote.verdict = static_cast<Verdict>(verdict);
  for (const auto& [layer, node, message] : findings) {
    vote.findings.push_back({layer, {std::get<0>(node), static_cast<std::size_t>(std::get<1>(node)), std::get<2>(node)}, message});
  }
  return vote;
}

std::vector<std::string> assumptions_of(const Certificate& certificate) {
  std::vector<std::string> names;
  for (const Assumption assumption : assumptions(certificate)) {
    names.push_back(name_of(assumption));
  }
  return names;
}

}  // namespace

void bind_certificates(nb::module_& module) {
  nb::class_<LayerFacts>(module, "LayerFacts", "What a certificate says of one layer.")
      .def_ro("name", &LayerFacts::name)
      .def_ro("rows", &LayerFacts::rows)
      .def_ro("cols", &LayerFacts::cols)
      .def_ro("verdict", &LayerFacts::verdict, "\"safe\" or \"unsafe\"")
      .def_ro("source", &LayerFacts::source, "of the box: \"clamped\", \"given\" or \"calibrated\"")
      .def_ro("datapath", &LayerFacts::datapath)
      .def_ro("nodes", &LayerFacts::nodes, "registers of all dot products")
      .def_ro("unsafe_nodes", &LayerFacts::unsafe_nodes)
      .def_ro("margin", &LayerFacts::margin, "of the worst register, in steps; negative: it overflows")
      .def_ro("widths", &LayerFacts::widths, "per stage, the smallest width that would hold every register");

  nb::class_<Certificate>(module, "Certificate", "Claims about layers: datapath, box, range of every register. Nothing in it is to be trusted before `verify`.")
      .def_prop_ro("verdict", [](const Certificate& c) { return to_text(c.verdict()); }, "\"safe\", \"unsafe\" or \"incomplete\", by the bound engine")
      .def_prop_ro("layers", &all_facts, "LayerFacts, sorted by name")
      .def_prop_ro("datapath", &datapath_of, "of all layers; InputError when they differ")
      .def_prop_ro("assumptions", &assumptions_of, "names of everything that is taken on trust (docs/certificate.md)")
      .def_prop_ro("tool", [](const Certificate& c) { return c.tool; })
      .def("write", [](const Certificate& c, const std::string& path) {
        nb::gil_scoped_release unlocked;
        write_certificate(path, c);
      }, "path"_a, "Writes an .axec file, whole or not at all. Equal claims give equal bytes.");

  module.def("certify", &certify_layers, nb::call_guard<nb::gil_scoped_release>(), "layers"_a, "datapath"_a, "Claims about quantized layers on a datapath.");
  module.def("certify", [](const std::string& path, const Datapath& datapath) {
    nb::gil_scoped_release unlocked;
    return claims_of(read_integer_layers(read_tensors(path), datapath), datapath);
  }, "path"_a, "datapath"_a, "Claims about the integer layers of a weights file (docs/layers.md).");
  module.def("read_certificate", [](const std::string& path) {
    nb::gil_scoped_release unlocked;
    return read_certificate(path);
  }, "path"_a, "The claims of an .axec file; InputError with the byte position when it is malformed.");

  nb::class_<Vote>(module, "Vote", "What one voter says.")
      .def_prop_ro("name", [](const Vote& v) { return v.version.empty() ? v.voter : v.voter + " " + v.version; })
      .def_prop_ro("verdict", [](const Vote& v) { return to_text(v.verdict); })
      .def_ro("checked", &Vote::nodes_checked, "registers looked at")
      .def_ro("total", &Vote::nodes_total)
      .def_ro("seconds", &Vote::seconds)
      .def_ro("detail", &Vote::detail)
      .def_prop_ro("findings", &findings_of, "(layer, (row, stage, register), message), at most 100")
      .def_ro("findings_total", &Vote::findings_total)
      .def("__getstate__", &state_of)
      .def("__setstate__", [](Vote& vote, const VoteState& state) { new (&vote) Vote(vote_of(state)); });
  nb::class_<Election>(module, "Verification", "The voters' answers and the verdict that follows.")
      .def_prop_ro("verdict", [](const Election& e) { return to_text(e.verdict); }, "\"safe\", \"unsafe\", \"incomplete\" or \"refused\"")
      .def_ro("votes", &Election::votes)
      .def_prop_ro("assumptions", [](const Election& e) { return assumptions_of(e.certificate); });
  module.def("verify", &verify_files, "certificate"_a, "weights"_a, nb::kw_only(), "z3"_a = "ground", "replay"_a = 8, "workers"_a = 0,
             "datapath"_a = nb::none(), "progress"_a = nb::none(), "resume"_a = "", R"(Checks a certificate against its weights, trusting nothing that wrote them.

certificate, weights  paths of an .axec file and of the weights file that it speaks about.
z3        "ground", "box", "both", "bits", or None: not asked.
replay    random inputs per row, or None: not asked. The checker is always asked.
workers   Z3's processes; 0: one per core.
datapath  refuse certificates for any other.
progress  called with (voter, done, total).
resume    a journal of what Z3 has proved: an interrupted call with the same journal goes on where it stopped.
InputError when a file is missing or cannot be read; a certificate that does not hold is a verdict, no error.)");
}

}  // namespace axe::python

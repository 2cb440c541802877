// Chooses registers, names files and calls the writers; see foreign.hpp. Main function: export_claims. No side effects.
#include "axecert/foreign/foreign.hpp"

#include <algorithm>

#include "axecert/foreign/formats.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace foreign {
namespace {

bool asked(std::int64_t wanted, std::int64_t have) {
  return wanted < 0 || wanted == have;
}

/// A selected row's registers, in stage and node order.
std::vector<NodeId> registers(const smt::LayerNodes& of, std::int64_t row, const ForeignSelection& selection) {
  std::vector<NodeId> ids;
  for (std::size_t stage = 0; stage < of.topology().stages(); ++stage) {
    for (std::int64_t node = 0; node < of.topology().nodes(stage); ++node) {
      if (asked(selection.stage, static_cast<std::int64_t>(stage)) && asked(selection.node, node)) {
        ids.push_back({.row = row, .stage = stage, .node = node});
      }
    }
  }
  return ids;
}

/// Registers of one row that are asked for.
std::int64_t count_registers(const Topology& topology, const ForeignSelection& selection) {
  std::int64_t count = 0;
  for (std::size_t stage = 0; stage < topology.stages(); ++stage) {
    if (asked(selection.stage, static_cast<std::int64_t>(stage))) {
      count += selection.node < 0 ? topology.nodes(stage) : selection.node < topology.nodes(stage) ? 1 : 0;
    }
  }
  return count;
}

/// The selected layers' numbers. Throws InputError when there is no register.
std::vector<std::size_t> layers_of(const Certificate& certificate, const ForeignSelection& selection) {
  std::vector<std::size_t> layers;
  std::string there;
  for (std::size_t i = 0; i < certificate.layers.size(); ++i) {
    const LayerClaims& claims = certificate.layers[i];
    if (!selection.layer.empty() && selection.layer != claims.layer.name) {
      continue;
    }
    const Topology topology(claims.datapath, claims.layer.cols);
    if (selection.row < claims.layer.rows && count_registers(topology, selection) > 0) {
      layers.push_back(i);
    }
    there +=
        (there.empty() ? "" : "; ") + claims.layer.name + " has rows 0 to " + std::to_string(claims.layer.rows - 1);
    for (std::size_t stage = 0; stage < topology.stages(); ++stage) {
      there += ", stage " + std::to_string(stage) + " registers 0 to " + std::to_string(topology.nodes(stage) - 1);
    }
  }
  if (layers.empty()) {
    throw InputError("export", there.empty() ? "no layer '" + selection.layer + "'" : "no such register",
                     there.empty() ? "axecert explain names the layers" : there);
  }
  return layers;
}

}  // namespace

std::vector<std::string> opening_lines(const smt::LayerNodes& of) {
  const LayerClaims& claims = of.claims();
  std::vector<std::string> lines{"Layer " + claims.layer.name + ", " + std::to_string(claims.layer.rows) + " x " +
                                     std::to_string(claims.layer.cols) + ", datapath " + claims.datapath.name + ".",
                                 "Weights: SHA-256 " + to_hex(claims.weight_hash) + "."};
  if (claims.layer.input_limit != 0) {
    lines.push_back("Inputs of a register of the lowest stage: sum of magnitudes at most " +
                    std::to_string(claims.layer.input_limit) + ".");
  }
  return lines;
}

std::vector<std::string> opening_lines(const Subject& subject) {
  std::vector<std::string> lines = opening_lines(subject.of);
  const Stage& stage = subject.of.topology().stage(subject.id.stage);
  const IntegerRange limits = subject.of.limits(subject.id.stage), claimed = subject.of.claimed(subject.id);
  const auto range = [](IntegerRange r) { return smt::to_text(smt::WideRange{r.lower, r.upper}); };
  lines.push_back("Row " + std::to_string(subject.id.row) + ", stage " + std::to_string(subject.id.stage) + " (" +
                  stage.name + "), register " + std::to_string(subject.id.node) + ": " + std::to_string(stage.width) +
                  " bits, " + to_text(stage.overflow) + ", limits " + range(limits) + ".");
  lines.push_back("Claimed range of " +
                  std::string(stage.claim == Claim::every_partial_sum ? "every partial sum" : "its final value") +
                  ": " + range(claimed) + (subject.of.fits(subject.id) ? "." : "; it can leave its limits."));
  return lines;
}

std::string comment(const std::vector<std::string>& lines, const std::string& sign) {
  std::string text;
  for (const std::string& line : lines) {
    text += sign + line + "\n";
  }
  return text;
}

}  // namespace foreign

std::string to_text(ForeignFormat format) {
  switch (format) {
    case ForeignFormat::vipr:
      return "vipr";
    case ForeignFormat::smt2:
      return "smt2";
    case ForeignFormat::alethe:
      return "alethe";
    case ForeignFormat::acceptance:
      return "acceptance";
  }
  return "unknown";
}

std::int64_t count_files(const Certificate& certificate, ForeignFormat format, const ForeignSelection& selection) {
  std::int64_t files = 0;
  for (const std::size_t i : foreign::layers_of(certificate, selection)) {
    const LayerClaims& claims = certificate.layers[i];
    const std::int64_t rows = selection.row >= 0 ? 1 : claims.layer.rows;
    const std::int64_t nodes = foreign::count_registers(Topology(claims.datapath, claims.layer.cols), selection);
    files += format == ForeignFormat::acceptance ? 1
             : format == ForeignFormat::smt2     ? rows
             : format == ForeignFormat::vipr     ? 2 * rows * nodes
                                                 : 4 * rows * nodes;
  }
  return files;
}

void export_claims(const Certificate& certificate, ForeignFormat format, const ForeignSelection& selection,
                   const std::function<void(const ForeignFile&)>& take) {
  for (const std::size_t i : foreign::layers_of(certificate, selection)) {
    const smt::LayerNodes of(certificate.layers[i]);
    const std::string& layer = of.layer().name;
    if (format == ForeignFormat::acceptance) {
      take({smt::file_stem(layer) + ".acceptance.smt2", foreign::acceptance_text(of)});
      continue;
    }
    for (std::int64_t row = 0; row < of.layer().rows; ++row) {
      if (!foreign::asked(selection.row, row)) {
        continue;
      }
      const std::vector<NodeId> ids = foreign::registers(of, row, selection);
      if (format == ForeignFormat::smt2) {
        take({smt::file_stem(layer) + ".r" + std::to_string(row) + ".smt2", foreign::smt2_text(of, ids)});
        continue;
      }
      for (const NodeId id : ids) {
        const foreign::Subject subject{of, id};
        const foreign::SumProgram program = foreign::sum_program(of, id);
        for (const Side side : {Side::lower, Side::upper}) {
          const std::string stem = smt::file_stem(of, id) + (side == Side::upper ? ".upper" : ".lower");
          if (format == ForeignFormat::vipr) {
            take({stem + ".vipr", foreign::vipr_text(subject, program, side)});
          } else {
            take({stem + ".smt2", foreign::alethe_problem(subject, program, side)});
            take({stem + ".alethe", foreign::alethe_proof(subject, program, side)});
          }
        }
      }
    }
  }
}

}  // namespace axe

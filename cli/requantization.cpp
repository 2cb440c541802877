// Asks lib/bound for every row of a layer; see requantization.hpp.
#include "requantization.hpp"

#include <algorithm>
#include <cmath>

#include "axecert/certificate/shape.hpp"

namespace axe::cli {
namespace {

std::vector<std::string> requantizer_names() {
  std::vector<std::string> names;
  for (const Requantizer requantizer : requantizers()) {
    names.push_back(to_text(requantizer));
  }
  return names;
}

}  // namespace

void add_requantization(CLI::App* command, RequantizationArguments& arguments) {
  command
      ->add_option(
          "--requantize", arguments.requantizer,
          "judge what follows the registers: may every sum be converted to float32, or multiplied as tflite, … "
          "do? Absent: as the datapath says, where multipliers are known")
      ->check(CLI::IsMember(requantizer_names()));
  command->add_option("--multipliers", arguments.multipliers,
                      "an .npz or .safetensors of LAYER, the real multipliers of its rows or one for all; an ONNX "
                      "model's own are known");
}

RequantizationJudge::RequantizationJudge(const RequantizationArguments& arguments, const Datapath& datapath)
    : demanded_(!arguments.requantizer.empty()), file_(arguments.multipliers) {
  const std::string& name = demanded_ ? arguments.requantizer : datapath.requantizer;
  for (const Requantizer requantizer : requantizers()) {
    if (to_text(requantizer) == name) {
      requantizer_ = requantizer;
    }
  }
  if (!name.empty() && !requantizer_) {
    throw Failure(exit_usage, "datapath " + datapath.name, "has no requantizer '" + name + "'",
                  suggestion(name, requantizer_names()));
  }
  if (file_.empty()) {
    return;
  }
  if (!requantizer_) {
    throw Failure(exit_usage, "--multipliers", "nothing takes them", "name what does with --requantize");
  }
  if (requantizer_ == Requantizer::float32) {
    throw Failure(exit_usage, "--multipliers", "float32 takes none", "leave it out");
  }
  const TensorFile file = read_input(file_);
  for (const auto& [layer, tensor] : file.tensors) {
    const std::string place = file_ + ": " + layer;
    std::vector<double> values = tensor.as_f64(place);
    if (tensor.shape.size() > 1 || values.empty()) {
      throw InputError(place, "is no list of multipliers", "[1] or [rows]");
    }
    for (const double value : values) {
      if (!(value > 0) || !std::isfinite(value)) {
        throw InputError(place, "has a multiplier that is no positive number",
                         "it is input scale · weight scale / output scale");
      }
    }
    given_[layer] = std::move(values);
  }
}

bool RequantizationJudge::judges(const std::string& layer) const {
  const bool known = (given_.contains(layer) || stated_.contains(layer)) && !partial_.contains(layer);
  return requantizer_ && (demanded_ || known);
}

void RequantizationJudge::hear(const OnnxInput& model) {
  stated_ = model.multipliers;
  partial_.insert(model.partial_sums.begin(), model.partial_sums.end());
}

void RequantizationJudge::demand_layers(const std::vector<std::string>& names) const {
  for (const auto& [layer, values] : given_) {
    if (std::find(names.begin(), names.end(), layer) == names.end()) {
      throw InputError(file_, "has multipliers of '" + layer + "', which is no layer", suggestion(layer, names));
    }
  }
}

Vote RequantizationJudge::vote(const LayerClaims& claims) const {
  const IntegerLayer& layer = claims.layer;
  const auto given = given_.find(layer.name), stated = stated_.find(layer.name);
  const std::vector<double> none;
  const std::vector<double>& multipliers = given != given_.end()     ? given->second
                                           : stated != stated_.end() ? stated->second
                                                                     : none;
  if (multipliers.size() > 1 && static_cast<std::int64_t>(multipliers.size()) != layer.rows) {
    throw InputError(
        file_ + ": " + layer.name,
        "has " + std::to_string(multipliers.size()) + " multipliers, the layer " + std::to_string(layer.rows) + " rows",
        "one for all, or one per row");
  }
  Vote vote;
  vote.voter = "requantization";
  vote.version = to_text(*requantizer_);
  vote.detail = describe(*requantizer_);
  vote.of_registers = false;
  vote.nodes_total = layer.rows;
  bool fails = false;
  const bool partial = partial_.contains(layer.name);
  const std::vector<IntegerRange> sums = row_sums(layer, claims.datapath);
  for (std::size_t r = 0; r < sums.size(); ++r) {
    RequantizationCheck check{RequantizationCheck::Outcome::undecided,
                              "something is added to its sum outside its registers"};
    if (!partial) {
      check = check_requantization(
          *requantizer_, sums[r],
          multipliers.empty() ? std::nullopt : std::optional(multipliers[multipliers.size() == 1 ? 0 : r]));
    }
    vote.nodes_checked += check.outcome == RequantizationCheck::Outcome::undecided ? 0 : 1;
    fails = fails || check.outcome == RequantizationCheck::Outcome::fails;
    if (check.outcome != RequantizationCheck::Outcome::fits) {
      ++vote.findings_total;
      if (vote.findings.size() < findings_kept) {
        vote.findings.push_back(
            {layer.name, {static_cast<std::int64_t>(r), claims.datapath.stages.size() - 1, 0}, check.reason});
      }
    }
  }
  vote.verdict = fails ? Verdict::unsafe : vote.nodes_checked == vote.nodes_total ? Verdict::safe : Verdict::incomplete;
  return vote;
}

std::optional<Vote> joined_requantization(std::vector<Vote> parts) {
  std::erase_if(parts, [](const Vote& part) { return part.voter.empty(); });
  if (parts.empty()) {
    return std::nullopt;
  }
  const bool unsafe =
      std::any_of(parts.begin(), parts.end(), [](const Vote& part) { return part.verdict == Verdict::unsafe; });
  Vote whole = join(std::move(parts));
  whole.verdict = unsafe ? Verdict::unsafe : whole.verdict;
  return whole;
}

}  // namespace axe::cli

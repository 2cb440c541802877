// axecert check: a policy applied to the models of a repository. Every model is certified on every datapath that the policy names, the named voters
// judge it, and registers with less room than it demands are refused; the exit code is the worst verdict. docs/ci.md.
#include <exception>
#include <map>
#include <set>

#include "axecert/certificate/atomic_file.hpp"
#include "axecert/certificate/shape.hpp"
#include "axecert/election/election.hpp"
#include "axecert/model/layers.hpp"
#include "axecert/numeric/tasks.hpp"
#include "axecert/report/report.hpp"
#include "axecert/report/summary.hpp"
#include "axecert/report/votes.hpp"
#include "axecert/report/words.hpp"
#include "claims_of.hpp"
#include "onnx_input.hpp"
#include "policy.hpp"
#include "report_files.hpp"
#include "requantization.hpp"
#include "verb.hpp"

namespace axe::cli {
namespace {

struct Arguments {
  std::string policy = "axecert.toml", folder, cvc5_program = "cvc5";
  int workers = 0;
  std::shared_ptr<Common> common = std::make_shared<Common>();
};

/// What one model is on one datapath.
struct Outcome {
  std::string model, datapath;
  Verdict verdict = Verdict::incomplete;
  std::int64_t nodes = 0, unsafe_nodes = 0;
  double fullest = 0;  ///< the largest share of a register's limits
  std::vector<Vote> votes;
  std::vector<std::string> accepted;  ///< nodes without a layer that the policy accepts
  std::vector<std::string> problems;
  std::vector<std::string> files;
};

/// Layers on as many threads as there are cores.
Certificate certificate_of(const TensorFile& file, const Datapath& datapath,
                           const std::optional<IntegerRange>& inputs) {
  demand_weight_keys(file);
  const std::vector<std::string> names = layer_names(file);
  Certificate certificate{"axecert " AXECERT_VERSION, std::vector<LayerClaims>(names.size())};
  std::vector<std::exception_ptr> errors(names.size());
  for_each_task(names.size(), workers_or_cores(0), [&](const auto& take) {
    for (std::size_t i = 0; take(i);) {
      try {
        certificate.layers[i] = claims_of(read_integer_layer(file, names[i], datapath), datapath, inputs);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error) {
      std::rethrow_exception(error);
    }
  }
  return certificate;
}

/// Whether `percent` of `limits` are left beyond `range`: 100 · upper ≤ (100 − percent) · limit, and so below.
bool leaves(IntegerRange range, IntegerRange limits, int percent) {
  const auto within = [&](std::int64_t end, std::int64_t limit) {
    return static_cast<int128>(100) * end <= static_cast<int128>(100 - percent) * limit;
  };
  return within(range.upper, limits.upper) &&
         static_cast<int128>(100) * range.lower >= static_cast<int128>(100 - percent) * limits.lower;
}

/// The policy as a voter: refuses every register that leaves less room than it demands. One finding per row.
Vote margin_vote(const Certificate& certificate, int percent) {
  Vote vote;
  vote.voter = policy_voter;
  vote.verdict = Verdict::safe;
  vote.detail = "at least " + std::to_string(percent) + " % of every register's limits are left";
  for (const LayerClaims& claims : certificate.layers) {
    const auto rows = static_cast<std::size_t>(claims.layer.rows);
    for (std::size_t r = 0; r < rows; ++r) {
      bool found = false;
      for (std::size_t s = 0; s < claims.ranges.size() && !found; ++s) {
        const StageRanges& ranges = claims.ranges[s];
        const IntegerRange limits = register_limits(claims.datapath.stages[s]);
        const std::size_t registers = ranges.lower.size() / rows;
        for (std::size_t n = 0; n < registers && !found; ++n) {
          const IntegerRange range{ranges.lower[r * registers + n], ranges.upper[r * registers + n]};
          found = !leaves(range, limits, percent);
          if (found && vote.findings.size() < findings_kept) {
            vote.findings.push_back({claims.layer.name,
                                     {static_cast<std::int64_t>(r), s, static_cast<std::int64_t>(n)},
                                     "range " + in_words(range) + " in " + in_words(limits) + " leaves less than " +
                                         std::to_string(percent) + " %"});
          }
        }
      }
      vote.findings_total += found ? 1 : 0;
    }
    for (const StageRanges& ranges : claims.ranges) {
      vote.nodes_total += static_cast<std::int64_t>(ranges.lower.size());
    }
  }
  vote.nodes_checked = vote.nodes_total;
  if (vote.findings_total > 0) {
    vote.verdict = Verdict::refused;
  }
  return vote;
}

/// Takes the nodes that the policy accepts out of what is missing; InputError for one that is not there, so that no acceptance outlives its node.
std::vector<std::string> accept(const ModelPolicy& model, OnnxInput& onnx, const std::filesystem::path& policy) {
  std::map<std::string, std::int64_t> left;  // how many nodes have that name: in ONNX names need not differ
  for (const char* list : {"not_covered", "unknown"}) {
    for (const Json& entry : onnx.json[list]) {
      ++left[entry["node"].get<std::string>()];
    }
  }
  std::vector<std::string> listed;
  for (const auto& [node, nodes] : left) {
    listed.push_back(node);
  }
  const std::string place = policy.string() + ": accept_not_covered";
  for (const std::string& node : model.accepted) {
    const auto found = left.find(node);
    if (found == left.end()) {
      throw InputError(place, "'" + node + "' is nothing that " + model.file.string() + " leaves uncovered",
                       listed.empty() ? "remove it" : suggestion(node, listed));
    }
    if (found->second > 1) {
      throw InputError(
          place, "'" + node + "' is the name of " + std::to_string(found->second) + " nodes of " + model.file.string(),
          "give each a name of its own in the model");
    }
    left.erase(found);
  }
  if (left.empty()) {
    onnx.missing.reset();
  } else if (onnx.missing && !model.accepted.empty()) {
    Vote& vote = *onnx.missing;
    std::erase_if(vote.findings, [&](const Finding& finding) { return !left.contains(finding.layer); });
    vote.findings_total -= static_cast<std::int64_t>(model.accepted.size());
    vote.nodes_total -= static_cast<std::int64_t>(model.accepted.size());
    vote.detail += "; the policy accepts " + std::to_string(model.accepted.size());
  }
  return model.accepted;
}

/// A name that is a file's on every system: "encoder.axe_P_16_T_64".
std::string file_stem(const std::filesystem::path& model, const std::string& datapath) {
  std::string stem = model.stem().string() + "." + std::filesystem::path(datapath).stem().string();
  for (char& c : stem) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    c = plain ? c : '_';
  }
  return stem;
}

/// A file that is gone at the end.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::span<const std::uint8_t> bytes)
      : file_(std::filesystem::temp_directory_path() / "axecert-check.axec") {
    file_.append(bytes);
  }
  const std::filesystem::path& path() const { return file_.place(); }

 private:
  PendingFile file_;
};

class Check {
 public:
  Check(const Arguments& arguments, const Policy& policy) : a_(arguments), policy_(policy) {
    options_.z3 = policy.z3;
    options_.replay = policy.replay;
    options_.workers = a_.workers;
    options_.progress = [this](const std::string& voter) { return progress_line(*a_.common, voter); };
    if (policy.cvc5) {
      try {
        cvc5_version(a_.cvc5_program);
      } catch (const InputError& error) {
        throw Failure(exit_no_input, error.place(), error.problem(), error.remedy());
      }
      options_.cvc5 = a_.cvc5_program;
      options_.bug_reports = a_.folder.empty() ? std::filesystem::path(".") : std::filesystem::path(a_.folder);
    }
  }

  void add(const ModelPolicy& model, std::size_t which) {
    Outcome outcome;
    outcome.model = model.file.string();
    outcome.datapath = model.datapaths[which];
    const Datapath& datapath = model.parsed[which];
    std::optional<OnnxInput> onnx;
    TensorFile file;
    if (is_onnx(model.file)) {
      onnx = read_onnx_input(model.file, datapath, model.order);
      outcome.accepted = accept(model, *onnx, policy_.file);
      file = std::move(onnx->layers);
    } else {
      if (!model.accepted.empty()) {
        throw InputError(policy_.file.string() + ": accept_not_covered", model.file.string() + " is no .onnx file",
                         "remove the key");
      }
      file = read_input(model.file);
    }
    if (file.tensors.empty() && !(onnx && onnx->missing)) {
      throw InputError(outcome.model, "has no integer dot product that could be checked",
                       "quantize it first, or take it out of the policy");
    }
    Election election;
    std::vector<std::uint8_t> bytes;
    if (!file.tensors.empty()) {
      bytes = certificate_bytes(certificate_of(file, datapath, model.inputs));
      const TemporaryFile certificate(bytes);
      election = hold_election(certificate.path(), file, what_the_checker_did, options_);
      end_progress();
      RequantizationJudge requantization({}, datapath);
      if (onnx) {
        requantization.hear(*onnx);
      }
      std::vector<Vote> requantized;
      for (const LayerClaims& claims : election.certificate.layers) {
        if (requantization.judges(claims.layer.name)) {
          requantized.push_back(requantization.vote(claims));
        }
      }
      if (std::optional<Vote> vote = joined_requantization(std::move(requantized))) {
        election.votes.push_back(std::move(*vote));
      }
      const bool fits = election.verdict == Verdict::safe || election.verdict == Verdict::incomplete;
      if (policy_.minimum_margin_percent > 0 && fits) {  // what overflows has been said already
        election.votes.push_back(margin_vote(election.certificate, policy_.minimum_margin_percent));
      }
    }
    if (onnx && onnx->missing) {
      election.votes.push_back(*onnx->missing);
    }
    const std::string stem = unused(file_stem(model.file, outcome.datapath));
    const std::string path =
        a_.folder.empty() || bytes.empty() ? "" : (std::filesystem::path(a_.folder) / (stem + ".axec")).string();
    const ReportContents contents = report_contents({election.certificate, election.votes, path, outcome.model});
    outcome.verdict = contents.verdict;
    outcome.nodes = contents.nodes;
    for (const ReportedLayer& layer : contents.layers) {
      for (const StageSummary& stage : layer.summary.stages) {
        outcome.unsafe_nodes += stage.unsafe_nodes;
        outcome.fullest = std::max(outcome.fullest, stage.budget_fullest);
      }
    }
    for (const Problem& problem : contents.problems) {
      outcome.problems.push_back(problem.message);
    }
    if (!a_.folder.empty()) {
      keep(outcome, contents, std::move(bytes), path, stem);
    }
    outcome.votes = std::move(election.votes);
    outcomes_.push_back(std::move(outcome));
  }

  int finish() const {
    write_all_or_none(outputs_);
    Verdict verdict = Verdict::safe;
    std::size_t passed = 0;
    for (const Outcome& outcome : outcomes_) {
      passed += outcome.verdict == Verdict::safe ? 1 : 0;
      verdict = worse(verdict, outcome.verdict);
    }
    print_all(verdict, passed);
    return exit_code(verdict);
  }

 private:
  /// The reports and the certificate of one outcome, to be written with all others.
  void keep(Outcome& outcome, const ReportContents& contents, std::vector<std::uint8_t> bytes, const std::string& path,
            const std::string& stem) {
    const std::map<std::string, std::string> endings{
        {"html", ".html"}, {"markdown", ".md"}, {"sarif", ".sarif"}, {"junit", ".xml"}};
    ReportFiles files;
    for (const ReportFormat& format : report_formats()) {
      files.paths[format.name] = (std::filesystem::path(a_.folder) / (stem + endings.at(format.name))).string();
    }
    std::vector<Output> outputs = rendered(files, contents);
    if (!bytes.empty()) {
      outputs.push_back({path, std::move(bytes)});
    }
    for (Output& output : outputs) {
      outcome.files.push_back(output.path.string());
      outputs_.push_back(std::move(output));
    }
  }

  /// Two models of one name in different folders do not share files.
  std::string unused(const std::string& stem) {
    std::string name = stem;
    for (int i = 2; !stems_.insert(name).second; ++i) {
      name = stem + "-" + std::to_string(i);
    }
    return name;
  }

  void print_all(Verdict verdict, std::size_t passed) const {
    constexpr std::size_t most_problems = 5;
    if (a_.common->json) {
      Json document{{"verdict", to_text(verdict)},
                    {"policy", policy_.file.string()},
                    {"minimum_margin_percent", policy_.minimum_margin_percent},
                    {"checks", Json::array()}};
      for (const Outcome& outcome : outcomes_) {
        Json votes = Json::array();
        for (const Vote& vote : outcome.votes) {
          votes.push_back(parsed(vote_json(vote)));
        }
        document["checks"].push_back(Json{{"model", outcome.model},
                                          {"datapath", outcome.datapath},
                                          {"verdict", to_text(outcome.verdict)},
                                          {"nodes", outcome.nodes},
                                          {"unsafe_nodes", outcome.unsafe_nodes},
                                          {"accepted", outcome.accepted},
                                          {"problems", outcome.problems},
                                          {"votes", votes},
                                          {"files", outcome.files}});
      }
      print(document);
      return;
    }
    std::string text;
    for (const Outcome& outcome : outcomes_) {
      char full[32];
      std::snprintf(full, sizeof full, "%.1f %%", 100 * outcome.fullest);
      text += outcome.model + " on " + outcome.datapath + ": " + upper_case(to_text(outcome.verdict)) + "\n";
      if (outcome.nodes > 0) {
        text += "  " + in_words(outcome.nodes) + " registers, " + in_words(outcome.unsafe_nodes) +
                " can overflow; the fullest is filled to " + full + "\n";
      }
      for (const std::string& node : outcome.accepted) {
        text += "  accepted by the policy, and not covered: " + node + "\n";
      }
      text += votes_text(outcome.votes);
      for (std::size_t i = 0; i < outcome.problems.size() && i < most_problems; ++i) {
        text += "  " + outcome.problems[i] + "\n";
      }
      if (outcome.problems.size() > most_problems) {
        text += "  … and " + in_words(static_cast<std::int64_t>(outcome.problems.size() - most_problems)) + " more\n";
      }
    }
    print(text + written(outputs_) + "policy " + policy_.file.string() + ": " + std::to_string(passed) + " of " +
          std::to_string(outcomes_.size()) + " checks pass\n" + upper_case(to_text(verdict)) + "\n");
  }

  const Arguments& a_;
  const Policy& policy_;
  ElectionOptions options_;
  std::vector<Outcome> outcomes_;
  std::vector<Output> outputs_;
  std::set<std::string> stems_;
};

int run(const Arguments& a) {
  const Policy policy = read_policy(a.policy);
  std::optional<OutputFolder> folder;
  if (!a.folder.empty()) {
    folder.emplace(a.folder);
  }
  for (const ModelPolicy& model : policy.models) {
    require_input(model.file);  // all of them, before the first takes its time
  }
  Check check(a, policy);
  for (const ModelPolicy& model : policy.models) {
    for (std::size_t i = 0; i < model.datapaths.size(); ++i) {
      check.add(model, i);
    }
  }
  return check.finish();
}

}  // namespace

Verb check_verb(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "check", "apply a policy (axecert.toml): models, datapaths on which they must be safe, voters, margin");
  command->add_option("POLICY", a->policy, "the policy (docs/ci.md)")->capture_default_str();
  command->add_option("-o,--output", a->folder,
                      "folder for the certificate, SARIF, JUnit XML, Markdown and HTML of every model and datapath");
  command->add_option("--cvc5-program", a->cvc5_program, "the program that the voter cvc5 runs")->capture_default_str();
  command->add_option("--workers", a->workers, "solver processes; 0: one per core")->check(CLI::Range(0, 256));
  add_common(command, a->common, true);
  return {command, [a] { return run(*a); }};
}

}  // namespace axe::cli

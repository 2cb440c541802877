// Asks the voters in order, the checker first, and combines what they say. See voters.hpp; `hold_election` is the main function.
#include "voters.hpp"

#include "axecert/report/votes.hpp"
#include "datapath_argument.hpp"
#include "onnx_input.hpp"

namespace axe::cli {
namespace {

/// The depths that --z3 names.
std::vector<SmtDepth> depths_of(const std::string& z3) {
  if (z3 == "both") {
    return {SmtDepth::ground, SmtDepth::box};
  }
  if (z3 == "none") {
    return {};
  }
  return {z3 == "ground" ? SmtDepth::ground : z3 == "box" ? SmtDepth::box : SmtDepth::bit_precise};
}

// The weights of an ONNX model are those that the reader finds in it for the certificate's datapath.
Election election_on_onnx(const VoterArguments& a, const ElectionOptions& options) {
  const Certificate certificate = read_certificate(a.certificate);
  OnnxInput input = read_onnx_input(a.weights, certificate.layers.at(0).datapath, a.convolution_order);
  Election election = axe::hold_election(
      a.certificate, input.layers, std::string(what_the_checker_did) + "; arrays taken out of .onnx", options);
  if (input.missing && election.verdict != Verdict::refused) {
    election.votes.push_back(*input.missing);
    election.verdict = combine(election.votes);
  }
  return election;
}

}  // namespace

void add_voters(CLI::App* command, VoterArguments& a) {
  command->add_option("CERTIFICATE", a.certificate, "the .axec file")->required();
  command
      ->add_option("WEIGHTS", a.weights, "the weights it speaks about: .safetensors, an index of shards, .npz or .onnx")
      ->required();
  command->add_option("-d,--datapath", a.datapath, "refuse certificates for any other datapath");
  command->add_option("--z3", a.z3, "ground, box, both, bits or none")
      ->capture_default_str()
      ->check(CLI::IsMember({"ground", "box", "both", "bits", "none"}));
  command->add_flag("--cvc5", a.cvc5, "cvc5 votes too: on every query of Z3's depths box and bits");
  command->add_option("--cvc5-program", a.cvc5_program, "the program that --cvc5 runs")->capture_default_str();
  command->add_option("--bug-reports", a.bug_reports, "folder for queries that the two solvers answer differently")
      ->capture_default_str();
  command->add_option("--replay", a.replay, "random inputs replayed per row")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
  command->add_flag("--no-replay", a.no_replay, "do not replay");
  command->add_option("--workers", a.workers, "solver processes; 0: one per core")->check(CLI::Range(0, 256));
  command->add_option(
      "--resume", a.resume,
      "journal of what Z3 has proved: an interrupted run with the same journal goes on where it stopped");
  add_convolution_order(command, a.convolution_order);
}

Election hold_election(const VoterArguments& a, const Common& common) {
  require_input(a.certificate);
  require_input(a.weights);
  ElectionOptions options;
  if (!a.datapath.empty()) {
    options.expected = datapath_argument(a.datapath);
  }
  options.z3 = depths_of(a.z3);
  if (a.cvc5) {
    if (a.z3 == "none" || a.z3 == "ground") {
      throw Failure(exit_usage, "--cvc5", "has no queries with --z3 " + a.z3,
                    "it votes on those of --z3 box, both and bits");
    }
    try {
      cvc5_version(a.cvc5_program);
    } catch (const InputError& error) {
      throw Failure(exit_no_input, error.place(), error.problem(), error.remedy());
    }
    if (!std::filesystem::is_directory(a.bug_reports)) {
      throw Failure(exit_cannot_create, a.bug_reports, "is no folder", "make it, or name another with --bug-reports");
    }
    options.cvc5 = a.cvc5_program;
    options.bug_reports = a.bug_reports;
  }
  if (!a.no_replay) {
    options.replay = a.replay;
  }
  options.workers = a.workers;
  options.resume = a.resume;
  options.keep_certificate = a.keep_certificate;
  options.progress = [&](const std::string& voter) { return progress_line(common, voter); };
  try {
    Election election =
        is_onnx(a.weights) ? election_on_onnx(a, options) : axe::hold_election(a.certificate, a.weights, options);
    end_progress();
    return election;
  } catch (const Failure&) {
    throw;
  } catch (const InputError& error) {  // the files are there: something in them is wrong
    end_progress();
    throw Failure(exit_refused, "refused", error.what(), "");
  }
}

Election checked_election(const std::string& certificate, const std::string& weights,
                          const std::string& convolution_order) {
  VoterArguments arguments;
  arguments.convolution_order = convolution_order;
  arguments.certificate = certificate;
  arguments.weights = weights;
  arguments.z3 = "none";
  arguments.no_replay = true;
  Election election = hold_election(arguments, {});
  const Vote& checker = election.votes[0];
  const std::string message = checker.findings.empty() ? "by the checker" : checker.findings[0].message;
  if (election.verdict == Verdict::refused) {
    throw Failure(exit_refused, "refused", message, "");
  }
  if (checker.nodes_checked != checker.nodes_total) {
    throw Failure(exit_incomplete, "incomplete", message, "");
  }
  return election;
}

}  // namespace axe::cli

// axecert verify: every voter on a certificate and its weights, and the verdict that follows.
#include "attestation_files.hpp"
#include "axecert/report/report.hpp"
#include "report_files.hpp"
#include "voters.hpp"

namespace axe::cli {
namespace {

struct Arguments {
  VoterArguments voters;
  ReportFiles files;
  AttestationFiles attestations;
  std::shared_ptr<Common> common = std::make_shared<Common>();
};

int run(const Arguments& a) {
  const HashedPair hashes = hashed(a.attestations, a.voters);
  VoterArguments voters = a.voters;
  voters.keep_certificate = a.files.any() || a.attestations.any();  // only reports look at it again
  const Election election = hold_election(voters, *a.common);
  std::vector<Output> outputs;
  if (a.files.any() || a.attestations.any()) {
    const ReportContents contents =
        report_contents({election.certificate, election.votes, a.voters.certificate, a.voters.weights});
    outputs = rendered(a.files, contents);
    for (Output& statement : attested(a.attestations, hashes, a.voters, contents)) {
      outputs.push_back(std::move(statement));
    }
    write_all_or_none(outputs);
  }
  if (a.common->json) {
    Json document{{"verdict", to_text(election.verdict)},
                  {"certificate", a.voters.certificate},
                  {"weights", a.voters.weights},
                  {"votes", Json::array()},
                  {"assumptions", parsed(assumptions_json(election.certificate))}};
    for (const Vote& vote : election.votes) {
      document["votes"].push_back(parsed(vote_json(vote)));
    }
    print(document);
    return exit_code(election.verdict);
  }
  std::string text = votes_text(election.votes);
  for (const Assumption assumption : assumptions(election.certificate)) {
    text += "assumes    " + sentence_of(assumption) + "\n";
  }
  print(text + written(outputs) + upper_case(to_text(election.verdict)) + "\n");
  return exit_code(election.verdict);
}

}  // namespace

Verb verify_verb(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("verify", "check a certificate against its weights: checker, Z3, replay");
  add_voters(command, a->voters);
  add_report_files(command, a->files);
  add_attestation_files(command, a->attestations);
  add_common(command, a->common, true);
  return {command, [a] { return run(*a); }};
}

}  // namespace axe::cli

// axecert report: certificate and votes as text, JSON, or files of every format of report_formats().
#include "attestation_files.hpp"
#include "report_files.hpp"
#include "voters.hpp"

namespace axe::cli {
namespace {

struct Arguments {
  VoterArguments voters;
  ReportFiles files;
  AttestationFiles attestations;
  bool text = false;
  std::shared_ptr<Common> common = std::make_shared<Common>();
};

int run(const Arguments& a) {
  const HashedPair hashes = hashed(a.attestations, a.voters);
  const Election election = hold_election(a.voters, *a.common);
  const ReportContents contents =
      report_contents({election.certificate, election.votes, a.voters.certificate, a.voters.weights});
  std::vector<Output> outputs = rendered(a.files, contents);
  for (Output& statement : attested(a.attestations, hashes, a.voters, contents)) {
    outputs.push_back(std::move(statement));
  }
  write_all_or_none(outputs);
  if (a.common->json) {
    print(json_report(contents));
  } else if (a.text || outputs.empty()) {
    print(text_report(contents));
  } else {
    print(written(outputs) + upper_case(to_text(election.verdict)) + "\n");
  }
  return exit_code(election.verdict);
}

}  // namespace

Verb report_verb(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("report", "certificate and votes as text, JSON, HTML, Markdown, SARIF or JUnit XML");
  add_voters(command, a->voters);
  add_report_files(command, a->files);
  add_attestation_files(command, a->attestations);
  command->add_flag("--text", a->text, "text on standard output (the default when no file is asked for)");
  add_common(command, a->common, true);
  return {command, [a] { return run(*a); }};
}

}  // namespace axe::cli

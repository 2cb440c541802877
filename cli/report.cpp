// axecert report: certificate and votes as text, JSON, or one HTML page.
#include "axecert/report/report.hpp"

#include "voters.hpp"

namespace axe::cli {
namespace {

struct Arguments {
  VoterArguments voters;
  std::string html;
  bool text = false;
  std::shared_ptr<Common> common = std::make_shared<Common>();
};

int run(const Arguments& a) {
  const Election election = hold_election(a.voters, *a.common);
  const ReportSubject subject{election.certificate, election.votes, a.voters.certificate, a.voters.weights};
  if (!a.html.empty()) {
    const std::string page = html_report(subject);
    write_all_or_none({{a.html, std::vector<std::uint8_t>(page.begin(), page.end())}});
  }
  if (a.common->json) {
    print(json_report(subject));
  } else if (a.text || a.html.empty()) {
    print(text_report(subject));
  } else {
    print("wrote " + a.html + "\n" + upper_case(to_text(election.verdict)) + "\n");
  }
  return exit_code(election.verdict);
}

}  // namespace

Verb report_verb(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("report", "certificate and votes as text, JSON or one HTML page");
  add_voters(command, a->voters);
  command->add_option("--html", a->html, "write one self-contained HTML page");
  command->add_flag("--text", a->text, "text on standard output (the default without --html)");
  add_common(command, a->common, true);
  return {command, [a] { return run(*a); }};
}

}  // namespace axe::cli

// axecert selftest: the tests of the tool's requirements, here, and a report that somebody can sign.
#include "axecert/selftest/selftest.hpp"

#include "axecert/numeric/error.hpp"
#include "environment.hpp"
#include "verb.hpp"

namespace axe::cli {
namespace {

struct Arguments {
  std::string folder, by;
  std::shared_ptr<Common> common = std::make_shared<Common>();
};

SelftestRun this_run(const std::string& by) {
  SelftestRun run;
  run.by = by;
  run.tool = "axecert " AXECERT_VERSION;
  run.program = own_program().string();
  try {
    run.sha256 = sha256_of_file(run.program);
  } catch (const InputError&) {  // the report then says that it is unknown
  }
  run.platform = platform();
  run.processor = processor();
  run.compiler = compiler();
  for (const Library& library : libraries()) {
    run.libraries.emplace_back(library.name, library.version.empty() ? "unknown" : library.version);
  }
  return run;
}

int run(const Arguments& a) {
  std::optional<OutputFolder> folder;
  if (!a.folder.empty()) {
    folder.emplace(a.folder);
  }
  SelftestRun run = this_run(a.by);
  if (folder && run.sha256.empty()) {
    throw Failure(exit_software, "selftest", "this program's own file cannot be read", "run without -o");
  }
  const std::vector<SelftestCheck> checks = run_selftest(progress_line(*a.common, "selftest"));
  end_progress();
  run.finished = utc_now();
  const std::string text = selftest_text(run, checks), json = selftest_json(run, checks);
  if (folder) {
    std::vector<Output> outputs;
    const auto add = [&](const char* name, const std::string& content) {
      outputs.push_back(
          {std::filesystem::path(a.folder) / name, std::vector<std::uint8_t>(content.begin(), content.end())});
    };
    add("selftest.txt", text);
    add("selftest.json", json + "\n");
    add("selftest.in-toto.json", selftest_statement(run, checks));
    write_all_or_none(outputs);
  }
  print(a.common->json ? json + "\n" : text);
  return passed(checks) ? 0 : 1;
}

}  // namespace

Verb selftest_verb(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("selftest", "the tests of the tool's requirements, in this environment (some seconds)");
  command->add_option(
      "-o,--output", a->folder,
      "folder for selftest.txt, selftest.json and selftest.in-toto.json (a statement about this program)");
  command->add_option("--by", a->by, "who runs it and signs the report");
  add_common(command, a->common, true);
  return {command, [a] { return run(*a); }};
}

}  // namespace axe::cli

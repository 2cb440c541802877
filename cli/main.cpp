// axecert: quantize a model for a narrow accumulator, and prove that it cannot overflow. Parses the command line, runs one
// verb, and turns every error into one line and an exit code.
#include <cstdio>
#include <iostream>
#include <new>

#include "verb.hpp"

namespace {

using namespace axe::cli;

int report_error(const char* what, int code, bool json) {
  end_progress();
  std::fprintf(stderr, "axecert: %s\n", what);
  if (json) {
    const Json document{{"error", what}, {"exit_code", code}};
    std::printf("%s\n", document.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  }
  return code;
}

int run(CLI::App& app, int argc, char** argv) {
  app.require_subcommand(1);
  app.set_version_flag("--version", "axecert " AXECERT_VERSION);
  app.footer(
      "Exit codes: 0 safe, 1 unsafe, 2 incomplete, 3 refused, 64 usage, 65 bad data, 66 no input, 73 cannot create, 74 "
      "I/O.");
  const Verb verbs[] = {quantize_verb(app), certify_verb(app), repair_verb(app),   verify_verb(app),
                        explain_verb(app),  report_verb(app),  export_verb(app),   datapaths_verb(app),
                        probe_verb(app),    check_verb(app),   selftest_verb(app), sbom_verb(app)};
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    json = json || std::string(argv[i]) == "--json";
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    std::string text = error.what();
    std::vector<std::string> names;
    for (const CLI::App* verb : app.get_subcommands([](CLI::App*) { return true; })) names.push_back(verb->get_name());
    if (app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-') {
      text = "no verb '" + std::string(argv[1]) + "': " + suggestion(argv[1], names);
    } else if (!app.get_subcommands().empty()) {
      text += " (axecert " + app.get_subcommands()[0]->get_name() + " --help)";
    } else {
      text += " (axecert --help)";
    }
    return report_error(text.c_str(), exit_usage, json);
  }
  try {
    for (const Verb& verb : verbs) {
      if (verb.command->parsed()) {
        const int code = verb.run();
        std::cout.flush();
        if (!std::cout) {
          return report_error("standard output: cannot be written", exit_io, false);
        }
        return code;
      }
    }
  } catch (const Failure& failure) {
    return report_error(failure.what(), failure.code, json);
  } catch (const axe::InputError& error) {
    return report_error(error.what(), exit_data, json);
  } catch (const std::bad_alloc&) {
    return report_error("out of memory", exit_software, json);
  } catch (const std::exception& error) {
    return report_error((std::string("defect: ") + error.what()).c_str(), exit_software, json);
  }
  return exit_usage;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"axecert: quantize a model for a narrow accumulator, and prove that it cannot overflow", "axecert"};
  return run(app, argc, argv);
}

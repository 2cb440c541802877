// The report of the self-test as text, JSON and an in-toto statement. See selftest.hpp. No side effects.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "axecert/report/words.hpp"
#include "axecert/selftest/selftest.hpp"

namespace axe {
namespace {

using Json = nlohmann::ordered_json;

std::string dumped(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(text.size() < width ? width - text.size() : 1, ' ');
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : " ") + word;
  }
  return text;
}

std::int64_t sum_of(const std::vector<SelftestCheck>& checks, std::int64_t SelftestCheck::*count) {
  std::int64_t sum = 0;
  for (const SelftestCheck& check : checks) {
    sum += check.*count;
  }
  return sum;
}

Json run_json(const SelftestRun& run) {
  Json libraries = Json::array();
  for (const auto& [name, version] : run.libraries) {
    libraries.push_back({{"name", name}, {"version", version}});
  }
  return {{"by", run.by.empty() ? Json(nullptr) : Json(run.by)},
          {"finished", run.finished},
          {"tool", run.tool},
          {"program", run.program},
          {"sha256", run.sha256.empty() ? Json(nullptr) : Json(run.sha256)},
          {"platform", run.platform},
          {"processor", run.processor},
          {"compiler", run.compiler},
          {"libraries", libraries}};
}

Json checks_json(const std::vector<SelftestCheck>& checks) {
  Json list = Json::array();
  for (const SelftestCheck& check : checks) {
    list.push_back({{"name", check.name},
                    {"requirements", check.requirements},
                    {"done", check.done},
                    {"failed", check.failed},
                    {"first_failure", check.first_failure},
                    {"seconds", check.seconds}});
  }
  return list;
}

bool holds(const SelftestCheck& check) {
  return check.done > 0 && check.failed == 0;
}

}  // namespace

std::string selftest_text(const SelftestRun& run, const std::vector<SelftestCheck>& checks) {
  std::string text = "axecert self-test\n";
  const auto line = [&](const char* name, const std::string& value) {
    text += "  " + padded(name, 12) + (value.empty() ? "unknown" : value) + "\n";
  };
  line("tool", run.tool);
  line("program", run.program);
  line("sha256", run.sha256);
  line("finished", run.finished);
  line("platform", run.platform);
  line("processor", run.processor);
  line("compiler", run.compiler);
  std::string libraries;
  for (const auto& [name, version] : run.libraries) {
    libraries += (libraries.empty() ? "" : ", ") + name + " " + version;
  }
  line("libraries", libraries);
  text += "\n";
  for (const SelftestCheck& check : checks) {
    text += padded(check.name, 34) + padded(in_words(check.done) + " checks,", 16) +
            padded(holds(check) ? "all hold" : in_words(check.failed) + " FAIL", 10) + joined(check.requirements) +
            "\n";
    if (!holds(check)) {
      text += "    " + (check.done == 0 ? std::string("nothing was checked") : check.first_failure) + "\n";
    }
  }
  text += std::string("\n") + (passed(checks) ? "PASS  " : "FAIL  ") + in_words(sum_of(checks, &SelftestCheck::done)) +
          " checks\n\nRun by     " + (run.by.empty() ? "nobody was named (--by NAME)" : run.by) +
          "\nSigned     ______________________________\n";
  return text;
}

std::string selftest_json(const SelftestRun& run, const std::vector<SelftestCheck>& checks) {
  return dumped({{"verdict", passed(checks) ? "pass" : "fail"},
                 {"done", sum_of(checks, &SelftestCheck::done)},
                 {"failed", sum_of(checks, &SelftestCheck::failed)},
                 {"checks", checks_json(checks)},
                 {"run", run_json(run)}});
}

std::string selftest_statement(const SelftestRun& run, const std::vector<SelftestCheck>& checks) {
  Json passed_tests = Json::array(), failed_tests = Json::array();
  for (const SelftestCheck& check : checks) {
    (holds(check) ? passed_tests : failed_tests).push_back(check.name);
  }
  const std::string name = std::filesystem::path(run.program).filename().string();
  const Json program{{"name", name}, {"digest", {{"sha256", run.sha256}}}};
  Json configuration = program;
  configuration["annotations"] = {{"run", run_json(run)}, {"checks", checks_json(checks)}};
  return dumped({{"_type", "https://in-toto.io/Statement/v1"},
                 {"subject", Json::array({program})},
                 {"predicateType", "https://in-toto.io/attestation/test-result/v0.1"},
                 {"predicate",
                  {{"result", passed(checks) ? "PASSED" : "FAILED"},
                   {"configuration", Json::array({configuration})},
                   {"passedTests", passed_tests},
                   {"warnedTests", Json::array()},
                   {"failedTests", failed_tests}}}}) +
         "\n";
}

}  // namespace axe

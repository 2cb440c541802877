// Runs the checks in order. See selftest.hpp; what each check does stands in its own file.
#include "axecert/selftest/selftest.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <iterator>

#include "axecert/selftest/checks.hpp"

namespace axe {
namespace {

struct Entry {
  const char* name;
  void (*run)(SelftestCheck&);
  std::vector<std::string> requirements;
};

}  // namespace

void claim(SelftestCheck& check, bool holds, const std::string& what) {
  ++check.done;
  if (!holds) {
    check.first_failure = check.failed == 0 ? what : check.first_failure;
    ++check.failed;
  }
}

std::vector<SelftestCheck> run_selftest(const Progress& progress) {
  const Entry entries[] = {
      {"SHA-256, published vectors", check_hashes, {"TOR-208"}},
      {"certificates built in",
       check_golden_certificates,
       {"TOR-101", "TOR-104", "TOR-106", "TOR-201", "TOR-203", "TOR-204", "TOR-205", "TOR-206", "TOR-209", "TOR-210"}},
      {"changed bytes", check_changed_bytes, {"TOR-201", "TOR-207"}},
      {"additions in narrow registers", check_steps, {"TOR-402"}},
      {"datapath presets", check_presets, {"TOR-403"}},
      {"overflows that were reported", check_reported_overflows, {"TOR-405"}},
      {"every input of tiny dot products", check_every_input, {"TOR-101", "TOR-102", "TOR-104"}},
      {"checker, Z3, replay, execution", check_agreement, {"TOR-101", "TOR-302", "TOR-305"}},
      {"claims that are off by one", check_false_claims, {"TOR-206", "TOR-302", "TOR-305"}},
      {"votes and verdicts", check_combination, {"TOR-306"}},
      {"what was not finished", check_not_finished, {"TOR-106", "TOR-303"}},
  };
  std::vector<SelftestCheck> checks;
  for (const Entry& entry : entries) {
    if (progress) {
      progress(static_cast<std::int64_t>(checks.size()), static_cast<std::int64_t>(std::size(entries)));
    }
    SelftestCheck check{entry.name, entry.requirements, 0, 0, "", 0};
    const auto start = std::chrono::steady_clock::now();
    try {
      entry.run(check);
    } catch (const std::exception& error) {
      claim(check, false, std::string("exception: ") + error.what());
    }
    check.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    checks.push_back(check);
  }
  return checks;
}

bool passed(const std::vector<SelftestCheck>& checks) {
  return !checks.empty() && std::all_of(checks.begin(), checks.end(),
                                        [](const SelftestCheck& check) { return check.done > 0 && check.failed == 0; });
}

}  // namespace axe

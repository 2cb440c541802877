// The tests of the tool's requirements (docs/assurance/requirements.md) that need nothing but the installed program: the voters on
// certificates that are built in, on tiny dot products of which every input is executed, on false claims, and on overflows that people
// reported. Main functions: `run_selftest`, and the three forms of its report. Side effects: Z3's worker processes; no file.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "axecert/certificate/vote.hpp"

namespace axe {

/// One kind of evidence: claims that were tried, and the first that did not hold.
struct SelftestCheck {
  std::string name;
  std::vector<std::string> requirements;  ///< "TOR-101", … of docs/assurance/requirements.md
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::string first_failure;
  double seconds = 0;
};

/// Runs every check. `progress` counts checks; it may be empty. An exception inside a check is a
/// failure of that check.
std::vector<SelftestCheck> run_selftest(const Progress& progress);

/// Who ran it, when, what and where: what a report states beside its checks.
struct SelftestRun {
  std::string by;        ///< the person who signs; empty when nobody was named
  std::string finished;  ///< RFC 3339, UTC
  std::string tool;      ///< "axecert 0.1.0"
  std::string program;   ///< path of the executable that ran
  std::string sha256;    ///< of that file, 64 hex digits; empty when it could not be read
  std::string platform;  ///< operating system, kernel, machine
  std::string processor;
  std::string compiler;                                        ///< that built the program
  std::vector<std::pair<std::string, std::string>> libraries;  ///< name and version, as linked
};

/// True when there are checks, each did something, and none failed.
bool passed(const std::vector<SelftestCheck>& checks);

/// For people, with a line to sign.
std::string selftest_text(const SelftestRun& run, const std::vector<SelftestCheck>& checks);
/// One JSON object; docs/cli.md lists its keys.
std::string selftest_json(const SelftestRun& run, const std::vector<SelftestCheck>& checks);
/// An in-toto Statement v1 with the predicate test-result v0.1 whose subject is the program. Needs `run.sha256`.
std::string selftest_statement(const SelftestRun& run, const std::vector<SelftestCheck>& checks);

}  // namespace axe

// The golden folders: every committed pair gets the verdict and the reason that its name says, and make_golden's program makes
// the same bytes again. Main functions: the test cases. No side effects.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "../golden/golden_files.hpp"
#include "axecert/checker/checker.h"

namespace {

namespace fs = std::filesystem;

axe::tiny::Bytes read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), path.string());
  return axe::tiny::Bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

const fs::path golden = fs::path(AXECERT_SOURCE_DIR) / "tests" / "golden";

std::set<std::string> committed() {
  std::set<std::string> names;
  for (const char* folder : {"accept", "reject", "malformed"}) {
    for (const auto& entry : fs::directory_iterator(golden / folder)) {
      names.insert(std::string(folder) + "/" + entry.path().filename().string());
    }
  }
  return names;
}

axc_verdict verdict_of(const std::string& reason) {
  if (reason == "proved") return AXC_SAFE;
  if (reason == "overflow") return AXC_UNSAFE;
  return reason == "uncovered-weights" ? AXC_INCOMPLETE : AXC_REFUSED;
}

}  // namespace

// TOR-101, TOR-104, TOR-106, TOR-201, TOR-203, TOR-204, TOR-205, TOR-206, TOR-209, TOR-210
TEST_CASE("every golden pair gets the verdict and the reason that its name says") {
  std::size_t pairs = 0;
  for (const std::string& name : committed()) {
    const fs::path path = golden / name;
    if (path.extension() != ".axec") continue;
    ++pairs;
    const std::string file = path.filename().string();
    const std::string reason = file.substr(0, file.find('.'));
    const auto certificate = read(path);
    const auto weights = read(fs::path(path).replace_extension(".safetensors"));
    axc_report report;
    const axc_verdict verdict =
        axc_check(certificate.data(), certificate.size(), weights.data(), weights.size(), &report);
    CHECK_MESSAGE(std::string(axc_verdict_name(verdict)) == axc_verdict_name(verdict_of(reason)), name);
    CHECK_MESSAGE(std::string(axc_reason_name(report.reason)) == reason, name);
    CHECK((verdict == AXC_SAFE) == (name.substr(0, 7) == "accept/"));
    CHECK(report.position <= (report.in_weights ? weights.size() : certificate.size()));
  }
  CHECK(pairs > 80);
}

// TOR-212
TEST_CASE("the golden files are those that make_golden writes, byte for byte, and no others") {
  std::set<std::string> expected;
  for (const auto& [name, pair] : axe::tiny::golden_files()) {
    expected.insert(name + ".axec");
    expected.insert(name + ".safetensors");
    CHECK_MESSAGE(read(golden / (name + ".axec")) == pair.certificate, name);
    CHECK_MESSAGE(read(golden / (name + ".safetensors")) == pair.weights, name);
  }
  CHECK(committed() == expected);
}

// TOR-203
TEST_CASE("lib/certificate reads every accepted certificate back to the same bytes and refuses every malformed one") {
  for (const auto& [name, pair] : axe::tiny::golden_files()) {
    INFO(name);
    if (name.starts_with("accept/")) {
      CHECK(axe::certificate_bytes(axe::parse_certificate(pair.certificate, name)) == pair.certificate);
    } else if (name.starts_with("malformed/") && !name.starts_with("malformed/weights-file")) {
      CHECK_THROWS(axe::parse_certificate(pair.certificate, name));
    }
  }
}

// TOR-201
TEST_CASE("every reason of the checker has a golden file") {
  std::set<std::string> seen;
  for (const auto& [name, pair] : axe::tiny::golden_files()) {
    const std::string file = name.substr(name.find('/') + 1);
    seen.insert(file.substr(0, file.find('.')));
  }
  for (int reason = 0; reason < AXC_REASON_COUNT; ++reason) {
    if (reason == AXC_NO_SCRATCH) continue;  // unit/checker.cpp
    CHECK_MESSAGE(seen.count(axc_reason_name(static_cast<axc_reason>(reason))) == 1,
                  axc_reason_name(static_cast<axc_reason>(reason)));
  }
}

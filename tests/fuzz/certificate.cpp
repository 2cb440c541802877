// The two parsers of a certificate against one another: what the checker's container parser takes, lib/certificate reads and writes back to the
// same bytes; what lib/certificate reads and writes back alike, the checker does not call malformed. The digest is made right first. Input: the
// file. Main function: LLVMFuzzerTestOneInput. It aborts on a finding.
// Requirements: TOR-202, TOR-203.
#include <cstring>

#include "../golden/tiny_files.hpp"
#include "axecert/certificate/certificate.hpp"
#include "axecert/checker/checker.h"
#include "axecert/numeric/error.hpp"
#include "target.hpp"

using namespace axe;

namespace {

// Reasons that speak of the container alone: the bytes of the certificate are not in its one form, or claim what the format does not allow.
bool malformed(axc_reason reason) {
  switch (reason) {
    case AXC_TRUNCATED:
    case AXC_HEADER_LENGTH:
    case AXC_SYNTAX:
    case AXC_NUMBER:
    case AXC_DIGEST:
    case AXC_ORDER:
    case AXC_LAYOUT:
    case AXC_WIDER_THAN_NEEDED:
    case AXC_TRAILING:
      return true;
    default:
      return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tiny::Bytes bytes(data, data + size);
  const std::string before = "{\"__metadata__\":{\"format\":\"axec 1\",\"digest\":\"";
  if (size >= 8 + before.size() + 64 && std::memcmp(data + 8, before.data(), before.size()) == 0) {
    bytes = tiny::redigest(bytes);
  }
  axc_report report;
  const std::uint8_t none = 0;
  (void)axc_check(bytes.data(), bytes.size(), &none, 0, &report);  // without weights: never safe
  if (report.verdict == AXC_SAFE || report.verdict == AXC_UNSAFE) {
    fuzz::finding("a verdict without weights");
  }
  bool read = false, same = false;
  try {
    const Certificate certificate = parse_certificate(bytes, "fuzzed");
    read = true;
    same = certificate_bytes(certificate) == bytes;
  } catch (const InputError&) {
  }
  const bool taken = report.in_weights != 0;  // the checker went on to the weights file
  if (taken && !read) {
    fuzz::finding("the checker takes a certificate that lib/certificate refuses");
  }
  if (taken && read && !same) {
    fuzz::finding("a certificate with two forms");
  }
  if (read && same && malformed(report.reason)) {
    fuzz::finding("the checker calls malformed what lib/certificate wrote");
  }
  return 0;
}

// What the voters said about one pair of files, as statements that other tools collect and sign: an in-toto test result, and a
// CycloneDX bill of materials with declarations. Main functions: `in_toto_statement`, `cyclonedx_declaration`. Both are pure; neither
// signs anything. What was not checked is a failure in both: a reader that knows only passed and failed must not take it for safe.
#pragma once

#include <string>
#include <vector>

#include "axecert/report/contents.hpp"

namespace axe {

/// What the statements bind to.
struct AttestedFiles {
  struct File {
    std::string name;    ///< without folders
    std::string sha256;  ///< 64 hex digits, of the bytes on disk
    friend bool operator==(const File&, const File&) = default;
  };
  File certificate;
  std::vector<File> weights;  ///< one, or the shards in the order of their names
  std::string tool;      ///< "axecert 0.1.0"
  std::string finished;  ///< RFC 3339, UTC: "2026-11-26T03:20:00Z"
};

/// An in-toto Statement v1 with the predicate test-result v0.1. Subjects: every file of weights, and the certificate. Tests: one per voter, named with
/// its version; passed iff the voter says safe of every register. The configuration is the certificate again, its annotations hold the
/// verdict, the votes and the assumptions. Sources: in-toto attestation specification, spec/v1/statement.md and
/// spec/predicates/test-result.md.
std::string in_toto_statement(const ReportContents& contents, const AttestedFiles& files);

/// CycloneDX 1.6: the weights as the component (shards as its parts), the certificate beside it, and declarations (clause `declarations` of the
/// schema): the claim that no register overflows, one piece of evidence per voter, conformance 1 iff the verdict is safe; otherwise the
/// claim stands among the counter claims. Deterministic: no serial number, `finished` is the time stamp.
std::string cyclonedx_declaration(const ReportContents& contents, const AttestedFiles& files);

}  // namespace axe

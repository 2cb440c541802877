// Statements about a pair of files that a verb writes beside its own output: --in-toto and --cyclonedx. The statements bind to the
// files by SHA-256, so these are hashed before the voters are asked and again afterwards. Main functions: `hashed`, `attested`.
#pragma once

#include <string>
#include <vector>

#include "axecert/report/attestation.hpp"
#include "axecert/report/contents.hpp"
#include "voters.hpp"

namespace axe::cli {

struct AttestationFiles {
  std::string in_toto, cyclonedx;  ///< empty: not asked for
  bool any() const { return !in_toto.empty() || !cyclonedx.empty(); }
};
void add_attestation_files(CLI::App* command, AttestationFiles& files);

/// SHA-256 of the certificate and of every file of weights; empty when no statement is asked for. Failure 66 when one cannot be read.
struct HashedPair {
  AttestedFiles::File certificate;
  std::vector<AttestedFiles::File> weights;
  friend bool operator==(const HashedPair&, const HashedPair&) = default;
};
HashedPair hashed(const AttestationFiles& files, const VoterArguments& arguments);

/// What was asked for, to be written with everything else or not at all. `before` are the hashes that were taken before the election;
/// Failure 65 when the files are others by now.
std::vector<Output> attested(const AttestationFiles& files, const HashedPair& before, const VoterArguments& arguments,
                             const ReportContents& contents);

}  // namespace axe::cli

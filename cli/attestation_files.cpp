// Hashes the two files and renders the statements about them. See attestation_files.hpp. Side effects: reads the files.
#include "attestation_files.hpp"

#include <filesystem>

#include "axecert/model/weight_files.hpp"
#include "axecert/report/attestation.hpp"
#include "axecert/report/votes.hpp"
#include "environment.hpp"

namespace axe::cli {

void add_attestation_files(CLI::App* command, AttestationFiles& files) {
  command->add_option("--in-toto", files.in_toto, "write an in-toto statement: test-result, a test per voter")
      ->type_name("FILE");
  command->add_option("--cyclonedx", files.cyclonedx, "write a CycloneDX 1.6 declaration of the verdict")
      ->type_name("FILE");
}

HashedPair hashed(const AttestationFiles& files, const VoterArguments& arguments) {
  if (!files.any()) {
    return {};
  }
  const auto file = [](const std::filesystem::path& path) {
    return AttestedFiles::File{path.filename().string(), sha256_of_file(path.string())};
  };
  require_input(arguments.certificate);
  require_input(arguments.weights);
  HashedPair pair{file(arguments.certificate), {}};
  if (!is_sharded(arguments.weights)) {
    pair.weights.push_back(file(arguments.weights));
    return pair;
  }
  for (const MappedFile& shard : WeightFiles(arguments.weights).shards()) {
    pair.weights.push_back(file(shard.path()));
  }
  return pair;
}

std::vector<Output> attested(const AttestationFiles& files, const HashedPair& before, const VoterArguments& arguments,
                             const ReportContents& contents) {
  if (!files.any()) {
    return {};
  }
  if (hashed(files, arguments) != before) {
    throw Failure(exit_data, arguments.certificate, "the certificate or the weights changed while they were verified",
                  "verify again");
  }
  const AttestedFiles about{before.certificate, before.weights, "axecert " AXECERT_VERSION, utc_now()};
  std::vector<Output> outputs;
  const auto add = [&](const std::string& path, const std::string& text) {
    if (!path.empty()) {
      outputs.push_back({path, std::vector<std::uint8_t>(text.begin(), text.end())});
    }
  };
  add(files.in_toto, in_toto_statement(contents, about));
  add(files.cyclonedx, cyclonedx_declaration(contents, about));
  return outputs;
}

}  // namespace axe::cli

// Writes the two statements of attestation.hpp as JSON. No side effects.
#include "axecert/report/attestation.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "axecert/report/report.hpp"

namespace axe {
namespace {

using Json = nlohmann::ordered_json;

Json subject_of(const AttestedFiles::File& file) {
  return {{"name", file.name}, {"digest", {{"sha256", file.sha256}}}};
}

// Names come from elsewhere: bytes that are not UTF-8 become U+FFFD.
std::string dumped(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool passed(const Vote& vote) {
  return vote.verdict == Verdict::safe && vote.nodes_total > 0 && vote.nodes_checked == vote.nodes_total;
}

Json votes_of(const ReportContents& contents) {
  Json votes = Json::array();
  for (const Vote& vote : contents.subject.votes) {
    votes.push_back(Json::parse(vote_json(vote)));
  }
  return votes;
}

const char* const claim_text =
    "For every input in the box and within the limit that the certificate states, every zero point in its range and "
    "every order in which a register may add its values, every register of every dot product that claims every "
    "partial sum stays within its limits at every step, and every register that claims its final value holds it "
    "exactly at the end.";

}  // namespace

std::string in_toto_statement(const ReportContents& contents, const AttestedFiles& files) {
  Json subjects = Json::array();
  for (const AttestedFiles::File& file : files.weights) {
    subjects.push_back(subject_of(file));
  }
  subjects.push_back(subject_of(files.certificate));
  Json configuration = subject_of(files.certificate);
  configuration["annotations"] = {{"tool", files.tool},
                                  {"finished", files.finished},
                                  {"verdict", to_text(contents.verdict)},
                                  {"votes", votes_of(contents)},
                                  {"assumptions", Json::parse(assumptions_json(contents.subject.certificate))}};
  Json passed_tests = Json::array(), failed_tests = Json::array();
  for (const Vote& vote : contents.subject.votes) {
    (passed(vote) ? passed_tests : failed_tests).push_back(name_of(vote));
  }
  return dumped({{"_type", "https://in-toto.io/Statement/v1"},
                 {"subject", subjects},
                 {"predicateType", "https://in-toto.io/attestation/test-result/v0.1"},
                 {"predicate",
                  {{"result", contents.verdict == Verdict::safe ? "PASSED" : "FAILED"},
                   {"configuration", Json::array({configuration})},
                   {"passedTests", passed_tests},
                   {"warnedTests", Json::array()},
                   {"failedTests", failed_tests}}}});
}

std::string cyclonedx_declaration(const ReportContents& contents, const AttestedFiles& files) {
  const bool safe = contents.verdict == Verdict::safe;
  const auto hashes = [](const std::string& hash) { return Json::array({{{"alg", "SHA-256"}, {"content", hash}}}); };
  Json model{{"type", "machine-learning-model"}, {"bom-ref", "weights"}};
  if (files.weights.size() == 1) {
    model["name"] = files.weights[0].name;
    model["hashes"] = hashes(files.weights[0].sha256);
  } else {
    model["name"] = contents.subject.weights_path.empty()
                        ? "weights"
                        : std::filesystem::path(contents.subject.weights_path).filename().string();
    model["components"] = Json::array();
    for (const AttestedFiles::File& shard : files.weights) {
      model["components"].push_back({{"type", "file"}, {"name", shard.name}, {"hashes", hashes(shard.sha256)}});
    }
  }
  Json evidence = Json::array(), references = Json::array();
  for (std::size_t i = 0; i < contents.subject.votes.size(); ++i) {
    const Vote& vote = contents.subject.votes[i];
    const std::string reference = "evidence-" + std::to_string(i + 1);
    references.push_back(reference);
    evidence.push_back(
        {{"bom-ref", reference},
         {"propertyName", name_of(vote)},
         {"description", to_text(vote.verdict) + ", " + std::to_string(vote.nodes_checked) + " of " +
                             std::to_string(vote.nodes_total) + " registers" +
                             (vote.detail.empty() ? "" : "; " + vote.detail)},
         {"data",
          Json::array({{{"name", "vote"},
                        {"contents",
                         {{"attachment", {{"contentType", "application/json"}, {"content", vote_json(vote)}}}}}}})}});
  }
  Json assumed = Json::array();
  for (const Assumption assumption : contents.assumptions) {
    assumed.push_back({{"name", "axecert:assumption:" + name_of(assumption)}, {"value", sentence_of(assumption)}});
  }
  const Json claims = Json::array({"claim-no-overflow"}), none = Json::array();
  return dumped(
      {{"$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json"},
       {"bomFormat", "CycloneDX"},
       {"specVersion", "1.6"},
       {"version", 1},
       {"metadata",
        {{"timestamp", files.finished},
         {"tools", {{"components", Json::array({{{"type", "application"}, {"name", files.tool}}})}}},
         {"component", model},
         {"properties", assumed}}},
       {"components", Json::array({{{"type", "file"},
                                    {"bom-ref", "certificate"},
                                    {"name", files.certificate.name},
                                    {"description", "axecert certificate (docs/certificate.md)"},
                                    {"hashes", hashes(files.certificate.sha256)}}})},
       {"declarations",
        {{"assessors",
          Json::array({{{"bom-ref", "assessor"}, {"thirdParty", false}, {"organization", {{"name", files.tool}}}}})},
         {"attestations",
          Json::array({{{"summary", contents.sentence},
                        {"assessor", "assessor"},
                        {"map", Json::array({{{"requirement", "requirement-no-overflow"},
                                              {"claims", safe ? claims : none},
                                              {"counterClaims", safe ? none : claims},
                                              {"conformance",
                                               {{"score", safe ? 1 : 0},
                                                {"rationale", "verdict " + to_text(contents.verdict)}}}}})}}})},
         {"claims",
          Json::array({{{"bom-ref", "claim-no-overflow"},
                        {"target", "weights"},
                        {"predicate", claim_text},
                        {"reasoning", "docs/certificate.md, Acceptance; under the assumptions in metadata.properties"},
                        {"evidence", references}}})},
         {"evidence", evidence}}},
       {"definitions",
        {{"standards", Json::array({{{"bom-ref", "standard"},
                                     {"name", "axecert certificate"},
                                     {"version", "1"},
                                     {"requirements", Json::array({{{"bom-ref", "requirement-no-overflow"},
                                                                    {"identifier", "SAFE(C, W)"},
                                                                    {"title", "No register overflows"},
                                                                    {"text", claim_text}}})}}})}}}});
}

}  // namespace axe

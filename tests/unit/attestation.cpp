// Statements about verified files and about the self-test, without their schemas (tests/assurance has those): what they bind to, and that
// they say passed of nothing but safe. Main functions: the test cases. No side effects.
// Requirements: TOR-604.
#include "axecert/report/attestation.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "axecert/selftest/selftest.hpp"

using namespace axe;

namespace {

using Json = nlohmann::json;

Certificate small() {
  IntegerLayer layer;
  layer.name = "layer";
  layer.rows = 1;
  layer.cols = 2;
  layer.weights = {3, -2};
  layer.box_lower = {0};
  layer.box_upper = {255};
  Certificate certificate;
  certificate.layers.push_back(make_claims(layer, parse_datapath("axe:P=14"), InputSource::given));
  return certificate;
}

Vote vote_of(const std::string& voter, Verdict verdict, std::int64_t checked = 2) {
  Vote vote;
  vote.voter = voter;
  vote.verdict = verdict;
  vote.nodes_total = 2;
  vote.nodes_checked = checked;
  return vote;
}

const AttestedFiles files{
    {"c.axec", std::string(64, 'a')}, {{"w\xff.safetensors", std::string(64, 'b')}}, "axecert 1", "2026-11-26T00:00:00Z"};

struct Statements {
  Json in_toto, cyclonedx;
};
Statements statements(const std::vector<Vote>& votes) {
  const Certificate certificate = small();
  const ReportContents contents = report_contents({certificate, votes, "a dir/c.axec", "w\xff.safetensors"});
  return {Json::parse(in_toto_statement(contents, files)), Json::parse(cyclonedx_declaration(contents, files))};
}

SelftestCheck check_of(std::int64_t done, std::int64_t failed) {
  return {"name", {"TOR-603"}, done, failed, failed > 0 ? "first" : "", 0};
}

}  // namespace

TEST_CASE("both files are bound by their hashes, under their names without folders") {
  const Statements s = statements({vote_of("checker", Verdict::safe)});
  CHECK(s.in_toto["subject"][1]["name"] == "c.axec");
  CHECK(s.in_toto["subject"][1]["digest"]["sha256"] == files.certificate.sha256);
  CHECK(s.in_toto["subject"][0]["digest"]["sha256"] == files.weights[0].sha256);
  CHECK(s.in_toto["subject"][0]["name"] == "w\xEF\xBF\xBD.safetensors");
  CHECK(s.cyclonedx["metadata"]["component"]["hashes"][0]["content"] == files.weights[0].sha256);
  CHECK(s.cyclonedx["components"][0]["hashes"][0]["content"] == files.certificate.sha256);
}

TEST_CASE("of weights in shards every file is bound, and the certificate still is") {
  const Certificate certificate = small();
  AttestedFiles sharded = files;
  sharded.weights = {{"a.safetensors", std::string(64, '1')}, {"b.safetensors", std::string(64, '2')}};
  const std::vector<Vote> votes{vote_of("checker", Verdict::safe)};  // contents refer to their subject
  const std::string certificate_path = "c.axec", weights_path = "model.safetensors.index.json";
  const ReportContents contents = report_contents({certificate, votes, certificate_path, weights_path});
  const Json in_toto = Json::parse(in_toto_statement(contents, sharded));
  const Json cyclonedx = Json::parse(cyclonedx_declaration(contents, sharded));
  REQUIRE(in_toto["subject"].size() == 3);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(in_toto["subject"][i]["name"] == sharded.weights[i].name);
    CHECK(in_toto["subject"][i]["digest"]["sha256"] == sharded.weights[i].sha256);
    CHECK(cyclonedx["metadata"]["component"]["components"][i]["hashes"][0]["content"] == sharded.weights[i].sha256);
  }
  CHECK(in_toto["subject"][2]["digest"]["sha256"] == sharded.certificate.sha256);
  CHECK_FALSE(cyclonedx["metadata"]["component"].contains("hashes"));
}

TEST_CASE("passed is said of safe alone, and of voters that looked at every register") {
  const std::vector<std::pair<std::vector<Vote>, std::pair<std::size_t, std::size_t>>> cases{
      {{vote_of("a", Verdict::safe), vote_of("b", Verdict::safe)}, {2, 0}},
      {{vote_of("a", Verdict::safe), vote_of("b", Verdict::incomplete)}, {1, 1}},
      {{vote_of("a", Verdict::safe), vote_of("b", Verdict::safe, 1)}, {1, 1}},
      {{vote_of("a", Verdict::unsafe), vote_of("b", Verdict::unsafe)}, {0, 2}},
      {{vote_of("a", Verdict::safe), vote_of("b", Verdict::unsafe)}, {1, 1}},
      {{vote_of("a", Verdict::refused)}, {0, 1}},
      {{}, {0, 0}},
  };
  for (const auto& [votes, counts] : cases) {
    const Statements s = statements(votes);
    const bool safe = combine(votes) == Verdict::safe;
    const Json& predicate = s.in_toto["predicate"];
    CHECK(predicate["result"] == (safe ? "PASSED" : "FAILED"));
    CHECK(predicate["passedTests"].size() == counts.first);
    CHECK(predicate["failedTests"].size() == counts.second);
    CHECK(predicate["warnedTests"].empty());
    CHECK(predicate["configuration"][0]["annotations"]["verdict"] == to_text(combine(votes)));
    const Json& map = s.cyclonedx["declarations"]["attestations"][0]["map"][0];
    CHECK(map["conformance"]["score"] == (safe ? 1 : 0));
    CHECK(map["claims"].size() == (safe ? 1u : 0u));
    CHECK(map["counterClaims"].size() == (safe ? 0u : 1u));
    CHECK(s.cyclonedx["declarations"]["evidence"].size() == votes.size());
  }
}

// TOR-603
TEST_CASE("a self-test passes when every check did something and nothing failed, and says so in every form") {
  const SelftestRun run{"", "2026-11-26T00:00:00Z", "axecert 1", "/bin/axecert", std::string(64, 'c'), "", "",
                        "", {{"lib", "1"}}};
  const std::vector<std::pair<std::vector<SelftestCheck>, bool>> cases{
      {{check_of(3, 0), check_of(1, 0)}, true},
      {{check_of(3, 0), check_of(1, 1)}, false},
      {{check_of(3, 0), check_of(0, 0)}, false},
      {{}, false},
  };
  for (const auto& [checks, expected] : cases) {
    CHECK(passed(checks) == expected);
    CHECK((selftest_text(run, checks).find("PASS  ") != std::string::npos) == expected);
    CHECK(Json::parse(selftest_json(run, checks))["verdict"] == (expected ? "pass" : "fail"));
    const Json statement = Json::parse(selftest_statement(run, checks));
    CHECK(statement["predicate"]["result"] == (expected ? "PASSED" : "FAILED"));
    CHECK(statement["subject"][0]["digest"]["sha256"] == run.sha256);
  }
}

// Claims about verify/report: summaries are the numbers that one computes by hand, an explanation adds up and is replayed, and
// every form of the report says the same verdict.
// Requirements: TOR-601.
#include "axecert/report/report.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "axecert/numeric/error.hpp"
#include "axecert/report/explanation.hpp"
#include "axecert/report/markup.hpp"
#include "axecert/report/summary.hpp"
#include "axecert/report/votes.hpp"
#include "axecert/report/words.hpp"

using namespace axe;

namespace {

LayerClaims claims_of(const std::string& datapath, std::vector<std::int8_t> weights, std::int64_t rows,
                      std::int32_t low, std::int32_t high) {
  IntegerLayer layer;
  layer.name = "fc.1";
  layer.rows = rows;
  layer.cols = static_cast<std::int64_t>(weights.size()) / rows;
  layer.weights = std::move(weights);
  layer.box_lower = {low};
  layer.box_upper = {high};
  return make_claims(layer, parse_datapath(datapath), InputSource::given);
}

Vote vote(Verdict verdict, std::int64_t nodes) {
  Vote v;
  v.voter = "checker";
  v.verdict = verdict;
  v.nodes_total = v.nodes_checked = nodes;
  return v;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("numbers are written with thousands separated, extremes included") {
  CHECK(in_words(std::int64_t{0}) == "0");
  CHECK(in_words(std::int64_t{-999}) == "-999");
  CHECK(in_words(std::int64_t{1000}) == "1,000");
  CHECK(in_words(std::int64_t{-32767}) == "-32,767");
  CHECK(in_words(INT64_MIN) == "-9,223,372,036,854,775,808");
  CHECK(in_words(IntegerRange{-1, 1234567}) == "[-1, 1,234,567]");
  CHECK(percent(0.789) == "79 %");
  CHECK(percent(0.05) == "5.0 %");
  const std::vector<std::int32_t> values{255, 255, 0, -3, -3, -3};
  CHECK(runs_in_words(values) == "255 × 2, 0, -3 × 3");
  CHECK(runs_in_words(values, 1) == "255 × 2, … 2 more runs");
  CHECK(runs_in_words(values, 2) == "255 × 2, 0, … 1 more run");
  CHECK(runs(std::vector<std::int32_t>{}).empty());
}

TEST_CASE("a register whose inputs are limited is explained by what the limit lets them reach") {
  LayerClaims claims = claims_of("axe:P=8,T=2", {3, 7, -1, 0}, 1, 0, 15);
  claims.layer.input_limit = 20;
  claims = make_claims(claims.layer, claims.datapath, InputSource::clamped);
  const Explanation e = explain(claims, {0, 0, 0});
  CHECK(e.positive_sum == 7 * 15 + 3 * 5);  // 20 in all, the weight of 7 first
  CHECK(e.negative_sum == 0);
  const std::string text = joined(in_words(e));
  CAPTURE(text);
  CHECK(text.find("Σ|x| ≤ 20") != std::string::npos);
  CHECK(text.find("upper = max Σ w·x, the largest |w| first = 120 ≤ 127") != std::string::npos);
  CHECK(text.find("15·10") == std::string::npos);  // what the box alone would give
}

TEST_CASE("a summary's margins, widths and budgets are those computed by hand") {
  // P = 6: limits ±31. Tiles of two, inputs in [0, 5]. Row 0: (3, 3 | -1, 0), upper 30. Row 1: (1, -6 | 0, 0), lower -30.
  // Row 2: (4, 3 | 0, 0): upper 35, 4 too many.
  const LayerClaims claims = claims_of("axe:P=6,T=2", {3, 3, -1, 0, 1, -6, 0, 0, 4, 3, 0, 0}, 3, 0, 5);
  const LayerSummary summary = summarize(claims);
  REQUIRE(summary.stages.size() == 2);
  const StageSummary& tile = summary.stages[0];
  CHECK(tile.limits == IntegerRange{-31, 31});
  CHECK(tile.nodes == 6);
  CHECK(tile.registers == 2);
  CHECK(tile.unsafe_nodes == 1);
  CHECK(tile.smallest_margin == -4);
  CHECK(tile.smallest_margin_bits == doctest::Approx(std::log2(31.0 / 35.0)));
  CHECK(tile.smallest_safe_width == 7);
  CHECK(tile.budget_used == doctest::Approx(30.0 / 31));  // of 0, 0, 5/31, 30/31, 30/31, 35/31, the upper median
  CHECK(tile.products == 2);
  CHECK(summary.unsafe_rows == 1);
  CHECK(summary.worst_margin == -4);
  CHECK(summary.worst_range == IntegerRange{0, 35});
  CHECK(summary.box == IntegerRange{0, 5});
  CHECK(summary.weight_bits == 4);
  CHECK(summary.activation_bits == 8);
  CHECK_FALSE(summary.activations_signed);
  CHECK(tile.data_type.exact == data_type_bound(2, 4, 8, false).exact);

  CHECK(budget_used({0, 0}, {-31, 31}) == 0);
  CHECK(budget_used({5, 5}, {-31, 31}) == doctest::Approx(5.0 / 31));
  CHECK(std::isinf(budget_used({-1, 1}, {0, 0})));
  const BudgetMap map = budget_map(claims, 0, 2, 1);
  CHECK(map.rows == 2);
  CHECK(map.columns == 1);
  CHECK(map.used[0] == doctest::Approx(30.0 / 31));
  CHECK(map.used[1] == doctest::Approx(35.0 / 31));
}

// TOR-602
TEST_CASE("of many registers the median is the one that sorting gives") {
  std::mt19937_64 random(4);
  for (const int kind : {0, 1, 2}) {  // all sorts of weights; nearly all 0; all equal
    std::vector<std::int8_t> weights;
    for (int i = 0; i < 300 * 512; ++i) {
      const int any = static_cast<int>(random() % 256) - 128;
      weights.push_back(static_cast<std::int8_t>(kind == 0 ? any : kind == 1 ? (random() % 1000 == 0 ? any : 0) : 7));
    }
    for (const char* datapath : {"axe:P=16,T=4", "x86-avx2-maddubs"}) {
      const LayerClaims claims = claims_of(datapath, weights, 300, 0, 255);
      const IntegerRange limits = register_limits(claims.datapath.stages[0]);
      std::vector<double> used;
      for (std::size_t i = 0; i < claims.ranges[0].lower.size(); ++i) {
        used.push_back(budget_used({claims.ranges[0].lower[i], claims.ranges[0].upper[i]}, limits));
      }
      REQUIRE(used.size() > 20000);
      std::sort(used.begin(), used.end());
      const StageSummary stage = summarize(claims).stages[0];
      CHECK(stage.budget_used == used[used.size() / 2]);
      CHECK(stage.budget_fullest == used.back());
      const StageSummary without = summarize(claims, Median::left_out).stages[0];
      CHECK(without.budget_used == 0);
      CHECK(without.budget_fullest == used.back());
    }
  }
}

TEST_CASE("an explanation adds up, and its replay reaches the end that it names") {
  const LayerClaims claims = claims_of("axe:P=6,T=2", {3, 3, -1, 0, 1, -6, 0, 0}, 2, 0, 5);
  const NodeId tightest = tightest_node(claims, -1, -1, -1);
  CHECK(tightest == NodeId{0, 0, 0});
  const Explanation e = explain(claims, tightest);
  CHECK(e.range == IntegerRange{0, 30});
  CHECK(e.margin == 1);
  CHECK(e.positive_weights == 6);
  CHECK(e.negative_weights == 0);
  CHECK(e.positive_sum == 30);
  CHECK(e.replay.reached == 30);
  CHECK_FALSE(e.replay.overflowed);
  CHECK(e.witness_follows_signs);
  const std::string text = joined(in_words(e));
  CAPTURE(text);
  CHECK(text.find("upper = 5·6 + 0·0 = 30 ≤ 31") != std::string::npos);
  CHECK(text.find("margin 1 of 31") != std::string::npos);
  CHECK(text.find("replayed: reaches 30, and the register holds 30") != std::string::npos);

  const Explanation low = explain(claims, tightest_node(claims, 1, 0, -1));
  CHECK(low.node == NodeId{1, 0, 0});
  CHECK(low.side == Side::lower);
  CHECK(low.replay.reached == -30);
  CHECK(joined(in_words(low)).find("lower = 0·1 + 5·(-6) = -30 ≥ -31") != std::string::npos);
  const Explanation outer = explain(claims, {0, 1, 0});
  CHECK(outer.range == IntegerRange{-5, 30});
  CHECK(outer.values.size() == 2);
}

// TOR-602, TOR-109
TEST_CASE("a constant whose zero point varies is told by both of its ends, and the replay takes the one that counts") {
  LayerClaims claims = claims_of("axe:P=32,outer=8", {3, 3, -1, 0}, 1, 0, 5);
  claims.layer.zero_point_spread = 4;
  claims.layer.bias = {100};
  claims = make_claims(claims.layer, claims.datapath, InputSource::given);
  const Explanation e = explain(claims, {0, 1, 0});
  CHECK(e.initial == IntegerRange{100 - 4 * 5, 100});
  CHECK(e.range == IntegerRange{80 - 5, 130});
  CHECK(e.side == Side::upper);
  CHECK(e.replay.initial == 100);
  CHECK(e.replay.reached == 130);
  const std::string text = joined(in_words(e));
  CAPTURE(text);
  CHECK(text.find("starts from the row's constant, 80 to 100 over its zero points") != std::string::npos);
  CHECK(text.find("upper = 100 + Σ max(0, upper) = 100 + 30 = 130 > 127") != std::string::npos);
  CHECK(text.find("lower = 80 + Σ min(0, lower) = 80 + -5 = 75 ≥ -127") != std::string::npos);
}

// TOR-602
TEST_CASE("an overflow is told with what the register wraps to") {
  const LayerClaims claims = claims_of("axe:P=6", {7, 1}, 1, 0, 5);
  const Explanation e = explain(claims, claims.worst);
  CHECK(e.margin == 31 - 40);
  CHECK(e.replay.overflowed);
  CHECK(e.replay.content == 40 - 64);
  const std::string text = joined(in_words(e));
  CHECK(text.find("exceeds the register by 9") != std::string::npos);
  CHECK(text.find("reaches 40, overflows, and the register holds -24") != std::string::npos);
}

TEST_CASE("a node that does not exist is refused with those that do") {
  const LayerClaims claims = claims_of("axe:P=6,T=2", {3, 3, -1, 0}, 1, 0, 5);
  const auto refusal = [](const std::function<void()>& action) -> std::string {
    try {
      action();
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(refusal([&] { tightest_node(claims, 1, -1, -1); }).find("rows are 0 to 0") != std::string::npos);
  CHECK(refusal([&] { tightest_node(claims, -1, 2, -1); }).find("stages are 0 to 1") != std::string::npos);
  CHECK(refusal([&] { tightest_node(claims, -1, -1, 2); }).find("registers are 0 to 1") != std::string::npos);
  CHECK(refusal([&] { explain(claims, {0, 0, 2}); }).find("registers are 0 to 1") != std::string::npos);
}

TEST_CASE("text, JSON and HTML give the verdict that the votes give, and HTML needs nothing from outside") {
  Certificate certificate;
  certificate.tool = "axecert <test> & \"more\"";
  certificate.layers.push_back(claims_of("axe:P=6,T=2", {3, 3, -1, 0}, 1, 0, 5));
  for (const Verdict verdict : {Verdict::safe, Verdict::unsafe, Verdict::incomplete, Verdict::refused}) {
    const std::vector<Vote> votes{vote(verdict, 3)};
    const ReportContents subject = report_contents({certificate, votes, "c.axec", "w.safetensors"});
    const std::string word = to_text(verdict);
    CHECK(nlohmann::json::parse(json_report(subject))["verdict"] == word);
    std::string upper = word;
    for (char& c : upper) {
      c = static_cast<char>(c - 'a' + 'A');
    }
    const std::string text = text_report(subject);
    CHECK(text.substr(text.size() - upper.size() - 1) == upper + "\n");
    const std::string page = html_report(subject);
    CHECK(page.find("<span class=\"verdict " + word + "\">" + word) != std::string::npos);
    CHECK(page.find("http") == std::string::npos);
    CHECK(page.find("<script") == std::string::npos);
    CHECK(page.find("<test>") == std::string::npos);
    CHECK(page.find("&lt;test&gt; &amp; &quot;more&quot;") != std::string::npos);
  }
  // A certificate that was refused has no layers to show.
  const Certificate none;
  const std::vector<Vote> votes{vote(Verdict::refused, 0)};
  CHECK(nlohmann::json::parse(json_report(report_contents({none, votes, "c", "w"})))["layers"].empty());
  CHECK(html_report(report_contents({none, votes, "c", "w"})).find("refused") != std::string::npos);
}

TEST_CASE("contents: of each row its tightest register, with inputs that the machine drives there") {
  // The layer above: row 2 reaches 35, row 0 reaches 30, row 1 reaches -30; P = 6 holds 31.
  Certificate certificate;
  certificate.layers.push_back(claims_of("axe:P=6,T=2", {3, 3, -1, 0, 1, -6, 0, 0, 4, 3, 0, 0}, 3, 0, 5));
  const std::vector<Vote> votes{vote(Verdict::unsafe, 9)};
  const ReportContents contents = report_contents({certificate, votes, "c.axec", "w.safetensors"});
  CHECK(contents.verdict == Verdict::unsafe);
  CHECK(contents.nodes == 9);
  REQUIRE(contents.layers.size() == 1);
  const ReportedLayer& layer = contents.layers[0];
  REQUIRE(layer.tightest.size() == 3);
  CHECK(layer.tightest[0].node == NodeId{2, 0, 0});
  CHECK(layer.tightest[0].margin == -4);
  CHECK(layer.tightest[0].holds == 35 - 64);
  CHECK(layer.tightest[0].witness == std::vector<std::int32_t>{5, 5, 0, 0});
  CHECK(layer.tightest[1].node == NodeId{0, 0, 0});
  CHECK(layer.tightest[1].margin == 1);
  CHECK(layer.tightest[2].node == NodeId{1, 0, 0});
  CHECK(layer.tightest[2].side == Side::lower);
  CHECK(layer.tightest[2].holds == -30);
  REQUIRE(layer.unsafe.size() == 1);
  REQUIRE(contents.problems.size() == 1);  // the voter's verdict is this overflow, not a second problem
  CHECK(contents.problems[0].kind == Problem::Kind::overflow);
  CHECK(contents.problems[0].node == &layer.unsafe[0]);
  CHECK(contents.problems[0].message ==
        "fc.1, row 2, stage tile, register 0: range [0, 35] in [-31, 31], 4 beyond the limit; on the witness it holds "
        "-29");
}

TEST_CASE("contents: problems for whatever is not safe, none for what is") {
  Certificate certificate;
  certificate.layers.push_back(claims_of("axe:P=7,T=2", {3, 3, -1, 0}, 1, 0, 5));
  const auto problems = [&](const std::vector<Vote>& votes) {
    std::vector<Problem::Kind> kinds;
    for (const Problem& problem : report_contents({certificate, votes, "c", "w"}).problems) {
      kinds.push_back(problem.kind);
    }
    return kinds;
  };
  using Kinds = std::vector<Problem::Kind>;
  CHECK(problems({vote(Verdict::safe, 3)}).empty());
  CHECK(problems({}) == Kinds{Problem::Kind::not_checked});  // nobody voted
  CHECK(problems({vote(Verdict::refused, 0)}) == Kinds{Problem::Kind::refused});
  CHECK(problems({vote(Verdict::safe, 3), vote(Verdict::incomplete, 0)}) == Kinds{Problem::Kind::not_checked});
  Vote partial = vote(Verdict::safe, 3);
  partial.nodes_checked = 2;
  CHECK(problems({partial}) == Kinds{Problem::Kind::not_checked});
  // A voter that finds an overflow in registers that the claims call safe.
  CHECK(problems({vote(Verdict::incomplete, 0), vote(Verdict::unsafe, 3)}) ==
        Kinds{Problem::Kind::not_checked, Problem::Kind::overflow});
}

TEST_CASE("markup: entities, and U+FFFD for what neither UTF-8 nor XML 1.0 allows") {
  CHECK(escaped_markup("a<b> & \"c\" 'd'") == "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
  CHECK(escaped_markup("é × 😀\t\n") == "é × 😀\t\n");
  CHECK(escaped_markup(std::string("\x01", 1)) == "\xEF\xBF\xBD");
  CHECK(escaped_markup(std::string("a\0b", 3)) ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(escaped_markup("\xC3") == "\xEF\xBF\xBD");                                  // cut short
  CHECK(escaped_markup("\xC0\xAF") == "\xEF\xBF\xBD\xEF\xBF\xBD");                  // an overlong '/'
  CHECK(escaped_markup("\xED\xA0\x80").find("\xED") == std::string::npos);          // a surrogate
  CHECK(escaped_markup("\xEF\xBF\xBE").find("\xBE") == std::string::npos);          // U+FFFE
  CHECK(escaped_markup("\xF8\x88\x80\x80\x80").find("\xF8") == std::string::npos);  // five bytes
  CHECK(escaped_markdown("a|b\n[c](d) *e* `f` <g>") == "a\\|b \\[c\\](d) \\*e\\* \\`f\\` &lt;g&gt;");
}

TEST_CASE("SARIF has what the standard requires, layer and row as logical locations, and a witness that overflows") {
  using Json = nlohmann::json;
  const std::vector<std::int8_t> weights{3, 3, -1, 0, 1, -6, 0, 0, 4, 3, 0, 0};
  Certificate certificate;
  certificate.layers.push_back(claims_of("axe:P=6,T=2", weights, 3, 0, 5));
  for (const Verdict verdict : {Verdict::safe, Verdict::unsafe, Verdict::incomplete, Verdict::refused}) {
    CAPTURE(to_text(verdict));
    const std::vector<Vote> votes{vote(verdict, 9)};
    const Json document = Json::parse(sarif_report(report_contents({certificate, votes, "c.axec", "a dir/w:1.npz"})));
    CHECK(document["version"] == "2.1.0");
    REQUIRE(document["runs"].size() == 1);
    const Json& run = document["runs"][0];
    CHECK(run["tool"]["driver"]["name"] == "axecert");
    CHECK(run["invocations"][0]["executionSuccessful"] == (verdict != Verdict::refused));
    CHECK(run["properties"]["verdict"] == to_text(verdict));
    CHECK(run["properties"]["votes"].size() == 1);
    std::size_t passes = 0, failures = 0;
    for (const Json& result : run["results"]) {
      CHECK_FALSE(result["message"]["text"].get<std::string>().empty());
      const Json& rule = run["tool"]["driver"]["rules"][result["ruleIndex"].get<std::size_t>()];
      CHECK(rule["id"] == result["ruleId"]);
      CHECK(result["level"] == rule["defaultConfiguration"]["level"]);
      CHECK((result.value("kind", "fail") == "pass") == (result["level"] == "none"));
      (result["level"] == "none" ? passes : failures) += 1;
      CHECK(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20dir/w%3A1.npz");
    }
    CHECK(passes == 0);
    CHECK(failures >= 1);  // the claims are unsafe whatever these votes say
    const Json& overflow = run["results"][0];
    CHECK(overflow["ruleId"] == "AXE001");
    const Json& places = overflow["locations"][0]["logicalLocations"];
    CHECK(places[0]["fullyQualifiedName"] == "fc.1/row 2");
    CHECK(places[1]["fullyQualifiedName"] == "fc.1");
    const Json& properties = overflow["properties"];
    std::int64_t sum = 0;
    std::size_t k = 0;
    for (const Json& one : properties["witnessRuns"]) {
      for (std::int64_t i = 0; i < one[1].get<std::int64_t>(); ++i, ++k) {
        sum += k < 2 ? weights[8 + k] * one[0].get<std::int64_t>() : 0;  // the first tile of row 2
      }
    }
    CHECK(k == 4);
    CHECK(sum == properties["range"][1]);
    CHECK(sum > properties["limits"][1]);
    CHECK(properties["registerHolds"] == sum - 64);
  }
}

TEST_CASE("SARIF of a safe model: a pass per layer and nothing else; of the same model without a verdict, no pass") {
  using Json = nlohmann::json;
  Certificate certificate;
  certificate.layers.push_back(claims_of("axe:P=7,T=2", {3, 3, -1, 0}, 1, 0, 5));
  for (const Verdict verdict : {Verdict::safe, Verdict::incomplete}) {
    const std::vector<Vote> votes{vote(verdict, 3)};
    const Json document = Json::parse(sarif_report(report_contents({certificate, votes, "c.axec", "/w.npz"})));
    const Json& results = document["runs"][0]["results"];
    REQUIRE(results.size() == 1);
    CHECK(results[0]["ruleId"] == (verdict == Verdict::safe ? "AXE004" : "AXE002"));
    CHECK(results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "file:///w.npz");
  }
}

TEST_CASE(
    "SARIF of registers with less room than a policy demands: a rule of its own, layer and row, and the files were "
    "judged") {
  using Json = nlohmann::json;
  Certificate certificate;
  certificate.layers.push_back(claims_of("axe:P=7,T=2", {3, 3, -1, 0, 1, 0, 0, 0}, 2, 0, 5));
  Vote policy = vote(Verdict::refused, 6);
  policy.voter = policy_voter;
  policy.findings = {{"fc.1", {1, 0, 0}, "too little"}};
  policy.findings_total = 1;
  std::vector<Vote> votes{vote(Verdict::safe, 6), policy};
  const ReportContents contents = report_contents({certificate, votes, "c.axec", "w.npz"});
  CHECK(contents.verdict == Verdict::refused);
  CHECK(contents.sentence == "Some register has less room than the policy demands.");
  const Json run = Json::parse(sarif_report(contents))["runs"][0];
  CHECK(run["invocations"][0]["executionSuccessful"] == true);
  CHECK(run["automationDetails"]["id"] == "axecert/w.npz/axe:P=7,T=2/");
  REQUIRE(run["results"].size() == 1);
  CHECK(run["results"][0]["ruleId"] == "AXE005");
  CHECK(run["tool"]["driver"]["rules"][run["results"][0]["ruleIndex"].get<std::size_t>()]["id"] == "AXE005");
  CHECK(run["results"][0]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "fc.1/row 1");
  votes[0].verdict = Verdict::refused;
  const ReportContents refused = report_contents({certificate, votes, "c.axec", "w.npz"});
  CHECK(Json::parse(sarif_report(refused))["runs"][0]["invocations"][0]["executionSuccessful"] == false);
  CHECK(refused.sentence.find("does not hold") != std::string::npos);
}

TEST_CASE("JUnit counts its cases; what was not checked is an error, never skipped") {
  Certificate certificate;
  certificate.layers.push_back(claims_of("axe:P=6,T=2", {4, 3, 0, 0}, 1, 0, 5));
  const auto count = [](const std::string& text, const std::string& what) {
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
      ++found;
    }
    return found;
  };
  for (const Verdict verdict : {Verdict::safe, Verdict::unsafe, Verdict::incomplete, Verdict::refused}) {
    CAPTURE(to_text(verdict));
    std::vector<Vote> votes{vote(verdict, 3)};
    votes[0].voter = "a\"<\x01";
    const std::string xml = junit_report(report_contents({certificate, votes, "c", "w"}));
    CAPTURE(xml);
    const std::size_t failures = 1 + (verdict == Verdict::unsafe ? 2 : 0);  // the tile; then the voter and the verdict
    const std::size_t errors = verdict == Verdict::incomplete || verdict == Verdict::refused ? 2 : 0;
    CHECK(count(xml, "<testcase") == 4);
    CHECK(count(xml, "<failure ") == failures);
    CHECK(count(xml, "<error ") == errors);
    CHECK(count(xml, "<skipped") == 0);
    CHECK(xml.find("<testsuites name=\"axecert\" tests=\"4\" failures=\"" + std::to_string(failures) + "\" errors=\"" +
                   std::to_string(errors) + "\">") != std::string::npos);
    CHECK(xml.find("name=\"a&quot;&lt;\xEF\xBF\xBD\"") != std::string::npos);
    CHECK(xml.find("1 of 2 registers can overflow") != std::string::npos);
    CHECK(xml.find("inputs 5 × 2, 0 × 2") != std::string::npos);
  }
}

TEST_CASE("every format says the verdict, and names are unique") {
  Certificate certificate;
  certificate.layers.push_back(claims_of("axe:P=7,T=2", {3, 3, -1, 0}, 1, 0, 5));
  std::set<std::string> names;
  for (const ReportFormat& format : report_formats()) {
    CAPTURE(format.name);
    CHECK(names.insert(format.name).second);
    for (const Verdict verdict : {Verdict::safe, Verdict::unsafe, Verdict::incomplete, Verdict::refused}) {
      const std::vector<Vote> votes{vote(verdict, 3)};
      const std::string text = format.render(report_contents({certificate, votes, "c", "w"}));
      if (std::string(format.name) == "junit") {
        CHECK((text.find("message=\"" + to_text(verdict)) != std::string::npos) == (verdict != Verdict::safe));
      } else {
        CHECK(text.find(to_text(verdict)) != std::string::npos);
      }
    }
  }
  CHECK(names == std::set<std::string>{"html", "markdown", "sarif", "junit"});
}

// TOR-106, TOR-201
TEST_CASE("the checker's vote on bytes: safe, unsafe, refused with the place") {
  for (const bool safe : {true, false}) {
    Certificate certificate;
    certificate.tool = "axecert test";
    certificate.layers.push_back(claims_of(safe ? "axe:P=7" : "axe:P=6", {7, 1}, 1, 0, 5));
    TensorFile file;
    file.tensors["fc.1.weight"] = Tensor::of({1, 2}, std::vector<std::int64_t>{7, 1});
    std::vector<std::uint8_t> bytes = certificate_bytes(certificate);
    const Vote good = checker_vote(bytes, weights_for_checker(file), "");
    CHECK(good.verdict == (safe ? Verdict::safe : Verdict::unsafe));
    CHECK(good.nodes_checked == good.nodes_total);
    CHECK(good.findings.empty() == safe);
    bytes.back() = static_cast<std::uint8_t>(bytes.back() ^ 1);
    const Vote bad = checker_vote(bytes, weights_for_checker(file), "");
    CHECK(bad.verdict == Verdict::refused);
    REQUIRE(bad.findings.size() == 1);
    CHECK(bad.findings[0].message.find("byte ") != std::string::npos);
  }
}

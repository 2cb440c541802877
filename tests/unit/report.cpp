// Claims about verify/report: summaries are the numbers that one computes by hand, an explanation adds up and is replayed, and
// every form of the report says the same verdict.
#include "axecert/report/report.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "axecert/numeric/error.hpp"
#include "axecert/report/explanation.hpp"
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
  CHECK(runs(std::vector<std::int32_t>{}).empty());
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
    const ReportSubject subject{certificate, votes, "c.axec", "w.safetensors"};
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
  CHECK(nlohmann::json::parse(json_report({none, votes, "c", "w"}))["layers"].empty());
  CHECK(html_report({none, votes, "c", "w"}).find("refused") != std::string::npos);
}

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

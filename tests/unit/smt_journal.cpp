// Z3's journal: an interrupted run goes on where it stopped, and a journal that was changed or belongs to something else is
// refused. Main functions: the test cases. Side effects: files in the system's temporary folder, removed again.
#include "axecert/smt/journal.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "../refusal.hpp"
#include "../scratch_folder.hpp"

using namespace axe;
using axe::test::refusal;

namespace {

// A journal's place, a file that is not there yet.
struct Place {
  test::ScratchFolder folder;
  std::filesystem::path path = folder / "journal";

  std::string content() const {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write(const std::string& text) const { std::ofstream(path, std::ios::binary) << text; }
};

const std::string digest(64, 'a');
constexpr std::uint64_t rlimit = 10'000'000;

// Two layers of 40 different nodes each.
Certificate model() {
  Certificate result{"test", {}};
  for (const char* name : {"a", "b"}) {
    IntegerLayer layer;
    layer.name = name;
    layer.rows = 8;
    layer.cols = 16;
    std::mt19937 random(*name == 'a' ? 1u : 2u);
    for (int i = 0; i < 8 * 16; ++i) {
      layer.weights.push_back(static_cast<std::int8_t>(static_cast<int>(random() % 15) - 7));
    }
    layer.box_lower = {0};
    layer.box_upper = {255};
    result.layers.push_back(make_claims(std::move(layer), parse_datapath("axe:P=16,T=4,outer=32"), InputSource::given));
  }
  return result;
}

SmtOptions options_for(SmtDepth depth, SmtJournal& journal) {
  SmtOptions options;
  options.depth = depth;
  options.journal = &journal;
  return options;
}

}  // namespace

TEST_CASE("spans are kept sorted and merged: they hold exactly the nodes that were added") {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<NodeSpan> spans;
    std::set<std::int64_t> nodes;
    for (int i = 0; i < 12; ++i) {
      const auto begin = static_cast<std::int64_t>(random() % 40);
      const std::int64_t end = begin + static_cast<std::int64_t>(random() % 6);
      merge(spans, {begin, end});
      for (std::int64_t n = begin; n < end; ++n) {
        nodes.insert(n);
      }
    }
    std::set<std::int64_t> held;
    for (std::size_t i = 0; i < spans.size(); ++i) {
      CHECK(spans[i].begin < spans[i].end);
      CHECK((i == 0 || spans[i - 1].end < spans[i].begin));
      for (std::int64_t n = spans[i].begin; n < spans[i].end; ++n) {
        held.insert(n);
      }
    }
    CHECK(held == nodes);
  }
}

TEST_CASE("a run that lost a worker leaves its other nodes in the journal, and the next asks only what is missing") {
  const Place place;
  const Certificate certificate = model();
  for (const SmtDepth depth : {SmtDepth::ground, SmtDepth::box}) {
    std::int64_t missing = 0;
    {
      SmtJournal journal(place.path, digest, rlimit);
      SmtOptions options = options_for(depth, journal);
      options.die_at = 50;
      const Vote vote = smt_vote(certificate, options);
      CHECK(vote.verdict == Verdict::incomplete);
      missing = vote.nodes_total - vote.nodes_checked;
      CHECK(missing > 0);
      CHECK(vote.nodes_checked > 0);
    }
    SmtJournal journal(place.path, digest, rlimit);
    SmtOptions options = options_for(depth, journal);
    std::int64_t asked = 0;
    options.die_at = 0;  // in the journal: whoever asks for it dies
    std::int64_t last = 0, total = 0;
    options.progress = [&](std::int64_t done, std::int64_t of) {
      last = done;
      total = of;
    };
    const Vote vote = smt_vote(certificate, options);
    asked = vote.nodes_total - std::stoll(vote.detail.substr(vote.detail.find("; ") + 2));
    CHECK(vote.verdict == Verdict::safe);
    CHECK(vote.nodes_checked == vote.nodes_total);
    CHECK(asked == missing);
    CHECK(last == total);
    CHECK(total == vote.nodes_total);
    CHECK(journal.proved(depth, "a") == std::vector<NodeSpan>{{0, 40}});
    CHECK(journal.proved(depth, "b") == std::vector<NodeSpan>{{0, 40}});
    CHECK(smt_vote(certificate, options).nodes_checked == vote.nodes_total);  // nothing is left
  }
  SmtJournal journal(place.path, digest, rlimit);
  journal.remove();
  CHECK_FALSE(std::filesystem::exists(place.path));
}

TEST_CASE("what overflows, is false or unknown does not enter the journal") {
  const Place place;
  Certificate unsafe = model();
  unsafe.layers[0] = make_claims(unsafe.layers[0].layer, parse_datapath("axe:P=10,T=4,outer=32"), InputSource::given);
  Certificate wrong = model();
  ++wrong.layers[0].ranges[0].upper[3];
  for (const auto& [certificate, verdict] : {std::pair{unsafe, Verdict::unsafe}, std::pair{wrong, Verdict::refused}}) {
    for (int run = 0; run < 2; ++run) {
      SmtJournal journal(place.path, digest, rlimit);
      const SmtOptions options = options_for(SmtDepth::box, journal);
      CHECK(smt_vote(certificate, options).verdict == verdict);
      CHECK(journal.proved(SmtDepth::box, "b") == std::vector<NodeSpan>{{0, 40}});
      for (const NodeSpan& span : journal.proved(SmtDepth::box, "a")) {
        CHECK(
            (verdict == Verdict::unsafe || span.end <= 3 || span.begin > 3));  // register 3 is the one that was changed
        CHECK(span.end - span.begin < 40);
      }
    }
    std::filesystem::remove(place.path);
  }
  SmtJournal journal(place.path, digest, 1);
  SmtOptions options = options_for(SmtDepth::box, journal);
  options.rlimit = 1;
  const Vote vote = smt_vote(model(), options);
  CHECK(vote.verdict == Verdict::incomplete);
  std::int64_t noted = 0;
  for (const char* layer : {"a", "b"}) {
    for (const NodeSpan& span : journal.proved(SmtDepth::box, layer)) {
      noted += span.end - span.begin;
    }
  }
  CHECK(noted <= vote.nodes_checked);
}

TEST_CASE("what was proved is on disk a quarter of a second later, without a flush: a killed run loses no more") {
  const Place place;
  SmtJournal journal(place.path, digest, rlimit);
  journal.add(SmtDepth::box, "a", {0, 64});
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  journal.add(SmtDepth::box, "a", {64, 70});
  CHECK(place.content().find(" 70 ") != std::string::npos);
}

TEST_CASE("a journal in which any byte was changed, a line removed or moved is refused") {
  const Place place;
  {
    SmtJournal journal(place.path, digest, rlimit);
    journal.add(SmtDepth::box, "blocks.0", {0, 64});
    journal.flush();
    journal.add(SmtDepth::box, "blocks.1", {64, 70});
    journal.flush();
    journal.add(SmtDepth::ground, "blocks.0", {0, 2048});
  }
  const std::string good = place.content();
  REQUIRE(good.size() > 300);
  const auto open = [&] { SmtJournal(place.path, digest, rlimit); };
  for (std::size_t i = 0; i + 1 < good.size(); ++i) {
    std::string changed = good;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    place.write(changed);
    CAPTURE(i);
    CHECK(refusal(open).find(place.path.string()) != std::string::npos);
  }
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < good.size(); at = good.find('\n', at) + 1) {
    lines.push_back(good.substr(at, good.find('\n', at) + 1 - at));
  }
  REQUIRE(lines.size() == 4);
  for (const std::vector<int>& order :
       {std::vector<int>{0, 2, 1, 3}, {0, 2, 3}, {0, 1, 3}, {1, 2, 3}, {0, 1, 2, 3, 3}}) {
    std::string text;
    for (const int line : order) {
      text += lines[static_cast<std::size_t>(line)];
    }
    place.write(text);
    CHECK(refusal(open).find("it was changed") != std::string::npos);
  }
  place.write("a letter\n");
  CHECK(refusal(open) != "");
  place.write("a letter");
  CHECK(refusal(open).find("is not a journal") != std::string::npos);
  CHECK(place.content() == "a letter");  // somebody else's file stays as it is
}

TEST_CASE("an interruption may cut the file anywhere: whole lines stay, the rest is asked again") {
  const Place place;
  {
    SmtJournal journal(place.path, digest, rlimit);
    journal.add(SmtDepth::box, "a", {0, 64});
    journal.flush();
    journal.add(SmtDepth::box, "a", {100, 170});
  }
  const std::string good = place.content();
  const std::size_t first = good.find('\n') + 1, second = good.find('\n', first) + 1;
  for (std::size_t size = 0; size <= good.size(); ++size) {
    place.write(good.substr(0, size));
    {
      SmtJournal journal(place.path, digest, rlimit);
      std::vector<NodeSpan> expected;
      if (size >= second) expected.push_back({0, 64});
      if (size >= good.size()) expected.push_back({100, 170});
      CHECK(journal.proved(SmtDepth::box, "a") == expected);
      journal.add(SmtDepth::box, "a", {64, 100});
    }
    SmtJournal(place.path, digest, rlimit);  // and can be gone on with
  }
}

TEST_CASE("a journal belongs to one certificate and one limit; a folder that is not there is an error") {
  const Place place;
  { SmtJournal(place.path, digest, rlimit); }
  CHECK(refusal([&] { SmtJournal(place.path, std::string(64, 'b'), rlimit); }).find("certificate bbb") !=
        std::string::npos);
  CHECK(refusal([&] { SmtJournal(place.path, digest, rlimit + 1); }).find("rlimit 10000001") != std::string::npos);
  CHECK(place.content().starts_with(journal_binding(digest, rlimit) + " "));

  std::string other = journal_binding(digest, rlimit);  // of another program, with the right hash
  const std::size_t version = other.find("axecert ", 1) + std::string("axecert ").size();
  other.insert(version, "9");
  const std::string hashed = "\n" + other;
  place.write(other + " " + to_hex(sha256(hashed.data(), hashed.size())) + "\n");
  CHECK(refusal([&] { SmtJournal(place.path, digest, rlimit); }).find("axecert 9") != std::string::npos);

  for (const std::string& part : {"z3 " + smt_version(), std::string(" axecert 0.")}) {
    CHECK(journal_binding(digest, rlimit).find(part) != std::string::npos);
  }
  CHECK(refusal([&] { SmtJournal("/no/such/folder/journal", digest, rlimit); }).find("cannot be opened") !=
        std::string::npos);
}

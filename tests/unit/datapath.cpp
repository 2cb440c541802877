// Claims about datapaths: what the shorthand, the presets and TOML files say, what is refused and where, register
// limits and widths, and which products meet in which register.
#include <doctest/doctest.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "../scratch_folder.hpp"
#include "axecert/datapath/datapath.hpp"
#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

std::string refusal(const std::string& text) {
  try {
    parse_datapath(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

std::string toml_refusal(const std::string& toml) {
  try {
    datapath_from_toml(toml, "file.toml");
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::string head = "name = \"x\"\nweights = [-128, 127]\nactivations = [0, 255]\n";
const std::string one_stage = "[[stage]]\nname = \"row\"\nwidth = 16\ngroup = \"all\"\n";

}  // namespace

// TOR-402
TEST_CASE("register limits, symmetric and full, from 1 to 64 bits") {
  CHECK(register_limits(16, Limits::symmetric) == IntegerRange{-32767, 32767});
  CHECK(register_limits(16, Limits::full) == IntegerRange{-32768, 32767});
  CHECK(register_limits(1, Limits::symmetric) == IntegerRange{0, 0});
  CHECK(register_limits(1, Limits::full) == IntegerRange{-1, 0});
  CHECK(register_limits(2, Limits::full) == IntegerRange{-2, 1});
  CHECK(register_limits(64, Limits::symmetric) == IntegerRange{-INT64_MAX, INT64_MAX});
  CHECK(register_limits(64, Limits::full) == IntegerRange{INT64_MIN, INT64_MAX});
  CHECK_THROWS_AS(register_limits(0, Limits::full), InputError);
  CHECK_THROWS_AS(register_limits(65, Limits::full), InputError);
}

// TOR-110
TEST_CASE("the minimum width holds the range, and one bit less does not") {
  for (const Limits limits : {Limits::symmetric, Limits::full}) {
    for (int width = 1; width <= 64; ++width) {
      const IntegerRange held = register_limits(width, limits);
      CHECK(minimum_width(held, limits) == width);
      CHECK(minimum_width({0, held.upper}, limits) <= width);
      if (width < 64) {
        CHECK(minimum_width({0, held.upper + 1}, limits) == width + 1);
        CHECK(minimum_width({held.lower - 1, 0}, limits) == width + 1);
      }
    }
  }
  CHECK(minimum_width({INT64_MIN, 0}, Limits::symmetric) == 65);
  CHECK(minimum_width({INT64_MIN, INT64_MAX}, Limits::full) == 64);
  CHECK(minimum_width({0, 0}, Limits::symmetric) == 1);
  CHECK(minimum_width({5, 5}, Limits::full) == 4);
}

// TOR-403
TEST_CASE("the shorthand says: T products in P bits, tiles and the constant in the outer register") {
  const Datapath datapath = parse_datapath("axe:P=16,T=64");
  CHECK(datapath.name == "axe:P=16,T=64");
  CHECK(datapath.weights == IntegerRange{-128, 127});
  CHECK(datapath.activations == IntegerRange{0, 255});
  CHECK(datapath.form == ActivationForm::raw);
  REQUIRE(datapath.stages.size() == 2);
  CHECK(datapath.stages[0] ==
        Stage{"tile", 16, 64, 1, Overflow::wrap, Limits::symmetric, Initial::zero, Claim::every_partial_sum});
  CHECK(datapath.stages[1] ==
        Stage{"outer", 32, 0, 1, Overflow::wrap, Limits::symmetric, Initial::constant, Claim::every_partial_sum});
  CHECK(describe(datapath) == "64 products → 16 bits (wrap) → all values + constant → 32 bits (wrap)");
}

// TOR-403
TEST_CASE("the shorthand's other settings, in any order") {
  CHECK(parse_datapath("axe:P=1").stages[0].width == 1);
  CHECK(parse_datapath("axe:P=64").stages[0].group == 0);
  CHECK(parse_datapath("axe:outer=64,T=2147483647,P=20").stages[0].group == INT32_MAX);
  CHECK(parse_datapath("axe:outer=64,P=20").stages[1].width == 64);
  const Datapath floating = parse_datapath("axe:P=16,T=32,outer=float");
  CHECK(floating.stages.size() == 1);
  CHECK(describe(floating) == "32 products → 16 bits (wrap) → float");
  const Datapath recentred = parse_datapath("axe:P=16,T=32,act=s8");
  CHECK(recentred.activations == IntegerRange{-128, 127});
  CHECK(recentred.form == ActivationForm::recentred);
  CHECK(parse_datapath("axe:P=16,act=box").form == ActivationForm::boxed);
  CHECK(parse_datapath("axe:act=u8,P=16").form == ActivationForm::raw);
  SUBCASE("two spellings of one datapath get one name") {
    CHECK(parse_datapath("axe:act=u8,outer=32,T=64,P=16").name == "axe:P=16,T=64");
    CHECK(parse_datapath("axe:act=box,outer=float,T=64,P=16").name == "axe:P=16,T=64,outer=float,act=box");
  }
  SUBCASE("the name reads back as the same datapath") {
    for (const char* text : {"axe:P=16", "axe:T=3,P=7,outer=9", "axe:P=5,act=s8", "axe:outer=float,P=12,T=1,act=box"}) {
      const Datapath datapath = parse_datapath(text);
      CHECK(parse_datapath(datapath.name).stages == datapath.stages);
      CHECK(parse_datapath(datapath.name).form == datapath.form);
    }
  }
}

// TOR-403
TEST_CASE("a wrong shorthand is refused at its place") {
  struct Wrong {
    const char* text;
    const char* place;
    const char* problem;
  };
  const Wrong cases[] = {
      {"axe:", "character 5", "a setting is missing"},
      {"axe:T=64", "character 9", "P is missing"},
      {"axe:P=0", "character 7", "P=0 is not valid"},
      {"axe:P=65", "character 7", "too large"},
      {"axe:P=-1", "character 7", "not a number"},
      {"axe:P=+1", "character 7", "not a number"},
      {"axe:P=16.5", "character 7", "not a number"},
      {"axe:P= 16", "character 7", "not a number"},
      {"axe:P=016", "character 7", "not valid"},
      {"axe:P=", "character 7", "not a number"},
      {"axe:P", "character 6", "P has no value"},
      {"axe:P=16,", "character 10", "a setting is missing"},
      {"axe:P=16,,T=4", "character 10", "a setting is missing"},
      {"axe:P=16,P=16", "character 10", "given twice"},
      {"axe:P=16,T=4,T=8", "character 14", "given twice"},
      {"axe:P=16,T=0", "character 12", "not valid"},
      {"axe:P=16,T=2147483648", "character 12", "too large"},
      {"axe:P=16,T=99999999999999999999999999", "character 12", "too large"},
      {"axe:P=16,T=18446744073709551617", "character 12", "too large"},
      {"axe:P=16,Q=3", "character 10", "unknown key 'Q'"},
      {"axe:p=16", "character 5", "unknown key 'p'"},
      {"axe:P=16 T=4", "character 7", "not a number"},
      {"axe:P=16=4", "character 9", "unexpected '=4'"},
      {"axe:P=16,outer=0", "character 16", "not valid"},
      {"axe:P=16,outer=65", "character 16", "too large"},
      {"axe:P=16,outer=double", "character 16", "not a number"},
      {"axe:P=16,act=u4", "character 14", "unknown form 'u4'"},
  };
  for (const Wrong& wrong : cases) {
    CAPTURE(wrong.text);
    const std::string message = refusal(wrong.text);
    CAPTURE(message);
    CHECK(contains(message, wrong.place));
    CHECK(contains(message, wrong.problem));
    CHECK(contains(message, "axe:P=16[,T=64]"));  // the remedy
  }
}

// TOR-403
TEST_CASE("what is neither shorthand nor preset nor file is refused with the list of presets") {
  for (const char* text : {"", "axe", "x86", "AXE:P=16", "no-such.toml", "./no/such/folder.toml"}) {
    CAPTURE(text);
    CHECK(contains(refusal(text), "x86-avx2-maddubs"));
  }
  CHECK_THROWS_AS(preset_toml("nothing"), InputError);
}

// TOR-404
TEST_CASE("every preset reads, is named like its file, cites a source, and is listed once, sorted") {
  const std::vector<std::string> names = preset_names();
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
  for (const char* wanted : {"axe-monolithic-16", "axe-16x64", "x86-avx2-maddubs", "x86-vnni", "x86-vnni-saturating",
                             "neon-mull-mlal", "fbgemm-acc16", "fbgemm-acc32", "gemmini-ws", "gemmini-os"}) {
    CHECK(std::count(names.begin(), names.end(), wanted) == 1);
  }
  for (const std::string& name : names) {
    CAPTURE(name);
    const Datapath datapath = parse_datapath(name);
    CHECK(datapath.name == name);
    CHECK_FALSE(datapath.title.empty());
    CHECK_FALSE(datapath.sources.empty());
    CHECK_NOTHROW(Topology(datapath, 577));
  }
}

// TOR-403
TEST_CASE("the AXE presets are the shorthand's datapaths") {
  CHECK(parse_datapath("axe-16x64").stages == parse_datapath("axe:P=16,T=64").stages);
  CHECK(parse_datapath("axe-monolithic-16").stages == parse_datapath("axe:P=16").stages);
}

TEST_CASE("presets as people draw them") {
  CHECK(describe(parse_datapath("x86-avx2-maddubs")) ==
        "2 products → 16 bits (saturate) → all values + constant → 32 bits (wrap)");
  CHECK(describe(parse_datapath("neon-mull-mlal")) ==
        "2 products, 8 apart → 16 bits (wrap) → all values + constant → 32 bits (wrap)");
  CHECK(describe(parse_datapath("fbgemm-acc16")) ==
        "2 products → 16 bits (saturate) → 128 values → 16 bits (saturate) → all values + constant → 32 bits (wrap)");
  CHECK(describe(parse_datapath("gemmini-os")) == "all products + constant → 20 bits (wrap)");
}

// TOR-403
TEST_CASE("a TOML file of a datapath, with every key") {
  const Datapath datapath = datapath_from_toml(
      "name = \"mine\"\ntitle = \"A title\"\nsources = [\"a\", \"b\"]\nnotes = [\"n\"]\nweights = [-7, 7]\n"
      "activations = [-128, 127]\nform = \"recentred\"\n"
      "[[stage]]\nname = \"a\"\nwidth = 12\ngroup = 4\nstride = 8\noverflow = \"saturate\"\nlimits = \"full\"\n"
      "[[stage]]\nname = \"b\"\nwidth = 64\ngroup = 0\noverflow = \"wrap\"\ninitial = \"constant\"\nclaim = "
      "\"final-value\"\n",
      "file.toml");
  CHECK(datapath.name == "mine");
  CHECK(datapath.title == "A title");
  CHECK(datapath.sources == std::vector<std::string>{"a", "b"});
  CHECK(datapath.notes == std::vector<std::string>{"n"});
  CHECK(datapath.weights == IntegerRange{-7, 7});
  CHECK(datapath.activations == IntegerRange{-128, 127});
  CHECK(datapath.form == ActivationForm::recentred);
  REQUIRE(datapath.stages.size() == 2);
  CHECK(datapath.stages[0] ==
        Stage{"a", 12, 4, 8, Overflow::saturate, Limits::full, Initial::zero, Claim::every_partial_sum});
  CHECK(datapath.stages[1] ==
        Stage{"b", 64, 0, 1, Overflow::wrap, Limits::symmetric, Initial::constant, Claim::final_value});
}

// TOR-403
TEST_CASE("a wrong TOML file is refused with file, line and column") {
  struct Wrong {
    std::string toml;
    std::string place;
    std::string problem;
  };
  const Wrong cases[] = {
      {"name = ", "file.toml:1:", ""},
      {head + "titel = \"x\"\n" + one_stage, "file.toml:4:1", "unknown key 'titel'"},
      {head + one_stage + "with = 3\n", "file.toml:8:1", "unknown key 'with' in stage 0"},
      {one_stage, "file.toml:1:1", "lacks 'name'"},
      {"name = 3\nweights = [-128, 127]\nactivations = [0, 255]\n" + one_stage, "file.toml:1:8", "not a text"},
      {"name = \"x\"\nweights = [-128]\nactivations = [0, 255]\n" + one_stage, "file.toml:2:11", "not a pair"},
      {"name = \"x\"\nweights = [1, 0]\nactivations = [0, 255]\n" + one_stage, "file.toml:2:11", "lower > upper"},
      {"name = \"x\"\nweights = [-129, 0]\nactivations = [0, 255]\n" + one_stage, "file.toml", "not supported"},
      {"name = \"x\"\nweights = [-1, 0]\nactivations = [0, 1.5]\n" + one_stage, "file.toml:3:19", "not an integer"},
      {"name = \"x\"\nweights = [-1, 0]\nactivations = [0, 99999999999]\n" + one_stage, "file.toml", "not supported"},
      {"name = \"x y\"\nweights = [-1, 0]\nactivations = [0, 1]\n" + one_stage, "file.toml", "not a word"},
      {"name = \"x\\n\"\nweights = [-1, 0]\nactivations = [0, 1]\n" + one_stage, "file.toml", "not a word"},
      {head, "file.toml:1:1", "lacks 'stage'"},
      {head + "stage = 3\n", "file.toml:4:9", "not a list of tables"},
      {head + "stage = []\n", "file.toml:4:9", "not a list of tables"},
      {head + "sources = \"one\"\n" + one_stage, "file.toml:4:11", "not a list"},
      {head + "form = \"signed\"\n" + one_stage, "file.toml:4:8", "'form' is 'signed'"},
      {head + "[[stage]]\nname = \"row\"\ngroup = \"all\"\n", "file.toml:4:1", "stage 0 lacks 'width'"},
      {head + "[[stage]]\nname = \"row\"\nwidth = 0\ngroup = \"all\"\n", "file.toml:6:9", "'width' is 0"},
      {head + "[[stage]]\nname = \"row\"\nwidth = 65\ngroup = \"all\"\n", "file.toml:6:9", "'width' is 65"},
      {head + "[[stage]]\nname = \"row\"\nwidth = 16\ngroup = \"some\"\n", "file.toml:7:9", "'group' is 'some'"},
      {head + "[[stage]]\nname = \"row\"\nwidth = 16\ngroup = -1\n", "file.toml:7:9", "'group' is -1"},
      {head + "[[stage]]\nname = \"row\"\nwidth = 16\ngroup = 99999999999999999999\n", "file.toml:7:", ""},
      {head + one_stage + "stride = 0\n", "file.toml:8:10", "'stride' is 0"},
      {head + one_stage + "overflow = \"clip\"\n", "file.toml:8:12", "'overflow' is 'clip'"},
      {head + one_stage + "overflow = \"saturate\"\nclaim = \"final-value\"\n", "file.toml",
       "claims only the final value"},
      {head + one_stage + one_stage, "file.toml", "has the same name"},
      {head + one_stage +
           "initial = \"constant\"\n[[stage]]\nname = \"b\"\nwidth = 8\ngroup = 1\ninitial = \"constant\"\n",
       "file.toml", "a second stage starts from the constant"},
      {head + "[[stage]]\nname = \"Row\"\nwidth = 16\ngroup = 1\n", "file.toml", "not a word"},
  };
  for (const Wrong& wrong : cases) {
    CAPTURE(wrong.toml);
    const std::string message = toml_refusal(wrong.toml);
    CAPTURE(message);
    CHECK(message != "accepted");
    CHECK(contains(message, wrong.place));
    CHECK(contains(message, wrong.problem));
  }
}

// TOR-403
TEST_CASE("a datapath file is found by its path, and a large or missing one is refused") {
  const test::ScratchFolder folder;
  const std::string path = (folder / "mine.toml").string();
  std::ofstream(path) << head << one_stage;
  CHECK(parse_datapath(path).stages.size() == 1);
  std::ofstream(path) << head << one_stage << std::string(2 << 20, '#');
  CHECK(contains(refusal(path), "too large"));
  std::filesystem::remove(path);
  CHECK(contains(refusal(path), "no such file"));
}

// TOR-403
TEST_CASE("every preset's TOML text, changed in one key, is refused") {
  for (const std::string& name : preset_names()) {
    std::string text = preset_toml(name);
    text.replace(text.find("\nwidth"), 6, "\nwidht");
    CHECK(contains(toml_refusal(text), "unknown key 'widht'"));
  }
}

namespace {

Datapath grouped(std::vector<std::pair<std::int64_t, std::int64_t>> group_and_stride) {
  Datapath datapath;
  datapath.name = "test";
  for (const auto& [group, stride] : group_and_stride) {
    Stage stage;
    stage.name = "s" + std::to_string(datapath.stages.size());
    stage.group = group;
    stage.stride = stride;
    datapath.stages.push_back(stage);
  }
  return datapath;
}

using Values = std::vector<std::int64_t>;

}  // namespace

// TOR-401
TEST_CASE("NEON's lanes: k and k+8 meet inside a block of 16, the ragged block's lanes fill from 0") {
  const Topology topology(parse_datapath("neon-mull-mlal"), 16 + 10);
  CHECK(topology.nodes(0) == 16);
  CHECK(topology.values_of(0, 0) == Values{0, 8});
  CHECK(topology.values_of(0, 7) == Values{7, 15});
  CHECK(topology.values_of(0, 8) == Values{16, 24});
  CHECK(topology.values_of(0, 9) == Values{17, 25});
  CHECK(topology.values_of(0, 10) == Values{18});
  CHECK(topology.products_of(1, 0).size() == 26);
  CHECK(Topology(parse_datapath("neon-mull-mlal"), 16 + 3).nodes(0) == 11);
  CHECK(Topology(parse_datapath("neon-mull-mlal"), 3).nodes(0) == 3);
  CHECK(Topology(parse_datapath("neon-mull-mlal"), 8).nodes(0) == 8);
  CHECK(Topology(parse_datapath("neon-mull-mlal"), 9).nodes(0) == 8);
}

// TOR-401
TEST_CASE("tiles: ragged at the end, longer than the row, all of it, one product") {
  CHECK(Topology(grouped({{64, 1}}), 576).nodes(0) == 9);
  CHECK(Topology(grouped({{128, 1}}), 576).nodes(0) == 5);
  CHECK(Topology(grouped({{128, 1}}), 576).values_of(0, 4).size() == 64);
  CHECK(Topology(grouped({{1000, 1}}), 576).nodes(0) == 1);
  CHECK(Topology(grouped({{INT32_MAX, INT32_MAX}}), 576).nodes(0) == 576);
  CHECK(Topology(grouped({{0, 1}}), 576).nodes(0) == 1);
  CHECK(Topology(grouped({{0, 4}}), 6).nodes(0) == 4);
  CHECK(Topology(grouped({{0, 4}}), 6).values_of(0, 1) == Values{1, 5});
  CHECK(Topology(grouped({{1, 1}}), 1).nodes(0) == 1);
  CHECK_THROWS_AS(Topology(grouped({{1, 1}}), 0), InputError);
  CHECK_THROWS_AS(Topology(grouped({{1, 1}}), -5), InputError);
  CHECK_THROWS_AS(Topology(grouped({}), 5), InputError);
  CHECK_THROWS_AS(Topology(grouped({{-1, 1}}), 5), InputError);
  CHECK_THROWS_AS(Topology(grouped({{1, 0}}), 5), InputError);
}

// TOR-401
TEST_CASE("every product ends up in exactly one register of every stage, for all small trees") {
  for (std::int64_t length = 1; length <= 14; ++length) {
    for (std::int64_t g0 = 0; g0 <= 4; ++g0) {
      for (std::int64_t s0 = 1; s0 <= 4; ++s0) {
        for (std::int64_t g1 = 0; g1 <= 3; ++g1) {
          for (std::int64_t s1 = 1; s1 <= 3; ++s1) {
            const Topology topology(grouped({{g0, s0}, {g1, s1}}), length);
            for (std::size_t s = 0; s < 2; ++s) {
              Values seen(static_cast<std::size_t>(length), 0);
              std::int64_t values = 0;
              for (std::int64_t node = 0; node < topology.nodes(s); ++node) {
                const Values added = topology.values_of(s, node);
                REQUIRE_FALSE(added.empty());
                values += static_cast<std::int64_t>(added.size());
                for (const std::int64_t v : added) {
                  REQUIRE(topology.node_of_value(s, v) == node);
                }
                for (const std::int64_t k : topology.products_of(s, node)) {
                  REQUIRE(topology.node_of_product(s, k) == node);
                  ++seen[static_cast<std::size_t>(k)];
                }
              }
              REQUIRE(values == topology.values(s));
              REQUIRE(seen == Values(static_cast<std::size_t>(length), 1));
            }
          }
        }
      }
    }
  }
}

// TOR-401
TEST_CASE("registers are those of the definition: block by block, lane by lane") {
  // Stage: "blocks of group × stride consecutive values; register j of a block adds the values j, j + stride, …".
  for (std::int64_t length = 1; length <= 30; ++length) {
    for (std::int64_t group = 1; group <= 5; ++group) {
      for (std::int64_t stride = 1; stride <= 5; ++stride) {
        std::vector<Values> expected;
        for (std::int64_t begin = 0; begin < length; begin += group * stride) {
          for (std::int64_t lane = 0; lane < stride; ++lane) {
            Values values;
            for (std::int64_t v = begin + lane; v < std::min(begin + group * stride, length); v += stride) {
              values.push_back(v);
            }
            if (!values.empty()) {
              expected.push_back(values);
            }
          }
        }
        const Topology topology(grouped({{group, stride}}), length);
        REQUIRE(topology.nodes(0) == static_cast<std::int64_t>(expected.size()));
        for (std::size_t node = 0; node < expected.size(); ++node) {
          REQUIRE(topology.values_of(0, static_cast<std::int64_t>(node)) == expected[node]);
        }
      }
    }
  }
}

// TOR-109
TEST_CASE("the constant is added once: a stage of several registers may not start from it") {
  Datapath datapath = grouped({{2, 1}});
  datapath.stages[0].initial = Initial::constant;
  CHECK_NOTHROW(Topology(datapath, 2));
  CHECK_THROWS_AS(Topology(datapath, 3), InputError);
}

// TOR-605
TEST_CASE("docs/datapaths.md lists every preset as it is, and its TOML example reads") {
  std::ifstream file(std::string(AXECERT_SOURCE_DIR) + "/docs/datapaths.md");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (const std::string& name : preset_names()) {
    CAPTURE(name);
    const Datapath datapath = parse_datapath(name);
    const auto range = [](IntegerRange r) {
      return "[" + std::to_string(r.lower) + ", " + std::to_string(r.upper) + "]";
    };
    CHECK(contains(text, "\n| `" + name + "` | " + describe(datapath) + " | " + range(datapath.weights) + " | " +
                             range(datapath.activations) + " |\n"));
  }
  // No more rows than presets: nothing stays in the table after a preset is gone.
  const std::vector<std::string> names = preset_names();
  for (std::size_t at = text.find("\n| `", text.find("## Presets")); at != std::string::npos;
       at = text.find("\n| `", at + 1)) {
    const std::string name = text.substr(at + 4, text.find('`', at + 4) - at - 4);
    CAPTURE(name);
    CHECK(std::count(names.begin(), names.end(), name) == 1);
  }
  const std::size_t begin = text.find("```toml\n") + 8;
  const Datapath example = datapath_from_toml(text.substr(begin, text.find("```", begin) - begin), "docs/datapaths.md");
  CHECK(example.stages == parse_datapath("x86-avx2-maddubs").stages);
}

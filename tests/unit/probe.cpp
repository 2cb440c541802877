// A black box is probed until its datapath is known. The boxes are simulated datapaths: every preset of the catalogue, and others that
// it does not have. What is found must answer questions that were not asked as the box does; what cannot be seen must be said to be
// unknown; a box that contradicts itself, or is no datapath, must be refused.
// Requirements: TOR-401.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "axecert/probe/fresh.hpp"
#include "axecert/probe/probe.hpp"
#include "axecert/probe/simulated_product.hpp"

using namespace axe;

namespace {

ProbeOptions options_of(const Datapath& datapath, std::int64_t longest) {
  ProbeOptions options;
  options.activations = datapath.activations;
  options.weights = datapath.weights;
  options.longest = longest;
  options.shape = {1, 1};
  return options;
}

std::string stages_of(const Datapath& datapath) {
  std::string text;
  for (const Stage& stage : datapath.stages) {
    text += (text.empty() ? "" : " ") + (stage.group == 0 ? std::string("*") : std::to_string(stage.group)) +
            (stage.stride == 1 ? "" : "/" + std::to_string(stage.stride)) + ":" + to_text(stage.overflow).substr(0, 1) +
            std::to_string(stage.width) + (stage.limits == Limits::symmetric ? "y" : "");
  }
  return text;
}

Datapath made(const std::string& stages_toml, const std::string& activations = "[0, 255]",
              const std::string& weights = "[-128, 127]") {
  return datapath_from_toml(
      "name = \"box\"\nweights = " + weights + "\nactivations = " + activations + "\n" + stages_toml, "box.toml");
}

std::string stage(const std::string& name, int width, const std::string& group, int stride, const std::string& overflow,
                  const std::string& limits = "full") {
  return "[[stage]]\nname = \"" + name + "\"\nwidth = " + std::to_string(width) + "\ngroup = " + group +
         "\nstride = " + std::to_string(stride) + "\noverflow = \"" + overflow + "\"\nlimits = \"" + limits + "\"\n";
}

/// Fresh questions, with another seed than the probe's own, on which box and result must agree.
void must_agree(const Datapath& box, std::int64_t box_offset, const ProbeResult& result, const ProbeOptions& options,
                int count) {
  Datapath defined = box;
  for (Stage& s : defined.stages) {
    s.overflow = s.overflow == Overflow::undefined ? Overflow::wrap : s.overflow;
  }
  Simulator asked(defined), answering(result.datapath);
  const Multiplier multiplier(result.datapath.activations, result.datapath.weights);
  // Hard for what was found, and hard for what the box is.
  FreshQuestions of_result(multiplier, result.datapath, options.longest, 991);
  FreshQuestions of_box(multiplier, defined, options.longest, 992);
  for (int i = 0; i < count; ++i) {
    const DotProduct question = in_codes(i % 2 == 0 ? of_result.next() : of_box.next(), result.offset);
    const SimulatedValue expected = asked.value(question, box_offset);
    const SimulatedValue found = answering.value(question, result.offset);
    REQUIRE_FALSE(found.undefined);
    REQUIRE(found.value == expected.value);
  }
}

bool lists(const ProbeResult& result, const std::string& preset) {
  return std::any_of(result.presets.begin(), result.presets.end(), [&](const auto& p) { return p.name == preset; });
}

const Property& property(const ProbeResult& result, const std::string& stage, const std::string& name) {
  for (const Property& p : result.properties) {
    if (p.stage == stage && p.name == name) {
      return p;
    }
  }
  FAIL("no property " << stage << " " << name);
  return result.properties[0];
}

}  // namespace

TEST_CASE("every preset is found, up to what can be observed") {
  std::set<std::string> seen;
  for (const std::string& name : preset_names()) {
    const Datapath preset = parse_datapath(name);
    const ProbeOptions options = options_of(preset, 4500);
    // Presets that share stages and operands are one box.
    std::string kind = stages_of(preset) + " " + std::to_string(preset.activations.lower) + " " +
                       std::to_string(preset.weights.lower) + " " + std::to_string(preset.weights.upper);
    if (!seen.insert(kind).second) {
      continue;
    }
    CAPTURE(name);
    CAPTURE(stages_of(preset));
    SimulatedProduct box(preset);
    const ProbeResult result = probe(box, options);
    CAPTURE(result.reason);
    REQUIRE(result.found);
    CAPTURE(stages_of(result.datapath));
    CHECK(result.fresh_compared == options.fresh);
    CHECK(lists(result, name));
    must_agree(preset, 0, result, options, 300);
  }
  CHECK(seen.size() >= 40);
}

TEST_CASE("every property names the questions that decide it, and these can be asked again") {
  SimulatedProduct box(parse_datapath("fbgemm-acc16"));
  const ProbeOptions options = options_of(parse_datapath("fbgemm-acc16"), 4500);
  const ProbeResult result = probe(box, options);
  REQUIRE(result.found);
  CHECK(stages_of(result.datapath) == "2:s16 128:s16 *:u21");
  SimulatedProduct again(parse_datapath("fbgemm-acc16"));
  Asker asker(again, {1, 1}, 1000);
  int decided = 0;
  for (const Property& p : result.properties) {
    CHECK((p.decided ? !p.evidence.empty() : p.value.find("not known") == 0 || p.value.find("at least") == 0));
    for (const Evidence& evidence : p.evidence) {
      const AnsweredQuestion& asked = result.asked[evidence.question];
      CHECK(asker.ask(dot_product_of(asked.runs)) == asked.answer);
      ++decided;
    }
  }
  CHECK(decided > 20);
  // The width: 32767 is held, 32768 is not.
  const Property& width = property(result, "s2", "width");
  CHECK(width.value == "16 bits");
  REQUIRE(width.evidence.size() == 2);
  const AnsweredQuestion& held = result.asked[width.evidence[0].question];
  const AnsweredQuestion& not_held = result.asked[width.evidence[1].question];
  CHECK(exact_value(dot_product_of(held.runs)) == 32767);
  CHECK(held.answer == 32767);
  CHECK(exact_value(dot_product_of(not_held.runs)) == 32768);
  CHECK(not_held.answer == 32767);
  // What was found is a datapath like any other.
  const Datapath read = datapath_from_toml(datapath_to_toml(result.datapath), "found.toml");
  CHECK(read.stages == result.datapath.stages);
  CHECK(read.notes == result.datapath.notes);
  CHECK(read.weights == result.datapath.weights);
  CHECK(read.activations == result.datapath.activations);
  CHECK(read.form == result.datapath.form);
}

TEST_CASE("what the longest question cannot reach is not stated") {
  const Datapath vnni = parse_datapath("x86-vnni-saturating");
  SimulatedProduct box(vnni);
  ProbeOptions options = options_of(vnni, 600);
  ProbeResult result = probe(box, options);
  REQUIRE(result.found);
  CHECK(stages_of(result.datapath) == "*:u26");  // 600 · 32640 = 19,584,000 > 2^24
  CHECK_FALSE(property(result, "row", "width").decided);
  CHECK_FALSE(property(result, "row", "overflow").decided);
  CHECK_FALSE(property(result, "", "form").decided);
  CHECK(lists(result, "x86-vnni"));
  CHECK(lists(result, "x86-vnni-saturating"));
  CHECK_FALSE(lists(result, "x86-avx2-maddubs"));

  // Long enough: the register of 32 bits, that it saturates, and the four products that are added before.
  options.longest = 140000;
  options.fresh = 40;
  result = probe(box, options);
  CAPTURE(result.reason);
  REQUIRE(result.found);
  CHECK(stages_of(result.datapath) == "4:u18 *:s32");
  CHECK(lists(result, "x86-vnni-saturating"));
  CHECK_FALSE(lists(result, "x86-vnni"));
}

TEST_CASE("an operand with an offset is told from a raw one") {
  // oneDNN's s8s8: the codes plus 128 are the unsigned operand, -128 Σw is added at the end.
  const Datapath u8s8 = parse_datapath("onednn-s8s8-gemm");
  ProbeOptions options = options_of(u8s8, 1000);
  options.activations = {-128, 127};
  SimulatedProduct shifted(u8s8, 128);
  ProbeResult result = probe(shifted, options);
  CAPTURE(result.reason);
  REQUIRE(result.found);
  CHECK(result.offset == 128);
  CHECK(stages_of(result.datapath) == "2:s16 *:u25");  // 500 · 32768 < 2^24
  CHECK(result.datapath.activations == IntegerRange{0, 255});
  CHECK(property(result, "", "form").decided);
  CHECK(lists(result, "onednn-s8s8-gemm"));
  must_agree(u8s8, 128, result, options, 300);

  // Unsigned codes on a signed multiplier.
  const Datapath neon = parse_datapath("neon-mull-mlal");
  options = options_of(neon, 1000);
  options.activations = {0, 255};
  SimulatedProduct signed_box(neon, -128);
  result = probe(signed_box, options);
  CAPTURE(result.reason);
  REQUIRE(result.found);
  CHECK(result.offset == -128);
  CHECK(stages_of(result.datapath).substr(0, 7) == "2/8:w16");
  must_agree(neon, -128, result, options, 300);

  // And the same stages with the codes as they are.
  options = options_of(parse_datapath("wasm-relaxed-dot-signed-saturate"), 1000);
  SimulatedProduct raw(parse_datapath("wasm-relaxed-dot-signed-saturate"));
  result = probe(raw, options);
  REQUIRE(result.found);
  CHECK(result.offset == 0);
  CHECK(stages_of(result.datapath).substr(0, 5) == "2:s16");
}

TEST_CASE("datapaths that no preset has") {
  struct Box {
    std::string toml;
    std::string activations;
    std::string expected;
  };
  const Box boxes[] = {
      {stage("a", 16, "2", 1, "saturate") + stage("b", 16, "8", 4, "saturate") + stage("c", 32, "\"all\"", 1, "wrap"),
       "[0, 255]", "2:s16 8/4:s16 *:u"},
      {stage("a", 20, "24", 1, "wrap") + stage("b", 32, "\"all\"", 1, "wrap"), "[0, 255]", "24:w20 *:u"},
      {stage("a", 17, "3", 5, "wrap") + stage("b", 32, "\"all\"", 1, "wrap"), "[0, 255]", "3/5:w17 *:u"},
      {stage("a", 12, "\"all\"", 1, "saturate", "symmetric"), "[-128, 127]", "*:s12y"},
      {stage("a", 12, "\"all\"", 1, "saturate"), "[-128, 127]", "*:s12"},
      {stage("a", 10, "1", 1, "saturate") + stage("b", 32, "\"all\"", 1, "wrap"), "[0, 255]", "1:s10 *:u"},
      {stage("a", 14, "\"all\"", 4, "wrap") + stage("b", 15, "\"all\"", 1, "saturate"), "[-128, 127]", "*/4:w14 *:s15"},
      {stage("a", 16, "2", 1, "saturate") + stage("b", 18, "16", 1, "saturate") +
           stage("c", 20, "\"all\"", 1, "saturate"),
       "[0, 255]", "2:s16 16:s18 *:s20"},
      {stage("a", 32, "7", 1, "wrap") + stage("b", 17, "\"all\"", 1, "saturate"), "[0, 255]", "7:u19 *:s17"},
  };
  for (const Box& b : boxes) {
    const Datapath datapath = made(b.toml, b.activations);
    CAPTURE(stages_of(datapath));
    ProbeOptions options = options_of(datapath, 700);
    SimulatedProduct box(datapath);
    const ProbeResult result = probe(box, options);
    CAPTURE(result.reason);
    REQUIRE(result.found);
    CHECK(stages_of(result.datapath).substr(0, b.expected.size()) == b.expected);
    must_agree(datapath, 0, result, options, 400);
  }
}

namespace {

/// Answers as a datapath, but sums are floats, or overflow gives 0, or an answer now and then is another one.
class Odd : public Product {
 public:
  enum class Kind { rounds, zero, lies, lies_by_place, short_answer };
  Odd(Kind kind, const std::string& datapath) : kind_(kind), inner_(parse_datapath(datapath)) {}
  std::vector<std::int64_t> multiply(const ProductQuestion& question) override {
    std::vector<std::int64_t> values = inner_.multiply(question);
    ++calls_;
    for (std::int64_t& value : values) {
      if (kind_ == Kind::rounds) {
        value = static_cast<std::int64_t>(static_cast<float>(value));
      } else if (kind_ == Kind::zero && (value > 8191 || value < -8192)) {
        value = 0;
      } else if (kind_ == Kind::lies && calls_ % 50 == 0) {
        value += 1;
      }
    }
    if (kind_ == Kind::lies_by_place && calls_ > 20) {
      values.back() += 1;
    }
    if (kind_ == Kind::short_answer && calls_ > 20) {
      values.pop_back();
    }
    return values;
  }

 private:
  Kind kind_;
  SimulatedProduct inner_;
  std::int64_t calls_ = 0;
};

}  // namespace

TEST_CASE("a box that is no datapath of stages is not given one") {
  // Sums rounded to float: 2^24 + 1 becomes 2^24.
  Odd rounds(Odd::Kind::rounds, "x86-vnni");
  const ProbeResult result = probe(rounds, options_of(parse_datapath("x86-vnni"), 4500));
  CHECK_FALSE(result.found);
  CHECK(result.reason.find("codes as they are") != std::string::npos);
  REQUIRE(result.contradiction);
  CHECK(result.contradiction->question < result.asked.size());

  // Beyond 14 bits it gives 0: the limit is known, what happens beyond it is neither of what a register does.
  Odd zero(Odd::Kind::zero, "x86-vnni");
  const ProbeResult limited = probe(zero, options_of(parse_datapath("x86-vnni"), 600));
  REQUIRE(limited.found);
  CHECK(stages_of(limited.datapath).substr(0, 5) == "*:u14");
  CHECK(property(limited, "row", "overflow").value == "neither wraps nor saturates");
}

TEST_CASE("a box that contradicts itself is refused with its two answers") {
  Odd lies(Odd::Kind::lies, "x86-vnni");
  try {
    const ProbeResult result = probe(lies, options_of(parse_datapath("x86-vnni"), 600));
    CHECK_FALSE(result.found);
    FAIL("not refused");
  } catch (const InconsistentProduct& error) {
    CHECK(error.first != error.second);
    const std::string words = error.what();
    CHECK(words.find(std::to_string(error.first)) != std::string::npos);
    CHECK(words.find(std::to_string(error.second)) != std::string::npos);
  }
  Odd by_place(Odd::Kind::lies_by_place, "x86-vnni");
  ProbeOptions options = options_of(parse_datapath("x86-vnni"), 600);
  options.shape = {2, 3};
  CHECK_THROWS_AS(probe(by_place, options), InconsistentProduct);
  Odd short_answer(Odd::Kind::short_answer, "x86-vnni");
  CHECK_THROWS_AS(probe(short_answer, options), InputError);
}

TEST_CASE("options out of range are errors") {
  SimulatedProduct box(parse_datapath("x86-vnni"));
  const ProbeOptions good = options_of(parse_datapath("x86-vnni"), 600);
  ProbeOptions options = good;
  options.longest = 1;
  CHECK_THROWS_AS(probe(box, options), InputError);
  options = good;
  options.shape.rows = 0;
  CHECK_THROWS_AS(probe(box, options), InputError);
  options = good;
  options.activations = {3, 7};  // no 0
  CHECK_THROWS_AS(probe(box, options), InputError);
  options = good;
  options.weights = {-4, 300};
  CHECK_THROWS_AS(probe(box, options), InputError);
  options = good;
  options.name = "two words";
  CHECK_THROWS_AS(probe(box, options), InputError);
  options = good;
  options.most_questions = 10;
  CHECK_THROWS_AS(probe(box, options), InputError);
}

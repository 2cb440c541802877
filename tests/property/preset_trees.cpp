// Every preset as one bit-vector formula: a whole dot product, from the products to the last register, asked of Z3 with its inputs left
// open. Where the certificate says safe, no inputs may make a register go wrong; where it says unsafe, Z3 must find some, and they must
// do the same on the machine. And on given inputs, every register of every stage holds what the machine holds.
// Requirements: TOR-402, TOR-404.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

#include "axecert/certificate/certificate.hpp"
#include "axecert/datapath/machine.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/smt/tree.hpp"

using namespace axe;

namespace {

using Inputs = std::vector<std::int32_t>;

IntegerLayer row_of(const TreeQuestion& question) {
  IntegerLayer layer;
  layer.name = "row";
  layer.rows = 1;
  layer.cols = static_cast<std::int64_t>(question.weights.size());
  layer.weights = question.weights;
  layer.box_lower = {static_cast<std::int32_t>(question.inputs.lower)};
  layer.box_upper = {static_cast<std::int32_t>(question.inputs.upper)};
  layer.bias = {question.constant};
  return layer;
}

std::vector<std::vector<RegisterTrace>> machine(const TreeQuestion& question, const Inputs& inputs) {
  const Topology topology(question.datapath, static_cast<std::int64_t>(question.weights.size()));
  return run(topology, question.weights, inputs, topology.starts_from_constant() ? question.constant : 0);
}

/// What tree.hpp calls a register that goes wrong, of the machine's.
bool goes_wrong(const Stage& stage, const RegisterTrace& trace) {
  return stage.claim == Claim::final_value ? trace.value != trace.exact : trace.overflowed;
}

/// The preset with at most two values per register and two lanes per stage: every stage is there, and five products are enough for
/// full, ragged and single registers.
Datapath small_shape(Datapath datapath) {
  for (Stage& stage : datapath.stages) {
    stage.group = std::min<std::int64_t>(stage.group, 2);
    stage.stride = std::min<std::int64_t>(stage.stride, 2);
  }
  return datapath;
}

/// The widest range of the nodes of stage s.
IntegerRange widest(const LayerClaims& claims, std::size_t s) {
  const StageRanges& ranges = claims.ranges[s];
  return {*std::min_element(ranges.lower.begin(), ranges.lower.end()),
          *std::max_element(ranges.upper.begin(), ranges.upper.end())};
}

struct Asked {
  std::string preset;
  std::string what;
  TreeQuestion question;
  Verdict expected = Verdict::safe;
};

/// Presets whose arithmetic no earlier one has, whatever their stages are called.
std::vector<Datapath> different(const std::vector<Datapath>& all) {
  std::vector<Datapath> kept;
  for (Datapath datapath : all) {
    for (std::size_t s = 0; s < datapath.stages.size(); ++s) {
      datapath.stages[s].name = "s" + std::to_string(s);
    }
    const auto same = [&](const Datapath& earlier) { return same_arithmetic(earlier, datapath); };
    if (std::none_of(kept.begin(), kept.end(), same)) {
      kept.push_back(datapath);
    }
  }
  return kept;
}

std::vector<Datapath> presets() {
  std::vector<Datapath> all;
  for (const std::string& name : preset_names()) {
    all.push_back(parse_datapath(name));
  }
  return all;
}

class Random {
 public:
  std::int64_t within(IntegerRange range) {
    return range.lower +
           static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(range.upper - range.lower + 1));
  }
  std::int64_t end(IntegerRange range) { return engine_() % 2 == 0 ? range.lower : range.upper; }

 private:
  std::mt19937_64 engine_{20261126};
};

std::vector<Inputs> runs_for(const TreeQuestion& question, Random& random) {
  std::vector<Inputs> runs(4);
  for (std::size_t k = 0; k < question.weights.size(); ++k) {
    const IntegerRange range = question.inputs;
    const bool positive = question.weights[k] > 0;
    runs[0].push_back(static_cast<std::int32_t>(positive ? range.upper : range.lower));
    runs[1].push_back(static_cast<std::int32_t>(positive ? range.lower : range.upper));
    runs[2].push_back(static_cast<std::int32_t>(random.end(range)));
    runs[3].push_back(static_cast<std::int32_t>(random.within(range)));
  }
  return runs;
}

void compare_runs(const TreeQuestion& question, const TreeAnswer& answer, std::int64_t& registers,
                  std::int64_t& overflowed) {
  REQUIRE(answer.runs.size() == question.runs.size());
  for (std::size_t i = 0; i < answer.runs.size(); ++i) {
    const auto traces = machine(question, question.runs[i]);
    REQUIRE(answer.runs[i].size() == traces.size());
    for (std::size_t s = 0; s < traces.size(); ++s) {
      REQUIRE(answer.runs[i][s].size() == traces[s].size());
      for (std::size_t j = 0; j < traces[s].size(); ++j) {
        CAPTURE(s);
        CAPTURE(j);
        REQUIRE(answer.runs[i][s][j] == TreeRegister{traces[s][j].value, traces[s][j].overflowed});
        ++registers;
        overflowed += traces[s][j].overflowed ? 1 : 0;
      }
    }
  }
}

}  // namespace

TEST_CASE("every preset as a whole: Z3 finds inputs that go wrong exactly where the certificate is not safe") {
  std::vector<Datapath> shapes;
  for (const Datapath& preset : presets()) {
    shapes.push_back(small_shape(preset));
  }
  Random random;
  std::vector<Asked> asked;
  const auto ask = [&](const Datapath& preset, const std::string& what, TreeQuestion question) {
    const LayerClaims claims = make_claims(row_of(question), question.datapath, InputSource::given);
    question.runs = runs_for(question, random);
    asked.push_back({preset.name, what, question, claims.verdict});
    return claims.verdict;
  };
  const std::vector<Datapath> kinds = different(shapes);
  for (const Datapath& preset : kinds) {
    for (const bool mixed : {false, true}) {
      TreeQuestion question;
      question.datapath = preset;
      // Two bits of the operand: what a solver has to find out grows with every bit, what there is to find does not.
      question.inputs = {std::max<std::int64_t>(preset.activations.lower, -2),
                         std::min<std::int64_t>(preset.activations.upper, preset.activations.lower < 0 ? 1 : 3)};
      for (int k = 0; k < 5; ++k) {  // all at one end; or any, the first two at the ends
        const IntegerRange w = preset.weights;
        question.weights.push_back(static_cast<std::int8_t>(!mixed   ? w.upper
                                                            : k == 0 ? w.lower
                                                            : k == 1 ? w.upper
                                                                     : random.within(w)));
      }
      question.constant = mixed ? random.within({-1000, 1000}) : 0;
      TreeQuestion whole = question;  // the widths and operands that it has
      whole.inputs = preset.activations;
      whole.weights.resize(2);
      ask(preset, "as it is", whole);

      // The widths that the ranges need, and each of them one bit less.
      TreeQuestion tight = question;
      for (Stage& stage : tight.datapath.stages) {
        stage.width = 60;
      }
      const LayerClaims wide = make_claims(row_of(tight), tight.datapath, InputSource::given);
      for (std::size_t s = 0; s < tight.datapath.stages.size(); ++s) {
        Stage& stage = tight.datapath.stages[s];
        stage.width = minimum_width(widest(wide, s), stage.limits);
      }
      REQUIRE(ask(preset, "widths that suffice", tight) == Verdict::safe);
      for (std::size_t s = 0; s < tight.datapath.stages.size(); ++s) {
        TreeQuestion narrow = tight;
        if (--narrow.datapath.stages[s].width >= 1) {
          REQUIRE(ask(preset, "stage " + std::to_string(s) + " a bit narrower", narrow) == Verdict::unsafe);
        }
      }

      // The true widths, with a constant that fills the register that starts from it, and one more.
      for (std::size_t s = 0; mixed && s < preset.stages.size(); ++s) {
        if (preset.stages[s].initial == Initial::constant && preset.stages[s].width < 62) {
          TreeQuestion full = question;
          full.constant = 0;
          const LayerClaims from_zero = make_claims(row_of(full), full.datapath, InputSource::given);
          full.constant = register_limits(preset.stages[s]).upper - widest(from_zero, s).upper;
          ask(preset, "filled by the constant", full);
          ++full.constant;
          REQUIRE(ask(preset, "filled by the constant, and one more", full) == Verdict::unsafe);
        }
      }
    }
  }

  std::vector<TreeQuestion> questions;
  for (const Asked& a : asked) {
    questions.push_back(a.question);
  }
  SmtOptions options;
  options.rlimit = 400'000'000;
  options.workers = 2;
  const std::vector<TreeAnswer> answers = ask_trees(questions, options);
  std::int64_t wrong = 0, registers = 0, overflowed = 0;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    CAPTURE(asked[i].preset);
    CAPTURE(asked[i].what);
    CAPTURE(describe(asked[i].question.datapath));
    CAPTURE(answers[i].detail);
    CHECK(answers[i].verdict == (asked[i].expected == Verdict::safe ? TreeVerdict::exact : TreeVerdict::wrong));
    compare_runs(asked[i].question, answers[i], registers, overflowed);
    if (answers[i].verdict == TreeVerdict::wrong) {
      ++wrong;
      bool seen = false;
      const auto traces = machine(asked[i].question, answers[i].inputs);
      for (std::size_t s = 0; s < traces.size(); ++s) {
        for (const RegisterTrace& trace : traces[s]) {
          seen = seen || goes_wrong(asked[i].question.datapath.stages[s], trace);
        }
      }
      CHECK(seen);
    }
  }
  CHECK(kinds.size() >= 25);
  CHECK(wrong > 100);
  CHECK(asked.size() - static_cast<std::size_t>(wrong) > 100);
  CHECK(overflowed > 200);
  MESSAGE(preset_names().size() << " presets, " << kinds.size() << " kinds of small trees, " << asked.size()
                                << " questions, " << wrong << " of them unsafe; " << registers
                                << " registers compared, " << overflowed << " had overflowed");
}

TEST_CASE("every preset at its true shape: bit vectors and machine hold the same in every register") {
  Random random;
  std::vector<TreeQuestion> questions;
  const std::vector<Datapath> kinds = different(presets());
  for (const Datapath& preset : kinds) {
    for (const bool narrow : {false, true}) {
      TreeQuestion question;
      question.datapath = preset;
      question.inputs = preset.activations;
      question.search = false;
      std::int64_t block = 1;
      for (const Stage& stage : preset.stages) {
        block *= std::max<std::int64_t>(1, stage.group) * (stage.group == 0 ? 1 : stage.stride);
      }
      const std::int64_t length = std::min<std::int64_t>(2 * block, 36) + 1;
      for (std::int64_t k = 0; k < length; ++k) {
        question.weights.push_back(
            static_cast<std::int8_t>(k % 3 == 0 ? random.within(preset.weights) : random.end(preset.weights)));
      }
      question.constant = random.within({-100000, 100000});
      if (narrow) {  // so that every stage overflows on some runs
        TreeQuestion wide = question;
        for (Stage& stage : wide.datapath.stages) {
          stage.width = 60;
        }
        const LayerClaims claims = make_claims(row_of(wide), wide.datapath, InputSource::given);
        for (std::size_t s = 0; s < preset.stages.size(); ++s) {
          Stage& stage = question.datapath.stages[s];
          stage.width = std::max(2, minimum_width(widest(claims, s), stage.limits) - 2);
        }
      }
      question.runs = runs_for(question, random);
      questions.push_back(question);
    }
  }
  SmtOptions options;
  options.workers = 2;
  const std::vector<TreeAnswer> answers = ask_trees(questions, options);
  std::int64_t registers = 0, overflowed = 0;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    CAPTURE(describe(questions[i].datapath));
    CAPTURE(answers[i].detail);
    CHECK(answers[i].verdict == TreeVerdict::unknown);
    compare_runs(questions[i], answers[i], registers, overflowed);
  }
  CHECK(overflowed > registers / 10);
  MESSAGE(kinds.size() << " kinds, " << registers << " registers compared, " << overflowed << " had overflowed");
}

TEST_CASE("a question to Z3 that is out of range is an error; an answer that did not come is no pass") {
  TreeQuestion question;
  question.datapath = parse_datapath("x86-avx2-maddubs");
  question.weights = {1, 2};
  question.inputs = {0, 255};
  TreeQuestion bad = question;
  bad.weights.clear();
  CHECK_THROWS_AS(ask_trees({bad}, {}), InputError);
  bad = question;
  bad.inputs = {0, 1 << 30};
  CHECK_THROWS_AS(ask_trees({bad}, {}), InputError);
  bad = question;
  bad.runs = {{1, 2, 3}};
  CHECK_THROWS_AS(ask_trees({bad}, {}), InputError);
  bad.runs = {{1, 256}};
  CHECK_THROWS_AS(ask_trees({bad}, {}), InputError);
  SmtOptions tired;
  tired.rlimit = 1;
  question.weights = {127, 127};
  const std::vector<TreeAnswer> answers = ask_trees({question}, tired);
  CHECK(answers[0].verdict == TreeVerdict::unknown);
  CHECK_FALSE(answers[0].detail.empty());
}

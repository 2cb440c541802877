// From a black box to its datapath; see probe.hpp. Main function: probe. Side effects: those of the box.
#include "axecert/probe/probe.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <random>

#include "axecert/probe/fresh.hpp"
#include "axecert/probe/simulated_product.hpp"

namespace axe {
namespace {

constexpr std::int64_t largest_code = 1 << 15;
constexpr std::int64_t longest_question = std::int64_t{1} << 20;
constexpr std::int64_t most_copies = 256;

std::string in_brackets(IntegerRange range) {
  return "[" + std::to_string(range.lower) + ", " + std::to_string(range.upper) + "]";
}

void require(bool holds, const std::string& what, const std::string& value, const std::string& remedy) {
  if (!holds) {
    throw InputError("probe", what + " " + value + " is out of range", remedy);
  }
}

void check(const ProbeOptions& options) {
  require(-largest_code <= options.activations.lower && options.activations.upper <= largest_code,
          "the range of activations", in_brackets(options.activations), "within ±32768");
  require(INT8_MIN <= options.weights.lower && options.weights.upper <= INT8_MAX, "the range of weights",
          in_brackets(options.weights), "within [-128, 127]");
  require(2 <= options.longest && options.longest <= longest_question, "a longest dot product of",
          std::to_string(options.longest), "2 to 1048576 terms");
  for (const std::int64_t copies : {options.shape.rows, options.shape.columns}) {
    require(1 <= copies && copies <= most_copies, "rows or columns", std::to_string(copies), "1 to 256");
  }
  Datapath named;
  named.name = options.name;
  named.stages.resize(1);
  named.stages[0].name = "row";
  validate(named);  // the name
}

/// What an internal multiplier may add to the codes: nothing; what makes signed codes unsigned; what makes unsigned ones signed.
std::vector<std::int64_t> offsets(IntegerRange activations) {
  std::vector<std::int64_t> all{0};
  if (activations.lower < 0) {
    all.push_back(-activations.lower);
  } else if (activations.upper > 0) {
    all.push_back(-(activations.upper + 1) / 2);
  }
  return all;
}

IntegerRange moved(IntegerRange range, std::int64_t offset) {
  return {range.lower + offset, range.upper + offset};
}

/// Products of one sign that sum to `total`, with another sum of weights than `other`; nothing when none were found.
std::optional<DotProduct> other_decomposition(const Registers& products, const Multiplier& multiplier,
                                              const std::vector<std::int64_t>& members, std::int64_t total,
                                              std::int64_t other, std::mt19937_64& random) {
  const auto within = [&](IntegerRange range) {
    return range.lower +
           static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(range.upper - range.lower + 1));
  };
  for (int tries = 0; tries < 4000 && members.size() > 1; ++tries) {
    // The first product at random, of the sign of the total; the others sum to what is left.
    const Factors first{static_cast<std::int32_t>(within(multiplier.activations())),
                        static_cast<std::int8_t>(within(multiplier.weights()))};
    const std::int64_t product = std::int64_t{first.x} * first.w;
    if (total > 0 ? product <= 0 || product >= total : product >= 0 || product <= total) {
      continue;
    }
    DotProduct question = products.nothing();
    if (!products.put(question, std::span(members).subspan(1), total - product)) {
      continue;
    }
    question.x[static_cast<std::size_t>(members[0])] = first.x;
    question.w[static_cast<std::size_t>(members[0])] = first.w;
    if (weight_sum(question) != other) {
      return question;
    }
  }
  return std::nullopt;
}

/// Whether the first register's limit is one of Σ w (x + offset): the same total at two different sums of weights fails at the same
/// place. Under any other offset d the limit would lie d · (difference of the sums) elsewhere.
Property operand_form(OffsetBox box, const Multiplier& multiplier, const std::optional<FirstLimit>& limit,
                      std::int64_t length, std::int64_t offset) {
  Property form;
  form.name = "form";
  if (!limit) {
    form.value = "not known: no question overflows, and without an overflow an offset cannot be seen";
    form.decided = false;
    return form;
  }
  const Registers products(multiplier, {}, length);
  std::mt19937_64 random(1);
  const std::int64_t beyond = limit->total + (limit->total > 0 ? 1 : -1);
  for (const std::int64_t total : {limit->total, beyond}) {
    std::optional<DotProduct> pair[2];
    DotProduct packed = products.nothing();
    std::int64_t sum = INT64_MAX;  // of the weights of the first one
    if (products.put(packed, limit->products, total)) {
      pair[0] = packed;
      sum = weight_sum(packed);
    } else if ((pair[0] = other_decomposition(products, multiplier, limit->products, total, sum, random))) {
      sum = weight_sum(*pair[0]);
    }
    pair[1] = pair[0] ? other_decomposition(products, multiplier, limit->products, total, sum, random) : std::nullopt;
    if (!pair[1]) {
      form.value = "not known: the register's limit is not reached with two different sums of weights";
      form.decided = false;
      return form;
    }
    for (const std::optional<DotProduct>& question : pair) {
      const bool fails = box.ask(*question) != exact_value(*question);
      const std::string words = std::to_string(total) + " with Σw = " + std::to_string(weight_sum(*question));
      form.evidence.push_back({box.last_question(), words + (fails ? " fails" : " is exact")});
      if (fails != (total == beyond)) {
        throw NoDatapath(
            "the first register's limit moves with the sum of the weights: the multiplier's operand is neither the "
            "code nor the code plus " +
                std::to_string(offset),
            form.evidence.back());
      }
    }
  }
  form.value = offset == 0 ? "raw: the multiplier takes the codes as they are"
                           : "the multiplier takes the codes plus " + std::to_string(offset) + "; " +
                                 std::to_string(-offset) + " Σw is added outside its registers";
  return form;
}

std::string shown(std::int64_t answer, std::int64_t expected) {
  return "the answer is " + std::to_string(answer) + ", and of the datapath found " + std::to_string(expected);
}

/// Every fortieth question of so many, or all of fewer.
std::vector<std::size_t> some_of(std::size_t asked) {
  std::vector<std::size_t> some;
  for (std::size_t i = 0; i < asked; i += std::max<std::size_t>(1, asked / 40)) {
    some.push_back(i);
  }
  return some;
}

/// Searches under one offset, and holds the datapath against all that was asked and against fresh questions.
ProbeResult attempt(Asker& asker, const ProbeOptions& options, std::int64_t offset) {
  ProbeResult result;
  result.offset = offset;
  const Multiplier multiplier(moved(options.activations, offset), options.weights);
  const OffsetBox box(asker, offset);
  Search search(box, multiplier, options.longest);
  search.run();
  result.properties = search.properties();
  result.properties.insert(result.properties.begin(),
                           operand_form(box, multiplier, search.first_limit(), options.longest, offset));

  Datapath& found = result.datapath;
  found.name = options.name;
  found.title = "found by asking a black box for products of at most " + std::to_string(options.longest) + " terms";
  found.weights = options.weights;
  found.activations = moved(options.activations, offset);
  found.form = found.activations.lower == 0 ? ActivationForm::raw : ActivationForm::recentred;
  found.stages = search.stages();
  for (const Property& property : result.properties) {
    if (!property.decided) {
      found.notes.push_back((property.stage.empty() ? "operands" : property.stage) + ", " + property.name + ": " +
                            property.value);
    }
  }
  found.notes.push_back("a constant that the box's registers might start from was not asked for");
  validate(found);

  Simulator simulator(found);
  const auto agrees = [&](const DotProduct& codes, std::int64_t answer, std::size_t index) {
    const SimulatedValue expected = simulator.value(codes, offset);
    if (!expected.undefined && expected.value != answer) {
      throw NoDatapath("the stages that were found do not explain every answer",
                       Evidence{index, shown(answer, expected.value)});
    }
    return !expected.undefined;
  };
  for (std::size_t i = 0; i < asker.asked().size(); ++i) {
    const AnsweredQuestion& earlier = asker.asked()[i];
    agrees(dot_product_of(earlier.runs), earlier.answer, i);
  }
  FreshQuestions fresh(multiplier, found, options.longest, options.seed);
  for (std::size_t i = 0; i < options.fresh; ++i) {
    const DotProduct codes = in_codes(fresh.next(), offset);
    const std::int64_t answer = asker.ask(codes);
    result.fresh_compared += agrees(codes, answer, asker.asked().size() - 1) ? std::size_t{1} : std::size_t{0};
  }
  // Does the box still answer as it did? Every question that decided something, and some others.
  std::vector<std::size_t> again = some_of(asker.asked().size());
  for (const Property& property : result.properties) {
    for (const Evidence& evidence : property.evidence) {
      again.push_back(evidence.question);
    }
  }
  for (const std::size_t index : again) {
    asker.ask_again(index);
  }
  result.found = true;
  return result;
}

bool holds(IntegerRange outer, IntegerRange inner) {
  return outer.lower <= inner.lower && inner.upper <= outer.upper;
}

/// Presets that would have answered as the box did, and answer new questions as the datapath found does.
std::vector<EquivalentPreset> equivalent_presets(const ProbeResult& found, const ProbeOptions& options) {
  constexpr int compared = 400;
  // Questions once, with what the box said or the datapath found says.
  std::vector<std::pair<DotProduct, std::int64_t>> known;
  for (const AnsweredQuestion& asked : found.asked) {
    known.emplace_back(dot_product_of(asked.runs), asked.answer);
  }
  Simulator simulator(found.datapath);
  const Multiplier multiplier(found.datapath.activations, found.datapath.weights);
  FreshQuestions fresh(multiplier, found.datapath, std::min<std::int64_t>(options.longest, 4096), options.seed + 1);
  for (int i = 0; i < compared; ++i) {
    DotProduct codes = in_codes(fresh.next(), found.offset);
    const SimulatedValue value = simulator.value(codes, found.offset);
    if (!value.undefined) {
      known.emplace_back(std::move(codes), value.value);
    }
  }
  // Short questions first: they tell most presets apart at once.
  std::stable_sort(known.begin(), known.end(),
                   [](const auto& a, const auto& b) { return a.first.x.size() < b.first.x.size(); });

  std::vector<EquivalentPreset> presets;
  std::vector<std::pair<Datapath, std::optional<std::int64_t>>>
      judged;  // presets share stages: each kind is simulated once
  for (const std::string& name : preset_names()) {
    Datapath preset = parse_datapath(name);
    if (!holds(preset.weights, options.weights)) {
      continue;
    }
    EquivalentPreset entry;
    entry.name = name;
    Datapath kind = preset;
    for (Stage& stage : kind.stages) {
      entry.undefined_overflow = entry.undefined_overflow || stage.overflow == Overflow::undefined;
      stage.name = "s" + std::to_string(&stage - kind.stages.data());
      stage.overflow = stage.overflow == Overflow::undefined ? Overflow::wrap : stage.overflow;
      stage.initial = Initial::zero;
    }
    const auto same = std::find_if(judged.begin(), judged.end(), [&](const auto& earlier) {
      return earlier.first.stages == kind.stages && earlier.first.activations == kind.activations;
    });
    std::optional<std::int64_t> agreeing;
    if (same != judged.end()) {
      agreeing = same->second;
    } else {
      for (const std::int64_t offset : offsets(options.activations)) {
        if (agreeing || !holds(preset.activations, moved(options.activations, offset))) {
          continue;
        }
        Simulator simulated(kind);
        if (std::all_of(known.begin(), known.end(), [&](const auto& question) {
              return simulated.value(question.first, offset).value == question.second;
            })) {
          agreeing = offset;
        }
      }
      judged.emplace_back(kind, agreeing);
    }
    if (agreeing) {
      entry.offset = *agreeing;
      presets.push_back(entry);
    }
  }
  return presets;
}

}  // namespace

ProbeResult probe(Product& product, const ProbeOptions& options) {
  check(options);
  Asker asker(product, options.shape, options.most_questions);
  ProbeResult result;
  std::string reasons;
  for (const std::int64_t offset : offsets(options.activations)) {
    try {
      result = attempt(asker, options, offset);
      break;
    } catch (const NoDatapath& failure) {
      reasons += (reasons.empty() ? "" : "; ") +
                 (offset == 0 ? std::string("codes as they are: ") : "codes plus " + std::to_string(offset) + ": ") +
                 failure.what();
      if (!result.contradiction) {
        result.contradiction = failure.evidence;
      }
    }
  }
  result.asked = asker.asked();
  if (!result.found) {
    for (const std::size_t i : some_of(asker.asked().size())) {
      asker.ask_again(i);  // rather a box that contradicts itself than one of another form
    }
    result.reason = reasons;
    return result;
  }
  result.contradiction.reset();
  result.presets = equivalent_presets(result, options);
  return result;
}

}  // namespace axe

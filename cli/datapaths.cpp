// axecert datapaths: the presets, and one datapath drawn, with its operand ranges, sources and notes.
#include <algorithm>
#include <cstdio>

#include "axecert/bound/worst_case.hpp"
#include "axecert/report/words.hpp"
#include "datapath_argument.hpp"
#include "verb.hpp"

namespace axe::cli {
namespace {

struct Arguments {
  std::string name;
  std::shared_ptr<Common> common = std::make_shared<Common>();
};

std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

Json range_json(IntegerRange range) {
  return Json::array({range.lower, range.upper});
}

Json worst_case_json(const Datapath& d) {
  Json stages = Json::array();
  for (const StageWorstCase& s : worst_case(d)) {
    stages.push_back({{"products", s.products == 0 ? Json(nullptr) : Json(s.products)},
                      {"reach", s.products == 0 ? Json(nullptr) : range_json(s.reach)},
                      {"fits", s.products == 0 ? Json(nullptr) : Json(s.fits)},
                      {"most_products", s.most_products},
                      {"safe_inputs", s.products == 0 ? Json(nullptr) : range_json(s.safe_inputs)}});
  }
  return stages;
}

/// What holds whatever the weights, one line per stage.
std::vector<std::string> worst_case_in_words(const Datapath& d) {
  std::vector<std::string> lines;
  const std::vector<StageWorstCase> stages = worst_case(d);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const StageWorstCase& s = stages[i];
    const bool constant = d.stages[i].initial == Initial::constant;
    std::string line = d.stages[i].name + ": ";
    if (s.products == 0) {
      line += s.most_products >= largest_length ? "fits a row of any length"
                                                : "fits " + in_words(s.most_products) + " products, and no more";
      line += constant ? ", less what the constant takes" : "";
    } else {
      line += in_words(s.products) + (s.products == 1 ? " product reaches " : " products reach ") + in_words(s.reach);
      if (s.fits) {
        line += ", which always fits";
      } else if (s.safe_inputs.lower > s.safe_inputs.upper) {
        line += ", which overflows; no inputs are safe for every weight";
      } else {
        line += ", which overflows; inputs in " + in_words(s.safe_inputs) + " are safe for every weight";
      }
    }
    lines.push_back(line);
  }
  return lines;
}

Json datapath_json(const Datapath& d) {
  Json stages = Json::array();
  for (const Stage& s : d.stages) {
    stages.push_back({{"name", s.name},
                      {"width", s.width},
                      {"group", s.group},
                      {"stride", s.stride},
                      {"overflow", to_text(s.overflow)},
                      {"limits_kind", to_text(s.limits)},
                      {"limits", range_json(register_limits(s))},
                      {"initial", to_text(s.initial)},
                      {"claim", to_text(s.claim)}});
  }
  return {{"name", d.name},
          {"family", d.family},
          {"title", d.title},
          {"description", describe(d)},
          {"weights", range_json(d.weights)},
          {"activations", range_json(d.activations)},
          {"form", to_text(d.form)},
          {"stages", stages},
          {"worst_case", worst_case_json(d)},
          {"sources", d.sources},
          {"pairing", d.pairing},
          {"contracts", d.contracts},
          {"requantization", d.requantization},
          {"requantizer", d.requantizer.empty() ? Json(nullptr) : Json(d.requantizer)},
          {"bugs", d.bugs},
          {"notes", d.notes}};
}

int list(const Arguments& a) {
  std::vector<Datapath> all;
  std::size_t longest = 0;
  for (const std::string& name : preset_names()) {
    all.push_back(parse_datapath(name));
    longest = std::max(longest, name.size());
  }
  if (a.common->json) {
    Json presets = Json::array();
    for (const Datapath& d : all) {
      presets.push_back({{"name", d.name}, {"family", d.family}, {"title", d.title}, {"description", describe(d)}});
    }
    print(Json{{"datapaths", presets}});
    return 0;
  }
  std::string text;
  for (const Family& family : families()) {
    text += (text.empty() ? "" : "\n") + family.title + "\n";
    for (const Datapath& d : all) {
      if (d.family == family.name) {
        text += "  " + d.name + std::string(longest + 2 - d.name.size(), ' ') + d.title + "\n";
      }
    }
  }
  print(text +
        "\nShorthand: axe:P=16[,T=64][,outer=32|float][,act=u8|s8|box]. A .toml file works too; `axecert datapaths "
        "NAME` prints one.\n");
  return 0;
}

/// "word        line" per line: the word once, its lines below one another.
std::string labelled(const std::string& word, const std::vector<std::string>& lines) {
  constexpr std::size_t width = 16;
  std::string text;
  for (const std::string& line : lines) {
    text += (text.empty() ? word + std::string(width - word.size(), ' ') : std::string(width, ' ')) + line + "\n";
  }
  return text;
}

int show(const Arguments& a) {
  const Datapath d = datapath_argument(a.name);
  const std::vector<std::string> presets = preset_names();
  const bool preset = std::find(presets.begin(), presets.end(), a.name) != presets.end();
  if (a.common->json) {
    Json document = datapath_json(d);
    document["toml"] = preset ? Json(preset_toml(a.name)) : Json(nullptr);
    print(document);
    return 0;
  }
  std::string text = d.name + "\n" + (d.title.empty() ? "" : d.title + "\n") + "\n" + drawing(d) + "\n";
  const char* form = d.form == ActivationForm::raw ? "codes as they are"
                     : d.form == ActivationForm::recentred
                         ? "codes minus half their range, exactly"
                         : "codes clamped to each channel's range, minus an offset of the channel, exactly";
  text += labelled("weights", {in_words(d.weights)}) +
          labelled("activations", {in_words(d.activations) + ", " + to_text(d.form) + ": " + form});
  if (!d.pairing.empty()) {
    text += labelled("pairing", {d.pairing});
  }
  text += labelled("worst case", worst_case_in_words(d));
  text += labelled("contracts", d.contracts) + labelled("known bugs", d.bugs) +
          labelled("requantization", d.requantization) +
          labelled("judged as",
                   d.requantizer.empty() ? std::vector<std::string>{} : std::vector<std::string>{d.requantizer}) +
          labelled("notes", d.notes) + labelled("sources", d.sources);
  if (preset) {
    text += "\n" + preset_toml(a.name);
  }
  print(text);
  return 0;
}

}  // namespace

Datapath datapath_argument(const std::string& text) {
  if (text.ends_with(".toml")) {
    require_input(text);
  }
  try {
    return parse_datapath(text);
  } catch (const InputError& error) {
    const bool word = text.find(':') == std::string::npos && text.find(".toml") == std::string::npos;
    throw Failure(exit_usage, "datapath", error.what(), word ? suggestion(text, preset_names()) : "");
  }
}

namespace {

/// Which values the first registers of a stage add: "0, 8 │ 1, 9 │ … │ 7, 15 │ 16, 24 │ …"; nothing when there is no choice.
std::string first_registers(const Stage& stage) {
  if (stage.group == 1 || (stage.group == 0 && stage.stride == 1)) {
    return "";
  }
  const auto members = [&](std::int64_t first) {
    std::string text = std::to_string(first);
    const std::int64_t listed = stage.group == 0 ? 3 : std::min<std::int64_t>(stage.group, 4);
    for (std::int64_t i = 1; i < listed; ++i) {
      text += ", " + std::to_string(first + i * stage.stride);
    }
    if (stage.group == 0) {
      return text + ", …";
    }
    const std::string last = std::to_string(first + (stage.group - 1) * stage.stride);
    return stage.group == listed ? text : stage.group == listed + 1 ? text + ", " + last : text + ", …, " + last;
  };
  std::string text = members(0);
  if (stage.stride > 1) {
    text += " │ " + members(1) + (stage.stride > 3 ? " │ …" : "") +
            (stage.stride > 2 ? " │ " + members(stage.stride - 1) : "");
  }
  // The next block's first register; with group = all there is only one block.
  return text + (stage.group == 0 ? "" : " │ " + members(stage.group * stage.stride) + " │ …");
}

}  // namespace

std::string drawing(const Datapath& d) {
  std::string text = "  weight × activation\n";
  for (std::size_t s = 0; s < d.stages.size(); ++s) {
    const Stage& stage = d.stages[s];
    const std::string unit = s == 0 ? "products" : "registers";
    const std::string in = (stage.group == 0   ? "all " + unit
                            : stage.group == 1 ? "1 " + unit.substr(0, unit.size() - 1)
                                               : in_words(stage.group) + " " + unit) +
                           (stage.stride == 1 ? "" : ", every " + in_words(stage.stride) + "th") +
                           (stage.initial == Initial::constant ? ", from the row's constant" : "");
    const std::vector<std::string> lines{
        stage.name + ": " + std::to_string(stage.width) + (stage.width == 1 ? " bit" : " bits"),
        in_words(register_limits(stage)),
        to_text(stage.overflow) +
            (stage.claim == Claim::final_value ? ", final value proved" : ", every partial sum proved")};
    std::size_t width = 0;
    for (const std::string& line : lines) {
      width = std::max(width, columns(line));
    }
    std::string rule;
    for (std::size_t i = 0; i < width + 2; ++i) {
      rule += "─";
    }
    const std::string registers = first_registers(stage);
    text +=
        "    │ " + in + "\n" + (registers.empty() ? "" : "    │   " + registers + "\n") + "    ▼\n  ┌" + rule + "┐\n";
    for (const std::string& line : lines) {
      text += "  │ " + line + std::string(width - columns(line), ' ') + " │\n";
    }
    text += "  └" + rule + "┘\n";
  }
  if (!d.stages.empty() && (d.stages.back().group != 0 || d.stages.back().stride != 1)) {
    text += "    │ several registers\n    ▼\n  floating-point sum (not certified)\n";
  }
  return text;
}

Verb datapaths_verb(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("datapaths", "list the datapaths, or show one");
  command->add_option("NAME", a->name, "a preset, a shorthand or a .toml file");
  add_common(command, a->common, false);
  return {command, [a] { return a->name.empty() ? list(*a) : show(*a); }};
}

}  // namespace axe::cli

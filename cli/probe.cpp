// axecert probe: asks a program for integer matrix products until its datapath is known (lib/probe). Side effects: starts the program;
// writes the files that the options name.
#include "axecert/probe/probe.hpp"

#include "axecert/probe/command_product.hpp"
#include "axecert/report/words.hpp"
#include "verb.hpp"

namespace axe::cli {
namespace {

struct Arguments {
  std::vector<std::string> command;
  std::string activations = "u8", weights = "s8";
  std::string output, log;
  double seconds = 10;
  ProbeOptions options;
  std::shared_ptr<Common> common = std::make_shared<Common>();
};

IntegerRange range_argument(const char* option, const std::string& text) {
  if (text == "u8") {
    return {0, 255};
  }
  if (text == "s8") {
    return {-128, 127};
  }
  std::int64_t lower = 0, upper = 0;
  int used = 0;
  if (std::sscanf(text.c_str(), "%ld,%ld%n", &lower, &upper, &used) != 2 || used != static_cast<int>(text.size()) ||
      lower > upper) {
    throw Failure(exit_usage, option, "'" + text + "' is no range", "write u8, s8 or LO,HI");
  }
  return {lower, upper};
}

Json runs_json(const std::vector<ProductRun>& runs) {
  Json list = Json::array();
  for (const ProductRun& run : runs) {
    list.push_back(Json::array({run.count, run.x, run.w}));
  }
  return list;
}

Json question_json(const AnsweredQuestion& asked) {
  return {
      {"runs", runs_json(asked.runs)}, {"exact", exact_value(dot_product_of(asked.runs))}, {"answer", asked.answer}};
}

Json evidence_json(const ProbeResult& result, const Evidence& evidence) {
  Json entry = question_json(result.asked[evidence.question]);
  entry["index"] = evidence.question;
  entry["shows"] = evidence.shows;
  return entry;
}

Json result_json(const ProbeResult& result, const std::string& toml) {
  Json properties = Json::array();
  for (const Property& p : result.properties) {
    Json questions = Json::array();
    for (const Evidence& evidence : p.evidence) {
      questions.push_back(evidence_json(result, evidence));
    }
    properties.push_back({{"stage", p.stage},
                          {"property", p.name},
                          {"value", p.value},
                          {"decided", p.decided},
                          {"questions", questions}});
  }
  Json presets = Json::array();
  for (const EquivalentPreset& preset : result.presets) {
    presets.push_back(
        {{"name", preset.name}, {"offset", preset.offset}, {"undefined_overflow", preset.undefined_overflow}});
  }
  return {{"found", result.found},
          {"reason", result.found ? Json(nullptr) : Json(result.reason)},
          {"description", result.found ? Json(describe(result.datapath)) : Json(nullptr)},
          {"offset", result.found ? Json(result.offset) : Json(nullptr)},
          {"questions", result.asked.size()},
          {"fresh_questions", result.fresh_compared},
          {"properties", properties},
          {"presets", presets},
          {"contradiction", result.contradiction ? evidence_json(result, *result.contradiction) : Json(nullptr)},
          {"toml", result.found ? Json(toml) : Json(nullptr)}};
}

std::string wrapped_names(const std::vector<EquivalentPreset>& presets) {
  std::string text, line = "  ";
  for (const EquivalentPreset& preset : presets) {
    const std::string name = preset.name + (preset.undefined_overflow ? " (overflow undefined)" : "");
    if (line.size() + name.size() > 118) {
      text += line + "\n";
      line = "  ";
    }
    line += (line.size() == 2 ? "" : ", ") + name;
  }
  return text + line + "\n";
}

void print_result(const ProbeResult& result, const std::string& toml, bool show_toml) {
  if (!result.found) {
    std::string text = "NOT FOUND after " + in_words(static_cast<std::int64_t>(result.asked.size())) +
                       " questions: no datapath of stages gives these answers\n  " + result.reason + "\n";
    if (result.contradiction) {
      const AnsweredQuestion& asked = result.asked[result.contradiction->question];
      text += "  " + runs_in_words(asked.runs) + " = " + in_words(exact_value(dot_product_of(asked.runs))) +
              ", answer " + in_words(asked.answer) + "\n";
    }
    print(text);
    return;
  }
  std::string text = describe(result.datapath) + "\n";
  text += in_words(static_cast<std::int64_t>(result.asked.size())) + " questions; on the last " +
          in_words(static_cast<std::int64_t>(result.fresh_compared)) +
          " fresh ones the datapath answers as the box did\n\n";
  std::string stage;
  for (const Property& p : result.properties) {
    if (!p.stage.empty() && p.stage != stage) {
      text += p.stage + "\n";
      stage = p.stage;
    }
    text += (p.stage.empty() ? "" : "  ") + p.name + ": " + p.value + "\n";
    for (const Evidence& evidence : p.evidence) {
      text += "      " + evidence.shows + ": " + runs_in_words(result.asked[evidence.question].runs, 5) + "\n";
    }
  }
  text += "\nPresets that would have answered the same, on these questions and on 400 fresh ones (" +
          std::to_string(result.presets.size()) + "):\n" +
          (result.presets.empty() ? "  none\n" : wrapped_names(result.presets));
  print(show_toml ? text + "\n" + toml : text);
}

std::vector<std::uint8_t> bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

int run(const Arguments& a) {
  ProbeOptions options = a.options;
  options.activations = range_argument("--activations", a.activations);
  options.weights = range_argument("--weights", a.weights);
  std::unique_ptr<CommandProduct> box;
  try {
    box = std::make_unique<CommandProduct>(a.command, a.seconds);
  } catch (const InputError& error) {
    throw Failure(exit_no_input, error.place(), error.problem(), error.remedy());
  }
  ProbeResult result;
  try {
    result = probe(*box, options);
  } catch (const InconsistentProduct& error) {
    throw Failure(exit_refused, error.place(), error.problem(), error.remedy());
  }
  const std::string toml = result.found ? datapath_to_toml(result.datapath) : "";
  std::vector<Output> files;
  if (!a.output.empty() && result.found) {
    files.push_back({a.output, bytes_of(toml)});
  }
  if (!a.log.empty()) {
    std::string lines;
    for (const AnsweredQuestion& asked : result.asked) {
      lines += question_json(asked).dump() + "\n";
    }
    files.push_back({a.log, bytes_of(lines)});
  }
  write_all_or_none(files);
  if (a.common->json) {
    print(result_json(result, toml));
  } else {
    print_result(result, toml, a.output.empty());
  }
  return result.found ? 0 : exit_incomplete;
}

}  // namespace

Verb probe_verb(CLI::App& app) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("probe",
                                         "ask a program for integer matrix products until its datapath is known "
                                         "(docs/probe.md): axecert probe -- COMMAND");
  command->add_option("command", a->command, "the program and its arguments, behind --")
      ->required()
      ->type_name("COMMAND");
  command->add_option("--activations", a->activations, "codes that it takes as activations: u8, s8 or LO,HI")
      ->capture_default_str();
  command->add_option("--weights", a->weights, "weights that it takes: s8 or LO,HI within int8")->capture_default_str();
  command->add_option("--longest", a->options.longest, "terms of the longest dot product asked")->capture_default_str();
  command->add_option("--rows", a->options.shape.rows, "rows of X in every question")->capture_default_str();
  command->add_option("--columns", a->options.shape.columns, "columns of W in every question")->capture_default_str();
  command->add_option("--fresh", a->options.fresh, "new questions at the end that the result must answer")
      ->capture_default_str();
  command->add_option("--seed", a->options.seed, "of the fresh questions")->capture_default_str();
  command->add_option("--timeout", a->seconds, "seconds that one answer may take")->capture_default_str();
  command->add_option("--name", a->options.name, "name of the datapath")->capture_default_str();
  command->add_option("-o", a->output, "write the datapath, a TOML file that -d takes");
  command->add_option("--log", a->log, "write every question and answer, one JSON object per line");
  add_common(command, a->common, false);
  return {command, [a] { return run(*a); }};
}

}  // namespace axe::cli

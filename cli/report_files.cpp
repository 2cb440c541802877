// Turns the options of report_formats() into files to be written. See report_files.hpp; `rendered` is the main function. No side
// effects: write_all_or_none writes.
#include "report_files.hpp"

#include <algorithm>

namespace axe::cli {

bool ReportFiles::any() const {
  return std::any_of(paths.begin(), paths.end(), [](const auto& item) { return !item.second.empty(); });
}

void add_report_files(CLI::App* command, ReportFiles& files) {
  for (const ReportFormat& format : report_formats()) {
    command->add_option(std::string("--") + format.name, files.paths[format.name], format.description)
        ->type_name("FILE");
  }
}

std::vector<Output> rendered(const ReportFiles& files, const ReportContents& contents) {
  std::vector<Output> outputs;
  for (const ReportFormat& format : report_formats()) {
    const auto asked = files.paths.find(format.name);
    if (asked != files.paths.end() && !asked->second.empty()) {
      const std::string text = format.render(contents);
      outputs.push_back({asked->second, std::vector<std::uint8_t>(text.begin(), text.end())});
    }
  }
  return outputs;
}

std::string written(const std::vector<Output>& outputs) {
  std::string text;
  for (const Output& output : outputs) {
    text += "wrote " + output.path.string() + " (" + size_in_words(output.content().size()) + ")\n";
  }
  return text;
}

}  // namespace axe::cli

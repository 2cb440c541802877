// Reports that a verb writes beside its own output: an option for each of report_formats(), and the files that were asked for.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "axecert/report/report.hpp"
#include "verb.hpp"

namespace axe::cli {

struct ReportFiles {
  std::map<std::string, std::string> paths;  ///< format → file; an empty path is not asked for
  bool any() const;
};

/// Adds --html, --markdown, --sarif and --junit.
void add_report_files(CLI::App* command, ReportFiles& files);

/// What was asked for, to be written with everything else or not at all.
std::vector<Output> rendered(const ReportFiles& files, const ReportContents& contents);

/// "wrote FILE (SIZE)" per line.
std::string written(const std::vector<Output>& outputs);

}  // namespace axe::cli

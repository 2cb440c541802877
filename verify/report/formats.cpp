// The formats of reports, in the order in which the command line lists them. See report.hpp.
#include "axecert/report/report.hpp"

namespace axe {

std::span<const ReportFormat> report_formats() {
  static constexpr ReportFormat formats[] = {
      {"html", "write one self-contained HTML page", html_report},
      {"markdown", "write the report as Markdown, for a pull request or a job summary", markdown_report},
      {"sarif", "write the report as SARIF 2.1.0, for code scanning", sarif_report},
      {"junit", "write the report as JUnit XML, for test pages", junit_report},
  };
  return formats;
}

}  // namespace axe

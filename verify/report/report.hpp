// Certificates and votes as people and programs read them: text, JSON, Markdown, SARIF, JUnit XML, and one HTML page that needs
// nothing else. Every format is a function of one ReportContents; `report_formats` lists them. Pure; writing a file is the caller's.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "axecert/report/contents.hpp"

namespace axe {

/// A format that is written to a file.
struct ReportFormat {
  const char* name;         ///< "sarif"; `--sarif FILE` on the command line
  const char* description;  ///< of the option
  std::string (*render)(const ReportContents&);
};
std::span<const ReportFormat> report_formats();

/// For a terminal: per layer the datapath, its stages and the worst node; then votes, assumptions and the verdict.
std::string text_report(const ReportContents& contents);

/// One JSON document; docs/cli.md lists its keys.
std::string json_report(const ReportContents& contents);

/// One self-contained HTML page, light and dark, with a picture of the budget of every register.
std::string html_report(const ReportContents& contents);

/// Markdown with tables, for pull requests and job summaries.
std::string markdown_report(const ReportContents& contents);

/// SARIF 2.1.0: docs/reports.md says which results there are and what their properties hold.
std::string sarif_report(const ReportContents& contents);

/// JUnit XML: a suite of the voters, and one per layer with a case for each stage.
std::string junit_report(const ReportContents& contents);

/// The lines about voters that `verify` and `text_report` share: "checker    7,680 of 7,680 nodes   safe   0.4 ms   …".
std::string votes_text(const std::vector<Vote>& votes);

/// The JSON of one vote, of one layer (an object each, as text), for documents that hold them.
std::string vote_json(const Vote& vote);
std::string layer_json(const LayerClaims& claims);
std::string assumptions_json(const Certificate& certificate);

}  // namespace axe

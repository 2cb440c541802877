// Certificates and votes as people and programs read them: text, JSON, and one HTML page that needs nothing else. The three
// functions are pure; writing a file is the caller's.
#pragma once

#include <string>
#include <vector>

#include "axecert/certificate/vote.hpp"

namespace axe {

/// What a report is about.
struct ReportSubject {
  const Certificate& certificate;
  const std::vector<Vote>& votes;
  std::string certificate_path;  ///< as the user named them
  std::string weights_path;
};

/// For a terminal: per layer the datapath, its stages and the worst node; then votes, assumptions and the verdict.
std::string text_report(const ReportSubject& subject);

/// One JSON document; docs/cli.md lists its keys.
std::string json_report(const ReportSubject& subject);

/// One self-contained HTML page, light and dark, with a picture of the budget of every register.
std::string html_report(const ReportSubject& subject);

/// The lines about voters that `verify` and `text_report` share: "checker    7,680 of 7,680 nodes   safe   0.4 ms   …".
std::string votes_text(const std::vector<Vote>& votes);

/// The JSON of one vote, of one layer (an object each, as text), for documents that hold them.
std::string vote_json(const Vote& vote);
std::string layer_json(const LayerClaims& claims);
std::string assumptions_json(const Certificate& certificate);

}  // namespace axe

// The report for a terminal. See report.hpp; `text_report` is the main function.
#include <algorithm>
#include <cstdio>

#include "axecert/report/report.hpp"
#include "axecert/report/summary.hpp"
#include "axecert/report/words.hpp"

namespace axe {
namespace {

// Width in characters of UTF-8 text.
std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width) {
  const std::size_t have = columns(text);
  return have < width ? text + std::string(width - have, ' ') : text;
}

std::string bits_text(double bits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", bits);
  return text;
}

std::string upper_case(std::string word) {
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return word;
}

std::string layer_text(const ReportedLayer& layer) {
  const LayerClaims& claims = layer.claims;
  const LayerSummary& summary = layer.summary;
  std::string text = claims.layer.name + "  " + in_words(claims.layer.rows) + " × " + in_words(claims.layer.cols) +
                     "  " + describe(claims.datapath) + "\n";
  text += "  operands: weights " + in_words(claims.weight_range) + " (" + std::to_string(summary.weight_bits) +
          " bits), inputs " + in_words(summary.box) +
          (claims.layer.box_lower.size() == 1 ? "" : " over all channels, a range for each") + ", " +
          to_text(claims.datapath.form) + ", " + source_in_words(claims) + "\n";
  for (const StageSummary& s : summary.stages) {
    text += "  " + padded(s.stage.name, 8) + in_words(s.nodes) + " nodes of " + std::to_string(s.stage.width) +
            " bits: budget used " + percent(s.budget_used) + " (median), smallest margin " +
            in_words(s.smallest_margin) + " of " + in_words(s.limits.upper) + " (" + bits_text(s.smallest_margin_bits) +
            " bits)\n";
    text += "          " + std::to_string(s.smallest_safe_width) + " bits suffice; data types alone ask for " +
            std::to_string(s.data_type.exact) + " (as published " + std::to_string(s.data_type.paper) + ")" +
            (s.unsafe_nodes != 0 ? "; " + in_words(s.unsafe_nodes) + " nodes can overflow" : "") + "\n";
  }
  text += "  worst: row " + in_words(claims.worst.row) + ", stage " + summary.stages[claims.worst.stage].stage.name +
          ", register " + in_words(claims.worst.node) + ": " + in_words(summary.worst_range) + " in " +
          in_words(summary.stages[claims.worst.stage].limits) + ", margin " + in_words(summary.worst_margin) + "\n";
  text += "  " + to_text(claims.verdict) +
          (summary.unsafe_rows != 0
               ? ": " + in_words(summary.unsafe_rows) + " of " + in_words(claims.layer.rows) + " rows can overflow"
               : "") +
          "\n";
  return text;
}

}  // namespace

std::string votes_text(const std::vector<Vote>& votes) {
  std::string text;
  for (const Vote& vote : votes) {
    text += padded(name_of(vote), 20) + " " +
            padded(in_words(vote.nodes_checked) + " of " + in_words(vote.nodes_total) + " nodes", 26) + " " +
            padded(to_text(vote.verdict), 11) + padded(seconds_in_words(vote.seconds), 9) + " " + vote.detail;
    while (!text.empty() && text.back() == ' ') {
      text.pop_back();
    }
    text += "\n";
    constexpr std::size_t most = 5;
    for (std::size_t i = 0; i < vote.findings.size() && i < most; ++i) {
      text += "    " + in_words(vote.findings[i]) + "\n";
    }
    if (vote.findings_total > static_cast<std::int64_t>(most)) {
      text += "    … " + in_words(vote.findings_total - static_cast<std::int64_t>(most)) + " more\n";
    }
  }
  return text;
}

std::string text_report(const ReportContents& contents) {
  std::string text = "certificate " + contents.subject.certificate_path + " (" + contents.subject.certificate.tool +
                     ")\nweights     " + contents.subject.weights_path + "\n\n";
  for (const ReportedLayer& layer : contents.layers) {
    text += layer_text(layer) + "\n";
  }
  text += votes_text(contents.subject.votes);
  for (const Assumption assumption : contents.assumptions) {
    text += "assumes " + padded(name_of(assumption), 26) + sentence_of(assumption) + "\n";
  }
  return text + upper_case(to_text(contents.verdict)) + "\n";
}

}  // namespace axe

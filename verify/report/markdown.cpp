// The report as Markdown with tables, for pull requests and job summaries. See report.hpp; `markdown_report` is the main function.
#include "axecert/report/markup.hpp"
#include "axecert/report/report.hpp"
#include "axecert/report/words.hpp"

namespace axe {

std::string markdown_report(const ReportContents& contents) {
  const auto plain = [](const std::string& text) { return escaped_markdown(text); };
  std::string text = "# Overflow certificate: " + to_text(contents.verdict) + "\n\n" + contents.sentence + "\n\n";
  if (!contents.subject.certificate_path.empty()) {
    text += "- certificate: " + plain(contents.subject.certificate_path) + "\n";
  }
  text += "- weights: " + plain(contents.subject.weights_path) + "\n- registers: " + in_words(contents.nodes) + " in " +
          in_words(static_cast<std::int64_t>(contents.layers.size())) +
          (contents.layers.size() == 1 ? " layer\n" : " layers\n");
  if (!contents.subject.certificate.tool.empty()) {
    text += "- made by: " + plain(contents.subject.certificate.tool) + "\n";
  }
  text +=
      "\n## Voters\n\n| voter | verdict | registers checked | time | what was done |\n| --- | --- | ---: | ---: | --- "
      "|\n";
  for (const Vote& vote : contents.subject.votes) {
    text += "| " + plain(name_of(vote)) + " | " + to_text(vote.verdict) + " | " + in_words(vote.nodes_checked) +
            " of " + in_words(vote.nodes_total) + " | " + seconds_in_words(vote.seconds) + " | " + plain(vote.detail) +
            " |\n";
  }
  if (!contents.problems.empty()) {
    constexpr std::size_t most = 20;
    text += "\n## Problems\n\n";
    for (std::size_t i = 0; i < contents.problems.size() && i < most; ++i) {
      text += "- " + plain(contents.problems[i].message) + "\n";
    }
    if (contents.problems.size() > most) {
      text += "- … " + in_words(static_cast<std::int64_t>(contents.problems.size() - most)) + " more\n";
    }
  }
  if (!contents.layers.empty()) {
    text +=
        "\n## Layers\n\n| layer | verdict | shape | datapath | inputs | rows that can overflow | bits that suffice |\n"
        "| --- | --- | --- | --- | --- | ---: | --- |\n";
  }
  for (const ReportedLayer& layer : contents.layers) {
    const LayerClaims& claims = layer.claims;
    std::string widths;
    for (const StageSummary& stage : layer.summary.stages) {
      widths += (widths.empty() ? "" : ", ") + stage.stage.name + " " +
                (stage.smallest_safe_width > 64 ? "more than 64" : std::to_string(stage.smallest_safe_width)) + " of " +
                std::to_string(stage.stage.width);
    }
    text += "| " + plain(claims.layer.name) + " | " + to_text(claims.verdict) + " | " + in_words(claims.layer.rows) +
            " × " + in_words(claims.layer.cols) + " | " + plain(claims.datapath.name) + " | " +
            plain(in_words(layer.summary.box)) + ", " + plain(source_in_words(claims)) + " | " +
            in_words(layer.summary.unsafe_rows) + " | " + plain(widths) + " |\n";
  }
  for (const ReportedLayer& layer : contents.layers) {
    text += "\n### " + plain(layer.claims.layer.name) +
            ": tightest rows\n\n| row | stage | register | range | limits | margin | inputs that reach it |\n"
            "| ---: | --- | ---: | --- | --- | ---: | --- |\n";
    for (const ReportedNode& node : layer.tightest) {
      text += "| " + in_words(node.node.row) + " | " + plain(node.stage.name) + " | " + in_words(node.node.node) +
              " | " + plain(in_words(node.range)) + " | " + plain(in_words(node.limits)) + " | " +
              in_words(node.margin) + " | " + plain(runs_in_words(node.witness)) + " |\n";
    }
  }
  text += contents.assumptions.empty() ? "" : "\n## Taken on trust\n\n";
  for (const Assumption assumption : contents.assumptions) {
    text += "- " + plain(sentence_of(assumption)) + "\n";
  }
  return text;
}

}  // namespace axe

// The report as one HTML page: inline style and SVG, no script, nothing from the network, light and dark by the reader's
// setting. See report.hpp; `html_report` is the main function.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "axecert/report/markup.hpp"
#include "axecert/report/report.hpp"
#include "axecert/report/summary.hpp"
#include "axecert/report/words.hpp"

namespace axe {
namespace {

constexpr std::size_t most_findings = 3;  // of one voter

constexpr const char* style = R"(
:root{color-scheme:light dark;--page:#fff;--text:#1c2024;--quiet:#60646c;--line:#d9d9e0;--card:#f9f9fb;--safe:#18794e;--unsafe:#c62a2f;
--incomplete:#8a5a00;--b0:#eef4fb;--b1:#c9dff5;--b2:#93c0ea;--b3:#4d96d6;--b4:#1f6fb5;--b5:#0b4a86;--over:#d6333a}
@media(prefers-color-scheme:dark){:root{--page:#111113;--text:#edeef0;--quiet:#b0b4ba;--line:#363a3f;--card:#18191b;--safe:#4cc38a;--unsafe:#ff8a8d;
--incomplete:#f1a10d;--b0:#15202b;--b1:#163049;--b2:#1a4a73;--b3:#2470ac;--b4:#4b9fe0;--b5:#a6d4fa;--over:#ff5a60}}
*{box-sizing:border-box}body{margin:0 auto;max-width:62rem;padding:2rem 1.25rem 4rem;background:var(--page);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.2rem;margin:2.5rem 0 .5rem;overflow-wrap:anywhere}h3{font-size:1rem;margin:1.5rem 0 .4rem}
p{margin:.4rem 0}.quiet{color:var(--quiet)}.verdict{font-weight:700;letter-spacing:.04em}.safe{color:var(--safe)}.unsafe,.refused{color:var(--unsafe)}
.incomplete{color:var(--incomplete)}.card{border:1px solid var(--line);border-radius:10px;background:var(--card);padding:.9rem 1.1rem;margin:1rem 0}
.banner{display:flex;flex-wrap:wrap;gap:.4rem 1.6rem;align-items:baseline}.banner .verdict{font-size:1.5rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th,td{text-align:left;padding:.35rem .9rem .35rem 0;
border-bottom:1px solid var(--line);vertical-align:top}th{font-weight:600;color:var(--quiet);font-size:.85rem}td.n,th.n{text-align:right}
code{font:13px/1.5 ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}svg{display:block;max-width:100%;height:auto}rect{shape-rendering:crispEdges}td:first-child,td.n{white-space:nowrap}td:last-child,th:last-child{padding-right:0}
svg text{fill:var(--quiet);font:12px system-ui,"Liberation Sans",sans-serif}.path{margin:.8rem 0 1rem;display:flex;flex-wrap:wrap;align-items:center;gap:.5rem}
.box{border:1px solid var(--line);border-radius:8px;padding:.35rem .7rem;background:var(--page)}.box small{display:block;color:var(--quiet)}
.b0{fill:var(--b0)}.b1{fill:var(--b1)}.b2{fill:var(--b2)}.b3{fill:var(--b3)}.b4{fill:var(--b4)}.b5{fill:var(--b5)}.over{fill:var(--over)}.frame{fill:none;stroke:var(--line)}
.bar{display:block;height:4px;border-radius:2px;background:var(--line);margin-top:.3rem}.bar span{display:block;height:100%;border-radius:2px;background:currentColor}
.nodes th{white-space:nowrap}.nodes td:last-child{min-width:16rem}
)";

std::string escaped(const std::string& text) {
  return escaped_markup(text);
}

/// Runs as code that breaks between them, not within one.
std::string inputs_html(const std::vector<std::int32_t>& witness) {
  std::string text = runs_in_words(witness, 16);
  const std::string spaced = " × ", unbroken = "\u00A0×\u00A0";
  for (std::size_t at = text.find(spaced); at != std::string::npos; at = text.find(spaced, at + unbroken.size())) {
    text.replace(at, spaced.size(), unbroken);
  }
  return "<code>" + escaped(text) + "</code>";
}

std::string verdict_span(Verdict verdict) {
  const std::string word = to_text(verdict);
  return "<span class=\"verdict " + word + "\">" + word + "</span>";
}

// Classes of budget use: five steps up to the limit, and beyond it.
constexpr double class_ends[] = {0.25, 0.5, 0.75, 0.9, 0.97};
std::string class_of(double used) {
  if (used > 1) {
    return "over";
  }
  std::size_t i = 0;
  while (i < std::size(class_ends) && used >= class_ends[i]) {
    ++i;
  }
  return "b" + std::to_string(i);
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

// One stage's budgets: a row of the picture is a row of the layer (or several), a column a register (or several). Cells of one
// class that touch in a row become one rectangle.
std::string heat_map(const LayerClaims& claims, std::size_t s, const StageSummary& stage) {
  constexpr std::int64_t most_rows = 160, most_columns = 96;
  const BudgetMap map = budget_map(claims, s, most_rows, most_columns);
  const double width = 640, left = 64, top = 22;
  const double cell_width = width / static_cast<double>(map.columns);
  const double cell_height = std::floor(std::clamp(320 / static_cast<double>(map.rows), 2.0, 18.0));
  const double height = cell_height * static_cast<double>(map.rows);
  std::string svg = "<svg role=\"img\" aria-label=\"budget used by every register of stage " +
                    escaped(stage.stage.name) + "\" viewBox=\"0 0 " + number(left + width + 8) + " " +
                    number(top + height + 40) + "\" width=\"" + number(left + width + 8) + "\">";
  for (std::int64_t row = 0; row < map.rows; ++row) {
    for (std::int64_t column = 0; column < map.columns;) {
      const std::string kind = class_of(map.used[static_cast<std::size_t>(row * map.columns + column)]);
      std::int64_t end = column + 1;
      while (end < map.columns && class_of(map.used[static_cast<std::size_t>(row * map.columns + end)]) == kind) {
        ++end;
      }
      svg += "<rect class=\"" + kind + "\" x=\"" + number(left + cell_width * static_cast<double>(column)) + "\" y=\"" +
             number(top + cell_height * static_cast<double>(row)) + "\" width=\"" +
             number(cell_width * static_cast<double>(end - column)) + "\" height=\"" + number(cell_height) + "\"/>";
      column = end;
    }
  }
  svg += "<rect class=\"frame\" x=\"" + number(left) + "\" y=\"" + number(top) + "\" width=\"" + number(width) +
         "\" height=\"" + number(height) + "\"/>";
  const auto text = [&](double x, double y, const char* anchor, const std::string& words) {
    svg += "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\">" + escaped(words) +
           "</text>";
  };
  text(left, top - 7, "start",
       stage.registers == 1 ? "one register for each row" : "registers 0 to " + in_words(stage.registers - 1));
  text(left - 8, top + std::min(11.0, height), "end", "row 0");
  if (claims.layer.rows > 1 && height > 30) {
    text(left - 8, top + height, "end", in_words(claims.layer.rows - 1));
  }
  double x = left;
  const char* labels[] = {"< 25 %", "25–50", "50–75", "75–90", "90–97", "97–100", "overflow"};
  for (std::size_t i = 0; i < std::size(labels); ++i) {
    if (i == 6 && stage.unsafe_nodes == 0) {
      break;
    }
    const std::string kind = i == 6 ? "over" : "b" + std::to_string(i);
    svg += "<rect class=\"" + kind + "\" x=\"" + number(x) + "\" y=\"" + number(top + height + 15) +
           "\" width=\"14\" height=\"14\"/>";
    text(x + 19, top + height + 26, "start", labels[i]);
    x += 88;
  }
  return "<div class=\"scroll\">" + svg + "</svg></div>";
}

// How much of the certificate a voter looked at, as a line under the numbers.
std::string coverage_bar(const Vote& vote) {
  const double share =
      vote.nodes_total > 0 ? static_cast<double>(vote.nodes_checked) / static_cast<double>(vote.nodes_total) : 0;
  return "<span class=\"bar\"><span class=\"" + to_text(vote.verdict) + "\" style=\"width:" + number(100 * share) +
         "%\"></span></span>";
}

std::string path_of(const LayerClaims& claims, const LayerSummary& summary) {
  std::string html = "<div class=\"path\"><span class=\"box\">weight × input<small>" +
                     escaped(in_words(claims.weight_range) + " × " + in_words(summary.box)) + "</small></span>";
  for (std::size_t s = 0; s < summary.stages.size(); ++s) {
    const Stage& stage = summary.stages[s].stage;
    const std::string unit = s == 0 ? "product" : "register";
    const std::int64_t group = stage.group == 0 ? 0 : stage.group;
    const std::string joins = group == 0 ? "all " + unit + "s" : in_words(group) + " " + unit + (group == 1 ? "" : "s");
    html += "<span class=\"quiet\">" + joins + (stage.stride > 1 ? ", " + in_words(stage.stride) + " apart" : "") +
            (stage.initial == Initial::constant ? " + constant" : "") + " →</span><span class=\"box\">" +
            escaped(stage.name) + ": " + std::to_string(stage.width) + (stage.width == 1 ? " bit" : " bits") +
            "<small>" + to_text(stage.overflow) + ", " + in_words(summary.stages[s].limits) + "</small></span>";
  }
  const Stage& last = summary.stages.back().stage;
  if (last.group != 0 || last.stride != 1) {
    html += "<span class=\"quiet\">→ floating-point sum, not certified</span>";
  }
  return html + "</div>";
}

std::string layer_html(const ReportedLayer& layer) {
  const LayerClaims& claims = layer.claims;
  const LayerSummary& summary = layer.summary;
  std::string html = "<h2>" + escaped(claims.layer.name) + " " + verdict_span(claims.verdict) +
                     "</h2><p class=\"quiet\">" + in_words(claims.layer.rows) + " rows of " +
                     in_words(claims.layer.cols) + " products, " + in_words(summary.nodes) + " registers; datapath " +
                     escaped(claims.datapath.name) + "; operands " + to_text(claims.datapath.form) +
                     (claims.layer.box_lower.size() > 1 ? ", a range for each channel" : "") + "; inputs " +
                     source_in_words(claims) + "</p>" + path_of(claims, summary);
  if (summary.unsafe_rows != 0) {
    html += "<p class=\"unsafe\">" + in_words(summary.unsafe_rows) + " of " + in_words(claims.layer.rows) +
            " rows can overflow.</p>";
  }
  html +=
      "<div class=\"scroll\"><table><tr><th>stage</th><th class=\"n\">registers</th><th class=\"n\">budget used, "
      "median</th><th class=\"n\">smallest margin</th>"
      "<th class=\"n\">in bits</th><th class=\"n\">bits that suffice</th><th class=\"n\">by data types "
      "(published)</th><th class=\"n\">can overflow</th></tr>";
  for (const StageSummary& s : summary.stages) {
    char bits[32];
    std::snprintf(bits, sizeof bits, "%.3f", s.smallest_margin_bits);
    const std::string safe_width = s.smallest_safe_width > 64 ? "more than 64" : std::to_string(s.smallest_safe_width);
    html += "<tr><td>" + escaped(s.stage.name) + ", " + std::to_string(s.stage.width) + " bits</td><td class=\"n\">" +
            in_words(s.nodes) + "</td><td class=\"n\">" + percent(s.budget_used) + "</td><td class=\"n\">" +
            in_words(s.smallest_margin) + " of " + in_words(s.limits.upper) + "</td><td class=\"n\">" + bits +
            "</td><td class=\"n\">" + safe_width + "</td><td class=\"n\">" + std::to_string(s.data_type.exact) + " (" +
            std::to_string(s.data_type.paper) + ")</td><td class=\"n\">" + in_words(s.unsafe_nodes) + "</td></tr>";
  }
  html += "</table></div>";
  html +=
      "<h3>Tightest rows</h3><p class=\"quiet\">Of each row its tightest register, and inputs that drive it to the end "
      "nearer to "
      "its limit.</p><div class=\"scroll\"><table class=\"nodes\"><tr><th class=\"n\">row</th><th>stage</th><th "
      "class=\"n\">register</th><th class=\"n\">range</th><th class=\"n\">limits</th><th class=\"n\">margin</th><th "
      "class=\"n\">then holds</th><th>inputs</th></tr>";
  for (const ReportedNode& node : layer.tightest) {
    const std::string tone = node.margin < 0 ? " unsafe" : "";
    html += "<tr><td class=\"n\">" + in_words(node.node.row) + "</td><td>" + escaped(node.stage.name) +
            "</td><td class=\"n\">" + in_words(node.node.node) + "</td><td class=\"n\">" + in_words(node.range) +
            "</td><td class=\"n\">" + in_words(node.limits) + "</td><td class=\"n" + tone + "\">" +
            in_words(node.margin) + "</td><td class=\"n" + tone + "\">" + (node.holds ? in_words(*node.holds) : "") +
            "</td><td>" + inputs_html(node.witness) + "</td></tr>";
  }
  html += "</table></div>";
  html += "<h3>Budget used by every register</h3>";
  for (std::size_t s = 0; s < summary.stages.size(); ++s) {
    html += "<p class=\"quiet\">" + escaped(summary.stages[s].stage.name) + ", " +
            std::to_string(summary.stages[s].stage.width) + " bits: ";
    html +=
        summary.stages[s].budget_fullest < class_ends[0]
            ? "the fullest register uses " + percent(summary.stages[s].budget_fullest) + ".</p>"
            : "the larger of upper ÷ limit and lower ÷ limit; where registers share a cell, the fullest counts.</p>" +
                  heat_map(claims, s, summary.stages[s]);
  }
  return html;
}

}  // namespace

std::string html_report(const ReportContents& contents) {
  const Verdict verdict = contents.verdict;
  const ReportSubject& subject = contents.subject;
  std::string html =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>axecert: " +
      to_text(verdict) + "</title><style>" + style +
      "</style></head><body>\n<h1>Overflow certificate</h1>\n<div class=\"card\"><div class=\"banner\">" +
      verdict_span(verdict) + "<span>" + contents.sentence + "</span></div><p class=\"quiet\">" +
      in_words(contents.nodes) + " registers in " +
      in_words(static_cast<std::int64_t>(subject.certificate.layers.size())) +
      (subject.certificate.layers.size() == 1 ? " layer" : " layers") +
      (subject.certificate_path.empty() ? "" : "; certificate <code>" + escaped(subject.certificate_path) + "</code>") +
      "; weights <code>" + escaped(subject.weights_path) + "</code>" +
      (subject.certificate.tool.empty() ? "" : "; made by " + escaped(subject.certificate.tool)) + "</p></div>\n";
  html +=
      "<h2>Voters</h2><div class=\"scroll\"><table><tr><th>voter</th><th>verdict</th><th class=\"n\">coverage</th><th "
      "class=\"n\">time</th><th>what was done</th></tr>";
  for (const Vote& vote : subject.votes) {
    html += "<tr><td>" + escaped(name_of(vote)) + "</td><td>" + verdict_span(vote.verdict) + "</td><td class=\"n\">" +
            in_words(vote.nodes_checked) + " of " + in_words(vote.nodes_total) + coverage_bar(vote) +
            "</td><td class=\"n\">" + seconds_in_words(vote.seconds) + "</td><td>" + escaped(vote.detail);
    for (std::size_t i = 0; i < vote.findings.size() && i < most_findings; ++i) {
      html += "<br><span class=\"quiet\">" + escaped(in_words(vote.findings[i])) + "</span>";
    }
    if (vote.findings_total > static_cast<std::int64_t>(most_findings)) {
      html += "<br><span class=\"quiet\">… " +
              in_words(vote.findings_total - static_cast<std::int64_t>(most_findings)) + " more</span>";
    }
    html += "</td></tr>";
  }
  html += "</table></div>\n";
  if (!contents.assumptions.empty()) {
    html += "<h2>Taken on trust</h2><div class=\"scroll\"><table>";
    for (const Assumption assumption : contents.assumptions) {
      html += "<tr><td><code>" + escaped(name_of(assumption)) + "</code></td><td>" + escaped(sentence_of(assumption)) +
              "</td></tr>";
    }
    html += "</table></div>\n";
  }
  for (const ReportedLayer& layer : contents.layers) {
    html += layer_html(layer) + "\n";
  }
  return html + "</body></html>\n";
}

}  // namespace axe

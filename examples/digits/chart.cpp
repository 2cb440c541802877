// The study as SVG and as Markdown; see chart.hpp.
#include "chart.hpp"

#include <cstdio>
#include <functional>

namespace digits {
namespace {

/// printf into a string.
template <class... Values>
std::string format(const char* pattern, Values... values) {
  char buffer[512];
  std::snprintf(buffer, sizeof buffer, pattern, values...);
  return buffer;
}

std::string title_of(const Panel& panel) {
  return panel.tile == 0 ? "one accumulator for the whole row"
                         : "one accumulator per " + std::to_string(panel.tile) + " products, 32-bit sum of these";
}

struct Series {
  const char* name;   ///< in the legend
  const char* style;  ///< CSS class
  std::function<const Cell*(const Row&)> cell;
};

const Cell* present(const std::optional<Cell>& cell) { return cell ? &*cell : nullptr; }

const std::vector<Series>& all_series() {
  static const std::vector<Series> series{
      {"no constraint, register wraps", "wraps", [](const Row& row) { return &row.wrapping; }},
      {"no constraint, register saturates", "saturates", [](const Row& row) { return &row.saturating; }},
      {"naive: best bit widths that fit", "naive", [](const Row& row) { return present(row.naive); }},
      {"AXE, unsigned codes", "raw", [](const Row& row) { return &row.raw; }},
      {"AXE, boxes per channel", "boxes", [](const Row& row) { return &row.boxes; }},
  };
  return series;
}

// Geometry, in pixels.
constexpr double panel_width = 400, plot_left = 52, plot_width = 330, plot_top = 64, plot_height = 220;

double y_of(double accuracy) { return plot_top + (1 - accuracy) * plot_height; }

double x_of(const Panel& panel, std::size_t panel_index, std::size_t i) {
  return static_cast<double>(panel_index) * panel_width + plot_left +
         plot_width * static_cast<double>(i) / static_cast<double>(panel.rows.size() - 1);
}

std::string panel_svg(const Study& study, std::size_t panel_index) {
  const Panel& panel = study.panels[panel_index];
  const double left = x_of(panel, panel_index, 0), right = left + plot_width;
  std::string svg = format("<text class='title' x='%.0f' y='%.0f'>%s</text>\n", left, plot_top - 14, title_of(panel).c_str());
  for (int percent = 0; percent <= 100; percent += 20) {
    const double y = y_of(percent / 100.0);
    svg += format("<line class='grid' x1='%.0f' x2='%.0f' y1='%.1f' y2='%.1f'/><text class='tick' x='%.0f' y='%.1f' "
                  "text-anchor='end'>%d %%</text>\n", left, right, y, y, left - 8, y + 4, percent);
  }
  for (std::size_t i = 0; i < panel.rows.size(); i += 2) {
    svg += format("<text class='tick' x='%.1f' y='%.0f' text-anchor='middle'>%d</text>\n", x_of(panel, panel_index, i),
                  plot_top + plot_height + 20, panel.rows[i].width);
  }
  svg += format("<text class='tick' x='%.0f' y='%.0f' text-anchor='middle'>accumulator width, bits</text>\n",
                (left + right) / 2, plot_top + plot_height + 40);
  svg += format("<line class='float' x1='%.0f' x2='%.0f' y1='%.1f' y2='%.1f'/>\n", left, right, y_of(study.float_accuracy),
                y_of(study.float_accuracy));
  for (const Series& series : all_series()) {
    std::string points, marks;
    for (std::size_t i = 0; i < panel.rows.size(); ++i) {
      if (const Cell* cell = series.cell(panel.rows[i])) {
        const double x = x_of(panel, panel_index, i), y = y_of(cell->accuracy);
        points += format("%.1f,%.1f ", x, y);
        marks += format("<circle class='%s' cx='%.1f' cy='%.1f' r='2.5'><title>%d bits, %s: %.1f %%</title></circle>\n",
                        series.style, x, y, panel.rows[i].width, series.name, 100 * cell->accuracy);
      }
    }
    svg += format("<polyline class='%s' points='", series.style) + points + "'/>\n" + marks;
  }
  return svg;
}

std::string in_words(const Cell* cell) {
  return cell == nullptr ? "-" : format("%.1f  %s", 100 * cell->accuracy, cell->label.c_str());
}

}  // namespace

std::string chart_svg(const Study& study) {
  const double width = panel_width * static_cast<double>(study.panels.size());
  const double legend_top = plot_top + plot_height + 66;
  std::string svg = format("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' role='img'>\n", width, legend_top + 48);
  svg += "<title>Accuracy on the digits test images against accumulator width</title>\n"
         "<style>\n"
         "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.tick{font-size:12px;fill:#59636e}\n"
         ".grid{stroke:#d1d9e0;stroke-width:1}polyline{fill:none;stroke-width:2}line.key{stroke-width:2.5}\n"
         ".float{stroke:#59636e;stroke-width:1.5;stroke-dasharray:5 4}\n"
         ".boxes{stroke:#0969da}circle.boxes{fill:#0969da}.raw{stroke:#1a7f37}circle.raw{fill:#1a7f37}\n"
         ".naive{stroke:#bc4c00}circle.naive{fill:#bc4c00}.wraps{stroke:#cf222e;stroke-dasharray:2 3}circle.wraps{fill:#cf222e}\n"
         ".saturates{stroke:#8250df;stroke-dasharray:2 3}circle.saturates{fill:#8250df}circle{stroke:none!important}\n"
         "@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.tick{fill:#9198a1}.grid{stroke:#3d444d}.float{stroke:#9198a1}\n"
         ".boxes{stroke:#4493f8}circle.boxes{fill:#4493f8}.raw{stroke:#3fb950}circle.raw{fill:#3fb950}\n"
         ".naive{stroke:#f0883e}circle.naive{fill:#f0883e}.wraps{stroke:#f85149}circle.wraps{fill:#f85149}\n"
         ".saturates{stroke:#ab7df8}circle.saturates{fill:#ab7df8}}\n"
         "</style>\n";
  svg += format("<text class='title' x='%.0f' y='22'>Digits classified right, of %lld test images</text>\n", plot_left,
                static_cast<long long>(study.test_images));
  for (std::size_t i = 0; i < study.panels.size(); ++i) {
    svg += panel_svg(study, i);
  }
  std::size_t place = 0;
  const auto key = [&](const char* style, const std::string& name) {
    const double x = plot_left + 250.0 * static_cast<double>(place % 3), y = legend_top + 22.0 * static_cast<double>(place / 3);
    svg += format("<line class='key %s' x1='%.0f' x2='%.0f' y1='%.0f' y2='%.0f'/><text x='%.0f' y='%.0f'>%s</text>\n", style, x,
                  x + 26, y, y, x + 34, y + 4, name.c_str());
    ++place;
  };
  for (auto series = all_series().rbegin(); series != all_series().rend(); ++series) {
    key(series->style, series->name);
  }
  key("float", "float network");
  return svg + "</svg>\n";
}

std::string table_markdown(const Study& study) {
  std::string text = format("Float network %.1f %%; W4A8 with no constraint in unlimited integers %.1f %%; %lld test images.\n",
                            100 * study.float_accuracy, 100 * study.unlimited_accuracy,
                            static_cast<long long>(study.test_images));
  for (const Panel& panel : study.panels) {
    text += "\n" + title_of(panel) + "; accuracy in %\n\n"
            "| bits | AXE, boxes  | AXE, codes  | naive       | wraps | saturates | overflowed |\n"
            "| ---: | :---------- | :---------- | :---------- | ----: | --------: | ---------: |\n";
    for (const Row& row : panel.rows) {
      text += format("| %4d | %-11s | %-11s | %-11s | %5.1f | %9.1f | %8.2f %% |\n", row.width, in_words(&row.boxes).c_str(),
                     in_words(&row.raw).c_str(), in_words(present(row.naive)).c_str(), 100 * row.wrapping.accuracy,
                     100 * row.saturating.accuracy, 100 * row.wrapping.overflowed);
    }
  }
  text += format("\n%lld certificates, %lld registers: all proved safe by the checker, Z3 and the replay; no register of an AXE\n"
                 "or naive network overflowed on any test image.\n",
                 static_cast<long long>(study.certificates), static_cast<long long>(study.nodes));
  return text;
}

}  // namespace digits

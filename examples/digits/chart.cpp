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
  return panel.tile == 0 ? "One accumulator for the whole row"
                         : "One accumulator per " + std::to_string(panel.tile) + " products";
}

struct Series {
  const char* name;   ///< in the legend
  const char* style;  ///< CSS class
  std::function<const Cell*(const Row&)> cell;
};

const Cell* present(const std::optional<Cell>& cell) {
  return cell ? &*cell : nullptr;
}

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

/// Where one plot stands, in pixels, and the accuracy at its lower edge.
struct Frame {
  double left, top, width, height;
  double lowest;

  double x(const Panel& panel, std::size_t i) const {
    return left + width * static_cast<double>(i) / static_cast<double>(panel.rows.size() - 1);
  }
  double y(double accuracy) const { return top + (1 - accuracy) / (1 - lowest) * height; }
};

constexpr double panel_width = 430, plot_left = 52;
constexpr Frame overview{plot_left, 64, 350, 200, 0};
constexpr Frame detail{plot_left, 300, 350, 120, 0.94};
constexpr double legend_top = 484, picture_height = 524;

std::string plot_svg(const Study& study, const Panel& panel, const Frame& frame) {
  const double right = frame.left + frame.width, bottom = frame.top + frame.height;
  std::string svg;
  for (int line = 0; line <= (frame.lowest > 0 ? 3 : 5); ++line) {
    const double accuracy = 1 - (frame.lowest > 0 ? 0.02 : 0.2) * line, y = frame.y(accuracy);
    svg += format(
        "<line class='grid' x1='%.0f' x2='%.0f' y1='%.1f' y2='%.1f'/><text class='tick' x='%.0f' y='%.1f' "
        "text-anchor='end'>%.0f %%</text>\n",
        frame.left, right, y, y, frame.left - 8, y + 4, 100 * accuracy);
  }
  for (std::size_t i = 0; i < panel.rows.size(); i += 2) {
    svg += format("<text class='tick' x='%.1f' y='%.0f' text-anchor='middle'>%d</text>\n", frame.x(panel, i),
                  bottom + 20, panel.rows[i].width);
  }
  svg += format("<line class='float' x1='%.0f' x2='%.0f' y1='%.1f' y2='%.1f'/>\n", frame.left, right,
                frame.y(study.float_accuracy), frame.y(study.float_accuracy));
  for (const Series& series : all_series()) {
    std::string points, marks;
    for (std::size_t i = 0; i < panel.rows.size(); ++i) {
      const Cell* cell = series.cell(panel.rows[i]);
      if (cell != nullptr && cell->accuracy >= frame.lowest) {
        const double x = frame.x(panel, i), y = frame.y(cell->accuracy);
        points += format("%.1f,%.1f ", x, y);
        marks += format("<circle class='%s' cx='%.1f' cy='%.1f' r='2.5'><title>%d bits, %s: %.1f %%</title></circle>\n",
                        series.style, x, y, panel.rows[i].width, series.name, 100 * cell->accuracy);
      }
    }
    svg += format("<polyline class='%s' points='", series.style) + points + "'/>\n" + marks;
  }
  return svg;
}

std::string panel_svg(const Study& study, std::size_t index) {
  const Panel& panel = study.panels[index];
  std::string svg =
      format("<g transform='translate(%.0f)'>\n<text class='title' x='%.0f' y='%.0f'>%s</text>\n",
             panel_width * static_cast<double>(index), plot_left, overview.top - 14, title_of(panel).c_str());
  svg += plot_svg(study, panel, overview) + plot_svg(study, panel, detail);
  svg += format("<text class='tick' x='%.0f' y='%.0f' text-anchor='middle'>accumulator width, bits</text>\n</g>\n",
                detail.left + detail.width / 2, detail.top + detail.height + 40);
  return svg;
}

std::string in_words(const Cell* cell) {
  return cell == nullptr ? "-" : format("%.1f  %s", 100 * cell->accuracy, cell->label.c_str());
}

}  // namespace

std::string chart_svg(const Study& study) {
  const double width = panel_width * static_cast<double>(study.panels.size());
  std::string svg =
      format("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' role='img'>\n", width, picture_height);
  svg +=
      "<title>Accuracy on the digits test images against accumulator width</title>\n"
      "<style>\n"
      "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.tick{font-size:12px;fill:#59636e}\n"
      ".grid{stroke:#d1d9e0;stroke-width:1}polyline{fill:none;stroke-width:2}line.key{stroke-width:2.5}\n"
      ".float{stroke:#59636e;stroke-width:1.5;stroke-dasharray:5 4}\n"
      ".boxes{stroke:#0969da}circle.boxes{fill:#0969da}.raw{stroke:#1a7f37}circle.raw{fill:#1a7f37}\n"
      ".naive{stroke:#bc4c00}circle.naive{fill:#bc4c00}.wraps{stroke:#cf222e;stroke-dasharray:2 "
      "3}circle.wraps{fill:#cf222e}\n"
      ".saturates{stroke:#8250df;stroke-dasharray:2 3}circle.saturates{fill:#8250df}circle{stroke:none!important}\n"
      "@media "
      "(prefers-color-scheme:dark){text{fill:#f0f6fc}.tick{fill:#9198a1}.grid{stroke:#3d444d}.float{stroke:#9198a1}\n"
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
    const double x = plot_left + 270.0 * static_cast<double>(place % 3),
                 y = legend_top + 22.0 * static_cast<double>(place / 3);
    svg += format("<line class='key %s' x1='%.0f' x2='%.0f' y1='%.0f' y2='%.0f'/><text x='%.0f' y='%.0f'>%s</text>\n",
                  style, x, x + 26, y, y, x + 34, y + 4, name.c_str());
    ++place;
  };
  for (auto series = all_series().rbegin(); series != all_series().rend(); ++series) {
    key(series->style, series->name);
  }
  key("float", "float network");
  return svg + "</svg>\n";
}

std::string table_markdown(const Study& study) {
  std::string text =
      format("Float network %.1f %%; W4A8 with no constraint in unlimited integers %.1f %%; %lld test images.\n",
             100 * study.float_accuracy, 100 * study.unlimited_accuracy, static_cast<long long>(study.test_images));
  for (const Panel& panel : study.panels) {
    text += "\n" + title_of(panel) +
            "; accuracy in %\n\n"
            "| bits | AXE, boxes  | AXE, codes  | naive       | wraps | saturates | overflowed |\n"
            "| ---: | :---------- | :---------- | :---------- | ----: | --------: | ---------: |\n";
    for (const Row& row : panel.rows) {
      text += format("| %4d | %-11s | %-11s | %-11s | %5.1f | %9.1f | %8.2f %% |\n", row.width,
                     in_words(&row.boxes).c_str(), in_words(&row.raw).c_str(), in_words(present(row.naive)).c_str(),
                     100 * row.wrapping.accuracy, 100 * row.saturating.accuracy, 100 * row.wrapping.overflowed);
    }
  }
  text += format(
      "\n%lld certificates, %lld registers: all proved safe by the checker, Z3 and the replay; no register of an AXE\n"
      "or naive network overflowed on any test image.\n",
      static_cast<long long>(study.certificates), static_cast<long long>(study.nodes));
  return text;
}

}  // namespace digits

"""Perplexity against accumulator width, one panel for each number of products: SVG that follows light and dark, and
PNG on white.

Main function: `draw`, from the JSON document (summary.py). Side effects: writes the two files. Needs matplotlib.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from axecert import InputError
from axecert._files import write_file

# The palette of docs/results/digits.svg: for each colour on white, the colour on black.
TEXT, MUTED, GRID, WHITE = "#1f2328", "#59636e", "#d1d9e0", "#ffffff"
LINES = ("#0969da", "#1a7f37", "#bc4c00", "#8250df", "#cf222e", "#9a6700", "#1b7c83", "#bf3989")
DARK = {
    TEXT: "#f0f6fc", MUTED: "#9198a1", GRID: "#3d444d", WHITE: "#0d1117",
    "#0969da": "#4493f8", "#1a7f37": "#3fb950", "#bc4c00": "#f0883e", "#8250df": "#ab7df8",
    "#cf222e": "#f85149", "#9a6700": "#d29922", "#1b7c83": "#39c5cf", "#bf3989": "#db61a2",
}  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
CEILING = 20.0  # times the least perplexity; points above are arrows at the edge


def series(
    document: Mapping[str, Any],
) -> tuple[str, dict[int | None, dict[str, list[tuple[int, float]]]], dict[str, float]]:
    """(window length, tile → recipe title → [(bits, perplexity)], titles of the lines without a width → perplexity)."""
    length = next(iter(document["sweep_windows"]), "")
    panels: dict[int | None, dict[str, list[tuple[int, float]]]] = {}
    levels: dict[str, float] = {}
    wanted = {
        row["reference"]
        for row in document["rows"]
        if row["accumulator"] is not None and length in row.get("sweep", {})
    }
    for row in document["rows"]:
        found = row.get("sweep", {}).get(length)
        if found is None or found["perplexity"] is None:
            continue
        if row["accumulator"] is not None:
            place = row["accumulator"]
            panels.setdefault(place["tile"], {}).setdefault(row["title"], []).append(
                (place["bits"], found["perplexity"])
            )
        elif row["recipe"] in wanted or row["recipe"] == "float":
            levels["float" if row["recipe"] == "float" else f"{row['title']}, no constraint"] = found["perplexity"]
    ordered = dict(sorted(panels.items(), key=lambda item: (item[0] is None, item[0] or 0)))
    return (
        length,
        {tile: {name: sorted(points) for name, points in lines.items()} for tile, lines in ordered.items()},
        levels,
    )


def themed(svg: str) -> str:
    """Adds a style sheet for dark pages to matplotlib's SVG: every inline colour of the palette gets a class that
    overrides it there.

    A viewer without style sheets shows the light colours.
    """
    classes = {
        f"{what}: {colour}": f"{what[0]}{index}" for index, colour in enumerate(DARK) for what in ("fill", "stroke")
    }

    def with_classes(match: re.Match[str]) -> str:
        found = [name for text, name in classes.items() if text in match[1]]
        return f'class="{" ".join(found)}" {match[0]}' if found else match[0]

    rules = [
        f".{what[0]}{index}{{{what}:{other}!important}}"
        for index, other in enumerate(DARK.values())
        for what in ("fill", "stroke")
    ]
    style = f"<style>@media (prefers-color-scheme:dark){{{''.join(rules)}}}</style>"
    head = svg.index(">", svg.index("<svg")) + 1
    return svg[:head] + "\n" + style + re.sub(r'style="([^"]*)"', with_classes, svg[head:])


def draw(document: Mapping[str, Any], svg: Path, png: Path) -> bool:
    """Writes both files; False, and nothing written, when the document has no sweep. InputError without matplotlib."""
    length, panels, levels = series(document)
    if not panels:
        return False
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise InputError(
            "figure", "matplotlib is not installed", "pip install matplotlib; the table is complete without it"
        ) from error
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    if len(names) > len(LINES):
        raise InputError("figure", f"{len(names)} recipes are too many to tell apart", f"sweep at most {len(LINES)}")
    everything = [
        *levels.values(),
        *(value for lines in panels.values() for points in lines.values() for _, value in points),
    ]
    base = min(everything)
    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "axecert",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 10,
        "text.color": TEXT,
        "axes.labelcolor": TEXT,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "axes.edgecolor": GRID,
    }
    with pyplot.rc_context(settings):
        figure, axes = pyplot.subplots(
            1, len(panels), figsize=(1.2 + 2.9 * len(panels), 4.6), sharey=True, squeeze=False
        )
        for axis, (tile, lines) in zip(axes[0], panels.items(), strict=True):
            _panel(axis, tile, lines, names, levels, base)
        _scale(axes[0][0], base, max(everything))
        limit = document["sweep_windows"][length]
        windows = "all windows" if limit is None else f"first {limit} windows"
        axes[0][0].set_ylabel(f"perplexity, {windows} of {length} tokens")
        figure.supxlabel("bits of the inner accumulator", fontsize=10)
        handles = {
            label: handle for axis in axes[0] for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            handles.values(), handles.keys(), loc="outside upper center", ncols=min(4, len(handles)), frameon=False
        )
        figure.set_layout_engine("constrained")
        text, image = io.StringIO(), io.BytesIO()
        figure.savefig(
            text,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Title": "Perplexity against accumulator width"},
        )
        figure.savefig(image, format="png", dpi=160, facecolor=WHITE, metadata={"Software": None})
        pyplot.close(figure)
    write_file(svg, lambda path: path.write_text(themed(text.getvalue()), encoding="utf-8"))
    write_file(png, lambda path: path.write_bytes(image.getvalue()))
    return True


def _panel(
    axis: Any,
    tile: int | None,
    lines: dict[str, list[tuple[int, float]]],
    names: list[str],
    levels: dict[str, float],
    base: float,
) -> None:
    """One number of products: a line for each recipe, a level for each model without a narrow accumulator."""
    ceiling = base * CEILING
    axis.set_title("whole row" if tile is None else f"{tile} products", fontsize=10, fontweight="bold", pad=12)
    axis.set_yscale("log")
    for index, (name, value) in enumerate(levels.items()):
        axis.axhline(
            value,
            color=MUTED,
            linewidth=1.2,
            linestyle=("-", (0, (5, 3)), (0, (1, 2)))[index % 3],
            label=name,
            zorder=1,
        )
    for name, points in lines.items():
        place = names.index(name)
        colour, marker = LINES[place], MARKERS[place]
        shown = [(bits, value if value <= ceiling else math.nan) for bits, value in points]
        axis.plot(
            *zip(*shown, strict=True),
            color=colour,
            marker=marker,
            markersize=5,
            linewidth=1.8,
            label=name,
            zorder=3,
            clip_on=False,
        )
        beside = 0.13 * (
            place - (len(names) - 1) / 2
        )  # of one bit, so that arrows of several recipes can be told apart
        over = [(bits + beside, ceiling) for bits, value in points if value > ceiling]
        if over:
            axis.plot(
                *zip(*over, strict=True),
                color=colour,
                marker=r"$\uparrow$",
                markersize=9,
                linestyle="none",
                zorder=4,
                clip_on=False,
            )
    widths = sorted({bits for points in lines.values() for bits, _ in points})
    axis.set_xticks(widths)
    axis.set_xlim(widths[0] - 0.4, widths[-1] + 0.4)
    axis.grid(visible=True, axis="y", which="major", color=GRID, linewidth=0.8)
    axis.tick_params(length=0)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)


def _scale(axis: Any, base: float, highest: float) -> None:
    """The vertical axis that all panels share: from below the least perplexity to the largest, or to the ceiling."""
    ceiling = base * CEILING
    step = 10 ** math.floor(math.log10(base))
    ticks = [factor * power for power in (step, 10 * step, 100 * step) for factor in (1, 1.5, 2, 3, 4, 5, 7)]
    texts = {tick: f"{tick:g}" for tick in ticks if 0.9 * base <= tick <= min(1.05 * highest, 0.85 * ceiling)}
    if highest > ceiling:
        texts[ceiling] = f"> {ceiling:.0f}"
    axis.set_yticks(list(texts), list(texts.values()))
    axis.set_yticks([], minor=True)
    axis.set_ylim(0.9 * base, min(1.1 * highest, ceiling))

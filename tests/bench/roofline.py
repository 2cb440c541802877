"""Draws the roofline of docs/results/kernels.md, and prints its tables, from what peers.py wrote.

    python3 roofline.py PEERS.json FIGURE.svg

Across: multiply-adds per byte that must be moved at least once (weights, inputs, results). Up: multiply-adds per second as a share of what
vpmaddubsw + vpaddw give on 256 bits with every operand in a register, in the same run. Roofs: such peaks, and what reading alone reaches
from the cache that holds 16 MiB and from memory. Rates in the tables are shares of one contender's, BASIS. Only the Python standard library.
Side effects: FIGURE.svg.
"""

from __future__ import annotations

import json
import math
import pathlib
import sys

UNIT = "vpmaddubsw + vpaddw, 256 bits"
ROOFS = (("vpdpbusd, 512 bits", "vpdpbusd, 512 bits"), ("vpmaddubsw + vpaddw, 512 bits", "vpmaddubsw + vpaddw, 512 bits"), (UNIT, UNIT),
         ("vpmaddwd + vpaddd, 256 bits", "vpmaddwd + vpaddd, 256 bits"), ("vfmadd float32, 512 bits", "fused multiply-add, float32, 512 bits"))
# name's beginning, legend, colour on white and on black, bytes of an input and of a result
LINES = (
    ("certified: avx512, T = 128, int8", "certified int8, AVX-512, T = 128", "#0969da", "#4493f8", 1, 8),
    ("certified: avx2, T = 128, int8", "certified int8, AVX2, T = 128", "#1a7f37", "#3fb950", 1, 8),
    ("certified: avx512, T = 64, int4", "certified int4, AVX-512, T = 64", "#1b7c83", "#39c5cf", 1, 8),
    ("exact: avx512-vnni", "exact, AVX-512 with VNNI", "#8250df", "#ab7df8", 1, 8),
    ("exact: avx2", "exact, AVX2", "#9a6700", "#d29922", 1, 8),
    ("AVX2 alone: oneDNN matmul u8s8", "oneDNN u8s8 on AVX2 (saturates)", "#cf222e", "#f85149", 1, 4),
    ("oneDNN matmul u8s8", "oneDNN u8s8", "#bc4c00", "#f0883e", 1, 4),
    ("onnxruntime MatMulInteger u8s8", "onnxruntime MatMulInteger", "#bf3989", "#db61a2", 1, 4),
    ("onnxruntime MatMulNBits int4, blocks of 128", "onnxruntime MatMulNBits int4", "#57606a", "#8b949e", 4, 4),
    ("float32 OpenBLAS", "OpenBLAS float32", "#1f2328", "#f0f6fc", 4, 4),
)
MARKS = ("circle", "square", "triangle", "diamond")
LEFT, RIGHT, TOP, BOTTOM, WIDTH, HEIGHT = 64, 250, 18, 46, 960, 470
X = (0.2, 400.0)
Y = (1 / 64, 3.0)


def plain(name):
    """Without the version: 'onnxruntime 1.2.3 MatMul' is 'onnxruntime MatMul'."""
    words = name.split(" ")
    return " ".join(word for i, word in enumerate(words) if not (i == 1 and word[:1].isdigit()))


def across(x):
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(x / X[0]) / math.log(X[1] / X[0])


def up(y):
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(y / Y[0]) / math.log(Y[1] / Y[0])


def mark(kind, x, y, style):
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" class="{style}"/>'
    shapes = {"square": [(-4, -4), (4, -4), (4, 4), (-4, 4)], "triangle": [(0, -5), (5, 4), (-5, 4)], "diamond": [(0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)]}
    return f'<polygon points="{" ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in shapes[kind])}" class="{style}"/>'


def bandwidth(shape, unit):
    """What reading reaches, as units of `unit` multiply-adds per byte."""
    rates = [c["weight_bytes"] / c["seconds"] for c in shape["contenders"] if c["name"].startswith("reading")]
    return max(rates) / unit if rates else None


def draw(document):
    rates = {}
    for shape in document["shapes"]:
        for c in shape["contenders"]:
            if c["macs"]:
                rates.setdefault(c["name"], []).append(c["macs"] / c["seconds"])
    unit = sorted(rates[UNIT])[len(rates[UNIT]) // 2]
    parts = []
    for power in range(-6, 2):
        y = up(2.0**power)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" class="muted" text-anchor="end">{f"1/{2 ** -power}" if power < 0 else 2 ** power}</text>')
    for power in range(-2, 9):
        if power % 2 == 0:
            parts.append(f'<text x="{across(2.0**power):.1f}" y="{HEIGHT - BOTTOM + 18}" class="muted" text-anchor="middle">'
                         f'{f"1/{2 ** -power}" if power < 0 else 2 ** power}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" class="text" text-anchor="middle">multiply-adds per byte moved at least once</text>')
    parts.append(f'<text transform="translate(16 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" class="text" text-anchor="middle">multiply-adds per second, of {UNIT}</text>')
    roofs = sorted(((up(sorted(rates[name])[len(rates[name]) // 2] / unit), label) for name, label in ROOFS if name in rates))
    for index, (y, label) in enumerate(roofs):
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="roof"/>')
        below = index > 0 and y - roofs[index - 1][0] < 16  # no room above it
        parts.append(f'<text x="{LEFT + 4}" y="{y + 12 if below else y - 4:.1f}" class="muted">{label}</text>')
    one = [shape for shape in document["shapes"] if shape["tokens"] == 1]
    for shape in one:
        slope = bandwidth(shape, unit)
        low = max(X[0], Y[0] / slope)
        high = min(X[1], Y[1] / slope)
        mebibytes = shape["cols"] * shape["rows"] / 2**20
        parts.append(f'<line x1="{across(low):.1f}" y1="{up(low * slope):.1f}" x2="{across(high):.1f}" y2="{up(high * slope):.1f}" class="roof"/>')
        place = high / 1.25
        angle = -math.degrees(math.atan2(up(low * slope) - up(high * slope), across(high) - across(low)))
        parts.append(f'<text transform="translate({across(place):.1f} {up(place * slope) - 5:.1f}) rotate({angle:.1f})" class="muted" text-anchor="end">'
                     f"reading {mebibytes:.0f} MiB</text>")
    styles, row = [], 0
    for index, (name, label, light, dark, input_bytes, result_bytes) in enumerate(LINES):
        points = []
        for shape in document["shapes"]:
            for c in shape["contenders"]:
                if plain(c["name"]) == name:
                    moved = c["weight_bytes"] + shape["tokens"] * (shape["cols"] * input_bytes + shape["rows"] * result_bytes)
                    points.append((c["macs"] / moved, c["macs"] / c["seconds"] / unit))
        if not points:
            continue
        kind = MARKS[index % len(MARKS)]
        styles.append((f"c{index}", light, dark))
        parts += [mark(kind, across(x), up(min(max(y, Y[0]), Y[1])), f"c{index}") for x, y in points]
        parts.append(mark(kind, WIDTH - RIGHT + 16, TOP + 14 + 22 * row, f"c{index}"))
        parts.append(f'<text x="{WIDTH - RIGHT + 28}" y="{TOP + 18 + 22 * row}" class="text">{label}</text>')
        row += 1
    shapes = ", ".join(f'{s["tokens"]} × {s["cols"]} × {s["rows"]}' for s in sorted(document["shapes"], key=lambda s: s["tokens"]))
    parts.append(f'<text x="{WIDTH - RIGHT + 16}" y="{TOP + 32 + 22 * row}" class="muted">tokens × K × rows:</text>')
    for number, text in enumerate(shapes.split(", ")):
        parts.append(f'<text x="{WIDTH - RIGHT + 16}" y="{TOP + 50 + 22 * row + 16 * number}" class="muted">{text}</text>')
    light = "".join(f".{name}{{fill:{colour}}}" for name, colour, _ in styles)
    dark = "".join(f".{name}{{fill:{colour}}}" for name, _, colour in styles)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="DejaVu Sans, sans-serif" font-size="12">
<title>Roofline of integer products</title>
<style>.text{{fill:#1f2328}}.muted{{fill:#59636e;font-size:11px}}.grid{{stroke:#d1d9e0;stroke-width:.6}}.roof{{stroke:#59636e;stroke-width:1;stroke-dasharray:5 3}}.back{{fill:#ffffff}}{light}
@media (prefers-color-scheme:dark){{.text{{fill:#f0f6fc}}.muted{{fill:#9198a1}}.grid{{stroke:#3d444d}}.roof{{stroke:#9198a1}}.back{{fill:#0d1117}}{dark}}}</style>
<rect width="{WIDTH}" height="{HEIGHT}" class="back"/>
{chr(10).join(parts)}
</svg>
"""


BASIS = "certified: avx2, T = 128, int8"


def tables(document):
    """Markdown: batches, then one token."""
    shapes = {False: [], True: []}
    for shape in document["shapes"]:
        shapes[shape["tokens"] == 1].append(({c["name"]: c for c in shape["contenders"]}, shape))
    for one_token, of in shapes.items():
        if not of:
            continue
        print("\n| | " + " | ".join(f'{s["tokens"]} × {s["cols"]} × {s["rows"]}' for _, s in of) + " | two largest products |")
        print("| --- |" + " ---: |" * len(of) + " --- |")
        for name, first in of[0][0].items():
            if not first["macs"] or name.startswith("v"):
                continue
            cells = []
            for contenders, _ in of:
                c, basis = contenders[name], contenders[BASIS]
                cell = f'{c["macs"] / c["seconds"] / (basis["macs"] / basis["seconds"]):.2f}'
                if one_token:
                    reading = max(r["weight_bytes"] / r["seconds"] for r in contenders.values() if r["name"].startswith("reading"))
                    cell += f' ({100 * c["weight_bytes"] / c["seconds"] / reading:.0f} %)'
                elif c["peak"] in contenders:
                    peak = contenders[c["peak"]]
                    cell += f' ({100 * c["macs"] / c["seconds"] / (peak["macs"] / peak["seconds"]):.0f} %)'
                cells.append(cell)
            print(f"| {name} | " + " | ".join(cells) + f' | {first["answer"]} |')


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    document = json.loads(pathlib.Path(sys.argv[1]).read_text())
    pathlib.Path(sys.argv[2]).write_text(draw(document))
    tables(document)


if __name__ == "__main__":
    main()

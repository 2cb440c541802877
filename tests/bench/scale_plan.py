"""What large models cost, from the unit costs that scale.py measured.

    python3 scale_plan.py SCALE.json [--figure FIGURE.svg]

Prints the tables of docs/scale.md that are computed, not measured: fits over K, and core hours and memory for models of 70 billion and of
one trillion weights. FIGURE.svg: time against weights, from 10^6 to 10^9, as it was measured. Only the Python standard library. Side
effects: FIGURE.svg.
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib

# (layers of this shape, rows, K), and (float and quantized inputs of this width per token: each is one pair of moments)
MODELS = {
    "70 billion: 80 blocks, K = 8,192 and 28,672": {
        "layers": [(80, 8192, 8192), (160, 1024, 8192), (80, 8192, 8192), (160, 28672, 8192), (80, 8192, 28672)],
        "inputs": [(240, 8192), (80, 28672)],  # of attention, of its output, of the two halves of the feed-forward part
        "share": 1.0,  # of its weights that a token meets
    },
    "1 trillion: 60 blocks of 384 experts, K = 7,168 and 2,048": {
        "layers": [(60 * 384 * 2, 2048, 7168), (60 * 384, 7168, 2048)],
        "inputs": [(60 * 8, 7168), (60 * 8, 2048)],  # 8 of 384 experts meet a token
        "share": 8 / 384,
    },
}
TOKENS = 128 * 2048  # of calibration for a dense model; for experts as many that each of them sees the share below
EXPERT_TOKENS = 384 // 8 * 8192  # 8,192 for each expert
TILE = 64


def fit(points, powers):
    """Least squares of y = Σ c_p x^p, relative errors, by the normal equations. Returns {p: c_p}."""
    rows = [[x**p / y for p in powers] for x, y in points]
    n = len(powers)
    a = [[sum(row[i] * row[j] for row in rows) for j in range(n)] + [sum(row[i] for row in rows)] for i in range(n)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda r: abs(a[r][i]))
        a[i], a[pivot] = a[pivot], a[i]
        for r in range(n):
            if r != i:
                factor = a[r][i] / a[i][i]
                a[r] = [u - factor * v for u, v in zip(a[r], a[i])]
    return {p: a[i][n] / a[i][i] for i, p in enumerate(powers)}


def value(coefficients, x):
    return sum(c * x**p for p, c in coefficients.items())


def hours(seconds):
    return f"{seconds / 3600:,.1f} h" if seconds >= 360 else f"{seconds:,.0f} s"


def plan(costs):
    largest = costs["streaming"][-1]
    per_weight = {key: largest[key] / largest["weights"] for key in ("certify", "check", "sha256")}
    solver = costs["solvers"]
    ground = min(r["ground"] / r["nodes"] for r in solver if "ground" in r)
    box = min(r["box"] / r["nodes"] for r in solver if "box" in r)
    replay = min(r["replay"] / r["nodes"] for r in solver)
    quantizing = costs["quantizing"]
    weight_cost = fit([(r["cols"], r["per_weight"]) for r in quantizing], (0, 1))
    shared_cost = fit([(r["cols"], r["shared"]) for r in quantizing if r["shared"] > 0.05], (3,))
    memory = fit([(r["cols"], r["kB"]) for r in quantizing], (0, 2))
    product = costs["product"]["seconds_per_mac"]
    print("| fitted | |\n| --- | --- |")
    print(f"| quantize, per weight | {weight_cost[0] * 1e6:.2f} µs + {weight_cost[1] * 1e9:.2f} ns · K |")
    print(f"| quantize, shared by the rows of a layer | {shared_cost[3] * 1e9:.2f} ns · K³ |")
    print(f"| quantize, resident | {memory[0] / 1e3:.0f} MB + {memory[2] * 1e3:.1f} bytes · K² |")
    for r in quantizing:
        print(f"| at K = {r['cols']:,}: measured, fitted | {r['per_weight'] * 1e6:.2f}, {value(weight_cost, r['cols']) * 1e6:.2f} µs; "
              f"{r['shared']:.2f}, {value(shared_cost, r['cols']):.2f} s; {r['kB'] / 1e3:.0f}, {value(memory, r['cols']) / 1e3:.0f} MB |")
    print("\n| core time | " + " | ".join(MODELS) + " |\n| --- |" + " ---: |" * len(MODELS))
    cells = {}
    for model in MODELS.values():
        weights = sum(n * rows * cols for n, rows, cols in model["layers"])
        nodes = sum(n * rows * (math.ceil(cols / TILE) + 1) for n, rows, cols in model["layers"])
        tokens = TOKENS if model["share"] == 1 else EXPERT_TOKENS
        most = max(cols for _, _, cols in model["layers"])
        entries = {
            "weights": f"{weights:,.4g}", "registers": f"{nodes:,.4g}",
            "certificate": f"{weights * largest['certificate_bytes'] / largest['weights'] / 1e9:,.0f} GB",
            "certify": hours(weights * per_weight["certify"]), "check": hours(weights * per_weight["check"]),
            "SHA-256 of the weights alone": hours(weights * per_weight["sha256"]),
            "Z3, ground (a)": hours(nodes * ground), "Z3, box (b)": hours(nodes * box), "replay": hours(nodes * replay),
            "calibration tokens": f"{tokens:,}",
            "quantize: run the model twice on them": hours(2 * tokens * weights * model["share"] * product),
            "quantize: moments H and G": hours(sum(n * 1.5 * k * k * tokens * product for n, k in model["inputs"])),
            "quantize: what rows share (factorizations)": hours(sum(n * value(shared_cost, cols) for n, _, cols in model["layers"])),
            "quantize: rows": hours(sum(n * rows * cols * value(weight_cost, cols) for n, rows, cols in model["layers"])),
            "quantize: resident, the widest layer": f"{value(memory, most) / 1e6:,.1f} GB",
        }
        for key, text in entries.items():
            cells.setdefault(key, []).append(text)
    for key, texts in cells.items():
        print(f"| {key} | " + " | ".join(texts) + " |")


SERIES = (("certify", "certify", "#0969da", "#4493f8"), ("check", "axecert-check", "#1a7f37", "#3fb950"), ("verify", "verify, checker alone", "#8250df", "#ab7df8"),
          ("sha256", "SHA-256 of the weights alone", "#bc4c00", "#f0883e"))


def draw(costs):
    """Seconds against weights, both logarithmic."""
    rows = costs["streaming"]
    left, right, top, bottom, width, height = 58, 230, 16, 44, 760, 380
    low, high = 10 ** math.floor(math.log10(min(r["sha256"] for r in rows))), 10 ** math.ceil(math.log10(max(r["certify"] for r in rows)))
    first, last = 10 ** math.floor(math.log10(rows[0]["weights"]) + 0.01), 10 ** math.ceil(math.log10(rows[-1]["weights"]) - 0.1)
    x = lambda v: left + (width - left - right) * math.log(v / first) / math.log(last / first)  # noqa: E731
    y = lambda v: height - bottom - (height - top - bottom) * math.log(v / low) / math.log(high / low)  # noqa: E731
    parts = []
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y(10**power):.1f}" y2="{y(10**power):.1f}"/>')
        parts.append(f'<text class="muted" x="{left - 6}" y="{y(10**power) + 4:.1f}" text-anchor="end">{10**power:g} s</text>')
    for power in range(round(math.log10(first)), round(math.log10(last)) + 1):
        parts.append(f'<text class="muted" x="{x(10**power):.1f}" y="{height - bottom + 18}" text-anchor="middle">10<tspan dy="-4" font-size="9">{power}</tspan></text>')
    parts.append(f'<text class="text" x="{(left + width - right) / 2}" y="{height - 6}" text-anchor="middle">weights</text>')
    for index, (key, label, _, _) in enumerate(SERIES):
        points = [(x(r["weights"]), y(r[key])) for r in rows]
        parts.append(f'<polyline class="l{index}" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in points)}"/>')
        parts += [f'<circle class="c{index}" cx="{a:.1f}" cy="{b:.1f}" r="4"/>' for a, b in points]
        parts.append(f'<circle class="c{index}" cx="{width - right + 20}" cy="{top + 14 + 22 * index}" r="4"/>')
        parts.append(f'<text class="text" x="{width - right + 32}" y="{top + 18 + 22 * index}">{label}</text>')
    colours = lambda column: "".join(f".l{i}{{fill:none;stroke:{s[column]};stroke-width:2}}.c{i}{{fill:{s[column]}}}" for i, s in enumerate(SERIES))  # noqa: E731
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="DejaVu Sans, sans-serif" font-size="12">
<title>CPU time against weights</title>
<style>.text{{fill:#1f2328}}.muted{{fill:#59636e;font-size:11px}}.grid{{stroke:#d1d9e0;stroke-width:.6}}.back{{fill:#ffffff}}{colours(2)}
@media (prefers-color-scheme:dark){{.text{{fill:#f0f6fc}}.muted{{fill:#9198a1}}.grid{{stroke:#3d444d}}.back{{fill:#0d1117}}{colours(3)}}}</style>
<rect class="back" width="{width}" height="{height}"/>
{chr(10).join(parts)}
</svg>
"""


def main():
    parser = argparse.ArgumentParser(description="What large models cost, from measured unit costs.")
    parser.add_argument("costs", type=pathlib.Path)
    parser.add_argument("--figure", type=pathlib.Path)
    options = parser.parse_args()
    costs = json.loads(options.costs.read_text())
    plan(costs)
    if options.figure:
        options.figure.write_text(draw(costs))


if __name__ == "__main__":
    main()

"""Prints the tables of docs/results/peers.md and draws its figure, from what pipeline_peers.py wrote, which calls both functions too.

    python3 pipeline_page.py PEERS.json FIGURE.svg

Three panels of dots on logarithmic axes, ours in another colour than peers and than what the machine can do at best: CPU seconds to quantize a layer, bytes
of weights per second as a share of reading them from memory, registers verified per second. `tables` and `draw` are the main functions. Only the
Python standard library. Side effects: FIGURE.svg.
"""

from __future__ import annotations

import json
import math
import pathlib
import sys

GOALS = {"Brevitas, A2GPTQ": 20, "Brevitas, A2GPFQ": 40}  # times faster, at equal settings
LIMITS = ("reading", "SHA-256", "read the file")  # what nobody can beat
WIDTH, LEFT, RIGHT, ROW, TITLE, AXIS = 960, 380, 130, 20, 30, 34


def is_ours(name):
    return name.startswith(("axecert", "ranges of every", "the checker", "extracted", "Z3, depth", "replay"))


def rate(contender, amount):
    return contender[amount] / contender["seconds"]


def rounded(value, digits):
    """To so many significant digits, thousands apart."""
    return f"{float(f'{value:.{digits}g}'):,.0f}"


def fastest_reading(contenders):
    return max(rate(c, "weights") for c in contenders if c["name"].startswith("reading"))


def quantizing_table(results):
    print("\n| layer | T, P | | CPU s | times faster than its peer | goal | relative error |\n| --- | --- | --- | ---: | ---: | ---: | ---: |")
    for layer in results:
        seconds = {c["name"]: c["seconds"] for c in layer["contenders"]}
        for c in layer["contenders"]:
            peer = c["peer"]
            times = f"{seconds[peer] / c['seconds']:.0f}" if peer in seconds else ""
            goal = f"≥ {GOALS[peer]}" if times and layer["layer"] == "gate_proj" else ""
            print(f"| {layer['layer']} | {layer['tile']}, {layer['bits']} | {c['name']} | {c['seconds']:.4f} | {times} | {goal} | {c['error']:.4f} |")


def percent(share):
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def certifying_table(results):
    print("\n| | " + " | ".join(f"T = {of['tile']}: GB/s | of reading from memory | of reading and hashing the file" for of in results) + " |")
    print("| --- |" + " ---: | ---: | ---: |" * len(results))
    for c in results[0]["contenders"]:
        cells = []
        for of in results:
            rates = {other["name"]: rate(other, "weights") for other in of["contenders"]}
            here = rates[c["name"]]
            cells += [f"{here / 1e9:.3g}", percent(here / fastest_reading(of["contenders"])),
                      "" if c["name"].startswith("reading") else percent(here / rates["read the file, SHA-256"])]
        print(f"| {c['name']} | " + " | ".join(cells) + " |")


def verifying_table(results):
    for of in results:
        print("\n| | works on | registers | ns for each | registers/s |\n| --- | --- | ---: | ---: | ---: |")
        for c in of["contenders"]:
            each = c["seconds"] / c["registers"]
            print(f"| {c['name']} | {'exported claims' if c['path'] == 'exported' else 'the certificate'} | {c['registers']:,} | {rounded(each * 1e9, 3)} | "
                  f"{rounded(1 / each, 3)} |")


def tables(document):
    """Markdown, one table for each part that was measured."""
    for part, print_table in (("quantizing", quantizing_table), ("certifying", certifying_table), ("verifying", verifying_table)):
        if document.get(part):
            print_table(document[part])


def panels(document):
    """(title, unit of the axis, dots as (name, value, text)); one layer, one tile, one certificate of those measured."""
    if document.get("quantizing"):
        layer = document["quantizing"][0]
        yield (f"Quantizing {layer['layer']}, {layer['rows']} × {layer['cols']}: CPU seconds", [(c["name"], c["seconds"], f"{c['seconds']:.3f} s") for c in layer["contenders"]])
    if document.get("certifying"):
        of = document["certifying"][0]
        reading = fastest_reading(of["contenders"])
        shares = [(c["name"], rate(c, "weights") / reading) for c in of["contenders"] if not c["name"].startswith("reading")]
        yield (f"Certifying, T = {of['tile']}: weights per second, of reading them from memory", [(name, share, percent(share)) for name, share in shares])
    if document.get("verifying"):
        yield ("Verifying one certificate: registers per second", [(c["name"], rate(c, "registers"), rounded(rate(c, "registers"), 2))
                                                                   for c in document["verifying"][0]["contenders"]])


def power_of_ten(exponent):
    if -3 <= exponent <= 3:
        return f"{10 ** exponent:,}" if exponent >= 0 else f"{10.0 ** exponent:g}"
    return f'10<tspan dy="-4" font-size="8">{exponent}</tspan>'


def draw(document):
    parts, top = [], 0
    for title, dots in panels(document):
        low = math.floor(min(math.log10(value) for _, value, _ in dots))
        high = max(low + 1, math.ceil(max(math.log10(value) for _, value, _ in dots)))
        across = lambda value: LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(value) - low) / (high - low)  # noqa: B023, E731
        bottom = top + TITLE + ROW * len(dots) + 4
        parts.append(f'<text x="12" y="{top + 20}" class="text title">{title}</text>')
        for exponent in range(low, high + 1):
            x = across(10.0**exponent)
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top + TITLE}" y2="{bottom}" class="grid"/>')
            parts.append(f'<text x="{x:.1f}" y="{bottom + 14}" class="muted" text-anchor="middle">{power_of_ten(exponent)}</text>')
        for row, (name, value, text) in enumerate(dots):
            y = top + TITLE + ROW * (row + 0.5) + 2
            kind = "ours" if is_ours(name) else "limit" if name.startswith(LIMITS) else "peer"
            parts.append(f'<text x="{LEFT - 10}" y="{y + 4:.1f}" class="text" text-anchor="end">{name}</text>')
            parts.append(f'<line x1="{LEFT}" x2="{across(value):.1f}" y1="{y:.1f}" y2="{y:.1f}" class="{kind} stem"/>')
            parts.append(f'<circle cx="{across(value):.1f}" cy="{y:.1f}" r="5" class="{kind}"/>')
            parts.append(f'<text x="{across(value) + 10:.1f}" y="{y + 4:.1f}" class="muted">{text}</text>')
        top = bottom + AXIS
    legend = (("ours", "axecert"), ("peer", "peers"), ("limit", "what reading and hashing alone allow"))
    x = 12
    for kind, label in legend:
        parts.append(f'<circle cx="{x + 6}" cy="{top + 2}" r="5" class="{kind}"/><text x="{x + 18}" y="{top + 6}" class="text">{label}</text>')
        x += 100 if kind != "limit" else 0
    height = top + 18
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="DejaVu Sans, sans-serif" font-size="12">
<title>Quantizing, certifying and verifying beside peers</title>
<style>.text{{fill:#1f2328}}.title{{font-weight:bold}}.muted{{fill:#59636e;font-size:11px}}.grid{{stroke:#d1d9e0;stroke-width:.6}}.stem{{stroke-width:2;stroke-opacity:.35}}.back{{fill:#ffffff}}
.ours{{fill:#0969da;stroke:#0969da}}.peer{{fill:#bc4c00;stroke:#bc4c00}}.limit{{fill:#59636e;stroke:#59636e}}
@media (prefers-color-scheme:dark){{.text{{fill:#f0f6fc}}.muted{{fill:#9198a1}}.grid{{stroke:#3d444d}}.back{{fill:#0d1117}}
.ours{{fill:#4493f8;stroke:#4493f8}}.peer{{fill:#f0883e;stroke:#f0883e}}.limit{{fill:#9198a1;stroke:#9198a1}}}}</style>
<rect width="{WIDTH}" height="{height}" class="back"/>
{chr(10).join(parts)}
</svg>
"""


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    document = json.loads(pathlib.Path(sys.argv[1]).read_text())
    pathlib.Path(sys.argv[2]).write_text(draw(document))
    tables(document)


if __name__ == "__main__":
    main()

"""Every benchmark of this folder that compares axecert with its peers or with the machine, one after the other, and a page of what they print.

    python3 run.py BUILD OUT [--quick] [--only NAME...] [--layers FOLDER] [--core 1]

BUILD is a build folder with the Python package (tests/bench/run makes it). OUT gets NAME.md (the tables of each), NAME.json and NAME.svg where
there are any, and index.html with all of them. --layers: the layers of tests/peers, for quantizing and verifying beside peers; --quick: everything
small, to see that it runs. A benchmark that fails is named at the end, and the exit code is 1. `main` is the main function. Only the Python
standard library; the benchmarks need NumPy, onnxruntime, torch, Brevitas, qonnx. Side effects: files below OUT.
"""

from __future__ import annotations

import argparse
import base64
import dataclasses
import html
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass
class Benchmark:
    name: str
    title: str
    commands: list[list[str]]  # scripts of this folder and their arguments
    page: str  # where its figures are explained
    pinned: bool = True  # else it is about all cores


def benchmarks(build, out, options):
    core = ["--core", str(options.core)]
    quick = options.quick
    axecert, check = str(build / "cli/axecert"), str(build / "verify/axecert-check")

    def files(name):
        return ["--json", str(out / f"{name}.json")], ["--figure", str(out / f"{name}.svg")]

    kernels, peers, scale = (files(name) for name in ("kernels", "peers", "scale"))
    layers = ["--layers", str(options.layers)] if options.layers else ["--only", "certifying"]
    return [
        Benchmark("kernels", "Integer products", [
            ["peers.py", str(build / "tests/bench/bench_kernel"), *core, *kernels[0], *kernels[1],
             *(["--rounds", "1", "--shapes", "2x256x64", "1x256x64"] if quick else [])]], "docs/results/kernels.md"),
        Benchmark("integer_linear", "A layer in Python", [
            ["integer_linear.py", *core, *(["--rounds", "1", "--tokens", "4", "1"] if quick else ["--tokens", "512", "32", "4", "1"])]], "docs/results/kernels.md"),
        Benchmark("peers", "Quantizing, certifying, verifying", [
            ["pipeline_peers.py", str(build), *core, *peers[0], *peers[1], *(["--small", "--rounds", "1"] if quick else layers)]], "docs/results/peers.md"),
        Benchmark("onnx_certify", "A 100 MB ONNX model", [
            ["onnx_certify.py", axecert, *(["--runs", "1"] if quick else [])]], "docs/results/verification.md", pinned=False),
        Benchmark("scale", "From a million weights to a billion, and what follows for larger models", [
            ["scale.py", axecert, check, *scale[0], *(["--most", "1e7", "--most-cols", "1024"] if quick else ["--most-cols", "4096"])],
            ["scale_plan.py", str(out / "scale.json"), *scale[1]]], "docs/scale.md"),
    ]


def run(benchmark, build, out, cores):
    """Runs it on `cores`, shows what it prints, keeps the Markdown; returns whether it succeeded."""
    printed = []
    for command in benchmark.commands:
        process = subprocess.Popen([sys.executable, "-B", str(HERE / command[0]), *command[1:]], stdout=subprocess.PIPE, text=True,
                                   env={**os.environ, "PYTHONPATH": str(build / "python")}, preexec_fn=lambda: os.sched_setaffinity(0, cores))
        for line in process.stdout:
            printed.append(line)
            print(line, end="", flush=True)
        if process.wait() != 0:
            return False
    (out / f"{benchmark.name}.md").write_text("".join(printed))
    return True


def as_html(markdown):
    """Tables, headings and paragraphs of the Markdown that the benchmarks print."""
    parts, table = [], []

    def inline(text):
        text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", html.escape(text.replace("\\|", "|"), quote=False))
        return re.sub(r"`(.+?)`", r"<code>\1</code>", text)

    def close():
        if table:
            parts.append("<div class=\"wide\"><table>" + "".join(table) + "</table></div>")
            table.clear()

    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            if not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
                tag = "th" if not table else "td"
                table.append("<tr>" + "".join(f"<{tag}>{inline(cell)}</{tag}>" for cell in cells) + "</tr>")
            continue
        close()
        if line.startswith("#"):
            parts.append(f"<h3>{inline(line.lstrip('# '))}</h3>")
        elif line.strip():
            parts.append(f"<p>{inline(line)}</p>")
    return "\n".join(parts)


def picture(path):
    """Not inline: the styles of one figure would hold for the others."""
    return f"<img alt=\"\" src=\"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()}\">\n"


def page(measured, out):
    sections = []
    for benchmark in measured:
        figure = out / f"{benchmark.name}.svg"
        sections.append(f"<h2 id=\"{benchmark.name}\">{html.escape(benchmark.title)}</h2>\n<p class=\"note\">What the columns mean: {benchmark.page}</p>\n"
                        + (picture(figure) if figure.exists() else "") + as_html((out / f"{benchmark.name}.md").read_text()))
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>axecert: benchmarks</title>
<style>
:root{{color-scheme:light dark;--text:#1f2328;--muted:#59636e;--line:#d1d9e0;--back:#ffffff}}
@media (prefers-color-scheme:dark){{:root{{--text:#f0f6fc;--muted:#9198a1;--line:#3d444d;--back:#0d1117}}}}
body{{font:15px/1.5 system-ui,"DejaVu Sans",sans-serif;color:var(--text);background:var(--back);max-width:1000px;margin:2em auto;padding:0 1em}}
h2{{margin-top:2.2em}}.note{{color:var(--muted)}}img{{max-width:100%;height:auto}}.wide{{overflow-x:auto}}
table{{border-collapse:collapse;font-size:13px;margin:1em 0}}th,td{{border-bottom:1px solid var(--line);padding:.25em .7em;text-align:right;white-space:nowrap}}
th:first-child,td:first-child{{text-align:left}}
</style>
<h1>axecert: benchmarks</h1>
<p class="note">One thread, pinned; contenders in turn; medians of CPU time. Rates hold within a table, not between machines or runs. {time.strftime('%Y-%m-%d')}</p>
{chr(10).join(sections)}
</html>
"""


def main():
    parser = argparse.ArgumentParser(description="Every benchmark beside its peers, and a page of them.")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="everything small; the figures mean nothing")
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--layers", type=pathlib.Path, help="folder with gate_proj.npz and o_proj.npz (tests/peers); without it nothing is quantized")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    options = parser.parse_args()
    build, out = options.build.resolve(), options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if options.layers:
        options.layers = options.layers.resolve()
    every = benchmarks(build, out, options)
    unknown = set(options.only or []) - {b.name for b in every}
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(b.name for b in every)}")
    chosen = [b for b in every if not options.only or b.name in options.only]
    failed = []
    cores = os.sched_getaffinity(0)
    for number, benchmark in enumerate(chosen):
        begin = time.monotonic()
        print(f"\n[{number + 1}/{len(chosen)}] {benchmark.title}", flush=True)
        if not run(benchmark, build, out, {options.core} if benchmark.pinned else cores):
            failed.append(benchmark)
        print(f"{benchmark.name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
        (out / "index.html").write_text(page([b for b in every if (out / f"{b.name}.md").exists()], out))
    print(f"\nwrote {out / 'index.html'}")
    for benchmark in failed:
        print(f"failed: {benchmark.name}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

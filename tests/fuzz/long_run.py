"""The long run of the fuzz targets: each with libFuzzer under AddressSanitizer and UndefinedBehaviorSanitizer, one after the other.

    python3 tests/fuzz/long_run.py [--minutes N] [--targets NAME...] [--results FILE]

Builds the preset `fuzz` (clang) and the extracted checker (proofs/coq), makes the seeds, then gives every target N minutes (60) and prints a row of a
table: minutes, of processor time too, inputs tried, edges reached, findings. What the targets learn stays in build/fuzz/learnt, so that the next run goes on from there;
an input that is a finding lies in build/fuzz/findings. Exit code 1: there is a finding. `main` is the main function. Writes below build/, and
FILE with --results (the rows). Only the Python standard library, cmake, clang, coqc and ocamlopt.
"""

import argparse
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = ["differential", "checker", "certificate", "tensors", "datapath", "onnx"]


def build(targets):
    folder = ROOT / "build/fuzz"
    for command in (["cmake", "--preset", "fuzz"],
                    ["cmake", "--build", "--preset", "fuzz", "--target", *[f"fuzz_{t}" for t in targets], "--parallel", str(os.cpu_count())],
                    [str(ROOT / "proofs/coq/build"), str(folder / "coq")],
                    [sys.executable, "-B", str(ROOT / "tests/fuzz/seeds.py"), str(ROOT), str(folder / "seeds")]):
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return folder


def processor_time():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(folder, target, minutes):
    """{minutes, processor, inputs, edges, finding}; processor: minutes of processor time, which is less where others run beside."""
    learnt, findings = folder / "learnt" / target, folder / "findings"
    for path in (learnt, findings):
        path.mkdir(parents=True, exist_ok=True)
    start, before = time.monotonic(), processor_time()
    done = subprocess.run(
        [str(folder / f"tests/fuzz/fuzz_{target}"), f"-max_total_time={round(60 * minutes)}", "-timeout=25", "-rss_limit_mb=3000", "-max_len=20000",
         "-print_final_stats=1", f"-artifact_prefix={findings}/{target}-", str(learnt), str(folder / "seeds" / target)],
        capture_output=True, text=True, errors="replace", check=False,
        env={**os.environ, "AXECERT_PROVED_CHECK": str(folder / "coq/proved_check")})
    inputs = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    edges = re.findall(r"cov: (\d+)", done.stderr)
    if done.returncode != 0:
        print(done.stderr[-6000:], file=sys.stderr)
    return {"minutes": (time.monotonic() - start) / 60, "processor": (processor_time() - before) / 60, "inputs": int(inputs.group(1)) if inputs else 0,
            "edges": int(edges[-1]) if edges else 0, "finding": done.returncode != 0}


def main():
    parser = argparse.ArgumentParser(description="The long run of the fuzz targets.")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    parser.add_argument("--results", type=pathlib.Path)
    a = parser.parse_args()
    folder = build(a.targets)
    rows, findings = ["| target | minutes | processor minutes | inputs | edges | findings |", "| --- | ---: | ---: | ---: | ---: | ---: |"], 0
    print("\n".join(rows), flush=True)
    for target in a.targets:
        r = run(folder, target, a.minutes)
        findings += r["finding"]
        rows.append(f"| {target} | {r['minutes']:.1f} | {r['processor']:.1f} | {r['inputs']:,} | {r['edges']:,} | {int(r['finding'])} |")
        print(rows[-1], flush=True)
        if a.results:
            a.results.write_text("\n".join(rows) + "\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

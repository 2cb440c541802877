"""The long run of the fuzz targets: each with libFuzzer under AddressSanitizer and UndefinedBehaviorSanitizer, one after the other or side by side.

    python3 tests/fuzz/long_run.py [--minutes N] [--jobs N] [--timeout SECONDS] [--targets NAME...] [--results FILE]

Builds the preset `fuzz` (clang) and, for `differential`, the extracted checker (proofs/coq), makes the seeds, then gives every target N minutes (60), --jobs of them at a
time (1), and prints a row of a table: minutes, of processor time too, inputs tried, edges reached, findings. An input that takes --timeout seconds (25)
is a finding; on a machine that may stand still for longer, more are needed. What the targets learn stays in
build/fuzz/learnt, so that the next run goes on from there; what they print in build/fuzz/output; an input that is a finding lies in
build/fuzz/findings. Exit code 1: there is a finding; 130: interrupted, the rows that there are stand in FILE. `main` is the main function. Writes
below build/, and FILE with --results (the rows in the order of the targets, anew whenever one ends). Only the Python standard library, cmake, clang,
coqc and ocamlopt.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = ["differential", "checker", "certificate", "tensors", "datapath", "onnx", "index", "layers", "policy", "multipliers", "journal"]


def build(targets):
    folder = ROOT / "build/fuzz"
    proved = [[str(ROOT / "proofs/coq/build"), str(folder / "coq")]] if "differential" in targets else []
    for command in (["cmake", "--preset", "fuzz"],
                    ["cmake", "--build", "--preset", "fuzz", "--target", *[f"fuzz_{t}" for t in targets], "--parallel", str(os.cpu_count())],
                    *proved,
                    [sys.executable, "-B", str(ROOT / "tests/fuzz/seeds.py"), str(ROOT), str(folder / "seeds")]):
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return folder


def start(folder, target, minutes, timeout):
    learnt, findings, output = folder / "learnt" / target, folder / "findings", folder / "output" / f"{target}.txt"
    for path in (learnt, findings, output.parent):
        path.mkdir(parents=True, exist_ok=True)
    with open(output, "wb") as stream:
        return subprocess.Popen(
            [str(folder / f"tests/fuzz/fuzz_{target}"), f"-max_total_time={round(60 * minutes)}", f"-timeout={timeout}", "-rss_limit_mb=3000",
             "-max_len=20000", "-print_final_stats=1", f"-artifact_prefix={findings}/{target}-", str(learnt), str(folder / "seeds" / target)],
            stdout=subprocess.DEVNULL, stderr=stream, env={**os.environ, "AXECERT_PROVED_CHECK": str(folder / "coq/proved_check")})


def row(folder, target, seconds, usage, finding):
    """usage: of the target and the programs that it waited for; its processor time is less than the time where others run beside."""
    output = (folder / "output" / f"{target}.txt").read_text(errors="replace")
    inputs = re.search(r"stat::number_of_executed_units:\s*(\d+)", output)
    edges = re.findall(r"cov: (\d+)", output)
    if finding:
        print(output[-6000:], file=sys.stderr)
    return (f"| {target} | {seconds / 60:.1f} | {(usage.ru_utime + usage.ru_stime) / 60:.1f} | {int(inputs.group(1)) if inputs else 0:,} | "
            f"{int(edges[-1]) if edges else 0:,} | {int(finding)} |")


def run(folder, targets, minutes, jobs, timeout, show):
    """How many targets ended with a finding; show is called with the rows so far whenever one ends."""
    waiting, running, rows, findings = list(targets), {}, {}, 0
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                process = start(folder, waiting[0], minutes, timeout)
                running[process.pid] = (waiting.pop(0), process, time.monotonic())
            pid, status, usage = os.wait4(-1, 0)
            if pid not in running:
                continue
            target, process, begun = running.pop(pid)
            process.returncode = os.waitstatus_to_exitcode(status)
            findings += process.returncode != 0
            rows[target] = row(folder, target, time.monotonic() - begun, usage, process.returncode != 0)
            show([rows[t] for t in targets if t in rows])
    finally:
        for _, process, _ in running.values():
            process.kill()
            process.wait()
    return findings


def main():
    parser = argparse.ArgumentParser(description="The long run of the fuzz targets.")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--timeout", type=int, default=25)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    parser.add_argument("--results", type=pathlib.Path)
    a = parser.parse_args()
    if a.jobs < 1:
        parser.error("--jobs: at least 1")
    head = ["| target | minutes | processor minutes | inputs | edges | findings |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    last = []

    def show(rows):
        last[:] = rows
        if a.results:
            a.results.write_text("\n".join(head + rows) + "\n")
        print(f"{len(rows)} of {len(a.targets)} targets done", file=sys.stderr, flush=True)

    try:
        findings = run(build(a.targets), a.targets, a.minutes, a.jobs, a.timeout, show)
    except KeyboardInterrupt:
        findings = None
    print("\n".join(head + last), flush=True)
    return 130 if findings is None else 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

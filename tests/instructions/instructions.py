"""Counts the instructions of fixed work under valgrind and compares them with the committed counts.

    python3 instructions.py PROGRAM counts.json --compiler NAME --build-type TYPE [--valgrind PROGRAM] [--write]

PROGRAM is count_instructions. A task fails when it takes more than its count allows: 2 % more where compiler, build type and valgrind are
those of the committed counts; 40 % more elsewhere, because another compiler makes other code: there only a slip of the algorithm shows.
Tasks that take less are named, so that the counts are written again (--write) and the gain is kept. A task without a count, or a count
without a task, fails. Exit code 0: no task failed. Only the Python standard library. Side effects: a temporary folder; with --write
counts.json.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

SAME, OTHER = 0.02, 0.40  # how much more is tolerated: on the compiler of the counts, and on another


def read_dump(text):
    """(name, instructions) of one dump of callgrind, or None for the one at the end of the program."""
    name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.M)
    total = re.search(r"^(?:totals|summary): (\d+)", text, re.M)
    if not name:
        return None
    if not total:
        raise SystemExit(f"no total in the dump of '{name.group(1)}'")
    return name.group(1), int(total.group(1))


def measured(program, valgrind, arguments=()):
    """{task: instructions}."""
    with tempfile.TemporaryDirectory(prefix="axecert-instructions-") as folder:
        done = subprocess.run([valgrind, "--tool=callgrind", "--collect-atstart=no", f"--callgrind-out-file={folder}/dump", str(program), *arguments],
                              capture_output=True, text=True, check=False, env={"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C"})
        if done.returncode != 0:
            raise SystemExit(f"{valgrind} {program}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        dumps = [read_dump(path.read_text()) for path in pathlib.Path(folder).iterdir()]
    counts = dict(dump for dump in dumps if dump)
    if list(sorted(counts)) != sorted(done.stdout.splitlines()):
        raise SystemExit(f"dumps {sorted(counts)} for tasks {done.stdout.splitlines()}")
    return {task: counts[task] for task in done.stdout.splitlines()}


def compare(counts, now, environment):
    """(lines of a table, problems, gains). `counts`: the committed document; `now`: {task: instructions}; `environment`: as in the document."""
    same = counts["environment"] == environment
    tolerated = SAME if same else OTHER
    problems = [f"'{task}' has no committed count" for task in now if task not in counts["instructions"]]
    problems += [f"'{task}' was not run" for task in counts["instructions"] if task not in now]
    lines, gains = [], []
    for task, instructions in now.items():
        before = counts["instructions"].get(task)
        change = "" if before is None else f"{100 * (instructions / before - 1):+.2f} %"
        lines.append(f"| {task} | {instructions:,} | {change} |")
        if before is None:
            continue
        if instructions <= 0 or before <= 0:
            problems.append(f"'{task}': {instructions:,} instructions, {before:,} committed: nothing was counted")
        elif instructions > before * (1 + tolerated):
            problems.append(f"'{task}' takes {change} instructions, tolerated are +{100 * tolerated:g} %")
        elif same and instructions < before * (1 - tolerated):
            gains.append(f"'{task}' takes {change}: keep the gain with --write")
    return lines, problems, gains


def main():
    parser = argparse.ArgumentParser(description="Instruction counts of fixed work against the committed ones.")
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("counts", type=pathlib.Path)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--build-type", required=True)
    parser.add_argument("--valgrind", default="valgrind")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    version = subprocess.run([options.valgrind, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    environment = {"compiler": options.compiler, "build type": options.build_type, "valgrind": version}
    now = measured(options.program.resolve(), options.valgrind)
    if options.write:
        options.counts.write_text(json.dumps({"environment": environment, "instructions": now}, indent=2) + "\n")
        print(f"wrote {len(now)} counts to {options.counts}")
        return 0
    counts = json.loads(options.counts.read_text())
    lines, problems, gains = compare(counts, now, environment)
    print("| | instructions | against the committed count |\n| --- | ---: | ---: |", *lines, sep="\n")
    if counts["environment"] != environment:
        print(f"counted with {environment}, committed with {counts['environment']}: {100 * OTHER:g} % more are tolerated instead of {100 * SAME:g} %")
    for text in gains + problems:
        print(text)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

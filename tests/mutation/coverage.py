"""Branch coverage of the checker: every line and every branch of verify/checker is taken by its tests, or unreachable.txt says why none can.

    python3 coverage.py REPOSITORY KILLERS [--report FILE]

The checker is compiled with gcc --coverage -O0, as a shared library for the test programs of KILLERS (mutate.py) and as axecert-check, which is run on
golden files and on everything that can go wrong with a call (program.py). Branches are those of gcov: both ways of every condition, && and || apart.
Exit code 1: a branch that is not taken and not listed, or listed and taken. Writes a temporary folder, and the report (JSON).
Only the Python standard library, and gcc and gcov.

Requirements: TOR-605.
"""

import argparse
import collections
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from program import judge as judge_program  # noqa: E402

HERE = pathlib.Path(__file__).parent
FLAGS = ["-std=c11", "-O0", "--coverage", "-fPIC", "-DAXC_ONE_TARGET"]
KILLERS = ["killer_golden", "killer_checker", "killer_checker_report", "killer_checker_paths", "killer_tamper", "killer_property_checker", "killer_brute_force"]


def compile_into(folder, sources, *link):
    folder.mkdir()
    for source in sources:
        subprocess.run(["gcc", *FLAGS, "-c", "-o", str(folder / (source.stem + ".o")), str(source)], check=True, cwd=folder)
    subprocess.run(["gcc", "--coverage", *link, *[str(folder / (s.stem + ".o")) for s in sources]], check=True)


def run_tests(killers, library):
    for killer in KILLERS:
        arguments = ["--instances", "400", "--seed", "3"] if killer == "killer_brute_force" else []
        subprocess.run([str(killers / killer), *arguments], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "LD_PRELOAD": str(library)})


def run_program(program, golden):
    for path in sorted(golden.glob("*/*.axec")):
        subprocess.run([str(program), str(path), str(path.with_suffix(".safetensors"))], check=False, stdout=subprocess.DEVNULL)
    judge_program(program, golden)


def gcov(folder, sources):
    """{file: {line: (count, [taken or not of every branch])}}."""
    found = {}
    for source in sources:
        subprocess.run(["gcov", "--json-format", "--branch-probabilities", "-o", str(folder), str(folder / (source.stem + ".gcda"))],
                       check=True, cwd=folder, stdout=subprocess.DEVNULL)
    for path in folder.glob("*.gcov.json.gz"):
        for file in json.loads(gzip.decompress(path.read_bytes()))["files"]:
            lines = found.setdefault(pathlib.Path(file["file"]).name, collections.defaultdict(lambda: [0, collections.Counter()]))
            for line in file["lines"]:
                entry = lines[line["line_number"]]
                entry[0] += line["count"]
                for number, branch in enumerate(line["branches"]):
                    entry[1][(line.get("function_name", ""), number)] += branch["count"]
    return found


def listed(text):
    """{"FILE | LINE | branch N" or "FILE | LINE | never run": reason}; blocks as in equivalent.txt."""
    found = {}
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
        reason = " ".join(line.strip() for line in lines if line[0].isspace())
        for key in (line.strip() for line in lines if not line[0].isspace()):
            if not reason or key in found:
                raise SystemExit(f"unreachable.txt: twice, or without a reason: {key}")
            found[key] = reason
    return found


def main():
    parser = argparse.ArgumentParser(description="Branch coverage of the checker.")
    parser.add_argument("repository", type=pathlib.Path)
    parser.add_argument("killers", type=pathlib.Path)
    parser.add_argument("--report", type=pathlib.Path)
    a = parser.parse_args()
    root = a.repository.resolve()
    sources = sorted((root / "verify/checker").glob("*.c"))
    library_sources = [s for s in sources if s.name != "check_main.c"]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        library = folder / "library" / "library.so"
        compile_into(folder / "library", library_sources, "-shared", "-o", str(library))
        run_tests(a.killers.resolve(), library)
        program = folder / "program" / "axecert-check"
        compile_into(folder / "program", sources, "-o", str(program))
        run_program(program, root / "tests/golden")
        coverage = gcov(folder / "library", library_sources)
        coverage["check_main.c"] = gcov(folder / "program", sources)["check_main.c"]
    reasons = listed((HERE / "unreachable.txt").read_text())
    problems, used, table = [], set(), []
    for source in sources + [root / "verify/checker/core.h"]:
        text = source.read_text().splitlines()
        lines = coverage.get(source.name, {})
        not_taken, all_branches, not_run = 0, 0, 0
        seen = collections.Counter()
        for number in sorted(lines):
            count, branches = lines[number]
            line_text = " ".join(text[number - 1].split())
            seen[line_text] += 1
            which = f" ({seen[line_text]})" if seen[line_text] > 1 else ""
            keys = [] if count else [f"{source.name} | {line_text}{which} | never run"]
            not_run += count == 0
            for index, branch in enumerate(sorted(branches)):
                all_branches += 1
                if branches[branch] == 0:
                    not_taken += 1
                    if count:
                        keys.append(f"{source.name} | {line_text}{which} | branch {index}")
            for key in keys:
                used.add(key)
                if key not in reasons:
                    problems.append(f"{source.name}:{number}: not covered: {key}")
        table.append({"file": source.name, "lines": len(lines), "lines_not_run": not_run, "branches": all_branches, "branches_not_taken": not_taken})
    problems += [f"unreachable.txt: taken, or not there: {key}" for key in reasons if key not in used]
    if a.report:
        a.report.write_text(json.dumps({"files": table, "listed": reasons, "problems": problems}, indent=1) + "\n")
    for problem in problems:
        print(problem)
    for row in table:
        print(f"{row['file']:14} {row['lines'] - row['lines_not_run']:4} of {row['lines']:4} lines, "
              f"{row['branches'] - row['branches_not_taken']:4} of {row['branches']:4} branches")
    total, missed = sum(row["branches"] for row in table), sum(row["branches_not_taken"] for row in table)
    print(f"{total - missed} of {total} branches taken, {missed} not; {len(used)} places argued in unreachable.txt, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

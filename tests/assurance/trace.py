"""The trace matrix: which test or theorem is evidence for which tool requirement of docs/assurance/requirements.md.

    python3 trace.py REPOSITORY --build BUILD [--ctest CTEST] [--results JUNIT] [--output FOLDER]

A tag is TOR- and three digits, in a comment. It is evidence for the requirement of that number
  - in the opening comment or docstring of a test file: by every case of the file, or by the file where it has none;
  - in comment lines right above a case (TEST_CASE, def test_..., Print Assumptions): by that case; in Claims.v by every theorem
    from there to the next blank line or tag;
  - in proofs/smt/NAME.smt2: by that lemma;
  - as text in verify/selftest/selftest.cpp: by the self-test.
A file is evidence only when BUILD has a ctest test that runs it. Exit code 1 when a requirement has no evidence, a tag names no
requirement, or a requirement's number occurs twice. With --results, a file written by `ctest --output-junit`, the matrix also says how each
test ended, and a test that did not pass is no evidence. Writes FOLDER/trace.md and FOLDER/trace.json, or nothing. `matrix` is the main
function. Only the Python standard library.
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

TAG = re.compile(r"\bTOR-\d+\b")
COMMENTS = {".cpp": "//", ".hpp": "//", ".c": "//", ".py": "#", ".sh": "#", ".smt2": ";", ".v": "(*"}
SEARCHED = ["tests", "proofs", "verify", "lib", "cli", "python", "docs", "examples"]
TEXT = {".cpp", ".hpp", ".c", ".h", ".py", ".sh", ".smt2", ".v", ".md", ".txt", ".cmake"}

Evidence = collections.namedtuple("Evidence", "requirement test what file line")


def requirements(text):
    """{number: sentence}, in the order of the tables."""
    found = {}
    for number, sentence in re.findall(r"^\| (TOR-\d+) \| (.*?) \|$", text, re.M):
        if number in found:
            raise SystemExit(f"docs/assurance/requirements.md: {number} occurs twice")
        found[number] = sentence
    return found


def registered(build, ctest):
    """{name: command line as one text} of every test that ctest knows."""
    document = json.loads(subprocess.run([ctest, "--show-only=json-v1"], cwd=build, check=True, capture_output=True).stdout)
    return {test["name"]: " ".join(test.get("command", [])) for test in document["tests"]}


def opening(lines, suffix):
    """Number of lines of the comment or docstring that the file opens with."""
    if suffix == ".py":
        text = "\n".join(lines)
        found = re.match(r'(#.*\n)*"""(.|\n)*?"""', text)
        return found.group(0).count("\n") + 1 if found else 0
    if suffix == ".c":
        text = "\n".join(lines)
        return text[:text.find("*/")].count("\n") + 1 if text.startswith("/*") else 0
    count = 0
    while count < len(lines) and (lines[count].startswith(COMMENTS[suffix]) or (suffix == ".sh" and lines[count].startswith("#!"))):
        count += 1
    return count


def cases(text, suffix):
    """(line number from 0, name) of every case of a test file."""
    if suffix == ".cpp":
        pattern = r'^TEST_CASE\(\s*"((?:[^"\\]|\\.|"\s*")*)"'
    elif suffix == ".py":
        pattern = r"^ *def (test_\w+)\("
    elif suffix == ".v":
        pattern = r"^Print Assumptions (\w+)\."
    else:
        return []
    return [(text.count("\n", 0, m.start()), re.sub(r'"\s*"', "", m.group(1))) for m in re.finditer(pattern, text, re.M)]


def tags_above(lines, at, suffix):
    """Tags in the comment lines right above line `at`; in Claims.v above the theorems before it, too."""
    at -= 1
    while suffix == ".v" and at >= 0 and lines[at].startswith("Print Assumptions"):
        at -= 1
    while suffix == ".py" and at >= 0 and lines[at].strip().startswith("@"):
        at -= 1
    found = []
    while at >= 0 and lines[at].strip().startswith(COMMENTS[suffix]):
        found += TAG.findall(lines[at])
        at -= 1
    return found


def tests_that_run(path, root, tests):
    """Names of the ctest tests that run the file `path`."""
    relative = path.relative_to(root)
    if relative.parts[:1] == ("tests",) and path.suffix in {".c", ".cpp"}:  # one executable per file, and the test is named like it
        own = {f"{relative.parts[1]}.{path.stem}"} | ({path.stem} if relative.parts[1] not in {"unit", "property"} else set())
        return [name for name in tests if name in own]
    if relative.parts[:2] == ("proofs", "coq"):
        return [name for name in tests if name == "proofs.coq"]
    if relative.parts[:2] == ("verify", "selftest"):
        return [name for name in tests if name == "selftest"]
    return [name for name, command in tests.items() if str(path) in command]


def evidence_of(path, root, tests):
    """(evidence, number of cases without a tag) of one file."""
    text = path.read_text()
    lines = text.split("\n")
    run_by = tests_that_run(path, root, tests)
    whole = [] if path.suffix == ".v" else TAG.findall("\n".join(lines[:opening(lines, path.suffix)]))
    relative = str(path.relative_to(root))
    found, untagged = [], 0
    if path.suffix in {".smt2", ".sh"}:
        found = [Evidence(tag, test, path.stem, relative, 1) for tag in sorted(set(whole)) for test in run_by]
        return found, 0 if found else len(run_by)
    for at, name in cases(text, path.suffix):
        tags = sorted(set(whole + tags_above(lines, at, path.suffix)))
        found += [Evidence(tag, test, name, relative, at + 1) for tag in tags for test in run_by]
        untagged += not tags
    if path.suffix in {".py", ".cpp", ".c"} and not cases(text, path.suffix):  # a program that is one test
        found += [Evidence(tag, test, path.stem, relative, 1) for tag in sorted(set(whole)) for test in run_by]
        untagged += not whole and bool(run_by)
    return found, untagged


def test_files(root):
    """Files that may be evidence."""
    for pattern in ("tests/**/*.cpp", "tests/fuzz/*.c", "tests/**/*.py", "tests/**/*.sh", "proofs/smt/*.smt2", "proofs/coq/Claims.v"):
        yield from sorted(root.glob(pattern))


def selftest_evidence(root, tests):
    path = root / "verify/selftest/selftest.cpp"
    if not path.is_file():
        return []
    text, found = path.read_text(), []
    for match in re.finditer(r'\{\s*"([^"]+)",\s*check_\w+,\s*\{([^}]*)\}', text):
        line = text.count("\n", 0, match.start()) + 1
        found += [Evidence(tag, test, match.group(1), "verify/selftest/selftest.cpp", line)
                  for tag in TAG.findall(match.group(2)) for test in tests_that_run(path, root, tests)]
    return found


def outcomes(path):
    """{test: "passed", "failed" or "skipped"} of a file that ctest --output-junit wrote."""
    found = {}
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        failed = case.find("failure") is not None or case.find("error") is not None
        found[case.get("name")] = "failed" if failed else "skipped" if case.find("skipped") is not None else "passed"
    return found


def unknown_tags(root, numbers):
    """"FILE:LINE: TOR-…" for every tag that names no requirement."""
    found = []
    for folder in SEARCHED:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in TEXT or not path.is_file():
                continue
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                found += [f"{path.relative_to(root)}:{number}: {tag} names no requirement"
                          for tag in TAG.findall(line) if tag not in numbers]
    return found


def matrix(root, tests, results=None):
    """{"requirements": [...], "untagged": {...}, "problems": [...]}."""
    numbers = requirements((root / "docs/assurance/requirements.md").read_text())
    problems = unknown_tags(root, numbers)
    evidence, untagged = selftest_evidence(root, tests), {}
    for path in test_files(root):
        found, without = evidence_of(path, root, tests)
        evidence += found
        if without:
            untagged[str(path.relative_to(root))] = without
    rows = []
    for number, sentence in numbers.items():
        own = [e for e in evidence if e.requirement == number]
        if results is not None:
            for e in own:
                if results.get(e.test) == "failed":
                    problems.append(f"{number}: {e.test} failed")
            own = [e for e in own if results.get(e.test) == "passed"]
        if not own:
            problems.append(f"{number} has no evidence" + ("" if results is None else " that passed"))
        rows.append({"number": number, "requirement": sentence,
                     "evidence": [{"test": e.test, "what": e.what, "file": e.file, "line": e.line} for e in own]})
    return {"requirements": rows, "untagged": untagged, "problems": sorted(set(problems))}


def markdown(document, results):
    text = ["# Trace matrix", "", "Written by tests/assurance/trace.py; each requirement with the tests and theorems that name it.",
            "How the tests ended: " + ("not asked (--results)." if results is None else "only those that passed are listed."), ""]
    for row in document["requirements"]:
        text += [f"## {row['number']}", "", row["requirement"], ""]
        by_test = collections.OrderedDict()
        for e in row["evidence"]:
            by_test.setdefault((e["test"], e["file"]), []).append(e["what"])
        text += [f"- `{test}` ({file}): " + "; ".join(whats) for (test, file), whats in by_test.items()]
        text.append("")
    text += ["## Cases that no requirement names", "", "Speed, accuracy, and details below the requirements.", ""]
    text += [f"- {file}: {count}" for file, count in document["untagged"].items()]
    return "\n".join(text) + "\n"


def main():
    parser = argparse.ArgumentParser(description="Writes the trace matrix; fails when a requirement has no evidence.")
    parser.add_argument("repository", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--ctest", default="ctest")
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path)
    a = parser.parse_args()
    root = a.repository.resolve()
    results = None if a.results is None else outcomes(a.results)
    document = matrix(root, registered(a.build, a.ctest), results)
    if a.output:
        a.output.mkdir(parents=True, exist_ok=True)
        (a.output / "trace.json").write_text(json.dumps(document, indent=1) + "\n")
        (a.output / "trace.md").write_text(markdown(document, results))
    for problem in document["problems"]:
        print(problem)
    count = sum(len(row["evidence"]) for row in document["requirements"])
    print(f"{len(document['requirements'])} requirements, {count} pieces of evidence, {len(document['problems'])} problems; "
          f"{sum(document['untagged'].values())} cases that no requirement names")
    return 1 if document["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())

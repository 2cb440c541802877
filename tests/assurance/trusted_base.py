"""The trusted base, file by file with line counts: the tables of docs/assurance/trusted_base.md.

    python3 trusted_base.py REPOSITORY            exit code 1 when the document's tables are not what the files are
    python3 trusted_base.py REPOSITORY --write    writes the tables anew

Lines are all lines of a file; code is those that hold something beside white space and comments. A group's files are globs, so a new file of
a room appears by itself. `tables` is the main function. Only the Python standard library.

Requirements: TOR-605.
"""

import pathlib
import sys

DOCUMENT = "docs/assurance/trusted_base.md"

GROUPS = {
    "checker": ["verify/checker/*.h", "verify/checker/*.c"],
    "verify": ["cli/main.cpp", "cli/verify.cpp", "cli/voters.*", "verify/election/*.?pp", "verify/report/votes.?pp", "lib/certificate/vote.?pp"],
    "formats": ["lib/model/tensors.?pp", "lib/model/safetensors.cpp", "lib/model/npz.cpp", "lib/onnx/*.?pp", "cli/onnx_input.?pp"],
    "meaning": ["proofs/coq/Grouping.v", "proofs/coq/Datapath.v", "proofs/coq/Machine.v", "proofs/coq/Range.v", "proofs/coq/Safety.v",
                "proofs/coq/Limited.v", "proofs/coq/Bracketing.v", "proofs/coq/Checker.v", "proofs/coq/Claims.v"],
    "proved": ["proofs/coq/reader/*.ml"],
    "licence": ["verify/licence/*.?pp", "lib/kernel/*.?pp"],
    "voters": ["verify/smt/*.?pp", "verify/replay/*.?pp", "lib/datapath/machine.?pp", "lib/datapath/topology.cpp"],
}

MARKS = {".h": ("/*", "*/", "//"), ".c": ("/*", "*/", "//"), ".hpp": ("/*", "*/", "//"), ".cpp": ("/*", "*/", "//"),
         ".v": ("(*", "*)", None), ".ml": ("(*", "*)", None)}


def code_lines(text, suffix):
    """Lines with something beside white space and comments. Comments nest in Coq and OCaml; a mark inside a string counts as text."""
    begin, end, line_mark = MARKS[suffix]
    nests = suffix in {".v", ".ml"}
    count, depth = 0, 0
    for line in text.splitlines():
        code, at, quoted = False, 0, False
        while at < len(line):
            if depth == 0 and line[at] == '"' and not (at > 0 and line[at - 1] in "\\'"):
                quoted = not quoted
            if not quoted and depth and line.startswith(end, at):
                depth -= 1
                at += len(end)
            elif not quoted and (depth == 0 or nests) and line.startswith(begin, at):
                depth += 1
                at += len(begin)
            elif not quoted and depth == 0 and line_mark and line.startswith(line_mark, at):
                break
            else:
                code = code or (depth == 0 and not line[at].isspace())
                at += 1
        count += code
    return count


def files_of(root, globs):
    found = []
    for pattern in globs:
        matches = sorted(root.glob(pattern))
        if not matches:
            raise SystemExit(f"{pattern}: no such file; mend tests/assurance/trusted_base.py")
        found += matches
    return found


def table(root, globs):
    lines = ["| file | lines | code |", "| --- | ---: | ---: |"]
    total, total_code = 0, 0
    for path in files_of(root, globs):
        text = path.read_text()
        number, code = len(text.splitlines()), code_lines(text, path.suffix)
        total, total_code = total + number, total_code + code
        lines.append(f"| `{path.relative_to(root)}` | {number:,} | {code:,} |")
    lines.append(f"| all | {total:,} | {total_code:,} |")
    return "\n".join(lines)


def tables(root, text):
    """The document with every table between its marks written anew."""
    for name, globs in GROUPS.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise SystemExit(f"{DOCUMENT}: the marks of '{name}' are not there once")
        head, rest = text.split(begin)
        text = head + begin + table(root, globs) + "\n" + end + rest.split(end, 1)[1]
    return text


def main():
    if len(sys.argv) < 2 or sys.argv[2:] not in ([], ["--write"]):
        raise SystemExit(__doc__)
    root = pathlib.Path(sys.argv[1]).resolve()
    path = root / DOCUMENT
    old = path.read_text()
    new = tables(root, old)
    if sys.argv[2:]:
        path.write_text(new)
        return 0
    if old != new:
        for a, b in zip(old.splitlines(), new.splitlines()):
            if a != b:
                print(f"{DOCUMENT}: {a}\n  is now: {b}")
        print(f"run: python3 tests/assurance/trusted_base.py {sys.argv[1]} --write")
        return 1
    print("the line counts are those of the files")
    return 0


if __name__ == "__main__":
    sys.exit(main())

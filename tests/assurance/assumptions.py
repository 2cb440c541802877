"""Every assumption that a certificate can list is explained in docs/assurance/assumptions.md, and no other.

    python3 assumptions.py REPOSITORY

The closed list is that of docs/certificate.md; the checker's own text (verify/checker/container.c) and lib/certificate must know the same names.
Exit code 1 when one of the four differs. Only the Python standard library.

Requirements: TOR-209, TOR-605.
"""

import pathlib
import re
import sys

NAME = r"[a-z0-9]+(?:-[a-z0-9]+)+"


def section(text, heading):
    """The text below a heading, up to the next one of its level."""
    level = heading.split(" ")[0]
    found = re.search(rf"^{re.escape(heading)}$(.*?)(?=^{level} |\Z)", text, re.S | re.M)
    if not found:
        raise SystemExit(f"no section '{heading}'")
    return found.group(1)


def rows(text):
    return set(re.findall(rf"^\| `({NAME})` \|", text, re.M))


def names(root):
    """{place: names} of the four places."""
    c = (root / "verify/checker/container.c").read_text()
    checker = re.findall(r'axc_expect\(c, "([^"]*)(?:\\")?", AXC_ASSUMPTIONS\)', c)
    library = "".join(path.read_text() for path in sorted((root / "lib/certificate").glob("*.cpp")))
    of_library = re.search(r"name_of\(Assumption.*?\n}", library, re.S)
    return {
        "docs/certificate.md": rows(section((root / "docs/certificate.md").read_text(), "## Assumptions")),
        "docs/assurance/assumptions.md": rows(section((root / "docs/assurance/assumptions.md").read_text(), "## Printed with the verdict")),
        "verify/checker/container.c": {word for text in checker for word in re.findall(NAME, text)},
        "lib/certificate": set(re.findall(rf'"({NAME})"', of_library.group(0) if of_library else "")),
    }


def main():
    found = names(pathlib.Path(sys.argv[1]).resolve())
    everything = set().union(*found.values())
    wrong = [f"{place}: lacks {name}" for place, own in found.items() for name in sorted(everything - own)]
    print("\n".join(wrong) if wrong else f"{len(everything)} assumptions, the same in {len(found)} places")
    return 1 if wrong or not everything else 0


if __name__ == "__main__":
    sys.exit(main())

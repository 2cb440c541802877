"""How the instructions of every reader grow with hostile files, counted under valgrind: twice the bytes must not take much more than twice as many.

    python3 growth.py PROGRAM [--valgrind PROGRAM] [--format NAME] [--table]

PROGRAM is hostile_growth, which reads each case at two sizes. A case fails when its exponent, log(instructions ratio) / log(bytes ratio), is above 1.25:
2 is quadratic, 1 linear, and n log n is below 1.1 here. Below 2 million instructions at the greater size nothing is said, and for files that do not grow.
Exit code 0: no case failed. Only the Python standard library. Side effects: a temporary folder.

Requirements: TOR-202.
"""

import argparse
import itertools
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "instructions"))
import instructions  # noqa: E402

MOST, TOO_FEW = 1.25, 2_000_000


def exponents(counts):
    """[(case, bytes, instructions, exponent or None)] of {"CASE @ N @ BYTES": instructions}, two entries a case."""
    rows = []
    for case, group in itertools.groupby(counts.items(), key=lambda item: item[0].split(" @ ")[0]):
        (one, few), (two, many) = list(group)
        small, large = (int(task.rsplit(" @ ", 1)[1]) for task in (one, two))
        grows = large > 1.2 * small and many >= TOO_FEW
        rows.append((case, large, many, math.log(many / max(few, 1)) / math.log(large / small) if grows else None))
    return rows


def main():
    parser = argparse.ArgumentParser(description="How instructions grow with hostile files.")
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--valgrind", default="valgrind")
    parser.add_argument("--format", default="")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    rows = exponents(instructions.measured(options.program.resolve(), options.valgrind, [options.format] if options.format else []))
    said = [row for row in rows if row[3] is not None]
    for case, size, count, exponent in rows if options.table else []:
        print(f"| {case} | {size:,} | {count:,} | {'' if exponent is None else f'{exponent:.2f}'} |")
    worst = max(said, key=lambda row: row[3], default=None)
    if worst is None:
        print("no case was counted")
        return 1
    print(f"{len(said)} cases grow; the greatest exponent is {worst[3]:.2f}: {worst[0]}")
    print(f"the most instructions a byte: {max(count / size for _, size, count, e in rows if e is not None):,.0f}")
    slow = [row for row in said if row[3] > MOST]
    for case, size, count, exponent in slow:
        print(f"{case}: exponent {exponent:.2f} at {size:,} bytes, {count:,} instructions; at most {MOST} is tolerated")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())

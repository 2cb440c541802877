"""The presets that Coq's theorems speak of (proofs/coq/Presets.v) are those that axecert has (lib/datapath/presets).

    python3 same_presets.py REPOSITORY

Stage by stage: width, group, stride, overflow, limits, initial value, claim; and the range of activations that the theorems suppose is the
preset's. Exit code 0: no difference. Only the Python standard library.

Requirements: TOR-404.
"""

import pathlib
import re
import sys
import tomllib

OPERANDS = {"x86-avx2-maddubs": "u8", "neon-mull-mlal": "s8"}


def definition(text, name):
    found = re.search(rf"Definition {name}\b[^.]*?:=\s*(.*?)\.\n", text, re.DOTALL)
    if not found:
        sys.exit(f"Presets.v does not define {name}")
    return found[1]


def stage_of_coq(text, name):
    word, width, group, stride, overflow, limits, initial, claim = definition(text, name).split()
    assert word == "Stage", name
    return (int(width), int(group), int(stride), overflow.lower(), limits.lower(), initial.removeprefix("Initial").lower(),
            {"EveryPartialSum": "every-partial-sum", "FinalValue": "final-value"}[claim])


def stage_of_preset(stage):
    group = stage["group"]
    return (stage["width"], 0 if group == "all" else group, stage.get("stride", 1), stage["overflow"], stage["limits"],
            stage.get("initial", "zero"), stage.get("claim", "every-partial-sum"))


def main():
    repository = pathlib.Path(sys.argv[1])
    text = (repository / "proofs/coq/Presets.v").read_text()
    wrong = 0
    for name, operand in OPERANDS.items():
        preset = tomllib.loads((repository / f"lib/datapath/presets/{name}.toml").read_text())
        stages = definition(text, name.replace("-", "_")).strip("[]").split("; ")
        _, lower, upper = definition(text, operand).replace("(", "").replace(")", "").split()
        if len(stages) != len(preset["stage"]):
            print(f"{name}: Coq has {len(stages)} stages, the preset {len(preset['stage'])}")
            wrong += 1
        pairs = [([int(lower), int(upper)], preset["activations"])]
        pairs += zip([stage_of_coq(text, stage) for stage in stages], [stage_of_preset(stage) for stage in preset["stage"]])
        for coq, toml in pairs:
            if coq != toml:
                print(f"{name}: Coq says {coq}, the preset {toml}")
                wrong += 1
    print(f"{len(OPERANDS)} presets compared, {wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

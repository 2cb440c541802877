"""What is to be run: recipes at accumulators, each with its calibration and the windows it is measured on.

A `Run` is one quantized model; runs that differ only in the windows asked for are one run. Main functions: `plan`,
`Windows.parse`, `sweep_points`. No side effects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from axecert import InputError

from .recipes import Accumulator, Template
from .storage import canonical_json, sha256

Evaluation = dict[int, int | None]  # window length → number of windows, None for all


@dataclass(frozen=True)
class Calibration:
    """`sequences` of `length` tokens, drawn without replacement with `seed`."""

    sequences: int
    length: int
    seed: int

    def __str__(self) -> str:
        return f"{self.sequences}x{self.length}"

    @classmethod
    def parse(cls, text: str, seed: int) -> Calibration:
        """From "128x2048"; InputError otherwise."""
        match = re.fullmatch(r"(\d{1,7})x(\d{1,7})", text)
        if match is None or int(match[1]) == 0 or int(match[2]) < 2:
            raise InputError(
                f"calibration {text!r}", "is not of the form 128x2048", "sequences, at least 1, x tokens, at least 2"
            )
        return cls(int(match[1]), int(match[2]), seed)


@dataclass(frozen=True)
class Run:
    """One model to make (or the float model itself) and what to measure of it."""

    template: str
    title: str
    group: str
    accumulator: Accumulator | None
    recipe: Mapping[str, Any] | None  # fields of axecert.Recipe; None: the float model
    chosen: Mapping[str, Any]
    calibration: Calibration | None
    part: str  # "whole": calibrated on one text and measured on the other; "screen": both on parts of the former
    evaluate: Evaluation = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For people: "ours@P=16,T=128", with what was chosen, "[activation_bits=5]", in a screening run."""
        text = self.template + (f"@{self.accumulator}" if self.accumulator else "")
        if self.part == "screen":
            text += "[" + ",".join(f"{key}={plain(value)}" for key, value in self.chosen.items()) + "]"
        return text

    @property
    def constrained(self) -> bool:
        """Whether the recipe promises that no register overflows."""
        return self.recipe is not None and self.recipe.get("options", {}).get("constraint", "axe") != "none"

    def key(self, model: str, calibration_text: str) -> str:
        """What decides the quantized model: equal keys mean equal integers. The two arguments are SHA-256 of model
        and text."""
        calibration = (
            None
            if self.calibration is None
            else [self.calibration.sequences, self.calibration.length, self.calibration.seed]
        )
        decisive = [model, None if self.recipe is None else [calibration_text, self.recipe, calibration], self.part]
        return sha256(canonical_json(decisive))

    def with_evaluation(self, more: Evaluation) -> Run:
        """The same run, measured on these windows as well."""
        evaluate = dict(self.evaluate)
        for length, limit in more.items():
            known = evaluate.get(length, limit)
            evaluate[length] = None if limit is None or known is None else max(limit, known)
        return replace(self, evaluate=evaluate)


def plain(value: Any) -> str:
    """A chosen value in few characters: ["smooth", 0.4] as smooth:0.4."""
    return ":".join(str(part) for part in value) if isinstance(value, list) else str(value)


def parse_windows(text: str, limit: str | None) -> Evaluation:
    """From "512,2048" and a limit that is absent, "40", or "512=40,2048=10" (others unlimited)."""
    lengths = numbers(text, "windows", 2)
    limits: dict[int, int | None] = dict.fromkeys(lengths)
    if limit is None:
        return limits
    if limit.isdigit():
        return dict.fromkeys(lengths, numbers(limit, "windows limit", 1)[0])
    for entry in limit.split(","):
        length, _, count = entry.partition("=")
        if not length.isdigit() or int(length) not in limits:
            raise InputError(f"windows limit {limit!r}", f"{entry!r} names no window length", f"lengths are {text}")
        limits[int(length)] = numbers(count, "windows limit", 1)[0]
    return limits


def numbers(text: str, place: str, least: int) -> list[int]:
    """From "1,2,5" or "12..16" or both mixed: whole numbers in the order given, each at least `least`."""
    values: list[int] = []
    for entry in text.split(","):
        match = re.fullmatch(r"(\d{1,9})(?:\.\.(\d{1,9}))?", entry.strip())
        if match is None or int(match[1]) < least:
            raise InputError(
                f"{place} {text!r}", f"{entry!r} is not a number from {least}", "for example 512,2048 or 12..16"
            )
        values += range(int(match[1]), int(match[2] or match[1]) + 1)
    return values


def sweep_points(text: str, recipes: Iterable[str]) -> dict[str, list[Accumulator]]:
    """From "P=12..16,T=32,64,128,row", for each recipe: every width with every tile, tile by tile. Several of these stand apart by
    semicolons, where each tile wants widths of its own; "NAME:" before one makes it that recipe's alone."""
    found: dict[str, dict[Accumulator, None]] = {recipe: {} for recipe in recipes}
    for part in text.replace(" ", "").split(";"):
        match = re.fullmatch(r"(?:([^:;=]+):)?P=([\d.,]+?),T=([\d,row]+)", part)
        if match is None:
            remedy = "widths, then tiles; more of them after a semicolon; NAME: before those of one recipe"
            raise InputError(f"sweep {text!r}", f"{part!r} is not of the form P=12..16,T=32,64,row", remedy)
        if match[1] is not None and match[1] not in found:
            raise InputError(f"sweep {text!r}", f"{match[1]!r} is not swept", f"one of {', '.join(found)}; --sweep-recipes names them")
        for tile in match[3].split(","):
            widths = {Accumulator.parse(f"P={bits},T={tile}"): None for bits in numbers(match[2], "sweep", 2)}
            for recipe in found if match[1] is None else [match[1]]:
                found[recipe] |= widths
    for recipe, accumulators in found.items():
        if not accumulators:
            raise InputError(f"sweep {text!r}", f"has no accumulators for {recipe}", "add them, or leave it out of --sweep-recipes")
    return {recipe: list(accumulators) for recipe, accumulators in found.items()}


def points(text: str) -> list[Accumulator]:
    """From "P=16,T=128;P=14,T=32"."""
    return [Accumulator.parse(entry) for entry in text.split(";") if entry.strip()]


def make_run(
    template: Template,
    accumulator: Accumulator | None,
    calibration: Calibration,
    chosen: Mapping[str, Any] | None = None,
    *,
    part: str = "whole",
    evaluate: Evaluation | None = None,
) -> Run:
    """The run of a template at an accumulator (ignored by templates that have no place for one)."""
    place = accumulator if template.has_place else None
    return Run(
        template=template.name,
        title=template.title,
        group=template.group,
        accumulator=place,
        recipe=None if template.is_float else template.filled(place, chosen),
        chosen=dict(chosen or {}),
        calibration=None if template.is_float else calibration,
        part=part,
        evaluate=dict(evaluate or {}),
    )


@dataclass(frozen=True)
class Entry:
    """One cell to fill: a template at an accumulator, still to be chosen among its candidates."""

    template: Template
    accumulator: Accumulator | None
    calibration: Calibration
    evaluate: Evaluation
    main: bool = True  # in the main table; False: only in the sweep

    @property
    def name(self) -> str:
        """As the run's."""
        return self.template.name + (f"@{self.accumulator}" if self.accumulator else "")


def select(templates: Mapping[str, Template], names: Iterable[str]) -> list[Template]:
    """The templates of these names; InputError for one that does not exist."""
    chosen = []
    for name in names:
        if name not in templates:
            raise InputError(f"recipe {name!r}", "is not known", f"one of {', '.join(templates)}")
        chosen.append(templates[name])
    return chosen


def entries(
    templates: Mapping[str, Template],
    names: Iterable[str],
    accumulators: list[Accumulator],
    calibration: Calibration,
    evaluate: Evaluation,
    *,
    main: bool = True,
) -> list[Entry]:
    """Cells of a table: the float model, every named recipe (once, or at each accumulator), and the references they
    are compared with."""
    wanted: dict[str, None] = dict.fromkeys(name for name, template in templates.items() if template.is_float)
    for template in select(templates, names):
        if template.reference is not None:
            wanted.setdefault(template.reference)
        wanted.setdefault(template.name)
    result: list[Entry] = []
    for template in select(templates, wanted):
        if template.has_place and not accumulators:
            raise InputError(f"recipe {template.name}", "needs an accumulator", "give --points or --sweep")
        for accumulator in accumulators if template.has_place else [None]:
            result.append(Entry(template, accumulator, calibration, evaluate, main))
    return result


def merge(cells: Iterable[Entry]) -> list[Entry]:
    """One cell for those that differ only in their windows. The float model has no calibration: its cells are one."""
    result: dict[tuple[str, str, str], Entry] = {}
    for cell in cells:
        calibration = "" if cell.template.is_float else f"{cell.calibration} {cell.calibration.seed}"
        identity = (cell.template.name, str(cell.accumulator), calibration)
        known = result.get(identity)
        if known is None:
            result[identity] = cell
        else:
            run = make_run(known.template, known.accumulator, known.calibration, evaluate=known.evaluate)
            result[identity] = replace(
                known, evaluate=run.with_evaluation(cell.evaluate).evaluate, main=known.main or cell.main
            )
    return list(result.values())

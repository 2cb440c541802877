"""Named recipes as data: a TOML table of templates, each a set of fields of axecert.Recipe with a place for the
accumulator.

A template with `{accumulator}` in its datapath stands for one recipe per accumulator (P, T); one with `choose` for
several candidates, of which the best on calibration text is kept (choice.py). Main functions: `builtin`, `read`.
Side effects: reads TOML files.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import itertools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axecert import InputError
from axecert.recipe import Recipe

PLACE = "{accumulator}"
RECIPE_KEYS = frozenset(entry.name for entry in dataclasses.fields(Recipe))
TEMPLATE_KEYS = frozenset({"title", "group", "base", "abstract", "float", "choose", "reference"})


@dataclass(frozen=True)
class Accumulator:
    """The narrow register: `bits` wide, adding `tile` products, or the whole row when tile is None."""

    bits: int
    tile: int | None

    def __str__(self) -> str:
        return f"P={self.bits}" + ("" if self.tile is None else f",T={self.tile}")

    @property
    def tile_text(self) -> str:
        """ "64", or "row"."""
        return "row" if self.tile is None else str(self.tile)

    @classmethod
    def parse(cls, text: str) -> Accumulator:
        """From "P=16,T=64", "P=16,T=row" or "P=16". InputError otherwise."""
        match = re.fullmatch(r"P=(\d{1,2})(?:,T=(\d{1,9}|row))?", text.replace(" ", ""))
        bits, tile = (int(match[1]), match[2]) if match else (0, None)
        if match is None or not 2 <= bits <= 64 or tile == "0":
            raise InputError(
                f"accumulator {text!r}", "is not of the form P=16,T=64", "P: 2 to 64 bits; T: products, or row"
            )
        return cls(bits, None if tile in (None, "row") else int(tile))


@dataclass(frozen=True)
class Template:
    """One named recipe of a file, its base's keys filled in."""

    name: str
    title: str
    group: str
    fields: Mapping[str, Any]  # of axecert.Recipe; the datapath may hold PLACE
    is_float: bool = False
    choose: Mapping[str, list[Any]] = field(default_factory=dict)
    reference: str | None = None  # the unconstrained recipe that this one is compared with

    @property
    def has_place(self) -> bool:
        """Whether it stands for one recipe per accumulator."""
        return PLACE in str(self.fields.get("datapath", ""))

    def filled(self, accumulator: Accumulator | None, chosen: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Fields of a Recipe with the accumulator in its place and the chosen fields (if any) over them."""
        fields = merged(self.fields, chosen or {})
        if accumulator is not None:
            fields["datapath"] = fields["datapath"].replace(PLACE, str(accumulator))
        return fields


@dataclass(frozen=True)
class RecipeFile:
    """The templates of a file, and the values it gives to options of the command."""

    templates: dict[str, Template]
    settings: dict[str, Any]


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over`; where both hold a table, the tables are merged."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def candidates(template: Template) -> list[dict[str, Any]]:
    """Every combination of the values to choose from, in the order of the lists; one empty combination where nothing
    is chosen."""
    return [dict(zip(template.choose, values, strict=True)) for values in itertools.product(*template.choose.values())]


def make_recipe(place: str, fields: Mapping[str, Any]) -> Recipe:
    """The Recipe of these fields; InputError names `place` when it refuses them."""
    try:
        return Recipe.from_dict(fields)
    except InputError as error:
        raise InputError(f"{place}: {error.place}", error.problem, error.remedy) from error
    except (TypeError, ValueError) as error:
        raise InputError(place, str(error), "see docs/language_models.md for keys and values") from error


def _parse(
    text: str, place: str, known: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Raw tables of a file with every base filled in (from the file or from `known`), and its other keys."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(place, str(error), "correct the TOML") from error
    own = document.pop("recipe", {})
    if not isinstance(own, dict) or not all(isinstance(table, dict) for table in own.values()):
        raise InputError(place, "recipe is not a table of tables", "write [recipe.NAME]")
    resolved: dict[str, dict[str, Any]] = {name: dict(table) for name, table in known.items()}

    def resolve(name: str, path: tuple[str, ...]) -> dict[str, Any]:
        if name in path:
            raise InputError(
                f"{place}: recipe {name}", "is its own base: " + " → ".join((*path, name)), "break the circle"
            )
        if name not in own:
            if name in resolved:
                return resolved[name]
            raise InputError(
                f"{place}: recipe {path[-1]}",
                f"has an unknown base {name!r}",
                f"one of {', '.join(sorted({*own, *known}))}",
            )
        table = own[name]
        unknown = sorted(set(table) - RECIPE_KEYS - TEMPLATE_KEYS)
        if unknown:
            keys = ", ".join(sorted(RECIPE_KEYS | TEMPLATE_KEYS))
            raise InputError(f"{place}: recipe {name}", f"unknown key {unknown[0]!r}", f"keys are {keys}")
        base = resolve(table["base"], (*path, name)) if "base" in table else {}
        inherited = {key: value for key, value in base.items() if key != "abstract"}
        return merged(inherited, table)

    resolved.update({name: resolve(name, ()) for name in own})
    return resolved, document


def _template(place: str, name: str, table: Mapping[str, Any]) -> Template:
    """A template from its resolved table; every recipe it can stand for is made once, so that mistakes show before
    the first run."""
    place = f"{place}: recipe {name}"
    if re.fullmatch(r"[A-Za-z0-9._-]+", name) is None:
        raise InputError(place, "the name holds other characters than letters, digits, . _ -", "rename it")
    choose = table.get("choose", {})
    if not isinstance(choose, Mapping) or not all(isinstance(values, list) and values for values in choose.values()):
        raise InputError(place, "choose is not a table of lists", "for example choose = { rotate = [true, false] }")
    template = Template(
        name=name,
        title=str(table.get("title", name)),
        group=str(table.get("group", "")),
        fields={key: value for key, value in table.items() if key in RECIPE_KEYS},
        is_float=bool(table.get("float", False)),
        choose=choose,
        reference=table.get("reference"),
    )
    if not template.is_float:
        accumulator = Accumulator(16, 64) if template.has_place else None
        for chosen in candidates(template):
            make_recipe(place, template.filled(accumulator, chosen))
    return template


def _file(tables: Mapping[str, Mapping[str, Any]], settings: dict[str, Any], place: str) -> RecipeFile:
    templates = {name: _template(place, name, table) for name, table in tables.items() if not table.get("abstract")}
    for template in templates.values():
        if template.reference is not None and template.reference not in templates:
            raise InputError(
                f"{place}: recipe {template.name}", f"unknown reference {template.reference!r}", "name a recipe"
            )
    return RecipeFile(templates, settings)


def _builtin_text() -> str:
    return importlib.resources.files(__package__).joinpath("recipes.toml").read_text(encoding="utf-8")


def builtin() -> RecipeFile:
    """The recipes that come with the package (recipes.toml)."""
    tables, settings = _parse(_builtin_text(), "recipes.toml", {})
    return _file(tables, settings, "recipes.toml")


def read(path: Path) -> RecipeFile:
    """A user's file: its own recipes beside (or instead of) the built-in ones of the same name, and its settings over
    theirs."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"cannot be read: {error}", "name a TOML file") from error
    known, defaults = _parse(_builtin_text(), "recipes.toml", {})
    tables, settings = _parse(text, str(path), known)
    return _file(tables, {**defaults, **settings}, str(path))

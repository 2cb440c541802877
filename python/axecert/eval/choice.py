"""Choosing among a template's candidates by perplexity on calibration text that the candidates were not calibrated on.

One list of values is taken as ordered: from its middle (or the first that works) one walks up and down as long as
perplexity falls, and what lies beyond a rise is not tried. Several lists: every combination is tried. Main function:
`choose`. No side effects of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ORDERED_RULE = (
    "from the middle of the list, or the first value that works, in both directions as long as perplexity falls; "
    "the rest is not tried"
)
ALL_RULE = "every combination is tried"


@dataclass(frozen=True)
class Tried:
    """A candidate and its perplexity, or why it has none."""

    chosen: Mapping[str, Any]
    perplexity: float | None
    reason: str = ""


@dataclass(frozen=True)
class Choice:
    """What was tried, by which rule, and the best (None when no candidate works)."""

    rule: str
    tried: tuple[Tried, ...]
    not_tried: tuple[Mapping[str, Any], ...]

    @property
    def best(self) -> Tried | None:
        """The least perplexity; the first of equals."""
        working = [
            (entry.perplexity, index, entry) for index, entry in enumerate(self.tried) if entry.perplexity is not None
        ]
        return min(working)[2] if working else None


def choose(candidates: list[dict[str, Any]], *, ordered: bool, attempt: Callable[[dict[str, Any]], Tried]) -> Choice:
    """Tries candidates by the rule of this file; `attempt` is called at most once for each."""
    tried: dict[int, Tried] = {}

    def value(index: int) -> float:
        if index not in tried:
            tried[index] = attempt(candidates[index])
        found = tried[index].perplexity
        return float("inf") if found is None else found

    if ordered:
        middle = len(candidates) // 2
        order = [middle, *(index for index in range(len(candidates)) if index != middle)]
        start = next((index for index in order if value(index) < float("inf")), None)
        for step in (1, -1) if start is not None else ():
            index = start
            while index is not None and 0 <= index + step < len(candidates) and value(index + step) < value(index):
                index += step
    else:
        for index in range(len(candidates)):
            value(index)
    not_tried = tuple(candidates[index] for index in range(len(candidates)) if index not in tried)
    return Choice(ORDERED_RULE if ordered else ALL_RULE, tuple(tried[index] for index in sorted(tried)), not_tried)

"""The result of a study as one JSON document: what was measured, on what, by which protocol, and what follows from it.

Main function: `summarize`. No side effects.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Sequence
from typing import Any

import axecert

from . import protocol
from .perplexity import Perplexity, ratio
from .plan import Evaluation
from .recipes import make_recipe
from .study import Outcome, Study

FORMAT = "axecert language model evaluation 1"
WITHIN = 1.05  # of the unconstrained perplexity: the smallest accumulator that a result names


def versions() -> dict[str, str]:
    """Versions of what computed the result."""
    found = {"axecert": axecert.__version__, "python": platform.python_version()}
    for name in ("torch", "transformers", "tokenizers", "numpy"):
        found[name] = importlib.metadata.version(name)
    return found


def machine() -> dict[str, Any]:
    """What the times depend on."""
    return {"processors": os.cpu_count(), "architecture": platform.machine(), "system": platform.system()}


def _nll(outcome: Outcome | None, length: int, limit: int | None) -> list[float] | None:
    """Window likelihoods of an outcome, as many as asked for; None when it has not so many."""
    if outcome is None or outcome.result is None:
        return None
    found = outcome.result["perplexity"].get(str(length))
    if found is None:
        return None
    count = found["windows"] if limit is None else min(limit, found["windows"])
    return found["nll"][:count] if len(found["nll"]) >= count else None


class Outcomes:
    """Finding the outcome that another is compared with."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self._outcomes = outcomes

    def float_model(self) -> Outcome | None:
        """The float model's."""
        return next((outcome for outcome in self._outcomes if outcome.entry.template.is_float), None)

    def reference(self, outcome: Outcome) -> Outcome | None:
        """The outcome of the unconstrained recipe with the same calibration."""
        wanted = outcome.entry.template.reference
        return next(
            (
                other
                for other in self._outcomes
                if other.entry.template.name == wanted
                and other.entry.calibration == outcome.entry.calibration
                and (other.entry.accumulator in (None, outcome.entry.accumulator) or not other.entry.template.has_place)
            ),
            None,
        )


def _compared(measured: list[float], other: Outcome | None, length: int, limit: int | None) -> dict[str, Any] | None:
    reference = _nll(other, length, limit)
    if other is None or reference is None or len(reference) != len(measured):
        return None
    value, spread = ratio(measured, reference)
    return {"recipe": other.entry.name, "ratio": finite(value), "standard_error": finite(spread)}


def finite(value: float | None) -> float | None:
    """The value, or None where JSON has no number for it."""
    return value if value is not None and abs(value) < float("inf") else None


def perplexities(outcomes: Outcomes, outcome: Outcome, evaluate: Evaluation) -> dict[str, Any]:
    """Perplexity by window length, on as many windows as asked for, beside float and the unconstrained reference."""
    found = {}
    for length, limit in sorted(evaluate.items()):
        nll = _nll(outcome, length, limit)
        if nll is None or outcome.result is None:
            continue
        raw = outcome.result["perplexity"][str(length)]
        measured = Perplexity(length, tuple(nll), raw["seconds"])
        found[str(length)] = {
            "perplexity": finite(measured.value),
            "standard_error": finite(measured.standard_error),
            "mean_nll": measured.mean,
            "windows": len(nll),
            "windows_in_text": raw["windows"],
            "predicted_tokens": len(nll) * (length - 1),
            "text_tokens": raw["text_tokens"],
            "to_float": _compared(nll, outcomes.float_model(), length, limit),
            "to_reference": _compared(nll, outcomes.reference(outcome), length, limit),
        }
    return found


def _errors(report: dict[str, Any]) -> dict[str, Any]:
    known = [layer["relative_error"] for layer in report["layers"] if layer["relative_error"] >= 0]
    return {"median": statistics.median(known), "mean": statistics.fmean(known), "largest": max(known)} if known else {}


def certificate(outcome: Outcome) -> dict[str, Any] | None:
    """The whole model's certificate: where it is, what it says and who agreed, with everything that it does not speak
    about."""
    result = outcome.result
    if result is None or "verification" not in result:
        return None
    report, verification = result["quantized"]["report"], result["verification"]
    return {
        "verdict": verification["verdict"],
        "layers": len(report["layers"]),
        "nodes": sum(layer["nodes"] for layer in report["layers"]),
        "unsafe_nodes": sum(layer["unsafe_nodes"] for layer in report["layers"]),
        "weights": sum(layer["rows"] * layer["cols"] for layer in report["layers"]),
        "sha256": verification["files"],
        "bytes": verification["bytes"],
        "votes": verification["votes"],
        "seconds": verification["seconds"],
        "not_certified": report["not_certified"],
        "unsupported": report["unsupported"],
    }


def trusted(outcome: Outcome) -> bool:
    """Whether the voters called the model safe, where its recipe promises it; a recipe without a constraint promises
    nothing."""
    if outcome.run is None or not outcome.run.constrained:
        return True
    return outcome.result is not None and outcome.result["verification"]["verdict"] == "safe"


def _row(study: Study, outcomes: Outcomes, outcome: Outcome) -> dict[str, Any]:
    entry, run, result = outcome.entry, outcome.run, outcome.result
    row: dict[str, Any] = {
        "name": entry.name,
        "recipe": entry.template.name,
        "title": entry.template.title,
        "group": entry.template.group,
        "accumulator": None
        if entry.accumulator is None
        else {"bits": entry.accumulator.bits, "tile": entry.accumulator.tile},
        "reference": entry.template.reference,
        "main": entry.main,
        "status": "done" if result is not None else "no result",
        "reason": outcome.reason,
    }
    if outcome.choice is not None:
        row["choice"] = {
            "rule": outcome.choice.rule,
            "calibration": str(study.settings.screen),
            "windows": "{}x{}".format(*study.settings.screen_windows),
            "tried": [
                {"chosen": dict(one.chosen), "perplexity": finite(one.perplexity), "reason": one.reason}
                for one in outcome.choice.tried
            ],
            "not_tried": [dict(one) for one in outcome.choice.not_tried],
            "chosen": None if outcome.choice.best is None else dict(outcome.choice.best.chosen),
        }
    if run is None or result is None:
        return row
    row |= {
        "perplexity": perplexities(outcomes, outcome, entry.evaluate),
        "sweep": perplexities(outcomes, outcome, study.sweep),
        "measuring_seconds": {length: found["seconds"] for length, found in result["perplexity"].items()},
        "folder": study.job(run).folder.removeprefix(str(study.settings.out)).lstrip("/"),
        "key": result["key"],
        "peak_memory_bytes": result["peak_memory"],
        "threads": result["threads"],
        "axecert": result["axecert"],
        "core_sha256": result["core"],
    }
    if run.recipe is not None and run.calibration is not None:
        quantized = result["quantized"]
        report = quantized["report"]
        row |= {
            "settings": make_recipe(run.name, run.recipe).to_dict(),
            "calibration": {
                "sequences": run.calibration.sequences,
                "length": run.calibration.length,
                "seed": run.calibration.seed,
                "tokens": max((layer["tokens"] for layer in report["layers"]), default=0),  # rows that a layer saw
                "sha256": report["calibration"],
            },
            "constrained": run.constrained,
            "trusted": trusted(outcome),
            "weight_bits": sorted({layer["weight_bits"] for layer in report["layers"]}),
            "relative_error": _errors(report),
            "relative_error_by_layer": {layer["name"]: layer["relative_error"] for layer in report["layers"]},
            "warnings": [f"{layer['name']}: {warning}" for layer in report["layers"] for warning in layer["warnings"]],
            "quantizing_seconds": {"whole": quantized["seconds"], **report["seconds"]},
            "quantizing_cpu_seconds": _cpu_seconds(quantized),
            "quantizing_resumed": quantized["resumed"],
            "quantizing_peak_memory_bytes": quantized["peak_memory"],
            "overflows_seen": result["overflows_seen"],
            "certificate": certificate(outcome),
        }
    return row


def _cpu_seconds(quantized: dict[str, Any]) -> dict[str, float] | None:
    """CPU seconds by phase and of the whole; None for a run from before they were counted."""
    if "cpu_seconds" not in quantized:
        return None
    return {"whole": quantized["cpu_seconds"], **quantized["report"]["cpu_seconds"]}


def smallest_widths(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each recipe and tile of a sweep: the smallest width from which on, upwards, perplexity is within WITHIN of
    unconstrained."""
    series: dict[tuple[str, int | None], dict[int, float | None]] = {}
    for row in rows:
        place, compared = row["accumulator"], [found["to_reference"] for found in row.get("sweep", {}).values()]
        if place is not None and row["reference"] is not None and (compared or row["status"] != "done"):
            worst = [one["ratio"] if one else None for one in compared]
            known = [value for value in worst if value is not None]
            series.setdefault((row["recipe"], place["tile"]), {})[place["bits"]] = (
                max(known) if worst and len(known) == len(worst) else None
            )
    found = []
    for (recipe, tile), ratios in series.items():
        smallest = None
        for bits in sorted(ratios, reverse=True):
            value = ratios[bits]
            if value is None or value > WITHIN:
                break
            smallest = bits
        found.append({"recipe": recipe, "tile": tile, "within": WITHIN, "bits": smallest, "tried": sorted(ratios)})
    return found


def summarize(study: Study, facts: dict[str, Any], command: Sequence[str]) -> dict[str, Any]:
    """The document. `facts`: "model", "texts" and "peers" as the study's start found them."""
    outcomes = Outcomes(study.outcomes)
    rows = [_row(study, outcomes, outcome) for outcome in study.outcomes]
    return {
        "format": FORMAT,
        "complete": len(study.outcomes) == len(study.cells),
        "command": list(command),
        "versions": versions(),
        "machine": machine(),
        **facts,
        "protocol": protocol.statement(study.settings.join),
        "sweep_windows": {str(length): limit for length, limit in study.sweep.items()},
        "smallest_widths": smallest_widths(rows) if study.sweep else [],
        "builds": sorted({row["core_sha256"] for row in rows if "core_sha256" in row}),
        "rows": rows,
    }

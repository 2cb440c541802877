"""What was quantized, what is certified, and everything that accumulates without a certificate.

`Report` is the main class; a quantized module carries one. It turns into JSON and back. `Stopwatch` collects the seconds
of each phase. No side effects.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from .._core import InputError
from ..recipe import Recipe


@dataclass(frozen=True)
class LayerReport:
    """One integer layer: `rows` dot products of length `cols`."""

    name: str
    rows: int
    cols: int
    weight_bits: int  # of the result: the datatype constraint may choose fewer than asked
    relative_error: float  # ‖XWᵀ − X̃Dᵀ‖ / ‖XWᵀ‖ on the calibration data, -1 when it is not known
    verdict: str  # of the bound engine on the finished integers: "safe" or "unsafe"
    nodes: int  # registers
    unsafe_nodes: int
    tokens: int = 0  # rows of calibration data
    inputs: tuple[str, ...] = ()  # layers, this one among them, that share one input and its activation quantizer
    alpha: float | None = None  # of the equalization, when it was searched
    outlier_columns: int = 0  # input channels that stay floating point
    dead_inputs: int = 0  # input channels that were 0 on all calibration data
    seconds: float = 0.0  # of quantizing
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotCertified:
    """Something that accumulates, or could, outside every certificate."""

    what: str  # where it is: a module path or pattern
    why: str  # what it adds up, and why no certificate speaks about it
    length: int | None = None  # terms of one sum
    bits: int | None = None  # accumulator that 8-bit signed operands of that length would need, from types alone


@dataclass
class Report:
    """What a quantized model is, and what is not known about it.

    `verdict` is about the layers in `layers` only; `not_certified` lists the rest.
    """

    recipe: Recipe
    layers: list[LayerReport] = field(default_factory=list)
    not_certified: list[NotCertified] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)  # "path: reason", modules with weights that stayed float
    calibration: str = ""  # SHA-256 of the calibration data, when they are token ids
    seconds: dict[str, float] = field(default_factory=dict)  # by phase
    cpu_seconds: dict[str, float] = field(default_factory=dict)  # by phase, of all threads of the process together

    @property
    def verdict(self) -> str:
        """"safe" if every register of every layer in `layers` provably fits, "unsafe" if one does not, "incomplete" if
        there is no layer."""
        if not self.layers:
            return "incomplete"
        return "safe" if all(layer.verdict == "safe" for layer in self.layers) else "unsafe"

    def layer(self, name: str) -> LayerReport:
        """The layer of this name, or KeyError."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def to_dict(self, *, times: bool = True) -> dict[str, Any]:
        """Plain values only; without `times`, equal runs give equal content."""
        content: dict[str, Any] = {
            "verdict": self.verdict,
            "recipe": self.recipe.to_dict(),
            "calibration": self.calibration,
            "layers": [asdict(layer) for layer in self.layers],
            "not_certified": [asdict(item) for item in self.not_certified],
            "unsupported": list(self.unsupported),
        }
        if times:
            content["seconds"] = dict(self.seconds)
            content["cpu_seconds"] = dict(self.cpu_seconds)
        else:
            for layer in content["layers"]:
                del layer["seconds"]
        return content

    def to_json(self, *, times: bool = True) -> str:
        """Indented JSON with sorted keys."""
        return json.dumps(self.to_dict(times=times), sort_keys=True, indent=1, allow_nan=False)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Report:
        """The report that `to_dict` described; InputError when a part is missing or is something else."""
        try:
            return cls(
                recipe=Recipe.from_dict(content["recipe"]),
                layers=[layer_report(entry) for entry in content["layers"]],
                not_certified=[NotCertified(**entry) for entry in content["not_certified"]],
                unsupported=[str(line) for line in content["unsupported"]],
                calibration=str(content["calibration"]),
                seconds={str(k): float(v) for k, v in content.get("seconds", {}).items()},
                cpu_seconds={str(k): float(v) for k, v in content.get("cpu_seconds", {}).items()},
            )
        except (KeyError, TypeError) as error:
            raise InputError("report", f"is not what Report.to_json writes: {error}", "use the file as written") from error

    def to_text(self) -> str:
        """A few lines for people: the verdict, the worst layers, and what is not certified."""
        nodes = sum(layer.nodes for layer in self.layers)
        unsafe = sum(layer.unsafe_nodes for layer in self.layers)
        lines = [f"{len(self.layers)} layers, {nodes} registers: {self.verdict}" + (f", {unsafe} unsafe" if unsafe else "")]
        worst = sorted(self.layers, key=lambda layer: -layer.relative_error)[:3]
        lines += [f"  error {layer.relative_error:.4f}  {layer.name}" for layer in worst]
        lines += [f"  stays float: {line}" for line in self.unsupported]
        for item in self.not_certified:
            width = f"; {item.bits} bits from types" if item.bits is not None else ""
            lines.append(f"  not certified: {item.what}: {item.why}{width}")
        return "\n".join(lines)


def layer_report(entry: Mapping[str, Any]) -> LayerReport:
    """A LayerReport from plain values."""
    return LayerReport(**{**entry, "inputs": tuple(entry["inputs"]), "warnings": tuple(entry["warnings"])})


@dataclass(frozen=True)
class Progress:
    """Where a run is: given to the `progress` callback after each step."""

    phase: str  # "calibrate", "quantize", "resume", "done"
    block: int  # from 0
    blocks: int
    layer: str = ""
    done: int = 0  # steps of the phase
    total: int = 0
    relative_error: float = -1.0  # of the layer just quantized


class Stopwatch:
    """Adds up the seconds of named phases, of the clock and of the process's CPU time; phases do not nest."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu_seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Counts the body's wall time and CPU time under `name`."""
        start, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
            self.cpu_seconds[name] = self.cpu_seconds.get(name, 0.0) + time.process_time() - cpu

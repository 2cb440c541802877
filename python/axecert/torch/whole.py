"""Quantizing any module in one piece: the module itself is the block, and calibration inputs are what it is called with.

`quantize` is the main function; it replaces layers in the module that it is given. For language models, whose hidden
states between blocks can be kept, `axecert.transformers.quantize` runs each block apart and is much faster.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from .. import _core
from .._core import Datapath, InputError
from ..recipe import Recipe
from .capture import input_groups, supported_layers
from .engine import Setting, quantize_block
from .matrices import MatrixView, matrix_view, unsupported_reason
from .modules import integer_layers
from .report import NotCertified, Progress, Report, Stopwatch
from .store import attach_report


def chosen_layers(
    module: nn.Module, only: Sequence[str] | None, skip: Sequence[str] | None, prefix: str = ""
) -> dict[str, MatrixView]:
    """The supported layers below `module` whose name (prefix + path) matches a pattern of `only`, if given, and none of
    `skip`. Patterns are as in a shell: "*.down_proj"."""

    return {path: view for path, view in supported_layers(module).items() if _chosen(prefix + path, only, skip)}


def _chosen(name: str, only: Sequence[str] | None, skip: Sequence[str] | None) -> bool:
    inside = only is None or any(fnmatchcase(name, pattern) for pattern in only)
    return inside and not any(fnmatchcase(name, pattern) for pattern in skip or ())


def refuse_or_report(lines: list[str], strict: bool, only: Sequence[str] | None, skip: Sequence[str] | None) -> list[str]:
    """`lines` ("path: reason") for the report; with `strict` the first that `only` and `skip` choose is an InputError."""
    for line in lines if strict else ():
        place, _, problem = line.partition(": ")
        if _chosen(place, only, skip):
            raise InputError(place, problem, "leave out strict=True to keep it in floating point, or skip it by name")
    return lines


def require_cpu(module: nn.Module) -> None:
    """InputError when a parameter or buffer is elsewhere."""
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.device.type != "cpu":
            raise InputError(name, f"is on {tensor.device}", "quantize the module on the CPU; it can be moved afterwards")


@contextmanager
def _own_forward() -> Iterator[None]:
    """Attention and encoder layers of torch.nn call their layers here: their fast path multiplies by the weights itself."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def unsupported_modules(module: nn.Module, prefix: str = "") -> list[str]:
    """"path: reason" of every module below `module` that multiplies by weights of its own and has no matrix view."""
    reasons = ((path, unsupported_reason(child)) for path, child in module.named_modules())
    return [f"{prefix}{path or type(module).__name__}: {reason}" for path, reason in reasons if reason is not None]


def outside_of_layers(module: nn.Module, prefix: str = "") -> list[NotCertified]:
    """What holds parameters in `module`, quantized already, beside its integer layers: layers that stayed float, norms and
    tables; one line per class of module and sum length."""
    found: dict[tuple[str, int | None], list[str]] = {}
    for path, child in module.named_modules():
        own = list(child.parameters(recurse=False))
        if not own or unsupported_reason(child) is not None:
            continue
        view = matrix_view(child)
        length = None if view is None else int(view.weight(0).shape[1])
        found.setdefault((type(child).__name__, length), []).append(prefix + path)
    items = []
    for (kind, length), paths in found.items():
        where = paths[0] + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
        if length is not None:
            items.append(NotCertified(where, f"{kind}: sums of products of floats", length, bits_from_types(length)))
        elif kind == "Embedding":
            items.append(NotCertified(where, "Embedding: rows of a table, nothing is added"))
        else:
            items.append(NotCertified(where, f"{kind}: floating point"))
    return items


def bits_from_types(length: int) -> int:
    """Accumulator that a sum of `length` products of two 8-bit signed operands needs, whatever they are."""
    return int(_core.data_type_bound(length, 8, 8, True)[1])


@dataclass
class _Call:
    """One calibration batch: what the module is called with."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: object) -> _Call:
        if isinstance(batch, Mapping):
            return cls(kwargs=dict(batch))
        return cls(args=tuple(batch) if isinstance(batch, tuple | list) else (batch,))


class _WholeModule:
    """The module as one block (engine.Block)."""

    def __init__(self, module: nn.Module, calls: Sequence[_Call], *, keep_original: bool) -> None:
        self.reference = copy.deepcopy(module) if keep_original else module
        self.quantized = module
        self.batches = len(calls)
        self._calls = calls

    def run_reference(self, batch: int) -> object:
        return self.reference(*self._calls[batch].args, **self._calls[batch].kwargs)

    def run_quantized(self, batch: int) -> object:
        return self.quantized(*self._calls[batch].args, **self._calls[batch].kwargs)

    def keep_reference_output(self, batch: int, output: object) -> None:
        pass


def quantize(
    module: nn.Module,
    calibration: Iterable[object],
    recipe: Recipe,
    *,
    only: Sequence[str] | None = None,
    skip: Sequence[str] | None = None,
    strict: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Replaces the linear layers and convolutions of `module` by certified integer ones, in place.

    calibration  batches: a tensor, a tuple of arguments or a mapping of keyword arguments each. They are kept; the inputs of
                 the layers are not. A layer's calibration inputs come from the module as far as it is quantized (X̃) and from
                 the floating-point module (X), unless the recipe has no `original_inputs`.
    only, skip   shell patterns on module paths.
    strict       InputError for weights that would stay floating point because their module is not supported or not called,
                 unless `only` or `skip` leaves them out.

    Layers are nn.Linear, Conv1D of transformers and nn.Conv2d, on the CPU. A layer with several names in the module is replaced
    at all of them. The module is put into eval mode. When an error ends the run, layers already replaced stay replaced: load
    the module again. Raises InputError on bad data (NaN names the layer).
    """
    calls = [_Call.of(batch) for batch in calibration]
    if not calls:
        raise InputError("calibration", "is empty", "give at least one batch")
    if integer_layers(module):
        raise InputError(type(module).__name__, "is quantized already", "load the floating-point module again")
    require_cpu(module)
    module.eval()
    layers = chosen_layers(module, only, skip)
    if "" in layers:
        raise InputError(type(module).__name__, "is itself a layer and cannot be replaced", "wrap it: nn.Sequential(module)")
    watch = Stopwatch()
    with watch.phase("capture"), _own_forward():
        groups, uncalled = input_groups(module, lambda: module(*calls[0].args, **calls[0].kwargs), layers)
        lines = unsupported_modules(module) + [f"{path}: was never called through its forward" for path in uncalled]
        unsupported = refuse_or_report(lines, strict, only, skip)
        block = _WholeModule(module, calls, keep_original=recipe.original_inputs)

    def note(phase: str, layer: str, done: int, total: int, error: float) -> None:
        if progress is not None:
            progress(Progress(phase, 0, 1, layer, done, total, error))

    setting = Setting(recipe, Datapath(recipe.datapath), torch.get_num_threads(), watch, note)
    with _own_forward():
        made = quantize_block(block, groups, setting)
    report = Report(
        recipe,
        layers=[facts for _, _, facts in made],
        not_certified=around_the_integers(recipe) + outside_of_layers(module),
        unsupported=unsupported,
        seconds=watch.seconds,
        cpu_seconds=watch.cpu_seconds,
    )
    attach_report(module, report)
    return report


def around_the_integers(recipe: Recipe) -> list[NotCertified]:
    """What the integer layers themselves compute in floating point, before and after the integers."""
    items = [NotCertified("integer layers", "activation quantizers and output scales: single floating-point operations")]
    if "outer=float" in recipe.datapath:
        items.append(NotCertified("integer layers", "tiles are added in floating point (outer=float)"))
    if recipe.rotate:
        items.append(NotCertified("integer layers", "the rotation of the inputs adds floats"))
    if recipe.outliers is not None:
        items.append(NotCertified("integer layers", "outlier channels are multiplied and added in floating point"))
    return items

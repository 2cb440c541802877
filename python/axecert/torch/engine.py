"""Quantizes the layers of one block of a model behind its quantized predecessors, without keeping any layer's inputs.

`quantize_block` is the main function: for each group of layers that share an input, in execution order, it runs the partly
quantized block and, with `original_inputs`, the float one batch by batch, streams the group's inputs into moments, quantizes,
and puts the integer layers in place. It changes the block that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from .._core import Datapath, InputError, QuantizedLayer, release_freed_memory
from ..recipe import Recipe
from .calibrate import GroupCalibration
from .capture import GroupInputs, InputGroup, Product, group_inputs
from .matrices import MatrixView, Patches
from .modules import IntegerConv2d, IntegerLinear, replace_module
from .report import LayerReport, Stopwatch


class Block(Protocol):
    """A block in two forms, and how to run either on one batch."""

    reference: nn.Module  # floating point, never changed; not run without `original_inputs`
    quantized: nn.Module  # its layers are replaced as they are quantized
    batches: int

    def run_reference(self, batch: int) -> object:
        """The reference on the float model's inputs."""

    def run_quantized(self, batch: int) -> object:
        """The quantized form on the quantized model's inputs."""

    def keep_reference_output(self, batch: int, output: object) -> None:
        """Called once per batch, when nothing needs the float inputs of that batch any more."""


@dataclass(frozen=True)
class Setting:
    """What stays the same over all blocks of a run."""

    recipe: Recipe
    datapath: Datapath
    threads: int
    watch: Stopwatch
    note: Callable[[str, str, int, int, float], None]  # phase, layer, done, total, relative error


Quantized = list[tuple[Product, QuantizedLayer, LayerReport]]


def quantize_block(block: Block, groups: Sequence[InputGroup], setting: Setting, *, through: bool = True) -> Quantized:
    """Replaces the layers in `groups` of `block.quantized`; returns the integer layers in execution order.

    With `through`, the last pass over the float block, if it is run at all, goes to its end and hands every batch's output
    to `keep_reference_output`.
    """
    stages = _stages(groups, setting.recipe.order)
    total = sum(len(group.products) for group in groups)
    made: Quantized = []
    for stage in stages:
        last = through and stage is stages[-1]
        calibrations = [GroupCalibration(group, setting.recipe, setting.datapath, setting.watch) for group in stage]
        _calibrate(block, calibrations, setting, last)
        quantized: Quantized = []
        for calibration in calibrations:
            for entry in calibration.quantize(setting.threads):
                quantized.append(entry)
                setting.note("quantize", entry[2].name, len(made) + len(quantized), total, entry[2].relative_error)
        place_layers(block.quantized, quantized, setting.datapath)
        made += quantized
        del calibrations, calibration
        release_freed_memory()
    return made


def _stages(groups: Sequence[InputGroup], order: str) -> list[list[InputGroup]]:
    """What is calibrated in one pass: everything, or one group; parts of one convolution always together."""
    if order == "block":
        return [list(groups)] if groups else []
    stages: list[list[InputGroup]] = []
    paths: set[str] = set()
    for group in groups:
        own = {product.path for product in group.products}
        if paths & own:
            stages[-1].append(group)
            paths |= own
        else:
            stages.append([group])
            paths = own
    return stages


def _calibrate(block: Block, calibrations: Sequence[GroupCalibration], setting: Setting, last: bool) -> None:
    """The passes that these calibrations need, over all batches."""
    groups = [calibration.group for calibration in calibrations]
    name = groups[0].first.name
    energies: dict[str, float] = {}

    def quantized_inputs(batch: int) -> GroupInputs:
        with setting.watch.phase("quantized forward"):
            return group_inputs(block.quantized, lambda: block.run_quantized(batch), groups)

    def reference_inputs(batch: int, *, through: bool = False) -> GroupInputs:
        with setting.watch.phase("float forward"):
            run = group_inputs(
                block.reference, lambda: block.run_reference(batch), groups, through=through, energies=energies
            )
        return run

    if any(calibration.needs_observation for calibration in calibrations):
        both = any(calibration.needs_original_observation for calibration in calibrations)
        for batch in range(block.batches):
            setting.note("observe", name, batch, block.batches, -1.0)
            ours = quantized_inputs(batch)
            theirs = reference_inputs(batch) if both else None
            for index, calibration in enumerate(calibrations):
                for x, original in _pairs(groups, index, batch, ours, theirs):
                    calibration.observe(x, original)
            del ours, theirs
    for calibration in calibrations:
        calibration.choose_transform()
    if any(calibration.needs_measure for calibration in calibrations):
        for batch in range(block.batches):
            setting.note("measure", name, batch, block.batches, -1.0)
            for calibration, matrices in zip(calibrations, quantized_inputs(batch).matrices, strict=True):
                for x in matrices:
                    calibration.measure(x)
    for calibration in calibrations:
        calibration.choose_grid()
    for batch in range(block.batches):
        setting.note("calibrate", name, batch, block.batches, -1.0)
        ours = quantized_inputs(batch)
        theirs = reference_inputs(batch, through=last) if setting.recipe.original_inputs else None
        for index, calibration in enumerate(calibrations):
            for x_tilde, original in _pairs(groups, index, batch, ours, theirs):
                calibration.accumulate(x_tilde, original, energy=not last or calibration.needs_energy)
        if last and theirs is not None:
            block.keep_reference_output(batch, theirs.output)
        del ours, theirs
    for calibration in calibrations:
        calibration.energies = energies


def _pairs(
    groups: Sequence[InputGroup], index: int, batch: int, ours: GroupInputs, theirs: GroupInputs | None
) -> Iterable[tuple[torch.Tensor, torch.Tensor | None]]:
    """Inputs of one group in the quantized module and in the float one (None where that was not run), call by call."""
    quantized = ours.matrices[index]
    if theirs is None:
        return ((x, None) for x in quantized)
    shapes = [tuple(x.shape) for x in quantized], [tuple(x.shape) for x in theirs.matrices[index]]
    if shapes[0] != shapes[1]:
        problem = f"receives {shapes[0]} in the quantized module and {shapes[1]} in the float one, for calibration batch {batch}"
        remedy = "how often it is called, and with how many rows, must not depend on the data"
        raise InputError("layer " + groups[index].first.name, problem, remedy)
    return zip(quantized, theirs.matrices[index], strict=True)


def place_layers(
    module: nn.Module, layers: Iterable[tuple[Product, QuantizedLayer, LayerReport]], datapath: Datapath
) -> None:
    """Puts integer layers where their products stood in `module`: arithmetic "exact" where the verdict is safe, the
    datapath's own where it is not. All parts of a convolution must be among `layers`."""
    parts: dict[str, list[IntegerLinear]] = {}
    views: dict[str, MatrixView] = {}
    for product, layer, report in layers:
        arithmetic = "exact" if report.verdict == "safe" else "datapath"
        parts.setdefault(product.path, []).append(IntegerLinear(layer, datapath, arithmetic))
        views[product.path] = product.view
    for path, made in parts.items():
        replace_module(module, path, integer_module(views[path], made))


def integer_module(view: MatrixView, parts: Sequence[IntegerLinear]) -> nn.Module:
    """The module that stands for a layer of this view."""
    patches = getattr(view, "patches", None)
    return IntegerConv2d(patches, parts) if isinstance(patches, Patches) else parts[0]


def first_tensor(output: object) -> torch.Tensor:
    """The hidden states in what a block returned: itself, or the first of a tuple."""
    found = output[0] if isinstance(output, tuple | list) else output
    assert isinstance(found, torch.Tensor)
    return found

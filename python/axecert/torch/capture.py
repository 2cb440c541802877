"""Which layers of a module share an input, and what those inputs are, without keeping them.

`input_groups` runs a module once and groups its layers by the tensor they receive, in execution order. `group_inputs` runs
it again and hands back the inputs of chosen groups for one batch, ending the run as soon as they are known. Hooks are
removed before either returns; no other side effects.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .matrices import MatrixView, matrix_view


class _Stop(BaseException):
    """Ends a forward pass early; no Exception, so that no handler in the model takes it."""


@dataclass(frozen=True)
class Product:
    """One matrix product of one layer: what becomes one integer layer."""

    name: str  # in files and reports
    path: str  # of the module, relative to the module that is run
    part: int  # group of a convolution, else 0
    view: MatrixView


@dataclass(frozen=True)
class InputGroup:
    """Products that receive the same matrix, so that they share one activation quantizer and one transform."""

    products: tuple[Product, ...]
    calls: int  # times that each of them is called in one run

    @property
    def first(self) -> Product:
        return self.products[0]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(product.name for product in self.products)


def _received(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor:
    tensor = args[0] if args else next(iter(kwargs.values()))
    assert isinstance(tensor, torch.Tensor)
    return tensor


def _identity(x: torch.Tensor) -> Hashable:
    """Equal for tensors that hold the same numbers because they are the same memory, at the same version of it."""
    return x.untyped_storage().data_ptr(), x.storage_offset(), tuple(x.shape), tuple(x.stride()), x._version


def supported_layers(module: nn.Module) -> dict[str, MatrixView]:
    """Every layer below `module` that has a matrix view, by path, in the module's order."""
    views = ((path, matrix_view(child)) for path, child in module.named_modules())
    return {path: view for path, view in views if view is not None}


def input_groups(
    module: nn.Module, run: Callable[[], object], layers: dict[str, MatrixView], prefix: str = ""
) -> tuple[list[InputGroup], list[str]]:
    """The layers of `module` grouped by input, in execution order, and the paths of those that `run` never calls.

    `prefix` stands before the names. The inputs of one run are alive until this returns: run it on one small batch.
    """
    calls: dict[str, list[Hashable]] = {}
    alive: list[torch.Tensor] = []  # an address is not used twice while its owner lives

    def note(path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        x = _received(args, kwargs)
        alive.append(x)
        calls.setdefault(path, []).append(_identity(x))

    with ExitStack() as hooks, torch.no_grad():
        for path in layers:
            child = module.get_submodule(path)

            def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], path: str = path) -> None:
                note(path, args, kwargs)

            hooks.enter_context(_removed(child.register_forward_pre_hook(before, with_kwargs=True)))
        run()
    found: dict[Hashable, list[Product]] = {}
    for path, inputs in calls.items():  # in order of the first call
        view = layers[path]
        for part in range(view.parts):
            name = prefix + path + (f".group{part}" if view.parts > 1 else "")
            found.setdefault((tuple(inputs), view.geometry(part)), []).append(Product(name, path, part, view))
    groups = [InputGroup(tuple(products), len(calls[products[0].path])) for products in found.values()]
    return groups, [path for path in layers if path not in calls]


class _removed:  # noqa: N801  (a context manager named for what it does)
    def __init__(self, handle: torch.utils.hooks.RemovableHandle) -> None:
        self._handle = handle

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._handle.remove()


@dataclass
class GroupInputs:
    """What one run gave: per group the matrices [n, K] float32, one per call, and what the run returned, if it ended."""

    matrices: list[list[torch.Tensor]]
    output: object = None


def group_inputs(
    module: nn.Module,
    run: Callable[[], object],
    groups: Sequence[InputGroup],
    *,
    through: bool = False,
    energies: dict[str, float] | None = None,
) -> GroupInputs:
    """Runs `module` on one batch and returns what its groups received.

    Stops once every group's inputs are known, unless `through`; then `energies` gets ‖XWᵀ‖² of the batch added per product
    (the layers must be the floating point ones).
    """
    found: list[list[torch.Tensor]] = [[] for _ in groups]
    missing = sum(group.calls for group in groups)

    def tap(index: int) -> Callable[..., None]:
        product = groups[index].first

        def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            nonlocal missing
            rows = product.view.matrix(_received(args, kwargs), product.part).to(torch.float32)
            # The run may go on and write into its own tensors; a copy keeps what was received.
            found[index].append(rows.clone(memory_format=torch.contiguous_format) if through else rows.contiguous())
            missing -= 1
            if missing == 0 and not through:
                raise _Stop

        return before

    def meter(product: Product, totals: dict[str, float]) -> Callable[..., None]:
        def after(_: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> None:
            totals[product.name] = totals.get(product.name, 0.0) + product.view.energy(output, product.part)

        return after

    result = GroupInputs(found)
    with ExitStack() as hooks, torch.inference_mode():
        for index, group in enumerate(groups):
            child = module.get_submodule(group.first.path)
            hooks.enter_context(_removed(child.register_forward_pre_hook(tap(index), with_kwargs=True)))
            if through and energies is not None:
                for product in group.products:
                    child = module.get_submodule(product.path)
                    hooks.enter_context(_removed(child.register_forward_hook(meter(product, energies))))
        try:
            result.output = run()
        except _Stop:
            pass
    return result

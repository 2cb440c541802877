"""Torch modules whose matrix products run in certified integers.

`IntegerLinear` is the main class: it stands where a linear layer stood, quantizes what it receives, multiplies in integers
and scales the result; the work is done by `axecert.IntegerLinear` in C++. `IntegerConv2d` does the same for convolutions
through im2col. Forward only: no gradient passes. No side effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from .. import _core
from .._core import Datapath, InputError, QuantizedLayer
from .matrices import Patches

# Rows up to which 4-bit weights, two to a byte, multiply faster under a licence than exact ones of a byte each, also with VNNI: reading the weights
# is most of the work (docs/results/kernels.md).
_FEW_ROWS = 4


class IntegersInstead:
    """Stands where a floating-point weight or bias stood. Code that passes a layer by and multiplies by its weight itself gets
    an error, not a product that no certificate speaks about; torch.nn's encoder layers see that they cannot, and call the layer."""

    dtype, device, requires_grad = torch.float32, torch.device("cpu"), False

    def __init__(self, layer: str, shape: tuple[int, ...]) -> None:
        self.layer, self.shape = layer, torch.Size(shape)

    @classmethod
    def __torch_function__(cls, func: object, types: object, args: tuple[Any, ...] = (), kwargs: object = None) -> Any:
        name = next((found.layer for found in args if isinstance(found, cls)), "?")
        raise InputError(f"layer {name}", "its weights are integers", "call the layer, or read the integers in its .layer.weights")


class IntegerLinear(nn.Module):
    """y = W x + b through an integer datapath.

    Input [..., K], output [..., rows], in the input's element type; computed in float32 outside the integers. With
    arithmetic "exact" the integers are summed in registers that cannot overflow; with "datapath" in the datapath's own,
    bit by bit. Both are the same numbers when the layer's certificate is safe.
    """

    def __init__(self, layer: QuantizedLayer, datapath: Datapath, arithmetic: str = "exact") -> None:
        super().__init__()
        self.layer = layer
        self.datapath = datapath
        self.arithmetic = arithmetic
        self.out_features, self.in_features = (int(n) for n in layer.weights.shape)
        self._core = _core.IntegerLinear(layer, datapath, arithmetic)
        self._few: _core.IntegerLinear | None = None  # the same for few rows, from the first time on that there are few

    def _core_for(self, rows: int) -> _core.IntegerLinear:
        if rows > _FEW_ROWS or self.arithmetic != "exact" or self.layer.weight_bits > 4:
            return self._core
        if self._few is None:
            licensed = _core.IntegerLinear(self.layer, self.datapath, self.arithmetic, licensed=True)
            self._few = licensed if licensed.kernel != self._core.kernel else self._core
        return self._few

    @property
    def overflows(self) -> int:
        """Additions that left their register so far; always 0 with "exact"."""
        return int(self._core.overflows)

    @property
    def weight(self) -> IntegersInstead:
        """Not a tensor: see `layer.weights`."""
        return IntegersInstead(self.layer.name, (self.out_features, self.in_features))

    @property
    def bias(self) -> IntegersInstead | None:
        """Not a tensor: see `layer.bias` and `layer.float_bias`. None for a layer without bias."""
        has_bias = self.layer.bias.size or self.layer.float_bias.size
        return IntegersInstead(self.layer.name, (self.out_features,)) if has_bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[..., K] → [..., rows]."""
        if not x.is_floating_point() or x.dim() == 0 or x.shape[-1] != self.in_features:
            problem = f"cannot multiply {x.dtype} {list(x.shape)}"
            raise InputError(f"layer {self.layer.name}", problem, f"give floating-point numbers, {self.in_features} in the last dimension")
        rows = x.detach().reshape(-1, self.in_features).to("cpu", torch.float32).contiguous()
        y = torch.from_numpy(self._core_for(len(rows)).forward(rows.numpy(), threads=torch.get_num_threads()))
        return y.reshape(*x.shape[:-1], self.out_features).to(x.device, x.dtype)

    def with_arithmetic(self, arithmetic: str) -> IntegerLinear:
        """The same layer run the other way; the overflow count starts at 0."""
        return IntegerLinear(self.layer, self.datapath, arithmetic)

    def __deepcopy__(self, memo: dict[int, Any]) -> IntegerLinear:
        copied = self.with_arithmetic(self.arithmetic)  # the integers are immutable and shared
        memo[id(self)] = copied
        return copied.train(self.training)

    def extra_repr(self) -> str:
        return f"{self.layer.name}: {self.out_features} × {self.in_features}, {self.datapath.name}, {self.arithmetic}"


class IntegerConv2d(nn.Module):
    """A two-dimensional convolution as integer matrix products over patches, one per group of channels.

    Input [N, C, H, W] (or [C, H, W]), output as of the `nn.Conv2d` that it replaces. Zero padding pads with real zeros, for
    which every activation quantizer here has an exact code.
    """

    def __init__(self, patches: Patches, parts: Sequence[IntegerLinear]) -> None:
        super().__init__()
        self.patches = patches
        self.parts = nn.ModuleList(parts)

    @property
    def overflows(self) -> int:
        """Additions that left their register so far, over all groups."""
        return overflows(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C, H, W] → [N, rows, H', W']."""
        batch = x.detach() if x.dim() == 4 else x.detach().unsqueeze(0)
        height, width = self.patches.output_size(batch)
        columns: list[torch.Tensor] = [part(self.patches.matrix(batch, g)) for g, part in enumerate(self.parts)]
        y = torch.cat([c.reshape(len(batch), height * width, c.shape[1]) for c in columns], dim=2)
        y = y.transpose(1, 2).reshape(len(batch), y.shape[2], height, width)
        return y if x.dim() == 4 else y.squeeze(0)


def integer_layers(module: nn.Module) -> dict[str, IntegerLinear]:
    """Every IntegerLinear in a module, by module path, in the module's order."""
    return {path: child for path, child in module.named_modules() if isinstance(child, IntegerLinear)}


def places(module: nn.Module, path: str) -> list[str]:
    """Every path of the child that stands at `path`: a module can be the child of several, or have several names."""
    found = module.get_submodule(path)
    return [place for place, child in module.named_modules(remove_duplicate=False) if child is found]


def replace_module(module: nn.Module, path: str, replacement: nn.Module) -> None:
    """Puts `replacement` wherever the child at `path` stands in `module`, in the same mode (training or not)."""
    replacement.train(module.get_submodule(path).training)
    for place in places(module, path):
        parent, _, name = place.rpartition(".")
        setattr(module.get_submodule(parent), name, replacement)


def set_arithmetic(module: nn.Module, arithmetic: str) -> None:
    """Runs every integer layer of a module with "exact" or "datapath" arithmetic from now on."""
    for path, child in integer_layers(module).items():
        replace_module(module, path, child.with_arithmetic(arithmetic))


def overflows(module: nn.Module) -> int:
    """Additions that left their register so far, over all integer layers of a module."""
    return sum(child.overflows for child in integer_layers(module).values())

"""What a layer multiplies: the matrix [n, K] that a linear layer or convolution makes of its input, and its weights.

`matrix_view` is the main function: it returns a `MatrixView` of an `nn.Linear`, a `Conv1D` of transformers or an
`nn.Conv2d`, or says why there is none. No side effects.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn
from torch.nn import functional


class MatrixView(Protocol):
    """A layer as matrix products: part g maps rows `matrix(x, g)` [n, K] through `weight(g)` [rows, K]."""

    parts: int  # independent products: the groups of a convolution, else 1

    def geometry(self, part: int) -> Hashable:
        """Equal for two layers exactly if they make the same matrix of the same input."""

    def matrix(self, x: torch.Tensor, part: int) -> torch.Tensor:
        """The rows that part multiplies, [n, K]; a view of x where possible."""

    def weight(self, part: int) -> torch.Tensor:
        """[rows, K] float32."""

    def bias(self, part: int) -> torch.Tensor | None:
        """[rows] float32."""

    def energy(self, y: torch.Tensor, part: int) -> float:
        """‖X Wᵀ‖² of the part, from the layer's output y."""

    pads_with_zero: bool  # whether rows may hold zeros that the input tensor does not


def _float(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to(torch.float32).contiguous()


def _energy(y: torch.Tensor, bias: torch.Tensor | None) -> float:
    """‖y − bias‖², y [n, rows]."""
    flat = (y if bias is None else y - bias).to(torch.float32).reshape(-1)
    return float(torch.dot(flat, flat))


class _Linear:
    """nn.Linear, weight [rows, K]; or Conv1D of transformers, weight [K, rows]."""

    parts = 1
    pads_with_zero = False

    def __init__(self, module: nn.Module, transposed: bool) -> None:
        self._module = module
        self._transposed = transposed

    def geometry(self, part: int) -> Hashable:
        return "rows"

    def matrix(self, x: torch.Tensor, part: int) -> torch.Tensor:
        return x.reshape(-1, x.shape[-1])

    def weight(self, part: int) -> torch.Tensor:
        weight: torch.Tensor = self._module.weight  # type: ignore[assignment]
        return _float(weight.t() if self._transposed else weight)

    def bias(self, part: int) -> torch.Tensor | None:
        bias: torch.Tensor | None = self._module.bias  # type: ignore[assignment]
        return None if bias is None else _float(bias)

    def energy(self, y: torch.Tensor, part: int) -> float:
        return _energy(y.reshape(-1, y.shape[-1]), self.bias(part))


@dataclass(frozen=True)
class Patches:
    """How a two-dimensional convolution cuts its input [N, C, H, W] into rows [N·H'·W', C/groups · kernel]."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, ...]  # left, right, top, bottom
    padding_mode: str
    groups: int

    def _padded(self, x: torch.Tensor) -> torch.Tensor:
        if not any(self.padding):
            return x
        return functional.pad(x, self.padding, "constant" if self.padding_mode == "zeros" else self.padding_mode)

    def output_size(self, x: torch.Tensor) -> tuple[int, int]:
        """Height and width of the output for an input [N, C, H, W]."""
        left, right, top, bottom = self.padding
        sizes = (x.shape[2] + top + bottom, x.shape[3] + left + right)
        height, width = (
            (size - dilation * (kernel - 1) - 1) // stride + 1
            for size, kernel, stride, dilation in zip(sizes, self.kernel, self.stride, self.dilation, strict=True)
        )
        return height, width

    def matrix(self, x: torch.Tensor, part: int) -> torch.Tensor:
        """Rows of group `part`, in the order batch, height, width; columns in the order of the weights."""
        channels = x.shape[1] // self.groups
        own = self._padded(x.narrow(1, part * channels, channels))
        rows = functional.unfold(own, self.kernel, self.dilation, 0, self.stride)
        return rows.transpose(1, 2).reshape(-1, rows.shape[1])


class _Conv2d:
    """nn.Conv2d through im2col, one part per group of channels."""

    def __init__(self, module: nn.Conv2d) -> None:
        self._module = module
        self.parts = module.groups
        padding = tuple(int(n) for n in module._reversed_padding_repeated_twice)
        self.pads_with_zero = module.padding_mode == "zeros" and any(padding)

        def pair(values: tuple[int, ...]) -> tuple[int, int]:
            return int(values[0]), int(values[1])

        self.patches = Patches(
            pair(module.kernel_size), pair(module.stride), pair(module.dilation), padding, module.padding_mode, module.groups
        )

    def geometry(self, part: int) -> Hashable:
        return self.patches, part

    def matrix(self, x: torch.Tensor, part: int) -> torch.Tensor:
        return self.patches.matrix(x if x.dim() == 4 else x.unsqueeze(0), part)

    def _rows(self, part: int) -> slice:
        rows = self._module.out_channels // self.parts
        return slice(part * rows, (part + 1) * rows)

    def weight(self, part: int) -> torch.Tensor:
        return _float(self._module.weight[self._rows(part)].flatten(1))

    def bias(self, part: int) -> torch.Tensor | None:
        return None if self._module.bias is None else _float(self._module.bias[self._rows(part)])

    def energy(self, y: torch.Tensor, part: int) -> float:
        own = (y if y.dim() == 4 else y.unsqueeze(0))[:, self._rows(part)]
        return _energy(own.transpose(1, -1).reshape(-1, own.shape[1]), self.bias(part))


def _is_conv1d(module: nn.Module) -> bool:
    """Conv1D of transformers, told by its own class so that transformers need not be installed."""
    kind = type(module)
    return kind.__name__ == "Conv1D" and kind.__module__ == "transformers.pytorch_utils"


def matrix_view(module: nn.Module) -> MatrixView | None:
    """The view of a supported layer, else None. A subclass with a forward of its own is not supported: nobody knows what
    it computes."""
    forward = type(module).forward
    if isinstance(module, nn.Linear) and forward is nn.Linear.forward:
        return _Linear(module, transposed=False)
    if _is_conv1d(module):
        return _Linear(module, transposed=True)
    if isinstance(module, nn.Conv2d) and forward is nn.Conv2d.forward:
        return _Conv2d(module)
    return None


def unsupported_reason(module: nn.Module) -> str | None:
    """Why a module with weights of its own stays floating point: it holds a matrix, and is no layer that has a
    `matrix_view` and no table that is only looked up. None for all others."""
    if matrix_view(module) is not None or isinstance(module, nn.Embedding):
        return None
    shapes = [tuple(p.shape) for p in module.parameters(recurse=False) if p.dim() >= 2]
    if not shapes:
        return None
    return f"{type(module).__name__} with weights {', '.join('×'.join(map(str, s)) for s in shapes)} is not supported"

"""What the arrays of one integer layer stand for, in NumPy int64, without any of the package's arithmetic: what tests compare layers with.

Main class: `Stored` (docs/layers.md gives the formula); `close` compares. No side effects.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Stored:
    """One integer layer's own arrays, and the computation that they stand for."""

    def __init__(self, layer: Any) -> None:
        self.weights = layer.weights.astype(np.int64)
        self.rows, self.cols = self.weights.shape
        self.scales = layer.scales.astype(np.float64)
        self.bias = layer.bias.astype(np.int64) if layer.bias.size else np.zeros(self.rows, np.int64)
        self.float_bias = layer.float_bias.astype(np.float64) if layer.float_bias.size else np.zeros(self.rows)
        self.lower, self.upper, self.shift = (
            np.broadcast_to(a.astype(np.int64), self.cols) if a.size else np.zeros(self.cols, np.int64)
            for a in (layer.input_lower, layer.input_upper, layer.input_shift)
        )
        self.grid, self.transform = layer.input, layer.transform
        self.outliers, self.outlier_weight = layer.outlier_columns, layer.outlier_weight.astype(np.float64)

    def operands(self, x: Array) -> tuple[Array, Array, Array]:
        """(operands [n, K], scale [n, 1], zero point [n, 1]) of inputs [n, K]."""
        grid = self.grid
        kept = x.astype(np.float32).copy()
        kept[:, self.outliers] = 0
        kept = self.transform.apply(kept).astype(np.float64)
        if grid.scaling == "tensor":
            scale = np.full((len(x), 1), grid.scale)
            zero = np.full((len(x), 1), grid.zero_point)
        elif grid.signed:
            scale = np.abs(kept).max(axis=1, keepdims=True) / grid.code_upper
            zero = np.zeros((len(x), 1), np.int64)
        else:
            low, high = np.minimum(kept.min(axis=1), 0)[:, None], np.maximum(kept.max(axis=1), 0)[:, None]
            scale = (high - low) / grid.code_upper
            zero = np.rint(-low / np.where(scale > 0, scale, 1))
        scale = np.where(scale > 0, scale, 1.0)
        codes = np.clip(np.rint(kept / scale) + zero, grid.code_lower, grid.code_upper).astype(np.int64)
        return np.clip(codes - self.shift, self.lower, self.upper), scale, zero.astype(np.int64)

    def output(self, x: Array, sums: Array | None = None) -> Array:
        """[n, rows]; `sums` [n, rows], when given, stands for Σ w·operand + bias + Σ w·(shift − zero point)."""
        operands, scale, zero = self.operands(x)
        if sums is None:
            sums = operands @ self.weights.T + (self.shift - zero) @ self.weights.T + self.bias
        y = sums * scale * self.scales + self.float_bias
        return y + x[:, self.outliers].astype(np.float64) @ self.outlier_weight.T if len(self.outliers) else y


def close(found: Any, expected: Array) -> None:
    """Equal up to the last bit of a float32 sum of two terms: the integers are the same."""
    size = float(np.abs(expected).max())
    np.testing.assert_allclose(found.numpy().astype(np.float64), expected, rtol=3e-7, atol=3e-7 * size)

"""What the inputs of one group of layers are like, gathered batch by batch in memory that does not grow with the batches.

`ChannelStatistics` (ranges per channel, with a share of values for percentiles by `Quantiles`) is the main class;
`calibrated_grid` turns a range into an activation grid. No side effects.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .._core import ActivationGrid, InputError

Floats = npt.NDArray[np.float32]


def require_finite(x: Floats, place: str) -> None:
    """InputError naming `place` and the first channel when x [n, K] holds NaN or an infinity."""
    if math.isfinite(float(x.sum(dtype=np.float64))):  # NaN and infinities do not leave a sum of doubles
        return
    row, channel = (int(i) for i in np.argwhere(~np.isfinite(x))[0])
    raise InputError(
        place,
        f"input channel {channel} is {x[row, channel]} in row {row} of a calibration batch",
        "the model's activations are not finite: run it in float32, or check the weights and calibration data",
    )


class Quantiles:
    """Counts of values by their leading 16 bits (sign, exponent, 7 bits of mantissa): quantiles within 2⁻⁷ of their value."""

    def __init__(self) -> None:
        self._counts = np.zeros(1 << 16, dtype=np.int64)

    def add(self, x: Floats) -> None:
        """Counts every value of x (finite)."""
        self._counts += np.bincount(x.reshape(-1).view(np.uint32) >> 16, minlength=1 << 16)

    def at(self, share: float) -> tuple[float, float]:
        """Values (low, high), rounded outward, with the share of all values not above high, and not below low."""
        edge = (np.arange(1 << 15, dtype=np.uint32) << 16 | 0xFFFF).view(np.float32).astype(np.float64)
        negative, positive = self._counts[1 << 15 :], self._counts[: 1 << 15]
        values = np.concatenate([-edge[::-1], edge])
        ascending = np.concatenate([negative[::-1], positive])
        need = share * float(ascending.sum())
        high = values[np.searchsorted(np.cumsum(ascending), need)]
        low = values[::-1][np.searchsorted(np.cumsum(ascending[::-1]), need)]
        return float(low), float(high)


class ChannelStatistics:
    """Least and largest value per channel of matrices [n, K], and quantiles over all of them if asked."""

    def __init__(self, cols: int, *, quantiles: bool = False) -> None:
        self.lowest = np.full(cols, np.inf, dtype=np.float32)
        self.highest = np.full(cols, -np.inf, dtype=np.float32)
        self.quantiles = Quantiles() if quantiles else None

    def add(self, x: Floats) -> None:
        """One batch [n, K], finite."""
        np.minimum(self.lowest, x.min(axis=0), out=self.lowest)
        np.maximum(self.highest, x.max(axis=0), out=self.highest)
        if self.quantiles is not None:
            self.quantiles.add(x)

    @property
    def absmax(self) -> Floats:
        """[K] largest |x| per channel."""
        return np.maximum(np.abs(self.lowest), np.abs(self.highest))

    def range(self, percentile: float = 1.0) -> tuple[float, float]:
        """(low, high) over all channels; below percentile 1, of that share of the values at either end."""
        low, high = float(self.lowest.min()), float(self.highest.max())
        if percentile < 1:
            assert self.quantiles is not None
            inner = self.quantiles.at(percentile)
            low, high = max(low, inner[0]), min(high, inner[1])
        return low, high


def calibrated_grid(low: float, high: float, bits: int, signed: bool) -> ActivationGrid:
    """The static grid for values in [low, high]: signed codes ±(2^(b−1) − 1) for ±max(|low|, |high|); unsigned codes from
    min(0, low) to max(0, high), with a zero point so that 0 is exact. Inputs that are all zero get scale 1."""
    if signed:
        scale = max(abs(low), abs(high)) / (2 ** (bits - 1) - 1)
        return ActivationGrid(scale if scale > 0 else 1.0, 0, bits, True)
    low, high = min(0.0, low), max(0.0, high)
    scale = (high - low) / (2**bits - 1)
    if not scale > 0:
        return ActivationGrid(1.0, 0, bits, False)
    return ActivationGrid(scale, min(max(round(-low / scale), 0), 2**bits - 1), bits, False)

"""Calibration of one group of layers that share an input: transform, activation grid, then H = X̃ᵀX̃ and G = X̃ᵀX, streamed.

`GroupCalibration` is the main class. It is fed batches in up to three passes, each only when something needs it (`observe`:
ranges per channel for equalization and outliers; `measure`: the range of the transformed inputs for static scales;
`accumulate`), and then makes the integer layers. Memory is O(K²), whatever the number of batches. No side effects.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from .. import _core
from .._core import ActivationGrid, CodeHistogram, Datapath, InputError, InputQuantizer, InputTransform, Moments, QuantizedLayer
from ..recipe import GOALS, Recipe
from .capture import InputGroup, Product
from .report import LayerReport, Stopwatch
from .statistics import ChannelStatistics, Floats, calibrated_grid, require_finite

Codes = npt.NDArray[np.int32]


class GroupCalibration:
    """Everything known about the input of one group. Passes are made in order; each gets every batch once."""

    def __init__(self, group: InputGroup, recipe: Recipe, datapath: Datapath, watch: Stopwatch) -> None:
        self.group = group
        self.tokens = 0
        self.energies: dict[str, float] = {}  # ‖XWᵀ‖² per product, when the run itself measured them
        self._recipe = recipe
        self._datapath = datapath
        self._watch = watch
        self._weights = {p.name: p.view.weight(p.part).numpy() for p in group.products}
        self._cols = int(self._weights[group.first.name].shape[1])
        self._place = "layer " + group.first.name
        self._observed: ChannelStatistics | None = None
        self._observed_moments: Moments | None = None
        self._measured: ChannelStatistics | None = None
        self._outliers = np.zeros(0, dtype=np.int32)
        self._alpha: float | None = None
        self._transform: InputTransform | None = None
        self._quantizer: InputQuantizer | None = None
        self._moments = Moments(self._cols)
        self._originals: Moments | None = None  # XᵀX, only for the energy
        self._codes: CodeHistogram | None = None
        self._zeros = (2**31 - 1, -(2**31))  # least and greatest code of 0

    # Which passes are needed.

    @property
    def needs_observation(self) -> bool:
        """Whether channel statistics of the plain inputs are needed before the transform is known."""
        return self._recipe.equalize is not None or self._recipe.outliers is not None

    @property
    def needs_original_observation(self) -> bool:
        """Whether that pass also needs the float model's inputs."""
        return self._recipe.equalize in GOALS and self._recipe.original_inputs

    @property
    def needs_energy(self) -> bool:
        """Whether ‖XWᵀ‖² must come from XᵀX even where the run computes XWᵀ: its outlier part is not in the integers."""
        return bool(len(self._outliers))

    @property
    def needs_measure(self) -> bool:
        """Whether the range of the transformed inputs must be known before accumulation."""
        return not self._recipe.per_token

    # The passes.

    def observe(self, quantized: torch.Tensor, original: torch.Tensor | None) -> None:
        """First pass: [n, K] of the quantized model, and of the float model where `needs_original_observation`."""
        x = _array(quantized)
        if not len(x):
            return
        require_finite(x, self._place)
        with self._watch.phase("statistics"):
            if self._observed is None:
                self._observed = ChannelStatistics(self._cols)
            self._observed.add(x)
        if self._recipe.equalize in GOALS:
            ours, theirs = self._integer_part(x), None if original is None else self._integer_part(_array(original))
            with self._watch.phase("moments"):
                if self._observed_moments is None:
                    self._observed_moments = Moments(self._cols)
                self._observed_moments.add(ours, theirs, torch.get_num_threads())

    def choose_transform(self) -> None:
        """After `observe`: outlier channels, equalization and rotation."""
        recipe = self._recipe
        absmax = self._observed.absmax if self._observed is not None else None
        if recipe.outliers is not None and absmax is not None:
            self._outliers = np.flatnonzero(absmax > recipe.outliers).astype(np.int32)
            absmax = absmax.copy()
            absmax[self._outliers] = 0
        multiplier: Floats | None = None
        if recipe.equalize is not None and absmax is not None:
            with self._watch.phase("equalize"):
                multiplier = self._equalization(absmax)
        hadamard = _core.largest_hadamard(self._cols) if recipe.rotate else 0
        sign = None
        if hadamard > 1:
            sign = np.where(np.random.default_rng(recipe.seed).random(self._cols) < 0.5, -1, 1).astype(np.int8)
        self._transform = InputTransform(multiplier=multiplier, hadamard=hadamard if hadamard > 1 else 0, sign=sign)

    def measure(self, quantized: torch.Tensor) -> None:
        """Second pass: [n, K] of the quantized model."""
        assert self._transform is not None
        x = self._integer_part(_array(quantized))
        if not len(x):
            return
        require_finite(x, self._place)
        with self._watch.phase("statistics"):
            if self._measured is None:
                self._measured = ChannelStatistics(self._cols, quantiles=self._recipe.percentile < 1)
            self._measured.add(self._transform.apply(x))

    def choose_grid(self) -> None:
        """After `measure`: the activation quantizer, with codes not yet clamped per channel."""
        assert self._transform is not None
        recipe = self._recipe
        if recipe.per_token:
            grid = recipe.token_grid(self._datapath, self._cols)
        else:
            if self._measured is None:
                raise self._no_data()
            least, most = self._measured.range(recipe.percentile)
            grid = calibrated_grid(least, most, recipe.activation_bits, recipe.signed_codes)
        low, high, shift = (np.array([n], dtype=np.int32) for n in (grid.code_lower, grid.code_upper, 0))
        self._quantizer = InputQuantizer(self._cols, self._transform, grid, low, high, shift, self._datapath)

    def accumulate(self, quantized: torch.Tensor, original: torch.Tensor | None, *, energy: bool) -> None:
        """Last pass: matching rows [n, K] of the quantized model and, with `original_inputs`, of the float one. With `energy`,
        ‖XWᵀ‖² is taken from XᵀX, for runs that do not compute the float outputs."""
        assert self._transform is not None and self._quantizer is not None
        x_tilde, x = self._integer_part(_array(quantized)), None if original is None else self._integer_part(_array(original))
        require_finite(x_tilde, self._place)
        if x is not None:
            require_finite(x, self._place + " (float model)")
        with self._watch.phase("statistics"):
            if self._datapath.form == "boxed":
                self._note_codes(x_tilde)
            x_tilde = self._quantizer.fake_quantize(x_tilde, torch.get_num_threads())
            x = None if x is None else self._transform.apply(x)
        with self._watch.phase("moments"):
            self._moments.add(x_tilde, x, torch.get_num_threads())
            if energy and x is not None:
                if self._originals is None:
                    self._originals = Moments(self._cols)
                self._originals.add(x, None, torch.get_num_threads())
        self.tokens += len(x_tilde)

    # The result.

    def quantize(self, threads: int) -> list[tuple[Product, QuantizedLayer, LayerReport]]:
        """The integer layers of the group, each checked against the datapath."""
        assert self._transform is not None and self._quantizer is not None
        if self.tokens == 0:
            raise self._no_data()
        gram, cross = self._moments.gram, self._moments.cross if self._recipe.original_inputs else None
        code_min, code_max = self._code_ranges()
        made = []
        for product in self.group.products:
            weight = self._weights[product.name]
            kept = weight
            if len(self._outliers):
                kept = weight.copy()
                kept[:, self._outliers] = 0
            kept = self._transform.apply_to_weights(kept)
            bias = product.view.bias(product.part)
            with self._watch.phase("quantize"):
                layer = _core.quantize(
                    product.name,
                    kept,
                    gram,
                    cross,
                    datapath=self._datapath,
                    input=self._quantizer.grid,
                    output_energy=self._energy(product, kept),
                    code_min=code_min,
                    code_max=code_max,
                    bias=None if bias is None else bias.numpy(),
                    options=self._recipe.quantize_options(threads),
                )
            layer = layer.with_(transform=self._transform)
            if len(self._outliers):
                outlier_weight = np.ascontiguousarray(weight[:, self._outliers])
                layer = layer.with_(outlier_columns=self._outliers, outlier_weight=outlier_weight)
            made.append((product, layer, self._report(product, layer)))
        return made

    # Parts of the above.

    def _no_data(self) -> InputError:
        return InputError(self._place, "has no calibration data", "give at least one batch that is not empty")

    def _integer_part(self, x: Floats) -> Floats:
        """x without the outlier channels."""
        if not len(self._outliers):
            return x
        x = x.copy()
        x[:, self._outliers] = 0
        return x

    def _equalization(self, absmax: Floats) -> Floats:
        recipe = self._recipe
        weights = [self._weights[p.name] for p in self.group.products]
        if isinstance(recipe.equalize, tuple):
            self._alpha = float(recipe.equalize[1])
            weight_absmax = np.max([np.abs(w).max(axis=0) for w in weights], axis=0)
            return _core.smooth_quant(absmax, weight_absmax, self._alpha)
        assert isinstance(recipe.equalize, str) and self._observed_moments is not None
        found = _core.search_equalization(
            name=self.group.first.name,
            weights=[self._integer_part(w) for w in weights],
            gram=self._observed_moments.gram,
            cross=self._observed_moments.cross,
            absmax=absmax,
            rows=self._observed_moments.rows,
            alphas=list(recipe.alphas),
            goal=GOALS[recipe.equalize],
            datapath=self._datapath,
            input=recipe.token_grid(self._datapath, self._cols)
            if recipe.per_token
            else ActivationGrid(1.0, 0, recipe.activation_bits, recipe.signed_codes),
            options=recipe.quantize_options(torch.get_num_threads()),
        )
        self._alpha = float(found.alpha)
        return found.multiplier

    def _note_codes(self, x: Floats) -> None:
        """Counts the codes of each channel."""
        assert self._quantizer is not None
        operands = self._quantizer.quantize(x, torch.get_num_threads())
        if self._codes is None:
            self._codes = CodeHistogram(self._quantizer.grid, self._cols)
        self._codes.add(operands)
        zeros = operands.zero_point
        self._zeros = (min(self._zeros[0], int(zeros.min())), max(self._zeros[1], int(zeros.max())))

    def _code_ranges(self) -> tuple[Codes | None, Codes | None]:
        """The codes of each channel that its clamp has to keep; zero padding's code wherever the layer can pad."""
        if self._codes is None:
            return None, None
        low, high = self._codes.ranges(self._recipe.box_clip)
        if self.group.first.view.pads_with_zero:
            low, high = np.minimum(low, self._zeros[0]), np.maximum(high, self._zeros[1])
        return low, high

    def _energy(self, product: Product, weight: Floats) -> float:
        """‖XWᵀ‖², measured by the run, or tr(W XᵀX Wᵀ), of X̃ where X is not looked at; -1 when the data are all zero."""
        inputs = self._originals if self._recipe.original_inputs else self._moments
        if inputs is not None:
            energy = float(np.sum((weight @ inputs.gram) * weight, dtype=np.float64))
        else:
            energy = self.energies.get(product.name, -1.0)
        return energy if energy > 0 else -1.0

    def _report(self, product: Product, layer: QuantizedLayer) -> LayerReport:
        with self._watch.phase("certify"):
            certificate = _core.certify([layer], self._datapath)
        facts = certificate.layers[0]
        rows, cols = layer.weights.shape
        return LayerReport(
            name=product.name,
            rows=int(rows),
            cols=int(cols),
            weight_bits=layer.weight_bits,
            relative_error=float(layer.relative_error),
            verdict=str(certificate.verdict),
            nodes=int(facts.nodes),
            unsafe_nodes=int(facts.unsafe_nodes),
            tokens=self.tokens,
            inputs=self.group.names,
            alpha=self._alpha,
            outlier_columns=len(self._outliers),
            dead_inputs=int(layer.statistics["dead_inputs"]) - len(self._outliers),
            seconds=float(layer.statistics["seconds"]),
            warnings=tuple(layer.warnings),
        )


def _array(x: torch.Tensor) -> Floats:
    """The tensor's memory as an array; float32 and contiguous already."""
    return x.numpy()

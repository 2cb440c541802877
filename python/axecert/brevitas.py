"""Certificates for what Brevitas quantized: exact integers, scales and activation codes out of its modules, for a datapath.

`certify` is the main function, `export` writes the weights file that it certifies, `extract` gives the arrays. The integers are
those that the module multiplies with now, whatever algorithm (A2GPTQ, A2GPFQ, GPTQ, training) put them there and whatever that
algorithm promised: a module whose scales moved after its budget was computed gets the verdict `unsafe`. Works with Brevitas 0.13.4,
for its integer formats. Side effects: `export` writes one file; no module is changed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from . import _core
from ._core import Certificate, Datapath, InputError
from ._files import write_file

__all__ = ["ActivationCodes", "BrevitasLayer", "Exported", "certify", "export", "extract"]

_NEAR = 1e-3  # how far weight / scale may be from an integer: float32 is 1e-5 off at 8 bits, another grid is 0.1 off
_PROBE_TOKENS = 8


@dataclass(frozen=True)
class ActivationCodes:
    """What reaches the multipliers: integer codes, and how real numbers become codes.

    lower, upper: the smallest and the largest code that the module's own quantizer lets through.
    scaling: "tensor" (one grid, fixed) or "token" (computed from the input itself).
    scale: step of the grid, positive; None with "token".
    zero_point: smallest and largest code of 0; equal with "tensor".
    """

    bits: int
    signed: bool
    lower: int
    upper: int
    scaling: str
    scale: float | None
    zero_point: tuple[int, int]


@dataclass(frozen=True)
class BrevitasLayer:
    """A layer as integers: W[r, k] = scales[r] · weights[r, k] (or scales[r, group of k]), zero points already removed.

    weights: int8 [rows, K]; a convolution has K = input channels per group · kernel size.
    scales: float32 [rows] or [rows, groups]; weight_zero_points: int32, likewise, or None for symmetric weights.
    bias: float32 [rows], or None.
    """

    name: str
    weights: npt.NDArray[np.int8]
    weight_bits: int
    scales: npt.NDArray[np.float32]
    weight_zero_points: npt.NDArray[np.int32] | None
    bias: npt.NDArray[np.float32] | None
    inputs: ActivationCodes


@dataclass(frozen=True)
class Exported:
    """Names of the layers in a weights file, and the modules beside them that multiply and are not covered."""

    layers: tuple[str, ...]
    not_certified: tuple[str, ...]


def certify(module: nn.Module, datapath: str | Datapath, *, skip: Collection[str] = ()) -> Certificate:
    """Certifies every quantized linear layer and convolution of `module` for the datapath; the verdict is about the integers
    as they are now. `export` gives the weights file that `axecert.verify` needs beside the certificate."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        export(module, path, skip=skip)
        return _core.certify(str(path), datapath if isinstance(datapath, Datapath) else Datapath(datapath))


def export(module: nn.Module, weights_path: str | Path, *, skip: Collection[str] = ()) -> Exported:
    """Writes the integers of every quantized linear layer and convolution of `module` as a weights file (docs/layers.md).

    A float bias becomes an integer one at the scale of the products, rounded to nearest, where that scale is fixed (one
    activation grid, one weight scale per row), and stays float otherwise. Errors are those of `extract`.
    """
    layers = extract(module, skip=skip)
    arrays: dict[str, torch.Tensor] = {}
    metadata = {"format": "axecert weights 1"}
    for layer in layers:
        for key, array in _arrays(layer).items():
            arrays[f"{layer.name}.{key}"] = torch.from_numpy(np.ascontiguousarray(array))
        metadata |= {f"{layer.name}.{key}": value for key, value in _metadata(layer).items()}

    def write(path: Path) -> None:
        from safetensors.torch import save_file

        save_file(arrays, path, metadata)

    write_file(Path(weights_path), write)
    names = tuple(layer.name for layer in layers)
    return Exported(names, tuple(_not_covered(module, names)))


def extract(module: nn.Module, *, skip: Collection[str] = ()) -> list[BrevitasLayer]:
    """The quantized linear layers and convolutions of `module`, by name ("layer" when the module is one itself).

    InputError, naming layer and row, when weight / scale is not within 0.001 of an integer of the stated bits; naming the layer when
    its inputs are not quantized by the layer itself, when a format is not an integer one, when a zero point is not an integer, or
    when nothing is quantized. Layers named in `skip` are passed over.
    """
    chosen = {name: child for name, child in _quantized(module) if name not in skip}
    unknown = sorted(set(skip) - {name for name, _ in _quantized(module)})
    if unknown:
        raise InputError("skip", f"there is no quantized layer {unknown[0]}", "name layers as the module's named_modules does")
    if not chosen:
        raise InputError(
            type(module).__name__, "holds no layer whose weights Brevitas quantizes", "quantize it with Brevitas first"
        )
    with torch.no_grad():
        return [_extract_one(name, child) for name, child in chosen.items()]


def _quantized(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Layers with an enabled Brevitas weight quantizer, embeddings aside: they are looked up, not multiplied."""
    for name, child in module.named_modules():
        quantizer = getattr(child, "weight_quant", None)
        quantizes = hasattr(child, "quant_weight") and getattr(quantizer, "is_quant_enabled", False)
        if quantizes and not isinstance(child, nn.Embedding):
            yield name or "layer", child


def _not_covered(module: nn.Module, names: Collection[str]) -> Iterator[str]:
    """Modules that hold a matrix, and are neither among the names nor embeddings."""
    for name, child in module.named_modules():
        own = [p for key, p in child.named_parameters(recurse=False) if key.endswith("weight") and p.dim() > 1]
        if own and (name or "layer") not in names and not isinstance(child, nn.Embedding):
            yield f"{name or 'layer'} ({type(child).__name__})"


def _extract_one(name: str, module: Any) -> BrevitasLayer:
    if not isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
        raise InputError(name, f"is a {type(module).__name__}", "linear layers and convolutions can be certified; skip it")
    weights, scales, zero_points, bits = _integers(name, module)
    bias = None if module.bias is None else module.bias.detach().float().cpu().numpy().copy()
    if bias is not None and not np.isfinite(bias).all():
        raise InputError(f"{name}.bias", f"row {int(np.argmin(np.isfinite(bias)))} is not finite", "repair it")
    return BrevitasLayer(name, weights, bits, scales, zero_points, bias, _codes(name, module))


def _integers(
    name: str, module: Any
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32], npt.NDArray[np.int32] | None, int]:
    """Operand weights [rows, K], scales and zero points [rows] or [rows, groups], and the bits of the stored codes."""
    from brevitas.function.ops import max_int, min_int

    quantized = module.quant_weight()
    _require_integers(f"{name}.weight", quantized)
    shape = quantized.value.shape

    def matrix(tensor: torch.Tensor) -> npt.NDArray[np.float64]:
        return tensor.detach().double().broadcast_to(shape).flatten(1).cpu().numpy()

    value, scale, zero_point = matrix(quantized.value), matrix(quantized.scale), matrix(quantized.zero_point)
    good = np.isfinite(scale) & (scale >= np.finfo(np.float32).tiny)
    if not good.all():
        row = int(np.argwhere(~good)[0, 0])
        raise InputError(f"{name}.weight", f"row {row} has the scale {scale[row].min():g}", "a scale is a normal positive number")
    ratio = value / scale
    operands = np.rint(ratio)
    bits = int(quantized.bit_width)
    lowest = int(min_int(quantized.signed, module.weight_quant.is_narrow_range, quantized.bit_width))
    highest = int(max_int(quantized.signed, module.weight_quant.is_narrow_range, quantized.bit_width))
    codes = operands + zero_point
    remedy = "certify the layer in the state in which it runs; its scales may have moved"
    for wrong, problem in (
        (~(np.abs(ratio - operands) <= _NEAR), "weight / scale is {:g}, not an integer"),
        (~(np.abs(zero_point - np.rint(zero_point)) <= _NEAR), "weight / scale is {:g}, and the zero point is not an integer"),
        ((codes < lowest - _NEAR) | (codes > highest + _NEAR), f"weight / scale is {{:g}}, outside of {bits} bits"),
        ((operands < -128) | (operands > 127), "weight / scale is {:g}, which does not fit 8 signed bits"),
    ):
        if wrong.any():
            row, column = (int(i) for i in np.argwhere(wrong)[0])
            raise InputError(f"{name}.weight", f"row {row}, column {column}: " + problem.format(ratio[row, column]), remedy)
    group = int(module.weight_quant.group_size) if module.weight_quant.is_groupwise else ratio.shape[1]
    per_scale = [array[:, ::group] if array.shape[1] > group else array[:, 0] for array in (scale, np.rint(zero_point))]
    for array, short in zip((scale, np.rint(zero_point)), per_scale, strict=True):
        if not np.array_equal(np.repeat(short.reshape(len(array), -1), group, axis=1)[:, : array.shape[1]], array):
            raise InputError(f"{name}.weight", "its scales are neither per row nor per group of a row", "choose per_channel or per_group")
    zero_points = per_scale[1].astype(np.int32) if per_scale[1].any() else None
    return operands.astype(np.int8), per_scale[0].astype(np.float32), zero_points, bits


def _require_integers(place: str, quantized: object) -> None:
    from brevitas.quant_tensor import GroupwiseIntQuantTensor, IntQuantTensor

    if not isinstance(quantized, IntQuantTensor | GroupwiseIntQuantTensor):
        raise InputError(place, f"is quantized to a {type(quantized).__name__}", "integer formats can be certified")


def _codes(name: str, module: Any) -> ActivationCodes:
    """What the layer's own input quantizer lets through, from what it does to two inputs that differ by a factor."""
    from brevitas.core.zero_point import ZeroZeroPoint
    from brevitas.function.ops import max_int, min_int

    place = f"{name}.input_quant"
    quantizer = module.input_quant
    if not quantizer.is_quant_enabled:
        raise InputError(place, "is absent or disabled, so the codes of the inputs are unknown", "give the layer an input_quant")
    probe = _probe(module)
    training = quantizer.training
    quantizer.eval()  # in training mode it would learn from the probe
    try:
        first, second = quantizer(probe), quantizer(3 * probe)
    finally:
        quantizer.train(training)
    if getattr(quantizer, "is_groupwise", False):
        raise InputError(place, "scales groups of channels separately", "choose per_tensor or per_row inputs")
    for quantized in (first, second):
        _require_integers(place, quantized)
        tokens = quantized.scale.numel() == len(probe) and quantized.scale.shape[0] == len(probe)
        if quantized.scale.numel() != 1 and not (tokens and isinstance(module, nn.Linear)):
            raise InputError(place, f"has scales of shape {tuple(quantized.scale.shape)}", "choose per_tensor or per_row inputs")
        if not bool((quantized.zero_point == quantized.zero_point.round()).all()):
            raise InputError(place, "has a zero point that is not an integer", "quantize the zero point (quantize_zero_point=True)")
    lower = int(min_int(first.signed, quantizer.is_narrow_range, first.bit_width))
    upper = int(max_int(first.signed, quantizer.is_narrow_range, first.bit_width))
    bits, signed = int(first.bit_width), bool(first.signed)
    if first.scale.numel() == 1 and torch.equal(first.scale, second.scale) and torch.equal(first.zero_point, second.zero_point):
        scale, zero = float(first.scale), int(first.zero_point)
        if not scale >= float(np.finfo(np.float32).tiny):
            raise InputError(place, f"has the scale {scale:g}", "calibrate the activations first")
        return ActivationCodes(bits, signed, lower, upper, "tensor", scale, (zero, zero))
    fixed = isinstance(quantizer.fused_activation_quant_proxy.tensor_quant.zero_point_impl, ZeroZeroPoint)
    return ActivationCodes(bits, signed, lower, upper, "token", None, (0, 0) if fixed else (lower, upper))


def _probe(module: Any) -> torch.Tensor:
    """A few inputs of both signs, each of another size: [tokens, K], or [tokens, channels, the kernel's own size]."""
    shape = (module.in_features,) if isinstance(module, nn.Linear) else (module.in_channels, *module.kernel_size)
    inputs = torch.randn((_PROBE_TOKENS, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    sizes = 1.7 ** torch.arange(_PROBE_TOKENS, dtype=torch.float32)
    return (inputs * sizes.reshape(-1, *[1] * len(shape))).to(module.weight)


def _arrays(layer: BrevitasLayer) -> dict[str, npt.NDArray[Any]]:
    """The keys of docs/layers.md that hold arrays. Codes reach the multipliers as they are: shift 0."""
    inputs = layer.inputs
    zero_points = inputs.zero_point[:1] if inputs.zero_point[0] == inputs.zero_point[1] else inputs.zero_point
    arrays: dict[str, npt.NDArray[Any]] = {
        "weight": layer.weights,
        "scale": layer.scales,
        "input_lower": np.array([inputs.lower], np.int32),
        "input_upper": np.array([inputs.upper], np.int32),
        "input_shift": np.zeros(1, np.int32),
        "input_zero_point": np.array(zero_points, np.int32),
    }
    if layer.weight_zero_points is not None:
        arrays["weight_zero_point"] = layer.weight_zero_points
    if inputs.scale is not None:
        arrays["input_scale"] = np.array([inputs.scale], np.float64)
    if layer.bias is None:
        return arrays
    if inputs.scale is None or layer.scales.ndim == 2:
        arrays["float_bias"] = layer.bias
    else:
        bias = np.rint(layer.bias.astype(np.float64) / (layer.scales.astype(np.float64) * inputs.scale))
        if (np.abs(bias) >= 2.0**62).any():
            row = int(np.argmax(np.abs(bias)))
            raise InputError(f"{layer.name}.bias", f"row {row} is {bias[row]:g} steps of its scale", "check the scales of that row")
        arrays["bias"] = bias.astype(np.int64)
    return arrays


def _metadata(layer: BrevitasLayer) -> dict[str, str]:
    inputs = layer.inputs
    return {
        "weight_bits": str(layer.weight_bits),
        "input_bits": str(inputs.bits),
        "input_signed": str(int(inputs.signed)),
        "input_scaling": inputs.scaling,
    }

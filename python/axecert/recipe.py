"""Everything that is chosen when a model is quantized, in one value that can be written down.

`Recipe` is the main class: datapath, bit widths, how activations are scaled, equalization, rotation, outliers and the
options of the quantizer. It is immutable, checked when it is made, and equal to what its own JSON says. No side effects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ._core import ActivationGrid, Datapath, InputError, QuantizeOptions, input_limit

ACTIVATIONS = ("token-symmetric", "token-asymmetric", "tensor-symmetric", "tensor-asymmetric")
ORDERS = ("layer", "block")
GOALS = {"awq": "weights", "budget": "budget"}


@dataclass(frozen=True)
class Recipe:
    """How the layers of a model are quantized. What each can be: docs/quantizer.md.

    datapath         what the integers pass through: shorthand, preset or path of a TOML file (docs/datapaths.md).
    weight_bits      2 to 8, symmetric, one scale per output row.
    activation_bits  2 to 8.
    activations      "token-…": scale (and zero point) computed from each token as it comes; "tensor-…": one scale per
                     input tensor, calibrated. "…-symmetric": signed codes around 0; "…-asymmetric": unsigned codes with a
                     zero point.
    percentile       in (0, 1], for "tensor-…": the share of calibrated values that the grid covers at each end.
    equalize         None; ("smooth", alpha) for SmoothQuant (arXiv 2211.10438), alpha in [0, 1]; "awq" for the multiplier
                     with the least weight error (arXiv 2306.00978); "budget" for the one that the accumulator's budget
                     chooses (docs/quantizer.md).
    alphas           the grid that "awq" and "budget" search, each in [0, 1].
    rotate           inputs pass a Hadamard transform of the largest power of two that divides K, with signs from `seed`.
    box_clip         in [0, 1), for "act=box": the share of each channel's energy that its clamp may cut off on the calibration
                     data (`CodeHistogram.ranges`); 0 for nothing. Reported errors are those before the clamp.
    outliers         None, or a threshold > 0: input channels whose calibrated |x| exceeds it stay floating point
                     (LLM.int8, arXiv 2208.07339). They are not certified, and the report says so.
    options          fields of `axecert.QuantizeOptions` that differ from its defaults; weight_bits and threads are not
                     among them.
    order            "layer": every group of layers of a block is calibrated behind the already quantized groups before it;
                     "block": the whole block in one pass, behind the already quantized blocks before it.
    original_inputs  layers approach what they give on the float model's inputs X (G = X̃ᵀX). False: on X̃ alone (G = H), as
                     OPTQ's own implementation has it; the float model is never run, and reported errors are those of
                     each layer alone, ‖X̃(W − D)ᵀ‖ / ‖X̃Wᵀ‖.
    seed             of the rotation's signs.
    head             of a language model (`axecert.transformers`): the output head is quantized too.
    """

    datapath: str = "axe:P=16,T=64,act=s8"
    weight_bits: int = 4
    activation_bits: int = 8
    activations: str = "token-symmetric"
    percentile: float = 1.0
    equalize: tuple[str, float] | str | None = None
    alphas: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8)
    rotate: bool = False
    box_clip: float = 0.0
    outliers: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    order: str = "layer"
    original_inputs: bool = True
    seed: int = 0
    head: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.equalize, list):
            object.__setattr__(self, "equalize", tuple(self.equalize))
        object.__setattr__(self, "alphas", tuple(float(a) if _is_number(a) else a for a in self.alphas))
        object.__setattr__(self, "options", dict(self.options))
        _check(self)

    @property
    def per_token(self) -> bool:
        """Whether scales are computed from each token."""
        return self.activations.startswith("token-")

    @property
    def signed_codes(self) -> bool:
        """Whether activation codes are signed (symmetric scales)."""
        return self.activations.endswith("-symmetric")

    @property
    def limits_inputs(self) -> bool:
        """Whether it is the activation quantizer that keeps registers from overflowing (constraint "input")."""
        return bool(self.options.get("constraint") == "input")

    def quantize_options(self, threads: int = 1) -> QuantizeOptions:
        """The options of one layer's quantization, for `threads` threads (the result does not depend on them)."""
        return QuantizeOptions(weight_bits=self.weight_bits, threads=threads, **self.options)

    def token_grid(self, datapath: Datapath, cols: int) -> ActivationGrid:
        """The activation grid of "token-…", which no calibration can change; with the constraint "input", limited so that no
        weights of this width overflow a dot product of `cols` terms."""
        limit = 0
        if self.limits_inputs:
            limit = input_limit(datapath, cols, self.quantize_options().largest_weight)
        return ActivationGrid(1.0, 0, self.activation_bits, self.signed_codes, scaling="token", limit=limit)

    def with_(self, **changes: Any) -> Recipe:
        """A copy with some fields replaced, checked again."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values only: what JSON holds."""
        content = asdict(self)
        if isinstance(self.equalize, tuple):
            content["equalize"] = list(self.equalize)
        content["alphas"] = list(self.alphas)
        return content

    def to_json(self) -> str:
        """One line of JSON with sorted keys: equal recipes give equal text."""
        return json.dumps(self.to_dict(), sort_keys=True, allow_nan=False)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Recipe:
        """The recipe that `to_dict` described. A key that is no field is an error, so that a misspelt one is not absent."""
        known = {f.name for f in fields(cls)}
        for key in content:
            if key not in known:
                raise InputError(f"recipe.{key}", "no such field", "use one of " + ", ".join(sorted(known)))
        return cls(**content)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Reads `to_json`'s text."""
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError("recipe", f"is not JSON: {error}", "pass the text that Recipe.to_json wrote") from error
        if not isinstance(content, dict):
            raise InputError("recipe", "is not a JSON object", "pass the text that Recipe.to_json wrote")
        return cls.from_dict(content)

    @classmethod
    def published(cls, **changes: Any) -> Recipe:
        """AXE as its paper has it (arXiv 2409.17092): the options of `QuantizeOptions.published()`, unsigned codes as they
        are, computed per token. OPTQ has `original_inputs` off; GPFQ and Qronos correct what the float model's inputs show."""
        options = {
            "scales": "max",
            "target": "original",
            "strict": "published",
            "diffusion": "rounding",
            "refinement_passes": 0,
            "ridge": 0.0,
        }
        options.update(changes.pop("options", {}))
        settings = {
            "datapath": "axe:P=16,T=128",
            "activations": "token-asymmetric",
            "original_inputs": options.get("corrector") in ("gpfq", "qronos"),
            **changes,
        }
        return cls(options=options, **settings)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _between(least: float, value: Any, most: float) -> bool:
    """Whether `value` is a number of [least, most]; NaN is not."""
    return _is_number(value) and least <= value <= most


def _check(recipe: Recipe) -> None:
    def refuse(name: str, problem: str, remedy: str) -> InputError:
        return InputError(f"recipe.{name}", problem, remedy)

    if not recipe.datapath.endswith(".toml"):  # a file is read when it is used: a stored recipe outlives it
        Datapath(recipe.datapath)
    for name in ("weight_bits", "activation_bits"):
        bits = getattr(recipe, name)
        if not isinstance(bits, int) or isinstance(bits, bool) or not 2 <= bits <= 8:
            raise refuse(name, f"{bits!r} is not a width from 2 to 8", "choose 2 to 8 bits")
    if recipe.activations not in ACTIVATIONS:
        raise refuse("activations", f"{recipe.activations!r} is not known", "use one of " + ", ".join(ACTIVATIONS))
    if recipe.limits_inputs and recipe.activations != "token-symmetric":
        remedy = "use token-symmetric activations, or another constraint"
        raise refuse("activations", f'{recipe.activations!r} cannot keep the limit of the constraint "input"', remedy)
    if not isinstance(recipe.head, bool):
        raise refuse("head", f"{recipe.head!r} is not True or False", "use False to leave it floating point")
    if not isinstance(recipe.original_inputs, bool):
        raise refuse("original_inputs", f"{recipe.original_inputs!r} is not True or False", "use True for G = X̃ᵀX")
    if recipe.order not in ORDERS:
        raise refuse("order", f"{recipe.order!r} is not known", "use one of " + ", ".join(ORDERS))
    if not _between(0, recipe.percentile, 1) or recipe.percentile == 0:
        raise refuse("percentile", f"{recipe.percentile!r} is outside (0, 1]", "use 1 for minimum and maximum")
    if recipe.per_token and recipe.percentile != 1:
        raise refuse("percentile", "scales computed per token have no percentile", "leave 1, or use tensor-… activations")
    if not _between(0, recipe.box_clip, 1) or recipe.box_clip == 1:
        raise refuse("box_clip", f"{recipe.box_clip!r} is outside [0, 1)", "use 0 to cut nothing off")
    if recipe.outliers is not None and not (_is_number(recipe.outliers) and recipe.outliers > 0):
        raise refuse("outliers", f"{recipe.outliers!r} is not above 0", "use None for no outlier channels")
    if recipe.outliers is not None and recipe.rotate:
        raise refuse("outliers", "a rotation mixes the outlier channels with all others", "choose one of the two")
    if not recipe.alphas or not all(_between(0, alpha, 1) for alpha in recipe.alphas):
        raise refuse("alphas", f"{recipe.alphas!r} has values outside [0, 1], or none", "use values such as 0.0, 0.2, 0.4")
    if isinstance(recipe.equalize, tuple):
        if len(recipe.equalize) != 2 or recipe.equalize[0] != "smooth" or not _between(0, recipe.equalize[1], 1):
            raise refuse("equalize", f"{recipe.equalize!r} is not known", 'use ("smooth", alpha) with alpha in [0, 1]')
    elif recipe.equalize is not None and recipe.equalize not in GOALS:
        remedy = 'use None, ("smooth", alpha), "awq" or "budget"'
        raise refuse("equalize", f"{recipe.equalize!r} is not known", remedy)
    for name in ("weight_bits", "threads"):
        if name in recipe.options:
            raise refuse(f"options.{name}", "is set elsewhere", f"use Recipe({name}=…), or torch.set_num_threads")
    try:
        recipe.quantize_options()
    except TypeError as error:
        raise refuse("options", f"are not those of QuantizeOptions: {error}", "see docs/quantizer.md, Options") from error

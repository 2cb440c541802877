"""Claims about convolutions: what a quantized one computes is the convolution of its stored integers, by definition, pixel by pixel,
for every stride, padding, dilation and grouping; padding's zeros are exact, whatever the zero point and the box.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from axecert import torch as axetorch  # noqa: E402
from axecert.recipe import Recipe  # noqa: E402
from stored_layer import Stored, close  # noqa: E402
from torch import nn  # noqa: E402


def images(seed: int = 0, channels: int = 4, size: int = 9) -> torch.Tensor:
    return torch.randn(3, channels, size, size, generator=torch.Generator().manual_seed(seed)) * 2 + 0.7


def one(layer: nn.Module, calibration: Any, recipe: Recipe, **named: Any) -> Any:
    """Quantizes a module of one layer; returns what stands in its place."""
    model = nn.Sequential(layer)
    axetorch.quantize(model, [calibration], recipe, **named)
    return model[0]


CONVOLUTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "stride": {"stride": (2, 1)},
    "padding": {"padding": (2, 1)},
    "dilation": {"dilation": (1, 2), "padding": 1},
    "groups": {"groups": 2, "padding": 1},
    "depthwise": {"groups": 4, "padding": 1, "stride": 2},
    "same": {"padding": "same", "kernel_size": (2, 3)},
    "reflect": {"padding": 1, "padding_mode": "reflect"},
    "circular": {"padding": (1, 2), "padding_mode": "circular"},
    "all": {"stride": 2, "padding": (1, 2), "dilation": (2, 1), "groups": 2},
}


def convolution(name: str) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(4, 8, **{"kernel_size": 3, **CONVOLUTIONS[name]})


def convolved(module: nn.Conv2d, layers: list[Stored], x: torch.Tensor) -> np.ndarray:
    """The convolution by its definition, one output pixel at a time, on Stored layers; padding is that of NumPy."""
    left, right, top, bottom = module._reversed_padding_repeated_twice
    modes = {"zeros": "constant", "reflect": "reflect", "circular": "wrap"}
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (top, bottom), (left, right)), mode=modes[module.padding_mode])
    (kh, kw), (sh, sw), (dh, dw) = module.kernel_size, module.stride, module.dilation
    height = (padded.shape[2] - dh * (kh - 1) - 1) // sh + 1
    width = (padded.shape[3] - dw * (kw - 1) - 1) // sw + 1
    channels = module.in_channels // module.groups
    parts = []
    for g, stored in enumerate(layers):
        own = padded[:, g * channels : (g + 1) * channels]
        rows = [
            own[n, :, i * sh : i * sh + dh * (kh - 1) + 1 : dh, j * sw : j * sw + dw * (kw - 1) + 1 : dw].reshape(-1)
            for n in range(len(x)) for i in range(height) for j in range(width)
        ]  # fmt: skip
        y = stored.output(np.array(rows))
        parts.append(y.reshape(len(x), height, width, -1).transpose(0, 3, 1, 2))
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("activations", ["tensor-asymmetric", "token-asymmetric"])
def test_a_convolution_computes_what_its_integers_say(name: str, activations: str) -> None:
    module = convolution(name)
    recipe = Recipe(datapath="axe:P=20,T=8,act=u8", activations=activations, weight_bits=8)
    layer = one(convolution(name), images(), recipe)
    stored = [Stored(part.layer) for part in layer.parts]
    assert len(stored) == module.groups
    x = images(seed=1)
    close(layer(x), convolved(module, stored, x))
    wanted = module(images()).detach().numpy()
    assert layer(images()).shape == wanted.shape
    assert np.linalg.norm(layer(images()).numpy() - wanted) < 0.03 * np.linalg.norm(wanted)
    assert torch.equal(layer(x[0]), layer(x)[0])


def test_boxes_of_a_padded_convolution_hold_the_code_of_zero() -> None:
    """Calibration images without a zero anywhere: only the padding brings the code of 0."""
    recipe = Recipe(datapath="axe:P=20,T=8,act=box", activations="tensor-asymmetric", weight_bits=8)
    bright = images().abs() + 3
    layer = one(convolution("padding"), bright, recipe)
    stored = Stored(layer.parts[0].layer)
    zero = stored.grid.zero_point - stored.shift
    assert ((stored.lower <= zero) & (zero <= stored.upper)).all()
    close(layer(bright), convolved(convolution("padding"), [stored], bright))
    wanted = convolution("padding")(bright).detach().numpy()
    assert np.linalg.norm(layer(bright).numpy() - wanted) < 0.03 * np.linalg.norm(wanted)

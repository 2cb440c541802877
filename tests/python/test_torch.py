"""axecert.torch: what the integer layers compute, recomputed here from their integers in NumPy; every layer kind, operand form and
scaling; overflow on an uncertified register; saving, loading, and everything that must be refused."""

from __future__ import annotations

import itertools
import json
import resource
import shutil
from pathlib import Path
from typing import Any

import axecert
import axecert.torch
import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_grad_enabled(False)

from axecert import InputError  # noqa: E402
from axecert.recipe import ACTIVATIONS, Recipe  # noqa: E402
from torch import nn  # noqa: E402

FORMS = ("u8", "s8", "box")


class Net(nn.Module):
    """Two linear layers that share an input, and one behind them."""

    def __init__(self, width: int = 32, hidden: int = 48) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(width, hidden), nn.Linear(width, hidden, bias=False)
        self.c = nn.Linear(hidden, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(torch.relu(self.a(x)) * self.b(x))


def batches(width: int = 32, count: int = 3, seed: int = 0) -> list[torch.Tensor]:
    torch.manual_seed(seed)
    scale = torch.linspace(0.2, 3, width)
    return [torch.randn(5, 16, width) * scale + 0.3 for _ in range(count)]


def net(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    return Net().eval()


def recipe(datapath: str = "axe:P=14,T=16,act=s8", **changes: Any) -> Recipe:
    return Recipe(datapath=datapath, **changes)


def limited_codes(z: np.ndarray, scale: np.ndarray, grid: axecert.ActivationGrid, tile: int) -> tuple[np.ndarray, np.ndarray]:
    """Scales [n] and codes [n, K] of tokens whose scale grows until the magnitudes in every `tile` of codes keep the limit."""
    scale, codes = scale.copy(), np.zeros(z.shape, np.int64)
    for i, row in enumerate(z):
        while True:
            codes[i] = np.clip(np.rint(row / scale[i]), grid.code_lower, grid.code_upper)
            worst = max(int(np.abs(codes[i, first : first + tile]).sum()) for first in range(0, len(row), tile))
            if worst <= grid.limit:
                break
            scale[i] *= max(1.002, worst / grid.limit)
    return scale, codes


def by_hand(
    layer: axecert.QuantizedLayer, x: np.ndarray, datapath: axecert.Datapath | None = None, limited_tile: int = 0
) -> np.ndarray:
    """Output float64 [n, rows] of the layer's own integers: activation quantizer, sums, scales. With a datapath, the lowest stage's
    registers wrap or saturate after every product; else sums are exact. `limited_tile`: products per register that a limit of
    the activation quantizer speaks of."""
    grid, transform = layer.input, layer.transform
    x = x.astype(np.float32)
    outliers = layer.outlier_columns
    kept = x.copy()
    kept[:, outliers] = 0
    z = transform.apply(np.ascontiguousarray(kept)).astype(np.float64)
    low, high = grid.code_lower, grid.code_upper
    if grid.scaling == "token":
        if grid.signed:
            scale = np.abs(z).max(axis=1) / high
            zero = np.zeros(len(z))
        else:
            least, most = np.minimum(z.min(axis=1), 0), np.maximum(z.max(axis=1), 0)
            scale = (most - least) / high
            zero = np.rint(np.where(scale > 0, -least / np.where(scale > 0, scale, 1), 0))
        scale = np.where(scale > 0, scale, 1.0)
    else:
        scale, zero = np.full(len(z), grid.scale), np.full(len(z), grid.zero_point)
    codes = np.clip(np.rint(z / scale[:, None]) + zero[:, None], low, high).astype(np.int64)
    if grid.limit:
        scale, codes = limited_codes(z, scale, grid, limited_tile)
    operands = np.clip(codes - layer.input_shift, layer.input_lower, layer.input_upper)
    weights = layer.weights.astype(np.int64)
    rows, cols = weights.shape
    stage = None if datapath is None else datapath.stages[0]
    tile = cols if stage is None else stage.group or cols
    total = np.zeros((len(z), rows), np.int64)
    for first in range(0, cols, tile):
        part = slice(first, min(first + tile, cols))
        if stage is None:
            sums = operands[:, part] @ weights[:, part].T
        else:
            sums = np.zeros((len(z), rows), np.int64)
            half = 1 << (stage.width - 1)
            for k in range(part.start, part.stop):
                sums += operands[:, k : k + 1] * weights[:, k]
                sums = (sums + half) % (2 * half) - half if stage.overflow == "wrap" else np.clip(sums, -half, half - 1)
        constant = (layer.input_shift.astype(np.int64) - zero[:, None].astype(np.int64))
        constant = np.broadcast_to(constant, operands.shape)[:, part] @ weights[:, part].T
        total += sums + constant
    y = layer.scales.reshape(-1) * scale[:, None] * (total + (layer.bias if layer.bias.size else 0))
    if layer.float_bias.size:
        y = y + layer.float_bias
    if len(outliers):
        y = y + x[:, outliers].astype(np.float64) @ layer.outlier_weight.T.astype(np.float64)
    return y


def check_layers(module: nn.Module, run: Any, datapath: axecert.Datapath | None = None, limited_tile: int = 0) -> int:
    """Compares every integer layer of the module, on what it receives in `run`, with `by_hand`; returns how many were called."""
    seen = 0

    def compare(layer: Any, args: Any, output: torch.Tensor) -> None:
        nonlocal seen
        seen += 1
        x = args[0].reshape(-1, args[0].shape[-1]).numpy()
        expected = by_hand(layer.layer, x, datapath, limited_tile)
        found = output.reshape(-1, output.shape[-1]).double().numpy()
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6 * float(np.abs(expected).max() + 1e-9))

    handles = [child.register_forward_hook(compare) for child in axecert.torch.integer_layers(module).values()]
    run()
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize(("activations", "form"), list(itertools.product(ACTIVATIONS, FORMS)))
def test_layers_compute_their_own_integers(activations: str, form: str) -> None:
    if activations.endswith("-symmetric") and form == "u8":
        pytest.skip("signed codes do not fit an unsigned operand")
    module, data = net(), batches()
    reference = net()(data[0])
    report = axecert.torch.quantize(module, data, recipe(f"axe:P=16,T=16,act={form}", activations=activations, weight_bits=6))
    assert report.verdict == "safe" and [layer.name for layer in report.layers] == ["a", "b", "c"]
    assert report.layer("a").inputs == ("a", "b")
    assert check_layers(module, lambda: module(data[0])) == 3
    assert axecert.torch.overflows(module) == 0
    error = float((module(data[0]) - reference).norm() / reference.norm())
    assert error < 0.2, error
    # Stepped through, every register gives the same bits.
    exact = module(data[1])
    axecert.torch.set_arithmetic(module, "datapath")
    assert torch.equal(module(data[1]), exact) and axecert.torch.overflows(module) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"equalize": ("smooth", 0.5)},
        {"equalize": "awq"},
        {"equalize": "budget"},
        {"rotate": True},
        {"outliers": 5.0},
        {"outliers": 5.0, "activations": "token-asymmetric"},
        {"box_clip": 1e-3, "datapath": "axe:P=16,T=16,act=box"},
        {"order": "block"},
        {"order": "block", "equalize": "awq", "original_inputs": False},
        {"activations": "tensor-asymmetric", "percentile": 0.999},
        {"datapath": "axe:P=16,T=16,outer=float,act=s8", "options": {"granularity": "tile"}},
    ],
    ids=str,
)
def test_every_part_of_a_recipe_keeps_the_product(changes: dict[str, Any]) -> None:
    module, data = net(), batches()
    reference = net()(data[0])
    report = axecert.torch.quantize(module, data, recipe(**{"datapath": "axe:P=20,T=16,act=s8", "weight_bits": 8, **changes}))
    assert report.verdict == "safe"
    tile = axecert.Datapath(changes.get("datapath", "axe:P=20,T=16,act=s8"))
    if "options" in changes:
        for layer in axecert.torch.integer_layers(module).values():
            assert layer.layer.scales.ndim == 2
            x = data[0].reshape(-1, data[0].shape[-1])
            if layer.in_features == x.shape[1]:
                found = layer(x).double().numpy()
                scaled = by_hand_tiles(layer.layer, x.numpy(), tile)
                np.testing.assert_allclose(found, scaled, rtol=2e-6, atol=2e-6 * float(np.abs(scaled).max()))
    else:
        assert check_layers(module, lambda: module(data[0])) == 3
    clipped = changes.get("percentile", 1) < 1  # a grid that does not reach the largest inputs has to lose them
    assert float((module(data[0]) - reference).norm() / reference.norm()) < (0.15 if clipped else 0.05)
    if "outliers" in changes:
        assert any(layer.outlier_columns for layer in report.layers)
        assert any("outlier" in item.why for item in report.not_certified)


@pytest.mark.parametrize("outliers", [None, 5.0])
def test_errors_without_original_inputs_are_those_of_each_layer_alone(outliers: float | None) -> None:
    """‖X̃(W − D)ᵀ‖ / ‖X̃Wᵀ‖, from codes of X̃ recomputed here; X̃ of the second layer comes from the quantized first."""
    module, data = net(), batches()
    weights = {name: layer.weight.detach().double().numpy() for name, layer in module.named_modules() if isinstance(layer, nn.Linear)}
    report = axecert.torch.quantize(module, data, recipe("axe:P=20,T=16,act=s8", original_inputs=False, outliers=outliers))
    received: dict[str, list[np.ndarray]] = {}
    for name, layer in axecert.torch.integer_layers(module).items():
        def note(_: Any, args: Any, name: str = name) -> None:
            received.setdefault(name, []).append(args[0].reshape(-1, args[0].shape[-1]).double().numpy())

        layer.register_forward_pre_hook(note)
    for batch in data:
        module(batch)
    for name, layer in axecert.torch.integer_layers(module).items():
        x, w = np.concatenate(received[name]), weights[name].copy()
        x[:, layer.layer.outlier_columns] = 0
        w[:, layer.layer.outlier_columns] = 0
        scale = np.abs(x).max(axis=1, keepdims=True) / 127
        coded = scale * np.rint(x / scale)
        d = layer.layer.weights * layer.layer.scales.reshape(-1, 1).astype(np.float64)
        assert report.layer(name).relative_error == pytest.approx(np.linalg.norm(coded @ (w - d).T) / np.linalg.norm(coded @ w.T), rel=1e-3)


def test_few_rows_have_a_kernel_of_their_own_and_the_same_bytes() -> None:
    """4-bit weights: up to 4 rows go to the licensed kernel, which reads half as much; with datapath arithmetic nothing does."""
    module = net().eval()
    axecert.torch.quantize(module, batches(), recipe(weight_bits=4))
    kernels = set()
    for layer in axecert.torch.integer_layers(module).values():
        x = torch.randn(9, layer.in_features, generator=torch.Generator().manual_seed(3))
        many = layer(x)
        for few in (1, 2, 4, 5):
            assert torch.equal(layer(x[:few]), many[:few])
        assert layer._core_for(4).kernel.startswith("certified") and layer._core_for(4).kernel.endswith("nibbles")
        assert layer._core_for(5) is layer._core
        slow = layer.with_arithmetic("datapath")
        assert slow._core_for(1) is slow._core
        assert torch.equal(slow(x[:2]), many[:2])
        kernels |= {layer._core_for(rows).kernel for rows in (1, 5)}
    print("kernels:", sorted(kernels))


def by_hand_tiles(layer: axecert.QuantizedLayer, x: np.ndarray, datapath: axecert.Datapath) -> np.ndarray:
    """Scales per tile, signed codes per token: the sum over tiles in floating point."""
    scale = np.abs(x).max(axis=1) / layer.input.code_upper
    codes = np.rint(x / scale[:, None].astype(np.float64)).astype(np.int64)
    tile, y = datapath.stages[0].group, 0
    for g in range(layer.scales.shape[1]):
        part = slice(g * tile, min((g + 1) * tile, x.shape[1]))
        y = y + layer.scales[:, g] * (codes[:, part] @ layer.weights[:, part].T.astype(np.int64))
    return scale[:, None] * y + (layer.float_bias if layer.float_bias.size else 0)


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
def test_without_a_constraint_the_narrow_register_is_simulated_bit_by_bit(overflow: str, tmp_path: Path) -> None:
    file = tmp_path / "narrow.toml"
    file.write_text(
        f'name = "narrow"\nweights = [-8, 7]\nactivations = [-128, 127]\nform = "recentred"\n'
        f'[[stage]]\nname = "tile"\nwidth = 9\ngroup = 16\noverflow = "{overflow}"\nlimits = "full"\n'
        f'[[stage]]\nname = "row"\nwidth = 32\ngroup = "all"\noverflow = "wrap"\ninitial = "constant"\n'
    )
    module, data = net(), batches()
    report = axecert.torch.quantize(module, data, recipe(str(file), options={"constraint": "none"}))
    assert report.verdict == "unsafe"
    assert {layer.arithmetic for layer in axecert.torch.integer_layers(module).values()} == {"datapath"}
    assert check_layers(module, lambda: module(data[0]), axecert.Datapath(str(file))) == 3
    assert axecert.torch.overflows(module) > 0
    axecert.torch.set_arithmetic(module, "exact")
    assert check_layers(module, lambda: module(data[0])) == 3


def test_limited_inputs_make_unconstrained_weights_safe(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"datapath": "axe:P=12,T=16,act=s8", "activations": "token-symmetric"}
    free, limited, data = net(), net(), batches()
    assert axecert.torch.quantize(free, data, recipe(options={"constraint": "none"}, **settings)).verdict == "unsafe"
    report = axecert.torch.quantize(limited, data, recipe(options={"constraint": "input"}, **settings))
    assert report.verdict == "safe"
    layers = axecert.torch.integer_layers(limited)
    assert min(layer.layer.input.limit for layer in layers.values()) >= (2**11 - 1) // 8
    assert max(layer.layer.input.limit for layer in layers.values()) < 16 * 127  # else it limits nothing
    dense = torch.sign(torch.randn(64, 32))  # every code of a token as large as the largest: no token is harder
    for x in (data[0], dense, 1e4 * dense):
        axecert.torch.set_arithmetic(limited, "exact")
        assert check_layers(limited, lambda x=x: limited(x), limited_tile=16) == 3
        exact = limited(x)
        axecert.torch.set_arithmetic(limited, "datapath")
        assert torch.equal(limited(x), exact)
        assert axecert.torch.overflows(limited) == 0
    free(dense)
    assert axecert.torch.overflows(free) > 0, "without the limit these inputs do not overflow: the test sees nothing"
    reference = net()(data[0])
    assert float((limited(data[0]) - reference).norm() / reference.norm()) < 0.25
    axecert.torch.save(limited, tmp_path / "m")
    loaded = axecert.torch.load(net(seed=9), tmp_path / "m")
    assert torch.equal(loaded(data[0]), limited(data[0]))
    weights, certificate = tmp_path / "m/weights.safetensors", tmp_path / "m/certificate.axec"
    found = axecert.verify(str(certificate), str(weights), z3="box")
    assert found.verdict == "safe"
    assert any("limit" in line for line in found.assumptions)


def test_limited_inputs_need_signed_codes_per_token() -> None:
    for activations in ("token-asymmetric", "tensor-symmetric", "tensor-asymmetric"):
        with pytest.raises(InputError, match="limit of the constraint"):
            recipe(activations=activations, options={"constraint": "input"})
    with pytest.raises(InputError, match="cannot hold one input"):
        axecert.torch.quantize(
            net(), batches(), recipe("axe:P=3,T=16,act=s8", activations="token-symmetric", options={"constraint": "input"})
        )


@pytest.mark.parametrize("activations", ["token-asymmetric", "tensor-asymmetric", "token-symmetric"])
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": (3, 2), "stride": (2, 1), "padding": (0, 2), "dilation": (1, 2), "bias": False},
        {"kernel_size": 3, "groups": 2, "padding": "same"},
        {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
        {"kernel_size": 1},
    ],
    ids=str,
)
def test_convolutions(settings: dict[str, Any], activations: str) -> None:
    torch.manual_seed(0)
    make = lambda: nn.Sequential(nn.Conv2d(4, 6, **settings), nn.ReLU()).eval()  # noqa: E731
    module = make()
    data = [torch.randn(2, 4, 7, 9) for _ in range(3)]
    reference = module(data[0])
    for form in ("s8", "box"):
        copy = make()
        copy.load_state_dict(module.state_dict())
        report = axecert.torch.quantize(copy, data, recipe(f"axe:P=20,T=8,act={form}", weight_bits=8, activations=activations))
        assert report.verdict == "safe" and len(report.layers) == settings.get("groups", 1)
        assert check_layers(copy, lambda: copy(data[0])) == settings.get("groups", 1)  # noqa: B023
        found = copy(data[0])
        assert found.shape == reference.shape
        assert float((found - reference).norm() / reference.norm()) < 0.03
        assert torch.equal(copy(data[0][0]), found[0]) or activations.startswith("token")


def test_conv1d_of_transformers() -> None:
    conv1d = pytest.importorskip("transformers.pytorch_utils").Conv1D
    torch.manual_seed(0)
    module = nn.Sequential(conv1d(12, 32)).eval()
    data = batches()
    reference = module(data[0])
    axecert.torch.quantize(module, data, recipe("axe:P=20,T=16,act=s8", weight_bits=8))
    assert check_layers(module, lambda: module(data[0])) == 1
    assert float((module(data[0]) - reference).norm() / reference.norm()) < 0.03


def saved(tmp_path: Path) -> tuple[Net, Path]:
    module = net()
    axecert.torch.quantize(module, batches(), recipe())
    axecert.torch.save(module, tmp_path / "m")
    return module, tmp_path / "m"


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    module, folder = saved(tmp_path)
    loaded = axecert.torch.load(net(seed=9), folder)
    assert torch.equal(loaded(batches()[0]), module(batches()[0]))
    assert axecert.torch.report(loaded).to_json(times=False) == axecert.torch.report(module).to_json(times=False)
    found = axecert.verify(str(folder / "certificate.axec"), str(folder / "weights.safetensors"))
    assert found.verdict == "safe"
    again = tmp_path / "again"
    axecert.torch.save(loaded, again)
    for file in ("weights.safetensors", "certificate.axec"):
        assert (again / file).read_bytes() == (folder / file).read_bytes()


@pytest.mark.parametrize("file", ["weights.safetensors", "certificate.axec", "rest.safetensors", "axecert.json"])
def test_damaged_and_missing_files_are_refused(tmp_path: Path, file: str) -> None:
    _, folder = saved(tmp_path)
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    content = (folder / file).read_bytes()
    target = net(seed=9)
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}

    def refused(wrong: Path) -> None:
        with pytest.raises(InputError) as caught:
            axecert.torch.load(target, wrong)
        assert str(wrong) in caught.value.place
        assert all(torch.equal(tensor, before[name]) for name, tensor in target.state_dict().items())

    for position in range(0, len(content), max(1, len(content) // 64)):
        changed = bytearray(content)
        changed[position] ^= 1
        (damaged / file).write_bytes(changed)
        refused(damaged)
    (folder / file).unlink()
    refused(folder)


def test_a_certificate_that_does_not_hold_runs_no_exact_arithmetic(tmp_path: Path) -> None:
    module = net()
    axecert.torch.quantize(module, batches(), recipe("axe:P=9,T=16,act=s8", options={"constraint": "none"}))
    axecert.torch.save(module, tmp_path / "m")
    loaded = axecert.torch.load(net(), tmp_path / "m")
    assert {layer.arithmetic for layer in axecert.torch.integer_layers(loaded).values()} == {"datapath"}
    with pytest.raises(InputError, match="not proved"):
        axecert.torch.load(net(), tmp_path / "m", arithmetic="exact")


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    _, folder = saved(tmp_path)
    for other in (Net(width=16), nn.Sequential(nn.Linear(32, 48))):
        with pytest.raises(InputError):
            axecert.torch.load(other, folder)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    module = net()
    axecert.torch.quantize(module, batches(), recipe())
    axecert.torch.save(module, tmp_path / "m")
    before = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()}
    axecert.torch.quantize(other := net(seed=3), batches(), recipe())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        for folder in (tmp_path / "m", tmp_path / "new"):
            with pytest.raises((InputError, OSError)):
                axecert.torch.save(other, folder, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    assert {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()} == before
    assert not (tmp_path / "new").exists() or not list((tmp_path / "new").iterdir())
    axecert.torch.load(net(), tmp_path / "m")


def test_activations_that_are_no_numbers_name_the_layer() -> None:
    module, data = net(), batches()
    data[1][0, 3, 7] = float("nan")
    with pytest.raises(InputError) as caught:
        axecert.torch.quantize(module, data, recipe())
    assert "layer a" in caught.value.place and "channel 7" in caught.value.problem


def test_what_is_not_supported_is_listed_and_refused_when_strict() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line, self.weights, self.unused = nn.Linear(32, 8), nn.Bilinear(8, 8, 4), nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.line(x)
            return self.weights(y, y)

    report = axecert.torch.quantize(Odd(), batches(), recipe())
    assert any("Bilinear" in line for line in report.unsupported) and any("unused" in line for line in report.unsupported)
    assert [layer.name for layer in report.layers] == ["line"]
    with pytest.raises(InputError, match="strict"):
        axecert.torch.quantize(Odd(), batches(), recipe(), strict=True)
    report = axecert.torch.quantize(module := net(), batches(), recipe(), skip=["c"])
    assert [layer.name for layer in report.layers] == ["a", "b"] and isinstance(module.c, nn.Linear)
    assert any(item.what.startswith("c") for item in report.not_certified)


def test_bad_calls_are_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        axecert.torch.quantize(net(), [], recipe())
    with pytest.raises(InputError, match="itself a layer"):
        axecert.torch.quantize(nn.Linear(32, 4), batches(), recipe())
    with pytest.raises(InputError, match="not quantized"):
        axecert.torch.report(net())


def test_recipes_are_what_their_json_says() -> None:
    one = recipe(equalize=("smooth", 0.4), options={"scales": "max"}, box_clip=0.001)
    assert Recipe.from_json(one.to_json()) == one and json.loads(one.to_json())["equalize"] == ["smooth", 0.4]
    for wrong in ({"weight_bits": 9}, {"activations": "none"}, {"equalize": "x"}, {"options": {"threads": 2}}, {"box_clip": 1.0}):
        with pytest.raises(InputError):
            recipe(**wrong)
    with pytest.raises(InputError, match="no such field"):
        Recipe.from_dict({"wieght_bits": 4})


def wide(**changes: Any) -> Recipe:
    return recipe("axe:P=20,T=16,act=s8", weight_bits=8, **changes)


def close_to(found: torch.Tensor, reference: torch.Tensor, most: float = 0.03) -> bool:
    return float((found.double() - reference.double()).norm() / reference.double().norm()) < most


class Shared(nn.Module):
    """One layer under two names and called twice, and two layers that share their weights."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(16, 16)
        self.inner = nn.Sequential(nn.ReLU(), self.one)
        self.tied, self.last = nn.Linear(16, 16, bias=False), nn.Linear(16, 16)
        self.last.weight = self.tied.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.tied(self.inner(self.one(x)))))


def shared(seed: int = 0) -> Shared:
    torch.manual_seed(seed)
    return Shared().eval()


def test_a_layer_with_several_names_is_replaced_at_all_of_them(tmp_path: Path) -> None:
    module, data = shared(), [torch.randn(50, 16), torch.randn(7, 16)]
    reference = module(data[0])
    report = axecert.torch.quantize(module, data, wide(), strict=True)
    assert [(layer.name, layer.tokens) for layer in report.layers] == [("one", 114), ("tied", 57), ("last", 57)]
    assert isinstance(module.one, axecert.torch.IntegerLinear) and module.one is module.inner[1]
    assert not [item for item in report.not_certified if "Linear" in item.why]
    assert close_to(module(data[0]), reference)
    axecert.torch.save(module, tmp_path / "m")
    loaded = axecert.torch.load(shared(seed=3), tmp_path / "m")
    assert loaded.one is loaded.inner[1] and torch.equal(loaded(data[0]), module(data[0]))
    axecert.torch.set_arithmetic(loaded, "datapath")
    assert loaded.one is loaded.inner[1] and loaded.one.arithmetic == "datapath"


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64], ids=str)
def test_modules_of_other_precisions(kind: torch.dtype, tmp_path: Path) -> None:
    def make(seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(32, 48), nn.LayerNorm(48), nn.Linear(48, 8)).eval().to(kind)

    module, data = make(), [x.to(kind) for x in batches()]
    reference = module(data[0])
    axecert.torch.quantize(module, data, wide())
    found = module(data[0])
    assert found.dtype == kind and close_to(found, reference)
    axecert.torch.save(module, tmp_path / "m")
    assert torch.equal(axecert.torch.load(make(seed=4), tmp_path / "m")(data[0]), found)
    with pytest.raises(InputError, match=f"1.weight is {kind}"):
        axecert.torch.load(make().to(torch.float32), tmp_path / "m")


def test_batches_of_nothing() -> None:
    make = lambda: nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.Flatten(), nn.Linear(6 * 16, 5)).eval()  # noqa: E731
    torch.manual_seed(0)
    module, x = make(), torch.randn(6, 4, 6, 6)
    report = axecert.torch.quantize(module, [x[:0], x, x[:0]], wide())
    assert report.verdict == "safe" and report.layers[-1].tokens == 6
    assert module(x[:0]).shape == (0, 5) and module[0](x[:0]).shape == (0, 6, 4, 4)
    for changes in ({}, {"activations": "tensor-asymmetric"}, {"equalize": ("smooth", 0.5)}, {"equalize": "awq"}, {"outliers": 2.0}):
        with pytest.raises(InputError, match="has no calibration data"):
            axecert.torch.quantize(make(), [x[:0]], wide(**changes))


def test_encoder_layers_of_torch_cannot_pass_their_integer_layers_by() -> None:
    """In eval mode they multiply by `linear1.weight` in one fused call, which no hook sees, if they can."""
    torch.manual_seed(0)
    module = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 48, batch_first=True), 2).eval()
    x, padding = torch.randn(3, 10, 32), torch.arange(10) >= torch.tensor([10, 8, 5])[:, None]
    reference, padded = module(x), module(x, src_key_padding_mask=padding)
    assert torch.backends.mha.get_fastpath_enabled()
    report = axecert.torch.quantize(module, [x, {"src": x, "src_key_padding_mask": padding}], wide())
    assert torch.backends.mha.get_fastpath_enabled()
    assert [layer.name for layer in report.layers] == [f"layers.{n}.linear{k}" for n in (0, 1) for k in (1, 2)]
    assert sum("MultiheadAttention" in line for line in report.unsupported) == 2
    called = []
    for layer in axecert.torch.integer_layers(module).values():
        layer.register_forward_hook(lambda layer, _, __: called.append(layer.layer.name))
    assert close_to(module(x), reference) and len(called) == 4
    assert close_to(module(x, src_key_padding_mask=padding)[~padding], padded[~padding]) and len(called) == 8
    weight = module.layers[0].linear1.weight
    assert weight.shape == (48, 32)
    with pytest.raises(InputError, match="layer layers.0.linear1: its weights are integers"):
        nn.functional.linear(x, weight)
    assert module.layers[0].linear1.bias is not None and "layers.0.linear1.weight" not in module.state_dict()


def test_a_module_in_training_mode_is_quantized_in_eval_mode() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(32, 48), nn.Dropout(0.5), nn.Linear(48, 8))
    reference = module.eval()(batches()[0])
    axecert.torch.quantize(module.train(), batches(), wide())
    assert not module.training and not module[0].training and close_to(module(batches()[0]), reference)


def test_what_a_layer_cannot_multiply_is_refused() -> None:
    module = net()
    axecert.torch.quantize(module, batches(), recipe())
    for wrong in (torch.ones(3, 16), torch.ones(2, 64), torch.ones(3, 32, dtype=torch.long), torch.tensor(1.0)):
        with pytest.raises(InputError, match="layer a: cannot multiply"):
            module.a(wrong)
    assert module.a(torch.ones(32)).shape == (48,)


class Loop(nn.Module):
    """Calls its layer as often as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(32, 32)

    def forward(self, x: torch.Tensor, times: int) -> torch.Tensor:
        for _ in range(times):
            x = torch.tanh(self.layer(x))
        return x


def test_modules_that_cannot_be_calibrated_are_refused() -> None:
    x = batches()[0]
    with pytest.raises(InputError, match=r"layer layer: receives .* calibration batch 1"):
        axecert.torch.quantize(Loop(), [(x, 2), (x, 4)], recipe())
    with pytest.raises(InputError, match="a.weight: is on meta"):
        axecert.torch.quantize(net().to("meta"), [x.to("meta")], recipe())
    module = net()
    axecert.torch.quantize(module, batches(), recipe(), only=["a"])
    with pytest.raises(InputError, match="quantized already"):
        axecert.torch.quantize(module, batches(), recipe())


def test_strict_is_about_what_is_asked_for() -> None:
    data = [x[0] for x in batches()]
    make = lambda: nn.Sequential(nn.Linear(32, 16), nn.Unflatten(-1, (16, 1)), nn.Conv1d(16, 4, 1))  # noqa: E731
    with pytest.raises(InputError, match="2: Conv1d .* skip it by name"):
        axecert.torch.quantize(make(), data, recipe(), strict=True)
    for choice in ({"skip": ["2"]}, {"only": ["0"]}):
        report = axecert.torch.quantize(make(), data, recipe(), strict=True, **choice)
        assert [layer.name for layer in report.layers] == ["0"] and "Conv1d" in report.unsupported[0]

"""Claims about modules in files: what is loaded computes the same bits, for every kind of layer; files appear whole or not at all; what is
damaged, missing, of another module or not proved is refused, and the module that was to take it is left alone.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from axecert import InputError  # noqa: E402
from axecert import torch as axetorch  # noqa: E402
from axecert.recipe import Recipe  # noqa: E402
from torch import nn  # noqa: E402


def images(seed: int = 0, channels: int = 4, size: int = 9) -> torch.Tensor:
    return torch.randn(3, channels, size, size, generator=torch.Generator().manual_seed(seed)) * 2 + 0.7


class Net(nn.Module):
    """Convolution with groups, norm, two linear layers, a buffer and a tied weight."""

    def __init__(self, width: int = 12, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.convolution = nn.Conv2d(4, 4, 3, groups=2, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.first, self.second = nn.Linear(4 * 81, width), nn.Linear(width, 3, bias=False)
        self.table = nn.Embedding(5, width)
        self.tied = nn.Embedding(5, width)
        self.tied.weight = self.table.weight
        self.register_buffer("offset", torch.randn(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.first(self.norm(self.convolution(x)).flatten(1)).relu()
        return self.second(hidden + self.table.weight.sum(0)) + self.offset


def quantized(**changes: Any) -> Net:
    model = Net()
    recipe = Recipe(**{"datapath": "axe:P=16,T=16,act=u8", "activations": "tensor-asymmetric", "equalize": ("smooth", 0.5), **changes})
    axetorch.quantize(model, [images(), images(1)], recipe)
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Net, Path]:
    model, folder = quantized(), tmp_path_factory.mktemp("saved") / "net"
    axetorch.save(model, folder)
    return model, folder


def test_what_is_loaded_computes_the_same_bits(saved: tuple[Net, Path], tmp_path: Path) -> None:
    model, folder = saved
    loaded = axetorch.load(Net(seed=9), folder)
    x = images(7)
    assert torch.equal(loaded(x), model(x))
    assert axetorch.report(loaded).to_json(times=False) == axetorch.report(model).to_json(times=False)
    assert loaded.table.weight.data_ptr() == loaded.tied.weight.data_ptr()
    assert torch.equal(loaded.offset, model.offset)
    axetorch.save(loaded, tmp_path / "again")
    for file in sorted(folder.iterdir()):
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name


@pytest.mark.parametrize(
    "changes",
    [
        {"rotate": True}, {"outliers": 2.5}, {"datapath": "axe:P=16,T=16,act=box"}, {"equalize": None, "activations": "token-asymmetric"},
        {"datapath": "axe:P=12,T=8,outer=float,act=u8", "options": {"granularity": "tile"}},
        {"datapath": "axe:P=11,T=8,act=u8", "options": {"constraint": "none"}}, {"options": {"asymmetric_weights": True}},
    ],
    ids=["rotate", "outliers", "box", "token", "tile", "unsafe", "asymmetric"],
)  # fmt: skip
def test_every_kind_of_layer_is_saved_and_loaded_to_the_same_bits(changes: dict[str, Any], tmp_path: Path) -> None:
    if "rotate" in changes:
        changes = {**changes, "equalize": "budget"}
    model = quantized(**changes)
    axetorch.save(model, tmp_path / "net")
    loaded = axetorch.load(Net(seed=4), tmp_path / "net")
    assert torch.equal(loaded(images(7)), model(images(7)))
    for a, b in zip(axetorch.integer_layers(model).values(), axetorch.integer_layers(loaded).values(), strict=True):
        assert a.arithmetic == b.arithmetic and np.array_equal(a.layer.weights, b.layer.weights)
    if "constraint" in changes.get("options", {}):
        assert axetorch.report(loaded).verdict == "unsafe"
        with pytest.raises(InputError, match="exact arithmetic is not proved"):
            axetorch.load(Net(), tmp_path / "net", arithmetic="exact")


def copied(saved: tuple[Net, Path], tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in saved[1].iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Another manifest with the right hash of itself, wherever that can stand."""
    if isinstance(hashes := manifest.get("sha256"), dict):
        hashes = {name: value for name, value in hashes.items() if name != "axecert.json"}
        text = json.dumps({**manifest, "sha256": hashes}, sort_keys=True, indent=1)
        manifest = {**manifest, "sha256": {**hashes, "axecert.json": hashlib.sha256(text.encode()).hexdigest()}}
    (folder / "axecert.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", ["weights.safetensors", "certificate.axec", "rest.safetensors", "axecert.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "missing", "empty"])
def test_damaged_files_are_refused_by_name_and_the_module_is_untouched(
    saved: tuple[Net, Path], tmp_path: Path, name: str, damage: str
) -> None:
    path = copied(saved, tmp_path) / name
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    else:
        content[len(content) // 2] ^= 0x15
        path.write_bytes({"flip": bytes(content), "cut": bytes(content[:-9]), "empty": b""}[damage])
    module = Net(seed=3)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    with pytest.raises(InputError) as told:
        axetorch.load(module, path.parent)
    assert str(path.parent) in told.value.place or name == "axecert.json"
    assert damage == "flip" or name in told.value.place
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert isinstance(module.first, nn.Linear)


def test_a_manifest_with_a_part_missing_is_refused(saved: tuple[Net, Path], tmp_path: Path) -> None:
    folder = copied(saved, tmp_path)
    whole = json.loads((folder / "axecert.json").read_text())
    for key in whole:
        for value in (None, 3, []):
            changed = {k: v for k, v in whole.items() if k != key} | ({} if value is None else {key: value})
            write_manifest(folder, changed)
            with pytest.raises(InputError):
                axetorch.load(Net(), folder)
    write_manifest(folder, {**whole, "datapath": "axe:P=12,T=16"})
    with pytest.raises(InputError, match="datapath"):  # the certificate speaks about another
        axetorch.load(Net(), folder)


def test_a_module_of_another_architecture_is_refused_and_left_alone(saved: tuple[Net, Path]) -> None:
    for module in (Net(width=11), nn.Sequential(nn.Linear(24, 4)), saved[0]):
        with pytest.raises(InputError):
            axetorch.load(module, saved[1])
    wide = Net(width=11)
    before = wide.offset.clone()
    with pytest.raises(InputError, match="first"):
        axetorch.load(wide, saved[1])
    assert torch.equal(wide.offset, before)
    more = Net()
    more.extra = nn.LayerNorm(3)
    with pytest.raises(InputError, match="extra"):
        axetorch.load(more, saved[1])


def test_saving_refuses_what_is_there_and_what_was_not_quantized(saved: tuple[Net, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="overwrite"):
        axetorch.save(saved[0], saved[1])
    with pytest.raises(InputError, match="not quantized"):
        axetorch.save(Net(), tmp_path / "x")
    assert not (tmp_path / "x").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        axetorch.save(saved[0], tmp_path / "file" / "net")
    folder = copied(saved, tmp_path)
    axetorch.save(quantized(weight_bits=5), folder, overwrite=True)
    assert axetorch.report(axetorch.load(Net(), folder)).recipe.weight_bits == 5


FULL_DISK = """
import resource, sys
sys.path.insert(0, {tests!r})
from test_saved_modules import Net, axetorch, quantized, InputError
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
try:
    axetorch.save(quantized(), {folder!r}, overwrite=True)
except InputError as error:
    print("REFUSED", error)
"""


@pytest.mark.parametrize("over", [False, True])
def test_a_full_disk_is_an_error_and_leaves_what_was_there(saved: tuple[Net, Path], tmp_path: Path, over: bool) -> None:
    """Files may not grow beyond a limit below the size of each of the four files in turn."""
    sizes = sorted({file.stat().st_size for file in saved[1].iterdir()})
    folder = copied(saved, tmp_path) if over else tmp_path / "new"
    before = {file.name: file.read_bytes() for file in folder.iterdir()} if over else {}
    script = "".join(
        FULL_DISK.format(tests=str(Path(__file__).parent), limit=size - 1, folder=str(folder)) for size in (sizes[0], sizes[-1])
    )
    script = script.replace("axetorch.save(quantized()", "axetorch.save(model").replace("try:", "model = quantized()\ntry:", 1)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.stdout.count("REFUSED") == 2 and "Traceback" not in run.stderr, run.stdout + run.stderr
    assert run.stdout.count("cannot be written") + run.stdout.count("cannot write") == 2, run.stdout
    assert ({file.name: file.read_bytes() for file in folder.iterdir()} if folder.exists() else {}) == before


def test_a_datapath_from_a_file_is_saved_with_the_module(tmp_path: Path) -> None:
    """The file itself is gone when the module is loaded."""
    toml = tmp_path / "mine.toml"
    toml.write_text(
        'name = "mine"\nweights = [-128, 127]\nactivations = [-255, 255]\n'
        '[[stage]]\nname = "tile"\nwidth = 16\ngroup = 8\nstride = 2\n'
        '[[stage]]\nname = "row"\nwidth = 32\ngroup = "all"\ninitial = "constant"\n'
    )
    model = quantized(datapath=str(toml))
    axetorch.save(model, tmp_path / "net")
    toml.unlink()
    loaded = axetorch.load(Net(seed=3), tmp_path / "net", arithmetic="datapath")
    assert torch.equal(loaded(images(7)), model(images(7)))
    layer = next(iter(axetorch.integer_layers(loaded).values()))
    assert layer.datapath.stages[0].stride == 2


def test_a_certificate_for_other_weights_is_refused_even_with_the_right_hash(saved: tuple[Net, Path], tmp_path: Path) -> None:
    folder = copied(saved, tmp_path)
    other = quantized(weight_bits=5)
    axetorch.save(other, tmp_path / "other")
    (folder / "certificate.axec").write_bytes((tmp_path / "other" / "certificate.axec").read_bytes())
    manifest = json.loads((folder / "axecert.json").read_text())
    manifest["sha256"]["certificate.axec"] = json.loads((tmp_path / "other" / "axecert.json").read_text())["sha256"]["certificate.axec"]
    write_manifest(folder, manifest)
    for arithmetic in (None, "exact", "datapath"):
        with pytest.raises(InputError, match="certificate.axec"):
            axetorch.load(Net(), folder, arithmetic=arithmetic)


def test_outlier_channels_that_are_not_finite_are_refused_too() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(24, 4)), torch.randn(200, 24)
    x[:, 5] *= 40
    axetorch.quantize(model, [x], Recipe(outliers=15.0))
    assert model[0].layer.outlier_columns.tolist() == [5]
    for column in (5, 3):
        bad = x.clone()
        bad[150, column] = float("nan")
        with pytest.raises(InputError, match=f"layer 0: input channel {column} of row 150"):
            model(bad)


@pytest.mark.parametrize("wrong", [
    {"weight_bits": 1}, {"weight_bits": "4"}, {"weight_bits": True}, {"activation_bits": 9}, {"activations": "row"}, {"percentile": 0},
    {"percentile": "x"}, {"outliers": -1.0}, {"outliers": "x"}, {"outliers": float("nan")}, {"percentile": 0.9}, {"alphas": (2.0,)},
    {"outliers": 6.0, "rotate": True}, {"alphas": ("x",)}, {"alphas": ()}, {"equalize": "best"}, {"equalize": ("smooth", 7)},
    {"equalize": ("smooth", "x")}, {"equalize": ("smooth", float("nan"))}, {"options": {"corrector": "?"}}, {"options": {"depth": 3}},
    {"options": {"threads": 2}}, {"order": "?"}, {"datapath": "axe"},
], ids=str)  # fmt: skip
def test_recipes_with_a_wrong_field_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Recipe(**wrong)

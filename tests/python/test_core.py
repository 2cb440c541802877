"""The core on arrays: exact ranges against brute force, witnesses that attain them, certificates and their refusal, views instead
of copies, and errors with their three parts."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import axecert
import numpy as np
import pytest
from axecert import InputError
from axecert.recipe import Recipe

GRID = axecert.ActivationGrid(0.05, 128, 8, False)


def i32(*values: int) -> Any:
    return np.array(values, np.int32)


def moments(cols: int, rows: int = 200, seed: int = 0) -> axecert.Moments:
    x = np.random.default_rng(seed).normal(size=(rows, cols)).astype(np.float32)
    found = axecert.Moments(cols)
    found.add(x[: rows // 2], x[: rows // 2])
    found.add(x[rows // 2 :], x[rows // 2 :])
    return found


def quantized(rows: int = 6, cols: int = 32, datapath: str = "axe:P=14,T=16,act=s8", name: str = "fc") -> axecert.QuantizedLayer:
    weight = np.random.default_rng(1).normal(size=(rows, cols)).astype(np.float32)
    found = moments(cols)
    return axecert.quantize(
        name, weight, found.gram, found.cross, datapath=axecert.Datapath(datapath), input=GRID, options=axecert.QuantizeOptions()
    )


def test_ranges_are_those_of_every_input_and_every_order() -> None:
    datapath = axecert.Datapath("axe:P=8,T=3,outer=12,act=s8")
    random = np.random.default_rng(3)
    for _ in range(40):
        weights = random.integers(-3, 4, (2, 4), dtype=np.int8)
        lower = random.integers(-2, 2, 4).astype(np.int32)
        upper = lower + random.integers(0, 3, 4).astype(np.int32)
        ranges = axecert.register_ranges(weights, datapath, lower, upper)
        tiles = [(0, 1, 2), (3,)]
        for row, node in itertools.product(range(2), range(2)):
            sums = {0}
            for x in itertools.product(*(range(lower[k], upper[k] + 1) for k in tiles[node])):
                products = [int(weights[row, k]) * value for k, value in zip(tiles[node], x, strict=True)]
                for order in itertools.permutations(products):
                    sums |= set(itertools.accumulate(order))
            assert (ranges[0][0][row, node], ranges[0][1][row, node]) == (min(sums), max(sums))


def test_witnesses_attain_both_ends() -> None:
    datapath = axecert.Datapath("axe:P=16,T=16,act=s8")
    random = np.random.default_rng(4)
    weights = random.integers(-8, 8, (3, 40), dtype=np.int8)
    box = i32(-128), i32(127)
    ranges = axecert.register_ranges(weights, datapath, *box)
    for row, node, upper in itertools.product(range(3), range(3), (False, True)):
        x = axecert.node_witness(weights, datapath, *box, row=row, stage=0, node=node, upper_end=upper)
        inside = slice(16 * node, min(16 * node + 16, 40))
        total = int(weights[row, inside].astype(np.int64) @ x[inside])
        # Partial sums may reach further than the whole; here every product that does not help is left at an end that adds nothing.
        assert total == ranges[0][1 if upper else 0][row, node]


def test_the_published_width_is_never_below_the_exact_one() -> None:
    for length, bits in itertools.product((1, 2, 3, 100, 4096), range(2, 9)):
        paper, exact = axecert.data_type_bound(length, bits, 8, False)
        largest = length * 255 * 2 ** (bits - 1)
        assert 2 ** (exact - 1) - 1 >= largest > 2 ** (exact - 2) - 1
        assert exact <= paper <= exact + 1


def test_quantize_certify_verify(tmp_path: Path) -> None:
    datapath = axecert.Datapath("axe:P=14,T=16,act=s8")
    layers = [quantized(name="a"), quantized(name="b")]
    certificate = axecert.certify(layers, datapath)
    assert certificate.verdict == "safe" and [facts.name for facts in certificate.layers] == ["a", "b"]
    axecert.write_weights(str(tmp_path / "w.safetensors"), layers)
    certificate.write(str(tmp_path / "c.axec"))
    found = axecert.verify(str(tmp_path / "c.axec"), str(tmp_path / "w.safetensors"), z3="both")
    assert found.verdict == "safe"
    assert {vote.verdict for vote in found.votes} == {"safe"}
    assert all(vote.checked == vote.total > 0 for vote in found.votes)
    # Read again, it is the same layer; equal claims are equal bytes.
    again = axecert.read_weights(str(tmp_path / "w.safetensors"))
    assert [layer.name for layer in again] == ["a", "b"]
    assert np.array_equal(again[0].weights, layers[0].weights) and np.array_equal(again[0].scales, layers[0].scales)
    axecert.certify(str(tmp_path / "w.safetensors"), datapath).write(str(tmp_path / "d.axec"))
    assert (tmp_path / "c.axec").read_bytes() == (tmp_path / "d.axec").read_bytes()


def test_a_certificate_for_other_weights_is_refused(tmp_path: Path) -> None:
    axecert.write_weights(str(tmp_path / "w.safetensors"), [quantized(rows=6)])
    axecert.write_weights(str(tmp_path / "other.safetensors"), [quantized(rows=7)])
    axecert.certify([quantized(rows=6)], axecert.Datapath("axe:P=14,T=16,act=s8")).write(str(tmp_path / "c.axec"))
    assert axecert.verify(str(tmp_path / "c.axec"), str(tmp_path / "other.safetensors"), z3=None).verdict == "refused"
    other = axecert.Datapath("axe:P=13,T=16,act=s8")
    found = axecert.verify(str(tmp_path / "c.axec"), str(tmp_path / "w.safetensors"), z3=None, datapath=other)
    assert found.verdict == "refused"


def test_integers_that_overflow_are_unsafe() -> None:
    layer = quantized(datapath="axe:P=20,T=16,act=s8")
    certificate = axecert.certify([layer], axecert.Datapath("axe:P=8,T=16,act=s8"))
    assert certificate.verdict == "unsafe" and certificate.layers[0].unsafe_nodes > 0 and certificate.layers[0].margin < 0


def test_arrays_that_come_back_are_views_that_cannot_be_written() -> None:
    layer = quantized()
    one, other = layer.weights, layer.weights  # both alive: equal addresses are no reuse
    assert np.shares_memory(one, other)
    with pytest.raises(ValueError, match="read-only"):
        layer.weights[0, 0] = 1
    weights = layer.weights
    del layer  # the view keeps what it looks at
    assert weights.shape == (6, 32) and weights.dtype == np.int8


@pytest.mark.parametrize(
    "weights",
    [
        np.zeros((2, 4), np.int32),  # another type
        np.zeros((2, 4), np.int8, order="F"),  # another order
        np.zeros(4, np.int8),  # another shape
        np.zeros((2, 8), np.int8)[:, ::2],  # with gaps
    ],
)
def test_arrays_that_would_have_to_be_copied_are_refused(weights: Any) -> None:
    with pytest.raises(TypeError):
        axecert.register_ranges(weights, axecert.Datapath("axe:P=16"), i32(0), i32(1))


def test_errors_have_a_place_a_problem_and_a_remedy() -> None:
    with pytest.raises(InputError) as caught:
        axecert.Datapath("axe:P=99")
    error = caught.value
    assert error.place and error.problem and error.remedy
    assert str(error) == f"{error.place}: {error.problem} ({error.remedy})"
    for wrong in (
        lambda: axecert.read_certificate("/nowhere/c.axec"),
        lambda: axecert.QuantizeOptions(corrector="magic"),
        lambda: axecert.register_ranges(np.zeros((2, 4), np.int8), axecert.Datapath("axe:P=16"), i32(0, 0), i32(1, 1)),
        lambda: axecert.Moments(3).add(np.zeros((2, 4), np.float32)),
    ):
        with pytest.raises(InputError):
            wrong()


def test_long_calls_let_other_threads_run() -> None:
    found, weight = moments(256), np.random.default_rng(0).normal(size=(64, 256)).astype(np.float32)
    started, seen = threading.Event(), []

    def progress(done: int, total: int) -> None:
        started.set()
        seen.append((done, total, threading.get_ident()))

    # Two calls at once, both of which call back into Python: with the lock kept they would wait for one another for ever.
    def run() -> None:
        options = axecert.QuantizeOptions(threads=2)
        axecert.quantize("x", weight, found.gram, datapath=axecert.Datapath("axe:P=16,T=64,act=s8"), input=GRID,
                         options=options, progress=progress)  # fmt: skip

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert started.wait(120)
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert [total for _, total, _ in seen] == [64] * len(seen) and sum(done == 64 for done, _, _ in seen) == 2


def test_moments_are_those_of_all_rows() -> None:
    random = np.random.default_rng(5)
    a, b = (random.normal(size=(50, 9)).astype(np.float32) for _ in range(2))
    found = axecert.Moments(9)
    for part in (slice(0, 20), slice(20, 50)):
        found.add(a[part], b[part], threads=2)
    assert found.rows == 50
    np.testing.assert_allclose(found.gram, a.T.astype(float) @ a, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(found.cross, a.T.astype(float) @ b, rtol=1e-5, atol=1e-4)


def test_everything_public_says_what_it_is() -> None:
    silent = [
        name
        for name in axecert.__all__
        if not name.startswith("__") and callable(getattr(axecert, name)) and not inspect.getdoc(getattr(axecert, name))
    ]
    assert silent == []
    for thing, names in (
        (axecert.QuantizeOptions, [name for name in dir(axecert.QuantizeOptions) if not name.startswith("_")]),
        (Recipe, [field.name for field in dataclasses.fields(Recipe)]),
    ):
        words = set(re.findall(r"\w+", inspect.getdoc(thing) or ""))
        assert [name for name in names if name not in words | {"published", "largest_weight"}] == []


def test_types_are_known_to_a_type_checker(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    client = tmp_path / "client.py"
    client.write_text(
        "import axecert\n"
        "datapath: axecert.Datapath = axecert.Datapath('axe:P=16')\n"
        "width: int = datapath.stages[0].width\n"
        "verdict: str = axecert.verify('a', 'b').verdict\n"
        "version: str = axecert.__version__\n"
        "changed: axecert.QuantizedLayer = axecert.read_weights('a')[0].with_(transform=axecert.InputTransform())\n"
    )
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import axecert\nwidth: str = axecert.Datapath('axe:P=16').stages[0].width\n")
    folder = str(Path(axecert.__file__).parent.parent)
    arguments = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", str(tmp_path / "cache")]
    for file, code in ((client, 0), (wrong, 1)):
        found = subprocess.run([*arguments, str(file)], env={"MYPYPATH": folder, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
        assert found.returncode == code, found.stdout + found.stderr


def test_the_package_keeps_its_own_types(tmp_path: Path) -> None:
    """Every file of it, against the stubs of the extension and what torch says of itself; other libraries say nothing."""
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--ignore-missing-imports", "--cache-dir"]
    folder = str(Path(axecert.__file__).parent.parent)
    found = subprocess.run(
        [*command, str(tmp_path), "-p", "axecert"], env={"MYPYPATH": folder, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout + found.stderr

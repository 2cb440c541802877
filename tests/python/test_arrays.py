"""Claims about the core on NumPy arrays beyond test_core.py: ranges are exact for lanes, final values and constants; every argument of
every function is checked; every long call lets other threads run; what voters say of changed weights.

The ranges are held against enumeration of all inputs, all subsets of a register's values and hence all orders; quantized layers
against their own second moments in double precision; files against the voters.
"""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import axecert
import numpy as np
import pytest
from axecert import ActivationGrid, Datapath, InputError, IntegerLinear, Moments, QuantizeOptions, _core


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


# Ranges of registers.

FINAL = """
name = "final"
title = "two lanes, the second stage claims its final value only"
weights = [-128, 127]
activations = [-255, 255]
[[stage]]
name = "lane"
width = 16
group = 2
stride = 2
[[stage]]
name = "row"
width = 32
group = "all"
claim = "final-value"
initial = "constant"
"""


def registers(datapath: str, cols: int) -> list[list[list[int]]]:
    """Per stage and register, the values of the level below that it adds: written down by hand for each datapath here."""
    tables = {
        ("axe:P=16,T=2,act=s8", 5): [[[0, 1], [2, 3], [4]], [[0, 1, 2]]],
        ("axe:P=16,act=s8", 4): [[[0, 1, 2, 3]], [[0]]],
        ("axe:P=16,T=3,outer=float,act=s8", 4): [[[0, 1, 2], [3]]],
        ("final", 5): [[[0, 2], [1, 3], [4]], [[0, 1, 2]]],
        ("x86-vnni", 4): [[[0, 1, 2, 3]]],
    }
    return tables[datapath, cols]


CASES = ["axe:P=16,T=2,act=s8", "axe:P=16,act=s8", "axe:P=16,T=3,outer=float,act=s8", "final", "x86-vnni"]
LENGTH = {"axe:P=16,T=2,act=s8": 5, "axe:P=16,act=s8": 4, "axe:P=16,T=3,outer=float,act=s8": 4, "final": 5, "x86-vnni": 4}


def datapath_of(name: str, folder: Path) -> Datapath:
    if name != "final":
        return Datapath(name)
    (folder / "final.toml").write_text(FINAL)
    return Datapath(str(folder / "final.toml"))


def sums_on_the_way(start: int, values: tuple[int, ...], every: bool) -> tuple[int, int]:
    """Least and greatest of what a register that starts from `start` can hold: every subset of its values is a prefix of
    some order; for a claim about the final value only the whole."""
    if not every:
        total = start + sum(values)
        return total, total
    subsets = itertools.chain.from_iterable(itertools.combinations(values, n) for n in range(len(values) + 1))
    totals = [start + sum(subset) for subset in subsets]
    return min(totals), max(totals)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_ranges_are_those_of_all_inputs_in_all_orders(name: str, seed: int, tmp_path: Path) -> None:
    chance = np.random.default_rng(seed)
    datapath, cols, rows = datapath_of(name, tmp_path), LENGTH[name], 3
    weights = chance.integers(-9, 10, (rows, cols)).astype(np.int8)
    unsigned = name == "x86-vnni"
    lower = chance.integers(0 if unsigned else -4, 2, cols).astype(np.int32)  # boxes that hold 0, and some that do not
    upper = (lower + chance.integers(0, 4, cols)).astype(np.int32)
    constant = chance.integers(-20, 20, rows)
    found = axecert.register_ranges(weights, datapath, lower, upper, constant)
    tree = registers(name, cols)
    assert [stage[0].shape for stage in found] == [(rows, len(nodes)) for nodes in tree]
    for r in range(rows):
        expected = [[(2**62, -(2**62))] * len(nodes) for nodes in tree]
        for x in itertools.product(*(range(a, b + 1) for a, b in zip(lower, upper, strict=True))):
            values: list[int] = [int(w) * int(v) for w, v in zip(weights[r], x, strict=True)]
            for s, nodes in enumerate(tree):
                stage = datapath.stages[s]
                start = int(constant[r]) if stage.initial == "constant" else 0
                for n, members in enumerate(nodes):
                    own = tuple(values[i] for i in members)
                    low, high = sums_on_the_way(start, own, stage.claim == "every-partial-sum")
                    expected[s][n] = (min(expected[s][n][0], low), max(expected[s][n][1], high))
                values = [start + sum(values[i] for i in members) for members in nodes]
        for s, ends in enumerate(expected):
            for n, (low, high) in enumerate(ends):
                assert (int(found[s][0][r, n]), int(found[s][1][r, n])) == (low, high), (r, s, n)


@pytest.mark.parametrize("name", CASES)
def test_a_witness_drives_its_register_to_the_end_of_its_range(name: str, tmp_path: Path) -> None:
    chance = np.random.default_rng(5)
    datapath, cols = datapath_of(name, tmp_path), LENGTH[name]
    weights = chance.integers(-128, 128, (2, cols)).astype(np.int8)
    lower = chance.integers(0 if name == "x86-vnni" else -100, 3, cols).astype(np.int32)
    upper = (lower + chance.integers(0, 100, cols)).astype(np.int32)
    tree = registers(name, cols)
    found = axecert.register_ranges(weights, datapath, lower, upper)
    for r, s in itertools.product(range(2), range(len(tree))):
        for n, top in itertools.product(range(len(tree[s])), (False, True)):
            x = axecert.node_witness(weights, datapath, lower, upper, r, s, n, top)
            assert x.dtype == np.int32 and (lower <= x).all() and (x <= upper).all()
            values = [int(w) * int(v) for w, v in zip(weights[r], x, strict=True)]
            for below in range(s):
                values = [sum(values[i] for i in members) for members in tree[below]]
            low, high = sums_on_the_way(0, tuple(values[i] for i in tree[s][n]), datapath.stages[s].claim == "every-partial-sum")
            assert (high if top else low) == found[s][int(top)][r, n]


def test_bits_that_types_alone_need_are_those_of_the_extreme_integers() -> None:
    for length, m, n, signed in itertools.product((1, 2, 3, 64, 1000), (2, 4, 8), (2, 7, 8), (False, True)):
        paper, exact = axecert.data_type_bound(length, m, n, signed)
        weight, activation = 2 ** (m - 1), 2 ** (n - 1) if signed else 2**n - 1
        extreme = length * weight * activation
        assert extreme <= 2 ** (exact - 1) - 1
        assert extreme > 2 ** (exact - 2) - 1
        assert paper >= exact


# Arrays that are not what they should be.

S8 = Datapath("axe:P=16,T=2,act=s8")


def test_sizes_that_disagree_name_the_layer_and_the_remedy() -> None:
    with pytest.raises(InputError) as told:
        axecert.register_ranges(np.ones((2, 2), np.int8), S8, ints(0, 0, 0), ints(1))
    assert told.value.place and told.value.problem and isinstance(told.value, ValueError)
    with pytest.raises(InputError):
        axecert.register_ranges(np.ones((2, 2), np.int8), S8, ints(4), ints(3))
    with pytest.raises(InputError):
        axecert.node_witness(np.ones((2, 2), np.int8), S8, ints(0), ints(1), 2, 0, 0, True)
    with pytest.raises(InputError):
        axecert.node_witness(np.ones((2, 2), np.int8), S8, ints(0), ints(1), 0, 7, 0, True)


def test_an_input_error_has_its_parts_and_survives_pickling() -> None:
    with pytest.raises(InputError) as told:
        Datapath("axe:P=99")
    error = told.value
    assert str(error) == f"{error.place}: {error.problem}" + (f" ({error.remedy})" if error.remedy else "")
    again = pickle.loads(pickle.dumps(error))
    assert (again.place, again.problem, again.remedy) == (error.place, error.problem, error.remedy)


# Quantizing arrays.

ROWS, COLS = 40, 16
GRID = ActivationGrid(0.04, 0, 8, True)


def problem(seed: int = 0, rows: int = ROWS, cols: int = COLS) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """weight, X, H = X̃ᵀX̃ and G = X̃ᵀX, X̃ on GRID."""
    chance = np.random.default_rng(seed)
    x = (chance.normal(size=(300, cols)) @ (np.eye(cols) + 0.2 * chance.normal(size=(cols, cols)))).astype(np.float32)
    tilde = (np.clip(np.rint(x / np.float64(0.04)), -128, 127) * 0.04).astype(np.float32)
    weight = chance.normal(size=(rows, cols)).astype(np.float32)
    return weight, x, tilde.T @ tilde, tilde.T @ x


def quantized(seed: int = 0, datapath: Datapath = S8, **options: Any) -> axecert.QuantizedLayer:
    weight, x, gram, cross = problem(seed)
    energy = float(np.sum((x.astype(np.float64) @ weight.T.astype(np.float64)) ** 2))
    return axecert.quantize(
        "layer", weight, gram, cross, datapath=datapath, input=GRID, output_energy=energy, options=QuantizeOptions(**options)
    )


def test_arrays_of_a_layer_are_read_only_views_of_its_memory() -> None:
    layer = quantized()
    assert layer.bias.size == layer.float_bias.size == layer.outlier_columns.size == 0
    for name in ("weights", "scales", "input_lower", "input_upper", "input_shift"):
        first, second = getattr(layer, name), getattr(layer, name)
        assert isinstance(first, np.ndarray) and not first.flags.writeable and not first.flags.owndata, name
        assert np.shares_memory(first, second), name
        with pytest.raises(ValueError, match="read-only"):
            first[...] = 0
    kept, before = layer.weights, layer.weights.copy()
    del layer  # the view keeps the layer alive
    assert np.array_equal(kept, before)


NO_COPY = """
import sys
sys.path.insert(0, {tests!r})
from test_arrays import *

def resident(what):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(what)) // 1024

layer = quantized()
runner, moments = IntegerLinear(layer, S8), Moments(COLS)
inputs = axecert.InputQuantizer(COLS, layer.transform, GRID, ints(-128), ints(127), ints(0))
x = np.zeros((1 << 21, COLS), np.float32)
x += 1  # 128 MiB that are really there
few = x[:1000]
for call in (moments.add, runner.forward, inputs.quantize):
    call(few)  # what is allocated once
for call in (moments.add, lambda x: runner.forward(x[: 1 << 17]), lambda x: inputs.quantize(x[: 1 << 17])):
    before = resident("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")  # the peak starts again
    call(x)
    print(resident("VmHWM") - before)
"""


def test_inputs_of_layers_are_read_where_they_are() -> None:
    """MiB by which memory grows at its peak. x has 128 of them for the first, 8 for the others, which return 20 and 2."""
    done = subprocess.run([sys.executable, "-c", NO_COPY.format(tests=str(Path(__file__).parent))], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    moments, forward, inputs = (int(word) for word in done.stdout.split())
    assert moments < 16 and forward < 20 + 6 and inputs < 2 + 6, (moments, forward, inputs)


def test_moments_are_views_too_and_equal_the_sums_in_double() -> None:
    _, x, _, _ = problem()
    tilde = (np.round(x * 4) / 4).astype(np.float32)
    moments = Moments(COLS)
    for first in range(0, 300, 70):
        moments.add(tilde[first : first + 70], x[first : first + 70], threads=2)
    assert np.shares_memory(moments.gram, moments.gram) and not moments.gram.flags.writeable
    assert moments.rows == 300 and moments.cross is not None
    a, b = tilde.astype(np.float64), x.astype(np.float64)
    assert np.allclose(moments.gram, a.T @ a, rtol=1e-5, atol=1e-3)
    assert np.allclose(moments.cross, a.T @ b, rtol=1e-5, atol=1e-3)
    assert np.array_equal(moments.gram, moments.gram.T)


def test_moments_refuse_batches_that_do_not_go_with_the_others() -> None:
    x = problem()[1]
    moments = Moments(COLS)
    moments.add(x, x)
    for arguments in ((x,), (x[:, 1:].copy(), x[:, 1:].copy()), (x, x[1:])):
        with pytest.raises(InputError):
            moments.add(*arguments)
    assert moments.rows == 300
    with pytest.raises(InputError):
        Moments(0)
    with pytest.raises(InputError):
        Moments(-3)


def test_the_arrays_given_are_left_alone_and_others_are_refused() -> None:
    weight, _, gram, cross = problem()
    copies = [a.copy() for a in (weight, gram, cross)]
    settings = dict(datapath=S8, input=GRID, options=QuantizeOptions())
    expected = axecert.quantize("layer", weight, gram, cross, **settings).weights
    for a, b in zip((weight, gram, cross), copies, strict=True):
        assert np.array_equal(a, b)
    for wrong in (np.asfortranarray(weight), weight.astype(np.float64), np.repeat(weight, 2, axis=1)[:, ::2]):
        with pytest.raises(TypeError):  # a copy would be made, and memory is short
            axecert.quantize("layer", wrong, gram, cross, **settings)
    assert np.array_equal(axecert.quantize("layer", weight, gram, cross, **settings).weights, expected)


def test_the_error_of_a_layer_is_that_of_its_integers() -> None:
    layer = quantized()
    weight, x, _, _ = problem()
    tilde = np.clip(np.rint(x / np.float64(0.04)), -128, 127) * 0.04
    d = layer.weights * layer.scales[:, None].astype(np.float64)
    y = x.astype(np.float64) @ weight.T.astype(np.float64)
    assert layer.relative_error == pytest.approx(np.linalg.norm(y - tilde @ d.T) / np.linalg.norm(y), rel=1e-3)
    assert int(layer.weights.min()) >= -8 and int(layer.weights.max()) <= 7


def test_no_register_of_a_quantized_layer_overflows_and_narrow_ones_are_filled() -> None:
    datapath = Datapath("axe:P=10,T=4,act=s8")
    layer = quantized(datapath=datapath)
    (tile_low, tile_high), _ = axecert.register_ranges(layer.weights, datapath, layer.input_lower, layer.input_upper)
    assert -511 <= tile_low.min() and tile_high.max() <= 511
    assert max(-tile_low.min(), tile_high.max()) > 511 - 128  # a step more of one weight would not fit
    unlimited = quantized(datapath=datapath, constraint="none")
    (low, high), _ = axecert.register_ranges(unlimited.weights, datapath, unlimited.input_lower, unlimited.input_upper)
    assert max(-low.min(), high.max()) > 511


@pytest.mark.parametrize("what", ["weight", "gram", "cross", "bias"])
def test_numbers_that_are_not_finite_name_the_layer(what: str) -> None:
    weight, _, gram, cross = problem()
    arrays: dict[str, np.ndarray] = {"weight": weight, "gram": gram, "cross": cross, "bias": np.zeros(ROWS, np.float32)}
    arrays[what] = arrays[what].copy()
    arrays[what].flat[3] = np.nan
    with pytest.raises(InputError, match="layer some.layer"):
        axecert.quantize("some.layer", **arrays, datapath=S8, input=GRID, options=QuantizeOptions())


def test_shapes_and_words_that_do_not_fit_are_refused() -> None:
    weight, _, gram, cross = problem()
    good = dict(weight=weight, gram=gram, cross=cross, datapath=S8, input=GRID, options=QuantizeOptions())
    for change in (
        {"gram": gram[1:]}, {"gram": gram[1:, 1:].copy()}, {"cross": cross[:, 1:].copy()}, {"bias": np.zeros(3, np.float32)},
        {"weight": weight[:0]}, {"code_min": ints(1, 2), "datapath": Datapath("axe:P=16,T=2,act=box")}, {"options": QuantizeOptions(row_scales=np.ones(3, np.float32))},
        {"input": ActivationGrid(-1.0, 0)}, {"input": ActivationGrid(float("nan"), 0)}, {"input": ActivationGrid(1.0, 0, 9)},
    ):  # fmt: skip
        with pytest.raises(InputError, match="layer layer"):
            axecert.quantize("layer", **{**good, **change})
    for option in ({"corrector": "best"}, {"constraint": "x"}, {"granularity": ""}, {"scales": "min"}):
        with pytest.raises(InputError, match=next(iter(option))):
            QuantizeOptions(**option)
    with pytest.raises(InputError):
        axecert.quantize("layer", **{**good, "options": QuantizeOptions(weight_bits=9)})


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_counts_rows_and_its_exception_comes_back(threads: int) -> None:
    weight, _, gram, cross = problem(rows=300)
    seen: list[tuple[int, int]] = []
    settings = dict(datapath=S8, input=GRID, options=QuantizeOptions(threads=threads))
    axecert.quantize("layer", weight, gram, cross, **settings, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (300, 300) and seen == sorted(seen)

    def stop(done: int, total: int) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        axecert.quantize("layer", weight, gram, cross, **settings, progress=stop)


# Other threads go on.


def lets_others_run(call: Any) -> bool:
    """Whether a thread that waits for the interpreter gets it while `call` runs. Python itself never switches during this
    test: only a call that gives the interpreter away lets the other thread end."""
    interval = sys.getswitchinterval()
    go, ran = threading.Event(), []
    other = threading.Thread(target=lambda: (go.wait(), ran.append(True)))
    other.start()
    try:
        sys.setswitchinterval(1000)
        go.set()
        until = time.monotonic() + 20
        while not ran and time.monotonic() < until:
            call()
    finally:
        sys.setswitchinterval(interval)
        go.set()
        other.join()
        finished = bool(ran)
    return finished and time.monotonic() < until


def test_this_way_of_asking_can_say_no() -> None:
    interval = sys.getswitchinterval()
    go, ran = threading.Event(), []
    other = threading.Thread(target=lambda: (go.wait(), ran.append(True)))
    other.start()
    try:
        sys.setswitchinterval(1000)
        go.set()
        until = time.monotonic() + 0.3
        while not ran and time.monotonic() < until:
            sum(range(1000))
        held = not ran
    finally:
        sys.setswitchinterval(interval)
        other.join()
    assert held


def test_long_calls_give_the_interpreter_to_other_threads(tmp_path: Path) -> None:
    weight, x, gram, cross = problem(rows=400)
    layer = quantized()
    rows = np.zeros((20000, COLS), np.float32)
    axecert.write_weights(str(tmp_path / "w.safetensors"), [layer])
    certificate = axecert.certify(str(tmp_path / "w.safetensors"), S8)
    certificate.write(str(tmp_path / "c.axec"))
    runner, moments = IntegerLinear(layer, S8), Moments(COLS)
    whole = [ints(n) for n in (-128, 127, 0)]
    inputs = axecert.InputQuantizer(COLS, layer.transform, GRID, *whole)
    calls = {
        "quantize": lambda: axecert.quantize("l", weight, gram, cross, datapath=S8, input=GRID, options=QuantizeOptions()),
        "register_ranges": lambda: axecert.register_ranges(np.ones((3000, 256), np.int8), S8, ints(-1), ints(1)),
        "verify": lambda: axecert.verify(str(tmp_path / "c.axec"), str(tmp_path / "w.safetensors"), z3=None),
        "certify layers": lambda: axecert.certify([layer] * 1, S8),
        "forward": lambda: runner.forward(rows),
        "moments": lambda: moments.add(rows),
        "input quantizer": lambda: inputs.quantize(rows),
    }
    assert [name for name, call in calls.items() if not lets_others_run(call)] == []


# Integers at work.


def test_outputs_are_owned_by_the_caller_and_inputs_are_checked() -> None:
    layer = quantized()
    runner = IntegerLinear(layer, S8)
    x = problem()[1]
    y = runner.forward(x)
    assert y.flags.writeable and y.dtype == np.float32 and y.shape == (300, ROWS)
    codes = np.clip(np.rint(x / np.float64(0.04)), -128, 127).astype(np.int64)
    expected = (codes @ layer.weights.T.astype(np.int64)) * (layer.scales.astype(np.float64) * 0.04)
    assert np.allclose(y, expected, rtol=1e-6)
    assert runner.forward(x[:0]).shape == (0, ROWS)
    with pytest.raises(InputError, match="columns"):
        runner.forward(x[:, 1:].copy())
    bad = x.copy()
    bad[250, 3] = np.inf
    with pytest.raises(InputError, match="layer layer: input channel 3 of row 250"):
        runner.forward(bad, threads=2)
    with pytest.raises(InputError, match="arithmetic"):
        IntegerLinear(layer, S8, "approximate")


def test_an_input_transform_keeps_products_and_refuses_what_is_none() -> None:
    chance = np.random.default_rng(1)
    multiplier = chance.uniform(0.1, 10, COLS).astype(np.float32)
    sign = chance.choice([-1, 1], COLS).astype(np.int8)
    transform = axecert.InputTransform(multiplier=multiplier, hadamard=16, sign=sign)
    weight, x, _, _ = problem()
    product = transform.apply(x).astype(np.float64) @ transform.apply_to_weights(weight).astype(np.float64).T
    assert np.allclose(product, x.astype(np.float64) @ weight.astype(np.float64).T, atol=1e-3)
    hadamard = np.array([[(-1) ** bin(i & j).count("1") for j in range(16)] for i in range(16)]) / 4
    assert np.allclose(transform.apply(x), (x * multiplier * sign) @ hadamard, atol=1e-4)
    for wrong in (
        {"multiplier": multiplier * 0}, {"multiplier": multiplier[1:]}, {"hadamard": 16, "sign": sign * 2}, {"hadamard": 12},
        {"hadamard": 16}, {"hadamard": 32, "sign": np.ones(COLS, np.int8)},
    ):  # fmt: skip
        with pytest.raises(InputError):
            axecert.InputTransform(**wrong).apply(x)
    assert axecert.largest_hadamard(48) == 16
    for none in (0, -4):
        with pytest.raises(InputError):
            axecert.largest_hadamard(none)


# Certificates.


def test_a_certificate_is_checked_by_all_voters_and_a_changed_weight_is_refused(tmp_path: Path) -> None:
    weights, certificate = str(tmp_path / "w.safetensors"), str(tmp_path / "c.axec")
    layer = quantized()
    axecert.write_weights(weights, [layer])
    made = axecert.certify(weights, S8)
    made.write(certificate)
    assert made.verdict == axecert.read_certificate(certificate).verdict == axecert.certify([layer], S8).verdict == "safe"
    seen: set[str] = set()
    checked = axecert.verify(certificate, weights, z3="both", replay=2, workers=1, progress=lambda v, d, t: seen.add(v))
    assert checked.verdict == "safe"
    assert all(vote.verdict == "safe" and vote.checked == vote.total for vote in checked.votes) and len(checked.votes) >= 4
    assert seen
    (facts,) = made.layers
    ranges = axecert.register_ranges(layer.weights, S8, layer.input_lower, layer.input_upper)
    assert facts.nodes == sum(low.size for low, _ in ranges) and facts.unsafe_nodes == 0
    assert facts.margin == min(32767 - max(-ranges[0][0].min(), ranges[0][1].max()), facts.margin)

    assert axecert.verify(certificate, weights, z3=None, datapath=Datapath("axe:P=15,T=2,act=s8")).verdict == "refused"
    (read,) = axecert.read_weights(weights)
    assert np.array_equal(read.weights, layer.weights) and np.array_equal(read.scales, layer.scales)
    content = bytearray(Path(weights).read_bytes())
    content[content.index(layer.weights.tobytes())] ^= 1
    Path(weights).write_bytes(content)
    changed = axecert.verify(certificate, weights, z3=None)
    said = [vote.detail + " ".join(finding[2] for finding in vote.findings) for vote in changed.votes]
    assert changed.verdict == "refused" and any("hash" in text for text in said), said


def test_integers_of_ones_own_are_certified_from_a_file_of_numpy(tmp_path: Path) -> None:
    weights, certificate = str(tmp_path / "mine.npz"), str(tmp_path / "mine.axec")
    w = np.random.default_rng(2).integers(-8, 8, (5, 6), dtype=np.int8)
    whole = {"a.weight": w, "a.bias": np.arange(5), "a.input_lower": ints(-3), "a.input_upper": ints(7)}
    np.savez(weights, **whole)
    with pytest.raises(InputError, match="a.input_shift: is missing"):  # the checker would ask whose box it is
        axecert.certify(weights, S8)
    np.savez(weights, **whole, **{"a.input_shift": ints(0), "a.input_zero_point": ints(0)})
    for arrays in (None, {"a.weight": w}):
        if arrays is not None:
            np.savez(weights, **arrays)
        made = axecert.certify(weights, S8)
        made.write(certificate)
        assert made.verdict == axecert.verify(certificate, weights, z3="both").verdict == "safe"
    ranges = axecert.register_ranges(w, S8, ints(-128), ints(127))
    assert made.layers[0].margin == min(limit - int(abs(end).max()) for (low, high), limit in zip(ranges, (2**15 - 1, 2**31 - 1)) for end in (low, high))


def test_missing_files_and_unknown_words_name_themselves(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.axec")
    for call in (
        lambda: axecert.verify(missing, missing),
        lambda: axecert.read_certificate(missing),
        lambda: axecert.read_weights(missing),
        lambda: axecert.certify(missing, S8),
        lambda: axecert.write_weights(str(tmp_path / "no" / "w"), [quantized()]),
    ):
        with pytest.raises(InputError, match=str(tmp_path)):
            call()
    here = str(tmp_path / "w.safetensors")
    axecert.write_weights(here, [quantized()])
    with pytest.raises(InputError, match="z3"):
        axecert.verify(here, here, z3="deep")
    with pytest.raises(InputError, match="verify"):
        axecert.verify(here, here, workers=-1)
    with pytest.raises(InputError):
        axecert.read_certificate(here)
    with pytest.raises(InputError):
        axecert.write_weights(here, [])
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_freed_memory_goes_back_to_the_system() -> None:
    """2,048 arrays too small for pages of their own, all freed but those at every 64th place: glibc keeps what lies between."""

    def resident() -> int:
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("RssAnon"))

    arrays = [np.ones(8192) for _ in range(2048)]  # 64 KiB each, 128 MiB
    kept = arrays[63::64]
    del arrays
    before = resident()
    _core.release_freed_memory()
    assert before - resident() > 100
    assert all(array[0] == 1 for array in kept)


def test_pages_of_a_mapped_file_are_given_back_and_changes_stay(tmp_path: Path) -> None:
    def resident() -> int:
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("RssFile"))

    system = subprocess.run(["stat", "-f", "-c", "%T", str(tmp_path)], capture_output=True, text=True, check=True).stdout.strip()
    if system == "tmpfs":
        pytest.skip("files in memory cannot leave it")
    path = tmp_path / "weights"
    np.arange(8 << 20, dtype=np.uint32).tofile(path)  # 32 MiB
    with path.open("rb") as file:
        os.fsync(file.fileno())  # pages that differ from the disk would stay
    mapped = np.memmap(path, dtype=np.uint32, mode="c")
    total = int(mapped.sum(dtype=np.int64))
    mapped[5] += 7  # on a page of this process's own
    before = resident()
    _core.page_out(mapped.view(np.uint8)[3:-3])
    assert before - resident() > 25
    assert mapped[5] == 12
    assert int(mapped.sum(dtype=np.int64)) == total + 7
    _core.page_out(np.zeros(0, dtype=np.uint8))
    with pytest.raises(TypeError):
        _core.page_out(mapped)

"""axecert.distributed: whatever the cut, the backend and the accidents on the way, the result is that of one process, byte for byte."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import axecert
from axecert import _core, distributed
from axecert.distributed.backends import Task

DATAPATH = "axe:P=20,T=32,act=u8"


def write_safetensors(path: Path, arrays: dict[str, np.ndarray]) -> None:
    names = {"int8": "I8", "int32": "I32", "int64": "I64", "float32": "F32"}
    header, offset = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": names[str(array.dtype)], "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(array.tobytes() for array in arrays.values()))


def model(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    arrays: dict[str, np.ndarray] = {}
    for i, (rows, cols) in enumerate([(300, 96), (128, 64), (5, 200), (257, 33)]):
        name = f"blocks.{i}.up"
        arrays[f"{name}.weight"] = random.integers(-8, 8, (rows, cols), dtype=np.int8)
        if i % 2 == 0:
            arrays[f"{name}.bias"] = random.integers(-999, 999, rows, dtype=np.int64)
        arrays[f"{name}.input_lower"] = np.zeros(cols if i == 1 else 1, np.int32)
        arrays[f"{name}.input_upper"] = random.integers(1, 255, cols, dtype=np.int32) if i == 1 else np.array([255], np.int32)
        arrays[f"{name}.input_shift"] = np.array([0], np.int32)
        arrays[f"{name}.input_zero_point"] = np.array([3, 7] if i == 3 else [3], np.int32)
        if i == 2:
            arrays[f"{name}.input_limit"] = np.array([4000], np.int64)
    return arrays


def write_shards(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    """Three shards; the arrays of one layer lie in different ones."""
    folder.mkdir()
    place = {name: f"model-{i % 3 + 1:05d}-of-00003.safetensors" for i, name in enumerate(arrays)}
    for shard in sorted(set(place.values())):
        write_safetensors(folder / shard, {name: array for name, array in arrays.items() if place[name] == shard})
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": sum(a.nbytes for a in arrays.values())}, "weight_map": place}))
    return index


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    write_safetensors(path, model(1))
    return path


@pytest.fixture
def expected(weights: Path, tmp_path: Path) -> bytes:
    """The certificate that one process makes in one piece."""
    path = tmp_path / "expected.axec"
    axecert.certify(str(weights), axecert.Datapath(DATAPATH)).write(str(path))
    return path.read_bytes()


def die_once(marker: str, task: Task) -> Any:
    """Kills its process the first time that it is called with this marker."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return task()


def layers_of(path: str) -> list[tuple[str, int, int]]:
    return _core.weight_layers(path)


class Perilous:
    """A backend in which every third task kills its worker, once."""

    def __init__(self, inside: Any, folder: Path) -> None:
        self.inside, self.folder, self.runs, self.planned = inside, folder, 0, 0

    def run(self, tasks: Sequence[Task], progress: distributed.Progress | None = None) -> list[Any]:
        self.runs += 1
        perilous = []
        for i, task in enumerate(tasks):
            if i % 3 == 1:
                self.planned += 1
                task = Task(die_once, (str(self.folder / f"died-{self.runs}-{i}"), task))
            perilous.append(task)
        return list(self.inside.run(perilous, progress))

    @property
    def deaths(self) -> int:
        return len(list(self.folder.glob("died-*")))


class Interrupted(Exception):
    pass


class StopsAfter:
    """A backend that stops for good after some tasks."""

    def __init__(self, tasks: int) -> None:
        self.left = tasks

    def run(self, tasks: Sequence[Task], progress: distributed.Progress | None = None) -> list[Any]:
        results = []
        for task in tasks:
            if self.left == 0:
                raise Interrupted
            self.left -= 1
            results.append(task())
        return results


def test_the_certificate_does_not_depend_on_how_the_work_is_cut(weights: Path, expected: bytes, tmp_path: Path) -> None:
    for size in (1, 128 * 96, 10_000, 1 << 25):
        told: list[tuple[int, int]] = []
        found = distributed.certify(weights, DATAPATH, tmp_path / "found.axec", weights_per_task=size, progress=lambda done, of: told.append((done, of)))
        assert (tmp_path / "found.axec").read_bytes() == expected
        assert found.verdict == "safe"
        assert told == [(i + 1, told[-1][1]) for i in range(told[-1][1])]
    assert not (tmp_path / "found.axec.parts").exists()


def test_shards_give_the_same_certificate(expected: bytes, tmp_path: Path) -> None:
    index = write_shards(tmp_path / "shards", model(1))
    for source in (index, index.parent):
        distributed.certify(source, DATAPATH, tmp_path / "found.axec", weights_per_task=5_000)
        assert (tmp_path / "found.axec").read_bytes() == expected
    assert distributed.verify(tmp_path / "found.axec", index, z3="ground").verdict == "safe"


def test_an_unsafe_model_has_the_worst_register_of_the_whole(tmp_path: Path) -> None:
    arrays = model(2)
    arrays["blocks.0.up.weight"][299, :] = 7  # in the last range of rows
    path = tmp_path / "unsafe.safetensors"
    write_safetensors(path, arrays)
    narrow = "axe:P=16,T=32,act=u8"
    axecert.certify(str(path), axecert.Datapath(narrow)).write(str(tmp_path / "expected.axec"))
    found = distributed.certify(path, narrow, tmp_path / "found.axec", weights_per_task=1)
    assert (tmp_path / "found.axec").read_bytes() == (tmp_path / "expected.axec").read_bytes()
    assert found.verdict == "unsafe"
    answer = distributed.verify(tmp_path / "found.axec", path, z3="both", weights_per_task=1)
    assert answer.verdict == "unsafe"
    assert any(finding[:2] == ("blocks.0.up", (299, 0, 0)) for finding in answer.votes[2].findings)  # rows count from the layer's first


def test_workers_that_die_on_the_way_change_nothing(weights: Path, expected: bytes, tmp_path: Path) -> None:
    pool = Perilous(distributed.LocalPool(2), tmp_path)
    distributed.certify(weights, DATAPATH, tmp_path / "found.axec", backend=pool, weights_per_task=1)
    assert (tmp_path / "found.axec").read_bytes() == expected
    assert pool.deaths == pool.planned > 2
    assert pool.inside.lost >= 2
    whole = axecert.verify(str(tmp_path / "found.axec"), str(weights), z3="box")
    answer = distributed.verify(tmp_path / "found.axec", weights, z3="box", backend=pool, weights_per_task=1)
    assert pool.deaths == pool.planned
    assert answer.verdict == whole.verdict == "safe"
    assert answer.assumptions == whole.assumptions
    for vote, other in zip(answer.votes, whole.votes, strict=True):
        assert (vote.name, vote.verdict, vote.checked, vote.total) == (other.name, other.verdict, other.checked, other.total)
    assert answer.votes[2].detail == whole.votes[2].detail


def test_a_worker_killed_from_outside_is_replaced(tmp_path: Path) -> None:
    pool = distributed.LocalPool(2)
    tasks = [Task(_sleep_and_answer, (i, str(tmp_path))) for i in range(6)]
    killer = threading.Thread(target=_kill_the_first, args=(tmp_path,))
    killer.start()
    assert pool.run(tasks) == list(range(6))
    killer.join()
    assert pool.lost == 1


def _sleep_and_answer(i: int, folder: str) -> int:
    Path(folder, f"{os.getpid()}.pid").touch()
    time.sleep(0.2)
    return i


def _kill_the_first(folder: Path) -> None:
    while not (found := list(folder.glob("*.pid"))):
        time.sleep(0.01)
    os.kill(int(found[0].stem), signal.SIGKILL)


def test_a_task_that_always_kills_its_worker_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(axecert.InputError, match="workers died 2 times without finishing a task"):
        distributed.LocalPool(1, retries=1).run([Task(os.abort, ())])


def test_an_error_of_a_task_is_the_callers(tmp_path: Path) -> None:
    for backend in (distributed.InProcess(), distributed.LocalPool(2)):
        with pytest.raises(axecert.InputError, match="nothing.safetensors"):
            backend.run([Task(layers_of, (str(tmp_path / "nothing.safetensors"),))])


def test_what_an_interruption_leaves_is_used_and_what_is_wrong_in_it_is_not(weights: Path, expected: bytes, tmp_path: Path) -> None:
    target, parts = tmp_path / "found.axec", tmp_path / "found.axec.parts"
    with pytest.raises(Interrupted):
        distributed.certify(weights, DATAPATH, target, backend=StopsAfter(5), weights_per_task=1)
    assert not target.exists()
    left = sorted(parts.iterdir())
    assert len(left) == 5
    left[0].write_bytes(left[1].read_bytes())  # another range's
    left[2].write_bytes(left[2].read_bytes()[:100])  # cut short
    for path in left:
        os.utime(path, (1, 1))  # long ago: the clock of a file system may stand still for as long as it takes to make a part again
    times = {path: path.stat().st_mtime_ns for path in left}
    seen: list[Path] = []

    class Watched(distributed.InProcess):
        def run(self, tasks: Sequence[Task], progress: distributed.Progress | None = None) -> list[Any]:
            results = super().run(tasks, progress)
            seen.extend(path for path in left if path.exists() and path.stat().st_mtime_ns != times[path])
            return results

    distributed.certify(weights, DATAPATH, target, backend=Watched(), weights_per_task=1)
    assert target.read_bytes() == expected
    assert set(seen) == {left[0], left[2]}  # only these were made again
    assert not parts.exists()


def test_pieces_of_other_weights_are_not_believed(weights: Path, expected: bytes, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    write_safetensors(other, model(3))
    target = tmp_path / "found.axec"
    with pytest.raises(Interrupted):
        distributed.certify(other, DATAPATH, target, backend=StopsAfter(8), weights_per_task=1)
    distributed.certify(weights, DATAPATH, target, weights_per_task=1)
    assert target.read_bytes() == expected


def test_a_piece_that_changes_after_it_was_checked_is_refused(weights: Path, tmp_path: Path) -> None:
    (name, rows, _cols), *rest = _core.weight_layers(str(weights))
    part = tmp_path / "part.axec"
    _core.certify_rows(str(weights), name, 0, rows, axecert.Datapath(DATAPATH), str(part))
    digest, vote = _core.check_rows(str(part), str(weights), name, 0, rows)
    assert (vote.verdict, vote.checked) == ("safe", vote.total)
    part.write_bytes(part.read_bytes() + b"\0")
    with pytest.raises(axecert.InputError, match="is not the part that was checked"):
        _core.join_parts(str(weights), [(name, 0, rows, str(part), digest)], str(tmp_path / "x.axec"))
    with pytest.raises(axecert.InputError, match="the next part is not that of layer"):
        _core.join_parts(str(weights), [(rest[0][0], 0, rest[0][1], str(part), digest)], str(tmp_path / "x.axec"))
    assert not (tmp_path / "x.axec").exists()


def test_a_wrong_certificate_is_refused_by_verify(weights: Path, expected: bytes, tmp_path: Path) -> None:
    path = tmp_path / "expected.axec"
    other = tmp_path / "other.safetensors"
    write_safetensors(other, model(3))
    answer = distributed.verify(path, other)
    assert answer.verdict == "refused"
    assert len(answer.votes) == 1


@pytest.fixture
def float_layers(tmp_path: Path) -> Path:
    random = np.random.default_rng(5)
    arrays: dict[str, np.ndarray] = {}
    for i, (rows, cols) in enumerate([(300, 48), (40, 64)]):
        name = f"blocks.{i}.up"
        arrays[f"{name}.weight"] = random.normal(size=(rows, cols)).astype(np.float32)
        arrays[f"{name}.inputs"] = random.normal(0.5, 1, (96, cols)).astype(np.float32)
        arrays[f"{name}.bias"] = random.normal(size=rows).astype(np.float32)
    path = tmp_path / "layers.safetensors"
    write_safetensors(path, arrays)
    return path


def whole_quantized(source: Path, path: Path, datapath: str, **options: Any) -> bytes:
    layers = [
        _core.quantize_rows(str(source), name, 0, rows, axecert.Datapath(datapath), axecert.QuantizeOptions(**options))
        for name, rows, _cols in _core.problem_layers(str(source))
    ]
    _core.write_weights(str(path), layers)
    return path.read_bytes()


@pytest.mark.parametrize("datapath", ["axe:P=14,T=16,act=s8", "axe:P=14,T=16,outer=float,act=box"])
def test_quantizing_in_ranges_of_rows_gives_the_integers_of_the_whole(float_layers: Path, tmp_path: Path, datapath: str) -> None:
    options = {"asymmetric_weights": True} if "float" in datapath else {}
    right = whole_quantized(float_layers, tmp_path / "right.safetensors", datapath, **options)
    for name, backend in (("here", None), ("pool", Perilous(distributed.LocalPool(2), tmp_path))):
        path = distributed.quantize(float_layers, datapath, tmp_path / name, options=options, backend=backend, weights_per_task=1)
        assert path == tmp_path / name / "weights.safetensors"
        assert path.read_bytes() == right
        assert sorted(entry.name for entry in path.parent.iterdir()) == ["weights.safetensors"]


def test_what_a_killed_worker_left_half_written_is_removed_and_nothing_else(float_layers: Path, tmp_path: Path) -> None:
    class DiesWriting:
        def run(self, tasks: Sequence[Task], progress: distributed.Progress | None = None) -> list[Any]:
            for task in tasks:
                Path(task.arguments[-1] + ".tmp.1.0").write_bytes(b"half")
            return [task() for task in tasks]

    path = distributed.quantize(float_layers, "axe:P=14,T=16,act=s8", tmp_path / "all", backend=DiesWriting())
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["weights.safetensors"]
    (tmp_path / "other" / "parts").mkdir(parents=True)
    (tmp_path / "other" / "parts" / "stranger.tmp.1.0").write_bytes(b"x")
    distributed.quantize(float_layers, "axe:P=14,T=16,act=s8", tmp_path / "other", backend=DiesWriting())
    assert [entry.name for entry in (tmp_path / "other" / "parts").iterdir()] == ["stranger.tmp.1.0"]


def test_quantized_weights_may_be_sharded(float_layers: Path, tmp_path: Path) -> None:
    datapath = "axe:P=14,T=16,act=s8"
    index = distributed.quantize(float_layers, datapath, tmp_path / "out", shard_bytes=1)
    assert index.name == "weights.safetensors.index.json"
    assert len(list((tmp_path / "out").glob("weights-*-of-00002.safetensors"))) == 2
    whole_quantized(float_layers, tmp_path / "right.safetensors", datapath)
    distributed.certify(index, datapath, tmp_path / "shards.axec")
    distributed.certify(tmp_path / "right.safetensors", datapath, tmp_path / "right.axec")
    assert (tmp_path / "shards.axec").read_bytes() == (tmp_path / "right.axec").read_bytes()


def test_layers_to_quantize_may_be_sharded(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    arrays: dict[str, np.ndarray] = {}
    for i in range(3):
        arrays[f"blocks.{i}.weight"] = random.normal(size=(130, 32)).astype(np.float32)
        arrays[f"blocks.{i}.inputs"] = random.normal(0.5, 1, (48, 32)).astype(np.float32)
    write_safetensors(tmp_path / "floats.safetensors", arrays)
    index = write_shards(tmp_path / "floats", arrays)
    right = whole_quantized(tmp_path / "floats.safetensors", tmp_path / "right.safetensors", "axe:P=14,T=16,act=s8")
    for number, source in enumerate((index, index.parent)):
        path = distributed.quantize(source, "axe:P=14,T=16,act=s8", tmp_path / f"out{number}", weights_per_task=1)
        assert path.read_bytes() == right


def test_an_interrupted_quantization_goes_on(float_layers: Path, tmp_path: Path) -> None:
    datapath, out = "axe:P=14,T=16,act=s8", tmp_path / "out"
    right = whole_quantized(float_layers, tmp_path / "right.safetensors", datapath)
    with pytest.raises(Interrupted):
        distributed.quantize(float_layers, datapath, out, backend=StopsAfter(2), weights_per_task=1)
    assert not (out / "weights.safetensors").exists()
    parts = sorted((out / "parts").iterdir())
    assert len(parts) == 2
    parts[0].write_bytes(b"damaged")
    rest = StopsAfter(3)  # two that are missing of four, and the damaged one
    assert distributed.quantize(float_layers, datapath, out, backend=rest, weights_per_task=1).read_bytes() == right
    assert rest.left == 0


def test_bad_arguments_are_errors(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(axecert.InputError, match="weights_per_task"):
        distributed.certify(weights, DATAPATH, tmp_path / "x.axec", weights_per_task=0)
    with pytest.raises(axecert.InputError, match="z3"):
        distributed.verify(tmp_path / "x.axec", weights, z3="deep")
    with pytest.raises(axecert.InputError, match="datapath|axe:"):
        distributed.certify(weights, "axe:nonsense", tmp_path / "x.axec")
    with pytest.raises(axecert.InputError, match="at least one process"):
        distributed.LocalPool(0)
    write_safetensors(tmp_path / "wide.safetensors", {"a.weight": np.ones((2, 2), np.int32)})
    with pytest.raises(axecert.InputError, match="does not read"):
        distributed.certify(tmp_path / "wide.safetensors", DATAPATH, tmp_path / "x.axec")


def test_a_ray_cluster_whose_workers_die_makes_the_same(weights: Path, expected: bytes, float_layers: Path, tmp_path: Path) -> None:
    import ray

    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        cluster = Perilous(distributed.RayCluster(), tmp_path)
        told: list[tuple[int, int]] = []
        distributed.certify(weights, DATAPATH, tmp_path / "found.axec", backend=cluster, weights_per_task=1, progress=lambda done, of: told.append((done, of)))
        assert (tmp_path / "found.axec").read_bytes() == expected
        assert told[-1][0] == told[-1][1] == len(told)
        answer = distributed.verify(tmp_path / "found.axec", weights, z3="both", backend=cluster, weights_per_task=1)
        assert answer.verdict == "safe"
        assert all(vote.checked == vote.total for vote in answer.votes)
        right = whole_quantized(float_layers, tmp_path / "right.safetensors", "axe:P=14,T=16,act=s8")
        assert distributed.quantize(float_layers, "axe:P=14,T=16,act=s8", tmp_path / "out", backend=cluster, weights_per_task=1).read_bytes() == right
        assert cluster.deaths == cluster.planned > 5
        with pytest.raises(axecert.InputError, match="nothing.safetensors"):
            cluster.inside.run([Task(layers_of, (str(tmp_path / "nothing.safetensors"),))])
        with pytest.raises(axecert.InputError, match="lost its worker more than 1 times"):
            distributed.RayCluster(retries=1).run([Task(os.abort, ())])
    finally:
        ray.shutdown()

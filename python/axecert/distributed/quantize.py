"""Integer weights from ranges of rows that were quantized anywhere.

`quantize` is the main function. Side effects: the weights files; while it runs, and after an interruption, a folder of pieces among them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import _core
from .._core import Datapath, InputError, QuantizedLayer, QuantizeOptions
from .._files import make_folder, sha256_of, write_text
from .backends import Backend, InProcess, Progress, Task
from .pieces import Piece, PieceFolder, pieces_of


def quantize(
    layers: str | Path,
    datapath: str,
    output: str | Path,
    *,
    options: Mapping[str, Any] | None = None,
    backend: Backend | None = None,
    weights_per_task: int = 1 << 22,
    shard_bytes: int = 5_000_000_000,
    progress: Progress | None = None,
) -> Path:
    """Quantizes every layer of a file that `axecert quantize` reads (docs/layers.md), or of an index of shards, into the folder `output`.

    options           of QuantizeOptions, by name.
    backend           where tasks run; None: in this process.
    weights_per_task  about how many weights a task quantizes; the integers do not depend on it.
    shard_bytes       a weights file has one layer at least, and no more integer weights than this when it has several.
    progress          called with (tasks done, tasks).

    Returns `output`/weights.safetensors, which is the file that `axecert quantize` writes, or the index of several shards. Certify it
    next. Finished pieces of an interrupted call, by hash of the input file, datapath and options, are used again when they read as what
    they should be. InputError on bad input.
    """
    runner = backend or InProcess()
    source, folder = str(layers), Path(output)
    settings = {"threads": 1, **(options or {})}
    QuantizeOptions(**settings)
    Datapath(datapath)
    make_folder(folder)
    sizes = _core.problem_layers(source)
    pieces = pieces_of(sizes, weights_per_task)
    made_from = [datapath, json.dumps(settings, sort_keys=True), *(sha256_of(path) for path in _files(Path(source)))]
    parts = PieceFolder(folder / "parts", "weights", made_from, ".safetensors")
    pending = [piece for piece in pieces if not _is_whole(parts.path(piece), piece)]
    runner.run(
        [Task(_quantize_piece, (source, piece, datapath, settings, str(parts.path(piece)))) for piece in pending],
        None if progress is None else lambda done, of: progress(len(pieces) - of + done, len(pieces)),
    )
    shards = list(_shards(sizes, shard_bytes))
    index: dict[str, str] = {}
    total = 0
    for number, names in enumerate(shards):
        name = "weights.safetensors" if len(shards) == 1 else f"weights-{number + 1:05d}-of-{len(shards):05d}.safetensors"
        joined = [_core.join_layers([_read(parts.path(p)) for p in pieces if p.layer == layer]) for layer in names]
        _core.write_weights(str(folder / name), joined)
        if len(shards) > 1:
            for array, size in _core.array_bytes(str(folder / name)):
                index[array] = name
                total += size
    result = folder / "weights.safetensors"
    if len(shards) > 1:
        result = folder / "weights.safetensors.index.json"
        write_text(result, json.dumps({"metadata": {"total_size": total}, "weight_map": index}, sort_keys=True, indent=1))
    parts.remove(pieces)
    return result


def _files(source: Path) -> list[Path]:
    """The file, or an index and its shards."""
    if source.is_dir():
        found = sorted(source.glob("*.index.json"))
        if len(found) != 1:
            raise InputError(str(source), f"holds {len(found)} files *.index.json", "name one of them")
        source = found[0]
    if not source.name.endswith(".index.json"):
        return [source]
    shards = sorted(set(json.loads(source.read_text(encoding="utf-8"))["weight_map"].values()))
    return [source, *(source.parent / shard for shard in shards)]


def _shards(layers: list[tuple[str, int, int]], most: int) -> Iterator[list[str]]:
    """Names of the layers of each file, in order."""
    names: list[str] = []
    size = 0
    for name, rows, cols in layers:
        if names and size + rows * cols > most:
            yield names
            names, size = [], 0
        names.append(name)
        size += rows * cols
    yield names


def _quantize_piece(source: str, piece: Piece, datapath: str, options: dict[str, Any], path: str) -> None:
    layer = _core.quantize_rows(source, piece.layer, piece.begin, piece.end, Datapath(datapath), QuantizeOptions(**options))
    _core.write_weights(path, [layer])


def _read(path: Path) -> QuantizedLayer:
    (layer,) = _core.read_weights(str(path))
    return layer


def _is_whole(path: Path, piece: Piece) -> bool:
    if not path.exists():
        return False
    try:
        layer = _read(path)
    except (InputError, ValueError):
        return False
    return layer.name == piece.layer and layer.weights.shape[0] == piece.end - piece.begin

"""A certificate from claims about ranges of rows, each checked before it is used.

`certify` is the main function. Side effects: the certificate; while it runs, and after an interruption, a folder of pieces beside it.
"""

from __future__ import annotations

from pathlib import Path

from .. import _core
from .._core import Certificate, Datapath, InputError
from .backends import Backend, InProcess, Progress, Task
from .pieces import Piece, PieceFolder, pieces_of


def certify(
    weights: str | Path,
    datapath: str,
    path: str | Path,
    *,
    backend: Backend | None = None,
    weights_per_task: int = 1 << 25,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Certificate:
    """Certifies the integer layers of a weights file, or of an index of shards, and writes the certificate to `path`.

    datapath          as the command line takes it: a shorthand, a preset, or a TOML file that all machines see.
    backend           where tasks run; None: in this process.
    weights_per_task  about how many weights a task certifies; the certificate does not depend on it.
    folder            of finished pieces, `path` + ".parts" when None. What an interrupted call left there is checked and used.
    progress          called with (tasks done, tasks).

    One task computes the ranges of some rows and writes them as a certificate; another has the checker recompute them, and what it does
    not confirm is computed once more. The certificate is put together from exactly the bytes that the checker saw, and is the one
    that `axecert certify` writes. The outline that is returned has no ranges. InputError on bad input.
    """
    runner = backend or InProcess()
    source, target = str(weights), Path(path)
    Datapath(datapath)  # says what is wrong with it before anything runs
    pieces = pieces_of(_core.weight_layers(source), weights_per_task)
    parts = PieceFolder(Path(folder) if folder is not None else target.with_name(target.name + ".parts"), "certificate", [datapath], ".axec")
    seen = _Seen(len(pieces), progress)

    hashes: dict[Piece, str] = {}
    missing = [piece for piece in pieces if not parts.path(piece).exists()]
    for attempt in range(2):
        runner.run([Task(_certify, (str(parts.path(p)), source, datapath, p)) for p in missing], seen.certified)
        unchecked = [piece for piece in pieces if piece not in hashes]
        checked = runner.run([Task(_check, (str(parts.path(p)), source, datapath, p)) for p in unchecked], seen.checked)
        hashes.update({piece: answer for piece, (answer, _) in zip(unchecked, checked, strict=True) if answer})
        missing = [piece for piece in unchecked if piece not in hashes]
        if not missing:
            break
        if attempt == 1:
            reason = next(why for piece, (_, why) in zip(unchecked, checked, strict=True) if piece == missing[0])
            raise InputError(f"{source}: {missing[0].layer}", f"rows {missing[0].begin} to {missing[0].end}: {reason}", "is somebody changing the weights?")
    certificate = _core.join_parts(source, [(p.layer, p.begin, p.end, str(parts.path(p)), hashes[p]) for p in pieces], str(target))
    parts.remove(pieces)
    return certificate


def _certify(path: str, weights: str, datapath: str, piece: Piece) -> None:
    _core.certify_rows(weights, piece.layer, piece.begin, piece.end, Datapath(datapath), path)


def _check(path: str, weights: str, datapath: str, piece: Piece) -> tuple[str | None, str]:
    """The hash of a piece's file when the checker confirms it for these rows and this datapath; else None, and why."""
    try:
        found = _core.read_certificate(path)
        if found.layers[0].name != piece.layer or found.layers[0].rows != piece.end - piece.begin or not _core.same_arithmetic(found.datapath, Datapath(datapath)):
            return None, "the file is about something else"
        digest, vote = _core.check_rows(path, weights, piece.layer, piece.begin, piece.end)
    except InputError as error:
        return None, str(error)
    if vote.verdict not in ("safe", "unsafe") or vote.checked != vote.total:
        return None, vote.findings[0][2] if vote.findings else vote.verdict
    return digest, ""


class _Seen:
    """Two steps for every piece as one count."""

    def __init__(self, pieces: int, progress: Progress | None) -> None:
        self._pieces, self._progress = pieces, progress

    def certified(self, done: int, of: int) -> None:
        self._tell(self._pieces - of + done)

    def checked(self, done: int, of: int) -> None:
        self._tell(2 * self._pieces - of + done)

    def _tell(self, done: int) -> None:
        if self._progress:
            self._progress(done, 2 * self._pieces)

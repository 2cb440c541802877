"""Layers cut into ranges of rows, and the files that finished pieces leave behind.

`pieces_of` cuts, `PieceFolder` keeps. Side effects: the folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .._core import InputError

ROWS_STEP = 128
"""Ranges begin at multiples of it: the quantizer treats so many rows together, so that cutting there changes no integer."""


@dataclass(frozen=True)
class Piece:
    """Rows [begin, end) of a layer of `rows` rows."""

    layer: str
    begin: int
    end: int
    rows: int


def pieces_of(layers: Sequence[tuple[str, int, int]], weights_per_task: int) -> list[Piece]:
    """Ranges of at most about `weights_per_task` weights, and at least ROWS_STEP rows, in the order of the layers."""
    if weights_per_task < 1:
        raise InputError("weights_per_task", str(weights_per_task), "1 or more")
    pieces = []
    for name, rows, cols in layers:
        step = max(1, weights_per_task // max(1, cols) // ROWS_STEP) * ROWS_STEP
        pieces += [Piece(name, begin, min(begin + step, rows), rows) for begin in range(0, rows, step)]
    return pieces


class PieceFolder:
    """A folder of finished pieces. A piece's file is named after everything that it was made from that is cheap to know; what it holds is
    checked by whoever takes it."""

    def __init__(self, folder: Path, what: str, made_from: Sequence[str], ending: str) -> None:
        self._folder = folder
        self._ending = ending
        self._stem = hashlib.sha256("\0".join([what, *made_from]).encode()).hexdigest()[:16]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(str(folder), f"cannot be made: {error.strerror or error}", "choose another folder") from error

    def path(self, piece: Piece) -> Path:
        name = hashlib.sha256(piece.layer.encode()).hexdigest()[:16]
        return self._folder / f"{self._stem}-{name}-{piece.begin}-{piece.end}{self._ending}"

    def remove(self, pieces: Sequence[Piece]) -> None:
        """Removes the files of `pieces`, what workers that were killed while they wrote them left beside them, and the folder when nothing
        else is in it."""
        for piece in pieces:
            path = self.path(piece)
            for file in (path, *self._folder.glob(path.name + ".*")):
                file.unlink(missing_ok=True)
        try:
            self._folder.rmdir()
        except OSError:
            pass  # somebody else's files, which stay

"""Finished blocks of a run that may be interrupted: one file of integer layers each, and a journal of their hashes.

`Journal` is the main class. The output head, where it is quantized, is the block behind the last. A journal belongs to one recipe, one model and one calibration set, by their hashes; blocks of
anything else are never loaded. Side effects: `journal.json` and `block-NNN.safetensors` in its folder, each written whole or
not at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import _core
from .._core import InputError, QuantizedLayer
from .._files import make_folder, sha256_of, write_file, write_text
from .report import LayerReport, layer_report

_FORMAT = "axecert journal 1"


class Journal:
    """The finished blocks in `folder`; `binding` says what they were made from."""

    def __init__(self, folder: Path, binding: dict[str, str]) -> None:
        self._folder = folder
        self._path = folder / "journal.json"
        self._binding = binding
        make_folder(folder)
        self._blocks: list[dict[str, Any]] = self._read() if self._path.exists() else []

    @property
    def finished(self) -> int:
        """How many blocks, from the first on, are finished and have their file."""
        count = 0
        for index in range(len(self._blocks)):
            if not self._file(index).exists():
                break
            count += 1
        return count

    def load(self, index: int) -> list[tuple[QuantizedLayer, LayerReport]]:
        """The layers of a finished block, after its file's hash was compared."""
        path, entry = self._file(index), self._blocks[index]
        found = sha256_of(path)
        if found != entry["sha256"]:
            raise InputError(
                str(path),
                f"has SHA-256 {found}, the journal says {entry['sha256']}",
                "the file was changed or damaged; delete it, and this block and those after it are computed again",
            )
        layers = {layer.name: layer for layer in _core.read_weights(str(path))}
        return [(layers[facts["name"]], layer_report(facts)) for facts in entry["layers"]]

    def store(self, index: int, layers: Sequence[QuantizedLayer], reports: Sequence[LayerReport]) -> None:
        """Writes a block's file, then the journal that names it. Blocks after it are forgotten."""
        path = self._file(index)
        write_file(path, lambda temporary: _core.write_weights(str(temporary), list(layers)))
        entry = {"sha256": sha256_of(path), "layers": [asdict(report) for report in reports]}
        self._blocks = [*self._blocks[:index], entry]
        content = {"format": _FORMAT, "binding": self._binding, "blocks": self._blocks}
        write_text(self._path, json.dumps(content, sort_keys=True, indent=1, allow_nan=False))

    def _file(self, index: int) -> Path:
        return self._folder / f"block-{index:03d}.safetensors"

    def _read(self) -> list[dict[str, Any]]:
        remedy = "use another folder, or delete this one to start again"
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if content["format"] != _FORMAT:
                raise InputError(str(self._path), f"has format {content['format']!r}, not {_FORMAT!r}", remedy)
            binding, blocks = dict(content["binding"]), list(content["blocks"])
            for block in blocks:
                if not isinstance(block["sha256"], str) or not [layer_report(entry) for entry in block["layers"]]:
                    raise TypeError("a block without hash or layers")
        except InputError:
            raise
        except (ValueError, KeyError, TypeError) as error:  # JSON's and Unicode's errors are ValueErrors
            raise InputError(str(self._path), f"is not a journal: {error}", remedy) from error
        for what, value in self._binding.items():
            if binding.get(what) != value:
                raise InputError(str(self._path), f"belongs to another {what}: {binding.get(what)}, not {value}", remedy)
        return blocks

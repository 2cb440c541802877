"""JSON records that an interrupted run leaves whole or absent, hashes of values, and a lock on a folder.

Main functions: `write_json`, `read_json`, `locked`. Side effects: writes where the caller says.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from axecert import InputError
from axecert._files import make_folder, write_text


def canonical_json(value: Any) -> bytes:
    """One text for equal values: sorted keys, no spaces. NaN and infinity are refused (ValueError)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON atomically, its folder made if missing. NaN and infinity are refused (ValueError)."""
    make_folder(path.parent)
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """The object, or None where there is no readable one: an unreadable record counts as absent, never as finished."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def sha256(content: bytes) -> str:
    """Hexadecimal SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder for this process; InputError when another process holds it. The lock ends with the process."""
    make_folder(folder)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            problem = "another run is writing to this folder"
            raise InputError(str(folder), problem, "wait for it, or name another folder with -o") from error
        yield

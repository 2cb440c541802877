"""From a text to the windows whose perplexity is measured, and the words in which a result states how that was done.

Main functions: `read_text`, `tokenize`, `windows`. Side effects: reads the text file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from axecert import InputError

from .storage import sha256

Tokens = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Text:
    """A text file with the hash of its bytes."""

    path: str
    content: str
    sha256: str


def read_text(path: Path) -> Text:
    """Reads a UTF-8 text; line ends become \\n, whatever the file has. InputError when it is missing, empty or not
    UTF-8."""
    try:
        raw = path.read_bytes()
        content = raw.decode("utf-8").replace("\r\n", "\n")
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror or error}", "name a text file") from error
    except UnicodeDecodeError as error:
        raise InputError(str(path), f"is not UTF-8 at byte {error.start}", "convert the text to UTF-8") from error
    if not content.strip():
        raise InputError(str(path), "holds no text", "name a text file that is not empty")
    return Text(path.name, content, sha256(raw))


def tokenize(content: str, tokenizer: Any, join: str = "") -> Tokens:
    """Token ids [n] of the whole text, tokenized once and without special tokens.

    The lines keep their line ends; `join` is put between them ("" leaves the text as it is, a newline of two is what
    programs get that join the lines of the data set with an empty line between).
    """
    text = join.join(content.splitlines(keepends=True)) if join else content
    return np.asarray(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"], dtype=np.int64)


def windows(tokens: Tokens, length: int) -> Tokens:
    """Non-overlapping windows [n, length] from the start of the text; what is left at the end is dropped.

    InputError when the text is shorter than one window.
    """
    count = len(tokens) // length
    if count == 0:
        problem = f"has {len(tokens)} tokens, less than one window of {length}"
        raise InputError("text", problem, "give a longer text or smaller windows")
    return tokens[: count * length].reshape(count, length)


def split(content: str, share: float = 0.9) -> tuple[str, str]:
    """A text cut in two at the first line end after `share` of its characters: to calibrate on one part and choose on
    the other."""
    cut = content.find("\n", int(len(content) * share)) + 1
    return content[: cut or len(content)], content[cut or len(content) :]


def statement(join: str) -> dict[str, Any]:
    """The protocol in words, for the result."""
    return {
        "text": "the file's lines, each with its line end as \\n"
        + (f", joined by {join!r}" if join else ", one after the other"),
        "tokenized": "once, as one text",
        "special_tokens": "none: no BOS before the text or before a window",
        "windows": "non-overlapping, from the first token; the last tokens that fill no window are dropped",
        "predicted": "tokens 2 to n of every window of n, each from the tokens before it in its window",
        "perplexity": "exp(mean negative log-likelihood over all predicted tokens), logits in float32, sums in float64",
        "standard_error": "of the perplexity, from the spread between windows (windows taken as independent)",
    }

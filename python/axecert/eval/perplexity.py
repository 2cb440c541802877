"""Perplexity of a causal language model over windows of tokens, resumable from window to window.

The head is applied to a few hundred positions at a time, so that the logits of a whole window (2048 × 49,152 floats)
never exist at once. Main function: `measure`. Side effects: rewrites the state file, when one is named, after every
few batches.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from axecert import InputError

from .protocol import Tokens
from .storage import read_json, sha256, write_json

BATCH_TOKENS = 2048
HEAD_POSITIONS = 256  # 256 × 49,152 logits are 48 MiB
SAVE_EVERY = 20.0  # seconds

Progress = Callable[[int, int, float], None]  # windows done, windows, perplexity so far


@dataclass(frozen=True)
class Perplexity:
    """What `measure` found over `windows` windows of `length` tokens, `length − 1` of each predicted."""

    length: int
    nll: tuple[float, ...]  # mean negative log-likelihood of each window, nats per predicted token
    seconds: float

    @property
    def mean(self) -> float:
        """Mean negative log-likelihood over all predicted tokens (all windows have equally many)."""
        return math.fsum(self.nll) / len(self.nll)

    @property
    def value(self) -> float:
        """exp(mean); infinite beyond what a double holds."""
        return exponential(self.mean)

    @property
    def standard_error(self) -> float | None:
        """Of `value`, from the spread between windows; None for a single window."""
        spread = standard_error(self.nll)
        return None if spread is None else self.value * spread


def exponential(exponent: float) -> float:
    """exp, infinite where math.exp overflows."""
    return math.exp(exponent) if exponent < 709 else math.inf


def standard_error(values: Sequence[float]) -> float | None:
    """Standard error of the mean; None for fewer than two values."""
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))


def ratio(measured: Sequence[float], reference: Sequence[float]) -> tuple[float, float | None]:
    """Perplexity over the reference's on the same windows, and the ratio's standard error from the paired
    differences."""
    differences = [a - b for a, b in zip(measured, reference, strict=True)]
    value = exponential(math.fsum(differences) / len(differences))
    spread = standard_error(differences)
    return value, None if spread is None else value * spread


def _whole(model: Any, windows: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood [n, W − 1] from the model's own logits."""
    logits = model(input_ids=windows, use_cache=False).logits[:, :-1].float()
    return torch.nn.functional.cross_entropy(logits.transpose(1, 2), windows[:, 1:], reduction="none")


def _chunked(model: Any, windows: torch.Tensor) -> torch.Tensor:
    """The same as `_whole`, with the head applied to HEAD_POSITIONS positions at a time."""
    hidden: Any = model.base_model(input_ids=windows, use_cache=False).last_hidden_state[:, :-1].flatten(0, 1)
    targets: Any = windows[:, 1:].flatten()
    head = model.get_output_embeddings()
    parts = [
        torch.nn.functional.cross_entropy(head(states).float(), expected, reduction="none")
        for states, expected in zip(hidden.split(HEAD_POSITIONS), targets.split(HEAD_POSITIONS), strict=True)
    ]
    return torch.cat(parts).view(len(windows), -1)


def head_can_be_chunked(model: Any, window: torch.Tensor) -> bool:
    """Whether head(base model) gives the model's own likelihoods on a short window: not so where a model scales or
    caps its logits."""
    if model.get_output_embeddings() is None or model.base_model is model:
        return False
    short = window[None, :33]
    return bool(torch.allclose(_chunked(model, short), _whole(model, short), rtol=1e-4, atol=1e-4))


def _saved(state: Path | None, key: str, tokens: Tokens) -> tuple[list[float], float]:
    """Windows already measured for this key and these tokens, and the seconds they took."""
    record = read_json(state) if state else None
    if not isinstance(record, dict) or record.get("key") != key:
        return [], 0.0
    nll = record.get("nll", [])
    covered = sha256(tokens[: len(nll)].tobytes())
    return (list(nll), float(record["seconds"])) if record.get("windows_sha256") == covered else ([], 0.0)


@torch.inference_mode()
def measure(
    load: Callable[[], Any],
    windows: Tokens,
    *,
    limit: int | None = None,
    batch_tokens: int = BATCH_TOKENS,
    state: Path | None = None,
    key: str = "",
    progress: Progress | None = None,
) -> Perplexity:
    """Mean negative log-likelihood of the windows [n, W] of token ids, W ≥ 2, or of the first `limit` of them.

    `load` returns the model; it is called only when a window is left to do. `state`: a file to which finished windows
    are written, and from which they are taken when it holds the first windows of the same tokens for the same `key`
    (which must name the model). Raises InputError when the model gives a likelihood that is not finite, with the
    window.
    """
    count, length = (len(windows) if limit is None else min(limit, len(windows))), windows.shape[1]
    if length < 2:
        raise InputError("windows", f"length {length} predicts nothing", "use windows of at least 2 tokens")
    nll, before = _saved(state, key, windows)
    if len(nll) >= count:
        return Perplexity(length, tuple(nll[:count]), before)

    model = load()
    model.eval()
    tensor = torch.from_numpy(windows[:count].copy())
    likelihood = _chunked if head_can_be_chunked(model, tensor[0]) else _whole
    batch = max(1, batch_tokens // length)
    start = written = time.monotonic()
    while len(nll) < count:
        first = len(nll)
        values = likelihood(model, tensor[first : first + batch]).double().mean(dim=1).tolist()
        for offset, value in enumerate(values):
            if not math.isfinite(value):
                problem = f"window {first + offset} of {count}: the model's likelihood is not finite"
                raise InputError(
                    f"windows of {length} tokens", problem, "look for NaN or infinity in the model's weights"
                )
        nll += values
        now = time.monotonic()
        if state and (now - written > SAVE_EVERY or len(nll) == count):
            covered = sha256(windows[: len(nll)].tobytes())
            write_json(state, {"key": key, "windows_sha256": covered, "nll": nll, "seconds": before + now - start})
            written = now
        if progress:
            progress(len(nll), count, exponential(math.fsum(nll) / len(nll)))
    return Perplexity(length, tuple(nll), before + time.monotonic() - start)

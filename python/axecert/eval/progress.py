"""Lines of progress on standard error: what runs, how far it is, how fast, and how long it will take.

Main class: `Lines`. Side effects: writes to standard error.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

EVERY = 10.0  # seconds between lines of one phase


def duration(seconds: float) -> str:
    """ "4:05" or "1:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Lines:
    """Progress of one run, every line with the run's name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.resumed = False  # whether quantize found finished blocks
        self._block = -1
        self._first_block = 0
        self._start = time.monotonic()
        self._voted = time.monotonic()

    def say(self, text: str) -> None:
        """One line."""
        print(f"{self.name}  {text}", file=sys.stderr, flush=True)

    def quantize(self, progress: Any) -> None:
        """For axecert.transformers.quantize: one line when a block begins, with the time per block and what is left."""
        self.resumed |= progress.phase == "resume"
        if progress.phase == "resume" or progress.block == self._block:
            return
        now = time.monotonic()
        if self._block < 0:
            self._first_block, self._start = progress.block, now
        self._block = progress.block
        done = progress.block - self._first_block
        rate = (now - self._start) / done if done else 0.0
        left = f"  {rate:.1f} s per block, {duration(rate * (progress.blocks - progress.block))} left" if done else ""
        self.say(f"quantize block {progress.block + 1} of {progress.blocks}{left}")

    def votes(self, voter: str, done: int, total: int) -> None:
        """For axecert.verify: at most one line in EVERY seconds."""
        now = time.monotonic()
        if now - self._voted >= EVERY:
            self._voted = now
            self.say(f"{voter}: {done:,} of {total:,} registers")

    def windows(self, length: int) -> Callable[[int, int, float], None]:
        """For perplexity.measure: at most one line in EVERY seconds, and the last."""
        start, first, last = time.monotonic(), -1, 0.0

        def show(done: int, count: int, perplexity: float) -> None:
            nonlocal start, first, last
            now = time.monotonic()
            if first < 0:
                first, start = done, now
            if done < count and now - last < EVERY:
                return
            last = now
            rate = (done - first) / (now - start) if done > first and now > start else 0.0
            left = f"  {rate * length:,.0f} tokens/s, {duration((count - done) / rate)} left" if rate else ""
            self.say(f"windows of {length}: {done} of {count}  perplexity {perplexity:.3f}{left}")

        return show

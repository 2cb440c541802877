"""A whole study: every run of a plan, one process each, with candidates chosen on the way and results kept as they
come.

Main class: `Study`; `Study.run` does what is left. Side effects: starts a process for each run; writes below the output
folder; progress on standard error.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from axecert import InputError
from axecert._files import make_folder

from .choice import Choice, Tried, choose
from .execute import BAD_INPUT, FAILURE, Job, finished
from .perplexity import exponential
from .plan import Calibration, Entry, Evaluation, Run, make_run
from .progress import duration
from .recipes import candidates, make_recipe
from .storage import read_json, write_json


@dataclass(frozen=True)
class Settings:
    """What a study is about, beside its runs."""

    model: str
    calibration_text: Path
    test_text: Path
    out: Path
    join: str = ""
    screen: Calibration = field(default=Calibration(16, 512, 0))
    screen_windows: tuple[int, int] = (16, 512)  # how many, and of how many tokens
    z3: str | None = "ground"
    z3_only: str = "*"  # pattern of run names
    threads: int = 0
    keep_models: bool = True


@dataclass
class Outcome:
    """What became of one cell of a table: a result, or the reason why there is none."""

    entry: Entry
    run: Run | None = None
    result: dict[str, Any] | None = None
    choice: Choice | None = None
    reason: str = ""


Perform = Callable[[Job], dict[str, Any]]  # raises InputError


def in_a_process(job: Job) -> dict[str, Any]:
    """Performs a job in a process of its own. InputError when the job is refused or the process ends otherwise."""
    folder = Path(job.folder)
    path = folder / "job.json"
    write_json(path, dataclasses.asdict(job))
    (folder / FAILURE).unlink(missing_ok=True)
    command = [sys.executable, "-m", "axecert.eval.execute", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            code = process.wait()
        except BaseException:
            process.kill()
            raise
    failure = read_json(folder / FAILURE)
    if code == BAD_INPUT and failure is not None:
        raise InputError(failure["place"], failure["problem"], failure["remedy"])
    result, reason = finished(job)
    if code != 0 or result is None:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        problem = f"its process ended with {how}" + (f" ({reason})" if reason else "")
        raise InputError(job.name, problem, "read its output above; the same command continues where it stopped")
    return result


@dataclass
class Study:
    """`cells` to fill for the model whose parameters, and texts whose bytes, have these SHA-256."""

    settings: Settings
    cells: list[Entry]
    model_sha256: str
    calibration_sha256: str
    sweep: Evaluation = field(
        default_factory=dict
    )  # windows that points of the figure are compared on; empty: no sweep
    perform: Perform = in_a_process
    outcomes: list[Outcome] = field(default_factory=list)

    def run(self, after_each: Callable[[Study], None]) -> None:
        """Fills every cell in turn; a cell that fails does not stop the others. `after_each` sees the outcomes so
        far."""
        start = time.monotonic()
        for number, cell in enumerate(self.cells, 1):
            elapsed = duration(time.monotonic() - start)
            print(
                f"[{number} of {len(self.cells)}, {elapsed} so far] {cell.name}: {cell.template.title}",
                file=sys.stderr,
                flush=True,
            )
            outcome = Outcome(cell)
            try:
                self._fill(outcome)
            except InputError as error:
                outcome.reason = str(error)
                print(f"{cell.name}  no result: {error}", file=sys.stderr, flush=True)
            self.outcomes.append(outcome)
            after_each(self)

    def _fill(self, outcome: Outcome) -> None:
        cell = outcome.entry
        chosen: dict[str, Any] = {}
        if cell.template.choose:
            combinations = candidates(cell.template)
            outcome.choice = choose(
                combinations, ordered=len(cell.template.choose) == 1, attempt=lambda one: self._screen(cell, one)
            )
            if outcome.choice.best is None:
                reasons = "; ".join(sorted({tried.reason for tried in outcome.choice.tried}))
                raise InputError(cell.name, f"none of its candidates works: {reasons}", "widen the accumulator")
            chosen = dict(outcome.choice.best.chosen)
        outcome.run = make_run(cell.template, cell.accumulator, cell.calibration, chosen, evaluate=cell.evaluate)
        outcome.result = self._result(outcome.run)

    def _screen(self, cell: Entry, chosen: dict[str, Any]) -> Tried:
        """A candidate's perplexity on the last part of the calibration text."""
        count, length = self.settings.screen_windows
        run = make_run(
            cell.template, cell.accumulator, self.settings.screen, chosen, part="screen", evaluate={length: count}
        )
        try:
            nll = self._result(run)["perplexity"][str(length)]["nll"][:count]
        except InputError as error:
            return Tried(chosen, None, str(error))
        return Tried(chosen, exponential(sum(nll) / len(nll)))

    def job(self, run: Run) -> Job:
        """The job of a run in this study's folder."""
        key = run.key(self.model_sha256, self.calibration_sha256)
        settings = self.settings
        asked = run.part == "whole" and fnmatch(run.name, settings.z3_only)
        return Job(
            name=run.name,
            key=key,
            folder=str(settings.out / "runs" / f"{run.name.replace(':', '_')}-{key[:12]}"),
            model=settings.model,
            model_sha256=self.model_sha256,
            calibration_text=str(settings.calibration_text),
            test_text=str(settings.test_text),
            join=settings.join,
            part=run.part,
            recipe=None if run.recipe is None else make_recipe(run.name, run.recipe).to_dict(),
            calibration=None if run.calibration is None else dataclasses.astuple(run.calibration),
            evaluate=tuple(sorted(run.evaluate.items())),
            z3=settings.z3 if asked else None,
            threads=settings.threads,
            keep_model=settings.keep_models and run.part == "whole",
        )

    def _result(self, run: Run) -> dict[str, Any]:
        job = self.job(run)
        known, _ = finished(job)
        if known is not None:
            print(f"{run.name}  finished before", file=sys.stderr, flush=True)
            return known
        failure = read_json(Path(job.folder) / FAILURE)
        if run.part == "screen" and failure is not None and failure["lasting"]:
            raise InputError(failure["place"], failure["problem"], failure["remedy"])
        make_folder(Path(job.folder))
        return self.perform(job)

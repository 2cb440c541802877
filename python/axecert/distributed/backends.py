"""Where tasks run: in this process, in a pool of processes, on a Ray cluster.

A task is a function of the package and its arguments, both of which travel by pickle; it may run several times, and only one result is
taken. `Backend` says what a place for tasks must do. Side effects: processes or Ray tasks, gone when `run` returns.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol

from .._core import InputError

Progress = Callable[[int, int], object]
"""Called with (tasks done, tasks)."""


@dataclass(frozen=True)
class Task:
    """`function(*arguments)`; the function is one of a Python module, because those of the extension do not travel."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __call__(self) -> Any:
        return self.function(*self.arguments)


class Backend(Protocol):
    """Runs tasks and returns their results in the order of the tasks. A task whose worker dies is run again; an exception of a task ends
    the run and is raised."""

    def run(self, tasks: Sequence[Task], progress: Progress | None = None) -> list[Any]: ...


class InProcess:
    """One task after the other, here."""

    def run(self, tasks: Sequence[Task], progress: Progress | None = None) -> list[Any]:
        results = []
        for task in tasks:
            results.append(task())
            if progress:
                progress(len(results), len(tasks))
        return results


class LocalPool:
    """A pool of processes on this machine. They import the calling script again, whose own work must therefore stand behind
    `if __name__ == "__main__":`.

    processes  how many; None: one per core.
    retries    how often in a row the pool may lose workers without finishing a task in between.
    """

    def __init__(self, processes: int | None = None, retries: int = 3) -> None:
        if (processes is not None and processes < 1) or retries < 0:
            raise InputError("LocalPool", f"{processes} processes, {retries} retries", "at least one process, and no negative number of retries")
        self.processes = processes or os.cpu_count() or 1
        self.retries = retries
        self.lost = 0
        """How often workers died, in all runs."""

    def run(self, tasks: Sequence[Task], progress: Progress | None = None) -> list[Any]:
        results: dict[int, Any] = {}
        fruitless = 0
        while len(results) < len(tasks):
            before = len(results)
            try:
                self._run_pending(tasks, results, progress)
            except BrokenProcessPool as error:  # the executor cannot say whose worker it was: all that are not finished are done again
                self.lost += 1
                fruitless = fruitless + 1 if len(results) == before else 0
                if fruitless > self.retries:
                    raise InputError(
                        "LocalPool",
                        f"its workers died {fruitless} times without finishing a task",
                        "look for the reason (memory? a script without `if __name__ == \"__main__\":`?), or use fewer processes",
                    ) from error
        return [results[i] for i in range(len(tasks))]

    def _run_pending(self, tasks: Sequence[Task], results: dict[int, Any], progress: Progress | None) -> None:
        # spawn: the parent may hold threads (BLAS, torch), which do not survive a fork.
        context = multiprocessing.get_context("spawn")
        pending = [i for i in range(len(tasks)) if i not in results]
        with concurrent.futures.ProcessPoolExecutor(min(self.processes, len(pending)), mp_context=context) as executor:
            futures = {executor.submit(tasks[i]): i for i in pending}
            try:
                for future in concurrent.futures.as_completed(futures):
                    results[futures[future]] = future.result()
                    if progress:
                        progress(len(results), len(tasks))
            except BaseException:
                executor.shutdown(wait=False, cancel_futures=True)
                raise


class RayCluster:
    """Ray tasks, on the cluster that `ray.init` connects to (one is started on this machine when there is none).

    retries  how often a task may lose its worker.
    options  of every Ray task, for example {"num_cpus": 2}.
    """

    def __init__(self, retries: int = 3, options: dict[str, Any] | None = None) -> None:
        try:
            import ray  # noqa: PLC0415
        except ImportError as error:
            raise InputError("RayCluster", "Ray is not installed", "pip install 'axecert[ray]'") from error
        self._ray: Any = ray
        self._options = {"max_retries": retries, **(options or {})}

    def run(self, tasks: Sequence[Task], progress: Progress | None = None) -> list[Any]:
        ray = self._ray
        if not ray.is_initialized():
            ray.init(log_to_driver=False)
        remote = ray.remote(_call).options(**self._options)
        order = {remote.remote(task): i for i, task in enumerate(tasks)}
        results: dict[int, Any] = {}
        waiting = list(order)
        try:
            while waiting:
                ready, waiting = ray.wait(waiting, num_returns=1)
                for reference in ready:
                    results[order[reference]] = self._result(reference)
                    if progress:
                        progress(len(results), len(tasks))
        except BaseException:
            for reference in waiting:
                ray.cancel(reference, force=True)
            raise
        return [results[i] for i in range(len(tasks))]

    def _result(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause
            raise cause if isinstance(cause, Exception) else error from error
        except self._ray.exceptions.WorkerCrashedError as error:
            raise InputError("RayCluster", f"a task lost its worker more than {self._options['max_retries']} times", "look for the reason (memory?)") from error


def _call(task: Task) -> Any:
    return task()

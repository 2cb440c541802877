"""One run from start to end: quantize (or load the finished model), measure, verify, and write result.json.

`perform` is the main function; `python -m axecert.eval.execute JOB.json` is a process of its own for one job, so that
its peak memory is that run's, and its end, however it comes, is not the study's. Whatever a run finished stays
finished: blocks, windows and verifications are found again by the hashes of what they belong to. Side effects: writes
below the job's folder; progress on standard error.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import axecert
import axecert.torch
import axecert.transformers
import torch
from axecert import InputError
from axecert.recipe import Recipe
from axecert._files import sha256_of
from axecert.torch.store import CERTIFICATE, WEIGHTS

from . import models, protocol
from .perplexity import measure
from .plan import Calibration
from .progress import Lines
from .storage import read_json, write_json

RESULT, FAILURE = "result.json", "failure.json"
QUANTIZED, VERIFIED = "quantized.json", "verified.json"
MODEL, BLOCKS = "model", "blocks"
BAD_INPUT = 65  # exit code of a process whose job was refused; the message is in failure.json


@dataclass(frozen=True)
class Job:
    """All that one run needs; plain values only, so that it can be handed to another process."""

    name: str
    key: str  # of the quantized model (plan.Run.key)
    folder: str
    model: str
    model_sha256: str
    calibration_text: str
    test_text: str
    join: str
    part: str
    recipe: dict[str, Any] | None
    calibration: tuple[int, int, int] | None  # sequences, length, seed
    evaluate: tuple[tuple[int, int | None], ...]
    z3: str | None = None
    threads: int = 0  # 0: as torch has them
    keep_model: bool = True

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Job:
        """From what `dataclasses.asdict` and JSON made of a job."""
        calibration = content["calibration"]
        evaluate = tuple((length, limit) for length, limit in content["evaluate"])
        return cls(
            **{**content, "evaluate": evaluate, "calibration": None if calibration is None else tuple(calibration)}
        )


def peak_memory() -> int:
    """Largest resident size of this process so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class _Session:
    """The texts, the float model and the model to measure of one job, each made when first asked for."""

    def __init__(self, job: Job, lines: Lines) -> None:
        self.job, self.lines, self.folder = job, lines, Path(job.folder)
        self._float: tuple[Any, Any] | None = None
        self._model: Any = None

    def float_model(self) -> tuple[Any, Any]:
        """(model, tokenizer); the model turns into the quantized one when that is asked for."""
        if self._float is None:
            self._float = models.load(self.job.model)
            found = models.parameters_sha256(self._float[0])
            if found != self.job.model_sha256:
                then = self.job.model_sha256
                problem = f"has SHA-256 {found[:12]}…, and had {then[:12]}… when the study began"
                raise InputError(
                    f"model {self.job.model!r}", problem, "start again with the model that is to be measured"
                )
        return self._float

    def texts(self) -> tuple[str, str]:
        """(text to calibrate on, text to measure on)."""
        calibration = protocol.read_text(Path(self.job.calibration_text)).content
        if self.job.part == "screen":
            return protocol.split(calibration)
        return calibration, protocol.read_text(Path(self.job.test_text)).content

    def model(self) -> Any:
        """The model to measure: quantized by the recipe, or the float model."""
        if self._model is None:
            model, tokenizer = self.float_model()
            if self.job.recipe is not None:
                record = read_json(self.folder / QUANTIZED)
                if not (record and record["key"] == self.job.key and self._load(model)):
                    self._quantize(model, tokenizer)
            self._model = model.eval()
        return self._model

    def _load(self, model: Any) -> bool:
        """Turns `model` into the finished quantized one, when its files are whole."""
        try:
            axecert.torch.load(model, self.folder / MODEL)
        except InputError as error:
            self.lines.say(f"the finished model cannot be used, quantizing again: {error}")
            return False
        return True

    def _quantize(self, model: Any, tokenizer: Any) -> None:
        assert self.job.recipe is not None and self.job.calibration is not None
        calibration = Calibration(*self.job.calibration)
        start, cpu = time.monotonic(), time.process_time()
        tokens = axecert.transformers.calibration_tokens(
            self.texts()[0],
            tokenizer,
            sequences=calibration.sequences,
            length=calibration.length,
            seed=calibration.seed,
        )
        report = axecert.transformers.quantize(
            model, tokens, Recipe.from_dict(self.job.recipe), folder=self.folder / BLOCKS, progress=self.lines.quantize
        )
        spent = {"seconds": time.monotonic() - start, "cpu_seconds": time.process_time() - cpu}
        peak = peak_memory()
        axecert.torch.save(model, self.folder / MODEL, overwrite=True)
        facts = {**spent, "peak_memory": peak, "resumed": self.lines.resumed, "report": report.to_dict()}
        write_json(self.folder / QUANTIZED, {"key": self.job.key, **facts})


def _hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of the files that verification is about; "" for one that is missing."""
    paths = {name: folder / MODEL / name for name in (WEIGHTS, CERTIFICATE)}
    return {name: sha256_of(path) if path.exists() else "" for name, path in paths.items()}


def _covers(known: str | None, wanted: str | None) -> bool:
    """Whether a verification with Z3 at depth `known` answers for `wanted`."""
    return wanted is None or known in (wanted, "both")


def _verify(job: Job, lines: Lines) -> dict[str, Any]:
    """The voters' verdicts on the written certificate and weights, with their coverage; found again for the same
    files."""
    folder = Path(job.folder)
    hashes = _hashes(folder)
    known = read_json(folder / VERIFIED)
    if known and known["files"] == hashes and _covers(known["z3"], job.z3):
        return known
    lines.say("verify the certificate: checker, replay" + ("" if job.z3 is None else f", Z3 {job.z3}"))
    start = time.monotonic()
    journal = folder / f"z3-{hashes[CERTIFICATE][:12]}.journal"  # what Z3 has proved of this certificate; removed at the end
    found = axecert.verify(
        str(folder / MODEL / CERTIFICATE),
        str(folder / MODEL / WEIGHTS),
        z3=job.z3,
        progress=lines.votes,
        resume=str(journal),
    )
    votes = [
        {
            "name": vote.name,
            "verdict": vote.verdict,
            "checked": vote.checked,
            "total": vote.total,
            "seconds": vote.seconds,
            "detail": vote.detail,
        }
        for vote in found.votes
    ]
    sizes = {name: (folder / MODEL / name).stat().st_size for name in hashes}
    record = {
        "files": hashes,
        "bytes": sizes,
        "z3": job.z3,
        "verdict": found.verdict,
        "votes": votes,
        "seconds": time.monotonic() - start,
    }
    write_json(folder / VERIFIED, record)
    return record


def finished(job: Job) -> tuple[dict[str, Any] | None, str]:
    """(the stored result, "") when it answers the whole job and its files are intact; (None, why not) otherwise."""
    folder = Path(job.folder)
    result = read_json(folder / RESULT)
    if result is None:
        return None, "no result yet"
    if result["key"] != job.key:
        return None, "the result is of other settings"
    for length, limit in job.evaluate:
        known = result["perplexity"].get(str(length), {"windows": 0, "nll": [], "join": None})
        wanted = known["windows"] if limit is None else min(limit, known["windows"])
        if len(known["nll"]) < max(wanted, 1) or known["join"] != job.join:
            return None, f"windows of {length} are not all measured"
    if job.recipe is not None and job.part == "whole":
        if _hashes(folder) != result["verification"]["files"]:
            return None, "weights or certificate are not the files that were verified"
        if not _covers(result["verification"]["z3"], job.z3):
            return None, f"Z3 ({job.z3}) has not seen the certificate"
    return result, ""


def perform(job: Job) -> dict[str, Any]:
    """Does what is left of a job and returns its result, which is also in the job's folder. InputError on bad input."""
    known, reason = finished(job)
    if known is not None:
        return known
    if job.threads:
        torch.set_num_threads(job.threads)
    folder, lines = Path(job.folder), Lines(job.name)
    lines.say(reason)
    session = _Session(job, lines)
    session.model()  # a recipe that cannot be met fails here, before anything is measured
    perplexity = {}
    tokens = protocol.tokenize(session.texts()[1], session.float_model()[1], job.join)
    for length, limit in job.evaluate:
        windows = protocol.windows(tokens, length)
        state = folder / f"windows-{length}.json"
        found = measure(session.model, windows, limit=limit, state=state, key=job.key, progress=lines.windows(length))
        perplexity[str(length)] = {
            "nll": list(found.nll),
            "windows": len(windows),
            "seconds": found.seconds,
            "join": job.join,
            "text_tokens": len(tokens),
        }
    result: dict[str, Any] = {
        "name": job.name,
        "key": job.key,
        "axecert": axecert.__version__,
        "core": sha256_of(Path(axecert._core.__file__)),
        "threads": torch.get_num_threads(),
        "perplexity": perplexity,
        "peak_memory": peak_memory(),
    }
    if job.recipe is not None:
        result["quantized"] = read_json(folder / QUANTIZED)
        result["overflows_seen"] = axecert.torch.overflows(session.model())  # in this process: a continued run saw more
        if job.part == "whole":
            result["verification"] = _verify(job, lines)
    write_json(folder / RESULT, result)
    shutil.rmtree(folder / BLOCKS, ignore_errors=True)
    if not job.keep_model:
        for path in (folder / MODEL).glob("*"):
            if job.part == "screen" or path.name not in (WEIGHTS, CERTIFICATE):
                path.unlink()
    return result


def _end_with_parent() -> None:
    """Ends this process when the one that started it does: standard input then reaches its end."""

    def wait() -> None:
        while os.read(0, 4096):  # not through sys.stdin, whose lock the interpreter needs at its end
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main(path: str) -> int:
    """Performs the job of a JSON file. Exit code 0: result.json is written; BAD_INPUT: the message is in
    failure.json."""
    job = Job.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
    _end_with_parent()
    try:
        perform(job)
    except InputError as error:
        # What the system refused may work next time; what the recipe cannot do, it can never do.
        lasting = not isinstance(error.__cause__, OSError)
        failure = {"place": error.place, "problem": error.problem, "remedy": error.remedy, "lasting": lasting}
        write_json(Path(job.folder) / FAILURE, failure)
        return BAD_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

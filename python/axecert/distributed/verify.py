"""All voters on a certificate: the checker on the whole, Z3 and the replay on ranges of rows.

`verify` is the main function. Side effects: processes or Ray tasks, and Z3's worker processes in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .. import _core
from .._core import InputError, Vote
from .backends import Backend, InProcess, Progress, Task
from .pieces import pieces_of

_DEPTHS = {None: [], "none": [], "ground": ["ground"], "box": ["box"], "both": ["ground", "box"], "bits": ["bits"]}


@dataclass(frozen=True)
class Verification:
    """The voters' answers and the verdict that follows."""

    verdict: str
    votes: list[Vote]
    assumptions: list[str]


def verify(
    certificate: str | Path,
    weights: str | Path,
    *,
    z3: str | None = "ground",
    replay: int | None = 8,
    backend: Backend | None = None,
    weights_per_task: int = 1 << 22,
    progress: Progress | None = None,
) -> Verification:
    """Checks a certificate against its weights, trusting nothing that wrote them.

    z3        "ground", "box", "both", "bits", or None: not asked.
    replay    random inputs per row, or None: not asked. The checker is always asked.
    backend   where tasks run; None: in this process. Each task has one solver process.
    weights_per_task  about how many weights a task looks at; the verdict does not depend on it.
    progress  called with (tasks done, tasks).

    The checker votes on the whole, as one task: it reads and hashes everything once. Every other task holds its layer's arrays against
    the hashes in the certificate that the checker saw. A voter's word counts only when its parts cover every register that the checker
    counted. InputError when a file cannot be read; a certificate that does not hold is a verdict, no error.
    """
    if z3 not in _DEPTHS:
        raise InputError("z3", f"{z3!r} is not known", 'use "ground", "box", "both", "bits" or None')
    if replay is not None and replay < 0:
        raise InputError("replay", str(replay), "0 or more, or None")
    claims, source, depths = str(certificate), str(weights), _DEPTHS[z3]
    runner = backend or InProcess()
    (checker,) = runner.run([Task(_check, (claims, source))])
    if checker.verdict == "refused":
        return Verification("refused", [checker], [])
    votes = [checker]
    if depths or replay is not None:
        digest = _core.certificate_digest(claims)
        pieces = pieces_of(_core.certificate_layers(claims), weights_per_task)
        answers = runner.run([Task(_vote, (claims, digest, source, p.layer, p.begin, p.end, depths, replay)) for p in pieces], progress)
        for voter in range(len(answers[0])):
            votes.append(_core.join_votes([answer[voter] for answer in answers], replay))
    whole = all(vote.total == checker.total for vote in votes)
    verdict = _core.combine_votes(votes)
    return Verification(verdict if whole or verdict != "safe" else "incomplete", votes, _core.certificate_assumptions(claims))


def _check(certificate: str, weights: str) -> Vote:
    return _core.checker_vote(certificate, weights)


def _vote(certificate: str, digest: str, weights: str, layer: str, begin: int, end: int, depths: list[str], replay: int | None) -> list[Vote]:
    return _core.verify_rows(certificate, digest, weights, layer, begin, end, depths=depths, replay=replay)

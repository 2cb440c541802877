"""The exception that bad input raises. No side effects."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input: `place` says where (a file, a layer, a field), `problem` what is wrong there, `remedy` what to do about it.

    Its text is "PLACE: PROBLEM (REMEDY)".
    """

    def __init__(self, place: str, problem: str, remedy: str = "") -> None:
        super().__init__(f"{place}: {problem}" + (f" ({remedy})" if remedy else ""))
        self.place = place
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        return type(self), (self.place, self.problem, self.remedy)

"""An exact reader of VIPR certificates (versions 1.0 and 1.1 of the format, without `lin weak` and `lin incomplete`).

    python3 vipr_reader.py FILE...

Written from the format's specification (cert_spec_v1_0.md and cert_spec_v1_1.md of the VIPR project) and from nothing of axecert's. All
arithmetic is in fractions. `check` is the main function: it returns what was proved or raises Rejected with the place. Exit code 0 when
every file is accepted. Only the Python standard library.
"""

import fractions
import math
import re
import sys

VALUE = re.compile(r"[+-]?\d+(\.\d+)?(/\d+)?$")
INDEX = re.compile(r"-?\d+$")


class Rejected(Exception):
    pass


class Tokens:
    def __init__(self, text):
        lines = text.splitlines()
        while lines and lines[0].startswith("%"):
            lines.pop(0)
        self.items = [token for line in lines for token in line.split()]
        self.at = 0

    def next(self):
        if self.at == len(self.items):
            raise Rejected("the file ends too early")
        self.at += 1
        return self.items[self.at - 1]

    def expect(self, word):
        found = self.next()
        if found != word:
            raise Rejected(f"token {self.at}: {found!r} where {word!r} must stand")

    def value(self):
        token = self.next()
        if not VALUE.match(token):
            raise Rejected(f"token {self.at}: {token!r} is no number")
        try:
            return fractions.Fraction(token)
        except (ValueError, ZeroDivisionError):
            raise Rejected(f"token {self.at}: {token!r} is no number") from None

    def index(self, end, first=0):
        token = self.next()
        if not INDEX.match(token) or not first <= int(token) < end:
            raise Rejected(f"token {self.at}: {token!r} is no index from {first} to {end - 1}")
        return int(token)

    def count(self):
        return self.index(math.inf)

    def pairs(self, end):
        """{index: value} with distinct indices, without zeros."""
        found = {}
        for _ in range(self.count()):
            index = self.index(end)
            if index in found:
                raise Rejected(f"token {self.at}: index {index} twice")
            found[index] = self.value()
        return {index: value for index, value in found.items() if value}


class Constraint:
    """Σ coefficients · variables, sense 1 (>=), 0 (=) or -1 (<=), value; and the assumptions that it rests on."""

    def __init__(self, coefficients, sense, value, assumptions=frozenset()):
        self.coefficients, self.sense, self.value, self.assumptions = coefficients, sense, value, assumptions

    def holds(self, point):
        left = sum(a * point.get(i, 0) for i, a in self.coefficients.items())
        return left == self.value if self.sense == 0 else left * self.sense >= self.value * self.sense

    def absurd(self):
        return not self.coefficients and not Constraint({}, self.sense, self.value).holds({})

    def dominates(self, other):
        if self.absurd():
            return True
        if self.coefficients != other.coefficients or self.sense not in (0, other.sense):
            return False
        return self.value == other.value if other.sense == 0 else self.value * other.sense >= other.value * other.sense

    def rounded(self, integers):
        if self.sense == 0 or any(i not in integers or a.denominator != 1 for i, a in self.coefficients.items()):
            raise Rejected("a combination that cannot be rounded")
        value = math.ceil(self.value) if self.sense > 0 else math.floor(self.value)
        return Constraint(self.coefficients, self.sense, fractions.Fraction(value), self.assumptions)


def combination(factors, constraints):
    coefficients, value, senses, assumptions = {}, fractions.Fraction(0), set(), set()
    for index, factor in factors.items():
        constraint = constraints[index]
        for i, a in constraint.coefficients.items():
            coefficients[i] = coefficients.get(i, 0) + factor * a
        value += factor * constraint.value
        sign = (factor > 0) - (factor < 0)
        senses.add(sign * constraint.sense)
        assumptions |= constraint.assumptions
    senses.discard(0)
    if len(senses) > 1:
        raise Rejected("a linear combination whose factors point both ways")
    return Constraint({i: a for i, a in coefficients.items() if a}, senses.pop() if senses else 0, value, frozenset(assumptions))


class Problem:
    """What a file states: names, integers, objective, constraints, and `proved`, (lower, upper) of the optimum."""


def constraint_format(tokens, variables, objective):
    name = tokens.next()
    sense = {"E": 0, "L": -1, "G": 1}.get(tokens.next())
    if sense is None:
        raise Rejected(f"token {tokens.at}: a sense is E, L or G")
    value = tokens.value()
    if tokens.at < len(tokens.items) and tokens.items[tokens.at] == "OBJ":
        tokens.next()
        return name, Constraint(dict(objective), sense, value)
    return name, Constraint(tokens.pairs(variables), sense, value)


def derived(tokens, stated, index, constraints, problem):
    """Reads a reason; (the assumptions of `stated`, the constraints that are used), or Rejected."""
    tokens.expect("{")
    reason, used = tokens.next(), []
    if reason == "asm":
        assumptions = frozenset([index])
    elif reason in ("lin", "rnd"):
        used = tokens.pairs(index)
        result = combination(used, constraints)
        if reason == "rnd":
            result = result.rounded(problem.integers)
        if not result.dominates(stated):
            raise Rejected(f"constraint {index}: the combination does not dominate it")
        assumptions = result.assumptions
    elif reason == "uns":
        used = i1, l1, i2, l2 = [tokens.index(index) for _ in range(4)]
        low, high = constraints[l1], constraints[l2]
        low, high = (low, high) if low.sense < 0 else (high, low)
        split = (low.sense < 0 < high.sense and low.coefficients == high.coefficients and high.value == low.value + 1 and
                 low.value.denominator == 1 and
                 all(i in problem.integers and a.denominator == 1 for i, a in low.coefficients.items()))
        if not split or not constraints[i1].dominates(stated) or not constraints[i2].dominates(stated):
            raise Rejected(f"constraint {index}: no disjunction")
        assumptions = (constraints[i1].assumptions - {l1}) | (constraints[i2].assumptions - {l2})
    else:
        raise Rejected(f"token {tokens.at}: no reason {reason!r} here")
    tokens.expect("}")
    return assumptions, used


def check(text):
    """The Problem of a certificate that holds. Raises Rejected."""
    tokens, problem = Tokens(text), Problem()
    tokens.expect("VER")
    if tokens.next() not in ("1.0", "1.1"):
        raise Rejected("another version than 1.0 and 1.1")
    tokens.expect("VAR")
    problem.names = [tokens.next() for _ in range(tokens.count())]
    if len(set(problem.names)) != len(problem.names):
        raise Rejected("two variables of one name")
    n = len(problem.names)
    tokens.expect("INT")
    listed = [tokens.index(n) for _ in range(tokens.count())]
    problem.integers = set(listed)
    if len(problem.integers) != len(listed):
        raise Rejected("an integer variable twice")
    tokens.expect("OBJ")
    problem.sense = tokens.next()
    if problem.sense not in ("min", "max"):
        raise Rejected("the objective is min or max")
    problem.objective = tokens.pairs(n)

    tokens.expect("CON")
    m, bounds = tokens.count(), tokens.count()
    names, constraints = set(), []
    for _ in range(m):
        name, constraint = constraint_format(tokens, n, problem.objective)
        names.add(name)
        constraints.append(constraint)
    if bounds > m or any(len(constraint.coefficients) > 1 for constraint in constraints[:bounds]):
        raise Rejected("a bound of more than one variable")
    problem.constraints, problem.bounds = list(constraints), bounds

    tokens.expect("RTP")
    kind = tokens.next()
    if kind == "range":
        ends = [None if tokens.items[tokens.at:tokens.at + 1] in (["-inf"], ["inf"]) and tokens.next() else tokens.value()
                for _ in range(2)]
        problem.proved = tuple(ends)
    elif kind == "infeas":
        problem.proved = None
    else:
        raise Rejected("a relation to prove is range or infeas")

    tokens.expect("SOL")
    problem.solutions = []
    for _ in range(tokens.count()):
        tokens.next()
        point = tokens.pairs(n)
        if not all(constraint.holds(point) for constraint in constraints):
            raise Rejected("a solution breaks a constraint")
        if any(point[i].denominator != 1 for i in point if i in problem.integers):
            raise Rejected("a solution is not integral")
        problem.solutions.append(point)
    attained = [sum(a * point.get(i, 0) for i, a in problem.objective.items()) for point in problem.solutions]

    tokens.expect("DER")
    d = tokens.count()
    last_use, forget, problem.derived = {}, {}, {}
    for index in range(m, m + d):
        name, stated = constraint_format(tokens, n, problem.objective)
        if name in names:
            raise Rejected(f"two constraints {name}")
        names.add(name)
        problem.derived[name] = stated
        stated.assumptions, used = derived(tokens, stated, index, constraints, problem)
        last_use.update(dict.fromkeys(used, index))
        constraints.append(stated)
        forget[index] = tokens.index(m + d, -1)
    if tokens.at != len(tokens.items):
        raise Rejected("something stands behind the last derivation")
    for index, until in forget.items():
        if until != -1 and until < last_use.get(index, 0):
            raise Rejected(f"constraint {index} is used after it was to be forgotten")

    if problem.proved is None:
        if problem.solutions or not constraints[-1].absurd() or constraints[-1].assumptions:
            raise Rejected("infeasibility is not proved")
        return problem
    lower, upper = problem.proved
    dual, primal = (upper, lower) if problem.sense == "max" else (lower, upper)
    if dual is not None:
        goal = Constraint(problem.objective, -1 if problem.sense == "max" else 1, dual)
        if not d or constraints[-1].assumptions or not constraints[-1].dominates(goal):
            raise Rejected("the last derivation does not prove the bound")
    if primal is not None and not any(value >= primal if problem.sense == "max" else value <= primal for value in attained):
        raise Rejected("no solution reaches the bound")
    return problem


def main(paths):
    bad = 0
    for path in paths:
        try:
            problem = check(open(path, encoding="utf-8").read())
            print(f"{path}: accepted, " + ("infeasible" if problem.proved is None else "optimum in [{}, {}]".format(*problem.proved)))
        except Rejected as reason:
            bad += 1
            print(f"{path}: rejected: {reason}")
    return 1 if bad or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""axecert export: what its files prove, and that they are about the certificate, by readers that share nothing with it.

    python3 test_foreign.py AXECERT GOLDEN TWO_CHECKERS Z3 CVC5

The certificates are the accepted golden ones and random ones (a folder with two_checkers.py makes them), safe and unsafe, with limits,
varying zero points, boxes without 0, up to three stages. Of every register:
  - its VIPR files hold (vipr_reader.py), their constraints and objective are those that this program writes down itself from weights, box
    and stages (docs/foreign_formats.md), what random runs of the register add up satisfies them, and the attaining solution is such a run;
  - every number and word of a file, changed, is rejected;
  - the SMT-LIB files get the stated answers from Z3 and cvc5, and other answers where the claim is changed;
  - the Alethe proof refutes its problem, its steps checked in fractions; changed, it is rejected;
  - the acceptance formula is unsat for both solvers, and sat with any claim changed.

Requirements: TOR-506.
"""

import collections
import fractions
import json
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import unittest

import vipr_reader

AXECERT, GOLDEN, TWO_CHECKERS, Z3, CVC5 = (pathlib.Path(path).resolve() for path in sys.argv[1:6])
sys.dont_write_bytecode = True
sys.path.insert(0, str(TWO_CHECKERS))
import two_checkers  # noqa: E402  (docs/certificate.md once more, in Python)

SOLVERS = {"z3": [Z3, "-smt2"], "cvc5": [CVC5, "--incremental", "--lang=smt2"]}
Register = collections.namedtuple("Register", "layer row stage node")


# ---- the certificate, read here ----

def tensors(data):
    header, body = two_checkers.split(data)
    header = json.loads(header)
    metadata = header.pop("__metadata__", {})
    codes = {"I8": "b", "I32": "i", "I64": "q", "F32": "f"}
    arrays = {}
    for name, entry in header.items():
        if entry["dtype"] in codes:
            begin, end = entry["data_offsets"]
            size = struct.calcsize(codes[entry["dtype"]])
            arrays[name] = list(struct.unpack(f"<{(end - begin) // size}{codes[entry['dtype']]}", body[begin:end]))
    return metadata, arrays


class Layer:
    def __init__(self, i, metadata, arrays, weights):
        self.name = metadata[f"{i}.name"]
        self.rows, self.cols = map(int, metadata[f"{i}.shape"].split())
        flat = weights[self.name + ".weight"]
        self.weights = [flat[r * self.cols:(r + 1) * self.cols] for r in range(self.rows)]
        self.limit = int(metadata[f"{i}.input.limit"]) if f"{i}.input.limit" in metadata else None
        self.spread = int(metadata[f"{i}.zero_point.spread"])
        wide = [arrays[f"{i}.box.{end}"] for end in ("lower", "upper")]
        self.box = [tuple(end[k if len(end) > 1 else 0] for end in wide) for k in range(self.cols)]
        offset = arrays[f"{i}.offset"] or [0]
        bias = weights.get(self.name + ".bias", [0] * self.rows)
        self.constant = [bias[r] + sum(w * offset[k if len(offset) > 1 else 0] for k, w in enumerate(row))
                         for r, row in enumerate(self.weights)]
        self.slope = [-sum(row) if self.spread else 0 for row in self.weights]
        self.stages = []
        for s in range(int(metadata[f"{i}.stages"])):
            name, *settings = metadata[f"{i}.stage.{s}"].split()
            fields = dict(setting.split("=") for setting in settings)
            self.stages.append(two_checkers.Stage(**{key: int(value) if value.isdigit() else value for key, value in fields.items()}))
        self.values, products, self.below = [], list(range(self.cols)), []  # [stage][register]: values added, products below
        for stage in self.stages:
            self.values.append(two_checkers.dealt(stage, list(range(len(products)))))
            products = [sum(([p] if isinstance(p, int) else p for p in group), []) for group in two_checkers.dealt(stage, products)]
            self.below.append(products)
        self.claimed = [[list(zip(arrays[f"{i}.stage.{s}.lower"], arrays[f"{i}.stage.{s}.upper"]))[r * len(v):(r + 1) * len(v)]
                         for s, v in enumerate(self.values)] for r in range(self.rows)]

    def registers(self):
        return [Register(self, r, s, n) for r in range(self.rows) for s, v in enumerate(self.values) for n in range(len(v))]

    def starts_below(self, stage, node):
        """Whether the register, or one below it, starts from the row's constant."""
        if self.stages[stage].initial == "constant":
            return True
        return stage > 0 and any(self.starts_below(stage - 1, v) for v in self.values[stage][node])


def partial(register):
    return register.layer.stages[register.stage].claim == "every-partial-sum"


def parts(register):
    """([(switch or None, products, starts from the constant)]): what is in or out as a whole."""
    layer, _, s, n = register
    below = layer.below[s][n]
    zero = all(low <= 0 <= high for low, high in layer.box)
    start = layer.stages[s].initial == "constant"
    if s > 0 and partial(register) and not (zero and layer.starts_below(s, n) == start):
        return [(None, [], start)] + [(f"in_v{v}", layer.below[s - 1][v], layer.starts_below(s - 1, v)) for v in layer.values[s][n]]
    apart = [k for k in below if s == 0 and partial(register) and not layer.box[k][0] <= 0 <= layer.box[k][1]]
    return [(None, [k for k in below if k not in apart], layer.starts_below(s, n))] + [
        (f"in{k}", [k], False) for k in apart if layer.weights[register.row][k]]


def lowest(layer, k):
    return next(j for j, products in enumerate(layer.below[0]) if k in products)


def expected(register):
    """(objective by name, constant, set of constraints): what docs/foreign_formats.md says of the register."""
    layer, row = register.layer, register.row
    weights, objective, constant, constraints = layer.weights[row], {}, 0, set()

    def constrain(terms, sense, bound):
        constraints.add((frozenset((name, a) for name, a in terms.items() if a), sense, bound))

    def bound(name, sense, value, switch):
        if switch and value:
            constrain({name: 1, switch: -value}, sense, 0)
        else:
            constrain({name: 1}, sense, value)

    for switch, products, starts in parts(register):
        if switch:
            bound(switch, 1, 0, None)
            bound(switch, -1, 1, None)
        magnitudes = collections.defaultdict(dict)
        for k in products:
            if not weights[k]:
                continue
            objective[f"x{k}"] = weights[k]
            bound(f"x{k}", 1, layer.box[k][0], switch)
            bound(f"x{k}", -1, layer.box[k][1], switch)
            if layer.limit is not None:
                bound(f"abs{k}", 1, 0, None)
                constrain({f"x{k}": 1, f"abs{k}": -1}, -1, 0)
                constrain({f"x{k}": 1, f"abs{k}": 1}, 1, 0)
                magnitudes[lowest(layer, k)][f"abs{k}"] = 1
        for terms in magnitudes.values():
            constrain(terms | ({switch: -layer.limit} if switch else {}), -1, 0 if switch else layer.limit)
        if starts:
            if layer.slope[row]:
                objective["z"] = layer.slope[row]
                bound("z", 1, 0, None)
                bound("z", -1, layer.spread, switch)
            if switch:
                objective[switch] = layer.constant[row]
            else:
                constant += layer.constant[row]
    return {name: a for name, a in objective.items() if a}, constant, constraints


def some_run(r, register):
    """({name: value}, sum) of a run that the register may have: inputs, zero point, what it has added."""
    layer, row, s, n = register
    inputs = [r.choice([low, high, r.randint(low, high)]) for low, high in layer.box]
    if layer.limit is not None:
        for products in layer.below[0]:
            left = layer.limit
            for k in r.sample(products, len(products)):
                inputs[k] = max(-left, min(left, inputs[k]))
                left -= abs(inputs[k])
    z = r.choice([0, layer.spread, r.randint(0, layer.spread)])
    added = [v for v in layer.values[s][n] if not partial(register) or r.random() < 0.6]
    chosen = set(added) if s == 0 else {k for v in added for k in layer.below[s - 1][v]}
    constant = layer.constant[row] + layer.slope[row] * z
    total = sum(layer.weights[row][k] * inputs[k] for k in chosen)
    own = layer.stages[s].initial == "constant"
    inside = own or s > 0 and any(layer.starts_below(s - 1, v) for v in added)
    total += constant if inside else 0
    point = {f"x{k}": inputs[k] for k in chosen}
    point |= {f"abs{k}": abs(inputs[k]) for k in chosen}
    point |= {f"in_v{v}": 1 for v in added} | {f"in{k}": 1 for k in chosen}
    point["z"] = z if inside else 0
    return point, total


def is_run(register, point):
    """Whether the point, by names, is one of the register's runs."""
    layer = register.layer
    for switch, products, starts in parts(register):
        present = not switch or point.get(switch, 0) == 1
        for k in products:
            x = point.get(f"x{k}", 0)
            out_by_zero = x == 0 and (not present or partial(register))
            if point.get(f"abs{k}", abs(x)) != abs(x):
                return False
            if not (out_by_zero or present and layer.box[k][0] <= x <= layer.box[k][1]):
                if layer.weights[register.row][k]:
                    return False
        if starts and not 0 <= point.get("z", 0) <= (layer.spread if present else 0):
            return False
    return layer.limit is None or all(sum(abs(point.get(f"x{k}", 0)) for k in products) <= layer.limit for products in layer.below[0])


def holds_for(text, register, side):
    """Raises Rejected unless the VIPR file proves the claimed end of this very register."""
    problem = vipr_reader.check(text)
    names = problem.names
    value = register.layer.claimed[register.row][register.stage][register.node][side == "upper"]
    if problem.sense != ("max" if side == "upper" else "min") or problem.proved != (value, value):
        raise vipr_reader.Rejected("another claim")
    if problem.integers != set(range(len(names))):
        raise vipr_reader.Rejected("not all variables are integers")
    objective, constant, constraints = expected(register)
    if {names[i]: a for i, a in problem.objective.items()} != objective | {"constant": 1}:
        raise vipr_reader.Rejected("another objective")
    if problem.bounds != sum(len(constraint.coefficients) == 1 for constraint in problem.constraints):
        raise vipr_reader.Rejected("another number of bounds")
    least, most = two_checkers.limits(register.layer.stages[register.stage])
    limit = problem.derived.get("register")
    if value <= most if side == "upper" else value >= least:
        stated = limit and (limit.coefficients, limit.sense, limit.value)
        if stated != (problem.objective, -1 if side == "upper" else 1, most if side == "upper" else least):
            raise vipr_reader.Rejected("the register's limit is not derived")
    elif limit:
        raise vipr_reader.Rejected("a limit that does not hold")
    have = {(frozenset((names[i], a) for i, a in c.coefficients.items()), c.sense, c.value) for c in problem.constraints}
    if have != constraints | {(frozenset([("constant", 1)]), 0, constant)} or len(have) != len(problem.constraints):
        raise vipr_reader.Rejected("other constraints")
    for solution in problem.solutions:
        point = {names[i]: v for i, v in solution.items()}
        if not is_run(register, point):
            raise vipr_reader.Rejected("the solution is no run of the register")
    return problem


# ---- Alethe ----

def expressions(text):
    tokens = re.findall(r"[()]|[^\s()]+", "\n".join(line for line in text.splitlines() if not line.startswith(";")))
    stack = [[]]
    for token in tokens:
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    assert len(stack) == 1
    return stack[0]


def linear(term):
    """{name: coefficient}, "" for the constant."""
    if isinstance(term, str):
        return {"": fractions.Fraction(term)} if term[0].isdigit() else {term: fractions.Fraction(1)}
    total = collections.Counter()
    if term[0] == "*":
        factor, (_, other) = linear(term[1]), (None, linear(term[2]))
        assert set(factor) <= {""}
        return {name: factor.get("", 0) * a for name, a in other.items()}
    for sign, part in [(-1, term[1])] if term[0] == "-" else [(1, part) for part in term[1:]]:
        assert term[0] in "+-" and (term[0] == "+" or len(term) == 2)
        for name, a in linear(part).items():
            total[name] += sign * a
    return dict(total)


def refutes(problem, proof):
    """Whether the proof's two steps refute the assertions of the problem: la_generic and resolution, as Alethe's reference has them."""
    asserted = [command[1] for command in expressions(problem) if command[0] == "assert"]
    *assumptions, step, last = expressions(proof)
    premises = {}
    for word, name, term in assumptions:
        if word != "assume" or name in premises or term not in asserted:
            return False
        premises[name] = term
    if step[:2] != ["step", "sum"] or step[3:6] != [":rule", "la_generic", ":args"] or step[2][0] != "cl":
        return False
    literals, factors = step[2][1:], [fractions.Fraction(f) for f in step[6]]
    if len(literals) != len(factors):
        return False
    total, strict = collections.Counter(), False
    for (negation, (relation, left, right)), factor in zip(literals, factors):
        sign = {"<=": 1, "<": 1, ">=": -1, ">": -1}[relation]  # turned into left - right <= 0
        if negation != "not" or factor < 0:
            return False
        for name, a in linear(left).items():
            total[name] += sign * factor * a
        for name, a in linear(right).items():
            total[name] -= sign * factor * a
        strict = strict or relation in "<>" and factor > 0
    if any(a for name, a in total.items() if name) or not (total[""] > 0 or total[""] == 0 and strict):
        return False
    if last[:6] != ["step", "contradiction", ["cl"], ":rule", "resolution", ":premises"] or last[6][0] != "sum":
        return False
    return all(["not", premises.get(name)] in literals for name in last[6][1:]) and all(
        any(premises.get(name) == literal[1] for name in last[6][1:]) for literal in literals)


# ---- tests ----

def random_pairs(folder, count):
    """Random certificates that the checker must accept as safe or unsafe."""
    r, pairs, number = random.Random(6), [], 0
    while len(pairs) < count:
        case = two_checkers.random_case(r, number)
        number += 1
        if case.right <= {"safe", "unsafe"}:
            certificate, weights = folder / f"{number}.axec", folder / f"{number}.safetensors"
            certificate.write_bytes(case.certificate)
            weights.write_bytes(case.weights)
            pairs.append((certificate, weights))
    return pairs


class Foreign(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        golden = [(path, path.with_suffix(".safetensors")) for path in sorted((GOLDEN / "accept").glob("*.axec"))]
        cls.random = random_pairs(cls.folder, 40)
        cls.golden, cls.pairs = golden, golden + cls.random
        cls.number = 0

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def layers(self, pair):
        metadata, arrays = tensors(pair[0].read_bytes())
        _, weights = tensors(pair[1].read_bytes())
        return [Layer(i, metadata, arrays, weights) for i in range(int(metadata["layers"]))]

    def export(self, pair, form, *options, code=(0, 1)):
        Foreign.number += 1
        folder = self.folder / f"out{Foreign.number}"
        done = subprocess.run([AXECERT, "export", *pair, "--format", form, "-o", folder, *options], capture_output=True, text=True)
        self.assertIn(done.returncode, code, done.stderr)
        return {path.name: path.read_text() for path in sorted(folder.iterdir())} if folder.exists() else done.stderr

    def registers(self, pair, files, suffix):
        """(register, side, text) of every register, and no file besides."""
        found = []
        for layer in self.layers(pair):
            for register in layer.registers():
                for side in ("lower", "upper"):
                    stem = f"{layer.name.replace('/', '+')}.r{register.row}.s{register.stage}.n{register.node}.{side}"
                    found.append((register, side, files[stem + suffix]))
        return found

    def answers(self, script, solver):
        path = self.folder / "script.smt2"
        path.write_text(script)
        done = subprocess.run([*SOLVERS[solver], path], capture_output=True, text=True)
        return done.stdout.split()

    def test_vipr_files_prove_and_attain_every_claimed_end(self):
        r, kinds = random.Random(1), collections.Counter()
        for pair in self.pairs:
            files = self.export(pair, "vipr")
            found = self.registers(pair, files, ".vipr")
            self.assertEqual(len(files), len(found))
            for register, side, text in found:
                problem = holds_for(text, register, side)
                kinds["limited"] += register.layer.limit is not None
                kinds["switched"] += any(name.startswith("in") for name in problem.names)
                kinds["zero point"] += "z" in problem.names
                kinds["third stage"] += register.stage == 2
                for _ in range(4):
                    point, total = some_run(r, register)
                    point["constant"] = expected(register)[1]
                    numbers = {i: point.get(name, 0) for i, name in enumerate(problem.names)}
                    self.assertTrue(all(c.holds(numbers) for c in problem.constraints), f"{pair[0].name}: a run breaks a constraint")
                    self.assertEqual(sum(a * numbers[i] for i, a in problem.objective.items()), total)
        for kind in ("limited", "switched", "zero point", "third stage"):
            self.assertGreater(kinds[kind], 20, kind)

    def test_a_vipr_file_with_any_number_or_word_changed_is_rejected(self):
        sections = collections.Counter()
        chosen = [pair for pair in self.golden
                  if pair[0].stem[7:] in ("boxes-that-exclude-zero", "limited-lanes", "zero-point-per-token", "ragged-lanes")]
        self.assertEqual(len(chosen), 4)
        for pair in chosen:
            for register, side, text in self.registers(pair, self.export(pair, "vipr"), ".vipr")[-6:]:
                lines, section = text.splitlines(), ""
                for i, line in enumerate(lines):
                    if line.startswith("%"):
                        continue
                    words = line.split()
                    section = words[0] if words[0] in ("VER", "VAR", "INT", "OBJ", "CON", "RTP", "SOL", "DER") else section
                    for j, word in enumerate(words):
                        label = j == 0 and section in ("CON", "SOL", "DER") and words[0] != section
                        changed = [] if label else [word + "1"]
                        if re.fullmatch(r"-?\d+", word):
                            changed = [str(int(word) + 1), str(int(word) - 1)]
                            if section == "DER" and j == len(words) - 1 and words[0] != "range":
                                changed = ["-2"]  # which constraint is the last to use this one: none, and 0 says so too
                        elif word in "LGE":
                            changed = [sense for sense in "LGE" if sense != word]
                        for other in changed:
                            forged = "\n".join(lines[:i] + [" ".join(words[:j] + [other] + words[j + 1:])] + lines[i + 1:])
                            with self.assertRaises(vipr_reader.Rejected, msg=f"{line!r}: {word} -> {other}"):
                                holds_for(forged, register, side)
                            sections[section] += 1
                    for forged in [lines[:i] + lines[i + 1:], lines[:i] + [line] + lines[i:]]:
                        with self.assertRaises(vipr_reader.Rejected, msg=f"{line!r} dropped or repeated"):
                            holds_for("\n".join(forged), register, side)
        self.assertEqual(len(sections), 8)
        self.assertGreater(sum(sections.values()), 1000)

    def test_the_reader_alone_rejects_what_proves_nothing(self):
        """Forgeries of the proof and of the solution, the problem left as it is: any VIPR checker must see them."""
        pair = next(pair for pair in self.golden if pair[0].stem == "proved.limited-inputs")
        for register, side, text in self.registers(pair, self.export(pair, "vipr"), ".vipr"):
            head, tail = text.split("SOL 1\n")
            solution, derivation = tail.split("DER", 1)
            for part, rebuilt in [(solution, lambda s: head + "SOL 1\n" + s + "DER" + derivation),
                                  (derivation, lambda s: head + "SOL 1\n" + solution + "DER" + s)]:
                for place in re.finditer(r"(?<= )-?\d+", part):
                    for step in (1, -1):
                        forged = part[:place.start()] + str(int(place.group()) + step) + part[place.end():]
                        stronger = part is derivation and "register" in part[part.rfind("\n", 0, place.start()):place.start()]
                        if stronger or (int(place.group()), step) == (-1, 1) and part[place.end():place.end() + 1] in "\n":
                            continue  # a limit that also holds is no forgery: the derivation's first constraint implies it
                        with self.assertRaises(vipr_reader.Rejected, msg=forged):
                            holds_for(rebuilt(forged), register, side)

    def test_the_reader_judges_the_format_s_own_example(self):
        """The first example of the specification: min x + y, 4x + y >= 1, 4x - y <= 2, optimum 1."""
        example = """% an example
VER 1.0
VAR 2 x y
INT 2 0 1
OBJ min 2  0 1  1 1
CON 2 0
C1 G 1  2  0 4  1 1
C2 L 2  2  0 4  1 -1
RTP range 1 1
SOL 2
feas 2  0 1  1 2
opt 1  1 1
DER 4
C3 G -1/2  1  1 1   { lin 2  0 1/2  1 -1/2 } 3
C4 G 0     1  1 1   { rnd 1  2 1 } 4
C5 G 1/4   OBJ     { lin 2  0 1/4  3 3/4 } 5
C6 G 1     OBJ     { rnd 1  4 1 } 0
"""
        self.assertEqual(vipr_reader.check(example).proved, (1, 1))
        for old, new in [("C6 G 1 ", "C6 G 2 "), ("rnd 1  4 1", "lin 1  4 1"), ("RTP range 1 1", "RTP range 2 2"), ("opt 1  1 1", "opt 1  1 1/2"),
                         ("lin 2  0 1/2  1 -1/2", "lin 2  0 1/2  1 1/2"), ("{ rnd 1  2 1 }", "{ rnd 1  3 1 }"), ("DER 4", "DER 3"),
                         ("{ rnd 1  2 1 }", "{ asm }")]:
            self.assertIn(old, example)
            with self.assertRaises(vipr_reader.Rejected, msg=new):
                vipr_reader.check(example.replace(old, new))

    def test_solvers_give_the_stated_answers(self):
        for pair in self.golden + self.random[:10]:
            for layer in self.layers(pair):
                files = self.export(pair, "smt2", "--layer", layer.name)
                self.assertEqual(len(files), layer.rows)
                script = "(reset)\n".join(files.values())
                wanted = re.findall(r":status (\w+)", script)
                self.assertEqual(len(wanted), 4 * len(layer.registers()))
                low_high = [layer.claimed[r.row][r.stage][r.node] for r in layer.registers()]
                limits = [two_checkers.limits(layer.stages[r.stage]) for r in layer.registers()]
                safe = [least <= low and high <= most for (low, high), (least, most) in zip(low_high, limits)]
                self.assertEqual(wanted, sum((["unsat" if s else "sat", "unsat", "sat", "sat"] for s in safe), []))
                for solver in SOLVERS:
                    self.assertEqual(self.answers(script, solver), wanted, f"{pair[0].name}, {solver}")

    def test_solvers_see_a_claim_that_is_off_by_one(self):
        pair = next(pair for pair in self.golden if pair[0].stem == "proved.two-stages")
        script = "(reset)\n".join(self.export(pair, "smt2").values())
        wanted = re.findall(r":status (\w+)", script)
        forged = re.sub(r"\(= sum (\d+)\)", lambda m: f"(= sum {int(m.group(1)) + 1})", script)
        self.assertNotEqual(forged, script)
        for solver in SOLVERS:
            self.assertNotEqual(self.answers(forged, solver), wanted)

    def test_alethe_proofs_refute_their_problems(self):
        for pair in self.pairs:
            files = self.export(pair, "alethe")
            for register, side, proof in self.registers(pair, files, ".alethe"):
                stem = f"{register.layer.name.replace('/', '+')}.r{register.row}.s{register.stage}.n{register.node}.{side}"
                self.assertTrue(refutes(files[stem + ".smt2"], proof), f"{pair[0].name}: {stem}")

    def test_an_alethe_proof_with_any_number_changed_is_rejected(self):
        pair = next(pair for pair in self.golden if pair[0].stem == "proved.limited-lanes")
        files, seen = self.export(pair, "alethe", "--row", "0"), 0
        for name, proof in files.items():
            if not name.endswith(".alethe"):
                continue
            problem = files[name.replace(".alethe", ".smt2")]
            self.assertTrue(refutes(problem, proof))
            for place in re.finditer(r"(?<=[ (])\d+(?=[ )])", proof):
                if proof.rfind(";", 0, place.start()) > proof.rfind("\n", 0, place.start()):
                    continue
                forged = proof[:place.start()] + str(int(place.group()) + 1) + proof[place.end():]
                self.assertFalse(refutes(problem, forged), forged)
                seen += 1
            for solver in SOLVERS:
                self.assertEqual(self.answers(problem, solver), ["unsat"])
        self.assertGreater(seen, 50)

    def test_the_acceptance_formula_is_unsat_and_sat_with_any_claim_changed(self):
        r = random.Random(3)
        for pair in self.golden + self.random[:10]:
            files = self.export(pair, "acceptance")
            self.assertEqual(len(files), len(self.layers(pair)))
            script = "(reset)\n".join(files.values())
            forged = []
            for text in files.values():
                text = text.replace(":status unsat", ":status sat")  # Z3 compares
                claims = list(re.finditer(r"\(= (\(- )?(\d+)(\))? range", text))
                place = r.choice(claims)
                forged.append(text[:place.start(2)] + str(int(place.group(2)) + 1) + text[place.end(2):])
            script += "(reset)\n" + "(reset)\n".join(forged)
            for solver in SOLVERS:
                self.assertEqual(self.answers(script, solver), ["unsat"] * len(files) + ["sat"] * len(files), f"{pair[0].name}, {solver}")

    def test_the_acceptance_formula_judges_as_the_checker_does_where_the_flaw_is_arithmetic(self):
        """The checker is not asked for this format: what it refuses, the formula refuses."""
        arithmetic = {"lower", "upper", "verdict", "weight", "witness-box", "witness-value", "worst"}
        judged = collections.Counter()
        flawed = [(path.name.split(".")[0], (path, path.with_suffix(".safetensors"))) for path in sorted((GOLDEN / "reject").glob("*.axec"))]
        r, number, wanted = random.Random(8), 0, collections.Counter()
        names = ["claim", "witness", "worst of a tie", "other side of a tie", "verdict", "witness over the limit"]
        while min(wanted[name] for name in names) < 2:
            case, number = two_checkers.random_case(r, number), number + 1
            flaw = re.search(r"\((.*)\)$", case.what)
            if flaw and flaw.group(1) in names and wanted[flaw.group(1)] < 2 and case.right == {"refused"}:
                wanted[flaw.group(1)] += 1
                pair = self.folder / f"flawed{number}.axec", self.folder / f"flawed{number}.safetensors"
                pair[0].write_bytes(case.certificate)
                pair[1].write_bytes(case.weights)
                flawed.append((flaw.group(1), pair))
        for flaw, pair in flawed:
            files = self.export(pair, "acceptance", code=(0, 3))
            if isinstance(files, str):  # the reader refuses it
                self.assertIn("refused", files)
                judged["read"] += flaw in arithmetic
                continue
            answers = {solver: self.answers("(reset)\n".join(files.values()).replace(":status unsat", ":status unknown"), solver)
                       for solver in SOLVERS}
            self.assertEqual(answers["z3"], answers["cvc5"], pair[0].name)
            self.assertEqual(len(answers["z3"]), len(files))
            if flaw in arithmetic or flaw in names:
                self.assertIn("sat", answers["z3"], pair[0].name)
                judged["formula"] += 1
        self.assertGreater(judged["formula"], 15, judged)

    def test_what_cannot_be_exported_is_an_error_and_leaves_nothing(self):
        pair = self.golden[0]
        self.assertIn("refused", self.export((pair[0], self.golden[1][1]), "acceptance", code=[3]))
        for options, code, word in [(["--layer", "nobody"], 64, "no layer 'nobody'"), (["--row", "99"], 64, "rows 0 to"),
                                    (["--stage", "9"], 64, "registers 0 to"), (["--node", "77"], 64, "registers 0 to")]:
            self.assertIn(word, self.export(pair, "vipr", *options, code=[code]))
        refused = sorted((GOLDEN / "reject").glob("lower.too-small-by-one.axec"))[0]
        self.assertIn("refused", self.export((refused, refused.with_suffix(".safetensors")), "smt2", code=[3]))
        uncovered = GOLDEN / "reject" / "uncovered-weights.another-layer.axec"  # every claim is right, and some weights have none
        self.export((uncovered, uncovered.with_suffix(".safetensors")), "smt2", code=[2])
        taken = self.folder / "taken"
        taken.mkdir()
        (taken / "file").write_text("mine")
        done = subprocess.run([AXECERT, "export", *pair, "--format", "vipr", "-o", taken], capture_output=True, text=True)
        self.assertEqual((done.returncode, sorted(p.name for p in taken.iterdir())), (73, ["file"]))
        self.assertIn("is there already", done.stderr)
        self.assertEqual([p for p in self.folder.iterdir() if ".new." in p.name], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

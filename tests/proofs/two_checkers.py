"""The checker written in C and the one extracted from the Coq proof, on the same files: their verdicts must be the same.

    python3 two_checkers.py AXECERT_CHECK PROVED_CHECK GOLDEN [--seed N] [--random N] [--mutants N] [--keep FOLDER]

The files are: every pair below GOLDEN/{accept,reject,malformed}, whose folder also says which verdicts are right; certificates
of one accepted pair with the weights of another; random layers, whose verdict this program knows because it computes their
ranges itself, from docs/certificate.md; and mutants of the accepted and the random ones, most of them with digest and hashes made
right again, so that the claims are reached. Some random layers have one flaw that must be noticed. Some weights are dealt out to several
files, which changes nothing, unless an array lies in two of them or in none. A disagreement prints both answers and both files, in hex, and leaves them in FOLDER.
Exit code 0: no disagreement. Writes to FOLDER, or to a temporary one. Only the Python standard library.

Requirements: TOR-301.
"""

import argparse
import collections
import hashlib
import json
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

VERDICTS = ["safe", "unsafe", "incomplete", "refused"]
ACCEPTED_VERDICTS = {"accept": {"safe"}, "reject": {"unsafe", "incomplete", "refused"}, "malformed": {"refused"}}
DIGEST = re.compile(rb'("digest":")([0-9a-f]{64})"')

# weights: the bytes of a file, or a list of those of several; right: the verdicts that are, or None
Case = collections.namedtuple("Case", "what certificate weights right")


# ---- files ----

def with_digest(certificate):
    """The same bytes, the digest computed anew where there is one."""
    place = DIGEST.search(certificate)
    if not place:
        return certificate
    zeros = certificate[:place.start(2)] + b"0" * 64 + certificate[place.end(2):]
    return zeros[:place.start(2)] + hashlib.sha256(zeros).hexdigest().encode() + zeros[place.end(2):]


def split(file):
    """(header, data) of a safetensors file, or None when it is broken."""
    length = int.from_bytes(file[:8], "little")
    return (file[8:8 + length], file[8 + length:]) if len(file) >= 8 and length <= len(file) - 8 else None


def joined(header, data):
    header = header.rstrip(b" ")
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data


def safetensors(arrays, metadata=()):
    """`arrays`: (name, dtype, shape, values), in their order."""
    codes = {"I8": "b", "I32": "i", "I64": "q", "F32": "f"}
    header, data = [], b""
    if metadata:
        header.append('"__metadata__":{' + ",".join(f'"{key}":"{value}"' for key, value in metadata) + "}")
    for name, dtype, shape, values in arrays:
        packed = struct.pack(f"<{len(values)}{codes[dtype]}", *values)
        header.append(json.dumps(name) + ":" + json.dumps(
            {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}, separators=(",", ":")))
        data += packed
    return joined(("{" + ",".join(header) + "}").encode(), data)


# ---- random layers: docs/certificate.md, "Acceptance" ----

Stage = collections.namedtuple("Stage", "width group stride overflow limits initial claim")


def dealt(stage, values):
    """The values of each register of `stage`."""
    block = stage.group * stage.stride
    if stage.group == 0 or block > len(values):
        block = len(values)
    return [values[begin + lane:begin + block:stage.stride] for begin in range(0, len(values), block)
            for lane in range(min(stage.stride, block, len(values) - begin))]


def greatest(limit, weights, caps):
    """The greatest Σ |w| t, 0 <= t <= caps, Σ t <= limit. Neither checker computes it like this: by duality it is the least of
    θ limit + Σ max(0, |w| - θ) cap, and the best θ is 0 or some |w|."""
    return min(theta * limit + sum(max(0, abs(w) - theta) * cap for w, cap in zip(weights, caps)) for theta in {0, *map(abs, weights)})


def limited(limit, products):
    """How far below and above its start a register of the lowest stage gets, `products` being (weight, box)."""
    weights = [w for w, _ in products]
    up = [high if w > 0 else -low for w, (low, high) in products]
    down = [-low if w > 0 else high for w, (low, high) in products]
    return -greatest(limit, weights, down), greatest(limit, weights, up)


def ranges(stages, constant, row, box, limit):
    """[stage][register]: the range that a certificate must claim; limit None: there is none."""
    claimed, values = [], [tuple(sorted((w * low, w * high))) for w, (low, high) in zip(row, box)]
    for s, stage in enumerate(stages):
        low, high = constant if stage.initial == "constant" else (0, 0)
        groups = dealt(stage, values)
        finals = [(low + sum(v[0] for v in group), high + sum(v[1] for v in group)) for group in groups]
        partials = [(low + sum(min(0, v[0]) for v in group), high + sum(max(0, v[1]) for v in group)) for group in groups]
        if s == 0 and limit is not None:
            spent = [limited(limit, group) for group in dealt(stage, list(zip(row, box)))]
            finals = partials = [(low + least, high + most) for least, most in spent]
        claimed.append(finals if stage.claim == "final-value" else partials)
        values = finals
    return claimed


def limited_witness(stage, row, box, limit, toward_upper):
    """Inputs that keep box and limit and drive every register of the lowest stage to one end."""
    witness = [0] * len(row)
    for columns in dealt(stage, list(range(len(row)))):
        left = limit
        for k in sorted(columns, key=lambda k: -abs(row[k])):
            if row[k] != 0:
                upward = (row[k] > 0) == toward_upper
                taken = min(left, box[k][1] if upward else -box[k][0])
                witness[k], left = taken if upward else -taken, left - taken
    return witness


def idle_inputs_moved(r, stage, row, box, limit, toward_upper, witness):
    """Another witness for the same end of a partial sum: inputs that were 0 work against it, as far as the limit is not used up."""
    for k in r.sample(range(len(row)), len(row)):
        away = box[k][0] if (row[k] > 0) == toward_upper else box[k][1]
        moved = witness[:k] + [r.randint(min(away, 0), max(away, 0))] + witness[k + 1:]
        if witness[k] == 0 and keeps(stage, moved, limit):
            witness = moved
    return witness


def keeps(stage, inputs, limit):
    return all(sum(map(abs, group)) <= limit for group in dealt(stage, inputs))


def limits(stage):
    most = 2 ** (stage.width - 1) - 1
    return (-most if stage.limits == "symmetric" else -most - 1), most


# What may be wrong with a random certificate, everything else being right; each must be refused.
FLAWS = ["wider than needed", "several constants", "assumption hidden", "assumption added", "worst of a tie", "other side of a tie",
         "witness", "order of layers", "same name twice", "padding", "claim", "verdict", "spread", "two constants"]
FLAWS_OF_LIMITS = ["limit off by one", "limit hidden", "limit out of range", "limit misplaced", "limit array absent",
                   "limit array differs", "limit array of another form", "limit array without a claim", "box without 0",
                   "witness over the limit"]


def random_stages(r, cols, flaw):
    stages, constant = [], r.random() < 0.5
    for s in range(count := r.choice([1, 1, 2, 2, 3])):
        last = s == count - 1
        overflow = r.choice(["wrap", "wrap", "saturate", "undefined"])
        stages.append(Stage(
            width=0, group=0 if last and r.random() < 0.8 else r.randint(1, cols), stride=1 if last else r.choice([1, 1, 2, 3, 9]),
            overflow=overflow, limits=r.choice(["symmetric", "full"]), initial="zero",
            claim="final-value" if overflow == "wrap" and r.random() < 0.3 else "every-partial-sum"))
    values = [(0, 0)] * cols
    for s, stage in enumerate(stages):
        values = [(0, 0)] * len(dealt(stage, values))
        if len(values) > 1 if flaw == "several constants" else len(values) == 1 and (constant or flaw == "two constants"):
            stages[s], constant = stage._replace(initial="constant"), False
    return stages


def random_layer(r, name, flaw):
    """(metadata without its number, arrays of the certificate, arrays of the weights file, what it rests on, verdict, whether it has
    the flaw: not every layer can have every one; whether it has a limit)."""
    flawed = False
    rows, cols = r.randint(1, 4), r.randint(1, 12)
    most = r.choice([0, 1, 7, 127])
    weights = [[r.randint(-most - (most == 127), most) for _ in range(cols)] for _ in range(rows)]
    reach = r.choice([1, 255, 2 ** 24])
    per_channel = r.random() < 0.5
    box = [tuple(sorted((r.randint(-reach, reach), r.randint(-reach, reach)))) for _ in range(cols if per_channel else 1)]
    limit = None
    if flaw != "limit array without a claim" and r.random() < (0.95 if flaw in FLAWS_OF_LIMITS else 0.35):
        limit = r.choice([1, r.randint(1, reach), r.randint(1, reach), r.randint(1, reach * cols), 2 ** 48])
        box = [(-abs(low), abs(high)) if r.random() < 0.8 else (0, abs(high)) for low, high in box]
        if flaw == "box without 0":
            k = r.randrange(len(box))
            box[k] = r.choice([(1, max(1, box[k][1])), (min(-1, box[k][0]), -1)])
            flawed = True
    if limit is not None and most == 127:  # the limit is spent on the largest magnitudes first, and none is larger
        weights = [[-128 if r.random() < 0.2 else w for w in row] for row in weights]
    channels = box if per_channel else box * cols
    source = r.choice(["clamped", "clamped", "given", "calibrated"])
    quantizer = source == "clamped" or r.random() < 0.5
    zero_points = [r.randint(-8, 8)] if r.random() < 0.5 else sorted(r.randint(-300, 300) for _ in range(2))
    spread = zero_points[-1] - zero_points[0] if quantizer else 0
    shift = [r.randint(-300, 300) for _ in range(r.choice([1, cols]))]
    offset = [x - zero_points[0] for x in shift] if quantizer else r.choice([[], [0]])
    offsets = offset * cols if len(offset) == 1 else offset or [0] * cols
    bias = [r.randint(-10 ** 5, 10 ** 5) for _ in range(rows)] if r.random() < 0.5 else None
    stages = random_stages(r, cols, flaw)

    def constants(row):
        at_zero = (bias[row] if bias else 0) + sum(w * o for w, o in zip(weights[row], offsets))
        return tuple(sorted((at_zero, at_zero - spread * sum(weights[row]))))

    def all_ranges(limit):
        return [ranges(stages, constants(row), weights[row], channels, limit) for row in range(rows)]

    claimed = all_ranges(limit)
    by_stage = [[register for row in claimed for register in row[s]] for s in range(len(stages))]
    for s, stage in enumerate(stages):  # as wide as needed, or a bit less or more
        needed = max(max(abs(low), abs(high)).bit_length() + 1 for low, high in by_stage[s])
        stages[s] = stage._replace(width=min(64, max(1, needed + r.choice([0, 0, 0, 1, 3, -1] if r.random() < 0.5 else [0, 1]))))
    margins = []
    for row in range(rows):
        for s, stage in enumerate(stages):
            least, greatest = limits(stage)
            for n, (low, high) in enumerate(claimed[row][s]):
                margins.append((min(greatest - high, low - least), row, s, n, "upper" if greatest - high <= low - least else "lower"))
    least, row, s, n, side = min(margins, key=lambda m: m[0])
    ties = [m for m in margins if m[0] == least]
    if flaw == "worst of a tie" and len(ties) > 1:
        (least, row, s, n, side), flawed = ties[-1], True
    low, high = claimed[row][s][n]
    if flaw == "other side of a tie" and limits(stages[s])[1] - high == low - limits(stages[s])[0]:
        side, flawed = "lower", True
    toward_upper = side == "upper"
    witness = [(high if (w >= 0) == toward_upper else low) for w, (low, high) in zip(weights[row], channels)]
    if limit is not None:
        witness = limited_witness(stages[0], weights[row], channels, limit, toward_upper)
    if limit is not None and s == 0 and stages[0].claim == "every-partial-sum" and r.random() < 0.5:
        witness = idle_inputs_moved(r, stages[0], weights[row], channels, limit, toward_upper, witness)
    flat = [w for each in weights for w in each]
    safe = least >= 0
    if flaw == "verdict":
        safe, flawed = not safe, True
    if flaw == "several constants":
        flawed = any(t.initial == "constant" for t in stages)
    if flaw == "two constants":
        flawed = sum(t.initial == "constant" for t in stages) > 1
    if flaw == "spread":
        spread, flawed = spread + 1, True
    if flaw == "claim":
        end, at = r.randrange(2), r.randrange(len(by_stage[s]))
        entry = list(by_stage[s][at])
        entry[end] += r.choice([-1, 1])
        by_stage[s][at], flawed = tuple(entry), True
    if flaw == "witness":
        k = r.randrange(cols)
        witness[k], flawed = channels[k][0] - 1 if r.random() < 0.5 else channels[k][1] + 1, True
    stated, array = limit, limit  # in the certificate, in the weights file
    if limit is not None:
        if flaw == "limit off by one":
            stated += r.choice([-1, 1])
            flawed = source == "clamped" or not 1 <= stated <= 2 ** 48 or all_ranges(stated) != claimed
        if flaw == "limit hidden":
            stated, flawed = None, source == "clamped" or all_ranges(None) != claimed
        if flaw == "limit out of range":
            stated = array = r.choice([0, -1, -limit, 2 ** 48 + 1, 2 ** 63 - 1, 2 ** 63])
            array, flawed = min(array, 2 ** 63 - 1), True
        if flaw == "limit array absent":
            array, flawed = None, source == "clamped"
        if flaw == "limit array differs":
            array, flawed = r.choice([limit - 1, limit + 1, -limit, limit + 2 ** 32, limit + 2 ** 56]), source == "clamped"
        if flaw == "limit misplaced":
            flawed = True
        if flaw == "limit array of another form":
            flawed = source == "clamped"
        if flaw == "witness over the limit":
            k = r.randrange(cols)
            wider = witness[:k] + [max(channels[k], key=abs)] + witness[k + 1:]
            if not keeps(stages[0], wider, limit):
                witness, flawed = wider, True
    elif flaw == "limit array without a claim":
        array, flawed = r.choice([0, 1, -1, 2 ** 48]), source == "clamped"

    operand = 127 if most == 127 else max(most, 1)
    metadata = [
        ("name", name), ("shape", f"{rows} {cols}"),
        ("weight.sha256", hashlib.sha256(struct.pack(f"<{len(flat)}b", *flat)).hexdigest()),
        ("weight.range", f"{min(flat)} {max(flat)}"),
        ("bias.sha256", hashlib.sha256(struct.pack(f"<{rows}q", *bias)).hexdigest() if bias else "none"),
        ("input.source", source), ("zero_point.spread", str(spread)), ("datapath", "random"),
        ("operands", f"weights {-operand - (most == 127)} {operand} activations {-reach} {reach} raw"), ("stages", str(len(stages)))]
    if stated is not None:
        behind = 1 + [key for key, _ in metadata].index("zero_point.spread")
        metadata.insert(behind + r.choice([-1, 1]) if flaw == "limit misplaced" else behind, ("input.limit", str(stated)))
    metadata += [(f"stage.{i}", f"s{i} width={t.width} group={t.group} stride={t.stride} overflow={t.overflow} limits={t.limits} "
                                f"initial={t.initial} claim={t.claim}") for i, t in enumerate(stages)]
    metadata += [("verdict", "safe" if safe else "unsafe"), ("worst", f"{row} {s} {n} {side}")]
    arrays = [("box.lower", "I32", [len(box)], [low for low, _ in box]), ("box.upper", "I32", [len(box)], [high for _, high in box]),
              ("offset", "I32", [len(offset)], offset)]
    for i, entries in enumerate(by_stage):
        narrow = all(-2 ** 31 <= x < 2 ** 31 for entry in entries for x in entry)
        if flaw == "wider than needed" and narrow:
            narrow, flawed = False, True
        for which, end in enumerate(["lower", "upper"]):
            arrays.append((f"stage.{i}.{end}", "I32" if narrow else "I64", [rows, len(entries) // rows], [e[which] for e in entries]))
    arrays.append(("worst.witness", "I32", [cols], witness))

    file = [(f"{name}.weight", "I8", [rows, cols], flat)]
    if bias:
        file.append((f"{name}.bias", "I64", [rows], bias))
    if quantizer:
        file.append((f"{name}.input_shift", "I32", [len(shift)], shift))
        file.append((f"{name}.input_zero_point", "I32", [len(zero_points)], zero_points))
    if source == "clamped":
        file.append((f"{name}.input_lower", "I32", [len(box)], [low for low, _ in box]))
        file.append((f"{name}.input_upper", "I32", [len(box)], [high for _, high in box]))
    if array is not None and (source == "clamped" or r.random() < 0.5):
        form = ("I64", [1], [array])
        if flaw == "limit array of another form":
            form = r.choice([("I64", [2], [array, array]), ("I64", [1, 1], [array]), ("I64", [], [array]), ("I64", [0], []),
                             ("I32", [1], [array % 2 ** 31]), ("F32", [1], [float(array)])])
        file.append((f"{name}.input_limit", *form))
    r.shuffle(file)
    rests_on = {f"input-{source}", "product-order-as-stated", "products-exact", "sha256-collision-free"}
    if stated is not None:
        rests_on.add("input-limited")
    if (bias or offset or spread) and all(t.initial == "zero" for t in stages):
        rests_on.add("constant-added-outside")
    if len(by_stage[-1]) > rows:
        rests_on.add("float-sum-outside")
    return metadata, arrays, file, rests_on, "safe" if least >= 0 else "unsafe", flawed, limit is not None


def random_case(r, number):
    flaw = r.choice(FLAWS + FLAWS_OF_LIMITS) if r.random() < 0.5 else None
    names = {"order of layers": ["b", "a"], "same name twice": ["a", "a"]}.get(flaw, ["a"] if r.random() < 0.6 else ["a", "a.b"])
    layers = [random_layer(r, name, flaw) for name in names]
    flawed = flaw in ("order of layers", "same name twice", "padding") or any(layer[5] for layer in layers)
    assumptions = set().union(*(layer[3] for layer in layers))
    optional = {"constant-added-outside", "float-sum-outside", "input-clamped", "input-given", "input-calibrated",
                "input-limited"}
    if flaw == "assumption hidden":
        assumptions -= {r.choice(sorted(assumptions & optional))}
    if flaw == "assumption added":
        assumptions |= {r.choice(sorted(optional - assumptions))}
    flawed = flawed or flaw in ("assumption hidden", "assumption added")
    metadata = [("format", "axec 1"), ("digest", "0" * 64), ("tool", "two_checkers"), ("assumptions", " ".join(sorted(assumptions))),
                ("layers", str(len(layers)))]
    metadata += [(f"{i}.{key}", value) for i, layer in enumerate(layers) for key, value in layer[0]]
    arrays = [(f"{i}.{name}", *rest) for i, layer in enumerate(layers) for name, *rest in layer[1]]
    certificate = safetensors(arrays, metadata)
    if flaw == "padding":
        header, data = split(certificate)
        certificate = struct.pack("<Q", len(header) + 8) + header + b" " * 8 + data
    uncovered = r.random() < 0.1
    file = [array for layer in layers[:1 if flaw == "same name twice" else None] for array in layer[2]]
    file += [("z.weight", "I8", [1], [0])] if uncovered else [("z.weight", "F32", [1], [0.0])] if r.random() < 0.1 else []
    verdicts = {layer[4] for layer in layers}
    right = "refused" if flawed else "unsafe" if "unsafe" in verdicts else "incomplete" if uncovered else "safe"
    kind = "limited" if any(layer[6] for layer in layers) else "random"
    return Case(f"{kind} {number}" + (f" ({flaw})" if flawed else ""), with_digest(certificate), safetensors(file), {right})


# ---- mutants ----

WORDS = [b"safe", b"unsafe", b"wrap", b"saturate", b"undefined", b"symmetric", b"full", b"zero", b"constant", b"every-partial-sum",
         b"final-value", b"upper", b"lower", b"clamped", b"given", b"calibrated", b"raw", b"boxed", b"I32", b"I64", b"I8", b"none",
         b"constant-added-outside", b"float-sum-outside", b"input-clamped", b"input-given", b"input-calibrated",
         b"input-limited"]
INTERESTING = [0, 1, 2, 7, 15, 16, 17, 63, 64, 65, 127, 128, 2 ** 24, 2 ** 24 + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 48, 2 ** 48 + 1, 2 ** 62,
               2 ** 63 - 1, 2 ** 63]


def nudged_number(r, header):
    """One decimal number of a header, changed."""
    places = [p for p in re.finditer(rb"(?<![0-9a-f])-?\d+(?![0-9a-f])", header)]
    if not places:
        return header
    place = r.choice(places)
    value = int(place.group())
    value = r.choice([value + 1, value - 1, -value, 2 * value, r.choice(INTERESTING), -r.choice(INTERESTING)])
    text = r.choice([str(value)] * 8 + ["0" + str(value), "+" + str(value), "-0", ""])
    return header[:place.start()] + text.encode() + header[place.end():]


def exchanged_word(r, header):
    places = [(p.start(), word) for word in WORDS for p in re.finditer(rb"(?<![a-z0-9-])" + word + rb"(?![a-z0-9-])", header)]
    if not places:
        return header
    at, word = r.choice(places)
    return header[:at] + r.choice(WORDS) + header[at + len(word):]


def edited_text(r, header):
    """A few bytes of a header removed, repeated, or replaced by punctuation that means something."""
    at = r.randrange(len(header) + 1)
    size = r.choice([1, 1, 1, 2, 5])
    return r.choice([header[:at] + header[at + size:], header[:at] + header[at:at + size] + header[at:],
                     header[:at] + r.choice([b'"', b"\\", b" ", b",", b"}", b"{", b"]", b"[", b":", b"\n", b"\xff", b"0", b"-"])
                     + header[at + r.choice([0, 1]):]])


def nudged_data(r, data):
    if not data:
        return data
    data = bytearray(data)
    at = r.randrange(len(data))
    data[at] = r.choice([(data[at] + 1) % 256, (data[at] - 1) % 256, data[at] ^ 128, data[at] ^ (1 << r.randrange(8)), r.randrange(256)])
    return bytes(data)


def edited_file(r, file):
    """The bytes of a file as a whole, its length field among them."""
    at = r.randrange(len(file) + 1)
    return r.choice([file[:at], file + b"\0", file[:at] + bytes([r.randrange(256)]) + file[at + 1:],
                     bytes([r.randrange(256)]) + file[1:]])


def right_hashes(certificate, weights):
    """The certificate's hashes, made those of the arrays of the weights file, where they can be found."""
    parts, found = split(certificate), split(weights)
    try:
        names = dict(re.findall(rb'"(\d+)\.name":"([^"]*)"', parts[0]))
        entries = json.loads(found[0])
    except (TypeError, ValueError):
        return certificate
    header = parts[0]
    for number, name in names.items():
        for role in (b"weight", b"bias"):
            entry = entries.get((name + b"." + role).decode("latin1"))
            if isinstance(entry, dict) and isinstance(entry.get("data_offsets"), list):
                begin, end = (entry["data_offsets"] + [0, 0])[:2]
                if isinstance(begin, int) and isinstance(end, int):
                    hash_ = hashlib.sha256(found[1][begin:end]).hexdigest().encode()
                    header = re.sub(rb'("' + number + rb"\." + role + rb'\.sha256":")[0-9a-f]{64}"', rb"\g<1>" + hash_ + b'"', header)
    return joined(header, parts[1])


def mutant(r, number, seeds):
    seed = r.choice(seeds)
    certificate, weights = seed.certificate, seed.weights
    for _ in range(r.choice([1, 1, 1, 2, 3])):
        of_weights = r.random() < 0.35
        file = weights if of_weights else certificate
        parts = split(file)
        kind = r.choice([nudged_number, nudged_number, exchanged_word, edited_text, nudged_data, nudged_data, edited_file])
        if kind is edited_file or parts is None:
            file = edited_file(r, file)
        elif kind is nudged_data:
            file = joined(parts[0], nudged_data(r, parts[1]))
        else:
            file = joined(kind(r, parts[0]), parts[1])
        certificate, weights = (certificate, file) if of_weights else (file, weights)
    if r.random() < 0.85:
        certificate = right_hashes(certificate, weights)
    if r.random() < 0.95:
        certificate = with_digest(certificate)
    return Case(f"mutant {number} of {seed.what}", certificate, weights, None)


def sharded(r, number, seeds):
    """The arrays of a weights file dealt out to two to four files; of some cases one array twice, or one file short."""
    seed = r.choice(seeds)
    header, data = split(seed.weights)
    arrays = json.loads(header)
    metadata = arrays.pop("__metadata__", None)
    shards = [[{}, b""] for _ in range(r.choice([2, 3, 4]))]
    kind = r.choice(["whole", "whole", "twice", "missing"])
    names = list(arrays)
    doubled = r.choice([name for name in names if name.endswith(".weight")]) if kind == "twice" else None
    for name in names:
        begin, end = arrays[name]["data_offsets"]
        for shard in r.sample(shards, 2 if name == doubled else 1):
            shard[0][name] = {**arrays[name], "data_offsets": [len(shard[1]), len(shard[1]) + end - begin]}
            shard[1] += data[begin:end]
    if kind == "missing":
        shards.remove(next(shard for shard in shards if any(name.endswith(".weight") for name in shard[0])))
    if metadata is not None:
        shards[0][0]["__metadata__"] = metadata
    files = [joined(json.dumps(entries).encode(), content) for entries, content in shards]
    twice = kind == "twice" and seed.right == {"safe"} and arrays[doubled]["dtype"] == "I8"  # then it is a layer's
    right = seed.right if kind == "whole" else {"refused"} if twice else None
    return Case(f"sharded {number} ({kind}, {len(files)} files) of {seed.what}", seed.certificate, files, right)


# ---- the comparison ----

def golden_cases(folder):
    for kind, right in ACCEPTED_VERDICTS.items():
        files = sorted((folder / kind).glob("*.axec"))
        if not files:
            raise SystemExit(f"{folder / kind}: no golden files")
        for file in files:
            yield Case(f"{kind}/{file.stem}", file.read_bytes(), file.with_suffix(".safetensors").read_bytes(), right)


def verdicts_in_c(program, pairs):
    for certificate, weights in pairs:
        run = subprocess.run([program, certificate, *weights], capture_output=True, text=True, check=False)
        name = run.stdout.split(":")[0]
        if name not in VERDICTS or VERDICTS.index(name) != run.returncode:
            name = f"exit code {run.returncode}: {run.stdout}{run.stderr}"
        yield name


def verdicts_in_coq(program, pairs):
    """All pairs by one process; one that dies of a pair has no verdict for it and for those behind it."""
    listed = "".join("\t".join(map(str, [certificate, *weights])) + "\n" for certificate, weights in pairs)
    run = subprocess.run([program, "--list"], input=listed, capture_output=True, text=True, check=False)
    names = run.stdout.splitlines()
    return names + [f"exit code {run.returncode}: {run.stderr}"] * (len(pairs) - len(names))


def main():
    parser = argparse.ArgumentParser(description="Compares the two checkers.")
    parser.add_argument("axecert_check")
    parser.add_argument("proved_check")
    parser.add_argument("golden", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--random", type=int, default=600)
    parser.add_argument("--mutants", type=int, default=3000)
    parser.add_argument("--sharded", type=int, default=400)
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    r = random.Random(options.seed)

    golden = list(golden_cases(options.golden))
    accepted = [case for case in golden if case.right == {"safe"}]
    crossed = [Case(f"crossed {a.what} with the weights of {b.what}", a.certificate, b.weights, None)
               for a in accepted for b in accepted if a is not b and r.random() < 0.3]
    layers = [random_case(r, i) for i in range(options.random)]
    mutants = [mutant(r, i, accepted + layers) for i in range(options.mutants)]
    cases = golden + crossed + layers + mutants + [sharded(r, i, accepted + layers) for i in range(options.sharded)]

    wrong, seen = 0, collections.Counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        pairs = []
        for i, case in enumerate(cases):
            files = case.weights if isinstance(case.weights, list) else [case.weights]
            pairs.append((folder / f"{i}.axec", [folder / f"{i}-{shard}.safetensors" for shard in range(len(files))]))
            pairs[-1][0].write_bytes(case.certificate)
            for path, content in zip(pairs[-1][1], files):
                path.write_bytes(content)
        in_c = list(verdicts_in_c(options.axecert_check, pairs))
        in_coq = verdicts_in_coq(options.proved_check, pairs)
        for case, c, coq in zip(cases, in_c, in_coq):
            seen[case.what.split()[0].split("/")[0], c] += 1
            if c != coq or c not in VERDICTS or (case.right and c not in case.right):
                wrong += 1
                print(f"{case.what}: {c} in C, {coq} in Coq" + (f", right is {' or '.join(sorted(case.right))}" if case.right else ""))
                print(f"  certificate {case.certificate.hex()}")
                for content in case.weights if isinstance(case.weights, list) else [case.weights]:
                    print(f"  weights {content.hex()}")
    for (kind, verdict), count in sorted(seen.items()):
        print(f"{kind:10} {verdict:11} {count}")
    print(f"{len(cases)} pairs of files, seed {options.seed}: {wrong} disagreements")
    # a comparison in which one verdict never came up shows nothing about it
    never = {("mutant", "incomplete"), ("sharded", "incomplete")}
    for kind in ("random", "limited", "mutant", "sharded"):
        for verdict in VERDICTS:
            if seen[kind, verdict] == 0 and (kind, verdict) not in never:
                print(f"no {kind} pair came out {verdict}")
                wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

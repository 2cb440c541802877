"""Quantizing, certifying and verifying beside what people use for them today, in one run.

    python3 pipeline_peers.py BUILD [--layers FOLDER] [--core 1] [--rounds 5] [--viprchk PROGRAM] [--only PART...] [--json FILE] [--figure FILE]

quantizing   axecert (in this process, from BUILD/python) and Brevitas' A2GPTQ and A2GPFQ at equal settings, on the layers of FOLDER (keys of
             docs/layers.md): from H and G to integers, nothing else. Needs Brevitas, and without FOLDER takes one small random layer
certifying   exact ranges of every register: axecert, NumPy, and what qonnx and FINN have: calculate_matvec_accumulator_extremum
             (qonnx.util.range_analysis), and calculate_matvec_accumulator_range (qonnx.util.basic), of which FINN's
             minimize_accumulator_width makes its widths; with what reading the same weights from memory, and reading plus SHA-256, cost
verifying    one certificate: the checker in C, the one extracted from the Coq proof (BUILD/tests/proofs/coq/proved_check), Z3 at depths (a)
             and (b), the replay; and its exported claims under z3 and cvc5 (SMT-LIB), tests/foreign's exact reader and viprchk (VIPR)

One thread; --core pins it and all that it starts. All contenders of a part run in turn, round after round; a figure is the median of CPU seconds,
those of processes that were started included. What each contender answers is compared first: ranges must be equal, verdicts safe,
errors at equal settings within 2 %, or the run ends with exit code 1. Contenders that are not installed are named as absent. Sizes are such that no run of one
contender takes longer than some 20 s; --small: seconds for everything, for the test.
`main` is the main function. Prints the tables of pipeline_page.py. Needs NumPy. Side effects: a temporary folder of some 400 MB; FILEs.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
import warnings

import peers  # first: it limits the threads of NumPy's and torch's libraries
import numpy as np

import pipeline_page
import scale
from peers import Contender, Server

TESTS = pathlib.Path(__file__).resolve().parent.parent
for _folder in ("peers", "foreign"):
    sys.path.append(str(TESTS / _folder))
import vipr_reader  # noqa: E402

BOX = (0, 255)


class Disagreement(Exception):
    """A contender's answer is not the others'."""


def demand(holds, what):
    if not holds:
        raise Disagreement(what)


def process_seconds(*command, accepted=(0,)):
    return scale.cost(*command, accepted=accepted)[0]


def timed(work):
    """CPU seconds of one call in this process; what it returns is passed over."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def random_layer(rows, cols):
    """A layer of real weights with H, G and the rest, in the form of brevitas_axe.read_layer."""
    generator = np.random.default_rng(7)
    inputs = generator.normal(size=(2 * cols, cols)) * np.exp(0.5 * generator.normal(size=cols))
    step = float(np.abs(inputs).max() / 127)
    quantized = np.clip(np.rint(inputs / step), -128, 127) * step
    weight = generator.normal(size=(rows, cols)).astype(np.float32)
    return {"name": "random", "weight": weight, "H": (quantized.T @ quantized).astype(np.float32), "G": (quantized.T @ inputs).astype(np.float32),
            "weight_scale": np.abs(weight).max(axis=1) / 8, "input_scale": np.float32(step), "input_zero_point": np.int32(128), "input_bits": np.int32(8),
            "output_energy": float(((inputs @ weight.T) ** 2).sum())}


# ---- quantizing ----

def our_quantizer(layer, datapath, options):
    """A call without arguments that quantizes the layer."""
    import axecert

    grid = axecert.ActivationGrid(float(layer["input_scale"]), int(layer["input_zero_point"]), int(layer["input_bits"]))
    arrays = [np.ascontiguousarray(layer[key], np.float32) for key in ("weight", "H", "G")]
    path = axecert.Datapath(datapath)
    return lambda: axecert.quantize(layer["name"], *arrays, datapath=path, input=grid, options=options)


def our_settings(layer):
    """name -> (peer, options). Published: what Brevitas computes, at the same fixed scales."""
    import axecert

    published = axecert.QuantizeOptions.published()
    same = {key: getattr(published, key) for key in ("strict", "diffusion", "target", "refinement_passes", "ridge")}
    scales = np.ascontiguousarray(layer["weight_scale"], np.float32)
    return {"axecert, AXE-OPTQ as published": ("optq", axecert.QuantizeOptions(corrector="optq", row_scales=scales, **same)),
            "axecert, AXE-GPFQ as published": ("gpfq", axecert.QuantizeOptions(corrector="gpfq", row_scales=scales, **same)),
            "axecert, defaults: search and refinement": ("", axecert.QuantizeOptions())}


def quantizing(options, folder, absent):
    import axecert
    import brevitas_axe

    try:
        import brevitas
        import torch
        import brevitas_examples.common.axe  # noqa: F401
    except ImportError as problem:
        absent.append(f"Brevitas ({problem})")
        brevitas = None
    else:
        torch.set_num_threads(1)
    if options.layers:
        layers = [brevitas_axe.read_layer(path) for path in sorted(options.layers.glob("*_proj.npz"))]
        tile, bits = 128, 16
    else:
        layers, (tile, bits) = [random_layer(32, 96)], (32, 13)
    results = []
    for layer in layers:
        def error_of(integers, scales):
            return brevitas_axe.relative_error(layer, integers, scales)  # noqa: B023: used within the turn

        contenders, errors = [], {}
        for corrector, name in (("optq", "Brevitas, A2GPTQ"), ("gpfq", "Brevitas, A2GPFQ")) if brevitas else ():
            run = functools.partial(brevitas_axe.quantize, layer, corrector, tile, bits, clock=time.process_time)
            errors[corrector] = error_of(run()[0], layer["weight_scale"])
            contenders.append(Contender(name, lambda run=run: run()[1], peer="", error=errors[corrector]))
        for name, (peer, settings) in our_settings(layer).items():
            run = our_quantizer(layer, f"axe:P={bits},T={tile},act=u8", settings)
            result = run()
            demand(axecert.certify([result], axecert.Datapath(f"axe:P={bits},T={tile},act=u8")).verdict == "safe", f"{layer['name']}, {name}: not safe")
            error = error_of(np.asarray(result.weights), np.asarray(result.scales).reshape(-1))
            if peer in errors:
                demand(abs(error / errors[peer] - 1) <= 0.02, f"{layer['name']}, {name}: error {error:.4f}, Brevitas' {errors[peer]:.4f}")
            contenders.append(Contender(name, functools.partial(timed, run), peer={"optq": "Brevitas, A2GPTQ", "gpfq": "Brevitas, A2GPFQ"}.get(peer, ""),
                                        error=error))
        peers.take_turns(contenders, options.rounds)
        results.append({"layer": layer["name"], "rows": layer["weight"].shape[0], "cols": layer["weight"].shape[1], "tile": tile, "bits": bits,
                        "contenders": [c.document() for c in contenders]})
    return results


# ---- certifying ----

def claimed_ranges(path):
    """name -> (lower, upper) of the lowest stage of each layer, read from the certificate's arrays."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    facts = header["__metadata__"]

    def array(name):
        entry = header[name]
        begin, end = entry["data_offsets"]
        return np.frombuffer(raw[8 + length + begin:8 + length + end], {"I32": np.int32, "I64": np.int64}[entry["dtype"]]).reshape(entry["shape"])

    return {facts[f"{i}.name"]: (array(f"{i}.stage.0.lower"), array(f"{i}.stage.0.upper")) for i in range(int(facts["layers"]))}


def numpy_ranges(weights, tile):
    """Sums of positives and of negatives per tile; of 128 weights in int16, which holds them and is faster."""
    tiles = weights.reshape(weights.shape[0], -1, tile)
    kind = np.int16 if tile <= 128 else np.int32
    positive = np.maximum(tiles, 0).sum(axis=2, dtype=kind).astype(np.int32)
    negative = np.minimum(tiles, 0).sum(axis=2, dtype=kind).astype(np.int32)
    low, high = BOX
    return low * positive + high * negative, high * positive + low * negative


def qonnx_ranges(extremum, weights, tile):
    """qonnx' function on one tile after the other: it knows no registers below the whole row."""
    ends = [extremum(weights[:, begin:begin + tile], *BOX) for begin in range(0, weights.shape[1], tile)]
    return np.stack([low for low, _ in ends], axis=1), np.stack([high for _, high in ends], axis=1)


def read_and_hash(path):
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(1 << 18)
        while size := file.readinto(buffer):
            digest.update(memoryview(buffer)[:size])


def certifying(options, folder, absent):
    rows, cols, count = (64, 256, 2) if options.small else (4096, 4096, 8)
    generator = np.random.default_rng(1)
    layer = scale.random_weights(generator, rows, cols)
    arrays = []
    for i in range(count):
        arrays += [(f"layer{i}.weight", "I8", layer), *((f"layer{i}.{key}", dtype, array) for key, dtype, array in scale.quantizer())]
    weights = folder / "certifying.safetensors"
    scale.write_safetensors(weights, arrays)
    total = count * rows * cols
    results = []
    for tile in (64, 128):
        certificate = folder / "certifying.axec"
        certify = [options.axecert, "certify", weights, "-d", f"axe:P=16,T={tile},act=u8", "-o", certificate]
        process_seconds(*certify)
        claimed = claimed_ranges(certificate)["layer0"]
        server = Server([options.bench_certifying, weights, certificate])
        contenders = server.contenders
        for c in contenders:
            c.facts = {"weights": total}
        contenders += [Contender("read the file, SHA-256", lambda: timed(lambda: read_and_hash(weights)), weights=total),
                       Contender("axecert certify", lambda certify=certify: process_seconds(*certify), weights=total),
                       Contender("axecert-check", lambda: process_seconds(options.check, certificate, weights), weights=total)]

        def equal(name, ranges, of):
            for mine, theirs, end in zip(claimed, ranges, ("lower", "upper")):  # noqa: B023: used within the turn
                demand(np.array_equal(mine[:of], theirs), f"T = {tile}, {name}: another {end} end than the certificate's")  # noqa: B023

        equal("NumPy", numpy_ranges(layer, tile), rows)
        contenders.append(Contender("NumPy", lambda tile=tile: timed(lambda: numpy_ranges(layer, tile)), weights=rows * cols))
        part = layer[:rows // 8]
        floats = part.astype(np.float32)  # as its graphs hold integers
        try:
            from qonnx.core.datatype import DataType
            from qonnx.util.basic import calculate_matvec_accumulator_range
            from qonnx.util.range_analysis import calculate_matvec_accumulator_extremum as extremum
        except ImportError as problem:
            if tile == 64:
                absent.append(f"qonnx ({problem})")
        else:
            equal("qonnx", qonnx_ranges(extremum, floats, tile), rows // 8)
            contenders.append(Contender("qonnx' range analysis, a tile at a time",
                                        lambda tile=tile: timed(lambda: qonnx_ranges(extremum, floats, tile)), weights=part.size))
            columns = np.ascontiguousarray(floats.T)
            least, most = calculate_matvec_accumulator_range(columns, DataType["UINT8"])
            low, high = numpy_ranges(part, cols)
            demand((least, most) == (low.min(), high.max()), f"qonnx, whole rows: {least}, {most}, not {low.min()}, {high.max()}")
            contenders.append(Contender("FINN's accumulator bound, whole rows at once",
                                        lambda: timed(lambda: calculate_matvec_accumulator_range(columns, DataType["UINT8"])), weights=part.size))
        peers.take_turns(contenders, options.rounds)
        server.close()
        results.append({"tile": tile, "weights": total, "layers": count, "rows": rows, "cols": cols, "certificate_bytes": certificate.stat().st_size,
                        "contenders": [c.document() for c in contenders]})
    return results


# ---- verifying ----

def certified_layer(options, folder):
    """Weights file and certificate of one layer that our defaults quantized, in this run; and (rows, registers of a row)."""
    import axecert
    import brevitas_axe

    layer = brevitas_axe.read_layer(options.layers / "gate_proj.npz") if options.layers and not options.small else random_layer(16, 96)
    datapath = axecert.Datapath("axe:P=16,T=64,act=u8")
    result = our_quantizer(layer, "axe:P=16,T=64,act=u8", axecert.QuantizeOptions())()
    weights, certificate = folder / "verifying.safetensors", folder / "verifying.axec"
    axecert.write_weights(str(weights), [result])
    axecert.certify([result], datapath).write(str(certificate))
    rows, cols = layer["weight"].shape
    return weights, certificate, rows, -(-cols // 64) + 1


def solver_seconds(command, files, registers):
    """CPU seconds of one process for each file; the answers must be those of a safe register: two refutations, two ends attained."""
    def measure():
        seconds = 0
        for file in files:
            seconds += process_seconds(*command, file)
        return seconds

    for file in files[:2]:
        answers = subprocess.run([*map(str, command), str(file)], capture_output=True, text=True, check=True).stdout.split()
        demand(answers == ["unsat", "unsat", "sat", "sat"] * registers, f"{command[0]} on {file.name}: {answers}")
    return measure


def verifying(options, folder, absent):
    weights, certificate, rows, per_row = certified_layer(options, folder)
    all_registers = rows * per_row
    server = Server([options.bench_certifying, weights, certificate])
    contenders = [c for c in server.contenders if c.name.startswith("the checker")]
    demand(contenders, "bench_certifying has no checker")
    for c in contenders:
        c.facts = {"registers": all_registers, "path": "certificate"}
    contenders.append(Contender("axecert-check, a process", lambda: process_seconds(options.check, certificate, weights), registers=all_registers,
                                path="certificate"))
    proved = options.proved_check
    if proved.exists():
        said = subprocess.run([proved, "--list"], input=f"{certificate}\t{weights}\n", capture_output=True, text=True, check=True).stdout.split()
        demand(said == ["safe"], f"proved_check: {said}")
        contenders.append(Contender("extracted from the Coq proof, a process", lambda: process_seconds(proved, certificate, weights),
                                    registers=all_registers, path="certificate"))
    else:
        absent.append(f"the extracted checker ({proved}: build it with proofs/coq/build)")
    verify = [options.axecert, "verify", certificate, weights, "--workers", "1"]
    bare = functools.partial(process_seconds, *verify, "--z3", "none", "--no-replay")
    for name, words in (("Z3, depth (a): lemma and ground facts", ["--z3", "ground", "--no-replay"]), ("Z3, depth (b): box queries", ["--z3", "box", "--no-replay"]),
                        ("replay of both witnesses", ["--z3", "none"])):
        # less what the same process spends on files and checker, which ran just before it
        contenders.append(Contender(name, lambda words=words: max(1e-6, -bare() + process_seconds(*verify, *words)), registers=all_registers, path="certificate"))

    few, some = (1, 2) if options.small else (16, 48)
    exported = {}
    for form, rows_of in (("smt2", few), ("vipr", some)):
        for row in range(rows_of):
            subprocess.run([options.axecert, "export", certificate, weights, "--format", form, "--row", str(row), "-o", folder / f"{form}{row}"],
                           check=True, capture_output=True)
        exported[form] = sorted(file for row in range(rows_of) for file in (folder / f"{form}{row}").iterdir())
    for program, command in (("Z3", ["z3"]), ("cvc5", ["cvc5", "--incremental"])):
        try:
            version = subprocess.run([command[0], "--version"], capture_output=True, text=True, check=True).stdout.split()
        except OSError as problem:
            absent.append(f"{program} ({problem})")
            continue
        number = next(word for word in version if word[0].isdigit())
        contenders.append(Contender(f"{program} {number} on exported SMT-LIB, a process for each row", solver_seconds(command, exported["smt2"], per_row),
                                    registers=few * per_row, path="exported"))
    texts = [file.read_text() for file in exported["vipr"]]
    demand(len(texts) == 2 * some * per_row, f"{len(texts)} VIPR files for {some * per_row} registers")
    contenders.append(Contender("exact VIPR reader in Python's fractions", lambda: timed(lambda: [vipr_reader.check(text) for text in texts]),
                                registers=some * per_row, path="exported"))
    if options.viprchk:
        said = subprocess.run([options.viprchk, exported["vipr"][0]], capture_output=True, text=True, check=True).stdout
        demand("Successfully verified" in said, f"viprchk: {said}")
        files = exported["vipr"][:2 * per_row * few]
        contenders.append(Contender("viprchk (GMP rationals), a process for each end", lambda: sum(process_seconds(options.viprchk, file) for file in files),
                                    registers=few * per_row, path="exported"))
    else:
        absent.append("viprchk (--viprchk PROGRAM)")
    peers.take_turns(contenders, options.rounds)
    server.close()
    return [{"rows": rows, "registers": all_registers, "contenders": [c.document() for c in contenders]}]


PARTS = {"quantizing": quantizing, "certifying": certifying, "verifying": verifying}


def main():
    parser = argparse.ArgumentParser(description="Quantizing, certifying and verifying beside their peers, in one run.")
    parser.add_argument("build", type=pathlib.Path, help="build folder (targets axecert, axecert-check, axecert_python, bench_certifying)")
    parser.add_argument("--layers", type=pathlib.Path, help="folder with gate_proj.npz and o_proj.npz")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--core", type=int, help="pin everything to this core")
    parser.add_argument("--viprchk", type=pathlib.Path, help="the VIPR project's checker")
    parser.add_argument("--proved-check", type=pathlib.Path, help="default: BUILD/tests/proofs/coq/proved_check")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--small", action="store_true", help="everything in seconds; the figures mean nothing")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--figure", type=pathlib.Path)
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    build = options.build.resolve()
    options.axecert, options.check = build / "cli" / "axecert", build / "verify" / "axecert-check"
    options.bench_certifying = build / "tests" / "bench" / "bench_certifying"
    options.proved_check = (options.proved_check or build / "tests" / "proofs" / "coq" / "proved_check").resolve()
    sys.path.insert(0, str(build / "python"))
    warnings.filterwarnings("ignore", message=".*fast_hadamard_transform.*")
    absent = []
    document = {"processor": peers.processor(), "rounds": options.rounds, "absent": absent}
    try:
        with tempfile.TemporaryDirectory(prefix="axecert-peers-") as folder:
            for part in options.only:
                document[part] = PARTS[part](options, pathlib.Path(folder), absent)
                print(f"{part}: measured", file=sys.stderr)
                if options.json:
                    options.json.write_text(json.dumps(document, indent=1) + "\n")
    except Disagreement as problem:
        print(f"pipeline_peers.py: {problem}", file=sys.stderr)
        return 1
    for what in absent:
        print(f"without {what}", file=sys.stderr)
    pipeline_page.tables(document)
    if options.figure:
        options.figure.write_text(pipeline_page.draw(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())

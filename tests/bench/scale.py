"""Unit costs for docs/scale.md: CPU time and memory of certify, check, hash, Z3 and quantize against size.

    python3 scale.py AXECERT AXECERT_CHECK [--most WEIGHTS] [--folder FOLDER] [--only PART...] [--json FILE]

Every figure is user and system time of the process and of those that it started, not time on the clock, so that other work on the
machine disturbs it little. Streaming: the median of three runs, the others one run. Needs NumPy. Side effects: FOLDER, about 1.3 bytes a weight,
emptied again; FILE, to which parts are added that it does not have; standard output has Markdown tables. scale_plan.py goes on from FILE.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

ROWS, COLS = 4096, 4096  # of a large layer
TILE = 64
DATAPATH = f"axe:P=16,T={TILE},act=u8"


def write_safetensors(path, arrays):
    """`arrays`: (name, dtype, array) in order."""
    header, offset = {}, 0
    for name, dtype, array in arrays:
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, array in arrays:
            file.write(array.data)


def quantizer():
    one = np.zeros(1, np.int32)
    return [("input_lower", "I32", one), ("input_upper", "I32", one + 255), ("input_shift", "I32", one), ("input_zero_point", "I32", one + 3)]


def write_model(folder, layers, shard_bytes=1 << 28):
    """`layers`: (name, weights int8 [rows, K]). Shards of about `shard_bytes` and an index; returns the index."""
    folder.mkdir()
    shards, size = [[]], 0
    for name, weight in layers:
        if size > shard_bytes:
            shards.append([])
            size = 0
        shards[-1].append((name, weight))
        size += weight.nbytes
    place, total = {}, 0
    for number, content in enumerate(shards):
        file = f"model-{number + 1:05d}-of-{len(shards):05d}.safetensors"
        arrays = []
        for name, weight in content:
            arrays += [(f"{name}.weight", "I8", weight), *((f"{name}.{key}", dtype, array) for key, dtype, array in quantizer())]
        write_safetensors(folder / file, arrays)
        place.update({name: file for name, _, _ in arrays})
        total += sum(array.nbytes for _, _, array in arrays)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": place}))
    return index


# Runs a program and tells its usage. A process of its own: what is resident in a process that starts another counts as that one's too.
MEASURE = """
import json, os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=sys.stderr, stderr=subprocess.STDOUT)
_, status, usage = os.wait4(child.pid, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
"""


def cost(*words, accepted=(0,)):
    """CPU seconds of a program with those that it started, and kilobytes resident at most."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", MEASURE, *map(str, words)], capture_output=True, text=True,
                          env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}, check=True)
    code, seconds, resident = json.loads(done.stdout)
    if code not in accepted:
        raise SystemExit(f"{words}: exit code {code}\n{done.stderr}")
    return seconds, resident


def hash_cost(files):
    start = time.process_time()
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return time.process_time() - start


def random_weights(generator, rows, cols):
    """As 4-bit weights that fit 16 bits over 64 products are: mostly small."""
    return generator.choice(np.array([-2, -1, 0, 1, 2], np.int8), (rows, cols), p=[0.07, 0.24, 0.38, 0.24, 0.07])


def streaming(options, folder):
    """certify, axecert-check, verify without solvers, and SHA-256 alone, from 10^6 weights on."""
    layer = random_weights(np.random.default_rng(1), ROWS, COLS)  # the same bytes in all layers: nothing here notices
    rows = []
    size = 10**6
    while size <= options.most:
        if size < ROWS * COLS:
            layers = [("layer000", np.ascontiguousarray(layer[: max(1, size // COLS)]))]
        else:
            layers = [(f"layer{i:03d}", layer) for i in range(round(size / (ROWS * COLS)))]
        weights = sum(weight.size for _, weight in layers)
        index = write_model(folder / "model", layers)
        shards = sorted((folder / "model").glob("*.safetensors"))
        verdicts = (0, 1)
        runs = []
        for _ in range(3):  # in turn
            runs.append([*cost(options.axecert, "certify", index, "-d", DATAPATH, "-o", folder / "c.axec", accepted=verdicts),
                         *cost(options.check, folder / "c.axec", *shards, accepted=verdicts),
                         *cost(options.axecert, "verify", folder / "c.axec", index, "--z3", "none", "--no-replay", accepted=verdicts), hash_cost(shards)])
        certify, certify_memory, check, check_memory, verify, verify_memory, hashed = (sorted(column)[1] for column in zip(*runs))
        rows.append({"weights": weights, "files": len(shards), "certificate_bytes": (folder / "c.axec").stat().st_size, "certify": certify, "check": check,
                     "verify": verify, "sha256": hashed, "certify_kB": certify_memory, "check_kB": check_memory, "verify_kB": verify_memory})
        shutil.rmtree(folder / "model")
        (folder / "c.axec").unlink()
        size *= 10
    print("| weights | shards | certificate | certify | axecert-check | verify, checker alone | SHA-256 of the weights alone | resident: certify, check, verify |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for r in rows:
        per = lambda key: f"{r[key]:.3g} s, {r[key] / r['weights'] * 1e9:.2f} ns/w"  # noqa: E731
        print(f"| {r['weights']:,} | {r['files']} | {r['certificate_bytes'] / 1e6:.1f} MB | {per('certify')} | {per('check')} | {per('verify')} | {per('sha256')} | "
              f"{r['certify_kB'] / 1e3:.0f}, {r['check_kB'] / 1e3:.0f}, {r['verify_kB'] / 1e3:.0f} MB |")
    return rows


def solvers(options, folder):
    """Z3 at both depths and the replay, per register. Layers of different weights: equal registers are asked about once."""
    rows = []
    for count in (64, 256, 1024):
        generator = np.random.default_rng(2)
        weight = random_weights(generator, count, 1024)
        index = write_model(folder / "model", [("layer", weight)])
        cost(options.axecert, "certify", index, "-d", DATAPATH, "-o", folder / "c.axec", accepted=(0, 1))
        nodes = count * (1024 // TILE + 1)
        row = {"nodes": nodes, "weights": weight.size}
        base, *_ = cost(options.axecert, "verify", folder / "c.axec", index, "--z3", "none", "--no-replay", accepted=(0, 1))
        for what, words in (("ground", ["--z3", "ground", "--no-replay"]), ("box", ["--z3", "box", "--no-replay"]), ("replay", ["--z3", "none"])):
            if what == "box" and count > 256:
                continue
            total, *_ = cost(options.axecert, "verify", folder / "c.axec", index, *words, "--workers", "1", accepted=(0, 1))
            row[what] = total - base
        rows.append(row)
        shutil.rmtree(folder / "model")
    print("\n| registers | Z3 ground | Z3 box | replay, 8 inputs per row |\n| ---: | ---: | ---: | ---: |")
    for r in rows:
        cell = lambda key: f"{r[key]:.2f} s, {r[key] / r['nodes'] * 1e6:.0f} µs each" if key in r else ""  # noqa: E731
        print(f"| {r['nodes']:,} | {cell('ground')} | {cell('box')} | {cell('replay')} |")
    return rows


def headers(options, folder):
    """Many tiny layers: what a layer costs in the header, and what looking for its arrays among all others costs."""
    rows = []
    for count in (1000, 4000, 16000):
        weight = np.ones((1, TILE), np.int8)
        index = write_model(folder / "model", [(f"model.layers.{i:05d}.mlp.gate_proj", weight) for i in range(count)])
        shards = sorted((folder / "model").glob("*.safetensors"))
        certify, *_ = cost(options.axecert, "certify", index, "-d", DATAPATH, "-o", folder / "c.axec")
        check, *_ = cost(options.check, folder / "c.axec", *shards)
        header = struct.unpack("<Q", (folder / "c.axec").read_bytes()[:8])[0]
        rows.append({"layers": count, "arrays": 5 * count, "header_bytes": header, "certify": certify, "check": check})
        shutil.rmtree(folder / "model")
    print("\n| layers | arrays of weights | certificate's header | certify | axecert-check | per layer |\n| ---: | ---: | ---: | ---: | ---: | ---: |")
    for r in rows:
        print(f"| {r['layers']:,} | {r['arrays']:,} | {r['header_bytes'] / 1e6:.2f} MB, {r['header_bytes'] / r['layers']:.0f} bytes a layer | {r['certify']:.2f} s | {r['check']:.2f} s | "
              f"{r['certify'] / r['layers'] * 1e6:.0f}, {r['check'] / r['layers'] * 1e6:.0f} µs |")
    return rows


def quantizing(options, folder):
    """quantize with its defaults, per weight. What all rows share (the Cholesky factor and the like) is told apart by two numbers of rows."""
    rows = []
    for cols, counts in ((512, (256, 1024)), (1024, (256, 1024)), (2048, (128, 512)), (4096, (128, 256))):
        if cols > options.most_cols:
            continue
        generator = np.random.default_rng(3)
        inputs = generator.normal(size=(cols + 256, cols)).astype(np.float32) * np.exp(generator.normal(size=cols)).astype(np.float32)
        gram = inputs.T @ inputs
        times = []
        for count in counts:
            weight = generator.normal(size=(count, cols)).astype(np.float32)
            path = folder / "layer.safetensors"
            write_safetensors(path, [("l.weight", "F32", weight), ("l.H", "F32", gram), ("l.G", "F32", gram), ("l.input_scale", "F32", np.array([0.05], np.float32)),
                                     ("l.input_zero_point", "I32", np.array([128], np.int32))])
            total, memory = cost(options.axecert, "quantize", path, "-d", "axe:P=16,T=64,act=s8", "-o", folder / "out", "--threads", "1")
            times.append(total)
        slope = (times[1] - times[0]) / ((counts[1] - counts[0]) * cols)
        rows.append({"cols": cols, "rows": counts, "seconds": times, "per_weight": slope, "shared": times[0] - slope * counts[0] * cols, "kB": memory})
    print("\n| K | rows | CPU time | per weight | shared by all rows | resident |\n| ---: | ---: | ---: | ---: | ---: | ---: |")
    for r in rows:
        print(f"| {r['cols']:,} | {r['rows'][0]}, {r['rows'][1]} | {r['seconds'][0]:.1f}, {r['seconds'][1]:.1f} s | {r['per_weight'] * 1e6:.2f} µs | {max(0, r['shared']):.1f} s | {r['kB'] / 1e3:.0f} MB |")
    return rows


def product(options, folder):
    """One multiply-add of a large float32 product on one thread: what moments and forward passes are made of. NumPy's BLAS, median of 5."""
    generator = np.random.default_rng(4)
    x = generator.normal(size=(2048, 2048)).astype(np.float32)
    seconds = []
    for _ in range(5):
        begin = time.process_time()
        x.T @ x
        seconds.append(time.process_time() - begin)
    per_mac = sorted(seconds)[2] / 2048**3
    print(f"\na multiply-add in a large float32 product, NumPy's BLAS, one thread: {per_mac * 1e12:.1f} ps")
    return {"seconds_per_mac": per_mac}


PARTS = {"streaming": streaming, "solvers": solvers, "headers": headers, "quantizing": quantizing, "product": product}


def main():
    parser = argparse.ArgumentParser(description="Unit costs for docs/scale.md.")
    parser.add_argument("axecert", type=pathlib.Path)
    parser.add_argument("check", type=pathlib.Path)
    parser.add_argument("--most", type=float, default=1e9, help="weights of the largest model")
    parser.add_argument("--most-cols", type=int, default=2048, help="K of the largest layer that is quantized")
    parser.add_argument("--folder", type=pathlib.Path, help="for the files; default: a temporary one")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    options.axecert, options.check = options.axecert.resolve(), options.check.resolve()
    results = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    with tempfile.TemporaryDirectory(prefix="axecert-scale-", dir=options.folder) as folder:
        for part in options.only:
            results[part] = PARTS[part](options, pathlib.Path(folder))
            sys.stdout.flush()
            if options.json:
                options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Our integer products beside onnxruntime, torch, oneDNN and OpenBLAS, and beside what the processor can do at all, in one run.

    python3 peers.py BENCH_KERNEL [--rounds 9] [--shapes 64x2048x2048 ...] [--core 1] [--json FILE] [--figure FILE]

One thread, pinned to one core. For each shape (tokens x K x rows) all contenders run in turn, round after round; a contender's figure is
the median of CPU seconds per call. bench_kernel (tests/bench/kernel.cpp) has ours, OpenBLAS, oneDNN and the peaks; a second one runs oneDNN
confined to AVX2 (ONEDNN_MAX_CPU_ISA). Packages that are not installed are left out and named. Each peer of integers is also asked for two
products of the largest operands, 255 x 127 (127 x 127 where both are signed), which leave 16 bits, and answers exactly or not. Prints Markdown: rates only as ratios, because the machine is shared. Needs
NumPy; onnx and onnxruntime, torch. Side effects: the FILEs.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

import roofline  # noqa: E402

SHAPES = ["64x2048x2048", "256x4096x4096", "128x576x1536", "1x4096x4096", "1x8192x16384"]
ENOUGH = 0.01  # seconds that one measurement takes at least


class Contender:
    """`measure` returns the CPU seconds of one call; `facts` are what the tables know of it besides."""

    def __init__(self, name, measure, **facts):
        self.name, self.measure, self.facts, self.seconds = name, measure, facts, []

    def document(self):
        return {"name": self.name, **self.facts, "seconds": statistics.median(self.seconds), "rounds": self.seconds}


def take_turns(contenders, rounds):
    """All contenders in turn, round after round, after a call of each that does not count."""
    for contender in contenders:
        contender.measure()
    for _ in range(rounds):
        for contender in contenders:
            contender.seconds.append(contender.measure())


class Server:
    """A program whose contenders are measured there (tests/bench/contender.hpp)."""

    def __init__(self, command, label="", environment=None):
        self.command = command
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})
        self.contenders = [Contender(label + entry["name"], lambda number=number: self.ask(number), macs=entry["macs"], weight_bytes=entry["bytes"],
                                     peak=entry["peak"], answer=entry["answer"])
                           for number, entry in enumerate(json.loads(self.line()))]

    def line(self):
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.command[0]} ended")
        return answer

    def ask(self, number):
        print(number, file=self.process.stdin, flush=True)
        return float(self.line())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def here(once):
    """Measures a call in this process."""
    def measure():
        calls, begin = 0, time.process_time()
        while True:
            once()
            calls += 1
            passed = time.process_time() - begin
            if passed >= ENOUGH:
                return passed / calls
    return measure


def verdict(sums, exact):
    return "exact" if np.array_equal(np.asarray(sums).astype(np.int64), exact) else "wrong"


def witness(rows=64, cols=64):
    """Codes and weights whose pairs of products leave 16 bits, and the exact sums."""
    codes = np.zeros((16, cols), np.uint8)
    codes[:, :2] = 255
    weights = np.full((rows, cols), 127, np.int8)
    return codes, weights, codes.astype(np.int64) @ weights.T.astype(np.int64)


def onnxruntime_contenders(codes, weights):
    import onnx
    import onnxruntime
    from onnx import TensorProto as T
    from onnx import helper, numpy_helper

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3

    def session(nodes, inputs, outputs, constants, opset=17):
        graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(n, t, s) for n, t, s in inputs],
                                  [helper.make_tensor_value_info(n, t, s) for n, t, s in outputs],
                                  [numpy_helper.from_array(array, name) for name, array in constants.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)], ir_version=8)
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def runner(made, feeds):
        binding = made.io_binding()
        values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in feeds.items()}
        for name, value in values.items():
            binding.bind_ortvalue_input(name, value)
        for output in made.get_outputs():
            binding.bind_output(output.name)
        return lambda: (made.run_with_iobinding(binding), values)[0]

    def integer(x, w, unsigned):
        w = w.astype(np.int16).T
        constant = {"w": np.ascontiguousarray(w + 128).astype(np.uint8) if unsigned else np.ascontiguousarray(w).astype(np.int8)}
        names = ["x", "w"]
        if unsigned:
            constant |= {"xz": np.array(0, np.uint8), "wz": np.array(128, np.uint8)}
            names += ["xz", "wz"]
        return session([helper.make_node("MatMulInteger", names, ["y"])], [("x", T.UINT8, x.shape)], [("y", T.INT32, [x.shape[0], w.shape[1]])], constant)

    def q_linear(x, w):
        w = np.ascontiguousarray(w.T)
        constant = {"w": w, "one": np.array(1, np.float32), "many": np.array(4096, np.float32), "xz": np.array(0, np.uint8), "wz": np.array(0, np.int8)}
        return session([helper.make_node("QLinearMatMul", ["x", "one", "xz", "w", "one", "wz", "many", "xz"], ["y"])], [("x", T.UINT8, x.shape)],
                       [("y", T.UINT8, [x.shape[0], w.shape[1]])], constant)

    def n_bits(x, w, block):
        rows, cols = w.shape
        packed = np.full((rows, (cols + block - 1) // block, block // 2), 0x88, np.uint8)
        nibbles = (w.astype(np.int16) + 8).astype(np.uint8).reshape(rows, -1)
        flat = packed.reshape(rows, -1)
        flat[:, : cols // 2] = nibbles[:, 0::2] | nibbles[:, 1::2] << 4
        constant = {"w": packed, "s": np.ones((rows * packed.shape[1],), np.float32)}
        node = helper.make_node("MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", K=cols, N=rows, bits=4, block_size=block, accuracy_level=4)
        return session([node], [("x", T.FLOAT, x.shape)], [("y", T.FLOAT, [x.shape[0], rows])], constant)

    def floats(x, w):
        return session([helper.make_node("MatMul", ["x", "w"], ["y"])], [("x", T.FLOAT, x.shape)], [("y", T.FLOAT, [x.shape[0], w.shape[0]])],
                       {"w": np.ascontiguousarray(w.T.astype(np.float32))})

    wx, ww, exact = witness()
    macs, count = float(codes.shape[0] * weights.size), float(weights.size)
    found = []
    for name, make, small, feed, size in (
            ("MatMulInteger u8s8", lambda x, w: integer(x, w, False), True, codes, 1),
            ("MatMulInteger u8u8", lambda x, w: integer(x, w, True), True, codes, 1),
            ("QLinearMatMul u8s8", q_linear, "rounded", codes, 1),
            ("MatMulNBits int4, blocks of 32", lambda x, w: n_bits(x, w, 32), False, codes.astype(np.float32), 0.5),
            ("MatMulNBits int4, blocks of 128", lambda x, w: n_bits(x, w, 128), False, codes.astype(np.float32), 0.5),
            ("MatMul float32", floats, False, codes.astype(np.float32), 4)):
        answer = ""
        if small:
            made = make(wx, ww)
            sums = made.run(None, {"x": wx})[0]
            answer = verdict(sums, np.rint(exact / 4096) if small == "rounded" else exact)
        found.append(Contender(f"onnxruntime {onnxruntime.__version__} {name}", here(runner(make(feed, weights), {"x": feed})), macs=macs,
                               weight_bytes=size * count, peak="", answer=answer))
    return found


def torch_contenders(codes, weights):
    import warnings

    import torch
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    macs, count = float(codes.shape[0] * weights.size), float(weights.size)
    found, version = [], torch.__version__.split("+")[0]
    wx, ww, exact = witness()
    x8, w8 = torch.from_numpy(codes), torch.from_numpy(weights)
    xf, wf = x8.float(), w8.float()

    def prepare(engine, x, w):
        torch.backends.quantized.engine = engine
        quantized_x = torch.quantize_per_tensor(x.float(), 1.0, 0, torch.quint8)
        quantized_w = torch.quantize_per_tensor(w.float(), 1.0, 0, torch.qint8)
        packed = torch.ops.quantized.linear_prepack(quantized_w, None)
        return lambda: torch.ops.quantized.linear(quantized_x, packed, 4096.0, 0)

    for engine in torch.backends.quantized.supported_engines:
        if engine not in ("fbgemm", "onednn", "x86"):
            continue
        answer = verdict(prepare(engine, torch.from_numpy(wx), torch.from_numpy(ww))().int_repr().numpy(), np.rint(exact / 4096))
        found.append(Contender(f"torch {version} quantized linear, {engine}", here(prepare(engine, x8, w8)), macs=macs, weight_bytes=count, peak="", answer=answer))
    found.append(Contender(f"torch {version} linear float32", here(lambda: torch.nn.functional.linear(xf, wf)), macs=macs, weight_bytes=4 * count,
                           peak="", answer=""))
    return found


def processor():
    try:
        return next(line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def main():
    parser = argparse.ArgumentParser(description="Integer products beside their peers, in one run.")
    parser.add_argument("program", type=pathlib.Path, help="bench_kernel")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--shapes", nargs="+", default=SHAPES)
    parser.add_argument("--core", type=int, help="pin everything to this core")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--figure", type=pathlib.Path)
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    program = str(options.program.resolve())
    document = {"processor": processor(), "rounds": options.rounds, "absent": [], "shapes": []}
    for text in options.shapes:
        shape = [int(word) for word in text.split("x")]
        generator = np.random.default_rng(1)
        codes = generator.integers(0, 256, (shape[0], shape[1]), dtype=np.uint8)
        weights = generator.integers(-3, 4, (shape[2], shape[1])).astype(np.int8)
        serve = [program, "--serve", *shape]
        servers = [Server(serve), Server([*serve, "--onednn"], "AVX2 alone: ", {"ONEDNN_MAX_CPU_ISA": "AVX2"})]
        contenders = [c for server in servers for c in server.contenders]
        for package, make in (("onnxruntime", onnxruntime_contenders), ("torch", torch_contenders)):
            try:
                contenders += make(codes, weights)
            except ImportError as problem:
                if package not in document["absent"]:
                    document["absent"].append(package)
                    print(f"without {package}: {problem}", file=sys.stderr)
        take_turns(contenders, options.rounds)
        for server in servers:
            server.close()
        document["shapes"].append({"tokens": shape[0], "cols": shape[1], "rows": shape[2], "contenders": [c.document() for c in contenders]})
        if options.json:
            options.json.write_text(json.dumps(document, indent=1) + "\n")
        print(f"{text}: measured", file=sys.stderr)
    roofline.tables(document)
    if options.figure:
        options.figure.write_text(roofline.draw(document))


if __name__ == "__main__":
    main()

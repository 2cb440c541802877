"""What it costs to certify a 100 MB int8 ONNX model, file reading included: `axecert certify` beside a plain read of the same file.

    python3 onnx_certify.py PATH_TO_AXECERT [--runs N] [-d DATAPATH]...

Makes one model of 36 MatMulIntegers (100,663,296 int8 weights in [-64, 63], behind DynamicQuantizeLinear), once with the weights inside the
file and once as external data, and runs everything in turn, N times: a read of the file's bytes, then `certify` on each datapath. Prints
medians of the clock and of CPU time (user and system, all threads of the child). On a machine that is shared the clock says little; CPU time
divided by the number of cores is what the clock cannot be below. Needs numpy and onnx. Side effects: a temporary folder of 200 MB.
"""

import argparse
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

SHAPES = [(1024, 1024)] * 16 + [(1024, 4096)] * 10 + [(4096, 1024)] * 10


def make_model(folder):
    rng = numpy.random.default_rng(1)
    nodes, initializers, inputs, outputs = [], [], [], []
    for i, (k, n) in enumerate(SHAPES):
        weights = numpy.clip(numpy.rint(rng.standard_normal((k, n)) * 20), -64, 63).astype(numpy.int8)
        initializers.append(numpy_helper.from_array(weights, f"w{i}"))
        nodes.append(helper.make_node("DynamicQuantizeLinear", [f"x{i}"], [f"q{i}", f"s{i}", f"z{i}"], f"quantizer{i}"))
        nodes.append(helper.make_node("MatMulInteger", [f"q{i}", f"w{i}", f"z{i}"], [f"y{i}"], f"product{i}"))
        inputs.append(helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, ["n", k]))
        outputs.append(helper.make_tensor_value_info(f"y{i}", TensorProto.INT32, ["n", n]))
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, initializers),
                              opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, folder / "embedded.onnx")
    onnx.save(model, folder / "external.onnx", save_as_external_data=True, location="external.bin", size_threshold=0)


def timed(command):
    """Clock and CPU seconds of a child process; its exit code must be a verdict."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode > 3:
        raise SystemExit(f"{command}: exit code {done.returncode}")
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("axecert", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("-d", "--datapath", action="append", default=[])
    arguments = parser.parse_args()
    datapaths = arguments.datapath or ["axe:P=16,T=64", "x86-vnni", "mlas-u8s8-avx2"]
    with tempfile.TemporaryDirectory(prefix="axecert-bench-") as name:
        folder = pathlib.Path(name)
        make_model(folder)
        commands = {}
        for file, bytes_file in (("embedded.onnx", "embedded.onnx"), ("external.onnx", "external.bin")):
            commands[f"read {bytes_file}"] = ["dd", f"if={folder / bytes_file}", "of=/dev/null", "bs=1M", "status=none"]
            for datapath in datapaths:
                commands[f"certify {file} -d {datapath}"] = [arguments.axecert.resolve(), "certify", folder / file, "-d", datapath]
        times = {what: [] for what in commands}
        for _ in range(arguments.runs):
            for what, command in commands.items():
                times[what].append(timed(command))
        print(f"{sum(k * n for k, n in SHAPES):,} int8 weights; medians of {arguments.runs} runs in turn; {os.cpu_count()} cores, "
              f"load {os.getloadavg()[0]:.1f}\n\n| | clock s | CPU s, all threads |\n| --- | ---: | ---: |")
        for what, results in times.items():
            clock, cpu = (statistics.median(r[i] for r in results) for i in (0, 1))
            print(f"| {what} | {clock:.2f} | {cpu:.2f} |")


if __name__ == "__main__":
    sys.exit(main())

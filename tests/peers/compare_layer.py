"""Compares axecert with Brevitas 0.13.4 on the same layers, and with the goals that axecert set itself.

    equal   published AXE, the same fixed scales, activation order, the same corrector in both: relative error of both, their
            ratio (must be within 2 %), equal integers, and the time of the quantization step, given H and G
    goals   axecert's defaults (search and refinement) for every cell of the goal table: measured beside goal
    speed   the quantization step of both programs, and of axecert's other ways of working

Runs are interleaved (one of each program, then again) and medians are reported, so that a busy machine harms both alike. One
thread each. Errors are recomputed here from the integers that axecert wrote, with the same function for both programs.

Main function: `main`. Side effects: runs the axecert binary in a temporary folder; prints a Markdown table, and writes it to
--out. Exit code 1 when a cell misses (ratio, goal or speed), when a recomputed error differs from the one axecert states, or
when axecert's own checker does not call a constrained result safe.

    python tests/peers/compare_layer.py equal --axecert build/cli/axecert --data DATA_FOLDER --repeat 3 --out equal.md
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"  # before NumPy or torch is loaded

import numpy as np  # noqa: E402

import brevitas_axe  # noqa: E402

LAYERS = ("gate_proj", "o_proj")
SETTINGS = ((None, None), (128, 16), (64, 15), (32, 14), (64, 14), (576, 16))  # T, P
OPERANDS = ("u8", "s8", "box")

# Goals: layer -> (T, P) -> largest relative error with u8, re-centred (s8) and boxed operands; None: no goal.
GOALS = {
    "gate_proj": {
        (None, None): (0.0559, None, None),
        (128, 16): (0.0717, 0.0642, 0.0577),
        (64, 15): (0.0791, 0.0672, None),
        (32, 14): (0.0887, 0.0711, 0.0577),
        (64, 14): (0.144, 0.121, 0.0596),
        (64, 13): (0.227, 0.207, 0.106),
        (576, 16): (0.219, 0.215, 0.1055),
    },
    "o_proj": {
        (None, None): (0.0672, None, None),
        (128, 16): (0.0829, 0.0763, 0.0678),
        (64, 15): (0.0940, 0.0818, None),
        (32, 14): (0.1022, 0.0852, 0.0680),
        (64, 14): (0.154, 0.137, 0.0876),
        (64, 13): (0.237, 0.223, 0.1475),
        (576, 16): (0.218, 0.216, 0.122),
    },
}

# Runs a command; last line of standard error: its exit code and peak kilobytes. A process inherits the peak of the one that
# started it, so the command is started from this small interpreter and not from the one that holds the layers and torch.
COUNTED = """
import os, sys
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss, file=sys.stderr)
"""


def cell(tile, bits):
    return "no constraint" if bits is None else f"{tile}, {bits}"


def read_safetensors(path):
    """All tensors of a safetensors file that hold int8 or float32, by name."""
    raw = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header, kinds, tensors = json.loads(raw[8:8 + length]), {"I8": np.int8, "F32": np.float32}, {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] in kinds:
            begin, end = entry["data_offsets"]
            array = np.frombuffer(raw[8 + length + begin:8 + length + end], kinds[entry["dtype"]])
            tensors[name] = array.reshape(entry["shape"])
    return tensors


class Axecert:
    """The binary, run on one layer file at a time."""

    def __init__(self, binary):
        self.binary = str(Path(binary).resolve())

    def quantize(self, path, layer, tile, bits, operands="u8", options=()):
        """One run: what `--json` says of the layer's quantization, plus "integers", "scales", "measured_error", "safe"
        and "peak_kilobytes". bits None: no constraint, on a register so wide that it does not matter."""
        datapath = f"axe:P=32,act={operands}" if bits is None else f"axe:P={bits},T={tile},act={operands}"
        constraint = ("--constraint", "none") if bits is None else ()
        with tempfile.TemporaryDirectory() as folder:
            command = [self.binary, "quantize", str(path), "-d", datapath, "-o", folder, "--threads", "1", "--json",
                       *constraint, *options]
            with tempfile.TemporaryFile() as text:
                counted = subprocess.run([sys.executable, "-I", "-S", "-c", COUNTED, *command], stdout=text, stderr=subprocess.PIPE)
                text.seek(0)
                document = text.read().decode()
            *messages, numbers = counted.stderr.decode().splitlines()
            code, peak = map(int, numbers.split())
            if code not in (0, 1):
                raise SystemExit(f"{' '.join(command)}: exit code {code}\n{document}" + "\n".join(messages))
            report = json.loads(document)
            tensors = read_safetensors(Path(folder) / "weights.safetensors")
        entries = [entry for entry in report["layers"] if entry["name"] == layer["name"]]
        result = dict(entries[0]["quantization"])
        result["integers"] = tensors[layer["name"] + ".weight"]
        result["scales"] = tensors[layer["name"] + ".scale"]
        result["safe"] = report["verdict"] == "safe" and code == 0
        result["peak_kilobytes"] = peak
        result["measured_error"] = brevitas_axe.relative_error(layer, result["integers"], result["scales"].reshape(-1))
        return result


class Table:
    """Markdown rows that are printed as they come and written at the end; `faults` collects what missed."""

    def __init__(self, columns):
        self.lines, self.faults = [], []
        self.add(columns)
        self.add(["---"] * len(columns))

    def add(self, cells):
        self.lines.append("| " + " | ".join(cells) + " |")
        print(self.lines[-1], flush=True)

    def check(self, holds, fault):
        """"yes" or "no" for a cell of the table; a no is a fault."""
        if not holds:
            self.faults.append(fault)
        return "yes" if holds else "**no**"

    def finish(self, title, path):
        if path:
            Path(path).write_text("\n".join([title, "", *self.lines, ""]))
        for fault in self.faults:
            print("MISS " + fault, file=sys.stderr)
        return 1 if self.faults else 0


def sound(table, result, place, constrained=True):
    """Faults that no mode may have: a stated error that is not the real one, an unsafe result under a constraint."""
    stated, measured = result["relative_error"], result["measured_error"]
    table.check(stated is not None and abs(stated - measured) <= 1e-6 + 1e-4 * measured, f"{place}: states {stated}, real {measured}")
    if constrained:
        table.check(result["safe"], f"{place}: not safe")


def equal(arguments, axecert):
    table = Table(["layer", "T, P", "operands", "corrector", "Brevitas", "axecert", "ratio", "within 2 %", "equal integers",
                   "Brevitas s", "axecert s", "times faster"])
    for name in arguments.layers:
        path = Path(arguments.data) / f"{name}.npz"
        layer = brevitas_axe.read_layer(path)
        for tile, bits in SETTINGS:
            for operands in ("u8", "s8") if bits else ("u8",):
                for corrector in ("optq", "gpfq"):
                    place = f"{name} {cell(tile, bits)} {operands} {corrector}"
                    options = ("--published", "--scales", "given", "--corrector", corrector)
                    theirs, ours = [], []
                    for _ in range(arguments.repeat):
                        integers, seconds = brevitas_axe.quantize(layer, corrector, tile, bits, operands == "s8")
                        theirs.append(seconds)
                        result = axecert.quantize(path, layer, tile, bits, operands, options)
                        ours.append(result["seconds"])
                    sound(table, result, place, bits is not None)
                    reference = brevitas_axe.relative_error(layer, integers, layer["weight_scale"])
                    ratio = result["measured_error"] / reference
                    same = float((integers == result["integers"]).mean())
                    their, our = statistics.median(theirs), statistics.median(ours)
                    table.add([name, cell(tile, bits), operands, corrector, f"{reference:.4f}", f"{result['measured_error']:.4f}",
                               f"{ratio:.4f}", table.check(abs(ratio - 1) <= 0.02, f"{place}: ratio {ratio:.4f}"),
                               f"{100 * same:.2f} %", f"{their:.2f}", f"{our:.4f}", f"{their / our:.0f}"])
    return table.finish("# axecert and Brevitas 0.13.4 at equal settings", arguments.out)


def goals(arguments, axecert):
    table = Table(["layer", "T, P", "operands", "goal", "measured", "reached", "s", "peak MB"])
    for name in arguments.layers:
        path = Path(arguments.data) / f"{name}.npz"
        layer = brevitas_axe.read_layer(path)
        for (tile, bits), wanted in GOALS[name].items():
            for operands, goal in zip(OPERANDS, wanted):
                if goal is None and bits is None:
                    continue
                place = f"{name} {cell(tile, bits)} {operands}"
                runs = [axecert.quantize(path, layer, tile, bits, operands) for _ in range(arguments.repeat)]
                result = runs[-1]
                sound(table, result, place, bits is not None)
                error = result["measured_error"]
                reached = table.check(error <= goal, f"{place}: {error:.4f} > {goal}") if goal else ""
                table.add([name, cell(tile, bits), operands, f"≤ {goal:.4f}" if goal else "", f"{error:.4f}", reached,
                           f"{statistics.median(run['seconds'] for run in runs):.2f}", f"{result['peak_kilobytes'] / 1024:.0f}"])
    return table.finish("# axecert's defaults against their goals", arguments.out)


def speed(arguments, axecert):
    tile, bits = 128, 16
    table = Table(["layer", "axecert", "s", "Brevitas", "s", "times faster", "wanted", "reached"])
    plain = ("--scales", "max", "--refine", "0")
    given = ("--published", "--scales", "given")
    pairs = (  # what axecert runs, against which Brevitas pass, by which factor it is to be faster
        ("published, OPTQ", (*given, "--corrector", "optq"), "optq", 20),
        ("published, GPFQ", (*given, "--corrector", "gpfq"), "gpfq", 40),
        ("no search, OPTQ", (*plain, "--corrector", "optq"), "optq", 20),
        ("no search, GPFQ", (*plain, "--corrector", "gpfq"), "gpfq", 40),
        ("defaults: search and refinement", (), "optq", 1),
    )
    for name in arguments.layers:
        path = Path(arguments.data) / f"{name}.npz"
        layer = brevitas_axe.read_layer(path)
        theirs, ours = {"optq": [], "gpfq": []}, {label: [] for label, *_ in pairs}
        for _ in range(arguments.repeat):
            for corrector, times in theirs.items():
                times.append(brevitas_axe.quantize(layer, corrector, tile, bits)[1])
            for label, options, *_ in pairs:
                result = axecert.quantize(path, layer, tile, bits, "u8", options)
                sound(table, result, f"{name} {label}")
                ours[label].append(result["seconds"])
        for label, _, corrector, wanted in pairs:
            # The goals are for gate_proj; o_proj is shown beside them.
            our, their = statistics.median(ours[label]), statistics.median(theirs[corrector])
            # The ratio of each round, then its median: a slow moment harms a round, not the comparison.
            ratio = statistics.median(b / a for a, b in zip(ours[label], theirs[corrector]))
            judged = name == "gate_proj"
            reached = table.check(ratio >= wanted, f"{name} {label}: {ratio:.1f} times, wanted {wanted}") if judged else ""
            table.add([name, label, f"{our:.4f}", "A2GPTQ" if corrector == "optq" else "A2GPFQ", f"{their:.2f}",
                       f"{ratio:.1f}", f"≥ {wanted}" if judged else "", reached])
    return table.finish(f"# Seconds of the quantization step, T={tile}, P={bits}, one thread, medians of {arguments.repeat}", arguments.out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("mode", choices=("equal", "goals", "speed"))
    parser.add_argument("--axecert", required=True, help="the axecert binary (a release build)")
    parser.add_argument("--data", required=True, help="folder with gate_proj.npz and o_proj.npz")
    parser.add_argument("--layers", nargs="+", choices=LAYERS, default=LAYERS)
    parser.add_argument("--repeat", type=int, default=1, help="interleaved rounds; medians are reported")
    parser.add_argument("--out", help="write the table to this Markdown file")
    arguments = parser.parse_args()

    if arguments.mode != "goals":
        warnings.filterwarnings("ignore", message=".*fast_hadamard_transform.*")
        import torch

        torch.set_num_threads(1)
    return {"equal": equal, "goals": goals, "speed": speed}[arguments.mode](arguments, Axecert(arguments.axecert))


if __name__ == "__main__":
    sys.exit(main())

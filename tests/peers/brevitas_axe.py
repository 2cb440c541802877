"""Quantizes one layer with Brevitas 0.13.4, the reference implementation of AXE, and measures what comes out.

The layer is an .npz with NAME.weight [rows, K], NAME.H = X~'X~ and NAME.G = X~'X [K, K], NAME.weight_scale [rows],
NAME.input_scale, NAME.input_zero_point, NAME.input_bits and NAME.output_energy. Brevitas' own classes (A2GPTQ, A2GPFQ, or
GPTQ and GPFQ without a constraint) do the work; only their accumulated covariances are set from H and G, so that no forward
pass is needed and the time is that of the quantization step alone. Scales are fixed to NAME.weight_scale.

Main function: `quantize`. Side effects: prints JSON (one object per run) or a table; writes integer weights when told to.

    python tests/peers/brevitas_axe.py LAYER.npz --corrector optq --tile 128 --bits 16
    python tests/peers/brevitas_axe.py --table DATA_FOLDER
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
import warnings
from pathlib import Path


def _threads_before_import():
    """BLAS libraries read their thread count once, when they are loaded."""
    count = "1"
    for i, word in enumerate(sys.argv):
        if word == "--threads" and i + 1 < len(sys.argv):
            count = sys.argv[i + 1]
        elif word.startswith("--threads="):
            count = word.split("=", 1)[1]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = count


if __name__ == "__main__":
    _threads_before_import()

import numpy as np  # noqa: E402

TOKENS = 8192  # rows of X behind H and G in the data set; GPTQ's own normalization is 2/tokens

# Relative errors that the data set's README states: T, P -> (gate_proj GPTQ, GPFQ, o_proj GPTQ, GPFQ).
README_TABLE = {
    (None, None): {"gate_proj": (0.0643, 0.0700), "o_proj": (0.0791, 0.0949)},
    (128, 16): {"gate_proj": (0.1173, 0.1137), "o_proj": (0.1103, 0.1100)},
    (64, 15): {"gate_proj": (0.1456, 0.1377), "o_proj": (0.1528, 0.1353)},
    (32, 14): {"gate_proj": (0.1750, 0.1618), "o_proj": (0.1828, 0.1530)},
    (64, 14): {"gate_proj": (0.4283, 0.2989), "o_proj": (0.4171, 0.2823)},
    (576, 16): {"gate_proj": (0.6890, 0.4672), "o_proj": (0.6444, 0.4379)},
}


def read_layer(path, name=None):
    """The arrays of one layer of an .npz, without the prefix NAME., plus "name"."""
    with np.load(path) as arrays:
        names = sorted(key[: -len(".weight")] for key in arrays.files if key.endswith(".weight"))
        if name is None:
            if len(names) != 1:
                raise SystemExit(f"{path}: layers {names}; name one with --layer")
            name = names[0]
        elif name not in names:
            raise SystemExit(f"{path}: no layer {name}; it has {names}")
        layer = {key[len(name) + 1:]: arrays[key] for key in arrays.files if key.startswith(name + ".")}
    missing = {"weight", "H", "G", "weight_scale", "input_scale", "input_zero_point", "input_bits",
               "output_energy"} - layer.keys()
    if missing:
        raise SystemExit(f"{path}: {name} lacks {sorted(missing)}")
    layer["name"] = name
    return layer


def relative_error(layer, integers, scales):
    """||XW' - X~D'||_F / ||XW'||_F with D = diag(scales) * integers, in double; the measure of the data set's README."""
    weight = layer["weight"].astype(np.float64)
    chosen = integers.astype(np.float64) * scales.astype(np.float64)[:, None]
    energy = float(layer["output_energy"])
    cross = np.sum((chosen @ layer["G"].astype(np.float64)) * weight)
    square = np.sum((chosen @ layer["H"].astype(np.float64)) * chosen)
    return float(np.sqrt(max(0.0, (energy - 2 * cross + square) / energy)))


def overflowing_tiles(integers, tile, bits, lowest, highest):
    """How many (row, tile) sums can leave +-(2^(bits-1) - 1), exactly, and how many there are."""
    rows, columns = integers.shape
    padded = np.zeros((rows, -(-columns // tile) * tile), np.int64)
    padded[:, :columns] = integers
    tiles = padded.reshape(rows, -1, tile)
    positive, negative = np.maximum(tiles, 0).sum(2), np.minimum(tiles, 0).sum(2)
    limit = 2 ** (bits - 1) - 1
    upper, lower = highest * positive + lowest * negative, lowest * positive + highest * negative
    return int(((upper > limit) | (lower < -limit)).sum()), int(upper.size)


def _linear(layer, weight_bits):
    """A Brevitas linear layer with signed per-row weights in [-2^(b-1), 2^(b-1) - 1] and scales fixed to the given ones.

    The scale is a parameter: with Brevitas' default, a statistic of the weights, it would move while they are being quantized.
    """
    import brevitas.nn as qnn
    import torch
    from brevitas.quant import Int8WeightPerChannelFloat

    class Weights(Int8WeightPerChannelFloat):
        bit_width = weight_bits
        narrow_range = False
        scaling_impl_type = "parameter_from_stats"

    rows, columns = layer["weight"].shape
    linear = qnn.QuantLinear(columns, rows, bias=False, weight_quant=Weights)
    linear.weight.data.copy_(torch.from_numpy(layer["weight"]))
    linear.eval()
    linear.quant_weight()  # the first call initializes the parameter
    values = [p for key, p in linear.named_parameters() if key.endswith("scaling_impl.value")]
    assert len(values) == 1, [key for key, _ in linear.named_parameters()]
    given = torch.from_numpy(layer["weight_scale"].astype(np.float32)).reshape(-1, 1)
    values[0].data.copy_(given * 2 ** (weight_bits - 1))  # Brevitas stores scale * 2^(b-1)
    assert torch.equal(linear.quant_weight().scale.reshape(-1, 1), given)
    return linear


def _optimizer(layer, linear, corrector, tile, bits, signed):
    """Brevitas' object for the layer, its covariances set as its own forward hooks would have."""
    import torch
    from brevitas.graph.gpfq import GPFQ
    from brevitas.graph.gptq import GPTQ
    from brevitas.quant_tensor import IntQuantTensor
    from brevitas.utils.quant_utils import _CachedIO
    from brevitas_examples.common.axe import A2GPFQ, A2GPTQ

    shared = dict(layer=linear, name=layer["name"], act_order=True, len_parallel_layers=1, create_weight_orig=True)
    limit = dict(max_accumulator_bit_width=bits, max_accumulator_tile_size=tile)
    blocks = dict(num_blocks=100)  # the default of gptq_mode
    if corrector == "optq":
        chosen = GPTQ(**shared, **blocks) if bits is None else A2GPTQ(**shared, **blocks, **limit)
    else:
        chosen = GPFQ(**shared) if bits is None else A2GPFQ(**shared, **limit)
    chosen.quant_metadata = _CachedIO(
        IntQuantTensor(torch.zeros(1), float(layer["input_scale"]),
                       0.0 if signed else float(layer["input_zero_point"]), float(layer["input_bits"]), signed, False), True)
    # GPTQ accumulates 2/N X~'X~; the factor shows only beside the 1 that it puts on dead diagonals. GPFQ's cancels.
    factor = (2.0 if corrector == "optq" else 1.0) / TOKENS
    chosen.H.copy_(torch.from_numpy(layer["H"]) * factor)
    if corrector == "gpfq":
        chosen.G.copy_(torch.from_numpy(layer["G"]) * factor)
    return chosen


def quantize(layer, corrector, tile=None, bits=None, signed=False, weight_bits=4, clock=time.perf_counter):
    """Integers [rows, K] (int8) and the seconds of `single_layer_update` by `clock`.

    corrector: "optq" (Brevitas' GPTQ) or "gpfq". tile and bits: T and P of AXE; bits None means no constraint, tile None
    the whole row. signed: the codes re-centred by half their range, operands [-2^(b-1), 2^(b-1) - 1].
    """
    import torch

    with torch.no_grad():
        linear = _linear(layer, weight_bits)
        optimizer = _optimizer(layer, linear, corrector, tile, bits, signed)
        start = clock()
        optimizer.single_layer_update()
        seconds = clock() - start
        integers = linear.quant_weight().int().numpy().astype(np.int8)
    return integers, seconds


def measure(layer, corrector, tile, bits, signed=False, weight_bits=4, repeat=1):
    """One JSON-ready record: error, median seconds, and the tiles that could overflow."""
    times = []
    for _ in range(repeat):
        integers, seconds = quantize(layer, corrector, tile, bits, signed, weight_bits)
        times.append(seconds)
    record = {
        "layer": layer["name"], "rows": integers.shape[0], "columns": integers.shape[1], "corrector": corrector,
        "tile": tile, "bits": bits, "operands": "s8" if signed else "u8", "weight_bits": weight_bits,
        "relative_error": relative_error(layer, integers, layer["weight_scale"]),
        "seconds": statistics.median(times), "seconds_all": times,
        # Peak of the whole process, Python and torch included.
        "peak_kilobytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    if bits is not None:
        half = 2 ** (int(layer["input_bits"]) - 1)
        lowest, highest = (-half, half - 1) if signed else (0, 2 * half - 1)
        over, of = overflowing_tiles(integers, tile or integers.shape[1], bits, lowest, highest)
        record["overflowing_tiles"], record["tiles"] = over, of
    return record, integers


def write_weights(path, layer, integers):
    """.npy: the integers [rows, K]. .safetensors: NAME.weight I8 and NAME.scale F32, as `axecert certify` reads them."""
    if path.endswith(".npy"):
        np.save(path, integers)
    elif path.endswith(".safetensors"):
        from safetensors.numpy import save_file
        name = layer["name"]
        save_file({f"{name}.weight": np.ascontiguousarray(integers),
                   f"{name}.scale": layer["weight_scale"].astype(np.float32)}, path)
    else:
        raise SystemExit(f"{path}: end in .npy or .safetensors")


def table(folder, tolerance=0.01):
    """Prints the README's table, measured beside stated; returns how many cells differ by more than `tolerance`."""
    differing = 0
    print("| layer | T, P | corrector | measured | README | ratio | s | tiles that can overflow |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in ("gate_proj", "o_proj"):
        layer = read_layer(Path(folder) / f"{name}.npz")
        for (tile, bits), stated in README_TABLE.items():
            for corrector, want in zip(("optq", "gpfq"), stated[name]):
                record, _ = measure(layer, corrector, tile, bits)
                ratio = record["relative_error"] / want
                differing += abs(ratio - 1) > tolerance
                over = f"{record['overflowing_tiles']} of {record['tiles']}" if bits else ""
                print(f"| {name} | {f'{tile}, {bits}' if bits else 'no constraint'} | {corrector} | "
                      f"{record['relative_error']:.4f} | {want:.4f} | {ratio:.4f} | {record['seconds']:.2f} | {over} |", flush=True)
    return differing


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", nargs="?", help=".npz of the layer")
    parser.add_argument("--table", metavar="FOLDER", help="reproduce the data set's table; FOLDER holds gate_proj.npz, o_proj.npz")
    parser.add_argument("--layer", help="NAME, when the file holds several")
    parser.add_argument("--corrector", choices=("optq", "gpfq"), default="optq")
    parser.add_argument("--tile", type=int, help="T, products per inner register; default: the whole row")
    parser.add_argument("--bits", type=int, help="P, width of the inner register; default: no constraint")
    parser.add_argument("--act", choices=("u8", "s8"), default="u8", help="operand range: raw codes or re-centred")
    parser.add_argument("--weight-bits", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1, help="runs; the median time is reported")
    parser.add_argument("--write", metavar="PATH", help="integer weights to PATH (.npy or .safetensors)")
    arguments = parser.parse_args()
    if (arguments.file is None) == (arguments.table is None):
        parser.error("give a FILE or --table FOLDER")
    if arguments.tile is not None and arguments.bits is None:
        parser.error("--tile needs --bits")

    warnings.filterwarnings("ignore", message=".*fast_hadamard_transform.*")
    import torch

    torch.set_num_threads(arguments.threads)
    if arguments.table:
        return 1 if table(arguments.table) else 0
    layer = read_layer(arguments.file, arguments.layer)
    record, integers = measure(layer, arguments.corrector, arguments.tile, arguments.bits, arguments.act == "s8",
                               arguments.weight_bits, arguments.repeat)
    if arguments.write:
        write_weights(arguments.write, layer, integers)
    print(json.dumps(record))
    return 0


if __name__ == "__main__":
    sys.exit(main())

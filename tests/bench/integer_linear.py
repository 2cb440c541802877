"""axecert.IntegerLinear beside torch's linear layers: real inputs in, real outputs out, one thread.

    PYTHONPATH=build/developer/python python3 tests/bench/integer_linear.py [--core N] [--rounds N] [--tokens N...]

One layer of 576 inputs and 1,536 outputs, 4-bit weights, 8-bit codes per token, P = 16, T = 64. Everybody gets the same float32 inputs and gives
float32 outputs; quantizing the inputs is in the time. Contenders run in turn, so that other work on the machine hits all alike; a row is the median of
CPU time, and its ratio to torch's float32. Before anything is timed the two ways of ours are compared byte by byte. Side effects: none but the table on
standard output. Needs torch and NumPy. Main function: `main`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import axecert  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import axecert.torch  # noqa: E402
from axecert._core import IntegerLinear  # noqa: E402

ROWS, COLS, DATAPATH = 1536, 576, "axe:P=16,T=64,act=s8"


def contenders(generator):
    """{name: function of a float32 tensor [n, K]}; ours first."""
    weight = generator.standard_normal((ROWS, COLS), dtype=np.float32)
    sample = generator.standard_normal((2048, COLS), dtype=np.float32)
    datapath = axecert.Datapath(DATAPATH)
    layer = axecert.quantize("layer", weight, sample.T @ sample, datapath=datapath, input=axecert.ActivationGrid(1.0, 0, 8, True, "token"),
                             options=axecert.QuantizeOptions())
    exact = IntegerLinear(layer, datapath, licensed=False)
    licensed = IntegerLinear(layer, datapath, licensed=True)
    probe = generator.standard_normal((37, COLS), dtype=np.float32)
    assert np.array_equal(exact.forward(probe), licensed.forward(probe))
    tensor = torch.from_numpy(weight)
    found = {f"axecert, {one.kernel}": (lambda x, one=one: one.forward(x.numpy())) for one in (exact, licensed)}
    found["axecert.torch, which chooses"] = axecert.torch.IntegerLinear(layer, datapath)
    found["torch, float32"] = lambda x: torch.nn.functional.linear(x, tensor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for engine in ("x86", "onednn"):
            if engine not in torch.backends.quantized.supported_engines:
                continue
            torch.backends.quantized.engine = engine
            scales = tensor.abs().amax(dim=1) / 127
            packed = torch.ops.quantized.linear_prepack(
                torch.quantize_per_channel(tensor, scales, torch.zeros(ROWS, dtype=torch.long), 0, torch.qint8), None)
            found[f"torch, dynamic int8, {engine}"] = lambda x, packed=packed: torch.ops.quantized.linear_dynamic(x, packed)
    return found


def main():
    parser = argparse.ArgumentParser(description="IntegerLinear beside torch's linear layers.")
    parser.add_argument("--core", type=int)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--tokens", type=int, nargs="+", default=[512, 32, 1])
    a = parser.parse_args()
    if a.core is not None:
        os.sched_setaffinity(0, {a.core})
    torch.set_num_threads(1)
    generator = np.random.default_rng(1)
    with torch.inference_mode():
        columns = {}
        for tokens in a.tokens:
            functions = contenders(np.random.default_rng(1))
            x = torch.from_numpy(generator.standard_normal((tokens, COLS), dtype=np.float32))
            seconds = {name: [] for name in functions}
            calls = max(1, 1024 // tokens)
            for _ in range(a.rounds + 1):  # the first round warms caches
                for name, function in functions.items():
                    start = time.process_time()
                    for _ in range(calls):
                        function(x)
                    seconds[name].append((time.process_time() - start) / calls)
            columns[tokens] = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    print("| | " + " | ".join(f"{n} token{'s' * (n > 1)}: ms | times float32's speed" for n in a.tokens) + " |")
    print("| --- |" + " ---: |" * (2 * len(a.tokens)))
    for name in columns[a.tokens[0]]:
        cells = [f"{1e3 * columns[n][name]:.3f} | {columns[n]['torch, float32'] / columns[n][name]:.2f}" for n in a.tokens]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

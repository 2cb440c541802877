"""axecert.transformers on tiny random models of the five families: what is replaced, what is proved, what calibrates what; runs
that are killed, and input that must be refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import axecert
import axecert.torch
import axecert.transformers
import numpy as np
import pytest
from axecert import InputError
from axecert.recipe import Recipe

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import tiny_language_model  # noqa: E402
from axecert.torch import capture, engine  # noqa: E402

VOCABULARY, LENGTH = 61, 24


def gpt2() -> Any:
    config = transformers.GPT2Config(vocab_size=VOCABULARY, n_positions=LENGTH, n_embd=32, n_layer=2, n_head=2, initializer_range=0.2)
    return transformers.GPT2LMHeadModel(config)


def opt() -> Any:
    config = transformers.OPTConfig(
        vocab_size=VOCABULARY, hidden_size=32, ffn_dim=48, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=LENGTH,
        word_embed_proj_dim=32, init_std=0.2,
    )  # fmt: skip
    return transformers.OPTForCausalLM(config)


def pythia() -> Any:
    config = transformers.GPTNeoXConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=LENGTH, initializer_range=0.2,
    )  # fmt: skip
    return transformers.GPTNeoXForCausalLM(config)


def smollm2() -> Any:
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=36, intermediate_size=48, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1,
        max_position_embeddings=LENGTH, tie_word_embeddings=True, initializer_range=0.2,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config)


def llama3() -> Any:
    rope = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16}  # fmt: skip
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=LENGTH, rope_parameters=rope, tie_word_embeddings=False, initializer_range=0.2,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config)


FAMILIES = {"GPT2": (gpt2, 4), "OPT": (opt, 6), "Pythia": (pythia, 4), "SmolLM2": (smollm2, 7), "Llama3": (llama3, 7)}


def made(family: str = "SmolLM2", seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return FAMILIES[family][0]().eval()


def tokens(sequences: int = 6, length: int = LENGTH, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, VOCABULARY, (sequences, length), dtype=np.int64)


def logits(model: Any) -> Any:
    with torch.no_grad():
        return model(input_ids=torch.from_numpy(tokens(2, seed=9)), use_cache=False).logits


WIDE = Recipe(datapath="axe:P=24,T=16,act=s8", weight_bits=8, activations="token-asymmetric")
NARROW = Recipe(datapath="axe:P=14,T=16,act=s8", activations="token-asymmetric")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family(family: str, tmp_path: Path) -> None:
    model, layers = made(family), FAMILIES[family][1]
    reference = logits(model)
    report = axecert.transformers.quantize(model, tokens(), WIDE)
    assert report.verdict == "safe" and len(report.layers) == 2 * layers == len(axecert.torch.integer_layers(model))
    assert report.unsupported == []
    assert float((logits(model) - reference).norm() / reference.norm()) < 0.05

    axecert.torch.save(model, tmp_path / "m")
    loaded = axecert.torch.load(made(family, seed=5), tmp_path / "m")
    assert torch.equal(logits(loaded), logits(model))
    found = axecert.verify(str(tmp_path / "m" / "certificate.axec"), str(tmp_path / "m" / "weights.safetensors"))
    assert found.verdict == "safe" and all(vote.checked == vote.total > 0 for vote in found.votes)

    # Everything that accumulates is either in the certificate or in the list of what is not.
    unproved = " ".join(item.what for item in report.not_certified)
    for part in ("QKᵀ", "PV", "softmax", "residual"):
        assert part in unproved
    head = next(path for path, child in model.named_modules() if child is model.get_output_embeddings())
    assert head in unproved


@pytest.mark.parametrize("family", ["GPT2", "SmolLM2"])
def test_narrow_accumulators_are_proved_and_exact(family: str) -> None:
    model = made(family)
    report = axecert.transformers.quantize(model, tokens(), NARROW)
    assert report.verdict == "safe"
    exact = logits(model)
    axecert.torch.set_arithmetic(model, "datapath")
    assert torch.equal(logits(model), exact) and axecert.torch.overflows(model) == 0


def test_layers_that_share_an_input_share_its_quantizer() -> None:
    report = axecert.transformers.quantize(made(), tokens(), NARROW)
    inputs = {layer.name.rpartition(".")[2]: {name.rpartition(".")[2] for name in layer.inputs} for layer in report.layers}
    assert inputs["q_proj"] == {"q_proj", "k_proj", "v_proj"} and inputs["gate_proj"] == {"gate_proj", "up_proj"}
    assert inputs["o_proj"] == {"o_proj"} and inputs["down_proj"] == {"down_proj"}


def test_a_block_is_calibrated_behind_the_quantized_blocks_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[tuple[Any, Any]]] = {}
    accumulate = engine.GroupCalibration.accumulate

    def note(self: Any, quantized: Any, original: Any, *, energy: bool) -> None:
        seen.setdefault(self.group.first.name, []).append((quantized.clone(), original.clone()))
        accumulate(self, quantized, original, energy=energy)

    monkeypatch.setattr(engine.GroupCalibration, "accumulate", note)
    rough = Recipe(datapath="axe:P=14,T=16,act=s8", weight_bits=3)
    model = made()
    axecert.transformers.quantize(model, tokens(), rough, only=["model.layers.0.*"])
    # Alone, the first block's inputs are the float model's; behind a quantized group of its own they are not.
    for x_tilde, x in seen["model.layers.0.self_attn.q_proj"]:
        assert torch.equal(x_tilde, x)
    for x_tilde, x in seen["model.layers.0.mlp.down_proj"]:
        assert not torch.equal(x_tilde, x)
    originals = [x for _, x in seen["model.layers.0.mlp.down_proj"]]

    seen.clear()
    other = made()
    axecert.transformers.quantize(other, tokens(), rough)
    behind = seen["model.layers.1.self_attn.q_proj"]
    assert all(not torch.equal(x_tilde, x) for x_tilde, x in behind)
    # X̃ of block 1 is what the quantized block 0 really gives, X what the float model has there.
    found: list[Any] = []
    for module in (model, made()):
        handle = module.model.layers[1].input_layernorm.register_forward_hook(lambda _, __, y: found.append(y))
        with torch.no_grad():
            module(input_ids=torch.from_numpy(tokens()), use_cache=False)
        handle.remove()
    joined = [torch.cat([pair[i] for pair in behind]) for i in (0, 1)]
    torch.testing.assert_close(joined[0], found[0].reshape(-1, found[0].shape[-1]), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(joined[1], found[1].reshape(-1, found[1].shape[-1]), rtol=1e-4, atol=1e-4)
    assert all(torch.equal(a, x) for a, (_, x) in zip(originals, seen["model.layers.0.mlp.down_proj"], strict=True))


def test_no_layer_keeps_its_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sequences there are, inputs of at most two batches (the last one's are let go of last) are alive at a time."""
    import weakref

    alive: list[Any] = []
    most = 0
    collect = capture.group_inputs

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal most
        found = collect(*arguments, **named)
        alive.extend(weakref.ref(matrix) for matrices in found.matrices for matrix in matrices)
        most = max(most, sum(reference() is not None for reference in alive))
        return found

    monkeypatch.setattr(engine, "group_inputs", counted)
    monkeypatch.setattr(axecert.transformers, "_BATCH_TOKENS", LENGTH)
    axecert.transformers.quantize(made(), tokens(12), NARROW)
    assert len(alive) > 150 and most <= 4


def test_equal_calls_give_equal_integers_and_threads_do_not_matter() -> None:
    kept = []
    threads = torch.get_num_threads()
    for count in (1, 2):
        torch.set_num_threads(count)
        model = made()
        axecert.transformers.quantize(model, tokens(), NARROW)
        kept.append([layer.layer.weights.copy() for layer in axecert.torch.integer_layers(model).values()])
    torch.set_num_threads(threads)
    assert sum(int((a != b).sum()) for a, b in zip(*kept, strict=True)) <= 3  # torch's own sums depend on its threads


def test_the_head_on_request() -> None:
    for family in ("SmolLM2", "Llama3"):
        model = made(family)
        table = model.get_input_embeddings().weight.clone()
        reference = logits(model)
        report = axecert.transformers.quantize(model, tokens(), WIDE, head=True)
        assert report.layers[-1].name == "lm_head" and report.verdict == "safe"
        assert torch.equal(model.get_input_embeddings().weight, table)
        assert float((logits(model) - reference).norm() / reference.norm()) < 0.05


def test_hidden_states_in_files_change_nothing(tmp_path: Path) -> None:
    a, b = made(), made()
    axecert.transformers.quantize(a, tokens(), NARROW)
    axecert.transformers.quantize(b, tokens(), NARROW, folder=tmp_path / "f", offload=True)
    assert torch.equal(logits(a), logits(b))


RUN = """
import sys, os, signal
sys.path.insert(0, {folder!r})
import test_transformers as t, axecert.transformers, axecert.torch
def progress(p):
    if p.phase == "done" and p.done == {stop}:
        os.kill(os.getpid(), signal.SIGKILL)
model = t.made()
axecert.transformers.quantize(model, t.tokens(), t.NARROW, folder={blocks!r}, progress=progress)
axecert.torch.save(model, {out!r})
"""


def run(blocks: Path, out: Path, stop: int) -> int:
    code = RUN.format(folder=str(Path(__file__).parent), blocks=str(blocks), out=str(out), stop=stop)
    return subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True).returncode


def test_a_killed_run_goes_on_and_ends_with_the_same_integers(tmp_path: Path) -> None:
    assert run(tmp_path / "blocks", tmp_path / "resumed", stop=1) == -signal.SIGKILL
    assert (tmp_path / "blocks" / "block-000.safetensors").exists() and not (tmp_path / "resumed").exists()
    before = (tmp_path / "blocks" / "block-000.safetensors").stat().st_mtime_ns
    time.sleep(0.01)
    assert run(tmp_path / "blocks", tmp_path / "resumed", stop=-1) == 0
    assert (tmp_path / "blocks" / "block-000.safetensors").stat().st_mtime_ns == before
    assert run(tmp_path / "others", tmp_path / "whole", stop=-1) == 0
    for file in ("weights.safetensors", "certificate.axec", "rest.safetensors"):
        assert (tmp_path / "resumed" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_blocks_that_are_damaged_or_of_another_run_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "blocks"
    axecert.transformers.quantize(made(), tokens(), NARROW, folder=folder)
    for wrong in (
        lambda: axecert.transformers.quantize(made(seed=1), tokens(), NARROW, folder=folder),
        lambda: axecert.transformers.quantize(made(), tokens(seed=1), NARROW, folder=folder),
        lambda: axecert.transformers.quantize(made(), tokens(), NARROW.with_(weight_bits=3), folder=folder),
    ):
        with pytest.raises(InputError, match="belongs to another"):
            wrong()
    block = folder / "block-000.safetensors"
    content = bytearray(block.read_bytes())
    content[-1] ^= 1
    block.write_bytes(content)
    with pytest.raises(InputError, match="SHA-256"):
        axecert.transformers.quantize(made(), tokens(), NARROW, folder=folder)
    block.unlink()  # what the message says to do
    report = axecert.transformers.quantize(made(), tokens(), NARROW, folder=folder)
    assert report.verdict == "safe"
    (folder / "journal.json").write_text("{")
    with pytest.raises(InputError, match="not a journal"):
        axecert.transformers.quantize(made(), tokens(), NARROW, folder=folder)


def test_a_finished_head_is_not_quantized_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = made()
    report = axecert.transformers.quantize(wanted, tokens(), NARROW, folder=tmp_path, head=True)
    axecert.transformers.quantize(made(), tokens(), NARROW, folder=tmp_path)  # without the head nothing is lost

    def never(*_: Any) -> None:
        raise AssertionError("the head is calibrated again")

    with monkeypatch.context() as patched:
        patched.setattr(axecert.transformers._Head, "run_quantized", never)
        model = made()
        again = axecert.transformers.quantize(model, tokens(), NARROW, folder=tmp_path, head=True)
    assert again.layers == report.layers and torch.equal(logits(model), logits(wanted))
    head = sorted(tmp_path.glob("block-*.safetensors"))[-1]
    content = bytearray(head.read_bytes())
    content[-1] ^= 1
    head.write_bytes(content)
    with pytest.raises(InputError, match="SHA-256"):
        axecert.transformers.quantize(made(), tokens(), NARROW, folder=tmp_path, head=True)
    head.unlink()
    model = made()
    axecert.transformers.quantize(model, tokens(), NARROW, folder=tmp_path, head=True)
    assert torch.equal(logits(model), logits(wanted))


def test_calibration_tokens_are_drawn_without_replacement() -> None:
    tokenizer, text = tiny_language_model.tokenizer(), tiny_language_model.text(60, seed=1)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    windows = len(ids) // 16
    found = axecert.transformers.calibration_tokens(text, tokenizer, sequences=windows, length=16, seed=3)
    whole = np.asarray(ids)[: windows * 16].reshape(windows, 16)
    assert sorted(map(tuple, found)) == sorted(map(tuple, whole))
    again = axecert.transformers.calibration_tokens(text, tokenizer, sequences=5, length=16, seed=3)
    assert np.array_equal(again, found[:5])
    with pytest.raises(InputError, match="were asked for"):
        axecert.transformers.calibration_tokens(text, tokenizer, sequences=windows + 1, length=16)


def test_what_cannot_be_calibrated_is_refused() -> None:
    strange = tokens()
    strange[0, 0] = VOCABULARY
    broken = made()
    with torch.no_grad():
        broken.model.layers[1].mlp.up_proj.weight[3, 2] = float("nan")
    for call, words in (
        (lambda: axecert.transformers.quantize(made(), strange, NARROW), "tokenizer"),
        (lambda: axecert.transformers.quantize(made(), tokens(length=LENGTH + 1), NARROW), "sequences of"),
        (lambda: axecert.transformers.quantize(made(), tokens().astype(np.int32), NARROW), "int64"),
        (lambda: axecert.transformers.quantize(made().half(), tokens(), NARROW), "float32"),
        (lambda: axecert.transformers.quantize(made(), tokens(), NARROW, offload=True), "folder"),
        (lambda: axecert.transformers.quantize(broken, tokens(), NARROW), "model.layers.1.mlp.up_proj"),
    ):
        with pytest.raises(InputError, match=words):
            call()


def test_unsupported_modules_are_listed_and_refused_when_strict() -> None:
    model = made()
    model.model.layers[0].mlp.extra = torch.nn.Bilinear(2, 2, 2)
    report = axecert.transformers.quantize(model, tokens(), NARROW)
    assert any("extra" in line and "Bilinear" in line for line in report.unsupported)
    again = made()
    again.model.layers[0].mlp.extra = torch.nn.Bilinear(2, 2, 2)
    with pytest.raises(InputError, match="strict"):
        axecert.transformers.quantize(again, tokens(), NARROW, strict=True)
    assert json.loads(report.to_json())["unsupported"] == report.unsupported


def test_the_head_by_the_recipe_and_what_the_call_says_over_it() -> None:
    names = lambda report: [layer.name for layer in report.layers]  # noqa: E731
    assert names(axecert.transformers.quantize(made(), tokens(), WIDE.with_(head=True)))[-1] == "lm_head"
    assert "lm_head" not in names(axecert.transformers.quantize(made(), tokens(), WIDE.with_(head=True), head=False))
    with pytest.raises(InputError, match="head"):
        WIDE.with_(head="yes")


def test_a_calibration_sequence_is_as_long_as_the_tokenizer_allows() -> None:
    tokenizer, text = tiny_language_model.tokenizer(), tiny_language_model.text(1500, seed=1)
    lengths = {}
    for most in (1024, 32768):  # as GPT2's tokenizer says, and as most do
        tokenizer.model_max_length = most
        lengths[most] = axecert.transformers.calibration_tokens(text, tokenizer, sequences=3).shape
    assert lengths == {1024: (3, 1024), 32768: (3, 2048)}


def test_checkpoints_in_half_precision_are_refused_until_they_are_loaded_in_single(tmp_path: Path) -> None:
    made().to(torch.bfloat16).save_pretrained(tmp_path)
    load = transformers.AutoModelForCausalLM.from_pretrained
    half = load(tmp_path, dtype="auto")
    assert next(half.parameters()).dtype == torch.bfloat16
    with pytest.raises(InputError, match="dtype=torch.float32"):
        axecert.transformers.quantize(half, tokens(), WIDE)
    whole = load(tmp_path, dtype=torch.float32).eval()
    reference = logits(whole)
    assert axecert.transformers.quantize(whole, tokens(), WIDE).verdict == "safe"
    assert float((logits(whole) - reference).norm() / reference.norm()) < 0.05


@pytest.mark.parametrize("family", FAMILIES)
def test_padded_batches_and_a_cache_give_what_whole_sequences_give(family: str) -> None:
    """Calibration has neither; generation has both. Two float roundings apart, a code may differ, hence the tolerance."""
    model = made(family)
    axecert.transformers.quantize(model, tokens(), WIDE)
    ids = torch.from_numpy(tokens(2, length=10, seed=3))
    with torch.no_grad():
        whole = model(input_ids=ids, use_cache=False).logits
        mask = torch.ones_like(ids)
        mask[0, :4] = 0
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        padded = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).logits
        short = model(input_ids=ids[:1, 4:], use_cache=False).logits
        first = model(input_ids=ids[:, :6], use_cache=True)
        steps = [first.logits]
        for at in range(6, 10):
            first = model(input_ids=ids[:, at : at + 1], past_key_values=first.past_key_values, use_cache=True)
            steps.append(first.logits)
    for found, expected in ((padded[:1, 4:], short), (padded[1], whole[1]), (torch.cat(steps, dim=1), whole)):
        assert float((found - expected).norm() / expected.norm()) < 0.01


def test_other_modules_and_names_left_out() -> None:
    with pytest.raises(InputError, match="no model of transformers"):
        axecert.transformers.quantize(torch.nn.Linear(3, 3), tokens(), WIDE)
    model = made()
    model.model.layers[0].mlp.extra = torch.nn.Bilinear(2, 2, 2)
    report = axecert.transformers.quantize(model, tokens(), NARROW, strict=True, skip=["*.extra"])
    assert len(report.layers) == 14 and "extra" in report.unsupported[0]


def test_models_without_attention_say_so() -> None:
    config = transformers.MambaConfig(vocab_size=VOCABULARY, hidden_size=32, state_size=8, num_hidden_layers=2)
    torch.manual_seed(0)
    model = transformers.MambaForCausalLM(config).eval()
    reference = logits(model)
    report = axecert.transformers.quantize(model, tokens(), WIDE)
    assert report.verdict == "safe" and any("Conv1d" in line for line in report.unsupported)
    unproved = [item.what for item in report.not_certified]
    assert "mixing of tokens" in unproved and not any("QKᵀ" in what for what in unproved)
    assert float((logits(model) - reference).norm() / reference.norm()) < 0.05

"""A random Llama of two blocks with a tokenizer of its own, and texts to go with it: what tests of whole models run on.

Main functions: `text`, `save`. Side effects: `save` writes a folder that `transformers` loads a model and a tokenizer
from.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SUBJECTS = [
    "the miller",
    "a tall heron",
    "our neighbour",
    "the night train",
    "an old clock",
    "the river",
    "my sister",
    "the baker's dog",
]
VERBS = ["watches", "follows", "mends", "forgets", "carries", "paints", "counts", "finds"]
OBJECTS = [
    "the bridge",
    "seven lanterns",
    "a wooden boat",
    "the garden wall",
    "its own shadow",
    "letters",
    "the harbour",
    "a brass key",
]
TIMES = ["before dawn", "in the rain", "every winter", "without a word", "after supper", "at the crossing"]
CONTEXT = 64


def text(sentences: int, seed: int) -> str:
    """Lines of three sentences each."""
    chance = random.Random(seed)
    parts = [
        f"{chance.choice(SUBJECTS)} {chance.choice(VERBS)} {chance.choice(OBJECTS)} {chance.choice(TIMES)} ."
        for _ in range(sentences)
    ]
    return "".join(" ".join(parts[i : i + 3]) + "\n" for i in range(0, sentences, 3))


def tokenizer() -> PreTrainedTokenizerFast:
    """One token for each word of `text`."""
    words = sorted(
        {word for phrase in [*SUBJECTS, *VERBS, *OBJECTS, *TIMES] for word in phrase.split()} | {".", "<unk>", "<s>"}
    )
    core = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", bos_token="<s>", eos_token="<s>")


def model(seed: int = 0, **changes: Any) -> LlamaForCausalLM:
    """Random weights, large enough that its likelihoods differ from token to token."""
    torch.manual_seed(seed)
    settings = dict(
        vocab_size=len(tokenizer()), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=CONTEXT, initializer_range=0.25, tie_word_embeddings=True,
    )  # fmt: skip
    return LlamaForCausalLM(LlamaConfig(**{**settings, **changes})).eval()


def save(folder: Path, seed: int = 0) -> Path:
    """Writes model and tokenizer; returns the folder."""
    model(seed).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder

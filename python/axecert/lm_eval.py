"""Quantized models as models of lm-eval (https://github.com/EleutherAI/lm-evaluation-harness), so that its tasks can
be run on them.

`QuantizedLM` is the main class; importing this module registers it as "axecert". `python -m axecert.lm_eval ARGS` is
lm-eval's own command with that model known to it. Needs lm-eval; tasks need their data. No side effects but the
registration.

    lm_eval.simple_evaluate(model=QuantizedLM("smollm2", "out/runs/NAME/model"), tasks=["arc_easy"])
    python -m axecert.lm_eval run --model axecert --tasks arc_easy
        --model_args '{"pretrained": "smollm2", "quantized": "out/runs/NAME/model"}'
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import axecert.torch
from axecert import InputError
from axecert.eval import models

try:
    from lm_eval.api.registry import register_model
    from lm_eval.models.huggingface import HFLM
except ImportError as error:
    raise InputError("axecert.lm_eval", f"needs lm-eval: {error}", "pip install lm-eval accelerate transformers") from error


@register_model("axecert")
class QuantizedLM(HFLM):  # type: ignore[misc]
    """A causal model whose integer layers run the certified datapath, with lm-eval's interface; on the CPU, in
    float32 outside them.

    pretrained  the float model: "smollm2", folder or name of a causal language model, or a model object, quantized or
    not. quantized   folder of a saved quantized model of it (axecert.torch.save), which is checked and loaded; None:
    as it is. tokenizer   needed with a model object, and only then.
    arithmetic  as in axecert.torch.load.
    options     of lm-eval's HFLM: batch_size, max_length, add_bos_token and so on.
    """

    def __init__(
        self,
        pretrained: Any = models.SMOLLM2,
        quantized: str | Path | None = None,
        *,
        tokenizer: Any = None,
        arithmetic: str | None = None,
        **options: Any,
    ) -> None:
        if isinstance(pretrained, str):
            if tokenizer is not None:
                raise InputError(
                    "QuantizedLM",
                    "a tokenizer beside the name of a model",
                    "leave the tokenizer out; it is loaded with the model",
                )
            pretrained, tokenizer = models.load(pretrained)
        elif tokenizer is None:
            raise InputError("QuantizedLM", "a model without its tokenizer", "pass tokenizer=…")
        if quantized is not None:
            pretrained = axecert.torch.load(pretrained, quantized, arithmetic=arithmetic)
        super().__init__(
            pretrained=pretrained.eval(), backend="causal", tokenizer=tokenizer, **{"device": "cpu", **options}
        )


def main() -> None:
    """lm-eval's command line."""
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()


if __name__ == "__main__":
    main()

"""With AXECERT_TESTS_REQUIRE_EXTRAS=1 a missing optional library fails the run: a file that skips itself proves nothing."""

import importlib
import os

EXTRAS = ("torch", "safetensors", "transformers", "accelerate", "brevitas", "lm_eval", "datasets", "matplotlib", "mypy")

if os.environ.get("AXECERT_TESTS_REQUIRE_EXTRAS"):
    for extra in EXTRAS:
        importlib.import_module(extra)

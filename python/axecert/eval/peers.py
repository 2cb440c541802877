"""Results of the reference implementation, measured by tests/peers/brevitas_model.py, as rows beside ours.

Main function: `read`, which refuses a result that was measured on another text. Side effects: reads the files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from axecert import InputError

from .storage import read_json


def read(path: Path, texts: dict[str, Any]) -> dict[str, Any]:
    """One row from a result.json (or the folder that holds one). `texts`: hashes of the study's texts, by role.

    InputError when it cannot be read, or when either text is another: its perplexity could not stand beside ours.
    """
    file = path / "result.json" if path.is_dir() else path
    found = read_json(file)
    try:
        if found is None:
            raise KeyError("no JSON object")
        settings, hashes = found["settings"], found["sha256"]
        for role, name in (("test", "wiki.test.raw"), ("calibration", "wiki.valid.raw")):
            if hashes[name] != texts[role]["sha256"]:
                problem = f"was made with another {role} text: SHA-256 {hashes[name][:12]}…"
                raise InputError(str(file), problem, "measure both on the same texts")
        quantized = settings["method"] != "float"
        return {
            "file": str(path),
            "method": settings["method"],
            "accumulator": None if settings["bits"] is None else {"bits": settings["bits"], "tile": settings["tile"]},
            "weight_bits": settings["weight_bits"],
            "activation_bits": settings["activation_bits"],
            "activations": settings["activations"],
            "weight_scales": settings["weight_scales"],
            "blocks": settings["blocks"],
            "calibration": {key: settings[key] for key in ("sequences", "length", "seed")},
            "perplexity": found["perplexity"],
            "seconds": found["seconds"],
            "quantizing_seconds": found["quantizing seconds"] if quantized else None,
            "cpu_seconds": found.get("cpu seconds"),
            "quantizing_cpu_seconds": found.get("quantizing cpu seconds"),
            "quantizing_peak_memory_bytes": round(found["peak GiB after quantizing"] * 2**30) if quantized else None,
            "threads": found["threads"],
            "versions": found["versions"],
        }
    except (KeyError, TypeError) as error:
        remedy = "name the folder of a finished run of tests/peers/brevitas_model.py"
        raise InputError(str(file), f"is not its result: {error}", remedy) from error

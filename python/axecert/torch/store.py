"""Saving a quantized module and loading it again, so that what runs is what was certified.

`save` writes four files: the integer layers, their certificate, the floating-point rest, and a manifest with the hashes of
the three and of itself. `load` puts them into a floating-point module of the same architecture after the hashes and the certificate were
checked. Side effects: the files in the folder, and the module given to `load`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from .. import _core
from .._core import Datapath, InputError, QuantizedLayer
from .engine import integer_module
from .._files import make_folder, sha256_of, sync_folder, write_file, write_text
from .matrices import matrix_view
from .modules import IntegerLinear, integer_layers, places, replace_module
from .report import Report

FORMAT = "axecert module 1"
WEIGHTS, CERTIFICATE, REST, MANIFEST = "weights.safetensors", "certificate.axec", "rest.safetensors", "axecert.json"
_REPORT = "axecert_report"


def attach_report(module: nn.Module, made: Report) -> None:
    """Lets the module carry the report of its quantization, for `report` and `save`."""
    setattr(module, _REPORT, made)


def report(module: nn.Module) -> Report:
    """The report of a quantized or loaded module."""
    found = getattr(module, _REPORT, None)
    if not isinstance(found, Report):
        raise InputError("module", "was not quantized by axecert", "call quantize or load first")
    return found


def _module_paths(module: nn.Module) -> dict[str, list[IntegerLinear]]:
    """Path of each replaced layer → its integer layers, one per part."""
    paths: dict[str, list[IntegerLinear]] = {}
    for path, child in integer_layers(module).items():
        owner, _, name = path.rpartition(".parts.")
        paths.setdefault(owner if owner and name.isdigit() else path, []).append(child)
    return paths


def _rest(module: nn.Module) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Parameters and buffers that stayed floating point, each memory once, and which names are aliases of which."""
    tensors: dict[str, torch.Tensor] = {}
    aliases: dict[str, str] = {}
    owners: dict[tuple[int, int, tuple[int, ...]], str] = {}
    for name, tensor in module.state_dict().items():
        key = (tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tuple(tensor.shape))
        if tensor.numel() and key in owners:
            aliases[name] = owners[key]
        else:
            owners[key] = name
            tensors[name] = tensor.detach().contiguous()
    return tensors, aliases


def save(module: nn.Module, folder: str | Path, *, overwrite: bool = False) -> None:
    """Writes a quantized module: weights.safetensors (every integer layer), certificate.axec, rest.safetensors (every
    other parameter) and axecert.json (recipe, report without times, hashes). Equal modules give equal bytes.

    All files appear together or none does: they are written to a folder inside `folder` first, and axecert.json is the last
    to get its name. InputError when something is there already (unless `overwrite`), or cannot be written.
    """
    folder = Path(folder)
    made = report(module)
    paths = _module_paths(module)
    if not paths:
        raise InputError("module", "has no integer layers", "quantize it first")
    datapaths = {child.datapath.name: child.datapath for children in paths.values() for child in children}
    if len(datapaths) > 1:
        raise InputError("module", f"has layers of {len(datapaths)} datapaths", "one certificate holds one; save parts apart")
    (datapath,) = datapaths.values()
    if (folder / MANIFEST).exists() and not overwrite:
        raise InputError(str(folder), "holds a saved module already", "choose another folder, or pass overwrite=True")
    make_folder(folder)
    staging = folder / ".saving"
    shutil.rmtree(staging, ignore_errors=True)
    make_folder(staging)
    try:
        layers = [child.layer for children in paths.values() for child in children]
        write_file(staging / WEIGHTS, lambda path: _core.write_weights(str(path), layers))
        certificate = _core.certify(str(staging / WEIGHTS), datapath)
        write_file(staging / CERTIFICATE, lambda path: certificate.write(str(path)))
        tensors, aliases = _rest(module)
        write_file(staging / REST, lambda path: _save_tensors(tensors, path))
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "datapath": datapath.name,
            "modules": {path: [child.layer.name for child in children] for path, children in paths.items()},
            "aliases": aliases,
            "report": made.to_dict(times=False),
            "sha256": {name: sha256_of(staging / name) for name in (WEIGHTS, CERTIFICATE, REST)},
        }
        manifest["sha256"][MANIFEST] = _sha256_without_itself(manifest)
        write_text(staging / MANIFEST, _text_of(manifest))
        (folder / MANIFEST).unlink(missing_ok=True)  # from here on, no manifest speaks about a mixture
        for name in (WEIGHTS, CERTIFICATE, REST, MANIFEST):
            (staging / name).replace(folder / name)
        sync_folder(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _save_tensors(tensors: dict[str, torch.Tensor], path: Path) -> None:
    try:
        save_file(tensors, path, metadata={"format": "pt"})
    except OSError:
        raise
    except Exception as error:  # safetensors has an exception of its own for what the system says
        raise OSError(str(error)) from error


def _text_of(manifest: Mapping[str, Any]) -> str:
    return json.dumps(manifest, sort_keys=True, indent=1, allow_nan=False)


def _sha256_without_itself(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of the manifest's text without its own hash."""
    hashes = {name: value for name, value in manifest["sha256"].items() if name != MANIFEST}
    return hashlib.sha256(_text_of({**manifest, "sha256": hashes}).encode()).hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """axecert.json, after its format, its own hash and those of the other files were checked."""
    path = folder / MANIFEST
    remedy = "save the module again"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for key, kind in (("datapath", str), ("modules", dict), ("aliases", dict), ("report", dict), ("sha256", dict)):
            if not isinstance(manifest[key], kind):
                raise TypeError(f"{key} is {manifest[key]!r}")
        form, hashes, own_hash = manifest["format"], manifest["sha256"], _sha256_without_itself(manifest)
    except FileNotFoundError as error:
        raise InputError(str(path), "is missing", "name a folder that axecert.torch.save wrote") from error
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(str(path), f"is not a manifest: {error}", remedy) from error
    if form != FORMAT:
        raise InputError(str(path), f"has format {form!r}, not {FORMAT!r}", remedy)
    if own_hash != hashes.get(MANIFEST):
        raise InputError(str(path), "was changed after it was saved: its text does not have the SHA-256 that it names", remedy)
    for name in (WEIGHTS, CERTIFICATE, REST):
        if not (folder / name).exists():
            raise InputError(str(folder / name), "is missing", remedy)
        found = sha256_of(folder / name)
        if found != hashes.get(name):
            raise InputError(str(folder / name), f"has SHA-256 {found}, the manifest says {hashes.get(name)}", remedy)
    return manifest


def load(module: nn.Module, folder: str | Path, *, arithmetic: str | None = None) -> nn.Module:
    """Turns a floating-point `module` of the saved one's architecture into the saved quantized module, and returns it.

    Its weights are replaced by those in `folder`. The checker reads the certificate against the integers first: if it
    proves every layer safe, they run with exact arithmetic, else on the datapath bit by bit. `arithmetic` "datapath" asks
    for the latter always, "exact" for an error where it is not proved.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    verification = _core.verify(str(folder / CERTIFICATE), str(folder / WEIGHTS), z3=None, replay=0)
    if verification.verdict == "refused":
        problem = "does not hold for the weights beside it: " + "; ".join(vote.detail for vote in verification.votes)
        raise InputError(str(folder / CERTIFICATE), problem, "save the module again")
    datapath = _core.read_certificate(str(folder / CERTIFICATE)).datapath
    if datapath.name != manifest["datapath"]:
        problem = f"names the datapath {manifest['datapath']}, the certificate {datapath.name}"
        raise InputError(str(folder / MANIFEST), problem, "save the module again")
    safe = verification.verdict == "safe"
    if arithmetic not in (None, "exact", "datapath"):
        raise InputError("arithmetic", f"{arithmetic!r} is not known", 'use "exact", "datapath" or None')
    if arithmetic == "exact" and not safe:
        raise InputError(str(folder / CERTIFICATE), f"verdict {verification.verdict}: exact arithmetic is not proved",
                         'use arithmetic="datapath"')  # fmt: skip
    chosen = arithmetic or ("exact" if safe else "datapath")
    layers = {layer.name: layer for layer in _core.read_weights(str(folder / WEIGHTS))}
    made = Report.from_dict(manifest["report"])
    replacements = _replacements(module, manifest, layers, datapath, chosen)
    replaced = {place for path in replacements for place in places(module, path)}
    _load_rest(module, folder / REST, manifest, replaced)
    for path, replacement in replacements.items():
        replace_module(module, path, replacement)
    attach_report(module, made)
    return module.eval()


def _replacements(
    module: nn.Module,
    manifest: Mapping[str, Any],
    layers: Mapping[str, QuantizedLayer],
    datapath: Datapath,
    arithmetic: str,
) -> dict[str, nn.Module]:
    """The integer modules by path; nothing is changed yet."""
    made: dict[str, nn.Module] = {}
    for path, names in manifest["modules"].items():
        remedy = "give a floating-point module of the saved architecture"
        try:
            view = matrix_view(module.get_submodule(path))
        except AttributeError as error:
            raise InputError(path, "is not in the module", remedy) from error
        if view is None or view.parts != len(names):
            raise InputError(path, f"is no floating-point layer of {len(names)} parts", remedy)
        for part, name in enumerate(names):
            shape = tuple(view.weight(part).shape)
            if name not in layers or tuple(layers[name].weights.shape) != shape:
                raise InputError(path, f"has a weight of shape {shape}, which layer {name} does not fit", remedy)
        made[path] = integer_module(view, [IntegerLinear(layers[name], datapath, arithmetic) for name in names])
    return made


def _load_rest(module: nn.Module, path: Path, manifest: Mapping[str, Any], replaced: set[str]) -> None:
    """Copies the floating-point rest into the module; every name of one must be in the other."""
    targets = {
        name: tensor for name, tensor in module.state_dict().items() if name.rpartition(".")[0] not in replaced
    }
    aliases: dict[str, str] = manifest["aliases"]
    with safe_open(str(path), framework="pt") as file:
        stored = set(file.keys())
        missing = sorted(set(targets) - stored - set(aliases))
        surplus = sorted((stored | set(aliases)) - set(targets))
        for names, problem in ((missing, "is not in the file"), (surplus, "is not in the module")):
            if names:
                raise InputError(str(path), f"{names[0]} {problem}", "give a module of the saved architecture")
        for name, target in targets.items():
            shape = tuple(file.get_slice(aliases.get(name, name)).get_shape())
            if shape != tuple(target.shape):
                problem = f"{name} has shape {shape}, the module's has {tuple(target.shape)}"
                raise InputError(str(path), problem, "give a module of the saved architecture")
        with torch.no_grad():
            for name, target in targets.items():
                tensor = file.get_tensor(aliases.get(name, name))
                if tensor.dtype != target.dtype:
                    problem = f"{name} is {tensor.dtype}, the module's is {target.dtype}"
                    raise InputError(str(path), problem, f"give the module in {tensor.dtype}")
                target.copy_(tensor)

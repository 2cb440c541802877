"""Second moments of the inputs of every matrix product of an ONNX model, for `axecert repair --moments`.

    python3 moments.py AXECERT MODEL.onnx DATAPATH INPUTS.npz MOMENTS.npz

INPUTS.npz holds runs of the model: arrays named I.NAME, I a number from 0, NAME an input of the model. MOMENTS.npz gets LAYER.H = X̃ᵀX̃
for every layer whose node is MatMulInteger, QLinearMatMul, QGemm, MatMul or Gemm; X̃ are the dequantized inputs, scale · (code − zero
point), of all runs. Where the node that quantizes the inputs stands directly before, also LAYER.G = X̃ᵀX, X what it quantizes.
Needs onnx, onnxruntime and numpy. The main function is `moments`.
"""

import json
import subprocess
import sys

import numpy
import onnx
import onnxruntime

import compare

CODES = {"MatMulInteger": (0, 2), "QLinearMatMul": (0, 2), "QGemm": (0, 2)}  # inputs: codes, zero point


def sources(model, products):
    """{layer: (tensor, zero point or None, scale or None, floats or None)} of the products in the main graph."""
    nodes = {node.name or node.output[0]: node for node in model.graph.node}
    made_by = {name: node for node in model.graph.node for name in node.output}

    def quantized(name):
        """What a quantizer makes the tensor from."""
        maker = made_by.get(name)
        return maker.input[0] if maker is not None and maker.op_type in ("DynamicQuantizeLinear", "QuantizeLinear") else None

    found = {}
    for product in products:
        node = nodes.get(product["node"])
        if node is None:
            continue
        if node.op_type in CODES:
            codes, zero = CODES[node.op_type]
            maker = made_by.get(node.input[codes])
            dynamic = maker is not None and maker.op_type == "DynamicQuantizeLinear"
            scale = maker.output[1] if dynamic else node.input[codes + 1] if node.op_type != "MatMulInteger" else None
            found[product["layer"]] = (node.input[codes], node.input[zero] if len(node.input) > zero and node.input[zero] else None, scale,
                                       quantized(node.input[codes]) if scale is not None else None)
        elif node.op_type in ("MatMul", "Gemm"):
            maker = made_by.get(node.input[0])
            floats = quantized(maker.input[0]) if maker is not None and maker.op_type == "DequantizeLinear" else None
            found[product["layer"]] = (node.input[0], None, None, floats)
    return found


def moments(model, products, runs):
    wanted = sources(model, products)
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    have = {value.name for value in model.graph.output} | {value.name for value in model.graph.input}
    names = sorted({name for source in wanted.values() for name in source if name and name not in constants})
    for name in names:
        if name not in have:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # tensors keep their names
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    inputs = {value.name for value in model.graph.input}
    asked = [name for name in names if name not in inputs]
    sums = {source: [0, 0] for source in wanted.values()}  # layers with the same inputs share one
    for run in runs:
        values = dict(constants, **run)
        values.update(zip(asked, session.run(asked, run)))
        for source, (gram, cross) in sums.items():
            tensor, zero, scale, floats = source
            x = values[tensor].astype(numpy.float32)
            if zero is not None:
                x = x - values[zero].astype(numpy.float32)
            if scale is not None:
                x = x * values[scale]
            x = x.reshape(-1, x.shape[-1])
            real = None if floats is None else values[floats].reshape(x.shape)
            sums[source] = [gram + x.T @ x, cross if real is None else cross + x.T @ real]
    arrays = {}
    for layer, source in wanted.items():
        gram, cross = sums[source]
        arrays[f"{layer}.H"] = gram.astype(numpy.float32)
        if source[3] is not None:
            arrays[f"{layer}.G"] = cross.astype(numpy.float32)
    return arrays


def main():
    if len(sys.argv) != 6:
        raise SystemExit(__doc__)
    axecert, path, datapath, inputs, output = sys.argv[1:]
    done = subprocess.run([axecert, "certify", path, "-d", datapath, "--json"], capture_output=True, text=True, check=False)
    products = json.loads(done.stdout)["onnx"]["products"]
    runs = compare.runs_of(inputs)
    arrays = moments(onnx.load(path), products, runs)
    numpy.savez(output, **arrays)
    print(f"{sum(key.endswith('.H') for key in arrays)} of {len(products)} layers, {len(runs)} runs: {output}")


if __name__ == "__main__":
    main()

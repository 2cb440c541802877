"""Small ONNX models, one per operator that axecert reads, and what certify must find in them.

`MODELS` maps a name to a function that returns an onnx.ModelProto; `write` saves them. Everything is drawn from seeded generators, so
equal code gives equal files. Needs the packages onnx and numpy. Side effects: only what `write` is asked for.
"""

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
QONNX = "qonnx.custom_op.general"


def tensor(name, array):
    return numpy_helper.from_array(numpy.asarray(array), name)


def int4(name, array, signed=True):
    return helper.make_tensor(name, TensorProto.INT4 if signed else TensorProto.UINT4, array.shape, array.flatten().tolist())


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, inputs, outputs, initializers, opsets=None, infos=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers, value_info=list(infos))
    made = helper.make_model(graph, opset_imports=opsets or OPSETS, producer_name="axecert tests")
    made.ir_version = 10
    return made


def weights(seed, *shape, low=-128, high=128, dtype=numpy.int8):
    return numpy.random.default_rng(seed).integers(low, high, shape).astype(dtype)


def matmul_integer(weight=None, zero=None, a_type=TensorProto.UINT8):
    w = weights(1, 24, 5) if weight is None else weight
    inits = [tensor("w", w), tensor("az", numpy.asarray(7, numpy.uint8 if a_type == TensorProto.UINT8 else numpy.int8))]
    names = ["x", "w", "az"]
    if zero is not None:
        inits.append(tensor("wz", zero))
        names.append("wz")
    return model([helper.make_node("MatMulInteger", names, ["y"], "product")], [value("x", a_type, [3, w.shape[0]])],
                 [value("y", TensorProto.INT32, [3, w.shape[1]])], inits)


def dynamic_quantize():
    return model([helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], "quantizer"),
                  helper.make_node("MatMulInteger", ["q", "w", "z"], ["y"], "product")],
                 [value("x", TensorProto.FLOAT, [3, 24])], [value("y", TensorProto.INT32, [3, 5])], [tensor("w", weights(2, 24, 5))])


def dynamic_scaled(per_channel=True, shape=(24, 5)):
    """What onnxruntime.quantization.quantize_dynamic makes of MatMul and Add, twice: the steps of weights and inputs are multiplied first."""
    nodes, inits = [], []
    for i, (source, width) in enumerate((("x", shape), ("h0", (shape[1], 4)))):
        n = f"{i}"
        inits += [tensor(f"w{n}", weights(20 + i, *width)), tensor(f"bias{n}", numpy.arange(width[1]).astype(numpy.float32)),
                  tensor(f"ws{n}", numpy.linspace(0.01, 0.02, width[1]).astype(numpy.float32) if per_channel else numpy.float32(0.015))]
        nodes += [helper.make_node("DynamicQuantizeLinear", [source], [f"q{n}", f"s{n}", f"z{n}"], f"quantizer{n}"),
                  helper.make_node("MatMulInteger", [f"q{n}", f"w{n}", f"z{n}"], [f"i{n}"], f"product{n}"),
                  helper.make_node("Cast", [f"i{n}"], [f"f{n}"], f"cast{n}", to=TensorProto.FLOAT),
                  helper.make_node("Mul", [f"s{n}", f"ws{n}"], [f"step{n}"], f"step{n}"),
                  helper.make_node("Mul", [f"f{n}", f"step{n}"], [f"r{n}"], f"scaled{n}"),
                  helper.make_node("Add", [f"r{n}", f"bias{n}"], [f"h{n}"], f"add{n}")]
    return model(nodes, [value("x", TensorProto.FLOAT, ["n", shape[0]])], [value("h1", TensorProto.FLOAT, ["n", 4])], inits,
                 infos=[value(f"step{i}", TensorProto.FLOAT, [width] if per_channel else []) for i, width in enumerate((shape[1], 4))])


def dynamic_scaled_twice(transposed=True):
    """Two products, each with scales of its own, of one initializer that reaches them through a Transpose, or as it is."""
    w = weights(33, 5, 24) if transposed else weights(33, 24, 5)
    nodes = [helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], "quantizer")]
    if transposed:
        nodes.append(helper.make_node("Transpose", ["w"], ["wt"], "transpose", perm=[1, 0]))
    inits = [tensor("w", w)]
    for n in "ab":
        inits.append(tensor(f"scale_{n}", numpy.linspace(0.01, 0.02, 5).astype(numpy.float32)))
        nodes += [helper.make_node("MatMulInteger", ["q", "wt" if transposed else "w", "z"], [f"i{n}"], f"product_{n}"),
                  helper.make_node("Cast", [f"i{n}"], [f"f{n}"], f"cast_{n}", to=TensorProto.FLOAT),
                  helper.make_node("Mul", [f"f{n}", f"scale_{n}"], [f"y{n}"], f"scaled_{n}")]
    return model(nodes, [value("x", TensorProto.FLOAT, [3, 24])], [value(f"y{n}", TensorProto.FLOAT, [3, 5]) for n in "ab"], inits)


def dynamic_scaled_convolution(per_channel=True):
    """What quantize_dynamic makes of Conv."""
    w = weights(24, 4, 6, 3, 2)
    step = numpy.linspace(0.01, 0.02, 4).astype(numpy.float32).reshape(1, 4, 1, 1) if per_channel else numpy.float32(0.015)
    return model([helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], "quantizer"),
                  helper.make_node("ConvInteger", ["q", "w", "z"], ["i"], "product", pads=[1, 1, 1, 1]),
                  helper.make_node("Cast", ["i"], ["f"], "cast", to=TensorProto.FLOAT),
                  helper.make_node("Mul", ["s", "ws"], ["step"], "step"),
                  helper.make_node("Mul", ["f", "step"], ["y"], "scaled")],
                 [value("x", TensorProto.FLOAT, [1, 6, 5, 4])], [value("y", TensorProto.FLOAT, list("nchw"))],
                 [tensor("w", w), tensor("ws", step)])


def conv_integer(group=1, pads=(1, 1, 1, 1), shape=(1, 6, 5, 4)):
    w = weights(3, 4, 6 // group, 3, 2)
    return model([helper.make_node("ConvInteger", ["x", "w", "z"], ["y"], "product", group=group, pads=list(pads))],
                 [value("x", TensorProto.UINT8, list(shape))], [value("y", TensorProto.INT32, list("nchw"))],
                 [tensor("w", w), tensor("z", numpy.asarray(9, numpy.uint8))])


def qlinear_matmul():
    return model([helper.make_node("QLinearMatMul", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"], "product")],
                 [value("x", TensorProto.UINT8, [3, 24])], [value("y", TensorProto.UINT8, [3, 5])],
                 [tensor("w", weights(4, 24, 5)), tensor("xs", numpy.float32(0.1)), tensor("xz", numpy.uint8(3)),
                  tensor("ws", numpy.full(5, 0.02, numpy.float32)), tensor("wz", numpy.zeros(5, numpy.int8)),
                  tensor("ys", numpy.float32(5)), tensor("yz", numpy.uint8(128))])


def qlinear_conv(group=1):
    return model([helper.make_node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["y"], "product", group=group)],
                 [value("x", TensorProto.UINT8, [1, 6, 5, 4])], [value("y", TensorProto.UINT8, list("nchw"))],
                 [tensor("w", weights(5, 4, 6 // group, 3, 2)), tensor("xs", numpy.float32(0.1)), tensor("xz", numpy.uint8(3)),
                  tensor("ws", numpy.full(4, 0.02, numpy.float32)), tensor("wz", numpy.zeros(4, numpy.int8)),
                  tensor("ys", numpy.float32(5)), tensor("yz", numpy.uint8(128)), tensor("b", numpy.asarray([5, -6, 700, 0], numpy.int32))])


def qgemm(constant_bias=True):
    bias = tensor("c", numpy.asarray([1, -2, 3, 4, 50], numpy.int32))
    return model([helper.make_node("QGemm", ["x", "xs", "xz", "w", "ws", "wz", "c"], ["y"], "product", domain="com.microsoft", transB=1)],
                 [value("x", TensorProto.UINT8, [3, 24])] + ([] if constant_bias else [value("c", TensorProto.INT32, [5])]),
                 [value("y", TensorProto.FLOAT, [3, 5])],
                 [tensor("w", weights(6, 5, 24)), tensor("xs", numpy.float32(0.1)), tensor("xz", numpy.uint8(3)),
                  tensor("ws", numpy.float32(0.02)), tensor("wz", numpy.int8(0))] + ([bias] if constant_bias else []))


def quantize_dequantize(op="MatMul", before=None, weight_first_transposed=False, bias=False):
    """QuantizeLinear → DequantizeLinear → op ← DequantizeLinear ← int8."""
    nodes, inits = [], [tensor("xs", numpy.float32(0.05)), tensor("xz", numpy.uint8(20))]
    source = "x"
    if before == "Relu":
        nodes.append(helper.make_node("Relu", ["x"], ["r"], "relu"))
        source = "r"
    elif before == "Clip":
        inits += [tensor("low", numpy.float32(-0.5)), tensor("high", numpy.float32(6))]
        nodes.append(helper.make_node("Clip", ["x", "low", "high"], ["r"], "clip"))
        source = "r"
    nodes += [helper.make_node("QuantizeLinear", [source, "xs", "xz"], ["q"], "quantize"),
              helper.make_node("DequantizeLinear", ["q", "xs", "xz"], ["d"], "dequantize")]
    if op == "Conv":
        w = weights(7, 4, 6, 3, 2)
        rows, axis, shape = 4, 0, [1, 6, 5, 4]
    elif weight_first_transposed:
        w = weights(7, 5, 24)
        rows, axis, shape = 5, 0, [3, 24]
    else:
        w = weights(7, 24, 5)
        rows, axis, shape = 5, 1, [3, 24]
    scale = numpy.linspace(0.01, 0.02, rows).astype(numpy.float32)
    inits += [tensor("w", w), tensor("ws", scale), tensor("wz", numpy.zeros(rows, numpy.int8))]
    nodes.append(helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], "weights", axis=axis))
    second = "wd"
    if weight_first_transposed:
        nodes.append(helper.make_node("Transpose", ["wd"], ["wt"], "transpose", perm=[1, 0]))
        second = "wt"
    names = ["d", second]
    if bias:
        inits += [tensor("b", numpy.arange(-2, rows - 2).astype(numpy.int32) * 1000), tensor("bs", scale * numpy.float32(0.05))]
        nodes.append(helper.make_node("DequantizeLinear", ["b", "bs"], ["bd"], "bias", axis=0))
        names.append("bd")
    nodes.append(helper.make_node(op, names, ["y"], "product"))
    return model(nodes, [value("x", TensorProto.FLOAT, shape)],
                 [value("y", TensorProto.FLOAT, list("nchw" if op == "Conv" else "nm"))], inits)


def int4_blocks():
    """DequantizeLinear of opset 21 with blocks of 16 codes of 4 bits along the summed axis; the last block is short."""
    w = weights(8, 40, 3, low=-8, high=8)
    scale = numpy.full((3, 3), 0.1, numpy.float32)
    return model([helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"], "quantize"),
                  helper.make_node("DequantizeLinear", ["q", "xs", "xz"], ["d"], "dequantize"),
                  helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], "weights", axis=0, block_size=16),
                  helper.make_node("MatMul", ["d", "wd"], ["y"], "product")],
                 [value("x", TensorProto.FLOAT, [2, 40])], [value("y", TensorProto.FLOAT, [2, 3])],
                 [int4("w", w), tensor("ws", scale), int4("wz", numpy.arange(9).reshape(3, 3) - 4),
                  tensor("xs", numpy.float32(0.05)), tensor("xz", numpy.uint8(20))])


def matmul_nbits(level=4):
    """4 rows of 40 weights in blocks of 16, 4 bits, zero points 3, 8 and 12."""
    codes = numpy.zeros((4, 48), numpy.uint8)
    codes[:, :40] = weights(9, 4, 40, low=0, high=16, dtype=numpy.uint8)
    packed = (codes[:, 0::2] | codes[:, 1::2] << 4).reshape(4, 3, 8)
    zeros = numpy.tile(numpy.asarray([3 | 8 << 4, 12], numpy.uint8), 4)
    return model([helper.make_node("MatMulNBits", ["x", "w", "s", "z"], ["y"], "product", domain="com.microsoft", K=40, N=4, bits=4,
                                   block_size=16, accuracy_level=level)],
                 [value("x", TensorProto.FLOAT, [2, 40])], [value("y", TensorProto.FLOAT, [2, 4])],
                 [tensor("w", packed), tensor("s", numpy.full(12, 0.1, numpy.float32)), tensor("z", zeros)])


def qonnx(zero=0.0):
    """Brevitas' QONNX export: Quant on a Relu, Quant on float weights, MatMul."""
    rng = numpy.random.default_rng(10)
    w = rng.normal(0, 0.3, (24, 5)).astype(numpy.float32)
    return model([helper.make_node("Relu", ["x"], ["r"], "relu"),
                  helper.make_node("Quant", ["r", "xs", "zero", "four"], ["q"], "activations", domain=QONNX, signed=0, narrow=0,
                                   rounding_mode="ROUND"),
                  helper.make_node("Quant", ["w", "ws", "wz", "three"], ["wq"], "weights", domain=QONNX, signed=1, narrow=1,
                                   rounding_mode="ROUND"),
                  helper.make_node("MatMul", ["q", "wq"], ["y"], "product")],
                 [value("x", TensorProto.FLOAT, [3, 24])], [value("y", TensorProto.FLOAT, None)],
                 [tensor("w", w), tensor("xs", numpy.float32(0.25)), tensor("ws", numpy.full((1, 5), 0.2, numpy.float32)),
                  tensor("zero", numpy.float32(0)), tensor("wz", numpy.float32(zero)), tensor("four", numpy.float32(4)),
                  tensor("three", numpy.float32(3))], OPSETS + [helper.make_opsetid(QONNX, 1)])


def branches():
    """MatMulInteger in both branches of an If, one of them with a node whose name is not a word."""
    def branch(name, seed):
        return helper.make_graph([helper.make_node("MatMulInteger", ["x", f"w{seed}"], [f"y{seed}"], name)], f"b{seed}", [],
                                 [value(f"y{seed}", TensorProto.INT32, [3, 5])], [tensor(f"w{seed}", weights(seed, 24, 5))])
    return model([helper.make_node("If", ["c"], ["y"], "choice", then_branch=branch("product:0 é", 11), else_branch=branch("product", 12))],
                 [value("x", TensorProto.UINT8, [3, 24]), value("c", TensorProto.BOOL, [])], [value("y", TensorProto.INT32, [3, 5])], [])


def attention_like():
    """A product of two computed tensors, an unknown operator, a float product, an LSTM-free rest: nothing may be skipped in silence."""
    nodes = [helper.make_node("MatMulInteger", ["x", "w"], ["y"], "covered"),
             helper.make_node("MatMulInteger", ["x", "t"], ["scores"], "computed"),
             helper.make_node("Transpose", ["x"], ["t"], "t", perm=[1, 0]),
             helper.make_node("Mystery", ["y"], ["m"], "mystery", domain="com.example"),
             helper.make_node("MatMul", ["f", "fw"], ["g"], "float")]
    nodes[1], nodes[2] = nodes[2], nodes[1]
    return model(nodes, [value("x", TensorProto.UINT8, [24, 24]), value("f", TensorProto.FLOAT, [2, 4])],
                 [value("m", TensorProto.FLOAT, None), value("scores", TensorProto.INT32, None), value("g", TensorProto.FLOAT, None)],
                 [tensor("w", weights(13, 24, 5)), tensor("fw", numpy.ones((4, 3), numpy.float32))],
                 OPSETS + [helper.make_opsetid("com.example", 1)])


MODELS = {
    "matmul_integer": matmul_integer,
    "matmul_integer_u8_weights": lambda: matmul_integer(weights(14, 24, 5, low=0, high=256, dtype=numpy.uint8),
                                                        numpy.asarray([128, 100, 128, 0, 255], numpy.uint8)),
    "matmul_integer_s8_activations": lambda: matmul_integer(a_type=TensorProto.INT8),
    "dynamic_quantize": dynamic_quantize,
    "dynamic_scaled": dynamic_scaled,
    "dynamic_scaled_per_tensor": lambda: dynamic_scaled(per_channel=False),
    "dynamic_scaled_twice": lambda: dynamic_scaled_twice(transposed=False),
    "dynamic_scaled_twice_transposed": dynamic_scaled_twice,
    "dynamic_scaled_convolution": dynamic_scaled_convolution,
    "dynamic_scaled_convolution_per_tensor": lambda: dynamic_scaled_convolution(per_channel=False),
    "conv_integer": conv_integer,
    "conv_integer_groups": lambda: conv_integer(group=2),
    "conv_integer_one_position": lambda: conv_integer(pads=(0, 0, 0, 0), shape=(1, 6, 3, 2)),
    "qlinear_matmul": qlinear_matmul,
    "qlinear_conv": qlinear_conv,
    "qlinear_conv_groups": lambda: qlinear_conv(group=2),
    "qgemm": qgemm,
    "qgemm_bias_at_run_time": lambda: qgemm(constant_bias=False),
    "qdq_matmul": quantize_dequantize,
    "qdq_matmul_relu": lambda: quantize_dequantize(before="Relu"),
    "qdq_matmul_clip": lambda: quantize_dequantize(before="Clip"),
    "qdq_gemm_transposed": lambda: quantize_dequantize("Gemm", weight_first_transposed=True, bias=True),
    "qdq_conv": lambda: quantize_dequantize("Conv", bias=True),
    "int4_blocks": int4_blocks,
    "matmul_nbits": matmul_nbits,
    "matmul_nbits_floats": lambda: matmul_nbits(level=1),
    "qonnx": qonnx,
    "branches": branches,
    "attention_like": attention_like,
}


def write(folder):
    for name, make in MODELS.items():
        onnx.save(make(), folder / f"{name}.onnx")

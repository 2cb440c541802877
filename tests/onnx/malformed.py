"""Writes fixtures/malformed: models that contradict themselves, each with the words that the error must have.

    python3 malformed.py

Needs onnx and numpy.
"""

import pathlib

import numpy
import onnx
from onnx import TensorProto, helper

from models import model, tensor, value, weights

FOLDER = pathlib.Path(__file__).parent / "fixtures" / "malformed"


def integer_product(w, names=("x", "w"), extra=(), op="MatMulInteger", x_type=TensorProto.UINT8):
    return model([helper.make_node(op, list(names), ["y"], "product")], [value("x", x_type, None)],
                 [value("y", TensorProto.INT32, None)], [w, *extra])


def quantized(*, axis=1, scale=None, zero=None):
    inits = [tensor("w", weights(1, 4, 3)), tensor("ws", numpy.ones(3, numpy.float32) if scale is None else scale)]
    names = ["w", "ws"]
    if zero is not None:
        inits.append(tensor("wz", zero))
        names.append("wz")
    return model([helper.make_node("QuantizeLinear", ["x", "s"], ["q"], "q"), helper.make_node("DequantizeLinear", ["q", "s"], ["d"], "d"),
                  helper.make_node("DequantizeLinear", names, ["wd"], "weights", axis=axis),
                  helper.make_node("MatMul", ["d", "wd"], ["y"], "product")],
                 [value("x", TensorProto.FLOAT, [2, 4])], [value("y", TensorProto.FLOAT, None)], inits + [tensor("s", numpy.float32(1))])


def outside():
    w = tensor("w", weights(1, 4, 3))
    w.data_location = TensorProto.EXTERNAL
    w.ClearField("raw_data")
    for key, text in (("location", "../secret.bin"), ("offset", "0"), ("length", "12")):
        entry = w.external_data.add()
        entry.key, entry.value = key, text
    return w


def absent():
    w = outside()
    w.external_data[0].value = "nowhere.bin"
    return w


def short():
    w = tensor("w", weights(1, 4, 3))
    w.raw_data = w.raw_data[:-1]
    return w


def cycle():
    return model([helper.make_node("MatMulInteger", ["b", "w"], ["a"], "first"), helper.make_node("Cast", ["a"], ["b"], "second", to=2)],
                 [], [value("b", TensorProto.UINT8, None)], [tensor("w", weights(1, 4, 4))])


def twice():
    return model([helper.make_node("MatMulInteger", ["x", "w"], ["y"], "first"), helper.make_node("MatMulInteger", ["x", "w"], ["y"], "second")],
                 [value("x", TensorProto.UINT8, None)], [value("y", TensorProto.INT32, None)], [tensor("w", weights(1, 4, 4))])


def opset(*versions):
    made = integer_product(tensor("w", weights(1, 4, 3)))
    del made.opset_import[:]
    made.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in versions)
    return made


def offset():
    w = outside()
    w.external_data[0].value = "bad.onnx"  # a file that is there: the model itself, as the test calls it
    w.external_data[1].value = "-1"
    return w


def dynamic_weights():
    return model([helper.make_node("MatMulInteger", ["x", "w"], ["y"], "product")],
                 [value("x", TensorProto.UINT8, [2, 4]), value("w", TensorProto.INT8, [4, 3])], [value("y", TensorProto.INT32, None)], [])


def dynamic_zero_point():
    return model([helper.make_node("MatMulInteger", ["x", "w", "", "z"], ["y"], "product")],
                 [value("x", TensorProto.UINT8, [2, 4]), value("z", TensorProto.INT8, [])], [value("y", TensorProto.INT32, None)],
                 [tensor("w", weights(1, 4, 3))])


def half_weights():
    """Codes of float16: DequantizeLinear takes integers."""
    made = quantized()
    made.graph.initializer[0].CopyFrom(tensor("w", numpy.ones((4, 3), numpy.float16)))
    return made


def convolution(w, op="ConvInteger"):
    return integer_product(w, op=op)


CASES = {
    "missing_initializer": (lambda: integer_product(tensor("v", weights(1, 4, 3))), "node 'product' (MatMulInteger): its input 'w' is not defined before it"),
    "cycle": (cycle, "node 'first' (MatMulInteger): its input 'b' is not defined before it"),
    "defined_twice": (twice, "'y' is defined twice"),
    "zero_sized": (lambda: integer_product(tensor("w", numpy.zeros((0, 3), numpy.int8))), "node 'product' (MatMulInteger): its weights have shape [0, 3]"),
    "short_data": (lambda: integer_product(short()), "node 'product' (MatMulInteger): tensor 'w': holds 11 bytes"),
    "outside_folder": (lambda: integer_product(outside()), "node 'product' (MatMulInteger): tensor 'w': external data lie in '../secret.bin'"),
    "absent_data": (lambda: integer_product(absent()), "node 'product' (MatMulInteger): tensor 'w': external data: no file"),
    "axis": (lambda: quantized(axis=5), "node 'weights' (DequantizeLinear): its axis 5 is outside the 2 axes"),
    "scale_shape": (lambda: quantized(scale=numpy.ones(2, numpy.float32)), "node 'weights' (DequantizeLinear): its scale or zero point has shape [2]"),
    "zero_point_type": (lambda: quantized(zero=numpy.zeros(3, numpy.uint8)), "node 'weights' (DequantizeLinear): its zero point is UINT8, the codes are INT8"),
    "zero_point_shape": (lambda: quantized(zero=numpy.zeros(1, numpy.int8)), "node 'weights' (DequantizeLinear): its scale has shape [3], its zero point [1]"),
    "activation_zero_point_type": (lambda: integer_product(tensor("w", weights(1, 4, 3)), ("x", "w", "z"), [tensor("z", numpy.int8(3))]), "node 'product' (MatMulInteger): tensor 'z': is a zero point of type INT8 for codes of another type"),
    "weights_zero_point_type": (lambda: integer_product(tensor("w", weights(1, 4, 3)), ("x", "w", "", "z"), [tensor("z", numpy.uint8(3))]), "node 'product' (MatMulInteger): the weights' zero point is UINT8"),
    "scale_along_sum": (lambda: quantized(axis=0, scale=numpy.ones(4, numpy.float32)), "its scales or zero points change along the summed axis"),
    "flat_convolution": (lambda: convolution(tensor("w", weights(1, 4, 3))), "node 'product' (ConvInteger): its weights have 2 axes"),
    "float_codes": (lambda: integer_product(tensor("w", numpy.ones((4, 3), numpy.float16))), "its weights are no constant integers of up to 8 bits"),
    "wide_input": (lambda: integer_product(tensor("w", weights(1, 4, 3)), x_type=TensorProto.INT32), "the type of its input 'x' is not known"),
    "weights_zero_point_shape": (lambda: integer_product(tensor("w", weights(1, 4, 3)), ("x", "w", "", "z"), [tensor("z", numpy.zeros(2, numpy.int8))]), "node 'product' (MatMulInteger): its scale or zero point has shape [2]"),
    "no_columns": (lambda: integer_product(tensor("w", numpy.zeros((4, 0), numpy.int8))), "node 'product' (MatMulInteger): its weights have shape [4, 0]"),
    "newer_opset": (lambda: opset(("", 99)), "operator set ai.onnx 99: newer than 27"),
    "newer_contributed_opset": (lambda: opset(("", 21), ("com.microsoft", 2)), "operator set com.microsoft 2: newer than 1"),
    "opset_zero": (lambda: opset(("", 0)), "imports the operator set ai.onnx 0"),
    "no_opset": (lambda: opset(("com.microsoft", 1)), "imports no version of ONNX's operators"),
    "negative_offset": (lambda: integer_product(offset()), "node 'product' (MatMulInteger): tensor 'w': external data: offset is '-1'"),
    "dynamic_weights": (dynamic_weights, "product (MatMulInteger): its weights are computed at run time"),
    "dynamic_zero_point": (dynamic_zero_point, "product (MatMulInteger): the zero point of its weights is computed at run time"),
    "half_weights": (half_weights, "node 'weights' (DequantizeLinear): its codes are FLOAT16"),
    "element_type": (lambda: integer_product(helper.make_tensor("w", TensorProto.FLOAT8E4M3FN, [4, 3], [1.0] * 12)), "node 'product' (MatMulInteger): tensor 'w': has element type number 17"),
}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (make, words) in CASES.items():
        onnx.save(make(), FOLDER / f"{name}.onnx")
        (FOLDER / f"{name}.txt").write_text(words + "\n")
    print(f"wrote {len(CASES)} models to {FOLDER}")


if __name__ == "__main__":
    main()

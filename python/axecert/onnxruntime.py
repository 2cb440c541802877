"""onnxruntime as a black box for `axecert.probe`.

    axecert.probe(axecert.onnxruntime.matmul_integer("u8"))

`matmul_integer` is the main function. Needs onnx, onnxruntime and numpy. No side effects at import.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

_TYPES = {"u8": (onnx.TensorProto.UINT8, np.uint8), "s8": (onnx.TensorProto.INT8, np.int8)}


Integers = npt.NDArray[Any]


def matmul_integer(
    activations: str = "u8",
    weights: str = "s8",
    constant_weights: bool = True,
    session_options: Any = None,
    providers: Sequence[str] = ("CPUExecutionProvider",),
) -> Callable[[Integers, Integers], npt.NDArray[np.int64]]:
    """A callable (x, w) -> x w that runs one MatMulInteger node.

    activations, weights: "u8" or "s8", the types of the node's inputs; codes reach it as they are.
    constant_weights: whether w is an initializer (a runtime packs it, and a session is made for every question) or an input.
    providers, session_options: as of onnxruntime.InferenceSession.
    Returns int64 [rows, columns].
    """
    (x_type, x_array), (w_type, w_array) = _TYPES[activations], _TYPES[weights]
    helper: Any = onnx.helper
    sessions: dict[str, Any] = {}

    def session(w: Integers) -> Any:
        inputs = [helper.make_tensor_value_info("x", x_type, ["m", "k"])]
        initializers = []
        if constant_weights:
            initializers = [onnx.numpy_helper.from_array(w, "w")]
        else:
            inputs.append(helper.make_tensor_value_info("w", w_type, ["k", "n"]))
        graph = helper.make_graph([helper.make_node("MatMulInteger", ["x", "w"], ["y"])], "product", inputs,
                                  [helper.make_tensor_value_info("y", onnx.TensorProto.INT32, ["m", "n"])], initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        return onnxruntime.InferenceSession(model.SerializeToString(), session_options, providers=list(providers))

    def multiply(x: Integers, w: Integers) -> npt.NDArray[np.int64]:
        x, w = np.ascontiguousarray(x, dtype=x_array), np.ascontiguousarray(w, dtype=w_array)
        if constant_weights:
            (y,) = session(w).run(None, {"x": x})
        else:
            if not sessions:
                sessions["one"] = session(w)
            (y,) = sessions["one"].run(None, {"x": x, "w": w})
        return np.asarray(y, dtype=np.int64)

    return multiply

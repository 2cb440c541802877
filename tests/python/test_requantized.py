"""`axecert.RequantizedLinear` against onnxruntime's QLinearMatMul, code by code: ties, both ends, scales per tensor and per row, every pair of
code types that onnxruntime has; and what it refuses.

Requirements: TOR-502."""

from __future__ import annotations

from typing import Any

import axecert
import numpy as np
import onnx
import onnxruntime
import pytest


def qlinear_matmul(
    x: Any, weights: Any, x_scale: float, w_scale: Any, y_scale: float, x_zero: int, y_zero: int
) -> Any:
    """onnxruntime's codes [n, rows] for x [n, K] and weights [rows, K]; the outputs have x's type."""
    code = np.dtype(x.dtype)
    kind = onnx.helper.np_dtype_to_tensor_dtype(code)
    constants = {
        "x_scale": np.float32(x_scale),
        "x_zero": np.array(x_zero, code),
        "w": np.ascontiguousarray(weights.T),
        "w_scale": w_scale,
        "w_zero": np.zeros(w_scale.shape, np.int8),
        "y_scale": np.float32(y_scale),
        "y_zero": np.array(y_zero, code),
    }
    node = onnx.helper.make_node(
        "QLinearMatMul", ["x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero"], ["y"]
    )
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [onnx.helper.make_tensor_value_info("x", kind, x.shape)],
        [onnx.helper.make_tensor_value_info("y", kind, (x.shape[0], weights.shape[0]))],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("licensed", [False, True])
def test_codes_are_onnxruntimes(signed: bool, per_row: bool, licensed: bool) -> None:
    random = np.random.default_rng(17 + 2 * signed + per_row)
    code = np.int8 if signed else np.uint8
    ends = np.iinfo(code)
    seen: set[int] = set()
    ties = 0
    for n, cols, rows, y_scale in [(1, 1, 1, 0.5), (3, 37, 5, 0.04), (40, 4, 20, 0.015625), (17, 200, 70, 0.25), (50, 600, 33, 0.07), (50, 600, 33, 2.0)]:
        x = random.integers(ends.min, ends.max + 1, (n, cols)).astype(code)
        weights = random.integers(-3, 4, (rows, cols)).astype(np.int8)  # no pair of products leaves 16 bits anywhere
        x_scale = np.float32(0.125)
        w_scale = random.choice([0.0625, 0.125, 0.03], rows).astype(np.float32) if per_row else np.array(0.0625, np.float32)
        x_zero, y_zero = (int(z) for z in random.integers(ends.min, ends.max + 1, 2))
        multipliers = np.atleast_1d(x_scale * w_scale / np.float32(y_scale)).astype(np.float32)
        linear = axecert.RequantizedLinear(
            weights,
            multipliers,
            input_zero_point=x_zero,
            output_zero_point=y_zero,
            signed_inputs=signed,
            signed_outputs=signed,
            licensed=licensed,
        )
        assert linear.kernel.startswith("certified" if licensed else "exact")
        y = linear.forward(x, threads=2)
        expected = qlinear_matmul(x, weights, float(x_scale), w_scale, y_scale, x_zero, y_zero)
        assert y.dtype == code
        np.testing.assert_array_equal(y, expected)
        seen |= set(np.unique(y).tolist())
        scaled = ((x.astype(np.int64) - x_zero) @ weights.T.astype(np.int64)).astype(np.float32) * multipliers
        ties += int(np.count_nonzero(np.abs(scaled - np.trunc(scaled)) == 0.5))
    assert ends.min in seen and ends.max in seen  # both ends, and
    assert ties > 50  # halves


def test_a_bias_is_part_of_the_sum() -> None:
    weights = np.array([[1, -1], [2, 0]], np.int8)
    linear = axecert.RequantizedLinear(weights, np.array([0.5], np.float32), bias=np.array([10, -7]), signed_outputs=True)
    y = linear.forward(np.array([[5, 2], [0, 255]], np.uint8))
    assert y.tolist() == [[6, 2], [-122, -4]]  # 6.5, 1.5; -122.5, -3.5: to even


def test_what_does_not_fit_is_refused() -> None:
    weights = np.ones((2, 3), np.int8)
    one = np.ones(1, np.float32)
    x = np.zeros((1, 3), np.uint8)
    with pytest.raises(axecert.InputError, match="multiplier"):
        axecert.RequantizedLinear(weights, 0 * one).forward(x)
    with pytest.raises(axecert.InputError, match="zero point 300"):
        axecert.RequantizedLinear(weights, one, output_zero_point=300).forward(x)
    with pytest.raises(axecert.InputError, match="input_zero_point"):
        axecert.RequantizedLinear(weights, one, input_zero_point=-1)
    with pytest.raises(axecert.InputError, match="int8"):
        axecert.RequantizedLinear(weights, one).forward(x.astype(np.int8))
    with pytest.raises(axecert.InputError, match="columns"):
        axecert.RequantizedLinear(weights, one).forward(np.zeros((1, 4), np.uint8))

"""onnxruntime as the judge of certificates of ONNX models: claimed ranges are reached exactly, and never left.

    python3 test_onnxruntime.py PATH_TO_AXECERT [CPUID_ANSWERS vnni|avx512]

Needs onnx, onnxruntime and numpy; not run without them (tests/onnx/CMakeLists.txt). Inputs that the weights' signs make are fed to the model; the claimed
ends of every row's range must come out of MatMulInteger, ConvInteger or the dequantized product. A CPU with VNNI adds products of 8
bits exactly, so saturation cannot be seen there: then the second form runs onnxruntime with the kernels that it has for CPUs without VNNI, or without
AVX-512 (masked_onnxruntime.py), and the tests of class Saturation see it on the same CPU.

Requirements: TOR-503, TOR-102, TOR-405.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy
import onnx

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "onnx"))
WITHOUT = sys.argv[3] if len(sys.argv) > 3 else None  # what onnxruntime is not to see of this CPU
if WITHOUT:
    import masked_onnxruntime

    COPY = tempfile.TemporaryDirectory(prefix="axecert-ort-copy-")
    masked_onnxruntime.make_copy(COPY.name)
    masked_onnxruntime.import_copy(COPY.name, sys.argv[2], WITHOUT)

import onnxruntime  # noqa: E402

import answers  # noqa: E402
import models  # noqa: E402
import moments  # noqa: E402
from test_fixtures import WIDE, read_safetensors  # noqa: E402

AXECERT = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None


def has_exact_products():
    """Whether onnxruntime sees an instruction that adds u8 × s8 products without a stage of 16 bits."""
    if WITHOUT:
        return False
    flags = pathlib.Path("/proc/cpuinfo").read_text() if pathlib.Path("/proc/cpuinfo").exists() else ""
    return any(f" {name}" in flags for name in ("avx512_vnni", "avx_vnni", "amx_int8"))


class OnModels(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="axecert-ort-")
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        (self.path / "wide.toml").write_text(WIDE.format(form="raw", activations="[0, 255]"))

    def axecert(self, *words):
        done = subprocess.run([str(AXECERT), *map(str, words)], cwd=self.path, capture_output=True, text=True, timeout=300, check=False)
        self.assertLess(done.returncode, 60, done.stderr)
        return done

    def certified(self, model, datapath):
        """Arrays of the certificate and of the weights, of the model's first layer."""
        onnx.save(model, self.path / "m.onnx")
        self.axecert("certify", "m.onnx", "-d", datapath, "-o", "c.axec", "--weights", "w.safetensors")
        arrays = read_safetensors(self.path / "w.safetensors")
        name = sorted(key[:-7] for key in arrays if key.endswith(".weight"))[0]
        numbers = {key[len(name) + 1:]: numpy.asarray(values).reshape(shape) for key, (shape, values) in arrays.items()
                   if key.rsplit(".", 1)[0] == name}
        return read_safetensors(self.path / "c.axec"), numbers

    def free_batch(self, model):
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
        return model

    def ends(self, numbers, rows=None):
        """Operands that drive each row to its upper end, then to its lower end."""
        w = numbers["weight"] if rows is None else numbers["weight"][rows]
        low, high = numbers["input_lower"][0], numbers["input_upper"][0]
        return numpy.where(w > 0, high, low), numpy.where(w > 0, low, high)

    def check(self, model, run, pairs=False):
        """`run` takes codes [n, K] and returns integers [n, rows]. With `pairs` it loses what 16 bits lose where products are not exact."""
        certificate, numbers = self.certified(model, "wide.toml")
        rows = numbers["weight"].shape[0]
        shift = numbers["input_shift"][0]
        shape, claimed_lower = certificate["0.stage.0.lower"]
        claimed_upper = certificate["0.stage.0.upper"][1]
        self.assertEqual(shape, [rows, 1])
        upper, lower = self.ends(numbers)
        for codes, claimed in ((upper + shift, claimed_upper), (lower + shift, claimed_lower)):
            weight = numbers["weight"].T.astype(numpy.int64)
            lost = codes @ weight - saturating_pairs(codes, weight) if pairs and not has_exact_products() else numpy.zeros((rows, rows), int)
            numpy.testing.assert_array_equal(numpy.diagonal(run(codes)), claimed - numpy.diagonal(lost))
        rng = numpy.random.default_rng(5)
        some = run(rng.integers(numbers["input_lower"][0], numbers["input_upper"][0] + 1, (500, upper.shape[1])) + shift)
        self.assertTrue((some <= claimed_upper).all() and (some >= claimed_lower).all())
        self.assertGreater(some.max(), 0.2 * max(claimed_upper))  # the inputs do move the sums


class Judge(OnModels):
    def test_matmul_integer(self):
        for name, dtype in (("matmul_integer", numpy.uint8), ("matmul_integer_s8_activations", numpy.int8)):
            with self.subTest(model=name):
                model = self.free_batch(models.MODELS[name]())
                run = answers.session(model).run
                self.check(model, lambda codes: run(None, {"x": codes.astype(dtype)})[0], pairs=dtype == numpy.uint8)

    def test_depth_times_zero_points_has_32_bits(self):
        """ruy 373: K z_a z_w, and every other correction for zero points, is added in 32 bits beside the registers. With weights of code 0, zero points 255 and 7
        the sums are at most K · 255 · (255 + 7): 32,143 terms fit, one more does not."""
        for terms, fits in ((32143, True), (32144, False)):
            with self.subTest(terms=terms):
                onnx.save(models.matmul_integer(numpy.zeros((terms, 1), numpy.uint8), numpy.uint8(255)), self.path / "deep.onnx")
                done = subprocess.run([str(AXECERT), "certify", "deep.onnx", "-d", "wide.toml", "--json"], cwd=self.path, capture_output=True, text=True,
                                      timeout=300, check=False)
                found = json.loads(done.stdout)["onnx"]
                self.assertEqual(done.returncode, 0 if fits else 2, done.stdout)
                if fits:
                    self.assertIn("at most 2147473830", found["products"][0]["outside"])
                else:
                    self.assertIn("can leave 32 bits: up to 2147540640 against 2147483647", found["not_covered"][0]["reason"])

    def test_conv_integer(self):
        model = self.free_batch(models.MODELS["conv_integer_one_position"]())
        run = answers.session(model).run
        self.check(model, lambda codes: run(None, {"x": codes.reshape(-1, 6, 3, 2).astype(numpy.uint8)})[0][:, :, 0, 0])

    def test_qgemm(self):
        model = self.free_batch(models.qgemm())
        run = answers.session(model).run
        self.check(model, lambda codes: answers.integers(run(None, {"x": codes.astype(numpy.uint8)})[0], 0.1 * 0.02), pairs=True)

    def test_quantize_dequantize_stays_in_its_tighter_box(self):
        for name in ("qdq_matmul", "qdq_matmul_relu", "qdq_matmul_clip", "qdq_gemm_transposed"):
            with self.subTest(model=name):
                model = self.free_batch(models.MODELS[name]())
                run = answers.session(model).run
                step = 0.05 * numpy.linspace(0.01, 0.02, 5)

                def products(codes):
                    reals = (codes.astype(numpy.float32) - 20) * numpy.float32(0.05)
                    return answers.integers(run(None, {"x": reals})[0], step)

                self.check(model, products)

    def test_codes_never_leave_the_box(self):
        """Whatever floats go in, the quantizer's codes stay in the box that the certificate states."""
        reals = numpy.concatenate([numpy.linspace(-1e3, 1e3, 20001), [-3e38, 3e38, -0.0, 1e-30]]).astype(numpy.float32)
        for name in ("qdq_matmul", "qdq_matmul_relu", "qdq_matmul_clip"):
            model = models.MODELS[name]()
            _, numbers = self.certified(model, "wide.toml")
            run = answers.session(model, more_outputs=["q"]).run
            for start in range(0, reals.size, 72):
                codes = run(["q"], {"x": numpy.resize(reals[start:start + 72], (3, 24))})[0]
                self.assertGreaterEqual(int(codes.min()), numbers["input_lower"][0])
                self.assertLessEqual(int(codes.max()), numbers["input_upper"][0])

    def test_repaired_models_run_and_are_exact(self):
        """The same operators, a valid model, and onnxruntime computes exact integers with the repaired weights on extreme inputs."""
        for name, dtype in (("matmul_integer", numpy.uint8), ("matmul_integer_s8_activations", numpy.int8)):
            with self.subTest(model=name):
                shipped = self.free_batch(models.MODELS[name]())
                onnx.save(shipped, self.path / "m.onnx")
                done = self.axecert("repair", "m.onnx", "-d", "x86-avx2-maddubs", "-o", "fixed.onnx")
                self.assertEqual(done.returncode, 0, done.stdout)
                fixed = onnx.load(self.path / "fixed.onnx")
                onnx.checker.check_model(fixed)
                self.assertEqual([n.SerializeToString() for n in fixed.graph.node], [n.SerializeToString() for n in shipped.graph.node])
                _, numbers = self.certified(fixed, "x86-avx2-maddubs")
                w, shift = numbers["weight"].astype(numpy.int64), numbers["input_shift"][0]
                self.assertFalse((w == onnx.numpy_helper.to_array(shipped.graph.initializer[0]).T).all())
                upper, lower = self.ends(numbers)
                rng = numpy.random.default_rng(6)
                codes = numpy.concatenate([upper, lower, rng.integers(0, 256, (5000, w.shape[1])), 255 * rng.integers(0, 2, (5000, w.shape[1]))]) + shift
                run = onnxruntime.InferenceSession(fixed.SerializeToString(), providers=["CPUExecutionProvider"]).run
                numpy.testing.assert_array_equal(run(None, {"x": codes.astype(dtype)})[0], (codes - 7) @ w.T)

    def test_every_repaired_operator_is_valid(self):
        for name in ("conv_integer", "qlinear_conv", "qlinear_matmul", "qgemm", "qdq_conv", "qdq_gemm_transposed", "dynamic_quantize", "branches"):
            with self.subTest(model=name):
                onnx.save(models.MODELS[name](), self.path / "m.onnx")
                self.assertEqual(self.axecert("repair", "m.onnx", "-d", "x86-avx2-maddubs", "-o", "fixed.onnx").returncode, 0)
                fixed = onnx.load(self.path / "fixed.onnx")
                onnx.checker.check_model(fixed)
                answers.session(fixed)

    def dynamic(self, *words):
        """dynamic_scaled shipped and repaired, their outputs on real inputs, and the exact outputs of the shipped one's first product."""
        shipped = models.dynamic_scaled(shape=(64, 48))
        onnx.save(shipped, self.path / "m.onnx")
        done = self.axecert("repair", "m.onnx", "-d", "x86-avx2-maddubs", "-o", "fixed.onnx", *words)
        self.assertEqual(done.returncode, 0, done.stdout)
        fixed = onnx.load(self.path / "fixed.onnx")
        onnx.checker.check_model(fixed, full_check=True)
        x = numpy.random.default_rng(7).normal(0, 1, (400, 64)).astype(numpy.float32)
        outputs = []
        for model in (shipped, fixed):
            run = answers.session(model, more_outputs=["q0", "s0", "z0", "r0"]).run
            outputs.append(dict(zip(("h1", "q0", "s0", "z0", "r0"), run(["h1", "q0", "s0", "z0", "r0"], {"x": x}))))
        w, step = (onnx.numpy_helper.to_array(next(t for t in shipped.graph.initializer if t.name == n)).astype(numpy.float64) for n in ("w0", "ws0"))
        codes = outputs[0]["q0"].astype(numpy.int64) - int(outputs[0]["z0"])
        return outputs, (codes @ w) * (float(outputs[0]["s0"]) * step)

    def test_moved_scales_stand_in_the_model(self):
        """If a scale were not written where the model applies it, its row would be off by the factor."""
        errors = []
        for words in ((), ("--keep-scales",)):
            (_, fixed), exact = self.dynamic(*words)
            rows = numpy.linalg.norm(fixed["r0"] - exact, axis=0) / numpy.linalg.norm(exact, axis=0)
            errors.append(rows)
        self.assertLess(errors[0].max(), 0.02)
        self.assertLess(errors[0].mean(), 0.3 * errors[1].mean())

    def test_moved_scales_of_convolutions(self):
        """The factor of the output's channels, not of its last axis; one scale for all becomes one per channel."""
        for name in ("dynamic_scaled_convolution", "dynamic_scaled_convolution_per_tensor"):
            with self.subTest(model=name):
                shipped = models.MODELS[name]()
                onnx.save(shipped, self.path / "m.onnx")
                done = self.axecert("repair", "m.onnx", "-d", "x86-avx2-maddubs", "-o", "fixed.onnx", "--json")
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertGreater(json.loads(done.stdout)["layers"][0]["rows_rescaled"], 0)
                fixed = onnx.load(self.path / "fixed.onnx")
                onnx.checker.check_model(fixed, full_check=True)
                # The exact result with the shipped weights: the convolution of dequantized codes.
                step = onnx.numpy_helper.to_array(shipped.graph.initializer[1]).astype(numpy.float32)
                w = onnx.numpy_helper.to_array(shipped.graph.initializer[0]).astype(numpy.float32) * step.reshape(-1, *[1] * 3 * (step.size > 1))
                x = numpy.random.default_rng(9).normal(0, 1, (1, 6, 5, 4)).astype(numpy.float32)
                y, q, s, z = answers.session(fixed, more_outputs=["q", "s", "z"]).run(["y", "q", "s", "z"], {"x": x})
                plain = models.model([onnx.helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])],
                                     [models.value("x", onnx.TensorProto.FLOAT, [1, 6, 5, 4])],
                                     [models.value("y", onnx.TensorProto.FLOAT, list("nchw"))], [models.tensor("w", w)])
                exact = answers.session(plain).run(None, {"x": (q.astype(numpy.float32) - float(z)) * s})[0]
                for channel in range(4):
                    error = numpy.linalg.norm(y[0, channel] - exact[0, channel]) / numpy.linalg.norm(exact[0, channel])
                    self.assertLess(error, 0.03)

    def test_moved_biases_leave_no_mean_error(self):
        """Moments of real inputs, taken as examples/onnx/moments.py does: on these inputs every changed row's mean is then that of the floats."""
        shipped = models.dynamic_scaled(shape=(64, 48))
        onnx.save(shipped, self.path / "m.onnx")
        products = json.loads(self.axecert("certify", "m.onnx", "-d", "x86-vnni", "--json").stdout)["onnx"]["products"]
        rng = numpy.random.default_rng(17)
        runs = [{"x": (rng.normal(0, 2, (40, 1)) + rng.normal(0, 1, (40, 64)) + numpy.linspace(-3, 3, 64)).astype(numpy.float32)} for _ in range(10)]
        arrays = moments.moments(onnx.load(self.path / "m.onnx"), products, runs)
        numpy.savez(self.path / "moments.npz", **arrays)
        numpy.savez(self.path / "means.npz", **{k: v for k, v in arrays.items() if not k.endswith((".H", ".G", ".count"))})
        tensors = {t.name: onnx.numpy_helper.to_array(t).astype(numpy.float64) for t in shipped.graph.initializer}
        exact = numpy.concatenate([run["x"].astype(numpy.float64) @ (tensors["w0"] * tensors["ws0"]) + tensors["bias0"] for run in runs])
        lost = {}
        for name, words in {"still": ("--keep-scales",), "means": ("--keep-scales", "--moments", "means.npz", "--biases"),
                            "scales": ("--moments", "means.npz", "--biases"), "moments": ("--keep-scales", "--moments", "moments.npz", "--biases"),
                            "all": ("--moments", "moments.npz", "--biases")}.items():
            done = self.axecert("repair", "m.onnx", "-d", "x86-avx2-maddubs", "-o", "fixed.onnx", "--json", *words)
            self.assertEqual(done.returncode, 0, done.stdout)
            document = json.loads(done.stdout)["layers"][0]
            self.assertEqual((document["bias"], document["biases_changed"]), ("", 0) if name == "still" else ("bias0", 48))
            fixed = onnx.load(self.path / "fixed.onnx")
            onnx.checker.check_model(fixed, full_check=True)
            run = answers.session(fixed, more_outputs=["q0", "z0", "i0", "h0"]).run
            outputs = [run(["q0", "z0", "i0", "h0"], one) for one in runs]
            w = onnx.numpy_helper.to_array(next(t for t in fixed.graph.initializer if t.name == "w0")).astype(numpy.int64)
            for codes, zero, sums, _ in outputs:
                numpy.testing.assert_array_equal(sums, (codes.astype(numpy.int64) - int(zero)) @ w)
            errors = numpy.concatenate([h for *_, h in outputs]) - exact
            lost[name] = numpy.abs(errors.mean(0)) / errors.std(0), numpy.sqrt((errors ** 2).mean())
        self.assertGreater(lost["still"][0].max(), 1)
        for name in ("means", "scales", "moments", "all"):
            self.assertLess(lost[name][0].max(), 1e-3, name)
            self.assertLess(lost[name][1], lost["still"][1], name)
        self.assertLess(lost["moments"][1], lost["means"][1])

    def moved_bias(self, model, layer, tensor, cols, scale):
        """Repairs at the shipped scales with means; the bias must differ by scale · Σ (w − w') mean, with the arrays in the layer's own order."""
        onnx.save(model, self.path / "m.onnx")
        mean = numpy.linspace(-1, 2, cols)
        numpy.savez(self.path / "means.npz", **{f"{layer}.mean": mean})
        before = self.certified(model, "x86-avx2-maddubs")[1]["weight"].astype(numpy.float64)
        self.assertEqual(self.axecert("repair", "m.onnx", "-d", "x86-avx2-maddubs", "-o", "fixed.onnx", "--keep-scales", "--moments", "means.npz", "--biases").returncode, 0)
        fixed = onnx.load(self.path / "fixed.onnx")
        onnx.checker.check_model(fixed)
        answers.session(fixed)
        after = self.certified(fixed, "x86-avx2-maddubs")[1]["weight"].astype(numpy.float64)
        old, new = (onnx.numpy_helper.to_array(next(t for t in m.graph.initializer if t.name == tensor)) for m in (model, fixed))
        self.assertEqual((old.dtype, old.shape), (new.dtype, new.shape))
        expected = old.ravel() + scale * ((before - after) @ mean)
        numpy.testing.assert_allclose(new.ravel(), expected, rtol=1e-6, atol=1e-6)
        self.assertGreater(numpy.abs(expected - old.ravel()).min(), 1e-3)

    def test_where_float_biases_stand(self):
        node, f32 = onnx.helper.make_node, numpy.float32
        bias = models.tensor("b", numpy.linspace(-2, 3, 5).astype(f32))
        steps = numpy.linspace(0.01, 0.02, 5).astype(f32)
        for per_channel in (True, False):  # quantize_dynamic's Conv: the bias reaches its Add through a Reshape
            model = models.dynamic_scaled_convolution(per_channel)
            model.graph.node[-1].output[0] = "r"
            model.graph.node.extend([node("Reshape", ["b", "shape"], ["b4"], "reshape"), node("Add", ["r", "b4"], ["y"], "add")])
            model.graph.initializer.extend([models.tensor("b", numpy.linspace(-2, 3, 4).astype(f32)), models.tensor("shape", numpy.array([1, -1, 1, 1]))])
            self.moved_bias(model, "product", "b", 36, numpy.linspace(0.01, 0.02, 4) if per_channel else 0.015)
        w = models.tensor("w", models.weights(41, 24, 5))
        tensors = [w, models.tensor("ws", steps), models.tensor("xs", f32(0.3)), models.tensor("xz", numpy.uint8(3)), bias]
        for op, own, names in (("DynamicQuantizeMatMul", True, ["x", "w", "ws", "", "b"]), ("MatMulIntegerToFloat", True, ["x", "w", "xs", "ws", "xz", "", "b"]),
                               ("MatMulIntegerToFloat", False, ["x", "w", "xs", "ws", "xz"])):
            kind = onnx.TensorProto.FLOAT if op == "DynamicQuantizeMatMul" else onnx.TensorProto.UINT8
            nodes = [node(op, names, ["y" if own else "r"], "product", domain="com.microsoft")] + ([] if own else [node("Add", ["b", "r"], ["y"], "add")])
            used = [t for t in tensors if t.name in names or t is bias]
            self.moved_bias(models.model(nodes, [models.value("x", kind, ["n", 24])], [models.value("y", onnx.TensorProto.FLOAT, ["n", 5])], used),
                            "product", "b", 24, steps)
        model = models.quantize_dequantize()  # MatMul between DequantizeLinear, and Add
        model.graph.node[-1].output[0] = "r"
        model.graph.node.append(node("Add", ["r", "b"], ["y"], "add"))
        model.graph.initializer.append(bias)
        self.moved_bias(model, "product", "b", 24, steps)

    def test_float_weights_quantized_to_4_bits(self):
        """QuantizeLinear of constant floats to 4 bits: what is certified is code − zero point, and a repair writes floats that give it again."""
        node = onnx.helper.make_node
        floats = numpy.random.default_rng(51).normal(0, 0.3, (24, 5)).astype(numpy.float32)
        step = numpy.float32(0.1)
        for signed, zero in ((False, 5), (True, -2)):
            with self.subTest(signed=signed):
                zeros = models.int4("wz", numpy.array(zero), signed)
                model = models.model(
                    [node("QuantizeLinear", ["x", "xs", "xz"], ["q"], "quantize"), node("DequantizeLinear", ["q", "xs", "xz"], ["d"], "dequantize"),
                     node("QuantizeLinear", ["w", "ws", "wz"], ["wq"], "weights"), node("DequantizeLinear", ["wq", "ws", "wz"], ["wd"], "back"),
                     node("MatMul", ["d", "wd"], ["y"], "product")],
                    [models.value("x", onnx.TensorProto.FLOAT, ["n", 24])], [models.value("y", onnx.TensorProto.FLOAT, ["n", 5])],
                    [models.tensor("w", floats), models.tensor("ws", step), zeros, models.tensor("xs", numpy.float32(0.05)), models.tensor("xz", numpy.uint8(20))])
                low = -8 if signed else 0
                expected = (numpy.clip(numpy.rint(floats / step) + zero, low, low + 15) - zero).T
                numpy.testing.assert_array_equal(self.certified(model, "wide.toml")[1]["weight"], expected)
                codes = numpy.random.default_rng(52).integers(0, 256, (50, 24))

                def integers(made):
                    return answers.integers(answers.session(made).run(None, {"x": ((codes - 20) * numpy.float32(0.05)).astype(numpy.float32)})[0], 0.05 * 0.1)

                numpy.testing.assert_array_equal(integers(model), (codes - 20) @ expected.T)
                self.assertEqual(self.axecert("repair", "m.onnx", "-d", "axe:P=11,T=8", "-o", "fixed.onnx").returncode, 0)
                fixed = onnx.load(self.path / "fixed.onnx")
                repaired = self.certified(fixed, "axe:P=11,T=8")[1]["weight"].astype(int)
                self.assertTrue((repaired != expected).any())
                numpy.testing.assert_array_equal(integers(fixed), (codes - 20) @ repaired.T)

    def test_a_bias_that_others_read_stays(self):
        model = models.dynamic_scaled(shape=(24, 4))
        model.graph.node[-1].input[1] = "bias0"
        onnx.save(model, self.path / "m.onnx")
        numpy.savez(self.path / "means.npz", **{"product0.mean": numpy.ones(24), "product1.mean": numpy.ones(4)})
        done = self.axecert("repair", "m.onnx", "-d", "x86-avx2-maddubs", "-o", "fixed.onnx", "--moments", "means.npz", "--biases", "--json")
        self.assertEqual(done.returncode, 0, done.stdout)
        for layer in json.loads(done.stdout)["layers"]:
            self.assertIn("other nodes use it too", layer["fixed_bias"])
        tensors = {t.name: t for t in onnx.load(self.path / "fixed.onnx").graph.initializer}
        self.assertEqual(onnx.numpy_helper.to_array(tensors["bias0"]).tolist(), [0, 1, 2, 3])

    def test_a_split_computes_what_was_shipped(self):
        (shipped, fixed), exact = self.dynamic("--split")
        numpy.testing.assert_allclose(fixed["r0"], exact, rtol=1e-6, atol=1e-6 * numpy.abs(exact).max())
        if has_exact_products():
            numpy.testing.assert_array_equal(fixed["h1"], shipped["h1"])
        for name, shape, dtype in (("matmul_integer", (3, 24), numpy.uint8), ("matmul_integer_u8_weights", (3, 24), numpy.uint8),
                                   ("matmul_integer_s8_activations", (3, 24), numpy.int8), ("conv_integer", (1, 6, 5, 4), numpy.uint8),
                                   ("conv_integer_groups", (1, 6, 5, 4), numpy.uint8)):
            with self.subTest(model=name):
                model = models.MODELS[name]()
                onnx.save(model, self.path / "m.onnx")
                self.assertEqual(self.axecert("repair", "m.onnx", "-d", "x86-avx2-maddubs", "-o", "fixed.onnx", "--split").returncode, 0)
                split = onnx.load(self.path / "fixed.onnx")
                onnx.checker.check_model(split, full_check=True)
                self.assertGreater(len(split.graph.node), len(model.graph.node))
                low = numpy.iinfo(dtype).min
                rng = numpy.random.default_rng(8)
                batch = [rng.integers(low, low + 256, shape).astype(dtype), (low + 255 * rng.integers(0, 2, shape)).astype(dtype)]
                if has_exact_products():  # else the shipped model is the one that is wrong
                    for x in batch:
                        run, run_split = (answers.session(m).run for m in (model, split))
                        numpy.testing.assert_array_equal(run_split(None, {"x": x})[0], run(None, {"x": x})[0])
                elif name == "matmul_integer":
                    w = onnx.numpy_helper.to_array(model.graph.initializer[0]).astype(numpy.int64)
                    for x in batch:
                        numpy.testing.assert_array_equal(answers.session(split).run(None, {"x": x})[0], (x.astype(numpy.int64) - 7) @ w)

    def test_unsafe_inputs_on_this_machine(self):
        """The witness of the worst register, through onnxruntime with all its optimizations: wrong without VNNI, exact with it."""
        model = self.free_batch(models.matmul_integer(numpy.full((2, 5), 127, numpy.int8)))
        onnx.save(model, self.path / "m.onnx")
        self.axecert("certify", "m.onnx", "-d", "x86-avx2-maddubs", "-o", "c.axec")
        story = json.loads(self.axecert("explain", "c.axec", "m.onnx", "--json").stdout)
        self.assertTrue(story["replay"]["overflowed"])
        x = numpy.concatenate([numpy.full(count, code) for code, count in story["witness_runs"]]).astype(numpy.uint8)[None]
        got = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0][0]
        exact = (x.astype(numpy.int64) - 7) @ numpy.full((2, 5), 127)
        saturated = numpy.full(5, story["replay"]["register_holds"] - 7 * 254)
        if has_exact_products():
            numpy.testing.assert_array_equal(got, exact[0])
            print("this CPU has VNNI: onnxruntime adds exactly here, saturation is seen by the runs without vnni only", file=sys.stderr)
        else:
            numpy.testing.assert_array_equal(got, saturated)


def run_model(model, x, options=None):
    options = options or onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


def saturating_pairs(x, w):
    """What the saturating kernel makes of codes x [n, K], u8, and weights w [K, rows], s8: neighbours in 16 bits, their sums in 32."""
    products = x.astype(numpy.int64)[:, :, None] * w.astype(numpy.int64)[None]
    products = numpy.pad(products, ((0, 0), (0, products.shape[1] % 2), (0, 0)))
    return numpy.clip(products[:, 0::2] + products[:, 1::2], -2 ** 15, 2 ** 15 - 1).sum(axis=1)


# What onnxruntime does with a pair of largest operands, by its operator and the types of activations and weights: the exact product of two
# and two, or what 16 bits make of it. Types that it has no kernel for are not here.
U8, S8 = numpy.uint8, numpy.int8
LARGEST = {U8: 255, S8: 127}
KERNELS = [("MatMulInteger", U8, S8, True), ("MatMulInteger", U8, U8, False), ("MatMulInteger", S8, S8, False), ("MatMulInteger", S8, U8, False),
           ("QLinearMatMul", U8, S8, True), ("QLinearMatMul", U8, U8, False), ("QLinearMatMul", S8, S8, False),
           ("QGemm", U8, S8, True), ("QGemm", U8, U8, False), ("QGemm", S8, S8, False),
           ("MatMulIntegerToFloat", U8, S8, True), ("MatMulIntegerToFloat", U8, U8, False), ("MatMulIntegerToFloat", S8, S8, False),
           ("DynamicQuantizeMatMul", U8, S8, True), ("DynamicQuantizeMatMul", U8, U8, False),
           ("QLinearConv", U8, S8, True), ("QLinearConv", U8, U8, False), ("QLinearConv", S8, S8, False),
           # Weights stand on the left of its product: there the unsigned operand is the weight.
           ("ConvInteger", U8, S8, False), ("ConvInteger", U8, U8, False), ("ConvInteger", S8, S8, False), ("ConvInteger", S8, U8, True)]
STEP = 512  # of outputs that are requantized


def product_model(op, x_type, w):
    """One node on codes of `x_type` with zero points 0 and scales 1, and how many steps one unit of its output is worth."""
    kinds = {U8: onnx.TensorProto.UINT8, S8: onnx.TensorProto.INT8}
    one, zero_x, zero_w = numpy.float32(1), x_type(0), w.dtype.type(0)
    tensors = {"w": w, "xs": one, "xz": zero_x, "ws": one, "wz": zero_w, "ys": numpy.float32(STEP), "yz": zero_x}
    names, kind, domain, step = {
        "MatMulInteger": (["x", "w"], onnx.TensorProto.INT32, "", 1), "ConvInteger": (["x", "w"], onnx.TensorProto.INT32, "", 1),
        "QLinearMatMul": (["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], kinds[x_type], "", STEP),
        "QLinearConv": (["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], kinds[x_type], "", STEP),
        "QGemm": (["x", "xs", "xz", "w", "ws", "wz"], onnx.TensorProto.FLOAT, "com.microsoft", 1),
        "MatMulIntegerToFloat": (["x", "w", "xs", "ws", "xz", "wz"], onnx.TensorProto.FLOAT, "com.microsoft", 1),
        "DynamicQuantizeMatMul": (["x", "w", "ws", "wz"], onnx.TensorProto.FLOAT, "com.microsoft", 1)}[op]
    shape = list("nchw") if op.endswith(("Conv", "ConvInteger")) else list("nk")
    inputs = [models.value("x", onnx.TensorProto.FLOAT if op == "DynamicQuantizeMatMul" else kinds[x_type], shape)]
    opsets = [onnx.helper.make_opsetid("", 13), onnx.helper.make_opsetid("com.microsoft", 1)]
    return models.model([onnx.helper.make_node(op, names, ["y"], "product", domain=domain)], inputs, [models.value("y", kind, None)],
                        [models.tensor(name, tensors[name]) for name in names[1:]], opsets), step


@unittest.skipIf(has_exact_products(), "onnxruntime adds exactly on this CPU: run with CPUID_ANSWERS")
class Saturation(OnModels):
    """What is only seen where onnxruntime takes its kernels for CPUs without VNNI."""

    def test_every_witness(self):
        """Of every pair and both its ends: what leaves 16 bits comes out saturated, what stays inside comes out as certified."""
        w = models.weights(21, 33, 24)
        model = self.free_batch(models.matmul_integer(w, a_type=onnx.TensorProto.UINT8))
        del model.graph.node[0].input[2]
        certificate, _ = self.certified(model, "x86-avx2-maddubs")
        rows, pairs = certificate["0.stage.0.lower"][0]
        self.assertEqual((rows, pairs), (24, 17))
        claimed = {side: numpy.asarray(certificate[f"0.stage.0.{side}"][1]).reshape(rows, pairs) for side in ("lower", "upper")}
        seen = {"wrong": 0, "exact": 0}
        for side, ends in claimed.items():
            x = numpy.zeros((rows, pairs, 33), numpy.uint8)
            for pair in range(pairs):
                columns = slice(2 * pair, 2 * pair + 2)
                x[:, pair, columns] = numpy.where((w.T[:, columns] > 0) == (side == "upper"), 255, 0)
            x = x.reshape(rows * pairs, 33)
            y = run_model(model, x)
            numpy.testing.assert_array_equal(y, saturating_pairs(x, w))
            for few in (1, 2, 3, 5):  # kernels differ for few rows
                numpy.testing.assert_array_equal(run_model(model, x[:few]), y[:few])
            own = numpy.stack([y[row * pairs:(row + 1) * pairs, row] for row in range(rows)])
            numpy.testing.assert_array_equal(own, numpy.clip(ends, -2 ** 15, 2 ** 15 - 1))
            wrong = (ends < -2 ** 15) | (ends > 2 ** 15 - 1)
            seen["wrong"] += int(wrong.sum())
            seen["exact"] += int((~wrong).sum())
        print("witnesses: {wrong} wrong in onnxruntime, {exact} exact, each as certified".format(**seen), file=sys.stderr)
        self.assertGreater(seen["wrong"], 80)
        self.assertGreater(seen["exact"], 400)

    def test_random_codes(self):
        """Whole matrices of any shape are what pairs in 16 bits make of them, bit for bit."""
        rng = numpy.random.default_rng(22)
        for n, k, rows in ((1, 7, 5), (3, 64, 17), (17, 130, 33), (64, 301, 16)):
            w = rng.integers(-128, 128, (k, rows)).astype(S8)
            x = rng.integers(0, 256, (n, k)).astype(U8)
            x[rng.random((n, k)) < 0.5] = 255
            model = self.free_batch(models.matmul_integer(w))
            del model.graph.node[0].input[2]
            numpy.testing.assert_array_equal(run_model(model, x), saturating_pairs(x, w))

    def test_which_kernels_saturate(self):
        for op, x_type, w_type, saturates in KERNELS:
            with self.subTest(op=op, activations=x_type.__name__, weights=w_type.__name__):
                convolution = op.endswith(("Conv", "ConvInteger"))
                w = numpy.full((8, 2, 1, 1) if convolution else (2, 8), LARGEST[w_type], w_type)
                x = numpy.full((1, 2, 3, 3) if convolution else (4, 2), LARGEST[x_type], x_type)
                model, step = product_model(op, x_type, w)
                got = run_model(model, x.astype(numpy.float32) if op == "DynamicQuantizeMatMul" else x)
                exact = 2 * LARGEST[x_type] * LARGEST[w_type]
                value = min(exact, 2 ** 15 - 1) if saturates else exact
                self.assertEqual({int(v) for v in got.ravel()}, {round(value / step)})

    def test_reported_pair(self):
        """(64, 65) and codes (255, 255): 32,895 that onnxruntime gives as 32,767; the certificate refuses it, and accepts (64, 64)."""
        for last, expected in ((65, 32767), (64, 32640)):
            model = self.free_batch(models.matmul_integer(numpy.array([[64], [last]], S8)))
            del model.graph.node[0].input[2]
            self.assertEqual(int(run_model(model, numpy.full((1, 2), 255, U8))[0, 0]), expected)
            onnx.save(model, self.path / "m.onnx")
            self.assertEqual(self.axecert("certify", "m.onnx", "-d", "mlas-u8s8-avx2").returncode, 1 if last == 65 else 0)

    def test_quantize_dequantize_in_int8_is_run_in_uint8(self):
        """onnxruntime issue 12072: codes of int8 are moved to uint8 (so the layer is certified), and 2·127·127 becomes 255 of 32,258."""
        w = numpy.full((2, 16), 127, S8)
        node = onnx.helper.make_node
        tensors = [models.tensor("w", w), models.tensor("one", numpy.float32(1)), models.tensor("z", S8(0)), models.tensor("ys", numpy.float32(STEP))]
        made = models.model([node("QuantizeLinear", ["x", "one", "z"], ["q"]), node("DequantizeLinear", ["q", "one", "z"], ["d"]),
                             node("DequantizeLinear", ["w", "one", "z"], ["wd"]), node("MatMul", ["d", "wd"], ["m"], "product"),
                             node("QuantizeLinear", ["m", "ys", "z"], ["r"]), node("DequantizeLinear", ["r", "ys", "z"], ["y"])],
                            [models.value("x", onnx.TensorProto.FLOAT, ["n", 2])], [models.value("y", onnx.TensorProto.FLOAT, ["n", 16])],
                            tensors, [onnx.helper.make_opsetid("", 13)])
        x = numpy.full((4, 2), 127, numpy.float32)
        self.assertEqual(set(run_model(made, x).ravel()), {round(255 / STEP) * STEP})
        onnx.save(made, self.path / "m.onnx")
        self.assertEqual(self.axecert("certify", "m.onnx", "-d", "mlas-u8s8-avx2").returncode, 1)
        for key, value in (("session.qdqisint8allowed", "1"), ("session.x64quantprecision", "1")):  # its own remedies
            options = onnxruntime.SessionOptions()
            options.add_session_config_entry(key, value)
            self.assertEqual(set(run_model(made, x, options).ravel()), {round(32258 / STEP) * STEP})

    def test_x64quantprecision(self):
        """onnxruntime's own remedy moves constant weights to u8 × u8, which is exact; not weights that are inputs, and not QLinearMatMul of opset 21."""
        x, w = numpy.full((4, 2), 255, U8), numpy.full((2, 8), 127, S8)
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.x64quantprecision", "1")
        constant, _ = product_model("MatMulInteger", U8, w)
        self.assertEqual(set(run_model(constant, x, options).ravel()), {64770})
        computed = onnx.ModelProto.FromString(constant.SerializeToString())
        del computed.graph.initializer[:]
        computed.graph.input.append(models.value("w", onnx.TensorProto.INT8, [2, 8]))
        session = onnxruntime.InferenceSession(computed.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self.assertEqual(set(session.run(None, {"x": x, "w": w})[0].ravel()), {32767})
        for opset, value in ((13, 64770), (20, 64770), (21, 32767)):
            model, _ = product_model("QLinearMatMul", U8, w)
            model.opset_import[0].version = opset
            with self.subTest(opset=opset):
                self.assertEqual({int(v) for v in run_model(model, x, options).ravel()}, {round(value / STEP)})

    def pairs_of_convolution(self, op, x_type, w_type, channels, height, width):
        """Which taps (channel, row, column) share a register: two at a time at their largest, every other weight 0."""
        taps = [(c, i, j) for c in range(channels) for i in range(height) for j in range(width)]
        both = [(a, b) for n, a in enumerate(taps) for b in taps[n + 1:]]
        w = numpy.zeros((len(both), channels, height, width), w_type)
        for row, places in enumerate(both):
            for place in places:
                w[(row, *place)] = LARGEST[w_type]
        x = numpy.full((1, channels, height + 1, width + 1), LARGEST[x_type], x_type)
        model, step = product_model(op, x_type, w)
        got = run_model(model, x)
        saturated, exact = round((2 ** 15 - 1) / step), round(2 * LARGEST[x_type] * LARGEST[w_type] / step)
        self.assertTrue(numpy.isin(got, (saturated, exact)).all())
        self.assertTrue((got == got[:, :, :1, :1]).all())  # the same at every position
        return [places for row, places in enumerate(both) if got[0, row, 0, 0] == saturated]

    def test_order_of_products_in_convolutions(self):
        """The order that `certify` takes (docs/onnx.md): positions, then channels for QLinearConv; channels, then positions for ConvInteger."""
        for channels, height, width in ((4, 3, 2), (3, 2, 2), (5, 1, 3), (1, 2, 3), (7, 1, 1), (16, 2, 2), (64, 1, 1)):
            taps = [(c, i, j) for c in range(channels) for i in range(height) for j in range(width)]
            for op, x_type, w_type, key in (("QLinearConv", U8, S8, lambda tap: (tap[1:], tap[0])), ("ConvInteger", S8, U8, lambda tap: tap)):
                with self.subTest(op=op, channels=channels, kernel=(height, width)):
                    order = sorted(taps, key=key)
                    expected = {frozenset(order[n:n + 2]) for n in range(0, len(order) - 1, 2)}
                    found = self.pairs_of_convolution(op, x_type, w_type, channels, height, width)
                    self.assertEqual({frozenset(places) for places in found}, expected)

    def test_groups_of_convolutions(self):
        """Groups of several channels go through the same pairs; one channel per group has kernels of its own, which are exact."""
        for channels, group, exact in ((16, 4, False), (64, 4, False), (8, 8, True), (32, 32, True)):
            with self.subTest(channels=channels, group=group):
                w = numpy.full((channels, channels // group, 3, 3), 127, S8)
                taps = w[0].size
                model, step = product_model("QLinearConv", U8, w)
                model.graph.node[0].attribute.append(onnx.helper.make_attribute("group", group))
                for tensor in model.graph.initializer:
                    if tensor.name == "ys":
                        tensor.CopyFrom(models.tensor("ys", numpy.float32(STEP * taps)))
                got = run_model(model, numpy.full((1, channels, 5, 5), 255, U8))
                saturated = (taps // 2 * (2 ** 15 - 1) + taps % 2 * 255 * 127) / (step * taps)
                self.assertEqual({int(v) for v in got.ravel()}, {round(255 * 127 / step if exact else saturated)})

    def test_certified_pairs_of_a_convolution(self):
        """The certificate's registers of a QLinearConv are those: a pair's own witness saturates if and only if it is said to overflow."""
        w = models.weights(23, 12, 3, 2, 2)
        model, _ = product_model("QLinearConv", U8, w)
        certificate, _ = self.certified(model, "mlas-u8s8-avx2")
        rows, pairs = certificate["0.stage.0.upper"][0]
        upper = numpy.asarray(certificate["0.stage.0.upper"][1]).reshape(rows, pairs)
        flat = w.transpose(0, 2, 3, 1).reshape(rows, -1)  # positions, then channels
        codes = numpy.zeros((rows, pairs, flat.shape[1]), U8)
        for pair in range(pairs):
            columns = slice(2 * pair, 2 * pair + 2)
            codes[:, pair, columns] = numpy.where(flat[:, columns] > 0, 255, 0)
        x = codes.reshape(rows * pairs, 2, 2, 3).transpose(0, 3, 1, 2)
        got = run_model(model, numpy.ascontiguousarray(x))[:, :, 0, 0]
        own = numpy.stack([got[row * pairs:(row + 1) * pairs, row] for row in range(rows)]).astype(int)
        numpy.testing.assert_array_equal(own, numpy.rint(numpy.minimum(upper, 2 ** 15 - 1) / STEP))
        self.assertGreater(int((upper > 2 ** 15 - 1).sum()), 5)

    def test_weights_on_the_unsigned_side_are_not_certified(self):
        """ConvInteger of int8 codes and uint8 weights: 192 · 127 twice saturates although both weights less 128 are only 64."""
        w = numpy.full((4, 2, 1, 1), 192, U8)
        model, _ = product_model("ConvInteger", S8, w)
        self.assertEqual(set(run_model(model, numpy.full((1, 2, 3, 3), 127, S8)).ravel()), {32767})
        onnx.save(model, self.path / "m.onnx")
        done = self.axecert("certify", "m.onnx", "-d", "mlas-u8s8-avx2")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("unsigned", done.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

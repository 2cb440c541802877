"""onnxruntime as the judge of certificates of ONNX models: claimed ranges are reached exactly, and never left.

    python3 test_onnxruntime.py PATH_TO_AXECERT

Needs onnx, onnxruntime and numpy; not run without them (tests/onnx/CMakeLists.txt). Inputs that the weights' signs make are fed to the model; the claimed
ends of every row's range must come out of MatMulInteger, ConvInteger or the dequantized product. A CPU with VNNI adds products of 8
bits exactly, so saturation cannot be seen there: the test then says so (tests/property/onnx_instructions.cpp checks the instructions themselves).

Requirements: TOR-503, TOR-102.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy
import onnx
import onnxruntime

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import answers  # noqa: E402
import models  # noqa: E402
from test_fixtures import WIDE, read_safetensors  # noqa: E402

AXECERT = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None


def has_exact_products():
    """Whether this CPU has an instruction that adds u8 × s8 products without a stage of 16 bits."""
    flags = pathlib.Path("/proc/cpuinfo").read_text() if pathlib.Path("/proc/cpuinfo").exists() else ""
    return any(f" {name}" in flags for name in ("avx512_vnni", "avx_vnni", "amx_int8"))


class Judge(unittest.TestCase):
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

    def ends(self, numbers, rows=None):
        """Operands that drive each row to its upper end, then to its lower end."""
        w = numbers["weight"] if rows is None else numbers["weight"][rows]
        low, high = numbers["input_lower"][0], numbers["input_upper"][0]
        return numpy.where(w > 0, high, low), numpy.where(w > 0, low, high)

    def check(self, model, run):
        """`run` takes codes [n, K] and returns integers [n, rows]."""
        certificate, numbers = self.certified(model, "wide.toml")
        rows = numbers["weight"].shape[0]
        shift = numbers["input_shift"][0]
        shape, claimed_lower = certificate["0.stage.0.lower"]
        claimed_upper = certificate["0.stage.0.upper"][1]
        self.assertEqual(shape, [rows, 1])
        upper, lower = self.ends(numbers)
        numpy.testing.assert_array_equal(numpy.diagonal(run(upper + shift)), claimed_upper)
        numpy.testing.assert_array_equal(numpy.diagonal(run(lower + shift)), claimed_lower)
        rng = numpy.random.default_rng(5)
        some = run(rng.integers(numbers["input_lower"][0], numbers["input_upper"][0] + 1, (500, upper.shape[1])) + shift)
        self.assertTrue((some <= claimed_upper).all() and (some >= claimed_lower).all())
        self.assertGreater(some.max(), 0.2 * max(claimed_upper))  # the inputs do move the sums

    def free_batch(self, model):
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
        return model

    def test_matmul_integer(self):
        for name, dtype in (("matmul_integer", numpy.uint8), ("matmul_integer_s8_activations", numpy.int8)):
            with self.subTest(model=name):
                model = self.free_batch(models.MODELS[name]())
                run = answers.session(model).run
                self.check(model, lambda codes: run(None, {"x": codes.astype(dtype)})[0])

    def test_conv_integer(self):
        model = self.free_batch(models.MODELS["conv_integer_one_position"]())
        run = answers.session(model).run
        self.check(model, lambda codes: run(None, {"x": codes.reshape(-1, 6, 3, 2).astype(numpy.uint8)})[0][:, :, 0, 0])

    def test_qgemm(self):
        model = self.free_batch(models.qgemm())
        run = answers.session(model).run
        self.check(model, lambda codes: answers.integers(run(None, {"x": codes.astype(numpy.uint8)})[0], 0.1 * 0.02))

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
            print("this CPU has VNNI: onnxruntime adds exactly here, saturation was not seen", file=sys.stderr)
        else:
            numpy.testing.assert_array_equal(got, saturated)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

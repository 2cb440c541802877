"""What axecert takes out of the committed models, against what onnxruntime computed for them (fixtures/answers.json, by answers.py).

    python3 test_fixtures.py PATH_TO_AXECERT

Only the Python standard library. Every answer is a dot product of known codes: the arrays that `axecert certify --weights` writes must
give the same integer, on a datapath that takes codes as they are and on one that re-centres them.

Requirements: TOR-503.
"""

import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

AXECERT = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
FIXTURES = pathlib.Path(__file__).parent / "fixtures"
SAFE, UNSAFE, INCOMPLETE, REFUSED, USAGE, DATA = 0, 1, 2, 3, 64, 65

WIDE = """name = "wide"
title = "one wrapping register of 32 bits, {form}"
weights = [-128, 127]
activations = {activations}
form = "{form}"
[[stage]]
name = "row"
width = 32
group = "all"
limits = "full"
initial = "constant"
claim = "final-value"
"""


def read_safetensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    codes = {"I8": "b", "I32": "i", "I64": "q"}
    arrays = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            code = codes[entry["dtype"]]
            arrays[name] = (entry["shape"], struct.unpack(f"<{(end - begin) // struct.calcsize(code)}{code}", data[begin:end]))
    return arrays


def write_safetensors(path, arrays, shapes=None):
    """Arrays of F64, vectors unless `shapes` says otherwise."""
    header, data = {}, b""
    for name, numbers in arrays.items():
        packed = struct.pack(f"<{len(numbers)}d", *numbers)
        header[name] = {"dtype": "F64", "shape": (shapes or {}).get(name, [len(numbers)]), "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="axecert-onnx-")
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        (self.path / "raw.toml").write_text(WIDE.format(form="raw", activations="[0, 255]"))
        (self.path / "recentred.toml").write_text(WIDE.format(form="recentred", activations="[-128, 127]"))

    def run_axecert(self, *words, code=None):
        done = subprocess.run([str(AXECERT), *map(str, words)], cwd=self.path, capture_output=True, text=True, timeout=120, check=False)
        self.assertGreaterEqual(done.returncode, 0, f"died: {words}\n{done.stderr}")
        if code is not None:
            self.assertEqual(done.returncode, code, f"{words}\n{done.stdout}\n{done.stderr}")
        return done

    def json_of(self, *words, code):
        return json.loads(self.run_axecert(*words, "--json", code=code).stdout)


class Answers(Case):
    def check(self, arrays, entry):
        layer = entry["layer"]
        (_, cols), weights = arrays[layer + ".weight"]
        lower, upper = arrays[layer + ".input_lower"][1][0], arrays[layer + ".input_upper"][1][0]
        shift, stored_zero = arrays[layer + ".input_shift"][1][0], arrays[layer + ".input_zero_point"][1]
        zero = entry.get("zero_point", stored_zero[0])
        if "zero_point" in entry:
            self.assertEqual(stored_zero, (0, 255))
        else:
            self.assertEqual(len(stored_zero), 1)
        blocks = entry.get("blocks", 1)
        codes = entry["codes"] + [0] * (cols * blocks - len(entry["codes"]))
        for code in entry["codes"]:
            self.assertTrue(lower <= code - shift <= upper, f"code {code} is outside the box")
        for at, (row, expected) in enumerate(zip(entry["rows"], entry["expected"])):
            total = 0
            for block in range(blocks):
                r = row * blocks + block
                w = weights[r * cols:(r + 1) * cols]
                total += sum(a * (x - zero) for a, x in zip(w, codes[block * cols:(block + 1) * cols]))
                if layer + ".bias" in arrays:
                    total += arrays[layer + ".bias"][1][r]
            if "weight_zero_point" in entry:
                total -= entry["weight_zero_point"][at] * sum(x - zero for x in codes)
            if "multiplier" in entry:
                total = max(0, min(255, round(total * entry["multiplier"][at]) + entry["output_zero_point"]))
            self.assertEqual(total, expected, f"{layer} row {row}")

    def test_every_model_gives_the_integers_of_onnxruntime(self):
        answers = json.loads((FIXTURES / "answers.json").read_text())
        self.assertGreaterEqual(len(answers), 17)
        for name, entries in answers.items():
            for form in ("raw", "recentred"):
                with self.subTest(model=name, form=form):
                    model = FIXTURES / f"{name}.onnx"
                    self.run_axecert("certify", model, "-d", f"{form}.toml", "-o", "c.axec", "--weights", "w.safetensors", code=SAFE)
                    arrays = read_safetensors(self.path / "w.safetensors")
                    self.assertEqual({key.rsplit(".", 1)[0] for key in arrays}, {entry["layer"] for entry in entries})
                    for entry in entries:
                        self.check(arrays, entry)
                    self.run_axecert("verify", "c.axec", model, "--z3", "ground", code=SAFE)
                    self.run_axecert("verify", "c.axec", "w.safetensors", "--z3", "none", code=SAFE)


class Boxes(Case):
    def box(self, name, datapath="raw.toml"):
        document = self.json_of("certify", FIXTURES / f"{name}.onnx", "-d", datapath, code=SAFE)
        return document["layers"][0]["input_range"], document["layers"][0]["zero_point_spread"]

    def test_types_always_and_what_stands_before_the_quantizer_where_it_says_more(self):
        self.assertEqual(self.box("qdq_matmul"), ([0, 255], 0))
        self.assertEqual(self.box("qdq_matmul_relu"), ([20, 255], 0))  # 0 has the code 20
        self.assertEqual(self.box("qdq_matmul_clip"), ([10, 140], 0))  # −0.5 / 0.05 + 20 and 6 / 0.05 + 20
        self.assertEqual(self.box("qdq_matmul_clip", "recentred.toml"), ([-118, 12], 0))
        self.assertEqual(self.box("dynamic_quantize"), ([0, 255], 255))
        self.assertEqual(self.box("qonnx"), ([0, 15], 0))
        self.assertEqual(self.box("matmul_integer_s8_activations", "recentred.toml"), ([-128, 127], 0))


class Coverage(Case):
    def test_nothing_is_skipped_in_silence(self):
        model = FIXTURES / "attention_like.onnx"
        document = self.json_of("certify", model, "-d", "raw.toml", "-o", "c.axec", code=INCOMPLETE)
        self.assertEqual([p["layer"] for p in document["onnx"]["products"]], ["covered"])
        self.assertEqual([e["node"] for e in document["onnx"]["not_covered"]], ["computed (MatMulInteger)"])
        self.assertEqual([e["node"] for e in document["onnx"]["unknown"]], ["mystery (com.example.Mystery)"])
        self.assertEqual(document["onnx"]["floating"], 1)
        self.assertEqual(document["votes"][-1]["voter"], "onnx reader")
        self.assertEqual((document["votes"][-1]["nodes_checked"], document["votes"][-1]["nodes_total"]), (1, 3))
        self.run_axecert("verify", "c.axec", model, "--z3", "none", code=INCOMPLETE)
        text = self.run_axecert("certify", model, "-d", "raw.toml", code=INCOMPLETE).stdout
        self.assertIn("its weights are computed at run time", text)
        self.assertIn("unknown operator", text)
        # One layer that is asked for by name is judged alone.
        self.run_axecert("certify", model, "-d", "raw.toml", "--layer", "covered", code=SAFE)

    def test_products_of_floats_are_no_certificate(self):
        done = self.run_axecert("certify", FIXTURES / "matmul_nbits_floats.onnx", "-d", "raw.toml", code=DATA)
        self.assertIn("no integer dot product", done.stderr)

    def test_what_does_not_fit_the_operands_is_not_covered(self):
        narrow = WIDE.format(form="raw", activations="[0, 127]")
        (self.path / "narrow.toml").write_text(narrow)
        document = self.json_of("certify", FIXTURES / "matmul_integer.onnx", "-d", "narrow.toml", code=INCOMPLETE)
        self.assertIn("do not fit the datapath's activation operand", document["onnx"]["not_covered"][0]["reason"])
        (self.path / "narrow.toml").write_text(WIDE.format(form="raw", activations="[0, 255]").replace("-128, 127", "-100, 100"))
        document = self.json_of("certify", FIXTURES / "matmul_integer.onnx", "-d", "narrow.toml", code=INCOMPLETE)
        self.assertIn("do not fit the datapath's weight operand", document["onnx"]["not_covered"][0]["reason"])


class Requantization(Case):
    def test_multipliers_are_those_that_onnxruntime_multiplied_by(self):
        answers = json.loads((FIXTURES / "answers.json").read_text())
        seen = set()
        for name, entries in answers.items():
            products = {p["layer"]: p for p in self.json_of("certify", FIXTURES / f"{name}.onnx", "-d", "raw.toml", code=SAFE)["onnx"]["products"]}
            for entry in entries:
                stated = products[entry["layer"]]["multipliers"]
                if "multiplier" not in entry:  # its output is no code
                    self.assertIsNone(stated)
                    continue
                seen.add(products[entry["layer"]]["operator"])
                for multiplier in entry["multiplier"]:
                    self.assertTrue(stated[0] * (1 - 1e-6) <= multiplier <= stated[1] * (1 + 1e-6), (name, stated, multiplier))
        self.assertEqual(seen, {"QLinearMatMul", "QLinearConv"})

    def test_operators_with_codes_as_output_are_judged_and_others_are_not_known(self):
        for name in ("qlinear_matmul", "qlinear_conv"):
            for requantizer in ("tflite", "cmsis", "gemmlowp", "tosa", "xnnpack", "tflite-int64", "float32"):
                self.run_axecert("certify", FIXTURES / f"{name}.onnx", "-d", "raw.toml", "--requantize", requantizer, code=SAFE)
        # A datapath's own requantizer judges what is known, and only that.
        (self.path / "own.toml").write_text(WIDE.format(form="raw", activations="[0, 255]").replace("form =", 'requantizer = "gemmlowp"\nform ='))
        for name, votes in (("qlinear_matmul", ["checker", "requantization"]), ("matmul_integer", ["checker"]), ("qgemm_bias_at_run_time", ["checker"])):
            found = self.json_of("certify", FIXTURES / f"{name}.onnx", "-d", "own.toml", code=SAFE)["votes"]
            self.assertEqual([vote["voter"] for vote in found], votes)
        text = self.run_axecert("certify", FIXTURES / "matmul_integer.onnx", "-d", "raw.toml", "--requantize", "tflite", code=INCOMPLETE).stdout
        self.assertIn("its multiplier is not known", text)
        # What is added outside the registers is in no row's range, so no sum is known.
        for name in ("qgemm_bias_at_run_time", "matmul_integer_u8_weights"):
            text = self.run_axecert("certify", FIXTURES / f"{name}.onnx", "-d", "raw.toml", "--requantize", "float32", code=INCOMPLETE).stdout
            self.assertIn("something is added to its sum outside its registers", text)


class Binding(Case):
    def test_a_certificate_holds_for_its_weights_only(self):
        model = FIXTURES / "matmul_integer.onnx"
        self.run_axecert("certify", model, "-d", "raw.toml", "-o", "c.axec", code=SAFE)
        data = bytearray(model.read_bytes())
        shape, weights = read_safetensors(self.exported(model))["product.weight"]
        columns = bytes((w & 255) for k in range(shape[1]) for w in weights[k::shape[1]])  # as the model has it, [K, N]
        at = data.find(columns)
        self.assertGreater(at, 0)
        data[at + 3] ^= 1
        (self.path / "changed.onnx").write_bytes(data)
        done = self.run_axecert("verify", "c.axec", "changed.onnx", "--z3", "none", code=REFUSED)
        self.assertIn("not those of the certificate", done.stdout)

    def exported(self, model):
        self.run_axecert("certify", model, "-d", "raw.toml", "--weights", "w.safetensors", code=SAFE)
        return self.path / "w.safetensors"

    def test_the_order_of_a_convolution_is_part_of_the_claim(self):
        model = FIXTURES / "conv_integer.onnx"
        self.run_axecert("certify", model, "-d", "raw.toml", "-o", "c.axec", "--conv-order", "positions-first", code=SAFE)
        self.run_axecert("verify", "c.axec", model, "--z3", "none", "--conv-order", "positions-first", code=SAFE)
        self.run_axecert("verify", "c.axec", model, "--z3", "none", code=REFUSED)

    def test_external_data_are_the_same_weights(self):
        self.run_axecert("certify", FIXTURES / "matmul_integer.onnx", "-d", "raw.toml", "-o", "c.axec", code=SAFE)
        self.run_axecert("verify", "c.axec", FIXTURES / "external" / "matmul_integer.onnx", "--z3", "none", code=SAFE)
        shutil.copytree(FIXTURES / "external", self.path / "external")
        data = (self.path / "external" / "weights.bin").read_bytes()
        (self.path / "external" / "weights.bin").write_bytes(data[:-1])
        done = self.run_axecert("certify", "external/matmul_integer.onnx", "-d", "raw.toml", code=DATA)
        self.assertIn("behind the end of 'weights.bin'", done.stderr)

    def test_unsafe_models_show_inputs(self):
        model = FIXTURES / "matmul_integer.onnx"
        document = self.json_of("certify", model, "-d", "x86-avx2-maddubs", "-o", "c.axec", code=UNSAFE)
        self.assertLess(document["layers"][0]["worst"]["margin"], 0)
        story = self.json_of("explain", "c.axec", model, code=UNSAFE)
        self.assertTrue(story["replay"]["overflowed"])
        self.run_axecert("report", "c.axec", model, "--z3", "none", "--html", "r.html", code=UNSAFE)


class Repair(Case):
    def test_every_model_becomes_safe_by_weights_alone(self):
        changed = 0
        for model in sorted(FIXTURES.glob("*.onnx")):
            if model.stem in ("matmul_nbits_floats", "attention_like"):
                continue
            with self.subTest(model=model.stem):
                before = self.run_axecert("certify", model, "-d", "x86-avx2-maddubs", "--weights", "before.safetensors").returncode
                document = self.json_of("repair", model, "-d", "x86-avx2-maddubs", "-o", "fixed.onnx", "--keep-scales", code=SAFE)
                self.assertEqual(before == UNSAFE, document["unsafe_nodes"] > 0)
                self.assertEqual(document["weights_changed"] > 0, document["unsafe_nodes"] > 0)
                self.run_axecert("verify", "fixed.axec", "fixed.onnx", "--z3", "ground", code=SAFE)
                self.run_axecert("certify", "fixed.onnx", "-d", "x86-avx2-maddubs", "--weights", "after.safetensors", code=SAFE)
                old, new = (read_safetensors(self.path / f"{name}.safetensors") for name in ("before", "after"))
                self.assertEqual(old.keys(), new.keys())
                differences = 0
                for key, (shape, values) in old.items():
                    self.assertEqual(new[key][0], shape)
                    if key.endswith(".weight"):
                        differences += sum(a != b for a, b in zip(values, new[key][1]))
                        self.assertTrue(all(abs(b) <= abs(a) and a * b >= 0 for a, b in zip(values, new[key][1])))
                    else:
                        self.assertEqual(new[key][1], values, key)
                products = 2 if "twice" in model.stem else 1  # of one initializer
                self.assertEqual(differences, products * document["weights_changed"])
                if differences == 0:
                    self.assertEqual(len((self.path / "fixed.onnx").read_bytes()), len(model.read_bytes()))
                changed += differences
        self.assertGreater(changed, 300)

    def repaired(self, name, *words):
        """The document of a repair, and the repaired weights, of a model that becomes safe."""
        model = FIXTURES / f"{name}.onnx"
        document = self.json_of("repair", model, "-d", "x86-avx2-maddubs", "-o", "fixed.onnx", *words, code=SAFE)
        self.run_axecert("verify", "fixed.axec", "fixed.onnx", "--z3", "ground", code=SAFE)
        self.run_axecert("certify", "fixed.onnx", "-d", "x86-avx2-maddubs", "--weights", "after.safetensors", code=SAFE)
        return document, read_safetensors(self.path / "after.safetensors")

    def test_scales_move_where_the_model_has_constant_ones_for_the_rows_alone(self):
        movable = {"dynamic_scaled", "dynamic_scaled_per_tensor", "dynamic_scaled_convolution", "dynamic_scaled_convolution_per_tensor", "qlinear_matmul", "qdq_matmul", "qdq_matmul_relu"}
        fixed = {"matmul_integer", "matmul_integer_u8_weights", "qgemm", "qgemm_bias_at_run_time", "qdq_conv", "conv_integer", "qonnx",
                 "dynamic_scaled_twice", "dynamic_scaled_twice_transposed"}
        for name in sorted(movable | fixed):
            with self.subTest(model=name):
                document, _ = self.repaired(name)
                kept, _ = self.repaired(name, "--keep-scales")
                for moved, still in zip(document["layers"], kept["layers"]):
                    self.assertEqual(moved["unsafe_nodes"], still["unsafe_nodes"])
                    self.assertEqual(still["rows_rescaled"], 0)
                    if name in movable:
                        self.assertEqual(moved["fixed_scales"], "")
                        self.assertGreater(moved["rows_rescaled"], 0)
                        self.assertLess(moved["relative_change"], still["relative_change"])
                    else:
                        self.assertNotEqual(moved["fixed_scales"], "")
                        self.assertEqual(moved["relative_change"], still["relative_change"])

    def test_integer_biases_move_by_what_the_inputs_means_lose(self):
        """In whole steps of the products; other arrays are as without --biases."""
        steps = {"qgemm": 0.1, "qlinear_conv": 0.1, "qlinear_conv_groups": 0.1, "qdq_conv": 0.05, "qdq_gemm_transposed": 0.05}
        for name, step in steps.items():
            with self.subTest(model=name):
                model = FIXTURES / f"{name}.onnx"
                layer = self.repaired(name)[0]["layers"][0]
                without = read_safetensors(self.path / "after.safetensors")
                self.run_axecert("certify", model, "-d", "x86-avx2-maddubs", "--weights", "before.safetensors", code=UNSAFE)
                before = read_safetensors(self.path / "before.safetensors")
                (rows, cols), shipped = before["product.weight"]
                mean = [0.3 * (k % 7) - 0.4 for k in range(cols)]
                write_safetensors(self.path / "means.safetensors", {"product.mean": mean})
                document, after = self.repaired(name, "--moments", "means.safetensors", "--biases")
                expected = list(before["product.bias"][1])
                for r in range(rows):
                    lost = sum((a - b) * m for a, b, m in zip(shipped[r * cols:], after["product.weight"][1][r * cols:(r + 1) * cols], mean))
                    expected[r] += round(lost / step)
                self.assertEqual(list(after["product.bias"][1]), expected)
                for key in before:
                    if key != "product.bias":
                        self.assertEqual(after[key], without[key])
                moved = sum(a != b for a, b in zip(expected, before["product.bias"][1]))
                now = document["layers"][0]
                self.assertEqual((now["biases_changed"], document["biases_changed"], layer["biases_changed"]), (moved, moved, 0))
                self.assertEqual(now["largest_bias_change"], max(abs(a - b) for a, b in zip(expected, before["product.bias"][1])))
                self.assertGreater(moved, rows // 2)
                self.assertEqual((now["bias"], now["fixed_bias"], now["biases_held"], layer["bias"]), ({"qgemm": "c"}.get(name, "b"), "", 0, ""))

    def test_why_a_bias_stays(self):
        reasons = {"matmul_integer": "no Cast", "qlinear_matmul": "no bias that is read", "qgemm_bias_at_run_time": "computed at run time",
                   "dynamic_scaled_twice": "the scale of its inputs is not a factor", "qdq_matmul": "no Add alone reads its result", "conv_integer": "no Cast"}
        for name, reason in reasons.items():
            with self.subTest(model=name):
                _, plain = self.repaired(name, "--keep-scales")
                layers = [key[:-len(".weight")] for key in plain if key.endswith(".weight")]
                write_safetensors(self.path / "means.safetensors", {f"{layer}.mean": [1.0] * plain[f"{layer}.weight"][0][1] for layer in layers})
                document, after = self.repaired(name, "--keep-scales", "--moments", "means.safetensors", "--biases")
                self.assertEqual(after, plain)
                self.assertEqual(document["biases_changed"], 0)
                for layer in document["layers"]:
                    self.assertIn(reason, layer["fixed_bias"])

    def test_biases_need_means(self):
        model = FIXTURES / "qgemm.onnx"
        words = ("repair", model, "-d", "x86-avx2-maddubs", "-o", "fixed.onnx", "--biases")
        self.assertIn("--moments", self.run_axecert(*words, code=USAGE).stderr)
        identity = [float(i % 25 == 0) for i in range(24 * 24)]
        for arrays, problem in (({"product.H": identity}, "holds no array LAYER.mean"), ({"product.mean": [0.0] * 23}, "holds 23 numbers"),
                                ({"product.H": identity, "product.mean": [0.0] * 24}, "no LAYER.count"),
                                ({"product.H": identity, "product.mean": [9.0] * 24, "product.count": [2.0]}, "mean of its input 0"),
                                ({"product.H": identity, "product.G": identity, "product.mean": [0.0] * 24, "product.count": [2.0]}, "no LAYER.float_mean")):
            write_safetensors(self.path / "means.safetensors", arrays, {"product.H": [24, 24], "product.G": [24, 24]})
            self.assertIn(problem, self.run_axecert(*words, "--moments", "means.safetensors", code=DATA).stderr)
            self.assertFalse((self.path / "fixed.onnx").exists())

    def test_a_split_keeps_every_weight(self):
        for name in ("matmul_integer", "matmul_integer_u8_weights", "dynamic_scaled", "conv_integer", "conv_integer_groups", "dynamic_scaled_convolution"):
            with self.subTest(model=name):
                model = FIXTURES / f"{name}.onnx"
                self.run_axecert("certify", model, "-d", "x86-avx2-maddubs", "--weights", "before.safetensors", code=UNSAFE)
                before = read_safetensors(self.path / "before.safetensors")
                document, after = self.repaired(name, "--split")
                self.assertGreater(document["parts"], 0)
                self.assertGreater(document["products_added"], 0)
                for layer in document["layers"]:
                    self.assertEqual(layer["not_split"], "")
                    (_, cols), shipped = before[layer["layer"] + ".weight"]
                    products = [key for key in after if key.startswith(layer["layer"]) and key.endswith(".weight")]
                    self.assertEqual(len(products), 1 + layer["parts"])
                    self.assertEqual(sum(sum(after[key][1]) for key in products), sum(shipped))
                    if layer["operator"] == "MatMulInteger" and layer["parts"] == 1:  # of each pair one input is enough
                        self.assertLessEqual(layer["parts_inputs"], (cols + 1) // 2)

    def test_what_has_no_integer_sum_is_repaired_instead_of_split(self):
        document, _ = self.repaired("qlinear_matmul", "--split")
        self.assertEqual(document["parts"], 0)
        self.assertIn("does not give the integers", document["layers"][0]["not_split"])
        self.assertGreater(document["weights_changed"], 0)

    def test_floats_and_blocks_are_written_back(self):
        """Quant's float weights, and codes of 4 bits, on a register that they overflow."""
        for name, datapath in (("qonnx", "axe:P=8,T=8"), ("int4_blocks", "axe:P=11,T=8"), ("matmul_nbits", "axe:P=11,T=8,act=s8"),
                               ("qdq_matmul_clip", "axe:P=11,T=8")):
            with self.subTest(model=name):
                document = self.json_of("repair", FIXTURES / f"{name}.onnx", "-d", datapath, "-o", "fixed.onnx", code=SAFE)
                self.assertGreater(document["weights_changed"], 0)
                self.run_axecert("verify", "fixed.axec", "fixed.onnx", "--z3", "none", code=SAFE)

    def test_external_data(self):
        shutil.copytree(FIXTURES / "external", self.path / "external")
        done = self.run_axecert("repair", "external/matmul_integer.onnx", "-d", "x86-avx2-maddubs", "-o", "fixed.onnx", code=USAGE)
        self.assertIn("same folder", done.stderr)
        self.run_axecert("repair", "external/matmul_integer.onnx", "-d", "x86-avx2-maddubs", "-o", "external/fixed.onnx", code=SAFE)
        self.run_axecert("verify", "external/fixed.axec", "external/fixed.onnx", "--z3", "none", code=SAFE)
        self.assertEqual((self.path / "external" / "weights.bin").read_bytes(), (FIXTURES / "external" / "weights.bin").read_bytes())
        self.assertEqual(sorted(p.name for p in (self.path / "external").iterdir()),
                         ["fixed.axec", "fixed.onnx", "matmul_integer.onnx", "weights.bin"])

    def test_what_cannot_be_covered_stays_incomplete(self):
        self.run_axecert("repair", FIXTURES / "attention_like.onnx", "-d", "x86-avx2-maddubs", "-o", "fixed.onnx", code=INCOMPLETE)

    def test_nothing_is_left_behind_on_errors(self):
        before = sorted(p.name for p in self.path.iterdir())
        done = self.run_axecert("repair", FIXTURES / "matmul_integer.onnx", "-d", "x86-avx2-maddubs", "-o", "nowhere/fixed.onnx", code=73)
        self.assertIn("nothing was written", done.stderr)
        self.run_axecert("repair", FIXTURES / "malformed" / "axis.onnx", "-d", "raw.toml", "-o", "fixed.onnx", code=DATA)
        self.run_axecert("repair", FIXTURES / "matmul_nbits_floats.onnx", "-d", "raw.toml", "-o", "fixed.onnx", code=DATA)
        self.run_axecert("repair", FIXTURES / "matmul_integer.onnx", "-d", "raw.toml", "-o", "fixed.bin", code=USAGE)
        self.assertEqual(sorted(p.name for p in self.path.iterdir()), before)


class BadInput(Case):
    def refused(self, data, *texts, code=DATA):
        (self.path / "bad.onnx").write_bytes(data)
        done = self.run_axecert("certify", "bad.onnx", "-d", "raw.toml", "-o", "c.axec", code=code)
        for text in ("bad.onnx", *texts):
            self.assertIn(text, done.stderr)
        self.assertFalse((self.path / "c.axec").exists())

    def test_broken_messages(self):
        good = (FIXTURES / "matmul_integer.onnx").read_bytes()
        self.refused(b"", "no graph")
        self.refused(b"\xff" * 40, "protobuf message is broken")
        self.refused(b"PK\x03\x04" + b"\0" * 60, "bad.onnx")
        for size in range(1, len(good), 7):  # cut anywhere: an error or, where a whole field went, an honest verdict; never a crash
            (self.path / "cut.onnx").write_bytes(good[:size])
            done = self.run_axecert("certify", "cut.onnx", "-d", "raw.toml")
            self.assertIn(done.returncode, (SAFE, INCOMPLETE, DATA))

    def test_more_than_protobuf_allows(self):
        with open(self.path / "bad.onnx", "wb") as file:
            file.truncate(2**31)  # a hole: no bytes on the disk
        done = self.run_axecert("certify", "bad.onnx", "-d", "raw.toml", code=DATA)
        self.assertIn("bad.onnx: is larger than 2 GiB", done.stderr)

    def test_every_flipped_byte_ends_in_a_verdict_or_an_error(self):
        good = (FIXTURES / "qdq_gemm_transposed.onnx").read_bytes()
        for at in range(0, len(good), 5):
            data = bytearray(good)
            data[at] ^= 0x55
            (self.path / "flip.onnx").write_bytes(data)
            self.assertIn(self.run_axecert("certify", "flip.onnx", "-d", "raw.toml").returncode, (SAFE, INCOMPLETE, DATA))

    def test_malformed_models_name_the_node(self):
        for file in sorted((FIXTURES / "malformed").glob("*.onnx")):
            expected = (FIXTURES / "malformed" / f"{file.stem}.txt").read_text().strip()
            with self.subTest(model=file.stem):
                shutil.copy(file, self.path / "bad.onnx")
                done = self.run_axecert("certify", "bad.onnx", "-d", "raw.toml", "-o", "c.axec")
                self.assertIn(done.returncode, (INCOMPLETE, DATA))
                self.assertIn(expected, done.stderr + done.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

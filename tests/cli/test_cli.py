"""Runs the axecert program on small inputs and checks exit codes, JSON, error texts, atomicity and determinism.

    python3 test_cli.py PATH_TO_AXECERT

Only the Python standard library: arrays are written with struct and zipfile.
"""

import html.parser
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
import zipfile

AXECERT = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
SAFE, UNSAFE, INCOMPLETE, REFUSED, USAGE, DATA, NO_INPUT, CANNOT_CREATE = 0, 1, 2, 3, 64, 65, 66, 73
CODES = {"<f4": "f", "<f8": "d", "|i1": "b", "|u1": "B", "<i4": "i", "<i8": "q"}


def npy(descr, shape, values):
    shape_text = "(" + "".join(f"{n}, " for n in shape) + ")"
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape_text}, }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}{CODES[descr]}", *values)


def write_npz(path, arrays, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, array in arrays.items():
            archive.writestr(name + ".npy", npy(*array))


def write_safetensors(path, arrays):
    names = {"b": "I8", "f": "F32", "i": "I32", "q": "I64", "d": "F64", "B": "U8"}
    header, data = {}, b""
    for name, (descr, shape, values) in arrays.items():
        code = CODES[descr]
        packed = struct.pack(f"<{len(values)}{code}", *values)
        header[name] = {"dtype": names[code], "shape": list(shape), "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def layer(name="blocks.0.up", rows=6, cols=24, tokens=64, seed=1):
    """A float layer with calibration inputs."""
    random.seed(seed)
    return {
        f"{name}.weight": ("<f4", (rows, cols), [random.gauss(0, 1) for _ in range(rows * cols)]),
        f"{name}.inputs": ("<f4", (tokens, cols), [random.gauss(0.5, 1) for _ in range(tokens * cols)]),
    }


class Tags(html.parser.HTMLParser):
    """Elements that are still open, and whatever would load something."""

    def __init__(self):
        super().__init__()
        self.open, self.outside = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br", "rect"):
            self.open.append(tag)
        self.outside += [(tag, name) for name, _ in attrs if name in ("src", "href", "srcset", "xlink:href", "data", "action")]
        self.outside += [(tag,) for _ in range(tag in ("script", "link", "iframe", "object", "embed", "img"))]

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes nothing")


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="axecert-cli-")
        self.path = pathlib.Path(self.folder.name)
        write_npz(self.path / "layers.npz", layer())

    def tearDown(self):
        self.folder.cleanup()

    def run_axecert(self, *words, code=None):
        done = subprocess.run([str(AXECERT), *map(str, words)], cwd=self.path, capture_output=True, text=True, timeout=120, check=False)
        self.assertGreaterEqual(done.returncode, 0, f"died: {words}\n{done.stderr}")
        if code is not None:
            self.assertEqual(done.returncode, code, f"{words}\n{done.stdout}\n{done.stderr}")
        return done

    def json_of(self, *words, code):
        return json.loads(self.run_axecert(*words, "--json", code=code).stdout)

    def refused(self, words, code, *texts):
        done = self.run_axecert(*words, code=code)
        for text in texts:
            self.assertIn(text, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        document = json.loads(self.run_axecert(*words, "--json", code=code).stdout)
        self.assertEqual(document["exit_code"], code)
        self.assertIn(texts[0], document["error"])

    def quantize(self, out="out", *more, datapath="axe:P=14,T=8", code=SAFE):
        return self.run_axecert("quantize", "layers.npz", "-d", datapath, "-o", out, *more, code=code)


class Verbs(Case):
    # TOR-307, TOR-501, TOR-601
    def test_quantize_then_verify_explain_report(self):
        text = self.quantize().stdout
        self.assertIn("blocks.0.up  6 × 24  W4A8  OPTQ + AXE", text)
        self.assertIn("settled exactly", text)
        self.assertTrue(text.endswith("SAFE\n"), text)
        pair = ("out/certificate.axec", "out/weights.safetensors")

        text = self.run_axecert("verify", *pair, code=SAFE).stdout
        for word in ("checker", "z3", "replay", "assumes", "24 of 24 nodes"):
            self.assertIn(word, text)
        self.assertTrue(text.endswith("SAFE\n"), text)

        for depth in ("ground", "box", "none"):
            self.run_axecert("verify", *pair, "--z3", depth, "--no-replay", "--workers", "1", code=SAFE)
        self.run_axecert("verify", *pair, "-d", "axe:P=14,T=8", "--z3", "none", code=SAFE)
        text = self.run_axecert("verify", *pair, "-d", "axe:P=13,T=8", "--z3", "none", code=REFUSED).stdout
        self.assertIn("certified for another datapath", text)

        text = self.run_axecert("explain", *pair, code=SAFE).stdout
        for word in ("14-bit register", "positive weights sum to", "upper =", "lower =", "witness", "replayed: reaches"):
            self.assertIn(word, text)
        self.assertIn("row 5", self.run_axecert("explain", *pair, "--layer", "blocks.0.up", "--row", 5, code=SAFE).stdout)
        self.assertIn("32-bit register", self.run_axecert("explain", *pair, "--stage", 1, "--node", 0, code=SAFE).stdout)

        text = self.run_axecert("report", *pair, "--z3", "ground", code=SAFE).stdout
        self.assertIn("data types alone ask for", text)
        self.run_axecert("report", *pair, "--z3", "ground", "--html", "r.html", code=SAFE)
        page = (self.path / "r.html").read_text()
        self.assertIn("<svg", page)
        for forbidden in ("http://", "https://", "<script", "src="):
            self.assertNotIn(forbidden, page)

    # TOR-601
    def test_reports_in_every_format(self):
        """Of verify, report and certify: parsed by somebody else's parsers, and saying what the exit code says."""
        self.quantize()
        pair = ("out/certificate.axec", "out/weights.safetensors")
        files = ("--html", "r.html", "--markdown", "r.md", "--sarif", "r.sarif", "--junit", "r.xml")
        # 4·127·255 overflows int16 in row 1 alone.
        write_npz(self.path / "two|<1>.npz", {"fc.weight": ("|i1", (2, 4), [1, 1, 1, 1, 127, 127, 127, 127])})
        for words, code in (
            (("verify", *pair, "--z3", "none"), SAFE),
            (("report", *pair, "--z3", "none"), SAFE),
            (("verify", *pair, "--z3", "none", "-d", "axe:P=13,T=8"), REFUSED),
            (("certify", "two|<1>.npz", "-d", "axe:P=16"), UNSAFE),
        ):
            for name in files[1::2]:
                (self.path / name).unlink(missing_ok=True)
            text = self.run_axecert(*words, *files, code=code).stdout
            self.assertIn("wrote r.sarif", text)
            sarif = json.loads((self.path / "r.sarif").read_text())
            run = sarif["runs"][0]
            self.assertEqual(run["properties"]["verdict"], {SAFE: "safe", UNSAFE: "unsafe", REFUSED: "refused"}[code])
            self.assertEqual(sum(r["level"] != "none" for r in run["results"]) == 0, code == SAFE)
            suites = xml.etree.ElementTree.parse(self.path / "r.xml").getroot()
            cases = suites.findall("testsuite/testcase")
            bad = [c for c in cases if c.find("failure") is not None or c.find("error") is not None]
            self.assertEqual(int(suites.get("tests")), len(cases))
            self.assertEqual(int(suites.get("failures")) + int(suites.get("errors")), len(bad))
            self.assertEqual(not bad, code == SAFE)
            page = (self.path / "r.html").read_text()
            tags = Tags()
            tags.feed(page)
            self.assertEqual(tags.open, [])
            self.assertEqual(tags.outside, [])
            self.assertNotIn("<1>", page)
            self.assertNotIn("http", page)
            self.assertTrue((self.path / "r.md").read_text().startswith(f"# Overflow certificate: {run['properties']['verdict']}\n"))
        (result,) = [r for r in run["results"] if r["ruleId"] == "AXE001"]
        self.assertEqual(result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"], "fc/row 1")
        self.assertEqual(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "two%7C%3C1%3E.npz")
        self.assertEqual(result["properties"]["witnessRuns"], [[255, 4]])
        self.assertEqual(result["properties"]["registerHolds"], 4 * 127 * 255 - 65536 * 2)
        self.assertIn("two\\|&lt;1&gt;.npz", (self.path / "r.md").read_text())
        # All or none: one file that cannot be made, and nothing is written.
        for name in files[1::2]:
            (self.path / name).unlink(missing_ok=True)
        self.run_axecert("certify", "two|<1>.npz", "-d", "axe:P=16", "-o", "c.axec", "--sarif", "r.sarif", "--junit", "no/r.xml", code=CANNOT_CREATE)
        self.assertEqual([n for n in ("c.axec", "r.sarif") if (self.path / n).exists()], [])

    # TOR-601, TOR-603
    def test_json_of_every_verb(self):
        document = self.json_of("quantize", "layers.npz", "-d", "axe:P=14,T=8", "-o", "out", code=SAFE)
        self.assertEqual(list(document), ["verdict", "weights", "certificate", "options", "votes", "assumptions", "layers"])
        one = document["layers"][0]
        self.assertGreater(one["quantization"]["relative_error"], 0)
        self.assertEqual([s["nodes"] for s in one["stages"]], [18, 6])
        self.assertEqual(one["stages"][0]["limits"], [-8191, 8191])
        self.assertGreaterEqual(one["stages"][0]["smallest_margin"], 0)
        self.assertEqual(sum(count for _, count in one["worst"]["witness_runs"]), 24)
        pair = ("out/certificate.axec", "out/weights.safetensors")
        document = self.json_of("verify", *pair, code=SAFE)
        self.assertEqual(list(document), ["verdict", "certificate", "weights", "votes", "assumptions"])
        self.assertEqual([v["voter"] for v in document["votes"]], ["checker", "z3 ground", "z3 box", "replay"])
        self.assertTrue(all(v["nodes_checked"] == v["nodes_total"] == 24 for v in document["votes"]))
        self.assertIn("input-clamped", [a["name"] for a in document["assumptions"]])
        document = self.json_of("explain", *pair, code=SAFE)
        self.assertEqual(document["replay"]["overflowed"], False)
        self.assertEqual(document["replay"]["reached"], document["range"][1 if document["side"] == "upper" else 0])
        document = self.json_of("report", *pair, "--z3", "none", code=SAFE)
        self.assertEqual(list(document), ["verdict", "certificate", "weights", "tool", "votes", "assumptions", "layers"])
        self.assertEqual(self.json_of("datapaths", "x86-avx2-maddubs", code=0)["stages"][0]["limits"], [-32768, 32767])
        self.assertIn("x86-vnni", [d["name"] for d in self.json_of("datapaths", code=0)["datapaths"]])
        document = self.json_of("selftest", code=0)
        self.assertEqual((document["verdict"], document["failed"]), ("pass", 0))
        self.assertGreater(document["done"], 1000)

    # TOR-109
    def test_a_zero_point_per_token_is_certified_over_its_whole_range(self):
        def model(zero_point, name="model.safetensors"):
            write_safetensors(self.path / name, {
                "l.weight": ("|i1", (2, 4), [1, -2, 3, 4, -7, 7, -7, -6]),
                "l.scale": ("<f4", (2,), [1.0, 0.5]),
                "l.float_bias": ("<f4", (2,), [0.5, -0.5]),
                "l.input_lower": ("<i4", (1,), [0]),
                "l.input_upper": ("<i4", (1,), [15]),
                "l.input_shift": ("<i4", (1,), [0]),
                "l.input_zero_point": ("<i4", (len(zero_point),), zero_point),
            })
            return name
        # Row 1: Σw = −13 and codes [0, 15] give [−300, 105]; zero points add 13 each, so 0 … 15 reach 105 + 195 = 300.
        document = self.json_of("certify", model([0, 15]), "-d", "axe:P=11,T=2,outer=10", "-o", "c.axec", code=SAFE)
        self.assertEqual(document["layers"][0]["zero_point_spread"], 15)
        for depth in ("ground", "box"):
            text = self.run_axecert("verify", "c.axec", "model.safetensors", "--z3", depth, code=SAFE).stdout
            self.assertIn("its zero point into its range", text)
        story = self.json_of("explain", "c.axec", "model.safetensors", "--row", 1, "--stage", 1, code=SAFE)
        self.assertEqual((story["range"], story["initial_range"]), ([-300, 300], [0, 195]))
        self.assertIn("zero points over 16 codes", self.run_axecert("report", "c.axec", "model.safetensors", code=SAFE).stdout)
        self.run_axecert("certify", model([0, 15]), "-d", "axe:P=11,T=2,outer=9", code=UNSAFE)
        self.run_axecert("verify", "c.axec", model([0, 14], "other.safetensors"), "--z3", "none", code=REFUSED)
        self.refused(["certify", model([15, 0], "swapped.safetensors"), "-d", "axe:P=11,T=2"], DATA, "the least zero point")

    def test_datapaths(self):
        text = self.run_axecert("datapaths", "axe:P=16,T=64", code=0).stdout
        self.assertIn("tile: 16 bits", text)
        self.assertIn("[-32,767, 32,767]", text)
        self.assertIn("[[stage]]", self.run_axecert("datapaths", "x86-vnni", code=0).stdout)
        text = self.run_axecert("datapaths", "bitnet-i2_s-avx2", code=0).stdout
        for words in ("lane: 256 products reach [-65,024, 65,024], which overflows; inputs in [-64, 63] are safe for every weight",
                      "│ 128 registers, every 16th", "pairing ", "contracts ", "known bugs ", "sources "):
            self.assertIn(words, text)
        self.assertEqual(self.json_of("datapaths", "bitnet-i2_s-avx2", code=0)["worst_case"][1]["safe_inputs"], [-64, 63])
        # A row of 4,096 codes of 2: unsafe on the preset's inputs, safe on those that the worst case names.
        write_npz(self.path / "bitnet.npz", {"up.weight": ("|i1", (1, 4096), [2] * 4096)})
        self.run_axecert("certify", "bitnet.npz", "-d", "bitnet-i2_s-avx2", code=UNSAFE)
        self.run_axecert("certify", "bitnet.npz", "-d", "bitnet-i2_s-avx2", "--input-range=-64,63", code=SAFE)

    def test_options_of_quantize(self):
        for words in (["--corrector", "gpfq"], ["--corrector", "qronos"], ["--corrector", "none"], ["--constraint", "ep-init"], ["--published"],
                      ["--asymmetric"], ["--weight-bits", 3], ["--threads", 2, "--scales", "mse", "--refine", 0]):
            with self.subTest(words=words):
                self.quantize("o", *words)
        self.quantize("o", "--group-scales", datapath="axe:P=14,T=8,outer=float")
        self.quantize("o", datapath="axe:P=14,T=8,act=box")
        self.run_axecert("verify", "o/certificate.axec", "o/weights.safetensors", code=SAFE)
        self.quantize("o", datapath="axe:P=14,T=8,act=s8")

    def test_limited_inputs(self):
        """The activation quantizer keeps the sums of magnitudes small: what is written says so, and it is what makes the weights safe."""
        text = self.quantize("out", "--constraint", "input", "--compare", datapath="axe:P=12,T=8,act=s8").stdout
        self.assertIn("OPTQ + INPUT", text)
        self.assertTrue(text.endswith("SAFE\n"), text)
        pair = ("out/certificate.axec", "out/weights.safetensors")
        self.run_axecert("verify", *pair, code=SAFE)
        data = (self.path / pair[1]).read_bytes()
        self.assertIn("blocks.0.up.input_limit", json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]]))
        for activations, form in (("token-symmetric", "s8"), ("token-asymmetric", "u8"), ("tensor", "u8")):
            self.quantize("o", "--activations", activations, datapath="axe:P=14,T=8,act=" + form)
        for activations in ("token-asymmetric", "tensor"):
            self.refused(("quantize", "layers.npz", "-d", "axe:P=12,T=8", "-o", "o", "--constraint", "input", "--activations", activations), USAGE,
                         "--activations")

    def test_no_constraint_may_be_unsafe_and_is_written(self):
        text = self.quantize("out", "--constraint", "none", datapath="axe:P=9", code=UNSAFE).stdout
        self.assertTrue(text.endswith("UNSAFE\n"), text)
        pair = ("out/certificate.axec", "out/weights.safetensors")
        self.run_axecert("verify", *pair, code=UNSAFE)
        text = self.run_axecert("explain", *pair, code=UNSAFE).stdout
        self.assertIn("exceeds the register by", text)
        self.assertIn("overflows, and the register holds", text)

    def test_given_scales(self):
        arrays = layer()
        arrays["blocks.0.up.weight_scale"] = ("<f4", (6,), [0.25] * 6)
        write_npz(self.path / "layers.npz", arrays)
        self.quantize("out", "--scales", "given")
        data = (self.path / "out/weights.safetensors").read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        begin, end = json.loads(data[8:8 + size])["blocks.0.up.scale"]["data_offsets"]
        self.assertEqual(struct.unpack("<6f", data[8 + size + begin:8 + size + end]), (0.25,) * 6)

    # TOR-104
    def test_certify(self):
        weights = [127, 127, -128, 0] + [1, -1, 1, -1]
        for name, write in (("m.safetensors", write_safetensors), ("m.npz", write_npz)):
            write(self.path / name, {"fc.weight": ("|i1", (2, 4), weights)})
            text = self.run_axecert("certify", name, "-d", "x86-avx2-maddubs", "-o", "m.axec", code=UNSAFE).stdout
            self.assertIn("1 of 2 rows are safe", text)
            self.assertIn("exceeds the register by", text)
            self.run_axecert("verify", "m.axec", name, code=UNSAFE)
            document = self.json_of("certify", name, "-d", "x86-avx2-maddubs", "--input-range", "0,64", code=SAFE)
            self.assertEqual(document["layers"][0]["input_source"], "given")
            self.assertEqual(document["layers"][0]["input_range"], [0, 64])
        self.run_axecert("certify", "m.npz", "-d", "axe:P=32", "--input-range", "-1,0", code=DATA)  # outside the datapath's operands

    # TOR-405
    def test_a_stage_that_cannot_hold_its_worst_case_says_for_which_inputs_it_would(self):
        write_safetensors(self.path / "w.safetensors", {"fc.weight": ("|i1", (1, 4096), [2] * 4096)})
        text = self.run_axecert("certify", "w.safetensors", "-d", "bitnet-i2_s-avx2", code=UNSAFE).stdout
        self.assertIn("16 of 16 registers can overflow, none where inputs are in [-64, 63], whatever the weights", text)
        self.assertIn("reaches 65,024, overflows, and the register holds -512", text)
        text = self.run_axecert("certify", "w.safetensors", "-d", "bitnet-i2_s-avx2", "--input-range=-64,63", code=SAFE).stdout
        self.assertNotIn("whatever the weights", text)
        self.run_axecert("certify", "w.safetensors", "-d", "bitnet-i2_s-avx2", "--input-range=-65,63", code=UNSAFE)
        self.run_axecert("certify", "w.safetensors", "-d", "bitnet-i2_s-avx2", "--input-range=-64,64", code=UNSAFE)

    # TOR-102
    def test_boxes_without_0_are_judged_in_every_order_and_told_in_the_datapaths_own(self):
        write_safetensors(self.path / "w.safetensors", {"a.weight": ("|i1", (1, 4), [100, -100, 100, -100]), "b.weight": ("|i1", (1, 4), [100, 100, -100, -100])})
        (self.path / "d.toml").write_text(json.loads(self.run_axecert("datapaths", "hls4ml-16-sat", "--json").stdout)["toml"].replace("-128, 127]\nform", "0, 300]\nform"))
        document = self.json_of("certify", "w.safetensors", "-d", "d.toml", "--input-range", "300,300", code=UNSAFE)
        self.assertEqual([layer["unsafe_in_kernel_order"] for layer in document["layers"]], [0, 1])
        text = self.run_axecert("certify", "w.safetensors", "-d", "d.toml", "--input-range", "300,300", code=UNSAFE).stdout
        self.assertIn("every prefix fits, and only a kernel that adds otherwise overflows", text)
        document = self.json_of("certify", "w.safetensors", "-d", "d.toml", "--input-range", "0,300", code=UNSAFE)
        self.assertEqual([layer["unsafe_in_kernel_order"] for layer in document["layers"]], [None, None])

    # TOR-601, TOR-607
    def test_requantization_is_judged_beside_the_registers(self):
        # Inputs in [0, 255]: sums in [-1,785, 2,040], and with the bias up to 2^24 + 2,040.
        weights = {"fc.weight": ("|i1", (2, 2), [8, -7, 1, 0])}
        write_safetensors(self.path / "w.safetensors", weights)
        certify = ("certify", "w.safetensors", "-d", "axe:P=12")
        write_npz(self.path / "m.npz", {"fc": ("<f8", (2,), [0.001, 2.0**20])})  # 2^20 is 2^30 · 2^(21 − 31): 2,040 · 2^21 > 2^31
        self.assertIn("every sum, shifted to the left", self.run_axecert(*certify, "--requantize", "tflite", "--multipliers", "m.npz", code=SAFE).stdout)
        write_npz(self.path / "m.npz", {"fc": ("<f8", (1,), [2.0**20])})
        text = self.run_axecert(*certify, "--requantize", "tflite", "--multipliers", "m.npz", code=UNSAFE).stdout
        self.assertIn("fc, row 0, stage 1, register 0: the sum -1785 shifted to the left by 21 has more than 32 bits, and overflow is undefined", text)
        self.assertNotIn("row 1, stage", text)
        document = self.json_of(*certify, "--requantize", "tflite", "--multipliers", "m.npz", code=UNSAFE)
        self.assertEqual([vote["verdict"] for vote in document["votes"]], ["safe", "unsafe"])
        self.run_axecert(*certify, "--requantize", "tflite", code=INCOMPLETE)  # no multiplier
        self.run_axecert(*certify, "--requantize", "float32", code=SAFE)
        # The two ways of reading weights say the same; reports have the finding, layer and row included.
        self.run_axecert(*certify, "--requantize", "ruy", "--multipliers", "m.npz", "--sarif", "r.sarif", "--junit", "r.xml", "--html", "r.html", code=UNSAFE)
        result = json.loads((self.path / "r.sarif").read_text())["runs"][0]["results"]
        self.assertEqual([r["ruleId"] for r in result], ["AXE006"])
        self.assertEqual(result[0]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"], "fc/row 0")
        # An overflow of a register stays what it is, whatever follows.
        self.run_axecert("certify", "w.safetensors", "-d", "axe:P=11", "--requantize", "float32", code=UNSAFE)
        write_safetensors(self.path / "b.safetensors", {**weights, "fc.bias": ("<i8", (2,), [0, 2**24])})
        text = self.run_axecert("certify", "b.safetensors", "-d", "axe:P=12", code=SAFE).stdout
        self.assertIn("beyond 2^24: a conversion to float32 may round them", text)
        text = self.run_axecert("certify", "b.safetensors", "-d", "axe:P=12", "--requantize", "float32", code=UNSAFE).stdout
        self.assertIn("fc, row 1, stage 1, register 0: the sum 16777471 is no float32", text)

        self.refused((*certify, "--multipliers", "m.npz"), USAGE, "--multipliers", "--requantize")
        # A datapath that names its requantizer is judged by it where multipliers are known.
        toml = json.loads(self.run_axecert("datapaths", "ruy-neon-int8", "--json").stdout)
        self.assertEqual(toml["requantizer"], "ruy")
        write_safetensors(self.path / "r.safetensors", {"fc.weight": ("|i1", (1, 2), [8, -7])})
        self.assertEqual(len(self.json_of("certify", "r.safetensors", "-d", "ruy-neon-int8", code=SAFE)["votes"]), 1)
        write_npz(self.path / "m.npz", {"fc": ("<f8", (1,), [0.001])})
        votes = self.json_of("certify", "r.safetensors", "-d", "ruy-neon-int8", "--multipliers", "m.npz", code=SAFE)["votes"]
        self.assertEqual([(vote["voter"], vote["version"]) for vote in votes[1:]], [("requantization", "ruy")])
        write_npz(self.path / "m.npz", {"fc": ("<f8", (1,), [2.0**20])})
        self.run_axecert("certify", "r.safetensors", "-d", "ruy-neon-int8", "--multipliers", "m.npz", code=UNSAFE)
        (self.path / "d.toml").write_text(toml["toml"].replace('requantizer = "ruy"', 'requantizer = "rui"'))
        self.refused(("certify", "r.safetensors", "-d", "d.toml"), USAGE, "no requantizer 'rui'", "did you mean 'ruy'?")

        self.refused((*certify, "--requantize", "float32", "--multipliers", "m.npz"), USAGE, "float32 takes none")
        self.refused((*certify, "--requantize", "tflite", "--multipliers", "none.npz"), NO_INPUT, "none.npz")
        self.refused((*certify, "--requantize", "tflight"), USAGE, "tflight")
        for array, text in ((("<f8", (3,), [1, 1, 1]), "has 3 multipliers, the layer 2 rows"), (("<f8", (2,), [1, 0]), "no positive number"),
                            (("<f8", (2,), [1, float("nan")]), "not a number"), (("<f8", (1, 2), [1, 1]), "is no list of multipliers")):
            write_npz(self.path / "m.npz", {"fc": array})
            self.refused((*certify, "--requantize", "tflite", "--multipliers", "m.npz"), DATA, text)
        write_npz(self.path / "m.npz", {"fcc": ("<f8", (1,), [1])})
        self.refused((*certify, "--requantize", "tflite", "--multipliers", "m.npz"), DATA, "which is no layer")

    def test_two_files_and_one_layer(self):
        write_npz(self.path / "second.npz", layer("blocks.1.down", seed=2))
        self.run_axecert("quantize", "layers.npz", "second.npz", "-d", "axe:P=14,T=8", "-o", "both", code=SAFE)
        document = self.json_of("report", "both/certificate.axec", "both/weights.safetensors", "--z3", "none", code=SAFE)
        self.assertEqual([one["name"] for one in document["layers"]], ["blocks.0.up", "blocks.1.down"])
        self.run_axecert("quantize", "layers.npz", "second.npz", "-d", "axe:P=14,T=8", "-o", "one", "--layer", "blocks.1.down", code=SAFE)
        # A certificate that leaves a layer of the weights file out is incomplete.
        self.run_axecert("verify", "one/certificate.axec", "both/weights.safetensors", "--z3", "none", "--no-replay", code=INCOMPLETE)
        self.refused(("quantize", "layers.npz", "layers.npz", "-d", "axe:P=14", "-o", "x"), DATA, "stands in another file too")


class Files(Case):
    # TOR-212
    def test_equal_inputs_give_equal_bytes(self):
        for datapath in ("axe:P=14,T=8", "axe:P=12,T=8,act=box"):
            self.quantize("a", "--threads", 1, datapath=datapath)
            self.quantize("b", "--threads", 2, datapath=datapath)
            for name in ("weights.safetensors", "certificate.axec"):
                self.assertEqual((self.path / "a" / name).read_bytes(), (self.path / "b" / name).read_bytes(), name)

    # TOR-211
    def test_nothing_is_half_written(self):
        (self.path / "file").write_text("in the way")
        self.refused(("quantize", "layers.npz", "-d", "axe:P=14,T=8", "-o", "file"), CANNOT_CREATE, "file")
        self.assertEqual((self.path / "file").read_text(), "in the way")
        # A refusal that comes after the folder was made takes the folder back.
        self.run_axecert("quantize", "layers.npz", "-d", "axe:P=14,T=8", "--group-scales", "-o", "a/b/c", code=DATA)
        self.assertFalse((self.path / "a").exists())
        # One of the two files cannot be made: the other is not there either.
        (self.path / "out" / "certificate.axec").mkdir(parents=True)
        self.refused(("quantize", "layers.npz", "-d", "axe:P=14,T=8", "-o", "out"), CANNOT_CREATE, "certificate.axec")
        self.assertEqual(os.listdir(self.path / "out"), ["certificate.axec"])
        if os.geteuid() != 0:
            (self.path / "locked").mkdir()
            (self.path / "locked").chmod(0o555)
            self.refused(("quantize", "layers.npz", "-d", "axe:P=14,T=8", "-o", "locked"), CANNOT_CREATE, "locked")
            self.assertEqual(os.listdir(self.path / "locked"), [])
        self.quantize("good")
        self.refused(("report", "good/certificate.axec", "good/weights.safetensors", "--z3", "none", "--html", "no/such/folder/r.html"), CANNOT_CREATE, "r.html")

    # TOR-207, TOR-204
    def test_a_tampered_file_is_refused(self):
        self.quantize()
        certificate, weights = self.path / "out/certificate.axec", self.path / "out/weights.safetensors"
        for victim in (certificate, weights):
            whole = victim.read_bytes()
            random.seed(3)
            # The weights file's metadata, scales and alike are not what the certificate speaks about: take the int8 weights.
            places = [len(whole) - 1 - i for i in range(6 * 24)] if victim == weights else range(len(whole))
            for at in random.sample(list(places), 12):
                victim.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
                done = self.run_axecert("verify", certificate, weights, "--z3", "none", "--no-replay")
                self.assertEqual(done.returncode, REFUSED, f"{victim.name} byte {at}\n{done.stdout}{done.stderr}")
            for size in (0, 7, 8, 100, len(whole) - 1):
                victim.write_bytes(whole[:size])
                self.run_axecert("verify", certificate, weights, "--z3", "none", "--no-replay", code=REFUSED)
                self.run_axecert("explain", certificate, weights, code=REFUSED)
            victim.write_bytes(whole)
        self.run_axecert("verify", certificate, weights, "--z3", "none", "--no-replay", code=SAFE)

    # TOR-601
    def test_refused_as_json(self):
        self.quantize()
        whole = (self.path / "out/certificate.axec").read_bytes()
        (self.path / "out/certificate.axec").write_bytes(whole[:-1])
        document = self.json_of("verify", "out/certificate.axec", "out/weights.safetensors", code=REFUSED)
        self.assertEqual(document["verdict"], "refused")
        self.assertEqual(len(document["votes"][0]["findings"]), 1)


class Errors(Case):
    def test_usage(self):
        self.refused(("quantise", "x"), USAGE, "did you mean 'quantize'?")
        self.refused(("quantize", "layers.npz", "-d", "axe:P=14"), USAGE, "--output")
        self.refused(("quantize", "layers.npz", "-d", "axe:P=0", "-o", "out"), USAGE, "P")
        self.refused(("quantize", "layers.npz", "-d", "x86-avx2-madubs", "-o", "out"), USAGE, "x86-avx2-maddubs")
        self.refused(("quantize", "layers.npz", "-d", "axe:P=14", "-o", "out", "--corrector", "optk"), USAGE, "--corrector")
        self.refused(("quantize", "layers.npz", "-d", "axe:P=14", "-o", "out", "--weight-bits", 9), USAGE, "--weight-bits")
        self.refused(("quantize", "layers.npz", "-d", "axe:P=14", "-o", "out", "--layer", "blocks.0.upp"), USAGE, "did you mean 'blocks.0.up'?")
        self.refused(("verify", "a", "b", "--z3", "fast"), USAGE, "--z3")
        self.assertFalse((self.path / "out").exists())
        self.run_axecert("--help", code=0)
        self.assertRegex(self.run_axecert("--version", code=0).stdout, r"^axecert \d+\.\d+\.\d+\n$")
        self.run_axecert(code=USAGE)

    def test_missing_files(self):
        self.refused(("quantize", "none.npz", "-d", "axe:P=14", "-o", "out"), NO_INPUT, "none.npz: no such file")
        self.refused(("quantize", ".", "-d", "axe:P=14", "-o", "out"), NO_INPUT, "is a folder")
        self.refused(("quantize", "layers.npz", "-d", "none.toml", "-o", "out"), NO_INPUT, "none.toml: no such file")
        self.refused(("verify", "none.axec", "layers.npz"), NO_INPUT, "none.axec")

    def test_bad_data(self):
        def refused(change, *texts):
            arrays = layer()
            change(arrays)
            write_npz(self.path / "bad.npz", arrays)
            self.refused(("quantize", "bad.npz", "-d", "axe:P=14,T=8", "-o", "out"), DATA, *texts, "bad.npz")
            self.assertFalse((self.path / "out").exists())

        name = "blocks.0.up"
        refused(lambda a: a.update({f"{name}.wieght": a[f"{name}.weight"]}), "wieght", "known keys")
        refused(lambda a: a.pop(f"{name}.inputs"), "blocks.0.up.H", "is missing")
        refused(lambda a: a.pop(f"{name}.weight"), "holds no layer")
        refused(lambda a: a.update({f"{name}.weight": ("<f4", (1, 24), [float("nan")] * 24)}), "not a number")
        refused(lambda a: a.update({f"{name}.weight": ("<f4", (0, 24), [])}), "empty layer")
        refused(lambda a: a.update({f"{name}.weight": ("|i1", (1, 24), [1] * 24)}), "axecert certify")
        refused(lambda a: a.update({f"{name}.inputs": ("<f4", (1, 23), [1] * 23)}), "[tokens, 24]")
        (self.path / "text.npz").write_text("this is no archive")
        self.refused(("quantize", "text.npz", "-d", "axe:P=14", "-o", "out"), DATA, "neither an .npz nor a .safetensors")
        self.refused(("certify", "layers.npz", "-d", "axe:P=14"), DATA, "inputs")

    def test_names_that_are_no_utf8_still_give_json(self):
        done = subprocess.run([str(AXECERT).encode(), b"certify", b"n\xff.npz", b"-d", b"axe:P=14", b"--json"], cwd=self.path, capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, NO_INPUT)
        self.assertEqual(json.loads(done.stdout.decode())["exit_code"], NO_INPUT)
        self.quantize()
        os.rename(os.fsencode(self.path / "out/certificate.axec"), os.fsencode(self.path) + b"/c\xff.axec")
        done = subprocess.run([str(AXECERT).encode(), b"verify", b"c\xff.axec", b"out/weights.safetensors", b"--z3", b"none", b"--json"], cwd=self.path,
                              capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, SAFE)
        self.assertEqual(json.loads(done.stdout.decode())["verdict"], "safe")

    def test_unknown_nodes(self):
        self.quantize()
        pair = ("out/certificate.axec", "out/weights.safetensors")
        self.refused(("explain", *pair, "--layer", "blocks.0.pu"), USAGE, "did you mean 'blocks.0.up'?")
        self.refused(("explain", *pair, "--row", 6), USAGE, "rows are 0 to 5")
        self.refused(("explain", *pair, "--stage", 2), USAGE, "stages are 0 to 1")
        self.refused(("explain", *pair, "--node", 9), USAGE, "registers are 0 to 2")

    def test_progress_is_silent_unless_asked_for(self):
        self.assertEqual(self.quantize().stderr, "")
        self.assertIn("blocks.0.up 100 %", self.quantize("out", "--progress").stderr)


if __name__ == "__main__":
    if AXECERT is None:
        sys.exit(__doc__)
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])

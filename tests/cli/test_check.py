"""`axecert check`: policies that are met and that are not, what they may say, what is written; and the example of examples/ci, its scripts included.

    python3 test_check.py PATH_TO_AXECERT REPOSITORY WITH_ONNX

WITH_ONNX is 1 or 0: whether axecert reads ONNX models. Only the Python standard library.

Requirements: TOR-106, TOR-211, TOR-306, TOR-601, TOR-606.
"""

import json
import os
import pathlib
import re
import shutil
import sys
import unittest
import xml.etree.ElementTree

REPOSITORY = pathlib.Path(sys.argv[2]).resolve()
WITH_ONNX = sys.argv[3] == "1"
import test_cli  # noqa: E402 (it takes its program from sys.argv)
from test_cli import CANNOT_CREATE, DATA, INCOMPLETE, NO_INPUT, REFUSED, SAFE, UNSAFE, USAGE, Case, write_safetensors  # noqa: E402

FIXTURES = REPOSITORY / "tests" / "onnx" / "fixtures"
POLICY = """
datapaths = ["axe:P=12"]
voters = ["checker", "z3-ground", "z3-box", "replay"]

[[model]]
file = "weights.safetensors"
"""


class CheckCase(Case):
    def setUp(self):
        super().setUp()
        # Inputs in [0, 255]: the row reaches 255 · 8 = 2,040 and −255 · 7 = −1,785, of 2,047.
        self.weights([8, -7, 0, 0])

    def weights(self, row):
        write_safetensors(self.path / "weights.safetensors", {"fc.weight": ("|i1", (1, len(row)), row)})

    def check(self, policy, code, *words):
        (self.path / "axecert.toml").write_text(policy)
        return self.run_axecert("check", *words, code=code).stdout

    def refuses(self, policy, *texts, code=DATA):
        (self.path / "axecert.toml").write_text(policy)
        self.refused(("check",), code, *texts)

    def files(self):
        return sorted(p.name for p in (self.path / "out").iterdir()) if (self.path / "out").exists() else None


class Policies(CheckCase):
    def test_met_and_not_met(self):
        text = self.check(POLICY, SAFE)
        for words in ("weights.safetensors on axe:P=12: SAFE", "2 registers, 0 can overflow; the fullest is filled to 99.7 %",
                      "checker", "z3 ground", "z3 box", "replay", "1 of 1 checks pass"):
            self.assertIn(words, text)
        two = POLICY.replace('["axe:P=12"]', '["axe:P=12", "axe:P=11"]')
        text = self.check(two, UNSAFE)
        self.assertIn("on axe:P=12: SAFE", text)
        self.assertIn("on axe:P=11: UNSAFE", text)
        self.assertIn("fc, row 0, stage tile, register 0: range [-1,785, 2,040] in [-1,023, 1,023]", text)
        self.assertIn("policy axecert.toml: 1 of 2 checks pass\nUNSAFE", text)
        self.check(POLICY + 'datapaths = ["axe:P=11"]\n', UNSAFE)  # a model's own datapaths, instead
        self.check(POLICY + 'datapaths = ["axe:P=11"]\ninput_range = [0, 100]\n', SAFE)

    def test_only_the_voters_that_are_named_are_asked(self):
        document = json.loads(self.check(POLICY.replace(', "z3-ground", "z3-box", "replay"', ""), SAFE, "--json"))
        self.assertEqual([vote["voter"] for vote in document["checks"][0]["votes"]], ["checker"])
        document = json.loads(self.check(POLICY.replace('"checker", ', ""), SAFE, "--json"))  # the checker always votes
        self.assertEqual([vote["voter"] for vote in document["checks"][0]["votes"]], ["checker", "z3 ground", "z3 box", "replay"])
        # A voter that does not get through keeps the policy from being met: four products of 16 bits are beyond bit vectors.
        self.weights([1] * 40)
        text = self.check(POLICY.replace('"z3-ground", "z3-box", "replay"', '"z3-bits"').replace("P=12", "P=16"), INCOMPLETE)
        self.assertIn("z3 bit-precise", text)

    def test_margin_to_the_step(self):
        # 2,040 of 2,047: with 8 % the limit would be 0.92 · 2,047 = 1,883.24.
        margin = 'minimum_margin_percent = 8\n'
        self.weights([7, -7])  # 1,785
        self.check(margin + POLICY, SAFE)
        self.weights([7, 0, 1])  # 2,040, of two positive weights
        text = self.check(margin + POLICY, REFUSED)
        self.assertIn("fc, row 0, stage 0, register 0: range [0, 2,040] in [-2,047, 2,047] leaves less than 8 %", text)
        self.assertNotIn("does not hold", text)
        # Equality is enough: 50 % of 2,046 / 2 … a register of ±1,023 and inputs in [0, 1]: 511 leaves 50 %, 512 does not.
        half = 'minimum_margin_percent = 50\n' + POLICY.replace("P=12", "P=11") + "input_range = [0, 1]\n"
        self.weights([127, 127, 127, 127, 3])
        self.check(half, SAFE)
        self.weights([127, 127, 127, 127, 4])
        self.check(half, REFUSED)
        self.weights([-127, -127, -127, -127, -4])
        self.check(half, REFUSED)
        # What overflows is unsafe, and not merely short of room.
        self.weights([127, 127])
        self.check(margin + POLICY, UNSAFE)

    def test_what_is_written(self):
        self.check(POLICY.replace('["axe:P=12"]', '["axe:P=12", "axe:P=11"]'), UNSAFE, "-o", "out")
        self.assertEqual(self.files(), sorted(f"weights.axe_P_{p}.{end}" for p in (11, 12) for end in ("axec", "html", "junit", "md", "sarif", "xml") if end != "junit"))
        self.run_axecert("verify", "out/weights.axe_P_12.axec", "weights.safetensors", code=SAFE)
        self.run_axecert("verify", "out/weights.axe_P_11.axec", "weights.safetensors", code=UNSAFE)
        runs = [json.loads((self.path / "out" / f"weights.axe_P_{p}.sarif").read_text())["runs"][0] for p in (11, 12)]
        self.assertEqual([run["automationDetails"]["id"] for run in runs],
                         ["axecert/weights.safetensors/axe:P=11/", "axecert/weights.safetensors/axe:P=12/"])
        xml.etree.ElementTree.parse(self.path / "out" / "weights.axe_P_11.xml")

    def test_the_same_name_in_two_folders(self):
        (self.path / "a").mkdir()
        shutil.copy(self.path / "weights.safetensors", self.path / "a" / "weights.safetensors")
        self.check(POLICY + '[[model]]\nfile = "a/weights.safetensors"\n', SAFE, "-o", "out")
        self.assertEqual(len(self.files()), 10)

    def test_paths_are_relative_to_the_policy(self):
        (self.path / "deep").mkdir()
        shutil.move(self.path / "weights.safetensors", self.path / "deep" / "weights.safetensors")
        toml = self.run_axecert("datapaths", "x86-vnni", "--json").stdout
        (self.path / "deep" / "mine.toml").write_text(json.loads(toml)["toml"])
        (self.path / "deep" / "axecert.toml").write_text(POLICY.replace("axe:P=12", "mine.toml"))
        text = self.run_axecert("check", "deep/axecert.toml", code=SAFE).stdout
        self.assertIn("on mine.toml: SAFE", text)

    def test_nothing_is_half_written(self):
        self.weights([8, -7, 0, 0])
        (self.path / "axecert.toml").write_text(POLICY + '[[model]]\nfile = "broken.safetensors"\n')
        (self.path / "broken.safetensors").write_bytes(b"\0" * 9)
        self.run_axecert("check", "-o", "out", code=DATA)
        self.assertIsNone(self.files())
        (self.path / "broken.safetensors").unlink()
        self.run_axecert("check", "-o", "out", code=NO_INPUT)
        self.assertIsNone(self.files())
        (self.path / "axecert.toml").write_text(POLICY)
        self.run_axecert("check", "-o", "axecert.toml", code=CANNOT_CREATE)
        before = set(os.listdir(self.path))
        self.run_axecert("check", code=SAFE)
        self.assertEqual(set(os.listdir(self.path)), before)


class WrongPolicies(CheckCase):
    def test_every_mistake_is_named_with_its_place(self):
        self.run_axecert("check", code=NO_INPUT)
        self.refuses("voters = [", "axecert.toml:1:")
        self.refuses("margin = 3\n" + POLICY, "axecert.toml:1:1", "unknown key 'margin'", "minimum_margin_percent")
        self.refuses(POLICY + "datapath = []\n", "unknown key 'datapath' in a model", "datapaths")
        self.refuses(POLICY.replace("voters", "# voters"), "lacks 'voters'")
        self.refuses(POLICY.replace('"replay"', '"z3"'), "axecert.toml:3:", "no voter 'z3'", "z3-")
        self.refuses(POLICY.replace('"replay"', '"checker"'), "stands twice")
        self.refuses(POLICY.replace('"z3-ground", "z3-box"', '"cvc5"'), "cvc5 has no queries of its own")
        self.refuses(POLICY.replace("datapaths", "# datapaths"), "a model lacks 'datapaths'")
        self.refuses(POLICY.replace('["axe:P=12"]', "[]"), "'datapaths' is empty")
        self.refuses(POLICY.replace('["axe:P=12"]', '"axe:P=12"'), "'datapaths' is no list")
        self.refuses(POLICY.replace("axe:P=12", "x86-vnny"), "did you mean 'x86-vnni'?", code=USAGE)
        self.refuses("minimum_margin_percent = 100\n" + POLICY, "'minimum_margin_percent' is no whole number from 0 to 99")
        self.refuses("minimum_margin_percent = 2.5\n" + POLICY, "'minimum_margin_percent' is no whole number")
        self.refuses("replay_inputs = 3\n" + POLICY.replace(', "replay"', ""), "'replay_inputs' without the voter")
        self.refuses(POLICY.split("[[model]]", maxsplit=1)[0], "lacks 'model'")
        self.refuses(POLICY.replace("[[model]]", "[model]"), "'model' is no list of tables")
        self.refuses(POLICY.replace("file =", "# file ="), "a model lacks 'file'")
        self.refuses(POLICY + "input_range = [3, 2]\n", "'input_range' is empty")
        self.refuses(POLICY + "input_range = [3]\n", "'input_range' is no pair")
        self.refuses(POLICY + 'conv_order = "any"\n', "'conv_order' is 'any'")
        self.refuses(POLICY + 'accept_not_covered = ["x"]\n', "is no .onnx file")


@unittest.skipUnless(WITH_ONNX, "axecert was built without ONNX")
class Onnx(CheckCase):
    MODEL = """
datapaths = ["x86-vnni"]
voters = ["checker"]

[[model]]
file = "model.onnx"
"""

    def test_nodes_without_a_layer_are_accepted_by_name_and_no_longer_than_they_exist(self):
        shutil.copy(FIXTURES / "attention_like.onnx", self.path / "model.onnx")
        document = json.loads(self.check(self.MODEL, INCOMPLETE, "--json"))
        listed = json.loads(self.run_axecert("certify", "model.onnx", "-d", "x86-vnni", "--json", code=INCOMPLETE).stdout)["onnx"]
        nodes = [entry["node"] for entry in listed["not_covered"] + listed["unknown"]]
        self.assertTrue(nodes)
        self.assertEqual(document["checks"][0]["accepted"], [])
        accepting = self.MODEL + f"accept_not_covered = {json.dumps(nodes)}\n"
        text = self.check(accepting, SAFE)
        for node in nodes:
            self.assertIn("accepted by the policy, and not covered: " + node, text)
        if len(nodes) > 1:
            self.check(self.MODEL + f"accept_not_covered = {json.dumps(nodes[1:])}\n", INCOMPLETE)
        shutil.copy(FIXTURES / "matmul_integer.onnx", self.path / "model.onnx")
        self.refuses(accepting, "is nothing that model.onnx leaves uncovered")

    def test_a_name_that_two_nodes_have_accepts_neither(self):
        """Names of nodes need not differ in ONNX. A second model behind the first adds to its graph (protobuf merges messages)."""
        def field(number, content):
            return bytes([number << 3 | 2, len(content)]) + content

        node = b"".join(field(number, text) for number, text in ((1, b"x"), (1, b"t"), (2, b"again"), (3, b"computed"), (4, b"MatMulInteger")))
        first = (FIXTURES / "attention_like.onnx").read_bytes()
        (self.path / "model.onnx").write_bytes(first + field(7, field(1, node)))
        both = self.MODEL + 'accept_not_covered = ["computed (MatMulInteger)", "mystery (com.example.Mystery)"]\n'
        self.refuses(both, "'computed (MatMulInteger)' is the name of 2 nodes of model.onnx", "a name of its own")
        self.check(self.MODEL, INCOMPLETE)
        (self.path / "model.onnx").write_bytes(first)
        self.check(both, SAFE)

    def test_what_follows_the_registers_is_judged_where_the_model_says_what_it_is(self):
        shutil.copy(FIXTURES / "qlinear_matmul.onnx", self.path / "model.onnx")
        toml = json.loads(self.run_axecert("datapaths", "x86-vnni", "--json").stdout)["toml"]
        (self.path / "own.toml").write_text(toml.replace("form =", 'requantizer = "gemmlowp"\nform ='))
        text = self.check(self.MODEL.replace("x86-vnni", "own.toml"), SAFE)
        self.assertIn("requantization gemmlowp", text)
        self.assertNotIn("requantization", self.check(self.MODEL, SAFE))

    def test_a_model_without_any_layer_does_not_pass(self):
        shutil.copy(FIXTURES / "malformed" / "dynamic_weights.onnx", self.path / "model.onnx")
        self.check(self.MODEL, INCOMPLETE, "-o", "out")
        self.assertEqual(self.files(), [f"model.x86-vnni.{end}" for end in ("html", "md", "sarif", "xml")])
        self.refuses(self.MODEL + 'accept_not_covered = ["product (MatMulInteger)"]\n', "has no integer dot product that could be checked")

    def test_the_example(self):
        """The folder as it is in the repository, and every axecert line of the two scripts."""
        folder = self.path / "example"
        shutil.copytree(REPOSITORY / "examples" / "ci", folder)
        for script, quote in (("github-actions.yml", "- run: "), ("gitlab-ci.yml", "- ")):
            lines = re.findall(rf"^ *{re.escape(quote)}\S+/cli/axecert (.*)$", (folder / script).read_text(), re.M)
            self.assertEqual(len(lines), 1, script)
            shutil.rmtree(folder / "axecert-reports", ignore_errors=True)
            done = test_cli.subprocess.run([str(test_cli.AXECERT), *lines[0].split()], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual(done.returncode, SAFE, done.stdout + done.stderr)
            self.assertIn("4 of 4 checks pass", done.stdout)
            for ending in ("sarif", "xml", "md", "html", "axec"):
                self.assertEqual(len(list((folder / "axecert-reports").glob("*." + ending))), 4)
        # A model that is not safe where pairs saturate does not get through.
        policy = (folder / "axecert.toml").read_text()
        (folder / "axecert.toml").write_text(policy.replace('["x86-vnni", "arm-sdot"]', '["x86-avx2-maddubs"]'))
        done = test_cli.subprocess.run([str(test_cli.AXECERT), "check"], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, UNSAFE, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

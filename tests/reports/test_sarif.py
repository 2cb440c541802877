"""SARIF of every verdict against the standard's schema: pydantic-sarif is generated from it, and admits nothing that the schema does not.

    python3 test_sarif.py PATH_TO_AXECERT

Needs pydantic-sarif.

Requirements: TOR-601.
"""

import copy
import json
import pathlib
import sys
import unittest

import pydantic
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from test_cli import INCOMPLETE, REFUSED, SAFE, UNSAFE, Case, write_safetensors  # noqa: E402 (it takes its program from sys.argv)


class Schema(Case):
    def report(self, *words, code):
        self.run_axecert(*words, "--sarif", "r.sarif", code=code)
        document = json.loads((self.path / "r.sarif").read_text())
        Sarif.model_validate(document)
        return document

    def test_every_verdict_and_every_rule(self):
        self.quantize()
        pair = ("out/certificate.axec", "out/weights.safetensors")
        rules = set()

        def add(document):
            rules.update(result["ruleId"] for result in document["runs"][0]["results"])

        safe = self.report("verify", *pair, "--z3", "none", code=SAFE)
        add(safe)
        add(self.report("verify", *pair, "--z3", "bits", code=INCOMPLETE))
        add(self.report("verify", *pair, "--z3", "none", "-d", "axe:P=13,T=8", code=REFUSED))
        name = 'a "strange" <name>'
        write_safetensors(self.path / f"{name}.safetensors", {"fc.weight": ("|i1", (3, 4), [127, 127, -128, 0] + [1, -1, 1, -1] + [-128, -128, 1, 1])})
        add(self.report("certify", f"{name}.safetensors", "-d", "x86-avx2-maddubs", code=UNSAFE))
        write_safetensors(self.path / "w.safetensors", {"fc.weight": ("|i1", (1, 2), [8, -7]), "fc.bias": ("<i8", (1,), [2**24 + 1])})
        add(self.report("certify", "w.safetensors", "-d", "axe:P=12", "--requantize", "float32", code=UNSAFE))
        (self.path / "axecert.toml").write_text('minimum_margin_percent = 5\ndatapaths = ["axe:P=12"]\nvoters = ["checker"]\n[[model]]\nfile = "w.safetensors"\n')
        self.run_axecert("check", "-o", "reports", code=REFUSED)
        document = json.loads((self.path / "reports" / "w.axe_P_12.sarif").read_text())
        Sarif.model_validate(document)
        add(document)
        self.assertEqual(rules, {f"AXE00{i}" for i in range(1, 7)})

        # The schema refuses what is none.
        for change in (lambda run: run.pop("tool"), lambda run: run["results"][0].update(level="grave"), lambda run: run["results"][0].update(colour="red"),
                       lambda run: run["results"][0].pop("message"), lambda run: run["results"][0].update(ruleIndex=-2)):
            broken = copy.deepcopy(safe)
            change(broken["runs"][0])
            with self.assertRaises(pydantic.ValidationError):
                Sarif.model_validate(broken)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

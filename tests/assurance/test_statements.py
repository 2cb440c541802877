"""Statements that axecert writes for other tools, against those tools' own schemas: CycloneDX 1.6 (cyclonedx-python-lib, strict) and in-toto
(in-toto-attestation: its messages refuse unknown fields).

    python3 test_statements.py PATH_TO_AXECERT GOLDEN

Requirements: TOR-604.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0.test_result_pb2 import TestResult
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1 import statement_pb2

AXECERT, GOLDEN = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
SAFE, UNSAFE, INCOMPLETE, REFUSED = "accept/proved.two-stages", "reject/overflow.eight-bits", "reject/uncovered-weights.another-layer", "reject/upper.too-small-by-one"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Statements(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def axecert(self, *arguments, code=0):
        done = subprocess.run([AXECERT, *map(str, arguments)], cwd=self.path, capture_output=True, text=True,
                              env={**os.environ, "SOURCE_DATE_EPOCH": "1795662000"})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def verified(self, pair, code, *more):
        files = [GOLDEN / (pair + ".axec"), GOLDEN / (pair + ".safetensors")]
        self.axecert("verify", *files, "--in-toto", "statement.json", "--cyclonedx", "bom.json", *more, code=code)
        return files, (self.path / "statement.json").read_text(), (self.path / "bom.json").read_text()

    def statement(self, text):
        """The document, after in-toto's own library took it."""
        document = json.loads(text)
        message = json_format.Parse(text, statement_pb2.Statement(), ignore_unknown_fields=False)
        Statement.copy_from_pb(message).validate()
        self.assertEqual(document["predicateType"], "https://in-toto.io/attestation/test-result/v0.1")
        json_format.ParseDict(document["predicate"], TestResult(), ignore_unknown_fields=False)
        return document

    def bom(self, text):
        error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
        self.assertIsNone(error, error)
        return json.loads(text)

    def test_a_safe_model(self):
        files, statement, bom = self.verified(SAFE, 0)
        document = self.statement(statement)
        self.assertEqual({s["name"]: s["digest"]["sha256"] for s in document["subject"]}, {f.name: sha256(f) for f in files})
        predicate = document["predicate"]
        self.assertEqual((predicate["result"], predicate["failedTests"], len(predicate["passedTests"])), ("PASSED", [], 4))
        annotations = predicate["configuration"][0]["annotations"]
        self.assertEqual((annotations["verdict"], annotations["finished"]), ("safe", "2026-11-26T03:00:00Z"))
        self.assertEqual(len(annotations["votes"]), 4)
        bom = self.bom(bom)
        self.assertEqual(bom["metadata"]["component"]["hashes"][0]["content"], sha256(files[1]))
        self.assertEqual(bom["components"][0]["hashes"][0]["content"], sha256(files[0]))
        conformance = bom["declarations"]["attestations"][0]["map"][0]
        self.assertEqual((conformance["conformance"]["score"], conformance["counterClaims"]), (1, []))
        self.assertEqual(len(bom["declarations"]["evidence"]), 4)

    def test_only_safe_passes(self):
        for pair, code in ((UNSAFE, 1), (INCOMPLETE, 2), (REFUSED, 3)):
            with self.subTest(pair):
                _, statement, bom = self.verified(pair, code)
                predicate = self.statement(statement)["predicate"]
                self.assertEqual(predicate["result"], "FAILED")
                self.assertTrue(predicate["failedTests"])
                conformance = self.bom(bom)["declarations"]["attestations"][0]["map"][0]
                self.assertEqual((conformance["conformance"]["score"], conformance["claims"]), (0, []))
                self.assertEqual(len(conformance["counterClaims"]), 1)

    def test_equal_calls_give_equal_statements(self):
        def without_times(text):  # votes say how long they took
            document = json.loads(text)
            for vote in document["predicate"]["configuration"][0]["annotations"]["votes"]:
                del vote["seconds"]
            return document
        first = without_times(self.verified(SAFE, 0)[1])
        self.assertEqual(first, without_times(self.verified(SAFE, 0)[1]))

    def test_the_self_test(self):
        self.axecert("selftest", "-o", "report", "--by", "A. Assessor")
        self.assertEqual(sorted(p.name for p in (self.path / "report").iterdir()),
                         ["selftest.in-toto.json", "selftest.json", "selftest.txt"])
        document = self.statement((self.path / "report/selftest.in-toto.json").read_text())
        self.assertEqual(document["subject"][0]["digest"]["sha256"], sha256(AXECERT))
        self.assertEqual((document["predicate"]["result"], document["predicate"]["failedTests"]), ("PASSED", []))
        report = json.loads((self.path / "report/selftest.json").read_text())
        self.assertEqual((report["run"]["by"], report["run"]["sha256"]), ("A. Assessor", sha256(AXECERT)))
        text = (self.path / "report/selftest.txt").read_text()
        for words in ("PASS", "A. Assessor", sha256(AXECERT), "TOR-101"):
            self.assertIn(words, text)

    def test_the_bill_of_materials(self):
        bom = self.bom(self.axecert("sbom"))
        self.assertEqual(bom["metadata"]["component"]["hashes"][0]["content"], sha256(AXECERT))
        names = {component["name"]: component.get("version") for component in bom["components"]}
        for library in ("Z3", "MPFR", "OpenBLAS", "libzip"):
            self.assertRegex(names[library], r"^\d+\.\d+")
        self.assertEqual(set(bom["dependencies"][0]["dependsOn"]), {component["bom-ref"] for component in bom["components"]})

    def test_the_validators_can_refuse(self):
        _, statement, bom = self.verified(SAFE, 0)
        broken = json.loads(bom)
        broken["declarations"]["attestations"][0]["map"][0]["conformance"]["score"] = 2
        self.assertIsNotNone(JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(broken)))
        broken = json.loads(statement)
        broken["predicate"]["verdict"] = "safe"
        with self.assertRaises(json_format.ParseError):
            json_format.ParseDict(broken["predicate"], TestResult(), ignore_unknown_fields=False)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

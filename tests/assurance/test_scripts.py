"""The scripts of this folder can fail: a requirement without evidence, a tag without a requirement, a line count that is not true.

    python3 test_scripts.py

Requirements: TOR-605.
"""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import assumptions  # noqa: E402
import trace  # noqa: E402
import trusted_base  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
NUMBERS = ["TOR-" + str(n) for n in (901, 902, 903, 904)]  # put together here, so that the tags of this file are not read as tags


class Trace(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.write("docs/assurance/requirements.md", "".join(f"| {n} | Says {n}. |\n" for n in NUMBERS[:3]))
        self.write("tests/unit/a.cpp", f'// Opens.\n// Requirements: {NUMBERS[0]}.\n#include <x>\n\n// {NUMBERS[1]}\n'
                                       'TEST_CASE("one") {\n}\n\nTEST_CASE(\n    "two "\n    "halves") {\n}\n')
        self.write("proofs/coq/Claims.v", f"(** Lists. *)\n(* {NUMBERS[2]} *)\nPrint Assumptions first.\nPrint Assumptions second.\n\n"
                                          "Print Assumptions third.\n")
        self.tests = {"unit.a": "/build/tests/unit_a", "proofs.coq": "/repository/proofs/coq/build /folder"}

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def evidence(self, results=None):
        document = trace.matrix(self.root, self.tests, results)
        return document, {row["number"]: [e["what"] for e in row["evidence"]] for row in document["requirements"]}

    def test_tags_reach_their_cases(self):
        document, evidence = self.evidence()
        self.assertEqual(document["problems"], [])
        self.assertEqual(evidence, {NUMBERS[0]: ["one", "two halves"], NUMBERS[1]: ["one"], NUMBERS[2]: ["first", "second"]})
        self.assertEqual(document["untagged"], {"proofs/coq/Claims.v": 1})

    def test_a_requirement_without_evidence(self):
        self.write("docs/assurance/requirements.md", "".join(f"| {n} | Says {n}. |\n" for n in NUMBERS))
        self.assertEqual(self.evidence()[0]["problems"], [f"{NUMBERS[3]} has no evidence"])

    def test_a_test_that_ctest_does_not_run_is_none(self):
        del self.tests["unit.a"]
        self.assertEqual(self.evidence()[0]["problems"], [f"{n} has no evidence" for n in NUMBERS[:2]])

    def test_a_tag_without_a_requirement(self):
        self.write("tests/python/helper.py", f"# {NUMBERS[3]}\n")
        self.assertEqual(self.evidence()[0]["problems"], [f"tests/python/helper.py:1: {NUMBERS[3]} names no requirement"])

    def test_a_number_that_occurs_twice(self):
        self.write("docs/assurance/requirements.md", f"| {NUMBERS[0]} | A. |\n| {NUMBERS[0]} | B. |\n")
        with self.assertRaises(SystemExit):
            self.evidence()

    def test_results(self):
        xml = self.root / "results.xml"
        xml.write_text('<testsuite><testcase name="unit.a"/><testcase name="proofs.coq"><failure/></testcase></testsuite>')
        document, evidence = self.evidence(trace.outcomes(xml))
        self.assertEqual(evidence[NUMBERS[0]], ["one", "two halves"])
        self.assertEqual(document["problems"], [f"{NUMBERS[2]} has no evidence that passed", f"{NUMBERS[2]}: proofs.coq failed"])


class TrustedBase(unittest.TestCase):
    def test_code_is_what_is_left_without_comments(self):
        text = '/* a\n   b */\nint x; // c\n\n// d\nint y; /* e */\nchar* s = "/* no */";\n/* f */ int z;\n'
        self.assertEqual(trusted_base.code_lines(text, ".c"), 4)
        self.assertEqual(trusted_base.code_lines("(* a (* b *)\n c *)\nLemma x.\n", ".v"), 1)

    def test_a_line_more_is_noticed(self):
        document = (ROOT / trusted_base.DOCUMENT).read_text()
        self.assertEqual(trusted_base.tables(ROOT, document), document)
        changed = document.replace("| `verify/checker/range.c` | ", "| `verify/checker/range.c` | 1")
        self.assertNotEqual(changed, document)
        self.assertEqual(trusted_base.tables(ROOT, changed), document)

    def test_every_file_of_the_checker_is_listed(self):
        document = (ROOT / trusted_base.DOCUMENT).read_text()
        for path in (ROOT / "verify/checker").iterdir():
            self.assertIn(f"`verify/checker/{path.name}`", document)


class Assumptions(unittest.TestCase):
    def test_all_places_are_read(self):
        for place, found in assumptions.names(ROOT).items():
            self.assertGreaterEqual(len(found), 8, place)


if __name__ == "__main__":
    unittest.main()

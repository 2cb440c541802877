"""axecert verify --cvc5: agreement on certificates of every kind, a cvc5 that errs, one that is missing.

    python3 test_cvc5.py AXECERT GOLDEN TWO_CHECKERS Z3 CVC5

Requirements: TOR-308.
"""

import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

AXECERT, GOLDEN, TWO_CHECKERS, Z3, CVC5 = (pathlib.Path(path).resolve() for path in sys.argv[1:6])
UNRELIABLE = pathlib.Path(__file__).resolve().with_name("unreliable_cvc5.py")
sys.dont_write_bytecode = True
sys.path.insert(0, str(TWO_CHECKERS))
import two_checkers  # noqa: E402

SAFE, UNSAFE, INCOMPLETE, REFUSED, USAGE, NO_INPUT, CANNOT_CREATE = 0, 1, 2, 3, 64, 66, 73
BITS = {"one-product", "sum-outside", "two-stages", "zero-weights-one-bit"}  # quick for Z3


def golden(name):
    return GOLDEN / "accept" / f"proved.{name}.axec", GOLDEN / "accept" / f"proved.{name}.safetensors"


class Cvc5(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)
        self.reports = self.folder / "reports"
        self.reports.mkdir()

    def tearDown(self):
        self.temporary.cleanup()

    def verify(self, pair, *options, spoil=None, program=CVC5):
        """(exit code, {voter: vote}, the whole)"""
        environment = dict(os.environ)
        if spoil:
            program, environment = UNRELIABLE, environment | {"REAL": str(CVC5), "SPOIL": spoil}
        done = subprocess.run([AXECERT, "verify", *pair, "--json", "--no-replay", "--workers", "1", "--cvc5", "--cvc5-program", program,
                               "--bug-reports", self.reports, *options], capture_output=True, text=True, env=environment)
        document = json.loads(done.stdout)
        return done.returncode, {vote["voter"]: vote for vote in document.get("votes", [])}, document

    def test_both_solvers_agree_on_every_golden_certificate(self):
        for path in sorted((GOLDEN / "accept").glob("*.axec")):
            for z3, voter in (("box", "cvc5 box"), ("bits", "cvc5 bit-precise")):
                if z3 == "bits" and path.stem[7:] not in BITS:
                    continue
                code, votes, _ = self.verify((path, path.with_suffix(".safetensors")), "--z3", z3)
                vote = votes[voter]
                self.assertEqual((code, vote["verdict"]), (SAFE, "safe"), f"{path.name}: {votes}")
                self.assertEqual(vote["nodes_checked"], vote["nodes_total"])
                self.assertRegex(vote["version"], r"^\d+\.\d+")
        self.assertEqual(list(self.reports.iterdir()), [])

    def test_both_solvers_agree_on_random_certificates_safe_and_unsafe(self):
        r, seen, number = random.Random(11), {"safe": 0, "unsafe": 0}, 0
        while min(seen.values()) < 3:
            case, number = two_checkers.random_case(r, number), number + 1
            (verdict,) = case.right
            if verdict not in seen or seen[verdict] == 3:
                continue
            seen[verdict] += 1
            pair = self.folder / "a.axec", self.folder / "a.safetensors"
            pair[0].write_bytes(case.certificate)
            pair[1].write_bytes(case.weights)
            code, votes, _ = self.verify(pair)
            self.assertEqual((code, votes["cvc5 box"]["verdict"]), ({"safe": SAFE, "unsafe": UNSAFE}[verdict], verdict), votes)

    def test_a_cvc5_that_lies_about_a_register_is_noticed(self):
        for number in (1, 4):  # one that must be unsat, one that must be sat
            for report in self.reports.iterdir():
                report.unlink()
            code, votes, document = self.verify(golden("two-stages"), "--z3", "box", spoil=f"flip:QF_LIA:{number}")
            self.assertEqual((code, document["verdict"]), (INCOMPLETE, "incomplete"))
            for voter in ("z3 box", "cvc5 box"):
                vote = votes[voter]
                self.assertEqual((vote["verdict"], vote["nodes_total"] - vote["nodes_checked"], vote["findings_total"]), ("incomplete", 1, 1))
                self.assertIn("both inputs are in", vote["findings"][0]["message"])
            (report,) = self.reports.iterdir()
            text = report.read_text()
            self.assertIn("Row 0, stage 0, register 0".lower(), text.lower())
            # The solvers themselves, on the file: each input twice, one answer.
            for solver in ([Z3, "-smt2"], [CVC5, "--incremental", "--lang=smt2"]):
                answers = subprocess.run([*solver, report], capture_output=True, text=True).stdout.split()
                self.assertEqual(len(set(answers)), 1, answers)
                self.assertEqual(len(answers), 2)
                self.assertNotIn(answers[0], report.name.split(".")[0].split("-"))

    def test_a_lie_about_bits_is_noticed(self):
        code, votes, _ = self.verify(golden("two-stages"), "--z3", "bits", spoil="flip:QF_BV:1")
        self.assertEqual((code, votes["cvc5 bit-precise"]["verdict"]), (INCOMPLETE, "incomplete"))
        self.assertEqual(len(list(self.reports.iterdir())), 1)

    def test_a_lemma_that_cvc5_does_not_prove_leaves_everything_unchecked(self):
        for spoil in ("flip:QF_NIA:1", "unknown:QF_NIA:9"):
            code, votes, _ = self.verify(golden("two-stages"), "--z3", "box", spoil=spoil)
            self.assertEqual(code, INCOMPLETE)
            self.assertEqual((votes["z3 box"]["nodes_checked"], votes["cvc5 box"]["nodes_checked"]), (0, 0))

    def test_unknown_is_no_pass(self):
        code, votes, _ = self.verify(golden("two-stages"), "--z3", "box", spoil="unknown:QF_LIA:2")
        self.assertEqual((code, votes["z3 box"]["verdict"], votes["cvc5 box"]["verdict"]), (INCOMPLETE, "safe", "incomplete"))
        self.assertEqual(votes["cvc5 box"]["nodes_total"] - votes["cvc5 box"]["nodes_checked"], 1)
        self.assertIn("cvc5 unknown", votes["cvc5 box"]["findings"][0]["message"])
        self.assertEqual(len(list(self.reports.iterdir())), 1)

    def test_an_error_or_a_death_of_cvc5_is_incomplete(self):
        for spoil in ("error:QF_NIA:3", "die:QF_NIA:3", "die:QF_LIA:6"):
            code, votes, _ = self.verify(golden("two-stages"), "--z3", "box", spoil=spoil)
            self.assertEqual((code, votes["cvc5 box"]["verdict"]), (INCOMPLETE, "incomplete"))
            self.assertIn("cvc5", votes["cvc5 box"]["detail"].split("rlimit-per")[1])
            report = next(self.reports.glob("axecert-nothing.*"))  # what it was asked is kept
            self.assertIn("nothing", report.read_text())
            report.unlink()

    def test_a_missing_program_and_wrong_use_are_errors(self):
        for program, word in ((self.folder / "nothing", "cannot be run as cvc5"), (pathlib.Path("/bin/true"), "cvc5")):
            code, _, document = self.verify(golden("one-product"), program=program)
            self.assertEqual(code, NO_INPUT)
            self.assertIn(word, document["error"])
            self.assertIn("--cvc5-program", document["error"])
        code, _, document = self.verify(golden("one-product"), program=Z3)
        self.assertEqual(code, NO_INPUT)
        self.assertIn("is not cvc5", document["error"])
        for z3 in ("none", "ground"):
            self.assertEqual(self.verify(golden("one-product"), "--z3", z3)[0], USAGE)
        self.reports.rmdir()
        self.assertEqual(self.verify(golden("one-product"))[0], CANNOT_CREATE)

    def test_a_journal_of_z3_alone_is_not_taken_for_one_of_both(self):
        journal = self.folder / "journal"
        code, votes, _ = self.verify(golden("two-stages"), "--z3", "box", "--resume", journal, spoil="unknown:QF_LIA:9")
        self.assertEqual((code, votes["z3 box"]["verdict"]), (INCOMPLETE, "safe"))
        self.assertTrue(journal.exists())
        alone = subprocess.run([AXECERT, "verify", *golden("two-stages"), "--z3", "box", "--resume", journal], capture_output=True, text=True)
        self.assertEqual(alone.returncode, REFUSED)
        code, votes, _ = self.verify(golden("two-stages"), "--z3", "box", "--resume", journal)
        self.assertEqual((code, votes["cvc5 box"]["verdict"]), (SAFE, "safe"))
        self.assertIn("from the journal", votes["cvc5 box"]["detail"])
        self.assertFalse(journal.exists())

    def test_the_report_shows_the_voter_and_its_coverage(self):
        page = self.folder / "report.md"
        done = subprocess.run([AXECERT, "report", *golden("two-stages"), "--cvc5", "--markdown", page], capture_output=True, text=True)
        self.assertEqual(done.returncode, SAFE, done.stderr)
        self.assertRegex(page.read_text(), r"cvc5 box \S+ \| safe \| 6 of 6")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

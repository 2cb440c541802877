"""The comparison of instruction counts: what makes it fail, what does not, and that it cannot pass on nothing.

    python3 test_compare.py

Only the Python standard library; no side effects.
"""

import unittest

from instructions import compare, read_dump

HERE = {"compiler": "GNU 12.2.0", "build type": "Release", "valgrind": "valgrind-3.19.0"}
THERE = HERE | {"compiler": "Clang 14.0.6"}
COUNTS = {"environment": HERE, "instructions": {"certify": 1_000_000, "check": 500}}


class Compare(unittest.TestCase):
    def problems(self, now, environment=HERE):
        return compare(COUNTS, now, environment)[1]

    def test_the_committed_counts_pass(self):
        self.assertEqual(self.problems({"certify": 1_000_000, "check": 500}), [])
        self.assertEqual(self.problems({"certify": 1_020_000, "check": 510}), [])

    def test_one_instruction_beyond_two_percent_fails(self):
        self.assertIn("'certify'", self.problems({"certify": 1_020_001, "check": 500})[0])

    def test_another_compiler_may_take_forty_percent_more_and_no_more(self):
        self.assertEqual(self.problems({"certify": 1_400_000, "check": 500}, THERE), [])
        self.assertEqual(len(self.problems({"certify": 1_400_001, "check": 500}, THERE)), 1)

    def test_less_is_a_gain_that_is_named(self):
        _, problems, gains = compare(COUNTS, {"certify": 900_000, "check": 499}, HERE)
        self.assertEqual(problems, [])
        self.assertEqual(len(gains), 1)
        self.assertIn("certify", gains[0])
        self.assertEqual(compare(COUNTS, {"certify": 900_000, "check": 499}, THERE)[2], [])

    def test_what_was_not_run_or_not_committed_or_not_counted_fails(self):
        self.assertEqual(len(self.problems({"certify": 1_000_000})), 1)
        self.assertEqual(len(self.problems({"certify": 1_000_000, "check": 500, "more": 1})), 1)
        self.assertEqual(len(self.problems({"certify": 0, "check": 500})), 1)
        self.assertEqual(len(self.problems({})), 2)

    def test_dumps_are_read(self):
        self.assertEqual(read_dump("desc: Trigger: Client Request: a, b\nevents: Ir\nsummary: 12\n\ntotals: 12\n"), ("a, b", 12))
        self.assertIsNone(read_dump("desc: Trigger: Program termination\ntotals: 12\n"))
        with self.assertRaises(SystemExit):
            read_dump("desc: Trigger: Client Request: a\n")


if __name__ == "__main__":
    unittest.main()

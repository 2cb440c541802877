"""verify --resume, from outside: the process is killed on the way, the next one goes on where it stopped; a journal that was changed, that
belongs to other files or is in use is refused.

    python3 test_resume.py PATH_TO_AXECERT

Only the Python standard library. Side effects: a temporary folder.
"""

import json
import pathlib
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

AXECERT = pathlib.Path(sys.argv[1]).resolve()
SAFE, REFUSED = 0, 3
ROWS, COLS, TILE = 64, 2048, 64


def write_weights(path, seed):
    data = random.Random(seed).randbytes(ROWS * COLS)
    text = json.dumps({"layer.weight": {"dtype": "I8", "shape": [ROWS, COLS], "data_offsets": [0, len(data)]}}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Resume(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="axecert-resume-")
        self.addCleanup(temporary.cleanup)
        self.path = pathlib.Path(temporary.name)
        for name, seed in (("one", 1), ("two", 2)):
            write_weights(self.path / f"{name}.safetensors", seed)
            self.run_axecert("certify", f"{name}.safetensors", "-d", f"axe:P=24,T={TILE},act=u8", "-o", f"{name}.axec", code=SAFE)

    def run_axecert(self, *words, code):
        done = subprocess.run([str(AXECERT), *words], cwd=self.path, capture_output=True, text=True, timeout=250, check=False)
        self.assertEqual(done.returncode, code, f"{words}\n{done.stdout}\n{done.stderr}")
        return done

    def verify(self, name):
        return ("verify", f"{name}.axec", f"{name}.safetensors", "--z3", "box", "--no-replay", "--workers", "2", "--resume", "journal")

    def test_a_killed_run_goes_on_where_it_stopped(self):
        journal = self.path / "journal"
        child = subprocess.Popen([str(AXECERT), *self.verify("one")], cwd=self.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 200
        while not journal.exists() or journal.read_bytes().count(b"\n") < 2:
            self.assertIsNone(child.poll(), "it ended before it could be killed: make the layer larger")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        self.assertIn("is in use", self.run_axecert(*self.verify("one"), code=REFUSED).stderr)
        child.send_signal(signal.SIGKILL)
        child.wait()
        kept = journal.read_bytes()
        self.assertIn("'axecert z3 journal 1 certificate", self.run_axecert(*self.verify("two"), code=REFUSED).stderr)
        journal.write_bytes(kept.replace(b"box layer 0 ", b"box layer 1 ", 1) if b"box layer 0 " in kept else kept.replace(b"box layer", b"box  layer", 1))
        self.assertIn("it was changed", self.run_axecert(*self.verify("one"), code=REFUSED).stderr)
        journal.write_bytes(kept + b"box layer 5 ")  # as an interruption leaves it

        vote = json.loads(self.run_axecert(*self.verify("one"), "--json", code=SAFE).stdout)["votes"][1]
        known = int(vote["detail"].split("; ")[1].split()[0])
        total = ROWS * (COLS // TILE + 1)
        self.assertEqual((vote["nodes_checked"], vote["nodes_total"]), (total, total))
        self.assertGreater(known, 0)
        self.assertLess(known, total)
        self.assertFalse(journal.exists(), "nothing is left to prove")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

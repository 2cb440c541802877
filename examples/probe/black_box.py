"""A black box for `axecert probe`: integer products through pairs that saturate in 16 bits, as vpmaddubsw adds them.

    axecert probe -- python3 examples/probe/black_box.py

Reads one question per line, {"x": X, "w": W}, and writes one answer per line, {"y": X W}, until its input ends. Only the Python
standard library; replace `dot` by a call of whatever is to be known.
"""

import json
import sys


def dot(x, w):
    total = 0
    for k in range(0, len(x), 2):
        pair = sum(a * b for a, b in zip(x[k:k + 2], w[k:k + 2]))
        total += max(-32768, min(32767, pair))
    return total


for line in sys.stdin:
    question = json.loads(line)
    columns = list(zip(*question["w"]))
    print(json.dumps({"y": [[dot(row, column) for column in columns] for row in question["x"]]}), flush=True)

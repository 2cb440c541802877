#!/usr/bin/env python3
"""A cvc5 that errs on purpose: passes everything to the real one, and spoils one answer.

    REAL=PATH SPOIL=WHAT:LOGIC:N unreliable_cvc5.py ...

N counts (check-sat) under that (set-logic), from 1. WHAT: `flip` (sat for unsat and the other way round), `unknown`, `error`, `die`, `silent` (no answer at all).
For tests of `axecert verify --cvc5`; the main loop is the file. Side effects: a child process.
"""

import os
import subprocess
import sys
import time

real = os.environ["REAL"]
if "--version" in sys.argv:
    sys.exit(subprocess.run([real, "--version"]).returncode)
what, spoiled_logic, number = os.environ["SPOIL"].split(":")
child = subprocess.Popen([real, *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
checks, logic = 0, None
for line in sys.stdin:
    child.stdin.write(line)
    if line.startswith("(set-logic "):
        logic = line.split()[1].rstrip(")")
    if line.strip() != "(check-sat)":
        continue
    child.stdin.flush()
    answer = child.stdout.readline().strip()
    checks += logic == spoiled_logic
    if logic == spoiled_logic and checks == int(number):
        if what == "die":
            child.kill()
            sys.exit(1)
        while what == "silent":
            time.sleep(1)
        answer = {"flip": {"sat": "unsat", "unsat": "sat"}.get(answer), "unknown": "unknown", "error": '(error "spoiled")'}[what]
    print(answer, flush=True)
child.kill()

"""Do the inner loops of the 16-bit products keep their sums in registers? GCC 12 spilled them once, which halved their speed and changed no result.

    python3 stack_in_loops.py LOOPS FILE...

Disassembles each FILE, an object or a library of them, with objdump and looks at its innermost loops with vpmaddubsw: each may have one access to the stack for every 24 of them (docs/kernels.md
names the one loop that has any), and each file must have LOOPS such loops at least, so that a loop that is not recognized does not pass. Exit code 1: one spills.
"""

import re
import subprocess
import sys

PRODUCT = "pmaddubsw"
PRODUCTS_PER_ACCESS = 24
FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(.*)$")
JUMP = re.compile(r"^j\w+\s+([0-9a-f]+)\b")
STACK = re.compile(r"\(%r[sb]p[,)]")


def functions(listing):
    """Name and instructions [(address, text)] of each function of an objdump listing."""
    found = []
    for line in listing.splitlines():
        if name := FUNCTION.match(line):
            found.append((name[1], []))
        elif (instruction := INSTRUCTION.match(line)) and found:
            found[-1][1].append((int(instruction[1], 16), instruction[2]))
    return found


def innermost_loops(instructions):
    """The texts between the target of a jump backwards and the jump, where no other such stretch lies inside."""
    index = {address: i for i, (address, _) in enumerate(instructions)}
    stretches = []
    for i, (address, text) in enumerate(instructions):
        jump = JUMP.match(text)
        target = int(jump[1], 16) if jump else address + 1
        if target <= address and target in index:
            stretches.append((index[target], i))
    for begin, end in stretches:
        if not any((a, b) != (begin, end) and begin <= a and b <= end for a, b in stretches):
            yield [text for _, text in instructions[begin:end + 1]]


def examine(listing):
    """(function, products, accesses to the stack) of each innermost loop with products."""
    for name, instructions in functions(listing):
        for loop in innermost_loops(instructions):
            products = sum(PRODUCT in text for text in loop)
            if products:
                yield name, products, sum(bool(STACK.search(text)) for text in loop)


def main():
    least, files = int(sys.argv[1]), sys.argv[2:]
    failed = False
    for path in files:
        listing = subprocess.run(["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", path], capture_output=True, text=True, check=True).stdout
        loops = list(examine(listing))
        for name, products, accesses in loops:
            spills = accesses * PRODUCTS_PER_ACCESS > products
            failed = failed or spills
            if accesses:
                print(f"{'SPILLS' if spills else 'allowed'}: {accesses} accesses to the stack beside {products} {PRODUCT} in {name}")
        print(f"{path}: {len(loops)} loops with {PRODUCT}")
        if len(loops) < least:
            print(f"expected {least} of them: were they not recognized?")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

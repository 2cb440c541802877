"""The checker, compiled in every way that this machine offers, says the same about the same files, byte for byte.

    python3 checker_builds.py REPOSITORY FOLDER

Compilers: gcc and clang, those that are there. Options: none and full optimisation; without the processor's wider instruction sets
(AXC_ONE_TARGET); little-endian numbers put together byte by byte (AXC_ANY_BYTE_ORDER); assertions on or off makes no difference, because
there are none, and NDEBUG is defined in one build to show it. Files: every pair of tests/golden, each accepted certificate with the
weights of four others, and 150 files with one byte changed (fixed seed). Writes below FOLDER. Exit code 0: no difference, and every
verdict was met. Only the Python standard library.

Requirements: TOR-107.
"""

import pathlib
import random
import shutil
import subprocess
import sys

BUILDS = {
    "gcc-O0": ["gcc", "-O0"],
    "gcc-O3": ["gcc", "-O3", "-DNDEBUG"],
    "gcc-O2-one-target": ["gcc", "-O2", "-DAXC_ONE_TARGET"],
    "gcc-O2-native": ["gcc", "-O2", "-march=native"],
    "gcc-O1-any-byte-order": ["gcc", "-O1", "-DAXC_ANY_BYTE_ORDER"],
    "gcc-O2-unsigned-char": ["gcc", "-O2", "-funsigned-char"],
    "clang-O0": ["clang", "-O0"],
    "clang-O3": ["clang", "-O3", "-march=native"],
}


def cases(golden, folder):
    """(certificate, weights) paths; changed files are written into `folder`."""
    pairs = [(path, path.with_suffix(".safetensors")) for path in sorted(golden.glob("*/*.axec"))]
    accepted = [pair for pair in pairs if pair[0].parent.name == "accept"]
    found = pairs + [(a, accepted[(i + k) % len(accepted)][1]) for i, (a, _) in enumerate(accepted) for k in range(1, 5)]
    chance = random.Random(20)
    for number in range(150):
        certificate, weights = chance.choice(accepted)
        which = chance.randrange(2)
        data = bytearray((certificate, weights)[which].read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        changed = folder / f"changed.{number}{(certificate, weights)[which].suffix}"
        changed.write_bytes(data)
        found.append((changed, weights) if which == 0 else (certificate, changed))
    return found


def answers(program, files):
    """Exit code and output for every pair."""
    found = []
    for certificate, weights in files:
        done = subprocess.run([program, str(certificate), str(weights)], capture_output=True, timeout=60)
        found.append((done.returncode, done.stdout, done.stderr))
    return found


def main():
    root, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    sources = [str(path) for path in sorted((root / "verify/checker").glob("*.c"))]
    files = cases(root / "tests/golden", folder)
    reference, reference_name, built = None, None, 0
    for name, (compiler, *options) in BUILDS.items():
        if shutil.which(compiler) is None:
            print(f"{name}: {compiler} is not there")
            continue
        program = str(folder / name)
        subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", *options, "-o", program, *sources], check=True)
        built += 1
        found = answers(program, files)
        if reference is None:
            reference, reference_name = found, name
            met = {code for code, _, _ in found}
            if met != {0, 1, 2, 3}:
                print(f"{name}: exit codes {sorted(met)}, not every verdict was met")
                return 1
            continue
        for pair, a, b in zip(files, reference, found):
            if a != b:
                print(f"{pair[0]} {pair[1]}:\n{reference_name}: {a}\n{name}: {b}")
                return 1
    if built < 2:
        print("fewer than two builds: nothing was compared")
        return 1
    print(f"{built} builds agree on {len(files)} pairs of files")
    return 0


if __name__ == "__main__":
    sys.exit(main())

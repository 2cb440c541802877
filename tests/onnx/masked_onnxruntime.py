"""onnxruntime as it runs on a CPU without VNNI, on any x86-64 CPU with Linux: a copy of the installed package that is told so.

    python3 masked_onnxruntime.py CPUID_ANSWERS vnni|avx512 SCRIPT ARGUMENT...      runs a script that imports onnxruntime

MLAS, onnxruntime's matrix library, chooses its kernels by CPUID and has no switch. `make_copy` writes a package in which every
cpuid instruction of the extension module is overwritten by ud2, which has as many bytes, and `import_copy` imports it behind
cpuid_answers.c, whose handler gives the CPU's own answers without the features that are named. All other code is unchanged, and
the kernels' instructions are executed by the CPU itself. Needs objdump (binutils: it says where the instructions are), and the library that
cpuid_answers.c is built as. Side effects: `make_copy` writes the folder that it is given; a process that called `import_copy` has a handler of SIGILL.
"""

import ctypes
import importlib.util
import os
import pathlib
import re
import runpy
import subprocess
import sys
import tempfile

CPUID, UD2 = b"\x0f\xa2", b"\x0f\x0b"


def cpuid_places(library):
    """Offsets in the file of its cpuid instructions: 0f a2 also occurs inside other instructions, so the code has to be read."""
    headers = subprocess.run(["objdump", "-h", str(library)], capture_output=True, text=True, check=True).stdout
    # Idx Name Size VMA LMA File-off
    text = next(line.split() for line in headers.splitlines() if line.split()[1:2] == [".text"])
    start, offset = int(text[3], 16), int(text[5], 16)
    places = []
    with subprocess.Popen(["objdump", "-d", "--no-show-raw-insn", "-j", ".text", str(library)], stdout=subprocess.PIPE, text=True) as listing:
        for line in listing.stdout:
            found = "cpuid" in line and re.match(r"\s*([0-9a-f]+):\s+cpuid\s*$", line)
            if found:
                places.append(int(found[1], 16) - start + offset)
    if listing.returncode != 0:
        raise RuntimeError(f"objdump: exit code {listing.returncode}")
    return places


def make_copy(folder):
    """A package `onnxruntime` under `folder`: links to the installed one, but for the changed extension module. Returns how many
    instructions were overwritten."""
    installed = pathlib.Path(importlib.util.find_spec("onnxruntime").origin).parent
    copy = pathlib.Path(folder) / "onnxruntime"
    (copy / "capi").mkdir(parents=True)
    for source in installed.iterdir():
        if source.name not in ("capi", "__pycache__"):
            (copy / source.name).symlink_to(source)
    count = 0
    for source in (installed / "capi").iterdir():
        target = copy / "capi" / source.name
        if source.name.startswith("onnxruntime_pybind11_state"):
            code = bytearray(source.read_bytes())
            for place in cpuid_places(source):
                if code[place:place + 2] != CPUID:
                    raise RuntimeError(f"{source}: no cpuid at {place:#x}")
                code[place:place + 2] = UD2
                count += 1
            target.write_bytes(code)
        elif source.name != "__pycache__":
            target.symlink_to(source)
    if count == 0:
        raise RuntimeError(f"{installed}: no cpuid instruction found")
    return count


def import_copy(folder, library, without):
    """Imports the copy. `library`: cpuid_answers.c, built; `without`: "vnni" or "avx512", which implies it. At most once per process."""
    if "onnxruntime" in sys.modules:
        raise RuntimeError("onnxruntime is imported already")
    os.environ["AXECERT_WITHOUT"] = without
    ctypes.CDLL(str(library))
    sys.path.insert(0, str(folder))
    import onnxruntime

    if pathlib.Path(folder) not in pathlib.Path(onnxruntime.__file__).parents:
        raise RuntimeError(f"imported {onnxruntime.__file__}, not the copy")
    return onnxruntime


def main():
    if len(sys.argv) < 4 or sys.argv[2] not in ("vnni", "avx512"):
        raise SystemExit(__doc__)
    library, without, script = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3]
    with tempfile.TemporaryDirectory(prefix="axecert-ort-copy-") as folder:
        make_copy(folder)
        import_copy(folder, library, without)
        sys.argv = sys.argv[3:]
        sys.path[0] = str(pathlib.Path(script).parent)
        runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()

"""axecert-check as a program: what it prints, to the letter, and its exit code, on golden files and on everything that can go wrong with a call.

    python3 program.py PROGRAM GOLDEN

`judge` is the main function; it raises Failure at the first difference. coverage.py and mutate.py call it too. Writes a temporary folder.
Only the Python standard library.

Requirements: TOR-106, TOR-601.
"""

import hashlib
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "proofs"))
from two_checkers import joined, safetensors, split, with_digest  # noqa: E402

class Failure(Exception):
    pass


# (exit code, certificate, weights files, standard output with {c} for the certificate and {0}, {1} for the weights)
EXPECTED = [
    (0, "accept/proved.two-stages", ["accept/proved.two-stages"], """\
safe: every register of every dot product fits
  6 of 6 registers checked, 1 layers
"""),
    (1, "reject/overflow.eight-bits", ["reject/overflow.eight-bits"], """\
unsafe: a register overflows on the witness
  layer layer
  row 1, stage 0, register 0
  claimed    [-105, 210]
  recomputed [-105, 210]
  limits     [-127, 127]
  reason overflow, {c}, byte 1468
  6 of 6 registers checked, 1 layers
"""),
    (2, "reject/uncovered-weights.another-layer", ["reject/uncovered-weights.another-layer"], """\
incomplete: the weights file holds a layer that the certificate does not speak of
  layer another.weight
  reason uncovered-weights, {0}, byte 439
  1 layers of the weights files are not covered
  6 of 6 registers checked, 1 layers
"""),
    (3, "reject/weight-hash.one-bit", ["reject/weight-hash.one-bit"], """\
refused: the weights are not those of the certificate
  layer layer
  reason weight-hash, {0}, byte 532
  0 of 6 registers checked, 0 layers
"""),
    (3, "reject/upper.too-small-by-one", ["reject/upper.too-small-by-one"], """\
refused: a claimed upper end is not the one that the weights give
  layer layer
  row 0, stage 0, register 0
  claimed    [-30, 59]
  recomputed [-30, 60]
  limits     [-1023, 1023]
  reason upper, {c}, byte 1460
  0 of 6 registers checked, 0 layers
"""),
    (3, "malformed/digest.one-bit", ["malformed/digest.one-bit"], """\
refused: the digest is not that of the certificate
  reason digest, {c}, byte 53
  0 of 0 registers checked, 0 layers
"""),
    (3, "malformed/truncated.empty", ["accept/proved.two-stages"], """\
refused: the certificate ends too early
  reason truncated, {c}, byte 0
  0 of 0 registers checked, 0 layers
"""),
    (3, "accept/proved.two-layers", ["accept/proved.two-stages", "accept/proved.two-layers"], """\
refused: the weights file holds an array twice
  layer layer
  reason duplicate-array, {1}, byte 494
  6 of 12 registers checked, 1 layers
"""),
    (3, "accept/proved.two-stages", ["malformed/weights-file.empty"], """\
refused: the weights file is not a well-formed safetensors file
  layer layer
  reason weights-file, {0}, byte 0
  0 of 6 registers checked, 0 layers
"""),
]
# Of a call that does not come to a check: exit code, arguments, what standard error says.
USAGE = "usage: axecert-check CERTIFICATE.axec WEIGHTS.safetensors...\n"


def little_memory():
    resource.setrlimit(resource.RLIMIT_AS, (64 << 20, 64 << 20))


def run_program(program, code, arguments, out=None, err="", **options):
    """Runs the program; `out` None: whatever it prints."""
    done = subprocess.run([str(program), *map(str, arguments)], check=False, text=True, stderr=subprocess.PIPE,
                          **{"stdout": subprocess.PIPE, **options})
    said = f"axecert-check {' '.join(map(str, arguments))}: exit code {done.returncode}"
    if done.returncode != code:
        raise Failure(f"{said}, not {code}")
    if out is not None and done.stdout != out:
        raise Failure(f"{said}, printed:\n{done.stdout}instead of:\n{out}")
    if done.stderr != err:
        raise Failure(f"{said}, complained:\n{done.stderr}instead of:\n{err}")


def renamed(certificate, old, new):
    """The certificate with layer 0's name changed; padding, length and digest made right again."""
    header, data = split(certificate)
    return with_digest(joined(header.replace(b'"0.name":"' + old, b'"0.name":"' + new), data))


def zero_layers(shapes):
    """(certificate, weights file) of layers whose weights are all 0, by name; written without a library of this repository."""
    metadata = [("format", "axec 1"), ("digest", "0" * 64), ("tool", "program.py"),
                ("assumptions", "input-given product-order-as-stated products-exact sha256-collision-free"), ("layers", str(len(shapes)))]
    arrays, header, data = [], [], b""
    for number, (name, (rows, cols)) in enumerate(sorted(shapes.items())):
        weights = bytes(rows * cols)
        layer = [("name", name), ("shape", f"{rows} {cols}"), ("weight.sha256", hashlib.sha256(weights).hexdigest()), ("weight.range", "0 0"),
                 ("bias.sha256", "none"), ("input.source", "given"), ("zero_point.spread", "0"), ("datapath", "zeros"),
                 ("operands", "weights -128 127 activations -255 255 raw"), ("stages", "1"),
                 ("stage.0", "s width=8 group=0 stride=1 overflow=wrap limits=symmetric initial=zero claim=every-partial-sum"),
                 ("verdict", "safe"), ("worst", "0 0 0 upper")]
        metadata += [(f"{number}.{key}", value) for key, value in layer]
        arrays += [(f"{number}.box.lower", "I32", [1], [0]), (f"{number}.box.upper", "I32", [1], [1]), (f"{number}.offset", "I32", [0], []),
                   (f"{number}.stage.0.lower", "I32", [rows, 1], [0] * rows), (f"{number}.stage.0.upper", "I32", [rows, 1], [0] * rows),
                   (f"{number}.worst.witness", "I32", [cols], [0] * cols)]
        header.append(f'"{name}.weight":{{"dtype":"I8","shape":[{rows},{cols}],"data_offsets":[{len(data)},{len(data) + len(weights)}]}}')
        data += weights
    text = ("{" + ",".join(header) + "}").encode()
    return with_digest(safetensors(arrays, metadata)), len(text).to_bytes(8, "little") + text + data


def judge(program, golden, timeout=300):
    def run(*arguments, **options):
        run_program(program, *arguments, timeout=timeout, **options)

    def pair(name, ending):
        return golden / (name + ending)
    for code, certificate, weights, out in EXPECTED:
        paths = [pair(name, ".safetensors") for name in weights]
        run(code, [pair(certificate, ".axec"), *paths], out.format(*paths, c=pair(certificate, ".axec")))
    safe = [pair("accept/proved.two-stages", ending) for ending in (".axec", ".safetensors")]
    unsafe = [pair("reject/overflow.eight-bits", ending) for ending in (".axec", ".safetensors")]
    run(0, safe, preexec_fn=lambda: os.close(0))  # descriptor 0 is as good as any
    for arguments in ([], safe[:1]):
        run(64, arguments, "", USAGE)
    for nowhere in (["/nowhere", safe[1]], [safe[0], "/nowhere"], [*safe, "/nowhere"]):
        run(66, nowhere, "", "/nowhere: cannot be opened: No such file or directory\n")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        # More than 16 MiB in the second of three layers: memory is given back behind it, and what is read later is read again.
        certificate, weights = zero_layers({"a": (1, 3), "b": (4096, 4097), "c": (2, 2)})
        for path, content in ((folder / "zeros.axec", certificate), (folder / "zeros.safetensors", weights)):
            path.write_bytes(content)
        run(0, [folder / "zeros.axec", folder / "zeros.safetensors"],
            "safe: every register of every dot product fits\n  4099 of 4099 registers checked, 3 layers\n")
        # More than 16 MiB of a certificate: memory is given back before the weights are looked at, of which there are none.
        certificate, _ = zero_layers({"a": (1, 4_400_000)})
        (folder / "zeros.axec").write_bytes(certificate)
        (folder / "empty").write_bytes(b"")
        run(3, [folder / "zeros.axec", folder / "empty"],
            f"refused: the weights file is not a well-formed safetensors file\n  layer a\n  reason weights-file, {folder}/empty, byte 0\n"
            "  0 of 1 registers checked, 0 layers\n")
        short = folder / "short.axec"
        short.write_bytes(renamed(safe[0].read_bytes(), b"layer", b"x"))
        run(3, [short, safe[1]], "refused: the weights file lacks the layer's weights\n  layer x\n"
                                 f"  reason missing-layer, {safe[1]}, byte 0\n  0 of 6 registers checked, 0 layers\n")
        run(66, [safe[0], folder], "", f"{folder}: is not a regular file: Invalid argument\n")
        run(66, [safe[0], folder, "/nowhere"], "", f"{folder}: is not a regular file: Invalid argument\n")  # the first complaint only
        large = folder / "large"
        with open(large, "wb") as file:
            file.truncate(1 << 27)  # more than little_memory allows, and not a byte on the disk
        run(71, [safe[0], large], "", f"{large}: cannot be mapped: Cannot allocate memory\n", preexec_fn=little_memory)
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w", encoding="ascii") as full:
            run(74, safe, stdout=full)
            run(1, unsafe, stdout=full)  # the verdict is worth more


def main():
    try:
        judge(sys.argv[1], pathlib.Path(sys.argv[2]).resolve())
    except Failure as failure:
        print(failure)
        return 1
    print("axecert-check prints what it should")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Seed corpora of the fuzz targets, made of files that the repository has anyway.

    python3 seeds.py REPOSITORY FOLDER

Writes FOLDER/TARGET for every target: golden pairs as the checker's target reads them (length, certificate, weights; plain and with the digest
to be made right), certificates, weights files and the arrays of examples as safetensors and npz, presets and shorthands, ONNX models, random bytes
(choices of small instances), the example's policy and others, indices of shards, calibration data, multipliers, journals. What once was a
finding, or reaches what seeds do not, stands in regressions/TARGET and is copied. Only the Python standard library.
"""

import io
import json
import pathlib
import random
import shutil
import struct
import sys
import zipfile


def write(folder, name, data):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


FORMATS = {"I8": "b", "I32": "i", "I64": "q", "F32": "f", "F64": "d"}
NUMPY = {"I8": "|i1", "I32": "<i4", "I64": "<i8", "F32": "<f4", "F64": "<f8"}


def packed(dtype, values):
    return struct.pack(f"<{len(values)}{FORMATS[dtype]}", *values)


def safetensors(arrays, metadata=None):
    """arrays: {name: (dtype, shape, values)}."""
    header, data = {"__metadata__": metadata} if metadata else {}, b""
    for name, (dtype, shape, values) in arrays.items():
        end = len(data) + len(packed(dtype, values))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), end]}
        data += packed(dtype, values)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def npz(arrays, method):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, (dtype, shape, values) in arrays.items():
            header = f"{{'descr': '{NUMPY[dtype]}', 'fortran_order': False, 'shape': {tuple(shape)}, }}\n".encode()
            archive.writestr(name + ".npy", b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + packed(dtype, values))
    return file.getvalue()


def three(name, arrays, metadata=None):
    """(name, bytes) of the arrays as each kind of file."""
    return [(name + ".safetensors", safetensors(arrays, metadata)), (name + ".stored.npz", npz(arrays, zipfile.ZIP_STORED)),
            (name + ".npz", npz(arrays, zipfile.ZIP_DEFLATED))]


POLICY = """
datapaths = ["axe:P=16", "other.toml"]
voters = ["checker", "z3-ground", "z3-box", "z3-bits", "cvc5", "replay"]
replay_inputs = 4
minimum_margin_percent = 5
[[model]]
file = "a.safetensors"
input_range = [-8, 7]
[[model]]
file = "b.onnx"
datapaths = ["x86-avx2-maddubs"]
accept_not_covered = ["Dense (Gemm)"]
conv_order = "channels-first"
"""


def write_small_formats(root, folder):
    write(folder / "policy", "example", (root / "examples/ci/axecert.toml").read_bytes())
    write(folder / "policy", "all-keys", POLICY.encode())
    write(folder / "policy", "all-keys-no-file", POLICY.replace(', "other.toml"', "").encode())

    stored = {"l.weight": ("I8", [2, 3], [1, -2, 3, 4, 5, -6]), "l.scale": ("F32", [2], [0.5, 0.25]), "l.bias": ("I64", [2], [100, -100]),
              "l.input_lower": ("I32", [1], [-128]), "l.input_upper": ("I32", [1], [127]), "l.input_shift": ("I32", [1], [128]),
              "l.input_zero_point": ("I32", [2], [0, 255])}
    token = {"l.weight_bits": "4", "l.input_bits": "8", "l.input_signed": "0", "l.input_scaling": "token", "l.input_hadamard": "0"}
    plain = {**stored, "l.input_zero_point": ("I32", [1], [3]), "l.input_scale": ("F64", [1], [0.1]), "l.input_multiplier": ("F32", [3], [1, 2, 3]),
             "l.input_sign": ("I8", [3], [1, -1, 1]), "l.outlier_columns": ("I32", [1], [1]), "l.outlier_weight": ("F32", [2, 1], [1, 2]),
             "l.weight_zero_point": ("I32", [2], [0, 1])}
    limited = {**stored, "l.input_lower": ("I32", [3], [-7, -7, -7]), "l.input_upper": ("I32", [3], [7, 7, 7]), "l.input_shift": ("I32", [1], [0]),
               "l.input_zero_point": ("I32", [1], [0]), "l.input_limit": ("I64", [1], [40])}
    bare = {"l.weight": stored["l.weight"], "m.weight": ("I32", [1, 2], [127, -128])}
    inputs = {"l.weight": ("F32", [2, 3], [0.1, -0.2, 0.3, 0.4, 0.5, -0.6]), "l.inputs": ("F32", [2, 3], [1, 2, 3, -4, 5, 6]), "l.bias": ("F32", [2], [1, -1])}
    moments = {"l.weight": inputs["l.weight"], "l.H": ("F32", [3, 3], [2, 1, 0, 1, 2, 1, 0, 1, 2]), "l.G": ("F32", [3, 3], [2, 1, 0, 1, 2, 1, 0, 1, 2]),
               "l.input_scale": ("F64", [1], [0.1]), "l.input_zero_point": ("I32", [1], [7]), "l.input_bits": ("I32", [1], [4]),
               "l.input_signed": ("I32", [1], [0]), "l.input_code_min": ("I32", [3], [0, 0, 1]), "l.input_code_max": ("I32", [3], [15, 15, 14]),
               "l.output_energy": ("F64", [1], [3.5])}
    for name, arrays, metadata in [("token", stored, token), ("plain", plain, {"l.weight_bits": "4", "l.input_bits": "8"}), ("limited", limited, None),
                                   ("bare", bare, None), ("inputs", inputs, None), ("moments", moments, None)]:
        for file, data in three(name, arrays, metadata):
            write(folder / "layers", file, data)

    for number, requantizer in enumerate(range(10)):
        for file, data in three("multipliers", {"layer": ("F64", [2], [0.01 * 3**number, 0.5])}):
            write(folder / "multipliers", f"{number}.{file}", bytes([requantizer]) + data)

    shard = safetensors({"x.weight": ("I8", [1, 2], [1, -1]), "x.bias": ("I64", [1], [5])}, {"format": "pt"})
    places = {"x.weight": "a.safetensors", "x.bias": "a.safetensors", "y.weight": "b.safetensors", "y.bias": "b.safetensors"}
    for name, document in [("both", {"metadata": {"total_size": 32}, "weight_map": places}), ("no-size", {"weight_map": places}),
                           ("one", {"metadata": {"total_size": 10}, "weight_map": {k: v for k, v in places.items() if k[0] == "x"}}),
                           ("elsewhere", {"weight_map": {**places, "x.bias": "../a.safetensors"}})]:
        text = json.dumps(document).encode()
        write(folder / "index", name, len(text).to_bytes(2, "little") + text + shard)

    write(folder / "journal", "three", b"\1ground a 0 10\nbox a 0 3\nbit-precise b 5 7\nground a 20 30\nground a 8 20\n")
    write(folder / "journal", "other", b"\0axecert z3 journal 1 certificate other\n")


def main():
    root, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    for certificate in sorted((root / "tests/golden").glob("*/*.axec")):
        weights = certificate.with_suffix(".safetensors").read_bytes()
        data = certificate.read_bytes()
        for mended in (0, 1):
            length = min(len(data), 0xffffff)
            write(folder / "checker", f"{certificate.stem}.{mended}", length.to_bytes(3, "little") + bytes([mended]) + data + weights)
        write(folder / "certificate", certificate.stem, data)
        write(folder / "tensors", certificate.stem + ".safetensors", weights)
    for path in sorted((root / "examples").rglob("*.npz")):
        if path.stat().st_size < 200_000:
            write(folder / "tensors", path.name, path.read_bytes())
    for path in sorted((root / "lib/datapath/presets").glob("*.toml")):
        write(folder / "datapath", path.stem, b"T" + path.read_bytes())
    for number, text in enumerate(["axe:P=16", "axe:P=16,T=64", "axe:P=14,T=128,outer=float", "axe:P=12,T=32,outer=24,act=box", "axe:P=16,act=s8",
                                   "x86-avx2-maddubs", "axe-16x64"]):
        write(folder / "datapath", f"shorthand.{number}", text.encode())
    for path in sorted((root / "tests/onnx/fixtures").rglob("*.onnx")):
        if path.stat().st_size < 50_000:
            write(folder / "onnx", f"{path.parent.name}.{path.stem}", path.read_bytes())
    write_small_formats(root, folder)
    choices = random.Random(1)
    for number in range(100):
        write(folder / "differential", f"random.{number}", choices.randbytes(choices.randint(40, 160)))
    for path in sorted((pathlib.Path(__file__).parent / "regressions").glob("*/*")):
        write(folder / path.parent.name, "regression." + path.name, path.read_bytes())
    for target in sorted(folder.iterdir()):
        print(f"{target.name}: {len(list(target.iterdir()))} seeds")


if __name__ == "__main__":
    sys.exit(main())

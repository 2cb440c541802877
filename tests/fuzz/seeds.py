"""Seed corpora of the fuzz targets, made of files that the repository has anyway.

    python3 seeds.py REPOSITORY FOLDER

Writes FOLDER/{checker,certificate,tensors,datapath,onnx,differential}: golden pairs as the checker's target reads them (length, certificate, weights;
plain and with the digest to be made right), certificates, weights files and the arrays of examples as safetensors and npz, presets and
shorthands, ONNX models, random bytes (choices of small instances). What once was a finding, or reaches what seeds do not, stands in
regressions/TARGET and is copied. Only the Python standard library.
"""

import pathlib
import random
import shutil
import sys


def write(folder, name, data):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


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
    choices = random.Random(1)
    for number in range(100):
        write(folder / "differential", f"random.{number}", choices.randbytes(choices.randint(40, 160)))
    for path in sorted((pathlib.Path(__file__).parent / "regressions").glob("*/*")):
        write(folder / path.parent.name, "regression." + path.name, path.read_bytes())
    for target in sorted(folder.iterdir()):
        print(f"{target.name}: {len(list(target.iterdir()))} seeds")


if __name__ == "__main__":
    sys.exit(main())

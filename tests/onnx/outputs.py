"""Whether onnxruntime computes the same of a model in two places: with the kernels of two CPUs, or before and after.

    python3 outputs.py FILE.npz INPUTS.npz MODEL.onnx...

Runs every model on every run of INPUTS.npz (as examples/onnx/compare.py reads it) and, when FILE.npz is not there, writes all first outputs to it; else
compares with what it holds, number by number, prints how many differ and by how much, and ends with exit code 1 when some do. Needs numpy and onnxruntime.
"""

import pathlib
import sys

import numpy
import onnxruntime

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "onnx"))
import compare  # noqa: E402


def outputs(path, runs):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return [session.run(None, run)[0] for run in runs]


def main():
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    runs = compare.runs_of(sys.argv[2])
    found = {f"{pathlib.Path(path).name}/{i}": y for path in sys.argv[3:] for i, y in enumerate(outputs(path, runs))}
    known = pathlib.Path(sys.argv[1])
    if not known.exists():
        numpy.savez(known, **found)
        print(f"wrote {len(found)} outputs")
        return 0
    different = 0
    with numpy.load(known) as file:
        for path in sys.argv[3:]:
            name = pathlib.Path(path).name
            pairs = [(file[f"{name}/{i}"].astype(float), found[f"{name}/{i}"].astype(float)) for i in range(len(runs))]
            count = sum(int((a != b).sum()) for a, b in pairs)
            total = sum(a.size for a, _ in pairs)
            most = max(float(numpy.abs(a - b).max()) for a, b in pairs)
            print(f"{name}: {count:,} of {total:,} numbers differ, by up to {most:.4g}")
            different += count
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())

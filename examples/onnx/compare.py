"""How far quantized ONNX models are from a float one: mean cosine of their first outputs, averaged over tokens, run by run.

    python3 compare.py FLOAT.onnx INPUTS.npz MODEL.onnx...

INPUTS.npz as for moments.py; other runs than calibration's. On a CPU with VNNI onnxruntime computes the integers exactly, so the figure is
that of the weights alone, without any saturation. Needs onnxruntime and numpy.
"""

import sys

import numpy
import onnxruntime


def runs_of(path):
    """The inputs of each run by name: INPUTS.npz has them as NUMBER.NAME."""
    runs = {}
    with numpy.load(path) as file:
        for key in file.files:
            number, name = key.split(".", 1)
            runs.setdefault(int(number), {})[name] = file[key]
    return [runs[i] for i in sorted(runs)]


def embeddings(path, runs):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    pooled = [session.run(None, run)[0][0].mean(0) for run in runs]
    return numpy.array([row / numpy.linalg.norm(row) for row in pooled])


def main():
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    runs = runs_of(sys.argv[2])
    reference = embeddings(sys.argv[1], runs)
    for path in sys.argv[3:]:
        cosines = (embeddings(path, runs) * reference).sum(1)
        print(f"{path}: mean cosine {cosines.mean():.5f}, least {cosines.min():.4f}, {len(runs)} runs")


if __name__ == "__main__":
    main()

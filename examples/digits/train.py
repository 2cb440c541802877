"""Trains the network of this example and writes digits.npz and network.npz beside this file.

Needs NumPy and scikit-learn, and only when the two committed files are to be made again:

    python3 examples/digits/train.py

Data: the UCI handwritten digits as scikit-learn ships them, 1,797 images of 8 x 8 pixels with values 0..16. A seeded
shuffle puts 500 of them into the test split; nothing below looks at those, except the accuracy printed at the end.
Network: 64 -> 128 -> 128 -> 10, ReLU, biases. Training: Adam on cross-entropy, images shifted by up to one pixel.
The seed is fixed; another BLAS may still round differently, so the committed weights are the ones that count.

digits.npz    train.pixels, test.pixels [n, 64] u8; train.labels, test.labels [n] u8
network.npz   fc1, fc2, fc3: NAME.weight [rows, K], NAME.bias [rows], NAME.inputs [512, K] (the float network's
              inputs to that layer for the first 512 training images, pixels scaled to [0, 1]): a calibration file
              for `axecert quantize`
"""

import pathlib

import numpy as np
from sklearn.datasets import load_digits

SEED = 2025
TEST_IMAGES = 500
CALIBRATION_IMAGES = 512
WIDTHS = (64, 128, 128, 10)
EPOCHS = 300
BATCH = 64


def split():
    """Train and test pixels (u8) and labels, shuffled once."""
    data = load_digits()
    order = np.random.default_rng(SEED).permutation(len(data.target))
    pixels = data.data[order].astype(np.uint8)
    labels = data.target[order].astype(np.uint8)
    return pixels[:-TEST_IMAGES], labels[:-TEST_IMAGES], pixels[-TEST_IMAGES:], labels[-TEST_IMAGES:]


def shifted(images, rng):
    """Each image moved by -1, 0 or 1 pixel in both directions; what comes in from outside is empty."""
    padded = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    row, col = rng.integers(0, 3, size=(2, len(images)))
    grid = np.arange(8)
    return padded[np.arange(len(images))[:, None, None], row[:, None, None] + grid[:, None],
                  col[:, None, None] + grid].reshape(len(images), 64)


def layer_inputs(layers, x):
    """The input of every layer, and the logits last."""
    values = [x]
    for index, (weight, bias) in enumerate(layers):
        x = x @ weight.T + bias
        if index + 1 < len(layers):
            x = np.maximum(x, 0)
        values.append(x)
    return values


def train(pixels, labels):
    rng = np.random.default_rng(SEED)
    layers = [(rng.normal(0, np.sqrt(2 / k), (rows, k)), np.zeros(rows)) for k, rows in zip(WIDTHS, WIDTHS[1:])]
    moments = [[(np.zeros_like(p), np.zeros_like(p)) for p in layer] for layer in layers]
    steps = 0
    total = EPOCHS * (len(pixels) // BATCH)
    for _ in range(EPOCHS):
        order = rng.permutation(len(pixels))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[start:start + BATCH]
            x = shifted(pixels[rows], rng) / 16
            values = layer_inputs(layers, x)
            odds = np.exp(values[-1] - values[-1].max(axis=1, keepdims=True))
            gradient = odds / odds.sum(axis=1, keepdims=True)
            gradient[np.arange(BATCH), labels[rows]] -= 1
            gradient /= BATCH
            steps += 1
            rate = 2e-3 * 0.5 * (1 + np.cos(np.pi * steps / total))
            for index in reversed(range(len(layers))):
                weight, bias = layers[index]
                change = (gradient.T @ values[index] + 1e-4 * weight, gradient.sum(axis=0))
                gradient = (gradient @ weight) * (values[index] > 0)
                updated = []
                for which, (parameter, slope) in enumerate(zip((weight, bias), change)):
                    first, second = moments[index][which]
                    first = 0.9 * first + 0.1 * slope
                    second = 0.999 * second + 0.001 * slope**2
                    moments[index][which] = (first, second)
                    step = (first / (1 - 0.9**steps)) / (np.sqrt(second / (1 - 0.999**steps)) + 1e-8)
                    updated.append(parameter - rate * step)
                layers[index] = tuple(updated)
    return [(weight.astype(np.float32), bias.astype(np.float32)) for weight, bias in layers]


def main():
    folder = pathlib.Path(__file__).parent
    train_pixels, train_labels, test_pixels, test_labels = split()
    layers = train(train_pixels, train_labels)

    np.savez_compressed(folder / "digits.npz", **{
        "train.pixels": train_pixels, "train.labels": train_labels,
        "test.pixels": test_pixels, "test.labels": test_labels})
    arrays = {}
    inputs = layer_inputs(layers, train_pixels[:CALIBRATION_IMAGES].astype(np.float32) / 16)
    for index, (weight, bias) in enumerate(layers):
        arrays[f"fc{index + 1}.weight"] = weight
        arrays[f"fc{index + 1}.bias"] = bias
        arrays[f"fc{index + 1}.inputs"] = inputs[index].astype(np.float16)
    np.savez_compressed(folder / "network.npz", **arrays)

    for name, pixels, labels in (("train", train_pixels, train_labels), ("test", test_pixels, test_labels)):
        logits = layer_inputs(layers, pixels.astype(np.float32) / 16)[-1]
        print(f"{name}: {np.mean(logits.argmax(axis=1) == labels):.2%} of {len(labels)} images")


if __name__ == "__main__":
    main()

"""Weights in shards, from outside: the certificate is that of the same arrays in one file, bad layouts are refused with the shard and
the array, and what is resident does not grow with the files.

    python3 test_shards.py PATH_TO_AXECERT PATH_TO_AXECERT_CHECK

Only the Python standard library. Side effects: a temporary folder of about 400 MB.
"""

import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

AXECERT, CHECK = [pathlib.Path(word).resolve() for word in sys.argv[1:3]]
SAFE, UNSAFE, INCOMPLETE, REFUSED, DATA, NO_INPUT, CANNOT_CREATE = 0, 1, 2, 3, 65, 66, 73
DATAPATH = "axe:P=24,T=64,act=u8"
CODES = {"I8": "b", "I32": "i", "I64": "q", "F32": "f"}


def write_safetensors(path, arrays, metadata=None):
    """`arrays`: name → (dtype, shape, bytes or numbers)."""
    header, offset, blocks = {}, 0, []
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape, values) in arrays.items():
        data = values if isinstance(values, bytes) else struct.pack(f"<{len(values)}{CODES[dtype]}", *values)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        blocks.append(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for data in blocks:
            file.write(data)


def sizes(arrays):
    return sum(len(values) if isinstance(values, bytes) else len(values) * struct.calcsize(CODES[dtype]) for dtype, _, values in arrays.values())


def layer_arrays(name, rows, cols, seed, bias=True):
    generator = random.Random(seed)
    arrays = {
        f"{name}.weight": ("I8", (rows, cols), generator.randbytes(rows * cols)),
        f"{name}.scale": ("F32", (rows,), [0.5] * rows),
        f"{name}.input_lower": ("I32", (1,), [0]),
        f"{name}.input_upper": ("I32", (1,), [255]),
        f"{name}.input_shift": ("I32", (1,), [0]),
        f"{name}.input_zero_point": ("I32", (1,), [3]),
    }
    if bias:
        arrays[f"{name}.bias"] = ("I64", (rows,), [generator.randrange(-1000, 1000) for _ in range(rows)])
    return arrays


def write_shards(folder, arrays, shard_of, total_size=None, weight_map=None):
    """Deals `arrays` out by `shard_of(name)`, a number from 0; writes shards and index, returns the index's path."""
    folder.mkdir(exist_ok=True)
    numbers = sorted({shard_of(name) for name in arrays})
    names = {number: f"model-{i + 1:05d}-of-{len(numbers):05d}.safetensors" for i, number in enumerate(numbers)}
    for number in numbers:
        write_safetensors(folder / names[number], {name: array for name, array in arrays.items() if shard_of(name) == number}, {"format": "axecert weights 1"})
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": sizes(arrays) if total_size is None else total_size},
                                 "weight_map": weight_map or {name: names[shard_of(name)] for name in arrays}}))
    return index


class Case(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="axecert-shards-")
        self.addCleanup(temporary.cleanup)
        self.path = pathlib.Path(temporary.name)

    def run_program(self, *words, code=None):
        done = subprocess.run([str(word) for word in words], cwd=self.path, capture_output=True, text=True, timeout=300, check=False)
        self.assertGreaterEqual(done.returncode, 0, f"died: {words}\n{done.stderr}")
        if code is not None:
            self.assertEqual(done.returncode, code, f"{words}\n{done.stdout}\n{done.stderr}")
        return done

    def peak(self, *words, code=SAFE):
        """Kilobytes that were resident at most while the program ran, or in this one when that is more: it counts up to the exec."""
        with (self.path / "output").open("wb") as output:
            child = subprocess.Popen([str(word) for word in words], cwd=self.path, stdout=output, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(child.returncode, code, (self.path / "output").read_text())
        return usage.ru_maxrss

    def refused(self, words, code, *texts):
        done = self.run_program(AXECERT, *words, code=code)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)


class Shards(Case):
    def setUp(self):
        super().setUp()
        self.arrays = {}
        for i, name in enumerate(["blocks.0.up", "blocks.0.down", "blocks.1.up", "blocks.1", "head"]):
            self.arrays |= layer_arrays(name, 6, 200, i, bias=i % 2 == 0)
        write_safetensors(self.path / "whole.safetensors", self.arrays)
        self.run_program(AXECERT, "certify", "whole.safetensors", "-d", DATAPATH, "-o", "whole.axec", code=SAFE)

    def shards(self, folder="sharded", shard_of=lambda name: sum(map(ord, name)) % 3, **more):
        """Arrays of one layer lie in different shards."""
        return write_shards(self.path / folder, self.arrays, shard_of, **more)

    def test_the_certificate_is_that_of_one_file_however_the_arrays_are_dealt_out(self):
        whole = (self.path / "whole.axec").read_bytes()
        deals = {"apart": lambda name: sum(map(ord, name)) % 3, "by_layer": lambda name: name.rsplit(".", 1)[0], "one": lambda name: 0,
                 "each": lambda name: name}
        for folder, shard_of in deals.items():
            index = self.shards(folder, shard_of)
            self.run_program(AXECERT, "certify", index, "-d", DATAPATH, "-o", f"{folder}.axec", code=SAFE)
            self.assertEqual((self.path / f"{folder}.axec").read_bytes(), whole, folder)
            text = self.run_program(AXECERT, "verify", "whole.axec", folder, "--z3", "both", code=SAFE).stdout  # the folder stands for its index
            self.assertIn("z3 box", text)
            self.assertIn("replay", text)
            shards = sorted((self.path / folder).glob("*.safetensors"))
            self.assertIn("registers checked, 5 layers", self.run_program(CHECK, "whole.axec", *shards, code=SAFE).stdout)
        self.assertEqual(list(self.path.glob("*.tmp.*")), [])

    def test_other_verbs_take_an_index_too(self):
        index = self.shards()
        self.run_program(AXECERT, "explain", "whole.axec", index, "--layer", "head", code=SAFE)
        self.run_program(AXECERT, "report", "whole.axec", index, "--z3", "none", "--html", "report.html", code=SAFE)
        self.run_program(AXECERT, "certify", index, "-d", DATAPATH, "--html", "certify.html", "-o", "again.axec", code=SAFE)
        self.assertEqual((self.path / "again.axec").read_bytes(), (self.path / "whole.axec").read_bytes())
        self.run_program(AXECERT, "certify", index, "-d", DATAPATH, "--layer", "head", code=SAFE)
        for folder, weights in (("from-shards", index), ("from-file", "whole.safetensors")):
            self.run_program(AXECERT, "export", "whole.axec", weights, "--format", "smt2", "--layer", "head", "-o", folder, code=SAFE)
        exported = [{path.name: path.read_bytes() for path in (self.path / folder).iterdir()} for folder in ("from-shards", "from-file")]
        self.assertEqual(*exported)
        self.assertTrue(exported[0])

    def test_layers_to_quantize_may_lie_in_shards(self):
        arrays, generator = {}, random.Random(3)
        for i in range(3):
            arrays[f"blocks.{i}.weight"] = ("F32", (4, 16), [generator.gauss(0, 1) for _ in range(64)])
            arrays[f"blocks.{i}.inputs"] = ("F32", (24, 16), [generator.gauss(0.3, 1) for _ in range(384)])
        write_safetensors(self.path / "floats.safetensors", arrays)
        index = write_shards(self.path / "floats", arrays, lambda name: sum(map(ord, name)) % 2)
        quantize = (AXECERT, "quantize", "-d", "axe:P=14,T=8,act=s8")
        self.run_program(*quantize, "floats.safetensors", "-o", "of-file", code=SAFE)
        self.run_program(*quantize, index, "-o", "of-shards", code=SAFE)
        for name in ("weights.safetensors", "certificate.axec"):
            self.assertEqual((self.path / "of-shards" / name).read_bytes(), (self.path / "of-file" / name).read_bytes())
        self.run_program(*quantize, index, "-o", "one", "--layer", "blocks.1", code=SAFE)
        self.refused(("quantize", index, "floats.safetensors", "-d", "axe:P=14", "-o", "x"), DATA, "stands in another file too")
        # A layer that cannot be read leaves nothing, though others were quantized before it; a key that nobody knows is found before anything is done.
        self.refused(("quantize", self.with_array(arrays, "blocks.2.bias", ("F32", (3,), [0.0] * 3)), "-d", "axe:P=14", "-o", "x"), DATA, "blocks.2.bias")
        self.refused(("quantize", self.with_array(arrays, "blocks.2.bios", ("F32", (4,), [0.0] * 4)), "-d", "axe:P=14", "-o", "x"), DATA, "bios")
        self.assertFalse((self.path / "x").exists())

    def with_array(self, arrays, name, array):
        path = self.path / "changed.safetensors"
        write_safetensors(path, arrays | {name: array})
        return path

    def test_a_changed_weight_in_a_shard_is_refused_and_the_shard_is_named(self):
        self.shards()
        shard = self.path / "sharded" / "model-00002-of-00003.safetensors"
        content = bytearray(shard.read_bytes())
        header = json.loads(content[8:8 + int.from_bytes(content[:8], "little")])
        name = next(name for name in header if name.endswith(".weight"))
        content[8 + int.from_bytes(content[:8], "little") + header[name]["data_offsets"][0]] ^= 1
        shard.write_bytes(content)
        done = self.run_program(AXECERT, "verify", "whole.axec", "sharded", "--json", code=REFUSED)
        finding = json.loads(done.stdout)["votes"][0]["findings"][0]
        self.assertEqual(finding["layer"], name.rsplit(".", 1)[0])
        self.assertIn("model-00002-of-00003.safetensors", finding["message"])
        shards = sorted((self.path / "sharded").glob("*.safetensors"))
        self.assertIn("model-00002-of-00003.safetensors", self.run_program(CHECK, "whole.axec", *shards, code=REFUSED).stdout)

    def test_a_shard_short_or_a_layer_more_is_no_safe_verdict(self):
        self.shards("by_layer", lambda name: name.rsplit(".", 1)[0])
        shards = sorted((self.path / "by_layer").glob("*.safetensors"))
        self.assertIn("missing-layer", self.run_program(CHECK, "whole.axec", *shards[1:], code=REFUSED).stdout)
        write_safetensors(self.path / "more.safetensors", {"more.weight": ("I8", (1, 2), [1, 2])})
        self.assertIn("not covered", self.run_program(CHECK, "whole.axec", *shards, "more.safetensors", code=INCOMPLETE).stdout)
        self.assertIn("duplicate-array", self.run_program(CHECK, "whole.axec", *shards, shards[0], code=REFUSED).stdout)

    def test_layouts_that_do_not_hang_together_are_refused_with_shard_and_array(self):
        certify = ("certify", "bad", "-d", DATAPATH, "-o", "bad.axec")
        index = self.shards("bad")
        good = json.loads(index.read_text())
        shard = sorted((self.path / "bad").glob("*.safetensors"))[1]
        array = next(name for name, place in good["weight_map"].items() if place == shard.name)

        def changed(edit):
            document = json.loads(json.dumps(good))
            edit(document)
            index.write_text(json.dumps(document))

        changed(lambda d: d["weight_map"].update({array: "../" + shard.name}))
        self.refused(certify, DATA, array, "'../" + shard.name, "not a file of the index's folder")
        changed(lambda d: d["weight_map"].update({array: str(shard)}))
        self.refused(certify, DATA, array, "not a file of the index's folder")
        changed(lambda d: d["weight_map"].update({array: "model.bin"}))
        self.refused(certify, DATA, array, "shards are .safetensors files")
        changed(lambda d: d["weight_map"].update({array: 3}))
        self.refused(certify, DATA, array, "a file name")
        changed(lambda d: d["weight_map"].update({"ghost.weight": shard.name}))
        self.refused(certify, DATA, shard.name + ": ghost.weight", "no such array")
        changed(lambda d: d["weight_map"].update({array: sorted(set(d["weight_map"].values()) - {shard.name})[0]}))
        self.refused(certify, DATA, shard.name + ": " + array, "places it in")
        changed(lambda d: d["weight_map"].pop(array))
        self.refused(certify, DATA, shard.name + ": " + array, "is not in")
        changed(lambda d: d["metadata"].update({"total_size": good["metadata"]["total_size"] + 1}))
        self.refused(certify, DATA, "total_size", str(good["metadata"]["total_size"]))
        changed(lambda d: d["metadata"].update({"total_size": "many"}))
        self.refused(certify, DATA, "total_size")
        index.write_text('{"weight_map":{"a.weight":"x.safetensors","a.weight":"y.safetensors"}}')
        self.refused(certify, DATA, "'a.weight' stands twice in the index")
        for text in ("", "[]", "{}", '{"weight_map":{}}', '{"weight_map":[1]}', "{" * 100000):
            index.write_text(text)
            self.refused(certify, DATA, "model.safetensors.index.json")
        changed(lambda d: d["metadata"].pop("total_size"))  # nobody has to say it
        self.run_program(AXECERT, *certify, code=SAFE)
        (self.path / "bad.axec").unlink()
        index.write_text(json.dumps(good))
        other = sorted((self.path / "bad").glob("*.safetensors"))[0]
        write_safetensors(other, {**{name: value for name, value in self.arrays.items() if good["weight_map"][name] == other.name}, array: self.arrays[array]})
        self.refused(certify, DATA, shard.name + ": " + array, "lies in", other.name)
        shard.unlink()
        self.refused(certify, DATA, shard.name, "no such file", "places '")
        (self.path / "bad" / "second.safetensors.index.json").write_text("{}")
        self.refused(certify, DATA, "holds 2 files *.index.json")
        self.assertFalse((self.path / "bad.axec").exists())
        self.assertEqual(list(self.path.glob("*.tmp.*")), [])

    def test_shards_whose_metadata_disagree_are_refused(self):
        index = self.shards()
        shard = sorted((self.path / "sharded").glob("*.safetensors"))[2]
        names = [name for name, place in json.loads(index.read_text())["weight_map"].items() if place == shard.name]
        write_safetensors(shard, {name: self.arrays[name] for name in names}, {"format": "another"})
        self.refused(("certify", index, "-d", DATAPATH), DATA, shard.name, "metadata format", "'another'")

    def test_an_output_that_cannot_be_made_leaves_nothing(self):
        index = self.shards()
        self.refused(("certify", index, "-d", DATAPATH, "-o", "no/such/folder.axec"), CANNOT_CREATE, "nothing was written")


class Memory(Case):
    def test_what_is_resident_does_not_grow_with_the_files(self):
        rows, cols = 512, 4096
        layers = layer_arrays("any", rows, cols, 1, bias=False)

        def model(folder, count):
            arrays = {}
            for i in range(count):
                arrays |= {name.replace("any", f"layer{i:03d}"): array for name, array in layers.items()}
            return write_shards(self.path / folder, arrays, lambda name: int(name[5:8]) // 20)

        peaks = {}
        for folder, count in (("small", 40), ("large", 160)):  # 84 and 336 MB of weights
            index = model(folder, count)
            shards = sorted((self.path / folder).glob("*.safetensors"))
            peaks[folder] = [
                self.peak(AXECERT, "certify", index, "-d", DATAPATH, "-o", f"{folder}.axec"),
                self.peak(AXECERT, "verify", f"{folder}.axec", index, "--z3", "none", "--no-replay"),
                self.peak(CHECK, f"{folder}.axec", *shards),
            ]
        growth = [large - small for small, large in zip(peaks["small"], peaks["large"])]
        # 252 MB more of weights and 28 MB more of certificate; 4 MB are two layers of weights.
        self.assertLess(max(growth), 4_000, f"kB resident: {peaks}")
        self.assertLess(max(peaks["large"]), 60_000, f"kB resident: {peaks}")
        print(f"kB resident at most (certify, verify, axecert-check): {peaks}")

    def test_quantizing_holds_one_layer_of_the_input(self):
        """Its own output is held: a byte for each weight, and the certificate. Here calibration inputs are nearly everything that is read."""
        rows, cols, tokens = 16, 256, 2048
        generator = random.Random(2)
        inputs = struct.pack(f"<{tokens * cols}f", *(generator.gauss(0.3, 1) for _ in range(tokens * cols)))

        def model(folder, count):
            arrays = {}
            for i in range(count):
                arrays[f"layer{i:03d}.weight"] = ("F32", (rows, cols), [generator.gauss(0, 1) for _ in range(rows * cols)])
                arrays[f"layer{i:03d}.inputs"] = ("F32", (tokens, cols), inputs)
            return write_shards(self.path / folder, arrays, lambda name: int(name[5:8]) // 4)

        quantize = (AXECERT, "quantize", "-d", "axe:P=16,T=64,act=s8", "--threads", "1", "--scales", "max", "--refine", "0")
        peaks = {}
        for folder, count in (("few", 4), ("many", 32)):  # 8 and 67 MB of inputs
            index = model(folder, count)
            peaks[folder] = self.peak(*quantize, index, "-o", f"{folder}-out")
        # 59 MB more of inputs; 230 kB more of weights.
        self.assertLess(peaks["many"] - peaks["few"], 4_000, f"kB resident: {peaks}")
        print(f"kB resident at most (quantize): {peaks}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

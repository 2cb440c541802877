"""python -m axecert.eval: windows and perplexity against brute force, recipes, choices, resuming, tables, and the
whole command."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import tiny_language_model  # noqa: E402
from axecert import InputError  # noqa: E402
from axecert.eval import __main__ as command  # noqa: E402
from axecert.eval import (  # noqa: E402
    choice,
    execute,
    figure,
    peers,
    perplexity,
    plan,
    protocol,
    recipes,
    storage,
    study,
    summary,
    table,
)
from axecert.eval.progress import Lines  # noqa: E402

SHA = "0" * 64


# --- windows ---


def test_windows_drop_the_rest_and_keep_the_order() -> None:
    assert protocol.windows(np.arange(11), 4).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert protocol.windows(np.arange(4), 4).tolist() == [[0, 1, 2, 3]]


def test_a_text_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(InputError, match="3 tokens, less than one window of 4"):
        protocol.windows(np.arange(3), 4)


def test_line_ends_of_the_file_do_not_change_the_tokens(tmp_path: Path) -> None:
    (tmp_path / "unix").write_bytes(b"a b\nc d\n")
    (tmp_path / "dos").write_bytes(b"a b\r\nc d\r\n")
    unix, dos = (protocol.read_text(tmp_path / name) for name in ("unix", "dos"))
    assert unix.content == dos.content == "a b\nc d\n"
    assert unix.sha256 != dos.sha256  # of the bytes


@pytest.mark.parametrize("content", [b"", b" \n\n", b"\xff\xfe\x00"])
def test_a_text_without_content_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "text").write_bytes(content)
    with pytest.raises(InputError):
        protocol.read_text(tmp_path / "text")


def test_join_stands_between_the_lines() -> None:
    seen = []

    def tokenizer(text: str, **options: Any) -> dict[str, list[int]]:
        seen.append((text, options["add_special_tokens"]))
        return {"input_ids": [1]}

    protocol.tokenize("a\nb\n", tokenizer)
    protocol.tokenize("a\nb\n", tokenizer, "\n\n")
    assert seen == [("a\nb\n", False), ("a\n\n\nb\n", False)]


def test_split_cuts_at_a_line_end_and_loses_nothing() -> None:
    text = tiny_language_model.text(300, 1)
    first, second = protocol.split(text)
    assert first + second == text
    assert first.endswith("\n") and 0.05 * len(text) < len(second) <= 0.1 * len(text)
    assert protocol.split("no line end") == ("no line end", "")


# --- perplexity ---


@pytest.fixture(scope="module")
def llama() -> Any:
    return tiny_language_model.model()


@pytest.fixture(scope="module")
def windows() -> Any:
    ids = tiny_language_model.tokenizer()(tiny_language_model.text(200, 3), add_special_tokens=False)["input_ids"]
    return protocol.windows(np.asarray(ids, dtype=np.int64), 40)


def brute_force(model: Any, windows: Any) -> list[float]:
    """Token by token: each predicted from the prefix before it, in a forward pass of its own."""
    values = []
    with torch.inference_mode():
        for window in windows:
            total = 0.0
            for end in range(1, len(window)):
                logits = model(input_ids=torch.tensor([window[:end].tolist()])).logits[0, -1].double()
                total -= float(logits.log_softmax(0)[window[end]])
            values.append(total / (len(window) - 1))
    return values


def test_perplexity_is_that_of_single_predictions(llama: Any, windows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perplexity, "HEAD_POSITIONS", 7)  # divides nothing
    found = perplexity.measure(lambda: llama, windows, limit=5, batch_tokens=80)
    expected = brute_force(llama, windows[:5])
    assert found.nll == pytest.approx(expected, rel=1e-5)
    assert found.value == pytest.approx(math.exp(sum(expected) / 5), rel=1e-5)
    assert max(expected) - min(expected) > 0.01  # the windows differ, so that mixing them up would show


def test_a_model_that_changes_its_logits_is_measured_by_its_own(windows: Any) -> None:
    class Scaled(type(tiny_language_model.model())):  # type: ignore[misc]
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            output = super().forward(*args, **kwargs)
            output.logits = output.logits * 0.5
            return output

    model = Scaled(tiny_language_model.model().config).eval()
    assert not perplexity.head_can_be_chunked(model, torch.from_numpy(windows[0].copy()))
    assert perplexity.head_can_be_chunked(tiny_language_model.model(), torch.from_numpy(windows[0].copy()))
    assert perplexity.measure(lambda: model, windows, limit=2).nll == pytest.approx(
        brute_force(model, windows[:2]), rel=1e-5
    )


class Interrupted(Exception):
    pass


def test_an_interrupted_measurement_continues(
    llama: Any, windows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perplexity, "SAVE_EVERY", -1.0)
    state, whole = tmp_path / "state.json", perplexity.measure(lambda: llama, windows)

    def stop(done: int, count: int, value: float) -> None:
        if done >= 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        perplexity.measure(lambda: llama, windows, batch_tokens=40, state=state, key="a", progress=stop)
    seen: list[int] = []
    again = perplexity.measure(
        lambda: llama,
        windows,
        batch_tokens=40,
        state=state,
        key="a",
        progress=lambda done, count, value: seen.append(done),
    )
    assert seen[0] == 4  # three were kept
    assert again.nll == pytest.approx(whole.nll, rel=1e-6)

    def no_model() -> Any:
        raise AssertionError("the model is not needed")

    assert perplexity.measure(no_model, windows, state=state, key="a").nll == again.nll
    assert perplexity.measure(no_model, windows, limit=2, state=state, key="a").nll == again.nll[:2]
    with pytest.raises(AssertionError):
        perplexity.measure(no_model, windows, state=state, key="b")  # another model
    with pytest.raises(AssertionError):
        perplexity.measure(no_model, windows[1:], state=state, key="a")  # other windows


def test_a_state_file_cut_short_is_measured_again(llama: Any, windows: Any, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text('{"key": "a", "nll": [1.0')
    assert perplexity.measure(lambda: llama, windows, limit=2, state=state, key="a").nll == pytest.approx(
        brute_force(llama, windows[:2]), rel=1e-5
    )


def test_a_model_that_is_not_finite_is_refused(windows: Any) -> None:
    model = tiny_language_model.model()
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[3, 5] = math.nan
    with pytest.raises(InputError, match=r"window 0 of .* not finite"):
        perplexity.measure(lambda: model, windows)


def test_ratio_pairs_the_windows() -> None:
    value, spread = perplexity.ratio([3.0, 5.0, 4.0], [2.9, 4.9, 3.9])
    assert value == pytest.approx(math.exp(0.1))
    assert spread == pytest.approx(0.0, abs=1e-12)  # the windows differ much, the differences do not
    assert perplexity.ratio([3.0], [2.0]) == (pytest.approx(math.e), None)
    with pytest.raises(ValueError):
        perplexity.ratio([1.0, 2.0], [1.0])


def test_standard_error_by_hand() -> None:
    found = perplexity.Perplexity(8, (1.0, 2.0, 3.0), 0.0)
    assert found.value == pytest.approx(math.exp(2))
    assert found.standard_error == pytest.approx(math.exp(2) / math.sqrt(3))  # variance 1 over 3 windows
    assert perplexity.Perplexity(8, (1.0,), 0.0).standard_error is None
    assert perplexity.Perplexity(8, (800.0,), 0.0).value == math.inf


# --- recipes ---


def test_every_recipe_of_the_package_can_be_made_at_every_accumulator() -> None:
    file = recipes.builtin()
    assert set(file.settings["recipes"]) <= set(file.templates)
    assert set(file.settings["sweep-recipes"]) <= {
        name for name, template in file.templates.items() if template.has_place
    }
    for template in file.templates.values():
        for place in [recipes.Accumulator(12, None), recipes.Accumulator(20, 128)] if template.has_place else [None]:
            for chosen in recipes.candidates(template):
                if not template.is_float:
                    made = recipes.make_recipe(template.name, template.filled(place, chosen))
                    assert (str(place) in made.datapath) == (place is not None)


def test_every_constrained_recipe_names_the_unconstrained_one_it_is_compared_with() -> None:
    for template in recipes.builtin().templates.values():
        assert (template.reference is not None) == template.has_place, template.name
        if template.reference is not None:
            reference = recipes.builtin().templates[template.reference]
            assert reference.fields["options"]["constraint"] == "none"
            same = ("weight_bits", "activation_bits", "equalize", "rotate", "outliers")
            changed = set(template.choose) | ({"weight_bits", "activation_bits"} if template.choose else set())
            if template.name != "axe-optq-static":
                assert [template.fields.get(key) for key in same if key not in changed] == [
                    reference.fields.get(key) for key in same if key not in changed
                ]


def write(folder: Path, text: str) -> Path:
    path = folder / "recipes.toml"
    path.write_text(text)
    return path


def test_a_file_of_ones_own_builds_on_the_package(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'recipes = ["mine"]\nlength = 64\n[recipe.mine]\nbase = "ours"\ntitle = "mine"\nweight_bits = 3\n'
        "options = { ridge = 0.1 }\n",
    )
    file = recipes.read(path)
    mine, ours = file.templates["mine"], file.templates["ours"]
    assert mine.fields == {**ours.fields, "weight_bits": 3, "options": {**ours.fields["options"], "ridge": 0.1}}
    assert mine.reference == "w4a8-ours"
    assert file.settings["recipes"] == ["mine"] and file.settings["length"] == 64
    assert file.settings["points"] == recipes.builtin().settings["points"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[recipe.a\n", "line 1"),
        ('recipe = "x"', "table of tables"),
        ('[recipe.a]\nbase = "nothing"', "unknown base 'nothing'"),
        ('[recipe.a]\nbase = "b"\n[recipe.b]\nbase = "a"', "is its own base"),
        ('[recipe.a]\nbase = "ours"\nweights = 3', "unknown key 'weights'"),
        ('[recipe.a]\nbase = "ours"\nweight_bits = 9', "weight_bits"),
        ('[recipe.a]\nbase = "ours"\ndatapath = "axe:P={accumulator}"', "datapath|axe:"),
        ('[recipe.a]\nbase = "ours"\noptions = { magic = true }', "magic"),
        ('[recipe.a]\nbase = "ours"\nchoose = "widths"', "table of lists"),
        ('[recipe.a]\nbase = "ours"\nchoose = { weight_bits = [] }', "table of lists"),
        ('[recipe.a]\nbase = "ours"\nchoose = { weight_bits = [4, 12] }', "weight_bits"),
        ('[recipe.a]\nbase = "ours"\nreference = "gone"', "unknown reference 'gone'"),
        ('[recipe."a/b"]\nbase = "ours"', "other characters"),
    ],
)
def test_mistakes_in_a_recipe_file_show_before_anything_runs(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        recipes.read(write(tmp_path, text))
    assert "recipes.toml" in str(caught.value)


def test_the_files_of_the_example_are_complete(tmp_path: Path) -> None:
    folder = Path(__file__).resolve().parents[2] / "examples" / "language_model"
    for name in ("quick.toml", "paper.toml"):
        given = ["--config", str(folder / name), "--calibration", "a", "--test", "b", "-o", str(tmp_path)]
        options, file = command.arguments(given)
        wanted, sweep = command.cells(options, file)
        assert {cell.name for cell in wanted} >= {"float", "w4a8-ours", "ours@P=14,T=32", "axe-optq@P=14,T=32"}
        assert bool(sweep) == (name == "paper.toml")
    assert len([cell for cell in wanted if not cell.main]) > 60  # 20 accumulators for each of four recipes
    assert (options.sequences, options.length) == (128, 2048)


def test_accumulators_in_words() -> None:
    assert recipes.Accumulator.parse("P=16, T=64") == recipes.Accumulator(16, 64)
    assert recipes.Accumulator.parse("P=16,T=row") == recipes.Accumulator.parse("P=16") == recipes.Accumulator(16, None)
    assert [str(recipes.Accumulator(16, 64)), str(recipes.Accumulator(9, None))] == ["P=16,T=64", "P=9"]
    for wrong in ("", "16,64", "P=1,T=4", "P=65", "P=16,T=0", "P=16,T=-1", "P=16;T=4"):
        with pytest.raises(InputError):
            recipes.Accumulator.parse(wrong)


# --- choices ---


def walk(values: list[float | None], *, ordered: bool = True) -> tuple[choice.Choice, list[int]]:
    calls: list[int] = []

    def attempt(chosen: dict[str, Any]) -> choice.Tried:
        calls.append(chosen["n"])
        return choice.Tried(chosen, values[chosen["n"]], "" if values[chosen["n"]] is not None else "does not fit")

    return choice.choose([{"n": n} for n in range(len(values))], ordered=ordered, attempt=attempt), calls


def test_the_walk_finds_the_least_of_every_valley() -> None:
    for count in range(1, 9):
        for bottom in range(count):
            for unfit in range(count - bottom):  # the last so many do not fit
                values: list[float | None] = [abs(n - bottom) + 1.0 for n in range(count - unfit)]
                made, calls = walk(values + [None] * unfit)
                assert made.best is not None and made.best.chosen == {"n": bottom}
                assert len(calls) == len(set(calls))
                assert sorted(calls + [entry["n"] for entry in made.not_tried]) == list(range(count))


def test_the_walk_leaves_out_what_lies_beyond_a_rise() -> None:
    made, calls = walk([9.0, 8.0, 7.0, 1.0, 2.0, 3.0, 4.0])
    assert sorted(calls) == [2, 3, 4]
    assert made.best is not None and made.best.perplexity == 1.0


def test_nothing_that_fits_is_no_choice_and_all_combinations_are_tried_without_an_order() -> None:
    made, calls = walk([None, None, None])
    assert made.best is None and len(calls) == 3
    made, calls = walk([1.0, 5.0, 0.5, 5.0], ordered=False)
    assert calls == [0, 1, 2, 3] and made.best is not None and made.best.chosen == {"n": 2}


# --- plan ---


def test_options_in_words() -> None:
    assert plan.parse_windows("512,2048", None) == {512: None, 2048: None}
    assert plan.parse_windows("512,2048", "40") == {512: 40, 2048: 40}
    assert plan.parse_windows("512,2048", "512=40") == {512: 40, 2048: None}

    def swept(text: str) -> dict[str, list[str]]:
        return {name: [str(one) for one in found] for name, found in plan.sweep_points(text, ["a", "b-1"]).items()}

    rows = ["P=12,T=32", "P=13,T=32", "P=12", "P=13"]
    assert swept("P=12..13,T=32,row") == {"a": rows, "b-1": rows}
    tiles = ["P=12,T=32", "P=13,T=32", "P=14,T=32", "P=16"]
    assert swept("P=12,13,T=32; P=13..14,T=32; P=16,T=row") == {"a": tiles, "b-1": tiles}
    assert swept("b-1:P=9,T=4; P=8,T=4; a:P=7,T=row") == {"a": ["P=8,T=4", "P=7"], "b-1": ["P=9,T=4", "P=8,T=4"]}
    assert [str(one) for one in plan.points("P=16,T=128; P=14,T=32")] == ["P=16,T=128", "P=14,T=32"]
    assert plan.Calibration.parse("16x512", 7) == plan.Calibration(16, 512, 7)
    for wrong in ("", "1,x", "1"):
        with pytest.raises(InputError):
            plan.parse_windows(wrong, None)
    for wrong in ("64=3", "512=0", "512=", "-1"):
        with pytest.raises(InputError):
            plan.parse_windows("512", wrong)
    for wrong in ("P=12", "T=3,P=4", "P=16,T=9.5", "12..16", "P=12,T=32;", "P=12,T=32;T=64", ":P=12,T=32"):
        with pytest.raises(InputError, match="is not of the form"):
            plan.sweep_points(wrong, ["a"])
    with pytest.raises(InputError, match="'b' is not swept"):
        plan.sweep_points("a:P=12,T=32;b:P=12,T=32", ["a"])
    with pytest.raises(InputError, match="has no accumulators for b"):
        plan.sweep_points("a:P=12,T=32", ["a", "b"])
    for wrong in ("16", "0x4", "4x1", "ax4"):
        with pytest.raises(InputError):
            plan.Calibration.parse(wrong, 0)


def cells(
    *names: str, points: str = "P=16,T=32", main: bool = True, evaluate: plan.Evaluation | None = None, seed: int = 0
) -> list[plan.Entry]:
    calibration = plan.Calibration(4, 32, seed)
    return plan.entries(
        recipes.builtin().templates, names, plan.points(points), calibration, evaluate or {32: None}, main=main
    )


def test_references_and_the_float_model_come_along() -> None:
    assert [cell.name for cell in cells("ours", "axe-optq", points="P=16,T=32;P=14")] == [
        "float", "w4a8-ours", "ours@P=16,T=32", "ours@P=14", "w4a8-optq", "axe-optq@P=16,T=32", "axe-optq@P=14",
    ]  # fmt: skip
    with pytest.raises(InputError, match="'nothing'"):
        cells("nothing")
    with pytest.raises(InputError, match="needs an accumulator"):
        cells("ours", points="")


def test_table_and_sweep_share_runs() -> None:
    merged = plan.merge(
        cells("ours", evaluate={32: None, 64: 3})
        + cells("ours", points="P=16,T=32;P=15,T=32", main=False, evaluate={32: 4, 16: 2})
    )
    assert [cell.name for cell in merged] == ["float", "w4a8-ours", "ours@P=16,T=32", "ours@P=15,T=32"]
    assert [cell.main for cell in merged] == [True, True, True, False]
    assert merged[2].evaluate == {32: None, 64: 3, 16: 2} and merged[3].evaluate == {32: 4, 16: 2}
    other = plan.merge(cells("ours") + cells("ours", main=False, seed=1))
    assert [cell.name for cell in other] == ["float", "w4a8-ours", "ours@P=16,T=32", "w4a8-ours", "ours@P=16,T=32"]


def test_the_key_is_of_everything_that_decides_the_integers_and_of_nothing_else() -> None:
    template = recipes.builtin().templates["ours"]
    calibration, place = plan.Calibration(4, 32, 0), recipes.Accumulator(16, 32)
    run = plan.make_run(template, place, calibration, evaluate={32: None})
    key = run.key("m", "t")
    assert plan.make_run(template, place, calibration, evaluate={64: 1}).key("m", "t") == key
    others = {
        run.key("n", "t"), run.key("m", "u"),
        plan.make_run(template, recipes.Accumulator(15, 32), calibration).key("m", "t"),
        plan.make_run(template, place, plan.Calibration(5, 32, 0)).key("m", "t"),
        plan.make_run(template, place, plan.Calibration(4, 33, 0)).key("m", "t"),
        plan.make_run(template, place, plan.Calibration(4, 32, 1)).key("m", "t"),
        plan.make_run(template, place, calibration, {"weight_bits": 3}).key("m", "t"),
        plan.make_run(template, place, calibration, part="screen").key("m", "t"),
    }  # fmt: skip
    assert len(others) == 8 and key not in others
    floating = plan.make_run(recipes.builtin().templates["float"], place, calibration)
    assert (
        floating.key("m", "t") == floating.key("m", "u") and floating.accumulator is None and not floating.constrained
    )


# --- a study whose runs are played ---


def played(mean: Callable[[execute.Job], float], done: list[str]) -> Callable[[execute.Job], dict[str, Any]]:
    """A run that costs nothing: likelihoods from `mean`, files as a real run leaves them."""

    def perform(job: execute.Job) -> dict[str, Any]:
        done.append(job.name)
        value, folder = mean(job), Path(job.folder)
        shared = {"windows": 6, "seconds": 1.0, "join": job.join, "text_tokens": 200}
        lengths = {
            str(length): {"nll": [value + 0.1 * n for n in range(limit or 6)], **shared}
            for length, limit in job.evaluate
        }
        result: dict[str, Any] = {
            "name": job.name,
            "key": job.key,
            "axecert": "0",
            "core": SHA,
            "threads": 1,
            "perplexity": lengths,
            "peak_memory": 2**20,
        }
        if job.recipe is not None:
            layer = {
                "name": "a",
                "rows": 2,
                "cols": 3,
                "weight_bits": 4,
                "relative_error": 0.25,
                "nodes": 5,
                "unsafe_nodes": 0,
                "tokens": 8,
                "warnings": ["a warning"],
            }
            report = {
                "layers": [layer],
                "calibration": SHA,
                "seconds": {"quantize": 0.5},
                "cpu_seconds": {"quantize": 0.75},
                "unsupported": [],
                "not_certified": [{"what": "attention", "why": "data by data", "length": 4, "bits": 18}],
            }
            result["quantized"] = {"report": report, "seconds": 2.5, "cpu_seconds": 3.0, "peak_memory": 2**21, "resumed": False}
            result["overflows_seen"] = 0
            for name in (execute.WEIGHTS, execute.CERTIFICATE):
                (folder / execute.MODEL).mkdir(exist_ok=True)
                (folder / execute.MODEL / name).write_bytes(name.encode() + job.key.encode())
            vote = {"name": "checker", "verdict": "safe", "checked": 5, "total": 5, "seconds": 0.1, "detail": ""}
            result["verification"] = {
                "files": execute._hashes(folder),
                "bytes": {},
                "z3": job.z3,
                "verdict": "safe",
                "votes": [vote],
                "seconds": 0.1,
            }
        storage.write_json(folder / execute.RESULT, result)
        return result

    return perform


def make_study(
    folder: Path,
    wanted: list[plan.Entry],
    mean: Callable[[execute.Job], float],
    done: list[str],
    sweep: plan.Evaluation | None = None,
) -> study.Study:
    settings = study.Settings(
        "m",
        folder / "calibration",
        folder / "test",
        folder,
        screen=plan.Calibration(2, 32, 0),
        screen_windows=(2, 32),
        z3="ground",
        z3_only="ours*",
    )
    return study.Study(settings, wanted, SHA, SHA, sweep or {}, played(mean, done))


def test_a_finished_run_is_kept_until_its_files_change(tmp_path: Path) -> None:
    wanted, done = cells("ours"), list[str]()
    made = make_study(tmp_path, wanted, lambda job: 1.0, done)
    made.run(lambda _: None)
    assert done == ["float", "w4a8-ours", "ours@P=16,T=32"] and all(outcome.result for outcome in made.outcomes)
    jobs = [made.job(outcome.run) for outcome in made.outcomes if outcome.run]
    assert [job.z3 for job in jobs] == [None, None, "ground"]

    done.clear()
    make_study(tmp_path, wanted, lambda job: 1.0, done).run(lambda _: None)
    assert done == []
    with (Path(jobs[2].folder) / execute.MODEL / execute.WEIGHTS).open("r+b") as file:
        file.write(b"x")
    make_study(tmp_path, wanted, lambda job: 1.0, done).run(lambda _: None)
    assert done == ["ours@P=16,T=32"]

    done.clear()
    (Path(jobs[1].folder) / execute.RESULT).write_text('{"key": ')
    make_study(tmp_path, wanted, lambda job: 1.0, done).run(lambda _: None)
    assert done == ["w4a8-ours"]

    done.clear()  # more windows than before: only then again
    make_study(tmp_path, cells("ours", evaluate={32: None, 16: 1}), lambda job: 1.0, done).run(lambda _: None)
    assert done == ["float", "w4a8-ours", "ours@P=16,T=32"]


def test_a_run_that_fails_does_not_stop_the_others_and_is_tried_again(tmp_path: Path) -> None:
    def mean(job: execute.Job) -> float:
        if job.name == "w4a8-ours":
            raise InputError("layer", "no budget", "widen it")
        return 1.0

    done: list[str] = []
    made = make_study(tmp_path, cells("ours"), mean, done)
    states: list[int] = []
    made.run(lambda current: states.append(len(current.outcomes)))
    assert states == [1, 2, 3]
    assert [outcome.reason for outcome in made.outcomes] == ["", "layer: no budget (widen it)", ""]
    document = summary.summarize(made, {}, [])
    assert document["complete"] and [row["status"] for row in document["rows"]] == ["done", "no result", "done"]
    assert document["rows"][2]["perplexity"]["32"]["to_reference"] is None
    done.clear()
    make_study(tmp_path, cells("ours"), lambda job: 1.0, done).run(lambda _: None)
    assert done == ["w4a8-ours"]


def test_the_best_widths_are_chosen_on_calibration_text_and_then_run(tmp_path: Path) -> None:
    done: list[str] = []

    def mean(job: execute.Job) -> float:
        assert job.recipe is not None or job.name == "float"
        bits = job.recipe["activation_bits"] if job.recipe else 8
        if "naive" in job.name and bits > 6:
            raise InputError("widths", "nothing fits", "widen")
        return 2.0 + abs(bits - 4)

    made = make_study(tmp_path, cells("naive-optq"), mean, done)
    made.run(lambda _: None)
    outcome = made.outcomes[-1]
    assert outcome.run is not None and outcome.run.recipe is not None and outcome.run.recipe["activation_bits"] == 4
    assert done == [
        "float",
        "w4a8-optq",
        *(f"naive-optq@P=16,T=32[activation_bits={bits}]" for bits in (5, 6, 4, 3)),
        "naive-optq@P=16,T=32",
    ]
    row = summary.summarize(made, {}, [])["rows"][-1]
    assert row["choice"]["chosen"] == {"activation_bits": 4}
    assert [one["activation_bits"] for one in row["choice"]["not_tried"]] == [2, 7, 8]
    screened = [
        Path(
            made.job(
                plan.make_run(
                    outcome.entry.template,
                    outcome.entry.accumulator,
                    made.settings.screen,
                    {"activation_bits": 5},
                    part="screen",
                )
            ).folder
        )
    ]
    assert storage.read_json(screened[0] / execute.RESULT) is not None


def test_no_fitting_widths_is_a_reason_and_no_crash(tmp_path: Path) -> None:
    def mean(job: execute.Job) -> float:
        if "naive" in job.name:
            raise InputError("widths", "nothing fits 2 bits", "widen")
        return 1.0

    made = make_study(tmp_path, cells("naive-optq", points="P=2"), mean, [])
    made.run(lambda _: None)
    assert made.outcomes[-1].result is None and "nothing fits 2 bits" in made.outcomes[-1].reason
    text = table.markdown(summary.summarize(made, FACTS, ["x"]))
    assert "nothing works" in text and "no result" in text


FACTS: dict[str, Any] = {
    "peers": [],
    "model": {"name": "m", "class": "C", "type": "llama", "parameters": 5, "sha256": SHA, "context": 64},
    "texts": {role: {"file": f"{role}.txt", "sha256": SHA, "tokens": 99} for role in ("test", "calibration")},
}


@pytest.fixture
def document(tmp_path: Path) -> Any:
    """A table and a sweep in which `ours` is within 5 % from 13 bits on, but not at 14 with 64 products."""

    def mean(job: execute.Job) -> float:
        if not job.name.startswith("ours@"):
            return 2.0
        place = recipes.Accumulator.parse(job.name.split("@")[1])
        if place == recipes.Accumulator(14, 64):
            return 2.06
        return 2.0 + (0.04 if place.bits >= 13 else 7.0)

    sweep: plan.Evaluation = {32: 4}
    wanted = plan.merge(
        cells("ours", evaluate={32: None})
        + cells(
            "ours",
            points=";".join(f"P={p},T={t}" for p in (12, 13, 14, 15) for t in (32, 64, "row")),
            main=False,
            evaluate=sweep,
        )
    )
    made = make_study(tmp_path, wanted, mean, [], sweep)
    made.run(lambda _: None)
    return json.loads(json.dumps(summary.summarize(made, FACTS, ["python", "-m", "axecert.eval"]), allow_nan=False))


def test_the_result_compares_on_equal_windows(document: Any) -> None:
    rows = {row["name"]: row for row in document["rows"]}
    point = rows["ours@P=13,T=32"]["sweep"]["32"]
    assert point["windows"] == 4 and point["predicted_tokens"] == 4 * 31
    assert point["to_reference"] == {
        "recipe": "w4a8-ours",
        "ratio": pytest.approx(math.exp(0.04)),
        "standard_error": pytest.approx(0, abs=1e-9),
    }
    assert rows["ours@P=16,T=32"]["perplexity"]["32"]["windows"] == 6
    assert rows["ours@P=16,T=32"]["main"] and not rows["ours@P=13,T=32"]["main"]
    assert rows["ours@P=16,T=32"]["certificate"]["nodes"] == 5


def test_the_smallest_width_has_no_worse_one_above_it(document: Any) -> None:
    found = {one["tile"]: one["bits"] for one in document["smallest_widths"]}
    assert found == {32: 13, 64: 15, None: 13}  # exp(0.06) is more than 5 %: 13 does not count with 64 products


def test_the_table_says_what_was_measured(document: Any) -> None:
    text = table.markdown(document)
    for words in (
        "no BOS",
        "SHA-256",
        "W4A8",
        "safe, 5 registers: checker",
        "attention: data by data (18 bits by operand types)",
        "+4.1 %",
        "| P = 12 |",
    ):
        assert words in text, words
    assert "Incomplete" not in text and "Incomplete" in table.markdown({**document, "complete": False})
    widths = {line.count("|") for line in text.split("**ours**")[1].split("##")[0].splitlines() if line.startswith("|")}
    assert len(widths) == 1  # every row has every column


def peer(folder: Path, **changes: Any) -> Path:
    """A result as tests/peers/brevitas_model.py writes it."""
    settings = {
        "method": "a2gptq", "tile": 32, "bits": 14, "activations": "token-asymmetric", "activation_bits": 8,
        "weight_bits": 4, "weight_scales": "mse", "scaling": "parameter", "blocks": None,
        "sequences": 16, "length": 512, "seed": 0,
    }  # fmt: skip
    result = {
        "settings": settings,
        "threads": 2,
        "versions": {"brevitas": "0.13.4", "torch": "2.13.0"},
        "sha256": {"wiki.test.raw": SHA, "wiki.valid.raw": SHA},
        "seconds": {"optimize": 300.0},
        "quantizing seconds": 400.0,
        "cpu seconds": {"optimize": 310.0},
        "quantizing cpu seconds": 410.0,
        "peak GiB after quantizing": 2.5,
        "perplexity": {"32": {"perplexity": 89.19, "windows": 20, "predicted_tokens": 620}},
    }
    storage.write_json(folder / "result.json", {**result, **changes})
    return folder


def test_the_reference_implementation_stands_beside_ours(document: Any, tmp_path: Path) -> None:
    row = peers.read(peer(tmp_path / "a"), FACTS["texts"])
    text = table.markdown({**document, "peers": [row]})
    assert "Brevitas 0.13.4" in text
    assert "| 14, 32 | W4A8, token-asymmetric | 89.19 (20 windows) | 16 × 512, seed 0 | 410 | 2,560 |" in text
    assert "## Brevitas" not in table.markdown(document)
    with pytest.raises(InputError, match="another test text"):
        peers.read(peer(tmp_path / "b", sha256={"wiki.test.raw": "1" * 64, "wiki.valid.raw": SHA}), FACTS["texts"])
    with pytest.raises(InputError, match="not its result"):
        peers.read(peer(tmp_path / "c", settings={}), FACTS["texts"])
    with pytest.raises(InputError, match="not its result"):
        peers.read(tmp_path / "nothing", FACTS["texts"])


def test_the_figure_has_a_panel_for_each_number_of_products(document: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    svg, png = tmp_path / "a.svg", tmp_path / "a.png"
    assert figure.draw(document, svg, png)
    root = xml.etree.ElementTree.fromstring(svg.read_text())
    words = {"".join(node.itertext()).strip() for node in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"32 products", "64 products", "whole row", "float", "12", "15"} <= words
    assert "prefers-color-scheme:dark" in svg.read_text()
    for node in root.iter():  # whatever has a colour of the light palette has a class that the dark one overrides
        for index, colour in enumerate(figure.DARK):
            for what in ("fill", "stroke"):
                if f"{what}: {colour}" in node.get("style", ""):
                    assert f"{what[0]}{index}" in node.get("class", "").split()
    assert f".s{list(figure.DARK).index(figure.LINES[0])}{{stroke:{figure.DARK[figure.LINES[0]]}" in svg.read_text()
    assert png.read_bytes().startswith(b"\x89PNG")
    length, panels, _ = figure.series(document)
    assert (
        length == "32"
        and list(panels) == [32, 64, None]
        and [bits for bits, _ in panels[32]["ours"]] == [12, 13, 14, 15, 16]
    )
    assert not figure.draw({**document, "sweep_windows": {}}, tmp_path / "none.svg", tmp_path / "none.png")
    assert not (tmp_path / "none.svg").exists()


# --- the command ---


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    tiny_language_model.save(folder / "model")
    (folder / "valid.txt").write_text(tiny_language_model.text(1500, 1))
    (folder / "test.txt").write_text(tiny_language_model.text(200, 2))
    return folder


def options(material: Path, out: Path, *more: str) -> list[str]:
    small = "--sequences 8 --length 32 --windows 16,32 --limit-windows 16=20 --points P=14,T=16 --threads 1".split()
    files = [material / name for name in ("model", "valid.txt", "test.txt")]
    given = zip(("--model", "--calibration", "--test", "-o"), map(str, [*files, out]), strict=True)
    return [*(word for pair in given for word in pair), *small, *more]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "axecert.eval", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def whole(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One uninterrupted run of the command."""
    out = tmp_path_factory.mktemp("whole")
    result = run(
        options(
            material,
            out,
            "--recipes",
            "ours",
            "--sweep",
            "P=13..14,T=16",
            "--sweep-recipes",
            "ours",
            "--sweep-windows",
            "16",
            "--sweep-limit-windows",
            "8",
        )
    )
    assert result.returncode == 0, result.stderr
    assert "quantize block 2 of 2" in result.stderr
    yield out


def test_the_command_fills_the_table_and_verifies_every_certificate(whole: Path, material: Path) -> None:
    document = json.loads((whole / "result.json").read_text())
    rows = {row["name"]: row for row in document["rows"]}
    assert list(rows) == ["float", "w4a8-ours", "ours@P=14,T=16", "ours@P=13,T=16"]
    assert document["complete"] and document["texts"]["test"]["sha256"] == storage.sha256(
        (material / "test.txt").read_bytes()
    )
    tokens = document["texts"]["test"]["tokens"]
    assert (
        rows["float"]["perplexity"]["32"]["windows"] == tokens // 32
        and rows["float"]["perplexity"]["16"]["windows"] == 20
    )

    model = tiny_language_model.model()
    ids = np.asarray(
        tiny_language_model.tokenizer()((material / "test.txt").read_text(), add_special_tokens=False)["input_ids"]
    )
    expected = math.exp(sum(brute_force(model, protocol.windows(ids, 16)[:20])) / 20)
    assert rows["float"]["perplexity"]["16"]["perplexity"] == pytest.approx(expected, rel=1e-5)

    for name in ("ours@P=14,T=16", "ours@P=13,T=16"):
        row = rows[name]
        assert row["constrained"] and row["trusted"] and row["certificate"]["verdict"] == "safe"
        # Of a block: q, k, v, o, gate and up have 192 rows of 32 products, down 32 rows of 48; tiles of 16, and one
        # outer register for each row.
        registers = 2 * (192 * (2 + 1) + 32 * (3 + 1))
        assert row["certificate"]["layers"] == 14 and row["certificate"]["nodes"] == registers
        assert all(vote["checked"] == vote["total"] for vote in row["certificate"]["votes"])
        assert {vote["name"] for vote in row["certificate"]["votes"]} >= {"checker"}
        assert (whole / row["folder"] / "model" / "certificate.axec").exists()
        assert row["peak_memory_bytes"] >= row["quantizing_peak_memory_bytes"] > 2**20
        assert any("QKᵀ" in entry["what"] for entry in row["certificate"]["not_certified"])
    assert (whole / "table.md").read_text().startswith("# Perplexity under narrow accumulators")
    assert not list(whole.rglob("*.part*")) and not list(whole.rglob("blocks"))


def test_the_same_command_again_recomputes_nothing(whole: Path, material: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (whole / "runs").rglob("*") if path.is_file()}
    started = run(options(material, whole, "--recipes", "ours"))
    assert started.returncode == 0 and "quantize" not in started.stderr, started.stderr
    assert {path: path.stat().st_mtime_ns for path in (whole / "runs").rglob("*") if path.is_file()} == before


def children(process: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def kill_when_written(arguments: list[str], folder: Path, file: str) -> None:
    """Starts the command, kills it as soon as `file` of its run is there, and waits until its processes have ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "axecert.eval", *arguments],
        env=environment(),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 200
    while not list(folder.glob(f"runs/w4a8-ours-*/{file}")):
        assert process.poll() is None and time.monotonic() < deadline, f"ended or hung before {file} was written"
        time.sleep(0.002)
    workers = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < deadline, "a run outlived the command that started it"
        time.sleep(0.01)


@pytest.mark.parametrize("file", ["blocks/journal.json", "windows-16.json"])
def test_a_killed_command_continues_and_ends_with_the_same_integers(
    whole: Path, material: Path, tmp_path: Path, file: str
) -> None:
    arguments = options(material, tmp_path, "--recipes", "w4a8-ours")
    for _ in range(5):
        kill_when_written(arguments, tmp_path, file)
        if file.startswith("windows") or not list(tmp_path.glob("runs/w4a8-ours-*/quantized.json")):
            break  # else the kill came late: all blocks were finished by then
        for folder in tmp_path.glob("runs/w4a8-ours-*"):
            shutil.rmtree(folder)
    else:
        pytest.fail("five kills in a row came after the last block")
    float_result = next(tmp_path.glob("runs/float-*/result.json"))
    before = float_result.stat().st_mtime_ns

    result = run(arguments)
    assert result.returncode == 0, result.stderr
    assert float_result.stat().st_mtime_ns == before
    rows, expected = (
        {row["name"]: row for row in json.loads((folder / "result.json").read_text())["rows"]}
        for folder in (tmp_path, whole)
    )
    name = "w4a8-ours"
    assert rows[name]["certificate"]["sha256"] == expected[name]["certificate"]["sha256"]
    assert rows[name]["perplexity"]["32"] == expected[name]["perplexity"]["32"]
    if file.startswith("blocks"):
        assert rows[name]["quantizing_resumed"]


class Stopped(Exception):
    pass


def test_an_interrupted_verification_goes_on_behind_what_z3_has_proved(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = next(whole.glob("runs/ours@P=14*"))
    shutil.copytree(finished / "model", tmp_path / execute.MODEL)
    job = execute.Job.from_dict({**json.loads((finished / "job.json").read_text()), "folder": str(tmp_path), "z3": "box"})
    lines, said = Lines("run"), []

    def stop(voter: str, done: int, total: int) -> None:
        if done > total // 2:
            raise Stopped

    monkeypatch.setattr(lines, "votes", stop)
    with pytest.raises(Stopped):
        execute._verify(job, lines)
    (journal,) = tmp_path.glob("z3-*.journal")
    assert not (tmp_path / execute.VERIFIED).exists()
    monkeypatch.setattr(lines, "votes", lambda voter, done, total: said.append((voter, done)))
    record = execute._verify(job, lines)
    (vote,) = [vote for vote in record["votes"] if vote["name"].startswith("z3 box")]
    assert vote["checked"] == vote["total"] and "journal" in vote["detail"], vote
    assert not journal.exists() and record["verdict"] == "safe"


def test_a_damaged_model_is_quantized_again(whole: Path, material: Path) -> None:
    weights = next(whole.glob("runs/ours@P=14*/model/weights.safetensors"))
    good = weights.read_bytes()
    weights.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    result = run(options(material, whole, "--recipes", "ours"))
    assert result.returncode == 0 and "not the files that were verified" in result.stderr, result.stderr
    assert weights.read_bytes() == good


def test_widths_are_chosen_by_a_recipe_of_ones_own(material: Path, tmp_path: Path) -> None:
    settings = 'points = ["P=12,T=16"]\nscreen-calibration = "4x32"\nz3 = "both"\nz3-only = "mine*"\n'
    mine = '[recipe.mine]\nbase = "naive-optq"\ntitle = "widths"\nchoose = { activation_bits = [3, 4, 7] }\n'
    config = write(tmp_path, 'recipes = ["mine"]\n' + settings + mine)
    arguments = options(
        material, tmp_path / "out", "--config", str(config), "--screen-windows", "3x32", "--discard-models"
    )
    at = arguments.index("--points")
    del arguments[at : at + 2]  # the file's
    result = run(arguments)
    assert result.returncode == 0, result.stderr
    rows = {row["name"]: row for row in json.loads((tmp_path / "out" / "result.json").read_text())["rows"]}
    assert list(rows) == ["float", "w4a8-optq", "mine@P=12,T=16"]
    row = rows["mine@P=12,T=16"]
    tried = {one["chosen"]["activation_bits"]: one for one in row["choice"]["tried"]}
    assert tried[7]["perplexity"] is None and tried[7]["reason"]  # no weights of 2 bits or more fit
    chosen = row["choice"]["chosen"]["activation_bits"]
    assert tried[chosen]["perplexity"] == min(tried[3]["perplexity"], tried[4]["perplexity"])
    # 16 products of M-bit weights and N-bit codes in 12 bits: 16 · (2^N − 1) · 2^(M−1) ≤ 2047, so M + N ≤ 8
    assert [bits + chosen for bits in row["weight_bits"]] == [8]
    assert row["certificate"]["verdict"] == "safe" and row["settings"]["activation_bits"] == chosen
    votes = {name: {vote["name"] for vote in rows[name]["certificate"]["votes"]} for name in list(rows)[1:]}
    assert votes["w4a8-optq"] < votes["mine@P=12,T=16"]  # Z3 was asked for one of them only
    kept = {path.name for path in (tmp_path / "out").glob("runs/*/model/*")}
    assert kept == {"weights.safetensors", "certificate.axec"}
    assert not list((tmp_path / "out").glob("runs/*activation_bits*/model/*"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--windows", "65", "--limit-windows", "3"], "longer than the model's context of 64"),
        (["--sequences", "5000"], "5000 × 32 are 160,000"),
        (["--test", "SAME"], "is the calibration text"),
        (["--model", "/nonexistent/model"], "cannot be loaded"),
        (["--recipes", "nothing"], "'nothing'"),
        (["--points", "16,64"], "form P=16,T=64"),
        (["--sweep", "P=12,T=16", "--sweep-recipes", "w4a8-ours"], "no {accumulator}"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(
    material: Path, tmp_path: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [str(material / "valid.txt") if word == "SAME" else word for word in more]
    assert command.main(options(material, tmp_path / "out", "--recipes", "ours", *more)) == 65
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("runs/*"))


def test_lengths_that_are_not_given_are_the_papers_cut_to_the_context(tmp_path: Path) -> None:
    from transformers import GPT2Config

    GPT2Config().save_pretrained(tmp_path / "gpt2")
    GPT2Config(n_positions=300).save_pretrained(tmp_path / "short")
    found = {}
    for name, more in (
        ("smollm2", []),
        (str(tmp_path / "gpt2"), []),
        (str(tmp_path / "gpt2"), ["--length", "64", "--windows", "32"]),
        (str(tmp_path / "short"), []),
        (str(tmp_path / "short"), ["--windows", "7"]),
    ):
        given = ["--model", name, "--calibration", "a", "--test", "b", "-o", "c", *more]
        options, _ = command.arguments(given)
        found[(Path(name).name, *more)] = (options.length, options.windows)
    assert list(found.values()) == [(2048, "512,2048"), (1024, "512,1024"), (64, "32"), (300, "300"), (300, "7")]
    with pytest.raises(InputError, match="cannot be loaded"):
        command.arguments(["--model", str(tmp_path / "none"), "--calibration", "a", "--test", "b", "-o", "c"])


def test_a_full_disk_is_a_reason_and_the_same_command_continues(material: Path, tmp_path: Path) -> None:
    """Files may not grow beyond what a result needs: the float model's run ends, blocks of the other cannot be kept."""
    arguments = options(material, tmp_path, "--recipes", "w4a8-ours", "--z3", "none")
    limited = [sys.executable, "-c", FULL_DISK, *arguments]
    full = subprocess.run(limited, env=environment(), capture_output=True, text=True, timeout=300, check=False)
    assert full.returncode == 1 and "Traceback" not in full.stderr, full.stderr
    assert "w4a8-ours  no result: " in full.stderr and "block-000.safetensors" in full.stderr
    assert "no result" in (tmp_path / "table.md").read_text()
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".partial") or path.name == ".saving"]
    float_result = next(tmp_path.glob("runs/float-*/result.json"))
    before = float_result.stat().st_mtime_ns
    again = run(arguments)
    assert again.returncode == 0 and float_result.stat().st_mtime_ns == before, again.stderr


FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, resource.RLIM_INFINITY))
from axecert.eval.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_tokenizer_of_another_model_is_refused(material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(material / "model", tmp_path / "model")
    tiny_language_model.model(vocab_size=20).save_pretrained(tmp_path / "model")
    given = options(material, tmp_path / "out", "--recipes", "ours", "--model", str(tmp_path / "model"))
    assert command.main(given) == 65
    assert "use the tokenizer that belongs to the model" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("runs/*"))


def test_the_head_of_a_recipe_is_in_the_certificate(whole: Path, material: Path, tmp_path: Path) -> None:
    result = run(options(material, tmp_path, "--recipes", "ours-head", "--z3", "none"))
    assert result.returncode == 0, result.stderr
    rows = {row["name"]: row for row in json.loads((tmp_path / "result.json").read_text())["rows"]}
    plain = {row["name"]: row for row in json.loads((whole / "result.json").read_text())["rows"]}
    for name, less in (("w4a8-ours-head", "w4a8-ours"), ("ours-head@P=14,T=16", "ours@P=14,T=16")):
        found = rows[name]["certificate"]
        assert found["verdict"] == "safe" and found["layers"] == plain[less]["certificate"]["layers"] + 1
        assert "lm_head" in rows[name]["relative_error_by_layer"]
        assert not any("lm_head" in item["what"] for item in found["not_certified"])
        assert rows[name]["perplexity"]["32"]["perplexity"] != plain[less]["perplexity"]["32"]["perplexity"]


def test_two_commands_do_not_share_a_folder(material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with storage.locked(tmp_path):
        assert command.main(options(material, tmp_path, "--recipes", "ours")) == 65
    assert "another run is writing" in capsys.readouterr().err


def test_unknown_settings_of_a_file_are_refused(
    material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "recipe-list = []\n")
    assert command.main(options(material, tmp_path / "out", "--config", str(path))) == 65
    assert "unknown setting 'recipe-list'" in capsys.readouterr().err


def test_the_list_names_every_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in recipes.builtin().templates)

"""lm-eval runs its tasks on our models: a local task whose right answers a trained-by-hand model must find, and a
quantized one."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
lm_eval = pytest.importorskip("lm_eval")
pytest.importorskip("datasets")

import numpy as np  # noqa: E402
import tiny_language_model  # noqa: E402
from axecert import InputError  # noqa: E402

TASK = """
task: lanterns
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
output_type: multiple_choice
test_split: test
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{answer}}}}"
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lm_eval")
    tiny_language_model.save(folder / "model")
    return folder


def questions(model: Any, count: int) -> list[dict[str, Any]]:
    """Questions whose marked answer is the likelier of two by the model itself, computed here from its logits."""
    tokenizer = tiny_language_model.tokenizer()
    words = tiny_language_model.text(4 * count, 9).split()
    found = []
    for index in range(count):
        question, choices = " ".join(words[5 * index : 5 * index + 4]), [" dawn .", " rain ."]
        likelihoods = []
        for choice in choices:
            ids = tokenizer(question + choice, add_special_tokens=False)["input_ids"]
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
            likelihoods.append(sum(float(logits[at - 1, ids[at]]) for at in range(len(ids) - 2, len(ids))))
        found.append({"question": question, "choices": choices, "answer": int(np.argmax(likelihoods))})
    return found


def run(folder: Path, model: Any, docs: list[dict[str, Any]]) -> dict[str, Any]:
    """Accuracy and so on of one local task, with nothing fetched."""
    from lm_eval.tasks import TaskManager

    folder.mkdir()
    (folder / "data.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    (folder / "lanterns.yaml").write_text(TASK.format(data=folder / "data.jsonl"))
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    found = lm_eval.simple_evaluate(model=model, tasks=["lanterns"], task_manager=manager, bootstrap_iters=0)
    return dict(found["results"]["lanterns"])


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))


def test_a_local_task_gets_the_models_own_answers(material: Path, tmp_path: Path) -> None:
    from axecert.lm_eval import QuantizedLM

    docs = questions(tiny_language_model.model(), 12)
    assert {doc["answer"] for doc in docs} == {0, 1}  # a model that always says the same would miss some
    right = run(tmp_path / "right", QuantizedLM(str(material / "model")), docs)
    wrong = run(
        tmp_path / "wrong", QuantizedLM(str(material / "model")), [{**doc, "answer": 1 - doc["answer"]} for doc in docs]
    )
    assert right["acc,none"] == 1.0 and wrong["acc,none"] == 0.0


def test_a_saved_quantized_model_answers_with_its_integers(material: Path, tmp_path: Path) -> None:
    import axecert.torch
    import axecert.transformers
    from axecert.lm_eval import QuantizedLM
    from axecert.recipe import Recipe

    model = tiny_language_model.model()
    tokens = axecert.transformers.calibration_tokens(
        tiny_language_model.text(400, 1), tiny_language_model.tokenizer(), sequences=4, length=32, seed=0
    )
    axecert.transformers.quantize(
        model, tokens, Recipe(datapath="axe:P=10,T=16,act=s8", weight_bits=2, activation_bits=4)
    )
    axecert.torch.save(model, tmp_path / "saved")
    docs = questions(model, 12)
    quantized = QuantizedLM(str(material / "model"), tmp_path / "saved")
    assert run(tmp_path / "task", quantized, docs)["acc,none"] == 1.0
    assert axecert.torch.integer_layers(quantized.model)

    (words,) = quantized.loglikelihood([_request("the miller", " watches")])
    ids = tiny_language_model.tokenizer()("the miller watches", add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        expected = float(model(input_ids=torch.tensor([ids])).logits[0, -2].log_softmax(-1)[ids[-1]])
        floating = float(
            tiny_language_model.model()(input_ids=torch.tensor([ids])).logits[0, -2].log_softmax(-1)[ids[-1]]
        )
    assert words[0] == pytest.approx(expected, rel=1e-4)
    assert not math.isclose(words[0], floating, rel_tol=1e-3)


def test_the_documented_command_takes_a_run_of_the_evaluation_by_its_name(material: Path, tmp_path: Path) -> None:
    """Names of runs hold commas and equals signs, at which lm-eval cuts arguments that are no JSON."""
    import axecert.torch
    import axecert.transformers
    from axecert.recipe import Recipe

    model = tiny_language_model.model()
    tokens = np.arange(4 * 32, dtype=np.int64).reshape(4, 32) % len(tiny_language_model.tokenizer())
    axecert.transformers.quantize(model, tokens, Recipe(datapath="axe:P=10,T=16,act=s8", weight_bits=2))
    saved = tmp_path / "ours@P=10,T=16-0123456789ab" / "model"
    axecert.torch.save(model, saved)
    (tmp_path / "task").mkdir()
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in questions(model, 6)))
    (tmp_path / "task" / "lanterns.yaml").write_text(TASK.format(data=tmp_path / "data.jsonl"))
    arguments = json.dumps({"pretrained": str(material / "model"), "quantized": str(saved)})
    command = [sys.executable, "-m", "axecert.lm_eval", "run", "--model", "axecert", "--model_args", arguments]
    command += ["--tasks", "lanterns", "--include_path", str(tmp_path / "task"), "--output_path", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (result,) = (tmp_path / "out").rglob("results_*.json")
    assert json.loads(result.read_text())["results"]["lanterns"]["acc,none"] == 1.0


def _request(context: str, continuation: str) -> Any:
    from lm_eval.api.instance import Instance

    return Instance(request_type="loglikelihood", doc={}, arguments=(context, continuation), idx=0)


def test_the_name_is_registered(material: Path) -> None:
    from axecert.lm_eval import QuantizedLM
    from lm_eval.api.registry import get_model

    assert get_model("axecert") is QuantizedLM
    made = get_model("axecert").create_from_arg_string(f"pretrained={material / 'model'}", {"batch_size": 2})
    assert isinstance(made, QuantizedLM) and made.batch_size == 2


def test_a_model_object_needs_its_tokenizer(material: Path) -> None:
    from axecert.lm_eval import QuantizedLM

    with pytest.raises(InputError, match="without its tokenizer"):
        QuantizedLM(tiny_language_model.model())
    with pytest.raises(InputError, match="tokenizer"):
        QuantizedLM(str(material / "model"), tokenizer=tiny_language_model.tokenizer())
    with pytest.raises(InputError):
        QuantizedLM(str(material / "model"), material / "nothing")

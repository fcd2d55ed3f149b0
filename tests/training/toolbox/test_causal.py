"""Causal language modelling: going on with code and answering prompts."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from transformers import AutoModelForCausalLM  # noqa: E402

from codehunch_training.bases import BaseError, load_base  # noqa: E402
from codehunch_training.data import DataError  # noqa: E402
from codehunch_training.recipe import load_recipe  # noqa: E402
from codehunch_training.run_folder import load_run  # noqa: E402
from codehunch_training.tasks.causal import Causal  # noqa: E402
from codehunch_training.tasks.specification import IGNORED  # noqa: E402
from codehunch_training.training import train  # noqa: E402

NAMES = "left right width height count total first last size depth".split()
VERBS = {"+": "add", "-": "drop", "*": "times", "/": "split"}
TINY = (
    "model.max_length=64", "model.hidden_size=64", "model.layers=1", "model.heads=4", "model.intermediate_size=128",
    "model.vocabulary=400", "optimizer.learning_rate=5e-3", "batch.tokens=1024", "regularization.dropout=0.0",
    "schedule.epochs=12", "generation.max_target=24", "schedule.evaluate_every=1000",
)  # fmt: skip


def rows(count: int, seed: int) -> Iterator[dict[str, str]]:
    rng = random.Random(seed)
    for _ in range(count):
        a, sign = rng.choice(NAMES), rng.choice(list(VERBS))
        yield {"text": f"def {a} {sign}\n", "target": f"    return {VERBS[sign]}({a})\n"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("causal")
    for split, count, seed in (("train", 400, 0), ("valid", 40, 1)):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(count, seed)))
    return folder


def test_it_learns_to_go_on(data: Path, tmp_path: Path) -> None:
    run = train("causal", "new:gpt2", data, load_recipe("causal", (*TINY, "data.text=target")), tmp_path / "run")
    assert run.summary["parameters"] <= 1_000_000
    assert run.metrics["perplexity"] < run.summary["baseline"]["perplexity"] / 2
    assert run.metrics["accuracy"] > run.summary["baseline"]["accuracy"] + 0.2
    again = load_run(run.folder)
    assert again.task.evaluate(again.model, list(rows(40, 1)))["loss"] == pytest.approx(run.metrics["loss"], rel=1e-4)


def test_it_learns_to_answer(data: Path, tmp_path: Path) -> None:
    settings = load_recipe("causal", (*TINY, "data.target=target", "schedule.epochs=20"))
    run = train("causal", "new:gpt2", data, settings, tmp_path / "run")
    assert run.metrics["bleu"] > run.summary["baseline"]["bleu"] + 20
    assert run.metrics["exact_match"] > run.summary["baseline"]["exact_match"] + 0.3


def prepared(made: list[dict[str, str]], *changes: str) -> tuple[Causal, Any, list[Mapping[str, Any]]]:
    settings = load_recipe("causal", (*TINY, *changes))
    task, base = Causal(), load_base("new:gpt2", settings, [row["text"] + row["target"] for row in made])
    task.prepare(made, base, settings)
    torch.manual_seed(0)
    return task, task.build(base, settings, made).eval(), task.features(made)


def test_only_the_answer_carries_a_loss() -> None:
    (row,) = rows(1, 0)
    task, _, (features,) = prepared([row], "data.target=target")
    labelled = [token for token in features["labels"] if token != IGNORED]
    assert task.tokenizer.decode(labelled) == row["target"] + task.tokenizer.eos_token
    assert task.tokenizer.decode(features["input_ids"], skip_special_tokens=True) == row["text"] + row["target"]
    assert task.counts(task.collate([features])) == {"items": len(labelled)}


def test_a_long_prompt_keeps_its_end() -> None:
    row = {"text": "first " * 100 + "last", "target": "x"}
    task, _, (features,) = prepared([row], "data.target=target")
    assert len(features["input_ids"]) == 64
    assert task.tokenizer.decode(features["input_ids"], skip_special_tokens=True).endswith("first lastx")


def test_the_loss_is_transformers_own() -> None:
    made = list(rows(3, 0))
    task, model, features = prepared(made, "data.text=target")
    batch = task.collate(features)
    loss = task.loss(model, batch, task.counts(batch)).parts["loss"]
    assert loss.item() == pytest.approx(model(**batch).loss.item(), rel=1e-5)


def test_padding_on_the_left_changes_no_answer(data: Path, tmp_path: Path) -> None:
    settings = load_recipe("causal", (*TINY, "data.target=target", "schedule.steps=12"))
    run = train("causal", "new:gpt2", data, settings, tmp_path / "run")
    task, model = (again := load_run(run.folder)).task, again.model
    prompts = ["def larger(left, right):\n", "x", "def larger(width, height, depth, size):\n"]
    assert task.write(model, prompts) == [task.write(model, [prompt])[0] for prompt in prompts]
    plain = AutoModelForCausalLM.from_pretrained(run.folder / "best")
    ids = torch.tensor([task.prompt_ids(prompts[0], 40)])
    produced = plain.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False)
    assert task.tokenizer.decode(produced[0, ids.shape[1] :], skip_special_tokens=True) == task.write(model, prompts)[0]


def test_long_texts_are_cut_into_windows_and_end_once() -> None:
    task, _, features = prepared([{"text": "first last " * 100, "target": ""}])
    assert len(features) > 2
    assert all(len(each["input_ids"]) <= 64 for each in features)
    short = prepared([{"text": "first", "target": ""}])[2][0]["input_ids"]
    assert short[-1] == task.tokenizer.eos_token_id != short[-2]


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(DataError, match="no training row has any text in the columns 'text' and 'target'"):
        prepared([{"text": "a", "target": ""}], "data.target=target")
    settings = load_recipe("causal", TINY)
    with pytest.raises(BaseError, match=r"causal needs a decoder such as gpt2 or new:gpt2"):
        Causal().check_base(load_base("new:roberta", settings, ["a b"]))

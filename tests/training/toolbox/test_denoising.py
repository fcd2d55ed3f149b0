"""Span denoising as pre-training: it learns, hides what it says it hides, and its checkpoint is a base."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from codehunch_training.bases import BaseError, load_base  # noqa: E402
from codehunch_training.recipe import RecipeError, load_recipe  # noqa: E402
from codehunch_training.tasks import task_for  # noqa: E402
from codehunch_training.tasks.denoising import Denoising  # noqa: E402
from codehunch_training.training import train  # noqa: E402

NAMES = "left right width height count total first last size depth".split()
TINY = (
    "model.max_length=64", "model.hidden_size=64", "model.layers=1", "model.decoder_layers=1", "model.heads=4",
    "model.intermediate_size=128", "model.vocabulary=400", "optimizer.name=adamw", "optimizer.learning_rate=5e-3",
    "batch.tokens=1024", "regularization.dropout=0.0", "schedule.epochs=12", "schedule.evaluate_every=1000",
)  # fmt: skip


def functions(count: int, seed: int) -> list[dict[str, str]]:
    rng = random.Random(seed)
    drawn = [rng.sample(NAMES, 3) for _ in range(count)]
    return [
        {"text": f"def {name}({a}, {b}):\n    if {a} > {b}:\n        return {a}\n    return {b}\n"}
        for name, a, b in drawn
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("denoising")
    for split, count, seed in (("train", 300, 0), ("valid", 40, 1)):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in functions(count, seed)))
    return folder


def test_it_learns_and_is_a_base(data: Path, tmp_path: Path) -> None:
    run = train("pretrain", "new:t5", data, load_recipe("pretrain-denoising", TINY), tmp_path / "run")
    assert run.summary["parameters"] <= 1_000_000
    assert run.metrics["loss"] < run.summary["baseline"]["loss"] - 0.5
    base = load_base(str(tmp_path / "run" / "best"))
    assert base.family == "seq2seq"
    # Going on from it begins where it ended.
    settings = load_recipe("pretrain-denoising", (*TINY, "optimizer.learning_rate=0.0", "schedule.steps=1"))
    again = train("pretrain", str(tmp_path / "run" / "best"), data, settings, tmp_path / "again")
    assert again.metrics["loss"] == pytest.approx(run.metrics["loss"], rel=1e-4)


def prepared(spec: str, *changes: str) -> tuple[Denoising, list[Mapping[str, Any]]]:
    settings = load_recipe("pretrain-denoising", (*TINY, *changes))
    rows = functions(50, 0)
    task, base = Denoising(), load_base(spec, settings, [row["text"] for row in rows])
    task.prepare(rows, base, settings)
    return task, task.features(rows)


@pytest.mark.parametrize("spec", ["new:t5", "new:bart"])
def test_the_rate_is_as_asked_and_specials_are_never_hidden(spec: str) -> None:
    task, features = prepared(spec)
    rng, hidden, whole = random.Random(0), 0, 0
    special = set(task.tokenizer.all_special_ids)
    for _ in range(40):
        for each in features:
            drawn = task.draw(each, rng)
            kept = [token for token in drawn["input_ids"] if token not in special]
            hidden += len(each["ids"]) - len(kept)
            whole += len(each["ids"])
            if spec == "new:t5":
                # Sentinels and the one end are all the target has besides hidden tokens.
                assert len([token for token in drawn["labels"] if token not in special]) + len(kept) == len(each["ids"])
                assert drawn["input_ids"][-1] == drawn["labels"][-1] == task.tokenizer.eos_token_id
            else:
                assert drawn["labels"] == each["input_ids"]
                assert [drawn["input_ids"][0], drawn["input_ids"][-1]] == [
                    task.tokenizer.bos_token_id,
                    task.tokenizer.eos_token_id,
                ]
    assert hidden / whole == pytest.approx(0.15, abs=0.005)


def test_each_visit_hides_something_else_and_measuring_does_not() -> None:
    task, features = prepared("new:t5")
    first, second = (task.draw(features[0], random.Random(f"0:{visit}:0")) for visit in (0, 1))
    assert first != second
    assert task.draw(features[0], random.Random("0:0:0")) == first
    rows = functions(5, 3)
    assert task._measured(rows) == task._measured(rows)
    lengths = [task.length(each) - len(each["input_ids"]) for each in features]
    drawn = [len(task.draw(each, random.Random(at))["labels"]) for at, each in enumerate(features)]
    assert np.mean(lengths) == pytest.approx(np.mean(drawn), abs=2)


def test_objectives_of_encoders_and_of_encoder_decoders_do_not_mix() -> None:
    assert isinstance(task_for("pretrain", load_recipe("pretrain-denoising")), Denoising)
    assert not isinstance(task_for("pretrain", load_recipe("pretrain-mlm")), Denoising)
    with pytest.raises(RecipeError, match="denoising stands alone"):
        task_for("pretrain", load_recipe("pretrain-denoising", ("objective.objectives=['mlm', 'denoising']",)))


def test_an_encoder_is_told_what_to_use() -> None:
    settings = load_recipe("pretrain-denoising", TINY)
    with pytest.raises(BaseError, match="needs an encoder-decoder such as Salesforce/codet5-small"):
        Denoising().check_base(load_base("new:roberta", settings, ["a b"]))

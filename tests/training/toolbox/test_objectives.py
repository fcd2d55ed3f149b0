"""What the numbers of an objective do: each weight scales its part, each rate and length is what is drawn."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toolbox_helpers import SMALL, function, labelled, twins, write

from codehunch_training.bases import load_base
from codehunch_training.recipe import Recipe, load_recipe
from codehunch_training.tasks import task_for
from codehunch_training.tasks.joint_defects import defect_score
from codehunch_training.tasks.specification import IGNORED
from codehunch_training.techniques import Technique

STILL = "regularization.dropout=0.0"
CODE = [{"text": function(random.Random(at)) * 3} for at in range(24)]


def prepared(task: str, recipe: Recipe, rows: list[dict[str, Any]], base: str = "new:roberta") -> Any:
    """A task that has read its rows, and its model, the same for the same sizes."""
    made = task_for(task, recipe)
    made.recipe = recipe
    loaded = load_base(base, recipe, made.texts(rows, recipe))
    made.check_base(loaded)
    made.prepare(rows, loaded, recipe)
    torch.manual_seed(0)
    return made, made.build(loaded, recipe, rows).eval()


def parts_of(task: str, name: str, rows: list[dict[str, Any]], change: str) -> dict[str, float]:
    """The parts of the loss at the first step."""
    made, model = prepared(task, load_recipe(name, (*SMALL, STILL, change)), rows)
    features = made.features(rows)[:8]
    if task == "pretrain":
        features = [made.draw(each, random.Random(at)) for at, each in enumerate(features)]
    batch = made.collate(features)
    with torch.no_grad():
        parts = made.loss(model, batch, made.counts(batch)).parts
    return {part: float(value) for part, value in parts.items()}


WEIGHTS = [
    ("defects", "defects-joint", "sequence_weight", "sequence"),
    ("defects", "defects-joint", "token_weight", "token"),
    ("defects", "defects-joint", "contrastive_weight", "contrast"),
    ("pretrain", "pretrain-nsp", "nsp_weight", "nsp"),
    ("pretrain", "pretrain-rtd", "rtd_weight", "rtd"),
]


@pytest.mark.parametrize(("task", "recipe", "field", "part"), WEIGHTS, ids=[row[2] for row in WEIGHTS])
def test_a_weight_scales_its_part_and_no_other(task: str, recipe: str, field: str, part: str) -> None:
    rows = twins(12, 0) if task == "defects" else CODE
    one, four = (parts_of(task, recipe, rows, f"objective.{field}={weight}") for weight in (1.0, 4.0))
    assert one[part] > 0
    assert four == pytest.approx({**one, part: 4 * one[part]}, rel=1e-4)


@pytest.mark.parametrize("margin", [0.25, 1.0, 3.0])
def test_the_margin_is_the_gap_asked_of_twins(margin: float) -> None:
    recipe = load_recipe("defects-joint", (*SMALL, STILL, f"objective.contrastive_margin={margin}"))
    task, model = prepared("defects", recipe, twins(12, 0))
    batch = task.collate(task.features(twins(12, 0)))
    with torch.no_grad():
        found = float(task.loss(model, batch, task.counts(batch)).parts["contrast"])
        inputs = (batch[name] for name in ("input_ids", "attention_mask", "identifier_ids"))
        scores = defect_score(model(*inputs).logits)
    pairs = [(at, int(twin)) for at, twin in enumerate(batch["twin"]) if twin >= 0]
    assert len(pairs) == 12
    wanted = np.mean([max(0.0, margin - float(scores[buggy] - scores[fixed])) for buggy, fixed in pairs])
    assert found == pytest.approx(0.5 * wanted, rel=1e-4)  # The recipe's weight is a half.


@pytest.mark.parametrize("rate", [0.15, 0.4])
def test_the_mask_rate_can_be_chosen(rate: float) -> None:
    task, _ = prepared("pretrain", load_recipe("pretrain-mlm", (*SMALL, f"objective.mask_rate={rate}")), CODE)
    blocks = task.features(CODE)
    drawn = [task.draw(each, random.Random(f"{at}:{turn}")) for turn in range(12) for at, each in enumerate(blocks)]
    hidden = sum(label != IGNORED for each in drawn for label in each["mlm_labels"])
    assert hidden / sum(len(each["input_ids"]) - 2 for each in drawn) == pytest.approx(rate, abs=0.02)


def test_more_corruption_rewrites_more() -> None:
    found = []
    for rate in (0.05, 0.6):
        changes = (*SMALL, f"objective.corruption_rate={rate}", "objective.clean=0.0")
        task, _ = prepared("pretrain", load_recipe("pretrain-corruption", changes), CODE)
        drawn = [task.draw(each, random.Random(at)) for at, each in enumerate(task.features(CODE))]
        found.append(np.mean([sum(label > 0 for label in each["corruption_labels"]) for each in drawn]))
    assert found[1] > 1.5 * found[0] > 0


@pytest.mark.parametrize("length", [1.5, 5.0])
def test_hidden_spans_are_as_long_as_asked(length: float) -> None:
    recipe = load_recipe("pretrain-denoising", (*SMALL, f"objective.span_length={length}"))
    task, _ = prepared("pretrain", recipe, CODE, "new:t5")
    specials, spans, tokens = set(task.tokenizer.all_special_ids), 0, 0
    for at, each in enumerate(task.features(CODE) * 4):
        labels = task.draw(each, random.Random(at))["labels"]
        spans += sum(label in task.sentinels for label in labels)
        tokens += sum(label not in specials and label not in task.sentinels for label in labels)
    assert tokens / spans == pytest.approx(length, rel=0.3)


def test_a_pair_of_texts_is_read_together(codebert: Path, quick: Callable[..., Any], tmp_path: Path) -> None:
    """What tells the classes apart stands in the second text only."""
    for part, seed, size in (("train", 1, 240), ("valid", 2, 60)):
        rng = random.Random(seed)
        rows = [
            {"text": function(rng), "other": row["text"], "label": row["label"]}
            for row in labelled(size, seed, ("safe", "eval("))
        ]
        write(tmp_path / "data", f"{part}.jsonl", rows)
    changes = ("model.layers=1", "schedule.epochs=9", "batch.tokens=768", STILL, "schedule.evaluate_every=1000")
    read = quick("classify", codebert, tmp_path / "data", *changes, "data.text_pair=other")
    baseline = read.summary["baseline"]["accuracy"]
    assert read.metrics["accuracy"] > baseline + 0.3
    blind = quick("classify", codebert, tmp_path / "data", *changes, "schedule.epochs=2")
    assert blind.metrics["accuracy"] < read.metrics["accuracy"] - 0.2


class Weights(Technique):
    """Every step's weights."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def after_step(self, model: Any, step: int) -> None:
        self.seen.append(model.classifier.dense.weight.detach().clone())


@pytest.mark.parametrize("decay", [0.3, 0.9])
def test_a_moving_average_by_hand(decay: float, corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    """Each step's average is decay x the old one and the rest of the new weights; less in a short history."""
    from codehunch_training.run_folder import load_run

    watch = Weights()
    run = quick(
        "classify", codebert, corpora / "pair", "schedule.steps=6", "schedule.evaluate_every=6", "averaging.kind=ema",
        f"averaging.decay={decay}", techniques=[watch],
    )  # fmt: skip
    average = watch.seen[0]
    for count, weights in enumerate(watch.seen[1:], 2):
        kept = min(decay, count / (count + 9))
        average = kept * average + (1 - kept) * weights
    torch.testing.assert_close(load_run(run.folder).model.classifier.dense.weight, average, atol=1e-6, rtol=1e-5)

"""Each recipe of the classifying and pre-training tasks learns: its metric beats the trivial baseline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from toolbox_helpers import labelled, write
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer

from codehunch_training.data import read_rows
from codehunch_training.recipe import Recipe, load_recipe
from codehunch_training.run_folder import load_run, read_log

FULL = "hardware.precision=fp32"
FAST = "optimizer.learning_rate=5e-3"
SURE = ("regularization.dropout=0.0",)
DEVIGN = ("data.text=text", "data.label=label", "model.pooling=mean", FULL)
CASES: list[tuple[str, str, str, float, tuple[str, ...]]] = [
    # recipe, base ("" the recipe's own), corpus, margin over the baseline, what a small body needs
    ("classify", "codebert", "classes", 0.3, ("schedule.epochs=12", "batch.tokens=512", "schedule.patience=0", *SURE)),
    ("classify-multilabel", "new:roberta", "several", 0.3, ("schedule.epochs=12", "batch.tokens=512")),
    ("averaging", "codebert", "pair", 0.2, ("schedule.epochs=8", "batch.tokens=512", "schedule.kind=constant")),
    (
        # What needs no GPU: 16 bits, accumulation, checkpointing. Compiling has a slow test of its own.
        "classify-gpu", "codebert", "pair", 0.3,
        ("schedule.epochs=12", "batch.tokens=256", "schedule.patience=0", "hardware.compile=false", *SURE),
    ),
    (
        "classify-regularized", "new:roberta", "pair", 0.2,
        ("schedule.epochs=12", "batch.tokens=512", "regularization.unfreeze_every=0.5", "schedule.patience=0"),
    ),
    ("devign", "", "pair", 0.3, (*DEVIGN, "schedule.epochs=10", "batch.tokens=512", "optimizer.name=adamw")),
    (
        "devign-ngrams", "", "pair", 0.3,
        (*DEVIGN[:2], "model.buckets=4096", "schedule.evaluate_every=0", "optimizer.name=sgd",
         "optimizer.learning_rate=3.0", "batch.tokens=0", "batch.size=16"),
    ),
    ("devign-codebert", "codebert", "pair", 0.2, (*DEVIGN[:2], FULL, "schedule.epochs=12", "batch.tokens=512")),
    ("tokens", "new:roberta", "spans", 0.5, ("schedule.epochs=10", "batch.tokens=512")),
    ("defects-joint", "codebert", "twins", 0.2, ("schedule.epochs=14", "batch.tokens=512", *SURE)),
    ("pretrain-mlm", "codebert", "plain", 0.1, ("schedule.epochs=8", FAST)),
    ("pretrain-nsp", "new:roberta", "blocks", 0.04, ("schedule.epochs=8", "model.max_length=48", FAST)),
    ("pretrain-rtd", "new:roberta", "plain", 0.1, ("schedule.epochs=8", FAST)),
    (
        "pretrain-corruption", "new:roberta", "plain", 0.03,
        ("schedule.epochs=20", FAST, *SURE),
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def more(corpora: Path) -> Path:
    """Besides the shared corpora: rows with several labels, and long files whose parts follow each other."""
    for part, seed, size in (("train", 1, 240), ("valid", 2, 60)):
        rows = labelled(size, seed, ("safe", "eval(", "exec("))
        for at, row in enumerate(rows):
            row["labels"] = [row["kind"].rstrip("(")] if row["kind"] != "safe" else []
            if at % 4 == 3:
                row["text"] += "    breakpoint()\n"
                row["labels"].append("breakpoint")
        write(corpora / "several", f"{part}.jsonl", rows)
        texts = [
            {"text": "".join(f"step_{at} = {at * at}\n" for at in range(start, start + 40))}
            for start in range(seed, seed + size // 6)
        ]
        write(corpora / "blocks", f"{part}.jsonl", texts)
    return corpora


@pytest.mark.parametrize(("name", "base", "corpus", "margin", "changes"), CASES, ids=[case[0] for case in CASES])
def test_every_recipe_learns(
    name: str, base: str, corpus: str, margin: float, changes: tuple[str, ...], more: Path, codebert: Path,
    quick: Callable[..., Any],
) -> None:  # fmt: skip
    recipe = load_recipe(name)
    chosen = {"codebert": str(codebert), "": recipe.base}.get(base, base)
    run = quick(recipe.task, chosen, more / corpus, *changes, recipe=recipe)
    metric = run.summary["best"]["metric"]
    assert run.summary["parameters"] < 1_000_000
    assert run.finished
    assert run.metrics[metric] >= run.summary["baseline"][metric] + margin, (run.metrics, run.summary["baseline"])
    # What is on disk is what was measured.
    loaded = load_run(run.folder)
    again = loaded.task.evaluate(loaded.model, read_rows(more / corpus / "valid.jsonl", loaded.recipe))
    assert again[metric] == pytest.approx(run.metrics[metric], abs=1e-6)
    description = json.loads((run.folder / "best" / "codehunch.json").read_text())
    assert description["task"] == recipe.task
    assert {"window", "stride", "heads", "languages"} <= set(description)
    losses = [row["loss"] for row in read_log(run.folder) if "loss" in row]
    assert losses[-1] < losses[0]


def test_both_losses_of_pretraining_are_reported_and_add_up(more: Path, quick: Callable[..., Any]) -> None:
    run = quick(
        "pretrain", "new:roberta", more / "blocks", "schedule.steps=6", "model.max_length=48",
        recipe=load_recipe("pretrain-nsp"),
    )  # fmt: skip
    rows = [row for row in read_log(run.folder) if "loss" in row]
    assert rows
    for row in rows:
        assert row["loss"] == pytest.approx(row["loss_mlm"] + row["loss_nsp"], rel=1e-4)
    assert {"mlm_accuracy", "mlm_loss", "nsp_accuracy"} <= set(run.metrics)


def test_a_pretrained_body_is_a_base(more: Path, quick: Callable[..., Any]) -> None:
    """``best/`` of pre-training is a plain masked language model; classification starts from its very weights."""
    first = quick("pretrain", "new:roberta", more / "plain", "schedule.steps=5", recipe=load_recipe("pretrain-rtd"))
    best = first.folder / "best"
    lm = AutoModelForMaskedLM.from_pretrained(best)
    tokenizer = AutoTokenizer.from_pretrained(best)
    assert lm(**tokenizer("def f", return_tensors="pt")).logits.shape[-1] == len(tokenizer)
    second = quick("classify", best, more / "pair", "schedule.steps=1", "optimizer.learning_rate=0.0")
    trained = AutoModelForSequenceClassification.from_pretrained(second.folder / "best")
    for name, value in trained.roberta.state_dict().items():
        assert torch.equal(value, lm.roberta.state_dict()[name]), name


def test_a_plain_checkpoint_comes_out(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    """transformers alone loads ``best/`` and answers as our own loader does."""
    run = quick("classify", codebert, corpora / "classes", "schedule.steps=3")
    model = AutoModelForSequenceClassification.from_pretrained(run.folder / "best").eval()
    tokenizer = AutoTokenizer.from_pretrained(run.folder / "best")
    rows = read_rows(corpora / "classes" / "valid.jsonl", Recipe())[:5]
    batch = tokenizer([row["text"] for row in rows], padding=True, return_tensors="pt")
    with torch.inference_mode():
        plain = model(**batch).logits
    loaded = load_run(run.folder)
    assert loaded.task.predict(loaded.model, rows) == pytest.approx(plain.numpy(), abs=1e-5)
    assert model.config.id2label == {0: "0", 1: "1", 2: "2"}


@pytest.mark.slow
def test_bodies_from_nothing_compared(corpora: Path, quick: Callable[..., Any]) -> None:
    """Both ``new:`` bodies learn the joint task; the numbers are printed for the page on training."""
    for base in ("new:roberta", "new:modern"):
        for structure in ("none", "same", "edges"):
            if base == "new:modern" and structure != "same":
                continue
            run = quick(
                "defects", base, corpora / "twins", f"model.structure={structure}", "schedule.epochs=14",
                "batch.tokens=512", "objective.token_weight=4.0", "objective.contrastive_weight=0.5",
                f"model.occurrence={str(structure != 'none').lower()}", "regularization.dropout=0.0",
            )  # fmt: skip
            shown = {key: round(run.metrics[key], 3) for key in ("roc_auc", "top1", "paired", "joint")}
            print(base, structure, shown)
            assert run.metrics["joint"] > run.summary["baseline"]["joint"] + 0.1

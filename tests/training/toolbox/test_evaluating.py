"""``codehunch evaluate`` on runs of each kind of task: what it prints is what the task itself measured, and more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toolbox_helpers import write

from codehunch.cli.app import run as command
from codehunch_training.evaluation.evaluating import evaluate
from codehunch_training.evaluation.measuring import Options
from codehunch_training.evaluation.readers import Sampling

Quick = Callable[..., Any]
FEW = ("schedule.steps=6", "batch.tokens=512")


def test_judgements_of_a_run(corpora: Path, codebert: Path, quick: Quick, tmp_path: Path) -> None:
    run = quick("classify", codebert, corpora / "pair", *FEW)
    numbers, page = tmp_path / "n.json", tmp_path / "p.html"
    options = ["--data", str(corpora / "pair"), "--split", "valid", "--json", str(numbers), "--report", str(page)]
    assert command(["evaluate", str(run.folder), *options]) == 0
    tree = json.loads(numbers.read_text())
    for name in ("accuracy", "mcc", "roc_auc", "log_loss"):
        assert tree["metrics"][name] == pytest.approx(run.metrics[name], abs=1e-5), name
    assert tree["data"]["split"] == "valid"
    assert tree["learning"][0]["log"]
    assert "Learning curves" in page.read_text()


def test_rows_that_were_trained_on_are_not_measured(
    corpora: Path, codebert: Path, quick: Quick, tmp_path: Path
) -> None:
    rows = (corpora / "pair" / "train.jsonl").read_text().splitlines()
    one = tmp_path / "one"
    write(one, "data.jsonl", [json.loads(row) for row in rows])  # A table without any split.
    run = quick("classify", codebert, one, *FEW)
    found = evaluate([run.folder], one, options=Options(intervals=False))
    assert found.tree["data"]["split"] == "held out"
    assert found.tree["data"]["rows"] == round(len(rows) * 0.1)


def test_places_of_token_labels(corpora: Path, codebert: Path, quick: Quick) -> None:
    run = quick("tokens", codebert, corpora / "spans", *FEW)
    metrics = evaluate([run.folder], corpora / "spans", split="valid").tree["metrics"]
    assert metrics["f1"] == pytest.approx(run.metrics["f1"], abs=1e-5)
    assert {"line_top_1", "line_ifa", "line_effort_at_20_recall", "token_top_5"} <= set(metrics)
    assert metrics["line_top_1"] >= metrics["token_top_1"]  # The line of the right token is the right line.


def test_both_heads_of_the_joint_model(corpora: Path, codebert: Path, quick: Quick) -> None:
    run = quick("defects", codebert, corpora / "twins", *FEW)
    found = evaluate([run.folder], corpora / "twins", split="valid")
    metrics = found.tree["metrics"]
    prefix = "" if len(found.predictions.labels) == 2 else "any_defect_"
    # In other batches two functions that are all but equal may change places.
    assert metrics[f"{prefix}roc_auc"] == pytest.approx(run.metrics["roc_auc"], abs=5e-3)
    assert metrics["pair_ranked"] == pytest.approx(run.metrics["paired"], abs=0.02)
    assert {"line_top_1", "token_ifa", "warnings_per_kloc", "misses_at_0.5_percent_false_alarms"} <= set(metrics)
    assert "kind" in found.tree["breakdowns"]


@pytest.mark.parametrize(("task", "base"), [("generation", "new:t5"), ("causal", "new:gpt2")])
def test_written_code_of_a_run(task: str, base: str, quick: Quick, tmp_path: Path) -> None:
    rows = [
        {
            "text": f"add {n}",
            "target": f"return x + {n}\n",
            "signature": "def f(x):",
            "tests": f"assert f(1) == {n + 1}",
        }
        for n in range(12)
    ]
    for name in ("train", "test"):
        write(tmp_path / "data", f"{name}.jsonl", rows)
    run = quick(task, base, tmp_path / "data", "schedule.steps=3", "generation.max_target=16", "data.target=target")
    found = evaluate([run.folder], tmp_path / "data", sampling=Sampling(samples=3), options=Options(jobs=1))
    assert {"exact_match", "bleu", "codebleu", "edit_similarity", "syntax_valid", "pass@1"} <= set(
        found.tree["metrics"]
    )
    assert all(len(answers) == 3 for answers in found.predictions.answers)
    # Of three answers drawn by chance, not all are the same.
    assert any(len(set(answers)) > 1 for answers in found.predictions.answers)
    again = evaluate([run.folder], tmp_path / "data", sampling=Sampling(samples=3), options=Options(run_tests=False))
    assert again.predictions.answers == found.predictions.answers  # Seeded.
    assert "pass@1" not in again.tree["metrics"]
    likeliest = evaluate([run.folder], tmp_path / "data", options=Options(run_tests=False))
    assert all(len(answers) == 1 for answers in likeliest.predictions.answers)

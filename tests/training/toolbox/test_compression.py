"""Smaller and steadier models: each technique against the same training without it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from codehunch.cli.app import run as command
from codehunch_training.compression.distillation import softened, state_distance
from codehunch_training.compression.shrinking import ShrinkError, evenly, shrink
from codehunch_training.compression.soups import SoupError, average_runs, mean_weights
from codehunch_training.data import read_rows
from codehunch_training.recipe import Recipe, RecipeError, load_recipe
from codehunch_training.run_folder import load_run
from codehunch_training.techniques import Technique
from codehunch_training.training import train

Quick = Callable[..., Any]
SURE = ("batch.tokens=512", "regularization.dropout=0.0")


@pytest.fixture(scope="module")
def teacher(corpora: Path, codebert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on three classes that has learned them."""
    from toolbox_helpers import SMALL

    from codehunch_training.recipe import with_overrides

    recipe = with_overrides(Recipe(), [*SMALL, *SURE, "schedule.epochs=12"])
    run = train("classify", str(codebert), corpora / "classes", recipe, tmp_path_factory.mktemp("teacher") / "run")
    assert run.metrics["accuracy"] > 0.6
    return run.folder


def _probabilities(folder: Path, rows: list[Any]) -> np.ndarray:
    run = load_run(folder)
    return torch.from_numpy(run.task.predict(run.model, rows)).softmax(-1).numpy()


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean divergence of ``other`` from ``one``, in nats."""
    return float((one * (np.log(one) - np.log(other))).sum(1).mean())


def test_a_distilled_student_is_nearer_its_teacher_than_its_twin(
    teacher: Path, corpora: Path, quick: Quick, tmp_path: Path
) -> None:
    rows = read_rows(corpora / "classes", Recipe(), "valid")
    base = tmp_path / "base"
    shrink(teacher, 1, base)
    few = (*SURE, "schedule.epochs=2", "optimizer.learning_rate=1e-3")
    alone = quick("classify", base, corpora / "classes", *few)
    recipe = load_recipe("distil", [f"distillation.teacher={teacher}"])
    taught = quick("classify", base, corpora / "classes", *few, recipe=recipe)
    wanted = _probabilities(teacher, rows)
    assert _apart(wanted, _probabilities(taught.folder, rows)) < 0.8 * _apart(
        wanted, _probabilities(alone.folder, rows)
    )
    assert taught.metrics["accuracy"] > taught.summary["baseline"]["accuracy"]
    assert taught.summary["parameters"] < json.loads((teacher / "run.json").read_text())["parameters"]
    assert "loss_distillation" in (taught.folder / "log.jsonl").read_text()


class _LastStates(Technique):
    """Distance of the student's last states to the teacher's, at every step."""

    def __init__(self, teacher: Path) -> None:
        self.teacher = load_run(teacher)
        self.found: list[float] = []

    def extra_loss(self, model: Any, task: Any, batch: Any, found: Any, totals: Any) -> dict[str, Any]:
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        with torch.no_grad():
            states = [each.roberta(**inputs).last_hidden_state for each in (model, self.teacher.model)]
            self.found.append(float(state_distance(states[0], states[1], batch["attention_mask"])))
        return {}


@pytest.mark.parametrize("size", [32, 16])
def test_hidden_states_come_nearer_too(teacher: Path, corpora: Path, quick: Quick, size: int) -> None:
    base, small = (
        f"new:roberta:{teacher / 'best'}",
        (f"model.hidden_size={size}", "model.layers=1", "schedule.steps=40"),
    )
    found = []
    for weight in (0.0, 2.0):
        watch = _LastStates(teacher)
        changes = (f"distillation.teacher={teacher}", f"distillation.hidden_weight={weight}")
        quick("classify", base, corpora / "classes", *small, *changes, techniques=[watch])
        found.append(np.mean(watch.found[20:]))
    assert found[1] < 0.8 * found[0]


def test_the_divergence_by_hand() -> None:
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.log(torch.tensor([[0.8, 0.2]]))
    wanted = 0.8 * np.log(0.8 / 0.5) + 0.2 * np.log(0.2 / 0.5)
    assert float(softened(student, teacher, 1.0)) == pytest.approx(wanted, rel=1e-5)
    assert float(softened(teacher, teacher, 2.0)) == pytest.approx(0.0, abs=1e-6)
    assert float(softened(teacher, teacher, 1.0, several=True)) == pytest.approx(0.0, abs=1e-6)
    # Twice the temperature and twice the logits: the divergence is the same, its weight four times as large.
    assert float(softened(2 * student, 2 * teacher, 2.0)) == pytest.approx(4 * wanted, rel=1e-5)


def test_distances_of_states() -> None:
    one = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]])
    kept = torch.tensor([[1, 1, 0]])
    assert float(state_distance(one, 3 * one, kept)) == pytest.approx(0.0, abs=1e-6)
    assert float(state_distance(one, one.flip(2), kept)) == pytest.approx(1.0)
    # Another width: only how alike the tokens are counts, and padding does not.
    wide = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 0.0, 5.0], [1.0, 1.0, 1.0]]])
    assert float(state_distance(one, wide, kept)) == pytest.approx(0.0, abs=1e-6)
    assert float(state_distance(one, torch.ones(1, 3, 3), kept)) == pytest.approx(0.5)


def test_teachers_that_do_not_fit(teacher: Path, corpora: Path, codebert: Path, quick: Quick, tmp_path: Path) -> None:
    named = f"distillation.teacher={teacher}"
    for base, data, changes, message in (
        (codebert, "pair", (named,), "labels"),
        ("new:roberta", "classes", (named, "model.vocabulary=300"), "another vocabulary"),
        (codebert, "classes", (named, "distillation.weight=2"), "between 0 and 1"),
    ):
        with pytest.raises(RecipeError, match=message):
            quick("classify", base, corpora / data, "schedule.steps=1", *changes)
    with pytest.raises(ValueError, match="holds no finished model"):
        quick("classify", codebert, corpora / "classes", f"distillation.teacher={tmp_path}")


class _Weights(Technique):
    """Every step's weights."""

    def __init__(self) -> None:
        self.seen: list[dict[str, torch.Tensor]] = []

    def after_step(self, model: Any, step: int) -> None:
        self.seen.append({name: value.detach().clone() for name, value in model.named_parameters()})


def test_averaged_weights_are_the_mean_of_the_steps(corpora: Path, codebert: Path, quick: Quick) -> None:
    watch = _Weights()
    recipe = load_recipe("averaging", ["averaging.start=0.5"])
    steps = ("schedule.steps=8", "schedule.evaluate_every=8")
    run = quick("classify", codebert, corpora / "pair", *steps, recipe=recipe, techniques=[watch])
    kept = load_run(run.folder).model.state_dict()
    for name in ("classifier.dense.weight", "roberta.encoder.layer.0.attention.self.query.weight"):
        wanted = torch.stack([each[name] for each in watch.seen[4:]]).mean(0)
        torch.testing.assert_close(kept[name], wanted, atol=1e-6, rtol=1e-5)
        assert not torch.equal(kept[name], watch.seen[-1][name])


def test_averaging_goes_on_after_a_restart(corpora: Path, codebert: Path, quick: Quick, tmp_path: Path) -> None:
    changes = ("schedule.steps=6", "schedule.save_every=3", "schedule.evaluate_every=6", "averaging.kind=ema")

    class Stop(Technique):
        def after_step(self, model: Any, step: int) -> None:
            if step == 3:
                raise KeyboardInterrupt

    whole = quick("classify", codebert, corpora / "pair", *changes, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        quick("classify", codebert, corpora / "pair", *changes, out=tmp_path / "broken", techniques=[Stop()])
    again = quick("classify", codebert, corpora / "pair", *changes, out=tmp_path / "broken", techniques=[Technique()])
    one, other = (load_run(run.folder).model.state_dict() for run in (whole, again))
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, atol=1e-6, rtol=1e-5)


@pytest.fixture(scope="module")
def siblings(teacher: Path, corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three runs that start from the teacher's weights and differ by seed and rate."""
    from toolbox_helpers import SMALL

    from codehunch_training.recipe import with_overrides

    root = tmp_path_factory.mktemp("siblings")
    found = []
    for seed, rate in ((1, 3e-3), (2, 2e-3), (3, 4e-3)):
        changes = [*SMALL, *SURE, "schedule.epochs=1", f"seed={seed}", f"optimizer.learning_rate={rate}"]
        run = train(
            "classify", str(teacher / "best"), corpora / "classes", with_overrides(Recipe(), changes), root / str(seed)
        )
        found.append(run.folder)
    return found


def test_a_soup_is_the_mean_and_no_worse_than_its_best(siblings: list[Path], corpora: Path, tmp_path: Path) -> None:
    soup = average_runs(
        siblings, lambda run: read_rows(corpora / "classes", run.recipe, "valid"), tmp_path / "soup", "log_loss"
    )
    assert soup.greater_is_better is False
    best = min(each["log_loss"] for each in soup.members.values())
    assert soup.greedy["log_loss"] <= best
    assert soup.gain == pytest.approx(best - soup.greedy["log_loss"])
    # The measured gain: the mean of all beats the mean member, as the paper finds for one start.
    assert soup.uniform["log_loss"] < np.mean([each["log_loss"] for each in soup.members.values()])
    kept = load_run(tmp_path / "soup").model.state_dict()
    wanted = mean_weights([load_run(Path(each)).model.state_dict() for each in soup.ingredients])
    assert all(torch.allclose(kept[name], wanted[name]) for name in kept)
    assert json.loads((tmp_path / "soup" / "run.json").read_text())["averaged"]["ingredients"] == soup.ingredients


def test_an_ensemble_beats_its_mean_member(siblings: list[Path], corpora: Path, tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.json"
    arguments = ["evaluate", *map(str, siblings), "--data", str(corpora / "classes"), "--ensemble"]
    assert command([*arguments, "--json", str(numbers)]) == 0
    tree = json.loads(numbers.read_text())
    assert tree["ensemble"]["log_loss"] < tree["spread"]["log_loss"]["mean"]
    assert len(tree["spread"]["accuracy"]["values"]) == 3


def test_runs_of_different_makes_are_not_averaged(siblings: list[Path], corpora: Path, quick: Quick) -> None:
    other = quick(
        "classify", f"new:roberta:{siblings[0] / 'best'}", corpora / "classes", "model.layers=1", "schedule.steps=1"
    )
    with pytest.raises(SoupError, match="another architecture"):
        average_runs([siblings[0], other.folder], lambda run: [])
    with pytest.raises(SoupError, match="at least two"):
        average_runs(siblings[:1], lambda run: [])


def test_a_shrunk_model_keeps_its_teachers_layers(teacher: Path, corpora: Path, quick: Quick, tmp_path: Path) -> None:
    base = tmp_path / "base"
    assert command(["compress", "shrink", str(teacher), "--layers", "1", "--out", str(base)]) == 0
    ours, theirs = (torch.nn.Module.state_dict(load_run(teacher).model), None)
    from transformers import AutoModelForSequenceClassification

    theirs = AutoModelForSequenceClassification.from_pretrained(base).state_dict()
    name = "roberta.encoder.layer.{}.output.dense.weight"
    assert torch.equal(theirs[name.format(0)], ours[name.format(1)])
    assert name.format(1) not in theirs
    run = quick("classify", base, corpora / "classes", "schedule.steps=2", f"distillation.teacher={teacher}")
    assert run.finished
    with pytest.raises(ShrinkError, match="keep 1 to 2"):
        shrink(teacher, 3, tmp_path / "more")
    with pytest.raises(ShrinkError, match="not empty"):
        shrink(teacher, 1, base)


@pytest.mark.parametrize(
    ("count", "kept", "layers"), [(6, 3, (1, 3, 5)), (12, 1, (11,)), (4, 4, (0, 1, 2, 3)), (5, 2, (1, 4))]
)
def test_layers_are_chosen_evenly(count: int, kept: int, layers: tuple[int, ...]) -> None:
    assert evenly(count, kept) == layers

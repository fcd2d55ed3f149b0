"""The effect of each technique: what it claims to do to weights, rates, losses and choices is what happens."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from codehunch_training.bases import Base, load_base
from codehunch_training.data import read_rows
from codehunch_training.losses import balanced_weights, multi_label, single_label, symmetric_divergence
from codehunch_training.recipe import Recipe, RecipeError, with_overrides
from codehunch_training.run_folder import load_run, read_log
from codehunch_training.techniques import Technique
from codehunch_training.techniques.layers import EMBEDDINGS, HEAD, layer_count, layer_of
from codehunch_training.techniques.optimizer import make_optimizer, parameter_groups, rate_at, rate_factor
from codehunch_training.training import apply_dropout


def recipe_of(*changes: str) -> Recipe:
    return with_overrides(Recipe(), changes)


class Watch(Technique):
    """Keeps a copy of all weights after each step."""

    def __init__(self) -> None:
        self.weights: list[dict[str, torch.Tensor]] = []
        self.epochs: list[float] = []

    def before_step(self, model: Any, step: int, epoch: float) -> None:
        self.epochs.append(epoch)
        self.weights.append({name: value.detach().clone() for name, value in model.named_parameters()})


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[int]:
    """Layers of which some weight moved."""
    return {layer_of(name) for name, value in after.items() if not torch.equal(value, before[name])}


LAYERS = [
    ("roberta.embeddings.word_embeddings.weight", EMBEDDINGS),
    ("roberta.encoder.layer.3.output.dense.bias", 3),
    ("model.layers.2.attn.Wqkv.weight", 2),
    ("model.embeddings.norm.weight", EMBEDDINGS),
    ("model.final_norm.weight", HEAD),
    ("transformer.h.4.mlp.c_fc.weight", 4),
    ("transformer.wte.weight", EMBEDDINGS),
    ("encoder.block.5.layer.0.SelfAttention.q.weight", 5),
    ("decoder.block.1.layer.2.DenseReluDense.wo.weight", 1),
    ("shared.weight", EMBEDDINGS),
    ("model.decoder.layers.0.fc1.weight", 0),
    ("classifier.dense.weight", HEAD),
    ("score.weight", HEAD),
    ("sequence_out.bias", HEAD),
    ("layers.1.qkv.weight", 1),
]


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_layers_are_told_apart(name: str, layer: int) -> None:
    assert layer_of(name) == layer


def test_frozen_layers_stay_bit_identical(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    for changes, moving in (
        (("regularization.freeze_layers=1",), {1, HEAD}),
        (("regularization.freeze_layers=-1",), {HEAD}),
        (("regularization.freeze_embeddings=true",), {0, 1, HEAD}),
    ):
        watch = Watch()
        quick("classify", codebert, corpora / "pair", "schedule.steps=4", *changes, techniques=[watch])
        assert changed(watch.weights[0], watch.weights[-1]) == moving, changes


def test_gradual_unfreezing_thaws_from_the_top(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    watch = Watch()
    quick(
        "classify", codebert, corpora / "pair", "schedule.epochs=4", "regularization.unfreeze_every=1.0",
        "optimizer.weight_decay=0.1", "schedule.kind=constant", techniques=[watch],
    )  # fmt: skip
    expected = [{HEAD}, {1, HEAD}, {0, 1, HEAD}, {EMBEDDINGS, 0, 1, HEAD}]
    for before, after, epoch in zip(watch.weights, watch.weights[1:], watch.epochs, strict=False):
        assert changed(before, after) == expected[int(epoch)], epoch


def test_layer_rates_are_as_computed(codebert: Path) -> None:
    recipe = recipe_of("optimizer.learning_rate=1.0", "optimizer.layer_decay=0.5", "optimizer.head_multiplier=3.0")
    model = load_base(str(codebert)).model(AutoModelForSequenceClassification)
    assert layer_count(model) == 2
    rates = {name: group["lr"] for group in parameter_groups(model, recipe) for name in group["names"]}
    assert rates["classifier.out_proj.weight"] == 3.0
    assert rates["roberta.encoder.layer.1.output.dense.weight"] == 1.0
    assert rates["roberta.encoder.layer.0.output.dense.weight"] == 0.5
    assert rates["roberta.embeddings.word_embeddings.weight"] == 0.25
    assert set(rates) == {name for name, _ in model.named_parameters()}


def test_vectors_are_not_decayed(codebert: Path) -> None:
    model = load_base(str(codebert)).model(AutoModelForSequenceClassification)
    decays = {name: g["weight_decay"] for g in parameter_groups(model, recipe_of()) for name in g["names"]}
    for name, decay in decays.items():
        assert decay == (0.0 if name.endswith("bias") or "LayerNorm" in name else 0.01), name


def test_one_step_moves_each_layer_by_its_rate(codebert: Path) -> None:
    """With SGD without momentum a step is the gradient times the rate, so the rates can be read from the weights."""
    recipe = recipe_of(
        "optimizer.name=sgd", "optimizer.beta1=0.0", "optimizer.layer_decay=0.5", "optimizer.weight_decay=0.0"
    )
    model = load_base(str(codebert)).model(AutoModelForSequenceClassification).eval()
    optimizer = make_optimizer(model, recipe)
    model(input_ids=torch.tensor([[0, 5, 6, 2]]), labels=torch.tensor([1])).loss.backward()
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer.step()
    for name, value in model.named_parameters():
        if value.grad is not None:
            rate = recipe.optimizer.learning_rate * rate_factor(name, 2, recipe)
            assert torch.allclose(before[name] - value, rate * value.grad, atol=1e-7), name


SCHEDULES = [
    ("linear", [0, 5, 10, 55, 100], [1 / 11, 6 / 11, 1.0, 0.5, 0.0]),
    ("cosine", [0, 10, 55, 100], [1 / 11, 1.0, 0.5, 0.0]),
    ("constant", [0, 10, 100], [1 / 11, 1.0, 1.0]),
]


@pytest.mark.parametrize(("kind", "steps", "rates"), SCHEDULES)
def test_schedules(kind: str, steps: list[int], rates: list[float]) -> None:
    recipe = recipe_of(f"schedule.kind={kind}", "schedule.warmup=0.1")
    assert [rate_at(step, 100, recipe) for step in steps] == pytest.approx(rates)


def test_the_schedule_is_what_training_uses(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    run = quick(
        "classify", codebert, corpora / "pair", "schedule.steps=10", "schedule.warmup=0.2", "schedule.kind=linear"
    )
    rates = [row["learning_rate"] for row in read_log(run.folder) if "learning_rate" in row]
    # A step's line is written after the schedule moved on.
    assert rates == pytest.approx([3e-3 * rate_at(step + 1, 10, run_recipe(run)) for step in range(10)], rel=1e-4)


def run_recipe(run: Any) -> Recipe:
    return load_run(run.folder).recipe


@pytest.mark.parametrize("name", ["adamw", "adafactor", "sgd", "muon"])
def test_every_optimizer_lowers_the_loss(name: str, codebert: Path) -> None:
    torch.manual_seed(0)
    model = load_base(str(codebert)).model(AutoModelForSequenceClassification).eval()
    rate = "0.1" if name == "sgd" else "1e-3"
    optimizer = make_optimizer(model, recipe_of(f"optimizer.name={name}", f"optimizer.learning_rate={rate}"))
    losses = []
    for _ in range(8):
        loss = model(input_ids=torch.tensor([[0, 5, 6, 2], [0, 9, 8, 2]]), labels=torch.tensor([1, 0])).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


DROPOUTS = [
    ("roberta", "dropout", ["hidden_dropout_prob"]),
    ("roberta", "attention_dropout", ["attention_probs_dropout_prob"]),
    ("roberta", "classifier_dropout", ["classifier_dropout"]),
    ("modern", "dropout", ["mlp_dropout", "embedding_dropout"]),
    ("t5", "dropout", ["dropout_rate"]),
    ("bart", "dropout", ["dropout"]),
    ("gpt2", "dropout", ["resid_pdrop", "embd_pdrop"]),
]


@pytest.mark.parametrize(("body", "field", "names"), DROPOUTS)
def test_dropout_is_overridden(body: str, field: str, names: list[str]) -> None:
    sizes = ("model.vocabulary=300", "model.hidden_size=16", "model.heads=2", "model.layers=1", "model.max_length=16")
    recipe = recipe_of(f"regularization.{field}=0.37", *sizes)
    base: Base = load_base(f"new:{body}", recipe_of(*sizes), ["def f(): pass"])
    apply_dropout(base, recipe)
    assert [getattr(base.config, name) for name in names] == [0.37] * len(names)
    if body == "roberta" and field == "dropout":
        model = base.model(AutoModelForSequenceClassification)
        assert {m.p for m in model.roberta.embeddings.modules() if isinstance(m, nn.Dropout)} == {0.37}
    with pytest.raises(RecipeError, match="below 1"):
        apply_dropout(base, recipe_of(f"regularization.{field}=1.0"))


def test_label_smoothing() -> None:
    """Equation of Szegedy et al. 2016: the target is (1 - e) on the label and e / K everywhere."""
    logits, labels = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
    log_p = logits.log_softmax(-1)[0]
    expected = -(0.9 * log_p[0] + 0.1 * log_p.mean())
    assert single_label(logits, labels, 1, recipe_of("regularization.label_smoothing=0.1")) == pytest.approx(
        float(expected)
    )


def test_focal_loss() -> None:
    logits, labels = torch.tensor([[3.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 0])
    p = logits.softmax(-1)[:, 0]
    expected = float((-((1 - p) ** 2) * p.log()).sum() / 2)
    assert float(
        single_label(logits, labels, 2, recipe_of("objective.loss=focal", "objective.gamma=2"))
    ) == pytest.approx(expected)
    easy, hard = (
        float(single_label(logits[at : at + 1], labels[:1], 1, recipe_of("objective.loss=focal"))) for at in (0, 1)
    )
    plain = [float(single_label(logits[at : at + 1], labels[:1], 1, recipe_of())) for at in (0, 1)]
    assert easy / plain[0] < hard / plain[1]  # The easy one is held down more.


def test_class_weights() -> None:
    weights = balanced_weights(torch.tensor([90.0, 10.0, 0.0]))
    assert weights.tolist() == pytest.approx([100 / (2 * 90), 100 / (2 * 10), 0.0])
    logits = torch.zeros(2, 3)
    loss = single_label(logits, torch.tensor([0, 1]), 1, recipe_of(), weights)
    assert float(loss) == pytest.approx(math.log(3) * float(weights[:2].sum()))


def test_multi_label_loss() -> None:
    logits, targets = torch.tensor([[1.0, -1.0]]), torch.tensor([[1.0, 0.0]])
    expected = -torch.log(torch.sigmoid(torch.tensor(1.0)))
    assert float(multi_label(logits, targets, 1, recipe_of())) == pytest.approx(float(expected))


def test_r_drop_adds_the_divergence(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    p, q = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    lp, lq = p.log_softmax(-1), q.log_softmax(-1)
    both = (lp.exp() * (lp - lq)).sum() + (lq.exp() * (lq - lp)).sum()
    assert float(symmetric_divergence(p, q, 1)) == pytest.approx(float(both) / 2)
    assert float(symmetric_divergence(p, p, 1)) == 0.0
    parts = {}
    for name, dropout in (("without", 0.0), ("with", 0.3)):
        run = quick(
            "classify", codebert, corpora / "pair", "schedule.steps=2", "regularization.r_drop=1.0",
            f"regularization.dropout={dropout}", f"regularization.attention_dropout={dropout}",
            f"regularization.classifier_dropout={dropout}",
        )  # fmt: skip
        parts[name] = next(row["loss_r_drop"] for row in read_log(run.folder) if "loss_r_drop" in row)
    # Two readings differ by their dropout, and by nothing else.
    assert parts["without"] == pytest.approx(0.0, abs=1e-6)
    assert parts["with"] > 1e-4


def test_r_drop_draws_readings_together(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    """After equal training, two readings of a model trained with R-Drop differ less than those of its twin."""
    apart = {}
    for weight in (0.0, 5.0):
        run = quick(
            "classify", codebert, corpora / "pair", "schedule.epochs=10", f"regularization.r_drop={weight}",
            "regularization.dropout=0.1", "batch.tokens=512",
        )  # fmt: skip
        loaded = load_run(run.folder)
        model, task = loaded.model.train(), loaded.task
        rows = read_rows(corpora / "pair" / "valid.jsonl", loaded.recipe)
        batch = task.collate(task.features(rows))
        torch.manual_seed(0)
        with torch.no_grad():
            one, two = (task.loss(model, batch, task.counts(batch)).logits for _ in range(2))
        apart[weight] = float(symmetric_divergence(one, two, len(rows)))
    assert apart[5.0] < apart[0.0]


class Scripted(Technique):
    """Writes the step into a weight, so that a checkpoint tells when it was made."""

    def after_step(self, model: Any, step: int) -> None:
        with torch.no_grad():
            model.classifier.out_proj.bias.fill_(float(step + 1))


def test_early_stopping_keeps_the_best(
    corpora: Path, codebert: Path, quick: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of scripted metrics the third is best: training ends two evaluations later and ``best/`` is the third's model."""
    from codehunch_training.tasks.classify import Classify

    values = iter([0.5, 0.6, 0.9, 0.7, 0.8, 0.95, 1.0])
    monkeypatch.setattr(Classify, "evaluate", lambda self, model, rows: {"accuracy": next(values)})
    run = quick(
        "classify", codebert, corpora / "pair", "schedule.evaluate_every=2", "schedule.steps=14", "schedule.patience=2",
        techniques=[Scripted()],
    )  # fmt: skip
    assert run.summary["stopped"] == "no better accuracy in 2 evaluations"
    assert run.summary["steps_done"] == 10
    assert (run.summary["best"]["step"], run.summary["best"]["value"]) == (6, 0.9)
    best = AutoModelForSequenceClassification.from_pretrained(run.folder / "best")
    assert best.classifier.out_proj.bias.tolist() == [6.0, 6.0]


def test_the_metric_can_be_chosen_and_falls_where_less_is_better(
    corpora: Path, codebert: Path, quick: Callable[..., Any]
) -> None:
    run = quick(
        "classify",
        codebert,
        corpora / "pair",
        "schedule.evaluate_every=3",
        "schedule.steps=9",
        "selection.metric=log_loss",
    )
    seen = [row["log_loss"] for row in read_log(run.folder) if "log_loss" in row]
    assert len(seen) == 3
    assert run.summary["best"]["value"] == pytest.approx(min(seen), rel=1e-5)


def test_clipping_bounds_the_step(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    """SGD without momentum: the weights move by the rate times the gradient, whose norm is at most the clip."""
    moved = {}
    for clip in (0.0, 0.01):
        watch = Watch()
        quick(
            "classify", codebert, corpora / "pair", "schedule.steps=2", "optimizer.name=sgd", "optimizer.beta1=0.0",
            "optimizer.weight_decay=0.0", "optimizer.learning_rate=1.0", "schedule.warmup=0.0",
            "schedule.kind=constant", f"optimizer.clip={clip}", techniques=[watch],
        )  # fmt: skip
        before, after = watch.weights
        moved[clip] = math.sqrt(sum(float(((after[name] - before[name]) ** 2).sum()) for name in before))
    assert moved[0.01] == pytest.approx(0.01, rel=1e-3)
    assert moved[0.0] > 0.01


def test_a_save_limit_leaves_so_many_checkpoints(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    run = quick(
        "classify", codebert, corpora / "pair", "schedule.steps=9", "schedule.save_every=2", "schedule.save_limit=2",
        "schedule.evaluate_every=100",
    )  # fmt: skip
    assert sorted(path.name for path in (run.folder / "checkpoints").iterdir()) == ["checkpoint-8", "checkpoint-9"]

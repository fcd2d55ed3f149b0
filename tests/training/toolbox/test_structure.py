"""Structure beside text: which edges are seen, that nothing changes at the start, and that the bias learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from toolbox_helpers import SMALL, twins
from transformers import AutoModel

from codehunch_training.bases import BaseError, load_base
from codehunch_training.models.joint import JointModel
from codehunch_training.models.structure import LAST_READ, LAST_WRITE, READ_FOR, SAME, WRITTEN_FOR, relations
from codehunch_training.recipe import Recipe, load_recipe, with_overrides
from codehunch_training.tasks.joint_defects import JointDefects, defect_score

# x = y ; z = x + x ; x -= z      (one token a lexeme; x is identifier 1, y 2, z 3)
IDENTIFIERS = [1, 0, 2, 0, 3, 0, 1, 0, 1, 0, 1, 0, 3]
ASSIGNS = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0]
EDGES = [
    (SAME, {(0, 6), (0, 8), (0, 10), (6, 8), (6, 10), (8, 10), (4, 12)}),
    (LAST_WRITE, {(6, 0), (8, 0), (10, 0), (12, 4)}),
    (LAST_READ, {(8, 6), (10, 8)}),
]


@pytest.mark.parametrize(("kind", "pairs"), EDGES)
def test_edges(kind: int, pairs: set[tuple[int, int]]) -> None:
    found = relations(torch.tensor([IDENTIFIERS]), torch.tensor([ASSIGNS]).bool(), 5)[0]
    seen = {(int(a), int(b)) for a, b in torch.nonzero(found[kind])}
    if kind == SAME:
        assert seen == pairs | {(b, a) for a, b in pairs}
    else:
        assert seen == pairs
        reverse = {LAST_WRITE: WRITTEN_FOR, LAST_READ: READ_FOR}[kind]
        assert torch.equal(found[reverse], found[kind].T)


def test_a_lexeme_of_several_tokens_is_one_use() -> None:
    """``name`` of two tokens, written, then read: both tokens of the read point at the first of the write."""
    found = relations(torch.tensor([[1, 1, 0, 0, 1, 1, 0]]), torch.tensor([[0, 0, 1, 0, 0, 0, 0]]).bool(), 5)[0]
    assert {(int(a), int(b)) for a, b in torch.nonzero(found[LAST_WRITE])} == {(4, 0), (5, 0)}
    assert not found[LAST_READ].any()


def prepared(codebert: Path, structure: str, occurrence: bool) -> tuple[JointDefects, JointModel, Any]:
    recipe = with_overrides(
        Recipe(),
        [f"model.structure={structure}", f"model.occurrence={str(occurrence).lower()}", "model.max_length=192"],
    )
    base = load_base(str(codebert), recipe)
    rows = [
        {"text": "def f(a):\n    b = a\n    return b + a\n", "label": "clean"},
        {"text": "def f(a):\n    b = a\n    return a + a\n", "label": "variable-misuse", "spans": [[31, 32]]},
    ]
    task = JointDefects()
    task.recipe = recipe
    task.check_base(base)
    task.prepare(rows, base, recipe)
    torch.manual_seed(0)
    model = task.build(base, recipe, rows).eval()
    assert isinstance(model, JointModel)
    return task, model, task.collate(task.features(rows))


@pytest.mark.parametrize(("structure", "occurrence"), [("same", False), ("edges", False), ("edges", True)])
def test_a_pretrained_encoder_begins_unchanged(structure: str, occurrence: bool, codebert: Path) -> None:
    """The first step reads exactly what the plain body reads; then every kind of weight gets a gradient."""
    task, model, batch = prepared(codebert, structure, occurrence)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "identifier_ids")}
    with torch.inference_mode():
        hidden = model.encode(**inputs)
        plain = model.body(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    real = batch["attention_mask"].bool()
    assert torch.allclose(hidden[real], plain[real], atol=1e-5)
    loss = task.loss(model, batch, task.counts(batch))
    sum(loss.parts.values()).backward()
    assert (model.structure.weight.grad.abs().amax((0, 1)) > 0).all()
    if occurrence:
        assert model.occurrence.uses.grad.abs().sum() > 0
        assert model.occurrence.ranks.grad.abs().sum() > 0


def test_the_body_is_the_bases_own(codebert: Path) -> None:
    _, model, _ = prepared(codebert, "edges", True)
    reference = AutoModel.from_pretrained(codebert).state_dict()
    for name, value in model.body.state_dict().items():
        if "word_embeddings" in name:
            value = value[: len(reference[name])]  # Three marks of layout came after.
        assert torch.equal(value, reference[name]), name


def test_a_weight_moves_attention_along_its_edges_only(codebert: Path) -> None:
    _, model, batch = prepared(codebert, "edges", False)
    inputs = {name: batch[name][:1] for name in ("input_ids", "attention_mask", "identifier_ids")}
    with torch.inference_mode():
        before = model.encode(**inputs)
        model.structure.weight[:, :, SAME] = 3.0
        after = model.encode(**inputs)
        none = {**inputs, "identifier_ids": torch.zeros_like(inputs["identifier_ids"])}
        silent = model.encode(**none)
    assert not torch.allclose(before, after, atol=1e-3)
    assert torch.allclose(before, silent, atol=1e-5)  # Without identifiers there are no edges.


def test_assignments_are_known_by_the_tokens_ids(codebert: Path) -> None:
    task, model, _ = prepared(codebert, "edges", False)
    assert task.encoder.token_ids("=")[0] in model.config.assign_ids
    assert task.encoder.token_ids("+")[0] not in model.config.assign_ids


def test_structure_on_another_body_is_told() -> None:
    recipe = with_overrides(Recipe(), ["model.structure=same"])
    from transformers import DistilBertConfig

    from codehunch_training.bases import Base

    base = load_base("new:roberta", with_overrides(Recipe(), ["model.vocabulary=300"]), ["def f(): pass"])
    other = Base("x", DistilBertConfig(vocab_size=300, dim=16, n_heads=2, hidden_dim=16), base.tokenizer, True)
    task = JointDefects()
    rows = [{"text": "def f(): pass", "label": 0}, {"text": "def g(): pass", "label": 1}]
    task.prepare(rows, other, recipe)
    with pytest.raises(BaseError, match=r"model\.structure is for roberta"):
        task.build(other, recipe, rows)


def test_a_kind_of_validation_only_is_a_defect_all_the_same(codebert: Path) -> None:
    task, model, _ = prepared(codebert, "none", False)
    rows = [
        {"text": "def f(a):\n    return a\n", "label": "clean"},
        {"text": "def f(a):\n    return not a\n", "label": "wrong-call", "spans": [[21, 24]]},
    ]
    found = task.evaluate(model, rows)
    assert {"accuracy", "top1", "roc_auc"} <= set(found)
    assert found["joint"] == pytest.approx((found["roc_auc"] + found["top1"]) / 2)


def optimised(weight: float, seed: int, steps: int = 100) -> tuple[float, float]:
    """Share of training twins whose buggy one scores higher, and the mean margin, after so many steps of the whole
    loss with this weight of the contrast. Everything else is the same: rows, batches, first weights."""
    rows = twins(40, 3)
    recipe = load_recipe(
        "defects-joint", [*SMALL, "model.layers=1", f"objective.contrastive_weight={weight or 1e-9}", f"seed={seed}"]
    )
    task = JointDefects()
    task.recipe = recipe
    base = load_base("new:roberta", recipe, task.texts(rows, recipe))
    task.prepare(rows, base, recipe)
    torch.manual_seed(seed)
    model = task.build(base, recipe, rows).eval()  # No dropout: the two optimisations differ by the term alone.
    batch = task.collate(task.features(rows))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    totals = task.counts(batch)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(task.loss(model, batch, totals).parts.values()).backward()
        optimizer.step()
    with torch.inference_mode():
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "identifier_ids")}
        scores = defect_score(model(**inputs).logits)
    buggy = torch.nonzero(batch["twin"] >= 0)[:, 0]
    gaps = scores[buggy] - scores[batch["twin"][buggy]]
    assert len(gaps) == 40
    return float((gaps > 0).float().mean()), float(gaps.mean())


def test_contrast_parts_twins() -> None:
    """Twins differ in a token or two, which the loss of single functions hardly sees; the margin between them does."""
    without = [optimised(0.0, seed) for seed in range(3)]
    trained = [optimised(2.0, seed) for seed in range(3)]
    for (paired, gap), (paired_with, gap_with) in zip(without, trained, strict=True):
        assert gap_with >= gap + 0.5
        assert paired_with >= paired
    assert sum(paired for paired, _ in trained) >= sum(paired for paired, _ in without) + 3 * 0.1


def test_both_heads_begin_steep_enough_to_tell_twins_apart() -> None:
    """At the first step the twins' scores differ by more than rounding, so that their margin has a gradient."""
    assert optimised(2.0, 0, steps=0)[1] != 0.0
    rows = twins(20, 3)
    recipe = load_recipe("defects-joint", [*SMALL])
    for body in ("new:roberta", "new:modern"):
        task = JointDefects()
        task.recipe = recipe
        base = load_base(body, recipe, task.texts(rows, recipe))
        task.prepare(rows, base, recipe)
        model = task.build(base, recipe, rows)
        for name in ("sequence_dense", "sequence_out", "token_dense", "token_out"):
            assert getattr(model, name).weight.std().item() == pytest.approx(32**-0.5, rel=0.25)


def test_clean_rows_weigh_as_much_as_all_kinds_together() -> None:
    """Balanced weights make both answers equally likely a priori, and the kinds among each other."""
    rows = [
        {"text": f"def f{at}(): pass", "label": label} for at, label in enumerate(["clean"] * 6 + ["a"] * 3 + ["b"])
    ]
    recipe = with_overrides(Recipe(), ["objective.class_weights=balanced", "model.vocabulary=300"])
    task = JointDefects()
    task.prepare(rows, load_base("new:roberta", recipe, [row["text"] for row in rows]), recipe)
    assert task.weights is not None
    clean, first, second = (float(weight) for weight in task.weights)
    assert 6 * clean == pytest.approx(5.0)
    assert 3 * first == pytest.approx(2.5)
    assert second == pytest.approx(2.5)

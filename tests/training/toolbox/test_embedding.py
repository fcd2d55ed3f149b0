"""The contrastive embedding: pooling, loss and retrieval figures, each against what can be worked out by hand."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from codehunch_training.models.embedding import (  # noqa: E402
    contrastive_loss,
    pair_loss,
    pair_scores,
    pool,
    retrieval,
)

HIDDEN = torch.tensor([[[3.0, 0.0], [0.0, 4.0], [9.0, 9.0]]])
UNIT = torch.eye(4)


@pytest.mark.parametrize(("how", "expected"), [("mean", [0.6, 0.8]), ("cls", [1.0, 0.0]), ("last", [0.0, 1.0])])
def test_pooling_leaves_the_padding_out(how: str, expected: list[float]) -> None:
    assert pool(HIDDEN, torch.tensor([[1, 1, 0]]), how)[0].tolist() == pytest.approx(expected)


def test_unknown_pooling_is_named() -> None:
    with pytest.raises(ValueError, match="choose one of mean, cls, last"):
        pool(HIDDEN, torch.ones(1, 3), "max")


def test_the_loss_of_vectors_at_right_angles() -> None:
    loss = contrastive_loss(UNIT, UNIT, torch.arange(4), 1.0)
    assert float(loss) == pytest.approx(-math.log(math.e / (math.e + 3)))
    apart = contrastive_loss(UNIT, UNIT.roll(1, 0), torch.arange(4), 1.0)
    assert float(apart) > float(loss)


def test_rows_of_one_group_are_no_negatives() -> None:
    vectors = torch.eye(2).repeat_interleave(2, 0)
    same = contrastive_loss(vectors, vectors, torch.tensor([0, 0, 1, 1]), 0.1)
    blamed = contrastive_loss(vectors, vectors, torch.arange(4), 0.1)
    assert float(same) < 0.001
    assert float(blamed) == pytest.approx(math.log(2), abs=0.001)


def test_the_loss_of_labelled_pairs() -> None:
    one, other = torch.eye(2)[:1], torch.eye(2)[1:]
    cases = [(one, one, 1, 0.0), (one, other, 1, 1.0), (one, other, 0, 0.0), (one, one, 0, 0.25)]
    for anchor, positive, label, expected in cases:
        assert float(pair_loss(anchor, positive, torch.tensor([label]), 0.5)) == pytest.approx(expected)


def test_retrieval_figures() -> None:
    scores = torch.tensor([[0.9, 0.1, 0.0], [0.8, 0.5, 0.1], [0.7, 0.6, 0.1]])
    found = retrieval(scores, torch.eye(3), torch.arange(3))
    assert found == {
        "mrr": pytest.approx((1 + 1 / 2 + 1 / 3) / 3),
        "recall_at_1": pytest.approx(1 / 3),
        "recall_at_10": 1.0,
    }
    # A model that gives everything one vector finds nothing: ties count against it.
    flat = torch.ones(20, 2)
    assert retrieval(flat, flat, torch.arange(20))["mrr"] == pytest.approx(1 / 20)
    # A text is no answer to itself.
    clones = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    itself = torch.eye(4, dtype=torch.bool)
    assert retrieval(clones, clones, torch.tensor([0, 0, 1, 1]), itself)["mrr"] == 1.0
    assert retrieval(clones, clones, torch.tensor([0, 1, 0, 1]), itself)["mrr"] < 0.6
    # Any answer of the group is right.
    assert retrieval(scores, torch.eye(3), torch.tensor([0, 0, 0]))["mrr"] == 1.0


@pytest.mark.parametrize(
    ("likeness", "labels", "area", "f1"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 1.0, 1.0),
        ([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], 0.0, 2 / 3),
        ([0.5, 0.5, 0.5, 0.5], [1, 0, 1, 0], 0.5, 2 / 3),
        ([0.9, 0.7, 0.6, 0.1], [1, 0, 1, 0], 0.75, 0.8),
    ],
)
def test_pair_figures(likeness: list[float], labels: list[int], area: float, f1: float) -> None:
    found = pair_scores(torch.tensor(likeness), torch.tensor(labels))
    assert found["roc_auc"] == pytest.approx(area)
    assert found["f1"] == pytest.approx(f1)

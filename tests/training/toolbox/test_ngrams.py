"""The bag of n-grams: its weights by hand, that padding has no say, and what it keeps."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch

from codehunch_training.bases import load_base
from codehunch_training.models.ngrams import NgramsConfig, NgramsForSequenceClassification
from codehunch_training.recipe import Recipe, with_overrides


def model(order: int = 3, **more: float) -> NgramsForSequenceClassification:
    """So many buckets that no two n-grams of a test share one, and random weights."""
    made = NgramsForSequenceClassification(NgramsConfig(50, 1 << 20, order, num_labels=2, **more))  # type: ignore[arg-type]
    torch.manual_seed(0)
    torch.nn.init.normal_(made.weight)
    return made.eval()


def grams(ids: list[int], order: int) -> Counter[tuple[int, ...]]:
    return Counter(tuple(ids[at : at + size]) for size in range(1, order + 1) for at in range(len(ids) - size + 1))


ROWS = [[0, 7, 8, 7, 8, 2], [0, 2], [5], [9, 9, 9, 9], [0, 11, 12, 13, 14, 15, 2]]


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("ids", ROWS)
def test_every_n_gram_is_counted_once_with_its_uses(ids: list[int], order: int) -> None:
    row = torch.tensor([ids])
    buckets, uses = model(order).hashed(row, torch.ones_like(row))
    assert sorted(uses[uses > 0].tolist()) == sorted(grams(ids, order).values())
    assert len(set(buckets[uses > 0].tolist())) == len(grams(ids, order))


def test_the_same_n_gram_has_the_same_bucket_anywhere() -> None:
    made = model(2)
    first, second = torch.tensor([[3, 4, 5]]), torch.tensor([[9, 4, 5]])
    found = [
        {int(b) for b, u in zip(*map(torch.flatten, made.hashed(row, torch.ones_like(row))), strict=True) if u > 0}
        for row in (first, second)
    ]
    assert len(found[0] & found[1]) == 3  # 4, 5 and (4, 5).


def test_logits_by_hand() -> None:
    """(1 + log uses) times log((1 + rows) / (1 + rows with it)) + 1, to length 1, and 0 for what one row has."""
    made = model(1)
    made.learn_frequencies([[4, 4, 5], [4, 6], [4, 5]])
    inverse = {4: math.log(4 / 4) + 1, 5: math.log(4 / 3) + 1, 6: 0.0}
    weights = {4: (1 + math.log(2)) * inverse[4], 5: inverse[5], 6: inverse[6]}
    length = math.sqrt(sum(weight**2 for weight in weights.values()))
    where = {}
    for token in weights:
        row = torch.tensor([[token]])
        where[token] = int(made.hashed(row, torch.ones_like(row))[0][0, 0])
    expected = sum(weights[token] / length * made.weight[where[token]] for token in weights) + made.bias
    assert torch.allclose(made(torch.tensor([[4, 6, 5, 4]])).logits[0], expected, atol=1e-5)


def test_padding_and_neighbours_change_nothing() -> None:
    made = model()
    width = max(map(len, ROWS)) + 3
    ids = torch.tensor([[*row, *[1] * (width - len(row))] for row in ROWS])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ROWS])
    together = made(ids, mask).logits
    for at, row in enumerate(ROWS):
        assert torch.allclose(made(torch.tensor([row])).logits[0], together[at], atol=1e-5)


def test_a_row_of_nothing_known_has_the_bias_alone() -> None:
    made = model()
    made.learn_frequencies([[4, 5], [4, 5]])
    assert torch.equal(made(torch.tensor([[30, 31]])).logits[0], made.bias)


def test_dropout_leaves_n_grams_out_while_training_only() -> None:
    made = model(hidden_dropout_prob=0.5)
    row = torch.tensor([ROWS[4]])
    assert torch.equal(made(row).logits, made(row).logits)
    made.train()
    assert not torch.equal(made(row).logits, made(row).logits)


def test_its_size_is_the_recipes() -> None:
    recipe = with_overrides(Recipe(), ["model.buckets=512", "model.order=2", "model.max_length=77"])
    base = load_base("new:ngrams", with_overrides(recipe, ["model.vocabulary=300"]), ["def f(): pass"])
    assert (base.config.buckets, base.config.order, base.limit, base.family) == (512, 2, 77, "bag")

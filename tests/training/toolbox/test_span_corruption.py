"""Span denoising: how much is hidden, in what pieces, and that nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")

from codehunch_training.tasks.span_corruption import random_spans, with_masks, with_sentinels

SENTINELS = tuple(range(900, 1000))
EOS, MASK = 1, 2


def spans_of(mask: np.ndarray) -> list[int]:
    """Lengths of the runs of true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(int), [0]))))
    return list(edges[1::2] - edges[::2])


@pytest.mark.parametrize(
    ("length", "density", "mean"), [(512, 0.15, 3.0), (40, 0.15, 3.0), (7, 0.15, 3.0), (200, 0.5, 8.0)]
)
def test_the_rate_and_the_mean_span_are_as_asked(length: int, density: float, mean: float) -> None:
    rng = np.random.default_rng(0)
    masks = [random_spans(length, rng, density, mean) for _ in range(max(400, 200_000 // length))]
    assert np.mean([mask.mean() for mask in masks]) == pytest.approx(density, abs=0.005)
    if length >= 200:
        assert np.mean([span for mask in masks for span in spans_of(mask)]) == pytest.approx(mean, rel=0.05)
    # No place is spared; at the ends fewer spans fit.
    each = np.mean(masks, axis=0)
    assert each.min() > 0.2 * density
    assert each.max() < 1.6 * density


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_short_texts_keep_something(length: int) -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        mask = random_spans(length, rng, 0.9, 3.0)
        assert len(mask) == length
        assert length == 0 or not mask.all()


@pytest.mark.parametrize(("density", "mean"), [(0.0, 3.0), (1.0, 3.0), (0.2, 0.5)])
def test_impossible_rates_are_refused(density: float, mean: float) -> None:
    with pytest.raises(ValueError, match="density must lie"):
        random_spans(10, np.random.default_rng(0), density, mean)


@pytest.mark.parametrize(
    ("hidden", "source", "target"),
    [
        ([1, 2], [10, 900, 13, 14, EOS], [900, 11, 12, EOS]),
        ([1, 3], [10, 900, 12, 901, 14, EOS], [900, 11, 901, 13, EOS]),
        ([], [10, 11, 12, 13, 14, EOS], [EOS]),
        ([3, 4], [10, 11, 12, 900, EOS], [900, 13, 14, EOS]),
    ],
)
def test_the_layout_of_t5(hidden: list[int], source: list[int], target: list[int]) -> None:
    mask = np.isin(np.arange(5), hidden)
    assert with_sentinels([10, 11, 12, 13, 14], mask, SENTINELS, EOS) == (source, target)


def test_source_and_target_give_the_text_back() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        ids = list(rng.integers(10, 800, rng.integers(2, 120)))
        source, target = with_sentinels(ids, random_spans(len(ids), rng), SENTINELS, EOS)
        spans: dict[int, list[int]] = {}
        for token in target[:-1]:
            if token in SENTINELS:
                spans[token] = []
            else:
                spans[list(spans)[-1]].append(token)
        assert list(spans) == list(SENTINELS[: len(spans)])
        assert [x for token in source[:-1] for x in spans.get(token, [token])] == ids


def test_too_few_sentinels_are_told() -> None:
    mask = np.array([False, True] * 3)
    with pytest.raises(ValueError, match="2 sentinels are too few"):
        with_sentinels([10] * 6, mask, SENTINELS[:2], EOS)
    capped = random_spans(400, np.random.default_rng(0), 0.5, 1.0, most=2)
    assert len(spans_of(capped)) == 2


def test_the_layout_of_bart() -> None:
    mask = np.array([False, True, True, False, True])
    assert with_masks([10, 11, 12, 13, 14], mask, MASK) == ([10, MASK, 13, MASK], [10, 11, 12, 13, 14])

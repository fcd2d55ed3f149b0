"""Every metric against scikit-learn, or against a table worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from codehunch_training.evaluation.binary import (
    average_precision,
    confusion,
    curves,
    interval,
    interval_by,
    misses_at,
    paired,
    rates,
    roc_auc,
    warnings_per_kloc,
)
from codehunch_training.evaluation.calibration import (
    bins_of,
    calibration_error,
    cross_fitted,
    fit_temperature,
    tempered,
)
from codehunch_training.evaluation.localisation import Places, by_line, effort_at_recall, places_metrics
from codehunch_training.evaluation.spread import spread, spreads

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.random(400) < 0.3
SCORES = np.round(np.clip(TRUTH * 0.25 + RANDOM.random(400) * 0.75, 0, 1), 2)  # Rounded: ties must be handled.


def test_against_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    found, named = rates(confusion(SCORES, TRUTH, 0.5)), SCORES >= 0.5
    assert found == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(TRUTH, named),
            "precision": metrics.precision_score(TRUTH, named),
            "recall": metrics.recall_score(TRUTH, named),
            "f1": metrics.f1_score(TRUTH, named),
            "mcc": metrics.matthews_corrcoef(TRUTH, named),
        }
    )
    assert roc_auc(SCORES, TRUTH) == pytest.approx(metrics.roc_auc_score(TRUTH, SCORES))
    assert average_precision(SCORES, TRUTH) == pytest.approx(metrics.average_precision_score(TRUTH, SCORES))
    points = curves(SCORES, TRUTH)
    precision, recall, thresholds = metrics.precision_recall_curve(TRUTH, SCORES)
    assert points.thresholds == pytest.approx(thresholds[::-1])
    assert points.precision == pytest.approx(precision[:-1][::-1])
    assert points.recall == pytest.approx(recall[:-1][::-1])
    fpr, tpr, at = metrics.roc_curve(TRUTH, SCORES, drop_intermediate=False)
    assert points.false_positive_rate == pytest.approx(fpr[1:])
    assert points.recall == pytest.approx(tpr[1:])
    assert len(at) == len(points.thresholds) + 1


@pytest.mark.parametrize(
    ("scores", "truth", "allowed", "missed"),
    [
        # By hand: of 4 clean rows, rate 0.25 allows one above the threshold.
        ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 0, 1, 0, 0, 0], 0.25, 0.0),
        ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 0, 1, 0, 0, 0], 0.0, 0.5),
        ([0.9, 0.9, 0.7, 0.6], [1, 0, 1, 0], 0.0, 1.0),  # A tie cannot be split.
        ([0.1, 0.2], [1, 0], 0.005, 1.0),
    ],
)
def test_misses_at_a_fixed_false_positive_rate(
    scores: list[float], truth: list[int], allowed: float, missed: float
) -> None:
    assert misses_at(np.array(scores), np.array(truth, bool), allowed) == pytest.approx(missed)


@pytest.mark.parametrize("truth", [[True, True], [False, False], []])
def test_what_is_not_defined_is_nan_and_never_an_error(truth: list[bool]) -> None:
    scores, flags = np.linspace(0, 1, len(truth)), np.array(truth, bool)
    for value in (roc_auc(scores, flags), misses_at(scores, flags, 0.01)):
        assert math.isnan(value)
    assert math.isnan(average_precision(scores, flags)) == (not flags.any())
    assert rates(confusion(scores, flags))["mcc"] == 0.0
    assert math.isnan(warnings_per_kloc(3, 0))


def test_twins() -> None:
    buggy, fixed = np.array([0.9, 0.9, 0.2, 0.2, 0.6]), np.array([0.1, 0.8, 0.1, 0.9, 0.6])
    assert paired(buggy, fixed) == pytest.approx(
        {
            "pairs": 5,
            "pair_correct": 0.2,
            "pair_both_flagged": 0.4,
            "pair_both_clean": 0.2,
            "pair_reversed": 0.2,
            "pair_ranked": 0.7,
        }
    )
    assert paired(np.zeros(0), np.zeros(0)) == {}
    assert warnings_per_kloc(3, 1500) == 2.0


def test_clusters_that_differ_give_wider_intervals() -> None:
    values = np.array([0.0, 1.0] * 100)
    mixed, apart = ["a", "a", "b", "b", "c", "c", "d", "d"] * 25, ["a" if value else "b" for value in values]

    def mean(rows: np.ndarray) -> float:
        return float(values[rows].mean())

    assert interval_by(mixed, mean) == (0.5, 0.5)
    assert interval_by(apart, mean) == (0.0, 1.0)
    assert all(np.isnan(interval_by(["a"] * 200, mean)))


def test_the_interval_holds_the_value_and_narrows_with_rows() -> None:
    low, high = interval(SCORES, TRUTH, roc_auc)
    assert low < roc_auc(SCORES, TRUTH) < high
    few = interval(SCORES[:60], TRUTH[:60], roc_auc)
    assert few[1] - few[0] > high - low


def test_calibration_error_by_hand() -> None:
    # Bins of 0.5: one holds 0.4 and 0.5 (edge included), the other 0.8 twice.
    bins = bins_of(np.array([0.4, 0.5, 0.8, 0.8]), np.array([True, False, True, True]), 2)
    assert bins.confidence == pytest.approx([0.45, 0.8])
    assert bins.accuracy == pytest.approx([0.5, 1.0])
    assert bins.error == pytest.approx(0.5 * 0.05 + 0.5 * 0.2)
    assert math.isnan(bins_of(np.zeros(0), np.zeros(0, bool)).error)


def test_temperature_scaling_finds_the_temperature_that_was_put_in() -> None:
    logits = RANDOM.normal(size=(6000, 3)) * 2
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = np.array([RANDOM.choice(3, p=row) for row in honest])
    bold = tempered(honest, 1 / 2.5)  # Two and a half times too sure.
    assert fit_temperature(bold, truth) == pytest.approx(2.5, rel=0.06)
    after, temperature = cross_fitted(bold, truth)
    assert temperature == pytest.approx(2.5, rel=0.06)
    assert calibration_error(bold, truth) > 0.1
    assert calibration_error(after, truth) < 0.03
    assert (after.argmax(1) == bold.argmax(1)).all()  # No answer changes.
    assert fit_temperature(bold[:0], truth[:0]) == 1.0


def test_localisation_by_hand() -> None:
    first = Places(np.array([0.9, 0.8, 0.1, 0.0]), np.array([False, True, False, False]))
    second = Places(np.array([0.7, 0.2, 0.7]), np.array([True, False, False]))  # A tie: read last.
    clean = Places(np.array([0.95, 0.3]), np.array([False, False]))
    found = places_metrics([first, second, clean])
    assert found["line_top_1"] == 0.0
    assert found["line_top_3"] == 1.0
    assert found["line_ifa"] == pytest.approx((1 + 1) / 2)
    # All by score: 0.95, 0.9, 0.8* | 0.7, 0.7*, 0.3, 0.2, 0.1, 0.0: half of the wrong ones after 3 of 9 places.
    assert effort_at_recall([first, second, clean], 0.5) == pytest.approx(3 / 9)
    assert effort_at_recall([first, second, clean], 0.51) == pytest.approx(5 / 9)
    assert found["line_effort_at_20_recall"] == pytest.approx(3 / 9)
    assert places_metrics([clean]) == {}
    assert places_metrics([]) == {}


def test_offsets_become_lines() -> None:
    text = "def f():\n\n    a = 1\n    b = 2\n"
    places = by_line(text, [0, 14, 18, 24], [0.1, 0.2, 0.6, 0.3], [(24, 29)])
    assert places.scores.tolist() == [0.1, 0.6, 0.3]  # The blank lines are left out.
    assert places.wrong.tolist() == [False, False, True]
    across = by_line(text, [], [], [(14, 25)])
    assert across.wrong.tolist() == [False, True, True]


def test_seeds_by_hand() -> None:
    found = spread([0.6, 0.7, 0.8])
    assert (found.mean, found.deviation) == pytest.approx((0.7, 0.1))
    assert found.half_width == pytest.approx(4.303 * 0.1 / math.sqrt(3))
    assert math.isnan(spread([0.5]).half_width)
    assert set(spreads([{"a": 1.0, "b": 2.0}, {"a": 2.0}])) == {"a"}
    with pytest.raises(ValueError, match="no value"):
        spread([math.nan])

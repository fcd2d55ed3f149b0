"""Which model is better: alarm rates, intervals, verdicts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")

from codehunch_training.retraining.judging import (
    Interval,
    Scores,
    compare_defects,
    compare_means,
    judge_bodies,
    judge_defects,
    share_interval,
)
from codehunch_training.retraining.steps import crowding


def function(lines: int, old: tuple[list[float], list[float]], new: tuple[list[float], list[float]]) -> dict[str, Any]:
    """A function of so many lines: confidences in the clean one, and at the defect of each copy."""
    return {
        "lines": lines,
        "kinds": ["variable-misuse"] * len(old[1]),
        "old": {"clean": old[0], "hits": old[1]},
        "new": {"clean": new[0], "hits": new[1]},
    }


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0.3, 0.9),  # No alarm is allowed in 1,000 lines: just above the highest.
        (1.0, 0.8),  # One is allowed: just above the second.
        (2.0, 0.1),
        (3.0, 0.0),  # As many as there are: everything is reported.
    ],
)
def test_the_threshold_keeps_the_alarm_rate(rate: float, expected: float) -> None:
    scores = Scores.of([function(500, ([0.9, 0.1], []), ([], [])), function(500, ([0.8], []), ([], []))], "old")
    assert scores.threshold(rate, np.ones(2)) == pytest.approx(expected, abs=1e-6)
    assert scores.threshold(rate, np.ones(2)) > (expected or 1e-10)


def test_a_model_that_shouts_louder_is_no_better() -> None:
    quiet = [function(400, ([0.2], [0.5]), ([0.4], [0.99])) for _ in range(20)]
    found = compare_defects(quiet)
    assert (found.old, found.new, found.difference) == (1.0, 1.0, 0.0)
    assert found.sure == 0.5


def test_better_worse_and_equal_are_told_apart() -> None:
    rows = [function(400, ([0.3] * 3, [0.2]), ([0.3] * 3, [0.8])) for _ in range(30)]
    better = compare_defects(rows)
    assert (better.old, better.new) == (0.0, 1.0)
    assert better.low == better.high == 1.0
    worse = compare_defects([{**row, "old": row["new"], "new": row["old"]} for row in rows])
    assert (worse.difference, worse.sure) == (-1.0, 0.0)


def test_one_lucky_function_is_not_sure() -> None:
    rows = [function(400, ([0.3] * 3, [0.2]), ([0.3] * 3, [0.2])) for _ in range(29)]
    rows.append(function(400, ([0.3] * 3, [0.2]), ([0.3] * 3, [0.8])))
    found = compare_defects(rows)
    assert found.difference > 0
    assert found.sure < 0.9
    assert found.low == 0.0


def test_kinds_that_nobody_drew_have_no_score() -> None:
    rows = [function(400, ([0.3] * 3, [0.2]), ([0.3] * 3, [0.8])) for _ in range(5)]
    assert math.isnan(compare_defects(rows, "wrong-call").old)


def test_means_are_paired_and_weighted() -> None:
    found = compare_means([0.0, 1.0], [1.0, 1.0], [3.0, 1.0])
    assert (found.old, found.new) == (0.25, 1.0)
    assert found.low >= 0.0
    noisy = compare_means(list(range(50)), [value + 0.5 for value in range(50)])
    assert noisy.low == pytest.approx(0.5)  # Paired: what all rows share does not widen it.


@pytest.mark.parametrize(
    ("later", "general", "better", "why"),
    [
        (Interval(0.2, 0.3, 0.05, 0.15, 0.99), Interval(0.1, 0.1, 0, 0, 0.5), True, "finds more"),
        (Interval(0.3, 0.2, -0.2, -0.05, 0.0), Interval(0.1, 0.1, 0, 0, 0.5), False, "no more"),
        (Interval(0.2, 0.21, -0.05, 0.06, 0.6), Interval(0.1, 0.1, 0, 0, 0.5), False, "not sure enough"),
        (Interval(0.2, 0.3, 0.05, 0.15, 0.99), Interval(0.1, 0.07, -0.05, -0.01, 0.0), False, "forgotten"),
    ],
)
def test_verdicts_on_defects(later: Interval, general: Interval, better: bool, why: str) -> None:
    verdict = judge_defects(later, general, 0.9, 0.02)
    assert verdict.better == better
    assert why in verdict.why


@pytest.mark.parametrize(
    ("nats", "similarity", "general", "better"),
    [
        (Interval(-2.0, -1.5, 0.3, 0.7, 1.0), Interval(0.3, 0.35, 0, 0.1, 0.9), Interval(0.5, 0.5, 0, 0, 0.5), True),
        (Interval(-2.0, -2.1, -0.2, 0, 0.1), Interval(0.3, 0.35, 0, 0.1, 0.9), Interval(0.5, 0.5, 0, 0, 0.5), False),
        (Interval(-2.0, -1.5, 0.3, 0.7, 1.0), Interval(0.3, 0.2, -0.2, 0, 0.1), Interval(0.5, 0.5, 0, 0, 0.5), False),
        (Interval(-2.0, -1.5, 0.3, 0.7, 1.0), Interval(0.3, 0.35, 0, 0.1, 0.9), Interval(0.5, 0.4, 0, 0, 0), False),
    ],
)
def test_verdicts_on_bodies(nats: Interval, similarity: Interval, general: Interval, better: bool) -> None:
    assert judge_bodies(nats, similarity, general, 0.9, 0.02).better == better


@pytest.mark.parametrize(("found", "count", "low", "high"), [(0, 0, 0, 1), (5, 10, 0.237, 0.763), (10, 10, 0.722, 1)])
def test_intervals_of_shares(found: int, count: int, low: float, high: float) -> None:
    assert share_interval(found, count) == pytest.approx((low, high), abs=0.001)


@pytest.mark.parametrize(
    ("seconds", "busy", "low", "high"),
    [(300.0, 100.0, 2.8, 3.0), (100.0, 100.0, 1.0, 1.0), (100.0, 380.0, 1.0, 1.0), (3.0, 0.1, 1.0, 2.0)],
    ids=["a third of a core", "a core alone", "four threads", "a moment"],
)
def test_a_busy_machine_leaves_more_time_for_the_export(seconds: float, busy: float, low: float, high: float) -> None:
    assert low <= crowding(seconds, busy) <= high

"""Metrics of a yes-or-no judgement with a score, on numpy arrays alone: curves, their areas, and points on them.

``scores`` [rows] rise with suspicion, ``truth`` [rows] is true where a row is defective. Where a quantity is not
defined (no defective row, no clean one) it is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from codehunch_training.evaluation.ranking import auc

Scores = NDArray[np.float64]
Truth = NDArray[np.bool_]


@attrs.frozen
class Confusion:
    """The four counts at one threshold."""

    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int


@attrs.frozen(eq=False)
class Curves:
    """Points at every distinct score, from the strictest threshold to the loosest; all arrays [points]."""

    thresholds: Scores
    recall: Scores
    """Also the true-positive rate."""
    precision: Scores
    false_positive_rate: Scores


def confusion(scores: Scores, truth: Truth, threshold: float = 0.5) -> Confusion:
    """Counts where a score of at least ``threshold`` says defective."""
    named = np.asarray(scores) >= threshold
    truth = np.asarray(truth, dtype=bool)
    return Confusion(
        int((named & truth).sum()),
        int((named & ~truth).sum()),
        int((~named & ~truth).sum()),
        int((~named & truth).sum()),
    )


def rates(counts: Confusion) -> dict[str, float]:
    """Accuracy, precision, recall, F1 and Matthews' correlation coefficient (Matthews 1975). A ratio with nothing below
    its line is 0, as scikit-learn has it."""
    tp, fp = counts.true_positives, counts.false_positives
    tn, fn = counts.true_negatives, counts.false_negatives
    spread = float((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) ** 0.5
    return {
        "accuracy": _ratio(tp + tn, tp + fp + tn + fn),
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "mcc": (tp * tn - fp * fn) / spread if spread else 0.0,
    }


def curves(scores: Scores, truth: Truth) -> Curves:
    """Precision, recall and false-positive rate at every threshold that changes anything."""
    scores, truth = np.asarray(scores, dtype=float), np.asarray(truth, dtype=bool)
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], truth[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(ranked) else np.zeros(0, dtype=int)
    found, named = np.cumsum(hits)[last], last + 1
    positives, negatives = int(truth.sum()), int((~truth).sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        return Curves(
            ranked[last],
            found / positives if positives else np.full(len(last), np.nan),
            found / named,
            (named - found) / negatives if negatives else np.full(len(last), np.nan),
        )


def average_precision(scores: Scores, truth: Truth) -> float:
    """Area under the precision-recall curve as a sum of steps: each rise of recall times the precision there."""
    points = curves(scores, truth)
    if not len(points.recall) or np.isnan(points.recall[0]):
        return float("nan")
    return float(np.sum(np.diff(np.concatenate([[0.0], points.recall])) * points.precision))


def roc_auc(scores: Scores, truth: Truth) -> float:
    truth = np.asarray(truth, dtype=bool)
    return auc(np.asarray(scores)[truth], np.asarray(scores)[~truth])


def misses_at(scores: Scores, truth: Truth, false_positive_rate: float) -> float:
    """False-negative rate at the loosest threshold whose false-positive rate is at most the one given: PrimeVul's
    VD-S (Ding et al. 2024, "Vulnerability Detection with Code Language Models: How Far Are We?", section 4)."""
    points = curves(scores, truth)
    if not len(points.recall) or np.isnan(points.recall[0]) or np.isnan(points.false_positive_rate[0]):
        return float("nan")
    allowed = points.recall[points.false_positive_rate <= false_positive_rate + 1e-12]
    return 1.0 - float(allowed.max(initial=0.0))


def paired(buggy: Scores, fixed: Scores, threshold: float = 0.5) -> dict[str, float]:
    """Twins that differ by the fix alone, one pair a row. ``pair_correct``: both told rightly; ``pair_both_flagged``,
    ``pair_both_clean``, ``pair_reversed``: the three ways to be wrong (Ding et al. 2024, section 4: P-C, P-V, P-B,
    P-R); ``pair_ranked``: the buggy twin has the higher score, ties counted half."""
    buggy, fixed = np.asarray(buggy, dtype=float), np.asarray(fixed, dtype=float)
    if not len(buggy):
        return {}
    first, second = buggy >= threshold, fixed >= threshold
    return {
        "pairs": float(len(buggy)),
        "pair_correct": float((first & ~second).mean()),
        "pair_both_flagged": float((first & second).mean()),
        "pair_both_clean": float((~first & ~second).mean()),
        "pair_reversed": float((~first & second).mean()),
        "pair_ranked": float((buggy > fixed).mean() + 0.5 * (buggy == fixed).mean()),
    }


def warnings_per_kloc(warnings: int, lines: int) -> float:
    """Warnings per 1,000 lines of clean code."""
    return 1000 * warnings / lines if lines else float("nan")


def interval(
    scores: Scores,
    truth: Truth,
    measure: Callable[[Scores, Truth], float],
    samples: int = 200,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval (Efron 1979) of ``measure(scores, truth)`` over the rows."""
    rng = np.random.default_rng(seed)
    scores, truth = np.asarray(scores), np.asarray(truth)
    drawn = (rng.integers(0, len(truth), len(truth)) for _ in range(samples))
    found = np.array([measure(scores[at], truth[at]) for at in drawn], dtype=float)
    found = found[~np.isnan(found)]
    if not len(found):
        return float("nan"), float("nan")
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def interval_by(
    clusters: Sequence[str],
    measure: Callable[[NDArray[np.int64]], float],
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of ``measure(rows)`` where whole clusters are drawn with replacement: the rows of
    one project are alike, and rows drawn one by one would promise too much (Davison and Hinkley 1997, section 3.8).
    ``clusters`` [rows] names the cluster of each row. NaN for fewer than two clusters."""
    names = sorted(set(clusters))
    if len(names) < 2:
        return float("nan"), float("nan")
    members = [np.flatnonzero([each == name for each in clusters]) for name in names]
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(0, len(names), len(names)) for _ in range(samples))
    found = np.array([measure(np.concatenate([members[i] for i in at])) for at in drawn], dtype=float)
    found = found[~np.isnan(found)]
    if not len(found):
        return float("nan"), float("nan")
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0

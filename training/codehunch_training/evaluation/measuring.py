"""Predictions to numbers: every metric that applies, curves, calibration, operating points."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from codehunch_training.evaluation.binary import (
    average_precision,
    confusion,
    curves,
    interval,
    misses_at,
    paired,
    rates,
    roc_auc,
    warnings_per_kloc,
)
from codehunch_training.evaluation.calibration import bins_of, calibration_error, cross_fitted, tempered
from codehunch_training.evaluation.localisation import effort_curve, places_metrics
from codehunch_training.evaluation.predictions import Predictions
from codehunch_training.evaluation.sandbox import Limits, has_tests, layers, pass_metrics, program_of, run_all
from codehunch_training.evaluation.texts import text_metrics
from codehunch_training.metrics import classification, multilabel

FALSE_POSITIVE_RATES = (0.005, 0.05)
"""PrimeVul's 0.5 %, and a looser one that small sets can resolve."""
BUDGETS = (0.3, 1.0, 3.0)
"""Warnings per 1,000 clean lines: what the sensitivities of shipped bundles may cost."""
CURVE_POINTS = 200


@attrs.frozen(kw_only=True)
class Options:
    """How predictions are measured."""

    threshold: float = 0.5
    temperature: float | None = None
    """Fitted elsewhere (on validation rows); None: cross-fitted on the measured rows, half by half."""
    run_tests: bool = True
    """Run written programs against the tests of their rows, where rows have any."""
    limits: Limits = attrs.field(factory=Limits)
    jobs: int = 0
    """Programs run side by side; 0: one a core."""
    intervals: bool = True
    """Bootstrap intervals of the main metrics."""
    progress: Callable[[str, int, int], None] | None = None
    """Told what is being done, how much of it is done, and how much there is."""


@attrs.frozen(eq=False)
class Measured:
    """Numbers of one model on one set of rows."""

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]] = attrs.field(factory=dict)
    curves: dict[str, Any] = attrs.field(factory=dict)
    """Name -> lists of points, for plots: ``roc``, ``precision_recall``, ``reliability``, ``effort``."""
    points: list[dict[str, float]] = attrs.field(factory=list)
    """Operating points: threshold, recall and precision at each budget of warnings."""
    confusion: dict[str, Any] = attrs.field(factory=dict)
    passed: list[list[bool]] = attrs.field(factory=list)
    """[rows with tests][samples]"""
    notes: list[str] = attrs.field(factory=list)


def measure(predictions: Predictions, options: Options | None = None) -> Measured:
    """Everything that applies to what the model gave."""
    options = options or Options()
    found = Measured(dict(predictions.own))
    if predictions.probabilities is not None and predictions.truth is not None and len(predictions.rows):
        _judged(predictions, options, found)
    for unit, places in predictions.places.items():
        found.metrics.update(places_metrics(places, unit))
        effort, recall = effort_curve(places)
        if len(effort) and unit == "line":
            found.curves["effort"] = _thinned(effort, recall)
    if predictions.references:
        _written(predictions, options, found)
    for name in [name for name, value in found.metrics.items() if math.isnan(value)]:
        del found.metrics[name]
    return found


def _judged(predictions: Predictions, options: Options, found: Measured) -> None:
    probabilities, truth = predictions.probabilities, predictions.truth
    assert probabilities is not None
    assert truth is not None
    if predictions.several:
        found.metrics.update(multilabel(probabilities, truth))
        return
    found.metrics.update(classification(probabilities, truth))
    found.confusion.update(_table(predictions))
    _calibrated(predictions, options, found)
    scores = predictions.scores
    if scores is None:
        return
    wrong = predictions.defective
    counts = confusion(scores, wrong, options.threshold)
    named = rates(counts)
    if len(predictions.labels) > 2:
        # Which kind it is and whether anything is wrong at all are two questions.
        named = {f"any_defect_{name}": value for name, value in named.items()}
        prefix = "any_defect_"
    else:
        prefix = ""
    more = {f"{prefix}roc_auc": roc_auc(scores, wrong), f"{prefix}pr_auc": average_precision(scores, wrong)}
    for rate in FALSE_POSITIVE_RATES:
        more[f"misses_at_{100 * rate:g}_percent_false_alarms"] = misses_at(scores, wrong, rate)
    found.metrics.update(named | more)
    clean_lines = int(predictions.lines()[~wrong].sum())
    found.metrics["warnings_per_kloc"] = warnings_per_kloc(counts.false_positives, clean_lines)
    for name, shown in predictions.shown.items():
        warned = np.array(shown)
        found.metrics[f"warnings_per_kloc_{name}"] = warnings_per_kloc(int(warned[~wrong].sum()), clean_lines)
        found.metrics[f"recall_{name}"] = float((warned[wrong] > 0).mean()) if wrong.any() else math.nan
    found.metrics.update(_pairs(predictions, options.threshold))
    found.points.extend(operating_points(predictions, clean_lines))
    _curves(predictions, found)
    if options.intervals and len(wrong) >= 20:
        for name, of in (
            (f"{prefix}roc_auc", roc_auc),
            (f"{prefix}pr_auc", average_precision),
            *((f"{prefix}{each}", _rate(each, options.threshold)) for each in ("accuracy", "f1", "mcc", "recall")),
        ):
            found.intervals[name] = interval(scores, wrong, of)


def _rate(name: str, threshold: float) -> Callable[[Any, Any], float]:
    return lambda scores, truth: rates(confusion(scores, truth, threshold))[name]


def _calibrated(predictions: Predictions, options: Options, found: Measured) -> None:
    probabilities, truth = predictions.probabilities, predictions.truth
    assert probabilities is not None
    assert truth is not None
    if options.temperature is not None:
        after, temperature = tempered(probabilities, options.temperature), options.temperature
    else:
        after, temperature = cross_fitted(probabilities, truth)
    found.metrics["calibration_error"] = calibration_error(probabilities, truth)
    found.metrics["calibration_error_tempered"] = calibration_error(after, truth)
    found.metrics["temperature"] = temperature
    found.curves["reliability"] = {
        name: {
            "confidence": [None if math.isnan(v) else float(v) for v in bins.confidence],
            "accuracy": [None if math.isnan(v) else float(v) for v in bins.accuracy],
            "count": bins.count.tolist(),
        }
        for name, bins in (
            ("as it is", bins_of(probabilities.max(1), probabilities.argmax(1) == truth)),
            ("tempered", bins_of(after.max(1), after.argmax(1) == truth)),
        )
    }


def _table(predictions: Predictions) -> dict[str, Any]:
    probabilities, truth = predictions.probabilities, predictions.truth
    assert probabilities is not None
    assert truth is not None
    table = np.zeros((len(predictions.labels),) * 2, dtype=int)
    np.add.at(table, (truth, probabilities.argmax(1)), 1)
    return {"labels": list(predictions.labels), "table": table.tolist()}


def _pairs(predictions: Predictions, threshold: float) -> dict[str, float]:
    """Twins by the ``group`` column: a group with a defective and a clean row, ``role`` choosing among several."""
    scores = predictions.scores
    assert scores is not None
    groups: dict[str, dict[bool, int]] = {}
    for at, (row, wrong) in enumerate(zip(predictions.rows, predictions.defective, strict=True)):
        if row.get("group") and row.get("role") != "untouched":
            groups.setdefault(str(row["group"]), {}).setdefault(bool(wrong), at)
    twins = [(each[True], each[False]) for each in groups.values() if len(each) == 2]
    if not twins:
        return {}
    buggy, fixed = (np.array([scores[pair[side]] for pair in twins]) for side in (0, 1))
    return paired(buggy, fixed, threshold)


def operating_points(predictions: Predictions, clean_lines: int) -> list[dict[str, float]]:
    """For each budget of warnings per 1,000 clean lines: the loosest threshold that keeps it, recall and precision."""
    scores = predictions.scores
    assert scores is not None
    wrong = predictions.defective
    if not clean_lines or not wrong.any():
        return []
    alarms = np.sort(scores[~wrong])[::-1]
    found = []
    for budget in BUDGETS:
        allowed = int(budget * clean_lines / 1000)
        least = float(np.nextafter(alarms[allowed], 2.0)) if allowed < len(alarms) else float(scores.min())
        named = rates(confusion(scores, wrong, least))
        found.append(
            {
                "budget": budget,
                "threshold": least,
                "recall": named["recall"],
                "precision": named["precision"],
                "warnings_per_kloc": warnings_per_kloc(int((scores[~wrong] >= least).sum()), clean_lines),
            }
        )
    return found


def _curves(predictions: Predictions, found: Measured) -> None:
    scores = predictions.scores
    assert scores is not None
    points = curves(scores, predictions.defective)
    if len(points.recall) and not np.isnan(points.recall[0]):
        found.curves["precision_recall"] = _thinned(points.recall, points.precision)
        if not np.isnan(points.false_positive_rate[0]):
            found.curves["roc"] = _thinned(points.false_positive_rate, points.recall)


def _thinned(x: Any, y: Any) -> dict[str, list[float]]:
    """At most ``CURVE_POINTS`` of the points, the first and the last among them."""
    at = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).round().astype(int))
    return {"x": np.round(x[at], 5).tolist(), "y": np.round(y[at], 5).tolist()}


def _written(predictions: Predictions, options: Options, found: Measured) -> None:
    best = [answers[0] if answers else "" for answers in predictions.answers]
    found.metrics.update(text_metrics(best, predictions.references, predictions.language))
    tested = [at for at, row in enumerate(predictions.rows) if has_tests(row)]
    if not tested or not options.run_tests:
        return
    programs = [program_of(predictions.rows[at], answer) for at in tested for answer in predictions.answers[at]]
    tell = options.progress
    outcomes = iter(
        run_all(
            programs,
            options.limits,
            options.jobs or None,
            (lambda done: tell("running programs", done, len(programs))) if tell else None,
        )
    )
    found.passed.extend([next(outcomes).passed for _ in predictions.answers[at]] for at in tested)
    found.metrics.update(pass_metrics(found.passed, (1, 5, 10, 100)))
    found.notes.append(f"{len(programs)} programs ran in a sandbox ({', '.join(layers())})")


def headline(metrics: Mapping[str, float], most: int = 12) -> list[str]:
    """The metrics a person reads first, in a fixed order, then the others as they come."""
    first = [
        *("accuracy", "f1", "f1_macro", "f1_micro", "mcc", "roc_auc", "pr_auc", "precision", "recall"),
        *("calibration_error", "line_top_1", "line_top_5", "line_ifa", "pair_correct", "warnings_per_kloc"),
        *("pass@1", "exact_match", "codebleu", "bleu", "edit_similarity", "syntax_valid"),
    ]
    known: Sequence[str] = [name for name in first if name in metrics]
    return [*known, *(name for name in metrics if name not in known)][:most]

"""The same metrics for parts of the rows: by kind of defect, project, length, age, language."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np

from codehunch_training.data import Row
from codehunch_training.evaluation.binary import confusion, rates, roc_auc
from codehunch_training.evaluation.localisation import top_k
from codehunch_training.evaluation.predictions import Predictions
from codehunch_training.evaluation.texts import text_metrics

LENGTHS = (10, 25, 50, 100)
"""Last line of each class of length."""
MOST_GROUPS = 20
OTHERS = "(others)"


@attrs.frozen
class Group:
    """One line of a breakdown. ``metrics`` are only those that this part of the rows can give."""

    name: str
    rows: int
    defective: int
    metrics: dict[str, float]


def breakdowns(predictions: Predictions, threshold: float = 0.5) -> dict[str, list[Group]]:
    """Breakdown -> its groups, the largest first (lengths and years in their order); those with one group are left out,
    for they say what the whole says."""
    ways: dict[str, Callable[[int], str]] = {
        "kind": lambda at: kind_of(predictions, at),
        "project": lambda at: str(predictions.rows[at].get("project") or ""),
        "length": lambda at: length_class(int(lines[at])),
        "year": lambda at: year_of(predictions.rows[at]),
        "language": lambda at: str(predictions.rows[at].get("language") or ""),
    }
    lines = predictions.lines()
    found = {}
    for way, name_of in ways.items():
        names = [name_of(at) for at in range(len(predictions.rows))]
        groups = _grouped(names)
        if way == "kind" and predictions.scores is not None:
            # Clean rows are of no kind; each kind is set against all of them.
            found_groups = _kinds(predictions, groups, threshold)
        else:
            found_groups = [_group(predictions, name, rows, threshold) for name, rows in groups.items()]
        if len(found_groups) > 1:
            ordered = {"length": _by_length, "year": lambda group: group.name}.get(way)
            found[way] = sorted(found_groups, key=ordered) if ordered else found_groups
    return found


def kind_of(predictions: Predictions, at: int) -> str:
    """The kind of what is wrong in a row: its ``kind`` column, else its label where there are more than two."""
    row = predictions.rows[at]
    if row.get("kind"):
        return str(row["kind"])
    if predictions.truth is not None and not predictions.several and len(predictions.labels) > 2:
        return predictions.labels[int(predictions.truth[at])]
    label = row.get("label")
    return str(label) if isinstance(label, str) and not label.isdecimal() else ""


def length_class(lines: int, bounds: Sequence[int] = LENGTHS) -> str:
    """``4 to 10 lines``: which class of those that end with ``bounds`` so many lines belong to."""
    for number, last in enumerate(bounds):
        if lines <= last:
            return f"{bounds[number - 1] + 1 if number else 1} to {last} lines"
    return f"more than {bounds[-1]} lines"


def year_of(row: Row) -> str:
    """The year of a row's ``date`` (or ``year``), empty where it has none."""
    value = str(row.get("date") or row.get("year") or row.get("committer_date") or "")[:4]
    return value if len(value) == 4 and value.isdecimal() else ""


def _by_length(group: Group) -> tuple[int, str]:
    order = [length_class(last) for last in (*LENGTHS, LENGTHS[-1] + 1)]
    return order.index(group.name) if group.name in order else len(order), group.name


def _grouped(names: Sequence[str]) -> dict[str, list[int]]:
    """Rows by name, the largest groups first; small ones of many are put together, nameless rows left out."""
    counts = Counter(name for name in names if name)
    kept = [name for name, _ in counts.most_common(MOST_GROUPS)]
    groups: dict[str, list[int]] = {name: [] for name in kept}
    for at, name in enumerate(names):
        if name in groups:
            groups[name].append(at)
        elif name:
            groups.setdefault(OTHERS, []).append(at)
    return groups


def _kinds(predictions: Predictions, groups: dict[str, list[int]], threshold: float) -> list[Group]:
    scores = predictions.scores
    assert scores is not None
    wrong = predictions.defective
    found = []
    for name, rows in groups.items():
        defective = [at for at in rows if wrong[at]]
        if not defective:
            continue
        beside = np.concatenate([scores[defective], scores[~wrong]])
        flags = np.arange(len(beside)) < len(defective)
        metrics = {
            "recall": float((scores[defective] >= threshold).mean()),
            "roc_auc_against_all_clean": roc_auc(beside, flags),
            **_places(predictions, defective),
        }
        found.append(Group(name, len(defective), len(defective), _known(metrics)))
    return found


def _group(predictions: Predictions, name: str, rows: list[int], threshold: float) -> Group:
    metrics: dict[str, float] = {}
    defective = 0
    scores = predictions.scores
    if scores is not None:
        wrong, part = predictions.defective[rows], scores[rows]
        defective = int(wrong.sum())
        metrics |= rates(confusion(part, wrong, threshold)) | {"roc_auc": roc_auc(part, wrong)}
        if (~wrong).any():
            metrics["false_alarms"] = float((part[~wrong] >= threshold).mean())
    elif predictions.probabilities is not None and predictions.truth is not None and not predictions.several:
        metrics["accuracy"] = float((predictions.probabilities[rows].argmax(1) == predictions.truth[rows]).mean())
    metrics |= _places(predictions, rows)
    if predictions.references:
        part_of = predictions.chosen(rows)
        best = [answers[0] if answers else "" for answers in part_of.answers]
        whole = text_metrics(best, part_of.references, predictions.language)
        keep = ("exact_match", "edit_similarity", "bleu", "codebleu", "syntax_valid")
        metrics |= {key: whole[key] for key in keep if key in whole}
    return Group(name, len(rows), defective, _known(metrics))


def _places(predictions: Predictions, rows: Sequence[int]) -> dict[str, float]:
    return {f"{unit}_top_1": top_k([each[at] for at in rows], 1) for unit, each in predictions.places.items()}


def _known(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if not math.isnan(value)}

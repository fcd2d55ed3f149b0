"""What a classifier could cheat with (size, age, texts with two labels), and what each split holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def area_under_curve(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Probability that a positive value exceeds a negative one, ties counting half (Mann-Whitney U); nan if empty."""
    if not positive or not negative:
        return float("nan")
    ordered = np.sort(np.asarray(negative, dtype=float))
    values = np.asarray(positive, dtype=float)
    below = np.searchsorted(ordered, values, side="left")
    up_to = np.searchsorted(ordered, values, side="right")
    return float((below + up_to).sum() / (2 * len(values) * len(ordered)))


class Confounds:
    """Collects sizes and dates per label and role; ``report`` says how well they alone would tell labels apart."""

    def __init__(self) -> None:
        self._sizes: dict[str, list[float]] = defaultdict(list)
        self._dates: dict[str, list[float]] = defaultdict(list)
        self._labels: dict[bytes, set[str]] = defaultdict(set)

    def add(self, label: str, role: str, tokens: int, date: str, digest: bytes) -> None:
        name = "buggy" if label not in ("", "clean") else role or label or "unlabelled"
        self._sizes[name].append(tokens)
        if date:
            self._dates[name].append(float(date[:4]) + (int(date[5:7]) - 1) / 12)
        if label:
            self._labels[digest].add(label)

    def report(self) -> Mapping[str, Any]:
        """Medians per role, and the AUC of size and of date alone, buggy against each other role (0.5: no tell)."""
        found: dict[str, Any] = {"texts_with_two_labels": sum(len(labels) > 1 for labels in self._labels.values())}
        for what, values in (("tokens", self._sizes), ("year", self._dates)):
            for name in sorted(values):
                found[f"median_{what}_{name}"] = round(float(np.median(values[name])), 2)
                if name != "buggy" and values.get("buggy"):
                    auc = area_under_curve(values["buggy"], values[name])
                    found[f"auc_{what}_buggy_over_{name}"] = round(auc, 3)
        return found


class Coverage:
    """Rows per split and label, and from how many projects they come."""

    def __init__(self) -> None:
        self._rows: dict[str, Counter[str]] = defaultdict(Counter)
        self._projects: dict[str, set[str]] = defaultdict(set)

    def add(self, split: str, label: str, project: str) -> None:
        self._rows[split][label] += 1
        self._projects[split].add(project)

    def report(self) -> Mapping[str, Any]:
        """Per split: ``labels`` with counts, ``projects``, and the labels of other splits ``missing`` in it."""
        every = {label for counts in self._rows.values() for label in counts}
        return {
            split: {
                "labels": dict(counts.most_common()),
                "projects": len(self._projects[split]),
                "missing": sorted(every - set(counts)),
            }
            for split, counts in sorted(self._rows.items())
        }

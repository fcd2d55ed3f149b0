"""How soon a person who reads what is most suspicious comes upon the defect.

A *place* is whatever is ranked: a line, a token, a lexeme. Each function gives its scores [places] and which of them
are wrong. Ties are broken against the model: among equal scores the wrong places are read last.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray


@attrs.frozen(eq=False)
class Places:
    """One function's places."""

    scores: NDArray[np.float64]
    wrong: NDArray[np.bool_]


def top_k(functions: Sequence[Places], k: int) -> float:
    """Share of the defective functions with a wrong place among their ``k`` most suspicious."""
    defective = [each for each in functions if each.wrong.any()]
    return float(np.mean([read_before(each) < k for each in defective])) if defective else float("nan")


def read_before(function: Places) -> int:
    """Clean places read before the first wrong one (the rank counted from 0)."""
    best = function.scores[function.wrong].max()
    return int(((function.scores >= best) & ~function.wrong).sum())


def initial_false_alarms(functions: Sequence[Places]) -> float:
    """IFA: mean number of clean places read before the first wrong one, over the defective functions (Kochhar et al.
    2016; Fu and Nguyen 2022, LineVul, section 4)."""
    defective = [each for each in functions if each.wrong.any()]
    return float(np.mean([read_before(each) for each in defective])) if defective else float("nan")


def effort_at_recall(functions: Sequence[Places], recall: float = 0.2) -> float:
    """Share of all places that must be read, the most suspicious of the whole corpus first, to find this share of the
    wrong ones (LineVul, section 4: Effort@20%Recall)."""
    effort, found = effort_curve(functions)
    if not len(found):
        return float("nan")
    return float(effort[np.searchsorted(found, recall - 1e-12)])


def recall_at_effort(functions: Sequence[Places], effort: float = 0.01) -> float:
    """Share of the wrong places among the ``effort`` most suspicious share of all (LineVul: Recall@1%LOC)."""
    read, found = effort_curve(functions)
    inside = found[read <= effort + 1e-12]
    return float(inside[-1]) if len(inside) else (0.0 if len(found) else float("nan"))


def effort_curve(functions: Sequence[Places]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of all places read against share of the wrong ones found, place by place; empty where none is wrong."""
    scores = np.concatenate([each.scores for each in functions]) if functions else np.zeros(0)
    wrong = np.concatenate([each.wrong for each in functions]) if functions else np.zeros(0, dtype=bool)
    if not wrong.any():
        return np.zeros(0), np.zeros(0)
    order = np.lexsort((wrong, -scores))
    return np.arange(1, len(scores) + 1) / len(scores), np.cumsum(wrong[order]) / wrong.sum()


def places_metrics(functions: Sequence[Places], unit: str = "line") -> dict[str, float]:
    """All of the above, named after the ``unit`` that is read; empty where no function has a wrong place."""
    if not any(each.wrong.any() for each in functions):
        return {}
    return {
        **{f"{unit}_top_{k}": top_k(functions, k) for k in (1, 3, 5, 10)},
        f"{unit}_ifa": initial_false_alarms(functions),
        f"{unit}_effort_at_20_recall": effort_at_recall(functions, 0.2),
        f"{unit}_recall_at_1_effort": recall_at_effort(functions, 0.01),
    }


def by_line(text: str, starts: Sequence[int], scores: Sequence[float], spans: Sequence[Sequence[int]]) -> Places:
    """Places of offsets gathered into lines: a line is as suspicious as its worst offset. Lines end at a line feed;
    blank ones are left out. ``spans`` are half-open; a wrong span makes every line it touches wrong."""
    begins = [0]
    for line in text.split("\n")[:-1]:
        begins.append(begins[-1] + len(line) + 1)
    edges = np.array(begins)
    worst = np.zeros(len(begins))
    for start, score in zip(starts, scores, strict=True):
        row = int(np.searchsorted(edges, start, side="right")) - 1
        worst[row] = max(worst[row], score)
    wrong = np.zeros(len(begins), dtype=bool)
    for span in spans:
        first = int(np.searchsorted(edges, span[0], side="right")) - 1
        last = int(np.searchsorted(edges, max(span[0], span[1] - 1), side="right")) - 1
        wrong[first : last + 1] = True
    kept = np.array([bool(line.strip()) for line in text.split("\n")]) | wrong
    return Places(worst[kept], wrong[kept])

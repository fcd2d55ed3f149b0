"""Temperature, confidence and thresholds of a defect bundle, fitted on projects it was not trained on."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray
from tree_sitter import Node

from codehunch.bundles.bundle import Bundle
from codehunch.defects.confidence import FEATURES, confidence, features, kind_feature
from codehunch.defects.inspection import Inspected, inspect
from codehunch.defects.surroundings import Around
from codehunch.defects.units import Unit
from codehunch.defects.verification import read_units
from codehunch.inference.classifier import Classifier
from codehunch.syntax.parsing import ParsedSource, parse
from codehunch_training.corpus.around import unit_of
from codehunch_training.corpus.injection import Injected, definition, inject
from codehunch_training.corpus.lapses import LAPSED, lapse
from codehunch_training.corpus.rows import FunctionRow

ALARM_BUDGETS = {"low": 0.3, "medium": 1.0, "high": 3.0}
"""Warnings per 1,000 lines of clean code that each sensitivity may cost."""
CANDIDATES_PER_KLOC = 10.0
"""Places per 1,000 clean lines that are looked into, fixes tried: what bounds the cost of verification."""
THRESHOLD_STEP = 0.005
"""Thresholds are multiples of it, rounded up: the last digits of a quantile of so few alarms mean nothing."""
_LEAST_OF_A_KIND = 12
SURE = 0.95
"""How sure the budgets are to hold in other projects, where there are enough to tell."""
_LEAST_PROJECTS, _DRAWS = 8, 1000
PRIOR = 1 / 50
"""Defective functions among all, as assumed by the reported confidence."""

Make = Callable[[ParsedSource, Node, Around | None, random.Random], Injected | None]
"""A definition, the only one of its text, and what its file binds: the same with a defect, if one can be made."""


@attrs.frozen
class Calibration:
    temperature: float
    candidate: float
    weights: dict[str, float]
    thresholds: dict[str, float]
    alarms_per_kloc: dict[str, float]


@attrs.frozen(eq=False)
class Judged:
    """Inspected places of a set of functions, each with the truth."""

    places: list[Inspected]
    right: NDArray[np.bool_]
    """Whether the place is an injected defect."""
    function: NDArray[np.int64]
    lines: int
    functions: int
    kinds: tuple[str, ...] = ()
    """Injected kind of each function; empty for clean ones."""
    originals: tuple[str, ...] = ()
    """Text of each function before the injection."""
    units: tuple[Unit, ...] = ()
    """Each function as it was read."""
    rows: tuple[int, ...] = ()
    """Number of the row each function was made from."""
    wrong: tuple[frozenset[int], ...] = ()
    """Offsets of the injected defect of each function; empty for clean ones."""


def calibrate(
    bundle: Bundle, rows: Sequence[FunctionRow], seed: int = 3, weights: Mapping[str, float] | None = None
) -> Calibration:
    """Fit on clean functions and on copies with one injected defect each.

    ``weights`` keeps those of the confidence, for rows that are too few to fit them anew: only the thresholds follow.
    """
    classifier = Classifier(bundle)
    candidate = candidate_threshold(classifier, rows)
    clean, faulty = judge(classifier, rows, seed, candidate, injected=not weights, lapsed=LAPSED)
    kept = dict(weights) if weights else fitted_weights(clean, faulty)
    scores = np.array([confidence(item.evidence, kept) for item in clean.places])
    thresholds, alarms = {}, {}
    names = sorted({row.project for row in rows})
    lines = np.array([sum(row.text.count("\n") for row in rows if row.project == name) for name in names])
    projects = np.array([names.index(rows[number].project) for number in clean.function], dtype=np.int64)
    for name, budget in ALARM_BUDGETS.items():
        if len(names) >= _LEAST_PROJECTS:
            least = threshold_over_projects(scores, projects, lines, budget)
        else:
            least = threshold_for(scores, clean.lines, budget)
        thresholds[name] = _rounded_up(least)
        alarms[name] = round(1000 * float((scores >= thresholds[name]).sum()) / clean.lines, 3)
    temperature = bundle.manifest.defects.temperature if bundle.manifest.defects is not None else 1.0
    return Calibration(temperature, candidate, kept, thresholds, alarms)


def fitted_weights(clean: Judged, faulty: Judged) -> dict[str, float]:
    """Weights of the confidence. A faulty copy stands for one function in fifty: its places weigh that much less."""
    every = clean.places + faulty.places
    names = (*FEATURES, *_common_kinds(every))
    inputs = np.array([_row(item, names) for item in every])
    truth = np.concatenate([clean.right, faulty.right])
    weight = np.concatenate([np.full(len(clean.right), 1 - PRIOR), np.full(len(faulty.right), PRIOR)])
    return dict(zip(names, _logistic_regression(inputs, truth, weight).tolist(), strict=True))


def candidate_threshold(classifier: Classifier, rows: Sequence[FunctionRow]) -> float:
    """The suspicion that ``CANDIDATES_PER_KLOC`` lexemes per 1,000 clean lines reach."""
    worst: list[float] = []
    for start in range(0, len(rows), 64):
        for reading in read_units([unit_of(row) for row in rows[start : start + 64]], classifier):
            worst.extend(np.sort(reading.suspicion)[-3:].tolist())
    return threshold_for(np.array(worst), sum(row.text.count("\n") for row in rows), CANDIDATES_PER_KLOC)


def threshold_for(scores: NDArray[np.float64], lines: int, budget: float) -> float:
    """The least confidence at which at most ``budget`` places per 1,000 clean lines are reported."""
    allowed = int(budget * lines / 1000)
    ordered = np.sort(scores)[::-1]
    if allowed >= len(ordered):
        return float(ordered[-1]) if len(ordered) else 0.5
    return float(np.nextafter(ordered[allowed], 1.0))


def threshold_over_projects(
    scores: NDArray[np.float64], projects: NDArray[np.int64], lines: NDArray[np.int64], budget: float
) -> float:
    """The least confidence at which the budget holds in ``SURE`` of all draws of the projects, with replacement.

    Projects differ far more in how often they are doubted than chance would make them: a mean over the ones at hand
    promises too much to the next. ``projects`` [places] numbers the project of each score, ``lines`` [projects].
    """
    if not len(scores):
        return 0.5
    drawn = np.random.default_rng(0).multinomial(len(lines), np.full(len(lines), 1 / len(lines)), _DRAWS)
    order = np.argsort(-scores, kind="stable")
    counts = np.cumsum(projects[order][:, None] == np.arange(len(lines)), axis=0)
    rates = 1000 * (drawn @ counts.T) / np.maximum(1, drawn @ lines)[:, None]
    held = np.quantile(rates, SURE, axis=0) <= budget
    if held.all():
        return float(scores[order[-1]])
    return float(np.nextafter(scores[order[int(held.argmin())]], 1.0))


def _rounded_up(threshold: float) -> float:
    rounded = round(math.ceil(threshold / THRESHOLD_STEP) * THRESHOLD_STEP, 6)
    return rounded if rounded < 1 else threshold


def judge(
    classifier: Classifier,
    rows: Sequence[FunctionRow],
    seed: int,
    threshold: float,
    injected: bool = True,
    lapsed: float = 0.0,
) -> tuple[Judged, Judged]:
    """Clean functions, and the same with one injected defect each (none without ``injected``), as the detector sees
    them. The share ``lapsed`` of the defects are lapses (``corpus.lapses``), where the file is known."""

    def make(parsed: ParsedSource, node: Node, around: Around | None, rng: random.Random) -> Injected | None:
        if around is not None and lapsed and rng.random() < lapsed and (made := lapse(parsed, node, around, rng)):
            return made
        return inject(parsed, node, 1, rng)

    clean = _judged(classifier, [unit_of(row) for row in rows], {}, threshold)
    faulty = judge_defects(classifier, rows if injected else (), seed, threshold, make)
    return attrs.evolve(clean, rows=tuple(range(len(rows)))), faulty


def judge_defects(
    classifier: Classifier, rows: Sequence[FunctionRow], seed: int, threshold: float, make: Make
) -> Judged:
    """The functions that ``make`` can make defective, as the detector sees them then."""
    rng = random.Random(seed)
    faulty: list[tuple[Unit, Injected]] = []
    originals: list[str] = []
    numbers: list[int] = []
    for number, row in enumerate(rows):
        parsed = parse(row.text)
        node = definition(parsed)
        unit = unit_of(row)
        made = make(parsed, node, unit.around, rng) if node is not None else None
        if made is not None:
            faulty.append((attrs.evolve(unit, text=made.text, around=made.around or unit.around), made))
            originals.append(row.text)
            numbers.append(number)
    truth = {id(unit): set(made.labels) for unit, made in faulty}
    wrong = _judged(classifier, [unit for unit, _ in faulty], truth, threshold)
    kinds = tuple(next(iter(made.labels.values())) for _, made in faulty)
    places = tuple(frozenset(made.labels) for _, made in faulty)
    return attrs.evolve(wrong, kinds=kinds, originals=tuple(originals), rows=tuple(numbers), wrong=places)


def _judged(classifier: Classifier, units: list[Unit], truth: dict[int, set[int]], threshold: float) -> Judged:
    places: list[Inspected] = []
    for start in range(0, len(units), 64):
        places.extend(inspect(units[start : start + 64], classifier, threshold))
    number = {id(unit): index for index, unit in enumerate(units)}
    right = [item.place.unit.lexemes[item.place.at].span.start in truth.get(id(item.place.unit), ()) for item in places]
    return Judged(
        places,
        np.array(right, dtype=bool),
        np.array([number[id(item.place.unit)] for item in places], dtype=np.int64),
        sum(unit.text.count("\n") for unit in units),
        len(units),
        units=tuple(units),
    )


def _common_kinds(places: Sequence[Inspected]) -> list[str]:
    """Names of the weights of the kinds seen often enough to fit one; the others share the bias."""
    seen = Counter(item.evidence.kind for item in places)
    return [kind_feature(kind) for kind, count in sorted(seen.items()) if count >= _LEAST_OF_A_KIND]


def _row(item: Inspected, names: Sequence[str]) -> list[float]:
    named = features(item.evidence)
    return [named.get(name, 0.0) for name in names]


def _logistic_regression(
    x: NDArray[np.float64], y: NDArray[np.bool_], weight: NDArray[np.float64], ridge: float = 1e-3
) -> NDArray[np.float64]:
    """Newton's method (IRLS) with a small ridge; x [places, features] holds its own column of ones."""
    beta = np.zeros(x.shape[1])
    scaled = weight / weight.mean()
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        gradient = x.T @ (scaled * (y - p)) - ridge * len(y) * beta
        hessian = (x * (scaled * p * (1 - p))[:, None]).T @ x + ridge * len(y) * np.eye(x.shape[1])
        step = np.linalg.solve(hessian, gradient)
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            break
    return beta

"""What a defect bundle reports in clean functions, in copies with an injected defect, and in bugs people fixed.

The bundle's own int8 graph reads, places are inspected and confidences computed as the server does it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from codehunch.bundles.bundle import Bundle
from codehunch.defects.confidence import confidence
from codehunch.defects.inspection import inspect
from codehunch.defects.units import Unit
from codehunch.inference.classifier import Classifier
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.around import Source, unit_of
from codehunch_training.corpus.injection import definition, inject
from codehunch_training.corpus.rows import DefectRow

_REPORTED = 2
"""Findings of one function that are shown at most, as in the server."""
_CHUNK = 16


@attrs.frozen
class Case:
    """A function with a defect in it, and where."""

    text: str
    places: frozenset[int]
    """Offsets of the wrong lexemes."""
    kind: str


@attrs.frozen
class Subject:
    """A clean function and its defective copies."""

    key: str
    text: str
    cases: tuple[Case, ...]
    around: str = ""
    """What is known of its file, as ``FunctionRow.around``."""

    @property
    def lines(self) -> int:
        return self.text.count("\n")


def subjects(sources: Sequence[tuple[str, Source]], copies: int, seed: int) -> list[Subject]:
    """``(key, source)`` of clean functions with up to ``copies`` distinct defective copies each; seeded by the key."""
    found = []
    for key, source in sources:
        rng = random.Random(f"{seed}:{key}")
        parsed = parse(source.text)
        node = definition(parsed)
        cases: dict[str, Case] = {}
        for _ in range(copies if node is not None else 0):
            assert node is not None
            injected = inject(parsed, node, 1, rng)
            if injected is not None:
                kind = next(iter(injected.labels.values()))
                cases.setdefault(injected.text, Case(injected.text, frozenset(injected.labels), kind))
        found.append(Subject(key, source.text, tuple(cases.values()), source.around))
    return found


def measure(
    bundle: Bundle,
    given: Sequence[Subject],
    *,
    seconds: float = float("inf"),
    clock: Callable[[], float] = time.monotonic,
    threads: int = 1,
    stop: Callable[[], None] = lambda: None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Any]]:
    """Per subject, in order: ``clean`` (confidences of reported places) and ``hits`` (one per case).

    Ends early after ``seconds``: the list is then shorter. ``stop`` is asked between chunks and may raise.
    """
    classifier = Classifier(bundle, threads)
    started = clock()
    found: list[dict[str, Any]] = []
    for start in range(0, len(given), _CHUNK):
        stop()
        if clock() - started > seconds:
            break
        part = given[start : start + _CHUNK]
        units = [
            unit_of(Source(text, subject.around))
            for subject in part
            for text in (subject.text, *(case.text for case in subject.cases))
        ]
        reported = iter(_reported(bundle, classifier, units))
        for subject in part:
            clean = [sure for _, sure in next(reported)]
            hits = [
                max((sure for at, sure in next(reported) if at in case.places), default=0.0) for case in subject.cases
            ]
            found.append({"clean": [round(c, 6) for c in clean], "hits": [round(h, 6) for h in hits]})
        tell(len(found), len(given))
    return found


def measure_fixes(bundle: Bundle, rows: Sequence[DefectRow], threads: int = 1) -> list[dict[str, Any]]:
    """Real bugs: confidence at a wrong place, or nearest in the wrong lines, and of the fixed twin's worst place."""
    classifier = Classifier(bundle, threads)
    twins = {row.group: row for row in rows if row.role == "fixed"}
    found = []
    for row in rows:
        if row.role != "buggy":
            continue
        units = [unit_of(row)] + ([unit_of(twins[row.group])] if row.group in twins else [])
        buggy, *fixed = _reported(bundle, classifier, units)
        starts = {start for start, _ in row.spans}
        found.append(
            {
                "hit": max((sure for at, sure in buggy if at in starts), default=0.0),
                "twin": max((sure for each in fixed for _, sure in each), default=0.0),
            }
        )
    return found


def _reported(bundle: Bundle, classifier: Classifier, units: Sequence[Unit]) -> list[list[tuple[int, float]]]:
    """``(offset, confidence)`` of each unit's best places, whatever the threshold."""
    spec = bundle.manifest.defects
    assert spec is not None
    by_unit: Mapping[int, list[tuple[int, float]]] = {id(unit): [] for unit in units}
    for item in inspect(units, classifier, spec.candidate):
        place = item.place
        at = place.unit.lexemes[place.at].span.start
        by_unit[id(place.unit)].append((at, confidence(item.evidence, spec.confidence)))
    return [sorted(by_unit[id(unit)], key=lambda each: -each[1])[:_REPORTED] for unit in units]

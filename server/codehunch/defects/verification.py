"""Fixes are tried before they are offered: the model reads every rewritten function, all in one batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from codehunch.defects.findings import Edit
from codehunch.defects.repairs import OF_NAMES, imported, is_valueless, repairs
from codehunch.defects.rewrites import Rewrite, moved
from codehunch.defects.units import Unit
from codehunch.inference.classifier import Classifier, Reading
from codehunch.syntax.lexemes import Lexeme

_PLACES = 3
"""Suspicious lexemes looked into per function, names without a value aside."""
_VALUELESS = 8
"""Names without a value looked into per function."""
_KINDS = 2
"""Kinds tried per lexeme, the likeliest first."""
_REWRITES = 12
"""Rewrites tried per lexeme and kind."""
_LEXEMES = 40_000
"""Of the functions that are made to try one lexeme and kind: of a function of thousands of lines few are."""
_SPREAD = 0.1
"""How much suspicion a rewrite may add anywhere else before it can count as moving the defect, not mending it: where it
adds more, what stands there afterwards must be less than half of what was mended."""


_NEVER = frozenset(")]},.:;=") | {"->"}
"""Lexemes no kind of defect stands on."""


@attrs.frozen(eq=False)
class Place:
    """A suspicious lexeme of a unit."""

    unit: Unit
    reading: Reading
    at: int
    """Index of the lexeme."""


@attrs.frozen
class Trial:
    """One rewrite and how the function reads with it."""

    kind: str
    rewrite: Rewrite
    suspicion: float
    """Of the same place after the rewrite."""
    sequence: float
    """Probability that the whole rewritten function is defective."""
    spreads: bool
    """Whether the rewrite makes another place suspicious."""


def read_units(
    units: Sequence[Unit],
    classifier: Classifier,
    cancelled: Callable[[], bool] | None = None,
    within: Sequence[Collection[int]] = (),
) -> list[Reading]:
    """What the model thinks of functions, told how their names stand where it wants to know. ``within``: the lexemes
    of each that matter; none where all do."""
    told = [unit.told for unit in units] if classifier.encoder.standings else ()
    return classifier.read([unit.lexemes for unit in units], cancelled, told, within)


def suspicious_places(unit: Unit, reading: Reading, threshold: float) -> list[Place]:
    """The unit's most suspicious lexemes at or above ``threshold``, the worst first. A name without a value is looked
    into once, where it stands first, and beside any number of others: none of them is there by chance."""
    suspicion = reading.suspicion
    found = [int(at) for at in np.flatnonzero(suspicion >= threshold) if can_be_wrong(unit.lexemes[at])]
    first: dict[str, int] = {}
    for at in found:
        if is_valueless(unit, at):
            first.setdefault(unit.lexemes[at].text, at)
    once = set(list(first.values())[:_VALUELESS])
    found = [at for at in found if at in once or not is_valueless(unit, at)]
    found.sort(key=lambda at: -suspicion[at])
    return [Place(unit, reading, at) for rank, at in enumerate(found) if rank < _PLACES or at in once]


def can_be_wrong(lexeme: Lexeme) -> bool:
    return len(lexeme.span) > 0 and lexeme.text not in _NEVER


def likely_kinds(reading: Reading, at: int, labels: Sequence[str]) -> list[str]:
    """Kinds of a lexeme, the likeliest first."""
    order = np.argsort(-reading.tokens[at, 1:], kind="stable")[:_KINDS]
    return [labels[1 + int(index)] for index in order]


def try_rewrites(
    places: Sequence[Place], classifier: Classifier, cancelled: Callable[[], bool] | None = None
) -> list[list[Trial]]:
    """For every place, its rewrites as the model reads them, the cleanest first."""
    tried: list[tuple[int, str, Rewrite, Unit]] = []
    of_unit = Counter(id(place.unit) for place in places)
    for number, place in enumerate(places):
        unit = place.unit
        if (importing := imported(unit, place.at)) is not None:
            tried.append((number, OF_NAMES[0], *importing))
        for kind in likely_kinds(place.reading, place.at, classifier.labels):
            many = max(1.0, of_unit[id(unit)] / _PLACES)  # However many places a function has, they take as long.
            most = max(2, int(min(_REWRITES, _LEXEMES // len(unit.lexemes)) / many))
            for rewrite in repairs(unit, place.at, kind)[:most]:
                changed = unit.rewritten(rewrite.edits)
                if changed is not None:
                    tried.append((number, kind, rewrite, changed))
    touched = [_touched(changed, rewrite.edits, rewrite.anchors) for _, _, rewrite, changed in tried]
    # Where the rewrite only takes something away, what follows it is looked at.
    within = [
        found or {min(places[number].at, len(changed.lexemes) - 1)}
        for (number, *_, changed), found in zip(tried, touched, strict=True)
    ]
    readings = read_units([changed for *_, changed in tried], classifier, cancelled, within)
    trials: list[list[Trial]] = [[] for _ in places]
    for (number, kind, rewrite, _), own, reading in zip(tried, touched, readings, strict=True):
        trials[number].append(_trial(places[number], kind, rewrite, own, reading))
    for each in trials:
        each.sort(key=lambda trial: trial.suspicion)
    return trials


def _trial(place: Place, kind: str, rewrite: Rewrite, touched: set[int], reading: Reading) -> Trial:
    after, before = reading.suspicion, place.reading.suspicion
    here = max((float(after[at]) for at in touched), default=0.0)
    elsewhere = _highest_but(after, touched)
    before_elsewhere = _highest_but(before, (place.at,))
    spreads = bool(elsewhere > max(before_elsewhere + _SPREAD, before[place.at] / 2))
    # The parts of a long function that the rewrite leaves alone were read before.
    rest = [part.sequence[0] for part in place.reading.parts if not part.first <= place.at < part.last]
    return Trial(kind, rewrite, here, float(1 - min([reading.sequence[0], *rest])), spreads)


def _highest_but(suspicion: NDArray[np.float32], left_out: Iterable[int]) -> float:
    kept = suspicion.copy()
    for at in left_out:
        kept[at] = 0.0
    return float(kept.max(initial=0.0))


def _touched(changed: Unit, edits: Sequence[Edit], anchors: Sequence[int]) -> set[int]:
    """Lexemes of the rewritten unit that the edits wrote, and the ones that begin where a defect was anchored."""
    starts = {moved(anchor, edits) for anchor in anchors}
    ranges = []
    for edit in edits:
        start = moved(edit.span.start, [e for e in edits if e.span.start < edit.span.start])
        ranges.append((start, start + len(edit.content)))
    found = set()
    for number, lexeme in enumerate(changed.lexemes):
        if not lexeme.text:
            continue
        span = lexeme.span
        if span.start in starts or any(first <= span.start < last for first, last in ranges):
            found.add(number)
    return found

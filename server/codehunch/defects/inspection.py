"""Looking into a suspicious place: what is tried there, what mends it, of what kind it is, and whether it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from codehunch.defects.confidence import Evidence
from codehunch.defects.repairs import OF_NAMES, is_strange, is_unbound, is_valueless, is_wanting, successor_of
from codehunch.defects.spelling import misspelt
from codehunch.defects.surroundings import Standing
from codehunch.defects.units import Unit
from codehunch.defects.verification import Place, Trial, likely_kinds, read_units, suspicious_places, try_rewrites
from codehunch.inference.classifier import Classifier
from codehunch.syntax.lexemes import Lexeme


@attrs.frozen
class Inspected:
    """One suspicious place with everything that was tried there."""

    place: Place
    trials: tuple[Trial, ...]
    """The cleanest first."""
    evidence: Evidence
    imported: Trial | None = None
    """How the function reads where its file imports the name at the place; ``None`` where that is bound."""


def inspect(
    units: Sequence[Unit], classifier: Classifier, threshold: float, cancelled: Callable[[], bool] | None = None
) -> list[Inspected]:
    """Read units and try fixes at every lexeme whose suspicion reaches ``threshold``.

    The detector and the fitting of its confidence share this function: what is calibrated is what runs.
    """
    readings = read_units(units, classifier, cancelled)
    places: list[Place] = []
    for unit, reading in zip(units, readings, strict=True):
        places.extend(suspicious_places(unit, reading, threshold))
    found = []
    for place, trials in zip(places, try_rewrites(places, classifier, cancelled), strict=True):
        own = [trial for trial in trials if trial.rewrite.edits]
        importing = next((trial for trial in trials if not trial.rewrite.edits), None)
        found.append(Inspected(place, tuple(own), _evidence_of(place, own, classifier.labels), importing))
    return found


def _evidence_of(place: Place, trials: Sequence[Trial], labels: Sequence[str]) -> Evidence:
    best = next((trial for trial in trials if not trial.spreads), None)
    reading, at = place.reading, place.at
    kind = likely_kinds(reading, at, labels)[0]
    text = place.unit.lexemes[at].text
    return Evidence(
        suspicion=float(reading.suspicion[at]),
        sequence=float(1 - reading.sequence[0]),
        mended=best.suspicion if best is not None else None,
        sequence_mended=best.sequence if best is not None else None,
        options=len(trials),
        kind=kind,
        named=float(reading.tokens[at, labels.index(kind)]),
        agreed=float(reading.sequence[labels.index(kind)]),
        repeated=sum(lexeme.text == text for lexeme in place.unit.lexemes),
        valueless=is_valueless(place.unit, at),
    )


def mending_trials(item: Inspected, candidate: float) -> list[Trial]:
    """Rewrites after which the place reads as clean, the cleanest first: what is offered as fixes. All are of one kind,
    the likeliest that has any, which the finding names; without one it names the likeliest of all. Where the name is a
    strange one, what it may be a slip of comes before all others."""
    unit, at = item.place.unit, item.place.at
    most = min(candidate, item.evidence.suspicion / 2)
    mending = [trial for trial in item.trials if not trial.spreads and trial.suspicion < most]
    mending = [trial for trial in mending if trial.kind not in _impossible(unit)]
    if mending and is_strange(unit, at):
        successor = successor_of(unit, at)
        mending.sort(key=lambda trial: (trial.rewrite.label != successor, not is_slip(unit.lexemes[at], trial)))
    mending.sort(key=lambda trial: trial.kind != item.evidence.kind)
    return [trial for trial in mending if trial.kind == mending[0].kind]


def kind_of(item: Inspected, mending: Sequence[Trial]) -> str:
    """The kind that a finding names, given the trials that mend it."""
    unit, kind = item.place.unit, mending[0].kind if mending else item.evidence.kind
    return OF_NAMES[0] if kind in _impossible(unit) and is_unbound(unit, item.place.at) else kind


def _impossible(unit: Unit) -> Sequence[str]:
    """Kinds of which a unit can have none: where there is no ``self``, it is not what is missing."""
    if unit.outside:
        return _ONLY_IN_FUNCTIONS
    return () if any(each.text == "self" for each in unit.lexemes) else ("missing-self",)


def import_margin(item: Inspected, candidate: float) -> float:
    """How much cleaner the place reads once the file imports its name; 0 where that mends nothing, or where the class
    around has a member of this name."""
    trial, unit = item.imported, item.place.unit
    if trial is None or trial.spreads or trial.suspicion >= min(candidate, item.evidence.suspicion / 2):
        return 0.0
    around, name = unit.around, unit.lexemes[item.place.at].text
    if around is not None and around.class_name is not None:
        member = around.surroundings.of_member(around.class_name, name)
        if Standing.METHOD <= member <= Standing.FIELD:
            return 0.0
    return item.evidence.suspicion - trial.suspicion


def can_be_told(item: Inspected, candidate: float) -> bool:
    """Whether enough stands around a place. A function says what it is about, and so does a block; a line outside of
    both leaves open what it is meant to do, but not that nothing defines a name, or that one is misspelt. What a star
    may bring is as a rule used just there."""
    unit, at = item.place.unit, item.place.at
    if not unit.outside:
        return True
    mending = mending_trials(item, candidate)
    kind = kind_of(item, mending)
    slip = bool(mending) and is_slip(unit.lexemes[at], mending[0])
    if unit.standings and unit.standings[at] == Standing.FROM_STAR and not slip:
        return False
    if unit.is_block:
        return kind not in _ONLY_IN_FUNCTIONS
    return kind in OF_NAMES and (is_unbound(unit, at) or (slip and is_strange(unit, at)))


def can_tell(unit: Unit) -> bool:
    """Whether anything could be told of a statement outside of functions: most need not be read."""
    return unit.is_block or any(is_wanting(unit, at) for at in range(len(unit.lexemes)))


_ONLY_IN_FUNCTIONS = ("missing-return", "missing-await", "missing-self", "missing-call-parentheses")
"""Of statements that return and wait for nothing, have no ``self`` and often give a function another name."""


def is_slip(lexeme: Lexeme, trial: Trial) -> bool:
    """Whether the fix is the same name without a slip of the keyboard."""
    return trial.kind in OF_NAMES and misspelt(lexeme.text, trial.rewrite.label)

"""Functions with what is known of their files, between rows and what reads them."""

from __future__ import annotations

import attrs

from codehunch.defects.surroundings import Around
from codehunch.defects.units import Unit
from codehunch_training.corpus.rows import DefectRow, FunctionRow


@attrs.frozen
class Source:
    """A function alone in a text, and what is known of its file as ``FunctionRow.around`` says it."""

    text: str
    around: str = ""


def source_of(row: FunctionRow | DefectRow) -> Source:
    return Source(row.text, row.around)


def around_of(line: str) -> Around | None:
    """What a row's ``around`` says."""
    return Around.from_json(line) if line else None


def unit_of(source: Source | FunctionRow | DefectRow) -> Unit:
    """As the detector reads it in its file."""
    return Unit(source.text, 0, around_of(source.around))

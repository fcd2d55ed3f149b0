"""Hard negatives: clean functions that a finished model warns about (Sung & Poggio 1994, bootstrapping).

Chance shows a trained model few of them. Read again in a later run's annealing, they are meant to lower the alarms
where most of them come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import attrs
import numpy as np
import torch

from codehunch.defects.standings import standings
from codehunch.defects.surroundings import Standing
from codehunch.inference.encoding import LexicalEncoder
from codehunch.syntax.lexemes import lexemes_of
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.around import around_of
from codehunch_training.corpus.injection import definition, inner_definition
from codehunch_training.corpus.rows import FunctionRow
from codehunch_training.evaluation.defects import read
from codehunch_training.models.encoder import DefectModel
from codehunch_training.tasks.defect_data import label_index, make_examples

EARNED = frozenset(
    (
        Standing.UNBOUND,
        Standing.UNBOUND_MEMBER,
        Standing.MISSING,
        Standing.UNASSIGNED,
        Standing.PERHAPS_UNASSIGNED,
    )
)
"""A warning at a name that stands so is as a rule a mistake that nobody has mended: no example of clean code."""


@attrs.frozen
class Doubt:
    """A clean function with its most suspicious token."""

    row: FunctionRow
    suspicion: float
    standing: Standing


def doubts(
    model: DefectModel, encoder: LexicalEncoder, rows: Iterable[FunctionRow], at_least: float, pool: int = 512
) -> Iterator[Doubt | None]:
    """For every row its doubt, or ``None`` where the model's highest suspicion is less than ``at_least`` or the token's
    standing is one of ``EARNED``."""
    model.eval()
    waiting = iter(rows)
    while chosen := list(islice(waiting, pool)):
        yield from _doubts(model, encoder, chosen, at_least)


def _doubts(
    model: DefectModel, encoder: LexicalEncoder, rows: Sequence[FunctionRow], at_least: float
) -> list[Doubt | None]:
    index = label_index(model.config.token_labels)
    examples = [make_examples(row.text, {}, {}, encoder, index, around=around_of(row.around)) for row in rows]
    with torch.autocast(model.device.type, torch.bfloat16):
        readings = iter(read(model, [each for found in examples for each in found], encoder.pad))
    found: list[Doubt | None] = []
    for row, windows in zip(rows, examples, strict=True):
        peak, lexeme = 0.0, -1
        for window in windows:
            _, each = next(readings)
            suspicion = np.where(window.window.lexemes >= 0, 1 - each[:, 0], -1.0)
            at = int(suspicion.argmax())
            if suspicion[at] > peak:
                peak, lexeme = float(suspicion[at]), int(window.window.lexemes[at])
        standing = _standing(row, lexeme) if peak >= at_least else Standing.UNKNOWN
        found.append(Doubt(row, peak, standing) if peak >= at_least and standing not in EARNED else None)
    return found


def _standing(row: FunctionRow, lexeme: int) -> Standing:
    """How the name of a function's lexeme, by its number, stands in the file."""
    parsed, around = parse(row.text), around_of(row.around)
    node = definition(parsed)
    if around is None or node is None:
        return Standing.UNKNOWN
    return Standing(standings(lexemes_of(parsed, node), parsed, inner_definition(node), around)[lexeme])

"""Which rewrites count as mending: the place reads clean, and the defect has not moved elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from codehunch.defects.units import cut
from codehunch.defects.verification import read_units, suspicious_places, try_rewrites
from codehunch.inference.classifier import Reading
from codehunch.syntax.functions import find_functions
from codehunch.syntax.lexemes import Lexeme
from codehunch.syntax.parsing import parse
from codehunch.syntax.text import SourceText

LABELS = ("clean", "wrong-comparison")
TEXT = "def f(a, b):\n    if a < b:\n        return shelf(a)\n    return a\n"


class Reader:
    """Doubts what a table says; the table may differ once ``<`` is gone."""

    labels = LABELS
    encoder = SimpleNamespace(standings=False)

    def __init__(self, before: dict[str, float], after: dict[str, float]) -> None:
        self._before, self._after = before, after

    def read(
        self, functions: Sequence[Sequence[Lexeme]], cancelled: object, told: object, within: object
    ) -> list[Reading]:
        found = []
        for lexemes in functions:
            table = self._before if any(lexeme.text == "<" for lexeme in lexemes) else self._after
            doubts = np.array([table.get(lexeme.text, 0.0) for lexeme in lexemes], dtype=np.float32)
            worst = float(doubts.max())
            found.append(Reading(np.stack([1 - doubts, doubts], axis=1), np.array([1 - worst, worst], np.float32)))
        return found


@pytest.mark.parametrize(
    ("before", "elsewhere", "spreads"),
    [
        ({"<": 0.9}, 0.05, False),
        ({"<": 0.9}, 0.4, False),  # Far less than what was mended.
        ({"<": 0.9}, 0.6, True),
        ({"<": 0.9, "shelf": 0.55}, 0.6, False),  # Hardly more than before.
        ({"<": 0.3}, 0.12, False),
        ({"<": 0.3}, 0.2, True),
    ],
)
def test_a_fix_must_not_move_the_defect(before: dict[str, float], elsewhere: float, spreads: bool) -> None:
    parsed = parse(SourceText(TEXT))
    unit = cut(parsed, find_functions(parsed)[0])
    reader = Reader(before, {"shelf": elsewhere})
    (reading,) = read_units([unit], reader)  # type: ignore[arg-type]
    places = [place for place in suspicious_places(unit, reading, 0.1) if unit.lexemes[place.at].text == "<"]
    (trials,) = try_rewrites(places, reader)  # type: ignore[arg-type]
    assert len(trials) >= 3
    assert {trial.spreads for trial in trials} == {spreads}
    assert all(trial.suspicion == 0 for trial in trials)

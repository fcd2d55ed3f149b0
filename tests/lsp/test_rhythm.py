"""The wait follows the person's typing, within bounds."""

from __future__ import annotations

import pytest

from codehunch.lsp.rhythm import LONGEST, SHORTEST, TypingRhythm


def typed(gap: float, keys: int = 30) -> tuple[TypingRhythm, float]:
    rhythm, now = TypingRhythm(), 100.0
    for _ in range(keys):
        now += gap
        rhythm.edited(now)
    return rhythm, now


def test_nobody_waits_for_a_document_that_nobody_edits() -> None:
    assert TypingRhythm().wait(5.0) == 0.0


@pytest.mark.parametrize(
    ("gap", "expected"), [(0.01, SHORTEST), (0.1, 0.125), (0.2, 0.25), (0.25, LONGEST), (0.9, 0.1), (30.0, 0.1)]
)
def test_the_wait_is_a_little_more_than_the_usual_gap(gap: float, expected: float) -> None:
    rhythm, now = typed(gap)
    assert rhythm.wait(now) == pytest.approx(expected, abs=0.01)
    assert rhythm.wait(now + 0.02) == pytest.approx(expected - 0.02, abs=0.01)
    assert rhythm.wait(now + LONGEST) == 0.0

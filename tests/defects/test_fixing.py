"""Fixes are applied one per function and read again; what does not help is undone."""

from __future__ import annotations

import re

import pytest

from codehunch.defects.findings import Edit, Finding, Fix
from codehunch.defects.fixing import fix
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

RULES = {"bad": "good", "worse": "bad bad", "late": "good"}


def check(source: SourceText) -> tuple[Finding, ...]:
    """``bad`` mends to ``good``, ``worse`` to two more findings, ``odd`` has no fix; the function is the row."""
    found = []
    for match in re.finditer(r"bad|worse|odd|late", source.text):
        span = Span(match.start(), match.end())
        new = RULES.get(match.group())
        fixes = (Fix("x", (Edit(span, new),), 0.9),) if new else ()
        row = str(source.row_of(span.start))
        found.append(Finding("CH101", "variable-misuse", "", span, row, 0.9 if match.group() == "bad" else 0.5, fixes))
    return tuple(found)


@pytest.mark.parametrize(
    ("text", "after", "applied", "remaining"),
    [
        ("fine", "fine", 0, 0),
        ("bad\nx\nbad", "good\nx\ngood", 2, 0),
        ("bad late bad", "good good good", 3, 0),
        ("odd\nbad", "odd\ngood", 1, 1),
        ("worse", "worse", 0, 1),
        ("bad\r\nodd\r\n", "good\r\nodd\r\n", 1, 1),
        ("bad bad bad bad bad bad", "good good good good bad bad", 4, 2),
    ],
)
def test_fixes(text: str, after: str, applied: int, remaining: int) -> None:
    source = SourceText(text)
    done = fix(source, check(source), check)
    assert (done.source.text, len(done.applied), len(done.remaining)) == (after, applied, remaining)
    assert done.remaining == check(done.source)

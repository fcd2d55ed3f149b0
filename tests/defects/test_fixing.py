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


def told(source: SourceText) -> tuple[Finding, ...]:
    """The surest two findings of a row, as the detector tells them; each is known by its word and row."""
    found = []
    for match in re.finditer(r"\b(?P<word>slip|hidden|trap)(?P<sure>\d)", source.text):
        row, span = str(source.row_of(match.start())), Span(match.start(), match.end())
        new = {"slip": "good", "hidden": "good", "trap": "hidden9"}[match["word"]]
        fixes = (Fix("x", (Edit(span, new),), 0.9),)
        sure = int(match["sure"]) / 10
        found.append(Finding("CH101", "x", "", span, row, sure, fixes, fingerprint=row + match.group()))
    surest = sorted(found, key=lambda finding: -finding.confidence)
    kept = {row: [finding for finding in surest if finding.function == row][:2] for row in {f.function for f in found}}
    return tuple(sorted((finding for each in kept.values() for finding in each), key=lambda finding: finding.span))


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("slip9 slip8 hidden7 hidden6", "good good good good"),  # Two come up as the others go.
        ("slip9 slip8 hidden7\ntrap5", "good good good\ntrap5"),  # Where a fix does not help, others still do.
        ("trap5 trap4 slip3", "trap5 trap4 slip3"),  # What comes up is surer than what was mended: made, not found.
        ("trap5\ntrap5 slip6\nslip6", "trap5\ntrap5 good\ngood"),
    ],
)
def test_what_was_hidden_behind_others_is_mended_too(text: str, after: str) -> None:
    source = SourceText(text)
    done = fix(source, told(source), told)
    assert done.source.text == after
    assert done.remaining == told(done.source)


def test_other_functions_are_no_worse() -> None:
    def check_all(source: SourceText) -> tuple[Finding, ...]:
        broken = source.text.startswith("good") and "reader" in source.text
        extra = Finding("CH101", "x", "", Span(0, 4), "reader", 0.5, fingerprint="reader")
        return (*told(source), *((extra,) if broken else ()))

    source = SourceText("slip9\nreader")
    assert fix(source, check_all(source), check_all).source.text == source.text

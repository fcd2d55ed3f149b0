"""Verified fixes put into a text, one at a time per function, and read again before they count."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from codehunch.defects.findings import Edit, Finding
from codehunch.defects.rewrites import apply
from codehunch.syntax.text import SourceText

_PASSES = 4
"""A function has at most two findings; each pass mends one of them."""

Check = Callable[[SourceText], tuple[Finding, ...]]


@attrs.frozen
class Fixed:
    """A text after its fixes."""

    source: SourceText
    applied: tuple[Finding, ...]
    """What was mended, in the order it was."""
    remaining: tuple[Finding, ...]
    """What is found in ``source``."""


def fix(source: SourceText, findings: tuple[Finding, ...], check: Check) -> Fixed:
    """Apply the best fix of each finding; two findings of one function one after the other.

    Every fix was verified alone. Together they are read once more: a pass after which the text has as many findings
    as before, or more, is undone and ends the work.
    """
    applied: list[Finding] = []
    for _ in range(_PASSES):
        chosen = _one_per_function(findings)
        if not chosen:
            break
        text = SourceText(apply(source.text, [edit for finding in chosen for edit in finding.fixes[0].edits]))
        found = check(text)
        if len(found) >= len(findings):
            break
        source, findings = text, found
        applied += chosen
    return Fixed(source, tuple(applied), findings)


def _one_per_function(findings: Sequence[Finding]) -> list[Finding]:
    """The surest finding of each function that has a fix; their edits do not touch each other."""
    chosen: list[Finding] = []
    taken: list[Edit] = []
    functions: set[str] = set()
    for finding in sorted(findings, key=lambda each: -each.confidence):
        edits = finding.fixes[0].edits if finding.fixes else ()
        clear = not any(a.span.start <= b.span.end and b.span.start <= a.span.end for a in edits for b in taken)
        if edits and clear and finding.function not in functions:
            functions.add(finding.function)
            taken += edits
            chosen.append(finding)
    return chosen

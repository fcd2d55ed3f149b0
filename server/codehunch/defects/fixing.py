"""Verified fixes put into a text, one at a time per function, and read again before they count."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import attrs

from codehunch.defects.findings import PER_FUNCTION, Finding
from codehunch.defects.imports import together
from codehunch.defects.rewrites import apply
from codehunch.syntax.text import SourceText

_PASSES = 4
"""Each mends one finding of a function, of which few are told at a time, and writes all imports that it wants."""

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
    """Apply the best fix of each finding; two findings of one function one after the other, but for imports.

    Every fix was verified alone. Together they are read once more: functions that are no better for it keep what they
    had, and where others are worse for it, the pass is undone and ends the work.
    """
    applied: list[Finding] = []
    given_up: set[str] = set()
    passes = 0
    while passes < _PASSES:
        chosen = _chosen([finding for finding in findings if finding.function not in given_up])
        if not chosen:
            break
        text = SourceText(apply(source.text, together([finding.fixes[0] for finding in chosen])))
        found = check(text)
        touched = {finding.function for finding in chosen}
        if len(_outside(touched, found)) > len(_outside(touched, findings)):
            break
        if worse := {finding.function for finding in chosen if not _helped(finding, findings, found)}:
            given_up |= worse
            continue
        passes += 1
        source, findings = text, found
        applied += chosen
    return Fixed(source, tuple(applied), findings)


def _outside(functions: Collection[str], findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.function not in functions]


def _helped(mended: Finding, before: Iterable[Finding], after: Iterable[Finding]) -> bool:
    """Whether a function has fewer findings now, or as many where no more are told: then one that was there has come
    up, which is no surer than what was mended."""
    had = [finding for finding in before if finding.function == mended.function]
    has = [finding for finding in after if finding.function == mended.function]
    if len(has) != len(had) or len(had) < PER_FUNCTION:
        return len(has) < len(had)
    known = {finding.fingerprint for finding in had}
    new = [finding for finding in has if finding.fingerprint not in known]
    return bool(new) and all(finding.confidence <= mended.confidence for finding in new)


def _chosen(findings: Sequence[Finding]) -> list[Finding]:
    """The surest finding of each function that has a fix, and all whose fix is an import, which leaves the function as
    it is; they can be applied together."""
    chosen: list[Finding] = []
    functions: set[str] = set()
    for finding in sorted(findings, key=lambda each: -each.confidence):
        if not finding.fixes or not finding.fixes[0].edits:
            continue
        importing = bool(finding.fixes[0].imports)
        if finding.function in functions and not importing:
            continue
        if not any(finding.fixes[0].collides(each.fixes[0]) for each in chosen):
            if not importing:
                functions.add(finding.function)
            chosen.append(finding)
    return chosen

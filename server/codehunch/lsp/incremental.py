"""An edit costs what it touched: only the top-level statements around it are parsed and read again.

Findings of a function depend on its own text, on nothing around it. So in a Python file without syntax errors the
findings of the statements before and after an edit stay, moved by as much as the text grew. Wherever that is not
certain the whole file is read, so that what is reported never depends on the edits that led to a text.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import attrs

from codehunch.defects.findings import Edit, Finding, Fix
from codehunch.defects.options import CheckOptions
from codehunch.syntax.parsing import parse
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

_KEPT = 64
_WHOLE_FILE_MARK = "ignore-file"
_ASK_AGAIN = 10
"""After so many texts in a row that seemed broken, the whole text is asked whether it is."""
_PORTION = 20_000
"""Code points read before progress is kept: an edit that ends the reading of a large file loses no more."""

_FIRST_CODE = re.compile(r"(?:[ \t\f]*(?:#[^\r\n]*)?[\r\n]+)*(?P<indent>[ \t\f]*)")

_CONTINUED = re.compile(r"\\[\r\n]")

IsCancelled = Callable[[], bool]


class Checker(Protocol):
    """The part of Detector that is used here."""

    def check(
        self, source: SourceText, language: str, options: CheckOptions | None, cancelled: IsCancelled | None
    ) -> tuple[Finding, ...]: ...


@attrs.define
class _Known:
    """The last text without syntax errors and everything found in it."""

    text: str
    options: CheckOptions
    statements: tuple[Span, ...]
    findings: tuple[Finding, ...]
    broken_since: int = 0
    """How many texts came after it that no part could be read of alone."""


class IncrementalChecker:
    """Remembers the last good text of each document. ``checker`` keeps a cache of its own by function."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self.portions = 0
        """Partial readings so far, for tests."""

    def check(
        self, uri: str, text: str, language: str, options: CheckOptions, cancelled: IsCancelled
    ) -> tuple[Finding, ...]:
        """What ``checker`` finds in the whole text, sorted by place."""
        if language != "python" or _WHOLE_FILE_MARK in text.lower():
            self._known.pop(uri, None)
            return self._checker.check(SourceText(text), language, options, cancelled)
        known = self._known.get(uri)
        if known is None or known.options != options or _is_another(known.text, text):
            return self._whole(uri, text, options, cancelled, first=known is None or known.options == options)
        renewed = known if known.text == text else self._after_edit(known, text, cancelled)
        if renewed is not None:
            renewed.broken_since = 0
            self._keep(uri, renewed)
            return renewed.findings
        known.broken_since += 1
        if known.broken_since % _ASK_AGAIN == 0:
            return self._whole(uri, text, options, cancelled, first=False)
        # Most likely a statement half typed: the good text is kept to compare the mended one with.
        return self._checker.check(SourceText(text), language, options, cancelled)

    def _whole(
        self, uri: str, text: str, options: CheckOptions, cancelled: IsCancelled, first: bool
    ) -> tuple[Finding, ...]:
        parsed = parse(text)
        statements = tuple(parsed.span(node) for node in parsed.tree.root_node.children)
        good = not parsed.tree.root_node.has_error
        if first and good and len(text) > _PORTION:
            for portion in _portions(text, statements):
                self.portions += 1
                self._checker.check(SourceText(portion.of(text)), "python", options, cancelled)
        findings = self._checker.check(parsed.source, "python", options, cancelled)
        if good:
            self._keep(uri, _Known(text, options, statements, findings))
        return findings

    def _after_edit(self, known: _Known, text: str, cancelled: IsCancelled) -> _Known | None:
        """The new state from the old one, or ``None`` where only the whole file can tell."""
        old = known.text
        grown = len(text) - len(old)
        start = _common_prefix(old, text)
        end = len(old) - min(_common_suffix(old, text), min(len(old), len(text)) - start)
        # Whole statements, with one untouched line between them and what stays.
        before = [span for span in known.statements if span.end < start and "\n" in old[span.end : start]]
        after = [span for span in known.statements if span.start > end and "\n" in old[end : span.start]]
        for _ in range(2):
            top = before[-1].end if before else 0
            bottom = after[0].start if after else len(old)
            region = Span(top, bottom + grown)
            parsed = parse(region.of(text))
            if not parsed.tree.root_node.has_error and _stands_alone(text, region):
                break
            # An `else:` belongs to the statement above, a decorator to the one below.
            before, after = before[:-1], after[1:]
        else:
            return None
        self.portions += 1
        own = tuple(parsed.span(node) for node in parsed.tree.root_node.children)
        found = self._checker.check(parsed.source, "python", known.options, cancelled)
        return _Known(
            text,
            known.options,
            (*before, *(_moved(span, top) for span in own), *(_moved(span, grown) for span in after)),
            (
                *(each for each in known.findings if each.span.end <= top),
                *(_finding_moved(each, top) for each in found),
                *(_finding_moved(each, grown) for each in known.findings if each.span.start >= bottom),
            ),
        )

    def _keep(self, uri: str, known: _Known) -> None:
        self._known[uri] = known
        self._known.move_to_end(uri)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)


def _portions(text: str, statements: Sequence[Span]) -> Iterator[Span]:
    """The text in runs of whole statements, each from the start of a line to the start of another."""
    start = 0
    for span in statements:
        line = text.rfind("\n", 0, span.start) + 1
        if span.start == line and line - start >= _PORTION:
            yield Span(start, line)
            start = line
    yield Span(start, len(text))


def _stands_alone(text: str, region: Span) -> bool:
    """Whether nothing in the region continues what is before it, and nothing behind it continues the region."""
    opens = region.start == 0 or text[region.start] in "\r\n"
    closes = region.end == len(text) or text[region.end - 1] in "\r\n"
    if _CONTINUED.search(text, region.start, region.end):
        return False  # A backslash at a line's end joins what a cut would part.
    # An indented line belongs to the block above, whatever comments stand between.
    code = _FIRST_CODE.match(text, region.start, region.end)
    return opens and closes and code is not None and not code["indent"]


def _is_another(old: str, text: str) -> bool:
    """Whether so much has changed that reading all of it in portions is the better way."""
    if len(text) <= _PORTION:
        return False
    kept = min(_common_prefix(old, text) + _common_suffix(old, text), len(old), len(text))
    return len(text) - kept > _PORTION


def _common_prefix(one: str, other: str) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_suffix(one: str, other: str) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def _moved(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)


def _finding_moved(finding: Finding, by: int) -> Finding:
    if not by:
        return finding
    return attrs.evolve(
        finding,
        span=_moved(finding.span, by),
        fixes=tuple(
            Fix(fix.message, tuple(Edit(_moved(edit.span, by), edit.content) for edit in fix.edits), fix.margin)
            for fix in finding.fixes
        ),
        evidence=tuple(_moved(span, by) for span in finding.evidence),
    )

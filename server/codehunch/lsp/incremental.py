"""An edit costs what it touched: only the sections around it are parsed and read again.

Findings of a function depend on its own text and on how its names stand in the file, on nothing else around it. So in
a Python file the findings of the sections before and after an edit stay (see ``codehunch.syntax.sections``), in offsets
of their own, as long as the edit binds no name of theirs anew. A section is read as the whole file is, so that what is
reported never depends on the edits that led to a text.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Protocol

import attrs

from codehunch.defects.bindings import of_section
from codehunch.defects.by_example import FileFacts
from codehunch.defects.findings import Finding
from codehunch.defects.options import CheckOptions
from codehunch.defects.spelling import Lexicon
from codehunch.defects.surroundings import Surroundings, merged, words_of
from codehunch.interpreter.around import NOTHING_AROUND, Around
from codehunch.lsp.parcels import Parcel, packed
from codehunch.syntax.common import common_prefix, common_suffix
from codehunch.syntax.ignores import Suppressions, find_suppressions
from codehunch.syntax.parsing import parse
from codehunch.syntax.sections import section_starts
from codehunch.syntax.text import SourceText

_KEPT = 64
_WHOLE_FILE_MARK = "ignore-file"
_PORTION = 20_000
"""Code points read before progress is kept: an edit that ends the reading of a large file loses no more."""
_REMEMBERED = 2000
"""Sections that are no longer there."""

IsCancelled = Callable[[], bool]


class Checker(Protocol):
    """The part of Detector that is used here."""

    @property
    def knows_files(self) -> bool: ...

    def check(
        self,
        source: SourceText,
        language: str,
        options: CheckOptions | None,
        cancelled: IsCancelled | None,
        surroundings: Surroundings | None,
    ) -> tuple[Finding, ...]: ...

    def settle(
        self,
        statements: Sequence[str],
        findings: Mapping[int, Sequence[Finding]],
        options: CheckOptions,
        cancelled: IsCancelled | None,
        facts: FileFacts,
    ) -> dict[int, tuple[Finding, ...]]: ...


@attrs.define(eq=False)
class _Section:
    """A run of lines and what was found in it, in its own offsets."""

    text: str
    found: tuple[Finding, ...] | None = None
    """``None`` until it was read, and again when a name in it stands otherwise in the file."""
    _settled: tuple[Finding, ...] | None = None
    """What is told instead, where its examples have a say in it."""
    _binds: Surroundings | None = None
    _words: frozenset[str] | None = None
    _packed: bytes | None = None
    _silences: frozenset[str] | None = None

    @property
    def binds(self) -> Surroundings:
        """What it binds for the file."""
        if self._binds is None:
            self._binds = of_section(self.text)
        return self._binds

    @property
    def words(self) -> frozenset[str]:
        if self._words is None:
            self._words = words_of(self.text)
        return self._words

    @property
    def told(self) -> tuple[Finding, ...]:
        return self._settled if self._settled is not None else self.found or ()

    def settle(self, findings: tuple[Finding, ...] | None) -> None:
        """What its examples say now; ``None`` where they say nothing."""
        if findings != self._settled:
            self._settled, self._packed = findings, None

    def forget(self) -> None:
        """Its findings are not what they were."""
        self.found, self._packed = None, None

    @property
    def silences(self) -> frozenset[str]:
        """What comments in here silence in the whole file."""
        if self._silences is None:
            speaks = _WHOLE_FILE_MARK in self.text.lower()
            self._silences = find_suppressions(parse(self.text)).file if speaks else frozenset()
        return self._silences

    def shows(self, silenced: Suppressions) -> bool:
        """Whether anything is left to show."""
        return any(not silenced.silences(each.code, each.kind, 0) for each in self.told)

    def without(self, silenced: Suppressions) -> bytes:
        """What was found and is not silenced, packed; once, as long as nothing is silenced."""
        if silenced.file:
            return packed(tuple(each for each in self.told if not silenced.silences(each.code, each.kind, 0)))
        if self._packed is None:
            self._packed = packed(self.told)
        return self._packed


@attrs.define(eq=False)
class _Known:
    """The last text of a document, in sections."""

    text: str
    options: CheckOptions
    starts: list[int]
    sections: list[_Section]
    gone: dict[str, _Section] = attrs.field(factory=dict)
    """Sections that were there before: a string half typed takes in all that follows until it is closed, and much comes
    back as it was."""
    surroundings: Surroundings | None = None
    """What the findings of the sections were read with."""

    def silenced(self) -> Suppressions:
        """What comments anywhere silence in the whole file."""
        if _WHOLE_FILE_MARK not in self.text.lower():
            return Suppressions()
        return Suppressions(frozenset().union(*(section.silences for section in self.sections)))


class IncrementalChecker:
    """Remembers the last text of each document. ``checker`` keeps a cache of its own by function."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self.portions = 0
        """Readings of more than one section so far, for tests."""

    def check(
        self,
        uri: str,
        text: str,
        language: str,
        options: CheckOptions,
        cancelled: IsCancelled,
        around: Around = NOTHING_AROUND,
    ) -> tuple[Parcel, ...]:
        """What ``checker`` finds in the whole text, sorted by place, in parcels; for ``around`` see its ``check``."""
        if language != "python":
            self._known.pop(uri, None)
            found = self._checker.check(SourceText(text), language, options, cancelled, None)
            return ((0, packed(found)),) if found else ()
        known = self._known.get(uri)
        if known is None or known.options != options:
            starts = [0, *section_starts(text)]
            known = _Known(text, options, starts, list(_cut(text, starts)))
        elif known.text != text:
            known = _after_edit(known, text)
        if self._checker.knows_files:
            _listen(known)
        # Kept before it is read: what is read before a cancel need not be read again.
        self._keep(uri, known)
        silenced = known.silenced()
        if silenced.silences("", "", 0):  # Every rule is off: there is nothing to read for.
            return ()
        self._read(known, cancelled)
        self._settle(known, options, cancelled, FileFacts(silenced, known.surroundings, around))
        sections = zip(known.starts, known.sections, strict=True)
        return tuple((at, section.without(silenced)) for at, section in sections if section.shows(silenced))

    def _read(self, known: _Known, cancelled: IsCancelled) -> None:
        """Read the sections that nobody has read, many at a time where there are many."""
        fresh = [index for index, section in enumerate(known.sections) if section.found is None]
        for run in _runs(known, fresh):
            if len(run) > 1:
                self.portions += 1
                joined = "".join(known.sections[index].text for index in run)
                self._checker.check(SourceText(joined), "python", known.options, cancelled, known.surroundings)
            for index in run:
                section = known.sections[index]
                section.found = self._checker.check(
                    SourceText(section.text), "python", known.options, cancelled, known.surroundings
                )

    def _settle(self, known: _Known, options: CheckOptions, cancelled: IsCancelled, facts: FileFacts) -> None:
        """Let the examples of the file have their say."""
        found = {number: section.found for number, section in enumerate(known.sections) if section.found}
        texts = [section.text for section in known.sections]
        settled = self._checker.settle(texts, found, options, cancelled, facts)
        for number, section in enumerate(known.sections):
            section.settle(settled.get(number))

    def _keep(self, uri: str, known: _Known) -> None:
        self._known[uri] = known
        self._known.move_to_end(uri)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)


def _cut(text: str, starts: Sequence[int]) -> Iterator[_Section]:
    return (_Section(text[start:end]) for start, end in pairwise([*starts, len(text)]))


def _after_edit(known: _Known, text: str) -> _Known:
    """The new state from the old one: sections stay where neither they nor what is next to them has changed."""
    old = known.text
    grown = len(text) - len(old)
    same = common_prefix(old, text)
    behind = len(text) - min(common_suffix(old, text), min(len(old), len(text)) - same)
    # Where a section starts is decided by it and the one before: both have to lie in what is the same.
    kept = max(0, bisect_right(known.starts, same) - 2)
    restart = known.starts[kept]
    starts, rest = [restart], len(known.starts)
    for start in section_starts(text, restart):
        if start >= behind:
            rest = bisect_left(known.starts, start - grown)
            if rest < len(known.starts) and known.starts[rest] == start - grown:
                break
            rest = len(known.starts)
        starts.append(start)
    after = [start + grown for start in known.starts[rest:]]
    end = after[0] if after else len(text)
    ends = [*starts[1:], end]
    gone = known.gone | {each.text: each for each in known.sections[kept:rest] if each.found is not None}
    middle = [text[start:stop] for start, stop in zip(starts, ends, strict=True)]
    return _Known(
        text,
        known.options,
        [*known.starts[:kept], *starts, *after],
        [*known.sections[:kept], *(gone.get(own) or _Section(own) for own in middle), *known.sections[rest:]],
        dict(list(gone.items())[-_REMEMBERED:]) if len(gone) > 2 * _REMEMBERED else gone,
        known.surroundings,
    )


def _listen(known: _Known) -> None:
    """What the file binds now; sections with a name that stands otherwise than when they were read are to be read
    again, those that are gone for the time being too."""
    now = merged(section.binds for section in known.sections)
    before = known.surroundings
    if before == now:
        return  # What was found out with the same is kept with it.
    if before is not None:
        changed = now.differs(before)
        lexicon = Lexicon(changed or ())
        for section in (*known.sections, *known.gone.values()):
            if changed is None or lexicon.touches(section.words):
                section.forget()
    known.surroundings = now


def _runs(known: _Known, fresh: Sequence[int]) -> Iterator[list[int]]:
    """Neighbouring sections in portions."""
    run: list[int] = []
    length = 0
    for index in fresh:
        if run and (index != run[-1] + 1 or length >= _PORTION):
            yield run
            run, length = [], 0
        run.append(index)
        length += len(known.sections[index].text)
    if run:
        yield run

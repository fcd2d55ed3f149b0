"""What the tests of a project say of a file while it is edited.

Tests that the interpreter can follow (``codehunch.interpreter.trials``; nothing of the project is run) are tried on the
text as it is now. Where one fails, small edits are tried against all of them; and no fix of a model is offered after
which one would fail that passes.
"""

from __future__ import annotations

import ast
import math
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

import attrs

from codehunch.defects.expression_variants import Variant
from codehunch.defects.findings import Edit, Finding
from codehunch.defects.mending import gives, is_stub
from codehunch.defects.naturalness import Naturalness
from codehunch.defects.rewrites import apply
from codehunch.defects.telling import name_span, short, told
from codehunch.defects.trees import Source
from codehunch.defects.variants import variants
from codehunch.interpreter.file_statements import defined_name, parsed
from codehunch.interpreter.program import Program
from codehunch.interpreter.running import STEPS
from codehunch.interpreter.trials import Trial, Verdict, attempt, trials_of
from codehunch.syntax.spans import Span

_STEPS_AT_ONCE = 300_000
"""Steps for the tests of one file each time it is looked at: what is left then is tried the next time."""
_PER_TEST = 500
"""Steps that reading a test is worth."""
_EFFORT = 150_000
"""Steps for the edits after which a test passes."""
_PER_VARIANT, _PER_CHARACTERS = 200, 8
"""Steps that reading an edited definition is worth, and one for so many characters, however little it then does."""
_STEPS_BESIDE = 2_000
"""Steps that a test may take with an edited function besides three times those that it took."""
_NOT_WRITTEN = "NotImplementedError"
_WORSE = 1.5
"""What an edit may cost more than the likeliest after which a test passes, and be told."""
_MOST = 8
_MOST_TOLD = 3
"""Tests of a file that are told at once."""
_MOST_TRIALS = 600
_REFUTING = 8
"""Tests that a fix has to pass."""
_REMEMBERED = 1024
"""Fixes of models."""
_FILES = 32
"""Whose tests are remembered."""

IsCancelled = Callable[[], bool]


@attrs.frozen(eq=False)
class Tried:
    """A test, and how it ended."""

    tests: Program
    trial: Trial
    verdict: Verdict

    def again(self, main: Program) -> Verdict:
        """How it ends with another text of the file, which is to take about as long."""
        return attempt(self.tests, self.trial, main, min(3 * self.verdict.steps + _STEPS_BESIDE, STEPS))


@attrs.frozen(eq=False)
class _Known:
    """How a test ended, and what that depends on: names, with the places of their files."""

    names: frozenset[tuple[str, str]]
    verdict: Verdict


@attrs.define(eq=False)
class _File:
    """What is known of the tests of one file."""

    bound: dict[tuple[str, str], Sequence[str]] = attrs.field(factory=dict)
    """What binds each name that a test depends on, as it was when it was last looked at."""
    ends: dict[Trial, _Known] = attrs.field(factory=dict)
    told: tuple[tuple[Verdict, ...], tuple[Broken, ...]] | None = None
    """The last that was told, and of what."""

    def forget_what_changed(self, program: Program) -> None:
        """Drop what nobody can say any more."""
        now = {name: program.bound(*name) for name in self.bound}
        changed = {name for name, texts in now.items() if self.bound[name] != texts}
        if changed:
            self.ends = {trial: known for trial, known in self.ends.items() if changed.isdisjoint(known.names)}
        used = frozenset().union(*(known.names for known in self.ends.values()))
        self.bound = {name: now[name] for name in used}

    def keep(self, trial: Trial, program: Program, verdict: Verdict) -> None:
        """Remember how a test ended, and what it asked for."""
        self.ends[trial] = _Known(frozenset(program.looked_up), verdict)
        for name in program.looked_up:
            if name not in self.bound:
                self.bound[name] = program.bound(*name)


@attrs.frozen(eq=False)
class _Method:
    """A function or method of the file that is tested."""

    definition: str
    """The name outside of everything: its own, or that of its class."""
    name: str
    """In full."""
    node: ast.FunctionDef
    rows: frozenset[int]
    """Of its statements that ran."""


@attrs.frozen(eq=False)
class _Mended:
    """An edit after which a test passes that fails, and others that then pass as well."""

    variant: Variant
    method: _Method
    also: tuple[Tried, ...]


@attrs.frozen(eq=False)
class Broken:
    """A test that fails, and the edits of one definition after which it passes, the likeliest first; else where it is
    told."""

    tried: Tried
    definition: str
    text: str
    name: str
    place: Span
    mended: tuple[Variant, ...] = ()
    passed: int = 0
    """Tests that pass after each of the edits."""

    @property
    def finding(self) -> Finding:
        """In offsets of the text of the definition."""
        trial, count = self.tried.trial, self.passed
        where = os.path.basename(trial.place)
        message = f"`{short(trial.name)}` in {where} fails: {self.tried.verdict.failure}"
        fitting = "passes the test" if count == 1 else f"passes {count} tests"
        return told(self.text, self.name, message, self.mended, self.place, fitting)


class TrialChecker:
    """Tries the tests of files. Remembers how they ended while nothing that bears on them changes; not thread-safe."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, _File] = OrderedDict()
        self._kept: OrderedDict[tuple[object, ...], bool] = OrderedDict()

    @property
    def known(self) -> int:
        """Tests whose ends are remembered."""
        return sum(len(each.ends) for each in self._files.values())

    def tried(self, program: Program, tests: Sequence[Program], cancelled: IsCancelled | None = None) -> list[Tried]:
        """The tests that say something of a file."""
        words = frozenset(filter(None, map(defined_name, program.statements)))
        known = self._file(program)
        known.forget_what_changed(program)
        found: list[Tried] = []
        left = _STEPS_AT_ONCE
        trials = ((file, trial) for file in tests for trial in trials_of(file, words))
        for file, trial in islice(trials, _MOST_TRIALS):
            if cancelled is not None and cancelled():
                break
            if trial not in known.ends:
                if left < 0:
                    continue
                program.looked_up.clear()
                verdict = _verdict(program, file, trial)
                left -= verdict.steps + _PER_TEST
                known.keep(trial, program, verdict)
            verdict = known.ends[trial].verdict
            if verdict.decided and verdict.ran:
                found.append(Tried(file, trial, verdict))
        return found

    def _file(self, program: Program) -> _File:
        known = self._files.setdefault(program.place, _File())
        self._files.move_to_end(program.place)
        while len(self._files) > _FILES:
            self._files.popitem(last=False)
        return known

    def broken(
        self,
        program: Program,
        tried: Sequence[Tried],
        holds: Callable[[str, Program], bool],
        cancelled: IsCancelled | None = None,
        natural: Naturalness | None = None,
    ) -> tuple[Broken, ...]:
        """The tests that fail, with what mends them. ``holds`` says whether what else is shown of a definition is so in
        an edited program; of the edits that pass, ``natural`` tells which comes first."""
        if all(each.verdict.passed for each in tried):
            return ()
        known, key = self._file(program), tuple(each.verdict for each in tried)
        if known.told is not None and _are_the_same(known.told[0], key):
            return known.told[1]
        is_cancelled = cancelled if cancelled is not None else lambda: False
        found = tuple(_Search(program, tried, holds, is_cancelled).broken(natural))
        if not is_cancelled():
            known.told = key, found
        return found

    def refuted(self, program: Program, tried: Sequence[Tried], text: str, finding: Finding) -> Finding | None:
        """A finding in the text of a definition without the fixes after which a test fails; ``None`` if it has none
        left."""
        name = defined_name(text)
        row = text.count("\n", 0, finding.span.start) + 1
        passing = [each for each in tried if name and each.verdict.passed and row in each.verdict.ran.get(name, ())]
        if name is None or not passing or not finding.fixes:
            return finding
        passing = sorted(passing, key=lambda each: each.verdict.steps)[:_REFUTING]

        def keeps(edits: tuple[Edit, ...]) -> bool:
            key = text, edits, *(each.verdict for each in passing)
            if key not in self._kept:
                changed = program.replaced(name, apply(text, edits))
                verdicts = (each.again(changed) for each in passing)
                self._kept[key] = not any(each.decided and not each.passed for each in verdicts)
                while len(self._kept) > _REMEMBERED:
                    self._kept.popitem(last=False)
            return self._kept[key]

        fixes = tuple(fix for fix in finding.fixes if not fix.edits or keeps(fix.edits))
        return attrs.evolve(finding, fixes=fixes) if fixes else None


def _are_the_same(one: Sequence[object], other: Sequence[object]) -> bool:
    return len(one) == len(other) and all(first is second for first, second in zip(one, other, strict=True))


def _verdict(program: Program, tests: Program, trial: Trial) -> Verdict:
    """How a test ends; undecided where it would end otherwise if sets had another order, which is chance."""
    verdict = attempt(tests, trial, program)
    if verdict.decided and not verdict.passed:
        again = attempt(tests, trial, program, backwards=True)
        if (again.error, again.failure) != (verdict.error, verdict.failure):
            return attrs.evolve(verdict, undecided="depends on chance")
    return verdict


class _Search:
    """For edits after which tests pass."""

    def __init__(
        self, program: Program, tried: Sequence[Tried], holds: Callable[[str, Program], bool], cancelled: IsCancelled
    ) -> None:
        self._program, self._holds, self._cancelled = program, holds, cancelled
        self._texts = {name: text for text in program.statements if (name := defined_name(text)) is not None}
        self._passing = [each for each in tried if each.verdict.passed]
        self._failing = [each for each in tried if not each.verdict.passed and each.verdict.error != _NOT_WRITTEN]
        # Who fails after little fails at what it is about.
        for each in (self._passing, self._failing):
            each.sort(key=lambda tried: (len(tried.verdict.ran), tried.verdict.steps))
        self._left = _EFFORT

    def broken(self, natural: Naturalness | None) -> Iterator[Broken]:
        """Each test that fails and is not mended by what mends another."""
        waiting = self._failing
        places: set[tuple[str, Span]] = set()
        while waiting and len(places) < _MOST_TOLD and not self._cancelled():
            first, *waiting = waiting
            methods = list(_methods(first.verdict, self._texts))
            if any(all(map(is_stub, each.node.body)) for each in methods):
                continue
            mended = self._mended(first, methods, waiting)
            if mended:
                waiting = [each for each in waiting if each not in mended[0].also]
                found: Broken | None = self._told(first, mended, natural)
            else:
                found = _unmended(first, methods, self._texts)
            if found is not None and (found.definition, found.place) not in places:
                places.add((found.definition, found.place))
                yield found

    def _mended(self, first: Tried, methods: Sequence[_Method], failing: Sequence[Tried]) -> list[_Mended]:
        """Small edits of one definition after which a test passes, and all that pass now still do; of several those
        after which most pass."""
        results = [first.verdict.result] if first.verdict.result else []
        made = [
            (variant, method)
            for method in methods
            for variant in variants(self._texts[method.definition], method.node, method.rows, results)
        ]
        best = math.inf
        found: list[_Mended] = []
        for variant, method in sorted(made, key=lambda each: each[0].cost):
            if len(found) == _MOST or variant.cost > best + _WORSE or self._left < 0 or self._cancelled():
                break
            changed = self._changed(method, variant)
            if self._pass(first, changed, method) and self._holds(method.definition, changed):
                also = tuple(each for each in failing if self._passes(each, changed))
                best = min(best, variant.cost)
                found.append(_Mended(variant, method, also))
        most = max((len(each.also) for each in found), default=0)
        found = [each for each in found if len(each.also) == most]
        return [each for each in found if each.method.definition == found[0].method.definition]

    def _changed(self, method: _Method, variant: Variant) -> Program:
        text = self._texts[method.definition]
        self._left -= _PER_VARIANT + len(text) // _PER_CHARACTERS
        return self._program.replaced(method.definition, apply(text, variant.edits))

    def _pass(self, first: Tried, changed: Program, method: _Method) -> bool:
        """Whether a test passes, and those that do now still do."""
        others = (each for each in self._passing if method.definition in each.verdict.ran)
        return all(self._passes(each, changed) for each in (first, *others))

    def _passes(self, tried: Tried, changed: Program) -> bool:
        verdict = tried.again(changed)
        self._left -= verdict.steps
        return verdict.passed and self._left >= 0

    def _told(self, first: Tried, mended: Sequence[_Mended], natural: Naturalness | None) -> Broken:
        definition = mended[0].method.definition
        text = self._texts[definition]
        edits = tuple(each.variant for each in mended)
        if natural is not None and len(edits) > 1:
            edits = natural.ranked(text, edits)
        name = next(each.method.name for each in mended if each.variant is edits[0])
        others = sum(definition in each.verdict.ran for each in self._passing)
        return Broken(first, definition, text, name, edits[0].place, edits, 1 + others + len(mended[0].also))


def _methods(verdict: Verdict, texts: Mapping[str, str]) -> Iterator[_Method]:
    """The functions and methods that ran."""
    for definition, rows in verdict.ran.items():
        for outer in parsed(texts.get(definition, "")):
            inner = outer.body if isinstance(outer, ast.ClassDef) else [outer]
            for node in inner:
                if isinstance(node, ast.FunctionDef):
                    own = frozenset(row for row in rows if node.body[0].lineno <= row <= (node.end_lineno or row))
                    if own:
                        name = f"{definition}.{node.name}" if isinstance(outer, ast.ClassDef) else node.name
                        yield _Method(definition, name, node, own)


def _unmended(first: Tried, methods: Sequence[_Method], texts: Mapping[str, str]) -> Broken | None:
    """Where a test is told that no small edit mends: where its error came from, or what was asserted something of; and
    not where it may come from another file."""
    verdict = first.verdict
    if not verdict.alone:
        return None
    for method in methods:
        text = texts[method.definition]
        if verdict.raised is not None:
            definition, row = verdict.raised
            if definition == method.definition and row in method.rows:
                return Broken(first, definition, text, method.name, _line_at(text, row))
    for called in verdict.called:
        for method in methods:
            if method.node.name == called and gives(method.node):
                text = texts[method.definition]
                start = Source(text).offset(method.node.lineno, method.node.col_offset)
                return Broken(first, method.definition, text, method.name, name_span(text, called, start))
    return None


def _line_at(text: str, row: int) -> Span:
    """What is written on a row."""
    source = Source(text)
    start, end = source.line_of(source.offset(row, 0))
    line = text[start:end]
    return Span(start + len(line) - len(line.lstrip()), start + len(line.rstrip()))

"""What examples say of a function goes before what a model thinks of it.

Where a function does not give what its description shows, that is told, with the edits after which it does. Where it
does, no fix is offered after which it would not: a finding all of whose fixes break an example is none.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from codehunch.defects.by_test import TrialChecker
from codehunch.defects.cache import FindingCache, unit_key
from codehunch.defects.findings import Finding, Fix
from codehunch.defects.kinds import OF_EXAMPLES
from codehunch.defects.mending import Described, Disagreement, described, disagreement
from codehunch.defects.naturalness import Naturalness
from codehunch.defects.rewrites import apply
from codehunch.defects.surroundings import Surroundings
from codehunch.defects.telling import name_span, short, told
from codehunch.interpreter.agreement import agrees
from codehunch.interpreter.around import NOTHING_AROUND, Around
from codehunch.interpreter.file_statements import defined_name
from codehunch.interpreter.program import Program
from codehunch.syntax.ignores import Suppressions
from codehunch.syntax.spans import Span
from codehunch.synthesis.examples import Example, assertions_of

_REMEMBERED = 512

IsCancelled = Callable[[], bool]


@attrs.frozen
class FileFacts:
    """What of a whole file, and of the project around it, bears on what its examples say."""

    suppressions: Suppressions = attrs.field(factory=Suppressions)
    surroundings: Surroundings | None = None
    around: Around = NOTHING_AROUND


@attrs.frozen(eq=False)
class _Known:
    """What was found out about a function, and what of its file that depends on."""

    names: Mapping[tuple[str, str], Sequence[str]]
    """Names that its runs looked for, with the places of their files, each with the statements that bind it."""
    found: Finding | None
    context: str | None = None
    """What of its file bears on how it reads, where the model was asked."""


class ExampleChecker:
    """Runs functions on their examples in the interpreter. Remembers what it found while nothing that bears on it
    changes; not thread-safe."""

    def __init__(self, cache: FindingCache | None = None) -> None:
        """``cache`` keeps what the model was asked."""
        self._cache = cache if cache is not None else FindingCache()
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._trials = TrialChecker()

    def settle(
        self,
        statements: Sequence[str],
        findings: Mapping[int, Sequence[Finding]],
        cancelled: IsCancelled | None = None,
        natural: Naturalness | None = None,
        around: Around = NOTHING_AROUND,
    ) -> dict[int, tuple[Finding, ...]]:
        """The findings of each statement outside of everything whose examples say something, in offsets of its text.

        ``findings`` are those of a model by the number of the statement, likewise. What is not in the answer stays.
        ``natural`` tells which of several edits that all fit comes first; ``around`` is what the project says.
        """
        asserted = dict(around.asserted)
        for text in statements:
            for name, lines in assertions_of(text).items():
                asserted[name] = f"{asserted[name]}\n{lines}" if name in asserted else lines
        program = Program(statements, around.modules)
        settled: dict[int, tuple[Finding, ...]] = {}
        shown: dict[str, Described] = {}
        for number, text in enumerate(statements):
            function = described(text, asserted)
            if function is None:
                continue
            shown[function.node.name] = function
            own = self._told(program, function, cancelled, natural)
            if own is not None:
                settled[number] = _beside(own, findings.get(number, ()))
            elif findings.get(number):
                settled[number] = tuple(_not_refuted(program, function, findings[number]))
        if around.tests and around.modules is not None:
            tests = list(filter(None, map(around.modules.at, around.tests)))
            self._by_tests(program, tests, (settled, findings, shown), cancelled, natural)
        return settled

    def _by_tests(
        self,
        program: Program,
        tests: Sequence[Program],
        known: tuple[dict[int, tuple[Finding, ...]], Mapping[int, Sequence[Finding]], Mapping[str, Described]],
        cancelled: IsCancelled | None,
        natural: Naturalness | None,
    ) -> None:
        """Add what the tests of the project say to what is settled."""
        settled, findings, shown = known
        numbers = {name: number for number, text in enumerate(program.statements) if (name := defined_name(text))}
        wrong = {
            name for name in shown if any(each.kind == OF_EXAMPLES.name for each in settled.get(numbers[name], ()))
        }
        tried = self._trials.tried(program, tests, cancelled)
        told: set[int] = set()

        def holds(name: str, changed: Program) -> bool:
            return name not in shown or _agree(changed, shown[name])

        others = [each for each in tried if wrong.isdisjoint(each.verdict.ran)]
        for broken in self._trials.broken(program, others, holds, cancelled, natural):
            number = numbers[broken.definition]
            settled[number] = _beside(broken.finding, settled.get(number, findings.get(number, ())))
            told.add(number)
        for number, text in enumerate(program.statements):
            own = settled.get(number, findings.get(number, ()))
            if own and number not in told and any(defined_name(text) in each.verdict.ran for each in tried):
                kept = (self._trials.refuted(program, tried, text, each) for each in own)
                settled[number] = tuple(each for each in kept if each is not None)

    def _told(
        self, program: Program, function: Described, cancelled: IsCancelled | None, natural: Naturalness | None
    ) -> Finding | None:
        known = self._known.get(function.key)
        if known is None or not _holds(known, program, function, natural):
            program.looked_up.clear()
            disagreed, context = disagreement(program, function, cancelled), None
            found = _finding(disagreed) if disagreed is not None else None
            if disagreed is not None and natural is not None and len(disagreed.mended) > 1:
                context = natural.context(function.text)
                found = self._most_natural(disagreed, natural, context)
            if cancelled is not None and cancelled():
                return found
            known = _Known({each: program.bound(*each) for each in program.looked_up}, found, context)
            self._known[function.key] = known
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(function.key)
        return known.found

    def _most_natural(self, found: Disagreement, natural: Naturalness, context: str) -> Finding:
        """The finding with the most natural edit first; the model is asked once, by this process or another."""
        plain = _finding(found)
        edits = [each.edits for each in found.mended]
        key = unit_key(found.described.text, f"{OF_EXAMPLES.name}\0{context}\0{plain.message}\0{edits!r}")
        known = self._cache.get(key)
        if known is None:
            known = (_finding(attrs.evolve(found, mended=natural.ranked(found.described.text, found.mended))),)
            self._cache.put(key, known)
        return known[0]


def _holds(known: _Known, program: Program, function: Described, natural: Naturalness | None) -> bool:
    """Whether nothing has changed that bears on what was found out."""
    if any(program.bound(*each) != texts for each, texts in known.names.items()):
        return False
    return known.context is None or (natural is not None and natural.context(function.text) == known.context)


def _beside(own: Finding, others: Sequence[Finding]) -> tuple[Finding, ...]:
    """What is computed, and what else stands in other places."""
    apart = (each for each in others if not each.span.overlaps(own.span))
    return tuple(sorted((own, *apart), key=lambda each: each.span))


def _not_refuted(program: Program, function: Described, findings: Sequence[Finding]) -> Iterator[Finding]:
    """Findings without the fixes that break an example, and without those that then have none left."""
    name = function.node.name
    kept = [each for each in function.examples if agrees(program.call(name, each.arguments), each.result)]
    for finding in findings:
        fixes = tuple(fix for fix in finding.fixes if not fix.edits or _keeps(program, function, fix, kept))
        if fixes or not finding.fixes:
            yield attrs.evolve(finding, fixes=fixes)


def _keeps(program: Program, function: Described, fix: Fix, examples: Sequence[Example]) -> bool:
    changed = program.replaced(function.node.name, apply(function.text, fix.edits))
    return _agree(changed, attrs.evolve(function, examples=tuple(examples)))


def _agree(program: Program, function: Described) -> bool:
    """Whether a function follows its examples, as far as can be said."""
    outcomes = ((program.call(function.node.name, each.arguments), each.result) for each in function.examples)
    return all(agrees(outcome, result) for outcome, result in outcomes if outcome.decided)


def _finding(found: Disagreement) -> Finding:
    function, first = found.described, found.broken[0]
    given = f"raises {first.outcome.error}" if first.outcome.error else f"gives {short(repr(first.outcome.value))}"
    shown = _place_of(function, first.example)
    says = "its example shows" if shown >= 0 or not first.example.call else "a test says"
    message = f"`{short(_call(function, first.example))}` {given}, {says} {short(repr(first.example.result))}"
    evidence = Span(shown, shown + len(first.example.call)) if shown >= 0 else None
    count = len(function.examples)
    fitting = f"fits {'the example' if count == 1 else f'all {count} examples'}"
    name = function.node.name
    return told(function.text, name, message, found.mended, name_span(function.text, name), fitting, evidence)


def _call(function: Described, example: Example) -> str:
    return example.call or f"{function.node.name}({', '.join(map(repr, example.arguments))})"


def _place_of(function: Described, example: Example) -> int:
    """Where an example stands in the text of its function, in whatever quotes; less than 0 where it does not."""
    return function.text.replace('"', "'").find(example.call.replace('"', "'")) if example.call else -1

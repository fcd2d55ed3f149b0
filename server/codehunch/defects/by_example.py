"""What examples say of a function goes before what a model thinks of it.

Where a function does not give what its description shows, that is told, with the edits after which it does. Where it
does, no fix is offered after which it would not: a finding all of whose fixes break an example is none.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from codehunch.defects.expression_variants import Variant
from codehunch.defects.findings import Finding, Fix
from codehunch.defects.fingerprints import function_fingerprint
from codehunch.defects.kinds import kind_named
from codehunch.defects.mending import Described, Disagreement, described, disagreement
from codehunch.defects.naturalness import Naturalness
from codehunch.defects.rewrites import apply
from codehunch.interpreter.agreement import agrees
from codehunch.interpreter.program import Program
from codehunch.syntax.spans import Span
from codehunch.synthesis.examples import Example, assertions_of

KIND = "broken-example"
SURE = 0.98
"""Confidence of such a finding: it is computed, but an example may be what is wrong."""
_FIXES = 3
_SUSPICION = 2.0
"""What a token that the model takes to be wrong costs an edit, in the measure of its own cost: found with slips that
were put into functions of a collection of algorithms that nothing was trained on."""
_REMEMBERED = 512

IsCancelled = Callable[[], bool]


@attrs.frozen(eq=False)
class _Known:
    """What was found out about a function, and what of its file that depends on."""

    names: Mapping[str, Sequence[str]]
    """Names that its runs looked for, each with the statements that bind it."""
    found: Disagreement | None
    context: str | None = None
    """What of its file bears on how it reads, where the model was asked."""


class ExampleChecker:
    """Runs functions on their examples in the interpreter. Remembers what it found while nothing that bears on it
    changes; not thread-safe."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()

    def settle(
        self,
        statements: Sequence[str],
        findings: Mapping[int, Sequence[Finding]],
        cancelled: IsCancelled | None = None,
        natural: Naturalness | None = None,
    ) -> dict[int, tuple[Finding, ...]]:
        """The findings of each statement outside of everything whose examples say something, in offsets of its text.

        ``findings`` are those of a model by the number of the statement, likewise. What is not in the answer stays.
        ``natural`` tells which of several edits that all fit comes first.
        """
        asserted: dict[str, str] = {}
        for text in statements:
            for name, lines in assertions_of(text).items():
                asserted[name] = f"{asserted[name]}\n{lines}" if name in asserted else lines
        program = Program(statements)
        settled: dict[int, tuple[Finding, ...]] = {}
        for number, text in enumerate(statements):
            function = described(text, asserted)
            if function is None:
                continue
            found = self._disagreement(program, function, cancelled, natural)
            if found is not None:
                own = _finding(found)
                others = (each for each in findings.get(number, ()) if not each.span.overlaps(own.span))
                settled[number] = tuple(sorted((own, *others), key=lambda each: each.span))
            elif findings.get(number):
                settled[number] = tuple(_not_refuted(program, function, findings[number]))
        return settled

    def _disagreement(
        self, program: Program, function: Described, cancelled: IsCancelled | None, natural: Naturalness | None
    ) -> Disagreement | None:
        known = self._known.get(function.key)
        if known is None or not _holds(known, program, function, natural):
            program.looked_up.clear()
            found, context = disagreement(program, function, cancelled), None
            if found is not None and natural is not None and len(found.mended) > 1:
                context = natural.context(function.text)
                found = attrs.evolve(found, mended=ranked(found, natural))
            if cancelled is not None and cancelled():
                return found
            known = _Known({name: program.bound(name) for name in program.looked_up}, found, context)
            self._known[function.key] = known
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(function.key)
        return known.found


def _holds(known: _Known, program: Program, function: Described, natural: Naturalness | None) -> bool:
    """Whether nothing has changed that bears on what was found out."""
    if any(program.bound(name) != texts for name, texts in known.names.items()):
        return False
    return known.context is None or (natural is not None and natural.context(function.text) == known.context)


def ranked(found: Disagreement, natural: Naturalness) -> tuple[Variant, ...]:
    """The edits that fit, the most natural first."""
    texts = [apply(found.described.text, each.edits) for each in found.mended]
    costs = [
        each.cost + _SUSPICION * suspicion
        for each, suspicion in zip(found.mended, natural.suspicion(texts), strict=True)
    ]
    return tuple(found.mended[at] for at in sorted(range(len(costs)), key=costs.__getitem__))


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
    outcomes = [(changed.call(function.node.name, each.arguments), each.result) for each in examples]
    return all(agrees(outcome, result) for outcome, result in outcomes if outcome.decided)


def _finding(found: Disagreement) -> Finding:
    function, first = found.described, found.broken[0]
    kind = kind_named(KIND)
    given = f"raises {first.outcome.error}" if first.outcome.error else f"gives {_short(repr(first.outcome.value))}"
    message = f"{_call(function, first.example)} {given}, its example shows {_short(repr(first.example.result))}"
    fixes = tuple(_fix(function, variant) for variant in found.mended[:_FIXES])
    place = found.mended[0].place if found.mended else _name_span(function)
    hint = f"; {fixes[0].message[0].lower()}{fixes[0].message[1:]}?" if fixes else ""
    shown = function.text.find(first.example.call) if first.example.call else -1
    return Finding(
        code=kind.code,
        kind=kind.name,
        message=message + hint,
        span=place,
        function=function.node.name,
        confidence=SURE,
        fixes=fixes,
        evidence=(Span(shown, shown + len(first.example.call)),) if shown >= 0 else (),
        fingerprint=function_fingerprint(function.node.name, f"{KIND} {_line(function.text, place)}"),
    )


def _call(function: Described, example: Example) -> str:
    arguments = ", ".join(map(repr, example.arguments))
    return f"`{_short(example.call or f'{function.node.name}({arguments})')}`"


def _fix(function: Described, variant: Variant) -> Fix:
    before, after = _short(variant.place.of(function.text)), _short(variant.label)
    if not after:
        change = f"Remove `{before}`"
    elif variant.is_added:
        change = f"Insert `{after}`"
    elif variant.kind == "argument-swap":
        change = f"Swap to `{after}`"
    elif before == after:
        change = f"Move `{after}`"
    else:
        change = f"Replace `{before}` by `{after}`"
    count = len(function.examples)
    fitting = "the example" if count == 1 else f"all {count} examples"
    return Fix(f"{change} (fits {fitting})", variant.edits, 1.0)


def _name_span(function: Described) -> Span:
    """Where the function's own name stands in its text."""
    at = function.text.index(function.node.name, function.text.index("def ") + len("def "))
    return Span(at, at + len(function.node.name))


def _line(text: str, place: Span) -> str:
    start, end = text.rfind("\n", 0, place.start) + 1, text.find("\n", place.start)
    return text[start : end if end >= 0 else len(text)]


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else flat[:57] + "..."

"""What examples say of a function goes before what a model thinks of it.

Where a function does not give what its description shows, that is told, with the edits after which it does. Where it
does, no fix is offered after which it would not: a finding all of whose fixes break an example is none.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from codehunch.defects.cache import FindingCache, unit_key
from codehunch.defects.expression_variants import Variant
from codehunch.defects.findings import Finding, Fix
from codehunch.defects.fingerprints import function_fingerprint
from codehunch.defects.kinds import OF_EXAMPLES
from codehunch.defects.mending import Described, Disagreement, described, disagreement
from codehunch.defects.naturalness import Naturalness
from codehunch.defects.rewrites import apply
from codehunch.defects.surroundings import Surroundings
from codehunch.interpreter.agreement import agrees
from codehunch.interpreter.around import NOTHING_AROUND, Around
from codehunch.interpreter.program import Program
from codehunch.syntax.ignores import Suppressions
from codehunch.syntax.spans import Span
from codehunch.synthesis.examples import Example, assertions_of

SURE = 0.98
"""Confidence of such a finding: it is computed, but an example may be what is wrong."""
_FIXES = 3
_SUSPICION = 2.0
"""What a token that the model takes to be wrong costs an edit, in the measure of its own cost: found with slips that
were put into functions of a collection of algorithms that nothing was trained on."""
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
        for number, text in enumerate(statements):
            function = described(text, asserted)
            if function is None:
                continue
            own = self._told(program, function, cancelled, natural)
            if own is not None:
                others = (each for each in findings.get(number, ()) if not each.span.overlaps(own.span))
                settled[number] = tuple(sorted((own, *others), key=lambda each: each.span))
            elif findings.get(number):
                settled[number] = tuple(_not_refuted(program, function, findings[number]))
        return settled

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
            known = (_finding(attrs.evolve(found, mended=ranked(found, natural))),)
            self._cache.put(key, known)
        return known[0]


def _holds(known: _Known, program: Program, function: Described, natural: Naturalness | None) -> bool:
    """Whether nothing has changed that bears on what was found out."""
    if any(program.bound(*each) != texts for each, texts in known.names.items()):
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
    given = f"raises {first.outcome.error}" if first.outcome.error else f"gives {_short(repr(first.outcome.value))}"
    shown = _place_of(function, first.example)
    says = "its example shows" if shown >= 0 or not first.example.call else "a test says"
    message = f"`{_short(_call(function, first.example))}` {given}, {says} {_short(repr(first.example.result))}"
    fixes = tuple(_fix(function, variant) for variant in found.mended[:_FIXES])
    place = found.mended[0].place if found.mended else _name_span(function)
    hint = f"; {fixes[0].message[0].lower()}{fixes[0].message[1:]}?" if fixes else ""
    return Finding(
        code=OF_EXAMPLES.code,
        kind=OF_EXAMPLES.name,
        message=message + hint,
        span=place,
        function=function.node.name,
        confidence=SURE,
        fixes=fixes,
        evidence=(Span(shown, shown + len(first.example.call)),) if shown >= 0 else (),
        fingerprint=function_fingerprint(function.node.name, f"{OF_EXAMPLES.name} {_line(function.text, place)}"),
    )


def _call(function: Described, example: Example) -> str:
    return example.call or f"{function.node.name}({', '.join(map(repr, example.arguments))})"


def _place_of(function: Described, example: Example) -> int:
    """Where an example stands in the text of its function, less than 0 where it does not."""
    return function.text.find(example.call) if example.call else -1


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

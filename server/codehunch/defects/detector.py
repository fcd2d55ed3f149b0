"""Source text to findings: read every function, look into the suspicious places, report what passes the budget."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import attrs
import numpy as np
from numpy.typing import NDArray

from codehunch.bundles.bundle import Bundle
from codehunch.defects.bindings import surroundings_of
from codehunch.defects.by_example import ExampleChecker, FileFacts
from codehunch.defects.cache import FindingCache, unit_key
from codehunch.defects.confidence import confidence
from codehunch.defects.findings import PER_FUNCTION, Alternative, Edit, Finding, Fix, shifted
from codehunch.defects.fingerprints import fingerprint, function_fingerprint
from codehunch.defects.inspection import (
    Inspected,
    can_be_told,
    can_tell,
    import_margin,
    inspect,
    is_slip,
    kind_of,
    mending_trials,
)
from codehunch.defects.kinds import OF_EXAMPLES, kind_named
from codehunch.defects.naturalness import Naturalness
from codehunch.defects.options import CheckOptions
from codehunch.defects.repairs import OF_NAMES
from codehunch.defects.surroundings import ALONE, Standing, Surroundings
from codehunch.defects.units import Unit, cut, cut_statement
from codehunch.defects.verification import Place, Trial
from codehunch.inference.classifier import Classifier
from codehunch.inference.errors import InferenceError
from codehunch.inference.placement import Placement
from codehunch.inference.textual import TextClassifier
from codehunch.interpreter.around import NOTHING_AROUND, Around
from codehunch.syntax.functions import Function, find_functions
from codehunch.syntax.ignores import find_suppressions
from codehunch.syntax.lexemes import Lexeme, LexemeKind
from codehunch.syntax.parsing import ParsedSource, parse
from codehunch.syntax.sections import cut_at, section_starts
from codehunch.syntax.spans import Span
from codehunch.syntax.statements import ClassPart, class_parts, outer_statements
from codehunch.syntax.text import SourceText

__all__ = ["CheckOptions", "Detector", "reads_clean_in_place"]

_FIXES = 3
_ALTERNATIVES = 5


class Detector:
    """Findings by one bundle. Loads the model when first needed; not thread-safe."""

    def __init__(
        self,
        bundle: Bundle,
        threads: int | None = None,
        cache: FindingCache | None = None,
        placement: Placement | None = None,
    ) -> None:
        """``placement`` says where the model runs and outranks ``threads``."""
        if bundle.manifest.defects is None:
            raise InferenceError(f"{bundle.path}: not a defect model; choose one with `codehunch bundles use`")
        self._bundle, self._placement = bundle, placement or Placement(threads)
        self._spec = bundle.manifest.defects
        self._cache = cache if cache is not None else FindingCache()
        self._classifier: Classifier | None = None
        self._textual: TextClassifier | None = None
        self._examples = ExampleChecker(self._cache)

    @property
    def classifier(self) -> Classifier:
        """The model, opened on first use."""
        if self._classifier is None:
            self._classifier = Classifier(self._bundle, placement=self._placement)
        return self._classifier

    @property
    def knows_files(self) -> bool:
        """Whether what a file binds bears on the findings in its functions."""
        return self._bundle.manifest.encoding.standings

    def check(
        self,
        source: SourceText,
        language: str = "python",
        options: CheckOptions | None = None,
        cancelled: Callable[[], bool] | None = None,
        surroundings: Surroundings | None = None,
        around: Around = NOTHING_AROUND,
    ) -> tuple[Finding, ...]:
        """Findings of a text, sorted by place, suppression comments obeyed. ``surroundings`` are those of the file that
        the text is a part of, ``ALONE`` where that is not known; without them it is a file, and ``around`` is what
        the project says of it.

        A function without a body, or one the parser had to repair, is passed over: it is being typed.
        Raises Cancelled when ``cancelled`` turns true between two readings, InferenceError when the
        model cannot run.
        """
        options = options or CheckOptions()
        if language not in self._bundle.manifest.languages:
            return ()
        part = surroundings is not None
        parsed = parse(source, language)
        functions = find_functions(parsed)
        whole = [f for f in functions if not f.nesting and not f.broken and len(f.body)]
        found: Iterable[Finding]
        if self._spec.token_head:
            if not self.knows_files or language != "python" or surroundings is ALONE:
                surroundings = None
            elif surroundings is None:
                surroundings = surroundings_of(source.text)
            units = [cut(parsed, function, surroundings) for function in whole]
            if language == "python":
                outer = [ClassPart(span, None) for span in outer_statements(parsed)] + list(class_parts(parsed))
                cuts = (cut_statement(source.text, each.span, surroundings, each.class_name) for each in outer)
                units += [unit.narrowed() for unit in cuts if can_tell(unit)]
            read = zip(units, self.check_units(units, cancelled), strict=True)
            found = [_in_file(each, unit, functions) for unit, findings in read for each in findings]
        else:
            found = self._functions(parsed, whole, cancelled)
        least = self._spec.thresholds[options.sensitivity]
        suppressions = find_suppressions(parsed)
        kept = (
            finding
            for finding in found
            if finding.confidence >= least
            and options.reports(finding.code, finding.kind)
            and not suppressions.silences(finding.code, finding.kind, source.row_of(finding.span.start))
        )
        told = sorted(kept, key=lambda finding: finding.span)
        if language != "python" or part:
            return tuple(told)
        return self._settled(source.text, told, options, cancelled, FileFacts(suppressions, surroundings, around))

    def _settled(
        self,
        text: str,
        findings: Sequence[Finding],
        options: CheckOptions,
        cancelled: Callable[[], bool] | None,
        facts: FileFacts,
    ) -> tuple[Finding, ...]:
        """The findings of a whole file after its examples had their say."""
        pieces = list(cut_at(text, list(section_starts(text))))
        starts = [start for start, _ in pieces]
        own: dict[int, list[Finding]] = {}
        for finding in findings:
            at = bisect_right(starts, finding.span.start) - 1
            own.setdefault(at, []).append(shifted(finding, -starts[at]))
        settled = self.settle([piece for _, piece in pieces], own, options, cancelled, facts)
        if not settled:
            return tuple(findings)
        every = {**own, **settled}
        return tuple(shifted(each, starts[at]) for at in sorted(every) for each in every[at])

    def settle(
        self,
        statements: Sequence[str],
        findings: Mapping[int, Sequence[Finding]],
        options: CheckOptions,
        cancelled: Callable[[], bool] | None,
        facts: FileFacts,
    ) -> dict[int, tuple[Finding, ...]]:
        """What is told of each statement of a Python file whose examples say something, see ``ExampleChecker``."""
        kind = OF_EXAMPLES
        silenced = not facts.suppressions.file.isdisjoint(("*", kind.code.lower(), kind.name))
        if silenced or not options.reports(kind.code, kind.name):
            return {}
        around = facts.surroundings if self.knows_files else None
        natural = Naturalness(lambda: self.classifier, around, cancelled) if self._spec.token_head else None
        found = self._examples.settle(statements, findings, cancelled, natural, facts.around)
        return {at: told for at, told in found.items() if not any(map(partial(_is_silenced, statements[at]), told))}

    def _functions(
        self, parsed: ParsedSource, functions: Sequence[Function], cancelled: Callable[[], bool] | None
    ) -> Iterator[Finding]:
        """Findings of a model that judges functions as a whole: the name stands for the function."""
        if self._textual is None:
            self._textual = TextClassifier(self._bundle, placement=self._placement)
        for function in functions:
            text = function.span.of(parsed.text)
            key = unit_key(text)
            known = self._cache.get(key)
            if known is None:
                (probabilities,) = self._textual.read([text], cancelled)
                known = (_of_function(function, probabilities, self._textual.labels),)
                self._cache.put(key, known)
            for finding in known:
                name, header = function.qualified_name, function.header.of(parsed.text)
                span = _name_span(parsed.text, function)
                yield attrs.evolve(finding, span=span, function=name, fingerprint=function_fingerprint(name, header))

    def reads_clean(self, source: SourceText, span: Span, surroundings: Surroundings | None = None) -> bool:
        """Whether no finding at the default sensitivity stands in ``span``: what generated code is asked. For
        ``surroundings`` see ``check``."""
        return not any(finding.span.overlaps(span) for finding in self.check(source, surroundings=surroundings))

    def check_units(
        self, units: Sequence[Unit], cancelled: Callable[[], bool] | None = None
    ) -> list[tuple[Finding, ...]]:
        """What is found in each function at the loosest sensitivity, in offsets of its own text; remembered for the
        next time."""
        keys = [unit_key(unit.text, unit.around.to_json() if unit.around is not None else "") for unit in units]
        known = {key: self._cache.get(key) for key in keys}
        fresh = {key: unit for key, unit in zip(keys, units, strict=True) if known[key] is None}
        if fresh:
            for key, findings in self._read(fresh, cancelled):
                known[key] = findings
                self._cache.put(key, findings)
        return [known[key] or () for key in keys]

    def _read(
        self, fresh: dict[bytes, Unit], cancelled: Callable[[], bool] | None
    ) -> Iterator[tuple[bytes, tuple[Finding, ...]]]:
        least = min(self._spec.thresholds.values())
        by_unit: dict[int, list[tuple[bool, Finding]]] = {id(unit): [] for unit in fresh.values()}
        for item in inspect(list(fresh.values()), self.classifier, self._spec.candidate, cancelled):
            sure = confidence(item.evidence, self._spec.confidence)
            if sure >= least and can_be_told(item, self._spec.candidate):
                by_unit[id(item.place.unit)].append((item.evidence.valueless, self._finding(item, sure)))
        for key, unit in fresh.items():
            best = sorted(by_unit[id(unit)], key=lambda found: -found[1].confidence)
            yield key, tuple(each for rank, (known, each) in enumerate(best) if known or rank < PER_FUNCTION)

    def _finding(self, item: Inspected, sure: float) -> Finding:
        place = item.place
        lexeme = place.unit.lexemes[place.at]
        before = item.evidence.suspicion
        mending = mending_trials(item, self._spec.candidate)
        kind = kind_named(kind_of(item, mending))
        fixes = tuple(_fix(trial, lexeme, before) for trial in mending[:_FIXES])
        named = "`{token}` looks misspelt" if mending and is_slip(lexeme, mending[0]) else kind.message
        hint = f"; {fixes[0].message[0].lower()}{fixes[0].message[1:]}?" if fixes else ""
        return Finding(
            code=kind.code,
            kind=kind.name,
            message=named.format(token=_shown(lexeme.text)) + _reason(place, kind.name) + hint,
            span=lexeme.span,
            function="",
            confidence=sure,
            fixes=fixes,
            alternatives=_alternatives(item, lexeme),
            evidence=_evidence(place, mending[0]) if mending else (),
            import_margin=import_margin(item, self._spec.candidate),
        )


def _is_silenced(text: str, finding: Finding) -> bool:
    """Whether a comment of its own statement silences what an example says."""
    if finding.kind != OF_EXAMPLES.name or "ignore" not in text:
        return False
    source = SourceText(text)
    return find_suppressions(parse(source)).silences(finding.code, finding.kind, source.row_of(finding.span.start))


def _of_function(function: Function, probabilities: NDArray[np.float32], labels: Sequence[str]) -> Finding:
    label = labels[1 + int(probabilities[1:].argmax())]
    try:
        kind = kind_named(label)
    except KeyError:  # A label of the model's own, such as a weakness class: the general rule reports it.
        kind = kind_named("defective-function")
    message = kind.message.format(token=_shown(function.name))
    if kind.name != label and label not in ("defective", "vulnerable"):
        message += f" ({label})"
    return Finding(kind.code, kind.name, message, function.span, "", float(1 - probabilities[0]))


def _name_span(text: str, function: Function) -> Span:
    """Where the function's own name stands in its header."""
    at = text.find(function.name, function.header.start, function.header.end)
    return Span(at, at + len(function.name)) if at >= 0 else function.header


def _reason(place: Place, kind: str) -> str:
    """What the file says of a name, where that says enough."""
    standings = place.unit.standings
    standing = standings[place.at] if standings and kind in OF_NAMES else 0
    return _REASONS.get(Standing(standing), "")


_REASONS = {
    Standing.UNBOUND: " (nothing in this file defines it)",
    Standing.UNBOUND_MEMBER: " (nothing in this file defines it)",
    Standing.FROM_STAR: " (this file only has it if an `import *` brings it)",
    Standing.MISSING: " (its class does not define it)",
    Standing.UNASSIGNED: " (it has no value here yet)",
    Standing.PERHAPS_UNASSIGNED: " (not every path gives it a value)",
    Standing.UNREAD: " (nothing reads this value)",
}


def _fix(trial: Trial, lexeme: Lexeme, before: float) -> Fix:
    label, only = trial.rewrite.label, trial.rewrite.edits[0]
    if trial.kind == "argument-swap":
        message = f"Swap the arguments to `{label}`"
    elif not only.content:
        message = f"Remove `{_shown(lexeme.text)}`"
    elif not len(only.span):
        message = f"Insert `{only.content.strip()}`"
    else:
        message = f"Replace `{_shown(lexeme.text)}` by `{_shown(label)}`"
    places = len(trial.rewrite.edits)
    if places > 1 and trial.kind != "argument-swap":
        message += f" in {places} places"
    return Fix(message, trial.rewrite.edits, max(0.0, before - trial.suspicion))


def _alternatives(item: Inspected, lexeme: Lexeme) -> tuple[Alternative, ...]:
    """The token as it stands among the best rewrites, each with how clean the function reads there."""
    shown = [Alternative(lexeme.text, 1.0 - item.evidence.suspicion)]
    shown += [Alternative(trial.rewrite.label, 1.0 - trial.suspicion) for trial in item.trials[:_ALTERNATIVES]]
    return tuple(sorted(shown, key=lambda alternative: -alternative.probability))


def _evidence(place: Place, trial: Trial) -> tuple[Span, ...]:
    """Where the name the model expected is first written and last used before the flagged place."""
    if trial.kind not in ("variable-misuse", "wrong-attribute"):
        return ()
    at = place.unit.lexemes[place.at].span.start
    same = [
        lexeme.span
        for lexeme in place.unit.lexemes
        if lexeme.text == trial.rewrite.label and lexeme.kind in (LexemeKind.NAME, LexemeKind.ATTRIBUTE)
    ]
    before = [span for span in same if span.start < at]
    return tuple(dict.fromkeys([*before[:1], *before[-1:]])) or tuple(same[:1])


def _in_file(finding: Finding, unit: Unit, functions: Sequence[Function]) -> Finding:
    span = unit.in_file(finding.span)
    holders = [function for function in functions if function.span.contains(span)]
    fixes = tuple(
        attrs.evolve(fix, edits=tuple(Edit(unit.in_file(edit.span), edit.content) for edit in fix.edits))
        for fix in finding.fixes
    )
    name = holders[-1].qualified_name if holders else ""
    return attrs.evolve(
        finding,
        span=span,
        function=name,
        fixes=fixes,
        evidence=tuple(unit.in_file(each) for each in finding.evidence),
        fingerprint=fingerprint(name, unit.lexemes, finding.span),
    )


def _shown(text: str) -> str:
    """A token for a message: one line, not too long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= 40 else flat[:37] + "..."


def reads_clean_in_place(detector: Detector, source: SourceText, span: Span) -> bool:
    """``Detector.reads_clean`` of the statements around ``span`` alone: a person waits, and the file may be long."""
    parsed = parse(source)
    around = [own for node in parsed.tree.root_node.children if (own := parsed.span(node)).overlaps(span)]
    if not around:
        return True
    start, end = around[0].start, around[-1].end
    surroundings = surroundings_of(source.text) if detector.knows_files else None
    return detector.reads_clean(
        SourceText(source.text[start:end]), Span(span.start - start, span.end - start), surroundings
    )
